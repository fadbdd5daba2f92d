package fides_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/manualtask"
	"github.com/godsr/dsr/graph"
)

// foundErasing is a desk with a paper archive, and a request that waits until
// somebody says that they erased what is in it.
func foundErasing(t *testing.T) *desk {
	t.Helper()
	k, _ := office(t, func(k *desk) {
		datasets, _, err := graph.LoadFS(fstest.MapFS{"archive.yml": {Data: []byte(archiveYAML)}}, []string{"*.yml"}, nil)
		require.NoError(t, err)
		people, err := manualtask.New(&manualtask.Options{Collections: map[string]manualtask.Collection{"archive": {
			Title: "Shred the file", Assignees: []string{"archivist"}, Fields: []manualtask.Field{
				{TaskField: dsr.TaskField{Key: "gone", Type: dsr.TaskCheckbox}, For: graph.Erasure},
			},
		}}})
		require.NoError(t, err)
		k.config.Datasets = datasets
		k.config.Connections = append(k.config.Connections, dsr.Connection{Key: "paper", Connector: people, Datasets: []string{"paper"}})
		k.config.Policies = []graph.Policy{{Key: "content", Rules: []graph.Rule{{
			Key: "content", Action: graph.Erasure, Targets: []graph.Category{"user.content"}, Masking: &graph.Masking{Strategy: "null_rewrite"},
		}}}}
	})
	require.Equal(t, dsr.StatusRequiresInput, k.process(t, "content").Status)
	return k
}

func foundGone(verb string) string {
	id := base64.RawURLEncoding.EncodeToString([]byte("erasure/paper:archive\ngone"))
	return "/api/v1/privacy-request/pri_1/manual-field/" + id + "/" + verb
}

// foundErasure is what /tasks shows of the erasure in the archive.
func (k *desk) foundErasure(t *testing.T, token string) string {
	t.Helper()
	var tasks []map[string]any
	require.NoError(t, json.Unmarshal([]byte(k.send(t, token, "GET", "/privacy-request/pri_1/tasks", nil).Body), &tasks))
	for _, task := range tasks {
		if task["id"] == "pri_1:erasure:paper:archive" {
			return task["status"].(string)
		}
	}
	return "none"
}

// What nobody confirmed as erased is named, also in lists, and is skipped in the
// log and among the tasks, then and once the request is finalized.
func TestAnErasureThatNobodyConfirmed(t *testing.T) {
	t.Parallel()
	k := foundErasing(t)
	token := k.token(t)
	require.Equal(t, "pending", k.foundErasure(t, token))
	k.multipart(t, token, foundGone("skip"), part{name: "skip_reason", content: "nobody has the key"}).is(t, http.StatusOK)
	require.Equal(t, dsr.StatusRequiresFinalization, k.advance(t, "pri_1").Status)
	const details = `"action_required_details":{"step":"erasure","collection":"paper:archive","action_needed":null}`
	for _, path := range []string{"/privacy-request/pri_1", "/privacy-request?id=pri_1"} {
		require.Contains(t, k.send(t, token, "GET", path, nil).Body, details, path)
	}
	skipped := func() {
		t.Helper()
		require.Equal(t, "skipped", k.foundErasure(t, token))
		v := k.shownVerbose(t, token, "pri_1")
		require.Equal(t, "skipped", v.Tasks["paper"])
		line := v.Results["paper"][len(v.Results["paper"])-1]
		require.Equal(t, []string{"erasure", "skipped", "answered by a person, but not confirmed as erased: task erasure/paper:archive"}, []string{*line.Action, line.Status, *line.Message})
	}
	skipped()
	_, err := k.engine.Requests().Finalize(t.Context(), "pri_1", dsr.By{Actor: "cy"})
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, k.advance(t, "pri_1").Status)
	require.Contains(t, k.send(t, token, "GET", "/privacy-request/pri_1", nil).Body, `"action_required_details":null`)
	skipped()
}

func TestAnErasureThatSomebodyConfirmed(t *testing.T) {
	t.Parallel()
	k := foundErasing(t)
	token := k.token(t)
	k.multipart(t, token, foundGone("complete"), part{name: "field_value", content: "true"}).is(t, http.StatusOK)
	require.Equal(t, dsr.StatusComplete, k.advance(t, "pri_1").Status)
	require.Equal(t, "complete", k.foundErasure(t, token))
	require.Empty(t, k.shownVerbose(t, token, "pri_1").Tasks["paper"])
}
