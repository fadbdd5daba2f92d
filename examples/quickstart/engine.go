package main

import (
	"context"
	"crypto/rand"
	"path/filepath"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/adapters/sqlitestore"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// policies say what may be asked for. The erasure leaves what the books need:
// when something was ordered and for how much.
func policies() []graph.Policy {
	rule := func(key string, masking graph.Masking, targets ...graph.Category) graph.Rule {
		return graph.Rule{Key: key, Action: graph.Erasure, Targets: targets, Masking: &masking}
	}
	return []graph.Policy{
		{Key: "access", Rules: []graph.Rule{
			{Key: "everything", Action: graph.Access, Targets: []graph.Category{"user"}, Destination: "data"},
			{Key: "pages", Action: graph.Access, Targets: []graph.Category{"user"}, Destination: "pages"},
		}},
		{Key: "erasure", Rules: []graph.Rule{
			// Unique and not null: a hash keeps the column valid.
			rule("email", graph.Masking{Strategy: "hash", Configuration: map[string]any{
				"format_preservation": map[string]any{"suffix": "@erased.example"},
			}}, "user.contact.email"),
			rule("words", graph.Masking{Strategy: "string_rewrite", Configuration: map[string]any{
				"rewrite_value": "(erased)",
			}}, "user.name", "user.contact.address", "user.content"),
			rule("rest", graph.Masking{Strategy: "null_rewrite"},
				"user.contact.phone_number", "user.demographic", "user.payment"),
		}},
	}
}

// newEngine puts the parts together.
func newEngine(store dsr.Store, dir string, shop, crm *database, progress func(context.Context, dsr.Progress)) (*dsr.Engine, error) {
	datasets, _, err := graph.LoadFS(files, []string{"*.yml"}, nil)
	if err != nil {
		return nil, err
	}
	keyring, err := newKeyring()
	if err != nil {
		return nil, err
	}
	packages := storage.NewFolder(filepath.Join(dir, "packages"), nil)
	return dsr.New(dsr.Config{
		Datasets: datasets,
		Connections: []dsr.Connection{
			{Key: "shop.db", Connector: sqlconn.New(shop.DB, sqlconn.SQLite, nil), Datasets: []string{"shop"}},
			{Key: "crm.db", Connector: sqlconn.New(crm.DB, sqlconn.SQLite, nil), Datasets: []string{"crm"}},
		},
		Policies: policies(),
		Destinations: map[string]dsr.Destination{
			"data":  {Storage: packages},
			"pages": {Storage: packages, Format: storage.HTML{From: "The telescope shop", Contact: "privacy@shop.example"}},
		},
		Store:    store,
		Keyring:  keyring,
		Spool:    dsr.NewDirSpool(filepath.Join(dir, "spool")),
		Progress: progress,
	})
}

// newKeyring makes keys for this run. A service reads its keys from where it
// keeps secrets: without them, what the store holds can never be opened again.
func newKeyring() (dsr.Keyring, error) {
	lookup, key := make([]byte, 32), make([]byte, 32)
	for _, k := range [][]byte{lookup, key} {
		if _, err := rand.Read(k); err != nil {
			return nil, err
		}
	}
	return dsr.NewLocalKeyring(lookup, dsr.LocalKey{ID: "quickstart", Key: key})
}

func openStore(ctx context.Context, dir string) (*sqlitestore.Store, error) {
	return sqlitestore.Open(ctx, filepath.Join(dir, "requests.db"), nil)
}
