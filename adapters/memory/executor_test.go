package memory_test

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
	"github.com/godsr/dsr/adapters/memory"
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

// serve runs an executor in a bubble until the returned function is called.
func serve(t *testing.T, e *memory.Executor, h dsr.Handler) (stop func()) {
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

func enqueue(t *testing.T, e *memory.Executor, id string, runAt time.Time) {
	t.Helper()
	require.NoError(t, e.Enqueue(t.Context(), dsr.Job{RequestID: id, RunAt: runAt}))
}

func TestExecutorRunsWhenDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newRunLog()
		e := memory.NewExecutor(&memory.ExecutorOptions{Workers: 1})
		enqueue(t, e, "later", time.Now().Add(72*time.Hour))
		enqueue(t, e, "soon", time.Now().Add(time.Minute))
		enqueue(t, e, "now", time.Time{})
		enqueue(t, e, "past", time.Now().Add(-time.Hour))
		synctest.Wait()
		require.Empty(t, log.get(), "nothing starts before Run")
		stop := serve(t, e, func(_ context.Context, j dsr.Job) error {
			log.add(j.RequestID)
			return nil
		})
		synctest.Wait()
		require.Equal(t, []string{"0s now", "0s past"}, log.get())
		enqueue(t, e, "sooner", time.Now().Add(time.Second))
		settle(100 * time.Hour)
		require.Equal(t, []string{"0s now", "0s past", "1s sooner", "1m0s soon", "72h0m0s later"}, log.get())
		stop()
	})
}

func TestExecutorMergesWaitingJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newRunLog()
		e := memory.NewExecutor(nil)
		enqueue(t, e, "a", time.Now().Add(time.Hour))
		enqueue(t, e, "a", time.Now().Add(time.Minute))
		enqueue(t, e, "a", time.Now().Add(2*time.Hour))
		enqueue(t, e, "b", time.Time{})
		enqueue(t, e, "b", time.Time{})
		stop := serve(t, e, func(_ context.Context, j dsr.Job) error {
			log.add(j.RequestID)
			return nil
		})
		settle(24 * time.Hour)
		require.Equal(t, []string{"0s b", "1m0s a"}, log.get())
		enqueue(t, e, "c", time.Now().Add(time.Hour))
		synctest.Wait()
		enqueue(t, e, "c", time.Time{}) // while the executor waits for c
		synctest.Wait()
		require.Equal(t, []string{"0s b", "1m0s a", "24h0m0s c"}, log.get())
		stop()
	})
}

func TestExecutorRunsAgainWhatWasAskedForMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newRunLog()
		e := memory.NewExecutor(nil)
		stop := serve(t, e, func(_ context.Context, j dsr.Job) error {
			log.add("start " + j.RequestID)
			elapse(time.Minute)
			log.add("end " + j.RequestID)
			return nil
		})
		enqueue(t, e, "a", time.Time{})
		settle(10 * time.Second)
		for range 3 {
			enqueue(t, e, "a", time.Time{})
		}
		settle(time.Hour)
		require.Equal(t, []string{"0s start a", "1m0s end a", "1m0s start a", "2m0s end a"}, log.get())

		enqueue(t, e, "a", time.Time{})
		synctest.Wait()
		enqueue(t, e, "a", time.Now().Add(10*time.Minute))
		enqueue(t, e, "a", time.Now().Add(5*time.Minute))
		settle(2 * time.Minute)
		require.Len(t, log.get(), 6, "the second run waits for its time")
		settle(time.Hour)
		require.Len(t, log.get(), 8)
		require.Equal(t, "1h5m10s start a", log.get()[6])
		stop()
	})
}

func TestExecutorLimitsWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newRunLog()
		e := memory.NewExecutor(&memory.ExecutorOptions{Workers: 2})
		for i := range 5 {
			enqueue(t, e, fmt.Sprint(i), time.Time{})
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

func TestExecutorRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newRunLog()
		failure := errors.New("no database")
		var told []error
		e := memory.NewExecutor(&memory.ExecutorOptions{
			RetryAfter: time.Second, RetryLimit: 5 * time.Second,
			OnError: func(j dsr.Job, err error) {
				require.Equal(t, "a", j.RequestID)
				told = append(told, err)
			},
		})
		runs := 0
		stop := serve(t, e, func(_ context.Context, j dsr.Job) error {
			log.add(j.RequestID)
			runs++
			if runs == 6 || runs == 8 {
				return nil
			}
			return failure
		})
		enqueue(t, e, "a", time.Time{})
		settle(time.Hour)
		require.Equal(t, []string{"0s a", "1s a", "3s a", "7s a", "12s a", "17s a"}, log.get())
		require.Equal(t, []error{failure, failure, failure, failure, failure}, told)

		enqueue(t, e, "a", time.Time{})
		settle(time.Hour)
		require.Equal(t, []string{"1h0m0s a", "1h0m1s a"}, log.get()[6:], "a success starts the back-off anew")
		stop()
	})
}

func TestExecutorHandlerBreaks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []error
		e := memory.NewExecutor(&memory.ExecutorOptions{Workers: 1, OnError: func(_ dsr.Job, err error) { told = append(told, err) }})
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
		enqueue(t, e, "a", time.Time{})
		settle(time.Hour)
		require.Equal(t, 4, runs)
		require.Len(t, told, 3)
		var broken *memory.PanicError
		require.ErrorAs(t, told[0], &broken)
		require.EqualError(t, broken, "memory: the handler panicked with a string")
		require.Equal(t, "canary value", broken.Value)
		require.Contains(t, string(broken.Stack), "TestExecutorHandlerBreaks")
		require.EqualError(t, told[1], "memory: the handler panicked: runtime error: index out of range [2] with length 0")
		require.EqualError(t, told[2], "memory: the handler ended its goroutine")
		stop()
	})
}

func TestExecutorStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newRunLog()
		e := memory.NewExecutor(&memory.ExecutorOptions{Workers: 1})
		h := func(ctx context.Context, j dsr.Job) error {
			log.add(j.RequestID)
			<-ctx.Done()
			elapse(time.Minute) // clears up
			log.add("cleared " + j.RequestID)
			return nil
		}
		stop := serve(t, e, h)
		enqueue(t, e, "a", time.Time{})
		synctest.Wait()
		enqueue(t, e, "b", time.Time{})
		require.EqualError(t, e.Run(t.Context(), h), "memory: the executor is running already")
		stop()
		require.Equal(t, []string{"0s a", "1m0s cleared a"}, log.get(), "Run waits for its handlers and starts no other")

		stop = serve(t, e, h)
		synctest.Wait()
		require.Equal(t, "1m0s b", log.get()[2], "what waited is kept for the next Run")
		stop()

		over, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, e.Enqueue(over, dsr.Job{RequestID: "c"}), context.Canceled)
		require.EqualError(t, e.Enqueue(t.Context(), dsr.Job{}), "memory: a job must name its request")
	})
}
