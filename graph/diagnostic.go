package graph

import (
	"fmt"
	"strings"
)

// Position is a place in a dataset file. Line and Column count from 1; the
// zero Position is unknown.
type Position struct {
	File   string
	Line   int
	Column int
}

// String returns "file:line:column", or what of it is known.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.File == "":
		return fmt.Sprintf("%d:%d", p.Line, p.Column)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Severity tells a warning from an error.
type Severity int

const (
	// Warning marks something that was read but has no effect.
	Warning Severity = iota
	// Error marks something that makes the file unusable.
	Error
)

// String returns "warning" or "error".
func (s Severity) String() string {
	if s == Error {
		return "error"
	}
	return "warning"
}

// Diagnostic is one fault of a dataset file, a policy, a data map or a plan.
type Diagnostic struct {
	Severity Severity
	Pos      Position
	// Subject is what the fault is about: an address, a policy, a key.
	Subject string
	// Message says what is wrong and what to do about it.
	Message string
	// Syntax marks the error of a file that is not YAML, or not from there
	// on.
	Syntax bool
}

// String returns "position: severity: subject: message" without what is
// unknown.
func (d Diagnostic) String() string {
	var parts []string
	if pos := d.Pos.String(); pos != "" {
		parts = append(parts, pos)
	}
	return strings.Join(append(parts, d.Severity.String(), d.Text()), ": ")
}

// Text returns "subject: message", or the message alone where there is no
// subject: for those who see what they gave in another form than that of a file.
func (d Diagnostic) Text() string {
	if d.Subject == "" {
		return d.Message
	}
	return d.Subject + ": " + d.Message
}

// Diagnostics are the faults found in one go, in the order in which they
// stand in the files.
type Diagnostics []Diagnostic

// Errors returns the diagnostics of severity Error.
func (ds Diagnostics) Errors() Diagnostics { return ds.only(Error) }

// Warnings returns the diagnostics of severity Warning.
func (ds Diagnostics) Warnings() Diagnostics { return ds.only(Warning) }

func (ds Diagnostics) only(s Severity) Diagnostics {
	var out Diagnostics
	for _, d := range ds {
		if d.Severity == s {
			out = append(out, d)
		}
	}
	return out
}

// Err returns a [*FaultError] over all errors among the diagnostics, or nil
// when there are none.
func (ds Diagnostics) Err() error {
	faults := ds.Errors()
	if len(faults) == 0 {
		return nil
	}
	return &FaultError{Faults: faults}
}

// FaultError tells all faults of one input at once.
type FaultError struct {
	Faults Diagnostics
}

// Error lists every fault, one a line when there are several.
func (e *FaultError) Error() string {
	if len(e.Faults) == 1 {
		return "dsr: " + e.Faults[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "dsr: %d faults:", len(e.Faults))
	for _, d := range e.Faults {
		b.WriteString("\n\t")
		b.WriteString(d.String())
	}
	return b.String()
}
