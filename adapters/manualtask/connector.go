// Package manualtask makes people a connection of the data map: its collections
// are answered by those who look into a paper archive, a mailbox, or a system
// without an interface. The engine asks them once all that the collection
// refers to was collected, lets the request wait while other branches go on,
// and takes the answers for the collection's row.
package manualtask

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

// preference is an action that Fides has tasks for, and no policy has yet.
const preference graph.Action = "preference"

// Options say who is asked for what. Their JSON is that of the options of a
// connection of [ConnectionType]:
//
//	{"collections": {"archive": {
//		"title": "…", "instructions": "…", "assignees": ["archivists"], "due": "168h", "remind": "48h",
//		"fields": [{"key": "note", "label": "…", "help": "…", "type": "text", "request_type": "access"}],
//		"when": {"field_address": "shop:customer:id", "operator": "lt", "value": 1000}
//	}}}
//
// Durations are those of [time.ParseDuration], conditions those of
// [manual.Condition]. All keys of a collection may be left out.
type Options struct {
	// Collections are those of the connection's dataset, by name; at least
	// one.
	Collections map[string]Collection `json:"collections"`
}

// Collection is what people are asked of one collection.
type Collection struct {
	// Title says in a few words what it is about. Defaults to the address,
	// "dataset:collection".
	Title string
	// Instructions say what to do, and where to look.
	Instructions string
	// Fields are asked for, each for one action. A collection without any
	// for an action is not asked then; for erasure it is, to confirm it.
	Fields []Field
	// Assignees are the people and groups who are asked. Defaults to nobody
	// in particular.
	Assignees []string
	// Due is how long it may take. Defaults to no limit.
	Due time.Duration
	// Remind is how often assignees are reminded. Defaults to never.
	Remind time.Duration
	// When says under which condition people are asked at all. Defaults to
	// always. It looks at
	//
	//   - values that a reference fed, by where they came from,
	//     "dataset:collection:path.of.field", or by the field of this
	//     collection that they came to, "path.of.field". One that is fed
	//     from several places has the values of all of them under each;
	//   - the request: privacy_request.policy.key, .status, .external_id,
	//     .location (such as "US-CA"), .location_country ("US"),
	//     .identity.<kind>, .actions, also known as
	//     .policy.rule_action_types, .policy.has_access_rule,
	//     .policy.has_erasure_rule, and, as points in time, .requested_at,
	//     .created_at, .identity_verified_at and .due_date.
	When *manual.Condition
}

// Field is one field of a task.
type Field struct {
	// TaskField is as the engine takes it; its Type defaults to text. For
	// access, the key is a field of the collection in the dataset.
	dsr.TaskField
	// For is what the field is asked for: access or erasure. Defaults to
	// access. Preferences are not carried out yet, and [New] refuses fields
	// for them.
	For graph.Action `json:"request_type,omitempty"`
}

// Connector asks people; it implements [dsr.Connector] and [dsr.Asker]. It is
// safe for concurrent use.
type Connector struct {
	collections map[string]Collection
}

var (
	_ dsr.Connector = (*Connector)(nil)
	_ dsr.Asker     = (*Connector)(nil)
)

// errPeople: only the engine can ask people, and it does so by Ask.
var errPeople = errors.New("manualtask: people answer this connection, so it can neither be read nor written; have the engine ask them")

// Describe returns a column for each field that is asked for access: text, a
// boolean for a checkbox, a document for files. A collection without options is
// [dsr.ErrNoCollection]; a field that the dataset does not declare, and whose
// answers would therefore be lost, is an error.
func (c *Connector) Describe(_ context.Context, col *graph.Collection) (*dsr.Schema, error) {
	asked, ok := c.collections[col.Name]
	if !ok {
		return nil, fmt.Errorf("manualtask: collection %q has no options: %w", col.Name, dsr.ErrNoCollection)
	}
	schema := &dsr.Schema{Table: col.Name, Keyless: true}
	var undeclared []error
	for _, f := range asked.Fields {
		if f.For != graph.Access {
			continue
		}
		if !slices.ContainsFunc(col.Fields, func(declared *graph.Field) bool { return declared.Name == f.Key }) {
			undeclared = append(undeclared, fmt.Errorf("manualtask: collection %q asks for %q, which its dataset does not declare: add the field to the dataset, or take it out of the options", col.Name, f.Key))
		}
		schema.Columns = append(schema.Columns, dsr.Column{Name: f.Key, Kind: kindOf(f.Type), Native: string(f.Type), Nullable: true})
	}
	if len(undeclared) > 0 {
		return nil, errors.Join(undeclared...)
	}
	return schema, nil
}

func kindOf(t dsr.TaskFieldType) dsr.ColumnKind {
	switch t {
	case dsr.TaskCheckbox:
		return dsr.ColumnBoolean
	case dsr.TaskFile:
		return dsr.ColumnDocument
	}
	return dsr.ColumnText
}

// Read refuses: the engine asks people instead.
func (*Connector) Read(context.Context, *dsr.Query) iter.Seq2[dsr.Row, error] {
	return func(yield func(dsr.Row, error) bool) { yield(dsr.Row{}, errPeople) }
}

// Apply refuses: the engine asks people instead.
func (*Connector) Apply(context.Context, *dsr.Chunk) ([]dsr.RowResult, error) {
	return nil, errPeople
}

// Ping returns nil: people are always there.
func (*Connector) Ping(context.Context) error { return nil }
