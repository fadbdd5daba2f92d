package sqlconn

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/godsr/dsr"
)

// Read streams the rows that match one of the query's criteria, each once. It
// asks with one statement, whatever the number of values.
func (c *Connector) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	return func(yield func(dsr.Row, error) bool) {
		if err := c.read(ctx, q, func(row dsr.Row) bool { return yield(row, nil) }); err != nil {
			yield(dsr.Row{}, err)
		}
	}
}

// DryRead returns the statement that Read would send, on one line, without
// values; none when no value fits its column. It only asks the catalogue.
func (c *Connector) DryRead(ctx context.Context, q *dsr.Query) ([]string, error) {
	r, err := c.compile(ctx, q)
	if err != nil || len(r.selectors) == 0 {
		return nil, err
	}
	statement, err := c.dialect.finish(c.dialect.read(r).sql)
	if err != nil {
		return nil, failure(ctx, "read", r.table.label, err)
	}
	return []string{statement}, nil
}

func (c *Connector) compile(ctx context.Context, q *dsr.Query) (*reading, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	// An empty query is refused before anything is asked.
	if len(q.Criteria) == 0 || slices.ContainsFunc(q.Criteria, func(cr dsr.Criterion) bool {
		return len(cr.Fields) == 0 || len(cr.Values) == 0
	}) {
		return nil, fmt.Errorf("sqlconn: read: the query has no criteria, or one without fields or values: %w", dsr.ErrEmptyQuery)
	}
	t, err := c.table(ctx, q.Collection)
	if err != nil {
		return nil, err
	}
	return compile(c.dialect, t, q)
}

// read calls yield for every row; an error means that there may be more rows.
func (c *Connector) read(ctx context.Context, q *dsr.Query, yield func(dsr.Row) bool) (err error) {
	r, err := c.compile(ctx, q)
	if err != nil || len(r.selectors) == 0 {
		return err
	}
	f := c.dialect.read(r)
	statement, err := c.dialect.finish(f.sql)
	if err != nil {
		return failure(ctx, "read", r.table.label, err)
	}
	// Cancelling is how a cursor is left half-way: closing alone makes
	// some drivers read all the rest first.
	cursor, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := c.db.QueryContext(cursor, statement, f.args...)
	if err != nil {
		return failure(ctx, "read", r.table.label, err)
	}
	defer func() {
		cancel()
		_ = rows.Close()
	}()
	s := newScan(r)
	// Drivers may buffer many rows, which a cancelled read must not yield.
	for ctx.Err() == nil && rows.Next() {
		if err := rows.Scan(s.targets...); err != nil {
			return failure(ctx, "read", r.table.label, err)
		}
		row, ok := s.row(len(q.Columns), q.Via)
		if ok && !yield(row) {
			return nil
		}
	}
	if err := cmp.Or(ctx.Err(), rows.Err()); err != nil {
		return failure(ctx, "read", r.table.label, err)
	}
	return nil
}

// scan takes the rows of one statement; its buffers serve every row.
type scan struct {
	reading *reading
	values  []any
	matched []string
	targets []any
	via     []dsr.Match
}

// cell receives one column from the driver.
type cell struct {
	column *column
	value  *any
}

// Scan implements [database/sql.Scanner].
func (c *cell) Scan(v any) error {
	*c.value = convert(c.column, v)
	return nil
}

// positions receives the matched positions of a list.
type positions struct{ text *string }

// Scan implements [database/sql.Scanner].
func (p *positions) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*p.text = ""
	case int64:
		*p.text = strconv.FormatInt(v, 10)
	default:
		*p.text, _ = textOf(v)
	}
	return nil
}

func newScan(r *reading) *scan {
	s := &scan{reading: r, values: make([]any, len(r.columns)), matched: make([]string, len(r.selectors))}
	for i, c := range r.columns {
		s.targets = append(s.targets, &cell{c, &s.values[i]})
	}
	for k := range r.selectors {
		if r.via && !r.selectors[k].sifted() {
			s.targets = append(s.targets, &positions{&s.matched[k]})
		}
	}
	if len(s.targets) == 0 {
		s.targets = []any{&positions{new(string)}}
	}
	return s
}

// row returns the current row, and false when its documents turn out to match
// nothing.
func (s *scan) row(columns int, via bool) (dsr.Row, bool) {
	row := dsr.Row{Values: s.values[:columns:columns]}
	if !s.reading.via && !s.reading.sifts {
		return row, true
	}
	s.via = s.via[:0]
	for k := range s.reading.selectors {
		sel := &s.reading.selectors[k]
		switch {
		case sel.document != nil:
			s.document(sel)
			continue
		case sel.sieve != nil:
			s.sift(sel)
			continue
		}
		for rest := s.matched[k]; rest != ""; {
			var text string
			text, rest, _ = strings.Cut(rest, ",")
			n, err := strconv.Atoi(text)
			if n -= s.reading.dialect.listBase(); err == nil && n >= 0 && n < len(sel.ordinals) {
				s.via = append(s.via, dsr.Match{Criterion: sel.criterion, Value: sel.ordinals[n]})
			}
		}
	}
	if via {
		row.Via = s.via
	}
	return row, len(s.via) > 0 || !s.reading.sifts
}

// document adds the inputs that a document holds, each once.
func (s *scan) document(sel *selector) {
	start := len(s.via)
	scalars(s.values[sel.document.at], sel.document.path, func(v any) {
		key, ok := documentKey(v, sel.document.fold)
		if !ok {
			return
		}
		for _, i := range sel.document.inputs[key] {
			m := dsr.Match{Criterion: sel.criterion, Value: i}
			if !slices.Contains(s.via[start:], m) {
				s.via = append(s.via, m)
			}
		}
	})
}

// scalars calls f with every scalar at a path; arrays on the way and at its
// end stand for their elements.
func scalars(v any, path []string, f func(any)) {
	switch v := v.(type) {
	case nil:
	case []any:
		for _, element := range v {
			scalars(element, path, f)
		}
	case map[string]any:
		if len(path) > 0 {
			scalars(v[path[0]], path[1:], f)
		}
	default:
		if len(path) == 0 {
			f(v)
		}
	}
}
