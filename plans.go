package dsr

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/godsr/dsr/graph"
)

// Plan returns what a request is worked on with: the plan that was frozen when
// its work began, whatever was configured since. One that has none yet is planned
// as it would be now, and [ErrShredded] once its identities were forgotten. It
// touches no database but the store.
func (r *Requests) Plan(ctx context.Context, id string) (_ *graph.Plan, err error) {
	defer recovered(&err)
	rec, err := r.engine.config.Store.Request(ctx, id)
	if err != nil {
		return nil, err
	}
	if len(rec.Plan) > 0 {
		plan := &graph.Plan{}
		if err := json.Unmarshal(rec.Plan, plan); err != nil {
			return nil, fmt.Errorf("dsr: the stored plan of request %s cannot be read: %w", id, err)
		}
		return plan, nil
	}
	sub, err := newRun(r.engine, rec).subject(ctx)
	if err != nil {
		return nil, err
	}
	g, done, err := r.engine.take(ctx, newest)
	if err != nil {
		return nil, err
	}
	defer done()
	frozen, err := g.freeze(rec.Policy, g.kinds(sub.Identities, sub.all()))
	if err != nil {
		return nil, err
	}
	plan := &graph.Plan{} // requests share the frozen one
	if err := json.Unmarshal(frozen.json, plan); err != nil {
		return nil, fmt.Errorf("dsr: the plan of request %s cannot be read: %w", id, err)
	}
	return plan, nil
}
