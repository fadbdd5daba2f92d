package fides

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/godsr/dsr/adapters/api/oauth"
)

// tokenRoutes make, list and end tokens.
func (d *Door) tokenRoutes() []route {
	forms := []string{encodedForm}
	const own = "It takes the secret of a client."
	return []route{
		{
			method: "POST", path: "/oauth/token", public: own, credentials: true, body: oauth.MaxForm, accepts: forms,
			id: "acquire_access_token", summary: "An access token by client credentials", tag: tagOAuth,
			errors: []int{http.StatusBadRequest, http.StatusUnauthorized}, form: tokenForm{}, optional: true, answer: accessToken{}, call: typed(d.acquireToken),
		},
		{
			method: "POST", path: "/oauth/revoke", public: "It takes the secret of a client, or a token with client:update.",
			credentials: true, body: oauth.MaxForm, accepts: forms,
			id: "revoke_token", summary: "End a token, at once (RFC 7009)", tag: tagOAuth,
			errors: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict},
			form:   revocationForm{}, call: typed(d.revokeToken),
		},
		{
			method: "GET", path: "/oauth/client/{client_id}/token", scopes: []string{oauth.ScopeClientRead},
			id: "list_client_tokens", summary: "The tokens that a client was given, by ID", tag: tagOAuth,
			errors: []int{http.StatusNotFound}, call: typed(d.listTokens),
		},
		{
			method: "DELETE", path: "/oauth/client/{client_id}/token", scopes: []string{oauth.ScopeClientUpdate},
			id: "revoke_client_tokens", summary: "End all tokens of a client, at once", tag: tagOAuth,
			errors: []int{http.StatusNotFound, http.StatusConflict}, call: typed(d.revokeAll),
		},
		{
			method: "DELETE", path: "/oauth/client/{client_id}/token/{token_id}", scopes: []string{oauth.ScopeClientUpdate},
			id: "revoke_client_token", summary: "End a token of a client, at once", tag: tagOAuth,
			errors: []int{http.StatusNotFound, http.StatusConflict}, call: typed(d.revokeOne),
		},
	}
}

// tokenForm is the form that asks for a token (RFC 6749, 4.4.2).
type tokenForm struct {
	Grant  string `json:"grant_type" required:"false" enum:"client_credentials"`
	ID     string `json:"client_id" required:"false" doc:"Here or by HTTP Basic, and then no body is needed."`
	Secret string `json:"client_secret" required:"false"`
	Scope  string `json:"scope" required:"false" doc:"Separated by spaces. Defaults to all that the client has."`
}

// revocationForm is the form that ends a token (RFC 7009, 2.1).
type revocationForm struct {
	Token  string `json:"token"`
	Hint   string `json:"token_type_hint" required:"false" doc:"Not needed."`
	ID     string `json:"client_id" required:"false" doc:"Here, by HTTP Basic, or not with a bearer token."`
	Secret string `json:"client_secret" required:"false"`
}

// credentialsInput is for forms with credentials, which package oauth reads.
type credentialsInput struct{ Request *http.Request }

// accessToken is a token as Fides answers it.
type accessToken struct {
	Token     string `json:"access_token"`
	Type      string `json:"token_type" enum:"Bearer"`
	ExpiresIn int64  `json:"expires_in" doc:"In seconds."`
	ExpiresAt *stamp `json:"expires_at" nullable:"false"`
}

// tokenAnswer answers with a token, and the headers of RFC 6749 (5.1).
type tokenAnswer struct{ accessToken }

func (a *tokenAnswer) respond(w http.ResponseWriter, _ *http.Request) error { //nolint:unparam // as [responder] has it
	w.Header().Set("Pragma", "no-cache") // Cache-Control is there on every answer
	writeJSON(w, http.StatusOK, a.accessToken)
	return nil
}

func (d *Door) acquireToken(ctx context.Context, in *credentialsInput) (*tokenAnswer, error) {
	asked, err := oauth.ParseTokenRequest(in.Request)
	if err != nil {
		return nil, err
	}
	if err := d.countCredentials(in.Request, asked.Client); err != nil {
		return nil, err
	}
	token, err := d.options.OAuth.Token(ctx, asked.Client.ID, asked.Client.Secret, asked.Scopes)
	if err != nil {
		return nil, clientFailure(err)
	}
	proved(ctx, asked.Client)
	return &tokenAnswer{accessToken{token.Value, "Bearer", int64(token.TTL / time.Second), stampOf(token.Expires)}}, nil
}

// revokeToken ends a token for its client, or for whoever may change clients.
func (d *Door) revokeToken(ctx context.Context, in *credentialsInput) (*nothing, error) {
	var by *oauth.Principal
	if _, err := oauth.BearerToken(in.Request); !errors.Is(err, oauth.ErrUnauthenticated) { // who it is, before anything is read
		if by, err = d.options.Verifier.Authenticate(ctx, in.Request); err != nil {
			return nil, err
		}
		callOf(ctx).principal = by
		if err := by.Require(oauth.ScopeClientUpdate); err != nil {
			return nil, err
		}
	}
	asked, err := oauth.ParseRevocationRequest(in.Request)
	switch {
	case err != nil:
		return nil, err
	case by != nil:
		return nil, clientFailure(d.options.OAuth.RevokeFor(ctx, by, asked.Token))
	}
	if err := d.countCredentials(in.Request, asked.Client); err != nil {
		return nil, err
	}
	if err := d.options.OAuth.Revoke(ctx, asked.Client.ID, asked.Client.Secret, asked.Token); err != nil {
		return nil, clientFailure(err)
	}
	proved(ctx, asked.Client)
	return nil, nil //nolint:nilnil // null is answered
}

// countCredentials bounds how often the secret of a client can be tried from an
// address.
func (d *Door) countCredentials(r *http.Request, c oauth.Credentials) error {
	return d.tokens.Allow("credentials", c.ID, d.options.ClientAddress(r))
}

// proved notes for the log who gave good credentials. What somebody claims to
// be is not logged, since it may be a secret in the wrong field.
func proved(ctx context.Context, c oauth.Credentials) {
	callOf(ctx).principal = &oauth.Principal{Subject: c.ID, ClientID: c.ID}
}

// tokenView is what is known of a token: not enough to make it.
type tokenView struct {
	ID        string   `json:"id"`
	Client    string   `json:"client_id"`
	Scopes    []string `json:"scopes" nullable:"false"`
	Roles     []string `json:"roles,omitempty"`
	IssuedAt  *stamp   `json:"issued_at" nullable:"false"`
	ExpiresAt *stamp   `json:"expires_at" nullable:"false"`
	Revoked   bool     `json:"revoked"`
}

type tokenPage struct {
	Items []tokenView `json:"items" nullable:"false"`
	Next  *string     `json:"next" doc:"The value of after for the next page; null on the last one."`
}

type listTokensInput struct {
	Path  clientPath
	Query struct {
		After string `json:"after" required:"false" pattern:"^[0-9a-f]{32}$" doc:"The ID of the token that comes before, which may have been purged since."`
		Size  int    `json:"size" required:"false" minimum:"1" maximum:"100" default:"50"`
	}
}

// listTokens lists expired and revoked tokens too, until they are purged. The
// root client has no such list, as it is not shown otherwise.
func (d *Door) listTokens(ctx context.Context, in *listTokensInput) (*tokenPage, error) {
	if _, err := d.options.OAuth.Client(ctx, in.Path.ID); err != nil {
		return nil, clientFailure(err)
	}
	size := in.Query.Size
	tokens, err := d.options.OAuth.Tokens(ctx, in.Path.ID, in.Query.After, size+1)
	if err != nil {
		return nil, clientFailure(err)
	}
	page := &tokenPage{Items: []tokenView{}}
	if len(tokens) > size {
		tokens = tokens[:size]
		page.Next = &tokens[size-1].ID
	}
	for _, t := range tokens {
		page.Items = append(page.Items, tokenView{
			ID: t.ID, Client: t.ClientID, Scopes: listOf(t.Scopes), Roles: t.Roles, IssuedAt: stampOf(t.IssuedAt), ExpiresAt: stampOf(t.ExpiresAt), Revoked: t.Revoked,
		})
	}
	return page, nil
}

func (d *Door) revokeAll(ctx context.Context, in *oneClient) (*nothing, error) {
	return nil, clientFailure(d.options.OAuth.RevokeAll(ctx, principalOf(ctx), in.Path.ID))
}

type oneToken struct {
	Path struct {
		Client string `json:"client_id" minLength:"1" maxLength:"200"`
		Token  string `json:"token_id" minLength:"1" maxLength:"200"`
	}
}

// revokeOne does nothing for a token that is not there, as when it was purged.
func (d *Door) revokeOne(ctx context.Context, in *oneToken) (*nothing, error) {
	if _, err := d.options.OAuth.Client(ctx, in.Path.Client); err != nil {
		return nil, clientFailure(err)
	}
	return nil, clientFailure(d.options.OAuth.RevokeToken(ctx, principalOf(ctx), in.Path.Client, in.Path.Token))
}
