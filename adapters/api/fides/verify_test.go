package fides_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// verifyDesk sends codes, and takes requests from everybody.
func verifyDesk(t *testing.T) *desk {
	t.Helper()
	return newDesk(t, func(k *desk) {
		k.config.Flow.VerifyIdentity = true
		k.options.PublicIntake = true
	})
}

func (k *desk) code(t *testing.T) string {
	t.Helper()
	notices := k.notifier.Notices()
	require.NotEmpty(t, notices)
	return notices[len(notices)-1].Code
}

const intake = `[{"policy_key":"access","identity":{"email":"nia.vale@example.com"}}]`

func TestWhoeverCreatesARequestInPublicVerifiesIt(t *testing.T) {
	t.Parallel()
	k := verifyDesk(t)
	a := k.send(t, "", "POST", "/privacy-request", intake)
	require.Equal(t, http.StatusOK, a.Status)
	require.Contains(t, a.Body, `"status":"identity_unverified"`)
	a = k.send(t, "", "POST", "/privacy-request/pri_1/verify", `{"code":"`+k.code(t)+`"}`)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	require.Contains(t, a.Body, `"status":"approved"`)
	require.Contains(t, a.Body, `"identity_verified_at":"2026-03-01T12:00:00.000000Z"`)
	a = k.send(t, "", "POST", "/privacy-request/pri_1/verify", `{"code":"000000"}`)
	require.Equal(t, http.StatusBadRequest, a.Status)
	require.Equal(t, `{"detail":"Invalid identity verification request. Privacy request 'pri_1' status = approved."}`, a.Body)
	require.NotContains(t, k.logs.String(), "nia.vale")
}

func TestWhoHasIdentifiedTheDataSubjectNeedsNoCode(t *testing.T) {
	t.Parallel()
	k := verifyDesk(t)
	require.Equal(t, http.StatusUnauthorized, k.send(t, "", "POST", "/privacy-request/authenticated", intake).Status)
	a := k.send(t, k.token(t, "privacy-request:create"), "POST", "/privacy-request/authenticated", intake)
	require.Contains(t, a.Body, `"status":"approved"`)
	require.Empty(t, k.notifier.Notices()[0].Code)
}

// TestPeer22ExceptionTooManyAttempts is test_too_many_attempts. After
// three wrong codes the right one is void, as in Fides. That forgets code and
// attempts, so that tries after that are told of an expired code; here all are
// told of the limit, which is what happened.
func TestPeer22ExceptionTooManyAttempts(t *testing.T) {
	t.Parallel()
	k := verifyDesk(t)
	k.send(t, "", "POST", "/privacy-request", intake)
	right := k.code(t)
	sent := len(k.notifier.Notices())
	wrong := strings.Map(func(r rune) rune { return '0' + (r-'0'+1)%10 }, right)
	for range 3 {
		a := k.send(t, "", "POST", "/privacy-request/pri_1/verify", `{"code":"`+wrong+`"}`)
		require.Equal(t, []any{403, `{"detail":"Incorrect identification code for 'pri_1'"}`}, []any{a.Status, a.Body})
	}
	for range 2 {
		a := k.send(t, "", "POST", "/privacy-request/pri_1/verify", `{"code":"`+right+`"}`)
		require.Equal(t, []any{403, `{"detail":"Attempt limit hit for 'pri_1'"}`}, []any{a.Status, a.Body})
	}
	k.restart(t)
	req, err := k.engine.Requests().Get(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusUnverified, req.Status)
	require.Len(t, k.notifier.Notices(), sent)
}

func TestAnOldCodeHasExpired(t *testing.T) {
	t.Parallel()
	k := verifyDesk(t)
	k.send(t, "", "POST", "/privacy-request", intake)
	k.wait(11 * time.Minute)
	a := k.send(t, "", "POST", "/privacy-request/pri_1/verify", `{"code":"`+k.code(t)+`"}`)
	require.Equal(t, []any{400, `{"detail":"Identification code expired for pri_1."}`}, []any{a.Status, a.Body})
	a = k.send(t, "", "POST", "/privacy-request/nix/verify", `{"code":"1"}`)
	require.Equal(t, []any{404, `{"detail":"No privacy request found with id 'nix'."}`}, []any{a.Status, a.Body})
}

func TestPublicIntakeIsLimitedByAddress(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) {
		k.config.Flow.VerifyIdentity = true
		k.options.PublicIntake, k.options.Limits.PublicPerMinute = true, 1
	})
	require.Equal(t, http.StatusOK, k.send(t, "", "POST", "/privacy-request", intake).Status)
	a := k.send(t, "", "POST", "/privacy-request", intake)
	require.Equal(t, http.StatusTooManyRequests, a.Status)
	require.Equal(t, "60", a.Header.Get("Retry-After"))
	count, err := k.engine.Requests().Count(t.Context(), dsr.Filter{})
	require.NoError(t, err)
	require.EqualValues(t, 1, count)
}

func TestACodeThatCannotBeSentIsToldAsFailed(t *testing.T) {
	t.Parallel()
	k := verifyDesk(t)
	k.notifier.Fail(func(context.Context, dsr.Notice) error { return dsr.ErrUnavailable }, nil)
	a := k.send(t, "", "POST", "/privacy-request", intake)
	require.JSONEq(t, `{"succeeded":[],"failed":[{"message":"Verification message could not be sent.","data":`+strings.Trim(intake, "[]")+`}]}`, a.Body)
}

// hook halts, or lets checks wait, and keeps its token.
type hook struct {
	mu     sync.Mutex
	token  string
	answer *dsr.HookAnswer
}

// Call implements [dsr.Hook].
func (h *hook) Call(_ context.Context, c *dsr.HookCall) (*dsr.HookAnswer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.token = c.Token
	return h.answer, nil
}

func TestAHaltedRequestIsResumedByTheTokenOfTheCall(t *testing.T) {
	t.Parallel()
	h := &hook{answer: &dsr.HookAnswer{Halt: true}}
	k := newDesk(t, func(k *desk) {
		k.config.Hooks = map[string]dsr.Hook{"crm": h}
		k.config.Flow.Before = []dsr.Hooking{{Hook: "crm", TwoWay: true}}
	})
	k.send(t, k.token(t), "POST", "/privacy-request", intake).is(t, http.StatusOK)
	req, err := k.engine.Requests().Advance(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusPaused, req.Status)
	a := k.send(t, k.token(t), "GET", "/privacy-request/pri_1", nil)
	require.Contains(t, a.Body, `"action_required_details":null,"resume_endpoint":"/privacy-request/pri_1/resume"`)
	require.NotContains(t, a.Body, `"submitted_by":null`, "the desk is told")
	a = k.send(t, h.token, "POST", "/privacy-request/pri_1/resume", `{"derived_identity":{"phone_number":"nope"}}`)
	require.Equal(t, http.StatusUnprocessableEntity, a.Status)
	for _, kind := range []string{`\ufffdphone_number`, "a kind", "nia.vale@example.com"} {
		a = k.send(t, h.token, "POST", "/privacy-request/pri_1/resume", `{"derived_identity":{"`+kind+`":"+11234567891"}}`)
		require.Equal(t, []any{422, `{"detail":[{"type":"value_error","loc":["body","derived_identity"],"msg":"Value error, An identity is of a kind that nobody knows, or has no value that can be looked for"}]}`}, []any{a.Status, a.Body})
	}
	a = k.send(t, h.token, "POST", "/privacy-request/pri_1/resume", `{"derived_identity":{"phone_number":"+1 (123) 456 7891"}}`)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	require.Contains(t, a.Body, `"reviewed_by":null,"submitted_by":null,"reviewer":null,"submitter":null,`, "a hook is not")
	require.Contains(t, a.Body, `"identity":null,"custom_privacy_request_fields":null,`)
	ids, err := k.engine.Requests().Identities(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, []string{"+11234567891"}, ids["phone_number"])
	a = k.send(t, h.token, "POST", "/privacy-request/pri_1/resume", `{}`)
	require.Equal(t, http.StatusBadRequest, a.Status)
	require.Contains(t, a.Body, "Invalid resume request: privacy request 'pri_1' status = ")
}

func TestAPreApprovalHookAnswersByItsToken(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]dsr.Status{
		"eligible ": dsr.StatusApproved, "eligible null": dsr.StatusApproved, "not-eligible {}": dsr.StatusNotEligible,
	} {
		path, taken, _ := strings.Cut(call, " ")
		h := &hook{}
		k := newDesk(t, func(k *desk) {
			k.config.Hooks = map[string]dsr.Hook{"check": h}
			k.config.Flow.PreApproval = []string{"check"}
		})
		k.submit(t, "access", 1)
		_, err := k.engine.Messages().Send(t.Context())
		require.NoError(t, err)
		for body, fault := range map[string]string{
			`{"a":1}`: `{"type":"extra_forbidden","loc":["body","a"],"msg":"Extra inputs are not permitted"}`,
			`[]`:      `{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from"}`,
		} {
			a := k.send(t, h.token, "POST", "/privacy-request/pri_1/pre-approve/"+path, body)
			require.Equal(t, []any{422, `{"detail":[` + fault + `]}`}, []any{a.Status, a.Body})
		}
		a := k.send(t, h.token, "POST", "/privacy-request/pri_1/pre-approve/"+path, taken)
		require.Equal(t, []any{200, "null"}, []any{a.Status, a.Body})
		req, err := k.engine.Requests().Get(t.Context(), "pri_1")
		require.NoError(t, err)
		require.Equal(t, want, req.Status)
		a = k.send(t, h.token, "POST", "/privacy-request/pri_1/pre-approve/"+path, nil)
		require.Equal(t, http.StatusBadRequest, a.Status)
	}
}

func TestAPreApprovalHookAnswersOnce(t *testing.T) {
	t.Parallel()
	h := &hook{}
	k := newDesk(t, func(k *desk) {
		k.config.Hooks = map[string]dsr.Hook{"check": h, "other": &hook{}}
		k.config.Flow.PreApproval = []string{"check", "other"}
	})
	k.submit(t, "access", 1)
	_, err := k.engine.Messages().Send(t.Context())
	require.NoError(t, err)
	k.send(t, h.token, "POST", "/privacy-request/pri_1/pre-approve/eligible", nil).is(t, http.StatusOK)
	for _, path := range []string{"eligible", "not-eligible"} {
		k.send(t, h.token, "POST", "/privacy-request/pri_1/pre-approve/"+path, nil).want(t, http.StatusBadRequest,
			detail("This webhook has answered already: the first answer counts. Privacy request 'pri_1' waits for the other pre-approval webhooks."))
	}
	req, err := k.engine.Requests().Get(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusAwaitingPreApproval, req.Status)
}

func TestOnePublicRouteDoesNotBlockAnother(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) {
		k.config.Flow.VerifyIdentity = true
		k.options.PublicIntake, k.options.Limits.PublicPerMinute = true, 2
	})
	verify := func() int {
		return k.send(t, "", "POST", "/privacy-request/nix/verify", `{"code":"1"}`).Status
	}
	require.Equal(t, []int{404, 404, 429}, []int{verify(), verify(), verify()})
	require.Equal(t, http.StatusOK, k.send(t, "", "POST", "/privacy-request", intake).Status)
	credentials := func(target string) int {
		r := httptest.NewRequestWithContext(t.Context(), "POST", target, strings.NewReader("grant_type=client_credentials&client_id=a&client_secret=b&token=x"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return k.do(t, r).Status
	}
	require.Equal(t, []int{401, 401, 429}, []int{credentials("/oauth/token"), credentials("/oauth/revoke"), credentials("/api/v1/oauth/token")}, "these two are one")
}

func TestWithoutATokenNothingIsToldOfTheConfiguration(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) {
		k.config.Flow.VerifyIdentity = true
		k.options.PublicIntake = true
		k.config.ConnectionTypes = map[string]dsr.ConnectionType{"half": {
			Fields:  []dsr.SecretField{{Name: "path"}},
			Connect: func(dsr.ConnectionSettings) (dsr.Connector, error) { return nil, dsr.ErrUnavailable },
		}}
	})
	k.define(t, func(d *dsr.Definitions) {
		d.Connections["half"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "half"}, Type: "half"}
		d.Datasets["half"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "half"}, Connection: "half", Source: strings.ReplaceAll(shopYAML, "shop", "half")}
	})
	const why = `secret \"path\" is missing`
	a := k.send(t, "", "POST", "/privacy-request", intake)
	require.Equal(t, `{"succeeded":[],"failed":[{"message":"This record could not be added","data":{"identity":{"email":"nia.vale@example.com"},"policy_key":"access"}}]}`, a.Body)
	require.Contains(t, k.logs.String(), why)
	require.Contains(t, k.logs.String(), `"level":"WARN","msg":"fides: request"`)
	a = k.send(t, k.token(t), "POST", "/privacy-request/authenticated", intake)
	require.Contains(t, a.Body, why, "who has a token is told")
}
