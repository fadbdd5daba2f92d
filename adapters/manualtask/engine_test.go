package manualtask_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/manualtask"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
	"github.com/godsr/dsr/storage"
)

const datasets = `
dataset:
  - fides_key: shop
    collections:
      - name: customer
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
  - fides_key: paper
    collections:
      - name: archive
        fields:
          - name: customer
            fides_meta: {references: [{dataset: shop, field: customer.id, direction: from}]}
          - {name: note, data_categories: [user.content]}
          - {name: found, data_categories: [user.content]}
          - {name: shelf, data_categories: [system.operations]}
`

// house is an engine over a shop in memory and a paper archive.
func house(t *testing.T, opts *manualtask.Options) (e *dsr.Engine, folder string) {
	t.Helper()
	read, _, err := graph.LoadFS(fstest.MapFS{"a.yml": {Data: []byte(datasets)}}, []string{"*.yml"}, nil)
	require.NoError(t, err)
	folder = t.TempDir()
	e, err = dsr.New(dsr.Config{
		Datasets: read,
		Connections: []dsr.Connection{
			{Key: "shop", Datasets: []string{"shop"}, Connector: memory.NewConnector(map[string][]map[string]any{
				"customer": {{"id": 7, "email": "jane@example.com"}, {"id": 8, "email": "john@example.com"}},
			}, nil)},
			{Key: "paper", Datasets: []string{"paper"}, Connector: connector(t, opts)},
		},
		Policies: []graph.Policy{
			{Key: "access", Rules: []graph.Rule{{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}}}},
			{Key: "erasure", Rules: []graph.Rule{{Key: "content", Action: graph.Erasure, Targets: []graph.Category{"user.content"}, Masking: &graph.Masking{Strategy: "null_rewrite"}}}},
		},
		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(folder, nil)}},
		Store:        memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
		NewID: func() string { return "r1" },
	})
	require.NoError(t, err)
	return e, folder
}

// advance submits a request and takes it as far as it goes.
func advance(t *testing.T, e *dsr.Engine, policy, email string) *dsr.Request {
	t.Helper()
	_, err := e.Requests().Submit(t.Context(), dsr.Submission{Policy: policy, Identities: dsr.Identities{"email": {email}}})
	require.NoError(t, err)
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	return req
}

// onlyTask returns the one task that a request waits for.
func onlyTask(t *testing.T, e *dsr.Engine) *dsr.Task {
	t.Helper()
	tasks, err := e.Tasks().List(t.Context(), "r1")
	require.NoError(t, err)
	require.Len(t, tasks, 1)
	return tasks[0]
}

func archiveOptions() *manualtask.Options {
	return &manualtask.Options{Collections: map[string]manualtask.Collection{"archive": {
		Title: "Look into the archive",
		Fields: []manualtask.Field{
			field("note", dsr.TaskText, ""), field("found", dsr.TaskCheckbox, ""), field("shelf", dsr.TaskText, ""),
		},
		When: &manual.Condition{Address: "shop:customer:id", Operator: manual.ListContains, Value: []any{7}},
	}}}
}

func TestPeopleAnswer(t *testing.T) {
	t.Parallel()
	e, folder := house(t, archiveOptions())
	require.Equal(t, dsr.StatusRequiresInput, advance(t, e, "access", "jane@example.com").Status)
	task := onlyTask(t, e)
	require.Equal(t, dsr.TaskSpec{
		Title:  "Look into the archive",
		Fields: []dsr.TaskField{{Key: "note", Type: dsr.TaskText}, {Key: "found", Type: dsr.TaskCheckbox}},
	}, task.TaskSpec)
	require.Len(t, task.Inputs, 1)
	require.Equal(t, []string{"shop:customer:id"}, task.Inputs[0].From)

	_, err := e.Tasks().Answer(t.Context(), "r1", task.ID, task.Revision, map[string]any{"note": "a letter", "found": true}, dsr.By{Actor: "archivist"})
	require.NoError(t, err)
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	require.NoError(t, err)
	var found bool
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		if filepath.Base(name) == req.Packages[0].Name {
			found = true
			require.JSONEq(t, `{"paper:archive":[{"note":"a letter","found":true}],"shop:customer":[{"email":"jane@example.com"}]}`, string(text))
		}
	}
	require.True(t, found)
}

// A column that people were not asked for would say that they found nothing.
func TestWhatNobodyWasAskedForIsInNoPackage(t *testing.T) {
	t.Parallel()
	e, folder := house(t, &manualtask.Options{Collections: map[string]manualtask.Collection{"archive": {Fields: []manualtask.Field{field("note", dsr.TaskText, "")}}}})
	require.Equal(t, dsr.StatusRequiresInput, advance(t, e, "access", "jane@example.com").Status)
	task := onlyTask(t, e)
	_, err := e.Tasks().Answer(t.Context(), "r1", task.ID, task.Revision, map[string]any{"note": "a letter"}, dsr.By{})
	require.NoError(t, err)
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(folder, req.Packages[0].Name))
	require.NoError(t, err)
	require.JSONEq(t, `{"paper:archive":[{"note":"a letter"}],"shop:customer":[{"email":"jane@example.com"}]}`, string(text))
}

func TestPeopleAreNotAsked(t *testing.T) {
	t.Parallel()
	e, _ := house(t, archiveOptions())
	req := advance(t, e, "access", "john@example.com")
	require.Equal(t, dsr.StatusComplete, req.Status)
	for _, c := range req.Collections {
		if c.Address.Dataset == "paper" {
			require.Equal(t, "not needed, since this does not hold: shop:customer:id list_contains", c.Message)
		}
	}
	require.Len(t, req.Collections, 2)
}

func TestPeopleErase(t *testing.T) {
	t.Parallel()
	e, _ := house(t, archiveOptions())
	require.Equal(t, dsr.StatusRequiresInput, advance(t, e, "erasure", "jane@example.com").Status)
	task := onlyTask(t, e)
	require.Equal(t, graph.Erasure, task.Action)
	require.Equal(t, []dsr.TaskField{{Key: manualtask.Confirmed, Label: "Erased", Type: dsr.TaskCheckbox}}, task.Fields)
	_, err := e.Tasks().Answer(t.Context(), "r1", task.ID, task.Revision, map[string]any{manualtask.Confirmed: true}, dsr.By{Actor: "archivist"})
	require.NoError(t, err)
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	for _, c := range req.Collections {
		if c.Address.Dataset == "paper" {
			require.Equal(t, "erased by a person", c.Message)
		}
	}
}

func TestConditionOutsideOfTheReferences(t *testing.T) {
	t.Parallel()
	opts := archiveOptions()
	col := opts.Collections["archive"]
	col.When = &manual.Condition{Address: "shop:customer:email", Operator: manual.EndsWith, Value: "@example.com"}
	opts.Collections["archive"] = col
	e, _ := house(t, opts)
	_, err := e.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"jane@example.com"}}})
	require.NoError(t, err)
	_, err = e.Requests().Advance(t.Context(), "r1")
	require.ErrorContains(t, err, "the condition of paper:archive looks at shop:customer:email, which the collection does not refer to")
	require.NotContains(t, err.Error(), "jane")
}
