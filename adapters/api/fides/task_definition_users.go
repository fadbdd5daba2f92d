package fides

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"github.com/godsr/dsr"
)

// taskUsers are those who are asked: [ids], or {task_users, field_users}.
type taskUsers struct {
	users  []string
	fields bool // field_users was given
}

// Schema implements [huma.SchemaProvider].
func (taskUsers) Schema(huma.Registry) *huma.Schema {
	one, longest, most := 1, 1000, 100
	list := &huma.Schema{Type: huma.TypeArray, MaxItems: &most, Items: &huma.Schema{Type: huma.TypeString, MinLength: &one, MaxLength: &longest}}
	return &huma.Schema{
		Description: "IDs of clients, or subjects at the identity provider, all of them anew.",
		AnyOf: []*huma.Schema{list, {
			Type: huma.TypeObject, Required: []string{"task_users"}, AdditionalProperties: false,
			Properties: map[string]*huma.Schema{
				"task_users":  list,
				"field_users": {Description: "Empty: a task is assigned as a whole."},
			},
		}},
	}
}

// UnmarshalJSON implements [json.Unmarshaler].
func (u *taskUsers) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte("[")) {
		return json.Unmarshal(text, &u.users)
	}
	var object struct {
		Users  []string `json:"task_users"`
		Fields any      `json:"field_users"`
	}
	err := json.Unmarshal(text, &object)
	u.users, u.fields = object.Users, !nothingIn(object.Fields)
	return err
}

// nothingIn reports whether a value says nothing.
func nothingIn(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, item := range v {
			if !nothingIn(item) {
				return false
			}
		}
		return true
	}
	return false
}

type assignInput struct {
	Path connectionPath
	Body taskUsers
}

func (in *assignInput) check() (faults []fault) {
	if in.Body.fields {
		faults = append(faults, valueFault("a task is assigned as a whole: name its users in task_users", "body", "field_users"))
	}
	return faults
}

func (d *Door) assignTask(ctx context.Context, in *assignInput) (*manualTask, error) {
	err := d.changeTask(ctx, in.Path.Key, func(_ *dsr.Definitions, t *definedTask, _ bool) error {
		t.Assignees = in.Body.users
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d.getTask(ctx, &oneConnection{Path: in.Path})
}
