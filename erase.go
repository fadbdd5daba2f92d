package dsr

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/fault"
	"github.com/godsr/dsr/internal/lifecycle"
	"github.com/godsr/dsr/internal/value"
)

// eraseStage applies the journal, chunk by chunk. It can be cut off anywhere:
// a chunk that was applied but not ticked off is recognised by its values.
func (r *run) eraseStage(ctx context.Context) error {
	key, err := r.key(ctx, keyJournal)
	if err != nil {
		return err
	}
	var total, done int64
	for _, c := range r.results.Collections {
		total += c.Targeted
		done += c.Masked + c.Gone
	}
	attempts := map[string]int{}
	for after := 0; ; {
		// One at a time: rows may be large.
		chunks, err := r.engine.config.Store.Journal(ctx, r.id, after, 1)
		if err != nil {
			return &storeError{err}
		}
		if len(chunks) == 0 {
			r.tellLeft()
			return r.stage(ctx, StageFinish, r.erasedFacts(), r.eraseEvents()...)
		}
		for _, c := range chunks {
			after = c.Seq
			if c.Applied {
				continue
			}
			entries, err := r.openChunk(key, c)
			if err != nil {
				return err
			}
			s, counts, err := r.applyChunk(ctx, c, entries, attempts)
			if err != nil {
				return err
			}
			done += int64(counts.Masked + counts.Gone)
			r.progress(ctx, Progress{Stage: StageErase, Done: done, Total: total, Rows: done, Collection: s.Address()})
			if err := r.stopping(); err != nil {
				return err
			}
		}
	}
}

// tellLeft says of which rows nothing was erased.
func (r *run) tellLeft() {
	for i := range r.results.Collections {
		c := &r.results.Collections[i]
		if left := c.Targeted - c.Masked - c.Gone; left > 0 {
			c.Message = fmt.Sprintf("%d rows were given to somebody else since they were collected, and left alone", left)
		}
	}
}

// applyChunk writes one chunk, collects again what others changed meanwhile,
// and ticks it off.
func (r *run) applyChunk(ctx context.Context, c JournalChunk, entries []entry, attempts map[string]int) (*step, ChunkCounts, error) {
	address, err := graph.ParseAddress(c.Step)
	if err != nil {
		return nil, ChunkCounts{}, errDamaged
	}
	s := r.index[address]
	if s == nil || s.schema == nil {
		return nil, ChunkCounts{}, fmt.Errorf("%s: the journal holds changes for it, but it cannot be found any more", c.Step)
	}
	fault.Point(ctx, "before apply "+strconv.Itoa(c.Seq))
	if err := r.hold(ctx); err != nil {
		return s, ChunkCounts{}, err
	}
	counts, changed, err := r.apply(ctx, s, strconv.Itoa(c.Seq), entries)
	if err != nil {
		return s, counts, fmt.Errorf("%s: %w", c.Step, err)
	}
	fault.Point(ctx, "applied "+strconv.Itoa(c.Seq))
	var again []JournalChunk
	if len(changed) > 0 {
		if err := r.attempt(c.Step, changed, attempts); err != nil {
			return s, counts, err
		}
		chunk, more, err := r.collectAgain(ctx, s, entries, changed)
		if err != nil {
			return s, counts, fmt.Errorf("%s: rows changed since they were collected: %w", c.Step, err)
		}
		if chunk != nil {
			again = append(again, *chunk)
		}
		counts.Gone += more.Gone
		counts.Masked += more.Masked
	}
	err = r.commit(ctx, func(ch *draft) error {
		if ch.state.Wait != nil { // what it waited for is over
			if err := ch.move(ctx, lifecycle.Event{Kind: lifecycle.Progress}, By{}, nil); err != nil {
				return err
			}
		}
		ch.Ticks = []Tick{{Seq: c.Seq, Counts: counts}}
		ch.AppendJournal = again
		out := r.results.collection(address)
		out.Masked += int64(counts.Masked)
		out.Gone += int64(counts.Gone)
		out.Changed += int64(counts.Changed)
		if len(changed) > 0 {
			e := s.line("changed since", logRetrying, graph.Erasure)
			e.Rows, e.Message = int64(len(changed)), "collected again"
			ch.event(e)
		}
		return r.setResults(ch)
	})
	fault.Point(ctx, "ticked "+strconv.Itoa(c.Seq))
	return s, counts, err
}

// apply writes entries and returns those that hold neither the old nor the new
// values.
func (r *run) apply(ctx context.Context, s *step, operation string, entries []entry) (ChunkCounts, []entry, error) {
	ch := &Chunk{Collection: s.Collection, Operation: r.id + "/" + operation, Delete: s.Erase.Delete, Key: s.key, Rows: make([]RowChange, len(entries))}
	for i, e := range entries {
		ch.Rows[i] = RowChange{Key: e.key, Set: e.set}
	}
	var counts ChunkCounts
	results, err := s.conn.Connector.Apply(ctx, ch)
	if err != nil {
		return counts, nil, err
	}
	if len(results) != len(entries) {
		return counts, nil, fmt.Errorf("the connector answered for %d of %d rows", len(results), len(entries))
	}
	if err := s.findMasked(ctx, ch, results); err != nil {
		return counts, nil, err
	}
	var changed []entry
	for i, res := range results {
		switch {
		case res == RowWritten, res == RowAlready, res == RowGone && ch.Delete:
			counts.Masked++
		case res == RowGone:
			counts.Gone++
		default:
			counts.Changed++
			changed = append(changed, entries[i])
		}
	}
	return counts, changed, nil
}

// findMasked looks again for rows that seem gone because what they are
// addressed by was masked by an attempt before, as can be where there is no
// primary key.
func (s *step) findMasked(ctx context.Context, ch *Chunk, results []RowResult) error {
	again := *ch
	again.Rows = nil
	var at []int
	for i, row := range ch.Rows {
		if key, ok := s.maskedKey(row); ok && results[i] == RowGone && !ch.Delete {
			again.Rows = append(again.Rows, RowChange{Key: key, Set: row.Set})
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return nil
	}
	found, err := s.conn.Connector.Apply(ctx, &again)
	if err != nil {
		return err
	}
	for n, i := range at {
		if n < len(found) && found[n] == RowAlready {
			results[i] = RowAlready
		}
	}
	return nil
}

// maskedKey returns the key of a row once it is written; not ok when that is
// the same, or addresses nothing.
func (s *step) maskedKey(row RowChange) ([]any, bool) {
	key, moved := slices.Clone(row.Key), false
	for i, path := range s.key {
		for _, c := range row.Set {
			if len(c.Path) == 1 && c.Path[0] == path.Column() && !value.Equal(c.Old, c.New) {
				key[i], moved = c.New, true
			}
		}
	}
	return key, moved && slices.ContainsFunc(key, func(v any) bool { return v != nil })
}

// attempt counts how often each row was found changed.
func (r *run) attempt(step string, changed []entry, attempts map[string]int) error {
	limit, restless := r.engine.config.Limits.Attempts, 0
	for _, e := range changed {
		key, err := value.Append([]byte(step+"\x00"), e.key)
		if err != nil {
			return err
		}
		if attempts[string(key)]++; attempts[string(key)] > limit {
			restless++
		}
	}
	if restless > 0 {
		return fmt.Errorf("%s: %w: %d rows, after %d attempts; retry when they are at rest", step, ErrChangedSince, restless, limit)
	}
	return nil
}

// collectAgain reads rows that changed since they were journalled and journals
// them anew. It counts those that vanished, and those in which nothing is left
// to mask. A row that references no longer tie to the data subject is left
// alone.
func (r *run) collectAgain(ctx context.Context, s *step, chunk, changed []entry) (*JournalChunk, ChunkCounts, error) {
	var counts ChunkCounts
	j, err := r.newJournal(ctx)
	if err != nil {
		return nil, counts, err
	}
	if len(s.match) > 0 && !s.loaded {
		if err := r.loadStep(ctx, s); err != nil {
			return nil, counts, err
		}
	}
	before := map[string][]entry{} // several where the key does not tell rows apart
	var keys [][]any
	for _, e := range changed {
		key, err := value.Append(nil, e.key)
		if err != nil {
			return nil, counts, err
		}
		if before[string(key)] = append(before[string(key)], e); len(before[string(key)]) == 1 {
			keys = append(keys, e.key)
		}
	}
	found := map[string]int{}
	var entries []entry
	q := &Query{Collection: s.Collection, Columns: s.columns, Criteria: addressed(s.key, keys)}
	for row, err := range s.conn.Connector.Read(ctx, q) {
		if err != nil {
			return nil, counts, err
		}
		values, err := ownValues(row.Values)
		if err != nil {
			return nil, counts, err
		}
		e, ok, err := j.entry(s, values)
		if err != nil {
			return nil, counts, err
		}
		key, err := value.Append(nil, e.key)
		if err != nil {
			return nil, counts, err
		}
		olds := before[string(key)]
		if len(olds) == 0 || slices.ContainsFunc(chunk, func(c entry) bool { return masked(c, e) }) {
			continue
		}
		found[string(key)]++
		switch {
		case !slices.ContainsFunc(olds, func(old entry) bool { return s.sameTies(old.set, e.set) }):
		case ok:
			entries = append(entries, e)
		default:
			counts.Masked++
		}
	}
	for key, olds := range before {
		counts.Gone += max(0, len(olds)-found[key])
	}
	if len(entries) == 0 {
		return nil, counts, nil
	}
	c, err := j.seal(s, entries)
	return &c, counts, err
}

// addressed returns criteria for the rows with these keys. A key without a
// part, as there may be where no primary key is, is asked for by the others.
func addressed(fields []graph.Path, keys [][]any) []Criterion {
	var criteria []Criterion
	at := map[string]int{}
	for _, key := range keys {
		var present []graph.Path
		var values []any
		mark := make([]byte, len(key))
		for i, v := range key {
			if v != nil {
				present, values, mark[i] = append(present, fields[i]), append(values, v), 1
			}
		}
		n, ok := at[string(mark)]
		if !ok {
			n = len(criteria)
			at[string(mark)] = n
			criteria = append(criteria, Criterion{Fields: present})
		}
		criteria[n].Values = append(criteria[n].Values, values)
	}
	return criteria
}

// masked reports whether a row, as it is now, is another of the chunk that was
// written already: without a primary key several rows have one address.
func masked(written, now entry) bool {
	if !value.Equal(written.key, now.key) || len(written.set) != len(now.set) {
		return false
	}
	for i, c := range now.set {
		if !slices.Equal(c.Path, written.set[i].Path) || !value.Equal(c.Old, written.set[i].New) {
			return false
		}
	}
	return true
}

// ownValues copies the values of a row, which are the connector's own.
func ownValues(row []any) ([]any, error) {
	b, err := value.Append(nil, row)
	if err != nil {
		return nil, err
	}
	v, _, err := value.Decode(b)
	own, _ := v.([]any)
	return own, err
}

// sameTies reports whether the fields by which the row belongs to the data
// subject hold what they held. Such a field that is masked itself counts too:
// a row that refers to somebody else now is not the data subject's.
func (s *step) sameTies(old, now []Change) bool {
	for _, path := range s.ties() {
		held := func(c Change) bool { return slices.Equal(c.Path, anyPath(path)) }
		was, is := slices.IndexFunc(old, held), slices.IndexFunc(now, held)
		if was >= 0 && (is < 0 || !value.Equal(old[was].Old, now[is].Old)) {
			return false
		}
	}
	return true
}

// applyUnjournalled writes at once, for the test that shows why a journal is
// needed.
func (r *run) applyUnjournalled(ctx context.Context, s *step, entries []entry) error {
	counts, _, err := r.apply(ctx, s, "0", entries)
	fault.Point(ctx, "applied")
	out := r.results.collection(s.Address())
	out.Masked += int64(counts.Masked)
	return err
}
