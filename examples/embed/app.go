package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/download"
	"github.com/godsr/dsr/adapters/pgstore"
	"github.com/godsr/dsr/adapters/sqlitestore"
)

// settings are what the flags say.
type settings struct {
	addr       string
	dir        string
	db         string // the address of the shop's database; a SQLite file in dir when empty
	store      string // likewise, of where requests are kept
	desk       string // the bearer token of the privacy desk
	coolingOff time.Duration
	lease      time.Duration
}

// app is the service.
type app struct {
	settings
	db      *database
	store   dsr.Store
	engine  *dsr.Engine
	log     *slog.Logger
	closers []func() error // in the order of opening
}

// newApp opens what the service works on. The notifier may be nil, for the
// outbox.
func newApp(ctx context.Context, s settings, notifier dsr.Notifier, log io.Writer) (*app, error) {
	a := &app{settings: s, log: slog.New(slog.NewTextHandler(log, nil))}
	if notifier == nil {
		notifier = &outbox{dir: a.path("outbox"), log: a.log}
	}
	if err := a.open(ctx, notifier); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func (a *app) open(ctx context.Context, notifier dsr.Notifier) (err error) {
	if a.db, err = openDatabase(ctx, a.settings.db, a.dir); err != nil {
		return err
	}
	a.closers = append(a.closers, a.db.Close)
	if err := a.openStore(ctx); err != nil {
		return err
	}
	a.engine, err = newEngine(a, notifier)
	return err
}

// openStore opens where requests are kept: a file for one machine, or a schema
// of PostgreSQL for many.
func (a *app) openStore(ctx context.Context) error {
	if a.settings.store == "" {
		store, err := sqlitestore.Open(ctx, a.path("requests.db"), nil)
		if err != nil {
			return err
		}
		a.store, a.closers = store, append(a.closers, store.Close)
		return nil
	}
	if !strings.HasPrefix(a.settings.store, "postgres") {
		return errors.New("-store: it is no postgres:// address")
	}
	pool, err := pgxpool.New(ctx, a.settings.store)
	if err != nil {
		return fmt.Errorf("-store: %w", err)
	}
	a.closers = append(a.closers, func() error { pool.Close(); return nil })
	a.store, err = pgstore.Open(ctx, pool, nil)
	return err
}

func (a *app) close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.closers = nil
	return errors.Join(errs...)
}

func (a *app) path(name string) string { return filepath.Join(a.dir, name) }

// downloads is where links to data packages lead.
const downloads = "/privacy/downloads/"

// routes are those of the shop, and those that answer data subject requests:
// the data subject submits one, proves who they are and downloads their data, the
// privacy desk does the rest.
func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", a.placeOrder)
	mux.HandleFunc("GET /orders/{id}", a.showOrder)

	mux.HandleFunc("POST /privacy/requests", a.submit)
	mux.HandleFunc("POST /privacy/requests/{id}/code", a.sendCode)
	mux.HandleFunc("POST /privacy/requests/{id}/verify", a.verify)
	mux.Handle(downloads, download.New(a.engine, &download.Options{Contact: "privacy@shop.example", Logger: a.log}))

	mux.HandleFunc("GET /privacy/requests", a.authorized(a.list))
	mux.HandleFunc("GET /privacy/requests/{id}", a.authorized(a.show))
	mux.HandleFunc("POST /privacy/requests/{id}/link", a.authorized(a.link))
	mux.HandleFunc("POST /privacy/requests/{id}/{verb}", a.authorized(a.decide))
	return mux
}
