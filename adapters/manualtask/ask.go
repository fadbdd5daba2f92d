package manualtask

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

// Confirmed is the key of the checkbox that an erasure task has where no field
// is configured for it.
const Confirmed = "confirmed"

// Ask implements [dsr.Asker]. For access people are asked for those of the
// configured fields that the plan selects. Where the condition of the
// collection does not hold, or no field is left, the task says so in Skip. A
// condition that looks at what the collection does not refer to is an error.
func (c *Connector) Ask(_ context.Context, q *dsr.Question) (*dsr.TaskSpec, error) {
	col, ok := c.collections[q.Collection.Name]
	if !ok {
		return nil, fmt.Errorf("manualtask: collection %q has no options: %w", q.Collection.Name, dsr.ErrNoCollection)
	}
	fields := col.fields(q)
	if len(fields) == 0 {
		return &dsr.TaskSpec{Skip: fmt.Sprintf("nothing is to be asked for %s", q.Action)}, nil
	}
	if col.When != nil {
		unmet, err := col.When.Unmet(func(address string) ([]any, bool) { return valuesOf(q, address) })
		var unknown *manual.UnknownError
		switch {
		case errors.As(err, &unknown):
			return nil, fmt.Errorf("manualtask: the condition of %s looks at %s, which the collection does not refer to: add a reference to it to a field of the collection, or change the condition",
				q.Collection.Address, strings.Join(unknown.Addresses, ", "))
		case err != nil:
			return nil, fmt.Errorf("manualtask: the condition of %s: %w", q.Collection.Address, err)
		case len(unmet) > 0:
			return &dsr.TaskSpec{Skip: "not needed, since this does not hold: " + someOf(unmet)}, nil
		}
	}
	return &dsr.TaskSpec{
		Title: cmp.Or(col.Title, q.Collection.Address.String()), Instructions: col.Instructions,
		Fields: fields, Assignees: slices.Clone(col.Assignees), Due: col.Due, Remind: col.Remind,
	}, nil
}

// someOf names the first of what does not hold, and how much more there is.
func someOf(unmet []string) string {
	const shown = 5
	if len(unmet) <= shown {
		return strings.Join(unmet, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(unmet[:shown], ", "), len(unmet)-shown)
}

// fields are those that a question is about.
func (c *Collection) fields(q *dsr.Question) []dsr.TaskField {
	var fields []dsr.TaskField
	configured := false
	for _, f := range c.Fields {
		if f.For != q.Action {
			continue
		}
		configured = true
		if f.For != graph.Access || slices.Contains(q.Fields, f.Key) {
			fields = append(fields, f.TaskField)
		}
	}
	if q.Action == graph.Erasure && !configured {
		return []dsr.TaskField{{Key: Confirmed, Label: "Erased", Type: dsr.TaskCheckbox}}
	}
	return fields
}
