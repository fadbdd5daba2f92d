package sqlconntest_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/internal/dbtest"
)

// refused runs the erasure of one address, which must fail before a row is
// changed and say why, as the check of the policy does.
func refused(t *testing.T, engine *dsr.Engine, why string) {
	t.Helper()
	require.ErrorContains(t, engine.Check(t.Context(), "erase", "email"), why)
	_, err := erase(t, engine, "ada@example.com")
	require.ErrorContains(t, err, "failed at stage plan")
	require.ErrorContains(t, err, why)
}

const createUsers = `CREATE TABLE users (id integer PRIMARY KEY, email varchar(100), name varchar(100))`

const insertUsers = `INSERT INTO users VALUES (1, 'ada@example.com', 'Ada')`

func openDB(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestReadOnlyFileOfSQLite(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"mode=ro", "immutable=1"} {
		path := filepath.Join(t.TempDir(), "a.db")
		exec(t, openDB(t, "sqlite", "file:"+path), createUsers, insertUsers)
		db := openDB(t, "sqlite", "file:"+path+"?"+mode)
		refused(t, eraser(t, db, sqlconn.SQLite, usersYAML, "null_rewrite"), "the database is opened read-only")
		require.Equal(t, []string{"Ada"}, column(t, db, `SELECT name FROM users`), mode)
	}
}

// While another connection writes, nothing is known of the file, and nothing is
// said.
func TestDescribeWhileSQLiteIsBusy(t *testing.T) {
	t.Parallel()
	path := "file:" + filepath.Join(t.TempDir(), "a.db") + "?_pragma=busy_timeout(1)"
	db := openDB(t, "sqlite", path)
	exec(t, db, createUsers)
	other := openDB(t, "sqlite", path)
	other.SetMaxOpenConns(1)
	exec(t, other, `BEGIN IMMEDIATE`)
	s, err := sqlconn.New(db, sqlconn.SQLite, nil).Describe(t.Context(), table("users", "id"))
	require.NoError(t, err)
	require.Empty(t, s.ReadOnly)
	exec(t, other, `ROLLBACK`)
}

// account creates an account of MariaDB and returns a handle and a connection
// of its own.
func account(t *testing.T, name string, grants ...string) (admin, db *sql.DB) {
	t.Helper()
	dsn := mariadbDSN(t)
	admin = openDB(t, "mysql", dsn)
	exec(t, admin, createUsers, insertUsers, `CREATE OR REPLACE USER `+name+` IDENTIFIED BY 'x'`)
	t.Cleanup(func() { _, err := admin.Exec(`DROP USER ` + name); require.NoError(t, err) })
	exec(t, admin, grants...)
	return admin, openDB(t, "mysql", name+":x"+dsn[strings.Index(dsn, "@"):])
}

func TestPrivilegesOfMariaDB(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, account string
		grants        []string
		why           string // none: it may write
	}{
		{"SELECT everywhere", "reads_all", []string{`GRANT SELECT ON *.* TO reads_all`}, "the account lacks the privilege UPDATE on the table"},
		{"SELECT on the table", "reads_one", []string{`GRANT SELECT ON users TO reads_one`}, "the account lacks the privilege UPDATE on the table"},
		{"UPDATE of another column", "writes_email", []string{`GRANT SELECT, UPDATE (email) ON users TO writes_email`}, `error: shop:users.name: connection "shop" may not write the column`},
		{"UPDATE of the column", "writes_name", []string{`GRANT SELECT, UPDATE (name) ON users TO writes_name`}, ""},
		{"UPDATE on the table", "writes_one", []string{`GRANT SELECT, UPDATE ON users TO writes_one`}, ""},
		{"UPDATE everywhere", "writes_all", []string{`GRANT SELECT, UPDATE ON *.* TO writes_all`}, ""},
		{"a role", "by_role", []string{
			`CREATE OR REPLACE ROLE eraser`, `GRANT SELECT, UPDATE ON *.* TO eraser`, `GRANT eraser TO by_role`, `SET DEFAULT ROLE eraser FOR by_role`,
		}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			admin, db := account(t, test.account, test.grants...)
			engine := eraser(t, db, sqlconn.MySQL, usersYAML, "null_rewrite")
			if test.why != "" {
				refused(t, engine, test.why)
				require.Equal(t, []string{"Ada"}, column(t, admin, `SELECT name FROM users`))
				return
			}
			_, err := erase(t, engine, "ada@example.com")
			require.NoError(t, err)
			require.Equal(t, []string{"NULL"}, column(t, admin, `SELECT name FROM users`))
		})
	}
}

func TestReadOnlySessionOfMariaDB(t *testing.T) {
	t.Parallel()
	db := dbtest.MariaDB(t)
	db.SetMaxOpenConns(1)
	exec(t, db, createUsers, insertUsers, `SET SESSION TRANSACTION READ ONLY`)
	refused(t, eraser(t, db, sqlconn.MySQL, usersYAML, "null_rewrite"), "transactions of this connection are read-only")
}

func TestColumnPrivilegesOfPostgreSQL(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, role, granted, why string }{
		{"another column", "dsr_writes_email", "email", `error: shop:users.name: connection "shop" may not write the column; grant it UPDATE, or change the category`},
		{"the column", "dsr_writes_name", "name", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db := dbtest.Postgres(t)
			db.SetMaxOpenConns(1)
			exec(t, db, createUsers, insertUsers, `CREATE ROLE `+test.role, `GRANT SELECT, UPDATE (`+test.granted+`) ON users TO `+test.role, `SET ROLE `+test.role)
			t.Cleanup(func() { atEnd(t, db, `RESET ROLE`, `DROP OWNED BY `+test.role, `DROP ROLE `+test.role) })
			engine := eraser(t, db, sqlconn.PostgreSQL, usersYAML, "null_rewrite")
			if test.why != "" {
				refused(t, engine, test.why)
				return
			}
			_, err := erase(t, engine, "ada@example.com")
			require.NoError(t, err)
			require.Equal(t, []string{"NULL"}, column(t, db, `SELECT name FROM users`))
		})
	}
}

// atEnd runs statements when the context of the test is done.
func atEnd(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := db.Exec(statement)
		require.NoError(t, err, statement)
	}
}

// A view is refused unless the database passes changes on to its tables.
func TestViews(t *testing.T) {
	t.Parallel()
	const base = `CREATE TABLE base (id integer PRIMARY KEY, email varchar(100), name varchar(100))`
	const fill = `INSERT INTO base VALUES (1, 'ada@example.com', 'Ada')`
	const grouped = `CREATE VIEW users AS SELECT id, email, max(name) AS name FROM base GROUP BY id, email`
	const simple = `CREATE VIEW users AS SELECT id, email, name FROM base`
	tests := []struct {
		name    string
		dialect int
		setup   []string
		why     string
	}{
		{"PostgreSQL, grouped", 0, []string{grouped}, "it is a view that cannot be updated"},
		{"PostgreSQL, simple", 0, []string{simple}, ""},
		{"PostgreSQL, one column computed", 0, []string{`CREATE VIEW users AS SELECT id, email, upper(name) AS name FROM base`},
			`error: shop:users.name: connection "shop" may not write the column`},
		{"MariaDB, grouped", 1, []string{grouped}, "it is a view that cannot be updated"},
		{"MariaDB, simple", 1, []string{simple}, ""},
		{"SQLite", 2, []string{simple}, "it is a view without triggers INSTEAD OF"},
		{"SQLite, with a trigger", 2, []string{simple,
			`CREATE TRIGGER pass INSTEAD OF UPDATE ON users BEGIN UPDATE base SET name = new.name WHERE id = old.id; END`}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := dialects[test.dialect]
			db := d.open(t)
			exec(t, db, append([]string{base, fill}, test.setup...)...)
			engine := eraser(t, db, d.dialect, usersYAML, "null_rewrite")
			if test.why != "" {
				refused(t, engine, test.why)
				return
			}
			require.NoError(t, engine.Check(t.Context(), "erase", "email"))
			_, err := erase(t, engine, "ada@example.com")
			require.NoError(t, err)
			require.Equal(t, []string{"NULL"}, column(t, db, `SELECT name FROM base`))
		})
	}
}
