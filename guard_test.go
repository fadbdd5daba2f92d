package dsr

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

// actor is a connector that does what a test says. Calls are numbered from 1,
// and their times kept.
type actor struct {
	read  func(ctx context.Context, n int, yield func(Row, error) bool)
	act   func(ctx context.Context, n int) error // Apply and Describe
	ping  func() error
	start time.Time

	mu           sync.Mutex
	calls, pings int
	busy, most   int // at once
	began        []time.Duration
}

func (a *actor) enter() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.began = append(a.began, time.Since(a.start))
	a.calls++
	a.busy++
	a.most = max(a.most, a.busy)
	return a.calls
}

func (a *actor) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy--
}

func (a *actor) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

func (a *actor) Read(ctx context.Context, _ *Query) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		n := a.enter()
		defer a.leave()
		a.read(ctx, n, yield)
	}
}

func (a *actor) Apply(ctx context.Context, _ *Chunk) ([]RowResult, error) {
	n := a.enter()
	defer a.leave()
	if err := a.act(ctx, n); err != nil {
		return nil, err
	}
	return []RowResult{RowWritten}, nil
}

func (a *actor) Describe(ctx context.Context, _ *graph.Collection) (*Schema, error) {
	n := a.enter()
	defer a.leave()
	if err := a.act(ctx, n); err != nil {
		return nil, err
	}
	return &Schema{Table: "t"}, nil
}

func (a *actor) Ping(context.Context) error {
	a.mu.Lock()
	a.pings++
	a.mu.Unlock()
	if a.ping != nil {
		return a.ping()
	}
	return nil
}

const patience = 10 * time.Second

// guarded puts a guard before an actor. It is called in a bubble.
func guarded(a *actor, c Connection) *guard {
	a.start = time.Now()
	c.Key, c.Connector, c.Timeout = "shop", a, patience
	c.Concurrency = max(c.Concurrency, 1)
	return newGuard(&c, time.Hour)
}

// idle checks that nothing of a guard is taken.
func idle(t *testing.T, g *guard) {
	t.Helper()
	busy, waiting := g.gate.Stats()
	require.Zero(t, busy, "slots taken")
	require.Zero(t, waiting, "callers waiting")
}

// rowsOf reads to the end.
func rowsOf(ctx context.Context, g *guard) (n int, err error) {
	for _, err := range g.Read(ctx, &Query{}) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func forParty(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, partyKey{}, id)
}

func yieldRows(yield func(Row, error) bool, n int) bool {
	for range n {
		if !yield(Row{}, nil) {
			return false
		}
	}
	return true
}

func within(t *testing.T, from, to, got time.Duration) {
	t.Helper()
	require.GreaterOrEqual(t, got, from)
	require.LessOrEqual(t, got, to)
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func TestGuardMakesACallAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &actor{
			read: func(_ context.Context, n int, yield func(Row, error) bool) {
				if n < 3 {
					yield(Row{}, fmt.Errorf("call %d: %w", n, ErrUnavailable))
					return
				}
				yieldRows(yield, 4)
			},
		}
		g := guarded(a, Connection{})
		n, err := rowsOf(t.Context(), g)
		require.NoError(t, err)
		require.Equal(t, 4, n)
		require.Equal(t, 3, a.calls)
		require.Zero(t, a.pings, "what says that it is unavailable need not be pinged")
		within(t, 50*time.Millisecond, 150*time.Millisecond, a.began[1]-a.began[0])
		within(t, 75*time.Millisecond, 225*time.Millisecond, a.began[2]-a.began[1])
		idle(t, g)
	})
}

func TestGuardTellsWhatGoesAwayByItself(t *testing.T) {
	t.Parallel()
	dns := &net.DNSError{Err: "server misbehaving", Name: "db", IsTemporary: true}
	passes := map[string]error{
		"said so": ErrUnavailable, "bad connection": driver.ErrBadConn, "cut off": io.ErrUnexpectedEOF, "time-out": context.DeadlineExceeded,
		"closed": net.ErrClosed, "refused": syscall.ECONNREFUSED, "reset": syscall.ECONNRESET, "aborted": syscall.ECONNABORTED,
		"pipe": syscall.EPIPE, "timed out": syscall.ETIMEDOUT, "no host": syscall.EHOSTUNREACH, "no net": syscall.ENETUNREACH,
		"disk full": syscall.ENOSPC, "quota": syscall.EDQUOT, "files": syscall.EMFILE, "all files": syscall.ENFILE,
		"name": dns, "dial": &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no")},
	}
	stays := map[string]error{
		"read-only": ErrReadOnly, "empty": ErrEmptyQuery, "no table": ErrNoCollection, "changed": ErrChangedSince, "shredded": ErrShredded,
		"panic": &graph.PanicError{}, "read-only replica": errors.Join(ErrUnavailable, ErrReadOnly),
	}
	unknown := errors.New("syntax error")
	for _, c := range []struct {
		name   string
		errs   map[string]error
		ping   error
		calls  int
		pings  int
		passes bool
	}{
		{"passes", passes, nil, 3, 0, true},
		{"passes, and no ping is answered", passes, unknown, 3, 0, true},
		{"stays", stays, unknown, 1, 0, false},
		{"unknown", map[string]error{"": unknown}, nil, 1, 1, false},
		{"unknown, and no ping is answered", map[string]error{"": unknown}, errors.New("gone"), 3, 3, true},
	} {
		for name, cause := range c.errs {
			t.Run(c.name+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					a := &actor{
						ping: func() error { return c.ping },
						act:  func(context.Context, int) error { return fmt.Errorf("driver: %w", cause) },
						read: func(_ context.Context, _ int, yield func(Row, error) bool) {
							yield(Row{}, fmt.Errorf("driver: %w", cause))
						},
					}
					calls := map[string]func(g *guard) error{
						"apply":    func(g *guard) error { _, err := g.Apply(t.Context(), &Chunk{}); return err },
						"describe": func(g *guard) error { _, err := g.Describe(t.Context(), &graph.Collection{}); return err },
						"read":     func(g *guard) error { _, err := rowsOf(t.Context(), g); return err },
					}
					for what, call := range calls {
						a.calls, a.pings = 0, 0
						g := guarded(a, Connection{})
						err := call(g)
						require.ErrorIs(t, err, cause, what)
						require.Equal(t, c.passes, passing(err), what)
						require.Equal(t, c.passes, errors.Is(err, ErrUnavailable) && !permanent(err), what)
						require.Equal(t, []int{c.calls, c.pings}, []int{a.calls, a.pings}, what)
						idle(t, g)
					}
				})
			})
		}
	}
}

// A walk waits only if waiting helps in all that failed.
func TestWalkPassesIfAllOfItDoes(t *testing.T) {
	t.Parallel()
	unknown := errors.New("syntax error")
	require.True(t, passing(&WalkError{faults: []error{ErrUnavailable, syscall.ENOSPC}}))
	require.False(t, passing(&WalkError{faults: []error{ErrUnavailable, unknown}}))
	require.False(t, passing(&WalkError{faults: []error{ErrUnavailable, ErrNoCollection}}))
	require.False(t, passing(nil))
}

func TestGuardEndsWhatHangs(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, c := range []struct {
		name        string
		read        func(ctx context.Context, yield func(Row, error) bool)
		rows, calls int
	}{
		{"before the first row", func(ctx context.Context, yield func(Row, error) bool) { yield(Row{}, hang(ctx)) }, 0, 3},
		{"quietly", func(ctx context.Context, _ func(Row, error) bool) { _ = hang(ctx) }, 0, 3},
		{"between rows", func(ctx context.Context, yield func(Row, error) bool) {
			if yieldRows(yield, 2) {
				yield(Row{}, hang(ctx))
			}
		}, 2, 1},
		{"after the last row", func(ctx context.Context, yield func(Row, error) bool) {
			if yieldRows(yield, 2) {
				_ = hang(ctx)
			}
		}, 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &actor{read: func(ctx context.Context, _ int, yield func(Row, error) bool) { c.read(ctx, yield) }}
				g := guarded(a, Connection{})
				n, err := rowsOf(t.Context(), g)
				require.ErrorIs(t, err, errStalled)
				require.ErrorIs(t, err, ErrUnavailable)
				require.Equal(t, []int{c.rows, c.calls}, []int{n, a.calls})
				tries := time.Duration(c.calls) * 2 * patience
				within(t, tries, tries+375*time.Millisecond, time.Since(a.start))
				idle(t, g)
			})
		})
	}
	for _, what := range []string{"apply", "describe"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &actor{act: func(ctx context.Context, _ int) error { return hang(ctx) }}
				g := guarded(a, Connection{})
				var err error
				if what == "apply" {
					_, err = g.Apply(t.Context(), &Chunk{})
				} else {
					_, err = g.Describe(t.Context(), &graph.Collection{})
				}
				require.ErrorIs(t, err, errStalled)
				require.ErrorIs(t, err, ErrUnavailable)
				require.Equal(t, 3, a.calls)
				within(t, 3*patience, 3*patience+375*time.Millisecond, time.Since(a.start))
				idle(t, g)
			})
		})
	}
}

// Time that is not the connection's does not count, nor does a row in time.
func TestGuardBearsSlowness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &actor{read: func(ctx context.Context, _ int, yield func(Row, error) bool) {
			for range 5 {
				if err := wait(ctx, patience-1); err != nil {
					yield(Row{}, err)
					return
				}
				if !yield(Row{}, nil) {
					return
				}
			}
		}}
		g := guarded(a, Connection{})
		n := 0
		for _, err := range g.Read(t.Context(), &Query{}) {
			require.NoError(t, err)
			n++
			require.NoError(t, wait(t.Context(), 10*patience))
		}
		require.Equal(t, []int{5, 1}, []int{n, a.calls})
		idle(t, g)
		for range g.Read(t.Context(), &Query{}) {
			break
		}
		idle(t, g)
		require.Equal(t, gobreaker.Counts{Requests: 2, TotalSuccesses: 2, ConsecutiveSuccesses: 2}, g.breaker.Counts())
	})
}

func TestGuardSurvivesPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var panicked *graph.PanicError
		a := &actor{
			act:  func(context.Context, int) error { panic("ada@example.com") },
			ping: func() error { panic("ada@example.com") },
		}
		g := guarded(a, Connection{})
		for name, read := range map[string]func(context.Context, int, func(Row, error) bool){
			"at once":     func(context.Context, int, func(Row, error) bool) { panic("broken") },
			"after a row": func(_ context.Context, _ int, yield func(Row, error) bool) { yield(Row{}, nil); panic("broken") },
		} {
			a.read = read
			require.PanicsWithValue(t, "broken", func() { _, _ = rowsOf(t.Context(), g) }, name)
			idle(t, g)
		}
		a.read = func(_ context.Context, _ int, yield func(Row, error) bool) { yieldRows(yield, 1) }
		require.PanicsWithValue(t, "the consumer", func() {
			for range g.Read(t.Context(), &Query{}) {
				panic("the consumer")
			}
		})
		idle(t, g)
		_, err := g.Apply(t.Context(), &Chunk{})
		require.ErrorAs(t, err, &panicked)
		_, err = g.Describe(t.Context(), &graph.Collection{})
		require.ErrorAs(t, err, &panicked)
		require.ErrorAs(t, g.Ping(t.Context()), &panicked)
		require.Equal(t, 5, a.calls, "none was made again")
		require.Equal(t, gobreaker.Counts{Requests: 5, TotalExclusions: 5}, g.breaker.Counts())

		// A ping that panics is one that is not answered.
		a.act = func(context.Context, int) error { return errors.New("odd") }
		_, err = g.Apply(t.Context(), &Chunk{})
		require.EqualError(t, err, `connection "shop" is unavailable: it does not answer a ping: odd`)
		require.True(t, passing(err))
		idle(t, g)
	})
}

// Whatever a caller waits for, the end of its context ends the wait, and
// neither a slot is kept nor the breaker told.
func TestGuardEndsWithTheContext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		rate  float64
		act   func(ctx context.Context, n int) error
		calls int // when the context ends
	}{
		{"at the gate", 0, func(ctx context.Context, _ int) error { return wait(ctx, 5*time.Second) }, 1},
		{"at the rate", 0.1, func(context.Context, int) error { return nil }, 1},
		{"in the call", 0, func(ctx context.Context, n int) error {
			if n == 1 {
				return nil
			}
			return wait(ctx, 9*time.Second)
		}, 2},
		{"before another try", 0, func(_ context.Context, n int) error {
			if n == 1 {
				return nil
			}
			return ErrUnavailable
		}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &actor{act: c.act}
				g := guarded(a, Connection{Rate: c.rate})
				first := make(chan error, 1)
				go func() { _, err := g.Apply(t.Context(), &Chunk{}); first <- err }()
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan error, 1)
				go func() { _, err := g.Apply(ctx, &Chunk{}); ended <- err }()
				synctest.Wait()
				require.Equal(t, c.calls, a.count())
				cancel()
				require.ErrorIs(t, <-ended, context.Canceled)
				require.Zero(t, time.Since(a.start), "it did not wait")
				require.NoError(t, <-first)
				require.Equal(t, c.calls, a.calls)
				require.Equal(t, uint32(1), g.breaker.Counts().TotalSuccesses)
				idle(t, g)
			})
		})
	}
}

// A connector that ends quietly with its context has not read everything.
func TestGuardTakesNoQuietEndForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &actor{read: func(ctx context.Context, _ int, yield func(Row, error) bool) {
			if yieldRows(yield, 1) {
				<-ctx.Done()
			}
		}}
		g := guarded(a, Connection{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		n, err := rowsOf(ctx, g)
		require.Equal(t, 1, n)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, time.Second, time.Since(a.start))
		idle(t, g)
	})
}
