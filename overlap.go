package dsr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godsr/dsr/graph"
)

// alone is [ErrLeased] while another request of the same data subject comes
// first: each would see the rows half masked by the other, or hand over what is
// being erased. Of those that are in the works the one that started first comes
// first, and whoever holds a lease keeps it. Once this request has a lease of
// its own, only the leases of others count.
func (r *run) alone(ctx context.Context, leased bool) error {
	rec, now := r.record(), r.engine.config.Clock()
	if len(rec.Lookup) == 0 {
		return nil
	}
	for o, err := range r.engine.records(ctx, RecordQuery{Status: []Status{StatusInProcessing}, Lookup: rec.Lookup}) {
		if err != nil {
			return &storeError{err}
		}
		if o.ID != rec.ID && (o.LeaseUntil.After(now) || !leased && o.before(rec)) {
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

// before reports whether a request that was started comes before another one.
func (rec *Record) before(other *Record) bool {
	if other.StartedAt.IsZero() {
		return true
	}
	return cmp.Or(rec.StartedAt.Compare(other.StartedAt), cmp.Compare(rec.ID, other.ID)) < 0
}

// erases reports whether a policy may erase; one that is not configured here
// may.
func (e *Engine) erases(policy string) bool {
	p, ok := e.policies[policy]
	return !ok || p.Has(graph.Erasure)
}
