package dsr_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// Two processes share a store: whose time comes is worked on once.
func TestDueTimesFireOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const people = 200
		f := newFleet(t, lettersYAML, letterRows(people, 1))
		f.tune = func(c *dsr.Config) { c.Flow.CoolingOff = 5 * time.Minute }
		first, one := f.engine(t, readPolicy())
		second, two := f.engine(t, readPolicy())
		f.switches["mail"].slowDown(100 * time.Millisecond)
		stopFirst, stopSecond := runEngine(t, first), runEngine(t, second)
		ids := submitAll(t, first, "read", people)
		settle(5*time.Minute - time.Millisecond)
		for _, id := range ids {
			require.Equal(t, dsr.StatusApproved, get(t, first, id).Status)
		}
		require.Zero(t, one.Jobs())
		require.Zero(t, two.Jobs())
		until(t, second, dsr.StatusComplete, 20*time.Second, ids...)
		require.Empty(t, f.store.faults)
		require.Equal(t, names(ids), f.delivery.packages())
		require.Equal(t, map[string]int{"letters": people}, f.dbs["mail"].readCounts())
		for _, id := range ids {
			require.Equal(t, []string{"received", "started", "planned", "collected", "delivered", "completed"}, f.trail(t, id))
			require.Less(t, get(t, first, id).StartedAt.Sub(f.start), 5*time.Minute+20*time.Second)
		}
		settle(time.Minute)
		require.Zero(t, one.Jobs()+two.Jobs())
		stopFirst()
		stopSecond()
	})
}

// What a dead process held is taken when its lease is over, and not before.
func TestLeaseOfADeadProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, lettersYAML, letterRows(1, 5))
		dead := &process{}
		f.tune = func(c *dsr.Config) { c.Store = &dyingStore{f.store, dead} }
		e, _ := f.engine(t, erasePolicy())
		id := submitTo(t, e, "erase", addressOf(0))
		ctx, hit := at(t.Context(), "applied 1", func() { dead.dead.Store(true) })
		_, err := e.Requests().Advance(ctx, id)
		require.ErrorIs(t, err, errKilled)
		require.True(t, *hit)
		rec, err := f.store.Request(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, time.Minute, rec.LeaseUntil.Sub(f.start))

		f.tune = nil
		e, _ = f.engine(t, erasePolicy())
		stop := runEngine(t, e)
		settle(time.Minute - time.Microsecond)
		left, err := f.store.Request(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, rec, left)
		settle(time.Microsecond)
		require.Equal(t, rec.LeaseUntil, get(t, e, id).FinishedAt)
		require.Len(t, f.dbs["mail"].written, 5)
		stop()
	})
}

func TestRunDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, lettersYAML, letterRows(1, 30))
		f.tune = func(c *dsr.Config) { c.Limits.ChunkRows = 1 }
		e, executor := f.engine(t, erasePolicy())
		stop := runEngine(t, e)
		id := submitTo(t, e, "erase", addressOf(0))
		until(t, e, dsr.StatusComplete, time.Second, id) // nothing takes time yet
		f.switches["mail"].slowDown(time.Second)
		id = submitTo(t, e, "erase", addressOf(0))
		settle(10500 * time.Millisecond)
		begun := time.Now()
		stop()
		require.Equal(t, 500*time.Millisecond, time.Since(begun), "it ends with the chunk under way")
		rec, err := f.store.Request(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, dsr.StatusInProcessing, rec.Status)
		require.True(t, rec.LeaseUntil.IsZero(), "the lease is given back")
		require.Zero(t, executor.Jobs())
		applied := f.switches["mail"].applies.Load()
		settle(time.Hour)
		require.Equal(t, applied, f.switches["mail"].applies.Load(), "nothing goes on")

		e, _ = f.engine(t, erasePolicy())
		stop = runEngine(t, e)
		until(t, e, dsr.StatusComplete, 40*time.Second, id)
		require.Len(t, f.dbs["mail"].written, 2*30)
		for _, times := range f.dbs["mail"].written {
			require.Equal(t, 1, times)
		}
		require.Equal(t, int64(2*30), f.switches["mail"].applies.Load())
		require.Equal(t, []string{
			"received", "started", "planned", "collected", "journalled", "erasure begun", "erased", "erased", "completed",
		}, f.trail(t, id))
		stop()
	})
}

// What comes to no stopping place is cut off after the grace.
func TestRunEndsAfterTheGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, lettersYAML, letterRows(1, 2))
		f.tune = func(c *dsr.Config) {
			c.Executor = dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{Grace: 3 * time.Second})
		}
		e, _ := f.engine(t, readPolicy())
		f.switches["mail"].slowDown(100 * time.Second)
		stop := runEngine(t, e)
		id := submitTo(t, e, "read", addressOf(0))
		settle(time.Second)
		begun := time.Now()
		stop()
		require.Equal(t, 3*time.Second, time.Since(begun))
		rec, err := f.store.Request(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, dsr.StatusInProcessing, rec.Status)
		require.True(t, rec.LeaseUntil.IsZero())
		require.Empty(t, rec.Failure)
		stop = runEngine(t, e)
		until(t, e, dsr.StatusComplete, 101*time.Second, id)
		stop()
	})
}

// A long erasure lets others have their turn.
func TestLongErasureLetsOthersGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, lettersYAML, letterRows(4, 200))
		f.tune = func(c *dsr.Config) {
			c.Limits.ChunkRows, c.Slice = 1, 10*time.Second
			c.Executor = dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{Workers: 1})
		}
		e, _ := f.engine(t, readPolicy(), erasePolicy())
		f.switches["mail"].slowDown(time.Second)
		stop := runEngine(t, e)
		long := submitTo(t, e, "erase", addressOf(3))
		settle(5500 * time.Millisecond)
		small := submitAll(t, e, "read", 3)
		until(t, e, dsr.StatusComplete, 10*time.Second, small...)
		require.Equal(t, dsr.StatusInProcessing, get(t, e, long).Status)
		until(t, e, dsr.StatusComplete, 5*time.Minute, long)
		rec, err := f.store.Request(t.Context(), long)
		require.NoError(t, err)
		require.GreaterOrEqual(t, rec.Epoch, int64(200/11))
		require.LessOrEqual(t, rec.Epoch, int64(200/9))
		require.Len(t, f.dbs["mail"].written, 200)
		require.Equal(t, int64(200), f.switches["mail"].applies.Load())
		stop()
	})
}

// A turn that is over before it begins gets something done all the same.
func TestShortestSliceGetsOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, lettersYAML, letterRows(1, 20))
		f.tune = func(c *dsr.Config) { c.Limits.ChunkRows, c.Slice = 1, 1 }
		e, _ := f.engine(t, erasePolicy())
		f.switches["mail"].slowDown(time.Millisecond)
		f.switches["shop"].slowDown(time.Millisecond)
		f.store.lag.Store(int64(time.Millisecond))
		stop := runEngine(t, e)
		id := submitTo(t, e, "erase", addressOf(0))
		until(t, e, dsr.StatusComplete, time.Second, id)
		rec, err := f.store.Request(t.Context(), id)
		require.NoError(t, err)
		require.LessOrEqual(t, rec.Epoch, int64(21+6), "a turn for each chunk and stage")
		stop()
	})
}

// What waits for its time is in the store only, however near that is.
func TestWaitingRequestsAreNotHeldInMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const people = 10_000
		f := newFleet(t, lettersYAML, letterRows(1, 1))
		f.tune = func(c *dsr.Config) { c.Flow.CoolingOff, c.Poll, c.Notifier = time.Minute, time.Hour, nil }
		e, executor := f.engine(t, readPolicy())
		stop := runEngine(t, e)
		for i := range people {
			submitTo(t, e, "read", addressOf(i))
		}
		settle(time.Minute - time.Millisecond)
		require.Zero(t, executor.Jobs())
		require.Less(t, f.store.calls.Load(), int64(people+100), "nobody looks at each")
		stop()
	})
}

func TestSubmitWithoutRunEnqueuesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, lettersYAML, letterRows(20, 1))
		f.tune = func(c *dsr.Config) { c.Executor = nil }
		e, _ := f.engine(t, readPolicy())
		ids := submitAll(t, e, "read", 20)
		require.Zero(t, e.Local().Jobs())
		stop := runEngine(t, e)
		require.Zero(t, until(t, e, dsr.StatusComplete, time.Minute, ids...), "the first look finds them")
		stop()
		submitAll(t, e, "read", 20)
		require.Zero(t, e.Local().Jobs())
	})
}

func TestRunTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, lettersYAML, letterRows(1, 1))
		e, _ := f.engine(t, readPolicy())
		stop := runEngine(t, e)
		require.EqualError(t, e.Run(t.Context()), "dsr: the engine is running already; call Run once")
		id := submitTo(t, e, "read", addressOf(0))
		require.Zero(t, until(t, e, dsr.StatusComplete, time.Minute, id))
		stop()
		stop = runEngine(t, e)
		id = submitTo(t, e, "read", addressOf(0))
		require.Zero(t, until(t, e, dsr.StatusComplete, time.Minute, id))
		stop()
	})
}

// What will be due soon is noticed also while the look-out looks.
func TestDueTimeDuringALook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, lettersYAML, letterRows(1, 1))
		f.tune = func(c *dsr.Config) { c.Flow.CoolingOff, c.Poll = 2*time.Second, time.Hour }
		e, _ := f.engine(t, readPolicy())
		f.store.lag.Store(int64(2 * time.Second))
		stop := runEngine(t, e)
		settle(3 * time.Second) // it has found nothing, and does not know it yet
		id := submitTo(t, e, "read", addressOf(0))
		settle(time.Second)
		f.store.lag.Store(0)
		until(t, e, dsr.StatusComplete, 5*time.Second, id)
		require.Equal(t, 5*time.Second, get(t, e, id).StartedAt.Sub(f.start))
		stop()
	})
}

// Timers are those of the machine, also where the clock is the host's own.
func TestRunWithAnotherClock(t *testing.T) {
	t.Parallel()
	for _, years := range []int{-30, 30} {
		t.Run(fmt.Sprint(years, " years"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, lettersYAML, letterRows(4, 1))
				f.tune = func(c *dsr.Config) {
					c.Clock = func() time.Time { return time.Now().AddDate(years, 0, 0) }
					c.Flow.CoolingOff = 30 * time.Second
				}
				e, _ := f.engine(t, readPolicy())
				stop := runEngine(t, e)
				f.switches["mail"].fail(context.DeadlineExceeded)
				ids := submitAll(t, e, "read", 4)
				settle(2 * time.Minute)
				for _, id := range ids {
					require.NotNil(t, get(t, e, id).Waiting)
					require.Less(t, get(t, e, id).DueAt.Sub(time.Now().AddDate(years, 0, 0)), 8*time.Minute)
				}
				f.switches["mail"].fail(nil)
				until(t, e, dsr.StatusComplete, 8*time.Minute, ids...)
				stop()
			})
		})
	}
}

// Who waits for another request of the same data subject is not asked for
// without end.
func TestBlockedRequestsCostLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, lettersYAML, letterRows(1, 1))
		e, executor := f.engine(t, readPolicy())
		f.switches["mail"].fail(context.DeadlineExceeded)
		stop := runEngine(t, e)
		first := submitTo(t, e, "read", addressOf(0))
		settle(time.Second)
		var blocked []string
		for range 20 {
			blocked = append(blocked, submitTo(t, e, "read", addressOf(0)))
		}
		settle(time.Second)
		before := f.store.calls.Load()
		settle(5 * time.Minute)
		// A look each five seconds, two reads for each that is blocked, and
		// what the first one itself does.
		require.LessOrEqual(t, f.store.calls.Load()-before, int64(60*(2+20*2)+200))
		require.Zero(t, executor.Jobs())
		for _, id := range blocked {
			require.Equal(t, dsr.StatusApproved, get(t, e, id).Status)
		}
		f.switches["mail"].fail(nil)
		until(t, e, dsr.StatusComplete, 8*time.Minute, append(slices.Clone(blocked), first)...)
		require.Equal(t, 1, f.store.most)
		stop()
	})
}
