package connectortest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/godsr/dsr"
)

// SQL returns a harness over db, an empty database that the suite may fill and
// that nothing else uses meanwhile. Dialect is "postgres", "mysql" (also
// MariaDB) or "sqlite"; newConnector makes the connector under test over the
// same handle. The handle's pool is limited to two connections.
//
// The driver must be set up as the adapter asks its users to: for MySQL with
// parseTime and times in UTC, for SQLite with foreign keys enforced and a busy
// timeout. SQLite is declared to lack decimals and lengths, which it cannot
// enforce; change Lacks of the result to declare more.
func SQL(db *sql.DB, dialect string, newConnector func(db *sql.DB, readOnly bool) (dsr.Connector, error)) Harness {
	h := Harness{Lacks: map[Feature]string{}}
	if dialect == "sqlite" {
		h.Lacks[Decimals] = "SQLite stores decimals as floats"
		h.Lacks[Lengths] = "SQLite does not enforce the length of a text"
	}
	db.SetMaxOpenConns(2)
	h.Open = func(ctx context.Context, s Setup) (dsr.Connector, Database, error) {
		d, ok := sqlDialects[dialect]
		if !ok {
			return nil, nil, fmt.Errorf("connectortest: SQL knows no dialect %q: want postgres, mysql or sqlite", dialect)
		}
		database := &sqlDatabase{db: db, dialect: d, tables: s.Tables}
		if err := database.create(ctx); err != nil {
			return nil, nil, errors.Join(err, database.Close())
		}
		connector, err := newConnector(db, s.ReadOnly)
		if err != nil {
			return nil, nil, errors.Join(err, database.Close())
		}
		return connector, database, nil
	}
	return h
}

type sqlDatabase struct {
	db      *sql.DB
	dialect *sqlDialect
	tables  []Table
}

// maxArgs keeps one INSERT below the lowest limit of the three dialects.
const maxArgs = 2000

func (d *sqlDatabase) create(ctx context.Context) error {
	if err := d.drop(ctx); err != nil {
		return err
	}
	for i := range d.tables {
		t := &d.tables[i]
		if _, err := d.db.ExecContext(ctx, d.dialect.createTable(t)); err != nil {
			return fmt.Errorf("connectortest: create table %s: %w", t.Name(), err)
		}
		for rows := t.Rows; len(rows) > 0; {
			n := min(len(rows), max(1, maxArgs/len(t.Columns)))
			if err := d.insert(ctx, t, rows[:n]); err != nil {
				return fmt.Errorf("connectortest: fill table %s: %w", t.Name(), err)
			}
			rows = rows[n:]
		}
	}
	return nil
}

func (d *sqlDatabase) insert(ctx context.Context, t *Table, rows []map[string]any) error {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES ", d.dialect.quote(t.Name()), d.dialect.quoteList(t.columnNames()))
	var args []any
	for i, row := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for j := range t.Columns {
			if j > 0 {
				b.WriteString(", ")
			}
			arg, err := d.dialect.arg(t.Columns[j].Kind, row[t.Columns[j].Name])
			if err != nil {
				return err
			}
			args = append(args, arg)
			b.WriteString(d.dialect.placeholder(len(args)))
		}
		b.WriteByte(')')
	}
	_, err := d.db.ExecContext(ctx, b.String(), args...)
	return err
}

func (d *sqlDatabase) drop(ctx context.Context) error {
	for i := len(d.tables) - 1; i >= 0; i-- {
		name := d.tables[i].Name()
		if _, err := d.db.ExecContext(ctx, "DROP TABLE IF EXISTS "+d.dialect.quote(name)); err != nil {
			return fmt.Errorf("connectortest: drop table %s: %w", name, err)
		}
	}
	return nil
}

// Close drops the tables even when the check's own context is done.
func (d *sqlDatabase) Close() error { return d.drop(context.Background()) }

func (d *sqlDatabase) table(name string) (*Table, error) {
	for i := range d.tables {
		if d.tables[i].Name() == name {
			return &d.tables[i], nil
		}
	}
	return nil, fmt.Errorf("connectortest: the setup has no table %q", name)
}

func (d *sqlDatabase) Rows(ctx context.Context, table string) (result []map[string]any, err error) {
	t, err := d.table(table)
	if err != nil {
		return nil, err
	}
	rows, err := d.db.QueryContext(ctx, "SELECT "+d.dialect.quoteList(t.columnNames())+" FROM "+d.dialect.quote(table))
	if err != nil {
		return nil, fmt.Errorf("connectortest: read back %s: %w", table, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		values := make([]any, len(t.Columns))
		targets := make([]any, len(t.Columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, fmt.Errorf("connectortest: read back %s: %w", table, err)
		}
		row := make(map[string]any, len(values))
		for i := range values {
			row[t.Columns[i].Name], err = plain(t.Columns[i].Kind, values[i])
			if err != nil {
				return nil, fmt.Errorf("connectortest: read back %s, column %s: %w", table, t.Columns[i].Name, err)
			}
		}
		result = append(result, row)
	}
	return result, rows.Err()
}

func (d *sqlDatabase) Update(ctx context.Context, table string, key, set map[string]any) error {
	t, err := d.table(table)
	if err != nil {
		return err
	}
	var args []any
	list := func(values map[string]any, separator string) (string, error) {
		var parts []string
		for name, v := range values {
			arg, err := d.dialect.arg(t.column(name).Kind, v)
			if err != nil {
				return "", err
			}
			args = append(args, arg)
			parts = append(parts, d.dialect.quote(name)+" = "+d.dialect.placeholder(len(args)))
		}
		return strings.Join(parts, separator), nil
	}
	assignments, err := list(set, ", ")
	if err != nil {
		return err
	}
	conditions, err := list(key, " AND ")
	if err != nil {
		return err
	}
	statement := "UPDATE " + d.dialect.quote(table) + " SET " + assignments + " WHERE " + conditions
	if _, err := d.db.ExecContext(ctx, statement, args...); err != nil {
		return fmt.Errorf("connectortest: change %s: %w", table, err)
	}
	return nil
}

// decode reads a document without rounding its numbers.
func decode(text string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	err := decoder.Decode(&v)
	return v, err
}
