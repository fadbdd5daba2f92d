package manual

import "fmt"

// The refusals below have the texts of Fides, which its clients show to people.

// StatusError refuses an upload, or a look at one, while the request does not
// wait for input.
type StatusError struct {
	Action    Action
	RequestID string
	// Status is where the request stands, in Fides' words.
	Status string
}

// Error is the text of Fides.
func (e *StatusError) Error() string {
	return fmt.Sprintf("Invalid manual webhook %s upload request: privacy request '%s' status = %s.", e.Action, e.RequestID, e.Status)
}

// ResumeStatusError refuses to resume a request that does not wait for input.
type ResumeStatusError struct {
	RequestID string
	// Status is where the request stands, in Fides' words.
	Status string
}

// Error is the text of Fides.
func (e *ResumeStatusError) Error() string {
	return fmt.Sprintf("Cannot resume privacy request from 'requires_input': privacy request '%s' status = %s.", e.RequestID, e.Status)
}

// MissingError refuses to resume a request whose form is not filled in, or was
// given more fields since; see [Form.Missing].
type MissingError struct {
	RequestID string
	// Form is the form's key.
	Form string
	// Unset are the labels that were not asked for when the form was filled
	// in. It is empty where nobody has filled it in.
	Unset []string
}

// Error is the text of Fides, which leaves out the labels.
func (e *MissingError) Error() string {
	what := "No data cached"
	if len(e.Unset) > 0 {
		what = "Fields unset"
	}
	return fmt.Sprintf("Cannot resume privacy request. %s for privacy_request_id '%s' for connection config '%s'", what, e.RequestID, e.Form)
}

// NoFormError: the connection has no form.
type NoFormError struct {
	Key string
}

// Error is the text of Fides.
func (e *NoFormError) Error() string {
	return fmt.Sprintf("No access manual webhook exists for connection config with key '%s'", e.Key)
}

// ExistsError refuses a second form for a connection.
type ExistsError struct {
	Key string
}

// Error is the text of Fides.
func (e *ExistsError) Error() string {
	return fmt.Sprintf("An Access Manual Webhook already exists for ConnectionConfig '%s'.", e.Key)
}

// ConnectionTypeError refuses a form for a connection that is answered by a
// system, not by people.
type ConnectionTypeError struct{}

// Error is the text of Fides.
func (*ConnectionTypeError) Error() string {
	return "You can only create manual webhooks for ConnectionConfigs of type 'manual_webhook'."
}

// ActionError refuses an upload for an action that the form is not for.
type ActionError struct {
	// Form is the form's key.
	Form   string
	Action Action
}

// Error names the form and the action.
func (e *ActionError) Error() string {
	return fmt.Sprintf("manual: the form %q is not filled in for %q: add the action to its enabled_actions, or upload for another", e.Form, string(e.Action))
}
