package dsr_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// Fifty requests of one person, submitted at once, run one after another.
func TestRequestsOfOnePersonUnderRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		engines int
		within  time.Duration
	}{
		{"one process", 1, 130 * time.Second},
		{"two processes", 2, 3 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const each, letters = 25, 6
				f := newFleet(t, lettersYAML, letterRows(2, letters))
				f.tune = func(c *dsr.Config) { c.Limits.ChunkRows = 2 }
				f.switches["mail"].slowDown(time.Second)
				f.store.lag.Store(int64(10 * time.Millisecond)) // so that they look before any of them is leased
				var engines []*dsr.Engine
				var stops []func()
				for range c.engines {
					e, _ := f.engine(t, readPolicy(), erasePolicy())
					engines, stops = append(engines, e), append(stops, runEngine(t, e))
				}
				var mu sync.Mutex
				ids := map[string][]string{}
				var wg sync.WaitGroup
				for i := range 2 * each {
					policy := []string{"read", "erase"}[i%2]
					wg.Go(func() {
						id := submitTo(t, engines[i/2%len(engines)], policy, addressOf(0))
						mu.Lock()
						defer mu.Unlock()
						ids[policy] = append(ids[policy], id)
					})
				}
				wg.Wait()
				until(t, engines[0], dsr.StatusComplete, c.within, slices.Concat(ids["read"], ids["erase"])...)

				require.Empty(t, f.store.faults)
				require.Equal(t, 1, f.store.most, "one after another")
				require.Equal(t, names(ids["read"]), f.delivery.packages(), "each package once")
				// Every erasure masks each row, and no value is written twice.
				for key, want := range map[string]int{"mail": each * letters, "shop": each} {
					require.Len(t, f.dbs[key].written, want)
					for _, times := range f.dbs[key].written {
						require.Equal(t, 1, times)
					}
				}
				for i, r := range f.dbs["mail"].Rows("letters") {
					if i < letters {
						require.Contains(t, f.dbs["mail"].written, r["text"])
					} else {
						require.Contains(t, r["text"], "text 1")
					}
				}
				for _, id := range ids["read"] {
					require.Equal(t, []string{"received", "started", "planned", "collected", "delivered", "completed"}, f.trail(t, id))
				}
				for _, id := range ids["erase"] {
					require.Equal(t, []string{
						"received", "started", "planned", "collected", "journalled", "erasure begun", "erased", "erased", "completed",
					}, f.trail(t, id))
					done := outcome(t, get(t, engines[0], id), "mail:letters")
					require.Equal(t, []int64{letters, letters, 0, 0}, []int64{done.Targeted, done.Masked, done.Gone, done.Changed})
				}
				for _, stop := range stops {
					stop()
				}
			})
		})
	}
}

// Requests that met, so that each gave way, find out at once who comes first.
func TestGivingWayIsNoStandstill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, lettersYAML, letterRows(1, 1))
		f.tune = func(c *dsr.Config) { c.Poll = time.Hour }
		e, _ := f.engine(t, readPolicy())
		stop := runEngine(t, e)
		f.store.lag.Store(int64(10 * time.Millisecond)) // so that all look before any is leased,
		f.store.slow.Store(int64(time.Second))          // and all are before any looks again
		ids := make([]string, 4)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() { ids[i] = submitTo(t, e, "read", addressOf(0)) })
		}
		wg.Wait()
		until(t, e, dsr.StatusComplete, 50*time.Second, ids...)
		for _, id := range ids {
			rec, err := f.store.Request(t.Context(), id)
			require.NoError(t, err)
			require.Greater(t, rec.Epoch, int64(1), "it gave its first lease back")
		}
		require.Equal(t, 1, f.store.most)
		stop()
	})
}

// narrowStore notes what a store is asked to look for.
type narrowStore struct {
	dsr.Store
	mu   sync.Mutex
	most int // at once
}

func (s *narrowStore) Requests(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
	s.mu.Lock()
	s.most = max(s.most, len(q.Lookup)+len(q.Also))
	s.mu.Unlock()
	return s.Store.Requests(ctx, q)
}

// With those that hooks derive, a data subject has no more identities than a
// store has to look for at once.
func TestManyIdentitiesOfOnePerson(t *testing.T) {
	t.Parallel()
	for derived, want := range map[int]string{999: "", 1000: "it has more than 1000 identities"} {
		o, hooks := hooking(t, everywhere(), nil)
		narrow := &narrowStore{Store: o.config.Store}
		o.config.Store, o.config.Executor = narrow, dsr.NewLocalExecutor(nil)
		engine := newEngine(t, o.config)
		emails := make([]string, derived)
		for i := range emails {
			emails[i] = fmt.Sprintf("n%d@example.com", i)
		}
		hooks.answer("fraud", dsr.HookAnswer{Eligible: yes()})
		hooks.answer("crm", dsr.HookAnswer{Identities: dsr.Identities{"email": emails}})
		_, err := engine.Requests().Submit(t.Context(), submission("both", "ada@example.com"))
		require.NoError(t, err)
		_, err = engine.Requests().Advance(t.Context(), "r1")
		if want != "" {
			require.ErrorContains(t, err, want)
			require.Equal(t, 1, narrow.most)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, 1000, narrow.most)
	}
}
