package dsr_test

import (
	"context"
	"io"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// faulty panics at one place while it is told to; it stands for every part of
// a configuration.
type faulty struct {
	*probe
	at atomic.Value
}

func (f *faulty) panicAt(place string) {
	if f.at.Load() == place {
		panic("CANARY")
	}
}

func (f *faulty) Describe(ctx context.Context, c *graph.Collection) (*dsr.Schema, error) {
	f.panicAt("describe")
	return f.probe.Describe(ctx, c)
}

func (f *faulty) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	f.panicAt("read")
	return f.probe.Read(ctx, q)
}

func (f *faulty) Apply(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
	f.panicAt("apply")
	return f.probe.Apply(ctx, ch)
}

func (f *faulty) DryRead(ctx context.Context, q *dsr.Query) ([]string, error) {
	f.panicAt("dry run")
	return f.probe.DryRead(ctx, q)
}

func (f *faulty) Notify(context.Context, dsr.Notice) error {
	f.panicAt("notify")
	return nil
}

func (f *faulty) progress(_ context.Context, p dsr.Progress) {
	f.panicAt("progress of " + string(p.Stage))
}

type faultyStore struct {
	dsr.Store
	*faulty
}

func (f *faultyStore) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	f.panicAt("commit")
	return f.Store.Commit(ctx, ch)
}

type faultyDestination struct {
	storage.Destination
	*faulty
}

func (f *faultyDestination) Create(ctx context.Context, name string) (storage.Upload, error) {
	f.panicAt("deliver")
	return f.Destination.Create(ctx, name)
}

type faultySpool struct {
	dsr.Spool
	*faulty
}

func (f *faultySpool) Remove(ctx context.Context, id string, parts ...string) error {
	f.panicAt("spool")
	return f.Spool.Remove(ctx, id, parts...)
}

// panicking is a world whose configuration panics where at says.
func panicking(t *testing.T) (*world, *faulty, dsr.Config) {
	t.Helper()
	w := shop(t, shopYAML, shopRows(), nil)
	f := &faulty{probe: w.db()}
	c := w.config(nil, policy(accessRule(), erasureRule("null_rewrite", "user.name")))
	c.Connections[0].Connector, c.Notifier, c.Progress = f, f, f.progress
	c.Store, c.Spool = &faultyStore{c.Store, f}, &faultySpool{c.Spool, f}
	c.Destinations["folder"] = dsr.Destination{Storage: &faultyDestination{c.Destinations["folder"].Storage, f}}
	return w, f, c
}

func requirePanic(t *testing.T, err error) {
	t.Helper()
	var panicked *graph.PanicError
	require.ErrorAs(t, err, &panicked)
	require.Contains(t, panicked.Stack, "panicAt")
	require.NotContains(t, err.Error()+panicked.Stack, "CANARY")
}

// A panic in any part of the configuration ends the request, not the process,
// and leaves nothing locked.
func TestPanicsEndTheRequest(t *testing.T) {
	t.Parallel()
	for place, stage := range map[string]dsr.Stage{
		"describe": dsr.StagePlan, "read": dsr.StageCollect, "deliver": dsr.StageDeliver, "apply": dsr.StageErase, "spool": dsr.StageFinish,
		"progress of collect": dsr.StageCollect, "progress of deliver": dsr.StageDeliver, "progress of journal": dsr.StageJournal, "progress of erase": dsr.StageErase,
	} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			w, f, c := panicking(t)
			e := newEngine(t, c)
			submit(t, e, "email", "ada@example.com")
			f.at.Store(place)
			req, err := e.Requests().Advance(t.Context(), "r1")
			requirePanic(t, err)
			require.Equal(t, []any{dsr.StatusError, stage}, []any{req.Status, req.Stage})
			require.NotContains(t, w.logs.String(), "CANARY")

			f.at.Store("")
			req, err = retry(t, e, "r1")
			require.NoError(t, err)
			require.Equal(t, dsr.StatusComplete, req.Status)
		})
	}
}

// A store that panics cannot keep the failure; the next one finds the request
// as it was.
func TestPanicOfTheStoreIsReturned(t *testing.T) {
	t.Parallel()
	_, f, c := panicking(t)
	e := newEngine(t, c)
	submit(t, e, "email", "ada@example.com")
	f.at.Store("commit")
	req, err := e.Requests().Advance(t.Context(), "r1")
	requirePanic(t, err)
	require.Nil(t, req)
	f.at.Store("")
	req, err = e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
}

func TestPanicOfTheNotifierIsLogged(t *testing.T) {
	t.Parallel()
	w, f, c := panicking(t)
	f.at.Store("notify")
	e := newEngine(t, c)
	submit(t, e, "email", "ada@example.com")
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Contains(t, w.logs.String(), "notice not sent")
	require.NotContains(t, w.logs.String(), "CANARY")
}

func TestPanicsOfCheckAndDryRunAreReturned(t *testing.T) {
	t.Parallel()
	_, f, c := panicking(t)
	e := newEngine(t, c)
	f.at.Store("describe")
	requirePanic(t, e.Check(t.Context(), "p", "email"))
	requirePanic(t, e.DryRun(t.Context(), io.Discard, "p", "email"))
	f.at.Store("dry run")
	require.NoError(t, e.Check(t.Context(), "p", "email"))
	requirePanic(t, e.DryRun(t.Context(), io.Discard, "p", "email"))
}
