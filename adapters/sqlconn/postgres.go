package sqlconn

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	sq "github.com/Masterminds/squirrel"
)

// postgres writes the SQL of PostgreSQL. A list is one array parameter per
// column, sent as text, which every driver can.
type postgres struct{}

// ident doubles question marks too, which finish halves.
func (postgres) ident(name string) string {
	return strings.ReplaceAll(quoteWith(`"`, name), "?", "??")
}

// finish numbers the placeholders.
func (postgres) finish(statement string) (string, error) {
	return sq.Dollar.ReplacePlaceholders(statement)
}

func (postgres) namespaceKeys() []string { return []string{"schema"} }

func (postgres) output(c *column, expr string) string {
	switch c.form {
	case formArray:
		return "to_jsonb(" + expr + ")::text"
	case formDecimal, formUUID, formJSON, formOther:
		return expr + "::text"
	case formFloat:
		if c.single {
			return expr + "::text"
		}
	}
	return expr
}

// scalar is the text of a JSON scalar, numbers without needless zeros; NULL
// for anything else.
const postgresScalar = `CASE jsonb_typeof(%[1]s) WHEN 'string' THEN %[1]s #>> '{}' WHEN 'boolean' THEN %[1]s #>> '{}'` +
	` WHEN 'number' THEN CASE WHEN %[1]s #>> '{}' LIKE '%%.%%' THEN rtrim(rtrim(%[1]s #>> '{}', '0'), '.') ELSE %[1]s #>> '{}' END END`

func (p postgres) leaf(_ *column, expr string, path []string) string {
	doc := expr + "::jsonb"
	for _, key := range path {
		doc = "(" + doc + " -> " + p.literal(key) + ")"
	}
	return fmt.Sprintf(postgresScalar, doc)
}

// literal spells a key of a document, which comes from the dataset, as text.
func (p postgres) literal(s string) string {
	s = strings.ReplaceAll(quoteWith("'", s), "?", "??")
	if strings.Contains(s, `\`) {
		s = "E" + strings.ReplaceAll(s, `\`, `\\`)
	}
	return s + "::text"
}

func (p postgres) encode(c *column, v any) (any, bool) {
	var s string
	var ok bool
	switch c.form {
	case formTime:
		var t time.Time
		t, ok = timeOf(v)
		ok = ok && inCalendar(t)
		s = postgresTime(c, t)
	case formBytes:
		var b []byte
		b, ok = bytesOf(v)
		s = `\x` + hex.EncodeToString(b)
	case formDate:
		s, ok = scalarText(c, v)
	default:
		s, ok = scalarText(c, v)
	}
	return s, ok && !strings.Contains(s, "\x00")
}

func postgresTime(c *column, t time.Time) string {
	if strings.HasPrefix(c.cast, "timestamp with time zone") {
		return t.UTC().Format("2006-01-02 15:04:05.999999999Z07:00")
	}
	return t.UTC().Format("2006-01-02 15:04:05.999999999")
}

func (p postgres) encodeNew(c *column, v any) (any, error) {
	switch {
	case v == nil:
		return nil, nil
	case c.form == formJSON:
		text, err := encodeJSON(v)
		return string(text), err
	case c.form == formArray:
		return arrayLiteral(v)
	}
	if s, ok := p.encode(c, v); ok {
		return s, nil
	}
	// What the type refuses here it will refuse there, in its own way.
	s, ok := plainText(v)
	if !ok || strings.Contains(s, "\x00") {
		return nil, errUnfit
	}
	return s, nil
}

func (p postgres) comparable(in listColumn, expr string) string {
	switch {
	case len(in.path) > 0:
		expr = p.leaf(in.column, expr, in.path)
	case in.column.form == formOther:
		expr += "::text"
	}
	if in.folds() {
		return "lower(" + expr + ")"
	}
	return expr
}

func (p postgres) list(columns []listColumn, rows [][]any) fragment {
	var f fragment
	var selects, arrays, names []string
	for i, in := range columns {
		typ, expr := "text", fmt.Sprintf("u.r%d", i)
		if in.column != nil && !in.write && len(in.path) == 0 && in.column.form != formOther {
			typ = in.column.cast
		}
		if in.write {
			expr += "::" + in.column.cast
		} else if in.column != nil && in.column.collation != "" && len(in.path) == 0 {
			expr += " COLLATE " + in.column.collation
		}
		if in.folds() || in.text && in.fold {
			expr = "lower(" + expr + ")"
		}
		selects = append(selects, fmt.Sprintf("%s AS v%d", expr, i))
		arrays = append(arrays, "?::"+typ+"[]")
		names = append(names, fmt.Sprintf("r%d", i))
		values := make([]any, len(rows))
		for j, row := range rows {
			values[j] = row[i]
		}
		literal, _ := arrayLiteral(values)
		f.args = append(f.args, literal)
	}
	f.sql = fmt.Sprintf("SELECT %s, u.n FROM unnest(%s) WITH ORDINALITY AS u(%s, n)",
		strings.Join(selects, ", "), strings.Join(arrays, ", "), strings.Join(names, ", "))
	return f
}

func (postgres) listBase() int { return 1 }

func (p postgres) within(doc *documentSelector, expr, list string) fragment {
	c := doc.column
	has := func(key string) string {
		beyond := ""
		if doc.wide {
			beyond = " OR " + p.beyondASCII(key)
		}
		if doc.fold {
			key = "lower(" + key + ")"
		}
		// Inside CASE the list is hashed once for all rows; elsewhere the
		// planner would join it anew with the scalars of each.
		return "CASE WHEN " + key + " IN (SELECT v0 FROM " + list + ")" + beyond + " THEN true ELSE false END"
	}
	switch {
	case c.form == formArray:
		return fragment{sql: "EXISTS (SELECT 1 FROM jsonb_path_query(to_jsonb(" + expr + "), 'strict $.**') AS e(v) WHERE " +
			has(fmt.Sprintf(postgresScalar, "e.v")) + ")"}
	case !strings.HasPrefix(c.cast, "json"):
		// Text may hold no JSON at all, and PostgreSQL has no way to ask:
		// the rows are sifted on this side.
		return fragment{sql: expr + " IS NOT NULL"}
	}
	var b strings.Builder
	b.WriteString("lax $[*][*][*]")
	for _, key := range doc.path {
		text, _ := encodeJSON(key)
		b.WriteString("." + string(text) + "[*][*][*]")
	}
	return fragment{
		sql: "EXISTS (SELECT 1 FROM jsonb_path_query(" + expr + "::jsonb, ?::jsonpath) AS e(v) WHERE " +
			has(fmt.Sprintf(postgresScalar, "e.v")) + ")",
		args: []any{b.String()},
	}
}

// beyondASCII asks no regular expression: not every collation takes one.
func (postgres) beyondASCII(expr string) string {
	return "octet_length(convert_to((" + expr + ")::text, 'UTF8')) <> char_length((" + expr + ")::text)"
}

func (p postgres) read(r *reading) fragment {
	if f, ok := p.byArray(r); ok {
		return f
	}
	return readByJoin(r, "string_agg(n::text, ',')")
}

func (postgres) fingerprint(exprs []string) string {
	return "md5(ROW(" + strings.Join(exprs, ", ") + ")::text)"
}

// addressed joins the list by the key. The array on top of it changes nothing
// but the plan: without it PostgreSQL likes to read the whole table for every
// chunk.
func (postgres) addressed(w *writing) fragment {
	f := fragment{sql: w.on}
	if !w.keyless && w.lead.form != formOther {
		f.sql += " AND " + w.keys[0] + " = ANY(?::" + w.lead.cast + "[])"
		f.args = w.list.args[:1]
	}
	return f
}

func (p postgres) lock(w *writing) fragment {
	return join(" ",
		fragment{sql: "SELECT u.n, " + strings.Join(w.outputs, ", ") + " FROM ("}, w.list,
		fragment{sql: ") AS u JOIN " + w.table.from + " AS t ON"}, p.addressed(w), fragment{sql: "ORDER BY u.n FOR UPDATE OF t"})
}

func (p postgres) update(w *writing) fragment {
	return join(" ",
		fragment{sql: "UPDATE " + w.table.from + " AS t SET " + w.assignments("", asIs) + " FROM ("}, w.list,
		fragment{sql: ") AS u WHERE"}, p.addressed(w))
}

func (p postgres) remove(w *writing) fragment {
	return join(" ",
		fragment{sql: "DELETE FROM " + w.table.from + " AS t USING ("}, w.list,
		fragment{sql: ") AS u WHERE"}, p.addressed(w))
}

func (postgres) counts(bool) bool { return true }

func (postgres) begin(ctx context.Context, db *sql.DB) (transaction, error) { return beginTx(ctx, db) }

// arrayLiteral writes a list in PostgreSQL's array syntax. Elements are text,
// nil, or lists again.
func arrayLiteral(v any) (string, error) {
	list, ok := v.([]any)
	if !ok {
		return "", errUnfit
	}
	b := make([]byte, 0, 16*len(list)+2)
	return string(appendArray(b, list)), nil
}

func appendArray(b []byte, list []any) []byte {
	b = append(b, '{')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if inner, ok := v.([]any); ok {
			b = appendArray(b, inner)
			continue
		}
		if v == nil {
			b = append(b, "NULL"...)
			continue
		}
		s, ok := plainText(v)
		if !ok {
			text, _ := encodeJSON(v)
			s = string(text)
		}
		b = append(b, '"')
		for j := range len(s) {
			if s[j] == '"' || s[j] == '\\' {
				b = append(b, '\\')
			}
			b = append(b, s[j])
		}
		b = append(b, '"')
	}
	return append(b, '}')
}
