package oauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/oauth"
)

// provider is a small identity provider.
type provider struct {
	*httptest.Server
	mu       sync.Mutex
	keys     []any // what the key set holds
	down     bool
	metadata map[string]any // set on top of what is right
	asked    int            // for keys
	wait     chan struct{}  // answers wait for it, if it is there
	arrived  chan struct{}  // and tell it before
}

func newProvider(t *testing.T, keys ...any) *provider {
	t.Helper()
	p := &provider{keys: keys, arrived: make(chan struct{}, 10)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		answer := map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/keys?of=all"}
		maps.Copy(answer, p.metadata)
		p.answer(w, answer)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		p.asked++
		wait := p.wait
		p.mu.Unlock()
		if wait != nil {
			p.arrived <- struct{}{}
			<-wait
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.answer(w, map[string]any{"keys": p.keys})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) answer(w http.ResponseWriter, body any) {
	if p.down {
		http.Error(w, "canary: internal details", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// set changes the provider under its lock.
func (p *provider) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *provider) times() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// signer is a key pair of the provider.
type signer struct {
	id      string
	alg     jose.SignatureAlgorithm
	private any
}

func newSigner(t *testing.T, id string, alg jose.SignatureAlgorithm) signer {
	t.Helper()
	s := signer{id: id, alg: alg}
	var err error
	switch alg {
	case jose.RS256, jose.PS256:
		s.private, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.ES256:
		s.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, s.private, err = ed25519.GenerateKey(rand.Reader)
	}
	require.NoError(t, err)
	return s
}

// public is the key as the provider publishes it.
func (s signer) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: s.private.(crypto.Signer).Public(), KeyID: s.id, Algorithm: string(s.alg), Use: "sig"}
}

// sign makes a token. Headers are set on top of what is right.
func (s signer) sign(t *testing.T, claims map[string]any, headers ...map[jose.HeaderKey]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	for _, h := range headers {
		for k, v := range h {
			options.WithHeader(k, v)
		}
	}
	sign, err := jose.NewSigner(jose.SigningKey{Algorithm: s.alg, Key: jose.JSONWebKey{Key: s.private, KeyID: s.id}}, options)
	require.NoError(t, err)
	plain, err := json.Marshal(claims)
	require.NoError(t, err)
	jws, err := sign.Sign(plain)
	require.NoError(t, err)
	token, err := jws.CompactSerialize()
	require.NoError(t, err)
	return token
}

// unsigned joins a header and claims without a signature.
func unsigned(t *testing.T, header string, claims map[string]any) string {
	t.Helper()
	plain, err := json.Marshal(claims)
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(plain) + "."
}

// claims are those of a good token, changed by pairs of names and values; nil
// removes one.
func (p *provider) claims(changes ...any) map[string]any {
	c := map[string]any{
		"iss": p.URL, "aud": "dsr", "sub": "ada@example.com", "azp": "desk", "scope": "openid policy:read PRIVACY_REQUEST_READ",
		"exp": start.Unix() + 600, "iat": start.Unix(), "nbf": start.Unix(),
	}
	for i := 0; i < len(changes); i += 2 {
		if name := fmt.Sprint(changes[i]); changes[i+1] == nil {
			delete(c, name)
		} else {
			c[name] = changes[i+1]
		}
	}
	return c
}

// verifier trusts the provider.
func (p *provider) verifier(t *testing.T, c *clock, change func(*oauth.OIDCOptions)) *oauth.OIDC {
	t.Helper()
	o := &oauth.OIDCOptions{Issuer: p.URL, Audience: []string{"dsr"}, Clock: c.Now}
	if change != nil {
		change(o)
	}
	v, err := oauth.NewOIDC(o)
	require.NoError(t, err)
	return v
}

func accepted(ctx context.Context, t *testing.T, v oauth.Verifier, token string) *oauth.Principal {
	t.Helper()
	p, err := who(ctx, v, token)
	require.NoError(t, err)
	return p
}
