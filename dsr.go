// Package dsr answers data subject requests from inside a Go service: it finds
// everything that is held about a person across many databases, hands it over,
// or erases it, and says what it did.
//
// A host describes its databases with annotated datasets (those of Fides are
// read as they are), connects each to a database handle, and names the
// policies under which data is handed over or erased:
//
//	datasets, _, err := graph.LoadFS(files, []string{"*.yml"}, nil)
//	engine, err := dsr.New(dsr.Config{
//		Datasets:     datasets,
//		Connections:  []dsr.Connection{{Key: "shop", Connector: sqlconn.New(db, sqlconn.PostgreSQL, nil), Datasets: []string{"shop"}}},
//		Policies:     []graph.Policy{{Key: "access", Rules: []graph.Rule{{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}}}}},
//		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder("packages", nil)}},
//		Store:        store,
//		Keyring:      keyring,
//	})
//	request, err := engine.Requests().Submit(ctx, dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {email}}})
//	request, err = engine.Requests().Advance(ctx, request.ID)
//
// # How a request flows
//
// Submit stores a request, its identities sealed. Advance takes it as far as
// it can go: it plans the way through the data map, checks before anything is
// read that everything the policy asks for can be done, collects the rows,
// writes the data packages, and only then erases. Before the first row is
// changed, a journal holds every change durably, so that Advance, called again
// after a crash, finishes what was begun and masks nothing twice.
//
// # What the parts are
//
// Package graph holds the data map, the plan and the walk; redact/mask the
// masking strategies; storage the data package and where it goes. The ports
// [Connector], [Store], [Spool], [Keyring], [Notifier] and [Executor] are
// implemented by the packages under adapters, or by a host's own.
package dsr

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/godsr/dsr/graph"
)

// Engine answers privacy requests under one configuration, and what its
// [Catalogue] adds to that. It is safe for concurrent use, and several processes
// may share a store.
type Engine struct {
	config      Config // as New was given it
	kinds       map[string]graph.IdentityKind
	requests    *Requests
	downloads   *Downloads
	forms       *Forms
	runner      runner
	fitted      atomic.Bool // the keyring is that of the store
	submitting  sync.Mutex  // of requests that may be duplicates of each other
	generations generations
	updating    chan struct{} // holds a token while the catalogue is updated
	parsed      parsed
}

// New checks the whole configuration and returns an engine, or one error that
// names every fault. It connects to nothing.
func New(config Config) (*Engine, error) {
	e := &Engine{updating: make(chan struct{}, 1)}
	if err := e.configure(config); err != nil {
		return nil, err
	}
	e.requests = &Requests{engine: e}
	e.downloads = &Downloads{engine: e}
	if e.runner.executor = config.Executor; config.Executor == nil {
		e.runner.executor = NewLocalExecutor(nil)
	}
	e.runner.changed, e.runner.mail = make(chan struct{}, 1), make(chan struct{}, 1)
	return e, nil
}

// Requests returns the verbs on privacy requests.
func (e *Engine) Requests() *Requests { return e.requests }

// Downloads returns the verbs on download links.
func (e *Engine) Downloads() *Downloads { return e.downloads }

// Plan works out how a policy is carried out for a request that brings the
// given kinds of identity, such as "email". It touches no database but the
// store. A [*graph.FaultError] names every fault; an unknown policy is
// [ErrNotFound].
func (e *Engine) Plan(policy string, kinds ...string) (_ *graph.Plan, err error) {
	defer recovered(&err)
	g, done, err := e.take(context.Background(), newest)
	if err != nil {
		return nil, err
	}
	defer done()
	return g.plan(policy, kinds)
}

// Check plans and then asks every database of the plan for its schema, to find
// what would make a request fail: missing tables and columns, read-only
// connections under an erasure rule, strategies that a column cannot take,
// rows that cannot be addressed or deleted. It asks anew each time, reads no
// row and writes nothing. The error is a [*graph.FaultError] over all faults.
func (e *Engine) Check(ctx context.Context, policy string, kinds ...string) (err error) {
	defer recovered(&err)
	g, done, err := e.take(ctx, newest)
	if err != nil {
		return err
	}
	defer done()
	plan, err := g.plan(policy, kinds)
	if err != nil {
		return err
	}
	_, _, err = g.rehearse(ctx, plan)
	return err
}

// rehearse checks a plan and returns a run over it that is none of a request,
// and the order in which it would erase.
func (g *generation) rehearse(ctx context.Context, plan *graph.Plan) (*run, []*step, error) {
	schemas, err := g.preflight(ctx, plan, true)
	if err != nil {
		return nil, nil, err
	}
	r := newRun(g.engine, &Record{ID: "dry-run"})
	r.gen, r.plan = g, plan
	if err := r.makeSteps(ctx, schemas); err != nil {
		return nil, nil, err
	}
	order, err := r.eraseOrder()
	return r, order, err
}
