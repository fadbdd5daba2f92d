package outage_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// While the store is gone the API asks its callers to come again, and takes
// their calls once it is back.
func TestDoorWithoutItsStore(t *testing.T) {
	t.Parallel()
	server := products()[0].server(t)
	store, _ := postgresStore(t, server)
	datasets, _, err := graph.LoadFS(fstest.MapFS{"shop.yml": {Data: []byte(`
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
`)}}, []string{"*.yml"}, nil)
	require.NoError(t, err)
	engine, err := dsr.New(dsr.Config{
		Datasets: datasets, Connections: []dsr.Connection{{Key: "shop", Connector: memory.NewConnector(nil, nil), Datasets: []string{"shop"}}},
		Store: store, Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(t.TempDir(), nil)}},
		Policies:     []graph.Policy{{Key: "access", Rules: []graph.Rule{{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}}}}},
	})
	require.NoError(t, err)
	clients, err := oauth.New(&oauth.Options{Records: oauth.NewStoreRecords(store), Key: bytes.Repeat([]byte{7}, 32)})
	require.NoError(t, err)
	door, err := fides.New(engine, &fides.Options{Verifier: clients, OAuth: clients})
	require.NoError(t, err)
	_, creds, err := clients.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{Scopes: oauth.ScopeNames()})
	require.NoError(t, err)
	token, err := clients.Token(t.Context(), creds.ID, creds.Secret, nil)
	require.NoError(t, err)

	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {creds.ID}, "client_secret": {creds.Secret}}.Encode()
	calls := [][3]string{
		{"GET", "/api/v1/privacy-request"},
		{"POST", "/api/v1/privacy-request", `[{"policy_key":"access","identity":{"email":"nia.vale@example.com"}}]`},
		{"POST", "/api/v1/oauth/token", form},
		{"PATCH", "/api/v1/dsr/policy", `[{"name":"Other","key":"other"}]`},
		{"GET", "/api/v1/oauth/client"},
	}
	send := func(c [3]string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), c[0], c[1], strings.NewReader(c[2]))
		r.Header.Set("Authorization", "Bearer "+token.Value)
		r.Header.Set("Content-Type", "application/json")
		if c[1] == "/api/v1/oauth/token" {
			r.Header.Del("Authorization")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		return w
	}
	for _, end := range []func() error{server.Stop, server.Kill} {
		for _, c := range calls {
			a := send(c)
			require.Equal(t, http.StatusOK, a.Code, "%s %s: %s", c[0], c[1], a.Body)
			var bulk struct {
				Failed []any `json:"failed"`
			}
			require.NoError(t, json.Unmarshal(a.Body.Bytes(), &bulk))
			require.Empty(t, bulk.Failed)
		}
		require.NoError(t, end())
		for range 2 { // with the pool's broken connections, and without
			for _, c := range calls {
				a, body := send(c), `{"detail":"Unavailable for now. Try again later."}`
				if c[1] == "/api/v1/oauth/token" {
					body = `{"detail":"Unavailable for now. Try again later.","error":"temporarily_unavailable"}`
				}
				require.Equal(t, []any{http.StatusServiceUnavailable, "5", body},
					[]any{a.Code, a.Header().Get("Retry-After"), a.Body.String()}, "%s %s", c[0], c[1])
			}
		}
		require.NoError(t, server.Start())
	}
}
