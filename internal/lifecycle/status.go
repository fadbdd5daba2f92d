// Package lifecycle says how a privacy request moves from one status to the
// next. It is pure: a state and an event give a change, and nothing here looks
// at a clock, a store or a person. All moves are rows of one table, which the
// documentation draws.
package lifecycle

import "time"

// Status is where a request stands, in Fides' words.
type Status string

// The statuses. The empty status is that of a request which does not exist yet.
const (
	None                 Status = ""
	Unverified           Status = "identity_unverified"
	Duplicate            Status = "duplicate"
	AwaitingPreApproval  Status = "awaiting_pre_approval"
	NotEligible          Status = "pre_approval_not_eligible"
	Pending              Status = "pending"
	Approved             Status = "approved"
	InProcessing         Status = "in_processing"
	RequiresInput        Status = "requires_input"
	PendingExternal      Status = "pending_external"
	AwaitingEmail        Status = "awaiting_email_send"
	Paused               Status = "paused"
	RequiresFinalization Status = "requires_manual_finalization"
	Error                Status = "error"
	Complete             Status = "complete"
	Denied               Status = "denied"
	Canceled             Status = "canceled"
)

// Statuses are all of them, in the order in which a request meets them.
func Statuses() []Status {
	return []Status{
		Unverified, Duplicate, AwaitingPreApproval, NotEligible, Pending, Approved, InProcessing, RequiresInput,
		PendingExternal, AwaitingEmail, Paused, RequiresFinalization, Error, Complete, Denied, Canceled,
	}
}

// Ended reports whether nothing more is done for a request by itself.
func (s Status) Ended() bool { return s == Complete || s == Denied || s == Canceled }

// Kind is what happened.
type Kind string

// The events.
const (
	Submit     Kind = "submit"
	SendCode   Kind = "send code"
	Verify     Kind = "verify"
	Answer     Kind = "answer pre-approval"
	Approve    Kind = "approve"
	Deny       Kind = "deny"
	Begin      Kind = "begin"
	Wait       Kind = "wait"
	Progress   Kind = "progress"
	Erase      Kind = "begin erasure"
	AskPerson  Kind = "ask a person"
	AskOther   Kind = "ask another system"
	AskByEmail Kind = "ask by e-mail"
	GotAnswer  Kind = "answered"
	Pause      Kind = "pause"
	Resume     Kind = "resume"
	Fail       Kind = "fail"
	Retry      Kind = "retry"
	Replan     Kind = "plan anew"
	Finish     Kind = "finish"
	Finalize   Kind = "finalize"
	Extend     Kind = "extend"
	Cancel     Kind = "cancel"
	Resubmit   Kind = "resubmit"
	Delete     Kind = "delete"
	Expire     Kind = "expire"
	Lapse      Kind = "lapse"
)

// Flow is what a request has to go through. It is fixed when the request is
// submitted.
type Flow struct {
	// Verify asks for the code that was sent to the data subject.
	Verify bool `json:"verify,omitempty"`
	// CodeAttempts is how many wrong codes void a code, and Codes how many
	// codes are sent at most: together they bound how often one can guess.
	CodeAttempts int `json:"code_attempts,omitempty"`
	Codes        int `json:"codes,omitempty"`
	// PreApproval names the checks that all have to say yes.
	PreApproval []string `json:"pre_approval,omitempty"`
	// Removable are those of PreApproval that can be removed meanwhile, and do
	// not count then.
	Removable []string `json:"removable,omitempty"`
	// Approve asks for a person's approval.
	Approve bool `json:"approve,omitempty"`
	// CoolingOff passes between approval and work.
	CoolingOff time.Duration `json:"cooling_off,omitempty"`
	// Finalize asks for a person at the end.
	Finalize bool `json:"finalize,omitempty"`
	// Silent keeps notices from the data subject, all but codes.
	Silent bool `json:"silent,omitempty"`
	// Keep says how long what is kept is kept.
	Keep Retention `json:"keep,omitzero"`
}

// Retention is how long things are kept: 0 means that they are kept, except for
// the journal, which 0 gives up with the end of the request.
type Retention struct {
	// Unverified requests are canceled, counted from their submission.
	Unverified time.Duration `json:"unverified,omitempty"`
	// Collected rows of a request that waits for a person, from its stop.
	Collected time.Duration `json:"collected,omitempty"`
	// The rest counts from the end of the request.
	Journal    time.Duration `json:"journal,omitempty"`
	Packages   time.Duration `json:"packages,omitempty"`
	Identities time.Duration `json:"identities,omitempty"`
	Log        time.Duration `json:"log,omitempty"`
	Messages   time.Duration `json:"messages,omitempty"`
	Request    time.Duration `json:"request,omitempty"`
}
