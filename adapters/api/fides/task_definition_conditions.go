package fides

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

// conditionTree is a condition, or a group of them, in the form of Fides.
type conditionTree json.RawMessage

// Schema implements [huma.SchemaProvider].
func (conditionTree) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: &huma.Schema{},
		Description: "A comparison, {field_address, operator, value}, or a group, {logical_operator, conditions}.",
	}
}

// MarshalJSON implements [json.Marshaler].
func (c conditionTree) MarshalJSON() ([]byte, error) { return c, nil }

// taskConditions are conditions that all have to hold: a list, one of them, or
// {task_conditions, field_conditions}.
type taskConditions struct {
	sent   json.RawMessage
	loc    []any
	fields bool // field_conditions was given
	extra  []string
}

// Schema implements [huma.SchemaProvider].
func (taskConditions) Schema(r huma.Registry) *huma.Schema {
	most := 100
	one := conditionTree{}.Schema(r)
	list := &huma.Schema{Type: huma.TypeArray, MaxItems: &most, Items: one}
	return &huma.Schema{
		Description: fmt.Sprintf("Conditions that all have to hold; none to ask always. They have %d comparisons at most.", manual.MaxLeaves),
		AnyOf: []*huma.Schema{list, {
			Type: huma.TypeObject, Required: []string{"task_conditions"}, AdditionalProperties: false,
			Properties: map[string]*huma.Schema{
				"task_conditions":  {AnyOf: []*huma.Schema{list, one, {Type: "null"}}},
				"field_conditions": {Description: "Empty: conditions hold for a task as a whole."},
			},
		}, one},
	}
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *taskConditions) UnmarshalJSON(text []byte) error {
	c.sent, c.loc = bytes.Clone(text), []any{"body"}
	if !bytes.HasPrefix(text, []byte("{")) {
		return nil // a list
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return err
	}
	task, ok := object["task_conditions"]
	if !ok {
		return nil // a condition
	}
	c.sent, c.loc = task, []any{"body", "task_conditions"}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if key != "task_conditions" && key != "field_conditions" {
			c.extra = append(c.extra, key)
		}
	}
	if object["field_conditions"] == nil {
		return nil
	}
	var fields any
	err := json.Unmarshal(object["field_conditions"], &fields)
	c.fields = !nothingIn(fields)
	return err
}

// read returns the condition that they make together; nil for none.
func (c *taskConditions) read() (*manual.Condition, []fault) {
	var texts []json.RawMessage
	single := json.Unmarshal(c.sent, &texts) != nil
	if single {
		texts = []json.RawMessage{c.sent}
	}
	var list []manual.Condition
	var faults []fault
	if len(texts) > manual.MaxLeaves {
		return nil, []fault{{Type: "too_long", Loc: c.loc, Msg: fmt.Sprintf("List should have at most %d items", manual.MaxLeaves)}}
	}
	for i, text := range texts {
		loc := c.loc
		if !single {
			loc = append(append([]any{}, c.loc...), i)
		}
		var one manual.Condition
		err := one.UnmarshalJSON(text)
		if err == nil {
			err = one.Check()
		}
		faults = append(faults, conditionFaults(err, loc...)...)
		list = append(list, one)
	}
	switch {
	case len(faults) > 0 || len(list) == 0:
		return nil, faults
	case len(list) == 1:
		return &list[0], nil
	}
	all := &manual.Condition{Logical: manual.And, Conditions: list}
	if faults = conditionFaults(all.Check(), c.loc...); len(faults) > 0 {
		return nil, faults
	}
	return all, nil
}

type conditionInput struct {
	Path connectionPath
	Body taskConditions
}

func (in *conditionInput) check() []fault {
	if len(in.Body.extra) > 0 {
		var faults []fault
		for _, key := range in.Body.extra {
			faults = append(faults, fault{Type: "extra_forbidden", Loc: []any{"body", key}, Msg: "Extra inputs are not permitted"})
		}
		return faults
	}
	if in.Body.fields {
		return []fault{valueFault("conditions hold for a task as a whole: give them in task_conditions", "body", "field_conditions")}
	}
	when, faults := in.Body.read()
	if when != nil {
		for _, address := range when.Addresses() {
			if _, _, ok := fieldOfDataset(address); !ok && !isRequestField(address) {
				faults = append(faults, valueFault("a condition looks at dataset:collection:field, or at a field of the request, such as privacy_request.location", "body"))
			}
		}
	}
	return faults
}

func (d *Door) conditionTask(ctx context.Context, in *conditionInput) (*manualTask, error) {
	when, _ := in.Body.read()
	key := in.Path.Key
	err := d.changeTask(ctx, key, func(defs *dsr.Definitions, t *definedTask, _ bool) error {
		t.When = when
		return t.checkConditions(defs, key)
	})
	if err != nil {
		return nil, err
	}
	return d.getTask(ctx, &oneConnection{Path: in.Path})
}

// checkConditions refuses conditions on what there is not, and those that the
// datasets do not fit together with.
func (t *definedTask) checkConditions(defs *dsr.Definitions, key string) error {
	var faults []fault
	for _, address := range t.looksAt() {
		of, _, _ := fieldOfDataset(address)
		def := defs.Datasets[of.Dataset]
		if def == nil || def.Dataset == nil || of.Dataset == key || !hasField(def.Dataset, of) {
			faults = append(faults, valueFault("a condition looks at a field that no other dataset has", "body"))
		}
	}
	if len(faults) > 0 || len(t.looksAt()) == 0 {
		return invalid(faults...)
	}
	source, err := t.dataset(key, key)
	if err != nil {
		return err
	}
	dataset, _, err := datasetObject(source).load()
	if err != nil {
		return err
	}
	_, err = unreachedIn(datasetsWith(defs, key, dataset), key)
	var wrong *graph.FaultError
	if errors.As(err, &wrong) {
		return datasetFailure(err)
	}
	return err
}

// conditionFaults tells what is wrong with conditions, as Fides does.
func conditionFaults(err error, loc ...any) []fault {
	var found *manual.FaultError
	if err == nil {
		return nil
	}
	if !errors.As(err, &found) {
		return []fault{valueFault("the condition cannot be read", loc...)}
	}
	return manualFaults(found, loc...)
}
