package outage_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/pgstore"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/internal/dbtest"
)

// product is a database that runs as a server.
type product struct {
	name    string
	start   func(string, *dbtest.Options) (*dbtest.Server, error)
	dialect sqlconn.Dialect
}

func products() []product {
	return []product{
		{"PostgreSQL", dbtest.StartPostgres, sqlconn.PostgreSQL},
		{"MariaDB", dbtest.StartMariaDB, sqlconn.MySQL},
	}
}

// server starts a server of its own with a database "shop".
func (p product) server(t *testing.T) *dbtest.Server {
	t.Helper()
	server, err := p.start("", nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	require.NoError(t, server.CreateDatabase(t.Context(), "shop"))
	return server
}

// open opens a database of the product. Its driver logs nothing of what the
// tests do to it.
func (p product) open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	driver := map[sqlconn.Dialect]string{sqlconn.PostgreSQL: "pgx", sqlconn.SQLite: "sqlite", sqlconn.MySQL: "mysql"}[p.dialect]
	db, err := sql.Open(driver, dsn)
	if p.dialect == sqlconn.MySQL {
		config, parseErr := mysql.ParseDSN(dsn)
		require.NoError(t, parseErr)
		config.Logger = &mysql.NopLogger{}
		connector, connectErr := mysql.NewConnector(config)
		require.NoError(t, connectErr)
		db, err = sql.OpenDB(connector), nil
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// The ways in which a server goes away.
func ends(server *dbtest.Server) map[string][2]func() error {
	return map[string][2]func() error{
		"killed, then stopped": {server.Kill, server.Stop},
		"stopped, then killed": {server.Stop, server.Kill},
	}
}

// The server of the shop goes away while data is collected, and again while it
// is erased.
func TestShopGoesAway(t *testing.T) {
	t.Parallel()
	for _, p := range products() {
		for _, name := range []string{"killed, then stopped", "stopped, then killed"} {
			t.Run(p.name+" "+name, func(t *testing.T) {
				t.Parallel()
				server := p.server(t)
				how := ends(server)[name]
				w := newWorld(t, setup{shop: p.open(t, server.DSN("shop")), dialect: p.dialect})
				collecting := w.arm("collected shop:customers", 3, how[0], nil)
				w.run()
				w.happened(collecting)
				w.waiting(2, `"shop" is unavailable`)
				erasing := w.arm("applied ", 3, how[1], server.Start)
				w.happened(erasing)
				w.waiting(1, `"shop" is unavailable`)
				require.NoError(t, server.Start())
				w.finished()
				w.check()
			})
		}
	}
}

// The server of the store goes away, likewise.
func TestStoreGoesAway(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"killed, then stopped", "stopped, then killed"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := products()[0].server(t)
			how := ends(server)[name]
			store, stored := postgresStore(t, server)
			w := newWorld(t, setup{store: store, stored: stored})
			collecting := w.arm("collected shop:customers", 3, how[0], nil)
			w.run()
			w.happened(collecting)
			w.failing("failed to connect")
			erasing := w.arm("applied ", 3, how[1], server.Start)
			w.happened(erasing)
			w.failing("failed to connect")
			require.NoError(t, server.Start())
			w.finished()
			w.check()
		})
	}
}

// The store's connections are cut again and again, as a failing network or a
// proxy does.
func TestStoreConnectionsAreCut(t *testing.T) {
	t.Parallel()
	server := products()[0].server(t)
	store, stored := postgresStore(t, server)
	db, err := server.Open("")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w := newWorld(t, setup{store: store, stored: stored})
	cut := func() error {
		_, err := db.ExecContext(context.WithoutCancel(t.Context()), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shop'")
		return err
	}
	var trips []*trip
	for _, point := range []string{"collected ", "before ", "at ", "delivered ", "applied ", "ticked "} {
		for nth := 1; nth <= 4; nth++ {
			trips = append(trips, w.arm(point, nth, cut, nil))
		}
	}
	w.run()
	for _, trip := range trips {
		w.happened(trip)
	}
	w.finished()
	w.check()
}

// failing waits for a new error of a handler.
func (w *world) failing(text string) {
	w.t.Helper()
	before := strings.Count(w.log.String(), text)
	require.Eventually(w.t, func() bool { return strings.Count(w.log.String(), text) > before }, patience, 10*time.Millisecond)
}

func postgresStore(t *testing.T, server *dbtest.Server) (*pgstore.Store, func() ([]byte, error)) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), server.DSN("shop"))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	store, err := pgstore.Open(t.Context(), pool, nil)
	require.NoError(t, err)
	return store, func() (all []byte, err error) {
		for _, table := range []string{"requests", "documents", "lookups", "keys", "journal", "ticks", "events", "audit", "heads", "checkpoints"} {
			var text *string
			err := pool.QueryRow(context.WithoutCancel(t.Context()), fmt.Sprintf("SELECT string_agg(t::text, E'\\n') FROM dsr.%s AS t", table)).Scan(&text)
			if err != nil {
				return nil, err
			}
			if text != nil {
				all = append(all, *text...)
			}
		}
		return all, nil
	}
}
