package dsr_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// coolingOffice is one with real time, which the test's bubble makes up, and
// processes that run it, until stop is called.
func coolingOffice(t *testing.T, flow dsr.Flow, processes int) (o *office, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	run := func(e *dsr.Engine) {
		go func() { ended <- e.Run(ctx) }()
	}
	o = newOffice(t, flow, func(c *dsr.Config) {
		c.Clock, c.Poll = time.Now, time.Minute
		c.Executor = dsr.NewLocalExecutor(nil)
	})
	run(o.engine)
	for range processes - 1 {
		c := o.config
		c.Executor = dsr.NewLocalExecutor(nil)
		run(newEngine(t, c))
	}
	return o, func() {
		cancel()
		for range processes {
			require.NoError(t, <-ended)
		}
	}
}

func TestCoolingOffStartsAtItsTimeAndOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		cooling   time.Duration
		processes int
	}{
		{"minutes", 7*time.Minute + time.Microsecond, 1},
		{"beyond the executor's horizon", 26 * time.Hour, 1},
		{"two processes", 3 * time.Hour, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, stop := coolingOffice(t, dsr.Flow{Approval: true, CoolingOff: c.cooling}, c.processes)
				defer stop()
				o.submitted(t, submission("both", "ada@example.com"))
				<-time.After(time.Hour)
				o.requireStatus(t, "r1", dsr.StatusPending)
				approved := time.Now().UTC()
				req := o.done(t, o.Approve, "r1", dsr.StatusApproved)
				require.Equal(t, approved.Add(c.cooling), req.DueAt)
				<-time.After(c.cooling - time.Nanosecond)
				synctest.Wait()
				require.Empty(t, o.db().readCounts())
				o.requireStatus(t, "r1", dsr.StatusApproved)
				<-time.After(time.Nanosecond)
				<-time.After(time.Minute)
				req = o.requireStatus(t, "r1", dsr.StatusComplete)
				require.NoError(t, o.check(t, req))
				require.Equal(t, approved.Add(c.cooling), req.StartedAt)
				commits := o.commits.Load()
				<-time.After(48 * time.Hour)
				require.Equal(t, commits, o.commits.Load(), "nothing comes after the end")
				started := 0
				for _, action := range o.actions(t, "r1") {
					if action == "started" {
						started++
					}
				}
				require.Equal(t, 1, started)
			})
		})
	}
}

func TestWithdrawnWhileItCoolsOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, stop := coolingOffice(t, dsr.Flow{CoolingOff: time.Hour}, 1)
		defer stop()
		o.submitted(t, submission("both", "ada@example.com"))
		<-time.After(59*time.Minute + 59*time.Second)
		req := o.done(t, o.Cancel, "r1", dsr.StatusCanceled)
		require.Zero(t, req.DueAt)
		<-time.After(24 * time.Hour)
		require.Empty(t, o.db().readCounts())
		require.Equal(t, []string{"received", "canceled"}, o.actions(t, "r1"))
		require.Equal(t, []string{"r1 received", "r1 canceled"}, o.notices())
	})
}

// A pause does not stop the clock of the cooling-off time; to resubmit starts it
// anew.
func TestPauseAndResubmitWhileItCoolsOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		resumed, started time.Duration
	}{
		{"resumed before", 50 * time.Minute, time.Hour},
		{"resumed after", 3 * time.Hour, 3 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, stop := coolingOffice(t, dsr.Flow{CoolingOff: time.Hour}, 1)
				defer stop()
				start := time.Now().UTC()
				o.submitted(t, submission("access", "ada@example.com"))
				<-time.After(10 * time.Minute)
				require.Zero(t, o.done(t, o.Pause, "r1", dsr.StatusPaused).DueAt)
				<-time.After(c.resumed - 10*time.Minute)
				require.Equal(t, start.Add(time.Hour), o.done(t, o.Resume, "r1", dsr.StatusApproved).DueAt)
				<-time.After(2 * time.Hour)
				require.Equal(t, start.Add(c.started), o.requireStatus(t, "r1", dsr.StatusComplete).StartedAt)
			})
		})
	}
	t.Run("resubmitted", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			o, stop := coolingOffice(t, dsr.Flow{CoolingOff: time.Hour}, 1)
			defer stop()
			start := time.Now().UTC()
			o.submitted(t, submission("access", "ada@example.com"))
			<-time.After(40 * time.Minute)
			o.done(t, o.Resubmit, "r1", dsr.StatusApproved)
			<-time.After(59 * time.Minute)
			o.requireStatus(t, "r1", dsr.StatusApproved)
			<-time.After(time.Hour)
			require.Equal(t, start.Add(100*time.Minute), o.requireStatus(t, "r1", dsr.StatusComplete).StartedAt)
		})
	})
}

// Retention is carried out by whoever runs the engine, each rule at its time
// and once.
func TestRunCarriesOutRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
			c.Clock, c.Poll = time.Now, time.Minute
			c.Retention = dsr.Retention{Journals: time.Hour, Logs: 2 * time.Hour, Identities: 30 * time.Hour, Requests: 50 * time.Hour}
		})
		ended := make(chan error)
		go func() { ended <- o.engine.Run(ctx) }()
		start := time.Now().UTC()
		o.submitted(t, submission("both", "ada@example.com"))
		<-time.After(100 * time.Hour)
		_, err := o.Get(t.Context(), "r1")
		require.ErrorIs(t, err, dsr.ErrNotFound)
		var expired []string
		for entry, err := range o.engine.Audit().Entries(t.Context(), "r1") {
			require.NoError(t, err)
			if entry.Action == "expired" {
				for thing := range entry.Details {
					expired = append(expired, thing+" "+entry.Time.Sub(start).String())
				}
			}
		}
		require.Equal(t, []string{"journal 1h0m0s", "log 2h0m0s", "identities 30h0m0s", "request 50h0m0s"}, expired)
		cancel()
		require.NoError(t, <-ended)
	})
}

// What waits for a connection goes on at its very time, and once.
func TestWaitEndsAtItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, stop := coolingOffice(t, dsr.Flow{}, 2)
		defer stop()
		o.db().fail("visits", dsr.ErrUnavailable)
		o.submitted(t, submission("both", "ada@example.com"))
		<-time.After(2 * time.Second) // three tries at once, then the request waits
		synctest.Wait()
		req := o.requireStatus(t, "r1", dsr.StatusInProcessing)
		require.NotNil(t, req.Waiting)
		require.Equal(t, 1, req.Waiting.Tries)
		require.Equal(t, req.DueAt, req.Waiting.Until)
		require.Equal(t, req.DueAt, req.DueAt.Truncate(time.Microsecond))
		reads := o.db().readCounts()["visits"]
		o.db().fail("visits", nil)
		<-time.After(time.Until(req.DueAt) - time.Nanosecond)
		synctest.Wait()
		require.Equal(t, reads, o.db().readCounts()["visits"])
		<-time.After(time.Nanosecond)
		synctest.Wait()
		require.Equal(t, reads+1, o.db().readCounts()["visits"])
		<-time.After(time.Minute)
		require.NoError(t, o.check(t, o.requireStatus(t, "r1", dsr.StatusComplete)))
		for entry, err := range o.engine.Audit().Entries(t.Context(), "r1") {
			require.NoError(t, err)
			if entry.Action == "going on" {
				require.Equal(t, req.DueAt, entry.Time)
			}
		}
		require.Contains(t, o.actions(t, "r1"), "going on")
	})
}
