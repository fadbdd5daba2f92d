package oauth_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/oauth"
)

func TestATokenSaysWhoAndWhat(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds := s.client(t, "policy:read", "rule:read")
	token := s.token(t, creds)
	require.Equal(t, 11520*time.Minute, token.TTL)
	require.Equal(t, start.Add(8*24*time.Hour), token.Expires)
	require.Equal(t, []string{"policy:read", "rule:read"}, token.Scopes)
	require.Regexp(t, `^[0-9a-f]{32}$`, token.Info.ID)

	p, err := who(t.Context(), s, token.Value)
	require.NoError(t, err)
	require.Equal(t, &oauth.Principal{
		Subject: creds.ID, ClientID: creds.ID, Scopes: []string{"policy:read", "rule:read"}, Expires: token.Expires,
	}, p)
	require.NoError(t, p.Require("policy:read", "rule:read"))
	e := refused(t, p.Require("policy:read", "policy:delete"), oauth.ErrForbidden, http.StatusForbidden,
		"Not Authorized for this action. Required scope(s): [policy:read, policy:delete]")
	require.Equal(t, "insufficient_scope", e.Code)

	parts := strings.Split(token.Value, ".")
	require.Len(t, parts, 5)
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	require.NoError(t, err)
	require.JSONEq(t, `{"alg":"dir","enc":"A256GCM"}`, string(header))
	require.Empty(t, parts[1])
}

func TestScopesOfATokenOnRequest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, creds, err := s.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{Scopes: []string{"rule:read"}, Roles: []string{oauth.RoleRespondent}})
	require.NoError(t, err)
	all := []string{"privacy-request:manual-steps:respond", "rule:read", "user:read-own"}
	require.Equal(t, all, s.token(t, creds).Scopes)
	part := s.token(t, creds, "USER_READ_OWN", "rule:read", "rule:read")
	require.Equal(t, []string{"rule:read", "user:read-own"}, part.Scopes)
	p, err := who(t.Context(), s, part.Value)
	require.NoError(t, err)
	require.Equal(t, part.Scopes, p.Scopes)

	_, err = s.Token(t.Context(), creds.ID, creds.Secret, []string{"rule:read", "rule:delete", "policy:read"})
	e := refused(t, err, oauth.ErrScope, http.StatusBadRequest, "Invalid Scope. The client does not have ['policy:read', 'rule:delete'].")
	require.Equal(t, "invalid_scope", e.Code)
	_, err = s.Token(t.Context(), creds.ID, creds.Secret, []string{"openid"})
	refused(t, err, oauth.ErrScope, http.StatusBadRequest, "Invalid Scope. Scopes must be one of ['"+strings.Join(oauth.ScopeNames(), "', '")+"'].")
}

// A token gives what is in it and what its client still has, never more.
func TestATokenLosesWhatItsClientLoses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, creds, err := s.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{
		Scopes: []string{"policy:read", "rule:read"}, Roles: []string{oauth.RoleRespondent},
	})
	require.NoError(t, err)
	token := s.token(t, creds)
	for _, step := range []struct {
		change oauth.ClientUpdate
		want   []string
	}{
		{oauth.ClientUpdate{Scopes: []string{"rule:read", "rule:delete"}}, []string{"privacy-request:manual-steps:respond", "rule:read", "user:read-own"}},
		{oauth.ClientUpdate{Roles: []string{oauth.RoleOwner}}, []string{"policy:read", "rule:read"}}, // the role has both
		{oauth.ClientUpdate{Scopes: []string{}}, []string{"policy:read", "rule:read"}},
		{oauth.ClientUpdate{Roles: []string{}}, []string{}},
		{oauth.ClientUpdate{Scopes: []string{"policy:read"}}, []string{"policy:read"}},
	} {
		_, err := s.UpdateClient(t.Context(), oauth.Host(), creds.ID, step.change)
		require.NoError(t, err)
		p, err := who(t.Context(), s, token.Value)
		require.NoError(t, err)
		require.Equal(t, step.want, append([]string{}, p.Scopes...))
	}
}

func TestTheRootClient(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.token(t, root())
	require.Less(t, len(token.Value), 500, "it has to fit into headers")
	p, err := who(t.Context(), s, token.Value)
	require.NoError(t, err)
	require.Equal(t, rootID, p.ClientID)
	require.Equal(t, oauth.ScopeNames(), p.Scopes)
	part := s.token(t, root(), "PRIVACY_REQUEST_READ")
	p, err = who(t.Context(), s, part.Value)
	require.NoError(t, err)
	require.Equal(t, []string{"privacy-request:read"}, p.Scopes)

	_, err = s.Token(t.Context(), rootID, rootSecret+"x", nil)
	refused(t, err, oauth.ErrCredentials, http.StatusUnauthorized, "Authentication Failure")

	tokens, err := s.Tokens(t.Context(), rootID, "", 0)
	require.NoError(t, err)
	require.Len(t, tokens, 2)
	require.NoError(t, s.RevokeToken(t.Context(), oauth.Host(), rootID, part.Info.ID))
	_, err = who(t.Context(), s, part.Value)
	notAuthorized(t, err)

	for name, other := range map[string]oauth.Credentials{
		"no longer configured": {},
		"another client":       {ID: "other", Secret: rootSecret},
		"another secret":       {ID: rootID, Secret: rootSecret + "2"},
	} {
		_, err = who(t.Context(), s.process(t, other), token.Value)
		require.ErrorIs(t, err, oauth.ErrForbidden, name)
	}
	_, err = s.process(t, oauth.Credentials{}).Token(t.Context(), rootID, rootSecret, nil)
	refused(t, err, oauth.ErrCredentials, http.StatusUnauthorized, "Authentication Failure")
	_, err = s.process(t, oauth.Credentials{}).Token(t.Context(), "", "", nil)
	refused(t, err, oauth.ErrCredentials, http.StatusUnauthorized, "Authentication Failure")
	_, err = who(t.Context(), s.process(t, root()), token.Value)
	require.NoError(t, err, "another process with the same root client")
}

func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds := s.client(t, "policy:read")
	other := s.client(t, "policy:read")
	server, err := oauth.New(&oauth.Options{Key: key(), Records: &flaky{Records: s.records, before: func(_ string, r oauth.Record) error {
		require.Regexp(t, `^[0-9A-Za-z]{1,200}$`, r.Key, "what is asked of the store")
		return nil
	}}})
	require.NoError(t, err)
	for _, c := range []oauth.Credentials{
		{ID: creds.ID, Secret: other.Secret},
		{ID: creds.ID, Secret: ""},
		{ID: creds.ID, Secret: creds.Secret + "x"},
		{ID: creds.ID, Secret: creds.Secret[:42]},
		{ID: strings.ToUpper(creds.ID), Secret: creds.Secret},
		{ID: "nobody", Secret: creds.Secret},
		{ID: "", Secret: creds.Secret},
		{ID: strings.Repeat("x", 1<<20), Secret: creds.Secret},
		{ID: "a/b", Secret: creds.Secret},
	} {
		_, err := server.Token(t.Context(), c.ID, c.Secret, nil)
		e := refused(t, err, oauth.ErrCredentials, http.StatusUnauthorized, "Authentication Failure")
		require.Equal(t, "invalid_client", e.Code)
		require.Equal(t, `Basic realm="oauth"`, e.Challenge)
		refused(t, s.Revoke(t.Context(), c.ID, c.Secret, "x"), oauth.ErrCredentials, http.StatusUnauthorized, "Authentication Failure")
	}
}

func TestRequestsWithoutABearerToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	value := s.token(t, root()).Value
	for name, headers := range map[string][]string{
		"none": nil, "empty": {""}, "basic": {"Basic " + value}, "bare": {value}, "no token": {"Bearer"}, "blank token": {"Bearer  "},
		"two": {"Bearer " + value, "Bearer " + value}, "glued": {"Bearer" + value},
	} {
		for _, v := range []oauth.Verifier{s, oauth.Chain(s), oauth.Chain()} {
			r := with("x")
			r.Header.Del("Authorization")
			for _, h := range headers {
				r.Header.Add("Authorization", h)
			}
			_, err := v.Authenticate(t.Context(), r)
			e := refused(t, err, oauth.ErrUnauthenticated, http.StatusUnauthorized, "Failed to authenticate")
			require.Equal(t, "Bearer", e.Challenge, name)
		}
	}
	r := with(value)
	r.Header.Set("Authorization", "bearer   "+value+" ")
	_, err := s.Authenticate(t.Context(), r)
	require.NoError(t, err)
}

// The syntax is that of RFC 6750 (2.1): one or more spaces, then letters, digits,
// and "-._~+/", and at the end "=".
func TestBearerToken(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 16<<10)
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bEARER abc": "abc", "Bearer   abc": "abc", "Bearer abc \t": "abc", "Bearer aZ09-._~+/==": "aZ09-._~+/==", "Bearer " + long: long,
	} {
		r := with("x")
		r.Header.Set("Authorization", header)
		got, err := oauth.BearerToken(r)
		require.NoError(t, err, header)
		require.Equal(t, want, got)
	}
	for _, header := range []string{"Bearer x" + long, "Bearer a b", "Bearer a,b", "Bearer \ta", "Bearer a\u00a0", "Bearer =", "Bearer a=b", "Bearer \"a\"", "Bearer \xff"} {
		r := post(formType, "token=abc&client_id=a&client_secret=b", header)
		_, err := oauth.BearerToken(r)
		e := refused(t, err, oauth.ErrForbidden, http.StatusForbidden, "Not Authorized for this action")
		require.Equal(t, "invalid_token", e.Code, header)
		_, err = oauth.ParseRevocationRequest(r)
		refused(t, err, oauth.ErrForbidden, http.StatusForbidden, "Not Authorized for this action")
	}
}

func TestTokensThatAreNone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	value := s.token(t, root()).Value
	parts := strings.Split(value, ".")
	seal := func(alg jose.KeyAlgorithm, key any, plain string) string {
		encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: alg, Key: key}, nil)
		require.NoError(t, err)
		jwe, err := encrypter.Encrypt([]byte(plain))
		require.NoError(t, err)
		out, err := jwe.CompactSerialize()
		require.NoError(t, err)
		return out
	}
	flipped := []byte(parts[3])
	flipped[5] ^= 1
	for name, token := range map[string]string{
		"garbage":        "garbage",
		"dots":           "....",
		"cut":            value[:len(value)-1],
		"longer":         value + "A",
		"flipped":        strings.Join([]string{parts[0], parts[1], parts[2], string(flipped), parts[4]}, "."),
		"host's own key": seal(jose.DIRECT, key(), `{"client-id":"fidesopsadmin","jti":"x","exp":9999999999}`),
		"other key":      seal(jose.DIRECT, make([]byte, 32), `{"client-id":"fidesopsadmin","jti":"x","exp":9999999999}`),
		"wrapped key":    seal(jose.A256KW, key(), `{}`),
		"password":       seal(jose.PBES2_HS256_A128KW, "x", `{}`),
		"JSON":           `{"protected":"e30","ciphertext":""}`,
		"too long":       strings.Repeat("x", 17<<10),
		"unsigned JWT":   base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + ".e30.",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := who(t.Context(), s, token)
			notAuthorized(t, err)
		})
	}
	_, err := who(t.Context(), s, strings.Repeat("x", 16<<10+1))
	require.Equal(t, "the token is too long", refused(t, err, oauth.ErrForbidden, http.StatusForbidden, "Not Authorized for this action").Reason)
	other, err := oauth.New(&oauth.Options{Records: s.records, Key: make([]byte, 32), Root: root(), Clock: s.clock.Now})
	require.NoError(t, err)
	_, err = who(t.Context(), other, value)
	notAuthorized(t, err)
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server, err := oauth.New(&oauth.Options{Records: s.records, Key: key(), Root: root(), Clock: s.clock.Now, TokenTTL: time.Minute})
	require.NoError(t, err)
	token, err := server.Token(t.Context(), rootID, rootSecret, nil)
	require.NoError(t, err)
	require.Equal(t, time.Minute, token.TTL)
	s.clock.Advance(time.Minute - time.Nanosecond)
	_, err = who(t.Context(), s, token.Value)
	require.NoError(t, err)
	s.clock.Advance(time.Nanosecond)
	_, err = who(t.Context(), s, token.Value)
	notAuthorized(t, err)
}

// What one process ends, another refuses at once.
func TestTokensEndAtOnceEverywhere(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *site, creds oauth.Credentials, token *oauth.Token) error{
		"revoked by its client": func(s *site, creds oauth.Credentials, token *oauth.Token) error {
			return s.Revoke(t.Context(), creds.ID, creds.Secret, token.Value)
		},
		"revoked by ID": func(s *site, creds oauth.Credentials, token *oauth.Token) error {
			return s.RevokeToken(t.Context(), oauth.Host(), creds.ID, token.Info.ID)
		},
		"all revoked": func(s *site, creds oauth.Credentials, _ *oauth.Token) error {
			return s.RevokeAll(t.Context(), oauth.Host(), creds.ID)
		},
		"record removed": func(s *site, creds oauth.Credentials, token *oauth.Token) error {
			return s.records.Delete(t.Context(), "token", creds.ID+"/"+token.Info.ID, 1)
		},
		"client deleted": func(s *site, creds oauth.Credentials, _ *oauth.Token) error {
			return s.DeleteClient(t.Context(), oauth.Host(), creds.ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			other := s.process(t, root())
			creds, bystander := s.client(t, "policy:read"), s.token(t, s.client(t, "policy:read"))
			token := s.token(t, creds)
			_, err := who(t.Context(), other, token.Value)
			require.NoError(t, err)
			require.NoError(t, end(s, creds, token))
			for _, v := range []oauth.Verifier{s, other} {
				_, err = who(t.Context(), v, token.Value)
				notAuthorized(t, err)
				_, err = who(t.Context(), v, bystander.Value)
				require.NoError(t, err)
			}
			if name != "client deleted" && name != "record removed" {
				require.NoError(t, end(s, creds, token), "again")
				tokens, err := s.Tokens(t.Context(), creds.ID, "", 0)
				require.NoError(t, err)
				require.Len(t, tokens, 1)
				require.True(t, tokens[0].Revoked)
				_, err = who(t.Context(), other, s.token(t, creds).Value)
				require.NoError(t, err, "a new token is good")
			}
		})
	}
}

func TestRevokingWhatIsNotOnesOwn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds, other := s.client(t, "policy:read"), s.client(t, "policy:read")
	token := s.token(t, creds)
	e := refused(t, s.Revoke(t.Context(), other.ID, other.Secret, token.Value), oauth.ErrForbidden, http.StatusBadRequest, "The token was issued to another client.")
	require.Equal(t, "invalid_grant", e.Code)
	for _, nothing := range []string{"", "garbage", strings.Repeat("x", 1<<20), token.Value + "A"} {
		require.NoError(t, s.Revoke(t.Context(), creds.ID, creds.Secret, nothing))
	}
	require.NoError(t, s.RevokeToken(t.Context(), oauth.Host(), creds.ID, "nothing"))
	_, err := who(t.Context(), s, token.Value)
	require.NoError(t, err)
}

func TestTokensAreListedInPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds, other := s.client(t, "policy:read"), s.client(t, "rule:read")
	want := map[string]oauth.TokenInfo{}
	for range 7 {
		info := s.token(t, creds).Info
		want[info.ID] = info
		s.token(t, other)
	}
	after, pages := "", 0
	for {
		page, err := s.Tokens(t.Context(), creds.ID, after, 3)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		pages++
		for _, info := range page {
			require.Greater(t, info.ID, after)
			require.Equal(t, want[info.ID], info)
			delete(want, info.ID)
			after = info.ID
		}
	}
	require.Equal(t, 3, pages)
	require.Empty(t, want)
}

// A token that is revoked while many authenticate is refused to all who begin
// afterwards.
func TestRevokeWhileAuthenticating(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds := s.client(t, "policy:read")
	token := s.token(t, creds)
	var revoked, done sync.WaitGroup
	revoked.Add(1)
	stop := make(chan struct{})
	errs := make(chan error, 4)
	for range 4 {
		done.Go(func() {
			for {
				select {
				case <-stop:
					revoked.Wait()
					_, err := who(t.Context(), s, token.Value)
					errs <- err
					return
				default:
					_, _ = who(t.Context(), s, token.Value)
				}
			}
		})
	}
	require.NoError(t, s.Revoke(t.Context(), creds.ID, creds.Secret, token.Value))
	revoked.Done()
	close(stop)
	done.Wait()
	for range 4 {
		notAuthorized(t, <-errs)
	}
}

// Two who revoke the same token at once both succeed.
func TestTwoRevocationsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds := s.client(t, "policy:read")
	token := s.token(t, creds)
	var both sync.WaitGroup
	both.Add(2)
	records := &flaky{Records: s.records, before: func(verb string, _ oauth.Record) error {
		if verb == "put" {
			both.Done()
			both.Wait()
		}
		return nil
	}}
	server, err := oauth.New(&oauth.Options{Records: records, Key: key(), Clock: s.clock.Now})
	require.NoError(t, err)
	errs := make(chan error, 2)
	for range 2 {
		go func() { errs <- server.Revoke(t.Context(), creds.ID, creds.Secret, token.Value) }()
	}
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
	_, err = who(t.Context(), s, token.Value)
	notAuthorized(t, err)
}

func TestATokenIsRevokedForWhoeverMayChangeClients(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.token(t, s.client(t, oauth.ScopeRequestRead))
	refused(t, s.RevokeFor(t.Context(), nil, token.Value), oauth.ErrUnauthenticated, http.StatusUnauthorized, "Failed to authenticate")
	reader := &oauth.Principal{ClientID: token.Info.ClientID, Scopes: []string{oauth.ScopeClientRead}}
	refused(t, s.RevokeFor(t.Context(), reader, token.Value), oauth.ErrForbidden, http.StatusForbidden,
		"Not Authorized for this action. Required scope(s): [client:update]")
	_, err := who(t.Context(), s, token.Value)
	require.NoError(t, err)

	editor := &oauth.Principal{ClientID: "another", Scopes: []string{oauth.ScopeClientUpdate}}
	refused(t, s.RevokeFor(t.Context(), editor, token.Value), oauth.ErrForbidden, http.StatusForbidden,
		"Cannot change a client with scopes that you do not have. Missing scopes: ['privacy-request:read']")
	editor.Scopes = append(editor.Scopes, oauth.ScopeRequestRead)
	for range 2 {
		require.NoError(t, s.RevokeFor(t.Context(), editor, token.Value))
		_, err = who(t.Context(), s, token.Value)
		notAuthorized(t, err)
	}
	for _, none := range []string{"", "x.y.z", strings.Repeat("x", 20<<10)} {
		require.NoError(t, s.RevokeFor(t.Context(), editor, none))
	}
}
