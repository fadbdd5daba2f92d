package fides_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/api/oauth"
)

// rootID and rootSecret are those of the tutorial.
const (
	rootID     = "fidesopsadmin"
	rootSecret = "fidesopsadminsecret"
)

// counted are bytes of which each reading has others, all the same, from 1.
type counted struct{ n byte }

func (c *counted) Read(p []byte) (int, error) {
	c.n++
	for i := range p {
		p[i] = c.n
	}
	return len(p), nil
}

// newOAuthDesk opens a door with the tutorial's root client, and IDs and
// secrets that are known.
func newOAuthDesk(t testing.TB, change func(*desk)) *desk {
	t.Helper()
	return newDesk(t, func(k *desk) {
		k.oauth = k.server(t)
		k.options.OAuth, k.options.Verifier = k.oauth, nil
		if change != nil {
			change(k)
		}
	})
}

// server is a server over the desk's records, as another process has it.
func (k *desk) server(t testing.TB) *oauth.Server {
	t.Helper()
	server, err := oauth.New(&oauth.Options{
		Records: k.records, Key: []byte(strings.Repeat("k", 32)), Root: oauth.Credentials{ID: rootID, Secret: rootSecret}, Clock: k.clock, Random: &counted{},
	})
	require.NoError(t, err)
	return server
}

// form sends a form; authorization may be empty.
func (k *desk) form(t testing.TB, target, authorization string, fields url.Values) *answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "POST", target, strings.NewReader(fields.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return k.do(t, r)
}

// credentials are the fields of a form that asks for a token.
func credentials(id, secret string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
}

// rootToken logs the root client in.
func (k *desk) rootToken(t testing.TB) string { return k.login(t, rootID, rootSecret) }

func (k *desk) login(t testing.TB, id, secret string) string {
	t.Helper()
	a := k.form(t, "/api/v1/oauth/token", "", credentials(id, secret))
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	return a.field(t, "access_token")
}

// field is a text in an answer.
func (a *answer) field(t testing.TB, name string) string {
	t.Helper()
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.Body), &fields), a.Body)
	text, ok := fields[name].(string)
	require.True(t, ok, a.Body)
	return text
}

// told is a refusal's status and body.
func told(a *answer) []any { return []any{a.Status, a.Body} }

// refused is what told tells of a refusal.
func refused(status int, text string) []any {
	body, _ := json.Marshal(map[string]string{"detail": text}) //nolint:errchkjson // a text
	return []any{status, string(body)}
}

// id is the n-th ID of counted bytes, and secret the n-th secret.
func id(n int) string { return strings.Repeat("0"+string(rune('0'+n)), 16) }

func secret(n byte) string {
	return base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{n}, 32))
}

func TestAClientFromItsCreationToItsEnd(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	root := k.rootToken(t) // 1
	a := k.send(t, root, "POST", "/api/v1/oauth/client", `{"name":"Importer","description":"Nightly","scopes":["PRIVACY_REQUEST_READ","client:read","client:read"]}`)
	require.Equal(t, []any{200, `{"client_id":"` + id(2) + `","client_secret":"` + secret(4) + `"}`}, told(a))
	k.wait(time.Minute)
	a = k.send(t, root, "POST", "/api/v1/oauth/client", `["policy:read"]`)
	require.Equal(t, []any{200, `{"client_id":"` + id(5) + `","client_secret":"` + secret(7) + `"}`}, told(a))

	importer := `{"client_id":"` + id(2) + `","name":"Importer","description":"Nightly","scopes":["client:read","privacy-request:read"]}`
	reader := `{"client_id":"` + id(5) + `","name":null,"description":null,"scopes":["policy:read"]}`
	at := "/api/v1/oauth/client/" + id(2)
	a = k.send(t, root, "GET", "/api/v1/oauth/client", nil)
	require.Equal(t, []any{200, `{"items":[` + reader + `,` + importer + `],"total":2,"page":1,"size":50,"pages":1}`}, told(a))
	a = k.send(t, root, "GET", "/api/v1/oauth/client?page=2&size=1", nil)
	require.Equal(t, []any{200, `{"items":[` + importer + `],"total":2,"page":2,"size":1,"pages":2}`}, told(a))
	a = k.send(t, root, "GET", "/api/v1/oauth/client?page=1000000&size=100", nil)
	require.Equal(t, []any{200, `{"items":[],"total":2,"page":1000000,"size":100,"pages":1}`}, told(a))
	a = k.send(t, root, "GET", at, nil)
	require.Equal(t, []any{200, importer}, told(a))

	// What is not named, and a name or scopes of null, stay; a description goes.
	a = k.send(t, root, "PUT", at, `{"name":null,"scopes":null}`)
	require.Equal(t, []any{200, importer}, told(a))
	a = k.send(t, root, "PUT", at, `{"name":"Loader","description":null}`)
	require.Equal(t, []any{200, `{"client_id":"` + id(2) + `","name":"Loader","description":null,"scopes":["client:read","privacy-request:read"]}`}, told(a))
	a = k.send(t, root, "PUT", at, `{"scopes":[]}`)
	require.Equal(t, []any{200, `{"client_id":"` + id(2) + `","name":"Loader","description":null,"scopes":[]}`}, told(a))

	a = k.send(t, root, "PUT", at+"/scope", `["rule:read","POLICY_READ"]`)
	require.Equal(t, []any{200, `null`}, told(a))
	a = k.send(t, root, "GET", at+"/scope", nil)
	require.Equal(t, []any{200, `["policy:read","rule:read"]`}, told(a))
	a = k.send(t, root, "PUT", at+"/scope", `{"scopes":["client:read"]}`)
	require.Equal(t, []any{200, `null`}, told(a))
	a = k.send(t, root, "GET", at+"/scope", nil)
	require.Equal(t, []any{200, `["client:read"]`}, told(a))
	a = k.send(t, root, "PUT", at+"/scope", `[]`)
	require.Equal(t, []any{200, `null`}, told(a))
	a = k.send(t, root, "GET", at+"/scope", nil)
	require.Equal(t, []any{200, `[]`}, told(a))

	a = k.send(t, root, "POST", at+"/secret", nil)
	require.Equal(t, []any{200, `{"client_id":"` + id(2) + `","client_secret":"` + secret(8) + `"}`}, told(a))
	for range 2 { // the second time there is nothing to do
		a = k.send(t, root, "DELETE", at, nil)
		require.Equal(t, []any{200, `null`}, told(a))
	}
	a = k.send(t, root, "GET", at, nil)
	require.Equal(t, refused(404, "Client not found."), told(a))
}

func TestAClientNeedsNoBody(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	root := k.rootToken(t)
	for _, body := range []string{"", "{}", "[]", `{"name":null,"description":null,"scopes":null}`} {
		a := k.send(t, root, "POST", "/api/v1/oauth/client", body)
		require.Equal(t, http.StatusOK, a.Status, a.Body)
		a = k.send(t, root, "GET", "/api/v1/oauth/client/"+a.field(t, "client_id")+"/scope", nil)
		require.Equal(t, []any{200, `[]`}, told(a), body)
	}
}

func TestTheRootClientIsNeitherShownNorChanged(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	root := k.rootToken(t)
	a := k.send(t, root, "GET", "/oauth/client", nil)
	require.Equal(t, []any{200, `{"items":[],"total":0,"page":1,"size":50,"pages":0}`}, told(a))
	at := "/oauth/client/" + rootID
	for _, c := range [][3]string{
		{"GET", at, ""}, {"PUT", at, `{"name":"x"}`}, {"DELETE", at, ""}, {"POST", at + "/secret", ""}, {"GET", at + "/token", ""},
		{"DELETE", at + "/token", ""}, {"DELETE", at + "/token/" + id(1), ""},
	} {
		a = k.send(t, root, c[0], c[1], c[2])
		require.Equal(t, refused(404, "Client not found."), told(a), c)
	}
	a = k.send(t, root, "PUT", at+"/scope", `["rule:read"]`)
	require.Equal(t, []any{200, `null`}, told(a))
	a = k.send(t, root, "GET", at+"/scope", nil)
	require.Equal(t, []any{200, `[]`}, told(a))
	k.rootToken(t)
}

func TestAClientThatIsNotThereIs404(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	root := k.rootToken(t)
	state := k.state(t)
	for _, name := range []string{"nobody", "a%20b", "a%2Fb", "%C3%A9", "a%3Ab"} {
		at := "/oauth/client/" + name
		for _, c := range [][3]string{
			{"GET", at, ""}, {"PUT", at, `{"name":"x"}`}, {"POST", at + "/secret", ""}, {"GET", at + "/token", ""},
			{"DELETE", at + "/token", ""}, {"DELETE", at + "/token/" + id(1), ""},
		} {
			a := k.send(t, root, c[0], c[1], c[2])
			require.Equal(t, refused(404, "Client not found."), told(a), c)
		}
		a := k.send(t, root, "GET", at+"/scope", nil)
		require.Equal(t, []any{200, `[]`}, told(a))
		for _, c := range [][3]string{{"PUT", at + "/scope", `["rule:read"]`}, {"DELETE", at, ""}} {
			a = k.send(t, root, c[0], c[1], c[2])
			require.Equal(t, []any{200, `null`}, told(a), c)
		}
	}
	require.Equal(t, state, k.state(t), "something was written")
}

func TestScopesThatCannotBeGivenAreRefused(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	root := k.rootToken(t)
	a := k.send(t, root, "POST", "/oauth/client", `["policy:read"]`)
	at := "/oauth/client/" + a.field(t, "client_id")
	unknown := refused(403, "Invalid Scope. Scopes must be one of ['"+strings.Join(oauth.ScopeNames(), "', '")+"'].")
	beyond := refused(403, "Cannot assign scopes that you do not have. Missing scopes: ['policy:read', 'rule:read']")
	token := k.token(t, "client:create", "client:update", "client:read", "client:delete")
	state := k.state(t)
	for _, c := range []struct{ method, target, body string }{
		{"POST", "/oauth/client", `%s`},
		{"POST", "/oauth/client", `{"scopes":%s}`},
		{"PUT", at, `{"scopes":%s}`},
		{"PUT", at + "/scope", `%s`},
		{"PUT", at + "/scope", `{"scopes":%s}`},
	} {
		send := func(scopes string) []any {
			return told(k.send(t, token, c.method, c.target, strings.Replace(c.body, "%s", scopes, 1)))
		}
		require.Equal(t, unknown, send(`["nonsense:read"]`), c)
		require.Equal(t, beyond, send(`["rule:read","client:read","POLICY_READ"]`), c)
	}
	less := refused(403, "Cannot change a client with scopes that you do not have. Missing scopes: ['policy:read']")
	for _, c := range []struct{ method, target, body string }{
		{"PUT", at, `{"name":"mine"}`}, {"PUT", at + "/scope", `[]`}, {"DELETE", at, ""}, {"DELETE", at + "/token", ""}, {"DELETE", at + "/token/x", ""},
		{"POST", at + "/secret", ""}, // who rotates it could use it
	} {
		require.Equal(t, less, told(k.send(t, token, c.method, c.target, c.body)), c)
	}
	require.Equal(t, state, k.state(t), "something was written")
}

func TestAWrongBodyForAClientIs422(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	root := k.rootToken(t)
	long := strings.Repeat("x", 201)
	state := k.state(t)
	for _, c := range []struct{ method, target, body, detail string }{
		{"POST", "/oauth/client", `{"name":" "}`, `[{"type":"value_error","loc":["body","name"],"msg":"Value error, name must not be empty"}]`},
		{"POST", "/oauth/client", `{"scope":[]}`, `[{"type":"extra_forbidden","loc":["body","scope"],"msg":"Extra inputs are not permitted"}]`},
		{"POST", "/oauth/client", `{"scopes":"rule:read"}`, `[{"type":"list_type","loc":["body","scopes"],"msg":"Input should be a valid list"}]`},
		{"POST", "/oauth/client", `[1]`, `[{"type":"string_type","loc":["body",0],"msg":"Input should be a valid string"}]`},
		{"POST", "/oauth/client", `"rule:read"`, `[{"type":"value_error","loc":["body"],"msg":"Value error, Input should be a valid dictionary or a valid list"}]`},
		{"POST", "/oauth/client", `{"name":"` + long + `"}`, `"The name must have at most 200 bytes."`},
		{"POST", "/oauth/client?scopes=x", `[]`, `[{"type":"extra_forbidden","loc":["query","scopes"],"msg":"Extra inputs are not permitted"}]`},
		{"PUT", "/oauth/client/a", ``, `[{"type":"missing","loc":["body"],"msg":"Field required"}]`},
		{"PUT", "/oauth/client/a", `{"client_id":"b"}`, `[{"type":"value_error","loc":["body","client_id"],"msg":"Value error, it is told only, and the path names another one"}]`},
		{"PUT", "/oauth/client/a/scope", `{"scopes":{}}`, `[{"type":"list_type","loc":["body","scopes"],"msg":"Input should be a valid list"}]`},
		{"GET", "/oauth/client?size=101", ``, `[{"type":"less_than_equal","loc":["query","size"],"msg":"Input should be less than or equal to 100"}]`},
		{"GET", "/oauth/client/a/token?after=zzz", ``, `[{"type":"string_pattern_mismatch","loc":["query","after"],"msg":"String should match pattern '^[0-9a-f]{32}$'"}]`},
		{"GET", "/oauth/client/" + long, ``, `[{"type":"string_too_long","loc":["path","client_id"],"msg":"String should have at most 200 characters"}]`},
	} {
		a := k.send(t, root, c.method, c.target, c.body)
		require.Equal(t, []any{422, `{"detail":` + c.detail + `}`}, told(a), c)
	}
	require.Equal(t, state, k.state(t), "something was written")
}

func TestScopesAndRolesAreListed(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	token := k.token(t, "scope:read")
	a := k.send(t, token, "GET", "/api/v1/oauth/scope", nil)
	require.Equal(t, []any{200, `["` + strings.Join(oauth.ScopeNames(), `","`) + `"]`}, told(a))
	require.Contains(t, a.Body, `"user:reset-password"`)
	a = k.send(t, token, "GET", "/api/v1/oauth/role", nil)
	roles, err := json.Marshal(oauth.Roles())
	require.NoError(t, err)
	require.Equal(t, []any{200, string(roles)}, told(a))
	require.Contains(t, a.Body, `"respondent":["privacy-request:manual-steps:respond","user:read-own"]`)
}

func TestClientsOfTheHostShowTheirRoles(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	c, _, err := k.oauth.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{Roles: []string{oauth.RoleViewer}})
	require.NoError(t, err)
	a := k.send(t, k.rootToken(t), "GET", "/oauth/client/"+c.ID, nil)
	require.Equal(t, []any{200, `{"client_id":"` + c.ID + `","name":null,"description":null,"scopes":[],"roles":["viewer"]}`}, told(a))
}

func TestClientsAndTokensOutliveTheProcess(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	root := k.rootToken(t)
	a := k.send(t, root, "POST", "/oauth/client", `{"name":"Importer","scopes":["client:read"]}`)
	client, secret := a.field(t, "client_id"), a.field(t, "client_secret")
	token := k.login(t, client, secret)
	revoked := k.login(t, client, secret)
	k.form(t, "/oauth/revoke", "", url.Values{"client_id": {client}, "client_secret": {secret}, "token": {revoked}})

	k.oauth = k.server(t)
	k.options.OAuth = k.oauth
	var err error
	k.door, err = fides.New(k.engine, &k.options)
	require.NoError(t, err)
	a = k.send(t, token, "GET", "/oauth/client/"+client, nil)
	require.Equal(t, []any{200, `{"client_id":"` + client + `","name":"Importer","description":null,"scopes":["client:read"]}`}, told(a))
	a = k.send(t, revoked, "GET", "/oauth/client/"+client, nil)
	require.Equal(t, []any{403, badToken}, told(a))
}

func TestWithoutAServerThereAreNoRoutesOfClients(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) { k.options.OAuth = nil })
	for _, route := range k.door.Routes() {
		require.NotContains(t, route.Path, "/oauth")
	}
	a := k.send(t, k.token(t), "POST", "/api/v1/oauth/token", nil)
	require.Equal(t, []any{404, `{"detail":"Not Found"}`}, told(a))
}

// Every scope that package oauth has a constant for is one that a route takes.
func TestNamedScopesOpenSomething(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../oauth/scope.go")
	require.NoError(t, err)
	var taken []string
	for _, r := range newOAuthDesk(t, nil).door.Routes() {
		taken = append(append(taken, r.Scopes...), r.Or...)
	}
	named := regexp.MustCompile(`\tScope[A-Za-z]+ += "([^"]+)"`).FindAllStringSubmatch(string(source), -1)
	require.NotEmpty(t, named)
	for _, match := range named {
		require.Contains(t, taken, match[1])
	}
}
