package pgstoretest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/pgstore"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
	"github.com/godsr/dsr/storage"
)

const shopYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: id, fides_meta: {primary_key: true, data_type: integer}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}
          - {name: name, data_categories: [user.name], fides_meta: {data_type: string}}
      - name: orders
        fields:
          - {name: id, fides_meta: {primary_key: true, data_type: integer}}
          - {name: customer_id, fides_meta: {references: [{dataset: shop, field: customers.id, direction: from}]}}
          - {name: note, data_categories: [user.content], fides_meta: {data_type: string}}
`

// Two engines share one store, as two machines do: each advances the same
// request at the same time, one of them does the work, and both see its end.
func TestTwoEngines(t *testing.T) {
	t.Parallel()
	ctx, dir, dsn := t.Context(), t.TempDir(), dbtest.PostgresDSN(t)
	db := memory.NewConnector(map[string][]map[string]any{
		"customers": {
			{"id": 1, "email": "Subject@Example.com", "name": "canary name"},
			{"id": 2, "email": "other@example.com", "name": "Other"},
		},
		"orders": {
			{"id": 10, "customer_id": 1, "note": "canary note"},
			{"id": 11, "customer_id": 2, "note": "kept"},
			{"id": 12, "customer_id": 1, "note": nil},
		},
	}, nil)
	datasets, diags := graph.Load("shop.yml", []byte(shopYAML), nil)
	require.NoError(t, diags.Err())
	keyring, spool := dsr.NewEphemeralKeyring(), memory.NewSpool()
	pool := openPool(t, dsn)
	engines := make([]*dsr.Engine, 2)
	for i := range engines {
		store, err := pgstore.Open(ctx, openPool(t, dsn), nil)
		require.NoError(t, err)
		engines[i], err = dsr.New(dsr.Config{
			Datasets:    datasets,
			Connections: []dsr.Connection{{Key: "shop", Connector: db, Datasets: []string{"shop"}}},
			Policies: []graph.Policy{{Key: "both", Rules: []graph.Rule{
				{Key: "access", Action: graph.Access, Targets: []graph.Category{"user"}},
				{Key: "erase", Action: graph.Erasure, Targets: []graph.Category{"user.name", "user.content"}, Masking: &graph.Masking{Strategy: "null_rewrite"}},
			}}},
			Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(dir, nil)}},
			Store:        store, Keyring: keyring, Spool: spool,
		})
		require.NoError(t, err)
	}
	submitted, err := engines[0].Requests().Submit(ctx, dsr.Submission{
		Policy: "both", ExternalID: "ticket 7", Identities: dsr.Identities{"email": {"subject@example.com"}},
	})
	require.NoError(t, err)
	found, err := engines[1].Requests().Get(ctx, submitted.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusApproved, found.Status)

	errs := make([]error, len(engines))
	var group sync.WaitGroup
	for i, engine := range engines {
		group.Go(func() { errs[i] = advance(ctx, engine, submitted.ID) })
	}
	group.Wait()
	require.NoError(t, errors.Join(errs...))

	for _, engine := range engines {
		req, err := engine.Requests().Get(ctx, submitted.ID)
		require.NoError(t, err)
		require.Equal(t, dsr.StatusComplete, req.Status)
		require.Equal(t, "ticket 7", req.ExternalID)
		require.Len(t, req.Packages, 1)
		require.EqualValues(t, 3, req.Packages[0].Rows)
		log, err := engine.Requests().Log(ctx, submitted.ID, 0, 0)
		require.NoError(t, err)
		kinds := map[string]int{}
		for _, event := range log {
			kinds[event.Kind]++
		}
		require.Equal(t, 1, kinds["received"])
		require.Equal(t, 1, kinds["delivered"])
		require.Equal(t, 1, kinds["complete"])
	}
	require.ElementsMatch(t, []map[string]any{
		{"id": int64(1), "email": "Subject@Example.com", "name": nil},
		{"id": int64(2), "email": "other@example.com", "name": "Other"},
	}, db.Rows("customers"))
	require.ElementsMatch(t, []map[string]any{
		{"id": int64(10), "customer_id": int64(1), "note": nil},
		{"id": int64(11), "customer_id": int64(2), "note": "kept"},
		{"id": int64(12), "customer_id": int64(1), "note": nil},
	}, db.Rows("orders"))
	text, err := os.ReadFile(filepath.Join(dir, submitted.ID+".json"))
	require.NoError(t, err)
	require.Contains(t, string(text), "canary note")

	// Nothing in the store holds what was found, or whom it is about.
	for _, table := range []string{"requests", "documents", "lookups", "keys", "journal", "ticks", "events", "audit", "heads", "checkpoints"} {
		var hits int
		require.NoError(t, pool.QueryRow(ctx, "SELECT count(*) FROM dsr."+table+
			" AS t WHERE t::text ~* 'canary|subject@' OR t::text LIKE '%' || encode('canary', 'hex') || '%' OR t::text LIKE '%' || encode('ubject@', 'hex') || '%'").Scan(&hits))
		require.Zero(t, hits, table)
	}
	var purposes []string
	require.NoError(t, pool.QueryRow(ctx, "SELECT array_agg(purpose) FROM dsr.keys").Scan(&purposes))
	require.Equal(t, []string{"identity"}, purposes, "the other keys are shredded")
}

// advance goes on until the request is done, here or elsewhere.
func advance(ctx context.Context, engine *dsr.Engine, id string) error {
	for {
		req, err := engine.Requests().Advance(ctx, id)
		switch {
		case err == nil && req.Status == dsr.StatusComplete:
			return nil
		case err != nil && !errors.Is(err, dsr.ErrLeased):
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}
