package dsr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	if len(rec.Lookup) == 0 {
		return nil
	}
	q := RecordQuery{Lookup: rec.Lookup, Status: []Status{
		StatusInProcessing, StatusPaused, StatusError, StatusRequiresInput, StatusPendingExternal, StatusAwaitingEmail,
	}}
	for o, err := range r.engine.records(ctx, q) {
		switch {
		case err != nil:
			return &storeError{err}
		case o.ID == rec.ID:
		case o.Status != StatusInProcessing:
			if o.halfErased() && !rec.halfErased() {
				return fmt.Errorf("%w: request %s of the same data subject stopped in the middle of its erasure (%s) and has to be finished first",
					ErrLeased, o.ID, o.Status)
			}
		case o.LeaseUntil.After(now), !leased && o.comesFirst(rec):
			return fmt.Errorf("%w: request %s of the same data subject comes first", ErrLeased, o.ID)
		}
	}
	return nil
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
