package manualtask_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/manualtask"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

func question(action graph.Action, fields ...string) *dsr.Question {
	return &dsr.Question{
		Collection: archive(), Action: action, Fields: fields,
		Request: &dsr.Request{
			ID: "pri_1", ExternalID: "ext-1", Policy: "erase_all", Actions: []graph.Action{graph.Access, graph.Erasure},
			Location: "US-CA", Status: dsr.StatusInProcessing, RequestedAt: time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC),
		},
		Identities: dsr.Identities{"email": {"jane@example.com", "j@example.org"}},
		Inputs: []dsr.QuestionInput{
			{Field: "email", Identity: "email", Values: []any{"jane@example.com", "j@example.org"}},
			{
				Field: "customer,tenant", From: []string{"shop:customer:id", "shop:customer:tenant", "crm:person:id", "crm:person:tenant"},
				Values: []any{[]any{int64(7), "north"}, []any{int64(9), "south"}},
			},
			{Field: "customer", From: []string{"shop:guest:id"}, Values: []any{int64(11)}},
		},
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		q    *dsr.Question
		want *dsr.TaskSpec
	}{
		"access": {
			question(graph.Access, "email", "note", "found", "scan"),
			&dsr.TaskSpec{
				Title: "Look into the archive", Instructions: "Cellar, shelf 3.",
				Fields: []dsr.TaskField{
					{Key: "note", Label: "What is there", Help: "All of it.", Type: dsr.TaskText},
					{Key: "found", Type: dsr.TaskCheckbox},
					{Key: "scan", Type: dsr.TaskFile},
				},
				Assignees: []string{"archivists", "deputy"}, Due: 48 * time.Hour, Remind: 24 * time.Hour,
			},
		},
		"access, of what the plan selects": {
			question(graph.Access, "email", "scan"),
			&dsr.TaskSpec{
				Title: "Look into the archive", Instructions: "Cellar, shelf 3.",
				Fields:    []dsr.TaskField{{Key: "scan", Type: dsr.TaskFile}},
				Assignees: []string{"archivists", "deputy"}, Due: 48 * time.Hour, Remind: 24 * time.Hour,
			},
		},
		"access, of nothing that is asked for": {question(graph.Access, "email"), &dsr.TaskSpec{Skip: "nothing is to be asked for access"}},
		"erasure": {
			question(graph.Erasure, "box.number"),
			&dsr.TaskSpec{
				Title: "Look into the archive", Instructions: "Cellar, shelf 3.",
				Fields:    []dsr.TaskField{{Key: "note", Type: dsr.TaskCheckbox}},
				Assignees: []string{"archivists", "deputy"}, Due: 48 * time.Hour, Remind: 24 * time.Hour,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options()
			c := connector(t, opts)
			opts.Collections["archive"].Assignees[0] = "somebody else"
			opts.Collections["archive"].Fields[0].Key = "other"
			for range 2 { // the same question has the same answer
				spec, err := c.Ask(t.Context(), test.q)
				require.NoError(t, err)
				require.Equal(t, test.want, spec)
				if spec.Assignees != nil {
					spec.Assignees[0], spec.Fields[0].Key = "x", "x"
				}
			}
		})
	}
}

func TestAskWithoutOptions(t *testing.T) {
	t.Parallel()
	c := connector(t, options())
	q := question(graph.Erasure)
	q.Collection = &graph.Collection{Name: "mailbox", Address: graph.Address{Dataset: "paper", Collection: "mailbox"}}
	spec, err := c.Ask(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, &dsr.TaskSpec{
		Title: "paper:mailbox", Fields: []dsr.TaskField{{Key: "confirmed", Label: "Erased", Type: dsr.TaskCheckbox}},
	}, spec)
	q.Action = graph.Access
	spec, err = c.Ask(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, &dsr.TaskSpec{Skip: "nothing is to be asked for access"}, spec)
	q.Collection = &graph.Collection{Name: "cellar"}
	_, err = c.Ask(t.Context(), q)
	require.ErrorIs(t, err, dsr.ErrNoCollection)
}

func TestWhen(t *testing.T) {
	t.Parallel()
	leaf := func(address string, operator manual.Operator, value any) manual.Condition {
		return manual.Condition{Address: address, Operator: operator, Value: value}
	}
	for address, test := range map[string]struct{ holds, fails manual.Condition }{
		"email":                   {leaf("", manual.EndsWith, "@example.org"), leaf("", manual.EndsWith, "@example.net")},
		"customer":                {leaf("", manual.ListSuperset, []any{7, 9, 11}), leaf("", manual.Eq, "7")},
		"tenant":                  {leaf("", manual.ListSubset, []any{"north", "south"}), leaf("", manual.Eq, "west")},
		"shop:customer:id":        {leaf("", manual.ListSubset, []any{7, 9}), leaf("", manual.Eq, 11)},
		"crm:person:tenant":       {leaf("", manual.Eq, "south"), leaf("", manual.Eq, 7)},
		"shop:guest:id":           {leaf("", manual.Gte, 11), leaf("", manual.Lt, 11)},
		"box.number":              {leaf("", manual.NotExists, nil), leaf("", manual.Exists, nil)},
		"store:boxes:meta.number": {leaf("", manual.NotExists, nil), leaf("", manual.Exists, nil)},

		"privacy_request.policy.key":               {leaf("", manual.Eq, "erase_all"), leaf("", manual.Eq, "erase")},
		"privacy_request.policy.rule_action_types": {leaf("", manual.ListContains, "access"), leaf("", manual.ListContains, "consent")},
		"privacy_request.policy.has_access_rule":   {leaf("", manual.Eq, true), leaf("", manual.Eq, false)},
		"privacy_request.policy.has_erasure_rule":  {leaf("", manual.Eq, true), leaf("", manual.Neq, true)},
		"privacy_request.actions":                  {leaf("", manual.ListIntersects, []any{"erasure"}), leaf("", manual.ListSubset, []any{"erasure"})},
		"privacy_request.status":                   {leaf("", manual.Eq, "in_processing"), leaf("", manual.Eq, "complete")},
		"privacy_request.external_id":              {leaf("", manual.StartsWith, "ext-"), leaf("", manual.StartsWith, "pri_")},
		"privacy_request.location":                 {leaf("", manual.Eq, "US-CA"), leaf("", manual.Eq, "US")},
		"privacy_request.location_country":         {leaf("", manual.Eq, "US"), leaf("", manual.Eq, "US-CA")},
		"privacy_request.identity.email":           {leaf("", manual.Eq, "j@example.org"), leaf("", manual.Contains, "J@")},
		"privacy_request.identity.phone_number":    {leaf("", manual.NotExists, nil), leaf("", manual.Exists, nil)},
		"privacy_request.requested_at":             {leaf("", manual.Eq, "2024-02-29T13:00:00+01:00"), leaf("", manual.Lt, "2024-02-29")},
		"privacy_request.created_at":               {leaf("", manual.NotExists, nil), leaf("", manual.Exists, nil)},
		"privacy_request.identity_verified_at":     {leaf("", manual.NotExists, nil), leaf("", manual.Gt, "2024-02-29")},
		"privacy_request.due_date":                 {leaf("", manual.NotExists, nil), leaf("", manual.Gt, "2024-02-29")},
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			for holds, when := range map[bool]manual.Condition{true: test.holds, false: test.fails} {
				when.Address = address
				opts := options()
				col := opts.Collections["archive"]
				col.When = &when
				opts.Collections["archive"] = col
				spec, err := connector(t, opts).Ask(t.Context(), question(graph.Access, "note"))
				require.NoError(t, err)
				if holds {
					require.Empty(t, spec.Skip)
					require.Len(t, spec.Fields, 1)
				} else {
					require.Equal(t, &dsr.TaskSpec{Skip: "not needed, since this does not hold: " + address + " " + string(when.Operator)}, spec)
				}
			}
		})
	}
}

func TestWhenMuchDoesNotHold(t *testing.T) {
	t.Parallel()
	opts := options()
	when := &manual.Condition{Logical: manual.And}
	for range 8 {
		when.Conditions = append(when.Conditions, manual.Condition{Address: "privacy_request.location", Operator: manual.NotExists})
	}
	opts.Collections["archive"] = manualtask.Collection{When: when}
	spec, err := connector(t, opts).Ask(t.Context(), question(graph.Erasure))
	require.NoError(t, err)
	require.Equal(t, &dsr.TaskSpec{Skip: "not needed, since this does not hold: " + strings.Repeat("privacy_request.location not_exists, ", 4) + "privacy_request.location not_exists and 3 more"}, spec)
}

func TestWhenLooksElsewhere(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.Collections["archive"] = manualtask.Collection{When: &manual.Condition{Logical: manual.Or, Conditions: []manual.Condition{
		{Address: "privacy_request.location", Operator: manual.Exists},
		{Address: "shop:customer:name", Operator: manual.Eq, Value: "Jane"},
		{Address: "note", Operator: manual.Exists},
		{Address: "store:labels:number", Operator: manual.Exists},
	}}}
	spec, err := connector(t, opts).Ask(t.Context(), question(graph.Erasure))
	require.Nil(t, spec)
	require.EqualError(t, err, "manualtask: the condition of paper:archive looks at shop:customer:name, note, store:labels:number, "+
		"which the collection does not refer to: add a reference to it to a field of the collection, or change the condition")
}

func TestWhenCannotCompare(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.Collections["archive"] = manualtask.Collection{When: &manual.Condition{Address: "email", Operator: manual.Exists}}
	q := question(graph.Erasure)
	q.Inputs[0].Values = []any{make(chan int)}
	_, err := connector(t, opts).Ask(t.Context(), q)
	require.EqualError(t, err, "manualtask: the condition of paper:archive: manual: comparing email: value: unsupported Go type chan int")
}
