package dsr_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

func TestApproval(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, nil)
	req := o.submitted(t, submission("both", "ada@example.com"))
	require.Equal(t, dsr.StatusPending, req.Status)
	o.advanced(t, "r1", dsr.StatusPending)
	require.Empty(t, o.db().readCounts())
	o.clock.add(time.Minute)
	req = o.done(t, o.Approve, "r1", dsr.StatusApproved)
	require.Equal(t, begin.Add(time.Minute), req.ReviewedAt)
	require.Equal(t, begin.Add(time.Minute), req.DueAt)
	o.refused(t, o.Approve, "r1", dsr.ErrConflict,
		"dsr: cannot approve request r1: it is approved; approve takes a request that is duplicate, awaiting_pre_approval, pre_approval_not_eligible or pending")
	require.NoError(t, o.check(t, o.advanced(t, "r1", dsr.StatusComplete)))
	o.refused(t, o.Deny, "r1", dsr.ErrConflict,
		"dsr: cannot deny request r1: it is complete; deny takes a request that is duplicate, awaiting_pre_approval, pre_approval_not_eligible or pending")
	require.Equal(t, []string{"r1 received", "r1 approved", "r1 complete r1.json"}, o.notices())
}

// A policy may have a flow of its own.
func TestFlowsOfPolicies(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, func(c *dsr.Config) {
		c.Flows = map[string]dsr.Flow{"access": {}, "both": {PreApproval: []string{"fraud"}}}
	})
	require.Equal(t, dsr.StatusApproved, o.submitted(t, submission("access", "ada@example.com")).Status)
	require.Equal(t, dsr.StatusPending, o.submitted(t, submission("erase", "ada@example.com")).Status)
	require.Equal(t, dsr.StatusAwaitingPreApproval, o.submitted(t, submission("both", "ada@example.com")).Status)
}

func TestFaultsOfFlowsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	c := o.config
	c.Notifier = nil
	c.Flow = dsr.Flow{VerifyIdentity: true, CoolingOff: -1, Timeframe: -1, PreApproval: []string{"a", " ", "a"}}
	c.Flows = map[string]dsr.Flow{"x": {Timeframe: -1}, "access": {CoolingOff: -1}}
	c.Retention = dsr.Retention{Unverified: -1, Collected: -1, Journals: -1, Packages: -1, Identities: -1, Logs: -1, Requests: -1}
	_, err := dsr.New(c)
	require.EqualError(t, err, `dsr: the configuration has 15 fault(s):
	Flow: VerifyIdentity needs a Notifier that sends the code to the data subject
	Flow: CoolingOff is negative
	Flow: Timeframe is negative
	Flow: PreApproval names an empty check, or one twice
	Flow: PreApproval names an empty check, or one twice
	Flows of policy access: CoolingOff is negative
	Flows has policy "x", which is not among Policies
	Flows of policy x: Timeframe is negative
	Retention.Unverified is negative
	Retention.Collected is negative
	Retention.Journals is negative
	Retention.Packages is negative
	Retention.Identities is negative
	Retention.Logs is negative
	Retention.Requests is negative`)
}

func TestDenialNeedsAReasonAndKeepsIt(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, func(c *dsr.Config) {
		c.Retention = dsr.Retention{Identities: time.Hour}
	})
	o.submitted(t, submission("access", "ada@example.com"))
	for _, reason := range []string{"", " \n\t"} {
		o.refused(t, func(ctx context.Context, id string, _ dsr.By) (*dsr.Request, error) {
			return o.Deny(ctx, id, dsr.By{Actor: "a", Reason: reason})
		}, "r1", dsr.ErrNoReason, "dsr: cannot deny request r1: a denial needs a reason, which the data subject has a right to know")
	}
	o.clock.add(time.Minute)
	req := o.done(t, o.Deny, "r1", dsr.StatusDenied)
	require.Equal(t, begin.Add(time.Minute), req.ReviewedAt)
	require.Equal(t, begin.Add(time.Minute), req.FinishedAt)
	require.Equal(t, begin.Add(time.Hour+time.Minute), req.DueAt)
	require.Equal(t, dsr.Notice{Kind: dsr.NoticeDenied, RequestID: "r1", Policy: "access", Reason: clerk.Reason, To: dsr.Identities{"email": {"ada@example.com"}}}, stripped(o.notifier.Notices()[1]))
	o.advanced(t, "r1", dsr.StatusDenied)
	require.Empty(t, o.db().readCounts())

	remarks, err := o.Remarks(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, []dsr.Remark{{Time: begin.Add(time.Minute), Action: "denied", Actor: clerk.Actor, Reason: clerk.Reason}}, remarks)
	o.clock.add(time.Hour)
	o.advanced(t, "r1", dsr.StatusDenied)
	_, err = o.Remarks(t.Context(), "r1")
	require.ErrorIs(t, err, dsr.ErrShredded)
	_, err = o.Identities(t.Context(), "r1")
	require.ErrorIs(t, err, dsr.ErrShredded)
	o.refused(t, o.Resubmit, "r1", dsr.ErrShredded, "dsr: cannot resubmit request r1: its identities were forgotten; submit a new request")
	require.Equal(t, []string{"received policy=access", "denied by clerk-7", "expired identities=gone"}, o.trail(t, "r1"))
}

// Remarks are kept in their order, whoever makes them.
func TestRemarks(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true, CoolingOff: time.Hour}, nil)
	s := submission("access", "ada@example.com")
	s.By = dsr.By{Actor: "desk-1", Reason: "by telephone"}
	o.submitted(t, s)
	verbs := []dsr.Verb{o.Approve, o.Pause, o.Resume, o.Cancel, o.Resubmit, o.Delete}
	for i, verb := range verbs {
		o.clock.add(time.Minute)
		by := dsr.By{Actor: "desk-2"}
		if i == 1 {
			by = dsr.By{Reason: "holiday"}
		}
		if i == 2 {
			by = dsr.By{}
		}
		_, err := verb(t.Context(), "r1", by)
		require.NoError(t, err)
	}
	remarks, err := o.Remarks(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, []dsr.Remark{
		{Time: begin, Action: "received", Actor: "desk-1", Reason: "by telephone"},
		{Time: begin.Add(1 * time.Minute), Action: "approved", Actor: "desk-2"},
		{Time: begin.Add(2 * time.Minute), Action: "paused", Reason: "holiday"},
		{Time: begin.Add(4 * time.Minute), Action: "canceled", Actor: "desk-2"},
		{Time: begin.Add(5 * time.Minute), Action: "resubmitted", Actor: "desk-2"},
		{Time: begin.Add(6 * time.Minute), Action: "deleted", Actor: "desk-2"},
	}, remarks)
	_, err = o.Remarks(t.Context(), "r2")
	require.ErrorIs(t, err, dsr.ErrNotFound)
}

// preApprove answers a check.
func (o *office) preApprove(check string, eligible bool) dsr.Verb {
	return func(ctx context.Context, id string, by dsr.By) (*dsr.Request, error) {
		return o.PreApproval(ctx, id, check, eligible, by)
	}
}

func TestPreApproval(t *testing.T) {
	t.Parallel()
	flow := dsr.Flow{PreApproval: []string{"fraud", "legal hold"}, Approval: true}
	t.Run("all say yes", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t, flow, nil)
		require.Equal(t, dsr.StatusAwaitingPreApproval, o.submitted(t, submission("access", "ada@example.com")).Status)
		o.refused(t, o.preApprove("credit", true), "r1", dsr.ErrNotFound,
			`dsr: cannot answer pre-approval for request r1: it has no pre-approval check "credit"; it has: fraud, legal hold`)
		req := o.done(t, o.preApprove("legal hold", true), "r1", dsr.StatusAwaitingPreApproval)
		require.Equal(t, map[string]bool{"legal hold": true}, req.PreApproval)
		o.done(t, o.preApprove("legal hold", true), "r1", dsr.StatusAwaitingPreApproval)
		req = o.done(t, o.preApprove("fraud", true), "r1", dsr.StatusApproved)
		require.Equal(t, map[string]bool{"fraud": true, "legal hold": true}, req.PreApproval)
		require.Zero(t, req.ReviewedAt, "no person reviewed it")
		o.refused(t, o.preApprove("fraud", false), "r1", dsr.ErrConflict,
			"dsr: cannot answer pre-approval for request r1: it is approved; answer pre-approval takes a request that is awaiting_pre_approval")
		o.advanced(t, "r1", dsr.StatusComplete)
		require.Equal(t, []string{
			"received policy=access", "pre-approval answered by clerk-7 check=legal hold eligible=true",
			"pre-approval answered by clerk-7 check=legal hold eligible=true", "pre-approved by clerk-7 check=fraud eligible=true",
		}, o.trail(t, "r1")[:4])
	})
	t.Run("one says no", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t, flow, nil)
		o.submitted(t, submission("access", "ada@example.com"))
		o.done(t, o.preApprove("fraud", true), "r1", dsr.StatusAwaitingPreApproval)
		req := o.done(t, o.preApprove("legal hold", false), "r1", dsr.StatusNotEligible)
		require.Equal(t, map[string]bool{"fraud": true, "legal hold": false}, req.PreApproval)
		o.refused(t, o.preApprove("legal hold", true), "r1", dsr.ErrConflict,
			"dsr: cannot answer pre-approval for request r1: it is pre_approval_not_eligible; answer pre-approval takes a request that is awaiting_pre_approval")
		o.advanced(t, "r1", dsr.StatusNotEligible)
		require.Empty(t, o.db().readCounts())
		o.done(t, o.Approve, "r1", dsr.StatusApproved)
		o.advanced(t, "r1", dsr.StatusComplete)

		o.submitted(t, submission("access", "ada@example.com"))
		o.done(t, o.preApprove("fraud", false), "r2", dsr.StatusNotEligible)
		o.done(t, o.Deny, "r2", dsr.StatusDenied)
		// Begun anew, its checks are asked again.
		req = o.done(t, o.Resubmit, "r2", dsr.StatusAwaitingPreApproval)
		require.Empty(t, req.PreApproval)
	})
	t.Run("a person is faster", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t, flow, nil)
		o.submitted(t, submission("access", "ada@example.com"))
		o.done(t, o.Approve, "r1", dsr.StatusApproved)
		o.submitted(t, submission("access", "bob@example.com"))
		o.done(t, o.Deny, "r2", dsr.StatusDenied)
	})
}

func TestFinalization(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Finalization: true}, func(c *dsr.Config) { c.Retention = dsr.Retention{Journals: time.Hour} })
	o.submitted(t, submission("both", "ada@example.com"))
	req := o.advanced(t, "r1", dsr.StatusRequiresFinalization)
	require.Zero(t, req.FinishedAt)
	require.Zero(t, req.DueAt, "its journal is kept until after the end")
	require.Empty(t, o.spool.left(t))
	o.refused(t, o.Cancel, "r1", dsr.ErrConflict, "dsr: cannot cancel request r1: its erasure has begun and must be finished")
	o.refused(t, o.Resubmit, "r1", dsr.ErrConflict, "dsr: cannot resubmit request r1: it is requires_manual_finalization; resubmit takes a request that is not requires_manual_finalization or complete")
	o.clock.add(time.Minute)
	req = o.done(t, o.Finalize, "r1", dsr.StatusComplete)
	require.Equal(t, begin.Add(time.Minute), req.FinalizedAt)
	require.Equal(t, begin.Add(time.Minute), req.FinishedAt)
	require.Equal(t, begin.Add(time.Hour+time.Minute), req.DueAt)
	o.refused(t, o.Finalize, "r1", dsr.ErrConflict, "dsr: cannot finalize request r1: it is complete; finalize takes a request that is requires_manual_finalization")
	require.Equal(t, []string{"r1 received", "r1 finalization required", "r1 complete r1.json"}, o.notices())
	trail := o.actions(t, "r1")
	require.Equal(t, []string{"finished", "finalized"}, trail[len(trail)-2:])

	// What erases nothing is not finalized.
	o.submitted(t, submission("access", "bob@example.com"))
	o.advanced(t, "r2", dsr.StatusComplete)
	// Finished and still unconfirmed, a request can be deleted.
	o.submitted(t, submission("erase", "bob@example.com"))
	o.advanced(t, "r3", dsr.StatusRequiresFinalization)
	o.done(t, o.Delete, "r3", dsr.StatusRequiresFinalization)
	require.Equal(t, begin.Add(time.Minute), o.get(t, "r3").DeletedAt)
}
