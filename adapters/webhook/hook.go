package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/godsr/dsr"
)

// Values of [Call].
const (
	// DirectionOneWay and DirectionTwoWay say whether an answer is awaited.
	DirectionOneWay = "one_way"
	DirectionTwoWay = "two_way"
	// CallbackPreApproval, CallbackPre and CallbackPost are the phases.
	CallbackPreApproval = "pre_approval"
	CallbackPre         = "pre"
	CallbackPost        = "post"
)

// Call is what a hook is told, in the shape of Fides' policy webhooks and
// pre-approval webhooks (SecondPartyRequestFormat). It prints without what is
// personal.
type Call struct {
	RequestID string     `json:"privacy_request_id"`
	Status    dsr.Status `json:"privacy_request_status"`
	// Direction is "one_way" or "two_way"; that of a pre-approval is always
	// "two_way".
	Direction string `json:"direction"`
	// CallbackType is "pre_approval", "pre" or "post".
	CallbackType string `json:"callback_type"`
	// Identity holds the values of each kind. In JSON one value stands
	// alone, several are a list. It is left empty unless the sender sets
	// Options.Personal.
	Identity Identity `json:"identity"`
	// Action is the first of the policy's.
	Action  string      `json:"policy_action,omitempty"`
	Request CallRequest `json:"privacy_request"`
	// Timestamp is when the call was made, in UTC.
	Timestamp time.Time `json:"timestamp"`
}

// CallRequest is the request of a call. What is empty is left out.
type CallRequest struct {
	ID          string     `json:"id"`
	ExternalID  string     `json:"external_id,omitempty"`
	Status      dsr.Status `json:"status"`
	Policy      string     `json:"policy_key"`
	Actions     []string   `json:"actions,omitempty"`
	Location    string     `json:"location,omitempty"`
	RequestedAt time.Time  `json:"requested_at,omitzero"`
	CreatedAt   time.Time  `json:"created_at,omitzero"`
	Deadline    time.Time  `json:"deadline,omitzero"`
}

// Identity are values by kind. It prints as [redacted] under every verb, and as
// JSON; from JSON it is read in either form, one value or a list.
type Identity map[string][]string

// Format implements [fmt.Formatter] for every verb without showing a value.
func (ids Identity) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer] without showing a value.
func (ids Identity) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [json.Marshaler] without showing a value.
func (ids Identity) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// UnmarshalJSON implements [json.Unmarshaler]. null stands for no value, of a
// kind or of all; the error quotes nothing.
func (ids *Identity) UnmarshalJSON(data []byte) error {
	var kinds map[string]json.RawMessage
	if json.Unmarshal(data, &kinds) != nil {
		return errIdentity
	}
	*ids = nil
	for kind, raw := range kinds {
		var one *string
		var many []string
		switch {
		case json.Unmarshal(raw, &one) == nil:
			if one != nil {
				many = []string{*one}
			}
		case json.Unmarshal(raw, &many) != nil:
			return errIdentity
		}
		if len(many) == 0 {
			continue
		}
		if *ids == nil {
			*ids = Identity{}
		}
		(*ids)[kind] = many
	}
	return nil
}

var errIdentity = errors.New("has an identity that is not made of kinds with a text, or a list of texts, each")

// open returns the identities as they are sent.
func (ids Identity) open() map[string]any {
	shown := make(map[string]any, len(ids))
	for kind, values := range ids {
		switch len(values) {
		case 0:
		case 1:
			shown[kind] = values[0]
		default:
			shown[kind] = values
		}
	}
	return shown
}

// Answer is what a two-way hook, or one of pre-approval, answers. Members that
// are left out say nothing.
type Answer struct {
	// Identities are added to those of the request, before execution.
	Identities Identity `json:"derived_identity,omitempty"`
	// Halt pauses the request, before execution.
	Halt bool `json:"halt,omitempty"`
	// Eligible answers a pre-approval; nil for later.
	Eligible *bool `json:"eligible,omitempty"`
}

// Write answers with status 200 and the answer as JSON.
func (a *Answer) Write(w http.ResponseWriter) error {
	type plain struct {
		Identities map[string]any `json:"derived_identity,omitempty"`
		Halt       bool           `json:"halt"`
		Eligible   *bool          `json:"eligible,omitempty"`
	}
	body, err := json.Marshal(plain{a.Identities.open(), a.Halt, a.Eligible})
	if err != nil {
		return errors.New("webhook: the answer cannot be written as JSON")
	}
	w.Header().Set("Content-Type", "application/json")
	_, err = w.Write(body)
	return err
}

// DecodeCall reads the body of a hook, after it was verified, as [DecodeEvent]
// reads that of a notice.
func DecodeCall(body []byte) (*Call, error) {
	var c Call
	if err := json.Unmarshal(body, &c); err != nil {
		return nil, fmt.Errorf("webhook: the call %w", wrongCall(err))
	}
	if c.RequestID == "" || c.CallbackType == "" || c.Direction == "" {
		return nil, errors.New("webhook: the call lacks its privacy_request_id, callback_type or direction")
	}
	return &c, nil
}

// decodeAnswer ignores unknown members, as Fides does, and refuses known ones of
// a wrong type.
func decodeAnswer(body []byte) (*dsr.HookAnswer, error) {
	var a Answer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("its answer %w", wrongCall(err))
	}
	return &dsr.HookAnswer{Identities: dsr.Identities(a.Identities), Halt: a.Halt, Eligible: a.Eligible}, nil
}

func wrongCall(err error) error {
	if errors.Is(err, errIdentity) {
		return errIdentity
	}
	return wrongJSON(err)
}

// encodeCall makes the body of a call, and the headers that say where to answer
// later.
func (c *Client) encodeCall(call *dsr.HookCall) ([]byte, http.Header, error) {
	if call.Request == nil {
		return nil, nil, errors.New("the call has no request")
	}
	out := &Call{
		RequestID: call.Request.ID, Status: call.Request.Status, Direction: DirectionOneWay,
		Request: CallRequest{
			ID: call.Request.ID, ExternalID: call.Request.ExternalID, Status: call.Request.Status, Policy: call.Request.Policy,
			Location: call.Request.Location, RequestedAt: call.Request.RequestedAt, CreatedAt: call.Request.CreatedAt,
			Deadline: call.Request.DeadlineAt,
		},
		Timestamp: c.opts.Clock().UTC(),
	}
	header := http.Header{}
	if call.TwoWay {
		out.Direction = DirectionTwoWay
	}
	base := c.opts.ReplyTo + "/privacy-request/" + url.PathEscape(out.RequestID)
	switch call.Phase {
	case dsr.HookPreApproval:
		out.CallbackType, out.Direction = CallbackPreApproval, DirectionTwoWay
		header["Reply-To-Eligible"] = []string{base + "/pre-approve/eligible"}
		header["Reply-To-Not-Eligible"] = []string{base + "/pre-approve/not-eligible"}
	case dsr.HookBefore:
		out.CallbackType = CallbackPre
		header["Reply-To"] = []string{base + "/resume"}
	case dsr.HookAfter:
		out.CallbackType = CallbackPost
	default:
		return nil, nil, fmt.Errorf("there is no phase %q", call.Phase)
	}
	header["Reply-To-Token"] = []string{call.Token}
	if c.opts.ReplyTo == "" || call.Token == "" {
		header = nil
	}
	for _, action := range call.Actions {
		out.Request.Actions = append(out.Request.Actions, string(action))
	}
	if len(out.Request.Actions) > 0 {
		out.Action = out.Request.Actions[0]
	}
	var shown Identity
	if c.opts.Personal {
		shown = Identity(call.Identities)
	}
	body, err := json.Marshal(struct {
		*Call
		Identity map[string]any `json:"identity"` // stands for that of Call
	}{out, shown.open()})
	if err != nil { // it may quote what is personal
		return nil, nil, errors.New("the call cannot be written as JSON")
	}
	return body, header, nil
}

// readBounded reads a body of at most limit bytes; more is errTooLarge.
func readBounded(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = errTooLarge
	}
	return body, err
}

var errTooLarge = errors.New("webhook: the body is too large")
