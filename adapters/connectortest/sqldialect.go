package connectortest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

// sqlDialect is how one SQL database spells what the suite creates.
type sqlDialect struct {
	quoteMark string
	dollar    bool
	// types are the column types; text with a length is VARCHAR everywhere.
	types map[dsr.ColumnKind]string
	// keyText is the type of unlimited text that has to be indexed.
	keyText string
	// suffix ends a CREATE TABLE.
	suffix string
	// textTimes writes points in time as text.
	textTimes bool
}

var sqlDialects = map[string]*sqlDialect{
	"postgres": {
		quoteMark: `"`,
		dollar:    true,
		types: map[dsr.ColumnKind]string{
			dsr.ColumnText: "TEXT", dsr.ColumnInteger: "BIGINT", dsr.ColumnFloat: "DOUBLE PRECISION",
			dsr.ColumnDecimal: "NUMERIC(38,9)", dsr.ColumnBoolean: "BOOLEAN", dsr.ColumnTime: "TIMESTAMPTZ",
			dsr.ColumnDate: "DATE", dsr.ColumnBytes: "BYTEA", dsr.ColumnDocument: "JSONB",
		},
		keyText: "TEXT",
	},
	"mysql": {
		quoteMark: "`",
		types: map[dsr.ColumnKind]string{
			dsr.ColumnText: "LONGTEXT", dsr.ColumnInteger: "BIGINT", dsr.ColumnFloat: "DOUBLE",
			dsr.ColumnDecimal: "DECIMAL(38,9)", dsr.ColumnBoolean: "BOOLEAN", dsr.ColumnTime: "DATETIME(6)",
			dsr.ColumnDate: "DATE", dsr.ColumnBytes: "LONGBLOB", dsr.ColumnDocument: "JSON",
		},
		keyText: "VARCHAR(191)",
		// A binary collation tells letters apart by case, as the others do.
		suffix: " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
	},
	"sqlite": {
		quoteMark: `"`,
		types: map[dsr.ColumnKind]string{
			dsr.ColumnText: "TEXT", dsr.ColumnInteger: "INTEGER", dsr.ColumnFloat: "REAL",
			dsr.ColumnDecimal: "DECIMAL(38,9)", dsr.ColumnBoolean: "BOOLEAN", dsr.ColumnTime: "TIMESTAMP",
			dsr.ColumnDate: "DATE", dsr.ColumnBytes: "BLOB", dsr.ColumnDocument: "JSON",
		},
		keyText:   "TEXT",
		textTimes: true,
	},
}

func (d *sqlDialect) quote(name string) string {
	return d.quoteMark + strings.ReplaceAll(name, d.quoteMark, d.quoteMark+d.quoteMark) + d.quoteMark
}

func (d *sqlDialect) quoteList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = d.quote(name)
	}
	return strings.Join(quoted, ", ")
}

func (d *sqlDialect) placeholder(n int) string {
	if d.dollar {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}

func (d *sqlDialect) createTable(t *Table) string {
	var parts []string
	for i := range t.Columns {
		c := &t.Columns[i]
		part := d.quote(c.Name) + " " + d.columnType(t, c)
		if !c.Nullable {
			part += " NOT NULL"
		}
		if c.Unique {
			part += " UNIQUE"
		}
		parts = append(parts, part)
	}
	if len(t.Key) > 0 {
		parts = append(parts, "PRIMARY KEY ("+d.quoteList(t.Key)+")")
	}
	for _, set := range t.Unique {
		parts = append(parts, "UNIQUE ("+d.quoteList(set)+")")
	}
	for _, fk := range t.ForeignKeys {
		parts = append(parts, fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s) ON DELETE %s",
			d.quoteList(fk.Columns), d.quote(fk.Parent), d.quoteList(fk.References), strings.ToUpper(fk.OnDelete)))
	}
	return "CREATE TABLE " + d.quote(t.Name()) + " (" + strings.Join(parts, ", ") + ")" + d.suffix
}

func (d *sqlDialect) columnType(t *Table, c *dsr.Column) string {
	if c.Kind != dsr.ColumnText {
		return d.types[c.Kind]
	}
	indexed := c.Unique || slices.Contains(t.Key, c.Name)
	for _, fk := range t.ForeignKeys {
		indexed = indexed || slices.Contains(fk.Columns, c.Name)
	}
	switch {
	case c.Length > 0:
		return fmt.Sprintf("VARCHAR(%d)", c.Length)
	case indexed:
		return d.keyText
	default:
		return d.types[c.Kind]
	}
}

// arg turns a value into a parameter for a column of that kind.
func (d *sqlDialect) arg(kind dsr.ColumnKind, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case json.Number:
		return string(v), nil
	case time.Time:
		if d.textTimes {
			return v.UTC().Format("2006-01-02 15:04:05.999999-07:00"), nil
		}
		return v.UTC(), nil
	}
	if kind == dsr.ColumnDocument {
		text, err := json.Marshal(v)
		return string(text), err
	}
	return v, nil
}

// plain turns what a driver returned for a column of that kind into one of the
// types that connectors use. Drivers differ in whether they return text as
// string or []byte, and numbers as such or as text.
func plain(kind dsr.ColumnKind, v any) (any, error) {
	if b, ok := v.([]byte); ok && kind != dsr.ColumnBytes {
		v = string(b)
	}
	text, isText := v.(string)
	switch {
	case v == nil:
		return nil, nil
	case kind == dsr.ColumnDocument && isText:
		return decode(text)
	case kind == dsr.ColumnInteger && isText:
		return strconv.ParseInt(text, 10, 64)
	case kind == dsr.ColumnFloat && isText:
		return strconv.ParseFloat(text, 64)
	case kind == dsr.ColumnDecimal && isText:
		return json.Number(text), nil
	case kind == dsr.ColumnBoolean:
		return fmt.Sprint(v) == "true" || fmt.Sprint(v) == "1", nil
	case kind == dsr.ColumnTime && isText:
		return time.Parse("2006-01-02 15:04:05.999999-07:00", text)
	case kind == dsr.ColumnDate:
		if t, ok := v.(time.Time); ok {
			return t.Format(time.DateOnly), nil
		}
		return v, nil
	default:
		return v, nil
	}
}
