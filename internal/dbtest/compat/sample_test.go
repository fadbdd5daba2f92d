//go:build compat

package compat_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/internal/dbtest"
)

// postgres makes a database with the sample's rows.
func postgres(t testing.TB) *sql.DB {
	t.Helper()
	db := dbtest.Postgres(t)
	run(t, db, read(t, "sql/postgres_example.sql"))
	return db
}

// mariadb makes a database with the sample's MySQL tables. The sample has no
// rows for them: they are those of PostgreSQL, read from it and written over.
func mariadb(t testing.TB) *sql.DB {
	t.Helper()
	db := dbtest.MariaDB(t)
	for statement := range strings.SplitSeq(read(t, "sql/mysql_example.sql"), ";") {
		// What sets up users and the server itself is left out.
		if at := strings.Index(statement, "CREATE TABLE"); at >= 0 {
			run(t, db, statement[at:])
		}
	}
	from := postgres(t)
	for _, table := range names(t, db, "SELECT table_name FROM information_schema.tables WHERE table_schema = database()") {
		copyTable(t, from, db, table)
	}
	return db
}

// copyTable writes the rows of a table of PostgreSQL into one of MariaDB that
// has some of its columns.
func copyTable(t testing.TB, from, to *sql.DB, table string) {
	t.Helper()
	columns := names(t, to, "SELECT column_name FROM information_schema.columns WHERE table_schema = database() AND table_name = ?", table)
	picked := make([]string, len(columns))
	for i, column := range columns {
		picked[i] = column
		kind := names(t, from, "SELECT data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1 AND column_name = $2", table, column)
		if len(kind) == 0 {
			return // the table is MariaDB's own, and empty
		}
		if kind[0] == "money" {
			picked[i] += "::numeric"
		}
	}
	list, err := from.QueryContext(t.Context(), "SELECT "+strings.Join(picked, ", ")+" FROM "+table)
	require.NoError(t, err)
	defer func() { require.NoError(t, list.Close()) }()
	into := fmt.Sprintf("INSERT INTO `%s` (%s) VALUES (?%s)", table, strings.Join(columns, ", "), strings.Repeat(", ?", len(columns)-1))
	for list.Next() {
		_, err := to.ExecContext(t.Context(), into, scan(t, list, len(columns))...)
		require.NoError(t, err)
	}
	require.NoError(t, list.Err())
}

func run(t testing.TB, db *sql.DB, script string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), script)
	require.NoError(t, err)
}

// names returns a column of texts, in order.
func names(t testing.TB, db *sql.DB, query string, args ...any) []string {
	t.Helper()
	list, err := db.QueryContext(t.Context(), query, args...)
	require.NoError(t, err)
	defer func() { require.NoError(t, list.Close()) }()
	var out []string
	for list.Next() {
		out = append(out, scan(t, list, 1)[0].(string))
	}
	require.NoError(t, list.Err())
	slices.Sort(out)
	return out
}

// scan reads a row; bytes become text.
func scan(t testing.TB, list *sql.Rows, columns int) []any {
	t.Helper()
	row, into := make([]any, columns), make([]any, columns)
	for i := range row {
		into[i] = &row[i]
	}
	require.NoError(t, list.Scan(into...))
	for i, v := range row {
		if b, ok := v.([]byte); ok {
			row[i] = string(b)
		}
	}
	return row
}

// keys address the rows of the sample's tables in what snapshot prints.
var keys = map[string][]string{"order_item": {"order_id", "item_no"}, "visit": {"email", "last_visit"}, "composite_pk_test": {"id_a", "id_b"}, "Lead": {"email"}}

// snapshot returns every value of every table, as "table key column" to text.
// No schema means MariaDB's database.
func snapshot(t testing.TB, db *sql.DB, schema string) map[string]string {
	t.Helper()
	all := map[string]string{}
	quoted, in := "'"+schema+"'", schema+"."
	if schema == "" {
		quoted, in = "database()", ""
	}
	for _, table := range names(t, db, "SELECT table_name FROM information_schema.tables WHERE table_schema = "+quoted) {
		values(t, db, in, table, all)
	}
	return all
}

// values adds every value of a table to a snapshot.
func values(t testing.TB, db *sql.DB, in, table string, all map[string]string) {
	t.Helper()
	list, err := db.QueryContext(t.Context(), "SELECT * FROM "+in+table+" ORDER BY 1, 2")
	require.NoError(t, err)
	defer func() { require.NoError(t, list.Close()) }()
	columns, err := list.Columns()
	require.NoError(t, err)
	for list.Next() {
		row := scan(t, list, len(columns))
		key := table
		for i, column := range columns {
			if named := keys[table]; slices.Contains(named, column) || named == nil && column == "id" {
				key += " " + text(row[i])
			}
		}
		require.NotContains(t, all, key, "two rows have one key")
		all[key] = "there"
		for i, column := range columns {
			all[key+" "+column] = text(row[i])
		}
	}
	require.NoError(t, list.Err())
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case time.Time:
		return v.UTC().Format(time.DateTime)
	}
	return fmt.Sprint(v)
}

// changes tells what differs between two snapshots, one line for each value.
func changes(before, after map[string]string) []string {
	lines := []string{}
	for key, old := range before {
		switch now, ok := after[key]; {
		case !ok && old == "there":
			lines = append(lines, key+" is gone")
		case ok && now != old:
			lines = append(lines, key+": "+old+" → "+now)
		}
	}
	for key, now := range after {
		if _, ok := before[key]; !ok && now == "there" {
			lines = append(lines, key+" is new")
		}
	}
	slices.Sort(lines)
	return lines
}

const postgresKey, mysqlKey, mongoKey = "postgres_example_test_dataset", "mysql_example_test_dataset", "mongo_test"

// pgConnection serves a dataset, that of the sample unless another is named,
// out of PostgreSQL.
func pgConnection(db *sql.DB, datasets ...string) dsr.Connection {
	if len(datasets) == 0 {
		datasets = []string{postgresKey}
	}
	return dsr.Connection{Key: "postgres", Connector: sqlconn.New(db, sqlconn.PostgreSQL, nil), Datasets: datasets}
}
