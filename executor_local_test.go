package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/executortest"
	"github.com/godsr/dsr/graph"
)

// runLog notes when which request was handled, relative to its making.
type runLog struct {
	start time.Time
	mu    sync.Mutex
	lines []string
}

func newRunLog() *runLog { return &runLog{start: time.Now()} }

func (l *runLog) add(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf("%v %s", time.Since(l.start), what))
}

func (l *runLog) get() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// note handles jobs by noting them.
func (l *runLog) note(_ context.Context, j dsr.Job) error {
	l.add(j.RequestID)
	return nil
}

// serve runs an executor in a bubble until the returned function is called.
func serve(t *testing.T, e *dsr.LocalExecutor, h dsr.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, h) }()
	return func() {
		t.Helper()
		cancel()
		require.NoError(t, <-done)
	}
}

// elapse lets time pass on the clock of a bubble.
func elapse(d time.Duration) { <-time.After(d) }

// settle lets time pass until every other goroutine of the bubble waits.
func settle(d time.Duration) {
	elapse(d)
	synctest.Wait()
}

// enqueue asks for a run after a while; at once for 0.
func enqueue(t *testing.T, e *dsr.LocalExecutor, id string, after time.Duration) {
	t.Helper()
	j := dsr.Job{RequestID: id}
	if after != 0 {
		j.RunAt = time.Now().Add(after)
	}
	require.NoError(t, e.Enqueue(t.Context(), j))
}

func TestLocalExecutorConforms(t *testing.T) {
	t.Parallel()
	executortest.Run(t, func() (dsr.Executor, error) {
		return dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{RetryAfter: 10 * time.Millisecond}), nil
	})
}

func TestLocalExecutorRunsWhenDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newRunLog()
		e := dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{Workers: 1})
		enqueue(t, e, "later", 10*time.Minute)
		enqueue(t, e, "beyond", 10*time.Minute+1)
		enqueue(t, e, "soon", time.Minute)
		enqueue(t, e, "now", 0)
		enqueue(t, e, "past", -time.Hour)
		synctest.Wait()
		require.Empty(t, log.get(), "nothing starts before Run")
		stop := serve(t, e, log.note)
		synctest.Wait()
		require.Equal(t, []string{"0s now", "0s past"}, log.get())
		enqueue(t, e, "sooner", time.Second)
		settle(100 * time.Hour)
		require.Equal(t, []string{"0s now", "0s past", "1s sooner", "1m0s soon", "10m0s later"}, log.get())
		stop()
	})
}

func TestLocalExecutorMergesWaitingJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newRunLog()
		e := dsr.NewLocalExecutor(nil)
		enqueue(t, e, "a", 5*time.Minute)
		enqueue(t, e, "a", time.Minute)
		enqueue(t, e, "a", 8*time.Minute)
		enqueue(t, e, "b", 0)
		enqueue(t, e, "b", 0)
		stop := serve(t, e, log.note)
		settle(time.Hour)
		require.Equal(t, []string{"0s b", "1m0s a"}, log.get())
		enqueue(t, e, "c", time.Minute)
		synctest.Wait()
		enqueue(t, e, "c", 0) // while the executor waits for c
		settle(time.Hour)
		require.Equal(t, []string{"0s b", "1m0s a", "1h0m0s c"}, log.get())
		stop()
	})
}

func TestLocalExecutorRunsAgainWhatWasAskedForMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newRunLog()
		e := dsr.NewLocalExecutor(nil)
		stop := serve(t, e, func(_ context.Context, j dsr.Job) error {
			log.add("start " + j.RequestID)
			elapse(time.Minute)
			log.add("end " + j.RequestID)
			return nil
		})
		enqueue(t, e, "a", 0)
		settle(10 * time.Second)
		for range 3 {
			enqueue(t, e, "a", 0)
		}
		settle(time.Hour)
		require.Equal(t, []string{"0s start a", "1m0s end a", "1m0s start a", "2m0s end a"}, log.get())

		enqueue(t, e, "a", 0)
		synctest.Wait()
		enqueue(t, e, "a", 9*time.Minute)
		enqueue(t, e, "a", 5*time.Minute)
		settle(2 * time.Minute)
		require.Len(t, log.get(), 6, "the second run waits for its time")
		settle(time.Hour)
		require.Len(t, log.get(), 8)
		require.Equal(t, "1h5m10s start a", log.get()[6])
		stop()
	})
}

func TestLocalExecutorLimitsWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newRunLog()
		e := dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{Workers: 2})
		for i := range 5 {
			enqueue(t, e, fmt.Sprint(i), 0)
		}
		stop := serve(t, e, func(_ context.Context, j dsr.Job) error {
			elapse(time.Second)
			log.add(j.RequestID)
			return nil
		})
		settle(time.Minute)
		got := log.get()
		slices.Sort(got)
		require.Equal(t, []string{"1s 0", "1s 1", "2s 2", "2s 3", "3s 4"}, got)
		stop()
	})
}

func TestLocalExecutorIsFair(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		enqueue func(t *testing.T, e *dsr.LocalExecutor)
		handle  func(t *testing.T, e *dsr.LocalExecutor, j dsr.Job) error // takes a second
		want    []string
	}{
		{
			name: "what waited longest goes first",
			enqueue: func(t *testing.T, e *dsr.LocalExecutor) {
				enqueue(t, e, "busy", 0)
				enqueue(t, e, "c", 300*time.Millisecond)
				enqueue(t, e, "b", 200*time.Millisecond)
				enqueue(t, e, "d", 400*time.Millisecond)
				settle(100 * time.Millisecond)
				enqueue(t, e, "a", -time.Hour) // waits from now on
			},
			want: []string{"0s busy", "1s a", "2s b", "3s c", "4s d"},
		},
		{
			name: "a request that yields goes behind all that are due",
			enqueue: func(t *testing.T, e *dsr.LocalExecutor) {
				for _, id := range []string{"yields", "a", "b"} {
					enqueue(t, e, id, 0)
				}
				enqueue(t, e, "c", 500*time.Millisecond)
				enqueue(t, e, "d", time.Second)
				enqueue(t, e, "e", 1500*time.Millisecond)
			},
			handle: func(t *testing.T, e *dsr.LocalExecutor, j dsr.Job) error {
				if j.RequestID == "yields" {
					enqueue(t, e, "yields", -time.Hour)
				}
				return nil
			},
			want: []string{"0s yields", "1s a", "2s b", "3s c", "4s d", "5s yields", "6s e", "7s yields"},
		},
		{
			name: "requests that yield take turns",
			enqueue: func(t *testing.T, e *dsr.LocalExecutor) {
				for _, id := range []string{"a", "b", "c"} {
					enqueue(t, e, id, 0)
				}
			},
			handle: func(t *testing.T, e *dsr.LocalExecutor, j dsr.Job) error {
				enqueue(t, e, j.RequestID, 0)
				return nil
			},
			want: []string{"0s a", "1s b", "2s c", "3s a", "4s b", "5s c", "6s a", "7s b"},
		},
		{
			name: "one brought forward goes behind those that were due",
			enqueue: func(t *testing.T, e *dsr.LocalExecutor) {
				enqueue(t, e, "forward", time.Minute)
				enqueue(t, e, "a", 0)
				enqueue(t, e, "b", 0)
				enqueue(t, e, "forward", 0)
				enqueue(t, e, "c", 0)
			},
			want: []string{"0s a", "1s b", "2s forward", "3s c"},
		},
		{
			name: "one that fails blocks nobody",
			enqueue: func(t *testing.T, e *dsr.LocalExecutor) {
				for _, id := range []string{"fails", "a", "b", "c", "d", "e"} {
					enqueue(t, e, id, 0)
				}
			},
			handle: func(t *testing.T, e *dsr.LocalExecutor, j dsr.Job) error {
				if j.RequestID == "fails" {
					enqueue(t, e, "fails", 0)
					return errors.New("no database")
				}
				return nil
			},
			want: []string{"0s fails", "1s a", "2s b", "3s c", "4s d", "5s e"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log := newRunLog()
				e := dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{Workers: 1, RetryAfter: time.Minute})
				stop := serve(t, e, func(_ context.Context, j dsr.Job) error {
					log.add(j.RequestID)
					elapse(time.Second)
					if c.handle == nil {
						return nil
					}
					return c.handle(t, e, j)
				})
				c.enqueue(t, e)
				settle(7500*time.Millisecond - time.Since(log.start))
				require.Equal(t, c.want, log.get())
				stop()
			})
		})
	}
}

func TestLocalExecutorForgetsTheLatestWhenFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newRunLog()
		e := dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{Workers: 1, Queue: 3})
		enqueue(t, e, "a", 3*time.Second)
		enqueue(t, e, "b", time.Second)
		enqueue(t, e, "c", 5*time.Second)
		enqueue(t, e, "d", 4*time.Second) // instead of c
		enqueue(t, e, "e", 4*time.Second) // forgotten
		enqueue(t, e, "c", 2*time.Second) // instead of d
		stop := serve(t, e, log.note)
		settle(time.Minute)
		require.Equal(t, []string{"1s b", "2s c", "3s a"}, log.get())
		stop()
	})
}

func TestLocalExecutorRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failure := errors.New("no database")
		var told []error
		e := dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{
			RetryAfter: time.Second, RetryLimit: 6 * time.Second,
			OnError: func(j dsr.Job, err error) {
				require.Equal(t, "a", j.RequestID)
				told = append(told, err)
			},
		})
		var runs []time.Time
		stop := serve(t, e, func(context.Context, dsr.Job) error {
			runs = append(runs, time.Now())
			if n := len(runs); n == 6 || n == 8 {
				return nil
			}
			return failure
		})
		enqueue(t, e, "a", 0)
		settle(time.Hour)
		require.Len(t, runs, 6)
		require.Equal(t, []error{failure, failure, failure, failure, failure}, told)
		waited := func(run int, least, most time.Duration) {
			t.Helper()
			wait := runs[run].Sub(runs[run-1])
			require.GreaterOrEqual(t, wait, least)
			require.LessOrEqual(t, wait, most)
		}
		waited(1, 500*time.Millisecond, 1500*time.Millisecond)
		waited(2, time.Second, 3*time.Second)
		waited(3, 2*time.Second, 6*time.Second)
		waited(4, 2*time.Second, 6*time.Second)
		waited(5, 2*time.Second, 6*time.Second)

		enqueue(t, e, "a", 0)
		settle(time.Hour)
		require.Len(t, runs, 8)
		waited(7, 500*time.Millisecond, 1500*time.Millisecond) // a success starts anew
		stop()
	})
}

// A look that somebody asks for does not wait for the end of a pause, and
// does not shorten the ones to come.
func TestLocalExecutorIsHurriedBetweenErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{RetryAfter: 4 * time.Second})
		log := newRunLog()
		stop := serve(t, e, func(context.Context, dsr.Job) error {
			log.add("a")
			return errors.New("no database")
		})
		enqueue(t, e, "a", 0)
		settle(time.Second)
		enqueue(t, e, "a", 0)
		settle(time.Millisecond)
		require.Equal(t, []string{"0s a", "1s a"}, log.get())
		settle(3 * time.Second)
		require.Len(t, log.get(), 2, "the second wait is twice the first")
		stop()
	})
}

// Requests that fail together do not come back together.
func TestLocalExecutorSpreadsRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		again := map[time.Duration]bool{}
		start := time.Now()
		e := dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{Workers: 50, RetryAfter: time.Minute, RetryLimit: time.Minute})
		stop := serve(t, e, func(context.Context, dsr.Job) error {
			if time.Since(start) == 0 {
				return errors.New("no database")
			}
			mu.Lock()
			defer mu.Unlock()
			again[time.Since(start)] = true
			return nil
		})
		for i := range 50 {
			enqueue(t, e, fmt.Sprint(i), 0)
		}
		settle(time.Minute)
		require.Greater(t, len(again), 40)
		stop()
	})
}

func TestLocalExecutorHandlerBreaks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []error
		e := dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{Workers: 1, OnError: func(_ dsr.Job, err error) { told = append(told, err) }})
		runs := 0
		stop := serve(t, e, func(context.Context, dsr.Job) error {
			runs++
			switch runs {
			case 1:
				panic("canary value")
			case 2:
				var list []int
				_ = list[runs]
			case 3:
				runtime.Goexit()
			}
			return nil
		})
		enqueue(t, e, "a", 0)
		settle(time.Hour)
		require.Equal(t, 4, runs)
		require.Len(t, told, 3)
		for _, err := range told[:2] {
			var broken *graph.PanicError
			require.ErrorAs(t, err, &broken)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "canary")
			require.Contains(t, broken.Stack, "TestLocalExecutorHandlerBreaks")
		}
		require.EqualError(t, told[2], "dsr: the handler ended its goroutine; let it return instead")
		stop()
	})
}

func TestLocalExecutorStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newRunLog()
		e := dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{Workers: 1})
		h := func(ctx context.Context, j dsr.Job) error {
			log.add(j.RequestID)
			elapse(20 * time.Second)
			require.NoError(t, ctx.Err())
			log.add("done " + j.RequestID)
			return nil
		}
		stop := serve(t, e, h)
		enqueue(t, e, "a", 0)
		synctest.Wait()
		enqueue(t, e, "b", 0)
		require.EqualError(t, e.Run(t.Context(), h), "dsr: the executor is running already; call Run once")
		stop()
		require.Equal(t, []string{"0s a", "20s done a"}, log.get(), "Run waits for its handlers and starts no other")

		stop = serve(t, e, h)
		synctest.Wait()
		require.Equal(t, "20s b", log.get()[2], "what waited is kept for the next Run")
		stop()

		over, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, e.Enqueue(over, dsr.Job{RequestID: "c"}), context.Canceled)
		require.EqualError(t, e.Enqueue(t.Context(), dsr.Job{}), "dsr: a job must name its request; set RequestID")
		require.NoError(t, e.Run(over, func(context.Context, dsr.Job) error { panic("there is nothing to run") }))
	})
}

func TestLocalExecutorGrace(t *testing.T) {
	t.Parallel()
	type key struct{}
	for _, c := range []struct{ grace, want time.Duration }{
		{0, 30 * time.Second},
		{time.Minute, time.Minute},
		{-1, 0},
	} {
		t.Run(fmt.Sprint(c.grace), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{Grace: c.grace})
				ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
				var ended time.Time
				enqueue(t, e, "a", 0)
				time.AfterFunc(time.Hour, cancel)
				start := time.Now()
				require.NoError(t, e.Run(ctx, func(ctx context.Context, _ dsr.Job) error {
					require.Equal(t, "value", ctx.Value(key{}))
					<-ctx.Done()
					ended = time.Now()
					elapse(time.Hour) // clears up
					return ctx.Err()
				}))
				require.Equal(t, time.Hour+c.want, ended.Sub(start))
				require.Equal(t, 2*time.Hour+c.want, time.Since(start), "Run waits for as long as it takes")
			})
		})
	}
}
