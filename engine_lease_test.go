package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/fault"
)

// at returns a context under which do is called once, at a point of a run.
func at(ctx context.Context, point string, do func()) (context.Context, *bool) {
	hit := false
	return fault.WithHook(ctx, func(name string) {
		if name == point && !hit {
			hit = true
			do()
		}
	}), &hit
}

func eraseShop(t testing.TB) (*world, graph.Policy) {
	t.Helper()
	return shop(t, eraseShopYAML, eraseShopRows(), nil), policy(accessRule(), erasureRule("random_string_rewrite", eraseAll...))
}

func TestSecondEngineIsRefusedWhileTheFirstWorks(t *testing.T) {
	t.Parallel()
	w, p := eraseShop(t)
	first, second := newEngine(t, w.config(nil, p)), newEngine(t, w.config(nil, p))
	submit(t, first, "email", "ada@example.com")
	ctx, hit := at(t.Context(), "at journal", func() {
		_, err := second.Requests().Advance(t.Context(), "r1")
		require.EqualError(t, err, "dsr: the request is being advanced elsewhere until 2030-01-02T03:05:05Z")
		require.ErrorIs(t, err, dsr.ErrLeased)
	})
	req, err := first.Requests().Advance(ctx, "r1")
	require.NoError(t, err)
	require.True(t, *hit)
	require.NoError(t, w.check(t, req))
}

// Whoever lost the lease writes nothing any more, wherever it was paused.
func TestLostLeaseStopsTheFirst(t *testing.T) {
	t.Parallel()
	for _, point := range []string{
		"collected shop:customers", "before deliver", "at deliver", "delivered access", "before journal",
		"at journal", "before erase", "at erase", "before apply 1", "applied 1", "ticked 1", "before finish", "before done",
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			w, p := eraseShop(t)
			first, second := newEngine(t, w.config(nil, p)), newEngine(t, w.config(nil, p))
			submit(t, first, "email", "ada@example.com")
			var done *dsr.Request
			ctx, hit := at(t.Context(), point, func() {
				w.clock.add(time.Minute + time.Second)
				var err error
				done, err = second.Requests().Advance(t.Context(), "r1")
				require.NoError(t, err)
			})
			_, err := first.Requests().Advance(ctx, "r1")
			require.ErrorIs(t, err, dsr.ErrConflict)
			require.True(t, *hit)
			require.NoError(t, w.check(t, done))
			req, err := first.Requests().Get(t.Context(), "r1")
			require.NoError(t, err)
			require.Equal(t, done, req)
		})
	}
}

// One that fails after it was overtaken does not fill the spool again.
func TestFailureAfterALostLeaseLeavesNoRows(t *testing.T) {
	t.Parallel()
	w, p := eraseShop(t)
	first, second := newEngine(t, w.config(nil, p)), newEngine(t, w.config(nil, p))
	submit(t, first, "email", "ada@example.com")
	ctx, hit := at(t.Context(), "collected shop:customers", func() {
		w.clock.add(time.Minute + time.Second)
		_, err := second.Requests().Advance(t.Context(), "r1")
		require.NoError(t, err)
		w.db().fail("visits", errors.New("connection reset"))
	})
	_, err := first.Requests().Advance(ctx, "r1")
	require.ErrorIs(t, err, dsr.ErrConflict)
	require.True(t, *hit)
	require.Empty(t, w.spool.left(t))
	req, err := first.Requests().Get(t.Context(), "r1")
	require.NoError(t, err)
	require.NoError(t, w.check(t, req))
}

// slowConnector takes minutes for every read.
type slowConnector struct{ dsr.Connector }

func (c slowConnector) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	select {
	case <-time.After(5 * time.Minute):
	case <-ctx.Done():
	}
	return c.Connector.Read(ctx, q)
}

func TestLeaseIsRenewedWhileWorkGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, p := eraseShop(t)
		slow := func() dsr.Config {
			c := w.config(nil, p)
			c.Clock = time.Now
			c.Connections[0].Connector = slowConnector{c.Connections[0].Connector}
			c.Connections[0].Timeout = 10 * time.Minute
			return c
		}
		first, second := newEngine(t, slow()), newEngine(t, slow())
		submit(t, first, "email", "ada@example.com")
		ended := make(chan error)
		go func() {
			_, err := first.Requests().Advance(t.Context(), "r1")
			ended <- err
		}()
		for range 9 {
			<-time.After(time.Minute)
			_, err := second.Requests().Advance(t.Context(), "r1")
			require.ErrorIs(t, err, dsr.ErrLeased)
		}
		require.NoError(t, <-ended)
		req, err := second.Requests().Advance(t.Context(), "r1")
		require.NoError(t, err)
		require.NoError(t, w.check(t, req))
	})
}

// A canceled context leaves the request as it is, gives the lease back and
// leaves no goroutine behind, which the bubble would notice.
func TestCanceledContextGivesTheLeaseBack(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"collected shop:customers", "at deliver", "at journal", "applied 1"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, p := eraseShop(t)
				e := newEngine(t, w.config(nil, p))
				submit(t, e, "email", "ada@example.com")
				ctx, cancel := context.WithCancel(t.Context())
				hooked, hit := at(ctx, point, cancel)
				_, err := e.Requests().Advance(hooked, "r1")
				require.ErrorIs(t, err, context.Canceled)
				require.True(t, *hit)
				req, err := e.Requests().Get(t.Context(), "r1")
				require.NoError(t, err)
				require.Equal(t, dsr.StatusInProcessing, req.Status)
				require.Empty(t, req.Failure)
				req, err = e.Requests().Advance(t.Context(), "r1")
				require.NoError(t, err)
				require.NoError(t, w.check(t, req))
			})
		})
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		point   string
		refused string
	}{
		{"collected shop:customers", ""},
		{"at deliver", ""},
		{"at journal", ""},
		{"before erase", ""},
		{"at erase", "dsr: cannot cancel request r1: its erasure has begun and must be finished"},
		{"applied 1", "dsr: cannot cancel request r1: its erasure has begun and must be finished"},
		{"before done", "dsr: cannot cancel request r1: its erasure has begun and must be finished"},
	} {
		t.Run(c.point, func(t *testing.T) {
			t.Parallel()
			w, p := eraseShop(t)
			e := newEngine(t, w.config(nil, p))
			submit(t, e, "email", "ada@example.com")
			var canceled error
			ctx, hit := at(t.Context(), c.point, func() { canceled = cancel(t, e, "r1") })
			req, err := e.Requests().Advance(ctx, "r1")
			require.True(t, *hit)
			if c.refused != "" {
				require.EqualError(t, canceled, c.refused)
				require.NoError(t, err)
				require.NoError(t, w.check(t, req))
				require.ErrorIs(t, cancel(t, e, "r1"), dsr.ErrConflict)
				return
			}
			require.NoError(t, canceled)
			require.ErrorIs(t, err, dsr.ErrConflict)
			require.Zero(t, w.db().applied())
			require.NoError(t, cancel(t, e, "r1"), "canceling again empties the spool again")
			rec, err := w.store.Request(t.Context(), "r1")
			require.NoError(t, err)
			require.Equal(t, dsr.StatusCanceled, rec.Status)
			require.Len(t, rec.Keys, 1)
			require.Contains(t, rec.Keys, "identity")
			chunks, err := w.store.Journal(t.Context(), "r1", 0, 0)
			require.NoError(t, err)
			require.Empty(t, chunks)
			require.Empty(t, w.spool.left(t))
			req, err = e.Requests().Advance(t.Context(), "r1")
			require.NoError(t, err)
			require.Equal(t, dsr.StatusCanceled, req.Status)
			_, err = retry(t, e, "r1")
			require.ErrorIs(t, err, dsr.ErrConflict)
		})
	}
}

func TestRunPicksUpWhatWasLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, p := eraseShop(t)
		config := func(proc *process) dsr.Config {
			c := w.config(proc, p)
			c.Clock = time.Now
			return c
		}
		// A process dies and leaves its lease.
		dead := &process{}
		ctx, cancel := context.WithCancel(t.Context())
		hooked, _ := at(ctx, "applied 1", func() { dead.dead.Store(true); cancel() })
		e := newEngine(t, config(dead))
		submit(t, e, "email", "ada@example.com")
		_, err := e.Requests().Advance(hooked, "r1")
		require.Error(t, err)

		c := config(nil)
		c.Executor = dsr.NewLocalExecutor(nil)
		n := 1
		c.NewID = func() string { n++; return fmt.Sprint("r", n) }
		e = newEngine(t, c)
		ctx, cancel = context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx) }()
		submit(t, e, "email", "bob@example.com")
		<-time.After(10 * time.Minute)
		for _, id := range []string{"r1", "r2"} {
			req, err := e.Requests().Get(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, dsr.StatusComplete, req.Status)
		}
		for _, name := range []string{"name", "email"} {
			for _, row := range w.db().Rows("customers") {
				require.Len(t, row[name], 30)
			}
		}
		cancel()
		require.NoError(t, <-ended)
	})
}

func TestProgressNoticesAndLog(t *testing.T) {
	t.Parallel()
	rows := eraseShopRows()
	rows["visits"] = nil
	for i := range 25_000 {
		rows["visits"] = append(rows["visits"], map[string]any{"id": i, "customer_id": 1, "page": "p"})
	}
	w := shop(t, eraseShopYAML, rows, nil)
	c := w.config(nil, policy(accessRule(), erasureRule("null_rewrite", eraseAll...)))
	c.Limits.ChunkRows = 5000
	var events []dsr.Progress
	c.Progress = func(_ context.Context, p dsr.Progress) { events = append(events, p) }
	e := newEngine(t, c)
	submit(t, e, "email", "ada@example.com")
	_, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)

	last := map[dsr.Stage]dsr.Progress{}
	var stages []dsr.Stage
	for _, p := range events {
		before, ok := last[p.Stage]
		if !ok {
			stages = append(stages, p.Stage)
		}
		require.Equal(t, "r1", p.RequestID)
		require.GreaterOrEqual(t, p.Done, before.Done)
		require.GreaterOrEqual(t, p.Rows, before.Rows)
		require.LessOrEqual(t, p.Done, p.Total)
		last[p.Stage] = p
	}
	require.Equal(t, []dsr.Stage{dsr.StageCollect, dsr.StageDeliver, dsr.StageJournal, dsr.StageErase}, stages)
	for stage, want := range map[dsr.Stage][3]int64{
		dsr.StageCollect: {3, 3, 25_003}, dsr.StageDeliver: {1, 1, 25_003}, dsr.StageJournal: {3, 3, 25_003}, dsr.StageErase: {25_003, 25_003, 25_003},
	} {
		require.Equal(t, want, [3]int64{last[stage].Done, last[stage].Total, last[stage].Rows}, stage)
	}
	var under int
	for _, p := range events {
		if p.Stage == dsr.StageCollect && p.State == "" {
			under++
		}
	}
	require.Equal(t, 2, under, "a long read tells every 10,000 rows")

	require.Equal(t, []dsr.Notice{
		{Kind: dsr.NoticeReceived, RequestID: "r1", Policy: "p", To: dsr.Identities{"email": {"ada@example.com"}}},
		{Kind: dsr.NoticeComplete, RequestID: "r1", Policy: "p", Packages: []string{"r1.json"}, To: dsr.Identities{"email": {"ada@example.com"}}},
	}, []dsr.Notice{stripped(w.notifier.Notices()[0]), stripped(w.notifier.Notices()[1])})
	log, err := e.Requests().Log(t.Context(), "r1", 0, 0)
	require.NoError(t, err)
	var kinds []string
	for _, event := range log {
		require.Equal(t, w.clock.Now(), event.Time)
		kinds = append(kinds, fmt.Sprint(event.Kind, " ", event.Collection, " ", event.Rows))
	}
	require.Equal(t, []string{
		"received  0", "planned  0", "collected shop:customers 1", "collected shop:orders 2", "collected shop:visits 25000",
		"delivered  25003", "journalled  25003", "masked shop:customers 1", "masked shop:orders 2", "masked shop:visits 25000", "complete  0",
	}, kinds)
}

// Requests of one data subject run one after another.
func TestRequestsOfOnePersonRunOneAfterAnother(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, policy, email string
		waits               bool
	}{
		{"same person", "p", "ADA@example.com", true},
		{"access beside an erasure", "read", "ada@example.com", true},
		{"in another case", "read", "ADA@EXAMPLE.COM", true},
		{"somebody else", "p", "bob@example.com", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, p := eraseShop(t)
			config := w.config(nil, p, graph.Policy{Key: "read", Rules: []graph.Rule{accessRule()}})
			n := 0
			config.NewID = func() string { n++; return fmt.Sprint("r", n) }
			e := newEngine(t, config)
			submit(t, e, "email", "ada@example.com")
			_, err := e.Requests().Submit(t.Context(), dsr.Submission{Policy: c.policy, Identities: dsr.Identities{"email": {c.email}}})
			require.NoError(t, err)
			ctx, hit := at(t.Context(), "at erase", func() {
				req, err := e.Requests().Advance(t.Context(), "r2")
				if c.waits {
					require.ErrorIs(t, err, dsr.ErrLeased)
					require.EqualError(t, err, "dsr: the request is being advanced elsewhere: request r1 of the same data subject comes first")
					return
				}
				require.NoError(t, err)
				require.Equal(t, dsr.StatusComplete, req.Status)
			})
			req, err := e.Requests().Advance(ctx, "r1")
			require.NoError(t, err)
			require.True(t, *hit)
			require.Equal(t, dsr.StatusComplete, req.Status)
			req, err = e.Requests().Advance(t.Context(), "r2")
			require.NoError(t, err)
			require.Equal(t, dsr.StatusComplete, req.Status)
		})
	}
}
