package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const otherwise Status = "otherwise"

// pairs says what every event does in every status: the status and the entry of
// the audit trail, or the end of the refusal. What is in neither is refused
// with the text of otherwise.
var pairs = map[Kind]map[Status]string{
	Submit: {None: "pending: received", otherwise: "so that it was submitted already"},
	SendCode: {
		Unverified: "identity_unverified: verification code sent",
		otherwise:  "send code takes a request that is identity_unverified",
	},
	Verify: {Unverified: "pending: identity verified", otherwise: "verify takes a request that is identity_unverified"},
	Lapse:  {Unverified: "canceled: never verified", otherwise: "lapse takes a request that is identity_unverified"},
	Answer: {
		AwaitingPreApproval: "approved: pre-approved",
		otherwise:           "answer pre-approval takes a request that is awaiting_pre_approval",
	},
	Approve: {
		Duplicate: "approved: approved", AwaitingPreApproval: "approved: approved",
		NotEligible: "approved: approved", Pending: "approved: approved",
		otherwise: "approve takes a request that is duplicate, awaiting_pre_approval, pre_approval_not_eligible or pending",
	},
	Deny: {
		Duplicate: "denied: denied", AwaitingPreApproval: "denied: denied",
		NotEligible: "denied: denied", Pending: "denied: denied",
		otherwise: "deny takes a request that is duplicate, awaiting_pre_approval, pre_approval_not_eligible or pending",
	},
	Begin: {
		Approved: "in_processing: started", InProcessing: "in_processing: ",
		otherwise: "begin takes a request that is approved or in_processing",
	},
	Wait:       {InProcessing: "in_processing: waiting", otherwise: "wait takes a request that is in_processing"},
	Progress:   {InProcessing: "in_processing: ", otherwise: "progress takes a request that is in_processing"},
	Erase:      {InProcessing: "in_processing: erasure begun", otherwise: "begin erasure takes a request that is in_processing"},
	AskPerson:  {InProcessing: "requires_input: input required", otherwise: "ask a person takes a request that is in_processing"},
	AskOther:   {InProcessing: "pending_external: waiting for another system", otherwise: "ask another system takes a request that is in_processing"},
	AskByEmail: {InProcessing: "awaiting_email_send: waiting for an e-mail to be sent", otherwise: "ask by e-mail takes a request that is in_processing"},
	GotAnswer: {
		RequiresInput: "in_processing: answered", PendingExternal: "in_processing: answered", AwaitingEmail: "in_processing: answered",
		otherwise: "answered takes a request that is requires_input, pending_external or awaiting_email_send",
	},
	Pause: {
		Approved: "paused: paused", InProcessing: "paused: paused",
		otherwise: "pause takes a request that is approved or in_processing",
	},
	Resume: {
		Paused: "in_processing: resumed", RequiresInput: "in_processing: resumed",
		PendingExternal: "in_processing: resumed", AwaitingEmail: "in_processing: resumed",
		otherwise: "resume takes a request that is requires_input, pending_external, awaiting_email_send or paused",
	},
	Fail:     {InProcessing: "error: failed", otherwise: "fail takes a request that is in_processing"},
	Retry:    {Error: "in_processing: retried", otherwise: "retry takes a request that is error"},
	Replan:   {Error: "in_processing: planned anew", otherwise: "plan anew takes a request that is error"},
	Finish:   {InProcessing: "complete: completed", otherwise: "finish takes a request that is in_processing"},
	Finalize: {RequiresFinalization: "complete: finalized", otherwise: "finalize takes a request that is requires_manual_finalization"},
	Extend: {
		Unverified: "identity_unverified: deadline extended", Duplicate: "duplicate: deadline extended",
		AwaitingPreApproval: "awaiting_pre_approval: deadline extended", NotEligible: "pre_approval_not_eligible: deadline extended",
		Pending: "pending: deadline extended", Approved: "approved: deadline extended", InProcessing: "in_processing: deadline extended",
		RequiresInput: "requires_input: deadline extended", PendingExternal: "pending_external: deadline extended",
		AwaitingEmail: "awaiting_email_send: deadline extended", Paused: "paused: deadline extended",
		RequiresFinalization: "requires_manual_finalization: deadline extended", Error: "error: deadline extended",
		otherwise: "extend takes a request that is not complete, denied or canceled",
	},
	Cancel: {
		Unverified: "canceled: canceled", Duplicate: "canceled: canceled", AwaitingPreApproval: "canceled: canceled",
		NotEligible: "canceled: canceled", Pending: "canceled: canceled", Approved: "canceled: canceled",
		InProcessing: "canceled: canceled", RequiresInput: "canceled: canceled", PendingExternal: "canceled: canceled",
		AwaitingEmail: "canceled: canceled", Paused: "canceled: canceled", RequiresFinalization: "canceled: canceled",
		Error:     "canceled: canceled",
		otherwise: "cancel takes a request that is not complete, denied or canceled",
	},
	Resubmit: {
		Unverified: "identity_unverified: resubmitted", Duplicate: "pending: resubmitted",
		AwaitingPreApproval: "awaiting_pre_approval: resubmitted", NotEligible: "awaiting_pre_approval: resubmitted",
		Pending: "pending: resubmitted", Approved: "pending: resubmitted", InProcessing: "pending: resubmitted",
		RequiresInput: "pending: resubmitted", PendingExternal: "pending: resubmitted", AwaitingEmail: "pending: resubmitted",
		Paused: "pending: resubmitted", Error: "pending: resubmitted", Denied: "pending: resubmitted", Canceled: "pending: resubmitted",
		otherwise: "resubmit takes a request that is not requires_manual_finalization or complete",
	},
	Delete: {
		Unverified: "identity_unverified: deleted", Duplicate: "duplicate: deleted", AwaitingPreApproval: "awaiting_pre_approval: deleted",
		NotEligible: "pre_approval_not_eligible: deleted", Pending: "pending: deleted", Approved: "approved: deleted",
		InProcessing: "in_processing: deleted", RequiresInput: "requires_input: deleted", PendingExternal: "pending_external: deleted",
		AwaitingEmail: "awaiting_email_send: deleted", Paused: "paused: deleted",
		RequiresFinalization: "requires_manual_finalization: deleted", Error: "error: deleted", Complete: "complete: deleted",
		Denied: "denied: deleted", Canceled: "canceled: deleted",
	},
	Expire: {
		RequiresInput: "requires_input: expired", PendingExternal: "pending_external: expired", AwaitingEmail: "awaiting_email_send: expired",
		Paused: "paused: expired", Error: "error: expired", Complete: "complete: expired", Denied: "denied: expired",
		Canceled: "canceled: expired",
	},
}

func TestEveryPair(t *testing.T) {
	t.Parallel()
	require.Len(t, pairs, len(kinds))
	for _, kind := range kinds {
		for _, status := range append([]Status{None}, Statuses()...) {
			s := reach(t, status)
			e := sample(kind, after(20))
			ch, err := Next(s, e)
			name := string(kind) + " when " + string(status)
			if want, ok := pairs[kind][status]; ok {
				require.NoError(t, err, name)
				require.Equal(t, want, string(ch.State.Status)+": "+ch.Action, name)
				continue
			}
			r := refused(t, s, e)
			switch {
			case status == None:
				require.Equal(t, "it was never submitted", r.Error(), name)
			case kind == Submit:
				require.Equal(t, "it is "+string(status)+", "+pairs[kind][otherwise], r.Error(), name)
			case kind == Expire:
				require.Equal(t, "nothing of it has expired", r.Error(), name)
				require.Equal(t, TooEarly, r.Reason)
				continue
			default:
				require.Equal(t, "it is "+string(status)+"; "+pairs[kind][otherwise], r.Error(), name)
			}
			require.Equal(t, WrongStatus, r.Reason)
		}
	}
}

// kinds are all events.
var kinds = []Kind{
	Submit, SendCode, Verify, Answer, Approve, Deny, Begin, Wait, Progress, Erase, AskPerson, AskOther, AskByEmail,
	GotAnswer, Pause, Resume, Fail, Retry, Replan, Finish, Finalize, Extend, Cancel, Resubmit, Delete, Expire, Lapse,
}

// TestAdmission: what a request has to pass, by its flow and by what is known
// of it, is the same however it gets there.
func TestAdmission(t *testing.T) {
	t.Parallel()
	checks := []string{"fraud"}
	tests := []struct {
		name    string
		flow    Flow
		repeats string
		right   bool
		want    Status
	}{
		{"nothing asked", Flow{}, "", false, Approved},
		{"approval", Flow{Approve: true}, "", false, Pending},
		{"checks", Flow{PreApproval: checks}, "", false, AwaitingPreApproval},
		{"checks before approval", Flow{PreApproval: checks, Approve: true}, "", false, AwaitingPreApproval},
		{"duplicate", Flow{}, "first", false, Duplicate},
		{"duplicate before all else", Flow{PreApproval: checks, Approve: true}, "first", false, Duplicate},
		{"verification before all else", Flow{Verify: true, PreApproval: checks, Approve: true}, "first", false, Unverified},
		{"verified by the host", Flow{Verify: true}, "", true, Approved},
		{"verified by the host, duplicate", Flow{Verify: true}, "first", true, Duplicate},
		{"known without being asked", Flow{Approve: true}, "", true, Pending},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ch := live(t, test.flow, Event{Kind: Submit, Right: test.right, Repeats: test.repeats})
			require.Equal(t, test.want, ch.State.Status)
			require.Equal(t, "received", ch.Action)
			require.Equal(t, start, ch.State.SubmittedAt)
			require.Equal(t, test.right, !ch.State.VerifiedAt.IsZero())
			if test.want == Duplicate {
				require.Equal(t, "first", ch.State.Repeats)
			} else {
				require.Empty(t, ch.State.Repeats)
			}

			again := goOn(t, ch.State, after(1), Event{Kind: Resubmit, Repeats: test.repeats})
			require.Equal(t, test.want, again.State.Status)
			require.Equal(t, ch.State.Repeats, again.State.Repeats)

			if test.flow.Verify || test.right {
				return
			}
			flow := test.flow
			flow.Verify, flow.Codes, flow.CodeAttempts = true, 1, 1
			ch = live(t, flow, Event{Kind: Submit, Repeats: "ignored"}, Event{Kind: SendCode, Code: code()},
				Event{Kind: Verify, Right: true, Repeats: test.repeats})
			require.Equal(t, test.want, ch.State.Status)
			require.Equal(t, "identity verified", ch.Action)
			require.Equal(t, test.repeats, ch.State.Repeats)
		})
	}
}
