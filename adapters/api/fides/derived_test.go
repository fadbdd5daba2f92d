package fides_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
)

func foundHalted(t *testing.T, h *hook) *desk {
	t.Helper()
	k := newDesk(t, func(k *desk) {
		k.config.Hooks = map[string]dsr.Hook{"crm": h}
		k.config.Flow.Before = []dsr.Hooking{{Hook: "crm", TwoWay: true}}
		k.config.Identities = fides.IdentityKinds()
	})
	k.submit(t, "access", 1)
	return k
}

// An identity that is blank is refused, and the token of the call stays good.
func TestABlankDerivedIdentityIsRefused(t *testing.T) {
	t.Parallel()
	h := &hook{answer: &dsr.HookAnswer{Halt: true}}
	k := foundHalted(t, h)
	_, err := k.engine.Requests().Advance(t.Context(), "pri_1")
	require.NoError(t, err)
	for _, ids := range []string{`{"email":""}`, `{"email":" "}`, `{"customer_no":"\t"}`, `{"customer_no":["7",""]}`, `{"customer_no":{"label":"No","value":""}}`, `{"phone_number":""}`} {
		a := k.send(t, h.token, "POST", "/privacy-request/pri_1/resume", `{"derived_identity":`+ids+`}`)
		require.Equal(t, []any{422, `{"detail":[{"type":"value_error","loc":["body","derived_identity"],"msg":"Value error, An identity must not be empty"}]}`}, []any{a.Status, a.Body}, ids)
	}
	a := k.send(t, h.token, "POST", "/privacy-request/pri_1/resume", `{"derived_identity":{"email":null,"customer_no":7}}`)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	ids, err := k.engine.Requests().Identities(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, []string{"7"}, ids["customer_no"])
}

// device is a UUID of version 4.
const device = "0b6e0bd4-8e5c-4f5e-9d5a-2f3c1f6a7b01"

// What a hook answers at once is held to the rules of what it answers later.
func TestDerivedIdentitiesHaveOneForm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ids   dsr.Identities
		body  string
		kind  string
		want  string
		wrong string
	}{
		"a number in words": {dsr.Identities{"phone_number": {"+1 (123) 456 7891"}}, `{"phone_number":"+1 (123) 456 7891"}`, "phone_number", "+11234567891", ""},
		"no number":         {dsr.Identities{"phone_number": {"nope"}}, `{"phone_number":"nope"}`, "", "", "Phone number must be formatted in E.164 format"},
		"no address":        {dsr.Identities{"email": {"nope"}}, `{"email":"nope"}`, "", "", "value is not a valid email address"},
		"a device": {
			dsr.Identities{"fides_user_device_id": {device}}, `{"fides_user_device_id":"` + device + `"}`, "fides_user_device_id", device, "",
		},
		"no device":    {dsr.Identities{"fides_user_device_id": {"nope"}}, `{"fides_user_device_id":"nope"}`, "", "", "badly formed hexadecimal UUID string"},
		"another kind": {dsr.Identities{"customer_no": {"7"}}, `{"customer_no":7}`, "customer_no", "7", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			added := func(k *desk) {
				t.Helper()
				ids, err := k.engine.Requests().Identities(t.Context(), "pri_1")
				require.NoError(t, err)
				require.Equal(t, []string{c.want}, ids[c.kind])
			}
			at := foundHalted(t, &hook{answer: &dsr.HookAnswer{Identities: c.ids}})
			_, err := at.engine.Requests().Advance(t.Context(), "pri_1")
			h := &hook{answer: &dsr.HookAnswer{Halt: true}}
			later := foundHalted(t, h)
			_, halted := later.engine.Requests().Advance(t.Context(), "pri_1")
			require.NoError(t, halted)
			a := later.send(t, h.token, "POST", "/privacy-request/pri_1/resume", `{"derived_identity":`+c.body+`}`)
			if c.wrong != "" {
				require.ErrorContains(t, err, c.wrong)
				require.NotContains(t, err.Error(), "nope")
				require.Equal(t, http.StatusUnprocessableEntity, a.Status)
				require.Contains(t, a.Body, c.wrong)
				return
			}
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, a.Status, a.Body)
			added(at)
			added(later)
		})
	}
}
