package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// Defaults of [OIDCOptions].
const (
	DefaultSkew       = time.Minute
	DefaultKeysMaxAge = time.Hour
)

// OIDCOptions say whose tokens are accepted.
type OIDCOptions struct {
	// Issuer is the provider's URL, exactly as its tokens name it. What it
	// says of itself is read from Issuer/.well-known/openid-configuration,
	// when the first token comes. It must be https, http only on a loopback
	// address. Required.
	Issuer string
	// Audience is whom tokens must be for: one of these must be among a
	// token's "aud". Required: without it, tokens for any other service of
	// the provider would open this one.
	Audience []string
	// SubjectPrefix goes before each subject of a principal, such as "staff:".
	// Subjects are one provider's own: with several providers in a [Chain], or
	// one beside a [Server], give each a prefix of its own, so that two people
	// are never one in the audit trail and for limits. Defaults to none.
	SubjectPrefix string
	// Map says what claims allow: scopes in either spelling and roles; what
	// is neither counts for nothing. The claims are verified. It may be
	// called by many at once. Defaults to the scopes in the claim "scope",
	// or else "scp", and no roles.
	Map func(Claims) (scopes, roles []string)
	// Algorithms that tokens may be signed with, of RS, ES and PS with 256,
	// 384 and 512, and EdDSA. Defaults to RS256, ES256 and EdDSA. None and
	// HMAC are refused here.
	Algorithms []string
	// Skew is how far clocks may be apart, 5 minutes at most. Defaults to
	// [DefaultSkew]; negative for none.
	Skew time.Duration
	// KeysMaxAge is how long the provider's keys are used before they are
	// read again, and thus how long a key lives on that it withdrew. Unknown
	// keys are looked for at once, but no more than every ten seconds.
	// Defaults to [DefaultKeysMaxAge]. While the provider cannot be reached,
	// its last keys are good for another day.
	KeysMaxAge time.Duration
	// Client asks the provider; a request may take ten seconds and an answer
	// hold a megabyte. Defaults to [http.DefaultClient].
	Client *http.Client
	// Clock defaults to [time.Now].
	Clock func() time.Time
}

// OIDC verifies the tokens of an identity provider that speaks OpenID Connect:
// JWTs that it signs for this service. It is a [Verifier] and may be used by
// many goroutines.
type OIDC struct {
	issuer     string
	prefix     string
	audience   []string
	mapClaims  func(Claims) (scopes, roles []string)
	algorithms []jose.SignatureAlgorithm
	skew       time.Duration
	clock      func() time.Time
	keys       *keySet
}

var _ Verifier = (*OIDC)(nil)

// NewOIDC returns a verifier. It does not connect. The error tells every fault
// of the options.
func NewOIDC(o *OIDCOptions) (*OIDC, error) {
	if o == nil {
		o = &OIDCOptions{}
	}
	v := &OIDC{issuer: o.Issuer, prefix: o.SubjectPrefix, audience: slices.Clone(o.Audience), mapClaims: o.Map, skew: o.Skew, clock: o.Clock}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !secureURL(o.Issuer) || strings.Contains(o.Issuer, "?") {
		fault("Issuer: an https URL is needed, or http on a loopback address")
	}
	if len(v.audience) == 0 || slices.Contains(v.audience, "") {
		fault("Audience: what tokens for this service name in \"aud\" is needed")
	}
	algorithms := o.Algorithms
	if len(algorithms) == 0 {
		algorithms = []string{oidc.RS256, oidc.ES256, oidc.EdDSA}
	}
	for _, a := range algorithms {
		if !slices.Contains([]string{
			oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
		}, a) {
			fault("Algorithms: %q is none of RS, ES and PS with 256, 384 and 512, and EdDSA", a)
		}
		v.algorithms = append(v.algorithms, jose.SignatureAlgorithm(a))
	}
	if v.skew == 0 {
		v.skew = DefaultSkew
	}
	v.skew = max(v.skew, 0)
	if v.skew > 5*time.Minute {
		fault("Skew: %v is more than 5 minutes", v.skew)
	}
	if o.KeysMaxAge < 0 {
		fault("KeysMaxAge: %v is negative", o.KeysMaxAge)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("oauth: the options for the identity provider are wrong: %w", err)
	}
	if v.mapClaims == nil {
		v.mapClaims = mapScopes
	}
	if v.clock == nil {
		v.clock = time.Now
	}
	v.keys = newKeySet(o, v.clock)
	return v, nil
}

// secureURL reports whether a URL is safe to trust answers from.
func secureURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	host := u.Hostname()
	return u.Scheme == "https" || u.Scheme == "http" && (host == "localhost" || host == "127.0.0.1" || host == "::1")
}

// Authenticate implements [Verifier]: the token must be signed by a key of the
// provider, by an algorithm that is allowed, for this audience, and be alive.
// While the provider's keys cannot be had it is [dsr.ErrUnavailable].
func (v *OIDC) Authenticate(ctx context.Context, r *http.Request) (*Principal, error) {
	value, err := BearerToken(r)
	if err != nil {
		return nil, err
	}
	jws, err := v.parse(value)
	if err != nil {
		return nil, err
	}
	payload, err := v.keys.verify(ctx, jws)
	if err != nil {
		return nil, err
	}
	claims := Claims{}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, forbidden("the token's claims cannot be read")
	}
	if issuer, _ := claims["iss"].(string); issuer != v.issuer {
		return nil, forbidden("the token is of another issuer")
	}
	if !slices.ContainsFunc(v.audience, claims.audience) {
		return nil, forbidden("the token is for another audience")
	}
	expires, err := v.checkTimes(claims)
	if err != nil {
		return nil, err
	}
	subject, _ := claims["sub"].(string)
	if subject == "" {
		return nil, forbidden("the token has no subject")
	}
	return v.principal(subject, claims, expires), nil
}

// parse refuses what is no token for a service before its signature is looked
// at: other algorithms, and JWTs of other types, such as those that end
// sessions (RFC 8725, 3.11).
func (v *OIDC) parse(value string) (*jose.JSONWebSignature, error) {
	jws, err := jose.ParseSignedCompact(value, v.algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, forbidden("the token is no JWT that is signed with an allowed algorithm")
	}
	kind, _ := jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType].(string)
	switch strings.TrimPrefix(strings.ToLower(kind), "application/") {
	case "", "jwt", "at+jwt":
		return jws, nil
	}
	return nil, forbidden("the token is a JWT of another type")
}

// checkTimes heeds "exp", which it returns, "nbf" and "iat" (RFC 7519, 4.1). A
// token that names no end has ended.
func (v *OIDC) checkTimes(c Claims) (expires time.Time, err error) {
	times := map[string]float64{}
	for _, name := range []string{"exp", "nbf", "iat"} {
		value, there := c[name]
		seconds, number := value.(float64)
		if there && !number {
			return expires, forbidden("the token's " + name + " is no time")
		}
		times[name] = seconds
	}
	now := float64(v.clock().UnixNano()) / 1e9
	skew := v.skew.Seconds()
	switch {
	case now >= times["exp"]+skew:
		return expires, forbidden("the token has expired")
	case now < times["nbf"]-skew:
		return expires, forbidden("the token is not good yet")
	case now < times["iat"]-skew:
		return expires, forbidden("the token is from the future")
	}
	return time.Unix(int64(min(times["exp"], endOfTime)), 0).UTC(), nil
}

// endOfTime is in the year 9999, the last that JSON can tell.
const endOfTime = 253402300799

// principal is what the claims allow.
func (v *OIDC) principal(subject string, claims Claims, expires time.Time) *Principal {
	spellings, roles := v.mapClaims(claims)
	scopes := roleScopes(roles)
	for _, spelling := range spellings {
		if name, ok := ParseScope(spelling); ok {
			scopes = append(scopes, name)
		}
	}
	client, ok := claims["azp"].(string)
	if !ok {
		client, _ = claims["client_id"].(string)
	}
	return &Principal{Subject: v.prefix + subject, ClientID: client, Scopes: sorted(scopes), Expires: expires}
}
