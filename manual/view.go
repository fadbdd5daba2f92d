package manual

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
)

// Entry is the value of one field.
type Entry struct {
	Label string
	// Value is as in Upload.Values, nil for none.
	Value any
}

// Entries are values in an order. They are a JSON object, and print without
// what is personal.
type Entries []Entry

// Format implements [fmt.Formatter] for every verb without showing a value.
func (es Entries) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "{%d fields}", len(es)) }

// LogValue implements [slog.LogValuer] without showing a value.
func (es Entries) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(es)) }

// MarshalJSON writes an object whose keys stand in the order of the entries.
func (es Entries) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, e := range es {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(e.Label)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(e.Value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// View is what was uploaded, held against the form as it is now.
type View struct {
	// Checked says that somebody filled in just the fields that the form
	// asks for now.
	Checked bool `json:"checked"`
	// Fields are all that the form asks for, in its order.
	Fields Entries `json:"fields"`
}

// View shows an upload, nil for none. Where the form was changed since, it is
// not checked, and what is known of the form's fields is shown.
func (f *Form) View(a Action, u *Upload) View {
	now := f.Labels(a)
	view := View{Fields: make(Entries, len(now))}
	for i, label := range now {
		view.Fields[i].Label = label
		if u != nil {
			view.Fields[i].Value = u.Values[label]
		}
	}
	if u != nil {
		then := slices.Clone(u.Labels)
		slices.Sort(now)
		slices.Sort(then)
		view.Checked = slices.Equal(now, then)
	}
	return view
}

// Unset returns the labels that the form asks for now and did not when the
// upload was made; all of them for no upload.
func (f *Form) Unset(a Action, u *Upload) []string {
	labels := f.Labels(a)
	if u == nil {
		return labels
	}
	return slices.DeleteFunc(labels, func(label string) bool { return slices.Contains(u.Labels, label) })
}

// Complete reports whether there is an upload, and no field is asked for now
// that was not when it was made. A field that was taken out of the form since
// holds nothing up, though [View] no longer shows the upload as checked.
func (f *Form) Complete(a Action, u *Upload) bool { return u != nil && len(f.Unset(a, u)) == 0 }

// Missing returns nil when the upload is complete, else a [*MissingError] that
// says what is missing.
func (f *Form) Missing(a Action, requestID string, u *Upload) error {
	switch {
	case u == nil:
		return &MissingError{RequestID: requestID, Form: f.Key}
	case !f.Complete(a, u):
		return &MissingError{RequestID: requestID, Form: f.Key, Unset: f.Unset(a, u)}
	}
	return nil
}

// Row returns what goes into the data package: what was filled in, in the
// form's order as it was then. What the form, which may be nil, has no field
// for any more is left out. It returns nil where there is nothing, as of a nil
// upload.
func (u *Upload) Row(f *Form) Entries {
	if u == nil {
		return nil
	}
	var row Entries
	for _, label := range u.Labels {
		if f != nil && !slices.ContainsFunc(f.Fields, func(field Field) bool { return field.Label == label }) {
			continue
		}
		if v := u.Values[label]; v != nil {
			row = append(row, Entry{Label: label, Value: v})
		}
	}
	return row
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
