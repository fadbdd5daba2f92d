package oauth_test

import (
	"bytes"
	"errors"
	"net/http"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/oauth"
)

func TestEveryFaultOfOptionsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := oauth.New(&oauth.Options{Key: []byte("short"), Root: oauth.Credentials{ID: "a:b", Secret: "admin"}, TokenTTL: -time.Hour})
	require.EqualError(t, err, `oauth: the options are wrong: Records: a place for clients and tokens is needed; NewStoreRecords keeps them in a store, NewMemoryRecords is for tests
Key: 32 random bytes are needed, not 5
TokenTTL: -1h0m0s is less than a second
Root: the ID must be 1 to 200 visible ASCII characters without ":" and "/"; set OAUTH_ROOT_CLIENT_ID, or neither it nor OAUTH_ROOT_CLIENT_SECRET for no root client
Root: the secret must have at least 16 bytes; set OAUTH_ROOT_CLIENT_SECRET, or neither it nor OAUTH_ROOT_CLIENT_ID for no root client`)

	_, err = oauth.New(nil)
	require.EqualError(t, err, `oauth: the options are wrong: Records: a place for clients and tokens is needed; NewStoreRecords keeps them in a store, NewMemoryRecords is for tests
Key: 32 random bytes are needed, not 0`)

	_, err = oauth.New(&oauth.Options{Records: oauth.NewMemoryRecords(), Key: key(), Root: oauth.Credentials{ID: "root"}})
	require.EqualError(t, err, "oauth: the options are wrong: Root: the secret must have at least 16 bytes; "+
		"set OAUTH_ROOT_CLIENT_SECRET, or neither it nor OAUTH_ROOT_CLIENT_ID for no root client")
}

func TestRootFromEnv(t *testing.T) {
	t.Parallel()
	env := map[string]string{"OAUTH_ROOT_CLIENT_ID": rootID, "OAUTH_ROOT_CLIENT_SECRET": rootSecret}
	require.Equal(t, root(), oauth.RootFromEnv(func(name string) string { return env[name] }))
	require.Zero(t, oauth.RootFromEnv(func(string) string { return "" }))
}

func TestARandomSourceThatFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	failure := errors.New("no entropy")
	server, err := oauth.New(&oauth.Options{Records: s.records, Key: key(), Root: root(), Random: iotest.ErrReader(failure)})
	require.NoError(t, err)
	_, _, err = server.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{})
	require.ErrorIs(t, err, failure)
	_, err = server.RotateSecret(t.Context(), oauth.Host(), s.client(t).ID)
	require.ErrorIs(t, err, failure)
	_, err = server.Token(t.Context(), rootID, rootSecret, nil)
	require.ErrorIs(t, err, failure)
	clients, err := s.Clients(t.Context())
	require.NoError(t, err)
	require.Len(t, clients, 1)
}

func TestRandomIsWhereSecretsComeFrom(t *testing.T) {
	t.Parallel()
	server, err := oauth.New(&oauth.Options{Records: oauth.NewMemoryRecords(), Key: key(), Random: bytes.NewReader(make([]byte, 1000))})
	require.NoError(t, err)
	_, creds, err := server.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{})
	require.NoError(t, err)
	require.Equal(t, oauth.Credentials{ID: "00000000000000000000000000000000", Secret: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, creds)
}

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds := s.client(t, "policy:read")
	token := s.token(t, creds)
	p := oauth.Principal{Subject: "ada@example.com", ClientID: creds.ID}
	for _, value := range []any{
		creds, &creds, *token, token, p, &p,
		oauth.Options{Key: []byte("canary-canary-canary-canary-cana"), Root: root()},
		oauth.TokenRequest{Client: creds}, oauth.RevocationRequest{Client: creds, Token: token.Value},
		oauth.Claims{"sub": "ada@example.com"},
		s.Server,
	} {
		out := printed(t, value)
		for _, canary := range []string{creds.Secret, token.Value, rootSecret, "canary", "ada@example.com", "99 97 110 97 114 121", "63616e617279"} {
			require.NotContains(t, out, canary)
		}
	}
	require.Contains(t, printed(t, creds), creds.ID)
	require.Contains(t, printed(t, *token), token.Info.ID)
}

func TestRequireOfNobody(t *testing.T) {
	t.Parallel()
	var nobody *oauth.Principal
	refused(t, nobody.Require(), oauth.ErrUnauthenticated, http.StatusUnauthorized, "Failed to authenticate")
	require.NoError(t, (&oauth.Principal{}).Require())
	refused(t, (&oauth.Principal{}).Require("a", "b"), oauth.ErrForbidden, http.StatusForbidden,
		"Not Authorized for this action. Required scope(s): [a, b]")
	require.NoError(t, oauth.Host().Require(oauth.ScopeNames()...))
}
