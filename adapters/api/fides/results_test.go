package fides_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/storage"
)

// complete is a desk with one complete request, and one that is approved.
func complete(t *testing.T) (k *desk, token string) {
	t.Helper()
	k = newDesk(t, func(k *desk) { k.options.AccessResults = true })
	k.submit(t, "access", 2)
	_, err := k.engine.Requests().Advance(t.Context(), "pri_1")
	require.NoError(t, err)
	return k, k.token(t)
}

func TestThePackageIsDownloadedByItsLink(t *testing.T) {
	t.Parallel()
	k, token := complete(t)
	a := k.send(t, token, "GET", "/privacy-request/pri_1/access-results", nil)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	var v struct {
		URLs []string `json:"access_result_urls"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.Body), &v))
	require.Len(t, v.URLs, 1)
	require.Contains(t, v.URLs[0], "/api/v1/privacy-request/pri_1/access-package?token=")

	require.Empty(t, k.send(t, "", "HEAD", v.URLs[0], nil).Body)
	a = k.send(t, "", "GET", v.URLs[0], nil)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	require.Equal(t, `attachment; filename=personal-data-pri_1.json`, a.Header.Get("Content-Disposition"))
	require.Contains(t, a.Body, `"Nia Vale"`)

	require.Equal(t, a.Body, k.send(t, token, "GET", v.URLs[0], nil).Body, "whoever calls")
}

// TestPeerExceptionPackageLink holds what test_dsr_package_link.py does of what
// is wrong with a link. Other than in Fides it works for packages at every
// destination, in place of a redirect to a bucket; its token says of which
// request it is and has no scopes; IDs have the form that the host gives them;
// and of a request that was removed it says that there are no results.
func TestPeerExceptionPackageLink(t *testing.T) {
	t.Parallel()
	k, folder := office(t, func(k *desk) { k.options.AccessResults = true })
	token := k.token(t)
	link := func(n int) string {
		t.Helper()
		require.Equal(t, dsr.StatusComplete, k.process(t, "access").Status)
		id := fmt.Sprint("pri_", n)
		a := k.send(t, token, "GET", "/privacy-request/"+id+"/access-results", nil)
		require.Equal(t, http.StatusOK, a.Status)
		return strings.Split(a.Body, `"`)[3]
	}
	wants := func(at string, status int, body string) {
		t.Helper()
		k.send(t, "", "GET", at, nil).want(t, status, body)
		require.Equal(t, status, k.send(t, "", "HEAD", at, nil).Status)
	}
	const at = "/api/v1/privacy-request/pri_1/access-package"
	const expired, other = `{"detail":"Download token has expired"}`, `{"detail":"Download token does not grant access to this privacy request"}`
	first, second, third := link(1), link(2), link(3)
	wants(at, http.StatusUnprocessableEntity, `{"detail":[{"type":"missing","loc":["query","token"],"msg":"Field required"}]}`)
	wants(at+"?token=invalid_token", http.StatusUnauthorized, `{"detail":"Invalid download token format"}`)
	wants(first+"x", http.StatusUnauthorized, `{"detail":"Invalid download token format"}`)
	wants(strings.Replace(first, "pri_1", "pri_2", 1), http.StatusForbidden, other)
	for _, id := range []string{"not-a-uuid", "12345", "pri", "pri_12345678-1234-1234-1234-123456789012", "pri_123e4567-e89b-12d3-a456-426614174000"} {
		wants(strings.Replace(first, "pri_1", id, 1), http.StatusForbidden, other)
	}

	require.NoError(t, os.Remove(filepath.Join(folder, "pri_2.json")))
	k.send(t, "", "GET", second, nil).want(t, http.StatusNotFound, `{"detail":"No access results found for privacy request 'pri_2'."}`)
	_, err := k.engine.Requests().Delete(t.Context(), "pri_3", dsr.By{})
	require.NoError(t, err)
	wants(third, http.StatusUnprocessableEntity, `{"detail":"Privacy request with id pri_3 has been deleted."}`)
	wants(strings.Replace(third, "pri_3", "pri_1", 1), http.StatusForbidden, other)

	fourth := link(4)
	rec, err := k.store.Request(t.Context(), "pri_4")
	require.NoError(t, err)
	rec.Status, rec.Version = dsr.StatusError, rec.Version+1
	require.NoError(t, k.store.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: rec.Version - 1, Record: *rec}))
	const incomplete = `{"detail":"Access results for privacy request 'pri_4' are not available because the request is not complete."}`
	wants(fourth, http.StatusBadRequest, incomplete)
	k.send(t, token, "GET", "/privacy-request/pri_4/access-results", nil).want(t, http.StatusBadRequest, incomplete)
	gone := dsr.Record{ID: "pri_4", Version: rec.Version + 1, Epoch: rec.Epoch}
	require.NoError(t, k.store.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: rec.Version, Record: gone, Remove: true}))
	wants(fourth, http.StatusNotFound, `{"detail":"No access results found for privacy request 'pri_4'."}`)

	k.wait(6 * 24 * time.Hour)
	wants(first, http.StatusUnauthorized, expired)
}

// A destination that cannot be opened for now takes no package away.
func TestResultsWhileTheirDestinationIsDown(t *testing.T) {
	t.Parallel()
	k, _, token := newStock(t)
	k.define(t, func(d *dsr.Definitions) { d.Policies["stock"].Rules[0].Destination = "cloud" })
	a := k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"stock","identity":{"email":"nia.vale@example.com"}}]`)
	require.Contains(t, a.Body, `"failed":[]`)
	k.advance(t, "pri_1")
	link, _, err := k.engine.Downloads().Link(t.Context(), "pri_1", "", nil)
	require.NoError(t, err)
	const results = "/privacy-request/pri_1/access-results"
	require.Contains(t, k.send(t, token, "GET", results, nil).Body, "https://bucket.example.com/pri_1.json")

	k.config.DestinationTypes["cloud"] = dsr.DestinationType{Open: func(dsr.DestinationSettings) (storage.Destination, error) {
		return nil, fmt.Errorf("%w: the vault does not answer", dsr.ErrUnavailable)
	}}
	k.restart(t)
	for _, target := range []string{results, "/privacy-request/pri_1/access-package?token=" + link} {
		a := k.send(t, token, "GET", target, nil)
		a.want(t, http.StatusServiceUnavailable, `{"detail":"Unavailable for now. Try again later."}`)
		require.Equal(t, "5", a.Header.Get("Retry-After"))
	}
}

func TestLinksAreOffUnlessTheHostWantsThem(t *testing.T) {
	t.Parallel()
	off := newDesk(t, nil)
	a := off.send(t, off.token(t), "GET", "/privacy-request/pri_1/access-results", nil)
	require.Equal(t, []any{403, `{"detail":"Access results download is disabled."}`}, []any{a.Status, a.Body})
}

func TestTasksAreTheCollections(t *testing.T) {
	t.Parallel()
	k, token := complete(t)
	for id, status := range map[string]string{"pri_1": "complete", "pri_2": "pending"} {
		a := k.send(t, token, "GET", "/privacy-request/"+id+"/tasks", nil)
		require.Equal(t, http.StatusOK, a.Status)
		var tasks []map[string]any
		require.NoError(t, json.Unmarshal([]byte(a.Body), &tasks))
		require.Len(t, tasks, 1)
		require.Equal(t, id+":access:shop:customers", tasks[0]["id"])
		require.Equal(t, []any{"shop:customers", status, "access"}, []any{tasks[0]["collection_address"], tasks[0]["status"], tasks[0]["action_type"]})
	}
}

func TestAnErasureReadsBeforeItErases(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	k.submit(t, "erase", 1)
	token := k.token(t)
	for _, want := range []string{"pending", "complete"} {
		var tasks []map[string]any
		a := k.send(t, token, "GET", "/privacy-request/pri_1/tasks", nil)
		require.NoError(t, json.Unmarshal([]byte(a.Body), &tasks), a.Body)
		var told [][]any
		for _, task := range tasks {
			told = append(told, []any{task["collection_address"], task["action_type"], task["status"]})
		}
		require.Equal(t, [][]any{{"shop:customers", "access", want}, {"shop:customers", "erasure", want}}, told)
		_, err := k.engine.Requests().Advance(t.Context(), "pri_1")
		require.NoError(t, err)
	}
}
