package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	flow := Flow{Verify: true, CodeAttempts: 3, Codes: 2}
	submit, send := Event{Kind: Submit}, Event{Kind: SendCode, Code: code()}
	right, wrong := Event{Kind: Verify, Right: true}, Event{Kind: Verify}
	tests := []struct {
		name   string
		before []Event
		event  Event
		reason Reason // "" for success
		text   string
	}{
		{"right at once", []Event{submit, send}, right, "", ""},
		{"right after two wrong ones", []Event{submit, send, wrong, wrong}, right, "", ""},
		{
			"right after three wrong ones", []Event{submit, send, wrong, wrong, wrong}, right,
			AttemptsUsedUp, "too many wrong codes were entered; send a new code",
		},
		{
			"wrong after three wrong ones", []Event{submit, send, wrong, wrong, wrong}, wrong,
			AttemptsUsedUp, "too many wrong codes were entered; send a new code",
		},
		{"a new code gives new attempts", []Event{submit, send, wrong, wrong, wrong, send}, right, "", ""},
		{"no code", []Event{submit}, right, NoCode, "no verification code was sent; send one"},
		{"the last moment", []Event{submit, send}, Event{Kind: Verify, Right: true, At: after(100).Add(-1)}, "", ""},
		{
			"too late", []Event{submit, send}, Event{Kind: Verify, Right: true, At: after(100)},
			CodeExpired, "the verification code has expired; send a new one",
		},
		{
			"two codes are the limit", []Event{submit, send, send}, send,
			TooManyCodes, "2 verification codes were sent, which is the limit; resubmit the request",
		},
		{"codes are counted anew when resubmitted", []Event{submit, send, send, {Kind: Resubmit}}, send, "same", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := live(t, flow, test.before...).State
			e := test.event
			if e.At.IsZero() {
				e.At = after(20)
			}
			if test.text != "" {
				r := refused(t, s, e)
				require.Equal(t, test.reason, r.Reason)
				require.Equal(t, test.text, r.Error())
				return
			}
			ch := goOn(t, s, e.At, e)
			if test.reason == "same" {
				require.Equal(t, Unverified, ch.State.Status)
				return
			}
			require.Equal(t, Approved, ch.State.Status)
			require.Equal(t, "identity verified", ch.Action)
			require.Equal(t, e.At, ch.State.VerifiedAt)
			require.Nil(t, ch.State.Code)
		})
	}
}

func TestWrongCode(t *testing.T) {
	t.Parallel()
	flow := Flow{Verify: true, CodeAttempts: 3, Codes: 2}
	ch := live(t, flow, Event{Kind: Submit}, Event{Kind: SendCode, Code: code()}, Event{Kind: Verify, Repeats: "first"})
	require.Equal(t, "wrong verification code", ch.Action)
	require.Equal(t, State{
		Status: Unverified, Flow: flow, SubmittedAt: start, Codes: 1,
		Code: &Code{Hash: []byte{1, 2}, ExpiresAt: after(100), Wrong: 1},
	}, ch.State)
	ch = goOn(t, ch.State, after(3), Event{Kind: SendCode, Code: code()})
	require.Equal(t, code(), ch.State.Code)
	require.Equal(t, 2, ch.State.Codes)
}

// TestVerifiedOnce: who was verified is not asked again.
func TestVerifiedOnce(t *testing.T) {
	t.Parallel()
	flow := Flow{Verify: true, CodeAttempts: 1, Codes: 1}
	s := live(t, flow, Event{Kind: Submit}, Event{Kind: SendCode, Code: code()}, Event{Kind: Verify, Right: true},
		Event{Kind: Cancel}, Event{Kind: Resubmit}).State
	require.Equal(t, Approved, s.Status)
	require.Equal(t, after(2), s.VerifiedAt)
	require.Equal(t, after(4), s.ApprovedAt)
	require.Equal(t, WrongStatus, refused(t, s, Event{Kind: SendCode, At: after(9), Code: code()}).Reason)
}

// TestCanceledUnverified: a request that was never verified still has to be
// when it is submitted again.
func TestCanceledUnverified(t *testing.T) {
	t.Parallel()
	for _, end := range []Kind{Cancel, Lapse} {
		flow := Flow{Verify: true, CodeAttempts: 1, Codes: 1, Keep: Retention{Unverified: hour}}
		s := live(t, flow, Event{Kind: Submit}, Event{Kind: end}, Event{Kind: Resubmit, Repeats: "first"}).State
		require.Equal(t, Unverified, s.Status, end)
		require.Empty(t, s.Repeats, end)
		require.Equal(t, after(3), s.DueAt, end)
	}
}

func TestLapse(t *testing.T) {
	t.Parallel()
	flow := Flow{Verify: true, Keep: Retention{Unverified: 5 * hour}}
	s := live(t, flow, Event{Kind: Submit}).State
	require.Equal(t, after(5), s.DueAt)
	r := refused(t, s, Event{Kind: Lapse, At: after(5).Add(-1)})
	require.Equal(t, TooEarly, r.Reason)
	require.Equal(t, "it may still be verified", r.Error())
	ch := goOn(t, s, after(5), Event{Kind: Lapse})
	require.Equal(t, Canceled, ch.State.Status)
	require.Equal(t, after(5), ch.State.EndedAt)

	s = live(t, Flow{Verify: true}, Event{Kind: Submit}).State
	require.Zero(t, s.DueAt)
	require.Equal(t, TooEarly, refused(t, s, Event{Kind: Lapse, At: after(99999)}).Reason)
}

func TestPreApproval(t *testing.T) {
	t.Parallel()
	flow := Flow{PreApproval: []string{"fraud", "contract"}, Approve: true}
	s := live(t, flow, Event{Kind: Submit}).State
	yes := func(check string) Event { return Event{Kind: Answer, Check: check, Right: true} }
	no := func(check string) Event { return Event{Kind: Answer, Check: check} }
	tests := []struct {
		name    string
		answers []Event
		want    string
		kept    map[string]bool
	}{
		{"one yes", []Event{yes("fraud")}, "awaiting_pre_approval: pre-approval answered", map[string]bool{"fraud": true}},
		{
			"the same yes again", []Event{yes("fraud"), yes("fraud")},
			"awaiting_pre_approval: pre-approval answered", map[string]bool{"fraud": true},
		},
		{
			"all say yes", []Event{yes("contract"), yes("fraud")},
			"approved: pre-approved", map[string]bool{"fraud": true, "contract": true},
		},
		{
			"all that are left say yes", []Event{{Kind: Answer, Check: "fraud", Right: true, Removed: []string{"contract"}}},
			"approved: pre-approved", map[string]bool{"fraud": true},
		},
		{"no at once", []Event{no("contract")}, "pre_approval_not_eligible: pre-approval refused", map[string]bool{"contract": false}},
		{
			"no after yes", []Event{yes("fraud"), no("fraud")},
			"pre_approval_not_eligible: pre-approval refused", map[string]bool{"fraud": false},
		},
		{"a person decides before", []Event{yes("fraud"), {Kind: Approve}}, "approved: approved", map[string]bool{"fraud": true}},
		{"answers are asked for again", []Event{yes("fraud"), {Kind: Resubmit}}, "awaiting_pre_approval: resubmitted", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ch := goOn(t, s, after(1), test.answers...)
			require.Equal(t, test.want, string(ch.State.Status)+": "+ch.Action)
			require.Equal(t, test.kept, ch.State.Answers)
			require.Nil(t, s.Answers)
		})
	}
	r := refused(t, s, yes("weather"))
	require.Equal(t, UnknownCheck, r.Reason)
	require.Equal(t, `it has no pre-approval check "weather"; it has: fraud, contract`, r.Error())
}

func TestReview(t *testing.T) {
	t.Parallel()
	for _, status := range []Status{Duplicate, AwaitingPreApproval, NotEligible, Pending} {
		s := reach(t, status)
		for _, reason := range []string{"", " \n\t"} {
			r := refused(t, s, Event{Kind: Deny, At: after(9), Reason: reason})
			require.Equal(t, NoReason, r.Reason)
			require.Equal(t, "a denial needs a reason, which the data subject has a right to know", r.Error())
		}
		denied := goOn(t, s, after(9), Event{Kind: Deny, Reason: "not a customer"}).State
		require.Equal(t, after(9), denied.ReviewedAt)
		require.Equal(t, after(9), denied.EndedAt)
		require.Zero(t, denied.ApprovedAt)
		approved := goOn(t, s, after(9), Event{Kind: Approve}).State
		require.Equal(t, after(9), approved.ReviewedAt)
		require.Equal(t, after(9), approved.ApprovedAt)
		require.Zero(t, approved.EndedAt)
	}
}
