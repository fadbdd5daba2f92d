package dsr

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/go-multierror"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
)

// collectStage walks the plan and spools every row that it reaches.
func (r *run) collectStage(ctx context.Context) error {
	ids, err := r.identities(ctx)
	if err != nil {
		return err
	}
	if err := r.seedInputs(ids); err != nil {
		return err
	}
	prior, err := r.prior(ctx)
	if err != nil {
		return err
	}
	r.beginRows(prior)
	r.collected, r.rows = 0, 0
	var told error // a panic of the host's Progress
	outcomes := graph.Walk(ctx, r.plan, r.visit, graph.WalkOptions{
		Workers:    r.engine.config.Limits.Workers,
		Rounds:     r.engine.config.Limits.CycleRounds,
		Group:      func(s *graph.Step) string { return r.index[s.Address()].conn.Key },
		GroupLimit: func(key string) int { return r.connection(key).Concurrency },
		Prior:      prior,
		Observe: func(o graph.Outcome) {
			defer recovered(&told)
			r.collecting(ctx, r.index[o.Address], o.State)
		},
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if told != nil {
		return told
	}
	return r.settleWalk(ctx, outcomes)
}

func (r *run) connection(key string) *connection {
	for _, s := range r.steps {
		if s.conn.Key == key {
			return s.conn
		}
	}
	return &connection{}
}

// settleWalk stores what the walk came to and decides how the request goes on.
func (r *run) settleWalk(ctx context.Context, outcomes []graph.Outcome) error {
	faults := &multierror.Error{ErrorFormat: formatWalk}
	suspended := ""
	for i, s := range r.steps {
		o := &outcomes[i]
		if o.State == graph.Done && s.seen != nil {
			before := s.rows
			switch err := r.settleDuplicates(ctx, s); {
			case errors.Is(err, errTooManyDrops):
				o.State, o.Message = graph.Suspended, err.Error()
			case err != nil:
				return err
			}
			o.Rows -= before - s.rows
		}
		if o.State == graph.Done {
			if err := r.writeMatches(ctx, s); err != nil {
				return err
			}
		}
		switch o.State {
		case graph.Failed:
			faults = multierror.Append(faults, fmt.Errorf("%s: %w", o.Address, o.Err))
		case graph.Suspended:
			if suspended == "" {
				suspended = o.Address.String() + ": " + o.Message
			}
		}
	}
	r.results.Walk = outcomes
	r.results.Spooled = make([]spooled, len(r.steps))
	for n, s := range r.steps {
		r.results.Spooled[n] = s.spooled
	}
	r.results.Collections = r.collections(outcomes)
	if err := faults.ErrorOrNil(); err != nil {
		return &WalkError{faults: faults.Errors, text: err.Error()}
	}
	if suspended != "" {
		if err := r.keepParts(ctx); err != nil {
			return err
		}
		return r.commit(ctx, func(d *draft) error {
			d.Record.Failure = suspended
			d.event(Event{Kind: "suspended", Status: logAwaiting, Message: suspended})
			if err := r.setResults(d); err != nil {
				return err
			}
			awaits, err := r.keepTasks(ctx, d, func(t *paperTask) bool { return t.Action == graph.Access })
			if err != nil {
				return err
			}
			if len(awaits) == 0 {
				if err := d.notify(ctx, Notice{Kind: NoticeInput, Message: suspended}); err != nil {
					return err
				}
			}
			return d.move(ctx, lifecycle.Event{Kind: lifecycle.AskPerson, Awaits: awaits}, By{}, nil)
		})
	}
	if err := r.foretell(ctx); err != nil {
		return err
	}
	return r.stage(ctx, StageDeliver, []fact{r.collectedFact()}, r.collectEvents(outcomes)...)
}

// WalkError tells everything that failed while data was collected.
type WalkError struct {
	faults []error
	text   string
}

// Error lists the failures, one a line.
func (e *WalkError) Error() string { return e.text }

// Unwrap returns the failures, for [errors.Is] and [errors.As].
func (e *WalkError) Unwrap() []error { return e.faults }

func formatWalk(errs []error) string {
	if len(errs) == 1 {
		return "collecting failed: " + errs[0].Error()
	}
	text := fmt.Sprintf("collecting failed in %d collections:", len(errs))
	for _, err := range errs {
		text += "\n\t" + err.Error()
	}
	return text
}

// collections turns outcomes of the walk into what the host sees.
func (r *run) collections(outcomes []graph.Outcome) []CollectionOutcome {
	out := make([]CollectionOutcome, 0, len(outcomes)+len(r.plan.Skipped))
	for i, o := range outcomes {
		c := CollectionOutcome{Address: o.Address, State: o.State, Rows: o.Rows, Uncastable: o.Uncastable, Message: o.Message}
		if e := r.steps[i].Erase; e != nil && o.State == graph.Done {
			c.Deleted = e.Delete
			for _, f := range e.Fields {
				c.MaskedFields = append(c.MaskedFields, f.Path.String())
			}
			for _, k := range e.Kept {
				c.KeptFields = append(c.KeptFields, k.Path.String())
			}
		}
		out = append(out, c)
	}
	for _, s := range r.plan.Skipped {
		out = append(out, CollectionOutcome{Address: s.Address, State: graph.Skipped, Message: s.Reason})
	}
	return out
}

// prior returns the outcomes of an earlier walk that still stand: the rows of
// each are in the spool. What they fed is fed again from there.
func (r *run) prior(ctx context.Context) ([]graph.Outcome, error) {
	stands := map[graph.Address]bool{}
	var prior []graph.Outcome
	answers, err := r.papers(ctx)
	if err != nil {
		return nil, err
	}
	for i, o := range r.results.Walk {
		if i >= len(r.steps) || r.steps[i].Cycle != 0 {
			continue
		}
		s := r.steps[i]
		unasked := o.State == graph.Skipped && !o.Behind && s.conn.asker != nil
		if o.State != graph.Done && !unasked || slices.ContainsFunc(s.Upstream, func(a graph.Address) bool { return !stands[a] }) {
			continue
		}
		if unasked {
			stands[o.Address] = true
			prior = append(prior, o)
			continue
		}
		if t := answers.Tasks[taskID(graph.Access, o.Address)]; t != nil && i < len(r.results.Spooled) && t.Revision != r.results.Spooled[i].Revision {
			continue // answered anew since
		}
		if err := r.loadStep(ctx, s); err != nil {
			continue
		}
		if err := r.replay(ctx, s); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			continue
		}
		stands[o.Address] = true
		prior = append(prior, o)
	}
	return prior, nil
}

// beginRows makes the steps that are to be visited begin anew, in parts of
// their own: what an earlier run left is never mixed with it.
func (r *run) beginRows(prior []graph.Outcome) {
	for _, s := range r.steps {
		if slices.ContainsFunc(prior, func(o graph.Outcome) bool { return o.Address == s.Address() }) {
			continue
		}
		s.spooled, s.drop, s.rows = spooled{Epoch: r.record().Epoch}, nil, 0
	}
}

// replay feeds the inputs of other steps from spooled rows.
func (r *run) replay(ctx context.Context, s *step) error {
	for record, err := range r.records(ctx, s) {
		if err != nil {
			return err
		}
		if len(s.feeds) == 0 {
			continue
		}
		row, err := s.decodeRow(record)
		if err != nil {
			return err
		}
		if err := s.feed(row); err != nil {
			return err
		}
	}
	return nil
}

// writeMatches keeps the values that array elements are matched by, for a run
// that goes on after a restart.
func (r *run) writeMatches(ctx context.Context, s *step) error {
	for n, i := range s.inputs {
		if !i.inArray {
			continue
		}
		err := r.writeStrings(ctx, matchPart(s, n), func(write func(string) error) error {
			for _, m := range i.members() {
				if err := write(m); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// loadCollected brings back what a run before this one kept beside the rows.
func (r *run) loadCollected(ctx context.Context) error {
	for _, s := range r.steps {
		if s.loaded || s.number >= len(r.results.Walk) || r.results.Walk[s.number].State != graph.Done {
			continue
		}
		if err := r.loadStep(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) loadStep(ctx context.Context, s *step) error {
	if s.number >= len(r.results.Spooled) {
		return fmt.Errorf("%s: %w", s.Address(), errLost)
	}
	s.spooled, s.rows = r.results.Spooled[s.number], r.results.Walk[s.number].Rows
	if s.drop = nil; s.spooled.Dropped > 0 {
		drop, err := r.readStrings(ctx, dropPart(s))
		if err != nil {
			return err
		}
		for _, seen := range drop {
			if len(seen) != len([20]byte{}) {
				return fmt.Errorf("%s: %w", s.Address(), errLost)
			}
			s.drop = append(s.drop, [20]byte([]byte(seen)))
		}
	}
	for at, i := range s.inputs {
		if !i.inArray {
			continue
		}
		members, err := r.readStrings(ctx, matchPart(s, at))
		if err != nil {
			return err
		}
		for _, m := range members {
			i.held[m] = struct{}{}
		}
	}
	s.loaded = true
	return nil
}
