package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/webhook"
	"github.com/godsr/dsr/graph"
)

const peopleYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: people
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: mail, data_categories: [user.contact.email], fides_meta: {identity: email}}
`

// A hook that is defined at run time is called with the secrets of now, and not
// while its connection is disabled.
func TestHookOfTheCatalogue(t *testing.T) {
	t.Parallel()
	calls := make(chan string, 9)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { calls <- r.Header.Get("Authorization") }))
	t.Cleanup(server.Close)
	engine, err := dsr.New(dsr.Config{
		Store: memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
		ConnectionTypes: map[string]dsr.ConnectionType{
			"https": webhook.ConnectionType(&webhook.Options{Insecure: true, Allow: loopback()}),
			"shop": {Title: "Shop", Connect: func(dsr.ConnectionSettings) (dsr.Connector, error) {
				return memory.NewConnector(map[string][]map[string]any{"people": {{"id": 1, "mail": "ada@example.com"}}}, nil), nil
			}},
		},
		DestinationTypes: map[string]dsr.DestinationType{"local": dsr.FolderDestinationType(t.TempDir(), nil)},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	update := func(edit func(*dsr.Definitions), wrong ...dsr.CatalogueProblem) {
		_, err := engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error { edit(d); return nil })
		require.NoError(t, err)
		problems, err := engine.Catalogue().Problems(t.Context())
		require.NoError(t, err)
		require.ElementsMatch(t, wrong, problems)
	}
	run := func() {
		req, err := engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"ada@example.com"}}})
		require.NoError(t, err)
		req, err = engine.Requests().Advance(t.Context(), req.ID)
		require.NoError(t, err)
		require.Equal(t, dsr.StatusComplete, req.Status)
	}
	update(func(d *dsr.Definitions) {
		d.Connections["db"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "db"}, Type: "shop"}
		d.Connections["crm"] = &dsr.ConnectionDefinition{
			Defined: dsr.Defined{Key: "crm"}, Type: "https", Secrets: dsr.Secrets{"url": server.URL, "authorization": "Basic first"},
		}
		d.Datasets["shop"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "shop"}, Connection: "db", Source: peopleYAML}
		d.Destinations["folder"] = &dsr.DestinationDefinition{Defined: dsr.Defined{Key: "folder"}, Type: "local", Format: "json"}
		d.Policies["access"] = &dsr.PolicyDefinition{
			Defined: dsr.Defined{Key: "access"},
			Rules:   []graph.Rule{{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}, Destination: "folder"}},
			Before:  []dsr.HookDefinition{{Key: "tell", Connection: "crm"}},
		}
	})
	run()
	require.Equal(t, "Basic first", <-calls)
	update(func(d *dsr.Definitions) {
		d.Connections["crm"].Secrets = dsr.Secrets{"url": server.URL, "authorization": "Basic second"}
	})
	run()
	require.Equal(t, "Basic second", <-calls)
	update(func(d *dsr.Definitions) { d.Connections["crm"].Disabled = true },
		dsr.CatalogueProblem{Kind: dsr.CatalogueHook, Key: "tell", Reason: `connection "crm" is disabled: it is not called`})
	run()
	require.Empty(t, calls)
}
