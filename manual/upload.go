package manual

import (
	"fmt"
	"log/slog"
	"slices"
	"unicode/utf8"
)

// Upload is what somebody uploaded for one form, action and request; a later
// one replaces it. One without values says that the system was searched and
// nothing found. It is kept as its JSON, which shows everything; under every
// verb and in logs it prints without a value.
type Upload struct {
	// Labels are what the form asked for at that time, in its order.
	Labels []string `json:"labels"`
	// Values holds, by label, what was filled in: for access string, or []any
	// with the IDs of files (string) in a file field, for erasure bool.
	// What is not there was left blank.
	Values map[string]any `json:"values"`
	// Empty says that no field was uploaded, not even as nil: somebody
	// searched, and there is nothing.
	Empty bool `json:"empty,omitempty"`
}

// Format implements [fmt.Formatter] for every verb without showing a value.
func (u Upload) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "{%d values}", len(u.Values)) }

// LogValue implements [slog.LogValuer] without showing a value.
func (u Upload) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(u)) }

// Accept checks what somebody filled in, all fields being optional. For access
// a field takes a string, a file field a list of file IDs, for erasure a field
// takes a bool, and each takes nil. What is wrong comes all at once, as a
// [*FaultError]; an action that the form is not for is an [*ActionError]. A
// disabled form accepts uploads as well, so that nothing is lost when it is
// enabled again.
//
// Fides reads "yes" and 1 as confirmations; here they are refused.
func (f *Form) Accept(a Action, values map[string]any) (*Upload, error) {
	if !f.Takes(a) {
		return nil, &ActionError{Form: f.Key, Action: a}
	}
	var found faults
	u := &Upload{Labels: f.Labels(a), Values: make(map[string]any, len(values)), Empty: len(values) == 0}
	for _, label := range sortedKeys(values) {
		field, ok := f.field(a, label)
		if !ok {
			found.add(typeExtra, "Extra inputs are not permitted", label)
			continue
		}
		if v := field.accept(&found, a, values[label]); v != nil {
			u.Values[label] = v
		}
	}
	if err := found.err(); err != nil {
		return nil, err
	}
	return u, nil
}

// accept returns the value of a field as it is kept, nil for none.
func (f *Field) accept(found *faults, a Action, v any) any {
	if v == nil {
		return nil
	}
	if a == Erasure {
		if confirmed, ok := v.(bool); ok {
			return confirmed
		}
		found.add("bool_type", "Input should be a valid boolean", f.Label)
		return nil
	}
	text, files := f.Takes(String), f.Takes(File)
	switch v := v.(type) {
	case string:
		if text && utf8.ValidString(v) {
			return v
		}
	case []string:
		if files {
			return f.acceptFiles(found, v)
		}
	case []any:
		if files {
			return f.acceptFiles(found, v)
		}
	}
	switch {
	case text && files:
		found.add("string_type", "Input should be a valid string, or a list of file IDs", f.Label)
	case files:
		found.add("list_type", "Input should be a valid list", f.Label)
	default:
		found.add("string_type", "Input should be a valid string", f.Label)
	}
	return nil
}

// acceptFiles returns a copy of a list of file IDs, nil for an empty one.
func (f *Field) acceptFiles(found *faults, list any) any {
	var ids []any
	switch list := list.(type) {
	case []any:
		ids = slices.Clone(list)
	case []string:
		for _, id := range list {
			ids = append(ids, id)
		}
	}
	for i, id := range ids {
		if s, ok := id.(string); !ok || s == "" || !utf8.ValidString(s) {
			found.add("string_type", "Input should be a valid string", f.Label, i)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return ids
}

// Decode reads what somebody filled in from a JSON object and accepts it as
// [Form.Accept] does. A key that comes twice, and text after the object, are
// refused.
func (f *Form) Decode(a Action, body []byte) (*Upload, error) {
	decoded, err := decodeJSON(body)
	if err != nil {
		return nil, err
	}
	values, ok := decoded.(map[string]any)
	if !ok {
		var found faults
		found.add("dict_type", "Input should be a valid dictionary")
		return nil, found.err()
	}
	return f.Accept(a, values)
}
