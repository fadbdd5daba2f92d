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

	"github.com/go-jose/go-jose/v4"

	"github.com/godsr/dsr"
)

// Token is an access token that was made. It prints without its value under
// every verb, also as JSON: whoever hands it over takes the fields.
type Token struct {
	// Value is what goes into the header, after "Bearer ".
	Value string
	// TTL is how long it lives from now on, Expires when it ends, in UTC.
	TTL     time.Duration
	Expires time.Time
	// Scopes by name, sorted; those of roles are among them.
	Scopes []string
	// Info is what lists show of it.
	Info TokenInfo
}

// Format implements [fmt.Formatter] for every verb without the value.
func (t Token) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{token %s of client %q}", t.Info.ID, t.Info.ClientID)
}

// LogValue implements [slog.LogValuer] without the value.
func (t Token) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(t)) }

// MarshalJSON implements [json.Marshaler] without the value.
func (t Token) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(t)) }

// TokenInfo is what is stored of a token: not enough to make it.
type TokenInfo struct {
	ID        string    `json:"id"`
	ClientID  string    `json:"client_id"`
	Scopes    []string  `json:"scopes"`
	Roles     []string  `json:"roles,omitempty"`
	IssuedAt  time.Time `json:"issued_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Revoked   bool      `json:"revoked"`
}

// contents are what a token holds, under Fides' names where it has one. Times are
// seconds since 1970.
type contents struct {
	ClientID string   `json:"client-id"`
	ID       string   `json:"jti"`
	Scopes   []string `json:"scopes"`
	Roles    []string `json:"roles,omitempty"`
	Epoch    string   `json:"epoch"`
	Issued   int64    `json:"iat"`
	Expires  int64    `json:"exp"`
}

// authenticate returns the client with these credentials; for the root client
// one that is made up.
func (s *Server) authenticate(ctx context.Context, id, secret string) (*clientRecord, error) {
	if s.isRoot(id) {
		// Both are hashed, so that the time tells nothing, not even a length.
		if !hashSecret(nil, s.root.Secret).is(secret) {
			return nil, badCredentials("wrong secret of the root client")
		}
		return s.rootClient(), nil
	}
	c, err := s.load(ctx, id)
	if errors.Is(err, ErrNoClient) {
		return nil, badCredentials("unknown client")
	}
	if err != nil {
		return nil, err
	}
	if !c.Secret.is(secret) {
		return nil, badCredentials("wrong secret of client " + id)
	}
	return c, nil
}

// rootClient has every scope, by the one role, so that its tokens stay short.
func (s *Server) rootClient() *clientRecord {
	return &clientRecord{Client: Client{ID: s.root.ID, Name: "root", Scopes: []string{}, Roles: []string{RoleOwner}}, Epoch: s.rootEpoch}
}

// Token makes an access token for a client that proves itself by its secret;
// else it is [ErrCredentials]. Without scopes the token has all of the
// client's; scopes that the client lacks are [ErrScope].
func (s *Server) Token(ctx context.Context, clientID, secret string, scopes []string) (*Token, error) {
	c, err := s.authenticate(ctx, clientID, secret)
	if err != nil {
		return nil, err
	}
	own, roles := c.Scopes, c.Roles
	if len(scopes) > 0 {
		if own, err = requested(scopes, c.allowed()); err != nil {
			return nil, err
		}
		roles = nil
	}
	id, err := s.newID()
	if err != nil {
		return nil, err
	}
	now := s.now().Truncate(time.Second) // as tokens have it
	r := &tokenRecord{Epoch: c.Epoch, TokenInfo: TokenInfo{
		ID: id, ClientID: c.ID, Scopes: own, Roles: roles, IssuedAt: now, ExpiresAt: now.Add(s.ttl),
	}}
	value, err := s.sealToken(r)
	if err != nil {
		return nil, fmt.Errorf("oauth: seal a token of client %q: %w", c.ID, err)
	}
	if err := s.storeToken(ctx, r); err != nil {
		return nil, err
	}
	granted := &Client{Scopes: own, Roles: roles}
	return &Token{Value: value, TTL: s.ttl, Expires: r.ExpiresAt, Scopes: granted.allowed(), Info: r.TokenInfo}, nil
}

// requested returns the names of scopes that are asked for and allowed.
func requested(spellings, allowed []string) ([]string, error) {
	var names, refused []string
	for _, spelling := range spellings {
		name, ok := ParseScope(spelling)
		if !ok {
			return nil, badScope()
		}
		if names = append(names, name); !slices.Contains(allowed, name) {
			refused = append(refused, name)
		}
	}
	if len(refused) > 0 {
		return nil, scopeRefused(sorted(refused))
	}
	return sorted(names), nil
}

// Authenticate implements [Verifier]: the token must be of this server's key,
// alive, not revoked, and its client must be there. Its scopes are those of
// the token that the client still has. It reads two records, so that what any
// process revokes or changes counts at once.
func (s *Server) Authenticate(ctx context.Context, r *http.Request) (*Principal, error) {
	value, err := BearerToken(r)
	if err != nil {
		return nil, err
	}
	c, err := s.openToken(value)
	if err != nil {
		return nil, err
	}
	expires := time.Unix(c.Expires, 0).UTC()
	if !s.clock().Before(expires) {
		return nil, forbidden("the token has expired")
	}
	token, err := s.loadToken(ctx, c.ClientID, c.ID)
	if err != nil {
		return nil, err
	}
	if token == nil || token.Revoked {
		return nil, forbidden("the token was revoked")
	}
	client := s.rootClient()
	if !s.isRoot(c.ClientID) {
		if client, err = s.load(ctx, c.ClientID); errors.Is(err, ErrNoClient) {
			return nil, forbidden("the token's client is gone")
		} else if err != nil {
			return nil, err
		}
	}
	if c.Epoch != client.Epoch {
		return nil, forbidden("all tokens of the client were revoked")
	}
	return &Principal{Subject: client.ID, ClientID: client.ID, Scopes: effective(c, &client.Client), Expires: expires}, nil
}

// effective returns the scopes that a token still gives: its own, as far as its
// client still has them in any way, and those of its roles that the client
// still has.
func effective(c *contents, client *Client) []string {
	allowed := client.allowed()
	scopes := slices.DeleteFunc(slices.Clone(c.Scopes), func(s string) bool { return !slices.Contains(allowed, s) })
	roles := slices.DeleteFunc(slices.Clone(c.Roles), func(r string) bool { return !slices.Contains(client.Roles, r) })
	return sorted(append(scopes, roleScopes(roles)...))
}

// sealToken writes a token: a JWE under the one key (RFC 7516), as Fides'.
func (s *Server) sealToken(r *tokenRecord) (string, error) {
	plain, err := json.Marshal(contents{
		ClientID: r.ClientID, ID: r.ID, Scopes: r.Scopes, Roles: r.Roles, Epoch: r.Epoch,
		Issued: r.IssuedAt.Unix(), Expires: r.ExpiresAt.Unix(),
	})
	if err != nil {
		return "", err
	}
	jwe, err := s.encrypter.Encrypt(plain)
	if err != nil {
		return "", err
	}
	return jwe.CompactSerialize()
}

// openToken reads a token of this server. Its time is not checked.
func (s *Server) openToken(value string) (*contents, error) {
	jwe, err := jose.ParseEncryptedCompact(value, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return nil, forbidden("the token is none of this server")
	}
	plain, err := jwe.Decrypt(s.tokenKey)
	if err != nil {
		return nil, forbidden("the token cannot be decrypted")
	}
	c := &contents{}
	if err := json.Unmarshal(plain, c); err != nil || !validID(c.ClientID) || c.ID == "" {
		return nil, forbidden("the token does not hold what it should")
	}
	return c, nil
}

// Revoke ends a token of a client that proves itself by its secret, at once in
// every process (RFC 7009). What is no living token is no error, so that
// nothing can be learned; somebody else's token is [ErrForbidden].
func (s *Server) Revoke(ctx context.Context, clientID, secret, token string) error {
	client, err := s.authenticate(ctx, clientID, secret)
	if err != nil {
		return err
	}
	if len(token) > maxToken {
		return nil
	}
	c, err := s.openToken(token)
	if err != nil {
		return nil //nolint:nilerr // RFC 7009, 2.2: an invalid token is revoked already
	}
	if c.ClientID != client.ID {
		return &Error{ // RFC 7009 (2.1, 2.2.1) leaves it to RFC 6749 (5.2)
			Status: http.StatusBadRequest, Detail: "The token was issued to another client.", Code: "invalid_grant", kind: ErrForbidden,
		}
	}
	return s.revoke(ctx, c.ClientID, c.ID)
}

// RevokeFor ends a token as [Server.Revoke], for a principal with
// [ScopeClientUpdate] and all scopes of the client whose it is.
func (s *Server) RevokeFor(ctx context.Context, by *Principal, token string) error {
	if err := by.Require(ScopeClientUpdate); err != nil {
		return err
	}
	if len(token) > maxToken {
		return nil
	}
	c, err := s.openToken(token)
	if err != nil {
		return nil //nolint:nilerr // as for Revoke
	}
	return s.RevokeToken(ctx, by, c.ClientID, c.ID)
}

// RevokeToken ends a token by its IDs, as [Server.Tokens] tells them, for a
// principal, who must have all scopes of its client. It is nil if there is none.
func (s *Server) RevokeToken(ctx context.Context, by *Principal, clientID, tokenID string) error {
	client := s.rootClient()
	if !s.isRoot(clientID) {
		var err error
		if client, err = s.load(ctx, clientID); errors.Is(err, ErrNoClient) {
			return nil // its tokens ended with it
		} else if err != nil {
			return err
		}
	}
	if err := by.mayChange(&client.Client); err != nil {
		return err
	}
	return s.revoke(ctx, clientID, tokenID)
}

func (s *Server) revoke(ctx context.Context, clientID, tokenID string) error {
	for range maxTries {
		r, err := s.loadToken(ctx, clientID, tokenID)
		if err != nil || r == nil || r.Revoked {
			return err
		}
		r.Revoked = true
		if err := s.storeToken(ctx, r); !errors.Is(err, dsr.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("oauth: revoke a token of client %q: others kept changing it: %w", clientID, dsr.ErrConflict)
}

// RevokeAll ends all tokens of a client at once, for a principal, who must have
// all scopes of the client. Those of the root client end when its secret changes.
func (s *Server) RevokeAll(ctx context.Context, by *Principal, clientID string) error {
	epoch, err := s.newID()
	if err != nil {
		return err
	}
	_, err = s.change(ctx, clientID, func(c *clientRecord) error {
		if err := by.mayChange(&c.Client); err != nil {
			return err
		}
		c.Epoch = epoch
		return nil
	})
	return err
}

// Tokens returns the tokens of a client, the root client included, that were
// not purged yet, ended ones too: by ID, those that follow after, at most limit
// of them, 0 meaning 100. One whose record is damaged is left out, and logged.
func (s *Server) Tokens(ctx context.Context, clientID, after string, limit int) ([]TokenInfo, error) {
	client := s.rootClient()
	if !s.isRoot(clientID) {
		var err error
		if client, err = s.load(ctx, clientID); err != nil {
			return nil, err
		}
	}
	if limit <= 0 {
		limit = 100
	}
	tokens := []TokenInfo{}
	after = recordKey(clientID, after)
	for {
		want := limit - len(tokens)
		records, err := s.records.List(ctx, kindToken, after, want)
		if err != nil {
			return nil, fmt.Errorf("oauth: list tokens of client %q: %w", clientID, err)
		}
		for _, r := range records {
			if !strings.HasPrefix(r.Key, recordKey(clientID, "")) {
				return tokens, nil
			}
			after = r.Key
			t, err := decodeToken(r)
			if err != nil {
				s.logger.ErrorContext(ctx, "oauth: a token is left out of a list", "error", err.Error())
				continue
			}
			t.Revoked = t.Revoked || t.Epoch != client.Epoch
			tokens = append(tokens, t.TokenInfo)
		}
		if len(records) < want || len(tokens) == limit {
			return tokens, nil
		}
	}
}
