package dsr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// alone is [ErrLeased] while another request of the same data subject comes
// first: each would see the rows half masked by the other, or hand over what is
// being erased. One in the middle of its erasure has to be finished before any
// other goes on, also when it stopped there. Of the rest, the one that started
// first comes first, and whoever holds a lease keeps it. Once this request has a
// lease of its own, only the leases of others count, and erasures that stopped.
func (r *run) alone(ctx context.Context, leased bool) error {
	rec, now := r.record(), r.engine.config.Clock()
	people := rec.people()
	if len(people) == 0 {
		return nil
	}
	q := RecordQuery{Lookup: people, Status: []Status{
		StatusInProcessing, StatusPaused, StatusError, StatusRequiresInput, StatusPendingExternal, StatusAwaitingEmail,
	}}
	for o, err := range r.engine.records(ctx, q) {
		switch {
		case err != nil:
			return &storeError{err}
		case o.ID == rec.ID:
		case o.Status != StatusInProcessing:
			if o.halfErased() && !rec.halfErased() {
				return &heldError{by: o.ID, status: o.Status}
			}
		case o.LeaseUntil.After(now), !leased && o.comesFirst(rec):
			return fmt.Errorf("%w: request %s of the same data subject comes first", ErrLeased, o.ID)
		}
	}
	return nil
}

// heldError is the [ErrLeased] of a request that goes on only once people have seen
// to another one.
type heldError struct {
	by     string // the ID of the other one
	status Status // of the other one
}

func (e *heldError) Error() string { return ErrLeased.Error() + ": " + e.reason() }

func (e *heldError) Unwrap() error { return ErrLeased }

func (e *heldError) reason() string {
	return fmt.Sprintf("request %s of the same data subject stopped in the middle of its erasure (%s) and has to be finished first", e.by, e.status)
}

// tellHeld has the log of the request, and the operator, told what it waits for:
// once for each request that holds it up, since this is asked at every look.
func (r *run) tellHeld(ctx context.Context, held *heldError) error {
	key := "held " + r.id + " " + held.by
	if _, told := r.engine.runner.told.LoadOrStore(key, true); told {
		return nil
	}
	err := r.logHeld(ctx, held)
	if err != nil {
		r.engine.runner.told.Delete(key)
	}
	if errors.Is(err, ErrConflict) { // another process was faster
		return nil
	}
	return err
}

func (r *run) logHeld(ctx context.Context, held *heldError) error {
	const kind = "waits"
	r.engine.config.Logger.WarnContext(ctx, "a request waits until another of the same data subject is finished, whose erasure stopped halfway",
		"request", r.id, "for", held.by, "status", string(held.status))
	events, err := r.engine.config.Store.Events(ctx, r.id, 0, 0)
	if err != nil {
		return &storeError{err}
	}
	if slices.ContainsFunc(events, func(e Event) bool { return e.Kind == kind && strings.HasPrefix(e.Message, "request "+held.by+" ") }) {
		return nil // another process did, or an earlier one
	}
	return r.commit(ctx, func(d *draft) error {
		d.Record.LeaseUntil = time.Time{}
		d.event(Event{Kind: kind, Status: logRetrying, Message: held.reason()})
		return nil
	})
}

// giveWay gives the lease back if another request took one since this one
// looked, and lets those of the data subject find out who comes first.
func (r *run) giveWay(ctx context.Context) error {
	err := r.alone(ctx, true)
	if err == nil {
		return nil
	}
	err = errors.Join(err, r.commit(ctx, func(d *draft) error {
		d.Record.LeaseUntil = time.Time{}
		return nil
	}))
	r.engine.letGo(ctx, r.record())
	return err
}

// halfErased reports whether some of what the request erases may be erased, and
// some not.
func (rec *Record) halfErased() bool { return rec.Stage == StageErase }

// comesFirst reports whether a request that was started comes before another
// one.
func (rec *Record) comesFirst(other *Record) bool {
	switch {
	case rec.halfErased() != other.halfErased():
		return rec.halfErased()
	case other.StartedAt.IsZero():
		return true
	}
	return cmp.Or(rec.StartedAt.Compare(other.StartedAt), cmp.Compare(rec.ID, other.ID)) < 0
}
