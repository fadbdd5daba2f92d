package manualtask_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/manualtask"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

// field is a field of a task for an action; access where that is empty.
func field(key string, kind dsr.TaskFieldType, action graph.Action) manualtask.Field {
	return manualtask.Field{TaskField: dsr.TaskField{Key: key, Type: kind}, For: action}
}

// archive is a collection that refers to two others, and to the e-mail.
func archive() *graph.Collection {
	return &graph.Collection{
		Name: "archive", Address: graph.Address{Dataset: "paper", Collection: "archive"},
		Fields: []*graph.Field{
			{Name: "email", Identity: "email"},
			{Name: "customer", References: []graph.Reference{{Dataset: "shop", Field: "customer.id", Direction: graph.From}}},
			{Name: "tenant", References: []graph.Reference{{Dataset: "shop", Field: "customer.tenant", Direction: graph.From}}},
			{Name: "box", Fields: []*graph.Field{{Name: "number", References: []graph.Reference{
				{Dataset: "store", Field: "boxes.meta.number"}, {Dataset: "store", Field: "labels.number", Direction: graph.To},
			}}}},
			{Name: "note"}, {Name: "found"}, {Name: "scan"},
		},
	}
}

func options() *manualtask.Options {
	return &manualtask.Options{Collections: map[string]manualtask.Collection{
		"archive": {
			Title: "Look into the archive", Instructions: "Cellar, shelf 3.",
			Fields: []manualtask.Field{
				{TaskField: dsr.TaskField{Key: "note", Label: "What is there", Help: "All of it."}},
				field("found", dsr.TaskCheckbox, graph.Access),
				field("scan", dsr.TaskFile, ""),
				field("note", dsr.TaskCheckbox, graph.Erasure),
			},
			Assignees: []string{"archivists", "deputy"}, Due: 48 * time.Hour, Remind: 24 * time.Hour,
		},
		"mailbox": {},
	}}
}

func connector(t *testing.T, opts *manualtask.Options) *manualtask.Connector {
	t.Helper()
	c, err := manualtask.New(opts)
	require.NoError(t, err)
	return c
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	c := connector(t, options())
	schema, err := c.Describe(t.Context(), archive())
	require.NoError(t, err)
	require.Equal(t, &dsr.Schema{Table: "archive", Keyless: true, Columns: []dsr.Column{
		{Name: "note", Kind: dsr.ColumnText, Native: "text", Nullable: true},
		{Name: "found", Kind: dsr.ColumnBoolean, Native: "checkbox", Nullable: true},
		{Name: "scan", Kind: dsr.ColumnDocument, Native: "file", Nullable: true},
	}}, schema)

	_, err = c.Describe(t.Context(), &graph.Collection{Name: "cellar"})
	require.ErrorIs(t, err, dsr.ErrNoCollection)
	require.EqualError(t, err, `manualtask: collection "cellar" has no options: dsr: no such collection in the database`)

	short := archive()
	short.Fields = short.Fields[:4]
	_, err = c.Describe(t.Context(), short)
	require.EqualError(t, err, ""+
		`manualtask: collection "archive" asks for "note", which its dataset does not declare: add the field to the dataset, or take it out of the options`+"\n"+
		`manualtask: collection "archive" asks for "found", which its dataset does not declare: add the field to the dataset, or take it out of the options`+"\n"+
		`manualtask: collection "archive" asks for "scan", which its dataset does not declare: add the field to the dataset, or take it out of the options`)
}

func TestOnlyPeopleAnswer(t *testing.T) {
	t.Parallel()
	c := connector(t, options())
	const refused = "manualtask: people answer this connection, so it can neither be read nor written; have the engine ask them"
	reads := 0
	for _, err := range c.Read(t.Context(), &dsr.Query{Collection: archive()}) {
		require.EqualError(t, err, refused)
		reads++
	}
	require.Equal(t, 1, reads)
	results, err := c.Apply(t.Context(), &dsr.Chunk{Collection: archive()})
	require.Nil(t, results)
	require.EqualError(t, err, refused)
	require.NoError(t, c.Ping(t.Context()))
}

func TestOptionsFaults(t *testing.T) {
	t.Parallel()
	for _, opts := range []*manualtask.Options{nil, {}} {
		_, err := manualtask.New(opts)
		require.EqualError(t, err, "manualtask: Collections is empty: give at least one, by the name that it has in the dataset")
	}
	c, err := manualtask.New(&manualtask.Options{Collections: map[string]manualtask.Collection{
		"b": {
			Fields: []manualtask.Field{
				field("", dsr.TaskText, ""), field(" x", dsr.TaskText, ""), field("y", "", ""), field("y", "", graph.Access), field("y", "", graph.Erasure),
				field("z", "number", "consent"), field("newsletter", dsr.TaskCheckbox, "preference"),
			},
			Assignees: []string{"a", " ", "a"}, Due: -1, Remind: -1,
			When: &manual.Condition{Logical: manual.And, Conditions: []manual.Condition{{}}},
		},
		"a": {When: &manual.Condition{Logical: manual.Or, Conditions: []manual.Condition{
			{Address: "privacy_request.locaton", Operator: manual.Exists},
			{Address: "privacy_request.identity.", Operator: manual.Exists},
			{Address: "privacy_request.identity.email", Operator: manual.Exists},
		}}},
	}})
	require.Nil(t, c)
	require.EqualError(t, err, ""+
		`manualtask: collection "a": When looks at "privacy_request.locaton", which is no field of a request`+"\n"+
		`manualtask: collection "a": When looks at "privacy_request.identity.", which is no field of a request`+"\n"+
		`manualtask: collection "b": field 1 has no key, or one with blanks around it: name what it asks for`+"\n"+
		`manualtask: collection "b": field 2 has no key, or one with blanks around it: name what it asks for`+"\n"+
		`manualtask: collection "b": two fields for access have the key "y": rename one`+"\n"+
		`manualtask: collection "b": field "z" is for "consent": it must be for access or erasure`+"\n"+
		`manualtask: collection "b": field "z" has the type "number": it must be text, checkbox or file`+"\n"+
		`manualtask: collection "b": field "newsletter" is for preference, which would never be asked: preferences are not carried out yet; take the field out`+"\n"+
		`manualtask: collection "b": assignee 2 has no name: remove it`+"\n"+
		`manualtask: collection "b": assignee 3 is named before: remove it`+"\n"+
		`manualtask: collection "b": Due is negative: give a duration, or 0 for no limit`+"\n"+
		`manualtask: collection "b": Remind is negative: give a duration, or 0 for never`+"\n"+
		`manualtask: collection "b": When: conditions.0.field_address: Field required`+"\n"+
		`manualtask: collection "b": When: conditions.0.operator: Input should be one of [eq neq lt lte gt gte exists not_exists list_contains not_in_list list_intersects list_disjoint list_subset list_superset starts_with ends_with contains]`)
}
