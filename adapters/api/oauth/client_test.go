package oauth_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

func text(s string) *string { return &s }

func TestClientsComeAndGo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	made, creds, err := s.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{
		Name: "help desk", Description: "reads", Scopes: []string{"POLICY_READ", "client:read", "policy:read"}, Roles: []string{"viewer", "approver", "viewer"},
	})
	require.NoError(t, err)
	require.Regexp(t, `^[0-9a-f]{32}$`, creds.ID)
	require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, creds.Secret)
	want := &oauth.Client{
		ID: creds.ID, Name: "help desk", Description: "reads", Scopes: []string{"client:read", "policy:read"},
		Roles: []string{"approver", "viewer"}, CreatedAt: start, UpdatedAt: start,
	}
	require.Equal(t, want, made)
	got, err := s.Client(t.Context(), creds.ID)
	require.NoError(t, err)
	require.Equal(t, want, got)

	s.clock.Advance(time.Hour)
	changed, err := s.UpdateClient(t.Context(), oauth.Host(), creds.ID, oauth.ClientUpdate{Name: text("desk"), Roles: []string{}})
	require.NoError(t, err)
	want.Name, want.Roles, want.UpdatedAt = "desk", []string{}, start.Add(time.Hour)
	require.Equal(t, want.Scopes, changed.Scopes)
	require.Equal(t, *want, *changed)

	second := s.client(t)
	s.clock.Advance(time.Hour)
	third := s.client(t)
	clients, err := s.Clients(t.Context())
	require.NoError(t, err)
	require.Len(t, clients, 3)
	require.Equal(t, []string{third.ID, second.ID, creds.ID}, []string{clients[0].ID, clients[1].ID, clients[2].ID})
	require.Equal(t, []string{}, clients[0].Scopes)

	require.NoError(t, s.DeleteClient(t.Context(), oauth.Host(), creds.ID))
	require.NoError(t, s.DeleteClient(t.Context(), oauth.Host(), creds.ID))
	_, err = s.Client(t.Context(), creds.ID)
	refused(t, err, oauth.ErrNoClient, http.StatusNotFound, "Client not found.")
}

func TestManyClientsAreListed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var want, ids []string
	for range 1001 { // more than two pages
		s.clock.Advance(time.Microsecond)
		want = append([]string{s.client(t).ID}, want...)
	}
	clients, err := s.Clients(t.Context())
	require.NoError(t, err)
	for _, c := range clients {
		ids = append(ids, c.ID)
	}
	require.Equal(t, want, ids, "the newest first")
}

func TestVerbsOnNoClient(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, id := range []string{"nobody", "", rootID, "a/b", strings.Repeat("x", 1000), "\x00"} {
		_, get := s.Client(t.Context(), id)
		_, update := s.UpdateClient(t.Context(), oauth.Host(), id, oauth.ClientUpdate{Name: text("x")})
		_, scopes := s.SetScopes(t.Context(), oauth.Host(), id, nil)
		_, rotate := s.RotateSecret(t.Context(), oauth.Host(), id)
		for _, err := range []error{get, update, scopes, rotate, s.RevokeAll(t.Context(), oauth.Host(), id)} {
			refused(t, err, oauth.ErrNoClient, http.StatusNotFound, "Client not found.")
		}
		if id != rootID {
			require.NoError(t, s.DeleteClient(t.Context(), oauth.Host(), id))
			_, err := s.Tokens(t.Context(), id, "", 0)
			refused(t, err, oauth.ErrNoClient, http.StatusNotFound, "Client not found.")
		}
	}
	refused(t, s.DeleteClient(t.Context(), oauth.Host(), rootID), oauth.ErrNoClient, http.StatusNotFound, "Client not found.")
	s.token(t, root())
}

// A root client that was given a client's ID takes its place.
func TestTheRootClientComesFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds := s.client(t, "policy:read")
	token := s.token(t, creds)
	server := s.process(t, oauth.Credentials{ID: creds.ID, Secret: rootSecret})
	_, err := server.Client(t.Context(), creds.ID)
	refused(t, err, oauth.ErrNoClient, http.StatusNotFound, "Client not found.")
	_, err = server.SetScopes(t.Context(), oauth.Host(), creds.ID, nil)
	refused(t, err, oauth.ErrNoClient, http.StatusNotFound, "Client not found.")
	refused(t, server.DeleteClient(t.Context(), oauth.Host(), creds.ID), oauth.ErrNoClient, http.StatusNotFound, "Client not found.")
	clients, err := server.Clients(t.Context())
	require.NoError(t, err)
	require.Empty(t, clients)
	_, err = server.Token(t.Context(), creds.ID, creds.Secret, nil)
	refused(t, err, oauth.ErrCredentials, http.StatusUnauthorized, "Authentication Failure")
	_, err = who(t.Context(), server, token.Value)
	notAuthorized(t, err)
	_, err = server.Token(t.Context(), creds.ID, rootSecret, nil)
	require.NoError(t, err)
}

func TestNobodyGrantsWhatTheyLack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	weak := &oauth.Principal{Scopes: []string{"client:create", "client:update", "policy:read"}}
	strong := s.client(t, "policy:read", "policy:delete")
	mine := s.client(t, "policy:read")
	const detail = "Cannot assign scopes that you do not have. Missing scopes: "

	_, _, err := s.CreateClient(t.Context(), weak, oauth.NewClient{Scopes: []string{"rule:read", "policy:read", "POLICY_DELETE"}})
	refused(t, err, oauth.ErrForbidden, http.StatusForbidden, detail+"['policy:delete', 'rule:read']")
	_, _, err = s.CreateClient(t.Context(), weak, oauth.NewClient{Roles: []string{oauth.RoleExternalRespondent}})
	refused(t, err, oauth.ErrForbidden, http.StatusForbidden, detail+"['privacy-request:manual-steps:respond']")
	_, err = s.UpdateClient(t.Context(), weak, mine.ID, oauth.ClientUpdate{Name: text("x"), Scopes: []string{"policy:delete"}})
	refused(t, err, oauth.ErrForbidden, http.StatusForbidden, detail+"['policy:delete']")
	_, err = s.SetScopes(t.Context(), weak, mine.ID, []string{"policy:delete"})
	refused(t, err, oauth.ErrForbidden, http.StatusForbidden, detail+"['policy:delete']")
	_, err = s.RotateSecret(t.Context(), weak, strong.ID)
	refused(t, err, oauth.ErrForbidden, http.StatusForbidden, "Cannot change a client with scopes that you do not have. Missing scopes: ['policy:delete']")
	_, _, err = s.CreateClient(t.Context(), nil, oauth.NewClient{})
	refused(t, err, oauth.ErrUnauthenticated, http.StatusUnauthorized, "Failed to authenticate")

	// Nothing was changed.
	clients, err := s.Clients(t.Context())
	require.NoError(t, err)
	require.Len(t, clients, 2)
	unchanged, err := s.Client(t.Context(), mine.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"policy:read"}, unchanged.Scopes)
	require.Empty(t, unchanged.Name)
	s.token(t, strong)

	_, err = s.RotateSecret(t.Context(), weak, mine.ID)
	require.NoError(t, err)
	_, _, err = s.CreateClient(t.Context(), weak, oauth.NewClient{Scopes: []string{"policy:read"}})
	require.NoError(t, err)
}

func TestTextsThatAreTooLong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, _, err := s.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{Name: strings.Repeat("n", 201), Description: strings.Repeat("d", 2001)})
	refused(t, err, oauth.ErrRequest, http.StatusUnprocessableEntity,
		"The name must have at most 200 bytes. The description must have at most 2000 bytes.")
}

func TestRotatedSecrets(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	old := s.client(t, "policy:read")
	token := s.token(t, old)
	s.clock.Advance(time.Hour)
	fresh, err := s.RotateSecret(t.Context(), oauth.Host(), old.ID)
	require.NoError(t, err)
	require.Equal(t, old.ID, fresh.ID)
	require.NotEqual(t, old.Secret, fresh.Secret)
	_, err = s.Token(t.Context(), old.ID, old.Secret, nil)
	refused(t, err, oauth.ErrCredentials, http.StatusUnauthorized, "Authentication Failure")
	s.token(t, fresh)
	_, err = who(t.Context(), s, token.Value)
	require.NoError(t, err, "tokens go on")
	client, err := s.Client(t.Context(), old.ID)
	require.NoError(t, err)
	require.Equal(t, start.Add(time.Hour), client.UpdatedAt)
}

// Two rotations that both read before either writes: one wins, and the other
// hands out no secret.
func TestTwoRotationsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	old := s.client(t, "policy:read")
	var both sync.WaitGroup
	both.Add(2)
	records := &flaky{Records: s.records, before: func(verb string, _ oauth.Record) error {
		if verb == "put" {
			both.Done()
			both.Wait()
		}
		return nil
	}}
	server, err := oauth.New(&oauth.Options{Records: records, Key: key()})
	require.NoError(t, err)
	type result struct {
		creds oauth.Credentials
		err   error
	}
	results := make(chan result, 2)
	for range 2 {
		go func() {
			creds, err := server.RotateSecret(t.Context(), oauth.Host(), old.ID)
			results <- result{creds, err}
		}()
	}
	a, b := <-results, <-results
	if a.err != nil {
		a, b = b, a
	}
	require.NoError(t, a.err)
	require.ErrorIs(t, b.err, dsr.ErrConflict)
	require.Zero(t, b.creds)
	s.token(t, a.creds)
}

// Many who change a client at once all get through.
func TestManyChangesAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds := s.client(t)
	const many = 8
	errs := make(chan error, many)
	for range many {
		go func() {
			_, err := s.UpdateClient(t.Context(), oauth.Host(), creds.ID, oauth.ClientUpdate{Description: text("d")})
			errs <- err
		}()
	}
	for range many {
		require.NoError(t, <-errs)
	}
	r, err := s.records.Get(t.Context(), "client", creds.ID)
	require.NoError(t, err)
	require.EqualValues(t, 1+many, r.Version)
}

// Whoever loses a race for ever is told so.
func TestChangesThatNeverGetThrough(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds := s.client(t)
	records := &flaky{Records: s.records, before: func(verb string, _ oauth.Record) error {
		if verb == "put" || verb == "delete" {
			return dsr.ErrConflict
		}
		return nil
	}}
	server, err := oauth.New(&oauth.Options{Records: records, Key: key()})
	require.NoError(t, err)
	_, err = server.SetScopes(t.Context(), oauth.Host(), creds.ID, nil)
	require.ErrorIs(t, err, dsr.ErrConflict)
	require.ErrorIs(t, server.DeleteClient(t.Context(), oauth.Host(), creds.ID), dsr.ErrConflict)
	token := s.token(t, creds)
	require.ErrorIs(t, server.RevokeToken(t.Context(), oauth.Host(), creds.ID, token.Info.ID), dsr.ErrConflict)
}

// No fault of the store is taken for a refusal, or for consent.
func TestAStoreThatIsDown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds := s.client(t, "policy:read")
	token := s.token(t, creds)
	for _, down := range []string{"client", "token"} {
		records := &flaky{Records: s.records, before: func(_ string, r oauth.Record) error {
			if r.Kind == down {
				return errDown
			}
			return nil
		}}
		server, err := oauth.New(&oauth.Options{Records: records, Key: key(), Clock: s.clock.Now})
		require.NoError(t, err)
		_, authErr := who(t.Context(), server, token.Value)
		_, tokenErr := server.Token(t.Context(), creds.ID, creds.Secret, nil)
		_, listErr := server.Tokens(t.Context(), creds.ID, "", 0)
		for _, err := range []error{authErr, tokenErr, listErr, server.Revoke(t.Context(), creds.ID, creds.Secret, token.Value)} {
			require.ErrorIs(t, err, errDown)
			var e *oauth.Error
			require.NotErrorAs(t, err, &e)
			require.NotContains(t, err.Error(), creds.Secret)
			require.NotContains(t, err.Error(), token.Value)
		}
	}
}

// What is stored is no secret and no token, and damage is told.
func TestWhatIsStored(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds := s.client(t, "policy:read")
	twin := s.client(t, "policy:read")
	token := s.token(t, creds)
	client, err := s.records.Get(t.Context(), "client", creds.ID)
	require.NoError(t, err)
	other, err := s.records.Get(t.Context(), "client", twin.ID)
	require.NoError(t, err)
	stored, err := s.records.Get(t.Context(), "token", creds.ID+"/"+token.Info.ID)
	require.NoError(t, err)
	for _, r := range []oauth.Record{client, stored} {
		require.NotContains(t, string(r.Data), creds.Secret)
		require.NotContains(t, string(r.Data), token.Value)
	}
	var hashed struct {
		Secret struct {
			Salt   []byte `json:"salt"`
			SHA256 []byte `json:"sha256"`
		} `json:"secret"`
	}
	require.NoError(t, json.Unmarshal(client.Data, &hashed))
	require.Len(t, hashed.Secret.Salt, 16)
	sum := sha256.Sum256(append(hashed.Secret.Salt, creds.Secret...))
	require.Equal(t, sum[:], hashed.Secret.SHA256)

	for _, damaged := range []string{"", "{", "null", string(other.Data)} {
		r := client
		r.Data = []byte(damaged)
		require.NoError(t, s.records.Put(t.Context(), r, client.Version))
		client.Version++
		_, err := who(t.Context(), s, token.Value)
		require.EqualError(t, err, `oauth: the record of client "`+creds.ID+`" is damaged`)
	}
}

func TestWhoHasLessThanAClientDoesNotChangeIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	big, rootToken := s.client(t, oauth.ScopeClientUpdate, oauth.ScopeRequestRead), s.token(t, root())
	token := s.token(t, big)
	small := &oauth.Principal{Subject: "small", ClientID: "small", Scopes: []string{oauth.ScopeClientDelete, oauth.ScopeClientUpdate}}
	verbs := func(by *oauth.Principal) map[string]error {
		_, update := s.UpdateClient(t.Context(), by, big.ID, oauth.ClientUpdate{Name: text("mine")})
		_, narrow := s.SetScopes(t.Context(), by, big.ID, nil)
		return map[string]error{
			"update": update, "narrow": narrow, "delete": s.DeleteClient(t.Context(), by, big.ID), "revoke all": s.RevokeAll(t.Context(), by, big.ID),
			"revoke": s.RevokeToken(t.Context(), by, big.ID, token.Info.ID), "revoke for": s.RevokeFor(t.Context(), by, token.Value),
		}
	}
	for verb, err := range verbs(small) {
		e := refused(t, err, oauth.ErrForbidden, http.StatusForbidden, "Cannot change a client with scopes that you do not have. Missing scopes: ['privacy-request:read']")
		require.Equal(t, "insufficient_scope", e.Code, verb)
	}
	for _, err := range verbs(nil) {
		refused(t, err, oauth.ErrUnauthenticated, http.StatusUnauthorized, "Failed to authenticate")
	}
	require.ErrorIs(t, s.RevokeToken(t.Context(), small, rootID, rootToken.Info.ID), oauth.ErrForbidden)
	_, err := who(t.Context(), s, token.Value)
	require.NoError(t, err)
	_, err = who(t.Context(), s, rootToken.Value)
	require.NoError(t, err)
	small.Scopes = append(small.Scopes, oauth.ScopeRequestRead)
	require.NoError(t, s.DeleteClient(t.Context(), small, big.ID))
}

func TestADamagedRecordSpoilsNoList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds := s.client(t)
	token := s.token(t, creds)
	require.NoError(t, s.records.Put(t.Context(), oauth.Record{Kind: "client", Key: "0", Data: []byte("{")}, 0))
	require.NoError(t, s.records.Put(t.Context(), oauth.Record{Kind: "token", Key: creds.ID + "/0", Data: []byte("{")}, 0))
	logs := &bytes.Buffer{}
	server, err := oauth.New(&oauth.Options{Records: s.records, Key: key(), Clock: s.clock.Now, Logger: slog.New(slog.NewTextHandler(logs, nil))})
	require.NoError(t, err)
	clients, err := server.Clients(t.Context())
	require.NoError(t, err)
	require.Len(t, clients, 1)
	require.Equal(t, creds.ID, clients[0].ID)
	tokens, err := server.Tokens(t.Context(), creds.ID, "", 1)
	require.NoError(t, err)
	require.Equal(t, []oauth.TokenInfo{token.Info}, tokens)
	require.Contains(t, logs.String(), `msg="oauth: a client is left out of a list" error="oauth: the record of client \"0\" is damaged"`)
	require.Contains(t, logs.String(), `msg="oauth: a token is left out of a list"`)
}
