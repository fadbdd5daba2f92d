package dsr

import (
	"context"
	"fmt"
	"strconv"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/fault"
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
		chunks, err := r.engine.config.Store.Journal(ctx, r.rec.ID, after, 8)
		if err != nil {
			return &storeError{err}
		}
		if len(chunks) == 0 {
			return r.stage(ctx, StageFinish, r.eraseEvents()...)
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
		}
	}
}

func (r *run) eraseEvents() []Event {
	var events []Event
	for _, c := range r.results.Collections {
		if c.Targeted > 0 {
			kind := "masked"
			if c.Deleted {
				kind = "deleted"
			}
			events = append(events, Event{Kind: kind, Collection: c.Address.String(), Rows: c.Masked, Message: c.Message})
		}
	}
	return events
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
	counts, changed, err := r.apply(ctx, s, strconv.Itoa(c.Seq), entries)
	if err != nil {
		return s, counts, fmt.Errorf("%s: %w", c.Step, err)
	}
	fault.Point(ctx, "applied "+strconv.Itoa(c.Seq))
	var again []JournalChunk
	left := 0
	if len(changed) > 0 {
		if attempts[c.Step]++; attempts[c.Step] > r.engine.config.Limits.Attempts {
			return s, counts, fmt.Errorf("%s: %w: %d rows, after %d attempts; retry when they are at rest", c.Step, ErrChangedSince, len(changed), attempts[c.Step]-1)
		}
		chunk, gone, moved, err := r.collectAgain(ctx, s, changed)
		if err != nil {
			return s, counts, fmt.Errorf("%s: rows changed since they were collected: %w", c.Step, err)
		}
		if chunk != nil {
			again = append(again, *chunk)
		}
		counts.Gone += gone
		left = moved
	}
	err = r.commit(ctx, func(ch *StoreChange) error {
		ch.Ticks = []Tick{{Seq: c.Seq, Counts: counts}}
		ch.AppendJournal = again
		out := r.results.collection(address)
		out.Masked += int64(counts.Masked)
		out.Gone += int64(counts.Gone)
		out.Changed += int64(counts.Changed)
		if left > 0 {
			out.Message = fmt.Sprintf("%d rows were given to somebody else since they were collected, and left alone", left)
		}
		if len(changed) > 0 {
			ch.Events = []Event{{Kind: "changed since", Collection: c.Step, Rows: int64(len(changed)), Message: "collected again"}}
		}
		return r.setResults(ch)
	})
	fault.Point(ctx, "ticked "+strconv.Itoa(c.Seq))
	return s, counts, err
}

// apply writes entries and returns those that hold neither the old nor the new
// values.
func (r *run) apply(ctx context.Context, s *step, operation string, entries []entry) (ChunkCounts, []entry, error) {
	ch := &Chunk{Collection: s.Collection, Operation: r.rec.ID + "/" + operation, Delete: s.Erase.Delete, Key: s.key, Rows: make([]RowChange, len(entries))}
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

// collectAgain reads rows that changed since they were journalled and journals
// them anew. A row that references no longer tie to the data subject is left
// alone.
func (r *run) collectAgain(ctx context.Context, s *step, changed []entry) (chunk *JournalChunk, gone, moved int, err error) {
	j, err := r.newJournal(ctx)
	if err != nil {
		return nil, 0, 0, err
	}
	if err := r.loadCollected(ctx); err != nil {
		return nil, 0, 0, err
	}
	before := map[string]entry{}
	q := &Query{Collection: s.Collection, Columns: s.columns, Criteria: []Criterion{{Fields: s.key}}}
	for _, e := range changed {
		key, err := value.Append(nil, e.key)
		if err != nil {
			return nil, 0, 0, err
		}
		before[string(key)] = e
		q.Criteria[0].Values = append(q.Criteria[0].Values, e.key)
	}
	var entries []entry
	for row, err := range s.conn.Connector.Read(ctx, q) {
		if err != nil {
			return nil, 0, 0, err
		}
		e, ok, err := j.entry(s, append([]any(nil), row.Values...))
		if err != nil {
			return nil, 0, 0, err
		}
		key, err := value.Append(nil, e.key)
		if err != nil {
			return nil, 0, 0, err
		}
		old, found := before[string(key)]
		delete(before, string(key))
		switch {
		case !found:
		case !sameGuards(old.set, e.set):
			moved++
		case ok:
			entries = append(entries, e)
		}
	}
	gone = len(before)
	if len(entries) == 0 {
		return nil, gone, moved, nil
	}
	c, err := j.seal(s, entries)
	return &c, gone, moved, err
}

// sameGuards reports whether the values that only guard a row are what they
// were.
func sameGuards(old, now []Change) bool {
	guards := map[string]any{}
	for _, c := range old {
		if len(c.Path) == 1 && value.Equal(c.Old, c.New) {
			guards[c.Path[0].(string)] = c.Old
		}
	}
	for _, c := range now {
		if len(c.Path) != 1 || !value.Equal(c.Old, c.New) {
			continue
		}
		if was, ok := guards[c.Path[0].(string)]; ok && !value.Equal(was, c.Old) {
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
