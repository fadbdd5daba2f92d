package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"github.com/godsr/dsr"
)

const (
	// refreshPause is the least time between two attempts to read keys, so
	// that tokens with invented key IDs cannot make us flood the provider.
	refreshPause = 10 * time.Second
	// staleKeys is how long keys beyond their age serve while the provider
	// cannot be reached.
	staleKeys      = 24 * time.Hour
	requestTimeout = 10 * time.Second
	maxAnswer      = 1 << 20
)

// keySet holds the provider's keys. The library's own never forgets a key that
// was withdrawn, and asks the provider for every unknown one.
type keySet struct {
	issuer     string
	maxAge     time.Duration
	client     *http.Client
	clock      func() time.Time
	refreshing singleflight.Group

	mu     sync.Mutex
	keys   []jose.JSONWebKey
	read   time.Time // when the keys were read; zero for never
	tried  time.Time
	failed error // why the last attempt failed
}

func newKeySet(o *OIDCOptions, clock func() time.Time) *keySet {
	k := &keySet{issuer: o.Issuer, maxAge: o.KeysMaxAge, clock: clock, client: &http.Client{}}
	if k.maxAge == 0 {
		k.maxAge = DefaultKeysMaxAge
	}
	if o.Client != nil {
		*k.client = *o.Client
	}
	if k.client.Transport == nil {
		k.client.Transport = http.DefaultTransport
	}
	k.client.Transport = bounded{k.client.Transport}
	k.client.CheckRedirect = secureRedirect
	return k
}

// verify returns what a token says that one of the keys signed. Keys that are
// fresh need no request; neither do older ones while the provider is known to
// be away, so that nobody waits for it in vain.
func (k *keySet) verify(ctx context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	keys, fresh, away := k.cached()
	if fresh || away {
		if payload, ok := verify(jws, keys); ok {
			if !fresh {
				k.refresh(ctx)
			}
			return payload, nil
		}
	}
	select {
	case <-ctx.Done():
	case <-k.refresh(ctx):
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("oauth: read the keys of %s: %w", k.issuer, err)
	}
	if keys, _, _ = k.cached(); keys == nil {
		return nil, fmt.Errorf("oauth: the keys of %s cannot be had: %w: %w", k.issuer, k.failure(), dsr.ErrUnavailable)
	}
	payload, ok := verify(jws, keys)
	if !ok {
		return nil, forbidden("no key of the provider verifies the token")
	}
	return payload, nil
}

// cached returns the keys that may be used, nil if there are none, whether they
// need not be read again, and whether the last attempt to do so failed.
func (k *keySet) cached() (keys []jose.JSONWebKey, fresh, away bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := k.clock().Sub(k.read)
	if k.read.IsZero() || age >= k.maxAge+staleKeys {
		return nil, false, false
	}
	return k.keys, age < k.maxAge, k.failed != nil
}

// verify tries the keys of the token's ID, or all if it has none. A key that
// names its algorithm is used for no other (RFC 7517, 4.4).
func verify(jws *jose.JSONWebSignature, keys []jose.JSONWebKey) (payload []byte, ok bool) {
	header := jws.Signatures[0].Protected
	for i := range keys {
		key := &keys[i]
		if header.KeyID != "" && header.KeyID != key.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := jws.Verify(key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// refresh reads the keys once for all who ask, unless that was tried just now.
// Whether there are keys when it is done, [keySet.cached] tells.
func (k *keySet) refresh(ctx context.Context) <-chan singleflight.Result {
	return k.refreshing.DoChan("", func() (any, error) {
		now, due := k.due()
		if !due {
			return nil, nil
		}
		// One caller's end must not end it for the others.
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
		defer cancel()
		keys, err := k.fetch(detached)
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.failed = err; err == nil {
			k.keys, k.read = keys, now
		}
		return nil, nil
	})
}

// failure is why there are no keys.
func (k *keySet) failure() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed == nil {
		return errors.New("they were not read in time")
	}
	return k.failed
}

// due reports whether the last attempt is long enough ago for another, which
// begins then.
func (k *keySet) due() (now time.Time, due bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now = k.clock()
	if !k.tried.IsZero() && now.Sub(k.tried) < refreshPause {
		return now, false
	}
	k.tried = now
	return now, true
}

// fetch asks the provider where its keys are, and for them. Its errors quote
// addresses, but not what the provider says.
func (k *keySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, k.client), k.issuer)
	if err != nil {
		return nil, withoutAnswer(err)
	}
	var metadata struct {
		KeysURL string `json:"jwks_uri"`
	}
	if err := provider.Claims(&metadata); err != nil || !secureURL(metadata.KeysURL) {
		return nil, errors.New("its jwks_uri is no https URL")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, metadata.KeysURL, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("its jwks_uri answers with status %d", response.StatusCode)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(response.Body).Decode(&set); err != nil {
		return nil, errors.New("its jwks_uri answers with no JSON, or too much")
	}
	keys := []jose.JSONWebKey{}
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		// Keys of unknown kinds are passed over (RFC 7517, 5), and so are
		// symmetric ones and those that are not for signatures.
		if key.UnmarshalJSON(raw) == nil && key.IsPublic() && key.Valid() && (key.Use == "" || key.Use == "sig") {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no key for signatures")
	}
	return keys, nil
}

// withoutAnswer keeps what does not quote an answer.
func withoutAnswer(err error) error {
	var connection *url.Error
	if mismatch := new(oidc.IssuerMismatchError); errors.As(err, &connection) || errors.As(err, &mismatch) {
		return err
	}
	return errors.New("its openid-configuration is not there or cannot be read")
}

// secureRedirect keeps answers from being fetched in the clear.
func secureRedirect(r *http.Request, via []*http.Request) error {
	if len(via) >= 5 || !secureURL(r.URL.String()) {
		return errors.New("refused to follow a redirection")
	}
	return nil
}

// bounded cuts answers off.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxAnswer), response.Body}
	return response, nil
}
