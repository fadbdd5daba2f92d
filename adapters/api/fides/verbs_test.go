package fides_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// result is the answer of a bulk call.
type result struct {
	Succeeded []struct {
		ID, Status string
		ReviewedBy *string `json:"reviewed_by"`
	}
	Failed []struct {
		Message string
		Data    map[string]any
	}
}

func resultOf(t *testing.T, a *answer) (r result) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	require.NoError(t, json.Unmarshal([]byte(a.Body), &r))
	return r
}

// submit submits requests under a policy.
func (k *desk) submit(t *testing.T, policy string, n int) {
	t.Helper()
	for range n {
		_, err := k.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: policy, Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
		require.NoError(t, err)
		k.wait(time.Second)
	}
}

func approvalDesk(t *testing.T) *desk {
	t.Helper()
	return newDesk(t, func(k *desk) { k.config.Flow.Approval = true })
}

func TestRequestsAreApprovedByIDsByAnObjectAndByFilters(t *testing.T) {
	t.Parallel()
	k := approvalDesk(t)
	k.submit(t, "access", 5)
	token := k.token(t, "privacy-request:review")
	r := resultOf(t, k.send(t, token, "PATCH", "/api/v1/privacy-request/administrate/approve", `["pri_1"]`))
	require.Equal(t, "approved", r.Succeeded[0].Status)
	require.NotNil(t, r.Succeeded[0].ReviewedBy)
	r = resultOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/approve", `{"request_ids":["pri_2"]}`))
	require.Equal(t, "pri_2", r.Succeeded[0].ID)
	r = resultOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/approve", `{"filters":{"status":["pending"]},"exclude_ids":["pri_5"]}`))
	require.Len(t, r.Succeeded, 2)
	r = resultOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/approve", `{"filters":{"id":"pri_5"}}`))
	require.Equal(t, "pri_5", r.Succeeded[0].ID)
	k.submit(t, "access", 10)
	r = resultOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/approve", `{"filters":{"request_id":"pri_1"}}`))
	require.Empty(t, r.Succeeded, "not pri_10")
	require.Len(t, r.Failed, 1)
	r = resultOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/approve", `{"filters":{"request_id":"pri_10"}}`))
	require.Equal(t, "pri_10", r.Succeeded[0].ID)
	require.Equal(t, `{"succeeded":[],"failed":[]}`, k.send(t, token, "PATCH", "/privacy-request/administrate/approve", `{"filters":{"id":"nix"}}`).Body)
}

func TestASelectionOfNothingOrOfEverythingIsRefused(t *testing.T) {
	t.Parallel()
	k := approvalDesk(t)
	k.submit(t, "access", 1)
	token := k.token(t)
	many, err := json.Marshal(strings.Split(strings.Repeat("x,", 10_000)+"x", ","))
	require.NoError(t, err)
	every, err := json.Marshal([]dsr.Status{
		dsr.StatusUnverified, dsr.StatusDuplicate, dsr.StatusAwaitingPreApproval, dsr.StatusNotEligible, dsr.StatusPending, dsr.StatusApproved,
		dsr.StatusInProcessing, dsr.StatusRequiresInput, dsr.StatusPendingExternal, dsr.StatusAwaitingEmail, dsr.StatusPaused,
		dsr.StatusRequiresFinalization, dsr.StatusError, dsr.StatusComplete, dsr.StatusDenied, dsr.StatusCanceled,
	})
	require.NoError(t, err)
	for body, detail := range map[string]string{
		`[]`:                                     `[{"type":"value_error","loc":["body"],"msg":"Value error, At least one of 'request_ids' or 'filters' must be provided."}]`,
		`{}`:                                     `[{"type":"value_error","loc":["body"],"msg":"Value error, At least one of 'request_ids' or 'filters' must be provided."}]`,
		`{"filters":{"is_overdue":false}}`:       `[{"type":"value_error","loc":["body","filters"],"msg":"Value error, The filters may select every request; say which, with more than fuzzy_search_str."}]`,
		`{"filters":{}}`:                         `[{"type":"value_error","loc":["body","filters"],"msg":"Value error, The filters may select every request; say which, with more than fuzzy_search_str."}]`,
		`{"filters":{"fuzzy_search_str":"pri"}}`: `[{"type":"value_error","loc":["body","filters"],"msg":"Value error, The filters may select every request; say which, with more than fuzzy_search_str."}]`,
		`{"filters":{"request_id":"pri"}}`:       `[{"type":"value_error","loc":["body","filters","request_id"],"msg":"Value error, No request has this ID. In bulk calls it must be the whole ID of one, since all may hold a part of it."}]`,
		`{"filters":{"request_id":"pri_","status":"pending"}}`:                     `[{"type":"value_error","loc":["body","filters","request_id"],"msg":"Value error, No request has this ID. In bulk calls it must be the whole ID of one, since all may hold a part of it."}]`,
		`{"filters":{"action_type":["access","erasure","consent","update"]}}`:      `[{"type":"value_error","loc":["body","filters"],"msg":"Value error, The filters may select every request; say which, with more than fuzzy_search_str."}]`,
		`{"filters":{"status":` + string(every) + `}}`:                             `[{"type":"value_error","loc":["body","filters"],"msg":"Value error, The filters may select every request; say which, with more than fuzzy_search_str."}]`,
		`{"filters":{"status":["pending"]},"exclude_ids":["pri_1","PRI_1","nix"]}`: `[{"type":"value_error","loc":["body","exclude_ids"],"msg":"Value error, It would leave nothing out: the selection excepts IDs that no request has: \"PRI_1\", \"nix\"."}]`,
		`{"filters":{"x":1}}`: `[{"type":"extra_forbidden","loc":["body","filters","x"],"msg":"Extra inputs are not permitted"}]`,
		`{"filter":{}}`:       `[{"type":"extra_forbidden","loc":["body","filter"],"msg":"Extra inputs are not permitted"}]`,
		`[1]`:                 `[{"type":"string_type","loc":["body",0],"msg":"Input should be a valid string"}]`,
		string(many):          `[{"type":"too_long","loc":["body"],"msg":"List should have at most 10000 items after validation, not 10001"}]`,
		`{"request_ids":["a"],"filters":{"id":"b"}}`: `[{"type":"value_error","loc":["body"],"msg":"Value error, Either 'request_ids' or 'filters' with 'exclude_ids' can be provided."}]`,
	} {
		a := k.send(t, token, "PATCH", "/privacy-request/administrate/cancel", body)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status)
		require.Equal(t, `{"detail":`+detail+`}`, a.Body)
	}
	k.send(t, token, "PATCH", "/privacy-request/administrate/cancel", `{"filters":{"id":"pri_1"},"exclude_ids":["nix"]}`).is(t, http.StatusUnprocessableEntity)
	k.send(t, token, "PATCH", "/privacy-request/administrate/cancel", `{"filters":{"id":"pri_1"},"exclude_ids":["pri_1"]}`).want(t, http.StatusOK, `{"succeeded":[],"failed":[]}`)
	req, err := k.engine.Requests().Get(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusPending, req.Status)
}

// bulkCrowd is a store that lists more requests than a bulk call takes.
type bulkCrowd struct{ dsr.Store }

// Requests implements [dsr.RequestReader].
func (bulkCrowd) Requests(_ context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
	first := 0
	if q.After != nil {
		if _, err := fmt.Sscanf(q.After.ID, "x%d", &first); err != nil {
			return nil, err
		}
	}
	var page []*dsr.Record
	for i := first + 1; i <= 10_001 && len(page) < q.Limit; i++ {
		page = append(page, &dsr.Record{ID: fmt.Sprintf("x%06d", i), Actions: []graph.Action{graph.Access}, CreatedAt: begin})
	}
	return page, nil
}

func TestFiltersThatSelectMoreThanABulkCallTakes(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) { k.config.Store = bulkCrowd{k.store} })
	token := k.token(t)
	for _, verb := range [][2]string{
		{"PATCH", "/privacy-request/administrate/approve"}, {"PATCH", "/privacy-request/administrate/deny"}, {"PATCH", "/privacy-request/administrate/cancel"},
		{"POST", "/privacy-request/bulk/retry"}, {"POST", "/privacy-request/bulk/finalize"}, {"POST", "/privacy-request/bulk/soft-delete"},
	} {
		k.send(t, token, verb[0], verb[1], `{"filters":{"status":"pending"},"reason":"none"}`).
			want(t, http.StatusUnprocessableEntity, `{"detail":"The filters select more than 10000 requests. Narrow them, and go on in parts."}`)
	}
}

// TestPeer23ApprovePrivacyRequestInNonPendingState is
// test_approve_privacy_request_in_non_pending_state.
func TestPeer23ApprovePrivacyRequestInNonPendingState(t *testing.T) {
	t.Parallel()
	k := approvalDesk(t)
	k.submit(t, "access", 3)
	token := k.token(t)
	resultOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/cancel", `["pri_1"]`))
	resultOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/approve", `["pri_2"]`))
	_, err := k.engine.Requests().Advance(t.Context(), "pri_2")
	require.NoError(t, err)
	require.Equal(t, `{"succeeded":["pri_3"],"failed":[]}`, k.send(t, token, "POST", "/privacy-request/bulk/soft-delete", `["pri_3"]`).Body)

	before := k.state(t)
	for _, verb := range []string{"approve", "deny"} {
		r := resultOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/"+verb, `{"request_ids":["pri_1","pri_2","pri_3","nix"],"reason":"no"}`))
		require.Empty(t, r.Succeeded)
		var told [][]any
		for _, f := range r.Failed {
			told = append(told, []any{f.Message, f.Data["status"]})
		}
		require.Equal(t, [][]any{
			{"Cannot transition status", "canceled"}, {"Cannot transition status", "complete"},
			{"Cannot transition status for a deleted request", "pending"}, {"No privacy request found with id 'nix'", nil},
		}, told)
		require.Equal(t, map[string]any{"privacy_request_id": "nix"}, r.Failed[3].Data)
		require.Equal(t, before, k.state(t), "nothing was changed, nor queued")
	}
	r := resultOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/cancel", `["pri_1","pri_2"]`))
	require.Equal(t, "Cannot cancel privacy request in canceled status", r.Failed[0].Message)
	require.Equal(t, "Cannot cancel privacy request in complete status", r.Failed[1].Message)
}

func TestADenialNeedsAReason(t *testing.T) {
	t.Parallel()
	k := approvalDesk(t)
	k.submit(t, "access", 1)
	token := k.token(t)
	r := resultOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/deny", `["pri_1"]`))
	require.Equal(t, "A reason is needed", r.Failed[0].Message)
	r = resultOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/deny", `{"request_ids":["pri_1"],"reason":"<b>not you</b>"}`))
	require.Equal(t, "denied", r.Succeeded[0].Status)
	remarks, err := k.engine.Requests().Remarks(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, "<b>not you</b>", remarks[0].Reason)
}

func TestAVerbThatTheStatusDoesNotAllowSaysSo(t *testing.T) {
	t.Parallel()
	k := approvalDesk(t)
	k.submit(t, "access", 2)
	token := k.token(t)
	require.Equal(t, `{"succeeded":["pri_2"],"failed":[]}`, k.send(t, token, "POST", "/privacy-request/bulk/soft-delete", `{"request_ids":["pri_2"]}`).Body)
	for verb, want := range map[string]struct {
		status int
		detail string
	}{
		"retry":    {400, "Cannot restart privacy request from failure: privacy request 'pri_1' status = pending."},
		"finalize": {400, "Cannot manually finalize privacy request 'pri_1': status is pending, not requires_manual_finalization."},
		"requeue":  {400, "Request failed. Cannot re-queue privacy request pri_1 with status pending"},
	} {
		a := k.send(t, token, "POST", "/privacy-request/pri_1/"+verb, nil)
		require.Equal(t, want.status, a.Status, verb)
		require.Equal(t, `{"detail":"`+want.detail+`"}`, a.Body)
	}
	for _, verb := range []string{"retry", "finalize", "requeue", "resubmit", "soft-delete"} {
		a := k.send(t, token, "POST", "/privacy-request/nix/"+verb, nil)
		require.Equal(t, []any{404, `{"detail":"No privacy request found with id 'nix'."}`}, []any{a.Status, a.Body})
		a = k.send(t, token, "POST", "/privacy-request/pri_2/"+verb, nil)
		require.Equal(t, []any{422, `{"detail":"Privacy request with id pri_2 has been deleted."}`}, []any{a.Status, a.Body})
	}
	k.send(t, token, "GET", "/privacy-request/pri_2", nil).is(t, http.StatusUnprocessableEntity)
	for _, path := range []string{"/log", "/tasks"} {
		k.send(t, token, "GET", "/privacy-request/pri_2"+path, nil).is(t, http.StatusOK)
	}
	for _, path := range []string{"", "/log", "/tasks"} {
		require.Equal(t, http.StatusNotFound, k.send(t, token, "GET", "/privacy-request/nix"+path, nil).Status)
	}
	a := k.send(t, token, "POST", "/privacy-request/bulk/soft-delete", `["pri_2"]`)
	require.Contains(t, a.Body, `"message":"Privacy request 'pri_2' has already been deleted."`)
	for _, verb := range []string{"retry", "finalize"} {
		r := resultOf(t, k.send(t, token, "POST", "/privacy-request/bulk/"+verb, `["pri_1"]`))
		require.Contains(t, r.Failed[0].Message, "'pri_1'")
	}
}

func TestARequestIsResubmittedRequeuedAndDeleted(t *testing.T) {
	t.Parallel()
	k := approvalDesk(t)
	k.submit(t, "access", 1)
	token := k.token(t)
	resultOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/approve", `["pri_1"]`))
	a := k.send(t, token, "POST", "/privacy-request/pri_1/requeue", nil)
	require.Equal(t, http.StatusOK, a.Status)
	a = k.send(t, token, "POST", "/privacy-request/pri_1/resubmit", nil)
	require.Equal(t, http.StatusOK, a.Status)
	require.Contains(t, a.Body, `"id":"pri_1"`)
	require.Contains(t, a.Body, `"status":"pending"`)
	a = k.send(t, token, "POST", "/privacy-request/pri_1/soft-delete", nil)
	require.Equal(t, []any{200, "null"}, []any{a.Status, a.Body})
	ids, _ := listed(t, k.send(t, token, "GET", "/privacy-request", nil))
	require.Empty(t, ids)
	ids, _ = listed(t, k.send(t, token, "GET", "/privacy-request?include_deleted_requests=true&id=pri_1", nil))
	require.Equal(t, []string{"pri_1"}, ids)
}

func TestFiltersThatContradictEachOtherSelectNothingToChange(t *testing.T) {
	t.Parallel()
	k := approvalDesk(t)
	k.submit(t, "access", 1)
	a := k.send(t, k.token(t), "PATCH", "/privacy-request/administrate/approve", `{"filters":{"completed_gt":"2021-01-01","errored_gt":"2021-01-01"}}`)
	require.Equal(t, []any{400, `{"detail":"Cannot specify both succeeded and failed query params."}`}, []any{a.Status, a.Body})
}

func TestWhatFailedIsShownAsInTheList(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	a := k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"nia.vale@example.com"},"source":"Web form"}]`)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	k.send(t, token, "PATCH", "/privacy-request/administrate/approve", `["pri_1"]`)
	var failed struct {
		Failed []struct{ Data map[string]any }
	}
	var list struct{ Items []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(k.send(t, token, "PATCH", "/privacy-request/administrate/approve", `["pri_1"]`).Body), &failed))
	require.NoError(t, json.Unmarshal([]byte(k.send(t, token, "GET", "/privacy-request", nil).Body), &list))
	require.Len(t, failed.Failed, 1)
	require.NotNil(t, list.Items[0]["submitted_by"])
	for _, name := range []string{"id", "status", "submitted_by", "submitter", "reviewed_by", "reviewer", "source"} {
		require.Equal(t, list.Items[0][name], failed.Failed[0].Data[name], name)
	}
}
