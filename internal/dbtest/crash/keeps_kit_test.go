package crash_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/dbtest/servertest"
)

func readJSON(t testing.TB, text string, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), into), text)
}

// ordered requires that a list of webhooks has these keys, in this order.
func ordered(path string, keys ...string) func(*testing.T, *keptWorld) {
	return func(t *testing.T, w *keptWorld) {
		t.Helper()
		var list struct {
			Items []struct {
				Key   string
				Order int
			}
		}
		_, text := w.get(t, path)
		readJSON(t, text, &list)
		var got []string
		for i, item := range list.Items {
			require.Equal(t, i, item.Order)
			got = append(got, item.Key)
		}
		require.Equal(t, keys, got)
	}
}

// requested makes a request, as $id, and waits until its package is there.
func requested(t *testing.T, w *keptWorld) {
	t.Helper()
	w.names["id"] = submit(t, w.Server, "copy", "jane@example.com")
	require.JSONEq(t, `{"people:people":[{"id":1,"email":"jane@example.com","name":"Jane"}]}`, w.Packed(t, w.names["id"]))
	waitComplete(t, w.Server, w.names["id"])
}

// deleted requires that the request is hidden.
func deleted(t *testing.T, w *keptWorld) {
	t.Helper()
	status, text := w.get(t, "/privacy-request?request_id=$id")
	require.Equal(t, http.StatusOK, status)
	require.EqualValues(t, 0, servertest.Object(t, text)["total"])
}

// submit makes a request over HTTP and returns its ID.
func submit(t testing.TB, s *servertest.Server, policy, email string) string {
	t.Helper()
	var answer struct {
		Succeeded []struct{ ID string }
		Failed    []any
	}
	text := s.Call(t, http.MethodPost, "/api/v1/privacy-request", []any{map[string]any{"policy_key": policy, "identity": map[string]string{"email": email}}}, http.StatusOK)
	readJSON(t, text, &answer)
	require.Empty(t, answer.Failed)
	require.Len(t, answer.Succeeded, 1)
	return answer.Succeeded[0].ID
}

// waitComplete waits until a request is complete and returns it.
func waitComplete(t testing.TB, s *servertest.Server, id string) map[string]any {
	t.Helper()
	var got map[string]any
	require.Eventually(t, func() bool {
		status, text, err := s.Send(t.Context(), http.MethodGet, "/api/v1/privacy-request?request_id="+id, nil)
		if err != nil || status != http.StatusOK {
			return false
		}
		var list struct{ Items []map[string]any }
		if json.Unmarshal([]byte(text), &list) != nil || len(list.Items) != 1 {
			return false
		}
		got = list.Items[0]
		return got["status"] == "complete"
	}, servertest.Patience, 20*time.Millisecond, "request %s does not complete", id)
	return got
}
