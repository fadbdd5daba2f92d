package fides_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// A request does not wait for a webhook that was removed, and is told to be
// auto-approved once it is.
func TestARemovedPreApprovalWebhookIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	c := configurable(t, nil).caller(t)
	c.does(t, "PATCH", "/connection", `[{"name":"Desk","key":"desk","connection_type":"https","access":"read","secrets":{"url":"https://desk.example"}}]`)
	c.does(t, "PUT", "/connection/desk/secret", `{"url":"https://desk.example"}`)
	c.does(t, "PUT", "/dsr/webhook/pre_approval", `[{"key":"pa1","name":"One","connection_config_key":"desk"},{"key":"pa2","name":"Two","connection_config_key":"desk"}]`)
	requests := c.engine.Requests()
	for range 2 {
		req, err := requests.Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
		require.NoError(t, err)
		require.Equal(t, dsr.StatusAwaitingPreApproval, req.Status)
	}
	c.wait(time.Minute)
	at := c.clock().Format("15:04")
	says := func(id string) {
		t.Helper()
		_, err := requests.PreApproval(t.Context(), id, "pa2", true, dsr.By{})
		require.NoError(t, err)
	}
	told := func(id string) map[string][]string {
		t.Helper()
		v := c.shownVerbose(t, c.token, id)
		decisions := v.shownDecisions()
		delete(decisions, "Triggered pre-approval webhooks")
		return decisions
	}
	says("pri_1")
	answered := map[string][]string{"Pre-approval webhook answered": {at + " pre_approval_eligible system check pa2 answered: eligible"}}
	require.Equal(t, answered, told("pri_1"), "pa1 has said nothing")
	c.send(t, c.token, "DELETE", "/dsr/webhook/pre_approval/pa1", nil).is(t, http.StatusOK)
	says("pri_2")
	for id, why := range map[string]string{"pri_1": "removed: pa1", "pri_2": "null"} {
		req, err := requests.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, dsr.StatusApproved, req.Status)
		answered["Request auto-approved by pre-approval webhooks"] = []string{at + " pre_approval_eligible system " + why}
		answered["Request approved"] = []string{at + " approved system all checks answered: eligible"}
		require.Equal(t, answered, told(id), id)
	}
}
