package crash_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/pgstore"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/adapters/sqlitestore"
	"github.com/godsr/dsr/internal/dbtest"
)

const (
	serviceLease      = 400 * time.Millisecond
	serviceCoolingOff = 150 * time.Millisecond
	// killsInRound is how often the service is killed at most while one
	// round of people have their requests answered.
	killsInRound = 6
)

// shopWorld is a shop that the example runs, one process after another, with
// all who ever asked something of it.
type shopWorld struct {
	program      string
	dir          string
	shop         *backend
	db, storeDSN string // flags of the program
	unjournalled bool
	url          atomic.Pointer[string]
	ambush       ambush
	people       []*person
	rounds       int
	deaths       []string // how the service was killed in this round
}

// newShopWorld makes a shop whose database is of that dialect, and which keeps
// its requests in PostgreSQL if told so.
func newShopWorld(t *testing.T, program string, dialect sqlconn.Dialect, postgresStore bool) *shopWorld {
	t.Helper()
	w := &shopWorld{program: program, dir: memoryDir(t)}
	require.NoError(t, os.Mkdir(w.path("tmp"), 0o700))
	switch dialect {
	case sqlconn.PostgreSQL:
		w.db = dbtest.PostgresDSN(t)
		w.shop = &backend{dsn: w.db}
	case sqlconn.MySQL:
		w.shop = &backend{dsn: dbtest.MariaDBDSN(t)}
		config, err := mysql.ParseDSN(w.shop.dsn)
		require.NoError(t, err)
		w.db = (&url.URL{Scheme: "mysql", User: url.User(config.User), Path: "/" + config.DBName, RawQuery: url.Values{"socket": {config.Addr}}.Encode()}).String()
	default:
		w.shop = sqliteBackend(w.dir)
	}
	w.shop.dialect = dialect
	w.shop.tables = []table{
		{name: "customers", columns: []column{id(), text("email", random), text("name", random)}},
		{name: "orders", columns: []column{id(), ref("customer_id"), text("product", kept), text("note", random)}},
	}
	if postgresStore {
		w.storeDSN = dbtest.PostgresDSN(t)
	}
	// The program makes its tables; the triggers are the test's.
	s, err := w.start(t.Context(), kill{})
	require.NoError(t, err)
	require.NoError(t, s.stop())
	statements := auditTable(dialect)
	for _, table := range w.shop.tables {
		statements = append(statements, table.triggers(dialect)...)
	}
	require.NoError(t, w.exec(t.Context(), statements...))
	return w
}

// memoryDir makes a folder in memory, where there is a file system for that: a
// killed process loses nothing that it has written, so that waiting for a disk
// would prove nothing.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "dsr-crash-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func (w *shopWorld) path(names ...string) string {
	return filepath.Join(append([]string{w.dir}, names...)...)
}

func (w *shopWorld) args(more ...string) []string {
	return append([]string{
		"-addr=127.0.0.1:0", "-dir=" + w.dir, "-db=" + w.db, "-store=" + w.storeDSN,
		"-lease=" + serviceLease.String(), "-cooling-off=" + serviceCoolingOff.String(),
	}, more...)
}

func (w *shopWorld) exec(ctx context.Context, statements ...string) (err error) {
	db, err := w.shop.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return tx.Commit()
}

// settle gives the shop the people of another round, with their orders.
func (w *shopWorld) settle(ctx context.Context) ([]*person, error) {
	w.rounds++
	arrived := people(w.rounds)
	var statements []string
	for _, p := range arrived {
		statements = append(statements, fmt.Sprintf("INSERT INTO customers (id, email, name) VALUES (%d, '%s', '%s')", p.id, p.email, p.name))
		for _, o := range p.orders {
			note := "NULL"
			if o.note != nil {
				note = "'" + *o.note + "'"
			}
			statements = append(statements, fmt.Sprintf("INSERT INTO orders (id, customer_id, product, note) VALUES (%d, %d, 'teapot', %s)", o.id, p.id, note))
		}
	}
	w.people = append(w.people, arrived...)
	return arrived, w.exec(ctx, statements...)
}

// store opens what the requests are kept in.
func (w *shopWorld) store(ctx context.Context) (dsr.Store, func() error, error) {
	if w.storeDSN == "" {
		store, err := sqlitestore.Open(ctx, w.path("requests.db"), nil)
		if err != nil {
			return nil, nil, err
		}
		return store, store.Close, nil
	}
	pool, err := pgxpool.New(ctx, w.storeDSN)
	if err != nil {
		return nil, nil, err
	}
	store, err := pgstore.Open(ctx, pool, nil)
	return store, func() error { pool.Close(); return nil }, err
}

// round lets people ask, and has the service killed until all are answered, by
// the first of the kills, of which it returns those that are left and the
// points that all processes passed.
func (w *shopWorld) round(ctx context.Context, kills []kill) (left []kill, points []string, v violations) {
	w.deaths = nil
	arrived, err := w.settle(ctx)
	if err != nil {
		return kills, nil, violations{err.Error()}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the requests do not end"))
	defer cancel()
	answered := make(chan error, len(arrived))
	for _, p := range arrived {
		go func() { answered <- w.fulfil(ctx, p) }()
	}
	unanswered := len(arrived)
	for {
		next := kill{}
		if len(kills) > 0 && len(w.deaths) < killsInRound && unanswered > 0 {
			next = kills[0]
		}
		s, err := w.start(ctx, next)
		if err != nil {
			return kills, points, violations{err.Error()}
		}
		alive := true
		for unanswered > 0 && alive {
			select {
			case err := <-answered:
				unanswered--
				v.failed("client", err)
			case <-s.died:
				alive = false
			}
		}
		w.ambush.set(kill{}, nil)
		err = s.stop()
		points = append(points, s.points...)
		if s.killed() && ctx.Err() == nil {
			if next == (kill{}) {
				return kills, points, append(v, "it was killed by somebody else")
			}
			w.deaths, kills = append(w.deaths, next.String()), kills[1:]
			w.checkVisible(&v)
			continue
		}
		v.failed("service", err)
		if next != (kill{}) { // it was not come to in this round: sooner in the next
			kills[0].after /= 2
			if kills[0].tries++; kills[0].tries > 5 {
				v.add("the service never comes to be killed %s", next)
			}
		}
		if unanswered > 0 && err == nil {
			v.add("the service ended by itself")
		}
		return kills, points, v
	}
}
