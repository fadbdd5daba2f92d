package fides_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAKeyThatIsGivenTwiceIsRefusedWhereverItStands(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	token := k.token(t)
	state := k.state(t)
	for _, c := range []struct{ method, target, body, loc string }{
		{"POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"a@example.com","email":"nia.vale@example.com"}}]`, `["body",0,"identity","email"]`},
		{"POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"nia.vale@example.com"}},{"policy_key":"erase","policy_key":"access","identity":{"email":"a@example.com"}}]`, `["body",1,"policy_key"]`},
		{"POST", "/privacy-request", `[{"policy_key":"erase","policy\u005fkey":"access","identity":{"email":"a@example.com"}}]`, `["body",0,"policy_key"]`},
		{"POST", "/privacy-request", `[{"policy_key":"access","identity":{},"custom_privacy_request_fields":{"a":{"label":"A","value":1},"a":{"label":"A","value":2}}}]`, `["body",0,"custom_privacy_request_fields","a"]`},
		{"PATCH", "/connection", `[{"connection_type":"postgres","access":"read","name":"One","secrets":{"host":"here","host":"there"}}]`, `["body",0,"secrets","host"]`},
		{"PATCH", "/connection/shop/dataset", `[{"fides_key":"x","collections":[{"name":"y","name":"z"}]}]`, `["body",0,"collections",0,"name"]`},
		{"PATCH", "/privacy-request/administrate/deny", `{"request_ids":["pri_1"],"request_ids":["pri_2"],"reason":"no"}`, `["body","request_ids"]`},
		{"PUT", "/masking/mask", `{"values":["a"],"masking_strategy":{"strategy":"hash","configuration":{"x":[[{"y":1},{"y":1,"y":2}]]}}}`, `["body","masking_strategy","configuration","x",0,1,"y"]`},
	} {
		a := k.send(t, token, c.method, "/api/v1"+c.target, c.body)
		require.Equal(t, `{"detail":[{"type":"duplicate_key","loc":`+c.loc+`,"msg":"A key may be given once only"}]}`, a.Body)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status)
	}
	require.Equal(t, state, k.state(t), "something was written")

	// The same key in two objects is no repetition.
	a := k.send(t, token, "PUT", "/masking/mask", `{"values":[],"masking_strategy":[{"strategy":"hash","configuration":{"strategy":{"strategy":1}}},{"strategy":"hash"}]}`)
	require.NotContains(t, a.Body, "duplicate_key")
	deep := strings.Repeat(`{"a":[`, 2000) + strings.Repeat(`]}`, 2000)
	a = k.send(t, token, "PUT", "/masking/mask", `{"values":[],"masking_strategy":{"strategy":"hash","configuration":`+deep+`}}`)
	require.NotContains(t, a.Body, "duplicate_key")
}

func TestHalfASurrogatePairIsRefusedWhereverItStands(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	token := k.token(t)
	state := k.state(t)
	for _, c := range []struct{ method, target, body, loc, what string }{
		{"POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"a\ud800@b.co"}}]`, `["body",0,"identity","email"]`, "text"},
		{"POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"a@b.co"}},{"policy_key":"access","identity":{"a\uDC00":"a"}}]`, `["body",1,"identity"]`, "key"},
		{"PATCH", "/connection", `[{"connection_type":"postgres","access":"read","name":"One\ud83d\u0020\ude00"}]`, `["body",0,"name"]`, "text"},
		{"PATCH", "/connection/shop/dataset", `[{"fides_key":"x","collections":[{"name":"y","\ud800\ud800":"z"}]}]`, `["body",0,"collections",0]`, "key"},
		{"PUT", "/oauth/client/a/scope", `["privacy-request:read","\ude00"]`, `["body",1]`, "text"},
		{"PUT", "/masking/mask", `"\ud800"`, `["body"]`, "text"},
	} {
		a := k.send(t, token, c.method, "/api/v1"+c.target, c.body)
		require.Equal(t, `{"detail":[{"type":"string_unicode","loc":`+c.loc+`,"msg":"A `+c.what+` cannot hold half of a surrogate pair"}]}`, a.Body)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status)
	}
	require.Equal(t, state, k.state(t), "something was written")

	// Both halves, and what only looks like one, are text as any other.
	a := k.send(t, token, "PUT", "/masking/mask", `{"values":["\ud83d\ude00","\\ud800"],"masking_strategy":{"strategy":"null_rewrite","configuration":{}}}`)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	require.Contains(t, a.Body, `{"plain":["😀","\\ud800"]`)
}
