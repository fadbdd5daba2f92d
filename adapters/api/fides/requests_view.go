package fides

import (
	"cmp"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// requestView is a privacy request as Fides shows it. Every key is there, null
// where there is nothing.
type requestView struct {
	ID                 string                 `json:"id"`
	CreatedAt          *stamp                 `json:"created_at"`
	StartedAt          *stamp                 `json:"started_processing_at"`
	ReviewedAt         *stamp                 `json:"reviewed_at"`
	ReviewedBy         *string                `json:"reviewed_by"`
	SubmittedBy        *string                `json:"submitted_by"`
	Reviewer           nullable[userView]     `json:"reviewer"`
	Submitter          nullable[userView]     `json:"submitter"`
	FinishedAt         *stamp                 `json:"finished_processing_at"`
	VerifiedAt         *stamp                 `json:"identity_verified_at"`
	PausedAt           *stamp                 `json:"paused_at"`
	Status             string                 `json:"status"`
	ExternalID         *string                `json:"external_id"`
	Identity           nullable[identityView] `json:"identity"`
	CustomFields       nullable[customFields] `json:"custom_privacy_request_fields"`
	Policy             requestPolicyView      `json:"policy"`
	ActionRequired     nullable[actionView]   `json:"action_required_details"`
	ResumeEndpoint     *string                `json:"resume_endpoint" doc:"Null also while it waits for tasks: what is done with the last of them lets it go on."`
	DaysLeft           *int                   `json:"days_left"`
	FieldsApprovedBy   *string                `json:"custom_privacy_request_fields_approved_by"`
	FieldsApprovedAt   *stamp                 `json:"custom_privacy_request_fields_approved_at"`
	Source             *string                `json:"source"`
	Location           *string                `json:"location"`
	PropertyID         *string                `json:"property_id"`
	DeletedAt          *stamp                 `json:"deleted_at"`
	DeletedBy          *string                `json:"deleted_by"`
	FinalizedAt        *stamp                 `json:"finalized_at"`
	FinalizedBy        *string                `json:"finalized_by"`
	DuplicateRequestID *string                `json:"duplicate_request_group_id"`

	// With verbose only.
	Results map[string][]logLine `json:"results,omitzero" required:"false" nullable:"false" doc:"With verbose: what was done, by dataset, and what was decided, by names of Fides' own such as Request approved."`
	Tasks   map[string]string    `json:"task_status_by_dataset,omitzero" required:"false" nullable:"false" doc:"With verbose: the worst status of each dataset that has one to look at."`
}

// userView is somebody of the privacy desk: the subject of their token, which is
// all that is known of them here.
type userView struct {
	ID       string `json:"id"`
	Username string `json:"username"`
}

// requestPolicyView is the policy of a request.
type requestPolicyView struct {
	Name       string            `json:"name"`
	Key        string            `json:"key"`
	Rules      []requestRuleView `json:"rules" nullable:"false"`
	DRPAction  *string           `json:"drp_action"`
	Timeframe  *int              `json:"execution_timeframe" doc:"In days."`
	Conditions *string           `json:"conditions"`
}

// requestRuleView is a rule of a policy, without the configuration of its masking.
type requestRuleView struct {
	Name        string                `json:"name"`
	Key         string                `json:"key"`
	Action      string                `json:"action_type"`
	Destination *string               `json:"storage_destination_key"`
	Masking     nullable[maskingView] `json:"masking_strategy"`
}

type maskingView struct {
	Strategy string `json:"strategy"`
}

// actionView tells where a request failed, or what nobody confirmed.
type actionView struct {
	Step         string  `json:"step"`
	Collection   *string `json:"collection"`
	ActionNeeded []any   `json:"action_needed"`
}

// viewer shows requests. It looks at each policy once, as the engine has it in
// memory.
type viewer struct {
	door     *Door
	policies map[string]requestPolicyView
}

func (d *Door) viewer() *viewer { return &viewer{d, map[string]requestPolicyView{}} }

// view shows what is not sealed of a request.
func (v *viewer) view(r *dsr.Request) *requestView {
	shown := &requestView{
		ID: r.ID, CreatedAt: stampOf(r.CreatedAt), StartedAt: stampOf(r.StartedAt), ReviewedAt: stampOf(r.ReviewedAt),
		FinishedAt: stampOf(r.FinishedAt), VerifiedAt: stampOf(r.VerifiedAt), PausedAt: stampOf(r.PausedAt), Status: string(r.Status),
		ExternalID: textOf(r.ExternalID), Policy: v.policy(r.Policy), Location: textOf(r.Location), DeletedAt: stampOf(r.DeletedAt),
		FinalizedAt: stampOf(r.FinalizedAt), DuplicateRequestID: textOf(r.DuplicateOf),
	}
	if r.Status == dsr.StatusError {
		shown.FinishedAt, shown.ActionRequired = stampOf(r.FailedAt), present(actionView{Step: step(r.Stage)})
	}
	if r.Status == dsr.StatusRequiresFinalization {
		shown.ActionRequired = unconfirmed(r)
	}
	end := ""
	switch r.Status {
	case dsr.StatusPaused:
		end = "resume"
	case dsr.StatusError:
		end = "retry"
	case dsr.StatusRequiresInput:
		if !slices.ContainsFunc(r.Awaits, func(await string) bool { return !strings.HasPrefix(await, "form:") }) {
			end = "resume_from_requires_input"
		}
	}
	if end != "" {
		shown.ResumeEndpoint = textOf("/privacy-request/" + r.ID + "/" + end)
	}
	shown.DaysLeft = v.door.daysLeft(r.DeadlineAt, r.FinishedAt)
	return shown
}

// unconfirmed names the collections and forms of which nobody said that all was
// erased.
func unconfirmed(r *dsr.Request) (none nullable[actionView]) {
	if len(r.Unconfirmed) == 0 {
		return none
	}
	return present(actionView{Step: "erasure", Collection: textOf(strings.Join(r.Unconfirmed, ", "))})
}

// step is Fides' name for a stage.
func step(s dsr.Stage) string {
	switch s {
	case dsr.StageDeliver:
		return "upload_access"
	case dsr.StageJournal, dsr.StageErase:
		return "erasure"
	case dsr.StageFinish, dsr.StageDone:
		return "post_webhooks"
	}
	return "access"
}

// policy shows a policy; of one that is no longer configured its key.
func (v *viewer) policy(key string) requestPolicyView {
	shown, ok := v.policies[key]
	if !ok {
		shown = v.door.viewRequestPolicy(key)
		v.policies[key] = shown
	}
	return shown
}

func (d *Door) viewRequestPolicy(key string) requestPolicyView {
	v := requestPolicyView{Name: key, Key: key, Rules: []requestRuleView{}}
	p := d.policy(key)
	if p == nil {
		return v
	}
	v.Name = cmp.Or(p.Name, key)
	if made := d.engine.PolicyDefinition(key); made != nil {
		v.Timeframe, v.DRPAction = daysOf(made.Timeframe), textOf(notesOf(made).DRPAction)
	}
	for i := range p.Rules {
		v.Rules = append(v.Rules, viewRequestRule(&p.Rules[i]))
	}
	return v
}

// policy is one of those that the engine knows now, in memory.
func (d *Door) policy(key string) *graph.Policy {
	for _, p := range d.engine.Policies() {
		if p.Key == key {
			return &p
		}
	}
	return nil
}

func viewRequestRule(r *graph.Rule) requestRuleView {
	v := requestRuleView{Name: ruleName(r), Key: r.Key, Action: string(r.Action), Destination: textOf(r.Destination)}
	if r.Masking != nil {
		v.Masking = present(maskingView{r.Masking.Strategy})
	}
	return v
}

// textOf is null for the empty text.
func textOf(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
