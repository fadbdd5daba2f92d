package outage_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/godsr/dsr/adapters/sqlconn"
)

// Persons are numbered from 1. The first ones submit a request each, by turns
// for access and for access and erasure; the others are there to be left alone.
const (
	subjects = 6
	persons  = 8
)

// forgets says whether a person asks to be forgotten.
func forgets(person int) bool { return person <= subjects && person%2 == 0 }

// table is one table of the two databases. Column 0 is the primary key; the
// second one of all but customers says whose the row is.
type table struct {
	name    string
	columns []string
	rows    int // of each person
	// masked columns are hashed, nulled ones set to null.
	masked, nulled []string
	delete         bool
}

func shopTables() []table {
	return []table{
		{name: "customers", columns: []string{"id", "email", "name"}, rows: 1, masked: []string{"email", "name"}},
		{name: "orders", columns: []string{"id", "customer_id", "recipient", "note"}, rows: 12, masked: []string{"recipient"}, nulled: []string{"note"}},
		{name: "visits", columns: []string{"id", "customer_id", "search"}, rows: 4, delete: true},
	}
}

func crmTables() []table {
	return []table{
		{name: "contacts", columns: []string{"id", "customer_id", "name", "phone"}, rows: 4, masked: []string{"name"}, nulled: []string{"phone"}},
	}
}

// canaries are parts of everything personal.
func canaries() []string { return []string{"qzxmail", "qzxname", "qzxphone", "qzxtext"} }

func email(person int) string { return fmt.Sprintf("Qzxmail.%d@Example.com", person) }

// owner says whose a row is: persons take turns.
func owner(id int) int { return (id-1)%persons + 1 }

// row makes a row of a table. Notes are long bytes long, or a little more.
func (t *table) row(id, long int) []any {
	values := make([]any, len(t.columns))
	for i, c := range t.columns {
		switch c {
		case "id":
			values[i] = id
		case "customer_id":
			values[i] = owner(id)
		case "email":
			values[i] = email(owner(id))
		case "name", "recipient":
			values[i] = fmt.Sprintf("Qzxname %d in row %d", owner(id), id)
		case "phone":
			values[i] = fmt.Sprintf("qzxphone-%d-%d", owner(id), id)
		default:
			values[i] = strings.Repeat(fmt.Sprintf("qzxtext %d in row %d ", owner(id), id), 1+long/20)
		}
	}
	return values
}

// ddl makes the table and triggers that log every write of a row in the table
// audit.
func (t *table) ddl(d sqlconn.Dialect) []string {
	columns := []string{"id INTEGER PRIMARY KEY"}
	for _, c := range t.columns[1:] {
		native := "TEXT"
		if c == "customer_id" {
			native = "INTEGER"
		}
		columns = append(columns, c+" "+native)
	}
	statements := []string{fmt.Sprintf("CREATE TABLE %s (%s)", t.name, strings.Join(columns, ", "))}
	if t.name != "customers" {
		statements = append(statements, fmt.Sprintf("CREATE INDEX by_customer_%[1]s ON %[1]s (customer_id)", t.name))
	}
	if d == sqlconn.PostgreSQL {
		return append(statements, fmt.Sprintf("CREATE TRIGGER audit AFTER UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION audit()", t.name))
	}
	for _, event := range []string{"UPDATE", "DELETE"} {
		statements = append(statements, fmt.Sprintf(
			"CREATE TRIGGER %[1]s_%[2]s AFTER %[2]s ON %[1]s FOR EACH ROW BEGIN INSERT INTO audit (tbl, id, what) VALUES ('%[1]s', OLD.id, '%[2]s'); END",
			t.name, event))
	}
	return statements
}

const postgresAudit = `CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO audit (tbl, id, what) VALUES (TG_TABLE_NAME, OLD.id, TG_OP);
	RETURN NULL;
END $$`

// database is one of the two.
type database struct {
	db      *sql.DB
	dialect sqlconn.Dialect
	tables  []table
	long    int // of notes
}

// create makes and fills the tables.
func (d *database) create(ctx context.Context) error {
	statements := []string{"CREATE TABLE audit (tbl VARCHAR(40), id INTEGER, what VARCHAR(40))"}
	if d.dialect == sqlconn.PostgreSQL {
		statements = append(statements, postgresAudit)
	}
	for _, t := range d.tables {
		statements = append(statements, t.ddl(d.dialect)...)
	}
	for _, s := range statements {
		if _, err := d.db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, t := range d.tables {
		for id := 1; id <= t.rows*persons; id++ {
			marks := make([]string, len(t.columns))
			for i := range marks {
				if marks[i] = "?"; d.dialect == sqlconn.PostgreSQL {
					marks[i] = fmt.Sprintf("$%d", i+1)
				}
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO "+t.name+" VALUES ("+strings.Join(marks, ", ")+")", t.row(id, d.long)...); err != nil {
				return fmt.Errorf("fill %s: %w", t.name, err)
			}
		}
	}
	return tx.Commit()
}

// rows calls each with every row of n columns, values as the database prints
// them.
func (d *database) rows(ctx context.Context, query string, n int, each func([]sql.NullString)) error {
	rows, err := d.db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		values, into := make([]sql.NullString, n), make([]any, n)
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		each(values)
	}
	return rows.Err()
}

// wanted is the package of a person, each row in the spelling of
// encoding/json.
func wanted(person int, dbs map[string]*database) map[string][]string {
	want := map[string][]string{}
	for name, d := range dbs {
		for _, t := range d.tables {
			for id := 1; id <= t.rows*persons; id++ {
				if owner(id) != person {
					continue
				}
				row := map[string]any{}
				for i, v := range t.row(id, d.long) {
					if c := t.columns[i]; c != "id" && c != "customer_id" {
						row[c] = v
					}
				}
				text, err := json.Marshal(row)
				if err != nil {
					panic(err)
				}
				want[name+":"+t.name] = append(want[name+":"+t.name], string(text))
			}
		}
	}
	return want
}
