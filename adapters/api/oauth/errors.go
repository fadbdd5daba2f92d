package oauth

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// What an [*Error] is about, for [errors.Is].
var (
	// ErrUnauthenticated: the request brings no bearer token.
	ErrUnauthenticated = errors.New("oauth: no bearer token")
	// ErrForbidden: the token is not good, or does not allow this.
	ErrForbidden = errors.New("oauth: not allowed")
	// ErrCredentials: there is no such client with such a secret.
	ErrCredentials = errors.New("oauth: wrong client credentials")
	// ErrNoClient: there is no such client.
	ErrNoClient = errors.New("oauth: no such client")
	// ErrScope: there is no such scope or role, or it may not be had.
	ErrScope = errors.New("oauth: wrong scope")
	// ErrRequest: the request does not follow RFC 6749 or RFC 7009.
	ErrRequest = errors.New("oauth: wrong request")
	// ErrLimited: there were too many requests.
	ErrLimited = errors.New("oauth: too many requests")
)

// Error is a refusal that a handler sends on: status, headers, and
// {"detail": Detail}, with Code where clients of OAuth look for it. No field but
// Reason tells more than the other side may know, and none holds a secret.
// Errors of other types are faults of this side, or of a store or a provider
// that cannot be reached.
type Error struct {
	// Status of the answer.
	Status int
	// Detail is its text, in Fides' words.
	Detail string
	// Code is the error code of RFC 6749 (5.2) or RFC 6750 (3.1), for the
	// member "error" of what a token endpoint answers. May be empty.
	Code string
	// Challenge is the value of the header WWW-Authenticate; empty for none.
	Challenge string
	// RetryAfter is when it may be tried again, in whole seconds; 0 for no
	// header.
	RetryAfter time.Duration
	// Reason says more, for logs only.
	Reason string

	kind error
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

// Unwrap returns one of the Err values of this package.
func (e *Error) Unwrap() error { return e.kind }

const (
	notAuthorized = "Not Authorized for this action"
	bearer        = "Bearer"
)

func unauthenticated(reason string) error {
	return &Error{
		Status: http.StatusUnauthorized, Detail: "Failed to authenticate", Challenge: bearer, Reason: reason, kind: ErrUnauthenticated,
	}
}

// forbidden refuses a token.
func forbidden(reason string) error {
	return &Error{Status: http.StatusForbidden, Detail: notAuthorized, Code: "invalid_token", Reason: reason, kind: ErrForbidden}
}

// missing refuses a principal that lacks a scope.
func missing(required []string) error {
	return &Error{
		Status: http.StatusForbidden, Detail: notAuthorized + ". Required scope(s): [" + strings.Join(required, ", ") + "]",
		Code: "insufficient_scope", Reason: "a required scope is missing", kind: ErrForbidden,
	}
}

// beyond refuses a principal that reaches for what it lacks.
func beyond(scopes []string) error {
	return &Error{
		Status: http.StatusForbidden, Detail: "Cannot assign scopes that you do not have. Missing scopes: " + quoted(scopes),
		Code: "insufficient_scope", Reason: "scopes beyond those of the caller", kind: ErrForbidden,
	}
}

// above refuses a principal that has less than the client which it is to change.
func above(scopes []string) error {
	return &Error{
		Status: http.StatusForbidden, Detail: "Cannot change a client with scopes that you do not have. Missing scopes: " + quoted(scopes),
		Code: "insufficient_scope", Reason: "the client has scopes beyond those of the caller", kind: ErrForbidden,
	}
}

// badCredentials is the one answer to whoever does not prove to be a client.
// The challenge is RFC 6749's (5.2).
func badCredentials(reason string) error {
	return &Error{
		Status: http.StatusUnauthorized, Detail: "Authentication Failure", Code: "invalid_client",
		Challenge: `Basic realm="oauth"`, Reason: reason, kind: ErrCredentials,
	}
}

func noClient() error {
	return &Error{Status: http.StatusNotFound, Detail: "Client not found.", kind: ErrNoClient}
}

func scopeUnknown() error {
	return &Error{
		Status: http.StatusForbidden, Detail: "Invalid Scope. Scopes must be one of " + quoted(ScopeNames()) + ".",
		Code: "invalid_scope", kind: ErrScope,
	}
}

func roleUnknown(roles []string) error {
	return &Error{
		Status: http.StatusForbidden, Detail: "Invalid Role. Roles must be one of " + quoted(roles) + ".",
		Code: "invalid_scope", kind: ErrScope,
	}
}

// badScope refuses unknown scopes in a request for a token (RFC 6749, 5.2).
func badScope() error {
	return &Error{
		Status: http.StatusBadRequest, Detail: "Invalid Scope. Scopes must be one of " + quoted(ScopeNames()) + ".",
		Code: "invalid_scope", kind: ErrScope,
	}
}

// scopeRefused refuses scopes in a request for a token (RFC 6749, 5.2).
func scopeRefused(scopes []string) error {
	return &Error{
		Status: http.StatusBadRequest, Detail: "Invalid Scope. The client does not have " + quoted(scopes) + ".",
		Code: "invalid_scope", kind: ErrScope,
	}
}

// badRequest refuses a request by a code of RFC 6749 (5.2).
func badRequest(code, detail string) error {
	return &Error{Status: http.StatusBadRequest, Detail: detail, Code: code, kind: ErrRequest}
}

// quoted writes names as Fides does.
func quoted(names []string) string {
	if len(names) == 0 {
		return "[]"
	}
	return "['" + strings.Join(names, "', '") + "']"
}
