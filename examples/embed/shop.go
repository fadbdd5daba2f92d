package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlitestore"
)

const schema = `
CREATE TABLE IF NOT EXISTS customers (
	id    INTEGER PRIMARY KEY,
	email TEXT NOT NULL UNIQUE,
	name  TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS orders (
	id          INTEGER PRIMARY KEY,
	customer_id INTEGER NOT NULL REFERENCES customers (id),
	product     TEXT NOT NULL,
	note        TEXT
);`

// app is the service.
type app struct {
	db       *sql.DB
	store    *sqlitestore.Store
	engine   *dsr.Engine
	desk     string // the bearer token of the privacy desk
	packages string // the folder that data packages go to
	spool    string // the folder where collected rows wait, sealed
}

// newApp opens what the service keeps in dir. The notifier may be nil.
func newApp(ctx context.Context, dir, desk string, keyring dsr.Keyring, notifier dsr.Notifier) (*app, error) {
	a := &app{desk: desk, packages: filepath.Join(dir, "packages"), spool: filepath.Join(dir, "spool")}
	if err := a.open(ctx, dir, keyring, notifier); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func (a *app) open(ctx context.Context, dir string, keyring dsr.Keyring, notifier dsr.Notifier) (err error) {
	query := url.Values{"_pragma": {"foreign_keys(1)", "busy_timeout(5000)", "journal_mode(WAL)"}}
	file := url.URL{Scheme: "file", OmitHost: true, Path: filepath.Join(dir, "shop.db"), RawQuery: query.Encode()}
	if a.db, err = sql.Open("sqlite", file.String()); err != nil {
		return err
	}
	if _, err = a.db.ExecContext(ctx, schema); err != nil {
		return err
	}
	if a.store, err = sqlitestore.Open(ctx, filepath.Join(dir, "requests.db"), nil); err != nil {
		return err
	}
	a.engine, err = newEngine(a, keyring, notifier)
	return err
}

func (a *app) close() error {
	var errs []error
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	if a.db != nil {
		errs = append(errs, a.db.Close())
	}
	return errors.Join(errs...)
}

// routes are those of the shop, and those that answer data subject requests.
func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", a.placeOrder)
	mux.HandleFunc("GET /orders/{id}", a.showOrder)
	mux.HandleFunc("POST /privacy/requests", a.authorized(a.submit))
	mux.HandleFunc("GET /privacy/requests/{id}", a.authorized(a.show))
	mux.HandleFunc("GET /privacy/requests/{id}/package", a.authorized(a.download))
	return mux
}

type order struct {
	ID      int64   `json:"id"`
	Email   string  `json:"email"`
	Name    string  `json:"name"`
	Product string  `json:"product"`
	Note    *string `json:"note,omitempty"`
}

func (a *app) placeOrder(w http.ResponseWriter, r *http.Request) {
	var o order
	if !decode(w, r, &o) {
		return
	}
	if o.Email == "" || o.Name == "" || o.Product == "" {
		fail(w, http.StatusUnprocessableEntity, "an order needs email, name and product")
		return
	}
	_, err := a.db.ExecContext(r.Context(), `INSERT INTO customers (email, name) VALUES (?, ?) ON CONFLICT DO NOTHING`, o.Email, o.Name)
	if err == nil {
		err = a.db.QueryRowContext(r.Context(),
			`INSERT INTO orders (customer_id, product, note) SELECT id, ?, ? FROM customers WHERE email = ? RETURNING id`,
			o.Product, o.Note, o.Email).Scan(&o.ID)
	}
	if err != nil {
		fail(w, http.StatusInternalServerError, "the order could not be stored")
		return
	}
	reply(w, http.StatusCreated, o)
}

func (a *app) showOrder(w http.ResponseWriter, r *http.Request) {
	var o order
	err := a.db.QueryRowContext(r.Context(),
		`SELECT o.id, c.email, c.name, o.product, o.note FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id = ?`,
		r.PathValue("id")).Scan(&o.ID, &o.Email, &o.Name, &o.Product, &o.Note)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		fail(w, http.StatusNotFound, "there is no such order")
	case err != nil:
		fail(w, http.StatusInternalServerError, "the order could not be read")
	default:
		reply(w, http.StatusOK, o)
	}
}

// decode reads a small JSON body, or answers that it could not.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		fail(w, http.StatusBadRequest, "the body is not the JSON object that this route takes")
		return false
	}
	return true
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // nobody is left to tell
}

type failure struct {
	Error  string   `json:"error"`
	Faults []string `json:"faults,omitempty"`
}

func fail(w http.ResponseWriter, status int, message string, faults ...string) {
	reply(w, status, failure{message, faults})
}
