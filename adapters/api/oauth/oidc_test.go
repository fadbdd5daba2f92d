package oauth_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

func TestTokensOfAProvider(t *testing.T) {
	t.Parallel()
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			s := newSigner(t, "k1", alg)
			p := newProvider(t, s.public())
			v := p.verifier(t, newClock(), nil)
			require.Equal(t, &oauth.Principal{
				Subject: "ada@example.com", ClientID: "desk", Scopes: []string{"policy:read", "privacy-request:read"}, Expires: start.Add(10 * time.Minute),
			}, accepted(t.Context(), t, v, s.sign(t, p.claims())))

			for name, claims := range map[string]map[string]any{
				"several audiences": p.claims("aud", []string{"other", "dsr"}),
				"no times":          p.claims("iat", nil, "nbf", nil),
				"a lasting token":   p.claims("exp", 1e30),
			} {
				require.NotNil(t, accepted(t.Context(), t, v, s.sign(t, claims)), name)
			}
			for _, typ := range []string{"at+jwt", "application/at+jwt", "jwt"} {
				accepted(t.Context(), t, v, s.sign(t, p.claims(), map[jose.HeaderKey]any{"typ": typ}))
			}
			require.Equal(t, 1, p.times(), "the keys are read once")
		})
	}
}

func TestTokensThatAProviderDidNotMean(t *testing.T) {
	t.Parallel()
	s, stranger := newSigner(t, "k1", jose.RS256), newSigner(t, "k1", jose.RS256)
	ps := signer{id: "k1", alg: jose.PS256, private: s.private}
	unknown := signer{id: "k2", alg: jose.RS256, private: stranger.private}
	p := newProvider(t, s.public(), map[string]any{"kty": "oct", "kid": "k1", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"},
		map[string]any{"kty": "unheard of"}, "no key")
	der, err := x509.MarshalPKIXPublicKey(s.public().Key)
	require.NoError(t, err)
	jwk, err := s.public().MarshalJSON()
	require.NoError(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	hmac := func(secret []byte) string {
		return signer{id: "k1", alg: jose.HS256, private: secret}.sign(t, p.claims())
	}
	at := func(d time.Duration) int64 { return start.Add(d).Unix() }
	good := s.sign(t, p.claims())
	for name, token := range map[string]string{
		"expired":                p.token(t, s, "exp", at(-time.Minute)),
		"without end":            p.token(t, s, "exp", nil),
		"with an end in words":   p.token(t, s, "exp", "tomorrow"),
		"not good yet":           p.token(t, s, "nbf", at(time.Minute+time.Second)),
		"from the future":        p.token(t, s, "iat", at(time.Minute+time.Second)),
		"wrong audience":         p.token(t, s, "aud", "other"),
		"part of an audience":    p.token(t, s, "aud", "dsr other"),
		"no audience":            p.token(t, s, "aud", nil),
		"audiences of others":    p.token(t, s, "aud", []string{"a", "b"}),
		"wrong issuer":           p.token(t, s, "iss", "https://other.example.com"),
		"issuer with a slash":    p.token(t, s, "iss", p.URL+"/"),
		"no issuer":              p.token(t, s, "iss", nil),
		"no subject":             p.token(t, s, "sub", nil),
		"signed by a stranger":   stranger.sign(t, p.claims()),
		"unknown key":            unknown.sign(t, p.claims()),
		"algorithm not allowed":  ps.sign(t, p.claims()),
		"none":                   unsigned(t, `{"alg":"none","typ":"JWT"}`, p.claims()),
		"None":                   unsigned(t, `{"alg":"None"}`, p.claims()),
		"no algorithm":           unsigned(t, `{}`, p.claims()),
		"no signature":           unsigned(t, `{"alg":"RS256","kid":"k1"}`, p.claims()),
		"HMAC with the PEM":      hmac(public),
		"HMAC with the DER":      hmac(der),
		"HMAC with the JWK":      hmac(jwk),
		"HMAC with the set's":    hmac([]byte("secret-secret-secret-secret-secret")),
		"ends a session":         s.sign(t, p.claims(), map[jose.HeaderKey]any{"typ": "logout+jwt"}),
		"no claims":              s.sign(t, nil),
		"cut":                    good[:len(good)-4],
		"garbage":                "garbage",
		"a JWE":                  "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAAAA",
		"with an unknown demand": s.sign(t, p.claims(), map[jose.HeaderKey]any{"crit": []string{"x"}, "x": 1}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := p.verifier(t, newClock(), nil)
			_, err := who(t.Context(), v, token)
			notAuthorized(t, err)
			accepted(t.Context(), t, v, good)
		})
	}
}

// token is one with other claims.
func (p *provider) token(t *testing.T, s signer, changes ...any) string {
	t.Helper()
	return s.sign(t, p.claims(changes...))
}

func TestClocksThatAreApart(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jose.ES256)
	p := newProvider(t, s.public())
	for skew, far := range map[time.Duration]time.Duration{0: time.Minute, -1: 0, 3 * time.Minute: 3 * time.Minute} {
		v := p.verifier(t, newClock(), func(o *oauth.OIDCOptions) { o.Skew = skew })
		for _, name := range []string{"nbf", "iat"} {
			accepted(t.Context(), t, v, p.token(t, s, name, start.Add(far).Unix()))
			_, err := who(t.Context(), v, p.token(t, s, name, start.Add(far+time.Second).Unix()))
			notAuthorized(t, err)
		}
		accepted(t.Context(), t, v, p.token(t, s, "exp", start.Add(time.Second-far).Unix()))
		_, err := who(t.Context(), v, p.token(t, s, "exp", start.Add(-far).Unix()))
		notAuthorized(t, err)
	}
}

func TestAlgorithmsThatAreAllowed(t *testing.T) {
	t.Parallel()
	ps, rs := newSigner(t, "k1", jose.PS256), newSigner(t, "k2", jose.RS256)
	p := newProvider(t, ps.public(), rs.public())
	v := p.verifier(t, newClock(), func(o *oauth.OIDCOptions) { o.Algorithms = []string{"PS256"} })
	accepted(t.Context(), t, v, ps.sign(t, p.claims()))
	_, err := who(t.Context(), v, rs.sign(t, p.claims()))
	notAuthorized(t, err)
	// A key that names its algorithm is used for no other.
	both := p.verifier(t, newClock(), func(o *oauth.OIDCOptions) { o.Algorithms = []string{"PS256", "RS256"} })
	_, err = who(t.Context(), both, signer{id: "k2", alg: jose.PS256, private: rs.private}.sign(t, p.claims()))
	notAuthorized(t, err)
}

func TestClaimsAreMapped(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jose.ES256)
	p := newProvider(t, s.public())
	plain := p.verifier(t, newClock(), nil)
	require.Equal(t, []string{"rule:read"}, accepted(t.Context(), t, plain, p.token(t, s, "scope", nil, "scp", []any{"rule:read", 7, "admin"})).Scopes)
	require.Empty(t, accepted(t.Context(), t, plain, p.token(t, s, "scope", nil, "roles", []string{"owner"})).Scopes, "no roles by default")
	require.Equal(t, "cli", accepted(t.Context(), t, plain, p.token(t, s, "azp", nil, "client_id", "cli")).ClientID)

	mapped := p.verifier(t, newClock(), func(o *oauth.OIDCOptions) {
		o.Map = func(c oauth.Claims) (scopes, roles []string) {
			return c.Strings("permissions"), c.Strings("realm_access", "roles")
		}
	})
	token := p.token(t, s, "permissions", []string{"policy:delete", "nonsense"}, "realm_access", map[string]any{"roles": []string{"respondent", "nobody"}})
	require.Equal(t, []string{"policy:delete", "privacy-request:manual-steps:respond", "user:read-own"}, accepted(t.Context(), t, mapped, token).Scopes)
	require.Empty(t, accepted(t.Context(), t, mapped, p.token(t, s, "realm_access", "roles")).Scopes)
}

func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	first, second := newSigner(t, "k1", jose.ES256), newSigner(t, "k2", jose.ES256)
	p := newProvider(t, first.public())
	c := newClock()
	v := p.verifier(t, c, nil)
	accepted(t.Context(), t, v, first.sign(t, p.claims()))

	p.set(func() { p.keys = []any{first.public(), second.public()} })
	_, err := who(t.Context(), v, second.sign(t, p.claims()))
	notAuthorized(t, err) // the keys were read less than ten seconds ago
	c.Advance(10 * time.Second)
	accepted(t.Context(), t, v, second.sign(t, p.claims()))
	accepted(t.Context(), t, v, first.sign(t, p.claims()))
	require.Equal(t, 2, p.times())

	// A key that is withdrawn is good until the keys are read again.
	p.set(func() { p.keys = []any{second.public()} })
	c.Advance(time.Hour - time.Nanosecond)
	accepted(t.Context(), t, v, p.token(t, first, "exp", start.Add(2*time.Hour).Unix()))
	c.Advance(time.Nanosecond)
	_, err = who(t.Context(), v, p.token(t, first, "exp", start.Add(2*time.Hour).Unix()))
	notAuthorized(t, err)
	accepted(t.Context(), t, v, p.token(t, second, "exp", start.Add(2*time.Hour).Unix()))
	require.Equal(t, 3, p.times())
}

func TestInventedKeysDoNotFloodTheProvider(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jose.ES256)
	p := newProvider(t, s.public())
	c := newClock()
	v := p.verifier(t, c, nil)
	for range 100 {
		_, err := who(t.Context(), v, signer{id: "invented", alg: jose.ES256, private: s.private}.sign(t, p.claims()))
		notAuthorized(t, err)
	}
	require.Equal(t, 1, p.times())
	c.Advance(10 * time.Second)
	for range 100 {
		_, err := who(t.Context(), v, signer{id: "invented", alg: jose.ES256, private: s.private}.sign(t, p.claims()))
		notAuthorized(t, err)
	}
	require.Equal(t, 2, p.times())
}

func unavailable(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, dsr.ErrUnavailable)
	require.NotErrorIs(t, err, oauth.ErrForbidden)
	require.NotContains(t, err.Error(), "canary")
}

func TestAProviderThatIsDownAtFirst(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jose.ES256)
	p := newProvider(t, s.public())
	p.set(func() { p.down = true })
	c := newClock()
	v := p.verifier(t, c, nil)
	for range 3 {
		_, err := who(t.Context(), v, s.sign(t, p.claims()))
		unavailable(t, err)
		require.EqualError(t, err, "oauth: the keys of "+p.URL+" cannot be had: its openid-configuration is not there or cannot be read: dsr: unavailable for now")
	}
	p.set(func() { p.down = false })
	c.Advance(10 * time.Second)
	accepted(t.Context(), t, v, s.sign(t, p.claims()))
}

func TestAProviderThatGoesDown(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jose.ES256)
	p := newProvider(t, s.public())
	c := newClock()
	v := p.verifier(t, c, nil)
	lasting := p.token(t, s, "exp", start.Add(1000*time.Hour).Unix())
	accepted(t.Context(), t, v, lasting)
	p.Close()
	c.Advance(25*time.Hour - time.Second)
	accepted(t.Context(), t, v, lasting)
	_, err := who(t.Context(), v, unsigned(t, `{"alg":"none"}`, p.claims()))
	notAuthorized(t, err)
	c.Advance(time.Second)
	_, err = who(t.Context(), v, lasting)
	unavailable(t, err)
}

// While the provider is known to be away, good tokens do not wait for it.
func TestAProviderThatHangs(t *testing.T) {
	t.Parallel()
	first, second := newSigner(t, "k1", jose.ES256), newSigner(t, "k2", jose.ES256)
	p := newProvider(t, first.public())
	c := newClock()
	v := p.verifier(t, c, nil)
	lasting := p.token(t, first, "exp", start.Add(1000*time.Hour).Unix())
	accepted(t.Context(), t, v, lasting)

	p.set(func() { p.down = true })
	c.Advance(time.Hour)
	accepted(t.Context(), t, v, lasting) // waited for an answer, which was an error

	wait := make(chan struct{})
	p.set(func() { p.down, p.wait, p.keys = false, wait, []any{second.public()} })
	c.Advance(10 * time.Second)
	accepted(t.Context(), t, v, lasting)
	<-p.arrived // it was asked meanwhile
	accepted(t.Context(), t, v, lasting)

	close(wait)
	accepted(t.Context(), t, v, p.token(t, second, "exp", start.Add(1000*time.Hour).Unix()))
	_, err := who(t.Context(), v, lasting)
	notAuthorized(t, err)
}

func TestAProviderThatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jose.ES256)
	for name, c := range map[string]struct {
		metadata map[string]any
		keys     []any
		want     string
	}{
		"another issuer": {map[string]any{"issuer": "https://other.example.com"}, nil, "did not match the issuer"},
		"keys in the clear": {
			map[string]any{"jwks_uri": "http://other.example.com/keys"}, nil, "its jwks_uri is no https URL",
		},
		"no keys":           {map[string]any{"jwks_uri": nil}, nil, "its jwks_uri is no https URL"},
		"keys not there":    {nil, []any{}, "it has no key for signatures"},
		"keys to encrypt":   {nil, []any{map[string]any{"kty": "oct", "k": "c2VjcmV0"}}, "it has no key for signatures"},
		"private keys":      {nil, []any{jose.JSONWebKey{Key: s.private, KeyID: "k1"}}, "it has no key for signatures"},
		"metadata too long": {map[string]any{"x": make([]byte, 1<<20)}, nil, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, s.public())
			p.set(func() {
				p.metadata = c.metadata
				if c.keys != nil {
					p.keys = c.keys
				}
			})
			_, err := who(t.Context(), p.verifier(t, newClock(), nil), s.sign(t, p.claims()))
			unavailable(t, err)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestKeysAreNotFollowedIntoTheClear(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jose.ES256)
	p := newProvider(t, s.public())
	p.set(func() { p.metadata = map[string]any{"jwks_uri": p.URL + "/moved"} })
	p.Config.Handler.(*http.ServeMux).Handle("GET /moved", http.RedirectHandler("http://other.example.com/keys", http.StatusFound))
	_, err := who(t.Context(), p.verifier(t, newClock(), nil), s.sign(t, p.claims()))
	unavailable(t, err)
	require.ErrorContains(t, err, "refused to follow a redirection")
}

// Whoever cannot wait gets no verdict; the others get the keys that one asked
// for.
func TestManyWaitForTheKeys(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jose.ES256)
	p := newProvider(t, s.public())
	wait := make(chan struct{})
	p.set(func() { p.wait = wait })
	v := p.verifier(t, newClock(), nil)
	token := s.sign(t, p.claims())
	impatient, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := who(impatient, v, token)
		first <- err
	}()
	<-p.arrived // it asks for all
	const many = 8
	errs := make(chan error, many)
	for range many {
		go func() {
			_, err := who(t.Context(), v, token)
			errs <- err
		}()
	}
	cancel()
	err := <-first
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, oauth.ErrForbidden)
	close(wait)
	for range many {
		require.NoError(t, <-errs)
	}
	require.Equal(t, 1, p.times())
}

func TestEveryFaultOfOIDCOptionsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := oauth.NewOIDC(&oauth.OIDCOptions{
		Issuer: "http://id.example.com", Algorithms: []string{"none", "RS256", "HS256"}, Skew: time.Hour, KeysMaxAge: -1,
	})
	require.EqualError(t, err, `oauth: the options for the identity provider are wrong: Issuer: an https URL is needed, or http on a loopback address
Audience: what tokens for this service name in "aud" is needed
Algorithms: "none" is none of RS, ES and PS with 256, 384 and 512, and EdDSA
Algorithms: "HS256" is none of RS, ES and PS with 256, 384 and 512, and EdDSA
Skew: 1h0m0s is more than 5 minutes
KeysMaxAge: -1ns is negative`)
	for _, issuer := range []string{"", "id.example.com", "https://", "https://u:p@id.example.com", "https://id.example.com?x", "https://id.example.com#x", "http://127.0.0.1.example.com", "ftp://localhost"} {
		_, err := oauth.NewOIDC(&oauth.OIDCOptions{Issuer: issuer, Audience: []string{"dsr"}})
		require.ErrorContains(t, err, "Issuer: an https URL", issuer)
	}
	_, err = oauth.NewOIDC(nil)
	require.ErrorContains(t, err, "Issuer: ")
	_, err = oauth.NewOIDC(&oauth.OIDCOptions{Issuer: "https://id.example.com", Audience: []string{"dsr", ""}})
	require.ErrorContains(t, err, "Audience: ")
}

func TestChain(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	s := newSigner(t, "k1", jose.ES256)
	p := newProvider(t, s.public())
	c := newClock()
	chain := oauth.Chain(site, p.verifier(t, c, nil))
	require.Equal(t, rootID, accepted(t.Context(), t, chain, site.token(t, root()).Value).Subject)
	require.Equal(t, "ada@example.com", accepted(t.Context(), t, chain, s.sign(t, p.claims())).Subject)
	staff := p.verifier(t, c, func(o *oauth.OIDCOptions) { o.SubjectPrefix = "staff:" })
	require.Equal(t, "staff:ada@example.com", accepted(t.Context(), t, oauth.Chain(site, staff), s.sign(t, p.claims())).Subject)
	_, err := who(t.Context(), chain, "garbage")
	notAuthorized(t, err)
	_, err = who(t.Context(), oauth.Chain(), "garbage")
	notAuthorized(t, err)

	// A provider that is down makes nothing good, and nothing bad that it
	// might have known.
	p.Close()
	down := oauth.Chain(p.verifier(t, c, nil), site)
	accepted(t.Context(), t, down, site.token(t, root()).Value)
	_, err = who(t.Context(), down, s.sign(t, p.claims()))
	unavailable(t, err)
	_, err = who(t.Context(), down, "garbage")
	notAuthorized(t, err)
}
