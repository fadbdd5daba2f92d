package main

import (
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

//go:embed shop.yml
var datasets embed.FS

const day = 24 * time.Hour

// privacyConfig is what does not depend on where the shop runs: the datasets,
// the policies, what a request goes through and how long what is kept. Unit
// tests put it on memory adapters.
func privacyConfig(coolingOff time.Duration) (dsr.Config, error) {
	shop, _, err := graph.LoadFS(datasets, []string{"*.yml"}, &graph.LoadOptions{Strict: true})
	everything := graph.Rule{Key: "everything", Action: graph.Access, Targets: []graph.Category{"user"}}
	forget := graph.Rule{
		Key: "forget", Action: graph.Erasure, Targets: []graph.Category{"user.contact", "user.name", "user.content"},
		Masking: &graph.Masking{Strategy: "random_string_rewrite"},
	}
	// Whoever asks proves that the address is theirs. An access request is
	// answered at once then; before something is erased, the privacy desk
	// looks at it, and the data subject may think again.
	hand := dsr.Flow{VerifyIdentity: true, Duplicates: &dsr.Duplicates{Window: 30 * day}, Timeframe: 30 * day}
	erase := hand
	erase.Approval, erase.CoolingOff = true, coolingOff
	return dsr.Config{
		Datasets: shop,
		Policies: []graph.Policy{
			{Key: "access", Rules: []graph.Rule{everything}},
			{Key: "erasure", Rules: []graph.Rule{forget}},
			{Key: "leave", Rules: []graph.Rule{everything, forget}},
		},
		Flow:  hand,
		Flows: map[string]dsr.Flow{"erasure": erase, "leave": erase},
		Retention: dsr.Retention{
			Unverified: 7 * day, Collected: 30 * day, Packages: 30 * day, Identities: 365 * day, Logs: 365 * day,
			Requests: 3 * 365 * day,
		},
	}, err
}

// newEngine puts what the service works on under the engine.
func newEngine(a *app, notifier dsr.Notifier) (*dsr.Engine, error) {
	config, err := privacyConfig(a.coolingOff)
	if err != nil {
		return nil, err
	}
	if config.Keyring, err = loadKeyring(a.path("keys.json")); err != nil {
		return nil, err
	}
	config.Connections = []dsr.Connection{
		{Key: "shop", Connector: sqlconn.New(a.db.DB, a.db.dialect, nil), Datasets: []string{"shop"}},
	}
	config.Destinations = map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(a.path("packages"), nil)}}
	config.Store = a.store
	config.Spool = dsr.NewDirSpool(a.path("spool"))
	config.Notifier = notifier
	config.Logger = a.log
	config.Lease = a.lease
	config.Executor = dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{OnError: func(j dsr.Job, err error) {
		a.log.Error("privacy request is tried again", "id", j.RequestID, "error", err.Error())
	}})
	return dsr.New(config)
}

// loadKeyring reads the keys of the service, or makes them at its first start.
// A real service has them in a secret store: whoever has this file and the
// store's can open what is sealed.
func loadKeyring(name string) (dsr.Keyring, error) {
	var keys struct{ Lookup, Wrap []byte }
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		keys.Lookup, keys.Wrap = make([]byte, 32), make([]byte, 32)
		_, _ = rand.Read(keys.Lookup) // never fails
		_, _ = rand.Read(keys.Wrap)
		if data, err = json.Marshal(keys); err == nil {
			err = writeFile(name, data)
		}
	}
	if err == nil {
		err = json.Unmarshal(data, &keys)
	}
	if err != nil {
		return nil, err
	}
	return dsr.NewLocalKeyring(keys.Lookup, dsr.LocalKey{ID: "1", Key: keys.Wrap})
}

// writeFile makes a file for the owner only that is there whole or not at all.
func writeFile(name string, data []byte) error {
	if err := os.WriteFile(name+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
