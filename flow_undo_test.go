package dsr_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

func TestResubmit(t *testing.T) {
	t.Parallel()
	t.Run("after an error", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t, dsr.Flow{Approval: true}, nil)
		o.submitted(t, submission("both", "ada@example.com"))
		o.done(t, o.Approve, "r1", dsr.StatusApproved)
		o.db().fail("visits", errors.New("no such column"))
		_, err := o.Advance(t.Context(), "r1")
		require.Error(t, err)
		require.NotEmpty(t, o.spool.left(t))
		o.clock.add(time.Hour)
		req := o.done(t, o.Resubmit, "r1", dsr.StatusPending)
		require.Equal(t, []any{dsr.StagePlan, "", time.Time{}, time.Time{}, time.Time{}, begin}, []any{
			req.Stage, req.Failure, req.ReviewedAt, req.StartedAt, req.FailedAt, req.CreatedAt,
		})
		require.Empty(t, req.Collections)
		require.Empty(t, o.spool.left(t))
		rec, err := o.store.Request(t.Context(), "r1")
		require.NoError(t, err)
		require.Len(t, rec.Keys, 1)
		require.Contains(t, rec.Keys, "identity")
		require.Empty(t, rec.Plan)

		o.db().fail("visits", nil)
		o.done(t, o.Approve, "r1", dsr.StatusApproved)
		require.NoError(t, o.check(t, o.advanced(t, "r1", dsr.StatusComplete)))
		require.Equal(t, map[string]int{"customers": 2, "orders": 2, "visits": 2}, o.db().readCounts())
	})
	for _, point := range []string{"collected shop:customers", "at deliver", "delivered access", "at journal", "before erase"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, dsr.Flow{}, nil)
			o.submitted(t, submission("both", "ada@example.com"))
			o.interrupted(t, point, func() { o.done(t, o.Resubmit, "r1", dsr.StatusApproved) })
			require.Zero(t, o.db().applied())
			chunks, err := o.store.Journal(t.Context(), "r1", 0, 0)
			require.NoError(t, err)
			require.Empty(t, chunks)
			require.NoError(t, o.check(t, o.advanced(t, "r1", dsr.StatusComplete)))
		})
	}
	for _, point := range []string{"at erase", "applied 1", "before done"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, dsr.Flow{}, nil)
			o.submitted(t, submission("both", "ada@example.com"))
			ctx, hit := at(t.Context(), point, func() {
				const begun = "its erasure has begun and must be finished"
				o.refused(t, o.Resubmit, "r1", dsr.ErrConflict, "dsr: cannot resubmit request r1: "+begun)
				o.refused(t, o.Cancel, "r1", dsr.ErrConflict, "dsr: cannot cancel request r1: "+begun)
				o.refused(t, o.Delete, "r1", dsr.ErrConflict, "dsr: cannot delete request r1: "+begun+" before it can be deleted")
			})
			req, err := o.Advance(ctx, "r1")
			require.NoError(t, err)
			require.True(t, *hit)
			require.NoError(t, o.check(t, req))
			o.refused(t, o.Resubmit, "r1", dsr.ErrConflict, "dsr: cannot resubmit request r1: it is complete; resubmit takes a request that is not requires_manual_finalization or complete")
		})
	}
	t.Run("after its end", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t, dsr.Flow{Approval: true}, nil)
		o.submitted(t, submission("access", "ada@example.com"))
		o.done(t, o.Deny, "r1", dsr.StatusDenied)
		req := o.done(t, o.Resubmit, "r1", dsr.StatusPending)
		require.Zero(t, req.FinishedAt)
		require.Equal(t, dsr.StagePlan, req.Stage)
		o.done(t, o.Cancel, "r1", dsr.StatusCanceled)
		o.done(t, o.Resubmit, "r1", dsr.StatusPending)
		o.done(t, o.Approve, "r1", dsr.StatusApproved)
		o.advanced(t, "r1", dsr.StatusComplete)
		require.Equal(t, []string{"received", "denied", "resubmitted", "canceled", "resubmitted", "approved", "started"}, o.actions(t, "r1")[:7])
		o.sound(t)
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) { c.Retention = dsr.Retention{Requests: 24 * time.Hour} })
	o.submitted(t, submission("both", "ada@example.com"))
	o.submitted(t, submission("access", "bob@example.com"))
	o.clock.add(time.Minute)
	req := o.done(t, o.Delete, "r1", dsr.StatusApproved)
	require.Equal(t, begin.Add(time.Minute), req.DeletedAt)
	require.Equal(t, begin.Add(24*time.Hour+time.Minute), req.DueAt)

	for deleted, want := range map[bool][]string{false: {"r2"}, true: {"r1", "r2"}} {
		page, err := o.List(t.Context(), dsr.Filter{Deleted: deleted, Total: true})
		require.NoError(t, err)
		require.Equal(t, want, ids(page.Requests))
		require.Equal(t, int64(len(want)), page.Total)
		n, err := o.Count(t.Context(), dsr.Filter{Deleted: deleted})
		require.NoError(t, err)
		require.Equal(t, int64(len(want)), n)
	}
	found, err := o.FindByIdentity(t.Context(), "email", "ada@example.com")
	require.NoError(t, err)
	require.Empty(t, found)

	for name, verb := range map[string]dsr.Verb{
		"send code": o.SendCode, "answer pre-approval": o.preApprove("x", true), "approve": o.Approve, "deny": o.Deny, "pause": o.Pause,
		"resume": o.Resume, "retry": o.Retry, "finalize": o.Finalize, "cancel": o.Cancel, "resubmit": o.Resubmit, "delete": o.Delete,
	} {
		o.refused(t, verb, "r1", dsr.ErrDeleted, "dsr: cannot "+phrase(name)+" request r1: it was deleted on 2030-01-02")
	}
	commits := o.commits.Load()
	o.advanced(t, "r1", dsr.StatusApproved)
	require.Equal(t, commits, o.commits.Load())
	require.Empty(t, o.db().readCounts())

	o.clock.add(24 * time.Hour)
	_, err = o.Advance(t.Context(), "r1")
	require.NoError(t, err)
	_, err = o.Get(t.Context(), "r1")
	require.ErrorIs(t, err, dsr.ErrNotFound)
	require.Equal(t, []string{"received policy=both", "deleted by clerk-7", "expired request=gone"}, o.trail(t, "r1"))
	o.sound(t)
}

func TestDeleteStopsARun(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"collected shop:customers", "before deliver", "delivered access", "at journal", "before erase"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, dsr.Flow{}, nil)
			o.submitted(t, submission("both", "ada@example.com"))
			o.interrupted(t, point, func() { o.done(t, o.Delete, "r1", dsr.StatusInProcessing) })
			require.Zero(t, o.db().applied())
			chunks, err := o.store.Journal(t.Context(), "r1", 0, 0)
			require.NoError(t, err)
			require.Empty(t, chunks)
			rec, err := o.store.Request(t.Context(), "r1")
			require.NoError(t, err)
			require.Len(t, rec.Keys, 1)
			require.Contains(t, rec.Keys, "identity")
			o.advanced(t, "r1", dsr.StatusInProcessing)
			require.Zero(t, o.db().applied())
		})
	}
}

func TestCancelWhereverARequestStands(t *testing.T) {
	t.Parallel()
	down := func(t *testing.T, o *office) { o.db().fail("visits", dsr.ErrUnavailable) }
	for _, c := range []struct {
		status  dsr.Status
		flow    dsr.Flow
		arrange func(t *testing.T, o *office)
		refused string
	}{
		{status: dsr.StatusUnverified, flow: verifying},
		{status: dsr.StatusPending, flow: dsr.Flow{Approval: true}},
		{status: dsr.StatusAwaitingPreApproval, flow: dsr.Flow{PreApproval: []string{"a"}}},
		{status: dsr.StatusNotEligible, flow: dsr.Flow{PreApproval: []string{"a"}}, arrange: func(t *testing.T, o *office) {
			o.done(t, o.preApprove("a", false), "r1", dsr.StatusNotEligible)
		}},
		{status: dsr.StatusApproved},
		{status: dsr.StatusPaused, arrange: func(t *testing.T, o *office) { o.done(t, o.Pause, "r1", dsr.StatusPaused) }},
		{status: dsr.StatusInProcessing, arrange: func(t *testing.T, o *office) {
			down(t, o)
			o.advanced(t, "r1", dsr.StatusInProcessing)
		}},
		{status: dsr.StatusError, arrange: func(t *testing.T, o *office) {
			o.db().fail("visits", errors.New("no"))
			_, err := o.Advance(t.Context(), "r1")
			require.Error(t, err)
		}},
		{status: dsr.StatusRequiresFinalization, flow: dsr.Flow{Finalization: true}, arrange: func(t *testing.T, o *office) {
			o.advanced(t, "r1", dsr.StatusRequiresFinalization)
		}, refused: "its erasure has begun and must be finished"},
		{status: dsr.StatusComplete, arrange: func(t *testing.T, o *office) { o.advanced(t, "r1", dsr.StatusComplete) },
			refused: "it is complete; cancel takes a request that is not complete, denied or canceled"},
		{status: dsr.StatusDenied, flow: dsr.Flow{Approval: true}, arrange: by((*dsr.Requests).Deny),
			refused: "it is denied; cancel takes a request that is not complete, denied or canceled"},
	} {
		t.Run(string(c.status), func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, c.flow, nil)
			o.submitted(t, submission("both", "ada@example.com"))
			if c.arrange != nil {
				c.arrange(t, o)
			}
			o.requireStatus(t, "r1", c.status)
			if c.refused != "" {
				o.refused(t, o.Cancel, "r1", dsr.ErrConflict, "dsr: cannot cancel request r1: "+c.refused)
				return
			}
			o.clock.add(time.Minute)
			req := o.done(t, o.Cancel, "r1", dsr.StatusCanceled)
			require.Equal(t, []any{begin.Add(time.Minute), time.Time{}, dsr.StageDone}, []any{req.FinishedAt, req.DueAt, req.Stage})
			require.Nil(t, req.Waiting)
			require.Empty(t, o.spool.left(t))
			commits := o.commits.Load()
			o.done(t, o.Cancel, "r1", dsr.StatusCanceled)
			o.advanced(t, "r1", dsr.StatusCanceled)
			require.Equal(t, commits, o.commits.Load())
			trail := o.trail(t, "r1")
			require.Equal(t, "canceled by clerk-7", trail[len(trail)-1])
			require.Zero(t, o.db().applied())
			found, err := o.FindByIdentity(t.Context(), "email", "ada@example.com")
			require.NoError(t, err)
			require.Equal(t, []string{"r1"}, ids(found))
		})
	}
}

// Verbs that are applied at the same time are applied one after another.
func TestManyDecideAtOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	verbs := []dsr.Verb{o.Approve, o.Deny, o.Cancel}
	errs := make(chan error)
	for i := range 21 {
		go func() {
			_, err := verbs[i%3](t.Context(), "r1", clerk)
			errs <- err
		}()
	}
	for range 21 {
		if err := <-errs; err != nil {
			require.ErrorIs(t, err, dsr.ErrConflict)
		}
	}
	o.sound(t)
	actions := o.actions(t, "r1")
	require.Equal(t, "received", actions[0])
	switch len(actions) {
	case 2:
		require.Contains(t, []string{"denied", "canceled"}, actions[1])
	case 3:
		require.Equal(t, []string{"approved", "canceled"}, actions[1:])
	default:
		require.Fail(t, "what was decided", actions)
	}
}

// A verb on a request that is being advanced does not wait for the lease.
func TestVerbsDoNotWaitForRuns(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	o.submitted(t, submission("both", "ada@example.com"))
	ctx, hit := at(t.Context(), "at journal", func() {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := o.Cancel(ctx, "r1", clerk)
		require.NoError(t, err)
	})
	_, err := o.Advance(ctx, "r1")
	require.ErrorIs(t, err, dsr.ErrConflict)
	require.True(t, *hit)
	for name, rows := range eraseShopRows() {
		for i, r := range rows {
			require.Equal(t, normal(t, r), o.db().Rows(name)[i])
		}
	}
}
