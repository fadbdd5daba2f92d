package sqlconn

import (
	"context"
	"database/sql"
	"regexp"
	"slices"
	"strings"

	"github.com/godsr/dsr"
)

const mysqlTable = `SELECT TABLE_SCHEMA, TABLE_NAME, @@global.read_only, @@lower_case_table_names,
	EXISTS (SELECT 1 FROM information_schema.VIEWS v
		WHERE v.TABLE_SCHEMA = t.TABLE_SCHEMA AND v.TABLE_NAME = t.TABLE_NAME AND v.IS_UPDATABLE = 'NO')
FROM information_schema.TABLES t
WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ?`

const mysqlColumns = `SELECT COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE = 'YES',
	COALESCE(CHARACTER_MAXIMUM_LENGTH, 0), COALESCE(NUMERIC_SCALE, -1), COALESCE(DATETIME_PRECISION, 0),
	COALESCE(CHARACTER_SET_NAME, ''), COALESCE(COLLATION_NAME, ''), EXTRA
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`

const mysqlIndexes = `SELECT INDEX_NAME, COLUMN_NAME, SEQ_IN_INDEX, SUB_PART IS NULL
FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX`

const mysqlForeignKeys = `SELECT k.CONSTRAINT_NAME, k.TABLE_SCHEMA, k.TABLE_NAME, k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME,
	k.TABLE_SCHEMA = ? AND k.TABLE_NAME = ?, k.REFERENCED_TABLE_SCHEMA = ? AND k.REFERENCED_TABLE_NAME = ?,
	k.COLUMN_NAME, k.REFERENCED_COLUMN_NAME, r.DELETE_RULE, k.ORDINAL_POSITION
FROM information_schema.KEY_COLUMN_USAGE k
JOIN information_schema.REFERENTIAL_CONSTRAINTS r
	ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME
WHERE k.TABLE_SCHEMA = ? AND k.TABLE_NAME = ? AND k.REFERENCED_TABLE_NAME IS NOT NULL
	OR k.REFERENCED_TABLE_SCHEMA = ? AND k.REFERENCED_TABLE_NAME = ?
ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION`

// mysqlGeometries are the types that cannot be read as text.
var mysqlGeometries = []string{
	"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geomcollection", "geometrycollection",
}

// mysqlChecks finds MariaDB's JSON columns, which are text with a check.
const mysqlChecks = `SELECT CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS
WHERE CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ?`

func (m mysql) describe(ctx context.Context, db querier, schema, name string) (*table, error) {
	var t *table
	var mariaDB bool
	err := each(ctx, db, "SELECT VERSION()", nil, func(scan scanner) error {
		var version string
		err := scan(&version)
		mariaDB = strings.Contains(strings.ToLower(version), "mariadb")
		return err
	})
	if err != nil {
		return nil, err
	}
	err = each(ctx, db, mysqlTable, []any{schema, name}, func(scan scanner) error {
		found := &table{}
		var readOnly string
		var lowerCase int
		var fixed bool
		if err := scan(&found.schema, &found.name, &readOnly, &lowerCase, &fixed); err != nil {
			return err
		}
		switch {
		case readOnly != "0" && readOnly != "OFF":
			found.readOnly = "the server is read-only"
		case fixed:
			found.readOnly = "it is a view that cannot be updated"
		}
		// The catalogue ignores letter case even where tables do not.
		if found.name == name || lowerCase > 0 && t == nil {
			t = found
		}
		return nil
	})
	if err != nil || t == nil {
		return nil, err
	}
	t.label = label(t.schema, t.name)
	t.from = m.ident(t.schema) + "." + m.ident(t.name)
	for _, step := range []func(context.Context, querier, *table) error{m.columns, m.indexes, m.foreignKeys, m.writable} {
		if err := step(ctx, db, t); err != nil {
			return nil, err
		}
	}
	if mariaDB {
		err = m.checks(ctx, db, t)
	}
	return t, err
}

func (m mysql) columns(ctx context.Context, db querier, t *table) error {
	return each(ctx, db, mysqlColumns, []any{t.schema, t.name}, func(scan scanner) error {
		c := &column{}
		var typ, extra string
		var length uint64
		var scale, precision int
		if err := scan(&c.Name, &c.Native, &typ, &c.Nullable, &length, &scale, &precision,
			&c.charset, &c.collation, &extra); err != nil {
			return err
		}
		m.classify(c, strings.ToLower(typ), int(min(length, 1<<31-1)), scale, precision)
		extra = strings.ToUpper(extra)
		c.Generated = strings.Contains(extra, "GENERATED") && !strings.Contains(extra, "DEFAULT_GENERATED") ||
			strings.Contains(extra, "VIRTUAL") || strings.Contains(extra, "PERSISTENT")
		t.columns = append(t.columns, c)
		return nil
	})
}

// classify sets what follows from the type.
func (mysql) classify(c *column, typ string, length, scale, precision int) {
	set := func(kind dsr.ColumnKind, f form, cast string) { c.Kind, c.form, c.cast = kind, f, cast }
	c.unsigned = strings.Contains(c.Native, "unsigned")
	c.scale = -1
	c.ignoresCase = strings.HasSuffix(c.collation, "_ci")
	integer := func(bits int) {
		set(dsr.ColumnInteger, formInteger, "BIGINT")
		if c.bits = bits; c.unsigned {
			c.cast = "BIGINT UNSIGNED"
		}
	}
	switch typ {
	case "tinyint":
		if integer(8); strings.HasPrefix(c.Native, "tinyint(1)") {
			set(dsr.ColumnBoolean, formBoolean, "TINYINT")
		}
	case "smallint":
		integer(16)
	case "mediumint":
		integer(24)
	case "int":
		integer(32)
	case "bigint":
		integer(64)
	case "bit":
		c.unsigned = true
		integer(64)
	case "year":
		c.unsigned = true
		integer(16)
	case "float":
		set(dsr.ColumnFloat, formFloat, "FLOAT")
		c.single = true
	case "double":
		set(dsr.ColumnFloat, formFloat, "DOUBLE")
	case "decimal":
		set(dsr.ColumnDecimal, formDecimal, "DECIMAL(65,30)")
		c.scale = scale
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext":
		set(dsr.ColumnText, formText, "")
		c.padded = typ == "char"
		c.Length = length
		if strings.HasSuffix(typ, "text") {
			// The limit is one of bytes; four make the longest character.
			c.Length = length / 4
		}
	case "enum", "set":
		set(dsr.ColumnOther, formOther, "")
	case "datetime":
		set(dsr.ColumnTime, formTime, "DATETIME(6)")
		c.scale = precision
	case "timestamp":
		set(dsr.ColumnTime, formEpoch, "DATETIME(6)")
		c.scale = precision
	case "date":
		set(dsr.ColumnDate, formDate, "DATE")
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		set(dsr.ColumnBytes, formBytes, "")
	case "json":
		set(dsr.ColumnDocument, formJSON, "")
		c.charset, c.collation = "", ""
	case "uuid":
		set(dsr.ColumnUUID, formUUID, "")
	default:
		set(dsr.ColumnOther, formOther, "")
		if slices.Contains(mysqlGeometries, typ) {
			c.Native = "geometry"
		}
	}
}

func (mysql) indexes(ctx context.Context, db querier, t *table) error {
	indexes := uniqueIndexes{}
	err := each(ctx, db, mysqlIndexes, []any{t.schema, t.name}, func(scan scanner) error {
		var index string
		var column sql.NullString // no name for an expression
		var position int
		var whole bool
		if err := scan(&index, &column, &position, &whole); err != nil {
			return err
		}
		primary := index == "PRIMARY"
		if primary {
			t.key = append(t.key, column.String)
		} else if !whole {
			column.String = ""
		}
		indexes.add(index, primary, column.String)
		return nil
	})
	indexes.tell(t)
	return err
}

func (mysql) foreignKeys(ctx context.Context, db querier, t *table) error {
	var relations []relation
	args := slices.Repeat([]any{t.schema, t.name}, 4)
	err := each(ctx, db, mysqlForeignKeys, args, func(scan scanner) error {
		var fk relation
		var schema, name, parentSchema, parent, column, reference, action string
		var position int
		if err := scan(&fk.Name, &schema, &name, &parentSchema, &parent, &fk.begins, &fk.ends,
			&column, &reference, &action, &position); err != nil {
			return err
		}
		if position == 1 {
			fk.child, fk.parent = label(schema, name), label(parentSchema, parent)
			fk.OnDelete = deleteRule(action)
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

// deleteRule spells a rule as [dsr.ForeignKey] does.
func deleteRule(rule string) string {
	switch rule = strings.ToLower(rule); rule {
	case "cascade", "set null", "set default":
		return rule
	}
	return "restrict"
}

var jsonCheck = regexp.MustCompile("(?i)^json_valid\\(`((?:[^`]|``)+)`\\)$")

func (mysql) checks(ctx context.Context, db querier, t *table) error {
	return each(ctx, db, mysqlChecks, []any{t.schema, t.name}, func(scan scanner) error {
		var clause string
		if err := scan(&clause); err != nil {
			return err
		}
		m := jsonCheck.FindStringSubmatch(strings.TrimSpace(clause))
		if m == nil {
			return nil
		}
		if c, ok := t.column(strings.ReplaceAll(m[1], "``", "`")); ok {
			c.Kind, c.form, c.Length = dsr.ColumnDocument, formJSON, 0
		}
		return nil
	})
}
