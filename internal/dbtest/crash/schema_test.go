package crash_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/godsr/dsr/adapters/sqlconn"
)

// backend is one of the two databases. Its triggers log every write of a row
// and every column in which one differs, in the table audit.
type backend struct {
	tables  []table
	dialect sqlconn.Dialect
	dsn     string
	file    string // of SQLite
}

func (b *backend) open() (*sql.DB, error) {
	driver := map[sqlconn.Dialect]string{sqlconn.SQLite: "sqlite", sqlconn.PostgreSQL: "pgx", sqlconn.MySQL: "mysql"}[b.dialect]
	return sql.Open(driver, b.dsn)
}

// create makes the tables, fills them and keeps a copy to go back to.
func (b *backend) create(ctx context.Context) (err error) {
	db, err := b.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	statements := auditTable(b.dialect)
	for _, t := range b.tables {
		statements = append(statements, t.ddl(b.dialect)...)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	for _, t := range b.tables {
		if err := b.fill(ctx, db, t); err != nil {
			return err
		}
	}
	if b.dialect == sqlconn.SQLite {
		// The log has to be in the file before it is copied.
		if _, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			return err
		}
		return copyFile(b.file, b.file+".orig")
	}
	for _, t := range b.tables {
		if _, err := db.ExecContext(ctx, "CREATE TABLE orig_"+t.name+" AS SELECT * FROM "+t.name); err != nil {
			return err
		}
	}
	return nil
}

func (b *backend) fill(ctx context.Context, db *sql.DB, t table) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, row := range rowsOf(t) {
		marks := make([]string, len(row))
		for i := range row {
			if marks[i] = "?"; b.dialect == sqlconn.PostgreSQL {
				marks[i] = fmt.Sprintf("$%d", i+1)
			}
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO "+t.name+" VALUES ("+strings.Join(marks, ", ")+")", row...); err != nil {
			return fmt.Errorf("fill %s: %w", t.name, err)
		}
	}
	return tx.Commit()
}

// reset brings back the rows as they were made, and empties the audit.
func (b *backend) reset(ctx context.Context) (err error) {
	if b.dialect == sqlconn.SQLite {
		for _, suffix := range []string{"-wal", "-shm"} {
			if err := os.Remove(b.file + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		return copyFile(b.file+".orig", b.file)
	}
	db, err := b.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	statements := []string{"TRUNCATE TABLE audit"}
	if b.dialect == sqlconn.MySQL {
		statements = append(statements, "SET FOREIGN_KEY_CHECKS = 0")
	}
	for _, t := range b.tables {
		truncate := "TRUNCATE TABLE " + t.name
		if b.dialect == sqlconn.PostgreSQL {
			truncate += " CASCADE"
		}
		statements = append(statements, truncate)
	}
	for _, t := range b.tables {
		statements = append(statements, "INSERT INTO "+t.name+" SELECT * FROM orig_"+t.name)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}

// sqliteBackend is a database in a file of dir.
func sqliteBackend(dir string) *backend {
	file := filepath.Join(dir, "shop.db")
	return &backend{tables: shop(), dialect: sqlconn.SQLite, file: file, dsn: "file:" + file +
		"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(300000)&_pragma=foreign_keys(1)&_txlock=immediate"}
}

// auditTable returns the statements that make the table that triggers write to.
func auditTable(d sqlconn.Dialect) []string {
	serial := map[sqlconn.Dialect]string{
		sqlconn.SQLite:     "INTEGER PRIMARY KEY AUTOINCREMENT",
		sqlconn.PostgreSQL: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
		sqlconn.MySQL:      "BIGINT AUTO_INCREMENT PRIMARY KEY",
	}[d]
	statements := []string{"CREATE TABLE audit (seq " + serial + ", tbl VARCHAR(40), id INTEGER, what VARCHAR(40))"}
	if d == sqlconn.PostgreSQL {
		statements = append(statements, postgresAudit)
	}
	return statements
}

const postgresAudit = `CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO audit (tbl, id, what) VALUES (TG_TABLE_NAME, OLD.id, TG_OP);
	IF TG_OP = 'UPDATE' THEN
		INSERT INTO audit (tbl, id, what)
		SELECT TG_TABLE_NAME, OLD.id, o.key
		FROM jsonb_each(to_jsonb(OLD)) o JOIN jsonb_each(to_jsonb(NEW)) n ON n.key = o.key
		WHERE n.value IS DISTINCT FROM o.value;
	END IF;
	RETURN NULL;
END $$`

// ddl returns the statements that make the table and its triggers.
func (t *table) ddl(d sqlconn.Dialect) []string {
	var columns []string
	for i, c := range t.columns {
		native := c.native
		switch {
		case native == "JSON" && d == sqlconn.PostgreSQL:
			native = "JSONB"
		case i == 0:
			native += " PRIMARY KEY"
		}
		columns = append(columns, c.name+" "+native)
	}
	if t.refers != "" {
		columns = append(columns, fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (id)", t.columns[1].name, t.refers))
	}
	create := fmt.Sprintf("CREATE TABLE %s (%s)", t.name, strings.Join(columns, ", "))
	return append([]string{create}, t.triggers(d)...)
}

// triggers returns the statements that make the triggers of the table.
func (t *table) triggers(d sqlconn.Dialect) []string {
	if d == sqlconn.PostgreSQL {
		return []string{fmt.Sprintf("CREATE TRIGGER audit AFTER UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION audit()", t.name)}
	}
	log := func(what, where string) string {
		return fmt.Sprintf("INSERT INTO audit (tbl, id, what) SELECT '%s', OLD.id, '%s'%s; ", t.name, what, where)
	}
	update := log("UPDATE", "")
	for _, c := range t.columns {
		where := fmt.Sprintf(" WHERE OLD.%[1]s IS NOT NEW.%[1]s", c.name)
		if d == sqlconn.MySQL {
			// Compared as bytes: the collation takes other letter case for equal.
			where = fmt.Sprintf(" FROM DUAL WHERE NOT (CAST(OLD.%[1]s AS BINARY) <=> CAST(NEW.%[1]s AS BINARY))", c.name)
		}
		update += log(c.name, where)
	}
	trigger := func(event, body string) string {
		return fmt.Sprintf("CREATE TRIGGER %[1]s_%[2]s AFTER %[2]s ON %[1]s FOR EACH ROW BEGIN %[3]sEND", t.name, event, body)
	}
	return []string{trigger("UPDATE", update), trigger("DELETE", log("DELETE", ""))}
}
