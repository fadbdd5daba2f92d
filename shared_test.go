package dsr_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
)

const homesYAML = `
dataset:
  - fides_key: homes
    collections:
      - name: people
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - name: email
            data_categories: [user.contact.email]
            fides_meta: {identity: email}
          - name: address_id
            fides_meta:
              references: [{dataset: homes, field: addresses.id, direction: to}]
      - name: addresses
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: street, data_categories: [user.contact.address.street]}
`

func TestSharedRows(t *testing.T) {
	t.Parallel()
	for mode, want := range map[dsr.SharedRows]struct {
		street any
		shared int64
		masked int64
		fails  string
	}{
		dsr.SharedErase:  {street: nil, shared: 1, masked: 2},
		dsr.SharedKeep:   {street: "Elm Row", shared: 1, masked: 1},
		dsr.SharedRefuse: {street: "Elm Row", fails: "homes:addresses: rows of others refer to a row that is to be erased"},
	} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			db := memory.NewConnector(map[string][]map[string]any{
				"people": {
					{"id": 1, "email": "ada@example.com", "address_id": 7},
					{"id": 2, "email": "ada@example.com", "address_id": 8},
					{"id": 3, "email": "bob@example.com", "address_id": 7},
				},
				"addresses": {{"id": 7, "street": "Elm Row"}, {"id": 8, "street": "Oak Lane"}},
			}, nil)
			engine, err := dsr.New(dsr.Config{
				Datasets:    load(t, homesYAML),
				Connections: []dsr.Connection{{Key: "homes", Connector: db, Datasets: []string{"homes"}}},
				Policies:    []graph.Policy{{Key: "erase", Rules: []graph.Rule{erasureRule("null_rewrite", "user.contact.address")}}},
				Store:       memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(), SharedRows: mode,
			})
			require.NoError(t, err)
			req, err := engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "erase", Identities: dsr.Identities{"email": {"ada@example.com"}}})
			require.NoError(t, err)
			req, err = engine.Requests().Advance(t.Context(), req.ID)
			rows := db.Rows("addresses")
			require.Equal(t, want.street, rows[0]["street"])
			if want.fails != "" {
				require.ErrorContains(t, err, want.fails)
				require.Equal(t, "Oak Lane", rows[1]["street"])
				return
			}
			require.NoError(t, err)
			require.Nil(t, rows[1]["street"])
			require.Equal(t, want.shared, req.Collections[1].Shared)
			require.Equal(t, want.masked, req.Collections[1].Masked)
			if mode != dsr.SharedKeep {
				require.Empty(t, req.Collections[1].Message)
				return
			}
			require.Equal(t, "left as they are, because rows of others refer to them: 1 rows", req.Collections[1].Message)
			log, err := engine.Requests().Log(t.Context(), req.ID, 0, 0)
			require.NoError(t, err)
			at := slices.IndexFunc(log, func(e dsr.Event) bool { return e.Kind == "kept" })
			require.Positive(t, at)
			require.Equal(t, []any{"homes:addresses", int64(1)}, []any{log[at].Collection, log[at].Rows})
		})
	}
}
