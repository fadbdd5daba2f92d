package sqlconn

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/godsr/dsr"
)

// postgresTable asks what the relation itself takes too: 4 stands for updates,
// 16 for deletions. Of a table with children that are no partitions, no key is
// unique over all of the rows.
const postgresTable = `SELECT c.oid::text, n.nspname::text, c.relname::text,
	has_any_column_privilege(c.oid, 'UPDATE'), has_table_privilege(c.oid, 'DELETE'),
	pg_relation_is_updatable(c.oid, true) & 4 <> 0, pg_relation_is_updatable(c.oid, true) & 16 <> 0,
	current_setting('transaction_read_only') = 'on', pg_is_in_recovery(),
	c.relkind <> 'p' AND EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = $1::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
	AND CASE WHEN $2::text = '' THEN n.nspname = ANY(current_schemas(false)) ELSE n.nspname = $2::text END
ORDER BY array_position(current_schemas(false), n.nspname) LIMIT 1`

// postgresColumns follows domains down to the types that they stand on.
const postgresColumns = `WITH RECURSIVE base AS (
	SELECT a.attnum, a.atttypid AS typ, a.atttypmod AS typmod, a.attnotnull AS required
	FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::text::oid AND a.attnum > 0 AND NOT a.attisdropped
	UNION ALL
	SELECT b.attnum, t.typbasetype, t.typtypmod, b.required OR t.typnotnull
	FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typ AND t.typtype = 'd')
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), t.typname::text, format_type(t.oid, NULL), b.typmod,
	t.typcategory::text, coalesce(format_type(e.oid, NULL), ''),
	CASE WHEN e.typtype <> 'd' THEN e.typname::text ELSE '' END, b.required,
	a.attgenerated <> '' OR a.attidentity = 'a',
	NOT has_column_privilege(a.attrelid, a.attnum, 'UPDATE') OR pg_relation_is_updatable(a.attrelid, true) & 4 = 0
		OR pg_relation_is_updatable(a.attrelid, true) & 20 = 20 AND NOT pg_column_is_updatable(a.attrelid, a.attnum, true),
	CASE WHEN a.attcollation NOT IN (0, 100) THEN quote_ident(cn.nspname) || '.' || quote_ident(co.collname) ELSE '' END,
	EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indnkeyatts = 1
		AND i.indkey[0] = a.attnum AND i.indpred IS NULL),
	EXISTS (SELECT 1 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
		JOIN pg_catalog.pg_am m ON m.oid = c.relam WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum
		AND i.indpred IS NULL AND i.indisvalid AND m.amname = 'btree'),
	coalesce((SELECT array_position(i.indkey::int2[], a.attnum) FROM pg_catalog.pg_index i
		WHERE i.indrelid = a.attrelid AND i.indisprimary), -1)
FROM base b JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::text::oid AND a.attnum = b.attnum
JOIN pg_catalog.pg_type t ON t.oid = b.typ AND t.typtype <> 'd'
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
ORDER BY a.attnum`

// postgresUnique leaves out expressions and indexes of some rows only.
const postgresUnique = `SELECT (SELECT json_agg(a.attname ORDER BY k.o) FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, o)
	JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num WHERE k.o <= i.indnkeyatts)::text
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = $1::text::oid AND i.indisunique AND NOT i.indisprimary AND i.indnkeyatts > 1
	AND i.indpred IS NULL AND i.indexprs IS NULL ORDER BY c.relname`

// postgresForeignKeys leaves out the copies that a key between partitioned
// tables has for each partition that it points at.
const postgresForeignKeys = `SELECT con.conname::text, n.nspname::text, c.relname::text, pn.nspname::text, p.relname::text,
	con.conrelid = $1::text::oid, con.confrelid = $1::text::oid, con.confdeltype::text,
	(SELECT json_agg(a.attname ORDER BY k.o) FROM unnest(con.conkey) WITH ORDINALITY AS k(num, o)
		JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.num)::text,
	(SELECT json_agg(a.attname ORDER BY k.o) FROM unnest(con.confkey) WITH ORDINALITY AS k(num, o)
		JOIN pg_catalog.pg_attribute a ON a.attrelid = con.confrelid AND a.attnum = k.num)::text
FROM pg_catalog.pg_constraint con
JOIN pg_catalog.pg_class c ON c.oid = con.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class p ON p.oid = con.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
WHERE con.contype = 'f' AND (con.confrelid = $1::text::oid AND con.conparentid = 0
	OR con.conrelid = $1::text::oid AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint up
		WHERE up.oid = con.conparentid AND up.conrelid = con.conrelid))
ORDER BY n.nspname, c.relname, con.conname`

func (p postgres) describe(ctx context.Context, db querier, schema, name string) (*table, error) {
	var t *table
	var oid string
	var family bool
	err := each(ctx, db, postgresTable, []any{name, schema}, func(scan scanner) error {
		t = &table{}
		var update, remove, updatable, removable, readOnly, recovery bool
		if err := scan(&oid, &t.schema, &t.name, &update, &remove, &updatable, &removable, &readOnly, &recovery, &family); err != nil {
			return err
		}
		switch {
		case recovery:
			t.readOnly = "the server is a standby"
		case readOnly:
			t.readOnly = "transactions of this connection are read-only"
		case !update:
			t.readOnly = "the role lacks the privilege UPDATE on the table"
		case !updatable && !removable:
			t.readOnly = "it is a view that cannot be updated"
		}
		switch {
		case !remove:
			t.noDelete = "the role lacks the privilege DELETE on the table"
		case !removable:
			t.noDelete = "it is a view from which nothing can be deleted"
		}
		return nil
	})
	if err != nil || t == nil {
		return nil, err
	}
	t.label = label(t.schema, t.name)
	t.from = p.ident(t.schema) + "." + p.ident(t.name)
	key := map[int]string{}
	err = each(ctx, db, postgresColumns, []any{oid}, func(scan scanner) error {
		c := &column{scale: -1}
		var native, typ, base, category, element, elementName string
		var typmod, keyPosition int
		var required bool
		if err := scan(&c.Name, &native, &typ, &base, &typmod, &category, &element, &elementName, &required,
			&c.Generated, &c.ReadOnly, &c.collation, &c.Unique, &c.indexed, &keyPosition); err != nil {
			return err
		}
		c.Native, c.Nullable, c.cast, c.element = native, !required, base, element
		c.collation = strings.ReplaceAll(c.collation, "?", "??")
		p.classify(c, typ, category, typmod)
		if c.form == formArray && elementName != "" {
			of := &column{}
			p.classify(of, elementName, "", typmod)
			c.Element, c.Length = of.Kind, of.Length
		}
		c.cast = strings.ReplaceAll(c.cast, "?", "??")
		// What is unique in the table is not in the family of tables that
		// a query of it reads.
		c.Unique = c.Unique && !family
		if keyPosition >= 0 && !family {
			key[keyPosition] = c.Name
		}
		t.columns = append(t.columns, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	t.key = inOrder(key)
	err = each(ctx, db, postgresUnique, []any{oid}, func(scan scanner) error {
		var columns string
		if err := scan(&columns); err != nil {
			return err
		}
		t.unique = append(t.unique, nil)
		return json.Unmarshal([]byte(columns), &t.unique[len(t.unique)-1])
	})
	if err != nil {
		return nil, err
	}
	var relations []relation
	err = each(ctx, db, postgresForeignKeys, []any{oid}, func(scan scanner) error {
		var fk relation
		var schema, name, parentSchema, parent, action, columns, references string
		if err := scan(&fk.Name, &schema, &name, &parentSchema, &parent, &fk.begins, &fk.ends, &action, &columns, &references); err != nil {
			return err
		}
		fk.child, fk.parent = label(schema, name), label(parentSchema, parent)
		fk.OnDelete = map[string]string{"c": "cascade", "n": "set null", "d": "set default"}[action]
		if fk.OnDelete == "" {
			fk.OnDelete = "restrict"
		}
		if err := json.Unmarshal([]byte(columns), &fk.Columns); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(references), &fk.References); err != nil {
			return err
		}
		relations = append(relations, fk)
		return nil
	})
	t.relate(relations)
	return t, err
}

// classify sets what follows from the type.
func (postgres) classify(c *column, typ, category string, typmod int) {
	set := func(kind dsr.ColumnKind, f form) { c.Kind, c.form = kind, f }
	if category == "A" && strings.HasPrefix(typ, "_") {
		set(dsr.ColumnDocument, formArray)
		return
	}
	switch typ {
	case "text", "name", "varchar":
		set(dsr.ColumnText, formText)
		c.cast = "text"
		if typmod > 4 {
			c.Length = typmod - 4
		}
	case "bpchar":
		set(dsr.ColumnText, formText)
		c.cast, c.padded = "bpchar", true
		if typmod > 4 {
			c.Length = typmod - 4
		}
	case "citext":
		set(dsr.ColumnText, formText)
		c.ignoresCase = true
	case "int2", "int4", "int8":
		set(dsr.ColumnInteger, formInteger)
		c.bits = map[string]int{"int2": 16, "int4": 32, "int8": 64}[typ]
		c.cast = "int8"
	case "float4", "float8":
		set(dsr.ColumnFloat, formFloat)
		c.single = typ == "float4"
	case "numeric":
		set(dsr.ColumnDecimal, formDecimal)
		if typmod >= 4 {
			c.scale = (typmod - 4) & 0x7ff
		}
	case "bool":
		set(dsr.ColumnBoolean, formBoolean)
	case "timestamp", "timestamptz":
		set(dsr.ColumnTime, formTime)
		c.scale = 6
		if typmod >= 0 {
			c.scale = typmod
		}
	case "date":
		set(dsr.ColumnDate, formDate)
	case "uuid":
		set(dsr.ColumnUUID, formUUID)
	case "bytea":
		set(dsr.ColumnBytes, formBytes)
	case "json", "jsonb":
		set(dsr.ColumnDocument, formJSON)
	default:
		set(dsr.ColumnOther, formOther)
	}
	if c.collation != "" && c.form != formText {
		c.collation = ""
	}
}

// scanner reads the columns of the current row.
type scanner func(targets ...any) error

// each calls f for every row of a query.
func each(ctx context.Context, db querier, query string, args []any, f func(scanner) error) (err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
	}()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return fmt.Errorf("catalogue: %w", err)
		}
	}
	return rows.Err()
}

// inOrder returns the names by their positions.
func inOrder(byPosition map[int]string) []string {
	var names []string
	for i := 0; len(names) < len(byPosition); i++ {
		if name, ok := byPosition[i]; ok {
			names = append(names, name)
		}
	}
	return names
}
