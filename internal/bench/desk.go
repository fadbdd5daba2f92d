package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// Desk is an engine whose figures are those of its store: requests for access
// to one collection in memory, handed over to nobody.
type Desk struct {
	Engine *dsr.Engine
	people people
	bell   *bell
	next   atomic.Int64
	prefix string
}

// DeskOptions say how a Desk works.
type DeskOptions struct {
	// Workers is how many requests are worked on at once. Defaults to 4.
	Workers int
	// CoolingOff passes before the work begins. Defaults to none.
	CoolingOff time.Duration
	// Down makes the collection's connection one that is down.
	Down bool
	// RetryAfter is how long a request waits for it. Defaults to the
	// engine's default.
	RetryAfter time.Duration
	// Tape takes what the first request asks of the store that Run works
	// on. Defaults to none.
	Tape *Tape
	// Poll is how often Run looks for what is due. Defaults to the engine's
	// default.
	Poll time.Duration
}

// NewDesk returns a desk over a store.
func NewDesk(store dsr.Store, o DeskOptions) (*Desk, error) {
	datasets, diags := graph.Load("shop.yml", []byte(`
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: id, fides_meta: {primary_key: true, data_type: integer}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
          - {name: name, data_categories: [user.name]}
`), nil)
	if err := diags.Err(); err != nil {
		return nil, err
	}
	random := make([]byte, 8)
	_, _ = rand.Read(random) // It never fails.
	d := &Desk{people: people{down: o.Down}, bell: &bell{}, prefix: fmt.Sprintf("%x", random)}
	if o.Workers == 0 {
		o.Workers = 4
	}
	executor := &deskExecutor{LocalExecutor: dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{Workers: o.Workers, Queue: 20_000}), desk: d, tape: o.Tape}
	engine, err := dsr.New(dsr.Config{
		Datasets:     datasets,
		Connections:  []dsr.Connection{{Key: "shop", Connector: d.people, Datasets: []string{"shop"}, Concurrency: 16}},
		Policies:     []graph.Policy{{Key: "access", Rules: []graph.Rule{{Key: "access", Action: graph.Access, Targets: []graph.Category{"user"}}}}},
		Destinations: map[string]dsr.Destination{"nobody": {Storage: nobody{}}},
		Store:        store, Keyring: openKeyring{}, Spool: memory.NewSpool(), Executor: executor,
		Flow:  dsr.Flow{CoolingOff: o.CoolingOff},
		Retry: dsr.Retry{After: o.RetryAfter, Limit: o.RetryAfter},
		Poll:  o.Poll,
	})
	d.Engine = engine
	return d, err
}

// Submit submits a request for somebody new.
func (d *Desk) Submit(ctx context.Context) (*dsr.Request, error) {
	return d.SubmitFor(ctx, Person(d.prefix, d.next.Add(1)))
}

// SubmitFor submits a request for somebody.
func (d *Desk) SubmitFor(ctx context.Context, email string) (*dsr.Request, error) {
	return d.Engine.Requests().Submit(ctx, dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {email}}})
}

// Person is an e-mail of somebody.
func Person(prefix string, n int64) string { return fmt.Sprintf("%s-%07d@example.com", prefix, n) }

// RunFor runs the engine until as many requests were worked on as wanted, each
// until it waits or ends, and says how long that took.
func (d *Desk) RunFor(ctx context.Context, wanted int) (time.Duration, error) {
	start := time.Now()
	rung, stop := d.Start(ctx, wanted)
	select {
	case <-rung:
		took := time.Since(start)
		return took, stop()
	case <-ctx.Done():
		_ = stop()
		return 0, ctx.Err()
	}
}

// Start runs the engine until stop is called. The channel is closed when as
// many requests were worked on as wanted.
func (d *Desk) Start(ctx context.Context, wanted int) (rung <-chan struct{}, stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	rung = d.bell.after(wanted)
	ended := make(chan error, 1)
	go func() { ended <- d.Engine.Run(ctx) }()
	return rung, func() error {
		cancel()
		return <-ended
	}
}

// bell rings when as much was done as wanted.
type bell struct {
	mu   sync.Mutex
	want int
	seen map[string]bool // requests
	rung chan struct{}
}

func (b *bell) after(n int) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.want, b.seen, b.rung = n, map[string]bool{}, make(chan struct{})
	return b.rung
}

// done counts a request, once. The bell holds nothing once it rang, since the
// memory of the process is measured.
func (b *bell) done(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen == nil || b.seen[id] {
		return
	}
	b.seen[id] = true
	if len(b.seen) == b.want {
		b.seen = nil
		close(b.rung)
	}
}

// deskExecutor counts what was handled, each request once.
type deskExecutor struct {
	*dsr.LocalExecutor
	desk *Desk
	tape *Tape
}

// Run implements [dsr.Executor].
func (e *deskExecutor) Run(ctx context.Context, h dsr.Handler) error {
	var first atomic.Bool
	return e.LocalExecutor.Run(ctx, func(ctx context.Context, j dsr.Job) error {
		if e.tape != nil && first.CompareAndSwap(false, true) {
			ctx = Record(ctx, e.tape)
		}
		err := h(ctx, j)
		if err == nil {
			e.desk.bell.done(j.RequestID)
		}
		return err
	})
}

// people is a connector that knows everybody.
type people struct{ down bool }

func (p people) Ping(context.Context) error {
	if p.down {
		return dsr.ErrUnavailable
	}
	return nil
}

func (p people) Describe(context.Context, *graph.Collection) (*dsr.Schema, error) {
	if p.down {
		return nil, dsr.ErrUnavailable
	}
	return &dsr.Schema{
		Table: "customers", Key: []string{"id"},
		Columns: []dsr.Column{{Name: "id", Kind: dsr.ColumnInteger}, {Name: "email", Kind: dsr.ColumnText}, {Name: "name", Kind: dsr.ColumnText}},
	}, nil
}

func (p people) Read(_ context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	return func(yield func(dsr.Row, error) bool) {
		row := dsr.Row{}
		for _, column := range q.Columns {
			row.Values = append(row.Values, map[string]any{"id": int64(1), "email": q.Criteria[0].Values[0][0], "name": "Somebody"}[column])
		}
		if q.Via {
			row.Via = []dsr.Match{{}}
		}
		yield(row, nil)
	}
}

func (people) Apply(context.Context, *dsr.Chunk) ([]dsr.RowResult, error) {
	return nil, dsr.ErrReadOnly
}

// nobody is a destination that keeps nothing.
type nobody struct{}

func (nobody) Create(context.Context, string) (storage.Upload, error) { return nowhere{}, nil }

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error)  { return len(p), nil }
func (nowhere) Commit(context.Context) error { return nil }
func (nowhere) Abort() error                 { return nil }

// openKeyring keeps the cost of a keyring out of the figures, and makes
// look-up hashes that a database can make by itself. It protects nothing.
type openKeyring struct{}

// wrapping makes a wrapped key as long as the local keyring does.
var wrapping = bytes.Repeat([]byte{1}, 40)

func (openKeyring) Wrap(_ context.Context, key, _ []byte) ([]byte, error) {
	return append(bytes.Clone(wrapping), key...), nil
}

func (openKeyring) Unwrap(_ context.Context, wrapped, _ []byte) ([]byte, error) {
	return bytes.Clone(wrapped[len(wrapping):]), nil
}

func (openKeyring) Lookup(_ context.Context, data []byte) ([]byte, error) {
	hash := make([]byte, 32)
	copy(hash, bytes.TrimPrefix(data, []byte("identity\x00")))
	return hash, nil
}
