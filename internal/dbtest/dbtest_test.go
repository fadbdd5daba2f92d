package dbtest_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/dbtest"
)

func TestFreshDatabases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		open func(testing.TB) *sql.DB
	}{
		{"postgres", dbtest.Postgres},
		{"mariadb", dbtest.MariaDB},
		{"sqlite", dbtest.SQLite},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first, second := c.open(t), c.open(t)
			for i, db := range []*sql.DB{first, second} {
				// The same name in both: neither sees the other's table.
				_, err := db.ExecContext(t.Context(), "CREATE TABLE customer (id INTEGER PRIMARY KEY, name VARCHAR(20))")
				require.NoError(t, err)
				for id := range i + 1 {
					_, err = db.ExecContext(t.Context(), "INSERT INTO customer VALUES ("+string(rune('1'+id))+", 'Zoë')")
					require.NoError(t, err)
				}
			}
			for i, db := range []*sql.DB{first, second} {
				var rows int
				var name string
				require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*), max(name) FROM customer").Scan(&rows, &name))
				require.Equal(t, i+1, rows)
				require.Equal(t, "Zoë", name)
			}
		})
	}
}

func TestDatabasesGoWithTheirTest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, driver string
		dsn          func(testing.TB) string
	}{
		{"postgres", "pgx", dbtest.PostgresDSN},
		{"mariadb", "mysql", dbtest.MariaDBDSN},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var dsn string
			t.Run("inner", func(t *testing.T) {
				dsn = c.dsn(t)
				db, err := sql.Open(c.driver, dsn)
				require.NoError(t, err)
				require.NoError(t, db.PingContext(t.Context()))
				require.NoError(t, db.Close())
			})
			db, err := sql.Open(c.driver, dsn)
			require.NoError(t, err)
			require.Error(t, db.PingContext(t.Context()))
			require.NoError(t, db.Close())
		})
	}
}

func TestSQLiteSettings(t *testing.T) {
	t.Parallel()
	db := dbtest.SQLite(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "busy_timeout": "300000", "foreign_keys": "1"} {
		var got string
		require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		require.Equal(t, want, got, pragma)
	}
	// A transaction holds the write lock from its beginning: a second one that
	// does not care to wait cannot begin.
	first, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	hasty, err := db.Conn(t.Context())
	require.NoError(t, err)
	_, err = hasty.ExecContext(t.Context(), "PRAGMA busy_timeout = 0")
	require.NoError(t, err)
	_, err = hasty.BeginTx(t.Context(), nil)
	require.ErrorContains(t, err, "database is locked")
	require.NoError(t, first.Rollback())
	second, err := hasty.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, second.Rollback())
	require.NoError(t, hasty.Close())
}
