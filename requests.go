package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
	"github.com/godsr/dsr/internal/turn"
	"github.com/godsr/dsr/internal/value"
)

// Requests are the engine's verbs on privacy requests.
type Requests struct {
	engine *Engine
	counts turn.Shared[int64]
}

// Submit accepts a request: it checks that the policy can be planned for the
// given kinds of identity, seals the identities and stores the request, as far
// along its flow as it can go. A fault is told in full and stores nothing; after
// an [ErrUnknown] the request may be there.
// Where only the executor or the sending of a verification code fails, the
// stored request is returned beside the error. In a process that does not Run,
// notices are sent before it returns; hooks are called by Run, Advance or
// [Messages.Send].
func (r *Requests) Submit(ctx context.Context, s Submission) (*Request, error) {
	e := r.engine
	if err := s.check(); err != nil {
		return nil, err
	}
	g, done, err := e.take(ctx, newest)
	if err != nil {
		return nil, err
	}
	defer done()
	kinds := g.kinds(s.Identities, s.Identities)
	if len(kinds) == 0 {
		return nil, graph.Diagnostics{{
			Severity: graph.Error, Subject: "identities", Message: "none is of a kind that a dataset names, or whose name has 1 to 64 letters, digits, dots, dashes and underscores",
		}}.Err()
	}
	if _, err := g.freeze(s.Policy, kinds); err != nil {
		return nil, err
	}
	if err := g.encryptable(&s); err != nil {
		return nil, err
	}
	if err := e.fits(ctx); err != nil {
		return nil, err
	}
	flow := g.flow(s.Policy)
	d, err := e.draft(&Record{ID: e.config.NewID(), Keys: map[string][]byte{}})
	if err != nil {
		return nil, err
	}
	rec := &d.Record
	rec.ExternalID, rec.Policy, rec.Location = s.ExternalID, s.Policy, strings.ToUpper(strings.TrimSpace(s.Location))
	rec.Actions, rec.Stage, rec.CreatedAt = g.policies[s.Policy].Actions(), StagePlan, d.now
	if rec.RequestedAt = s.RequestedAt.UTC().Truncate(time.Microsecond); s.RequestedAt.IsZero() {
		rec.RequestedAt = d.now
	}
	if flow.Timeframe > 0 {
		rec.DeadlineAt = rec.RequestedAt.Add(flow.Timeframe)
	}
	if err := r.sealSubject(ctx, rec, &s); err != nil {
		return nil, err
	}
	d.state.Flow = g.lifecycle(s.Policy)
	d.state.Flow.Silent = d.state.Flow.Silent || s.Silent
	if unknown := slices.DeleteFunc(s.Identities.Kinds(), func(kind string) bool { return slices.Contains(kinds, kind) }); len(unknown) > 0 {
		for i, kind := range unknown {
			if !plainKey(kind) { // it may be somebody's, and the log tells nothing of people
				unknown[i] = "another kind"
			}
		}
		d.event(Event{Kind: "identities of no dataset", Message: strings.Join(slices.Compact(unknown), ", ")})
	}
	if err := r.admit(ctx, d, &s, flow); err != nil {
		if err := r.missed(ctx, rec.ID, err); err != nil {
			return nil, err
		}
	}
	return rec.request(), errors.Join(e.sendWithCode(ctx, d), e.hint(ctx, rec))
}

// missed looks whether a request was stored, whose commit failed: a connection
// may break when all is stored but the answer. It returns nil if it was, and
// [ErrUnknown] if that cannot be found out.
func (r *Requests) missed(ctx context.Context, id string, err error) error {
	looking, cancel := context.WithTimeout(context.WithoutCancel(ctx), missedFor)
	defer cancel()
	switch _, readErr := r.engine.config.Store.Request(looking, id); {
	case readErr == nil:
		return nil
	case !errors.Is(readErr, ErrNotFound) && (errors.Is(err, ErrUnavailable) || ctx.Err() != nil):
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return err
}

const missedFor = 2 * time.Second

// admit stores a new request as far along its flow as it can go.
func (r *Requests) admit(ctx context.Context, d *draft, s *Submission, flow Flow) (err error) {
	event := lifecycle.Event{Kind: lifecycle.Submit, Right: s.Verified}
	if flow.Duplicates != nil { // of two that come at once, one is first
		r.engine.submitting.Lock()
		defer r.engine.submitting.Unlock()
	}
	if s.Verified || !flow.VerifyIdentity {
		if event.Repeats, err = r.repeats(ctx, &d.Record, flow, s.Identities); err != nil {
			return err
		}
	}
	if err := d.move(ctx, event, s.By, map[string]string{"policy": s.Policy}); err != nil {
		return err
	}
	if err := d.notify(ctx, Notice{Kind: NoticeReceived}); err != nil {
		return err
	}
	if d.Record.Status == StatusUnverified {
		if err := d.newCode(ctx, flow, By{}, false); err != nil {
			return err
		}
	}
	d.event(Event{Kind: "received"})
	if err := d.commit(ctx); err != nil {
		return fmt.Errorf("dsr: store the request: %w", err)
	}
	return nil
}

const (
	maxIdentities = 1000   // of one submission
	maxText       = 1000   // bytes of an identity, an external ID, an actor
	maxReason     = 32_000 // bytes, as in Fides
)

func (b By) check() error {
	if len(b.Actor) > maxText {
		return fmt.Errorf("the actor's name has more than %d bytes", maxText)
	}
	if len(b.Reason) > maxReason {
		return fmt.Errorf("the reason has more than %d bytes", maxReason)
	}
	return nil
}

func (s *Submission) check() error {
	var faults graph.Diagnostics
	fault := func(subject, message string) {
		faults = append(faults, graph.Diagnostic{Severity: graph.Error, Subject: subject, Message: message})
	}
	if s.Policy == "" {
		fault("submission", "it names no policy")
	}
	if len(s.Identities) == 0 {
		fault("submission", "it has no identities")
	}
	values := 0
	for _, list := range s.Identities {
		values += len(list)
	}
	if values > maxIdentities {
		fault("submission", fmt.Sprintf("it has more than %d identities", maxIdentities))
	}
	if len(s.ExternalID) > maxText {
		fault("submission", fmt.Sprintf("its external ID has more than %d bytes", maxText))
	}
	if year := s.RequestedAt.Year(); !s.RequestedAt.IsZero() && (year < 1900 || year > 2200) {
		fault("submission", "RequestedAt is not within the years 1900 to 2200")
	}
	if err := s.By.check(); err != nil {
		fault("submission", err.Error())
	}
	if !validLocation(s.Location) {
		fault("submission", "its location is no country by ISO 3166-1 of two letters, nor a part of one by ISO 3166-2, such as US-CA")
	}
	if s.Locale != "" && !graph.ValidLanguage(s.Locale) {
		fault("submission", "its locale is no language tag by BCP 47, such as de or pt-BR")
	}
	s.checkNotes(fault)
	for _, kind := range s.Identities.Kinds() {
		if len(s.Identities[kind]) == 0 {
			fault("identity "+kind, "it has no value")
		}
		for _, v := range s.Identities[kind] {
			switch {
			case strings.TrimSpace(v) == "":
				fault("identity "+kind, "a value is empty")
			case len(v) > maxText:
				fault("identity "+kind, fmt.Sprintf("a value has more than %d bytes", maxText))
			case !utf8.ValidString(v):
				fault("identity "+kind, "a value is not valid UTF-8 text")
			}
		}
	}
	return faults.Err()
}

// validLocation reports whether the text has the form of ISO 3166-1 alpha-2, or
// of ISO 3166-2.
func validLocation(s string) bool {
	country, part, divided := strings.Cut(strings.ToUpper(strings.TrimSpace(s)), "-")
	is := func(text, set string) bool { return strings.Trim(text, set) == "" }
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return country == "" && !divided || len(country) == 2 && is(country, letters) &&
		(!divided || len(part) >= 1 && len(part) <= 3 && is(part, letters+"0123456789"))
}

// lookup hashes an identity value for exact search, without regard to case
// where its kind says so.
func (e *Engine) lookup(ctx context.Context, kind, v string) ([]byte, error) {
	hash, err := e.config.Keyring.Lookup(ctx, []byte("identity\x00"+kind+"\x00"+e.compared(kind, v)))
	if err != nil {
		return nil, fmt.Errorf("dsr: hash an identity: %w", err)
	}
	return hash, nil
}

// compared is the form of an identity value in which it equals others.
func (e *Engine) compared(kind, v string) string {
	v = strings.TrimSpace(v)
	if e.kinds[kind].FoldCase {
		v = value.Fold(v)
	}
	return v
}

// Get returns a request, or [ErrNotFound].
func (r *Requests) Get(ctx context.Context, id string) (*Request, error) {
	rec, err := r.engine.config.Store.Request(ctx, id)
	if err != nil {
		return nil, err
	}
	return rec.request(), nil
}

// Log returns the lines of a request's execution log with a number above after,
// oldest first, at most limit of them; all for a limit of 0.
func (r *Requests) Log(ctx context.Context, id string, after int64, limit int) ([]Event, error) {
	return r.engine.config.Store.Events(ctx, id, after, limit)
}

// notifyFor is how long a notifier may take.
const notifyFor = 30 * time.Second

// tell waits for the notifier for a while, even for one that does not look at
// its context.
func (e *Engine) tell(ctx context.Context, n Notice) error {
	ctx, cancel := context.WithTimeout(ctx, notifyFor)
	defer cancel()
	told := make(chan error, 1)
	go func() {
		var err error
		defer func() { told <- err }()
		defer recovered(&err)
		err = e.config.Notifier.Notify(ctx, n)
	}()
	select {
	case err := <-told:
		return err
	case <-ctx.Done():
		return fmt.Errorf("dsr: the notifier did not answer: %w", ctx.Err())
	}
}

// results is what a record's Outcomes hold.
type results struct {
	// Catalogue is the version of the catalogue that it was planned with, and
	// Destination what was then that of rules which name none.
	Catalogue   int64               `json:"catalogue,omitempty"`
	Destination string              `json:"destination,omitempty"`
	Walk        []graph.Outcome     `json:"walk,omitempty"`
	Spooled     []spooled           `json:"spooled,omitempty"`
	Collections []CollectionOutcome `json:"collections,omitempty"`
	Packages    []PackageOutcome    `json:"packages,omitempty"`
	// Former are packages that may lie at their destinations besides those:
	// of an earlier run, or about to be written.
	Former []PackageOutcome `json:"former,omitempty"`
	// Hooks are those that were called, Vendors those that a request is
	// for, and Files the names of sealed files that may lie at Config.Files.
	Hooks   []HookOutcome   `json:"hooks,omitempty"`
	Vendors []VendorOutcome `json:"vendors,omitempty"`
	Files   []string        `json:"files,omitempty"`
	// Unconfirmed are collections and forms of which nobody said that all
	// was erased.
	Unconfirmed []string `json:"unconfirmed,omitempty"`
	// PackagesTold says that the data subject was told of the packages.
	PackagesTold bool `json:"packages_told,omitempty"`
	// Opened are the download links that were opened and have not expired.
	Opened []openedLink `json:"opened,omitempty"`
}

// catalogue is the version of the catalogue that a request is worked on with.
func (rec *Record) catalogue() int64 {
	if rec.Stage == StagePlan {
		return newest
	}
	res, err := rec.results()
	if err != nil {
		return newest // which is told where the results are needed
	}
	return res.Catalogue
}

func (rec *Record) results() (results, error) {
	var res results
	if len(rec.Outcomes) == 0 {
		return res, nil
	}
	err := json.Unmarshal(rec.Outcomes, &res)
	return res, err
}
