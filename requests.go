package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/seal"
)

// Requests are the engine's verbs on privacy requests.
type Requests struct {
	engine *Engine
}

// Submit accepts a request: it checks that the policy can be planned for the
// given kinds of identity, seals the identities and stores the request as
// [StatusPending]. A fault is told in full and stores nothing. Where only the
// executor fails, the stored request is returned beside the error.
func (r *Requests) Submit(ctx context.Context, s Submission) (*Request, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if _, err := r.engine.freeze(s.Policy, s.Identities.Kinds()); err != nil {
		return nil, err
	}
	c := &r.engine.config
	now := c.Clock().UTC()
	rec := &Record{
		ID: c.NewID(), Version: 1, ExternalID: s.ExternalID, Policy: s.Policy,
		Status: StatusPending, Stage: StagePlan,
		RequestedAt: s.RequestedAt.UTC(), CreatedAt: now, UpdatedAt: now, Keys: map[string][]byte{},
	}
	if s.RequestedAt.IsZero() {
		rec.RequestedAt = now
	}
	if err := r.sealIdentities(ctx, rec, s.Identities); err != nil {
		return nil, err
	}
	if err := c.Store.Commit(ctx, &StoreChange{Record: *rec, Events: []Event{{Time: now, Kind: "received"}}}); err != nil {
		return nil, fmt.Errorf("dsr: store the request: %w", err)
	}
	r.engine.notify(ctx, rec, Notice{Kind: NoticeReceived})
	if c.Executor != nil {
		if err := c.Executor.Enqueue(ctx, Job{RequestID: rec.ID}); err != nil {
			return rec.request(), fmt.Errorf("dsr: request %s is stored, but could not be enqueued: %w", rec.ID, err)
		}
	}
	return rec.request(), nil
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
	for _, kind := range s.Identities.Kinds() {
		if len(s.Identities[kind]) == 0 {
			fault("identity "+kind, "it has no value")
		}
		for _, v := range s.Identities[kind] {
			switch {
			case strings.TrimSpace(v) == "":
				fault("identity "+kind, "a value is empty")
			case !utf8.ValidString(v):
				fault("identity "+kind, "a value is not valid UTF-8 text")
			}
		}
	}
	return faults.Err()
}

func (r *Requests) sealIdentities(ctx context.Context, rec *Record, ids Identities) error {
	c := &r.engine.config
	key := make([]byte, seal.KeySize)
	if err := r.engine.newKey(ctx, rec, keyIdentity, key); err != nil {
		return err
	}
	plain, err := json.Marshal(map[string][]string(ids))
	if err != nil {
		return errors.New("dsr: the identities cannot be encoded")
	}
	if rec.Identity, err = seal.Seal(c.Random, key, plain, bound(rec.ID, keyIdentity)); err != nil {
		return fmt.Errorf("dsr: seal the identities: %w", err)
	}
	for _, kind := range ids.Kinds() {
		for _, v := range ids[kind] {
			hash, err := r.engine.lookup(ctx, kind, v)
			if err != nil {
				return err
			}
			rec.Lookup = append(rec.Lookup, hash)
		}
	}
	return nil
}

// lookup hashes an identity value for exact search, without regard to case
// where its kind says so.
func (e *Engine) lookup(ctx context.Context, kind, v string) ([]byte, error) {
	v = strings.TrimSpace(v)
	if e.kinds[kind].FoldCase {
		v = strings.ToLower(v)
	}
	hash, err := e.config.Keyring.Lookup(ctx, []byte(kind+"\x00"+v))
	if err != nil {
		return nil, fmt.Errorf("dsr: hash an identity: %w", err)
	}
	return hash, nil
}

// Get returns a request, or [ErrNotFound].
func (r *Requests) Get(ctx context.Context, id string) (*Request, error) {
	rec, err := r.engine.config.Store.Request(ctx, id)
	if err != nil {
		return nil, err
	}
	return rec.request(), nil
}

// List returns the requests that the filter selects, oldest first.
func (r *Requests) List(ctx context.Context, f RecordQuery) ([]*Request, error) {
	recs, err := r.engine.config.Store.Requests(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make([]*Request, len(recs))
	for i, rec := range recs {
		out[i] = rec.request()
	}
	return out, nil
}

// FindByIdentity returns the requests of a data subject, found by the exact
// value of an identity, oldest first, at most 100.
func (r *Requests) FindByIdentity(ctx context.Context, kind, value string) ([]*Request, error) {
	hash, err := r.engine.lookup(ctx, kind, value)
	if err != nil {
		return nil, err
	}
	return r.List(ctx, RecordQuery{Lookup: [][]byte{hash}})
}

// Log returns what happened to a request, oldest first.
func (r *Requests) Log(ctx context.Context, id string) ([]Event, error) {
	return r.engine.config.Store.Events(ctx, id, 0, 0)
}

// Retry lets a request go on that stopped with [StatusError] or waits with
// [StatusRequiresInput], and advances it. What was done stays done. Tables may
// have been altered meanwhile: their schemas are asked for anew.
func (r *Requests) Retry(ctx context.Context, id string) (*Request, error) {
	err := r.change(ctx, id, "retried", func(rec *Record) error {
		if rec.Status != StatusError && rec.Status != StatusRequiresInput {
			return fmt.Errorf("%w: request %s is %s; only one that stopped can be retried", ErrConflict, id, rec.Status)
		}
		rec.Status, rec.Failure = StatusInProcessing, ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r.advance(ctx, id, true)
}

// Cancel withdraws a request. Once its erasure has begun it is [ErrConflict].
func (r *Requests) Cancel(ctx context.Context, id string) error {
	return r.change(ctx, id, "canceled", func(rec *Record) error {
		switch {
		case rec.Status == StatusCanceled:
			return nil
		case rec.Status == StatusComplete:
			return fmt.Errorf("%w: request %s is complete", ErrConflict, id)
		case rec.Stage == StageErase || rec.Stage == StageFinish:
			return fmt.Errorf("%w: request %s has begun to erase and must be finished", ErrConflict, id)
		}
		rec.Status, rec.Stage = StatusCanceled, StageDone
		rec.Keys = map[string][]byte{keyIdentity: rec.Keys[keyIdentity]}
		return nil
	})
}

// change applies one change of state to a stored request.
func (r *Requests) change(ctx context.Context, id, kind string, apply func(*Record) error) error {
	c := &r.engine.config
	rec, err := c.Store.Request(ctx, id)
	if err != nil {
		return err
	}
	next := *rec
	if err := apply(&next); err != nil {
		return err
	}
	now := c.Clock().UTC()
	next.Version, next.UpdatedAt = rec.Version+1, now
	drop := next.Status == StatusCanceled
	err = c.Store.Commit(ctx, &StoreChange{ExpectVersion: rec.Version, Record: next, DropJournal: drop, Events: []Event{{Time: now, Kind: kind}}})
	if err != nil || !drop {
		return err
	}
	// Only now: a request that goes on needs its spool.
	if err := c.Spool.Remove(ctx, id); err != nil {
		return fmt.Errorf("dsr: request %s is canceled, but its spool was not emptied; cancel it again: %w", id, err)
	}
	return nil
}

// notify tells the host's notifier. A notice that fails is logged: it must not
// undo what happened.
func (e *Engine) notify(ctx context.Context, rec *Record, n Notice) {
	if e.config.Notifier == nil {
		return
	}
	n.RequestID, n.ExternalID, n.Policy = rec.ID, rec.ExternalID, rec.Policy
	send := func() (err error) {
		defer recovered(&err)
		return e.config.Notifier.Notify(ctx, n)
	}
	if err := send(); err != nil {
		e.config.Logger.WarnContext(ctx, "notice not sent", "request", rec.ID, "kind", n.Kind)
	}
}

// results is what a record's Outcomes hold.
type results struct {
	Walk        []graph.Outcome     `json:"walk,omitempty"`
	Spooled     []spooled           `json:"spooled,omitempty"`
	Collections []CollectionOutcome `json:"collections,omitempty"`
	Packages    []PackageOutcome    `json:"packages,omitempty"`
}

func (rec *Record) results() (results, error) {
	var res results
	if len(rec.Outcomes) == 0 {
		return res, nil
	}
	err := json.Unmarshal(rec.Outcomes, &res)
	return res, err
}

// request shows a record to the host.
func (rec *Record) request() *Request {
	res, err := rec.results()
	if err != nil {
		res = results{}
	}
	return rec.show(&res)
}

// show shows a record with its outcomes.
func (rec *Record) show(res *results) *Request {
	return &Request{
		ID: rec.ID, ExternalID: rec.ExternalID, Policy: rec.Policy, Status: rec.Status, Stage: rec.Stage,
		RequestedAt: rec.RequestedAt, CreatedAt: rec.CreatedAt, UpdatedAt: rec.UpdatedAt, FinishedAt: rec.FinishedAt,
		Failure: rec.Failure, Collections: slices.Clone(res.Collections), Packages: slices.Clone(res.Packages),
	}
}
