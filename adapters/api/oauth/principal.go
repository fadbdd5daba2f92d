package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Verifier says who a request comes from.
type Verifier interface {
	// Authenticate returns whom the bearer token of a request belongs to. It
	// is an [*Error] when the token is missing ([ErrUnauthenticated]) or not
	// good ([ErrForbidden]), and any other error when that cannot be told
	// now.
	Authenticate(ctx context.Context, r *http.Request) (*Principal, error)
}

// Principal is whom a token belongs to, and what it allows.
type Principal struct {
	// Subject is the client's ID, or the subject at an identity provider.
	Subject string
	// ClientID is the client that got the token; empty if a provider did not
	// say.
	ClientID string
	// Scopes by name, sorted; those of roles are among them.
	Scopes []string
	// Expires is when the token ends, in UTC; zero if it is no token's.
	Expires time.Time
}

// Host is a principal with every scope, for what the host itself does: to make
// its first client, say.
func Host() *Principal { return &Principal{Subject: "host", Scopes: ScopeNames()} }

// Require returns nil if the principal has all the scopes, by name, else an
// [*Error] that is [ErrForbidden] and names them. For nil it is
// [ErrUnauthenticated].
func (p *Principal) Require(scopes ...string) error {
	switch {
	case p == nil:
		return unauthenticated("no principal")
	case len(p.lacking(scopes)) > 0:
		return missing(scopes)
	}
	return nil
}

// lacking returns those of the scopes that the principal has not.
func (p *Principal) lacking(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return slices.Contains(p.Scopes, s) })
}

// mayGrant refuses scopes and roles beyond those of the principal.
func (p *Principal) mayGrant(scopes, roles []string) error {
	if p == nil {
		return unauthenticated("no principal")
	}
	if lacking := p.lacking(sorted(slices.Concat(scopes, roleScopes(roles)))); len(lacking) > 0 {
		return beyond(lacking)
	}
	return nil
}

// Format implements [fmt.Formatter] for every verb without the subject, who
// may be a person.
func (p Principal) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{client %q with %d scopes}", p.ClientID, len(p.Scopes))
}

// LogValue implements [slog.LogValuer] without the subject.
func (p Principal) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(p)) }

// MarshalJSON implements [json.Marshaler] without the subject.
func (p Principal) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(p)) }

// Chain asks verifiers in turn, until one accepts the token. If none does, the
// first error that is no refusal is returned, since that verifier might have;
// else the refusal.
func Chain(verifiers ...Verifier) Verifier { return chain(slices.Clone(verifiers)) }

type chain []Verifier

func (c chain) Authenticate(ctx context.Context, r *http.Request) (*Principal, error) {
	if _, err := bearerToken(r); err != nil {
		return nil, err
	}
	refusal := forbidden("no verifier knows the token")
	var unclear error
	for _, v := range c {
		p, err := v.Authenticate(ctx, r)
		switch {
		case err == nil:
			return p, nil
		case errors.Is(err, ErrForbidden) || errors.Is(err, ErrUnauthenticated):
			refusal = err
		case unclear == nil:
			unclear = err
		}
	}
	if unclear != nil {
		return nil, unclear
	}
	return nil, refusal
}

// maxToken bounds the bearer tokens that are looked at.
const maxToken = 16 << 10

// bearerToken returns the token of a request (RFC 6750, 2.1). Tokens in the
// form or the query, which end up in logs, are not taken.
func bearerToken(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", unauthenticated("one Authorization header is needed")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	if !strings.EqualFold(scheme, bearer) || token == "" {
		return "", unauthenticated("the Authorization header holds no bearer token")
	}
	if len(token) > maxToken {
		return "", forbidden("the token is too long")
	}
	return token, nil
}
