package lifecycle

import "slices"

// Move is one row of the table: an event takes a request from any of some
// statuses to another, when a condition holds. Of the rows that fit, the first
// one counts.
type Move struct {
	Event Kind
	From  []Status
	When  Condition
	To    Status // Same for one that stays
	// Action is what the audit trail calls it; "" for what is no fact about
	// the request but only about its work.
	Action string
}

// Same stands for the status that the request has already.
const Same Status = "same"

// A request whose person is known is admitted, by an event that follows upon
// another at once: what it has still to pass is the same for all that lead here.
const (
	admitted Status = "admitted"
	admit    Kind   = "admit"
)

var (
	reviewable = []Status{Duplicate, AwaitingPreApproval, NotEligible, Pending}
	waiting    = []Status{RequiresInput, PendingExternal, AwaitingEmail}
	unfinished = []Status{
		Unverified, Duplicate, AwaitingPreApproval, NotEligible, Pending, Approved, InProcessing, RequiresInput,
		PendingExternal, AwaitingEmail, Paused, RequiresFinalization, Error,
	}
	again = []Status{
		Unverified, Duplicate, AwaitingPreApproval, NotEligible, Pending, Approved, InProcessing, RequiresInput,
		PendingExternal, AwaitingEmail, Paused, Error, Denied, Canceled,
	}
	all = Statuses()
)

// moves is the whole life of a request.
var moves = []Move{
	{Submit, []Status{None}, mustVerify, Unverified, "received"},
	{Submit, []Status{None}, always, admitted, "received"},

	{admit, []Status{admitted}, isRepeat, Duplicate, ""},
	{admit, []Status{admitted}, hasChecks, AwaitingPreApproval, ""},
	{admit, []Status{admitted}, needsApproval, Pending, ""},
	{admit, []Status{admitted}, always, Approved, ""},

	{SendCode, []Status{Unverified}, always, Same, "verification code sent"},
	{Verify, []Status{Unverified}, wrongCode, Same, "wrong verification code"},
	{Verify, []Status{Unverified}, always, admitted, "identity verified"},
	{Lapse, []Status{Unverified}, always, Canceled, "never verified"},

	{Answer, []Status{AwaitingPreApproval}, saysNo, NotEligible, "pre-approval refused"},
	{Answer, []Status{AwaitingPreApproval}, allSayYes, Approved, "pre-approved"},
	{Answer, []Status{AwaitingPreApproval}, always, Same, "pre-approval answered"},
	{Approve, reviewable, always, Approved, "approved"},
	{Deny, reviewable, always, Denied, "denied"},

	{Begin, []Status{Approved}, always, InProcessing, "started"},
	{Begin, []Status{InProcessing}, always, Same, ""},
	{Progress, []Status{InProcessing}, waited, Same, "going on"},
	{Progress, []Status{InProcessing}, always, Same, ""},
	{Wait, []Status{InProcessing}, waited, Same, ""},
	{Wait, []Status{InProcessing}, always, Same, "waiting"},
	{Erase, []Status{InProcessing}, isErasing, Same, ""},
	{Erase, []Status{InProcessing}, always, Same, "erasure begun"},
	{AskPerson, []Status{InProcessing}, always, RequiresInput, "input required"},
	{AskOther, []Status{InProcessing}, always, PendingExternal, "waiting for another system"},
	{AskByEmail, []Status{InProcessing}, always, AwaitingEmail, "waiting for an e-mail to be sent"},
	{GotAnswer, waiting, always, InProcessing, "answered"},
	{Pause, []Status{Approved, InProcessing}, always, Paused, "paused"},
	{Resume, []Status{Paused}, notStarted, Approved, "resumed"},
	{Resume, []Status{Paused, RequiresInput, PendingExternal, AwaitingEmail}, always, InProcessing, "resumed"},

	{Fail, []Status{InProcessing}, always, Error, "failed"},
	{Retry, []Status{Error}, always, InProcessing, "retried"},
	{Replan, []Status{Error}, always, InProcessing, "planned anew"},
	{Finish, []Status{InProcessing}, needsFinalization, RequiresFinalization, "finished"},
	{Finish, []Status{InProcessing}, notConfirmed, RequiresFinalization, "finished"},
	{Finish, []Status{InProcessing}, always, Complete, "completed"},
	{Finalize, []Status{RequiresFinalization}, always, Complete, "finalized"},

	{Extend, unfinished, always, Same, "deadline extended"},
	{Cancel, unfinished, always, Canceled, "canceled"},
	{Resubmit, again, mustVerify, Unverified, "resubmitted"},
	{Resubmit, again, always, admitted, "resubmitted"},
	{Delete, all, always, Same, "deleted"},
	{Expire, all, always, Same, "expired"},
}

// find returns the row that counts for an event in a status, or nil.
func find(k Kind, status Status, s *State, e *Event) *Move {
	for i := range moves {
		m := &moves[i]
		if m.Event == k && slices.Contains(m.From, status) && (m.When.holds == nil || m.When.holds(s, e)) {
			return m
		}
	}
	return nil
}

// Condition is what a move may depend on, and its name in the picture.
type Condition struct {
	Name  string
	holds func(*State, *Event) bool
}

var (
	always     = Condition{}
	mustVerify = Condition{"identity must be verified", func(s *State, e *Event) bool {
		return s.Flow.Verify && s.VerifiedAt.IsZero() && !(e.Kind == Submit && e.Right)
	}}
	wrongCode = Condition{"wrong code", func(_ *State, e *Event) bool {
		return !e.Right
	}}
	isRepeat = Condition{"a duplicate", func(_ *State, e *Event) bool {
		return e.Repeats != ""
	}}
	hasChecks = Condition{"has pre-approval checks", func(s *State, _ *Event) bool {
		return len(s.Flow.PreApproval) > 0
	}}
	needsApproval = Condition{"needs approval", func(s *State, _ *Event) bool {
		return s.Flow.Approve
	}}
	saysNo = Condition{"not eligible", func(_ *State, e *Event) bool {
		return !e.Right
	}}
	allSayYes = Condition{"all eligible", func(s *State, e *Event) bool {
		return !slices.ContainsFunc(s.Flow.PreApproval, func(check string) bool {
			return check != e.Check && !s.Answers[check] && !slices.Contains(e.Removed, check)
		})
	}}
	notStarted = Condition{"not started", func(s *State, _ *Event) bool {
		return s.StartedAt.IsZero()
	}}
	waited = Condition{"after a wait", func(s *State, _ *Event) bool {
		return s.Wait != nil
	}}
	isErasing = Condition{"erasing already", func(s *State, _ *Event) bool {
		return s.Erasing
	}}
	needsFinalization = Condition{"needs finalization", func(s *State, _ *Event) bool {
		return s.Flow.Finalize
	}}
	notConfirmed = Condition{"an erasure is not confirmed", func(_ *State, e *Event) bool {
		return e.Unconfirmed
	}}
)
