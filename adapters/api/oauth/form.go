package oauth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// MaxForm is how large a body is at most that [ParseTokenRequest] and
// [ParseRevocationRequest] read, in bytes.
const MaxForm = 32 << 10

// TokenRequest is what a client asks the token endpoint for. It prints without
// the secret.
type TokenRequest struct {
	Client Credentials
	// Scopes as the client spells them; none means all that it has.
	Scopes []string
}

// RevocationRequest is what a client asks the revocation endpoint for. It
// prints without secret and token.
type RevocationRequest struct {
	// Client is empty if the request brings a bearer token instead, which a
	// [Verifier] is asked about.
	Client Credentials
	Token  string
}

// Format implements [fmt.Formatter] for every verb without secret and token.
func (r RevocationRequest) Format(f fmt.State, _ rune) { fmt.Fprint(f, r.Client) }

// LogValue implements [slog.LogValuer] without secret and token.
func (r RevocationRequest) LogValue() slog.Value { return r.Client.LogValue() }

// MarshalJSON implements [json.Marshaler] without secret and token.
func (r RevocationRequest) MarshalJSON() ([]byte, error) { return r.Client.MarshalJSON() }

// ParseTokenRequest reads a request for a token by client credentials (RFC
// 6749, 4.4.2): the credentials in the form or by HTTP Basic (2.3.1), never in
// the URL. A grant_type must be client_credentials if there is one. It is an
// [*Error]: [ErrCredentials] without credentials, else [ErrRequest].
func ParseTokenRequest(r *http.Request) (TokenRequest, error) {
	form, err := parseForm(r)
	if err != nil {
		return TokenRequest{}, err
	}
	if grant := form.Get("grant_type"); grant != "" && grant != "client_credentials" {
		return TokenRequest{}, badRequest("unsupported_grant_type", "The grant_type must be client_credentials.")
	}
	client, err := parseCredentials(r, form)
	if err != nil {
		return TokenRequest{}, err
	}
	return TokenRequest{Client: client, Scopes: strings.Fields(form.Get("scope"))}, nil
}

// ParseRevocationRequest reads a request to revoke a token (RFC 7009, 2.1),
// with credentials as for [ParseTokenRequest], or with a bearer token, for
// [Server.RevokeFor]. The hint is not needed. It is an [*Error] as there, or that
// of [BearerToken] for a token that cannot be one.
func ParseRevocationRequest(r *http.Request) (RevocationRequest, error) {
	form, err := parseForm(r)
	if err != nil {
		return RevocationRequest{}, err
	}
	var client Credentials
	switch _, err := BearerToken(r); {
	case errors.Is(err, ErrUnauthenticated):
		if client, err = parseCredentials(r, form); err != nil {
			return RevocationRequest{}, err
		}
	case err != nil:
		return RevocationRequest{}, err
	case form.Get("client_secret") != "":
		return RevocationRequest{}, badRequest("invalid_request", "Give credentials or a bearer token, not both.")
	}
	if form.Get("token") == "" {
		return RevocationRequest{}, badRequest("invalid_request", "A token is needed.")
	}
	return RevocationRequest{Client: client, Token: form.Get("token")}, nil
}

// parseForm reads a form from the body; an empty body is an empty form. No
// field may come twice (RFC 6749, 3.2).
func parseForm(r *http.Request) (url.Values, error) {
	if r.Body == nil {
		return url.Values{}, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxForm+1))
	var large *http.MaxBytesError // the handler's own limit
	switch {
	case errors.As(err, &large):
		return nil, err
	case err != nil:
		return nil, badRequest("invalid_request", "The body could not be read.")
	case len(body) > MaxForm:
		return nil, &Error{
			Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("The body must have at most %d bytes.", MaxForm),
			Code: "invalid_request", kind: ErrRequest,
		}
	case len(body) == 0:
		return url.Values{}, nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, &Error{
			Status: http.StatusUnsupportedMediaType, Detail: "The body must be application/x-www-form-urlencoded.",
			Code: "invalid_request", kind: ErrRequest,
		}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, badRequest("invalid_request", "The body is no form.")
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, badRequest("invalid_request", "A field of the form is there twice.")
		}
	}
	return form, nil
}

// parseCredentials takes the credentials of the header, or of the form. Both
// may only say the same (RFC 6749, 2.3: one way in each request).
func parseCredentials(r *http.Request, form url.Values) (Credentials, error) {
	inForm := Credentials{ID: form.Get("client_id"), Secret: form.Get("client_secret")}
	inHeader, found, err := basic(r)
	switch {
	case err != nil:
		return Credentials{}, err
	case !found:
	case inForm.ID != "" && inForm.ID != inHeader.ID, inForm.Secret != "" && inForm.Secret != inHeader.Secret:
		return Credentials{}, badRequest("invalid_request", "Give the credentials in the form or by HTTP Basic, not both.")
	default:
		inForm = inHeader
	}
	if inForm.ID == "" || inForm.Secret == "" {
		return Credentials{}, badCredentials("no credentials")
	}
	return inForm, nil
}

// basic reads credentials from the header: ID and secret are each encoded as in
// a form, then joined by a colon, then encoded as Base64 (RFC 6749, 2.3.1).
func basic(r *http.Request) (c Credentials, found bool, err error) {
	scheme, encoded, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Basic") {
		return Credentials{}, false, nil
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return Credentials{}, false, badCredentials("HTTP Basic without Base64")
	}
	id, secret, _ := strings.Cut(string(decoded), ":")
	if c.ID, err = url.QueryUnescape(id); err == nil {
		c.Secret, err = url.QueryUnescape(secret)
	}
	if err != nil {
		return Credentials{}, false, badCredentials("HTTP Basic without form encoding")
	}
	return c, true, nil
}
