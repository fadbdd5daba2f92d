package redact

import (
	"fmt"
	"strings"
)

// FaultKind says what is wrong with a pattern.
type FaultKind string

const (
	// TooMany patterns: more than [MaxPatterns]. It is about the whole set.
	TooMany FaultKind = "too many"
	// TooLong is a pattern of more than [MaxPatternLength] characters.
	TooLong FaultKind = "too long"
	// TooLarge is the pattern with which those of the set are too large to be
	// compiled, however short they are.
	TooLarge FaultKind = "too large"
	// Blank is a pattern of white space, or of nothing.
	Blank FaultKind = "blank"
	// Syntax is a pattern that cannot be understood.
	Syntax FaultKind = "syntax"
)

// Fault is what is wrong with one pattern.
type Fault struct {
	// Index is the place of the pattern as it was given, from 0; -1 for the
	// whole set.
	Index int
	Kind  FaultKind
	// Pattern is its text without white space around it; "" for the whole
	// set.
	Pattern string
	// Reason is for a person, such as "missing closing ]: `[invalid`".
	Reason string
}

// PatternsError tells every fault of a set of patterns, in their order. No
// pattern of the set is in use.
type PatternsError struct{ Faults []Fault }

// Error implements error. It quotes the patterns whose syntax is wrong.
func (e *PatternsError) Error() string {
	var b strings.Builder
	b.WriteString("redact: the patterns of names cannot be used; correct them:")
	for _, f := range e.Faults {
		switch {
		case f.Index < 0:
			fmt.Fprintf(&b, "\n  %s", f.Reason)
		case f.Kind == Syntax:
			fmt.Fprintf(&b, "\n  pattern %d, %q: %s", f.Index, f.Pattern, f.Reason)
		default:
			fmt.Fprintf(&b, "\n  pattern %d: %s", f.Index, f.Reason)
		}
	}
	return b.String()
}

func tooMany(n int) string {
	return fmt.Sprintf("there are %d patterns, more than %d", n, MaxPatterns)
}

const tooLarge = `with it the patterns are too large, all together; use fewer or smaller repetitions, and fewer classes such as \pL`

func tooLong(n int) string {
	return fmt.Sprintf("it has %d characters, more than %d", n, MaxPatternLength)
}
