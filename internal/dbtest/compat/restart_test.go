//go:build compat

package compat_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
)

var errDown = errors.New("the database is down")

// What was collected is not collected again after a failure elsewhere.
func TestFides25RestartOfAccess(t *testing.T) {
	t.Parallel()
	var up atomic.Bool
	tables := &spy{Connector: sqlconn.New(postgres(t), sqlconn.PostgreSQL, nil)}
	documents := &spy{Connector: mongo(t), failRead: func(string) error {
		if up.Load() {
			return nil
		}
		return errDown
	}}
	f := newFlow(t, policy(access("user")), datasets(dataset(t, postgresFile), dataset(t, mongoFile)),
		dsr.Connection{Key: postgresKey, Connector: tables}, dsr.Connection{Key: mongoKey, Connector: documents})
	req, err := f.engine.Requests().Advance(t.Context(), f.submit("policy", email(customer1)).ID)
	require.ErrorIs(t, err, errDown)
	require.Equal(t, dsr.StatusError, req.Status)
	require.Equal(t, map[graph.State][]string{
		graph.Failed: {"mongo_test:customer_details", "mongo_test:customer_feedback"},
		graph.Skipped: {
			"mongo_test:aircraft", "mongo_test:conversations", "mongo_test:employee", "mongo_test:flights",
			"mongo_test:internal_customer_profile", "mongo_test:payment_card", "mongo_test:rewards",
		},
	}, states(req, mongoKey), "what takes values from a failed one is not visited")
	first := tables.reads()
	require.Equal(t, []string{
		"address", "customer", "employee", "login", "order_item", "orders", "payment_card", "product", "report", "service_request", "visit",
	}, first)

	up.Store(true)
	_, err = f.engine.Requests().Retry(t.Context(), req.ID, dsr.By{})
	require.NoError(t, err)
	req, err = f.engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Equal(t, first, tables.reads(), "nothing was read again")
	require.Equal(t, map[graph.State]int{graph.Done: 20}, tally(req))
	for collection, n := range (counts{
		"aircraft": 1, "conversations": 2, "customer_details": 1, "customer_feedback": 1, "employee": 2,
		"flights": 1, "internal_customer_profile": 1, "payment_card": 1, "rewards": 0,
	}) {
		require.Equal(t, n, found(req)[mongoKey+":"+collection], collection)
	}
	log, err := f.engine.Requests().Log(t.Context(), req.ID, 0, 0)
	require.NoError(t, err)
	var kinds, failed []string
	for _, e := range log {
		switch {
		case e.Collection == "":
			kinds = append(kinds, e.Kind)
		case e.Status == "error":
			failed = append(failed, e.Collection)
		}
	}
	require.Equal(t, []string{"received", "planned", "delivered", "complete"}, kinds)
	require.NotEmpty(t, failed)
	var trail []string
	for entry, err := range f.engine.Audit().Entries(t.Context(), req.ID) {
		require.NoError(t, err)
		trail = append(trail, entry.Action)
	}
	require.Equal(t, []string{"received", "started", "planned", "failed", "retried", "collected", "delivered", "completed"}, trail)
}

// states lists the collections of a dataset by how their visits ended.
func states(req *dsr.Request, dataset string) map[graph.State][]string {
	out := map[graph.State][]string{}
	for _, c := range req.Collections {
		if c.Address.Dataset == dataset {
			out[c.State] = append(out[c.State], c.Address.String())
		}
	}
	for _, names := range out {
		slices.Sort(names)
	}
	return out
}

// tally counts collections by how their visits ended.
func tally(req *dsr.Request) map[graph.State]int {
	out := map[graph.State]int{}
	for _, c := range req.Collections {
		out[c.State]++
	}
	return out
}

// An erasure that failed goes on without reading anything again.
func TestFides25RestartOfErasure(t *testing.T) {
	t.Parallel()
	var up atomic.Bool
	db := postgres(t)
	before := snapshot(t, db, "public")
	tables := &spy{Connector: sqlconn.New(db, sqlconn.PostgreSQL, nil), failApply: func(collection string) error {
		if up.Load() || collection != "employee" {
			return nil
		}
		return errDown
	}}
	f := newFlow(t, policy(erasure("null_rewrite", nil, "user.name")), datasets(dataset(t, postgresFile)), dsr.Connection{Key: postgresKey, Connector: tables})
	run(t, db, "UPDATE employee SET email = 'customer-1@example.com' WHERE id = 2")
	req, err := f.engine.Requests().Advance(t.Context(), f.submit("policy", email(customer1)).ID)
	require.ErrorIs(t, err, errDown)
	require.Equal(t, dsr.StageErase, req.Stage)
	read := tables.reads()
	require.Equal(t, []string{"customer", "employee"}, tables.applies())

	up.Store(true)
	_, err = f.engine.Requests().Retry(t.Context(), req.ID, dsr.By{})
	require.NoError(t, err)
	req, err = f.engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, prefixed(postgresKey, counts{"customer": 1, "employee": 1}), masked(req))
	require.Equal(t, read, tables.reads(), "nothing was read again")
	require.Equal(t, []string{"customer", "employee", "employee"}, tables.applies(), "what was erased is not erased again")
	require.Equal(t, []string{
		"customer 1 name: John Customer → null",
		"employee 2 email: employee-2@example.com → customer-1@example.com",
		"employee 2 name: Jane Employee → testing-test",
	}, changes(before, snapshot(t, db, "public")))
}

// erase_after orders the erasure; a ring of it is refused.
func TestFides25EraseAfter(t *testing.T) {
	t.Parallel()
	order := func(change func(d *graph.Dataset)) ([]string, error) {
		tables := &spy{Connector: sqlconn.New(postgres(t), sqlconn.PostgreSQL, nil)}
		d := dataset(t, postgresFile)
		change(d)
		f := newFlow(t, policy(erasure("null_rewrite", nil, "user.name", "user.sensor", "user.financial")), datasets(d), dsr.Connection{Key: postgresKey, Connector: tables})
		req, err := f.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "policy", Identities: email(customer1)})
		if err != nil {
			return nil, err
		}
		_, err = f.engine.Requests().Advance(t.Context(), req.ID)
		return tables.applies(), err
	}
	after := func(d *graph.Dataset, name string, befores ...string) {
		for _, b := range befores {
			c := collection(t, d, name)
			c.EraseAfter = append(c.EraseAfter, graph.Address{Dataset: postgresKey, Collection: b})
		}
	}
	got, err := order(func(*graph.Dataset) {})
	require.NoError(t, err)
	require.Equal(t, []string{"customer", "login", "payment_card"}, got)

	got, err = order(func(d *graph.Dataset) {
		after(d, "customer", "login", "payment_card")
		after(d, "login", "payment_card")
	})
	require.NoError(t, err)
	require.Equal(t, []string{"payment_card", "login", "customer"}, got)

	_, err = order(func(d *graph.Dataset) { after(d, "customer", "login"); after(d, "login", "customer") })
	require.EqualError(t, err, "dsr: dataset/postgres_example_test_dataset.yml:23:9: error: postgres_example_test_dataset:customer, postgres_example_test_dataset:login: "+
		"erase_after makes these wait for each other; remove one of the waits")
}

// No visit is tried again within a walk: a failure fails what depends on it,
// and Retry goes on. Fides sleeps and tries again task_retry_count times.
func TestFides25ExceptionRetryIsTheHosts(t *testing.T) {
	t.Parallel()
	tables := &spy{Connector: sqlconn.New(postgres(t), sqlconn.PostgreSQL, nil), failRead: func(string) error { return errDown }}
	f := newFlow(t, policy(access("user")), datasets(dataset(t, postgresFile)), dsr.Connection{Key: postgresKey, Connector: tables})
	req, err := f.engine.Requests().Advance(t.Context(), f.submit("policy", email(customer1)).ID)
	require.ErrorIs(t, err, errDown)
	require.Equal(t, []string{"customer", "employee", "report", "visit"}, tables.reads())
	require.Equal(t, map[graph.State]int{graph.Failed: 4, graph.Skipped: 7}, tally(req))
}
