package sqlconntest_test

import (
	"database/sql"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
)

// dialect is a database that tests run against.
type dialect struct {
	name    string
	open    func(testing.TB) *sql.DB
	dialect sqlconn.Dialect
	json    string
}

var dialects = []dialect{
	{"PostgreSQL", dbtest.Postgres, sqlconn.PostgreSQL, "jsonb"},
	{"MariaDB", dbtest.MariaDB, sqlconn.MySQL, "json"},
	{"SQLite", dbtest.SQLite, sqlconn.SQLite, "json"},
}

// exec runs statements one by one.
func exec(tb testing.TB, db *sql.DB, statements ...string) {
	tb.Helper()
	for _, statement := range statements {
		_, err := db.ExecContext(tb.Context(), statement)
		require.NoError(tb, err, statement)
	}
}

// table is a collection with these columns.
func table(name string, columns ...string) *graph.Collection {
	c := &graph.Collection{Name: name, Address: graph.Address{Dataset: "shop", Collection: name}}
	for _, column := range columns {
		c.Fields = append(c.Fields, &graph.Field{Name: column})
	}
	return c
}

// read returns copies of all rows of a query.
func read(tb testing.TB, c dsr.Connector, q *dsr.Query) (values [][]any, via [][]dsr.Match) {
	tb.Helper()
	for row, err := range c.Read(tb.Context(), q) {
		require.NoError(tb, err)
		values = append(values, append([]any(nil), row.Values...))
		via = append(via, append([]dsr.Match(nil), row.Via...))
	}
	return values, via
}

// where is a criterion over one field.
func where(path graph.Path, values ...any) dsr.Criterion {
	c := dsr.Criterion{Fields: []graph.Path{path}}
	for _, v := range values {
		c.Values = append(c.Values, []any{v})
	}
	return c
}

func itoa(i int64) string { return strconv.FormatInt(i, 10) }

func mariadbDSN(tb testing.TB) string {
	tb.Helper()
	return dbtest.MariaDBDSN(tb)
}
