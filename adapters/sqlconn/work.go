package sqlconn

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr"
)

// work is a chunk, checked and brought into the types of its columns.
type work struct {
	dialect dialect
	table   *table
	remove  bool
	// keyless says that the chunk's key may be shared by several rows.
	keyless bool
	keys    []*column
	// columns are read and compared: those of the changes and, without a
	// key, those that address the row.
	columns []*column
	size    int
	// rows are those whose keys the columns can hold; the others are gone.
	rows []workRow
}

type workRow struct {
	result  int
	key     []any
	encoded []any
	changes []change
}

// change is a [dsr.Change] of a known column.
type change struct {
	at   int // position in work.columns
	path []any
	old  any
	new  any
	// guard says that old and new are equal.
	guard bool
}

// writing is one statement about rows of a work, as the dialects take it.
type writing struct {
	dialect dialect
	table   *table
	keyless bool
	// list holds the keys, then the fingerprint, then the new values; on
	// joins it, as u, with the table, as t.
	list fragment
	on   string
	keys []string
	// lead is the first column of the key.
	lead    *column
	outputs []string
	// fingerprint is the expression that tells keyless rows apart.
	fingerprint string
	sets        []*column
	firstSet    int
}

// assignments is the SET clause; value is what becomes of a value of the list.
func (w *writing) assignments(prefix string, value func(c *column, expr string) string) string {
	out := make([]string, len(w.sets))
	for i, c := range w.sets {
		out[i] = prefix + w.dialect.ident(c.Name) + " = " + value(c, fmt.Sprintf("u.v%d", w.firstSet+i))
	}
	return strings.Join(out, ", ")
}

// prepare checks a chunk. A chunk that addresses no row, or a row without a
// whole key, is refused.
func (c *Connector) prepare(ctx context.Context, ch *dsr.Chunk) (*work, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	name := ""
	if ch.Collection != nil {
		name = ch.Collection.Name
	}
	if c.readOnly {
		return nil, fmt.Errorf("sqlconn: apply %s: %w", name, dsr.ErrReadOnly)
	}
	if len(ch.Key) == 0 || len(ch.Rows) == 0 {
		return nil, fmt.Errorf("sqlconn: apply %s: the chunk names no key or no row: %w", name, dsr.ErrEmptyQuery)
	}
	for i := range ch.Rows {
		if len(ch.Rows[i].Key) != len(ch.Key) {
			return nil, fmt.Errorf("sqlconn: apply %s: row %d has %d of the %d parts of its key: %w",
				name, i, len(ch.Rows[i].Key), len(ch.Key), dsr.ErrEmptyQuery)
		}
	}
	t, err := c.table(ctx, ch.Collection)
	if err != nil {
		return nil, err
	}
	w := &work{dialect: c.dialect, table: t, remove: ch.Delete, size: len(ch.Rows)}
	if err := w.addColumns(ch); err != nil {
		return nil, err
	}
	for i := range ch.Rows {
		if err := w.addRow(i, &ch.Rows[i]); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// addColumns checks every name of the chunk.
func (w *work) addColumns(ch *dsr.Chunk) error {
	var names, faults []string
	for _, path := range ch.Key {
		if len(path) != 1 {
			faults = append(faults, fmt.Sprintf("the key %q is no column", path.String()))
			continue
		}
		names = append(names, path.Column())
	}
	keys := len(names)
	for i := range ch.Rows {
		for _, set := range ch.Rows[i].Set {
			if len(set.Path) == 0 {
				return fmt.Errorf("sqlconn: apply %s: row %d has a change without a path", w.table.label, i)
			}
			column, ok := set.Path[0].(string)
			if !ok {
				return fmt.Errorf("sqlconn: apply %s: row %d has a path that does not start with a column", w.table.label, i)
			}
			if !slices.Contains(names[keys:], column) {
				names = append(names, column)
			}
		}
	}
	if err := w.table.require("apply", names); err != nil {
		return err
	}
	for _, name := range names[:keys] {
		c, _ := w.table.column(name)
		if c = c.as(ch.Collection); c.document() {
			faults = append(faults, fmt.Sprintf("the key %q holds documents", name))
		}
		w.keys = append(w.keys, c)
	}
	// Beside a unique column, another part of the address may be null.
	w.keyless = !w.table.addressedBy(names[:keys]) || len(w.table.key) == 0 && slices.ContainsFunc(ch.Rows, func(row dsr.RowChange) bool { return slices.Contains(row.Key, nil) })
	if w.keyless {
		w.columns = slices.Clone(w.keys)
	}
	for _, name := range names[keys:] {
		c, _ := w.table.column(name)
		if !slices.ContainsFunc(w.columns, func(have *column) bool { return have.Name == name }) {
			w.columns = append(w.columns, c.as(ch.Collection))
		}
	}
	if faults != nil {
		return fmt.Errorf("sqlconn: apply %s: %s", w.table.label, strings.Join(faults, "; "))
	}
	return nil
}

// addressedBy reports whether the columns hold a whole key of the table.
func (t *table) addressedBy(names []string) bool {
	if len(t.key) > 0 && !slices.ContainsFunc(t.key, func(k string) bool { return !slices.Contains(names, k) }) {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool {
		c, _ := t.column(name)
		return c.Unique && !c.Nullable
	})
}

func (w *work) addRow(i int, row *dsr.RowChange) error {
	r := workRow{result: i, key: row.Key}
	fits, nulls := true, 0
	for j, v := range row.Key {
		if v == nil {
			nulls++
			r.encoded = append(r.encoded, nil)
			continue
		}
		encoded, ok := w.dialect.encode(w.keys[j], v)
		fits = fits && ok
		r.encoded = append(r.encoded, encoded)
	}
	if nulls == len(row.Key) || nulls > 0 && !w.keyless {
		return fmt.Errorf("sqlconn: apply %s: row %d lacks a part of its key: %w", w.table.label, i, dsr.ErrEmptyQuery)
	}
	for _, set := range row.Set {
		at := slices.IndexFunc(w.columns, func(c *column) bool { return c.Name == set.Path[0] })
		ch := change{at: at, path: set.Path[1:], old: set.Old, new: set.New}
		c := w.columns[at]
		if c.document() {
			ch.old, ch.new = documentForm(ch.old), documentForm(ch.new)
		}
		ch.guard = w.remove || equal(ch.old, ch.new)
		switch {
		case len(ch.path) > 0 && !c.document():
			return fmt.Errorf("sqlconn: apply %s: a path leads into the column %q, which holds no documents", w.table.label, c.Name)
		case !ch.guard && c.Generated:
			return fmt.Errorf("sqlconn: apply %s: the column %q is generated and cannot be written", w.table.label, c.Name)
		}
		r.changes = append(r.changes, ch)
	}
	if fits {
		w.rows = append(w.rows, r)
	}
	return nil
}

// gone is the result when no row can have any of the keys.
func (w *work) gone() []dsr.RowResult {
	return slices.Repeat([]dsr.RowResult{dsr.RowGone}, w.size)
}

func (w *work) refuse(err error) error {
	return &Error{Operation: "apply", Table: w.table.label, reason: err.Error()}
}

// statement starts a writing about rows with these lists of values: the keys,
// then whatever follows.
func (w *work) statement(more []listColumn, rows [][]any) *writing {
	s := &writing{dialect: w.dialect, table: w.table, keyless: w.keyless, lead: w.keys[0], firstSet: len(w.keys)}
	var in []listColumn
	var on []string
	for j, c := range w.keys {
		key := listColumn{column: c}
		in = append(in, key)
		expr := "t." + w.dialect.ident(c.Name)
		s.keys = append(s.keys, w.dialect.comparable(key, expr))
		condition := fmt.Sprintf("%s = u.v%d", s.keys[j], j)
		if slices.ContainsFunc(rows, func(row []any) bool { return row[j] == nil }) {
			condition = fmt.Sprintf("(%s OR %s IS NULL AND u.v%d IS NULL)", condition, expr, j)
		}
		on = append(on, condition)
	}
	s.on = strings.Join(on, " AND ")
	s.list = w.dialect.list(append(in, more...), rows)
	return s
}

// fingerprint tells apart the rows that share a key.
func (w *work) fingerprint() string {
	exprs := make([]string, len(w.columns))
	for i, c := range w.columns {
		exprs[i] = "t." + w.dialect.ident(c.Name)
	}
	return w.dialect.fingerprint(exprs)
}

// lock reads, and keeps from others, the rows of the work.
func (w *work) lock() fragment {
	rows := make([][]any, len(w.rows))
	for i := range w.rows {
		rows[i] = w.rows[i].encoded
	}
	s := w.statement(nil, rows)
	for _, c := range w.columns {
		s.outputs = append(s.outputs, w.dialect.output(c, "t."+w.dialect.ident(c.Name)))
	}
	switch {
	case w.keyless:
		s.outputs = append(s.outputs, w.fingerprint())
	case len(s.outputs) == 0:
		s.outputs = []string{"1"}
	}
	return w.dialect.lock(s)
}

// write is the statement for the rows of one shape.
func (w *work) write(shape *shape) fragment {
	var more []listColumn
	if w.keyless {
		more = append(more, listColumn{text: true})
	}
	for _, c := range shape.columns {
		more = append(more, listColumn{column: c, write: true})
	}
	s := w.statement(more, shape.rows)
	if w.keyless {
		s.fingerprint = w.fingerprint()
		s.on += fmt.Sprintf(" AND %s = u.v%d", s.fingerprint, len(w.keys))
		s.firstSet++
	}
	s.sets = shape.columns
	if w.remove {
		return w.dialect.remove(s)
	}
	return w.dialect.update(s)
}
