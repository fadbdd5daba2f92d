package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// shared is a server that all tests of a binary use, started by the first.
type shared struct {
	start     func() (*Server, error)
	databases atomic.Int64
}

// One server per product and test binary: starting one takes a second, a
// database in it a twentieth of that.
var (
	sharedPostgres = &shared{start: sync.OnceValues(func() (*Server, error) { return StartPostgres("", nil) })}
	sharedMariaDB  = &shared{start: sync.OnceValues(func() (*Server, error) { return StartMariaDB("", nil) })}
)

// database makes a fresh database that is dropped when the test ends.
func (s *shared) database(tb testing.TB) (*Server, string) {
	tb.Helper()
	server, err := s.start()
	if err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	if err := server.CreateDatabase(tb.Context(), name); err != nil {
		tb.Fatalf("dbtest: make a database: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.DropDatabase(ctx, name); err != nil {
			tb.Errorf("dbtest: drop the database: %v", err)
		}
	})
	return server, name
}

func open(tb testing.TB, driver, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatalf("dbtest: open %s: %v", driver, err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("dbtest: close %s: %v", driver, err)
		}
	})
	return db
}

// Postgres opens a fresh PostgreSQL database with the driver "pgx". It is
// closed and dropped when the test ends.
func Postgres(tb testing.TB) *sql.DB {
	tb.Helper()
	return open(tb, "pgx", PostgresDSN(tb))
}

// PostgresDSN makes a fresh PostgreSQL database and returns its address, a
// URL for the driver "pgx" or for any other libpq client, child processes
// included. The database is dropped when the test ends.
func PostgresDSN(tb testing.TB) string {
	tb.Helper()
	server, name := sharedPostgres.database(tb)
	return server.DSN(name)
}

// MariaDB opens a fresh MariaDB database with the driver "mysql", times being
// time.Time in UTC. It is closed and dropped when the test ends.
func MariaDB(tb testing.TB) *sql.DB {
	tb.Helper()
	return open(tb, "mysql", MariaDBDSN(tb))
}

// MariaDBDSN makes a fresh MariaDB database and returns its address for the
// driver "mysql", which child processes can use too. The database is dropped
// when the test ends.
func MariaDBDSN(tb testing.TB) string {
	tb.Helper()
	server, name := sharedMariaDB.database(tb)
	return server.DSN(name)
}

// SQLite opens a fresh SQLite file with the driver "sqlite"; see [SQLiteDSN].
func SQLite(tb testing.TB) *sql.DB {
	tb.Helper()
	return open(tb, "sqlite", SQLiteDSN(tb))
}

// SQLiteDSN returns the address of a fresh SQLite file for the driver
// "sqlite", in a directory that goes when the test ends. Every connection
// checks foreign keys, writes ahead (WAL), waits five minutes for another writer,
// and takes the write lock when a transaction begins.
func SQLiteDSN(tb testing.TB) string {
	tb.Helper()
	query := url.Values{
		"_pragma": {"journal_mode(WAL)", "busy_timeout(300000)", "foreign_keys(1)"},
		"_txlock": {"immediate"},
	}
	path := filepath.Join(tb.TempDir(), "test.db")
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
}
