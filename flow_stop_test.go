package dsr_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// runPoints are where a run of the policy both can be stopped.
var runPoints = []string{
	"collected shop:customers", "before deliver", "at deliver", "delivered access", "before journal", "at journal",
	"before erase", "at erase", "before apply 1", "applied 1", "ticked 1", "before finish", "before done",
}

// interrupted advances r1 and calls do at a point of it: the run must stop and
// change nothing more of what is stored.
func (o *office) interrupted(t testing.TB, point string, do func()) {
	t.Helper()
	var after *dsr.Record
	var commits int64
	ctx, hit := at(t.Context(), point, func() {
		do()
		var err error
		after, err = o.store.Request(t.Context(), "r1")
		require.NoError(t, err)
		commits = o.commits.Load()
	})
	req, err := o.Advance(ctx, "r1")
	require.True(t, *hit)
	require.Nil(t, req)
	require.ErrorIs(t, err, dsr.ErrConflict)
	require.Equal(t, commits, o.commits.Load())
	rec, err := o.store.Request(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, after, rec)
	require.Zero(t, rec.LeaseUntil)
}

func TestPauseStopsARunWhereverItIs(t *testing.T) {
	t.Parallel()
	for _, point := range runPoints {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, dsr.Flow{}, nil)
			o.submitted(t, submission("both", "ada@example.com"))
			o.interrupted(t, point, func() {
				require.Zero(t, o.done(t, o.Pause, "r1", dsr.StatusPaused).DueAt)
			})
			// It stays paused, whoever looks at it.
			commits, reads, applies := o.commits.Load(), o.db().readCounts(), o.db().applied()
			o.clock.add(time.Hour)
			o.advanced(t, "r1", dsr.StatusPaused)
			o.refused(t, o.Pause, "r1", dsr.ErrConflict, "dsr: cannot pause request r1: it is paused; pause takes a request that is approved or in_processing")
			require.Equal(t, commits, o.commits.Load())
			require.Equal(t, reads, o.db().readCounts())
			require.Equal(t, applies, o.db().applied())

			require.Equal(t, o.clock.Now(), o.done(t, o.Resume, "r1", dsr.StatusInProcessing).DueAt)
			require.NoError(t, o.check(t, o.advanced(t, "r1", dsr.StatusComplete)))
			trail := o.trail(t, "r1")
			require.Contains(t, trail, "paused by clerk-7")
			require.Contains(t, trail, "resumed by clerk-7")
			o.sound(t)
		})
	}
}

// Paused again and again, at every point in turn, a request still masks each
// value once.
func TestPausedAtEveryPoint(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	o.submitted(t, submission("both", "ada@example.com"))
	for _, point := range []string{"collected shop:customers", "at deliver", "at journal", "at erase", "applied 1", "before finish"} {
		o.interrupted(t, point, func() { o.done(t, o.Pause, "r1", dsr.StatusPaused) })
		o.done(t, o.Resume, "r1", dsr.StatusInProcessing)
	}
	require.NoError(t, o.check(t, o.advanced(t, "r1", dsr.StatusComplete)))
}

func TestResumeOfWhatNeedsAPerson(t *testing.T) {
	t.Parallel()
	yaml := wide(coll("people", "id: primary_key: true", "email: identity: email", "boss: "+ref("people.id", "from")))
	var people []row
	for i := range 20 {
		people = append(people, row{"id": i + 1, "boss": i})
	}
	people[0]["email"] = "ada@example.com"
	w := shop(t, yaml, map[string][]row{"people": people}, nil)
	c := w.config(nil, policy(accessRule()))
	c.Limits.CycleRounds = 5
	e := newEngine(t, c)
	submit(t, e, "email", "ada@example.com")
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	const why = "shop:people: the cycle still found new values after 5 rounds; raise the limit, or break the cycle in the datasets"
	require.Equal(t, []any{dsr.StatusRequiresInput, why, time.Time{}}, []any{req.Status, req.Failure, req.DueAt})
	require.Equal(t, dsr.Notice{Kind: dsr.NoticeInput, RequestID: "r1", Policy: "p", Message: why}, stripped(w.notifier.Notices()[1]))
	// Nothing changed: it stops there again.
	for range 2 {
		req, err = e.Requests().Resume(t.Context(), "r1", clerk)
		require.NoError(t, err)
		require.Equal(t, dsr.StatusInProcessing, req.Status)
		require.Empty(t, req.Failure)
		req, err = e.Requests().Advance(t.Context(), "r1")
		require.NoError(t, err)
		require.Equal(t, dsr.StatusRequiresInput, req.Status)
	}
	c.Limits.CycleRounds = 50
	e = newEngine(t, c)
	_, err = e.Requests().Resume(t.Context(), "r1", clerk)
	require.NoError(t, err)
	req, err = e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Equal(t, int64(20), outcome(t, req, "shop:people").Rows)
}

func TestRetryGoesOn(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	o.submitted(t, submission("both", "ada@example.com"))
	o.refused(t, o.Retry, "r1", dsr.ErrConflict, "dsr: cannot retry request r1: it is approved; retry takes a request that is error")
	o.db().fail("visits", errors.New("no such column"))
	o.clock.add(time.Minute)
	for range 2 {
		req, err := o.Advance(t.Context(), "r1")
		require.ErrorContains(t, err, "dsr: request r1 failed at stage collect: collecting failed: shop:visits: no such column")
		require.Equal(t, dsr.StatusError, req.Status)
		require.Equal(t, begin.Add(time.Minute), req.FailedAt)
		require.Equal(t, "collecting failed: shop:visits: no such column", req.Failure)
		require.Zero(t, req.DueAt)
	}
	o.refused(t, o.Resume, "r1", dsr.ErrConflict, "dsr: cannot resume request r1: it is error; resume takes a request that is requires_input, pending_external, awaiting_email_send or paused")
	o.db().fail("visits", nil)
	o.clock.add(time.Minute)
	req := o.done(t, o.Retry, "r1", dsr.StatusInProcessing)
	require.Empty(t, req.Failure)
	require.NoError(t, o.check(t, o.advanced(t, "r1", dsr.StatusComplete)))
	require.Equal(t, map[string]int{"customers": 1, "orders": 1, "visits": 2}, o.db().readCounts())
	require.Equal(t, begin.Add(time.Minute), o.get(t, "r1").FailedAt, "that it failed once stays told")
}
