package dsr

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/fault"
	"github.com/godsr/dsr/internal/spill"
	"github.com/godsr/dsr/internal/value"
)

// visit collects one step, or one round of it.
func (r *run) visit(ctx context.Context, v graph.Visit) graph.Outcome {
	s := r.index[v.Step.Address()]
	if s.schema == nil {
		return graph.Outcome{State: graph.Skipped, Message: "the database has no such collection"}
	}
	if s.conn.asker != nil {
		return r.visitAsker(ctx, s)
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
	out := newRowWriter(r.create(ctx, rowsPart(s, round), keySpool))
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
	if err := r.readQueries(ctx, s, values, &rowSink{run: r, step: s, out: out}); err != nil {
		return err
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

// concurrentQueries is how many queries of one step run at once, where no two
// of them can return the same row.
const concurrentQueries = 2

// readQueries asks all queries of a step.
func (r *run) readQueries(ctx context.Context, s *step, values int64, sink *rowSink) error {
	limit := r.engine.config.Limits.QueryValues
	if values <= int64(limit) || s.seen != nil {
		for q, err := range s.queries(limit) {
			if err == nil {
				err = r.readQuery(ctx, q, sink)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(concurrentQueries)
	for q, err := range s.queries(limit) {
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		if gctx.Err() != nil {
			break
		}
		g.Go(func() (err error) {
			defer recovered(&err)
			return r.readQuery(gctx, q, sink)
		})
	}
	return g.Wait()
}

// rowSink takes the rows of a step from all its queries.
type rowSink struct {
	run  *run
	step *step
	mu   sync.Mutex
	out  *rowWriter
}

// begin marks that the rows of another query follow.
func (k *rowSink) begin() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.step.batch++
	return k.out.record(nil)
}

// row spools one encoded row.
func (k *rowSink) row(ctx context.Context, record []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.out.record(record); err != nil {
		return err
	}
	s := k.step
	if s.seen != nil {
		key, err := s.rowKey(record)
		if err != nil {
			return err
		}
		if _, err := s.seen.Add(seenKey(key, s.batch)); err != nil {
			return err
		}
	}
	if s.rows++; s.rows%10_000 == 0 {
		k.run.collecting(ctx, s, "")
	}
	return nil
}

func (r *run) readQuery(ctx context.Context, q *Query, sink *rowSink) error {
	s := sink.step
	if err := sink.begin(); err != nil {
		return err
	}
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
		if err := sink.row(ctx, buf); err != nil {
			return err
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

// all yields the encoded values of a step that is answered by people, again and
// again.
func (i *input) all() iter.Seq2[[]byte, error] {
	if i.held == nil {
		return i.set.All()
	}
	i.mu.Lock()
	pending := slices.Sorted(slices.Values(i.pending))
	i.mu.Unlock()
	return func(yield func([]byte, error) bool) {
		for _, p := range pending {
			if !yield([]byte(p), nil) {
				return
			}
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
