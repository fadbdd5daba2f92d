package dsr

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"
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
}

// Format implements [fmt.Formatter] for every verb without showing an
// identity.
func (s Submission) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{Policy:%s Identities:%s ExternalID:%s RequestedAt:%s}", s.Policy, redacted, s.ExternalID, s.RequestedAt)
}

// LogValue implements [slog.LogValuer] without showing an identity.
func (s Submission) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

// Request is a privacy request as a host sees it.
type Request struct {
	ID          string
	ExternalID  string
	Policy      string
	Status      Status
	Stage       Stage
	RequestedAt time.Time
	CreatedAt   time.Time
	UpdatedAt   time.Time
	// FinishedAt is zero until the request is complete.
	FinishedAt time.Time
	// Collections tells what was found and erased where, in plan order.
	Collections []CollectionOutcome
	// Packages were delivered, one for each access rule.
	Packages []PackageOutcome
	// Failure is what stopped the request last.
	Failure string
}
