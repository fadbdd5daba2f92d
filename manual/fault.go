package manual

import (
	"fmt"
	"strconv"
	"strings"
)

// Fault is one thing that is wrong with an input, as the validation errors of
// Fides tell it: {"type", "loc", "msg"}. Before a message of type "value_error"
// Fides writes "Value error, ", which is left to those who speak to its clients.
type Fault struct {
	// Type is pydantic's name of the fault, such as "extra_forbidden".
	Type string `json:"type"`
	// Loc leads to the part at fault: keys (string) and indexes (int). It is
	// never null, and empty for the input as a whole.
	Loc []any `json:"loc"`
	// Message says what is wrong. It holds no value of the input.
	Message string `json:"msg"`
	// Kind tells apart what Type does not; empty where that says enough.
	Kind FaultKind `json:"-"`
}

// FaultKind is what a fault is about.
type FaultKind string

// NotUnique: several fields have the same name, or the same label. Fides tells it
// of the input as a whole, without the Loc.
const NotUnique FaultKind = "not unique"

// Field returns where the fault is, joined with dots: "fields.0.pii_field".
func (f Fault) Field() string {
	parts := make([]string, len(f.Loc))
	for i, part := range f.Loc {
		switch part := part.(type) {
		case string:
			parts[i] = part
		case int:
			parts[i] = strconv.Itoa(part)
		}
	}
	return strings.Join(parts, ".")
}

// typeExtra is the type of the one fault whose Loc is the sender's own text.
const typeExtra = "extra_forbidden"

// String returns the place and the message. The name of a field that no form
// knows is left out: somebody may have put a value where a name belongs.
func (f Fault) String() string {
	if f.Type == typeExtra || len(f.Loc) == 0 {
		return f.Message
	}
	return f.Field() + ": " + f.Message
}

// FaultError tells all faults of one input at once.
type FaultError struct {
	Faults []Fault
}

// Error lists every fault, one a line when there are several.
func (e *FaultError) Error() string {
	if len(e.Faults) == 1 {
		return "manual: " + e.Faults[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "manual: %d faults:", len(e.Faults))
	for _, f := range e.Faults {
		b.WriteString("\n\t" + f.String())
	}
	return b.String()
}

// faults gathers what is wrong.
type faults []Fault

func (fs *faults) add(kind, message string, loc ...any) {
	if loc == nil {
		loc = []any{}
	}
	*fs = append(*fs, Fault{Type: kind, Loc: loc, Message: message})
}

// notUnique adds that parts of what loc leads to are the same.
func (fs *faults) notUnique(message string, loc ...any) {
	*fs = append(*fs, Fault{Type: "value_error", Loc: loc, Message: message, Kind: NotUnique})
}

// err returns a [*FaultError], or nil when nothing is wrong.
func (fs faults) err() error {
	if len(fs) == 0 {
		return nil
	}
	return &FaultError{Faults: fs}
}
