package oauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

// Client is who may get tokens. Its secret is not in it.
type Client struct {
	ID          string    `json:"id"`
	Name        string    `json:"name,omitempty"`
	Description string    `json:"description,omitempty"`
	Scopes      []string  `json:"scopes"`
	Roles       []string  `json:"roles,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// allowed returns the client's own scopes and those of its roles, sorted.
func (c *Client) allowed() []string {
	return sorted(slices.Concat(c.Scopes, roleScopes(c.Roles)))
}

// NewClient is a client to be made. Scopes may be spelled either way.
type NewClient struct {
	Name        string // up to 200 bytes
	Description string // up to 2000 bytes
	Scopes      []string
	Roles       []string
}

// ClientUpdate changes what is not nil. A list is replaced as a whole, also by
// an empty one.
type ClientUpdate struct {
	Name        *string
	Description *string
	Scopes      []string
	Roles       []string
}

// CreateClient makes a client for a principal, who must have all scopes that
// the client gets, by itself or by its roles. The secret is told this once.
func (s *Server) CreateClient(ctx context.Context, by *Principal, n NewClient) (*Client, Credentials, error) {
	c := &clientRecord{}
	if err := c.edit(by, ClientUpdate{Name: &n.Name, Description: &n.Description, Scopes: nonNil(n.Scopes), Roles: nonNil(n.Roles)}); err != nil {
		return nil, Credentials{}, err
	}
	var err error
	if c.ID, err = s.newID(); err != nil {
		return nil, Credentials{}, err
	}
	if c.Epoch, err = s.newID(); err != nil {
		return nil, Credentials{}, err
	}
	creds := Credentials{ID: c.ID}
	if creds.Secret, c.Secret, err = s.newSecret(); err != nil {
		return nil, Credentials{}, err
	}
	c.CreatedAt = s.now()
	c.UpdatedAt = c.CreatedAt
	if err := s.storeClient(ctx, c); err != nil {
		return nil, Credentials{}, err
	}
	return &c.Client, creds, nil
}

// Client returns a client. The root client is not shown: it is [ErrNoClient].
func (s *Server) Client(ctx context.Context, id string) (*Client, error) {
	c, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	return &c.Client, nil
}

// Clients returns all clients but the root client, the newest first, then by
// ID. One whose record is damaged is left out, and logged.
func (s *Server) Clients(ctx context.Context) ([]Client, error) {
	clients := []Client{}
	err := s.each(ctx, kindClient, "", func(r Record) error {
		c, err := decodeClient(r)
		switch {
		case err != nil:
			s.logger.ErrorContext(ctx, "oauth: a client is left out of a list", "error", err.Error())
		case !s.isRoot(c.ID):
			clients = append(clients, c.Client)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(clients, func(a, b Client) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID)) })
	return clients, nil
}

// UpdateClient changes a client for a principal, who must have all scopes and
// those of all roles that the client has and gets. Tokens lose at once what the
// client loses, and gain nothing.
func (s *Server) UpdateClient(ctx context.Context, by *Principal, id string, u ClientUpdate) (*Client, error) {
	return s.change(ctx, id, func(c *clientRecord) error {
		more := by.mayChange(&c.Client)
		if err := c.edit(by, u); err != nil {
			return err
		}
		return more
	})
}

// SetScopes replaces a client's own scopes, as [Server.UpdateClient].
func (s *Server) SetScopes(ctx context.Context, by *Principal, id string, scopes []string) (*Client, error) {
	return s.UpdateClient(ctx, by, id, ClientUpdate{Scopes: nonNil(scopes)})
}

// RotateSecret gives a client another secret, told this once; the old one ends
// at once. Tokens go on; [Server.RevokeAll] ends them. The principal must have
// all scopes of the client, since it can get its tokens now. If somebody
// changes the client at the same time, one of the two is [dsr.ErrConflict], so
// that no secret is handed out that ended already.
func (s *Server) RotateSecret(ctx context.Context, by *Principal, id string) (Credentials, error) {
	c, err := s.load(ctx, id)
	if err != nil {
		return Credentials{}, err
	}
	if err := by.mayChange(&c.Client); err != nil {
		return Credentials{}, err
	}
	creds := Credentials{ID: id}
	if creds.Secret, c.Secret, err = s.newSecret(); err != nil {
		return Credentials{}, err
	}
	c.UpdatedAt = s.now()
	if err := s.storeClient(ctx, c); err != nil {
		return Credentials{}, err
	}
	return creds, nil
}

// DeleteClient removes a client for a principal, who must have all scopes of the
// client; its tokens end at once. It is nil if there is none, and [ErrNoClient]
// for the root client, which goes when it is no longer configured.
func (s *Server) DeleteClient(ctx context.Context, by *Principal, id string) error {
	if s.isRoot(id) {
		return noClient()
	}
	for range maxTries {
		c, err := s.load(ctx, id)
		if errors.Is(err, ErrNoClient) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := by.mayChange(&c.Client); err != nil {
			return err
		}
		err = s.records.Delete(ctx, kindClient, id, c.version)
		if err == nil || errors.Is(err, dsr.ErrNotFound) {
			return nil
		}
		if !errors.Is(err, dsr.ErrConflict) {
			return fmt.Errorf("oauth: delete client %q: %w", id, err)
		}
	}
	return fmt.Errorf("oauth: delete client %q: others kept changing it: %w", id, dsr.ErrConflict)
}

// edit applies an update.
func (c *clientRecord) edit(by *Principal, u ClientUpdate) error {
	scopes, err := parseScopes(u.Scopes)
	if err != nil {
		return err
	}
	roles, err := parseRoles(u.Roles)
	if err != nil {
		return err
	}
	if err := by.mayGrant(scopes, roles); err != nil {
		return err
	}
	if err := checkTexts(u); err != nil {
		return err
	}
	if u.Name != nil {
		c.Name = *u.Name
	}
	if u.Description != nil {
		c.Description = *u.Description
	}
	if u.Scopes != nil {
		c.Scopes = scopes
	}
	if u.Roles != nil {
		c.Roles = roles
	}
	return nil
}

// checkTexts tells which texts are too long.
func checkTexts(u ClientUpdate) error {
	var faults []string
	check := func(field string, text *string, limit int) {
		if text != nil && len(*text) > limit {
			faults = append(faults, fmt.Sprintf("The %s must have at most %d bytes.", field, limit))
		}
	}
	check("name", u.Name, 200)
	check("description", u.Description, 2000)
	if faults == nil {
		return nil
	}
	return &Error{Status: http.StatusUnprocessableEntity, Detail: strings.Join(faults, " "), Code: "invalid_request", kind: ErrRequest}
}

// change edits a client until nobody got ahead.
func (s *Server) change(ctx context.Context, id string, edit func(*clientRecord) error) (*Client, error) {
	for range maxTries {
		c, err := s.load(ctx, id)
		if err != nil {
			return nil, err
		}
		if err := edit(c); err != nil {
			return nil, err
		}
		c.UpdatedAt = s.now()
		if err = s.storeClient(ctx, c); err == nil {
			return &c.Client, nil
		}
		if !errors.Is(err, dsr.ErrConflict) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("oauth: change client %q: others kept changing it: %w", id, dsr.ErrConflict)
}

// nonNil keeps an empty list from meaning "leave it".
func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
