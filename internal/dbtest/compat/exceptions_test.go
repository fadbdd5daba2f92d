//go:build compat

package compat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
)

// refuses runs a request that must fail before anything is read or written,
// and returns why.
func refuses(t *testing.T, p graph.Policy, d *graph.Dataset, c dsr.Connection, identity string) error {
	t.Helper()
	watched := &spy{Connector: c.Connector}
	c.Connector = watched
	f := newFlow(t, p, datasets(d), c)
	req, err := f.engine.Requests().Advance(t.Context(), f.submit("policy", email(identity)).ID)
	var failed *dsr.FailedError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, dsr.StagePlan, failed.Stage)
	require.Equal(t, dsr.StatusError, req.Status)
	require.Empty(t, watched.reads())
	require.Empty(t, watched.applies())
	var fault *graph.FaultError
	require.ErrorAs(t, err, &fault)
	return fault
}

// S10: a targeted part of a table's key refuses the request, also one that the
// dataset does not tell of: visit's key is its e-mail and its time. Fides sets
// it to null and fails on the database's error, or, declared, does so too.
func TestFides21ExceptionKeysAreNotMasked(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	before := snapshot(t, db, "public")
	err := refuses(t, policy(erasure("null_rewrite", nil, "user.contact")), dataset(t, postgresFile), pgConnection(db), customer2)
	require.EqualError(t, err, "dsr: error: postgres_example_test_dataset:visit.email: it is part of the table's primary key; "+
		"delete the rows (masking_strategy_override: {strategy: delete} on the collection) or change its category")
	require.Empty(t, changes(before, snapshot(t, db, "public")))
}

// S11: text in a column of numbers refuses the request; Fides leaves the
// numbers as they are and says complete. Columns without a declared type are
// masked by what the database says of them; Fides leaves these too.
func TestFides21ExceptionNumbersAreNotLeft(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	before := snapshot(t, db, "public")
	err := refuses(t, policy(erasure("string_rewrite", map[string]any{"rewrite_value": "MASKED"}, "user.financial")), dataset(t, postgresFile), pgConnection(db), customer1)
	require.EqualError(t, err, "dsr: 2 faults:"+
		"\n\terror: postgres_example_test_dataset:payment_card.ccn: string_rewrite writes text, which a column of type bigint cannot take; use null_rewrite, or override the strategy of the field"+
		"\n\terror: postgres_example_test_dataset:payment_card.code: string_rewrite writes text, which a column of type smallint cannot take; use null_rewrite, or override the strategy of the field")
	require.Empty(t, changes(before, snapshot(t, db, "public")))

	f := newFlow(t, policy(erasure("string_rewrite", map[string]any{"rewrite_value": "MASKED"}, "user.contact.address.city")), datasets(dataset(t, postgresFile)), pgConnection(db))
	f.run("policy", email(jane))
	require.Equal(t, []string{"address 4 city: Example Mountain → MASKED"}, changes(before, snapshot(t, db, "public")))
}

// A read-only connection refuses an erasure before anything is read, and names
// every collection; Fides runs into an error in each of eleven tasks, and the
// request never ends.
func TestFides21ExceptionReadOnlyIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	before := snapshot(t, db, "public")
	byHost := pgConnection(db)
	byHost.ReadOnly = true
	err := refuses(t, policy(erasure("null_rewrite", nil, "user.contact")), withVisitsDeleted(t), byHost, customer1)
	const reached = ": an erasure rule reaches it, but connection \"postgres\" is set to read-only"
	require.EqualError(t, err, "dsr: 6 faults:"+
		"\n\terror: postgres_example_test_dataset:address"+reached+
		"\n\terror: postgres_example_test_dataset:customer"+reached+
		"\n\terror: postgres_example_test_dataset:employee"+reached+
		"\n\terror: postgres_example_test_dataset:report"+reached+
		"\n\terror: postgres_example_test_dataset:service_request"+reached+
		"\n\terror: postgres_example_test_dataset:visit"+reached)

	byAdapter := dsr.Connection{Key: "postgres", Datasets: []string{postgresKey}, Connector: sqlconn.New(db, sqlconn.PostgreSQL, &sqlconn.Options{ReadOnly: true})}
	err = refuses(t, policy(erasure("null_rewrite", nil, "user.financial")), dataset(t, postgresFile), byAdapter, customer1)
	require.EqualError(t, err, "dsr: error: postgres_example_test_dataset:payment_card: an erasure rule reaches it, "+
		"but connection \"postgres\" cannot write: the connection is configured as read-only")
	require.Empty(t, changes(before, snapshot(t, db, "public")))
}

// S1: the category of a collection counts for erasure too: every field is
// masked that is no key, no end of a reference and not of a system category.
// Fides ignores it there.
func TestFides14ExceptionCategoryOfACollection(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	before := snapshot(t, db, "public")
	f := newFlow(t, policy(erasure("null_rewrite", nil, "A")), parse(t, `
dataset:
  - fides_key: db
    collections:
      - name: customer
        data_categories: [A]
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
          - {name: name}
          - {name: created, data_categories: [system.operations]}
          - {name: address_id, fides_meta: {references: [{dataset: db, field: address.id, direction: to}]}}
      - name: address
        fields: [{name: id, fides_meta: {primary_key: true}}]
`), pgConnection(db, "db"))
	f.run("policy", email(customer1))
	require.Equal(t, []string{
		"customer 1 email: customer-1@example.com → null",
		"customer 1 name: John Customer → null",
	}, changes(before, snapshot(t, db, "public")))
}

// S12: rows are deleted on every database, those that refer to others first,
// and only when nothing that stays refers to them. Fides deletes on BigQuery
// alone and leaves the order to chance.
func TestFides14ExceptionRowsAreDeleted(t *testing.T) {
	t.Parallel()
	db := dbtest.Postgres(t)
	run(t, db, read(t, "flaskr/flaskr.sql"))
	before := snapshot(t, db, "public")
	deleting := func(collections ...string) *graph.Dataset {
		d := dataset(t, "flaskr/dataset.yml")
		for _, name := range collections {
			collection(t, d, name).Masking = &graph.Masking{Strategy: graph.StrategyDelete}
		}
		return d
	}
	p := policy(erasure("null_rewrite", nil, "user.provided.identifiable"))
	const key, notNull = "flaskr_postgres_dataset", ": null_rewrite writes null, but the column is NOT NULL; choose another strategy"
	connection := dsr.Connection{Key: key, Connector: sqlconn.New(db, sqlconn.PostgreSQL, nil)}
	require.EqualError(t, refuses(t, p, deleting("users"), connection, "user@example.com"), "dsr: 5 faults:"+
		"\n\terror: flaskr_postgres_dataset:products.description"+notNull+
		"\n\terror: flaskr_postgres_dataset:products.name"+notNull+
		"\n\terror: flaskr_postgres_dataset:products.price"+notNull+
		"\n\terror: flaskr_postgres_dataset:users: its rows are to be deleted, but rows of flaskr_postgres_dataset:products refer to them (products_seller_id_fkey, on delete restrict) and are kept; delete those too"+
		"\n\terror: flaskr_postgres_dataset:users: its rows are to be deleted, but rows of flaskr_postgres_dataset:purchases refer to them (purchases_buyer_id_fkey, on delete restrict) and are kept; delete those too")
	require.Empty(t, changes(before, snapshot(t, db, "public")))

	watched := &spy{Connector: connection.Connector}
	connection.Connector = watched
	f := newFlow(t, p, datasets(deleting("users", "products", "purchases")), connection)
	req := f.run("policy", email("user@example.com"))
	require.Equal(t, prefixed(key, counts{"users": 1, "products": 1, "purchases": 1}), masked(req))
	require.Equal(t, []string{"purchases", "products", "users"}, watched.applies())
	require.Equal(t, []string{"products 3 is gone", "purchases 1 is gone", "users 2 is gone"}, changes(before, snapshot(t, db, "public")))
}
