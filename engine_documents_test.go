package dsr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// A cell whose shape is not the one that the dataset tells cannot be masked
// inside: the request stops before the first write and says where.
func TestEraseRefusesCellsOfAnotherShape(t *testing.T) {
	t.Parallel()
	const profile, list = "shop:people.profile.alias: ", "shop:people.list.who: "
	for _, c := range []struct {
		name, column string
		cell         any
		want         string
	}{
		{"plain text", "profile", "SECRET", profile + "a row holds text in profile"},
		{"JSON twice encoded", "profile", `"{\"alias\":\"SECRET\"}"`, profile + "a row holds text in profile"},
		{"array of texts for an object", "profile", []any{"SECRET", "SECRET"}, profile + "a row holds text in profile"},
		{"number", "profile", 8271, profile + "a row holds a number in profile"},
		{"boolean", "profile", true, profile + "a row holds a boolean in profile"},
		{"array of texts", "list", []any{"SECRET"}, list + "a row holds text in list"},
		{"nested array", "list", []any{[]any{"SECRET"}}, list + "a row holds text in list"},
		{"loose text among objects", "list", []any{map[string]any{"who": "W"}, "SECRET"}, list + "a row holds text in list"},
		{"loose text", "list", "SECRET", list + "a row holds text in list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rows := people()
			rows["people"][0][c.column] = c.cell
			w := shop(t, peopleYAML, rows, nil)
			before := w.db().Rows("people")
			req, err := w.run(t, "ada@example.com", erasureRule("null_rewrite", "user.name"))
			require.ErrorContains(t, err, c.want+", where an object with this field was expected, so that it cannot be masked; correct the row")
			require.NotContains(t, err.Error(), "SECRET")
			require.NotContains(t, err.Error(), "8271")
			require.Equal(t, []any{dsr.StatusError, dsr.StageJournal}, []any{req.Status, req.Stage})
			require.Equal(t, before, w.db().Rows("people"))
			require.Zero(t, w.db().applied())
		})
	}
}

// A package that cannot look into a cell says so in its manifest.
func TestPackageTellsCellsOfAnotherShape(t *testing.T) {
	t.Parallel()
	rows := people()
	rows["people"][0]["profile"] = "SECRET"
	w := shop(t, peopleYAML, rows, nil)
	w.complete(t, "ada@example.com", graph.Rule{Key: "a", Action: graph.Access, Targets: []graph.Category{"user.name"}})
	require.NotContains(t, w.packages.file("r1.json"), "SECRET")
	require.Contains(t, w.packages.file("r1.manifest.json"), `"message": "left out values that are no objects, though the dataset declares fields inside: 1; correct the dataset or the rows"`)
}

// Where there is no parent, there is nothing to mask; neither is there in an
// empty one.
func TestEraseTakesMissingParents(t *testing.T) {
	t.Parallel()
	for _, cell := range []any{nil, "", []any{}, map[string]any{}, []any{nil}, []any{map[string]any{}, nil}, map[string]any{"alias": nil}} {
		rows := people()
		rows["people"][0]["profile"], rows["people"][0]["list"] = cell, cell
		w := shop(t, peopleYAML, rows, nil)
		before := w.db().Rows("people")[0]
		w.complete(t, "ada@example.com", erasureRule("null_rewrite", "user.name"))
		after := w.db().Rows("people")[0]
		require.Equal(t, before["profile"], after["profile"])
		require.Equal(t, before["list"], after["list"])
	}
}
