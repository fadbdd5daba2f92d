package fides_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/api/oauth"
)

func TestSecretsCannotBeGuessedQuickly(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, func(k *desk) {
		k.options.Limits = fides.Limits{}
		k.options.ClientAddress = func(r *http.Request) string { return r.Header.Get("X-Address") }
	})
	creds := k.client(t, "client:read")
	try := func(target, address, id, secret string) *answer {
		r := httptest.NewRequestWithContext(t.Context(), "POST", target, strings.NewReader("token=x"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Address", address)
		r.Header.Set("Authorization", basic(id, secret))
		return k.do(t, r)
	}
	for i := range 10 { // by either door to the secret, together
		a := try([]string{"/oauth/token", "/api/v1/oauth/revoke"}[i%2], "there", creds.ID, fmt.Sprint("guess", i))
		require.Equal(t, tokenRefused(401, "invalid_client", "Authentication Failure"), told(a), i)
		k.wait(time.Second)
	}
	for _, target := range []string{"/oauth/token", "/oauth/revoke"} { // the right one too
		a := try(target, "there", creds.ID, creds.Secret)
		require.Equal(t, tokenRefused(429, "slow_down", "Too many requests. Try again later."), told(a))
		require.Equal(t, "50", a.Header.Get("Retry-After"))
	}
	require.Equal(t, 200, try("/oauth/token", "elsewhere", creds.ID, creds.Secret).Status, "nobody is locked out from elsewhere")
	require.Equal(t, 200, try("/oauth/token", "there", rootID, rootSecret).Status, "nor another client from there")
	k.wait(50 * time.Second)
	require.Equal(t, 200, try("/oauth/token", "there", creds.ID, creds.Secret).Status)

	for i := range 30 { // the secrets of many clients, from one address
		a := try("/oauth/token", "far", fmt.Sprint("client", i), "guess")
		require.Equal(t, tokenRefused(401, "invalid_client", "Authentication Failure"), told(a), i)
	}
	a := try("/oauth/token", "far", rootID, rootSecret)
	require.Equal(t, tokenRefused(429, "slow_down", "Too many requests. Try again later."), told(a))
	require.Equal(t, "60", a.Header.Get("Retry-After"))
}

func TestTheListOfRoutesTellsTheLimitOfCredentials(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, func(k *desk) { k.options.Limits = fides.Limits{TokensPerMinute: 7} })
	for _, route := range k.door.Routes() {
		if route.Path == "/oauth/token" || route.Path == "/oauth/revoke" {
			require.Equal(t, []any{7, "client and address", int64(32 << 10)}, []any{route.PerMinute, route.LimitedBy, route.BodyBytes})
		}
	}
}

// troubled are records whose writing fails.
type troubled struct {
	oauth.Records
	err error
}

func (r *troubled) Put(ctx context.Context, record oauth.Record, version int64) error {
	if r.err != nil {
		return r.err
	}
	return r.Records.Put(ctx, record, version)
}

func (r *troubled) Delete(ctx context.Context, kind, key string, version int64) error {
	if r.err != nil {
		return r.err
	}
	return r.Records.Delete(ctx, kind, key, version)
}

func TestWhatCannotBeStoredIsTold(t *testing.T) {
	t.Parallel()
	records := &troubled{Records: oauth.NewMemoryRecords()}
	k := newDesk(t, func(k *desk) {
		var err error
		k.oauth, err = oauth.New(&oauth.Options{Records: records, Key: []byte(strings.Repeat("k", 32)), Clock: k.clock})
		require.NoError(t, err)
		k.options.OAuth, k.options.Verifier = k.oauth, k.oauth
	})
	creds := k.client(t)
	token := k.login(t, creds.ID, creds.Secret)
	tokens, err := k.oauth.Tokens(t.Context(), creds.ID, "", 1)
	require.NoError(t, err)
	at := "/oauth/client/" + creds.ID
	for name, c := range map[string]struct {
		err  error
		told []any
		code string // for clients of OAuth
	}{
		"others got ahead":  {dsr.ErrConflict, refused(409, "The client was changed at the same time. Try again."), "temporarily_unavailable"},
		"the store is away": {fmt.Errorf("dial: %w", dsr.ErrUnavailable), refused(503, "Unavailable for now. Try again later."), "temporarily_unavailable"},
		"anything else":     {errors.New("a canary"), refused(500, "Internal Server Error"), "server_error"},
	} {
		records.err = c.err
		for _, call := range [][3]string{
			{"PUT", at, `{"name":"x"}`}, {"PUT", at + "/scope", `[]`}, {"POST", at + "/secret", ""}, {"DELETE", at, ""},
			{"DELETE", at + "/token", ""}, {"DELETE", at + "/token/" + tokens[0].ID, ""},
		} {
			require.Equal(t, c.told, told(k.send(t, token, call[0], call[1], call[2])), "%s: %s", name, call)
		}
		a := k.form(t, "/oauth/revoke", basic(creds.ID, creds.Secret), url.Values{"token": {token}})
		require.Equal(t, []any{c.told[0], strings.TrimSuffix(c.told[1].(string), "}") + `,"error":"` + c.code + `"}`}, told(a), name)
	}
	records.err = nil
	require.Equal(t, http.StatusOK, k.send(t, token, "GET", at, nil).Status, "it goes on as it was")
}

func TestNothingSecretIsLoggedOrStored(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	root := k.rootToken(t)
	a := k.send(t, root, "POST", "/oauth/client", `{"scopes":["client:update","client:read"]}`)
	client, first := a.field(t, "client_id"), a.field(t, "client_secret")
	second := k.send(t, root, "POST", "/oauth/client/"+client+"/secret", nil).field(t, "client_secret")
	token := k.login(t, client, second)
	revoked := k.login(t, client, second)
	k.form(t, "/oauth/revoke", basic(client, second), url.Values{"token": {revoked}})
	k.form(t, "/oauth/revoke", "Bearer "+token, url.Values{"token": {"canary-of-a-token"}})
	k.form(t, "/oauth/token", "", credentials("canary-in-the-wrong-field", "canary-secret"))
	k.form(t, "/oauth/token?client_secret=canary-in-the-url", "", nil)
	k.form(t, "/oauth/token", "Basic canary-that-is-no-base64", nil)
	k.send(t, token, "DELETE", "/oauth/client/"+client+"/token/canary-in-the-path", nil)
	k.send(t, "canary-bearer", "GET", "/oauth/client", nil)

	logs := k.logs.String()
	require.Contains(t, logs, `"route":"POST /oauth/token","status":200`)
	require.Contains(t, logs, `"client":"`+client+`"`)
	var stored []any
	for _, kind := range []string{"client", "token"} {
		records, err := k.records.List(t.Context(), kind, "", 1000)
		require.NoError(t, err)
		for _, r := range records {
			stored = append(stored, r.Key, json.RawMessage(r.Data))
		}
	}
	kept, err := json.Marshal(stored)
	require.NoError(t, err)
	for _, canary := range []string{rootSecret, root, first, second, token, revoked, "canary"} {
		require.NotContains(t, logs, canary)
		require.NotContains(t, string(kept), canary)
	}
}
