package sqlconn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// reading is a compiled query.
type reading struct {
	dialect dialect
	table   *table
	// columns are read: those of the query, then those that only decide.
	columns []*column
	// selectors are the criteria that can match something.
	selectors []selector
	// via reads which inputs each selector matched, as far as the database
	// decides it; sifts says that some rows are decided on this side.
	via, sifts bool
}

// selector is one criterion: a list of inputs, compared either with columns
// or, when document is set, with what a document holds. With a sieve or a
// document, the database only narrows the rows down.
type selector struct {
	// criterion is its index in the query, ordinals the index of the value
	// for each row of the list.
	criterion int
	ordinals  []int
	in        []listColumn
	rows      [][]any
	document  *documentSelector
	sieve     *sieve
}

// sifted reports whether the selector is decided on this side.
func (s *selector) sifted() bool { return s.document != nil || s.sieve != nil }

// unjoined reports whether its condition is more than that of a join.
func (s *selector) unjoined() bool { return s.document != nil || s.sieve != nil && s.sieve.wide }

// documentSelector matches the scalars at a path of a document.
type documentSelector struct {
	column *column
	// at is the position of the column among those that are read.
	at   int
	path []string
	fold bool
	// wide says that some input that folds holds letters beyond ASCII.
	wide bool
	// inputs are the indexes of the values by their [documentKey].
	inputs map[string][]int
}

// compile checks a query and brings its inputs into the types of their
// columns. It is the only way to a predicate, and refuses an empty one. A
// reading without selectors matches nothing.
func compile(d dialect, t *table, q *dsr.Query) (*reading, error) {
	if len(q.Criteria) == 0 {
		return nil, fmt.Errorf("sqlconn: read %s: no criteria: %w", t.label, dsr.ErrEmptyQuery)
	}
	names := q.Columns
	for i := range q.Criteria {
		cr := &q.Criteria[i]
		if len(cr.Fields) == 0 || len(cr.Values) == 0 {
			return nil, fmt.Errorf("sqlconn: read %s: criterion %d has no field or no value: %w", t.label, i, dsr.ErrEmptyQuery)
		}
		for _, path := range cr.Fields {
			if len(path) == 0 {
				return nil, fmt.Errorf("sqlconn: read %s: criterion %d has an empty path: %w", t.label, i, dsr.ErrEmptyQuery)
			}
			names = append(names[:len(names):len(names)], path.Column())
		}
		for _, tuple := range cr.Values {
			if len(tuple) != len(cr.Fields) {
				return nil, fmt.Errorf("sqlconn: read %s: criterion %d has a tuple of %d values for %d fields: %w",
					t.label, i, len(tuple), len(cr.Fields), dsr.ErrEmptyQuery)
			}
		}
	}
	if err := t.require("read", names); err != nil {
		return nil, err
	}
	r := &reading{dialect: d, table: t}
	for _, name := range q.Columns {
		c, _ := t.column(name)
		r.columns = append(r.columns, c.as(q.Collection))
	}
	for i := range q.Criteria {
		if err := r.add(i, q.Collection, &q.Criteria[i]); err != nil {
			return nil, err
		}
	}
	if q.Via || r.sifts {
		r.via = slices.ContainsFunc(r.selectors, func(s selector) bool { return !s.sifted() })
	}
	return r, nil
}

// add compiles one criterion.
func (r *reading) add(index int, collection *graph.Collection, cr *dsr.Criterion) error {
	sel := selector{criterion: index}
	for _, path := range cr.Fields {
		c, _ := r.table.column(path.Column())
		c = c.as(collection)
		switch {
		case len(path) > 1 && !c.document():
			return fmt.Errorf("sqlconn: read %s: the field %q leads into a column that holds no documents", r.table.label, path.String())
		case c.document() && len(cr.Fields) > 1 && (len(path) == 1 || c.form == formArray):
			return fmt.Errorf("sqlconn: read %s: the field %q is a document or an array, which no tuple can hold", r.table.label, path.String())
		case c.document() && len(cr.Fields) == 1:
			sel.document = &documentSelector{column: c, path: path[1:], fold: cr.FoldCase, inputs: map[string][]int{}}
		}
		sel.in = append(sel.in, listColumn{column: c, path: path[1:], fold: cr.FoldCase && foldable(c)})
	}
	if sel.document != nil {
		sel.in = []listColumn{{text: true, fold: cr.FoldCase}}
		sel.document.at = r.position(sel.document.column)
	} else if slices.ContainsFunc(sel.in, func(in listColumn) bool { return in.fold }) {
		sel.sieve = r.newSieve(sel.in)
	}
	for i, tuple := range cr.Values {
		row := make([]any, len(tuple))
		ok := true
		for j, v := range tuple {
			var fits bool
			switch {
			case sel.document != nil || len(sel.in[j].path) > 0:
				row[j], fits = documentKey(v, false)
				if s, isText := row[j].(string); isText && strings.Contains(s, "\x00") {
					fits = false
				}
			default:
				row[j], fits = r.dialect.encode(sel.in[j].column, v)
			}
			ok = ok && fits && v != nil
		}
		if !ok {
			continue
		}
		sel.rows = append(sel.rows, row)
		sel.ordinals = append(sel.ordinals, i)
		switch {
		case sel.document != nil:
			key, _ := documentKey(tuple[0], cr.FoldCase)
			sel.document.inputs[key] = append(sel.document.inputs[key], i)
			sel.document.wide = sel.document.wide || cr.FoldCase && beyondASCII(key)
		case sel.sieve != nil:
			sel.sieve.add(i, tuple)
		}
	}
	if len(sel.rows) > 0 {
		r.selectors = append(r.selectors, sel)
		r.sifts = r.sifts || sel.sifted()
	}
	return nil
}

// foldable reports whether letter case means anything in the column.
func foldable(c *column) bool {
	switch c.form {
	case formText, formOther, formJSON, formArray:
		return true
	case formAny:
		return c.Kind == dsr.ColumnText || c.Kind == dsr.ColumnAny
	}
	return false
}

// position returns where the column is read, reading it too if it is not yet.
func (r *reading) position(c *column) int {
	for i := range r.columns {
		if r.columns[i].Name == c.Name {
			return i
		}
	}
	r.columns = append(r.columns, c)
	return len(r.columns) - 1
}

// expr is the column of the table itself.
func (r *reading) expr(c *column) string { return "t." + r.dialect.ident(c.Name) }

// with is the WITH clause: one list of inputs per selector, in which inputs
// that the database holds for equal are one.
func (r *reading) with(aggregate string) fragment {
	f := fragment{sql: "WITH"}
	for k := range r.selectors {
		sel := &r.selectors[k]
		list := r.dialect.list(sel.in, sel.rows)
		names := make([]string, len(sel.in))
		for i := range sel.in {
			names[i] = fmt.Sprintf("v%d", i)
		}
		columns := strings.Join(names, ", ")
		if k > 0 {
			f.sql += ","
		}
		f.sql += fmt.Sprintf(" c%d AS (SELECT %s, %s AS n FROM (%s) AS l GROUP BY %s)", k, columns, aggregate, list.sql, columns)
		f.args = append(f.args, list.args...)
	}
	return f
}

// outputs are the expressions of the columns that are read.
func (r *reading) outputs() []string {
	out := make([]string, len(r.columns))
	for i, c := range r.columns {
		out[i] = r.dialect.output(c, r.expr(c))
	}
	return out
}

// viaColumns are the matched positions of each selector that compares columns;
// those before the branch k are known to have none.
func (r *reading) viaColumns(k int) []string {
	var out []string
	for j := range r.selectors {
		switch {
		case !r.via || r.selectors[j].sifted():
		case j < k:
			out = append(out, "NULL")
		default:
			out = append(out, fmt.Sprintf("c%d.n", j))
		}
	}
	if len(r.columns)+len(out) == 0 {
		out = []string{"1"}
	}
	return out
}

// matches is the predicate of selector k without a join.
func (r *reading) matches(k int) fragment {
	sel := &r.selectors[k]
	if doc := sel.document; doc != nil {
		return r.dialect.within(doc, r.expr(doc.column), fmt.Sprintf("c%d", k))
	}
	left, right := make([]string, len(sel.in)), make([]string, len(sel.in))
	for i, in := range sel.in {
		left[i], right[i] = r.dialect.comparable(in, r.expr(in.column)), fmt.Sprintf("v%d", i)
	}
	f := fragment{sql: fmt.Sprintf("(%s) IN (SELECT %s FROM c%d)", strings.Join(left, ", "), strings.Join(right, ", "), k)}
	if sel.unjoined() {
		f.sql = "(" + f.sql + r.beyond(sel) + ")"
	}
	return f
}

// beyond lets rows through that hold letters beyond ASCII, which the sieve
// decides on.
func (r *reading) beyond(sel *selector) string {
	var b strings.Builder
	for _, in := range sel.in {
		if in.fold {
			expr := r.expr(in.column)
			if len(in.path) > 0 {
				expr = r.dialect.leaf(in.column, expr, in.path)
			}
			b.WriteString(" OR " + r.dialect.beyondASCII(expr))
		}
	}
	return b.String()
}

// joined is the condition that joins the list of selector k.
func (r *reading) joined(k int) string {
	sel := &r.selectors[k]
	on := make([]string, len(sel.in))
	for i, in := range sel.in {
		on[i] = fmt.Sprintf("%s = c%d.v%d", r.dialect.comparable(in, r.expr(in.column)), k, i)
	}
	return strings.Join(on, " AND ")
}

// readByJoin joins the table with each list in a branch of its own, so that
// every branch can use the index of its columns. A branch leaves out the rows
// of those before it, so that a row comes once.
func readByJoin(r *reading, aggregate string) fragment {
	f := r.with(aggregate)
	for k := range r.selectors {
		if k > 0 {
			f.sql += " UNION ALL"
		}
		from := fragment{sql: "FROM " + r.table.from + " AS t"}
		var where []fragment
		for j := range r.selectors {
			unjoined := r.selectors[j].unjoined()
			switch {
			case j == k && unjoined:
				where = append(where, r.matches(j))
			case j < k && unjoined:
				not := r.matches(j)
				not.sql = "(" + not.sql + ") IS NOT TRUE"
				where = append(where, not)
			case unjoined:
			case j == k:
				from.sql += fmt.Sprintf(" JOIN c%d ON %s", j, r.joined(j))
			case j < k:
				from.sql += fmt.Sprintf(" LEFT JOIN c%d ON %s", j, r.joined(j))
				where = append(where, fragment{sql: fmt.Sprintf("c%d.n IS NULL", j)})
			case r.via && !r.selectors[j].sifted():
				from.sql += fmt.Sprintf(" LEFT JOIN c%d ON %s", j, r.joined(j))
			}
		}
		columns := append(r.outputs(), r.viaColumns(k)...)
		f = join(" ", f, fragment{sql: "SELECT " + strings.Join(columns, ", ")}, from)
		if where != nil {
			f = join(" WHERE ", f, join(" AND ", where...))
		}
	}
	return f
}
