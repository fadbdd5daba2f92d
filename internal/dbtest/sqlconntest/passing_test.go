package sqlconntest_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
)

// server is a database that runs as one.
type server struct {
	name    string
	driver  string
	dsn     func(testing.TB) string
	dialect sqlconn.Dialect
	// waits tells the connections whose statement names a table and waits
	// for a lock.
	waits func(table string) string
	// kill ends a connection.
	kill string
	// lockTimeout is the setting for a tenth of a second, or little more.
	lockTimeout string
	// noTimeout is the setting for an hour.
	noTimeout string
	codes     map[string][]string
}

var servers = []server{
	{
		name: "PostgreSQL", driver: "pgx", dsn: dbtest.PostgresDSN, dialect: sqlconn.PostgreSQL,
		waits: func(table string) string {
			return "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%" + table + "%'"
		},
		kill: "SELECT pg_terminate_backend(%d)", lockTimeout: "&lock_timeout=100ms", noTimeout: "&lock_timeout=1h",
		codes: map[string][]string{"deadlock": {"40P01"}, "lock": {"55P03"}, "killed": {"57P01"}, "connections": {"53300"}},
	},
	{
		name: "MariaDB", driver: "mysql", dsn: dbtest.MariaDBDSN, dialect: sqlconn.MySQL,
		waits: func(table string) string {
			return "SELECT trx_mysql_thread_id FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE '%" + table + "%'"
		},
		kill: "KILL %d", lockTimeout: "&innodb_lock_wait_timeout=1", noTimeout: "&innodb_lock_wait_timeout=3600",
		codes: map[string][]string{"deadlock": {"1213"}, "lock": {"1205"}, "killed": {"", "1317", "1927"}, "connections": {"1226"}},
	},
}

func openDSN(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// prepare makes a table of its own name and returns it with a chunk that writes
// the rows 1 and 2.
func prepare(t *testing.T, db *sql.DB, name string) *dsr.Chunk {
	t.Helper()
	exec(t, db, "CREATE TABLE "+name+" (id int PRIMARY KEY, mail varchar(300))")
	ch := &dsr.Chunk{Collection: table(name, "id", "mail"), Key: []graph.Path{{"id"}}}
	for i := int64(1); i <= 50; i++ {
		exec(t, db, fmt.Sprintf("INSERT INTO %s VALUES (%d, 'canary')", name, i))
		if i <= 2 {
			ch.Rows = append(ch.Rows, dsr.RowChange{Key: []any{i}, Set: []dsr.Change{{Path: []any{"mail"}, Old: "canary", New: "masked"}}})
		}
	}
	return ch
}

// passes checks that an error says that it will go away, with one of the codes
// and without values.
func passes(t *testing.T, err error, operation string, codes ...string) {
	t.Helper()
	require.ErrorIs(t, err, dsr.ErrUnavailable)
	var failure *sqlconn.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, operation, failure.Operation)
	require.Contains(t, codes, failure.Code)
	require.NotContains(t, everything(err), "canary")
	require.NotContains(t, everything(err), "masked")
}

// hold begins a transaction that has written rows.
func hold(t *testing.T, db *sql.DB, name, rows string) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	_, err = tx.ExecContext(t.Context(), "UPDATE "+name+" SET mail = 'canary too' WHERE "+rows)
	require.NoError(t, err)
	return tx
}

// apply lets a connector apply a chunk meanwhile, once.
func (s *server) apply(t *testing.T, db *sql.DB, ch *dsr.Chunk) <-chan error {
	t.Helper()
	c := sqlconn.New(db, s.dialect, &sqlconn.Options{Attempts: 1})
	result := make(chan error, 1)
	go func() {
		_, err := c.Apply(t.Context(), ch)
		result <- err
	}()
	return result
}

// waiting returns the connections that wait for a lock of a table, once they are
// as many.
func (s *server) waiting(t *testing.T, db *sql.DB, name string, many int) (all []int64) {
	t.Helper()
	// MariaDB's table is renewed only when nobody has read it for 0.1 s.
	require.Eventually(t, func() bool {
		rows, err := db.QueryContext(t.Context(), s.waits(name))
		if err != nil {
			return false
		}
		defer rows.Close()
		all = nil
		for rows.Next() {
			var id int64
			if rows.Scan(&id) != nil {
				return false
			}
			all = append(all, id)
		}
		return rows.Err() == nil && len(all) == many
	}, 5*time.Minute, 300*time.Millisecond)
	return all
}

func TestPassingFailures(t *testing.T) {
	t.Parallel()
	for _, s := range servers {
		t.Run(s.name+"/deadlock", func(t *testing.T) {
			t.Parallel()
			db := openDSN(t, s.driver, s.dsn(t)+s.noTimeout)
			ch := prepare(t, db, "deadlocked")
			ch.Rows = append(ch.Rows, dsr.RowChange{Key: []any{int64(3)}, Set: ch.Rows[0].Set})
			first, tx := hold(t, db, "deadlocked", "id = 2"), hold(t, db, "deadlocked", "id > 2")
			if s.dialect == sqlconn.PostgreSQL {
				_, err := tx.ExecContext(t.Context(), "SET LOCAL deadlock_timeout = '1h'") // the other one notices first
				require.NoError(t, err)
			}
			applied := s.apply(t, db, ch)
			s.waiting(t, db, "deadlocked", 1) // for row 2, with row 1
			crossed := make(chan error, 1)
			go func() {
				_, err := tx.ExecContext(t.Context(), "UPDATE deadlocked SET mail = 'canary again' WHERE id = 1")
				crossed <- err
			}()
			s.waiting(t, db, "deadlocked", 2)
			require.NoError(t, first.Rollback()) // which lets it go on to row 3
			passes(t, <-applied, "apply", s.codes["deadlock"]...)
			require.NoError(t, <-crossed)
		})
		t.Run(s.name+"/lock", func(t *testing.T) {
			t.Parallel()
			dsn := s.dsn(t)
			db := openDSN(t, s.driver, dsn)
			ch := prepare(t, db, "locked")
			hasty := openDSN(t, s.driver, dsn+s.lockTimeout)
			tx, err := db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), "UPDATE locked SET mail = 'canary too' WHERE id = 2")
			require.NoError(t, err)
			c := sqlconn.New(hasty, s.dialect, &sqlconn.Options{Attempts: 1})
			_, err = c.Apply(t.Context(), ch)
			passes(t, err, "apply", s.codes["lock"]...)
			require.NoError(t, tx.Rollback())
			results, err := c.Apply(t.Context(), ch)
			require.NoError(t, err)
			require.Equal(t, []dsr.RowResult{dsr.RowWritten, dsr.RowWritten}, results)
		})
		t.Run(s.name+"/killed", func(t *testing.T) {
			t.Parallel()
			db := openDSN(t, s.driver, s.dsn(t)+s.noTimeout)
			ch := prepare(t, db, "killed")
			tx := hold(t, db, "killed", "id = 2")
			applied := s.apply(t, db, ch)
			exec(t, db, fmt.Sprintf(s.kill, s.waiting(t, db, "killed", 1)[0]))
			passes(t, <-applied, "apply", s.codes["killed"]...)
			require.NoError(t, tx.Rollback())
			results, err := sqlconn.New(db, s.dialect, nil).Apply(t.Context(), ch)
			require.NoError(t, err)
			require.Equal(t, []dsr.RowResult{dsr.RowWritten, dsr.RowWritten}, results)
		})
		t.Run(s.name+"/connections", func(t *testing.T) {
			t.Parallel()
			dsn := s.dsn(t)
			db := openDSN(t, s.driver, dsn)
			var few *sql.DB
			if s.dialect == sqlconn.PostgreSQL {
				exec(t, db, "CREATE ROLE canary_few LOGIN CONNECTION LIMIT 0")
				t.Cleanup(func() { _, _ = db.ExecContext(context.WithoutCancel(t.Context()), "DROP ROLE canary_few") })
				few = openDSN(t, s.driver, strings.Replace(dsn, "user=postgres", "user=canary_few", 1))
			} else {
				exec(t, db, "CREATE USER canary_few@localhost WITH MAX_USER_CONNECTIONS 1")
				t.Cleanup(func() {
					_, _ = db.ExecContext(context.WithoutCancel(t.Context()), "DROP USER canary_few@localhost")
				})
				few = openDSN(t, s.driver, "canary_few@"+dsn[strings.Index(dsn, "@")+1:strings.LastIndex(dsn, "/")+1])
				only, err := few.Conn(t.Context())
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, only.Close()) })
			}
			passes(t, sqlconn.New(few, s.dialect, nil).Ping(t.Context()), "ping", s.codes["connections"]...)
		})
	}
}

// A primary that became a standby takes no writes any more; it was described as
// writable before.
func TestTurnedReadOnlyPasses(t *testing.T) {
	t.Parallel()
	db := dbtest.Postgres(t)
	ch := prepare(t, db, "fenced")
	c := sqlconn.New(db, sqlconn.PostgreSQL, nil)
	_, err := c.Describe(t.Context(), ch.Collection)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	exec(t, db, "SET default_transaction_read_only = on")
	_, err = c.Apply(t.Context(), ch)
	passes(t, err, "apply", "25006")
	exec(t, db, "SET default_transaction_read_only = off")
	_, err = c.Apply(t.Context(), ch)
	require.NoError(t, err)
}

func TestPassingFailuresOfSQLite(t *testing.T) {
	t.Parallel()
	t.Run("busy", func(t *testing.T) {
		t.Parallel()
		dsn := dbtest.SQLiteDSN(t)
		db := openDSN(t, "sqlite", dsn)
		ch := prepare(t, db, "busy")
		hasty := openDSN(t, "sqlite", strings.Replace(dsn, "300000", "20", 1))
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		c := sqlconn.New(hasty, sqlconn.SQLite, &sqlconn.Options{Attempts: 2})
		_, err = c.Apply(t.Context(), ch)
		passes(t, err, "apply", "5")
		require.NoError(t, tx.Rollback())
		_, err = c.Apply(t.Context(), ch)
		require.NoError(t, err)
	})
	t.Run("full", func(t *testing.T) {
		t.Parallel()
		db := openDSN(t, "sqlite", dbtest.SQLiteDSN(t))
		db.SetMaxOpenConns(1)
		ch := prepare(t, db, "brimful")
		for i := range ch.Rows {
			ch.Rows[i].Set[0].New = strings.Repeat("masked", 2000)
		}
		exec(t, db, "PRAGMA max_page_count = 1") // which stands for as many as there are
		c := sqlconn.New(db, sqlconn.SQLite, nil)
		_, err := c.Apply(t.Context(), ch)
		passes(t, err, "apply", "13")
		exec(t, db, "PRAGMA max_page_count = 1000")
		_, err = c.Apply(t.Context(), ch)
		require.NoError(t, err)
	})
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		db := openDSN(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "canary", "shop.db"))
		passes(t, sqlconn.New(db, sqlconn.SQLite, nil).Ping(t.Context()), "ping", "14")
	})
}
