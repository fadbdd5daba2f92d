package fides_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/api/oauth"
)

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// tokenRefused is what told tells of a refusal that clients of OAuth understand.
func tokenRefused(status int, code, text string) []any {
	told := refused(status, text)
	return []any{status, strings.TrimSuffix(told[1].(string), "}") + `,"error":"` + code + `"}`}
}

func TestTheAnswerWithATokenIsFides(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	for name, a := range map[string]*answer{
		"a form":             k.form(t, "/api/v1/oauth/token", "", credentials(rootID, rootSecret)),
		"no grant type":      k.form(t, "/oauth/token", "", url.Values{"client_id": {rootID}, "client_secret": {rootSecret}}),
		"HTTP Basic":         k.form(t, "/api/v1/oauth/token", basic(rootID, rootSecret), nil),
		"HTTP Basic, a form": k.form(t, "/api/v1/oauth/token", basic(rootID, rootSecret), url.Values{"grant_type": {"client_credentials"}, "scope": {"client:read POLICY_READ"}}),
	} {
		require.Equal(t, http.StatusOK, a.Status, "%s: %s", name, a.Body)
		token := a.field(t, "access_token")
		require.Equal(t, `{"access_token":"`+token+`","token_type":"Bearer","expires_in":691200,"expires_at":"2026-03-09T12:00:00.000000Z"}`, a.Body, name)
		require.Regexp(t, `^[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$`, token, "a JWE under the key itself")
		require.Equal(t, []string{"application/json", "no-store", "no-cache", "nosniff"},
			[]string{a.Header.Get("Content-Type"), a.Header.Get("Cache-Control"), a.Header.Get("Pragma"), a.Header.Get("X-Content-Type-Options")}, name)
		a = k.send(t, token, "GET", "/oauth/client", nil)
		require.Equal(t, http.StatusOK, a.Status, name)
	}
}

func TestAWrongRequestForATokenIsRefused(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	creds := k.client(t, "client:read")
	const form = "application/x-www-form-urlencoded"
	good := credentials(creds.ID, creds.Secret).Encode()
	failure := tokenRefused(401, "invalid_client", "Authentication Failure")
	state := k.state(t)
	for name, c := range map[string]struct {
		target, authorization, media, body string
		told                               []any
	}{
		"no credentials":            {"", "", "", "", failure},
		"a wrong secret":            {"", "", form, credentials(creds.ID, creds.Secret+"x").Encode(), failure},
		"a wrong secret of root":    {"", "", form, credentials(rootID, rootSecret+"x").Encode(), failure},
		"an unknown client":         {"", "", form, credentials("nobody", creds.Secret).Encode(), failure},
		"HTTP Basic, wrong":         {"", basic(creds.ID, "x"), "", "", failure},
		"HTTP Basic without Base64": {"", "Basic ?", "", "", failure},
		"another grant":             {"", "", form, "grant_type=password&" + good[:len(good)-len("&grant_type=client_credentials")], tokenRefused(400, "unsupported_grant_type", "The grant_type must be client_credentials.")},
		"a field twice":             {"", "", form, good + "&client_id=" + creds.ID, tokenRefused(400, "invalid_request", "A field of the form is there twice.")},
		"both ways, differing":      {"", basic(rootID, rootSecret), form, good, tokenRefused(400, "invalid_request", "Give the credentials in the form or by HTTP Basic, not both.")},
		"no form":                   {"", "", form, "%zz", tokenRefused(400, "invalid_request", "The body is no form.")},
		"JSON":                      {"", "", "application/json", "{}", tokenRefused(415, "invalid_request", "Content-Type must be application/x-www-form-urlencoded")},
		"a body of no type":         {"", "", "", good, tokenRefused(415, "invalid_request", "Content-Type must be application/x-www-form-urlencoded")},
		"a scope that it lacks":     {"", "", form, good + "&scope=client%3Aread+policy%3Aread", tokenRefused(400, "invalid_scope", "Invalid Scope. The client does not have ['policy:read'].")},
		"an unknown scope":          {"", "", form, good + "&scope=nonsense", tokenRefused(400, "invalid_scope", "Invalid Scope. Scopes must be one of ['"+strings.Join(oauth.ScopeNames(), "', '")+"'].")},
		"too much":                  {"", "", form, good + "&x=" + strings.Repeat("x", 32<<10), tokenRefused(413, "invalid_request", "The body has more than 32768 bytes")},
		"too much in chunks":        {"chunked", "", form, good + "&x=" + strings.Repeat("x", 32<<10), tokenRefused(413, "invalid_request", "The body has more than 32768 bytes")},
		"credentials in the URL": {
			"?client_id=" + creds.ID + "&client_secret=" + creds.Secret, "", "", "",
			[]any{422, `{"detail":[{"type":"extra_forbidden","loc":["query","client_id"],"msg":"Extra inputs are not permitted"},{"type":"extra_forbidden","loc":["query","client_secret"],"msg":"Extra inputs are not permitted"}],"error":"invalid_request"}`},
		},
	} {
		target := "/api/v1/oauth/token" + strings.TrimPrefix(c.target, "chunked")
		r := httptest.NewRequestWithContext(t.Context(), "POST", target, strings.NewReader(c.body))
		if c.target == "chunked" {
			r.ContentLength = -1
		}
		if c.media != "" {
			r.Header.Set("Content-Type", c.media)
		}
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		a := k.do(t, r)
		require.Equal(t, c.told, told(a), name)
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"), name)
		if a.Status == http.StatusUnauthorized {
			require.Equal(t, `Basic realm="oauth"`, a.Header.Get("WWW-Authenticate"), name)
		}
	}
	require.Equal(t, state, k.state(t), "something was written")
}

func TestAScriptGetsAClientATokenAndEndsIt(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	other, err := fides.New(k.engine, &fides.Options{OAuth: k.server(t), Clock: k.clock})
	require.NoError(t, err)
	a := k.send(t, k.rootToken(t), "POST", "/api/v1/oauth/client", `{"name":"script","scopes":["privacy-request:create","privacy-request:read"]}`)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	client, secret := a.field(t, "client_id"), a.field(t, "client_secret")
	token, second := k.login(t, client, secret), k.login(t, client, secret)
	a = k.send(t, token, "POST", "/api/v1/privacy-request", `[{"policy_key":"access","identity":{"email":"nia.vale@example.com"}}]`)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	use := func(door http.Handler, token string) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/privacy-request/pri_1", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for _, door := range []http.Handler{k.door, other} {
		status, body := use(door, token)
		require.Equal(t, http.StatusOK, status, body)
	}

	a = k.form(t, "/api/v1/oauth/revoke", basic(client, secret), url.Values{"token": {token}, "token_type_hint": {"access_token"}})
	require.Equal(t, []any{200, `null`}, told(a))
	for _, door := range []http.Handler{k.door, other} {
		status, body := use(door, token)
		require.Equal(t, []any{403, badToken}, []any{status, body})
		status, body = use(door, second)
		require.Equal(t, http.StatusOK, status, body)
	}
}

func TestWhoMayRevokeAToken(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	mine, others := k.client(t, "client:read"), k.client(t, "client:read")
	token, foreign := k.login(t, mine.ID, mine.Secret), k.login(t, others.ID, others.Secret)
	editor, lesser, reader := k.token(t, "client:update", "client:read"), k.token(t, "client:update"), k.token(t, "client:read")
	at := credentials(mine.ID, mine.Secret)
	with := func(token string) url.Values {
		return url.Values{"client_id": at["client_id"], "client_secret": at["client_secret"], "token": {token}}
	}
	state := k.state(t)
	for name, c := range map[string]struct {
		authorization string
		form          url.Values
		told          []any
	}{
		"an unknown token":            {"", with("x"), []any{200, `null`}},
		"a very long one":             {"", with(strings.Repeat("x", 20<<10)), []any{200, `null`}},
		"an unknown token, as editor": {"Bearer " + editor, url.Values{"token": {"x"}}, []any{200, `null`}},
		"another client's":            {"", with(foreign), tokenRefused(400, "invalid_grant", "The token was issued to another client.")},
		"no token":                    {"", with(""), tokenRefused(400, "invalid_request", "A token is needed.")},
		"no token, as editor":         {"Bearer " + editor, nil, tokenRefused(400, "invalid_request", "A token is needed.")},
		"no credentials":              {"", url.Values{"token": {token}}, tokenRefused(401, "invalid_client", "Authentication Failure")},
		"a wrong secret":              {basic(mine.ID, "x"), url.Values{"token": {token}}, tokenRefused(401, "invalid_client", "Authentication Failure")},
		"a bearer without the scope":  {"Bearer " + reader, url.Values{"token": {token}}, tokenRefused(403, "insufficient_scope", "Not Authorized for this action. Required scope(s): [client:update]")},
		"a bearer with less":          {"Bearer " + lesser, url.Values{"token": {token}}, tokenRefused(403, "insufficient_scope", "Cannot change a client with scopes that you do not have. Missing scopes: ['client:read']")},
		"a bearer that is none":       {"Bearer x", with(token), tokenRefused(403, "invalid_token", "Not Authorized for this action")},
		"both":                        {"Bearer " + editor, with(token), tokenRefused(400, "invalid_request", "Give credentials or a bearer token, not both.")},
	} {
		a := k.form(t, "/oauth/revoke", c.authorization, c.form)
		require.Equal(t, c.told, told(a), name)
	}
	require.Equal(t, state, k.state(t), "something was written")

	for range 2 { // what is revoked already is no fault
		a := k.form(t, "/oauth/revoke", "Bearer "+editor, url.Values{"token": {token}})
		require.Equal(t, []any{200, `null`}, told(a))
	}
	a := k.send(t, token, "GET", "/oauth/client", nil)
	require.Equal(t, []any{403, badToken}, told(a))
	a = k.form(t, "/oauth/revoke", "Bearer "+editor, url.Values{"token": {editor}})
	require.Equal(t, []any{200, `null`}, told(a))
	a = k.form(t, "/oauth/revoke", "Bearer "+editor, url.Values{"token": {foreign}})
	require.Equal(t, tokenRefused(403, "invalid_token", "Not Authorized for this action"), told(a), "it has just ended itself")
}

// A verifier of the host's own may have no code, and a handler may panic.
func TestEveryRefusalOfATokenHasACode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		verify verifier
		told   []any
	}{
		"no code":   {func() (*oauth.Principal, error) { return nil, &oauth.Error{Status: 403, Detail: "No."} }, tokenRefused(403, "access_denied", "No.")},
		"none, 401": {func() (*oauth.Principal, error) { return nil, &oauth.Error{Status: 401, Detail: "Who?"} }, tokenRefused(401, "invalid_client", "Who?")},
		"too late":  {func() (*oauth.Principal, error) { return nil, context.DeadlineExceeded }, tokenRefused(504, "temporarily_unavailable", "The request took too long")},
		"a panic":   {func() (*oauth.Principal, error) { panic("a canary") }, tokenRefused(500, "server_error", "Internal Server Error")},
	} {
		k := newDesk(t, func(k *desk) { k.options.Verifier = c.verify })
		require.Equal(t, c.told, told(k.form(t, "/api/v1/oauth/revoke", "Bearer x", url.Values{"token": {"x"}})), name)
	}
}

func TestTokensAreListedAndEnded(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	root := k.rootToken(t) // 1
	a := k.send(t, root, "POST", "/oauth/client", `["client:read","policy:read"]`)
	require.Equal(t, id(2), a.field(t, "client_id"))
	at := "/api/v1/oauth/client/" + id(2) + "/token"
	a = k.send(t, root, "GET", at, nil)
	require.Equal(t, []any{200, `{"items":[],"next":null}`}, told(a))

	first := k.login(t, id(2), secret(4)) // 5
	k.wait(90 * time.Second)
	second := k.form(t, "/oauth/token", basic(id(2), secret(4)), url.Values{"scope": {"client:read"}}).field(t, "access_token") // 6
	third := k.login(t, id(2), secret(4))                                                                                       // 7
	item := func(n int, scopes, issued, expires string, revoked bool) string {
		return fmt.Sprintf(`{"id":"%s","client_id":"%s","scopes":[%s],"issued_at":"2026-03-01T%s.000000Z","expires_at":"2026-03-09T%s.000000Z","revoked":%t}`,
			id(n), id(2), scopes, issued, expires, revoked)
	}
	both, early, late := `"client:read","policy:read"`, "12:00:00", "12:01:30"
	a = k.send(t, root, "GET", at, nil)
	require.Equal(t, []any{200, `{"items":[` + item(5, both, early, early, false) + `,` + item(6, `"client:read"`, late, late, false) + `,` + item(7, both, late, late, false) + `],"next":null}`}, told(a))
	a = k.send(t, root, "GET", at+"?size=2", nil)
	require.Equal(t, []any{200, `{"items":[` + item(5, both, early, early, false) + `,` + item(6, `"client:read"`, late, late, false) + `],"next":"` + id(6) + `"}`}, told(a))
	a = k.send(t, root, "GET", at+"?size=2&after="+id(6), nil)
	require.Equal(t, []any{200, `{"items":[` + item(7, both, late, late, false) + `],"next":null}`}, told(a))

	alive := func(token string) int { return k.send(t, token, "GET", "/oauth/client", nil).Status }
	for range 2 {
		a = k.send(t, root, "DELETE", at+"/"+id(6), nil)
		require.Equal(t, []any{200, `null`}, told(a))
		require.Equal(t, []int{200, 403, 200}, []int{alive(first), alive(second), alive(third)})
	}
	a = k.send(t, root, "DELETE", at+"/"+id(9), nil)
	require.Equal(t, []any{200, `null`}, told(a), "there is none")
	a = k.send(t, root, "DELETE", at, nil)
	require.Equal(t, []any{200, `null`}, told(a))
	require.Equal(t, []int{403, 403, 403}, []int{alive(first), alive(second), alive(third)})
	a = k.send(t, root, "GET", at, nil)
	require.Equal(t, []any{200, `{"items":[` + item(5, both, early, early, true) + `,` + item(6, `"client:read"`, late, late, true) + `,` + item(7, both, late, late, true) + `],"next":null}`}, told(a))
	require.Equal(t, http.StatusOK, alive(k.login(t, id(2), secret(4))), "the client can go on with another")
}

func TestAnotherSecretEndsTheOld(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	root := k.rootToken(t)
	a := k.send(t, root, "POST", "/oauth/client", `["client:read"]`)
	client, old := a.field(t, "client_id"), a.field(t, "client_secret")
	token := k.login(t, client, old)
	a = k.send(t, root, "POST", "/oauth/client/"+client+"/secret", nil)
	require.Equal(t, client, a.field(t, "client_id"))
	again := a.field(t, "client_secret")
	require.NotEqual(t, old, again)
	a = k.form(t, "/oauth/token", "", credentials(client, old))
	require.Equal(t, tokenRefused(401, "invalid_client", "Authentication Failure"), told(a))
	k.login(t, client, again)
	a = k.send(t, token, "GET", "/oauth/client", nil)
	require.Equal(t, http.StatusOK, a.Status, "tokens go on")
}

func TestATokenLosesAtOnceWhatItsClientLoses(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	root := k.rootToken(t)
	a := k.send(t, root, "POST", "/oauth/client", `["client:read","scope:read"]`)
	client := a.field(t, "client_id")
	token := k.login(t, client, a.field(t, "client_secret"))
	k.send(t, root, "PUT", "/oauth/client/"+client+"/scope", `["scope:read","policy:read"]`)
	a = k.send(t, token, "GET", "/oauth/scope", nil)
	require.Equal(t, http.StatusOK, a.Status)
	a = k.send(t, token, "GET", "/oauth/client", nil)
	require.Equal(t, refused(403, "Not Authorized for this action. Required scope(s): [client:read]"), told(a))
	k.send(t, root, "DELETE", "/oauth/client/"+client, nil)
	a = k.send(t, token, "GET", "/oauth/scope", nil)
	require.Equal(t, []any{403, badToken}, told(a))
}

func TestATokenEndsByItself(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	token := k.rootToken(t)
	k.wait(691_200*time.Second - time.Nanosecond)
	a := k.send(t, token, "GET", "/oauth/client", nil)
	require.Equal(t, http.StatusOK, a.Status)
	k.wait(time.Nanosecond)
	a = k.send(t, token, "GET", "/oauth/client", nil)
	require.Equal(t, []any{403, badToken}, told(a))
}
