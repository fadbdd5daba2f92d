package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
)

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
	if err := a.storeOrder(r.Context(), &o); err != nil {
		fail(w, http.StatusInternalServerError, "the order could not be stored")
		return
	}
	reply(w, http.StatusCreated, o)
}

// storeOrder stores an order, and its customer when that is a new one.
func (a *app) storeOrder(ctx context.Context, o *order) error {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var customer int64
	err = tx.QueryRowContext(ctx, a.db.bind(`SELECT id FROM customers WHERE email = ?`), o.Email).Scan(&customer)
	if errors.Is(err, sql.ErrNoRows) {
		customer, err = a.db.insert(ctx, tx, `INSERT INTO customers (email, name) VALUES (?, ?)`, o.Email, o.Name)
	}
	if err != nil {
		return err
	}
	o.ID, err = a.db.insert(ctx, tx, `INSERT INTO orders (customer_id, product, note) VALUES (?, ?, ?)`, customer, o.Product, o.Note)
	if err != nil {
		return err
	}
	return tx.Commit()
}

func (a *app) showOrder(w http.ResponseWriter, r *http.Request) {
	var o order
	err := a.db.QueryRowContext(r.Context(),
		a.db.bind(`SELECT o.id, c.email, c.name, o.product, o.note FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id = ?`),
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
