package dsr

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/godsr/dsr/graph"
)

// Asker is an optional ability of a [Connector]: its collections are answered
// by people. The engine never calls its Read and Apply: it keeps what Ask
// returns as a task, lets the request wait for it while independent branches
// go on, and takes the answers for the rows of the collection. Package
// adapters/manualtask has one.
type Asker interface {
	// Ask says what people are to do for a request, or why nothing. It is
	// called for each collection and action when all that the collection
	// refers to was collected, and again where that has become more. The
	// same question must have the same answer, since it may be repeated
	// after a crash or a failure. An error that wraps [ErrUnavailable] is
	// tried again; any other stops the request. Errors, and why nothing is
	// to do, must hold nothing personal.
	Ask(ctx context.Context, q *Question) (*TaskSpec, error)
}

// Question is what an [Asker] bases a task on. It prints without what is
// personal.
type Question struct {
	Collection *graph.Collection
	// Action is access for the collecting, erasure for what erasure rules
	// target in the collection.
	Action graph.Action
	// Request is as lists show it.
	Request *Request
	// Identities of the data subject.
	Identities Identities
	// Inputs are the values that the collection's references and identities
	// fed, distinct.
	Inputs []QuestionInput
	// Fields are what the plan wants: for access the columns that are to be
	// handed over, or passed on to other collections; for erasure the paths
	// of the fields that are to be erased, none where whole rows are.
	Fields []string
}

// QuestionInput are the values of one reference or identity. It prints without
// them.
type QuestionInput struct {
	// Field is the path of the collection's field, with dots. Fields that are
	// matched together are divided by commas; each value is then a list with
	// a part for each of them.
	Field string
	// From are the addresses of the fields that the values came from, as
	// "dataset:collection:field"; empty for identities.
	From []string
	// Identity is the kind of identity; empty for references.
	Identity string
	// Values are distinct; each as the connector port passes values.
	Values []any
}

// Format implements [fmt.Formatter] for every verb without the values.
func (i QuestionInput) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "{%s %s}", i.Field, redacted) }

// LogValue implements [slog.LogValuer] without the values.
func (i QuestionInput) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(i)) }

// MarshalJSON implements [json.Marshaler] without the values.
func (i QuestionInput) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(i)) }

// Format implements [fmt.Formatter] for every verb without what is personal.
func (q Question) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{%s %s}", q.Action, q.Collection.Address)
}

// LogValue implements [slog.LogValuer] without what is personal.
func (q Question) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(q)) }

// MarshalJSON implements [json.Marshaler] without what is personal.
func (q Question) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(q)) }

// TaskSpec is what people are to do.
type TaskSpec struct {
	// Skip says why there is nothing to do; all else is then ignored. It is
	// shown with the collection's outcome.
	Skip string
	// Title says in a few words what it is about; nothing personal.
	Title string
	// Instructions say what to do, and where to look.
	Instructions string
	// Fields are to be filled in, at least one, each with a key of its own.
	Fields []TaskField
	// Assignees are the people and groups who have the task, as the notifier
	// knows them; each once. Defaults to nobody in particular: then operators
	// are told of it.
	Assignees []string
	// Due is how long it may take from when it is asked. Defaults to no
	// limit.
	Due time.Duration
	// Remind is how often assignees are reminded while it is open. Defaults
	// to never.
	Remind time.Duration
}

// TaskFieldType is what a field of a task takes.
type TaskFieldType string

// The types of fields.
const (
	TaskText     TaskFieldType = "text"
	TaskCheckbox TaskFieldType = "checkbox"
	TaskFile     TaskFieldType = "file"
)

// TaskField is one field of a task. For access its key is a column of the
// collection.
type TaskField struct {
	Key   string        `json:"key"`
	Label string        `json:"label,omitempty"` // defaults to the key
	Help  string        `json:"help,omitempty"`
	Type  TaskFieldType `json:"type"`
}
