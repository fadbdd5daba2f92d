package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/godsr/dsr"
)

// Event is a notice as a receiver gets it: a JSON object with "type",
// "timestamp" and "data", as the standard advises in section "Payload
// structure". It prints without what is personal.
//
//	dsr.NoticeReceived  privacy_request.received
//	dsr.NoticeVerify    privacy_request.verification_requested
//	dsr.NoticeApproved  privacy_request.approved
//	dsr.NoticeDenied    privacy_request.denied
//	dsr.NoticeExtended  privacy_request.extended
//	dsr.NoticeCanceled  privacy_request.canceled
//	dsr.NoticePackage   privacy_request.package_ready
//	dsr.NoticeComplete  privacy_request.completed
//	dsr.NoticeInput     privacy_request.input_required
//	dsr.NoticeFinalize  privacy_request.finalization_required
//	dsr.NoticeFailed    privacy_request.failed
//	dsr.NoticeTask      task.assigned
//	dsr.NoticeReminder  task.reminder
//	dsr.NoticeDigest    task.digest
//	dsr.NoticeErase     vendor.erasure_requested
type Event struct {
	Type string `json:"type"`
	// Timestamp is when it happened, in UTC; the attempt's is in a header.
	Timestamp time.Time `json:"timestamp"`
	Data      EventData `json:"data"`
}

// EventData is what an event is about. What is empty is left out. Its fields are
// those of [dsr.Notice].
type EventData struct {
	// NoticeID is that of the header webhook-id.
	NoticeID string `json:"notice_id"`
	// Audience says whom the notice is for.
	Audience   dsr.Audience  `json:"audience"`
	RequestID  string        `json:"privacy_request_id,omitempty"`
	ExternalID string        `json:"external_id,omitempty"`
	Policy     string        `json:"policy_key,omitempty"`
	Actions    []string      `json:"actions,omitempty"`
	Deadline   time.Time     `json:"deadline,omitzero"`
	Locale     string        `json:"locale,omitempty"`
	Packages   []string      `json:"packages,omitempty"`
	Message    string        `json:"message,omitempty"`
	Tasks      []dsr.TaskRef `json:"tasks,omitempty"`
	// Unconfirmed and Asked are collections, forms and vendors.
	Unconfirmed []string `json:"unconfirmed,omitempty"`
	Asked       []string `json:"asked,omitempty"`
	// Personal is nil where the sender keeps it; see Options.Personal.
	Personal *Personal `json:"personal,omitempty"`
}

// Personal is what an event says of people, or what is secret. It prints as
// [redacted] under every verb, and as JSON.
type Personal struct {
	// To are the identities of the data subject, by kind.
	To map[string][]string `json:"to,omitempty"`
	// Subject, Text and HTML are the rendered texts.
	Subject     string            `json:"subject,omitempty"`
	Text        string            `json:"text,omitempty"`
	HTML        string            `json:"html,omitempty"`
	Code        string            `json:"code,omitempty"`
	CodeExpires time.Time         `json:"code_expires,omitzero"`
	Reason      string            `json:"reason,omitempty"`
	Links       []dsr.NoticeLink  `json:"links,omitempty"`
	Assignee    string            `json:"assignee,omitempty"`
	Vendor      *dsr.NoticeVendor `json:"vendor,omitempty"`
	// People are those whom a vendor is asked to erase.
	People []map[string][]string `json:"people,omitempty"`
}

const redacted = "[redacted]"

// Format implements [fmt.Formatter] for every verb without showing anything.
func (p Personal) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer] without showing anything.
func (p Personal) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [json.Marshaler] without showing anything; it is read
// from JSON as ever.
func (p Personal) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// openPersonal is Personal as it is sent.
type openPersonal Personal

// openEvent is an Event as it is sent.
type openEvent struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      openData  `json:"data"`
}

type openData struct {
	EventData
	// Personal stands for that of EventData.
	Personal *openPersonal `json:"personal,omitempty"`
}

// eventType is empty for a kind that there is not.
func eventType(kind dsr.NoticeKind) string {
	switch kind {
	case dsr.NoticeReceived, dsr.NoticeApproved, dsr.NoticeDenied, dsr.NoticeExtended, dsr.NoticeCanceled, dsr.NoticeFailed:
		return "privacy_request." + string(kind)
	case dsr.NoticeVerify:
		return "privacy_request.verification_requested"
	case dsr.NoticePackage:
		return "privacy_request.package_ready"
	case dsr.NoticeComplete:
		return "privacy_request.completed"
	case dsr.NoticeInput:
		return "privacy_request.input_required"
	case dsr.NoticeFinalize:
		return "privacy_request.finalization_required"
	case dsr.NoticeTask:
		return "task.assigned"
	case dsr.NoticeReminder:
		return "task.reminder"
	case dsr.NoticeDigest:
		return "task.digest"
	case dsr.NoticeErase:
		return "vendor.erasure_requested"
	}
	return ""
}

// encodeEvent makes the body of a notice.
func encodeEvent(n *dsr.Notice, personal bool) ([]byte, error) {
	e := openEvent{Type: eventType(n.Kind), Timestamp: n.At.UTC()}
	switch {
	case e.Type == "":
		return nil, fmt.Errorf("no event is known for notices of kind %q", n.Kind)
	case !personal && (n.Kind == dsr.NoticeVerify || n.Kind == dsr.NoticeErase):
		return nil, fmt.Errorf("a notice of kind %q is of no use without what is personal; set Options.Personal, or leave the kind out of Options.Kinds", n.Kind)
	}
	e.Data.EventData = EventData{
		NoticeID: n.ID, Audience: n.Kind.Audience(), RequestID: n.RequestID, ExternalID: n.ExternalID, Policy: n.Policy,
		Deadline: n.Deadline, Locale: n.Locale, Packages: n.Packages, Message: n.Message, Tasks: n.Tasks,
		Unconfirmed: n.Unconfirmed, Asked: n.Asked,
	}
	for _, action := range n.Actions {
		e.Data.Actions = append(e.Data.Actions, string(action))
	}
	if personal {
		e.Data.Personal = &openPersonal{
			To: n.To, Subject: n.Subject, Text: n.Text, HTML: n.HTML, Code: n.Code, CodeExpires: n.CodeExpires,
			Reason: n.Reason, Links: n.Links, Assignee: n.Assignee, Vendor: n.Vendor,
		}
		for _, person := range n.People {
			e.Data.Personal.People = append(e.Data.Personal.People, person)
		}
	}
	body, err := json.Marshal(e)
	if err != nil { // it may quote what is personal
		return nil, errors.New("it cannot be written as JSON")
	}
	return body, nil
}

// DecodeEvent reads the body of a notice, after it was verified. Members that it
// does not know are ignored, so that senders may add some; the error quotes
// nothing of the body.
func DecodeEvent(body []byte) (*Event, error) {
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("webhook: the event %w", wrongJSON(err))
	}
	if e.Type == "" || e.Timestamp.IsZero() || e.Data.NoticeID == "" {
		return nil, errors.New("webhook: the event lacks its type, timestamp or notice_id")
	}
	return &e, nil
}

// wrongJSON says where JSON is wrong, without what stands there.
func wrongJSON(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Type != nil {
		return fmt.Errorf("is of the wrong form at byte %d: there should be a %s", wrong.Offset, wrong.Type.Kind())
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("is not JSON from byte %d on", syntax.Offset)
	}
	return errors.New("is of the wrong form")
}
