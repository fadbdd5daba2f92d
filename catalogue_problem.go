package dsr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr/graph"
)

// CatalogueProblem says why something that is defined cannot be used yet.
type CatalogueProblem struct {
	Kind CatalogueKind
	Key  string
	// Reason says what is missing or wrong, for people who may see what is
	// defined.
	Reason string
	// Cause is what the type of a connection or a destination said of why it made
	// nothing, if that is the reason; else it is empty. Types promise that it
	// holds no secret, but it may hold addresses: it is for those who run the
	// host.
	Cause string
}

// String returns "kind key: reason: cause" without what there is not.
func (p CatalogueProblem) String() string {
	return strings.TrimSpace(string(p.Kind)+" "+p.Key) + ": " + p.why()
}

// why is all of the reason.
func (p CatalogueProblem) why() string {
	if p.Cause == "" {
		return p.Reason
	}
	return p.Reason + ": " + p.Cause
}

// Problems tells what of the newest version cannot be used, and why: a policy
// without rules, a connection without secrets, a dataset that refers to another
// that there is not.
func (c *Catalogue) Problems(ctx context.Context) ([]CatalogueProblem, error) {
	g, done, err := c.engine.take(ctx, newest)
	if err != nil {
		return nil, err
	}
	defer done()
	return slices.Clone(g.problems), nil
}

// problem notes why something cannot be used.
func (b *builder) problem(kind CatalogueKind, key, format string, args ...any) {
	b.problems = append(b.problems, CatalogueProblem{Kind: kind, Key: key, Reason: fmt.Sprintf(format, args...)})
}

// unusable notes why something cannot be used, after what leads there, and
// returns the reason in words, without the cause.
func (b *builder) unusable(kind CatalogueKind, key, through string, reason error) string {
	p := CatalogueProblem{Kind: kind, Key: key, Reason: through + reason.Error()}
	if failed := (*openError)(nil); errors.As(reason, &failed) {
		p.Cause = failed.cause.Error()
	}
	b.problems = append(b.problems, p)
	return p.Reason
}

// openError says that what a type was to make could not be opened. In the words
// of the type why is no part of its text, which gets into what requests are
// refused with and into their logs: these words may hold more than everybody is
// to read. It counts for what the error is.
type openError struct {
	what  string
	cause error
}

func (e *openError) Error() string { return e.what }
func (e *openError) Unwrap() error { return e.cause }

// cannot notes that something could not be opened, or could not for now.
func (b *builder) cannot(what string, err error) error {
	b.failed = true
	if passing(err) {
		b.down = err
	}
	return &openError{what, err}
}

// catalogueFault is an error of something in the catalogue.
func catalogueFault(kind CatalogueKind, key, format string, args ...any) graph.Diagnostic {
	return graph.Diagnostic{Severity: graph.Error, Subject: string(kind) + " " + key, Message: fmt.Sprintf(format, args...)}
}
