package fides_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shownAs is an identity as it is shown: kinds and their values as JSON by turns,
// and after the value of a kind that is not Fides' own its label.
func shownAs(kindsAndValues ...string) string {
	labels := map[string]string{
		"email": "Email", "phone_number": "Phone number", "external_id": "External ID", "ga_client_id": "GA client ID",
		"ljt_readerID": "LJT reader ID", "fides_user_device_id": "Fides user device ID",
	}
	shown := map[string]json.RawMessage{}
	for kind, label := range labels {
		shown[kind] = fmt.Appendf(nil, `{"label":%q,"value":null}`, label)
	}
	for list := kindsAndValues; len(list) > 0; {
		kind, value := list[0], list[1]
		label, own := labels[kind]
		if list = list[2:]; !own {
			label, list = list[0], list[1:]
		}
		shown[kind] = fmt.Appendf(nil, `{"label":%q,"value":%s}`, label, value)
	}
	text, _ := json.Marshal(shown)
	return string(text)
}

func TestIdentitiesAreShownWithTheLabelsThatTheyWereSentWith(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	long, many := strings.Repeat("x", 1001), map[string]any{"email": "a@example.com"}
	for i := range 20 {
		many[fmt.Sprintf("kind_%02d", i)] = map[string]any{"label": fmt.Sprint("Kind ", i), "value": i}
	}
	bodies := []any{
		map[string]any{"policy_key": "access", "identities": []any{
			map[string]any{"email": "a@example.com", "loyalty_id": map[string]any{"label": "Card", "value": 7}},
			map[string]any{"email": "b@example.com", "loyalty_id": map[string]any{"label": "Other", "value": []any{"L-8", 9}}, "plain": "p"},
		}},
		map[string]any{"policy_key": "access", "identity": map[string]any{
			"email": nil, "phone_number": "+11234567891",
			"blank": map[string]any{"label": "", "value": "1"}, strings.Repeat("k", 92): map[string]any{"label": "Long", "value": "2"},
			"tab\t": map[string]any{"label": "Tab", "value": "3"}, "wide": map[string]any{"label": strings.Repeat("ä", 501), "value": "4"},
		}},
		map[string]any{"policy_key": "access", "identity": many},
		map[string]any{"policy_key": "access", "identity": map[string]any{"email": "a@example.com", "x": map[string]any{"label": "X"}}},
	}
	a := k.send(t, token, "POST", "/privacy-request", bodies[:3])
	require.Len(t, resultOf(t, a).Succeeded, 3, a.Body)
	k.send(t, token, "POST", "/privacy-request", bodies[3:]).is(t, http.StatusUnprocessableEntity)
	k.send(t, token, "POST", "/privacy-request", []any{map[string]any{
		"policy_key": "access", "identity": map[string]any{"x": map[string]any{"label": long, "value": "1"}},
	}}).is(t, http.StatusUnprocessableEntity)
	want := map[string]string{
		"pri_1": shownAs("email", `["a@example.com","b@example.com"]`, "loyalty_id", `["7","L-8","9"]`, "Card", "plain", `"p"`, "plain"),
		"pri_2": shownAs("phone_number", `"+11234567891"`, "blank", `"1"`, "blank", strings.Repeat("k", 92), `"2"`, strings.Repeat("k", 92),
			"wide", `"4"`, "wide", "tab\t", `"3"`, "tab\t"),
	}
	for id, want := range want {
		for _, one := range []item{
			itemOf(t, k.send(t, token, "GET", "/privacy-request/"+id, nil)),
			itemOf(t, k.send(t, token, "GET", "/privacy-request?include_identities=true&id="+id, nil)),
			itemOf(t, k.send(t, token, "POST", "/privacy-request/search", `{"include_identities":true,"request_id":"`+id+`"}`)),
		} {
			require.JSONEq(t, want, one.json(t, "identity"))
		}
	}
	three := itemOf(t, k.send(t, token, "GET", "/privacy-request/pri_3", nil)).json(t, "identity")
	require.Contains(t, three, `"kind_17":{"label":"Kind 17","value":"17"}`)
	require.Contains(t, three, `"kind_18":{"label":"kind_18","value":"18"}`)
}
