package pgstoretest

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
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
			s, err := sqlitestore.Open(t.Context(), path, nil)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return s
		})
	})
}

const (
	crowdEach   = 25 // requests of each kind
	crowdOrders = 9  // of the person, and as many of another
)

// crowd is a shop whose database logs each row that is written, and the folder
// of packages.
type crowd struct {
	dialect     sqlconn.Dialect
	driver, dsn string
	db          *sql.DB // of the test
	folder      string
	busy, most  atomic.Int64 // calls of the shop's database at once
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

func (c *counted) enter() {
	n := c.crowd.busy.Add(1)
	for most := c.crowd.most.Load(); n > most && !c.crowd.most.CompareAndSwap(most, n); most = c.crowd.most.Load() {
	}
}

func (c *counted) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	return func(yield func(dsr.Row, error) bool) {
		c.enter()
		defer c.crowd.busy.Add(-1)
		c.Connector.Read(ctx, q)(yield)
	}
}

func (c *counted) Apply(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
	c.enter()
	defer c.crowd.busy.Add(-1)
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
			Destinations: map[string]storage.Destination{"folder": storage.NewFolder(c.folder, nil)},
			Store:        store(), Keyring: keyring, Spool: dsr.NewDirSpool(spool),
			Limits: dsr.Limits{ChunkRows: 2}, Poll: 50 * time.Millisecond,
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
	for i := range requests {
		requests[i] = completed(t, engines[i%len(engines)], requests[i].ID)
	}
	stop()

	require.EqualValues(t, 1, c.most.Load(), "calls of the database at once")
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

// completed waits until a request is complete, and fails if it takes too long.
func completed(t *testing.T, e *dsr.Engine, id string) *dsr.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := e.Requests().Get(ctx, id)
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

// trail is when a request did what.
type trail map[string]time.Time

// trailsOf reads the audit trails by request, and checks that each request did
// everything once and while no other did anything.
func trailsOf(t *testing.T, e *dsr.Engine, requests []*dsr.Request) map[string]trail {
	t.Helper()
	all := map[string]trail{}
	for _, req := range requests {
		trail, count := trail{}, map[string]int{}
		for entry, err := range e.Audit().Entries(t.Context(), req.ID) {
			require.NoError(t, err)
			trail[entry.Action] = entry.Time
			count[entry.Action]++
		}
		for _, action := range []string{"received", "started", "planned", "collected", "completed"} {
			require.Equal(t, 1, count[action], "%s of request %s", action, req.ID)
		}
		require.Equal(t, len(req.Packages), count["delivered"], req.ID)
		all[req.ID] = trail
	}
	order := slices.SortedFunc(maps.Values(all), func(a, b trail) int { return a["planned"].Compare(b["planned"]) })
	for i := 1; i < len(order); i++ {
		require.False(t, order[i]["planned"].Before(order[i-1]["completed"]), "one began before another had ended")
	}
	return all
}

// checkPackages checks that there is one package for each access request, with
// the rows as they were at that time.
func (c *crowd) checkPackages(t *testing.T, requests []*dsr.Request, trails map[string]trail) {
	t.Helper()
	var erased time.Time // when the first erasure began
	for _, req := range requests {
		if at := trails[req.ID]["planned"]; req.Policy == "erase" && (erased.IsZero() || at.Before(erased)) {
			erased = at
		}
	}
	var want []string
	for _, req := range requests {
		if req.Policy == "erase" {
			require.Empty(t, req.Packages)
			continue
		}
		require.Len(t, req.Packages, 1)
		require.EqualValues(t, 1+crowdOrders, req.Packages[0].Rows)
		want = append(want, req.ID+".json", req.ID+storage.ManifestSuffix)
		data, err := os.ReadFile(filepath.Join(c.folder, req.ID+".json"))
		require.NoError(t, err)
		var got map[string][]map[string]any
		require.NoError(t, json.Unmarshal(data, &got))
		customer := map[string]any{"email": "person@example.com", "name": "name 1"}
		var orders []map[string]any
		for i := range crowdOrders {
			orders = append(orders, map[string]any{"note": fmt.Sprint("note ", 2*i)})
		}
		if !trails[req.ID]["planned"].Before(erased) {
			customer["name"] = nil
			for _, o := range orders {
				o["note"] = nil
			}
		}
		require.Len(t, got, 2)
		require.Equal(t, []map[string]any{customer}, got["shop:customers"])
		require.ElementsMatch(t, orders, got["shop:orders"])
	}
	entries, err := os.ReadDir(c.folder)
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	require.ElementsMatch(t, want, names)
}

// checkRows checks that every row of the person was written once, and that the
// requests tell so together.
func (c *crowd) checkRows(t *testing.T, requests []*dsr.Request) {
	t.Helper()
	customers := []string{"1 person@example.com null", "2 other@example.com name 2"}
	written := []string{"customers 1"}
	var orders []string
	for i := range 2 * crowdOrders {
		note := fmt.Sprint("note ", i)
		if i%2 == 0 {
			note = "null"
			written = append(written, fmt.Sprint("orders ", i))
		}
		orders = append(orders, fmt.Sprint(i, " ", 1+i%2, " ", note))
	}
	require.ElementsMatch(t, customers, c.texts(t, "SELECT id || ' ' || email || ' ' || coalesce(name, 'null') FROM customers"))
	require.ElementsMatch(t, orders, c.texts(t, "SELECT id || ' ' || customer_id || ' ' || coalesce(note, 'null') FROM orders"))
	require.ElementsMatch(t, written, c.texts(t, "SELECT what FROM written"))
	masked := map[string]int64{}
	for _, req := range requests {
		for _, o := range req.Collections {
			masked[o.Address.String()] += o.Masked
			require.Equal(t, o.Targeted, o.Masked)
			require.Zero(t, o.Gone+o.Changed)
		}
	}
	require.Equal(t, map[string]int64{"shop:customers": 1, "shop:orders": crowdOrders}, masked)
}

// texts reads one column.
func (c *crowd) texts(t *testing.T, query string) (all []string) {
	t.Helper()
	rows, err := c.db.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var text string
		require.NoError(t, rows.Scan(&text))
		all = append(all, text)
	}
	require.NoError(t, rows.Err())
	return all
}
