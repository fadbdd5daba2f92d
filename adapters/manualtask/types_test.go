package manualtask_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/manualtask"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

const archiveJSON = `{"collections":{"archive":{"title":"Look into the archive","instructions":"Cellar","fields":[` +
	`{"key":"note","label":"What it says","help":"All","type":"text","request_type":"access"},{"key":"shredded","type":"checkbox","request_type":"erasure"}],` +
	`"assignees":["archivists"],"due":"168h0m0s","remind":"48h0m0s","when":{"field_address":"shop:customer:id","operator":"lt","value":1000}}}}`

func TestOptionsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	o, err := manualtask.ReadOptions([]byte(archiveJSON))
	require.NoError(t, err)
	require.Equal(t, &manualtask.Options{Collections: map[string]manualtask.Collection{"archive": {
		Title: "Look into the archive", Instructions: "Cellar",
		Fields: []manualtask.Field{
			{TaskField: dsr.TaskField{Key: "note", Label: "What it says", Help: "All", Type: dsr.TaskText}, For: graph.Access},
			{TaskField: dsr.TaskField{Key: "shredded", Type: dsr.TaskCheckbox}, For: graph.Erasure},
		},
		Assignees: []string{"archivists"}, Due: 7 * 24 * time.Hour, Remind: 2 * 24 * time.Hour,
		When: &manual.Condition{Address: "shop:customer:id", Operator: manual.Lt, Value: json.Number("1000")},
	}}}, o)
	text, err := json.Marshal(o)
	require.NoError(t, err)
	require.Equal(t, archiveJSON, string(text))
	text, err = json.Marshal(manualtask.Options{Collections: map[string]manualtask.Collection{"a": {}}})
	require.NoError(t, err)
	require.Equal(t, `{"collections":{"a":{}}}`, string(text))
}

func TestConnectionType(t *testing.T) {
	t.Parallel()
	kind := manualtask.ConnectionType()
	require.Empty(t, kind.Fields)
	require.NoError(t, kind.CheckOptions(json.RawMessage(archiveJSON)))
	made, err := kind.Connect(dsr.ConnectionSettings{Key: "paper", Options: json.RawMessage(archiveJSON)})
	require.NoError(t, err)
	col := &graph.Collection{Name: "archive", Fields: []*graph.Field{{Name: "note"}}}
	schema, err := made.Describe(t.Context(), col)
	require.NoError(t, err)
	require.Equal(t, []dsr.Column{{Name: "note", Kind: dsr.ColumnText, Native: "text", Nullable: true}}, schema.Columns)

	none, err := kind.Connect(dsr.ConnectionSettings{Key: "paper"})
	require.NoError(t, err)
	require.NoError(t, none.Ping(t.Context()))
	_, err = none.Describe(t.Context(), col)
	require.ErrorIs(t, err, dsr.ErrNoCollection)
}

func TestOptionsThatCannotBe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                              "manualtask: the options are no JSON",
		`{`:                             "manualtask: the options are no JSON",
		`{} {}`:                         "manualtask: the options cannot be read: there is more than one value",
		`{"collection":{}}`:             `manualtask: the options cannot be read: json: unknown field "collection"`,
		`{"collections":{"a":{"b":1}}}`: `manualtask: the options cannot be read: json: unknown field "b"`,
		`{"collections":{"a":{"fields":[{"key":"k","typ":"text"}]}}}`: `manualtask: the options cannot be read: json: unknown field "typ"`,
		`{"collections":{"a":{"due":"a week"}}}`:                      `manualtask: the options cannot be read: "a week" is no duration, such as 48h`,
		`{"collections":{"a":{"when":{"address":"x"}}}}`:              "manualtask: a condition: manual: Extra inputs are not permitted",
		`{}`: "manualtask: Collections is empty: give at least one, by the name that it has in the dataset",
		`{"collections":{"a":{"fields":[{"key":"k","request_type":"preference"}],"due":"-1h"}}}`: `manualtask: collection "a": field "k" is for preference, which would never be asked: preferences are not carried out yet; take the field out` + "\n" +
			`manualtask: collection "a": Due is negative: give a duration, or 0 for no limit`,
	} {
		_, err := manualtask.ReadOptions([]byte(text))
		require.EqualError(t, err, want)
		require.EqualError(t, manualtask.ConnectionType().CheckOptions(json.RawMessage(text)), want)
		if text != "" {
			_, err = manualtask.ConnectionType().Connect(dsr.ConnectionSettings{Options: json.RawMessage(text)})
			require.EqualError(t, err, want)
		}
	}
}
