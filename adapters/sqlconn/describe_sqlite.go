package sqlconn

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/godsr/dsr"
)

const sqliteColumns = `SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?, ?) WHERE hidden <> 1 ORDER BY cid`

const sqliteUnique = `SELECT l.name, l.origin = 'pk', i.name FROM pragma_index_list(?1, ?2) AS l, pragma_index_info(l.name, ?2) AS i
WHERE l."unique" AND NOT l.partial ORDER BY l.name, i.seqno`

// sqliteTriggers tells whether some trigger of a view may take updates, and
// deletions.
const sqliteTriggers = `SELECT coalesce(max(sql LIKE '%%UPDATE%%'), 0), coalesce(max(sql LIKE '%%DELETE%%'), 0)
FROM (SELECT type, tbl_name, sql FROM %s.sqlite_schema UNION ALL SELECT type, tbl_name, sql FROM sqlite_temp_schema)
WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE`

// sqliteForeignKeys spells the table and the column that are referred to as
// they are stored, not as the key's declaration does, which may also leave the
// column out.
const sqliteForeignKeys = `SELECT m.name, coalesce(p.name, f."table"), m.name = ?1, f."table" = ?1 COLLATE NOCASE, f.id, f."from",
	coalesce((SELECT c.name FROM pragma_table_xinfo(f."table", ?2) AS c
		WHERE c.name = f."to" COLLATE NOCASE OR f."to" IS NULL AND c.pk = f.seq + 1), f."to", ''), f.on_delete
FROM %[1]s.sqlite_schema AS m JOIN pragma_foreign_key_list(m.name, ?2) AS f
LEFT JOIN %[1]s.sqlite_schema AS p ON p.type = 'table' AND p.name = f."table" COLLATE NOCASE
WHERE m.type = 'table' AND (m.name = ?1 OR f."table" = ?1 COLLATE NOCASE) ORDER BY m.name, f.id, f.seq`

func (s sqlite) describe(ctx context.Context, db querier, schema, name string) (*table, error) {
	if schema == "" {
		schema = "main"
	}
	var t *table
	var view bool
	err := each(ctx, db, "SELECT name, type = 'view' FROM "+s.ident(schema)+`.sqlite_schema
WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE ORDER BY name = ?1 DESC LIMIT 1`,
		[]any{name}, func(scan scanner) error {
			t = &table{schema: schema}
			return scan(&t.name, &view)
		})
	if err != nil || t == nil {
		return nil, err
	}
	t.label = s.label(schema, t.name)
	t.from = s.ident(schema) + "." + s.ident(t.name)
	for _, step := range []func(context.Context, querier, *table) error{s.columns, s.unique, s.collations, s.foreignKeys} {
		if err := step(ctx, db, t); err != nil {
			return nil, err
		}
	}
	return t, s.writable(ctx, db, t, view)
}

// writable finds out whether the table can be written. That the file cannot is
// told by no pragma: a deletion of no row, which changes nothing, is tried.
func (s sqlite) writable(ctx context.Context, db querier, t *table, view bool) error {
	err := each(ctx, db, "PRAGMA query_only", nil, func(scan scanner) error {
		var on bool
		err := scan(&on)
		if on {
			t.readOnly = "query_only is set on the connection"
		}
		return err
	})
	if err != nil || t.readOnly != "" {
		return err
	}
	if view {
		return each(ctx, db, fmt.Sprintf(sqliteTriggers, s.ident(t.schema)), []any{t.name}, func(scan scanner) error {
			var update, remove bool
			err := scan(&update, &remove)
			if !update && !remove {
				t.readOnly = "it is a view without triggers INSTEAD OF"
			}
			if !remove {
				t.noDelete = "it is a view without a trigger INSTEAD OF DELETE"
			}
			for _, c := range t.columns {
				c.ReadOnly = !update
			}
			return err
		})
	}
	err = each(ctx, db, "DELETE FROM "+t.from+" WHERE 0", nil, func(scanner) error { return nil })
	if _, code := nativeCode(err); err != nil && sqliteClass(code) == sqliteReadOnly {
		t.readOnly = "the database is opened read-only"
	}
	return ctx.Err()
}

// label leaves out the schema where it is the usual one.
func (sqlite) label(schema, name string) string {
	if schema == "main" {
		return name
	}
	return label(schema, name)
}

func (s sqlite) columns(ctx context.Context, db querier, t *table) error {
	key := map[int]string{}
	err := each(ctx, db, sqliteColumns, []any{t.name, t.schema}, func(scan scanner) error {
		c := &column{scale: -1}
		var required bool
		var position, hidden int
		if err := scan(&c.Name, &c.Native, &required, &position, &hidden); err != nil {
			return err
		}
		c.Nullable = !required && position == 0
		c.Generated = hidden > 1
		s.classify(c)
		if position > 0 {
			key[position] = c.Name
		}
		t.columns = append(t.columns, c)
		return nil
	})
	t.key = inOrder(key)
	if len(t.key) == 1 {
		if c, ok := t.column(t.key[0]); ok {
			c.Unique = true
		}
	}
	return err
}

var declaredLength = regexp.MustCompile(`\(\s*(\d+)\s*\)`)

// classify reads a declared type as SQLite does. A column declared as a date
// or a time takes anything, and is said to.
func (sqlite) classify(c *column) {
	declared := strings.ToUpper(c.Native)
	has := func(words ...string) bool {
		for _, word := range words {
			if strings.Contains(declared, word) {
				return true
			}
		}
		return false
	}
	switch {
	case has("INT"):
		c.affinity = affinityNumeric
	case has("CHAR", "CLOB", "TEXT"):
		c.affinity = affinityText
	case has("BLOB"), declared == "", declared == "ANY":
		c.affinity = affinityBlob
	case has("REAL", "FLOA", "DOUB"): //nolint:misspell // as SQLite looks for DOUBLE
		c.affinity = affinityReal
	default:
		c.affinity = affinityNumeric
	}
	// Values come as they are stored, whatever the column was declared as.
	c.Kind, c.form = dsr.ColumnAny, formAny
	switch {
	case has("JSON"):
		c.Kind, c.form = dsr.ColumnDocument, formJSON
	case has("BOOL"):
		c.Kind, c.form = dsr.ColumnBoolean, formBoolean
	case has("INT"):
		c.Kind = dsr.ColumnInteger
	case c.affinity == affinityText:
		c.Kind = dsr.ColumnText
		if m := declaredLength.FindStringSubmatch(declared); m != nil {
			c.Length, _ = strconv.Atoi(m[1])
		}
	case has("BLOB"):
		c.Kind = dsr.ColumnBytes
	case c.affinity == affinityReal:
		c.Kind = dsr.ColumnFloat
	case has("DEC", "NUMERIC"):
		c.Kind = dsr.ColumnDecimal
	case has("UUID"):
		c.Kind = dsr.ColumnUUID
	}
}

func (sqlite) unique(ctx context.Context, db querier, t *table) error {
	indexes := uniqueIndexes{}
	err := each(ctx, db, sqliteUnique, []any{t.name, t.schema}, func(scan scanner) error {
		var index string
		var primary bool
		var name sql.NullString // no name for an expression
		if err := scan(&index, &primary, &name); err != nil {
			return err
		}
		indexes.add(index, primary, name.String)
		return nil
	})
	indexes.tell(t)
	return err
}

// collations asks how each column compares: no catalogue tells it. The first
// half of each compound gives the column's collation and no row.
func (s sqlite) collations(ctx context.Context, db querier, t *table) error {
	if len(t.columns) == 0 {
		return nil
	}
	var selects []string
	for _, c := range t.columns {
		selects = append(selects, fmt.Sprintf(
			"(SELECT (x = 'A') + 2 * (x = 'a ') FROM (SELECT %s AS x FROM %s WHERE 0 UNION ALL SELECT 'a'))",
			s.ident(c.Name), t.from))
	}
	codes := make([]int, len(selects))
	targets := make([]any, len(selects))
	for i := range codes {
		targets[i] = &codes[i]
	}
	err := each(ctx, db, "SELECT "+strings.Join(selects, ", "), nil, func(scan scanner) error { return scan(targets...) })
	for i, c := range t.columns {
		c.collation = map[int]string{1: "NOCASE", 2: "RTRIM"}[codes[i]]
		c.ignoresCase = codes[i] == 1
	}
	return err
}

func (s sqlite) foreignKeys(ctx context.Context, db querier, t *table) error {
	var relations []relation
	err := each(ctx, db, fmt.Sprintf(sqliteForeignKeys, s.ident(t.schema)), []any{t.name, t.schema}, func(scan scanner) error {
		var fk relation
		var child, parent, column, reference, action string
		var id int
		if err := scan(&child, &parent, &fk.begins, &fk.ends, &id, &column, &reference, &action); err != nil {
			return err
		}
		fk.Name = fmt.Sprintf("%s.%d", child, id)
		if len(relations) == 0 || relations[len(relations)-1].Name != fk.Name {
			fk.child, fk.parent, fk.OnDelete = s.label(t.schema, child), s.label(t.schema, parent), deleteRule(action)
			relations = append(relations, fk)
		}
		last := &relations[len(relations)-1]
		last.Columns = append(last.Columns, column)
		last.References = append(last.References, reference)
		return nil
	})
	t.relate(relations)
	return err
}
