package sqlconn

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	sq "github.com/Masterminds/squirrel"
)

// mysql writes the SQL of MySQL and MariaDB. A list is one JSON parameter that
// JSON_TABLE turns into rows.
type mysql struct{}

func (mysql) ident(name string) string { return quoteWith("`", name) }

func (mysql) finish(statement string) (string, error) {
	return sq.Question.ReplacePlaceholders(statement)
}

func (mysql) namespaceKeys() []string { return []string{"database", "schema", "database_name"} }

func (mysql) output(c *column, expr string) string {
	switch c.form {
	case formEpoch:
		return "CAST(UNIX_TIMESTAMP(" + expr + ") AS CHAR)"
	case formTime, formDate, formDecimal, formUUID:
		return "CAST(" + expr + " AS CHAR)"
	case formOther:
		if c.Native == "geometry" {
			return "ST_AsText(" + expr + ")"
		}
		return "CAST(" + expr + " AS CHAR)"
	case formInteger:
		if strings.HasPrefix(c.Native, "bit") {
			return "CAST(" + expr + " AS UNSIGNED)"
		}
	}
	return expr
}

// mysqlNumber drops the needless zeros of a number in text.
const mysqlNumber = `IF(%[1]s REGEXP '^-{0,1}[0-9]+[.][0-9]+$', TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM %[1]s)), %[1]s)`

func (m mysql) leaf(c *column, expr string, path []string) string {
	return fmt.Sprintf(mysqlNumber, "JSON_VALUE("+m.valid(expr)+", "+m.literal("$"+jsonPath(path))+")") + " COLLATE utf8mb4_bin"
}

func (mysql) valid(expr string) string { return "IF(JSON_VALID(" + expr + "), " + expr + ", NULL)" }

// literal spells text; backslashes are doubled, as MySQL reads them by default.
func (mysql) literal(s string) string {
	return quoteWith("'", strings.ReplaceAll(s, `\`, `\\`))
}

// jsonPath spells keys as they stand in a path. MariaDB takes a leading hyphen
// only when it is escaped.
func jsonPath(keys []string) string {
	var b strings.Builder
	for _, key := range keys {
		key = strings.ReplaceAll(strings.ReplaceAll(key, `\`, `\\`), `"`, `\"`)
		if rest, ok := strings.CutPrefix(key, "-"); ok {
			key = `\u002d` + rest
		}
		b.WriteString(`."` + key + `"`)
	}
	return b.String()
}

func (m mysql) encode(c *column, v any) (any, bool) {
	switch c.form {
	case formTime, formEpoch:
		t, ok := timeOf(v)
		if !ok || !inCalendar(t) {
			return nil, false
		}
		return mysqlTime(c, t), true
	case formBytes:
		b, ok := bytesOf(v)
		return hex.EncodeToString(b), ok
	}
	s, ok := scalarText(c, v)
	switch {
	case !ok:
		return nil, false
	case c.form == formBoolean:
		return map[string]string{"false": "0", "true": "1"}[s], true
	case c.form == formDecimal:
		whole, fraction, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
		return s, len(whole) <= 35 && len(fraction) <= 30
	}
	return s, true
}

func mysqlTime(c *column, t time.Time) string {
	if c.form == formEpoch {
		return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000)
	}
	return t.UTC().Format("2006-01-02 15:04:05.999999")
}

func (m mysql) encodeNew(c *column, v any) (any, error) {
	switch {
	case v == nil:
		return nil, nil
	case c.form == formJSON:
		text, err := encodeJSON(v)
		return string(text), err
	}
	if s, ok := m.encode(c, v); ok {
		return s, nil
	}
	if b, ok := v.([]byte); ok && c.form == formText {
		return string(b), nil
	}
	s, ok := plainText(v)
	if !ok {
		return nil, errUnfit
	}
	return s, nil
}

func (m mysql) comparable(in listColumn, expr string) string {
	if len(in.path) > 0 {
		expr = m.leaf(in.column, expr, in.path)
	}
	if in.folds() && m.isText(in) {
		return "LOWER(" + expr + ")"
	}
	return expr
}

func (mysql) isText(in listColumn) bool {
	return in.text || len(in.path) > 0 || in.column.form == formText || in.column.form == formOther
}

// list collates text as the column does, so that the column's own index and
// rules serve. Inputs that the column's character set lacks are left out:
// conversion would turn them into question marks.
func (m mysql) list(columns []listColumn, rows [][]any) fragment {
	var selects, where []string
	specs := []string{"n FOR ORDINALITY"}
	for i, in := range columns {
		raw := fmt.Sprintf("r%d", i)
		typ, expr := "LONGTEXT", "u."+raw
		switch {
		case in.write:
			// Converted where it is written: a derived table would cut
			// what UNHEX returns.
		case in.text || len(in.path) > 0:
			typ = mysqlText(rows, i)
			expr = "CONVERT(" + expr + " USING utf8mb4) COLLATE utf8mb4_bin"
		case in.column.form == formBytes:
			typ = mysqlText(rows, i)
			expr = "UNHEX(" + expr + ")"
		case in.column.form == formEpoch:
			typ = "DECIMAL(20,6)"
			expr = "FROM_UNIXTIME(" + expr + ")"
		case in.column.charset != "":
			typ = mysqlText(rows, i)
			if in.column.charset != "utf8mb4" {
				where = append(where, fmt.Sprintf(
					"(%[1]s IS NULL OR CONVERT(CONVERT(%[1]s USING %[2]s) USING utf8mb4) COLLATE utf8mb4_bin = %[1]s)",
					expr, in.column.charset))
			}
			expr = "CONVERT(" + expr + " USING " + in.column.charset + ") COLLATE " + in.column.collation
		case in.column.cast != "":
			typ = in.column.cast
		default:
			typ = mysqlText(rows, i)
		}
		if !in.write && (in.folds() || in.text && in.fold) && m.isText(in) {
			expr = "LOWER(" + expr + ")"
		}
		selects = append(selects, fmt.Sprintf("%s AS v%d", expr, i))
		specs = append(specs, fmt.Sprintf("%s %s PATH '$[%d]'", raw, typ, i))
	}
	text, _ := encodeJSON(rows)
	f := fragment{
		sql: fmt.Sprintf("SELECT %s, u.n FROM JSON_TABLE(?, '$[*]' COLUMNS (%s)) AS u",
			strings.Join(selects, ", "), strings.Join(specs, ", ")),
		args: []any{string(text)},
	}
	if where != nil {
		f.sql += " WHERE " + strings.Join(where, " AND ")
	}
	return f
}

// mysqlText is the narrowest type that takes a column of the list: what fits
// an index makes joins fast.
func mysqlText(rows [][]any, i int) string {
	longest := 1
	for _, row := range rows {
		if s, ok := row[i].(string); ok {
			longest = max(longest, utf8.RuneCountInString(s))
		}
	}
	// A few lengths only, so that statements stay few.
	for _, n := range []int{64, 255, 700, 4000} {
		if longest <= n {
			return fmt.Sprintf("VARCHAR(%d) CHARACTER SET utf8mb4", n)
		}
	}
	return "LONGTEXT CHARACTER SET utf8mb4"
}

func (mysql) written(c *column, expr string) string {
	switch {
	case c.form == formBytes:
		return "UNHEX(" + expr + ")"
	case c.form == formEpoch:
		return "FROM_UNIXTIME(CAST(" + expr + " AS DECIMAL(20,6)))"
	case strings.HasPrefix(c.Native, "bit"):
		return "CAST(" + expr + " AS UNSIGNED)"
	case c.Native == "geometry":
		return "ST_GeomFromText(" + expr + ")"
	}
	return expr
}

func (mysql) listBase() int { return 1 }

// within collects every scalar below any key of the path's last name: wider
// than the path itself, which the decoded document decides.
func (m mysql) within(doc *documentSelector, expr, list string) fragment {
	anywhere := "$"
	if n := len(doc.path); n > 0 {
		last := doc.path[n-1]
		if strings.ContainsAny(last, "\\\"'\x00") || strings.HasPrefix(last, "-") {
			// MariaDB does not find every key by its path.
			return fragment{sql: expr + " IS NOT NULL"}
		}
		anywhere = "$**" + jsonPath([]string{last})
	}
	var paths []string
	for _, suffix := range []string{"", "[*]", "[*][*]", "[*][*][*]"} {
		paths = append(paths, m.literal(anywhere+suffix))
	}
	value := "CONVERT(e.v USING utf8mb4) COLLATE utf8mb4_bin"
	beyond := ""
	if doc.wide {
		beyond = " OR " + m.beyondASCII(value)
	}
	if doc.fold {
		value = "LOWER(" + value + ")"
	}
	return fragment{sql: fmt.Sprintf(
		"EXISTS (SELECT 1 FROM JSON_TABLE(JSON_EXTRACT(%s, %s), '$[*]' COLUMNS (v LONGTEXT PATH '$')) AS e"+
			" WHERE %s IN (SELECT v0 FROM %s) OR %s IN (SELECT v0 FROM %s)%s)",
		m.valid(expr), strings.Join(paths, ", "), value, list, fmt.Sprintf(mysqlNumber, value), list, beyond)}
}

func (mysql) beyondASCII(expr string) string {
	return "LENGTH(CONVERT(" + expr + " USING utf8mb4)) <> CHAR_LENGTH(" + expr + ")"
}

func (m mysql) read(r *reading) fragment { return readByJoin(r, "GROUP_CONCAT(n)") }

func (mysql) fingerprint(exprs []string) string {
	quoted := make([]string, len(exprs))
	for i, expr := range exprs {
		quoted[i] = "HEX(COALESCE(CONCAT('=', " + expr + "), ''))"
	}
	return "SHA2(CONCAT_WS(',', " + strings.Join(quoted, ", ") + "), 256)"
}

// counts: MySQL tells how many rows differ now.
func (mysql) counts(bool) bool { return false }

// join goes from the list to the table and never the other way, so that no
// other row is locked; without a key there may be no index to go by.
func (mysql) join(w *writing) string {
	if w.fingerprint != "" || w.keyless {
		return "JOIN "
	}
	return "STRAIGHT_JOIN "
}

func (m mysql) lock(w *writing) fragment {
	return join(" ",
		fragment{sql: "SELECT u.n, " + strings.Join(w.outputs, ", ") + " FROM ("}, w.list,
		fragment{sql: ") AS u " + m.join(w) + w.table.from + " AS t ON " + w.on + " ORDER BY u.n FOR UPDATE"})
}

func (m mysql) update(w *writing) fragment {
	return join(" ",
		fragment{sql: "UPDATE ("}, w.list,
		fragment{sql: ") AS u " + m.join(w) + w.table.from + " AS t ON " + w.on + " SET " + w.assignments("t.", m.written)})
}

func (m mysql) remove(w *writing) fragment {
	return join(" ",
		fragment{sql: "DELETE t FROM ("}, w.list,
		fragment{sql: ") AS u " + m.join(w) + w.table.from + " AS t ON " + w.on})
}

func (mysql) begin(ctx context.Context, db *sql.DB) (transaction, error) { return beginTx(ctx, db) }
