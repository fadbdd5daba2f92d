package dsr

import (
	"context"
	"fmt"
	"time"

	"github.com/godsr/dsr/graph"
)

// alone is [ErrLeased] while another request of the same data subject is being
// advanced and one of the two erases: each would see the rows half masked by
// the other.
func (r *run) alone(ctx context.Context) error {
	rec, now := r.record(), r.engine.config.Clock()
	for _, hash := range rec.Lookup {
		others, err := r.engine.config.Store.Requests(ctx, RecordQuery{Status: []Status{StatusInProcessing}, Lookup: [][]byte{hash}})
		if err != nil {
			return &storeError{err}
		}
		for _, o := range others {
			if o.ID != rec.ID && o.LeaseUntil.After(now) && (r.engine.erases(rec.Policy) || r.engine.erases(o.Policy)) {
				return fmt.Errorf("%w: request %s of the same data subject comes first, until %s", ErrLeased, o.ID, o.LeaseUntil.UTC().Format(time.RFC3339))
			}
		}
	}
	return nil
}

// erases reports whether a policy may erase; one that is not configured here
// may.
func (e *Engine) erases(policy string) bool {
	p, ok := e.policies[policy]
	return !ok || p.Has(graph.Erasure)
}
