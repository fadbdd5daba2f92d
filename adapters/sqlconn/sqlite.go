package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	sq "github.com/Masterminds/squirrel"
)

// sqlite writes the SQL of SQLite. A list is one JSON parameter that json_each
// turns into rows; bytes stand in it as {"x": hexadecimal digits}.
type sqlite struct{}

func (sqlite) ident(name string) string { return quoteWith(`"`, name) }

func (sqlite) finish(statement string) (string, error) {
	return sq.Question.ReplacePlaceholders(statement)
}

func (sqlite) namespaceKeys() []string { return []string{"schema"} }

// affinity is what SQLite converts values to when a column stores or compares
// them.
type affinity int

const (
	affinityBlob affinity = iota
	affinityText
	affinityNumeric
	affinityReal
)

// output hides the declared type behind the unary plus: some drivers turn text
// in a column declared TIMESTAMP into times as they see fit.
func (sqlite) output(_ *column, expr string) string { return "+" + expr }

// sqliteScalar is the text of a JSON scalar of json_each or json_tree.
const sqliteScalar = `CASE %[1]s.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'` +
	` WHEN 'real' THEN CASE WHEN %[1]s.atom = CAST(%[1]s.atom AS INTEGER) THEN CAST(CAST(%[1]s.atom AS INTEGER) AS TEXT)` +
	` ELSE CAST(%[1]s.atom AS TEXT) END ELSE CAST(%[1]s.atom AS TEXT) END`

// leaf goes down key by key: json_each tells keys apart that a path would
// have to escape.
func (s sqlite) leaf(_ *column, expr string, path []string) string {
	doc := s.valid(expr)
	last := len(path) - 1
	for _, key := range path[:last] {
		doc = "(SELECT o.value FROM json_each(" + doc + ") AS o WHERE o.type = 'object' AND o.key = " + quoteWith("'", key) + ")"
	}
	return "(SELECT " + fmt.Sprintf(sqliteScalar, "l") + " FROM json_each(" + doc + ") AS l WHERE l.key = " + quoteWith("'", path[last]) + ")"
}

func (sqlite) valid(expr string) string {
	return "CASE WHEN json_valid(" + expr + ") THEN " + expr + " END"
}

// encode applies the column's affinity as storing the value would.
func (s sqlite) encode(c *column, v any) (any, bool) {
	switch v := v.(type) {
	case []byte:
		return map[string]string{"x": hex.EncodeToString(v)}, true
	case bool:
		if c.affinity == affinityText {
			return strconv.FormatBool(v), true
		}
		if v {
			return int64(1), true
		}
		return int64(0), true
	case time.Time:
		return sqliteTime(v), true
	case []any, map[string]any, nil:
		return nil, false
	}
	number, isNumber := numberText(v)
	text, isText := v.(string)
	switch {
	case c.affinity == affinityText:
		if n, ok := v.(json.Number); ok {
			return string(n), true
		}
		if f, ok := v.(float64); ok && isNumber {
			return sqliteReal(f), true
		}
		if isText {
			return text, true
		}
		return number, isNumber
	case isText && (c.affinity == affinityBlob || !isNumber):
		return text, true
	case isNumber:
		if _, err := strconv.ParseInt(number, 10, 64); err == nil {
			return json.Number(number), true
		}
		f, err := strconv.ParseFloat(number, 64)
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), err == nil && !math.IsInf(f, 0)
	}
	return nil, false
}

// sqliteReal is how SQLite turns a float into text.
func sqliteReal(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

// sqliteTime is SQLite's own form, as CURRENT_TIMESTAMP writes it.
func sqliteTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.999999999") }

func (s sqlite) encodeNew(c *column, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if c.form == formJSON {
		text, err := encodeJSON(v)
		return string(text), err
	}
	if f, ok := v.(float64); ok && f == math.Trunc(f) && c.affinity != affinityText {
		return json.Number(sqliteReal(f)), nil
	}
	encoded, ok := s.encode(c, v)
	if !ok {
		return nil, errUnfit
	}
	return encoded, nil
}

func (s sqlite) comparable(in listColumn, expr string) string {
	if len(in.path) > 0 {
		expr = s.leaf(in.column, expr, in.path)
	}
	if in.folds() {
		return "lower(" + expr + ")"
	}
	return expr
}

func (s sqlite) list(columns []listColumn, rows [][]any) fragment {
	selects := make([]string, len(columns))
	for i, in := range columns {
		at := fmt.Sprintf("$[%d]", i)
		expr, typ, digits := "json_extract(u.value, '"+at+"')", "json_type(u.value, '"+at+"')", at+".x"
		if len(columns) == 1 {
			expr, typ, digits = "u.value", "u.type", "$.x"
		}
		for _, row := range rows {
			if _, ok := row[i].(map[string]string); ok {
				expr = fmt.Sprintf("CASE %s WHEN 'object' THEN unhex(json_extract(u.value, '%s')) ELSE %s END", typ, digits, expr)
				break
			}
		}
		if in.folds() || in.text && in.fold {
			expr = "lower(" + expr + ")"
		}
		if !in.write && in.column != nil && in.column.collation != "" && len(in.path) == 0 {
			expr += " COLLATE " + in.column.collation
		}
		selects[i] = fmt.Sprintf("%s AS v%d", expr, i)
	}
	var list any = rows
	if len(columns) == 1 {
		// A flat list spares SQLite the parsing of every element.
		flat := make([]any, len(rows))
		for i, row := range rows {
			flat[i] = row[0]
		}
		list = flat
	}
	text, _ := encodeJSON(list)
	return fragment{
		sql:  "SELECT " + strings.Join(selects, ", ") + ", u.key AS n FROM json_each(?) AS u",
		args: []any{string(text)},
	}
}

func (sqlite) listBase() int { return 0 }

// within looks at every scalar of the document: wider than the path, which the
// decoded document decides.
func (s sqlite) within(doc *documentSelector, expr, list string) fragment {
	key := fmt.Sprintf(sqliteScalar, "e")
	beyond := ""
	if doc.wide {
		beyond = " OR " + s.beyondASCII("e.atom")
	}
	if doc.fold {
		key = "lower(" + key + ")"
	}
	return fragment{sql: "EXISTS (SELECT 1 FROM json_tree(" + s.valid(expr) + ") AS e WHERE e.atom IS NOT NULL AND (" +
		key + " IN (SELECT v0 FROM " + list + ")" + beyond + "))"}
}

func (sqlite) beyondASCII(expr string) string {
	return "length(CAST(" + expr + " AS BLOB)) <> length(" + expr + ")"
}

// read looks up the inputs with IN, which serves several criteria at once, and
// joins the lists only to tell Via. The unary plus keeps the column's affinity
// out of that join, so that SQLite can index the list.
func (s sqlite) read(r *reading) fragment {
	f := r.with("group_concat(n)")
	from := fragment{sql: r.table.from + " AS t"}
	var where []fragment
	for k := range r.selectors {
		sel := &r.selectors[k]
		if !sel.sifted() && r.via {
			on := make([]string, len(sel.in))
			for i, in := range sel.in {
				on[i] = fmt.Sprintf("%s = c%d.v%d", s.comparable(in, "+"+r.expr(in.column)), k, i)
			}
			from.sql += fmt.Sprintf(" LEFT JOIN c%d ON %s", k, strings.Join(on, " AND "))
		}
		where = append(where, r.matches(k))
	}
	columns := append(r.outputs(), r.viaColumns(0)...)
	return join(" ", f, fragment{sql: "SELECT " + strings.Join(columns, ", ") + " FROM"}, from,
		fragment{sql: "WHERE"}, join(" OR ", where...))
}

func (sqlite) fingerprint(exprs []string) string {
	quoted := make([]string, len(exprs))
	for i, expr := range exprs {
		quoted[i] = "quote(" + expr + ")"
	}
	return strings.Join(quoted, " || ',' || ")
}

// counts: rows that a deletion takes along by cascade are not counted.
func (sqlite) counts(remove bool) bool { return !remove }

func (s sqlite) lock(w *writing) fragment {
	return join(" ",
		fragment{sql: "SELECT u.n, " + strings.Join(w.outputs, ", ") + " FROM ("}, w.list,
		fragment{sql: ") AS u CROSS JOIN " + w.table.from + " AS t ON " + w.on + " ORDER BY u.n"})
}

func (s sqlite) update(w *writing) fragment {
	return join(" ",
		fragment{sql: "UPDATE " + w.table.from + " AS t SET " + w.assignments("", asIs) + " FROM ("}, w.list,
		fragment{sql: ") AS u WHERE " + w.on})
}

// remove cannot join; the fingerprint of a keyless row holds its key too.
func (s sqlite) remove(w *writing) fragment {
	left, right := make([]string, len(w.keys)), make([]string, len(w.keys))
	for i, key := range w.keys {
		left[i], right[i] = key, fmt.Sprintf("v%d", i)
	}
	if w.fingerprint != "" {
		left, right = []string{w.fingerprint}, []string{fmt.Sprintf("v%d", len(w.keys))}
	}
	return join(" ",
		fragment{sql: "DELETE FROM " + w.table.from + " AS t WHERE (" + strings.Join(left, ", ") + ") IN (SELECT " +
			strings.Join(right, ", ") + " FROM ("}, w.list, fragment{sql: ") AS u)"})
}

// begin takes the write lock at once, so that what is read holds until it is
// written.
func (sqlite) begin(ctx context.Context, db *sql.DB) (transaction, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &immediate{Conn: conn}, nil
}

// immediate is a transaction of SQLite on a connection of its own.
type immediate struct {
	*sql.Conn
	done bool
}

func (i *immediate) Commit(ctx context.Context) error {
	if _, err := i.ExecContext(ctx, "COMMIT"); err != nil {
		return err
	}
	i.done = true
	return i.Close()
}

// Rollback leaves nothing open, whatever the context says; a connection that
// cannot be rolled back is thrown away.
func (i *immediate) Rollback(ctx context.Context) {
	if i.done {
		return
	}
	i.done = true
	if _, err := i.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
		_ = i.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = i.Close()
}
