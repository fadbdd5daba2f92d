package dsr_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// fleet is a world in the time of a bubble, in which several processes may run.
type fleet struct {
	*world
	start    time.Time
	ids      atomic.Int64
	switches map[string]*outlet // by dataset
	store    *outageStore
	spool    *outageSpool
	delivery *deliveries
	tune     func(c *dsr.Config)
}

// newFleet must be called in a bubble.
func newFleet(t testing.TB, yaml string, rows map[string]map[string][]row) *fleet {
	t.Helper()
	dbs := map[string]*memory.Connector{}
	for key, tables := range rows {
		dbs[key] = memory.NewConnector(tables, nil)
	}
	f := &fleet{world: newWorld(t, yaml, dbs), start: time.Now(), switches: map[string]*outlet{}, delivery: &deliveries{count: map[string]int{}}}
	for key, db := range f.dbs {
		f.switches[key] = &outlet{Connector: db}
	}
	f.store = &outageStore{Store: f.world.store, working: map[string]bool{}}
	f.spool = &outageSpool{Spool: memory.NewSpool()}
	return f
}

// engine is a process of the fleet.
func (f *fleet) engine(t testing.TB, policies ...graph.Policy) (*dsr.Engine, *dsr.LocalExecutor) {
	t.Helper()
	c := f.config(nil, policies...)
	c.Clock = time.Now
	c.Store, c.Spool = f.store, f.spool
	c.Destinations = map[string]dsr.Destination{"folder": {Storage: f.delivery}}
	c.NewID = func() string { return fmt.Sprintf("r%03d", f.ids.Add(1)) }
	c.Logger = slog.New(slog.NewTextHandler(f.logs, nil))
	executor := dsr.NewLocalExecutor(nil)
	c.Executor = executor
	for i := range c.Connections {
		c.Connections[i].Connector = f.switches[c.Connections[i].Key]
	}
	if f.tune != nil {
		f.tune(&c)
	}
	return newEngine(t, c), executor
}

// runEngine starts an engine and returns what stops it.
func runEngine(t testing.TB, e *dsr.Engine) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	synctest.Wait()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	t.Cleanup(stop) // a failed test must not leave goroutines in the bubble
	return stop
}

func submitTo(t testing.TB, e *dsr.Engine, policy, email string) string {
	t.Helper()
	req, err := e.Requests().Submit(t.Context(), dsr.Submission{Policy: policy, Identities: dsr.Identities{"email": {email}}})
	require.NoError(t, err)
	return req.ID
}

func get(t testing.TB, e *dsr.Engine, id string) *dsr.Request {
	t.Helper()
	req, err := e.Requests().Get(t.Context(), id)
	require.NoError(t, err)
	return req
}

// until lets time pass until all requests have come to a status, and tells for
// how long, to a hundredth of the limit, after which it fails.
func until(t testing.TB, e *dsr.Engine, status dsr.Status, limit time.Duration, ids ...string) time.Duration {
	t.Helper()
	begun := time.Now()
	for _, id := range ids {
		for synctest.Wait(); get(t, e, id).Status != status; synctest.Wait() {
			require.Less(t, time.Since(begun), limit, "not %s in time: %+v", status, get(t, e, id))
			elapse(limit / 100)
		}
	}
	return time.Since(begun)
}

// trail lists the actions of a request's audit trail.
func (f *fleet) trail(t testing.TB, id string) []string {
	t.Helper()
	entries, err := f.world.store.AuditEntries(t.Context(), id, dsr.AuditPlace{}, 1000)
	require.NoError(t, err)
	var actions []string
	for _, entry := range entries {
		actions = append(actions, entry.Action)
	}
	return actions
}

// lines lists those of a request's log that have a status.
func lines(t testing.TB, e *dsr.Engine, id, status string) []string {
	t.Helper()
	events, err := e.Requests().Log(t.Context(), id, 0, 0)
	require.NoError(t, err)
	var found []string
	for _, event := range events {
		if event.Status == status {
			found = append(found, strings.TrimSpace(event.Kind+" "+event.Collection+" "+event.Message))
		}
	}
	return found
}

// outlet is a connector that can be cut off and slowed down.
type outlet struct {
	dsr.Connector
	failure   atomic.Pointer[error] // of reads, changes and pings
	describes atomic.Pointer[error]
	slow      atomic.Int64 // how long each read and change takes
	applies   atomic.Int64
	// cut is called around the n-th change, from 1; an error is what the
	// engine sees of it.
	cut func(n int64, apply func() error) error
}

func (o *outlet) fail(err error)           { o.failure.Store(&err) }
func (o *outlet) failSchema(err error)     { o.describes.Store(&err) }
func (o *outlet) slowDown(d time.Duration) { o.slow.Store(int64(d)) }

func stored(p *atomic.Pointer[error]) error {
	if err := p.Load(); err != nil {
		return *err
	}
	return nil
}

func (o *outlet) pass(ctx context.Context) error {
	if d := time.Duration(o.slow.Load()); d > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
		}
	}
	return stored(&o.failure)
}

func (o *outlet) Ping(context.Context) error { return stored(&o.failure) }

func (o *outlet) Describe(ctx context.Context, c *graph.Collection) (*dsr.Schema, error) {
	if err := stored(&o.describes); err != nil {
		return nil, err
	}
	return o.Connector.Describe(ctx, c)
}

func (o *outlet) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	return func(yield func(dsr.Row, error) bool) {
		if err := o.pass(ctx); err != nil {
			yield(dsr.Row{}, err)
			return
		}
		o.Connector.Read(ctx, q)(yield)
	}
}

func (o *outlet) Apply(ctx context.Context, ch *dsr.Chunk) (results []dsr.RowResult, err error) {
	if err := o.pass(ctx); err != nil {
		return nil, err
	}
	apply := func() (err error) { results, err = o.Connector.Apply(ctx, ch); return err }
	if n := o.applies.Add(1); o.cut != nil {
		return results, o.cut(n, apply)
	}
	return results, apply()
}

// outageStore can fail, counts calls, and notices how many requests are worked
// on at once, and whether two work on one.
type outageStore struct {
	dsr.Store
	failure atomic.Pointer[error]
	calls   atomic.Int64
	lag     atomic.Int64 // between finding requests and returning them
	slow    atomic.Int64 // between storing a change and telling so

	mu      sync.Mutex
	working map[string]bool // requests that did something under the lease they have
	most    int             // of them at once
	faults  []string
}

func (s *outageStore) fail(err error) { s.failure.Store(&err) }

func (s *outageStore) check() error {
	s.calls.Add(1)
	return stored(&s.failure)
}

func (s *outageStore) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	if err := s.check(); err != nil {
		return err
	}
	err := s.commit(ctx, ch)
	if slow := time.Duration(s.slow.Load()); slow > 0 {
		elapse(slow)
	}
	return err
}

func (s *outageStore) commit(ctx context.Context, ch *dsr.StoreChange) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, _ := s.Store.Request(ctx, ch.Record.ID)
	if err := s.Store.Commit(ctx, ch); err != nil {
		return err
	}
	if old != nil && old.LeaseUntil.After(time.Now()) && ch.Record.Epoch > old.Epoch {
		s.faults = append(s.faults, ch.Record.ID+" was taken from its holder")
	}
	switch {
	case ch.Record.LeaseUntil.IsZero():
		delete(s.working, ch.Record.ID)
	case len(ch.Events)+len(ch.Ticks)+len(ch.AppendJournal) > 0:
		s.working[ch.Record.ID] = true
	}
	s.most = max(s.most, len(s.working))
	return nil
}

func (s *outageStore) Request(ctx context.Context, id string) (*dsr.Record, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.Store.Request(ctx, id)
}

func (s *outageStore) Requests(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	found, err := s.Store.Requests(ctx, q)
	if lag := time.Duration(s.lag.Load()); lag > 0 {
		elapse(lag)
	}
	return found, err
}

func (s *outageStore) Journal(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.Store.Journal(ctx, id, after, limit)
}

// outageSpool can fail.
type outageSpool struct {
	dsr.Spool
	failure atomic.Pointer[error]
}

func (s *outageSpool) fail(err error) { s.failure.Store(&err) }

func (s *outageSpool) Create(ctx context.Context, id, part string) (io.WriteCloser, error) {
	if err := stored(&s.failure); err != nil {
		return nil, err
	}
	return s.Spool.Create(ctx, id, part)
}

// deliveries is a destination that counts, and can fail.
type deliveries struct {
	failure atomic.Pointer[error]
	mu      sync.Mutex
	count   map[string]int
}

func (d *deliveries) fail(err error) { d.failure.Store(&err) }

func (d *deliveries) Create(_ context.Context, name string) (storage.Upload, error) {
	return &delivery{dest: d, name: name}, nil
}

// packages lists what was delivered, and how often where that is not once.
func (d *deliveries) packages() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for name, n := range d.count {
		if strings.HasSuffix(name, ".manifest.json") {
			continue
		}
		if n != 1 {
			name += fmt.Sprint(" ", n)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

type delivery struct {
	dest *deliveries
	name string
}

func (u *delivery) Write(p []byte) (int, error) { return len(p), stored(&u.dest.failure) }

func (u *delivery) Commit(context.Context) error {
	if err := stored(&u.dest.failure); err != nil {
		return err
	}
	u.dest.mu.Lock()
	defer u.dest.mu.Unlock()
	u.dest.count[u.name]++
	return nil
}

func (u *delivery) Abort() error { return nil }
