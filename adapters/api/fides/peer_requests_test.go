package fides_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// peerIntakes are the two routes that create requests.
var peerIntakes = []string{"/api/v1/privacy-request", "/api/v1/privacy-request/authenticated"}

// peerRequest is a request that the tests of Fides create, and one more key.
func peerRequest(more string) string {
	return `{"requested_at":"2021-08-30T16:09:37.359Z","policy_key":"access","identity":{"email":"test@example.com"}` + more + `}`
}

// refusedIntake wants that a body is refused, and nothing of it kept.
func (k *desk) refusedIntake(t *testing.T, body, detail string) {
	t.Helper()
	for _, at := range peerIntakes {
		k.send(t, k.token(t), "POST", at, body).want(t, http.StatusUnprocessableEntity, `{"detail":[`+detail+`]}`)
	}
	count, err := k.engine.Requests().Count(t.Context(), dsr.Filter{})
	require.NoError(t, err)
	require.Zero(t, count)
}

// TestPeer20CreatePrivacyRequestInvalidEncryptionValues is
// test_create_privacy_request_invalid_encryption_values.
func TestPeer20CreatePrivacyRequestInvalidEncryptionValues(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	for _, key := range []string{"test", "fifteen-bytes--", "seventeen-bytes--", "sixteen-runes--ü"} {
		k.refusedIntake(t, "["+peerRequest(`,"encryption_key":"`+key+`"`)+"]",
			`{"type":"value_error","loc":["body",0,"encryption_key"],"msg":"Value error, Encryption key must be 16 bytes long"}`)
	}
}

// TestPeer21CreatePrivacyRequestLimitExceeded is
// test_create_privacy_request_limit_exceeded.
func TestPeer21CreatePrivacyRequestLimitExceeded(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	many := func(n int) string { return "[" + strings.Join(slices.Repeat([]string{peerRequest("")}, n), ",") + "]" }
	k.refusedIntake(t, many(51), `{"type":"too_long","loc":["body"],"msg":"List should have at most 50 items after validation, not 51"}`)
	require.Len(t, resultOf(t, k.send(t, k.token(t), "POST", peerIntakes[0], many(50))).Succeeded, 50)
}

// TestPeer24FilterPrivacyRequestsByConflictingDateFields is
// test_filter_privacy_requests_by_conflicting_date_fields, of every pair.
func TestPeer24FilterPrivacyRequestsByConflictingDateFields(t *testing.T) {
	t.Parallel()
	k, token := newList(t)
	for _, pair := range []string{"created", "started", "completed", "errored"} {
		detail := `{"detail":"Value specified for ` + pair + `_lt: 2018-01-01 00:00:00+00:00 must be after ` + pair + `_gt: 2019-01-01 00:00:00+00:00."}`
		k.send(t, token, "GET", "/api/v1/privacy-request?"+pair+"_gt=2019-01-01T00:00:00.000Z&"+pair+"_lt=2018-01-01T00:00:00.000Z", nil).want(t, http.StatusBadRequest, detail)
		k.send(t, token, "POST", "/api/v1/privacy-request/search", `{"`+pair+`_gt":"2019-01-01T00:00:00.000Z","`+pair+`_lt":"2018-01-01T00:00:00.000Z"}`).want(t, http.StatusBadRequest, detail)
	}
}
