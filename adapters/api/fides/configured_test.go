package fides_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// TestWhatIsConfiguredOverTheDoorAnswersARequest goes from nothing to a package.
func TestWhatIsConfiguredOverTheDoorAnswersARequest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := configurable(t, func(k *desk) {
		k.config.Connections, k.config.Datasets, k.config.Policies, k.config.Destinations = nil, nil, nil, nil
		local := k.config.DestinationTypes["local"]
		local.Open = func(dsr.DestinationSettings) (storage.Destination, error) { return storage.NewFolder(dir, nil), nil }
		k.config.DestinationTypes["local"] = local
	})
	c := k.caller(t)
	c.does(t, "PATCH", "/connection", crmBody)
	c.does(t, "PUT", "/connection/crm/secret", secretsBody)
	require.Contains(t, c.does(t, "PUT", "/connection/crm/validate_dataset", peopleJSON), `"is_traversable":true`)
	c.does(t, "PATCH", "/connection/crm/dataset", `[`+peopleJSON+`]`)
	c.does(t, "PATCH", "/storage/config", `[`+exampleStorage+`]`)
	_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		d.Policies["export"] = &dsr.PolicyDefinition{
			Defined: dsr.Defined{Key: "export"},
			Rules:   []graph.Rule{{Key: "all", Action: graph.Access, Targets: []graph.Category{"user.contact"}, Destination: "example_storage"}},
		}
		return nil
	})
	require.NoError(t, err)
	c.restart(t)
	problems, err := c.engine.Catalogue().Problems(t.Context())
	require.NoError(t, err)
	require.Empty(t, problems)
	c.does(t, "POST", "/privacy-request", `[{"policy_key":"export","identity":{"email":"nia.vale@example.com"}}]`)
	c.advanced(t, dsr.StatusComplete)
	text, err := os.ReadFile(filepath.Join(dir, "pri_1.json"))
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, json.Unmarshal(text, &got))
	require.Equal(t, map[string]any{"people:people": []any{map[string]any{"email": "nia.vale@example.com"}}}, got)
}
