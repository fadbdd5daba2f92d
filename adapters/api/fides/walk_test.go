package fides_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/storage"
)

const noToken = `{"detail":"Failed to authenticate"}`

const badToken = `{"detail":"Not Authorized for this action"}`

// hostile are bodies that nothing may be made of before it is known who sends
// them.
var hostile = []string{"", "{}", "[]", "{not json"}

func TestNoRouteOpensWithoutItsScopes(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	_, err := k.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		d.Connections["word"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "word"}, Type: "postgres", Secrets: dsr.Secrets{"host": "here", "password": canary}}
		d.Datasets["word"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "word"}, Connection: "word", Source: `{"dataset":[{"fides_key":"word","collections":[]}]}`}
		return nil
	})
	require.NoError(t, err)
	req, err := k.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
	require.NoError(t, err)

	expired := k.token(t)
	k.wait(oauth.DefaultTokenTTL + time.Second)
	creds := k.client(t)
	token, err := k.oauth.Token(t.Context(), creds.ID, creds.Secret, nil)
	require.NoError(t, err)
	revoked := token.Value
	require.NoError(t, k.oauth.Revoke(t.Context(), creds.ID, creds.Secret, revoked))
	without := map[string]string{}
	bad := map[string]string{"expired": expired, "revoked": revoked, "garbage": "no-token-at-all"}
	state := k.state(t)

	guarded := 0
	for _, route := range k.door.Routes() {
		if len(route.Scopes) == 0 {
			require.NotEmpty(t, route.Public, "%s %s", route.Method, route.Path)
			continue
		}
		guarded++
		for _, scope := range route.Scopes { // without this one, and with all others
			name := strings.Join(append([]string{scope}, route.Or...), " ")
			if without[name] == "" {
				others := slices.DeleteFunc(oauth.ScopeNames(), func(s string) bool { return s == scope || slices.Contains(route.Or, s) })
				without[name] = k.token(t, others...)
				state = k.state(t)
			}
		}
		required, err := json.Marshal(map[string]string{"detail": "Not Authorized for this action. Required scope(s): [" + strings.Join(route.Scopes, ", ") + "]"})
		require.NoError(t, err)
		for _, prefix := range []string{"", "/api/v1"} {
			target := prefix + fill(route.Path, req.ID)
			k.walkHead(t, &route, target, append(slices.Collect(maps.Values(bad)), k.walkWithout(&route, without)...))
			for _, body := range hostile {
				at := route.Method + " " + target + " " + body
				a := k.send(t, "", route.Method, target, body)
				require.Equal(t, []any{http.StatusUnauthorized, noToken, "Bearer"}, []any{a.Status, a.Body, a.Header.Get("WWW-Authenticate")}, at)
				for what, token := range bad {
					a = k.send(t, token, route.Method, target, body)
					require.Equal(t, []any{http.StatusForbidden, badToken}, []any{a.Status, a.Body}, "%s, %s", at, what)
				}
				for _, token := range k.walkWithout(&route, without) {
					a = k.send(t, token, route.Method, target, body)
					require.Equal(t, []any{http.StatusForbidden, string(required)}, []any{a.Status, a.Body}, at)
				}
			}
		}
	}
	require.Positive(t, guarded)
	require.Equal(t, state, k.state(t), "something was written")
	require.NotContains(t, k.logs.String(), "nia.vale")
}

// walkWithout are tokens that each lack one of a route's scopes.
func (k *desk) walkWithout(route *fides.RouteInfo, without map[string]string) (tokens []string) {
	for _, scope := range route.Scopes {
		tokens = append(tokens, without[strings.Join(append([]string{scope}, route.Or...), " ")])
	}
	return tokens
}

// walkHead sends HEAD to a route without a token, and with tokens that do not
// suffice.
func (k *desk) walkHead(t *testing.T, route *fides.RouteInfo, target string, tokens []string) {
	t.Helper()
	if route.Method != http.MethodGet { // HEAD is of the GET at the same place, if there is one
		tokens = nil
	}
	for _, token := range append([]string{""}, tokens...) {
		a := k.send(t, token, "HEAD", target, nil)
		require.Empty(t, a.Body, "HEAD %s", target)
		want := http.StatusForbidden
		switch {
		case route.Acts || a.Header.Get("Allow") != "" && route.Method != http.MethodGet:
			want = http.StatusMethodNotAllowed
			allowed := strings.Split(a.Header.Get("Allow"), ", ")
			require.NotContains(t, allowed, "HEAD", target)
			require.Contains(t, allowed, route.Method, target)
		case token == "":
			want = http.StatusUnauthorized
		}
		require.Equal(t, want, a.Status, "HEAD %s", target)
	}
}

// HEAD does nothing, and neither does GET but where the route says so; there HEAD
// is refused, and so is it said to whoever asks what the route takes.
func TestHeadDoesNothing(t *testing.T) {
	t.Parallel()
	k := configurable(t, func(k *desk) { k.options.AccessResults, k.config.Files = true, storage.NewFolder(t.TempDir(), nil) })
	_, err := k.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		d.Connections["word"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "word"}, Type: "postgres", Secrets: dsr.Secrets{"host": "here", "password": canary}}
		return nil
	})
	require.NoError(t, err)
	k.submit(t, "access", 1)
	require.Equal(t, dsr.StatusComplete, k.advance(t, "pri_1").Status)
	link, _, err := k.engine.Downloads().Link(t.Context(), "pri_1", "", nil)
	require.NoError(t, err)
	token := k.token(t)
	acting := map[string]bool{}
	for _, route := range k.door.Routes() {
		if route.Method != http.MethodGet {
			continue
		}
		target := fill(route.Path, "pri_1")
		if strings.HasSuffix(target, "/access-package") {
			target += "?token=" + link
		}
		state := k.state(t)
		head := k.send(t, token, "HEAD", target, nil)
		require.Empty(t, head.Body, target)
		changed := state != k.state(t)
		require.False(t, changed, "HEAD %s did something", target)
		options := k.send(t, token, "OPTIONS", target, nil)
		require.Equal(t, http.StatusMethodNotAllowed, options.Status, target)
		allowed := strings.Split(options.Header.Get("Allow"), ", ")
		require.Contains(t, allowed, "GET", target)
		require.Equal(t, !route.Acts, slices.Contains(allowed, "HEAD"), target)

		get := k.send(t, token, "GET", target, nil)
		changed = state != k.state(t)
		if route.Acts {
			acting[route.Path] = true
			require.Equal(t, http.StatusOK, get.Status, "%s: %s", target, get.Body)
			require.True(t, changed, "GET %s did nothing", target)
			require.Equal(t, []any{http.StatusMethodNotAllowed, options.Header.Get("Allow")}, []any{head.Status, head.Header.Get("Allow")}, target)
			continue
		}
		require.Equal(t, get.Status, head.Status, target)
		require.Equal(t, get.Header.Get("Content-Type"), head.Header.Get("Content-Type"), target)
		// A download is written down, and may use its link up; HEAD only looks.
		require.Equal(t, strings.Contains(target, "/access-package"), changed, target)
	}
	require.Equal(t, map[string]bool{"/connection/{connection_key}/test": true, "/privacy-request/{privacy_request_id}/access-results": true}, acting)
}

// What deletes needs a scope of its own.
func TestWhatDeletesNeedsAScopeThatSaysSo(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"DELETE /connection/{connection_key}":                                      oauth.ScopeConnectionDelete,
		"DELETE /connection/{connection_key}/access_manual_request":                oauth.ScopeWebhookDelete,
		"DELETE /connection/{connection_key}/access_manual_webhook":                oauth.ScopeWebhookDelete,
		"DELETE /connection/{connection_key}/dataset/{dataset_key}":                oauth.ScopeDatasetDelete,
		"DELETE /dsr/policy/{policy_key}":                                          oauth.ScopePolicyDelete,
		"DELETE /dsr/policy/{policy_key}/rule/{rule_key}":                          oauth.ScopeRuleDelete,
		"DELETE /dsr/policy/{policy_key}/rule/{rule_key}/target/{rule_target_key}": oauth.ScopeRuleDelete,
		"DELETE /dsr/policy/{policy_key}/webhook/post_execution/{webhook_key}":     oauth.ScopeWebhookDelete,
		"DELETE /dsr/policy/{policy_key}/webhook/pre_execution/{webhook_key}":      oauth.ScopeWebhookDelete,
		"DELETE /dsr/webhook/pre_approval/{webhook_key}":                           oauth.ScopeWebhookDelete,
		"DELETE /oauth/client/{client_id}":                                         oauth.ScopeClientDelete,
		"DELETE /plus/connection/{connection_key}/manual-field/{field_id}":         oauth.ScopeConnectionDelete,
		"DELETE /policy/{policy_key}":                                              oauth.ScopePolicyDelete,
		"DELETE /policy/{policy_key}/rule/{rule_key}":                              oauth.ScopeRuleDelete,
		"DELETE /policy/{policy_key}/rule/{rule_key}/target/{rule_target_key}":     oauth.ScopeRuleDelete,
		"DELETE /policy/{policy_key}/webhook/post_execution/{webhook_key}":         oauth.ScopeWebhookDelete,
		"DELETE /policy/{policy_key}/webhook/pre_execution/{webhook_key}":          oauth.ScopeWebhookDelete,
		"DELETE /storage/config/{config_key}":                                      oauth.ScopeStorageDelete,
		"POST /privacy-request/bulk/soft-delete":                                   oauth.ScopeRequestDelete,
		"POST /privacy-request/{privacy_request_id}/soft-delete":                   oauth.ScopeRequestDelete,
	}
	otherwise := map[string]string{ // a client is changed that loses tokens: it stays, and gets new ones
		"DELETE /oauth/client/{client_id}/token":            oauth.ScopeClientUpdate,
		"DELETE /oauth/client/{client_id}/token/{token_id}": oauth.ScopeClientUpdate,
	}
	for at, scope := range want {
		require.Regexp(t, `:delete$`, scope, at)
	}
	maps.Copy(want, otherwise)
	got := map[string]string{}
	for _, route := range newDesk(t, nil).door.Routes() {
		if at := route.Method + " " + route.Path; route.Method == http.MethodDelete || strings.Contains(route.Path, "delete") {
			got[at] = strings.Join(route.Scopes, " ")
			require.Empty(t, route.Or, at)
		}
	}
	require.Equal(t, want, got)
}

// fill puts the ID of a request, and a plain word, into the names of a path.
func fill(path, id string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		switch {
		case part == "{privacy_request_id}":
			parts[i] = id
		case strings.HasPrefix(part, "{"):
			parts[i] = "word"
		}
	}
	return strings.Join(parts, "/")
}

// state is all that the store and the clients hold: every change of what is
// configured has a version, but tests of connections.
func (k *desk) state(t *testing.T) string {
	t.Helper()
	defs, err := k.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	audit, err := k.store.AuditEntries(t.Context(), "", dsr.AuditPlace{}, 10_000)
	require.NoError(t, err)
	tests, err := k.engine.Catalogue().Tests(t.Context(), slices.Collect(maps.Values(defs.Connections))...)
	require.NoError(t, err)
	all := []any{defs.Version, tests, audit}
	for req, err := range k.engine.Requests().All(t.Context(), dsr.Filter{Deleted: true}) {
		require.NoError(t, err)
		events, err := k.engine.Requests().Log(t.Context(), req.ID, 0, 0)
		require.NoError(t, err)
		all = append(all, req, events)
	}
	for _, kind := range []string{"client", "token"} {
		records, err := k.records.List(t.Context(), kind, "", 10_000)
		require.NoError(t, err)
		all = append(all, records)
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	return string(text)
}

func TestNoRouteOfHooksOpensWithoutTheTokenOfACall(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	req, err := k.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
	require.NoError(t, err)
	token := k.token(t)
	state, hooks := k.state(t), 0
	for _, route := range k.door.Routes() {
		if !route.Hook {
			continue
		}
		hooks++
		target := fill(route.Path, req.ID)
		a := k.send(t, "", route.Method, target, "{}")
		require.Equal(t, []any{http.StatusUnauthorized, noToken, "Bearer"}, []any{a.Status, a.Body, a.Header.Get("WWW-Authenticate")}, target)
		for _, wrong := range []string{"garbage", token} {
			a = k.send(t, wrong, route.Method, target, "{}")
			require.Equal(t, []any{http.StatusForbidden, badToken}, []any{a.Status, a.Body}, target)
		}
	}
	require.Positive(t, hooks)
	require.Equal(t, state, k.state(t), "something was written")
}

func TestEveryPublicRouteIsOneOfTheseFew(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	require.Equal(t, []string{
		"GET /docs", "GET /health", "GET /health/database", "GET /id-verification/config", "POST /oauth/revoke", "POST /oauth/token",
		"GET /openapi.json", "GET /openapi.yaml", "GET /privacy-request/{privacy_request_id}/access-package",
		"POST /privacy-request/{privacy_request_id}/verify", "GET /ready",
	}, k.walkPublic())
}

// walkPublic are the routes that take no token.
func (k *desk) walkPublic() (public []string) {
	for _, route := range k.door.Routes() {
		if len(route.Scopes) == 0 && !route.Hook {
			public = append(public, route.Method+" "+route.Path)
		}
	}
	return public
}

// Public intake opens the one route, and changes what no other needs.
func TestPublicIntakeOpensOneRoute(t *testing.T) {
	t.Parallel()
	closed := newDesk(t, func(k *desk) { k.config.Flow.VerifyIdentity = true })
	open := newDesk(t, func(k *desk) { k.config.Flow.VerifyIdentity, k.options.PublicIntake = true, true })
	const opened = "POST /privacy-request"
	require.ElementsMatch(t, append(closed.walkPublic(), opened), open.walkPublic())
	open.submit(t, "access", 1)
	before := closed.door.Routes()
	for i, route := range open.door.Routes() {
		at := route.Method + " " + route.Path
		if at == opened {
			continue
		}
		require.Equal(t, before[i], route)
		if len(route.Scopes) == 0 && !route.Hook {
			continue
		}
		target := fill(route.Path, "pri_1")
		for _, method := range []string{route.Method, "HEAD"} {
			a := open.send(t, "", method, target, nil)
			if method == "HEAD" && a.Status == http.StatusMethodNotAllowed {
				continue
			}
			require.Equal(t, http.StatusUnauthorized, a.Status, "%s %s", method, at)
		}
	}
}

func TestAnOptionThatIsMissingIsToldWithAllOthers(t *testing.T) {
	t.Parallel()
	_, err := fides.New(nil, &fides.Options{Limits: fides.Limits{BodyBytes: -1}})
	require.ErrorContains(t, err, "there is no engine")
	require.ErrorContains(t, err, "Verifier is missing")
	require.ErrorContains(t, err, "Limits.BodyBytes is negative")
}

func TestPublicIntakeWantsRequestsToBeVerified(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	k.options.PublicIntake = true
	_, err := fides.New(k.engine, &k.options)
	require.ErrorContains(t, err, "PublicIntake needs a Config.Flow with VerifyIdentity")
}
