package connectortest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// newCheck returns a check that opens the tables, runs and closes them.
func newCheck(name, explanation string, setup func() Setup, run func(context.Context, *session) error, needs ...Feature) Check {
	return Check{
		Name:        name,
		Explanation: explanation,
		Needs:       needs,
		Run: func(ctx context.Context, h Harness) (err error) {
			s := setup()
			conn, db, err := h.Open(ctx, s)
			if err != nil {
				return fmt.Errorf("the harness cannot open the tables of %q: %w", name, err)
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			return run(ctx, &session{harness: &h, conn: conn, db: db, tables: s.Tables})
		},
	}
}

// session is one open setup.
type session struct {
	harness *Harness
	conn    dsr.Connector
	db      Database
	tables  []Table
}

// row is a row that the connector returned, keyed by column.
type row struct {
	values map[string]any
	via    []dsr.Match
}

// read collects what a query yields. It notices rows of the wrong width and
// values of a type that may not cross the port.
func (s *session) read(ctx context.Context, q *dsr.Query) ([]row, error) {
	var rows []row
	for r, err := range s.conn.Read(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", q.Collection.Name, err)
		}
		if len(r.Values) != len(q.Columns) {
			return nil, fmt.Errorf("read %s: a row has %d values for %d columns", q.Collection.Name, len(r.Values), len(q.Columns))
		}
		got := row{values: make(map[string]any, len(r.Values)), via: slices.Clone(r.Via)}
		for i, v := range r.Values {
			if t := strangeType(v); t != "" {
				return nil, fmt.Errorf("read %s: column %s holds a %s, which may not cross the port", q.Collection.Name, q.Columns[i], t)
			}
			got.values[q.Columns[i]] = clone(v)
		}
		rows = append(rows, got)
	}
	return rows, nil
}

// query asks for every column of a table.
func (s *session) query(table int, criteria ...dsr.Criterion) *dsr.Query {
	t := &s.tables[table]
	return &dsr.Query{Collection: t.Collection, Columns: t.columnNames(), Criteria: criteria}
}

// wantFirst reads and compares the values of the table's first column, in any
// order, each as often as it is wanted.
func (s *session) wantFirst(ctx context.Context, what string, q *dsr.Query, want ...any) error {
	rows, err := s.read(ctx, q)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	got := make([]any, len(rows))
	for i := range rows {
		got[i] = rows[i].values[q.Columns[0]]
	}
	if !sameInAnyOrder(got, want) {
		return fmt.Errorf("%s: read the rows %s, want %s", what, show(got), show(want))
	}
	return nil
}

// wantVia reads with Via and compares what each row, named by its first
// column, says it matched.
func (s *session) wantVia(ctx context.Context, what string, q *dsr.Query, want map[int64][]dsr.Match) error {
	q.Via = true
	rows, err := s.read(ctx, q)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(rows) != len(want) {
		return fmt.Errorf("%s: read %d rows, want %d", what, len(rows), len(want))
	}
	for _, r := range rows {
		id, ok := r.values[q.Columns[0]].(int64)
		matches, wanted := want[id]
		if !ok || !wanted {
			return fmt.Errorf("%s: read row %v, which was not asked for", what, r.values[q.Columns[0]])
		}
		slices.SortFunc(r.via, compareMatches)
		if !slices.Equal(r.via, matches) {
			return fmt.Errorf("%s: row %d says that it matched %v, want %v (criterion and value)", what, id, r.via, matches)
		}
	}
	return nil
}

func compareMatches(a, b dsr.Match) int {
	if a.Criterion != b.Criterion {
		return a.Criterion - b.Criterion
	}
	return a.Value - b.Value
}

// apply applies a chunk and compares the results.
func (s *session) apply(ctx context.Context, what string, ch *dsr.Chunk, want ...dsr.RowResult) error {
	got, err := s.conn.Apply(ctx, ch)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s: the results are %q, want %q", what, got, want)
	}
	return nil
}

// chunk addresses rows of a table by its key.
func (s *session) chunk(table int, rows ...dsr.RowChange) *dsr.Chunk {
	t := &s.tables[table]
	return &dsr.Chunk{Collection: t.Collection, Operation: "connectortest", Key: columnPaths(t.Key), Rows: rows}
}

func columnPaths(columns []string) []graph.Path {
	paths := make([]graph.Path, len(columns))
	for i, c := range columns {
		paths[i] = graph.Path{c}
	}
	return paths
}

// holds compares the rows of a table with those of the setup after the edits.
func (s *session) holds(ctx context.Context, what string, table int, edits ...edit) error {
	t := &s.tables[table]
	got, err := s.db.Rows(ctx, t.Name())
	if err != nil {
		return err
	}
	want := make([]map[string]any, 0, len(t.Rows))
	for i, r := range t.Rows {
		r, _ := clone(r).(map[string]any)
		removed := false
		for _, e := range edits {
			if e.row == i {
				removed = removed || e.remove
				for k, v := range e.set {
					r[k] = v
				}
			}
		}
		if !removed {
			want = append(want, r)
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%s: the table holds %d rows now, want %d", what, len(got), len(want))
	}
	by := t.Key
	if len(by) == 0 {
		by = t.columnNames()
	}
	sortRows(got, by)
	sortRows(want, by)
	for i := range want {
		for _, c := range t.columnNames() {
			if !same(got[i][c], want[i][c]) {
				return fmt.Errorf("%s: the row %s holds %s in column %s now, want %s",
					what, sortKey(want[i], by), show(got[i][c]), c, show(want[i][c]))
			}
		}
	}
	return nil
}

// edit is an expected difference from the rows of the setup.
type edit struct {
	row    int
	set    map[string]any
	remove bool
}

// sortRows orders rows by the text of some columns, which it makes only once.
func sortRows(rows []map[string]any, by []string) {
	keys := make(map[string][]map[string]any, len(rows))
	for _, r := range rows {
		key := sortKey(r, by)
		keys[key] = append(keys[key], r)
	}
	i := 0
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		i += copy(rows[i:], keys[key])
	}
}

func sortKey(r map[string]any, by []string) string {
	parts := make([]string, len(by))
	for i, c := range by {
		parts[i] = fmt.Sprint(r[c])
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// eq is a criterion on one path.
func eq(path graph.Path, values ...any) dsr.Criterion {
	c := dsr.Criterion{Fields: []graph.Path{path}}
	for _, v := range values {
		c.Values = append(c.Values, []any{v})
	}
	return c
}

func folded(c dsr.Criterion) dsr.Criterion {
	c.FoldCase = true
	return c
}

// to changes the value at a path.
func to(old, replacement any, path ...any) dsr.Change {
	return dsr.Change{Path: path, Old: old, New: replacement}
}

// guard only demands a value.
func guard(v any, path ...any) dsr.Change { return dsr.Change{Path: path, Old: v, New: v} }

// at is the change of the row with a one-part key.
func at(key any, changes ...dsr.Change) dsr.RowChange {
	return dsr.RowChange{Key: []any{key}, Set: changes}
}
