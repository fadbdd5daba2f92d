package dsr

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/fault"
	"github.com/godsr/dsr/internal/spill"
	"github.com/godsr/dsr/internal/value"
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
	outcomes := graph.Walk(ctx, r.plan, r.visit, graph.WalkOptions{
		Workers:    r.engine.config.Limits.Workers,
		Rounds:     r.engine.config.Limits.CycleRounds,
		Group:      func(s *graph.Step) string { return r.index[s.Address()].conn.Key },
		GroupLimit: func(key string) int { return r.connection(key).Concurrency },
		Prior:      prior,
		Observe:    func(o graph.Outcome) { r.collecting(ctx, r.index[o.Address], o.State) },
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
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
			if err := r.settleDuplicates(ctx, s); err != nil {
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
		return r.commit(ctx, func(ch *StoreChange) error {
			ch.Record.Status, ch.Record.Failure = StatusRequiresInput, suspended
			ch.Events = []Event{{Kind: "suspended", Message: suspended}}
			ch.Record.LeaseUntil = time.Time{}
			return r.setResults(ch)
		})
	}
	return r.stage(ctx, StageDeliver, r.collectEvents(outcomes)...)
}

func (r *run) collectEvents(outcomes []graph.Outcome) []Event {
	events := make([]Event, 0, len(outcomes))
	for _, o := range outcomes {
		kind := "collected"
		if o.State == graph.Skipped {
			kind = "skipped"
		}
		events = append(events, Event{Kind: kind, Collection: o.Address.String(), Rows: o.Rows, Message: o.Message})
	}
	return events
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
		if e := r.steps[i].Erase; e != nil {
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
	for i, o := range r.results.Walk {
		if i >= len(r.steps) || o.State != graph.Done || r.steps[i].Cycle != 0 {
			continue
		}
		s := r.steps[i]
		if slices.ContainsFunc(s.Upstream, func(a graph.Address) bool { return !stands[a] }) {
			continue
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

func stringSet(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, s := range list {
		set[s] = true
	}
	return set
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

// visit collects one step, or one round of it.
func (r *run) visit(ctx context.Context, v graph.Visit) graph.Outcome {
	s := r.index[v.Step.Address()]
	if s.schema == nil {
		return graph.Outcome{State: graph.Skipped, Message: "the database has no such collection"}
	}
	fed := s.fedFresh()
	before := s.rows
	s.loaded = true
	err := r.read(ctx, s, v.Round)
	s.spooled.Rounds = v.Round + 1
	out := graph.Outcome{State: graph.Done, Rows: s.rows - before, Fresh: s.fedFresh() - fed}
	for _, i := range s.inputs {
		out.Uncastable += i.takeUncastable()
	}
	full := slices.ContainsFunc(s.feeds, func(f feed) bool { return f.to.isFull() }) ||
		slices.ContainsFunc(s.inputs, func(i *input) bool { return i.isFull() })
	switch {
	case err != nil:
		out.State, out.Err, out.Message = graph.Failed, err, err.Error()
	case full:
		out.State, out.Message = graph.Suspended, errTooManyValues.Error()
	}
	fault.Point(ctx, "collected "+s.Address().String())
	return out
}

// fedFresh counts what the step's rows gave to members of its cycle.
func (s *step) fedFresh() int64 {
	var n int64
	for _, f := range s.feeds {
		if s.Cycle != 0 && f.to.step.Cycle == s.Cycle {
			f.to.mu.Lock()
			n += f.to.fresh
			f.to.mu.Unlock()
		}
	}
	return n
}

func (i *input) takeUncastable() int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := i.uncastable
	i.uncastable = 0
	return n
}

func (i *input) isFull() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.full
}

// read asks for all rows that the step's inputs find and spools them.
func (r *run) read(ctx context.Context, s *step, round int) (err error) {
	w, err := r.create(ctx, rowsPart(s, round), keySpool)
	if err != nil {
		return err
	}
	out := newRowWriter(w)
	defer func() {
		err = errors.Join(err, out.close())
		if err != nil {
			err = errors.Join(err, r.remove(context.WithoutCancel(ctx), rowsPart(s, round)))
		}
	}()
	values, err := s.countInputs()
	if err != nil {
		return err
	}
	if s.seen == nil && (s.Cycle != 0 || values > int64(r.engine.config.Limits.QueryValues) && !s.disjoint()) {
		s.seen = spill.NewSet(&sealedParts{run: r, ctx: ctx, purpose: keyInputs}, fmt.Sprintf("seen-%d-%d", s.spooled.Epoch, s.number), 0)
	}
	for q, err := range s.queries(r.engine.config.Limits.QueryValues) {
		if err != nil {
			return err
		}
		s.batch++
		if err := out.record(nil); err != nil {
			return err
		}
		if err := r.readQuery(ctx, s, q, out); err != nil {
			return err
		}
	}
	for _, i := range s.inputs {
		if i.set != nil {
			if err := i.set.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// disjoint reports whether no row can be found by two different values, so that
// no two queries return the same one: there is one input, and its column holds
// values that are equal only to themselves.
func (s *step) disjoint() bool {
	if len(s.inputs) != 1 || len(s.inputs[0].columns) != 1 || s.inputs[0].columns[0] == nil {
		return false
	}
	switch s.inputs[0].columns[0].Kind {
	case ColumnInteger, ColumnBoolean, ColumnUUID:
		return true
	}
	return false
}

func (r *run) readQuery(ctx context.Context, s *step, q *Query, out *rowWriter) error {
	var buf []byte
	for row, err := range s.conn.Connector.Read(ctx, q) {
		if err != nil {
			return err
		}
		if len(row.Values) != len(s.columns) {
			return fmt.Errorf("the connector returned %d values for %d columns", len(row.Values), len(s.columns))
		}
		buf = buf[:0]
		for i, v := range row.Values {
			if buf, err = value.Append(buf, v); err != nil {
				return fmt.Errorf("column %s: %w", s.columns[i], err)
			}
		}
		if err := out.record(buf); err != nil {
			return err
		}
		if s.seen != nil {
			key, err := s.rowKey(buf)
			if err != nil {
				return err
			}
			if _, err := s.seen.Add(seenKey(key, s.batch)); err != nil {
				return err
			}
		}
		s.rows++
		if s.rows%10_000 == 0 {
			r.collecting(ctx, s, "")
		}
		if err := s.feed(row.Values); err != nil {
			return err
		}
	}
	return nil
}

// feed gives the values of a row, its matching array elements only, to the
// inputs of other steps.
func (s *step) feed(row []any) error {
	if len(s.feeds) == 0 {
		return nil
	}
	var pruned map[int]any
	for at, node := range s.match {
		if p, _ := node.match(row[at]); !p.all {
			if pruned == nil {
				pruned = map[int]any{}
			}
			pruned[at] = p.prune(row[at])
		}
	}
	get := func(path graph.Path) any {
		at := s.at[path.Column()]
		if v, ok := pruned[at]; ok {
			return v
		}
		return row[at]
	}
	for _, f := range s.feeds {
		if len(f.from) == 1 {
			err := leaves(get(f.from[0]), f.from[0][1:], func(v any) error { return f.to.add([]any{v}) })
			if err != nil {
				return err
			}
			continue
		}
		tuple := make([]any, 0, len(f.from))
		for _, path := range f.from {
			err := leaves(get(path), path[1:], func(v any) error { tuple = append(tuple, v); return nil })
			if err != nil {
				return err
			}
		}
		if len(tuple) == len(f.from) {
			if err := f.to.add(tuple); err != nil {
				return err
			}
		}
	}
	return nil
}

// countInputs settles the inputs and counts the values to be asked for.
func (s *step) countInputs() (int64, error) {
	var n int64
	for _, i := range s.inputs {
		if i.held != nil {
			i.mu.Lock()
			n += int64(len(i.pending))
			i.mu.Unlock()
			continue
		}
		if err := i.set.Finish(); err != nil {
			return 0, err
		}
		n += i.set.Len()
	}
	return n, nil
}

// queries packs the values of all inputs into as few queries as the limit
// allows.
func (s *step) queries(limit int) iter.Seq2[*Query, error] {
	return func(yield func(*Query, error) bool) {
		var q *Query
		size := 0
		for _, i := range s.inputs {
			var c *Criterion
			for b, err := range i.take() {
				if err != nil {
					yield(nil, err)
					return
				}
				tuple, err := i.decode(b)
				if err != nil {
					yield(nil, err)
					return
				}
				if q == nil {
					q = &Query{Collection: s.Collection, Columns: s.columns}
				}
				if c == nil {
					q.Criteria = append(q.Criteria, Criterion{Fields: i.Fields, FoldCase: i.fold})
					c = &q.Criteria[len(q.Criteria)-1]
				}
				c.Values = append(c.Values, tuple)
				if size++; size == limit {
					if !yield(q, nil) {
						return
					}
					q, c, size = nil, nil, 0
				}
			}
		}
		if q != nil {
			yield(q, nil)
		}
	}
}

// take yields the encoded values that were not asked for yet.
func (i *input) take() iter.Seq2[[]byte, error] {
	if i.held == nil {
		return i.set.All()
	}
	i.mu.Lock()
	pending := i.pending
	i.pending = nil
	i.mu.Unlock()
	slices.Sort(pending)
	return func(yield func([]byte, error) bool) {
		for _, p := range pending {
			if !yield([]byte(p), nil) {
				return
			}
		}
	}
}

func (i *input) decode(b []byte) ([]any, error) {
	tuple := make([]any, len(i.Fields))
	for n := range tuple {
		var err error
		if tuple[n], b, err = value.Decode(b); err != nil {
			return nil, err
		}
	}
	return tuple, nil
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
		s.drop = stringSet(drop)
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
