package dsr

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

// openBreaker makes calls fail until the breaker opens.
func openBreaker(t *testing.T, g *guard, a *actor) {
	t.Helper()
	a.act = func(context.Context, int) error { return syscall.ECONNREFUSED }
	for range 4 {
		_, err := g.Apply(t.Context(), &Chunk{})
		require.ErrorIs(t, err, ErrUnavailable)
	}
	require.Equal(t, tripAfter, a.calls)
	require.Equal(t, gobreaker.StateOpen, g.breaker.State())
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &actor{}
		g := guarded(a, Connection{Concurrency: 3, Rate: 1000, Burst: 1000})
		openBreaker(t, g, a)
		opened := time.Unix(0, g.opened.Load())
		require.NoError(t, wait(t.Context(), time.Until(opened.Add(5*time.Second))))
		for _, call := range []func() error{
			func() error { _, err := g.Apply(t.Context(), &Chunk{}); return err },
			func() error { _, err := g.Describe(t.Context(), &graph.Collection{}); return err },
			func() error { _, err := rowsOf(t.Context(), g); return err },
		} {
			var down *unavailableError
			err := call()
			require.ErrorAs(t, err, &down)
			require.Equal(t, 10*time.Second, down.wait)
			require.EqualError(t, err, `connection "shop" is unavailable: too many calls in a row failed; it is left alone for a while; the last one: connection refused`)
		}
		require.Equal(t, tripAfter, a.calls)
		require.Zero(t, time.Since(opened.Add(5*time.Second)), "nobody waited")

		// One finds out that it is still down.
		require.NoError(t, wait(t.Context(), 10*time.Second+1))
		_, err := g.Apply(t.Context(), &Chunk{})
		require.ErrorIs(t, err, errOpen)
		require.Equal(t, tripAfter+1, a.calls)

		// One of five finds out that it is back, and the others do not wait.
		require.NoError(t, wait(t.Context(), openFor+1))
		a.act = func(ctx context.Context, _ int) error { return wait(ctx, time.Second) }
		errs := make(chan error, 5)
		for range 5 {
			go func() { _, err := g.Apply(t.Context(), &Chunk{}); errs <- err }()
		}
		synctest.Wait()
		require.Len(t, errs, 4)
		for range 4 {
			require.ErrorIs(t, <-errs, errOpen)
		}
		require.NoError(t, <-errs)
		require.Equal(t, tripAfter+2, a.calls)
		require.Equal(t, gobreaker.StateClosed, g.breaker.State())
		for range 5 {
			_, err := g.Apply(t.Context(), &Chunk{})
			require.NoError(t, err)
		}
		idle(t, g)
	})
}

// Who comes to a closed door takes no slot and no part of the rate.
func TestOpenBreakerTakesNoRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &actor{}
		g := guarded(a, Connection{Rate: 0.01, Burst: tripAfter})
		openBreaker(t, g, a)
		begun := time.Now()
		for range 5 {
			_, err := g.Apply(t.Context(), &Chunk{})
			require.ErrorIs(t, err, errOpen)
		}
		require.Zero(t, time.Since(begun))
		idle(t, g)
	})
}

// A call that is called off or panics while it is to find out whether the
// connection is back leaves that to the next one.
func TestBreakerTakesNoCallThatProvesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &actor{}
		g := guarded(a, Connection{})
		openBreaker(t, g, a)
		require.NoError(t, wait(t.Context(), openFor+1))
		a.act = func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
		for _, end := range []func() (context.Context, context.CancelFunc){
			func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			},
			func() (context.Context, context.CancelFunc) { return context.WithTimeout(t.Context(), time.Second) },
		} {
			ctx, cancel := end()
			_, err := g.Apply(ctx, &Chunk{})
			require.ErrorIs(t, err, ctx.Err())
			cancel()
			require.Equal(t, gobreaker.StateHalfOpen, g.breaker.State())
		}
		a.act = func(context.Context, int) error { panic("broken") }
		_, err := g.Apply(t.Context(), &Chunk{})
		require.Error(t, err)
		require.Equal(t, gobreaker.StateHalfOpen, g.breaker.State())
		a.act = func(context.Context, int) error { return ErrNoCollection }
		_, err = g.Apply(t.Context(), &Chunk{})
		require.ErrorIs(t, err, ErrNoCollection)
		require.Equal(t, gobreaker.StateClosed, g.breaker.State(), "it answered")
		idle(t, g)
	})
}

// A long query that finds out that the connection is back does not keep others
// away until its end, and its failure counts all the same.
func TestBreakerClosesAtTheFirstRow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &actor{}
		g := guarded(a, Connection{Concurrency: 2})
		openBreaker(t, g, a)
		require.NoError(t, wait(t.Context(), openFor+1))
		a.act = func(context.Context, int) error { return nil }
		a.read = func(_ context.Context, _ int, yield func(Row, error) bool) {
			if yieldRows(yield, 1) {
				yield(Row{}, syscall.ECONNRESET)
			}
		}
		n := 0
		for _, err := range g.Read(t.Context(), &Query{}) {
			if n++; n == 2 {
				require.ErrorIs(t, err, syscall.ECONNRESET)
				break
			}
			_, err = g.Apply(t.Context(), &Chunk{})
			require.NoError(t, err)
		}
		require.Equal(t, gobreaker.Counts{Requests: 2, TotalSuccesses: 1, TotalFailures: 1, ConsecutiveFailures: 1}, g.breaker.Counts())
		idle(t, g)
	})
}

func TestGuardKeepsToTheRate(t *testing.T) {
	t.Parallel()
	for _, burst := range []int{0, 4} {
		t.Run(fmt.Sprint("burst ", burst), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &actor{act: func(context.Context, int) error { return nil }}
				g := guarded(a, Connection{Concurrency: 3, Rate: 5, Burst: burst})
				var wg sync.WaitGroup
				for i := range 20 {
					wg.Go(func() {
						_, err := g.Apply(forParty(t.Context(), fmt.Sprint(i%7)), &Chunk{})
						require.NoError(t, err)
					})
				}
				wg.Wait()
				var want []time.Duration
				for i := range 20 {
					want = append(want, time.Duration(max(0, i-max(burst-1, 0)))*200*time.Millisecond)
				}
				for i := range a.began {
					a.began[i] = a.began[i].Round(time.Millisecond)
				}
				require.Equal(t, want, a.began)
				idle(t, g)
			})
		})
	}
}

// Forty queries of one request do not keep the only one of another waiting.
func TestGuardLetsRequestsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &actor{act: func(ctx context.Context, _ int) error { return wait(ctx, time.Second) }}
		g := guarded(a, Connection{})
		var mu sync.Mutex
		var order []string
		var wg sync.WaitGroup
		call := func(id string) {
			_, err := g.Apply(forParty(t.Context(), id), &Chunk{})
			require.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			order = append(order, id)
		}
		for range 40 {
			wg.Go(func() { call("large") })
		}
		require.NoError(t, wait(t.Context(), 3500*time.Millisecond))
		wg.Go(func() { call("small") })
		wg.Wait()
		// The fourth is under way when it comes, and the fifth is owed to
		// nobody else.
		require.LessOrEqual(t, slices.Index(order, "small"), 5)
		require.Len(t, order, 41)
		require.Equal(t, 41*time.Second, time.Since(a.start))
		idle(t, g)
	})
}

func TestGuardBoundsConcurrencyOverAllRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &actor{
			act: func(ctx context.Context, _ int) error { return wait(ctx, time.Second) },
			read: func(ctx context.Context, _ int, yield func(Row, error) bool) {
				if wait(ctx, time.Second) == nil {
					yieldRows(yield, 1)
				}
			},
		}
		g := guarded(a, Connection{Concurrency: 3})
		var wg sync.WaitGroup
		for i := range 30 {
			ctx := forParty(t.Context(), fmt.Sprint(i%8))
			wg.Go(func() { _, err := g.Apply(ctx, &Chunk{}); require.NoError(t, err) })
			wg.Go(func() { _, err := rowsOf(ctx, g); require.NoError(t, err) })
			wg.Go(func() { _, err := g.Describe(ctx, &graph.Collection{}); require.NoError(t, err) })
		}
		wg.Wait()
		require.Equal(t, []int{90, 3}, []int{a.calls, a.most})
		require.Equal(t, 30*time.Second, time.Since(a.start))
		idle(t, g)
	})
}
