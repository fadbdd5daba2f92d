package fides

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

const tagOAuth = "OAuth"

// oauthRoutes are about clients and tokens; there are none without a server.
func (d *Door) oauthRoutes() []route {
	if d.options.OAuth == nil {
		return nil
	}
	changed := []int{http.StatusNotFound, http.StatusConflict}
	return append(d.tokenRoutes(), []route{
		{
			method: "POST", path: "/oauth/client", scopes: []string{oauth.ScopeClientCreate},
			id: "create_client", summary: "Create a client; its secret is told this once", tag: tagOAuth, call: typed(d.createClient),
		},
		{
			method: "GET", path: "/oauth/client", scopes: []string{oauth.ScopeClientRead},
			id: "list_clients", summary: "The clients, the newest first", tag: tagOAuth, call: typed(d.listClients),
		},
		{
			method: "GET", path: "/oauth/client/{client_id}", scopes: []string{oauth.ScopeClientRead},
			id: "get_client", summary: "A client", tag: tagOAuth, errors: []int{http.StatusNotFound}, call: typed(d.getClient),
		},
		{
			method: "PUT", path: "/oauth/client/{client_id}", scopes: []string{oauth.ScopeClientUpdate},
			id: "update_client", summary: "Change a client", tag: tagOAuth, errors: changed, call: typed(d.updateClient),
			view: clientView{}, self: [2]string{"client_id", "client_id"},
		},
		{
			method: "DELETE", path: "/oauth/client/{client_id}", scopes: []string{oauth.ScopeClientDelete},
			id: "delete_client", summary: "Delete a client; its tokens end", tag: tagOAuth, errors: changed, call: typed(d.deleteClient),
		},
		{
			method: "POST", path: "/oauth/client/{client_id}/secret", scopes: []string{oauth.ScopeClientUpdate},
			id: "rotate_client_secret", summary: "Give a client another secret, told this once", tag: tagOAuth, errors: changed, call: typed(d.rotateSecret),
		},
		{
			method: "GET", path: "/oauth/client/{client_id}/scope", scopes: []string{oauth.ScopeClientRead},
			id: "get_client_scopes", summary: "The scopes of a client; none for an unknown one", tag: tagOAuth, call: typed(d.getScopes),
		},
		{
			method: "PUT", path: "/oauth/client/{client_id}/scope", scopes: []string{oauth.ScopeClientUpdate},
			id: "set_client_scopes", summary: "Replace the scopes of a client", tag: tagOAuth, errors: []int{http.StatusConflict}, call: typed(d.setScopes),
		},
		{
			method: "GET", path: "/oauth/scope", scopes: []string{oauth.ScopeScopeRead},
			id: "read_scopes", summary: "All scopes", tag: tagOAuth,
			call: typed(func(context.Context, *struct{}) (*[]string, error) {
				names := oauth.ScopeNames()
				return &names, nil
			}),
		},
		{
			method: "GET", path: "/oauth/role", scopes: []string{oauth.ScopeScopeRead},
			id: "read_roles", summary: "All roles, with their scopes", tag: tagOAuth,
			call: typed(func(context.Context, *struct{}) (*map[string][]string, error) {
				roles := oauth.Roles()
				return &roles, nil
			}),
		},
	}...)
}

// clientPath is the path of what is about one client.
type clientPath struct {
	ID string `json:"client_id" minLength:"1" maxLength:"200"`
}

type oneClient struct{ Path clientPath }

// clientSecret is a client's ID with its secret, which is told only once.
type clientSecret struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret" doc:"Told this once."`
}

// clientView is a client as Fides shows it.
type clientView struct {
	ID          string   `json:"client_id"`
	Name        *string  `json:"name"`
	Description *string  `json:"description"`
	Scopes      []string `json:"scopes" nullable:"false"`
	Roles       []string `json:"roles,omitempty" doc:"Only of clients that the host gave roles."`
}

func viewClient(c *oauth.Client) *clientView {
	return &clientView{ID: c.ID, Name: textOf(c.Name), Description: textOf(c.Description), Scopes: listOf(c.Scopes), Roles: c.Roles}
}

// newClient is a client to be made: an object as in Fides, or the bare list of
// its scopes as in fidesops.
type newClient struct{ clientFields }

type clientFields struct {
	Name        *string             `json:"name" required:"false"`
	Description *string             `json:"description" required:"false"`
	Scopes      nullable[scopeList] `json:"scopes" required:"false"`

	told echo // of a change
}

// UnmarshalJSON implements [json.Unmarshaler].
func (n *newClient) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, &n.Scopes)
	}
	return json.Unmarshal(text, &n.clientFields)
}

// Schema implements [huma.SchemaProvider].
func (newClient) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{r.Schema(reflect.TypeFor[clientFields](), true, ""), r.Schema(reflect.TypeFor[scopeList](), true, "")}}
}

// scopeList are scopes, by either spelling.
type scopeList []string

// Schema implements [huma.SchemaProvider].
func (scopeList) Schema(huma.Registry) *huma.Schema {
	items, length := 1000, 200
	return &huma.Schema{Type: huma.TypeArray, MaxItems: &items, Items: &huma.Schema{Type: huma.TypeString, MaxLength: &length}}
}

type createClientInput struct{ Body *newClient }

func (in *createClientInput) check() []fault {
	if in.Body != nil && in.Body.Name != nil && strings.TrimSpace(*in.Body.Name) == "" {
		return []fault{valueFault("name must not be empty", "body", "name")}
	}
	return nil
}

func (d *Door) createClient(ctx context.Context, in *createClientInput) (*clientSecret, error) {
	var n oauth.NewClient
	if b := in.Body; b != nil {
		n.Name, n.Description = text(b.Name), text(b.Description)
		if b.Scopes.value != nil {
			n.Scopes = *b.Scopes.value
		}
	}
	_, creds, err := d.options.OAuth.CreateClient(ctx, principalOf(ctx), n)
	if err != nil {
		return nil, clientFailure(err)
	}
	return &clientSecret{creds.ID, creds.Secret}, nil
}

type listClientsInput struct{ Query paging }

func (d *Door) listClients(ctx context.Context, in *listClientsInput) (*pageOfItems[clientView], error) {
	p := in.Query
	clients, err := d.options.OAuth.Clients(ctx)
	if err != nil {
		return nil, clientFailure(err)
	}
	return pageFrom(clients, p, func(c oauth.Client) (clientView, error) { return *viewClient(&c), nil })
}

func (d *Door) getClient(ctx context.Context, in *oneClient) (*clientView, error) {
	c, err := d.options.OAuth.Client(ctx, in.Path.ID)
	if err != nil {
		return nil, clientFailure(err)
	}
	return viewClient(c), nil
}

// clientChange changes what is there. As in Fides a null takes the description
// away, and leaves name and scopes.
type clientChange clientFields

// UnmarshalJSON implements [json.Unmarshaler].
func (c *clientChange) UnmarshalJSON(text []byte) (err error) {
	c.told, err = decodeKeeping(text, (*clientFields)(c))
	if _, sent := c.told["description"]; sent && c.Description == nil {
		c.Description = new(string)
	}
	return err
}

type updateClientInput struct {
	Path clientPath
	Body clientChange
}

func (d *Door) updateClient(ctx context.Context, in *updateClientInput) (*clientView, error) {
	if in.Body.told.has("roles") {
		c, err := d.options.OAuth.Client(ctx, in.Path.ID)
		if err != nil {
			return nil, clientFailure(err)
		}
		var said []string
		if json.Unmarshal(in.Body.told["roles"], &said) != nil || !slices.Equal(said, c.Roles) && len(said)+len(c.Roles) > 0 {
			return nil, invalid(valueFault("roles are told only: the host gives them", "body", "roles"))
		}
	}
	u := oauth.ClientUpdate{Name: in.Body.Name, Description: in.Body.Description}
	if in.Body.Scopes.value != nil {
		u.Scopes = *in.Body.Scopes.value
	}
	c, err := d.options.OAuth.UpdateClient(ctx, principalOf(ctx), in.Path.ID, u)
	if err != nil {
		return nil, clientFailure(err)
	}
	return viewClient(c), nil
}

func (d *Door) deleteClient(ctx context.Context, in *oneClient) (*nothing, error) {
	return nil, clientFailure(d.options.OAuth.DeleteClient(ctx, principalOf(ctx), in.Path.ID))
}

func (d *Door) rotateSecret(ctx context.Context, in *oneClient) (*clientSecret, error) {
	creds, err := d.options.OAuth.RotateSecret(ctx, principalOf(ctx), in.Path.ID)
	if err != nil {
		return nil, clientFailure(err)
	}
	return &clientSecret{creds.ID, creds.Secret}, nil
}

func (d *Door) getScopes(ctx context.Context, in *oneClient) (*[]string, error) {
	c, err := d.options.OAuth.Client(ctx, in.Path.ID)
	if errors.Is(err, oauth.ErrNoClient) {
		return &[]string{}, nil
	}
	if err != nil {
		return nil, clientFailure(err)
	}
	return &viewClient(c).Scopes, nil
}

type setScopesInput struct {
	Path clientPath
	Body scopeSet
}

// scopeSet are scopes as a bare list, as in Fides, or as the field of an object,
// as in the calls that create and change clients.
type scopeSet struct {
	Scopes scopeList `json:"scopes"`
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *scopeSet) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, &s.Scopes)
	}
	type plain scopeSet
	return json.Unmarshal(text, (*plain)(s))
}

// Schema implements [huma.SchemaProvider].
func (scopeSet) Schema(r huma.Registry) *huma.Schema {
	list := r.Schema(reflect.TypeFor[scopeList](), true, "")
	object := &huma.Schema{Type: huma.TypeObject, Required: []string{"scopes"}, AdditionalProperties: false, Properties: map[string]*huma.Schema{"scopes": list}}
	return &huma.Schema{AnyOf: []*huma.Schema{list, object}}
}

func (d *Door) setScopes(ctx context.Context, in *setScopesInput) (*nothing, error) {
	_, err := d.options.OAuth.SetScopes(ctx, principalOf(ctx), in.Path.ID, in.Body.Scopes)
	if errors.Is(err, oauth.ErrNoClient) {
		return nil, nil //nolint:nilnil // as in Fides: nothing is done, null is answered
	}
	return nil, clientFailure(err)
}

// clientFailure tells who comes too late to try again.
func clientFailure(err error) error {
	if errors.Is(err, dsr.ErrConflict) {
		return &failure{status: http.StatusConflict, detail: "The client was changed at the same time. Try again.", cause: err}
	}
	return err
}
