package bench_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/slogger"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/storage"
)

// front is what examples/server serves, over the same store, folder and keys,
// where a benchmark can reach into it. It is no part of package bench: the
// children whose memory is measured are not to link a front door.
type front struct {
	Store  dsr.Store
	Engine *dsr.Engine
	OAuth  *oauth.Server
	Door   http.Handler
}

// frontOptions say what a front is in front of.
type frontOptions struct {
	// Data is the folder of an example server that was started once.
	Data string
	// Approval lets new requests wait for a person, so that no work begins.
	// Defaults to none, as in the example server.
	Approval bool
}

// unlimited lets a client make as many calls as it can.
const unlimited = 1 << 30

// newFront makes a front over an open store.
func newFront(store dsr.Store, o frontOptions) (*front, error) {
	data, err := os.ReadFile(filepath.Join(o.Data, "keys.json"))
	if err != nil {
		return nil, err
	}
	var keys struct{ Lookup, Wrap, Audit, OAuth []byte }
	if err := json.Unmarshal(data, &keys); err != nil {
		return nil, fmt.Errorf("keys.json: %w", err)
	}
	secret, err := os.ReadFile(filepath.Join(o.Data, "demo-secret"))
	if err != nil {
		return nil, err
	}
	keyring, err := dsr.NewLocalKeyring(keys.Lookup, dsr.LocalKey{ID: "1", Key: keys.Wrap})
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewJSONHandler(io.Discard, nil))
	f := &front{Store: store}
	if f.Engine, err = dsr.New(dsr.Config{
		ConnectionTypes:  map[string]dsr.ConnectionType{"sqlite": sqlconn.ConnectionType(sqlconn.SQLite, &sqlconn.TypeOptions{Dir: filepath.Join(o.Data, "databases")})},
		DestinationTypes: map[string]dsr.DestinationType{"local": dsr.FolderDestinationType(filepath.Join(o.Data, "fides_uploads"), nil)},
		Store:            store,
		Keyring:          keyring,
		Spool:            dsr.NewDirSpool(filepath.Join(o.Data, "spool")),
		Files:            storage.NewFolder(filepath.Join(o.Data, "files"), nil),
		Notifier:         slogger.New(log, nil),
		Audit:            dsr.AuditConfig{Signer: ed25519.NewKeyFromSeed(keys.Audit)},
		Retention:        dsr.Retention{Unverified: 7 * 24 * time.Hour, Collected: 30 * 24 * time.Hour},
		Flow:             dsr.Flow{Timeframe: 30 * 24 * time.Hour, Approval: o.Approval},
		Logger:           log,
		NewID:            func() string { return "pri_" + uuid.NewString() },
	}); err != nil {
		return nil, err
	}
	f.OAuth, err = oauth.New(&oauth.Options{
		Records: oauth.NewStoreRecords(store), Key: keys.OAuth, Root: oauth.Credentials{ID: "demo", Secret: string(secret)}, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	f.Door, err = fides.New(f.Engine, &fides.Options{OAuth: f.OAuth, Logger: log, Limits: fides.Limits{PerMinute: unlimited}})
	return f, err
}

// token makes a client that may do everything with requests, and a token of it.
func (f *front) token(ctx context.Context) (string, error) {
	_, own, err := f.OAuth.CreateClient(ctx, oauth.Host(), oauth.NewClient{
		Name: "load", Scopes: []string{oauth.ScopeRequestCreate, oauth.ScopeRequestRead},
	})
	if err != nil {
		return "", err
	}
	token, err := f.OAuth.Token(ctx, own.ID, own.Secret, nil)
	if err != nil {
		return "", err
	}
	return token.Value, nil
}
