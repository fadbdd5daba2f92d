package dsr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// TestOneCodeIsProofOfOneAddress: who reads one mailbox must not vouch for the
// owner of another.
func TestOneCodeIsProofOfOneAddress(t *testing.T) {
	t.Parallel()
	const refusal = "dsr: error: identity email: it has 2 values, and a verification code that goes to all of them would be proof of one; " +
		"verify them one by one and set Submission.Verified, or submit one"
	o := newOffice(t, verifying, nil)
	two := submission("access", "ada@example.com", "bob@example.com")
	req, err := o.Submit(t.Context(), two)
	require.Nil(t, req)
	require.EqualError(t, err, refusal)
	require.Zero(t, o.commits.Load(), "nothing is stored")
	require.Empty(t, o.notifier.Notices())

	two.Verified = true
	require.Equal(t, dsr.StatusApproved, o.submitted(t, two).Status, "the host knows both")
	same := submission("access", "ada@example.com", " ADA@example.com")
	require.Equal(t, dsr.StatusUnverified, o.submitted(t, same).Status, "one address, written twice")

	// Verification that is asked for later wants the same.
	free := newOffice(t, dsr.Flow{Approval: true}, nil)
	free.submitted(t, submission("access", "ada@example.com", "bob@example.com"))
	config := free.config
	config.Flow.VerifyIdentity = true
	_, err = newEngine(t, config).Requests().Resubmit(t.Context(), "r1", clerk)
	require.EqualError(t, err, refusal)
	free.requireStatus(t, "r1", dsr.StatusPending)
}

// TestNoticesGoToWhoSubmitted: what hooks add is looked for, and is told nothing.
func TestNoticesGoToWhoSubmitted(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{Before: []dsr.Hooking{{Hook: "crm", TwoWay: true}, {Hook: "mdm", TwoWay: true}}}, nil)
	hooks.answer("crm", dsr.HookAnswer{Identities: dsr.Identities{"email": {"bob@example.com", "ada@example.com"}, "loyalty": {"L-7"}}})
	hooks.answer("mdm", dsr.HookAnswer{Halt: true, Identities: dsr.Identities{"phone": {"+15550100"}}})
	o.submitted(t, submission("access", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusPaused)
	_, err := o.ResumeWith(t.Context(), "r1", hooks.token(t, "mdm"), dsr.Identities{"email": {"eve@example.com"}})
	require.NoError(t, err)
	o.advanced(t, "r1", dsr.StatusComplete)
	o.send(t)

	all := dsr.Identities{"email": {"ada@example.com", "bob@example.com", "eve@example.com"}, "loyalty": {"L-7"}, "phone": {"+15550100"}}
	require.Equal(t, all, o.identities(t, "r1"))
	require.Equal(t, []string{"r1"}, found(t, o, "email", "eve@example.com"))
	var kinds []dsr.NoticeKind
	for _, n := range o.notifier.Notices() {
		if n.Kind.Audience() == dsr.ToSubject {
			kinds = append(kinds, n.Kind)
			require.Equal(t, dsr.Identities{"email": {"ada@example.com"}}, n.To, n.Kind)
		}
	}
	require.Equal(t, []dsr.NoticeKind{dsr.NoticeReceived, dsr.NoticeComplete}, kinds)
}
