package dsr_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// world is what outlives a process: databases, store, spool, keys, packages,
// and the time.
type world struct {
	datasets []*graph.Dataset
	dbs      map[string]*probe // by dataset
	store    *memory.Store
	spool    *parts
	keyring  dsr.Keyring
	packages *packages
	notifier *memory.Notifier
	clock    *clock
	logs     *lockedBuffer
}

func newWorld(t testing.TB, yaml string, dbs map[string]*memory.Connector) *world {
	t.Helper()
	w := &world{
		datasets: load(t, yaml), dbs: map[string]*probe{},
		store: memory.NewStore(), spool: &parts{Spool: memory.NewSpool(), seen: map[string]*bytes.Buffer{}}, keyring: dsr.NewEphemeralKeyring(),
		packages: &packages{files: map[string]string{}}, notifier: memory.NewNotifier(),
		clock: &clock{now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}, logs: &lockedBuffer{},
	}
	for key, db := range dbs {
		w.dbs[key] = newProbe(db)
	}
	return w
}

// shop is a world of one database.
func shop(t testing.TB, yaml string, rows map[string][]map[string]any, opts *memory.ConnectorOptions) *world {
	t.Helper()
	return newWorld(t, yaml, map[string]*memory.Connector{"shop": memory.NewConnector(rows, opts)})
}

func (w *world) db() *probe { return w.dbs["shop"] }

// config is that of a process which p can kill; nil for one that lives.
func (w *world) config(p *process, policies ...graph.Policy) dsr.Config {
	if p == nil {
		p = &process{}
	}
	c := dsr.Config{
		Datasets: w.datasets, Policies: policies,
		Destinations: map[string]dsr.Destination{"folder": {Storage: &dyingDestination{w.packages, p}}},
		Store:        &dyingStore{w.store, p}, Keyring: w.keyring, Spool: &dyingSpool{w.spool, p}, Notifier: w.notifier,
		Clock: w.clock.Now, NewID: func() string { return "r1" },
		Logger: slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, key := range slices.Sorted(maps.Keys(w.dbs)) {
		c.Connections = append(c.Connections, dsr.Connection{Key: key, Connector: &dyingConnector{w.dbs[key], p}, Datasets: []string{key}})
	}
	return c
}

func newEngine(t testing.TB, c dsr.Config) *dsr.Engine {
	t.Helper()
	e, err := dsr.New(c)
	require.NoError(t, err)
	return e
}

func policy(rules ...graph.Rule) graph.Policy { return graph.Policy{Key: "p", Rules: rules} }

func submit(t testing.TB, e *dsr.Engine, kind string, values ...string) {
	t.Helper()
	_, err := e.Requests().Submit(t.Context(), dsr.Submission{Policy: "p", Identities: dsr.Identities{kind: values}})
	require.NoError(t, err)
}

// run submits a request for an e-mail and advances it.
func (w *world) run(t testing.TB, email string, rules ...graph.Rule) (*dsr.Request, error) {
	t.Helper()
	e := newEngine(t, w.config(nil, policy(rules...)))
	submit(t, e, "email", email)
	return e.Requests().Advance(t.Context(), "r1")
}

// complete is run for a request that comes to its good end.
func (w *world) complete(t testing.TB, email string, rules ...graph.Rule) *dsr.Request {
	t.Helper()
	req, err := w.run(t, email, rules...)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	return req
}

func outcome(t testing.TB, req *dsr.Request, address string) dsr.CollectionOutcome {
	t.Helper()
	for _, c := range req.Collections {
		if c.Address.String() == address {
			return c
		}
	}
	require.Fail(t, "no outcome", address)
	return dsr.CollectionOutcome{}
}

// clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// probe counts and records what an engine asks of a connector.
type probe struct {
	*memory.Connector
	mu          sync.Mutex
	reads       map[string]int
	queries     []*dsr.Query
	applies     int
	written     map[string]int   // new values by how often they were written
	failing     map[string]error // reads, by collection
	beforeApply func(ch *dsr.Chunk)
}

func newProbe(c *memory.Connector) *probe {
	return &probe{Connector: c, reads: map[string]int{}, written: map[string]int{}, failing: map[string]error{}}
}

func (p *probe) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	p.mu.Lock()
	p.reads[q.Collection.Name]++
	p.queries = append(p.queries, q)
	err := p.failing[q.Collection.Name]
	p.mu.Unlock()
	if err != nil {
		return func(yield func(dsr.Row, error) bool) { yield(dsr.Row{}, err) }
	}
	return p.Connector.Read(ctx, q)
}

func (p *probe) Apply(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
	p.mu.Lock()
	p.applies++
	before := p.beforeApply
	p.mu.Unlock()
	if before != nil {
		before(ch)
	}
	results, err := p.Connector.Apply(ctx, ch)
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, res := range results {
		for _, c := range ch.Rows[i].Set {
			if text, ok := c.New.(string); ok && res == dsr.RowWritten && c.Old != c.New {
				p.written[text]++
			}
		}
	}
	return results, err
}

func (p *probe) readCounts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.reads)
}

func (p *probe) fail(collection string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failing[collection] = err; err == nil {
		delete(p.failing, collection)
	}
}

func (p *probe) applied() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.applies
}

// packages is a destination in memory.
type packages struct {
	mu    sync.Mutex
	files map[string]string
	err   error
}

func (p *packages) Create(context.Context, string) (storage.Upload, error) {
	return nil, errors.New("not used")
}

func (p *packages) file(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.files[name]
}

func (p *packages) names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.files))
}

type packageUpload struct {
	bytes.Buffer
	dest *dyingDestination
	name string
	over bool
}

func (u *packageUpload) Commit(context.Context) error {
	if err := u.dest.process.check(); err != nil {
		return err
	}
	u.dest.mu.Lock()
	defer u.dest.mu.Unlock()
	if u.dest.err != nil {
		return u.dest.err
	}
	u.over = true
	u.dest.files[u.name] = u.String()
	return nil
}

func (u *packageUpload) Abort() error { return nil }

// process is killed once: nothing that it does afterwards has any effect.
type process struct{ dead atomic.Bool }

var errKilled = errors.New("killed")

func (p *process) check() error {
	if p.dead.Load() {
		return errKilled
	}
	return nil
}

type dyingStore struct {
	dsr.Store
	process *process
}

func (s *dyingStore) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	if err := s.process.check(); err != nil {
		return err
	}
	return s.Store.Commit(ctx, ch)
}

type dyingDestination struct {
	*packages
	process *process
}

func (d *dyingDestination) Create(_ context.Context, name string) (storage.Upload, error) {
	return &packageUpload{dest: d, name: name}, d.process.check()
}

type dyingConnector struct {
	*probe
	process *process
}

func (c *dyingConnector) Apply(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
	if err := c.process.check(); err != nil {
		return nil, err
	}
	return c.probe.Apply(ctx, ch)
}

type dyingSpool struct {
	dsr.Spool
	process *process
}

func (s *dyingSpool) Create(ctx context.Context, id, part string) (io.WriteCloser, error) {
	if err := s.process.check(); err != nil {
		return nil, err
	}
	w, err := s.Spool.Create(ctx, id, part)
	return &dyingWriter{w, s.process}, err
}

func (s *dyingSpool) Remove(ctx context.Context, id string, names ...string) error {
	if err := s.process.check(); err != nil {
		return err
	}
	return s.Spool.Remove(ctx, id, names...)
}

type dyingWriter struct {
	io.WriteCloser
	process *process
}

func (w *dyingWriter) Close() error {
	if err := w.process.check(); err != nil {
		return err
	}
	return w.WriteCloser.Close()
}

// parts is a spool that remembers everything that was ever written to it.
type parts struct {
	dsr.Spool
	mu   sync.Mutex
	seen map[string]*bytes.Buffer // by part
}

func (s *parts) Create(ctx context.Context, id, part string) (io.WriteCloser, error) {
	w, err := s.Spool.Create(ctx, id, part)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[part] = &bytes.Buffer{}
	return &partCopy{w, s, s.seen[part]}, nil
}

func (s *parts) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.seen))
}

// left lists the parts that are still there.
func (s *parts) left(t testing.TB) []string {
	t.Helper()
	var left []string
	for _, name := range s.names() {
		if r, err := s.Open(t.Context(), "r1", name); err == nil {
			require.NoError(t, r.Close())
			left = append(left, name)
		}
	}
	return left
}

type partCopy struct {
	io.WriteCloser
	parts *parts
	copy  *bytes.Buffer
}

func (w *partCopy) Write(p []byte) (int, error) {
	w.parts.mu.Lock()
	w.copy.Write(p)
	w.parts.mu.Unlock()
	return w.WriteCloser.Write(p)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// retry lets a request go on that stopped, and advances it.
func retry(t *testing.T, e *dsr.Engine, id string) (*dsr.Request, error) {
	t.Helper()
	again := e.Requests().Retry
	if req, err := e.Requests().Get(t.Context(), id); err == nil && req.Status == dsr.StatusRequiresInput {
		again = e.Requests().Resume
	}
	if _, err := again(t.Context(), id, dsr.By{}); err != nil {
		return nil, err
	}
	return e.Requests().Advance(t.Context(), id)
}

// cancel withdraws a request.
func cancel(t *testing.T, e *dsr.Engine, id string) error {
	t.Helper()
	_, err := e.Requests().Cancel(t.Context(), id, dsr.By{})
	return err
}

// stripped is what a notice says of its request, without its number, its times and
// how it is put.
func stripped(n dsr.Notice) dsr.Notice {
	n.ID, n.Actions, n.At, n.Deadline, n.CodeExpires = "", nil, time.Time{}, time.Time{}, time.Time{}
	n.Subject, n.Text, n.HTML = "", "", ""
	return n
}
