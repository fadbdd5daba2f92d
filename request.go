package dsr

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/godsr/dsr/graph"
)

// Status is where a privacy request stands, in Fides' words. The moves between
// them are drawn in docs/lifecycle.md.
type Status string

const (
	// StatusUnverified: the data subject has to enter the code that was sent.
	StatusUnverified Status = "identity_unverified"
	// StatusDuplicate: it repeats an earlier request; a person may approve
	// it all the same.
	StatusDuplicate Status = "duplicate"
	// StatusAwaitingPreApproval: the configured checks have to answer.
	StatusAwaitingPreApproval Status = "awaiting_pre_approval"
	// StatusNotEligible: a check refused it; a person decides.
	StatusNotEligible Status = "pre_approval_not_eligible"
	// StatusPending: a person has to approve or deny it.
	StatusPending Status = "pending"
	// StatusApproved: it is to be worked on, at once or when the cooling-off
	// time is over.
	StatusApproved Status = "approved"
	// StatusInProcessing: data is being collected, delivered or erased, or
	// that is tried again at Request.DueAt.
	StatusInProcessing Status = "in_processing"
	// StatusRequiresInput: a person has to decide or to act.
	StatusRequiresInput Status = "requires_input"
	// StatusPendingExternal: another system has to answer.
	StatusPendingExternal Status = "pending_external"
	// StatusAwaitingEmail: an e-mail to a vendor waits to be sent.
	StatusAwaitingEmail Status = "awaiting_email_send"
	// StatusPaused: a person has stopped it for a while.
	StatusPaused Status = "paused"
	// StatusRequiresFinalization: all is done, and a person has to say so.
	StatusRequiresFinalization Status = "requires_manual_finalization"
	// StatusError: stopped by a failure; [Requests.Retry] goes on from it.
	StatusError Status = "error"
	// StatusComplete: everything that the policy asks for is done.
	StatusComplete Status = "complete"
	// StatusDenied: a person refused it, with a reason.
	StatusDenied Status = "denied"
	// StatusCanceled: withdrawn before anything was erased.
	StatusCanceled Status = "canceled"
)

// Stage is the part of the work that a request is at.
type Stage string

// The stages in their order.
const (
	StagePlan    Stage = "plan"
	StageCollect Stage = "collect"
	StageDeliver Stage = "deliver"
	StageJournal Stage = "journal"
	StageErase   Stage = "erase"
	StageFinish  Stage = "finish"
	StageDone    Stage = "done"
)

// Identities are what is known of a data subject: values by kind of identity,
// such as "email". They print as [redacted] under every verb.
type Identities map[string][]string

// Kinds returns the kinds in sorted order.
func (ids Identities) Kinds() []string {
	kinds := make([]string, 0, len(ids))
	for kind := range ids {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}

const redacted = "[redacted]"

// Format implements [fmt.Formatter] for every verb without showing a value.
func (ids Identities) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer] without showing a value.
func (ids Identities) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [json.Marshaler] without showing a value, so that no
// log and no answer of a host's API does; they are read from JSON as ever.
func (ids Identities) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// Submission asks for a policy to be applied to a data subject.
type Submission struct {
	// Policy is the key of a policy of the engine.
	Policy string
	// Identities of the data subject; at least one value.
	Identities Identities
	// ExternalID is the host's own name for the request.
	ExternalID string
	// RequestedAt defaults to now.
	RequestedAt time.Time
	// Location is where the data subject is: a country by ISO 3166-1, such
	// as "FR", or a part of it by ISO 3166-2, such as "US-CA".
	Location string
	// Locale is the language that the data subject reads, by BCP 47, such
	// as "de" or "pt-BR". Defaults to English.
	Locale string
	// Encryption says how the packages are encrypted. What cannot be done
	// is refused.
	Encryption Encryption
	// Fields are what else the submission says, such as the custom fields of
	// a form: at most 100, with 1,000 values and 64 KiB together. They can be
	// found by Filter.Fields, and read by [Requests.Open].
	Fields Fields
	// Source is where it comes from, such as "Privacy Center"; it names no
	// person and has at most 100 bytes. Labels are at most 20, of 1,000 bytes
	// each. Both are sealed with the identities, searched by nothing, and read
	// by [Requests.Open].
	Source string
	Labels Labels
	// Verified says that the host knows the data subject for who they claim
	// to be, as after a log-in: no code is sent.
	Verified bool
	// Silent keeps all notices from the data subject, but for verification
	// codes.
	Silent bool
	// By says who submits it, if that is not the data subject.
	By By
}

// Format implements [fmt.Formatter] for every verb without showing an
// identity.
func (s Submission) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{Policy:%s Identities:%s ExternalID:%s RequestedAt:%s}", s.Policy, redacted, s.ExternalID, s.RequestedAt)
}

// LogValue implements [slog.LogValuer] without showing an identity.
func (s Submission) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

// By says who does something to a request, and why. It is kept sealed with the
// request; the audit trail knows the actor by a keyed pseudonym only. It prints
// as [redacted] under every verb.
type By struct {
	// Actor is the host's own name for the person or the system.
	Actor string
	// Reason is what they say. A denial needs one.
	Reason string
}

// Format implements [fmt.Formatter] for every verb without showing anybody.
func (b By) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer] without showing anybody.
func (b By) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [json.Marshaler] without showing anybody, as that of
// [Identities] does.
func (b By) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// Remark is what somebody did to a request and said about it. It prints, also
// as JSON, without the actor and the reason.
type Remark struct {
	Time time.Time `json:"time"`
	// Action is what the audit trail calls it, such as "denied".
	Action string `json:"action"`
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Format implements [fmt.Formatter] for every verb without showing anybody.
func (m Remark) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{%s %s %s}", m.Time.Format(time.RFC3339), m.Action, redacted)
}

// LogValue implements [slog.LogValuer] without showing anybody.
func (m Remark) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(m)) }

// MarshalJSON implements [json.Marshaler] without showing anybody.
func (m Remark) MarshalJSON() ([]byte, error) {
	m.Actor, m.Reason = "", ""
	return json.Marshal(openRemark(m))
}

// openRemark is a remark as it is sealed.
type openRemark Remark

// Request is a privacy request as a host sees it. Times that did not come yet
// are zero.
type Request struct {
	ID         string
	ExternalID string
	Policy     string
	Actions    []graph.Action
	Location   string
	Status     Status
	Stage      Stage

	RequestedAt time.Time
	CreatedAt   time.Time
	UpdatedAt   time.Time
	VerifiedAt  time.Time
	ReviewedAt  time.Time
	StartedAt   time.Time
	// PausedAt is when it was paused, as long as it is, and what it collected
	// has not expired.
	PausedAt time.Time
	FailedAt time.Time
	// FinishedAt is when it became complete, denied or canceled.
	FinishedAt  time.Time
	FinalizedAt time.Time
	DeletedAt   time.Time
	// DeadlineAt is when it has to be answered.
	DeadlineAt time.Time
	// DueAt is when it goes on by itself, or something of it expires.
	DueAt time.Time

	// DuplicateOf is the request that this one repeats.
	DuplicateOf string
	// PreApproval holds the answers so far, by check.
	PreApproval map[string]bool
	// Waiting says what is tried again; nil for nothing.
	Waiting *Waiting
	// Failure is what stopped the request last.
	Failure string

	// Awaits names what others have to answer: forms as
	// "form:access/key", tasks as "task:access/dataset:collection", hooks
	// and vendors as "hook:key" and "vendor:key".
	Awaits []string
	// Hooks are those that were called, and Vendors those that are asked to
	// erase. Lists leave both out.
	Hooks   []HookOutcome
	Vendors []VendorOutcome
	// Collections tells what was found and erased where, in plan order, and
	// Packages what was delivered, one for each access rule. Lists leave
	// both out.
	Collections []CollectionOutcome
	Packages    []PackageOutcome
	// Unconfirmed names collections and forms of which people did not say
	// that they erased everything: such a request requires finalization.
	// Lists leave it out.
	Unconfirmed []string
	// Opened is what is sealed of the request, in lists whose Filter.Open
	// asks for it.
	Opened *Opened
}

// Waiting is work that goes on by itself.
type Waiting struct {
	// Reason says what failed, without personal values.
	Reason string
	// Since is when it failed first, Until when it is tried again; zero
	// while it is. Tries counts the failures.
	Since, Until time.Time
	Tries        int
}

// request shows a record to the host.
func (rec *Record) request() *Request {
	res, err := rec.results()
	if err != nil {
		res = results{}
	}
	return rec.show(&res)
}

// show shows a record with its outcomes.
func (rec *Record) show(res *results) *Request {
	s, _ := rec.state() // what is damaged is left out
	req := &Request{
		ID: rec.ID, ExternalID: rec.ExternalID, Policy: rec.Policy, Actions: slices.Clone(rec.Actions), Location: rec.Location,
		Status: rec.Status, Stage: rec.Stage, RequestedAt: rec.RequestedAt, CreatedAt: rec.CreatedAt, UpdatedAt: rec.UpdatedAt,
		VerifiedAt: s.VerifiedAt, ReviewedAt: s.ReviewedAt, StartedAt: rec.StartedAt, FailedAt: rec.FailedAt,
		FinishedAt: rec.FinishedAt, FinalizedAt: s.FinalizedAt, DeletedAt: rec.DeletedAt, DeadlineAt: rec.DeadlineAt, DueAt: rec.DueAt,
		DuplicateOf: s.Repeats, PreApproval: s.Answers, Failure: rec.Failure, Awaits: s.Awaits,
		Hooks: slices.Clone(res.Hooks), Vendors: slices.Clone(res.Vendors),
		Collections: slices.Clone(res.Collections), Packages: slices.Clone(res.Packages),
		Unconfirmed: slices.Clone(res.Unconfirmed),
	}
	if rec.Status == StatusPaused {
		req.PausedAt = s.StoppedAt
	}
	if w := s.Wait; w != nil {
		req.Waiting = &Waiting{Reason: w.Reason, Since: w.Since, Until: w.Until, Tries: w.Tries}
	}
	return req
}
