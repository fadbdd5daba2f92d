package sqlconn

import (
	"fmt"
	"strings"
)

// fewValues is how many values of one criterion are compared as an array where
// no index serves. Without one PostgreSQL goes through the whole array for
// every row, once it keeps the plan of the statement; a join stays linear.
const fewValues = 16

// byArray compares every column with an array. It is the cheapest statement to
// plan and to run for a few values, and answers all that is asked unless inputs
// have to be told apart, compared as tuples or looked for in documents; not ok
// then.
func (p postgres) byArray(r *reading) (fragment, bool) {
	if r.via {
		return fragment{}, false
	}
	var where []fragment
	for _, sel := range r.selectors {
		if sel.document != nil || len(sel.in) != 1 || len(sel.in[0].path) > 0 {
			return fragment{}, false
		}
		in := sel.in[0]
		served := in.column.indexed && in.column.form != formOther && !in.folds()
		if len(sel.rows) > fewValues && !served {
			return fragment{}, false
		}
		values := make([]any, len(sel.rows))
		for j, row := range sel.rows {
			values[j] = row[0]
		}
		literal, _ := arrayLiteral(values)
		typ := in.column.cast
		if in.column.form == formOther {
			typ = "text"
		}
		array := "?::" + typ + "[]"
		if in.folds() {
			value := "u.v"
			if in.column.collation != "" {
				value += " COLLATE " + in.column.collation
			}
			array = "ARRAY(SELECT lower(" + value + ") FROM unnest(?::" + typ + "[]) AS u(v))"
		}
		sql := fmt.Sprintf("%s = ANY(%s)", p.comparable(in, r.expr(in.column)), array)
		if sel.unjoined() {
			sql += r.beyond(&sel)
		}
		where = append(where, fragment{sql: sql, args: []any{literal}})
	}
	f := fragment{sql: "SELECT " + strings.Join(append(r.outputs(), r.viaColumns(0)...), ", ") + " FROM " + r.table.from + " AS t"}
	return join(" WHERE ", f, join(" OR ", where...)), true
}
