package dsr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr/internal/lifecycle"
)

// removedChecks are the pre-approval checks of a waiting request that the
// catalogue had when it was submitted, and has no more.
func (d *draft) removedChecks(ctx context.Context) ([]string, error) {
	if len(d.state.Flow.Removable) == 0 || d.state.Status != lifecycle.AwaitingPreApproval || !d.Record.DeletedAt.IsZero() {
		return nil, nil
	}
	g, done, err := d.engine.take(ctx, newest)
	if err != nil {
		return nil, err
	}
	defer done()
	return slices.DeleteFunc(slices.Clone(d.state.Flow.Removable), func(check string) bool { return slices.Contains(g.checks, check) }), nil
}

// recount lets the requests go on that waited alone for the answers of
// pre-approval hooks that were removed. One of which no other check has said yes
// waits for a person: nobody has looked at it.
func (e *Engine) recount(ctx context.Context, before, after []HookDefinition) error {
	var removed []string
	for _, h := range before {
		if !slices.ContainsFunc(after, func(o HookDefinition) bool { return o.Key == h.Key }) {
			removed = append(removed, h.Key)
		}
	}
	if len(removed) == 0 {
		return nil
	}
	waits := func(check string) bool { return slices.Contains(removed, check) }
	var errs []error
	for rec, err := range e.records(ctx, RecordQuery{Status: []Status{StatusAwaitingPreApproval}}) {
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("dsr: find the requests that wait for removed hooks: %w", err))...)
		}
		if state, err := rec.state(); err != nil || !slices.ContainsFunc(state.Flow.Removable, waits) {
			continue
		}
		d, err := e.requests.try(ctx, rec.ID, func(d *draft) error { return d.recount(ctx) })
		if err == nil {
			e.sendNow(ctx, d.toSend)
			err = e.hint(ctx, &d.Record)
		}
		if err != nil && !errors.Is(err, errOutdated) && !errors.Is(err, ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// recount approves a request that has a yes of each check that counts; others are
// errOutdated.
func (d *draft) recount(ctx context.Context) error {
	removed, err := d.removedChecks(ctx)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(d.state.Flow.PreApproval), func(check string) bool { return slices.Contains(removed, check) })
	if len(removed) == 0 || len(left) == 0 || slices.ContainsFunc(left, func(check string) bool { return !d.state.Answers[check] }) {
		return errOutdated
	}
	// The last of them says again what it has said.
	event := lifecycle.Event{Kind: lifecycle.Answer, Check: left[len(left)-1], Right: true, Removed: removed}
	return d.move(ctx, event, By{}, map[string]string{"removed": strings.Join(removed, ", ")})
}
