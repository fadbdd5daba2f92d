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
	// now, which is logged as it is: it must hold nothing personal, and no
	// part of a token.
	Authenticate(ctx context.Context, r *http.Request) (*Principal, error)
}

// Principal is whom a token belongs to, and what it allows.
type Principal struct {
	// Subject is the client's ID, or the subject at an identity provider
	// after its [OIDCOptions.SubjectPrefix].
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

// mayChange refuses clients that have more than the principal.
func (p *Principal) mayChange(c *Client) error {
	if p == nil {
		return unauthenticated("no principal")
	}
	if lacking := p.lacking(c.allowed()); len(lacking) > 0 {
		return above(lacking)
	}
	return nil
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
// else the refusal. Providers in it need an [OIDCOptions.SubjectPrefix] each, since
// subjects are one provider's own.
func Chain(verifiers ...Verifier) Verifier { return chain(slices.Clone(verifiers)) }

type chain []Verifier

func (c chain) Authenticate(ctx context.Context, r *http.Request) (*Principal, error) {
	if _, err := BearerToken(r); err != nil {
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

// maxToken bounds the bearer tokens that are looked at, in bytes.
const maxToken = 16 << 10

// BearerToken returns the token of a request: what follows "Bearer", in either
// case, and spaces in its one Authorization header (RFC 6750, 2.1). Tokens in the
// form or the query, which end up in logs, are not taken. It is an [*Error]: of
// [ErrUnauthenticated] if there is none, of [ErrForbidden] if it cannot be one,
// by its length, which is up to 16 KiB, or its characters.
func BearerToken(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", unauthenticated("one Authorization header is needed")
	}
	scheme, token, _ := strings.Cut(strings.TrimRight(values[0], " \t"), " ")
	token = strings.TrimLeft(token, " ")
	switch {
	case !strings.EqualFold(scheme, bearer) || token == "":
		return "", unauthenticated("the Authorization header holds no bearer token")
	case len(token) > maxToken:
		return "", forbidden("the token is too long")
	case !tokenSyntax(token):
		return "", forbidden("the token has characters that no bearer token has")
	}
	return token, nil
}

// tokenSyntax reports whether a text is a b64token (RFC 6750, 2.1).
func tokenSyntax(text string) bool {
	text = strings.TrimRight(text, "=")
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~+/", r)
	})
}
