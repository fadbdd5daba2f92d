package webhook

import (
	"time"

	"github.com/godsr/dsr"
)

// CallRequest is the request of a call, without what is personal. Times that did
// not come yet are zero.
type CallRequest struct {
	ID          string     `json:"id"`
	ExternalID  string     `json:"external_id"`
	Status      dsr.Status `json:"status"`
	Policy      string     `json:"policy_key"`
	Actions     []string   `json:"actions"`
	Location    string     `json:"location"`
	RequestedAt time.Time  `json:"requested_at"`
	CreatedAt   time.Time  `json:"created_at"`
	VerifiedAt  time.Time  `json:"identity_verified_at"`
	ReviewedAt  time.Time  `json:"reviewed_at"`
	StartedAt   time.Time  `json:"started_processing_at"`
	PausedAt    time.Time  `json:"paused_at"`
	FinishedAt  time.Time  `json:"finished_processing_at"`
	FinalizedAt time.Time  `json:"finalized_at"`
	CanceledAt  time.Time  `json:"canceled_at"`
	Deadline    time.Time  `json:"deadline"`
}

// sentRequest is the request of a call as it is sent: what Fides sends of one
// (PrivacyRequest.to_safe_dict), each key there, null for what is not known or
// does not exist here, and some keys of our own at its end.
type sentRequest struct {
	ID               string         `json:"id"`
	ExternalID       *string        `json:"external_id"`
	Status           dsr.Status     `json:"status"`
	RequestedAt      *stamp         `json:"requested_at"`
	StartedAt        *stamp         `json:"started_processing_at"`
	FinishedAt       *stamp         `json:"finished_processing_at"`
	ReviewedAt       *stamp         `json:"reviewed_at"`
	ReviewedBy       *string        `json:"reviewed_by"`
	FinalizedAt      *stamp         `json:"finalized_at"`
	FinalizedBy      *string        `json:"finalized_by"`
	SubmittedBy      *string        `json:"submitted_by"`
	FieldsApprovedBy *string        `json:"custom_privacy_request_fields_approved_by"`
	VerifiedAt       *stamp         `json:"identity_verified_at"`
	FieldsApprovedAt *stamp         `json:"custom_privacy_request_fields_approved_at"`
	ClientID         *string        `json:"client_id"`
	Origin           *string        `json:"origin"`
	PolicyID         *string        `json:"policy_id"`
	Policy           sentPolicy     `json:"policy"`
	PropertyID       *string        `json:"property_id"`
	CancelReason     *string        `json:"cancel_reason"`
	CanceledAt       *stamp         `json:"canceled_at"`
	Preferences      *string        `json:"consent_preferences"`
	Source           *string        `json:"source"`
	PausedAt         *stamp         `json:"paused_at"`
	DueDate          *stamp         `json:"due_date"`
	DaysLeft         *int           `json:"days_left"`
	CustomFields     map[string]any `json:"custom_fields"`
	Location         *string        `json:"location"`

	PolicyKey string   `json:"policy_key"`
	Actions   []string `json:"actions"`
	CreatedAt *stamp   `json:"created_at"`
	Deadline  *stamp   `json:"deadline"`
}

// sentPolicy is the policy of a request, of which a hook is told the key and the
// actions.
type sentPolicy struct {
	ID        *string    `json:"id"`
	Name      *string    `json:"name"`
	Key       string     `json:"key"`
	DRPAction *string    `json:"drp_action"`
	Timeframe *int       `json:"execution_timeframe"`
	ClientID  *string    `json:"client_id"`
	Rules     []sentRule `json:"rules"`
}

// sentRule stands for the rules of an action.
type sentRule struct {
	ID          *string `json:"id"`
	Name        *string `json:"name"`
	Key         *string `json:"key"`
	Action      string  `json:"action_type"`
	Masking     *string `json:"masking_strategy"`
	Destination *string `json:"storage_destination_id"`
}

// sentRequest tells of a request what the receiver gets of it at that time.
func (c *Client) sentRequest(call *dsr.HookCall, at time.Time) *sentRequest {
	r := call.Request
	out := &sentRequest{
		ID: r.ID, ExternalID: orNull(r.ExternalID), Status: r.Status, RequestedAt: timeOrNull(r.RequestedAt), StartedAt: timeOrNull(r.StartedAt),
		FinishedAt: timeOrNull(r.FinishedAt), ReviewedAt: timeOrNull(r.ReviewedAt), FinalizedAt: timeOrNull(r.FinalizedAt),
		VerifiedAt: timeOrNull(r.VerifiedAt), PausedAt: timeOrNull(r.PausedAt), DueDate: timeOrNull(r.DeadlineAt), Location: orNull(r.Location),
		PolicyKey: r.Policy, Policy: sentPolicy{Key: r.Policy, Rules: []sentRule{}}, Actions: []string{},
		CreatedAt: timeOrNull(r.CreatedAt), Deadline: timeOrNull(r.DeadlineAt),
	}
	for _, action := range call.Actions {
		out.Actions = append(out.Actions, string(action))
		out.Policy.Rules = append(out.Policy.Rules, sentRule{Action: string(action)})
	}
	if !r.DeadlineAt.IsZero() && r.FinishedAt.IsZero() {
		const day = 24 * time.Hour // in UTC, as Fides counts
		days := int(r.DeadlineAt.Truncate(day).Sub(at.Truncate(day)) / day)
		out.DaysLeft = &days
	}
	if r.Status == dsr.StatusCanceled {
		out.CanceledAt = out.FinishedAt
	}
	if c.opts.Personal && r.Opened != nil {
		out.add(r, r.Opened)
	}
	return out
}

// add adds what is personal: who did what, and what the submission says besides.
func (out *sentRequest) add(r *dsr.Request, o *dsr.Opened) {
	out.SubmittedBy, out.Source = orNull(o.Last("received").Actor), orNull(o.Source)
	out.PropertyID = orNull(o.Labels["property_id"]) // where the Fides-shaped API keeps it
	review := o.Last("approved", "denied")
	if r.ReviewedAt.IsZero() || review.Time.Before(r.ReviewedAt) { // from before it was submitted again
		review = dsr.Remark{}
	}
	out.ReviewedBy = orNull(review.Actor)
	if len(o.Fields) > 0 && review.Action == "approved" {
		out.FieldsApprovedBy, out.FieldsApprovedAt = orNull(review.Actor), timeOrNull(review.Time)
	}
	if !r.FinalizedAt.IsZero() {
		out.FinalizedBy = orNull(o.Last("finalized").Actor)
	}
	if out.CanceledAt != nil {
		out.CancelReason = orNull(o.Last("canceled").Reason)
	}
	for name, f := range o.Fields {
		if out.CustomFields == nil {
			out.CustomFields = map[string]any{}
		}
		out.CustomFields[name] = map[string]any{"label": f.Label, "value": f.Value}
	}
}

// orNull is nil for the empty text.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// timeOrNull is nil for the zero time.
func timeOrNull(t time.Time) *stamp {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}

// stamp is a time as Fides writes it: in UTC, with six digits of a second, which
// strptime with %f of Python insists on.
type stamp time.Time

// MarshalText implements [encoding.TextMarshaler].
func (s stamp) MarshalText() ([]byte, error) {
	return []byte(time.Time(s).UTC().Format("2006-01-02T15:04:05.000000Z")), nil
}
