package dsr

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/fault"
	"github.com/godsr/dsr/internal/seal"
	"github.com/godsr/dsr/internal/value"
	"github.com/godsr/dsr/redact/mask"
)

// journalStage writes down every change that the erasure will make, before it
// makes the first.
func (r *run) journalStage(ctx context.Context) error {
	order, err := r.eraseOrder()
	if err != nil {
		return err
	}
	if len(order) == 0 {
		return r.stage(ctx, StageFinish, nil)
	}
	if err := r.loadCollected(ctx); err != nil {
		return err
	}
	for i := range r.results.Collections {
		c := &r.results.Collections[i]
		c.Targeted, c.Masked, c.Gone, c.Changed = 0, 0, 0, 0
		if s := r.index[c.Address]; c.State == graph.Done && s != nil && s.conn.asker == nil {
			c.Message = "" // of a journal that was dropped
		}
	}
	j, err := r.newJournal(ctx)
	if err != nil {
		return err
	}
	if err := r.commit(ctx, func(ch *draft) error { ch.DropJournal = true; return nil }); err != nil {
		return err
	}
	for n, s := range order {
		if err := j.step(ctx, s); err != nil {
			return err
		}
		r.progress(ctx, Progress{Stage: StageJournal, Done: int64(n + 1), Total: int64(len(order)), Rows: j.rows, Collection: s.Address()})
	}
	if err := j.flush(ctx); err != nil {
		return err
	}
	facts := []fact{{"journalled", map[string]string{"rows": strconv.FormatInt(j.rows, 10)}}}
	return r.stage(ctx, StageErase, facts, append(j.told, Event{Kind: "journalled", Action: graph.Erasure, Rows: j.rows})...)
}

// eraseOrder returns the targeted steps in the order in which they are erased:
// rows that refer to others before those, then as erase_after says, then by
// plan.
func (r *run) eraseOrder() ([]*step, error) {
	var targeted []*step
	for _, s := range r.steps {
		if s.erases() && s.schema != nil && s.conn.asker == nil {
			targeted = append(targeted, s)
		}
	}
	before := map[*step][]*step{}
	for _, s := range targeted {
		for _, a := range s.EraseAfter {
			before[s] = append(before[s], r.index[a])
		}
		if !s.Erase.Delete {
			continue
		}
		for _, o := range targeted {
			// Rows that are masked come first too: once their reference is
			// set null, nothing tells whose they are.
			if o != s && o.conn == s.conn &&
				slices.ContainsFunc(s.schema.ReferencedBy, func(fk ForeignKey) bool { return fk.Table == o.schema.Table }) {
				before[s] = append(before[s], o)
			}
		}
	}
	open := make(map[*step]bool, len(targeted))
	for _, s := range targeted {
		open[s] = true
	}
	order := make([]*step, 0, len(targeted))
	for len(order) < len(targeted) {
		next := slices.IndexFunc(targeted, func(s *step) bool {
			return open[s] && !slices.ContainsFunc(before[s], func(b *step) bool { return open[b] })
		})
		if next < 0 {
			var names []string
			for _, s := range targeted {
				if open[s] {
					names = append(names, s.Address().String())
				}
			}
			return nil, fmt.Errorf("foreign keys and erase_after leave no order in which to erase %s; remove an erase_after", strings.Join(names, ", "))
		}
		order = append(order, targeted[next])
		open[targeted[next]] = false
	}
	return order, nil
}

// entry is what the journal knows of one row.
type entry struct {
	key []any
	set []Change
}

// journal turns rows into journal chunks.
type journal struct {
	run     *run
	key     []byte
	secrets maskSecrets
	masks   map[string]mask.Strategy
	pending []JournalChunk
	size    int // of pending, which is stored when it is above pendingBytes
	rows    int64
	kept    map[*step]map[string]bool // rows that are not deleted, by rowKey
	told    []Event                   // of rows that SharedRows left
}

func (r *run) newJournal(ctx context.Context) (*journal, error) {
	key, err := r.key(ctx, keyJournal)
	if err != nil {
		return nil, err
	}
	return &journal{
		run: r, key: key, masks: map[string]mask.Strategy{}, kept: map[*step]map[string]bool{},
		secrets: maskSecrets{key: key, random: r.engine.config.Random},
	}, nil
}

// step journals all rows of a step.
func (j *journal) step(ctx context.Context, s *step) error {
	shared, err := j.sharing(ctx, s)
	if err != nil {
		return err
	}
	chunks := &chunker{journal: j, step: s}
	order := newRowOrder(s, j.run.engine.config.Limits.CycleValues)
	sharedRows := int64(0)
	for record, err := range j.run.records(ctx, s) {
		if err != nil {
			return err
		}
		row, err := s.decodeRow(record)
		if err != nil {
			return err
		}
		e, ok, err := j.entry(s, row)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		kept := false
		if shared.has(s, row) {
			sharedRows++
			switch j.run.engine.config.SharedRows {
			case SharedKeep:
				kept = true
			case SharedRefuse:
				return fmt.Errorf("%s: rows of others refer to a row that is to be erased, and SharedRows refuses that", s.Address())
			}
		}
		switch {
		case order != nil:
			err = order.add(e, record, row, kept)
		case kept:
			err = j.keep(s, record)
		default:
			err = chunks.add(ctx, e)
		}
		if err != nil {
			return err
		}
	}
	if order != nil {
		more, err := j.ordered(ctx, order, chunks)
		if err != nil {
			return err
		}
		sharedRows += more
	}
	out := j.run.results.collection(s.Address())
	out.Targeted, out.Shared = chunks.rows, sharedRows
	if sharedRows > 0 && j.run.engine.config.SharedRows == SharedKeep {
		out.Message = fmt.Sprintf("left as they are, because rows of others refer to them: %d rows", sharedRows)
		j.told = append(j.told, Event{Kind: "kept", Collection: s.Address().String(), Rows: sharedRows, Message: "rows of others refer to them"})
	}
	j.rows += chunks.rows
	return chunks.cut(ctx)
}

// keep remembers a row that is not deleted: what it refers to has to stay too.
func (j *journal) keep(s *step, record []byte) error {
	if !s.Erase.Delete {
		return nil
	}
	key, err := s.rowKey(record)
	if err != nil {
		return err
	}
	j.keepKey(s, key)
	return nil
}

func (j *journal) keepKey(s *step, key []byte) {
	if j.kept[s] == nil {
		j.kept[s] = map[string]bool{}
	}
	j.kept[s][string(key)] = true
}

// collection returns the outcome of a collection.
func (res *results) collection(a graph.Address) *CollectionOutcome {
	for i := range res.Collections {
		if res.Collections[i].Address == a {
			return &res.Collections[i]
		}
	}
	res.Collections = append(res.Collections, CollectionOutcome{Address: a, State: graph.Done})
	return &res.Collections[len(res.Collections)-1]
}

// entry works out what is to change in a row; not ok when nothing is.
func (j *journal) entry(s *step, row []any) (entry, bool, error) {
	e := entry{key: make([]any, len(s.keyAt))}
	nulls := 0
	for i, at := range s.keyAt {
		if e.key[i] = row[at]; row[at] == nil {
			nulls++
		}
	}
	if nulls == len(e.key) || nulls > 0 && len(s.schema.Key) > 0 {
		return e, false, fmt.Errorf("%s: a targeted row has no value in its key (%s), so that it cannot be addressed", s.Address(), joinPaths(s.key))
	}
	changes := s.Erase.Delete
	for _, f := range s.Erase.Fields {
		at := s.at[f.Path.Column()]
		belongs := wholePart
		if node := s.match[at]; node != nil {
			belongs, _ = node.match(row[at])
		}
		m := &masking{journal: j, step: s, field: f}
		if err := m.value(row[at], belongs, f.Path[1:], []any{f.Path.Column()}); err != nil {
			return e, false, fmt.Errorf("%s: %w", graph.FieldAddress{Address: s.Address(), Path: f.Path}, err)
		}
		e.set = append(e.set, m.set...)
		changes = changes || m.changed
	}
	for _, path := range s.ties() {
		overlaps := func(f graph.EraseField) bool { return path.HasPrefix(f.Path) || f.Path.HasPrefix(path) }
		if slices.ContainsFunc(s.Erase.Fields, overlaps) {
			continue
		}
		if v, ok := scalarAt(row[s.at[path.Column()]], path[1:]); ok {
			e.set = append(e.set, Change{Path: anyPath(path), Old: v, New: v})
		}
	}
	return e, changes, nil
}

func joinPaths(paths []graph.Path) string {
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = path.String()
	}
	return strings.Join(names, ", ")
}

// ties returns the fields by which a row refers to rows of the data subject. A
// row in which they change belongs to somebody else. Arrays are none: they
// hold many. Where no key of the database tells rows apart, rows of others may
// have the same address, and columns that hold identities are ties too.
func (s *step) ties() []graph.Path {
	var ties []graph.Path
	for _, in := range s.inputs {
		for _, path := range in.Fields {
			array := in.inArray && len(path) == 1
			binds := in.Identity == "" || len(s.schema.Key) == 0 && len(path) == 1
			if binds && !array && !slices.ContainsFunc(ties, path.Equal) {
				ties = append(ties, path)
			}
		}
	}
	return ties
}

// scalarAt follows a path through objects; not ok where it leads into an array
// or ends at anything but a scalar.
func scalarAt(v any, path []string) (any, bool) {
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		v = m[name]
	}
	switch v.(type) {
	case map[string]any, []any:
		return nil, false
	}
	return v, true
}

func anyPath(path graph.Path) []any {
	out := make([]any, len(path))
	for i, name := range path {
		out[i] = name
	}
	return out
}

// strategy returns the strategy of a field, made once for each configuration.
func (j *journal) strategy(m graph.Masking) (mask.Strategy, error) {
	id := fmt.Sprintf("%s %#v", m.Strategy, m.Configuration)
	if s, ok := j.masks[id]; ok {
		return s, nil
	}
	s, err := mask.New(m.Strategy, m.Configuration, j.secrets)
	if err == nil {
		j.masks[id] = s
	}
	return s, err
}

// add seals entries as one chunk, in the order of their keys.
func (j *journal) add(ctx context.Context, s *step, entries []entry) error {
	if len(entries) == 0 {
		return nil
	}
	if fault.JournalOff(ctx) {
		return j.run.applyUnjournalled(ctx, s, entries)
	}
	chunk, err := j.seal(s, entries)
	if err != nil {
		return err
	}
	j.pending = append(j.pending, chunk)
	if j.size += len(chunk.Sealed); j.size > pendingBytes {
		return j.flush(ctx)
	}
	return nil
}

func (j *journal) seal(s *step, entries []entry) (JournalChunk, error) {
	type keyed struct {
		order []byte
		entry
	}
	order := make([]keyed, len(entries))
	for i, e := range entries {
		key, err := value.Append(nil, e.key)
		if err != nil {
			return JournalChunk{}, err
		}
		order[i] = keyed{key, e}
	}
	slices.SortStableFunc(order, func(a, b keyed) int { return bytes.Compare(a.order, b.order) })
	sorted := make([]entry, len(order))
	for i, e := range order {
		sorted[i] = e.entry
	}
	plain, err := encodeEntries(sorted)
	if err != nil {
		return JournalChunk{}, fmt.Errorf("journal of %s: %w", s.Address(), err)
	}
	sealed, err := seal.Seal(j.run.engine.config.Random, j.key, plain, bound(j.run.id, "journal "+s.Address().String()))
	if err != nil {
		return JournalChunk{}, err
	}
	return JournalChunk{Step: s.Address().String(), Rows: len(entries), Sealed: sealed}, nil
}

// flush stores the pending chunks.
func (j *journal) flush(ctx context.Context) error {
	if len(j.pending) == 0 {
		return nil
	}
	fault.Point(ctx, "before journal")
	err := j.run.commit(ctx, func(ch *draft) error { ch.AppendJournal = j.pending; return nil })
	j.pending, j.size = nil, 0
	fault.Point(ctx, "at journal")
	return err
}
