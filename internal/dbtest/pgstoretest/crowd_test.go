package pgstoretest

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/adapters/sqlitestore"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
	"github.com/godsr/dsr/storage"
)

// Fifty requests of one person, handed in at once at two processes that share
// one store, run one after another: nobody gets half of the rows, and each row
// is masked once.
func TestCrowdOfOnePerson(t *testing.T) {
	t.Parallel()
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		dsn := dbtest.PostgresDSN(t)
		c := newCrowd(t, sqlconn.PostgreSQL, "pgx", dbtest.PostgresDSN(t))
		c.run(t, func() dsr.Store { return openStore(t, openPool(t, dsn)) })
	})
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "dsr.db")
		c := newCrowd(t, sqlconn.SQLite, "sqlite", dbtest.SQLiteDSN(t))
		c.run(t, func() dsr.Store {
			s, err := sqlitestore.Open(t.Context(), path, &sqlitestore.Options{BusyTimeout: crowdPatience})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return s
		})
	})
}

const (
	crowdEach   = 25 // requests of each kind
	crowdOrders = 9  // of the person, and as many of another
	// crowdPatience is when the test fails. It takes seconds, but SQLite in Go
	// under the race detector on a busy machine is slow.
	crowdPatience = 20 * time.Minute
)

// crowd is a shop whose database logs each row that is written, and the folder
// of packages.
type crowd struct {
	dialect     sqlconn.Dialect
	driver, dsn string
	db          *sql.DB // of the test
	folder      string

	mu         sync.Mutex
	busy, most int // calls of the shop's database at once
}

func newCrowd(t *testing.T, dialect sqlconn.Dialect, driver, dsn string) *crowd {
	t.Helper()
	c := &crowd{dialect: dialect, driver: driver, dsn: dsn, folder: t.TempDir()}
	c.db = c.open(t)
	statements := []string{
		"CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT, name TEXT)",
		"CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, note TEXT)",
		"CREATE TABLE written (what TEXT)",
		"INSERT INTO customers VALUES (1, 'person@example.com', 'name 1'), (2, 'other@example.com', 'name 2')",
	}
	for i := range 2 * crowdOrders {
		statements = append(statements, fmt.Sprintf("INSERT INTO orders VALUES (%d, %d, 'note %d')", i, 1+i%2, i))
	}
	if dialect == sqlconn.PostgreSQL {
		statements = append(statements, `CREATE FUNCTION log_write() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN INSERT INTO written VALUES (TG_TABLE_NAME || ' ' || OLD.id); RETURN NULL; END $$`)
	}
	for _, table := range []string{"customers", "orders"} {
		body := fmt.Sprintf("BEGIN INSERT INTO written VALUES ('%s ' || OLD.id); END", table)
		if dialect == sqlconn.PostgreSQL {
			body = "EXECUTE FUNCTION log_write()"
		}
		statements = append(statements, fmt.Sprintf("CREATE TRIGGER log_%[1]s AFTER UPDATE ON %[1]s FOR EACH ROW %[2]s", table, body))
	}
	for _, s := range statements {
		_, err := c.db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
	return c
}

func (c *crowd) open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open(c.driver, c.dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// counted counts the calls that read and write, of all processes together: a
// request makes one at a time here, since its orders come from its customers.
type counted struct {
	dsr.Connector
	crowd *crowd
}

// enter returns what ends the call.
func (c *counted) enter() (leave func()) {
	c.crowd.mu.Lock()
	defer c.crowd.mu.Unlock()
	c.crowd.busy++
	c.crowd.most = max(c.crowd.most, c.crowd.busy)
	return func() {
		c.crowd.mu.Lock()
		defer c.crowd.mu.Unlock()
		c.crowd.busy--
	}
}

func (c *counted) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	return func(yield func(dsr.Row, error) bool) {
		defer c.enter()()
		c.Connector.Read(ctx, q)(yield)
	}
}

func (c *counted) Apply(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
	defer c.enter()()
	return c.Connector.Apply(ctx, ch)
}

// run lets two processes answer the crowd, and checks what they did.
func (c *crowd) run(t *testing.T, store func() dsr.Store) {
	t.Helper()
	datasets, diags := graph.Load("shop.yml", []byte(shopYAML), nil)
	require.NoError(t, diags.Err())
	keyring, spool := dsr.NewEphemeralKeyring(), t.TempDir()
	engines := make([]*dsr.Engine, 2)
	for i := range engines {
		var err error
		engines[i], err = dsr.New(dsr.Config{
			Datasets: datasets,
			Connections: []dsr.Connection{{
				Key: "shop", Connector: &counted{sqlconn.New(c.open(t), c.dialect, nil), c}, Datasets: []string{"shop"},
			}},
			Policies: []graph.Policy{
				{Key: "read", Rules: []graph.Rule{{Key: "access", Action: graph.Access, Targets: []graph.Category{"user"}}}},
				{Key: "erase", Rules: []graph.Rule{{
					Key: "erase", Action: graph.Erasure, Targets: []graph.Category{"user.name", "user.content"},
					Masking: &graph.Masking{Strategy: "null_rewrite"},
				}}},
			},
			Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(c.folder, nil)}},
			Store:        store(), Keyring: keyring, Spool: dsr.NewDirSpool(spool),
			Limits: dsr.Limits{ChunkRows: 2}, Poll: time.Second,
			Lease: 5 * time.Minute, // nobody dies, and a busy machine is not taken for it
		})
		require.NoError(t, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, len(engines))
	for _, e := range engines {
		go func() { ended <- e.Run(ctx) }()
	}
	stop := sync.OnceFunc(func() {
		cancel()
		for range engines {
			require.NoError(t, <-ended)
		}
	})
	defer stop()

	requests := make([]*dsr.Request, 2*crowdEach)
	errs := make([]error, len(requests))
	var group sync.WaitGroup
	for i := range requests {
		group.Go(func() {
			requests[i], errs[i] = engines[i/2%len(engines)].Requests().Submit(ctx, dsr.Submission{
				Policy: []string{"read", "erase"}[i%2], Identities: dsr.Identities{"email": {"person@example.com"}},
			})
		})
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	patient, end := context.WithTimeout(t.Context(), crowdPatience)
	defer end()
	for i := range requests {
		requests[i] = completed(patient, t, engines[i%len(engines)], requests[i].ID)
	}
	stop()

	require.Equal(t, 1, c.most, "calls of the database at once")
	trails := trailsOf(t, engines[0], requests)
	c.checkPackages(t, requests, trails)
	c.checkRows(t, requests)
	for _, e := range engines {
		report, err := e.Audit().Verify(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, report.Findings)
		require.EqualValues(t, len(requests), report.Chains)
	}
}

// completed waits until a request is complete, and fails when ctx ends before.
func completed(ctx context.Context, t *testing.T, e *dsr.Engine, id string) *dsr.Request {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := e.Requests().Get(t.Context(), id)
		require.NoError(t, err)
		if req.Status == dsr.StatusComplete {
			return req
		}
		require.NotEqual(t, dsr.StatusError, req.Status, req.Failure)
		select {
		case <-tick.C:
		case <-ctx.Done():
			require.Fail(t, "not complete in time", "%+v", req)
		}
	}
}
