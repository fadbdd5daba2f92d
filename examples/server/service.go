package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver "mysql"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/manualtask"
	"github.com/godsr/dsr/adapters/pgstore"
	"github.com/godsr/dsr/adapters/slogger"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/adapters/sqlitestore"
	"github.com/godsr/dsr/storage"
)

// service is what run serves.
type service struct {
	settings
	log     *slog.Logger
	keys    *keys
	store   dsr.Store
	notices *fides.FailureNotices
	engine  *dsr.Engine
	oauth   *oauth.Server
	door    *fides.Door
	closes  []func() error

	ownRoot     bool // the root client is that of the environment
	demoMissing bool // there was another configuration before the demo
}

func newService(ctx context.Context, s settings, root oauth.Credentials, log io.Writer) (_ *service, err error) {
	// A line that is written for an HTTP request has its ID, whoever writes it.
	app := &service{settings: s, log: slog.New(fides.LogHandler(slog.NewJSONHandler(log, nil)))}
	defer func() {
		if err != nil {
			err = errors.Join(err, app.close())
		}
	}()
	if err := os.MkdirAll(filepath.Join(s.data, "databases"), 0o700); err != nil {
		return nil, fmt.Errorf("-data: %w", err)
	}
	if app.data, err = filepath.Abs(s.data); err != nil {
		return nil, err
	}
	if app.keys, err = loadKeys(app.path("keys.json")); err != nil {
		return nil, err
	}
	if err := app.openStore(ctx); err != nil {
		return nil, err
	}
	// All notices go to the log, where nobody is named: also those that are
	// asked for at /privacy-request/notification, for as many failures as it
	// says there. A service of its own would send them to the addresses.
	notifier := slogger.New(app.log, nil)
	app.notices, err = fides.NewFailureNotices(fides.FailureOptions{
		Notifier: notifier, Store: app.store, Logger: app.log,
		Send: func(ctx context.Context, _ []string, n dsr.Notice) error { return notifier.Notify(ctx, n) },
	})
	if err != nil {
		return nil, err
	}
	if app.engine, err = app.newEngine(); err != nil {
		return nil, err
	}
	app.closes = append(app.closes, app.engine.Close)
	if s.demo {
		if app.ownRoot = root.ID != ""; !app.ownRoot {
			root, err = app.demoCredentials()
		}
		if err := errors.Join(err, app.makeDemo(ctx)); err != nil {
			return nil, err
		}
	}
	// What was configured counts from the first call on.
	if _, err := app.engine.Catalogue().Problems(ctx); err != nil {
		return nil, err
	}
	app.oauth, err = oauth.New(&oauth.Options{Records: oauth.NewStoreRecords(app.store), Key: app.keys.OAuth, Root: root, Logger: app.log})
	if err != nil {
		return nil, err
	}
	app.door, err = fides.New(app.engine, &fides.Options{
		OAuth: app.oauth, Failures: app.notices, Logger: app.log, AccessResults: true, Limits: fides.Limits{PerMinute: s.perMinute},
	})
	return app, err
}

func (s *service) path(name string) string { return filepath.Join(s.data, name) }

func (s *service) close() (err error) {
	for i := len(s.closes) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closes[i]())
	}
	s.closes = nil
	return err
}

// openStore opens the store: a file, or a PostgreSQL database that several
// servers may share.
func (s *service) openStore(ctx context.Context) error {
	if s.settings.store == "" {
		store, err := sqlitestore.Open(ctx, s.path("dsr.db"), nil)
		if err != nil {
			return err
		}
		s.store, s.closes = store, append(s.closes, store.Close)
		return nil
	}
	pool, err := pgxpool.New(ctx, s.settings.store)
	if err != nil {
		return errors.New("-store is no address that PostgreSQL understands") // that error may quote the password
	}
	s.closes = append(s.closes, func() error { pool.Close(); return nil })
	s.store, err = pgstore.Open(ctx, pool, nil)
	return err
}

// newEngine sets dsr up. What it answers about comes from the API, by way of the
// types below; a host of its own would rather name its databases here.
func (s *service) newEngine() (*dsr.Engine, error) {
	keyring, err := dsr.NewLocalKeyring(s.keys.Lookup, dsr.LocalKey{ID: "1", Key: s.keys.Wrap})
	if err != nil {
		return nil, err
	}
	// Whoever may define connections names hosts, and would otherwise learn
	// what answers inside the network; and files, of which those of the
	// service itself must not be any.
	allow := strings.Split(s.allow, ",")
	sql := func(d sqlconn.Dialect, title string) dsr.ConnectionType {
		return sqlconn.ConnectionType(d, &sqlconn.TypeOptions{Title: title, Allow: allow, Dir: s.path("databases")})
	}
	sqlite := sql(sqlconn.SQLite, "")
	sqlite.Fields[0].Description = "The path of a file that is there, below the folder \"databases\" of -data, such as \"shop.db\"."
	https, err := hookType(allow)
	if err != nil {
		return nil, err
	}
	return dsr.New(dsr.Config{
		ConnectionTypes: map[string]dsr.ConnectionType{
			"postgres": sql(sqlconn.PostgreSQL, ""), "mysql": sql(sqlconn.MySQL, ""), "mariadb": sql(sqlconn.MySQL, "MariaDB"),
			"sqlite":         sqlite,
			"https":          https,
			"manual_webhook": {Title: "Manual process"}, "manual_request": {Title: "Manual process"},
			"manual_task": manualtask.ConnectionType(),
		},
		DestinationTypes: map[string]dsr.DestinationType{"local": dsr.FolderDestinationType(s.path("fides_uploads"), nil)},
		Store:            s.store,
		Keyring:          keyring,
		Spool:            dsr.NewDirSpool(s.path("spool")),
		Files:            storage.NewFolder(s.path("files"), nil),
		Notifier:         s.notices,
		Identities:       fides.IdentityKinds(),
		Audit:            dsr.AuditConfig{Signer: ed25519.NewKeyFromSeed(s.keys.Audit)},
		Retention:        dsr.Retention{Unverified: 7 * 24 * time.Hour, Collected: 30 * 24 * time.Hour},
		Flow:             dsr.Flow{Timeframe: 30 * 24 * time.Hour, Approval: s.approval},
		Lease:            s.lease,
		Logger:           s.log,
		NewID:            func() string { return "pri_" + uuid.NewString() },
	})
}

// keys are those of the service. A real one has them in a secret store: whoever
// has this file and the store's can open what is sealed.
type keys struct{ Lookup, Wrap, Audit, OAuth []byte }

// loadKeys reads the keys, or makes them at the first start.
func loadKeys(name string) (*keys, error) {
	data, err := readOrMake(name, func() ([]byte, error) {
		k := &keys{}
		for _, key := range []*[]byte{&k.Lookup, &k.Wrap, &k.Audit, &k.OAuth} {
			*key = make([]byte, 32)
			_, _ = rand.Read(*key) // never fails
		}
		return json.Marshal(k)
	})
	k := &keys{}
	if err == nil {
		err = json.Unmarshal(data, k)
	}
	if err == nil && (len(k.Audit) != ed25519.SeedSize || len(k.OAuth) != 32) {
		err = fmt.Errorf("%s does not hold the keys of this service", name)
	}
	return k, err
}

// readOrMake reads a file, which it makes, for the owner only, where there is
// none. It is there whole or not at all, and of several servers that start at
// once all read what the first one made.
func readOrMake(name string, content func() ([]byte, error)) (_ []byte, err error) {
	data, err := os.ReadFile(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	if data, err = content(); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.new")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	_, err = file.Write(data)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Link(file.Name(), name)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(name)
}
