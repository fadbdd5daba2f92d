package fides_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// crowdOf is a JSON list of numbers.
func crowdOf(from, count int) string {
	list := make([]string, count)
	for i := range list {
		list[i] = fmt.Sprint(from + i)
	}
	return "[" + strings.Join(list, ",") + "]"
}

// Who has no token either gets no work done for more identities than there can
// be: they are counted before anything else is done with them.
func TestARequestHasAThousandIdentitiesAtMost(t *testing.T) {
	t.Parallel()
	lists := make([]string, 100)
	for i := range lists {
		lists[i] = `{"x":` + crowdOf(100_000+1000*i, 1000) + `}`
	}
	for name, c := range map[string]struct {
		identities string
		refused    bool
	}{
		"as many as there can be":   {`"identity":{"card":` + crowdOf(1, 999) + `},"identities":[{"email":"nia.vale@example.com"}]`, false},
		"one more":                  {`"identities":[{"card":` + crowdOf(1, 1000) + `},{"email":"nia.vale@example.com"}]`, true},
		"one more in the other":     {`"identity":{"email":"nia.vale@example.com"},"identities":[{"card":` + crowdOf(1, 1000) + `}]`, true},
		"one more with a label":     {`"identity":{"email":"nia.vale@example.com","card":{"label":"Card","value":` + crowdOf(1, 1000) + `}}`, true},
		"the same one again":        {`"identities":[` + strings.Repeat(`{"email":"nia.vale@example.com"},`, 999) + `{"email":"nia.vale@example.com"}],"identity":{"email":"nia.vale@example.com"}`, true},
		"many lists":                {`"identities":[` + strings.Join(lists, ",") + `]`, true},
		"their form is not read":    {`"identity":{"email":"nobody","phone_number":"12","card":` + crowdOf(1, 1000) + `}`, true},
		"another one in the middle": {`"identity":{"card":` + crowdOf(1, 1000) + `},"identities":[{"email":"nobody"}]`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newDesk(t, func(k *desk) { k.config.Flow.VerifyIdentity, k.options.PublicIntake = true, true })
			const fault = `{"detail":[{"type":"value_error","loc":["body",0],"msg":"Value error, There can be 1000 identities at most, those that are given again counted"}]}`
			for path, token := range map[string]string{"/privacy-request": "", "/privacy-request/authenticated": k.token(t, "privacy-request:create")} {
				a := k.send(t, token, "POST", path, `[{"policy_key":"access",`+c.identities+`}]`)
				if c.refused {
					require.Equal(t, []any{http.StatusUnprocessableEntity, fault}, []any{a.Status, a.Body})
					continue
				}
				messages, succeeded := intakeFailed(t, a)
				if token != "" {
					require.Empty(t, messages)
					require.Equal(t, 1, succeeded)
					continue
				}
				require.Equal(t, []string{intakeRefusal}, messages)
			}
			count, err := k.engine.Requests().Count(t.Context(), dsr.Filter{})
			require.NoError(t, err)
			require.EqualValues(t, map[bool]int{true: 0, false: 1}[c.refused], count)
		})
	}
}

func TestAHookAddsAThousandIdentitiesAtMost(t *testing.T) {
	t.Parallel()
	h := &hook{answer: &dsr.HookAnswer{Halt: true}}
	k := foundHalted(t, h)
	_, err := k.engine.Requests().Advance(t.Context(), "pri_1")
	require.NoError(t, err)
	a := k.send(t, h.token, "POST", "/privacy-request/pri_1/resume", `{"derived_identity":{"email":"nobody","card":`+crowdOf(1, 600)+`,"cart":`+crowdOf(1, 600)+`}}`)
	require.Equal(t, []any{http.StatusUnprocessableEntity, `{"detail":[{"type":"value_error","loc":["body","derived_identity"],"msg":"Value error, There can be 1000 identities at most, those that are given again counted"}]}`}, []any{a.Status, a.Body})
	a = k.send(t, h.token, "POST", "/privacy-request/pri_1/resume", `{"derived_identity":{"card":`+crowdOf(1, 600)+`}}`)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	ids, err := k.engine.Requests().Identities(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Len(t, ids["card"], 600)
}

// Each value that a search looks for is hashed by the keyring and given to the
// store.
func TestASearchLooksForAThousandValuesAtMost(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	for body, refused := range map[string]bool{
		`{"custom_privacy_request_fields":{"a":` + crowdOf(1, 600) + `,"b":` + crowdOf(1, 400) + `}}`:                                   false,
		`{"custom_privacy_request_fields":{"a":` + crowdOf(1, 600) + `,"b":` + crowdOf(1, 401) + `}}`:                                   true,
		`{"custom_privacy_request_fields":{"a":` + crowdOf(1, 1000) + `},"identities":{"email":"nia.vale@example.com"}}`:                true,
		`{"custom_privacy_request_fields":{"a":` + crowdOf(1, 600) + `,"b":` + crowdOf(1, 401) + `},"identity":"nia.vale@example.com"}`: true,
	} {
		a := k.send(t, token, "POST", "/privacy-request/search", body)
		if refused {
			require.Equal(t, []any{http.StatusUnprocessableEntity, `{"detail":"filter: it has more than 1000 values of identities and fields"}`}, []any{a.Status, a.Body})
			continue
		}
		require.Equal(t, http.StatusOK, a.Status, a.Body)
	}
	a := k.send(t, token, "PATCH", "/privacy-request/administrate/approve", `{"filters":{"custom_privacy_request_fields":{"a":`+crowdOf(1, 600)+`,"b":`+crowdOf(1, 401)+`}}}`)
	require.Equal(t, []any{http.StatusUnprocessableEntity, `{"detail":"filter: it has more than 1000 values of identities and fields"}`}, []any{a.Status, a.Body})
}
