package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/surrogate"
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

// Identity are values by kind. It prints as [redacted] under every verb, and as
// JSON; from JSON it is read in either form, one value or a list, or in
// Fides' own with a label, {"label", "value"}. Whole numbers are read as the texts
// that they are written as.
type Identity map[string][]string

// Format implements [fmt.Formatter] for every verb without showing a value.
func (ids Identity) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer] without showing a value.
func (ids Identity) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [json.Marshaler] without showing a value.
func (ids Identity) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// UnmarshalJSON implements [json.Unmarshaler]. null stands for no value, of a
// kind or of all. What is no Unicode is refused: bytes that are no UTF-8, half a
// surrogate pair. The error quotes nothing.
func (ids *Identity) UnmarshalJSON(data []byte) error {
	if !utf8.Valid(data) || surrogate.Lone(data) { // which would be replaced
		return errText
	}
	var kinds map[string]json.RawMessage
	if json.Unmarshal(data, &kinds) != nil {
		return errIdentity
	}
	*ids = nil
	for kind, raw := range kinds {
		if len(raw) > 0 && raw[0] == '{' {
			var err error
			if raw, err = labeledValue(raw); err != nil {
				return err
			}
		}
		var one *identityValue
		var many []identityValue
		switch {
		case json.Unmarshal(raw, &one) == nil:
			if one != nil {
				many = []identityValue{*one}
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
		for _, v := range many {
			(*ids)[kind] = append((*ids)[kind], string(v))
		}
	}
	return nil
}

// labeledValue is the value of a kind that is given with a label, as Fides has
// it. The label is left out: the kind stands for it.
func labeledValue(raw []byte) ([]byte, error) {
	var v struct {
		Label *string         `json:"label"`
		Value json.RawMessage `json:"value"`
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&v) != nil || v.Value == nil {
		return nil, errIdentity
	}
	return v.Value, nil
}

// identityValue is a text, or a whole number as it is written.
type identityValue string

// UnmarshalJSON implements [json.Unmarshaler]. The error quotes nothing.
func (v *identityValue) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && (data[0] == '-' || data[0] >= '0' && data[0] <= '9') && !bytes.ContainsAny(data, ".eE") {
		*v = identityValue(data)
		return nil
	}
	if json.Unmarshal(data, (*string)(v)) != nil {
		return errIdentity
	}
	return nil
}

var (
	errIdentity = errors.New("has an identity that is not made of kinds with a text or a whole number, or a list of them, each")
	errText     = errors.New("has an identity with a text that is no Unicode, such as half a surrogate pair")
)

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
	for _, known := range []error{errIdentity, errText} {
		if errors.Is(err, known) {
			return known
		}
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
		yes, no := []string{base + "/pre-approve/eligible"}, []string{base + "/pre-approve/not-eligible"}
		header["Reply-To-Eligible"], header["Reply-To-Not-Eligible"] = yes, no
		header["Reply-To-Approve"], header["Reply-To-Deny"] = yes, no // what Fides called them before, and still sends
	case dsr.HookBefore:
		out.CallbackType = CallbackPre
		header["Reply-To"] = []string{base + "/resume"}
	case dsr.HookAfter:
		out.CallbackType = CallbackPost
	default:
		return nil, nil, fmt.Errorf("there is no phase %q", call.Phase)
	}
	header["Reply-To-Token"] = []string{call.Token}
	if !c.replies || call.Token == "" {
		header = nil
	}
	if len(call.Actions) > 0 {
		out.Action = string(call.Actions[0])
	}
	var shown Identity
	if c.opts.Personal {
		shown = Identity(call.Identities)
	}
	body, err := json.Marshal(struct {
		*Call
		// These stand for those of Call.
		Timestamp stamp          `json:"timestamp"`
		Request   *sentRequest   `json:"privacy_request"`
		Identity  map[string]any `json:"identity"`
	}{out, stamp(out.Timestamp), c.sentRequest(call, out.Timestamp), shown.open()})
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
