package outage_test

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/adapters/sqlitestore"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
	"github.com/godsr/dsr/internal/fault"
	"github.com/godsr/dsr/storage"
)

//go:embed testdata
var testdata embed.FS

// patience is when something that does not happen fails the test.
const patience = 10 * time.Minute

// atOnce is how many tests run side by side: they spend their time waiting.
const atOnce = "12"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// setup is what a test chooses of a world. Everything defaults to a file or a
// folder of its own.
type setup struct {
	// shop is the database of the dataset shop, straight, and engine the way
	// on which the engine reaches it. Defaults to shop.
	shop   *sql.DB
	engine *sql.DB
	// dialect is that of shop. Defaults to SQLite.
	dialect sqlconn.Dialect
	// timeout is the connection's. Defaults to ten seconds.
	timeout time.Duration
	// long is how long notes are at least.
	long int
	// store defaults to a SQLite file.
	store dsr.Store
	// stored returns everything that the store holds. Defaults to its files.
	stored func() ([]byte, error)
	// wrap changes the parts of the configuration.
	wrap func(*dsr.Config)
	// places of the files of the SQLite store, spool and packages.
	storeDir, spoolDir, packageDir string
}

// world is two databases with an engine that runs.
type world struct {
	t      *testing.T
	setup  setup
	dbs    map[string]*database // by dataset
	engine *dsr.Engine
	ids    []string // of the requests, by person from 1
	extra  int      // requests besides
	log    *sink    // of the engine, and every error that anybody got

	// seen are the packages that were found whole.
	seen map[string]bool

	mu    sync.Mutex // held while somebody is at a point: nobody passes one meanwhile
	trips []*trip
	full  *disk // that is kept full

	stop func() // ends Run
}

// sink is a log that many may write to.
type sink struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// trip is something that is done at a point of the engine's work.
type trip struct {
	prefix string // of the point
	nth    int    // time that it is passed
	do     func() error
	err    error
	done   chan struct{}
}

// arm lets do happen when a point is passed for the nth time from now, and from
// the end of begin if that is not nil. Whoever comes to any point meanwhile is
// held up, so that the work is nowhere else than it was, however long that takes.
func (w *world) arm(prefix string, nth int, do, begin func() error) *trip {
	w.t.Helper()
	t := &trip{prefix: prefix, nth: nth, do: do, done: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trips = append(w.trips, t)
	if begin != nil {
		require.NoError(w.t, begin())
	}
	return t
}

func (w *world) point(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.trips {
		if strings.HasPrefix(name, t.prefix) {
			if t.nth--; t.nth == 0 {
				t.err = t.do()
				close(t.done)
			}
		}
	}
	if err := w.full.again(); err != nil {
		_, _ = fmt.Fprintln(w.log, "fill the disk:", err)
	}
}

// happened waits for a trip.
func (w *world) happened(t *trip) {
	w.t.Helper()
	select {
	case <-t.done:
		require.NoError(w.t, t.err)
	case <-time.After(patience):
		require.Fail(w.t, "nobody came by", "%s\n%s", t.prefix, w.state())
	}
}

func newWorld(t *testing.T, s setup) *world {
	t.Helper()
	w := &world{t: t, setup: s, log: &sink{}, dbs: map[string]*database{}, seen: map[string]bool{}}
	dir := t.TempDir()
	w.setup.storeDir = cmp.Or(s.storeDir, filepath.Join(dir, "store"))
	w.setup.spoolDir = cmp.Or(s.spoolDir, filepath.Join(dir, "spool"))
	w.setup.packageDir = cmp.Or(s.packageDir, filepath.Join(dir, "packages"))
	for _, path := range []string{w.setup.storeDir, w.setup.packageDir} {
		require.NoError(t, os.MkdirAll(path, 0o700))
	}
	if s.shop == nil {
		w.setup.shop, w.setup.dialect = dbtest.SQLite(t), sqlconn.SQLite
	}
	if s.engine == nil {
		w.setup.engine = w.setup.shop
	}
	w.dbs["shop"] = &database{db: w.setup.shop, dialect: w.setup.dialect, tables: shopTables(), long: s.long}
	w.dbs["crm"] = &database{db: dbtest.SQLite(t), dialect: sqlconn.SQLite, tables: crmTables()}
	for _, d := range w.dbs {
		require.NoError(t, d.create(t.Context()))
	}
	if s.store == nil {
		store, err := sqlitestore.Open(t.Context(), filepath.Join(w.setup.storeDir, "dsr.db"), nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		w.setup.store = store
		w.setup.stored = func() ([]byte, error) { return contents(w.setup.storeDir) }
	}
	var err error
	w.engine, err = dsr.New(w.config())
	require.NoError(t, err)
	return w
}

func (w *world) config() dsr.Config {
	datasets, _, err := graph.LoadFS(testdata, []string{"testdata/shop.yml"}, nil)
	require.NoError(w.t, err)
	access := graph.Rule{Key: "access", Action: graph.Access, Targets: []graph.Category{"user"}}
	erase := func(strategy string, targets ...graph.Category) graph.Rule {
		return graph.Rule{Key: strategy, Action: graph.Erasure, Targets: targets, Masking: &graph.Masking{Strategy: strategy}}
	}
	c := dsr.Config{
		Datasets: datasets,
		Connections: []dsr.Connection{
			{Key: "shop", Connector: sqlconn.New(w.setup.engine, w.setup.dialect, nil), Datasets: []string{"shop"}, Timeout: cmp.Or(w.setup.timeout, 10*time.Second)},
			{Key: "crm", Connector: sqlconn.New(w.dbs["crm"].db, sqlconn.SQLite, nil), Datasets: []string{"crm"}},
		},
		Policies: []graph.Policy{
			{Key: "access", Rules: []graph.Rule{access}},
			{Key: "forget", Rules: []graph.Rule{
				access, erase("hash", "user.name", "user.contact.email"), erase("null_rewrite", "user.content", "user.contact.phone_number"),
			}},
		},
		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(w.setup.packageDir, nil)}},
		Store:        w.setup.store, Keyring: dsr.NewEphemeralKeyring(), Spool: dsr.NewDirSpool(w.setup.spoolDir),
		Executor: dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{
			RetryAfter: 100 * time.Millisecond, RetryLimit: 500 * time.Millisecond,
			OnError: func(_ dsr.Job, err error) { _, _ = fmt.Fprintln(w.log, "handler:", err) },
		}),
		Logger: slog.New(slog.NewTextHandler(w.log, nil)),
		Limits: dsr.Limits{ChunkRows: 5}, Lease: 2 * time.Second, Poll: time.Second,
		Retry: dsr.Retry{After: 100 * time.Millisecond, Limit: time.Second},
	}
	if w.setup.wrap != nil {
		w.setup.wrap(&c)
	}
	return c
}

// run submits the requests and lets the engine work on them.
func (w *world) run() {
	w.t.Helper()
	for person := 1; person <= subjects; person++ {
		policy := "access"
		if forgets(person) {
			policy = "forget"
		}
		req, err := w.engine.Requests().Submit(w.t.Context(), dsr.Submission{Policy: policy, Identities: dsr.Identities{"email": {strings.ToUpper(email(person))}}})
		require.NoError(w.t, err)
		w.ids = append(w.ids, req.ID)
	}
	ctx, cancel := context.WithCancel(fault.WithHook(context.WithoutCancel(w.t.Context()), w.point))
	ended := make(chan error, 1)
	go func() { ended <- w.engine.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(w.t, <-ended)
	})
	w.t.Cleanup(w.stop)
}

// requests returns all of them, or none while the store cannot tell.
func (w *world) requests() []*dsr.Request {
	page, err := w.engine.Requests().List(w.t.Context(), dsr.Filter{})
	if err != nil {
		_, _ = fmt.Fprintln(w.log, "list:", err)
		return nil
	}
	return slices.DeleteFunc(page.Requests, func(r *dsr.Request) bool { return !slices.Contains(w.ids, r.ID) })
}

// state says where the requests stand, for messages.
func (w *world) state() string {
	var b strings.Builder
	for _, r := range w.requests() {
		fmt.Fprintf(&b, "%s %s %s failure %q", r.ID, r.Status, r.Stage, r.Failure)
		if r.Waiting != nil {
			fmt.Fprintf(&b, " waiting since %s until %s: %s", r.Waiting.Since, r.Waiting.Until, r.Waiting.Reason)
		}
		b.WriteByte('\n')
	}
	log := w.log.String()
	return b.String() + log[max(0, len(log)-4000):]
}

// await returns when something is so, and fails the test at once when a request
// stopped with an error.
func (w *world) await(what string, so func(reqs []*dsr.Request) bool) {
	w.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		reqs := w.requests()
		w.visible()
		for _, r := range reqs {
			require.NotEqual(w.t, dsr.StatusError, r.Status, "%s\n%s", r.Failure, w.log)
		}
		if so(reqs) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			require.Fail(w.t, "it does not come to pass", "%s\n%s", what, w.state())
		}
	}
}

// waiting waits until n requests say that they wait for a connection or a
// place, with that reason.
func (w *world) waiting(n int, reason string) {
	w.t.Helper()
	w.await("waiting for "+reason, func(reqs []*dsr.Request) bool {
		found := 0
		for _, r := range reqs {
			if r.Waiting != nil && strings.Contains(r.Waiting.Reason, reason) {
				found++
			}
		}
		return found >= n
	})
}

// finished waits until every request is complete.
func (w *world) finished() {
	w.t.Helper()
	w.await("complete", func(reqs []*dsr.Request) bool {
		for _, r := range reqs {
			if r.Status != dsr.StatusComplete {
				return false
			}
		}
		return len(reqs) == subjects
	})
	w.stop()
}

// contents returns all files below a folder, one after the other.
func contents(dir string) ([]byte, error) {
	var all []byte
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		all = append(all, data...)
		return err
	})
	return all, err
}
