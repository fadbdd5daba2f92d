package dsr_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

const shopYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - name: id
            data_categories: [user.unique_id]
            fides_meta: {primary_key: true, data_type: integer}
          - name: email
            data_categories: [user.contact.email]
            fides_meta: {identity: email, data_type: string}
          - name: name
            data_categories: [user.name]
            fides_meta: {data_type: string}
      - name: orders
        fields:
          - name: id
            data_categories: [system.operations]
            fides_meta: {primary_key: true, data_type: integer}
          - name: customer_id
            data_categories: [system.operations]
            fides_meta:
              references: [{dataset: shop, field: customers.id, direction: from}]
          - name: note
            data_categories: [user.content]
            fides_meta: {data_type: string}
`

func shopRows() map[string][]map[string]any {
	return map[string][]map[string]any{
		"customers": {
			{"id": 1, "email": "Ada@Example.com", "name": "Ada"},
			{"id": 2, "email": "bob@example.com", "name": "Bob"},
		},
		"orders": {
			{"id": 10, "customer_id": 1, "note": "ring twice"},
			{"id": 11, "customer_id": 2, "note": "leave at door"},
			{"id": 12, "customer_id": 1, "note": nil},
		},
	}
}

func load(t testing.TB, src string) []*graph.Dataset {
	t.Helper()
	datasets, diags := graph.Load("test.yml", []byte(src), nil)
	require.NoError(t, diags.Err())
	return datasets
}

func accessRule() graph.Rule {
	return graph.Rule{Key: "access", Action: graph.Access, Targets: []graph.Category{"user"}}
}

func erasureRule(strategy string, targets ...graph.Category) graph.Rule {
	return graph.Rule{Key: "erasure", Action: graph.Erasure, Targets: targets, Masking: &graph.Masking{Strategy: strategy}}
}

func TestAccessThenErase(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	db := memory.NewConnector(shopRows(), nil)
	engine, err := dsr.New(dsr.Config{
		Datasets:    load(t, shopYAML),
		Connections: []dsr.Connection{{Key: "shop", Connector: db, Datasets: []string{"shop"}}},
		Policies: []graph.Policy{{Key: "erase", Rules: []graph.Rule{
			accessRule(), erasureRule("hash", "user.name", "user.contact", "user.content"),
		}}},
		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(dir, nil)}},
		Store:        memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
		NewID: func() string { return "request-1" },
	})
	require.NoError(t, err)
	req, err := engine.Requests().Submit(ctx, dsr.Submission{Policy: "erase", Identities: dsr.Identities{"email": {"ada@example.com"}}})
	require.NoError(t, err)
	req, err = engine.Requests().Advance(ctx, req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)

	data, err := os.ReadFile(filepath.Join(dir, "request-1.json"))
	require.NoError(t, err)
	require.True(t, json.Valid(data))
	require.JSONEq(t, `{
		"shop:customers": [{"id": 1, "email": "Ada@Example.com", "name": "Ada"}],
		"shop:orders": [{"note": "ring twice"}, {"note": null}]
	}`, string(data))

	rows := db.Rows("customers")
	require.Equal(t, map[string]any{"id": int64(2), "email": "bob@example.com", "name": "Bob"}, rows[1])
	require.NotContains(t, rows[0]["email"], "@")
	require.Len(t, rows[0]["name"], 64)
	orders := db.Rows("orders")
	require.Len(t, orders[0]["note"], 64)
	require.Equal(t, "leave at door", orders[1]["note"])
	require.Nil(t, orders[2]["note"])
	var masked []string
	for _, c := range req.Collections {
		masked = append(masked, c.Address.String()+" "+strings.Repeat("x", int(c.Masked)))
	}
	require.Equal(t, []string{"shop:customers x", "shop:orders x"}, masked)
}
