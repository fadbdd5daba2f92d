//go:build compat

package compat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
)

// One query asks for all inputs that have values, joined by OR; inputs without
// values are left out.
func TestFides13OnlyPresentInputs(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	run(t, db, "INSERT INTO customer VALUES (20, 'new@example.com', 'New Customer', NULL, NULL)")
	for identity, want := range map[string]map[string][][]any{
		customer1:         {"customer_id": {{int64(1)}}, "id": {{"pay_aaa-aaa"}, {"pay_bbb-bbb"}}},
		"new@example.com": {"customer_id": {{int64(20)}}},
	} {
		watched := &spy{Connector: sqlconn.New(db, sqlconn.PostgreSQL, nil)}
		f := newFlow(t, policy(access("A")), parse(t, fill(related, "", "primary_key: true")), dsr.Connection{Key: "db", Connector: watched})
		req := f.run("policy", email(identity))
		require.Equal(t, want, watched.criteria("payment_card"))
		reads := []string{"address", "customer", "orders", "payment_card"}
		if identity != customer1 {
			reads = []string{"customer", "orders", "payment_card"}
			require.Equal(t, counts{"db:customer": 1, "db:orders": 0, "db:payment_card": 0, "db:address": 0}, found(req))
		}
		require.Equal(t, reads, watched.reads(), "one query each, and none without values")
	}
}

const customers = `
dataset:
  - fides_key: db
    collections:
      - name: customer
        fields:
          - {name: id, fides_meta: {%s}}
          - {name: email, data_categories: [B], fides_meta: {identity: email, data_type: string}}
          - {name: name, data_categories: [A], fides_meta: {data_type: string, length: 40}}
`

func TestFides14Updates(t *testing.T) {
	t.Parallel()
	stars := map[string]any{"rewrite_value": "*****"}
	const name = "customer 1 name: John Customer → "
	for title, c := range map[string]struct {
		rules   []graph.Rule
		setup   string
		key     string
		keyed   []graph.Path
		changed []string
	}{
		"null by key": {
			rules: []graph.Rule{erasure("null_rewrite", nil, "A")}, key: "primary_key: true",
			keyed: []graph.Path{{"id"}}, changed: []string{name + "null"},
		},
		"cut to its length": {
			rules: []graph.Rule{erasure("string_rewrite", map[string]any{"rewrite_value": "1234567890123456789012345678901234567890 and more"}, "A")}, key: "primary_key: true",
			keyed: []graph.Path{{"id"}}, changed: []string{name + "1234567890123456789012345678901234567890"},
		},
		"two rules": {
			rules: []graph.Rule{erasure("null_rewrite", nil, "B"), erasure("string_rewrite", stars, "A")}, key: "primary_key: true",
			keyed: []graph.Path{{"id"}}, changed: []string{"customer 1 email: customer-1@example.com → null", name + "*****"},
		},
		"without a key": {
			rules: []graph.Rule{erasure("null_rewrite", nil, "A")}, setup: "ALTER TABLE customer DROP CONSTRAINT customer_pkey",
			keyed: []graph.Path{{"email"}}, changed: []string{name + "null"},
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			db := postgres(t)
			run(t, db, c.setup)
			before := snapshot(t, db, "public")
			watched := &spy{Connector: sqlconn.New(db, sqlconn.PostgreSQL, nil)}
			f := newFlow(t, policy(c.rules...), parse(t, fill(customers, c.key)), dsr.Connection{Key: "db", Connector: watched})
			req := f.run("policy", email(customer1))
			require.Equal(t, counts{"db:customer": 1}, masked(req))
			require.Len(t, watched.chunks, 1)
			require.Equal(t, c.keyed, watched.chunks[0].Key)
			require.Equal(t, c.changed, changes(before, snapshot(t, db, "public")))
		})
	}
}

// A hash is cut to the length of the field as well.
func TestFides14HashIsCut(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	before := snapshot(t, db, "public")
	f := newFlow(t, policy(erasure("hash", nil, "user.name")), datasets(dataset(t, postgresFile)), pgConnection(db))
	f.run("policy", email(customer1))
	changed := changes(before, snapshot(t, db, "public"))
	require.Len(t, changed, 1)
	require.Regexp(t, "^customer 1 name: John Customer → [0-9a-f]{40}$", changed[0])
}

// A field's own strategy wins over that of the rule.
func TestFides14Override(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	before := snapshot(t, db, "public")
	f := newFlow(t, policy(erasure("null_rewrite", nil, "user.name")), datasets(dataset(t, postgresFile)), pgConnection(db))
	req := f.run("policy", email("employee-1@example.com"))
	require.Equal(t, prefixed(postgresKey, counts{"customer": 0, "employee": 1}), masked(req))
	require.Equal(t, []string{"employee 1 name: Jack Employee → testing-test"}, changes(before, snapshot(t, db, "public")))
}

func TestFides19CompositeKey(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	// S10: zero is a part of a key like any other; Fides would drop it from
	// the WHERE and reach every row with the other part.
	run(t, db, "INSERT INTO composite_pk_test VALUES (0, 10, 'linked to customer 2', 2), (0, 11, 'linked to customer 1', 1)")
	before := snapshot(t, db, "public")
	f := newFlow(t, policy(erasure("null_rewrite", nil, "A")), parse(t, `
dataset:
  - fides_key: db
    collections:
      - name: customer
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
      - name: composite_pk_test
        fields:
          - {name: id_a, fides_meta: {primary_key: true}}
          - {name: id_b, fides_meta: {primary_key: true}}
          - {name: description, data_categories: [A], fides_meta: {data_type: string}}
          - {name: customer_id, fides_meta: {references: [{dataset: db, field: customer.id, direction: from}]}}
`), pgConnection(db, "db"))
	req := f.run("policy", email(customer1))
	require.Equal(t, counts{"db:customer": 1, "db:composite_pk_test": 2}, found(req))
	require.Equal(t, counts{"db:composite_pk_test": 2}, masked(req))
	require.Equal(t, []string{
		"composite_pk_test 0 11 description: linked to customer 1 → null",
		"composite_pk_test 1 10 description: linked to customer 1 → null",
	}, changes(before, snapshot(t, db, "public")))
}

// A new customer is erased in the same way whether or not the addresses have
// a key.
func TestFides19ErasureWithAndWithoutKey(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct{ setup, key string }{
		"with a key":    {"", "primary_key: true"},
		"without a key": {"ALTER TABLE address DROP CONSTRAINT address_pkey", ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			db := postgres(t)
			run(t, db, c.setup+`;
				INSERT INTO address VALUES (10000, 1, 'First Street'), (10001, 2, 'Second Street');
				INSERT INTO customer VALUES (10000, 'new@example.com', 'New Customer', NULL, 10000);
				INSERT INTO orders VALUES ('ord_new', 10000, 10001, NULL)`)
			before := snapshot(t, db, "public")
			f := newFlow(t, policy(erasure("null_rewrite", nil, "A")), parse(t, fill(related, "", c.key)), pgConnection(db, "db"))
			req := f.run("policy", email("new@example.com"))
			require.Equal(t, counts{"db:customer": 1, "db:orders": 1, "db:payment_card": 0, "db:address": 2}, found(req))
			require.Equal(t, counts{"db:customer": 1, "db:payment_card": 0, "db:address": 2}, masked(req))
			require.Equal(t, []string{
				"address 10000 street: First Street → null",
				"address 10001 street: Second Street → null",
				"customer 10000 name: New Customer → null",
			}, changes(before, snapshot(t, db, "public")))
		})
	}
}

// A number leads to a key that is text.
func TestFides20TypesAreConverted(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	before := snapshot(t, db, "public")
	f := newFlow(t, policy(access("A"), erasure("null_rewrite", nil, "A")), parse(t, `
dataset:
  - fides_key: db
    collections:
      - name: employee
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
      - name: type_link_test
        fields:
          - {name: id, fides_meta: {primary_key: true, data_type: string, references: [{dataset: db, field: employee.id, direction: from}]}}
          - {name: name, data_categories: [A]}
`), pgConnection(db, "db"))
	req := f.run("policy", email("employee-1@example.com"))
	require.Equal(t, counts{"db:employee": 1, "db:type_link_test": 1}, found(req))
	samePackage(t, `{"db:type_link_test": [{"name": "name1"}]}`, f.pack(req))
	require.Equal(t, counts{"db:type_link_test": 1}, masked(req))
	require.Equal(t, []string{"type_link_test 1 name: name1 → null"}, changes(before, snapshot(t, db, "public")))
}

func TestFides20OtherSchema(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	d := dataset(t, postgresFile)
	d.Namespace = map[string]string{"schema": "backup_schema"}
	public, backup := snapshot(t, db, "public"), snapshot(t, db, "backup_schema")
	f := newFlow(t, policy(access("user.contact.email"), erasure("null_rewrite", nil, "user.name")), datasets(d), pgConnection(db))
	require.JSONEq(t, `{}`, f.pack(f.run("policy", email(customer1))), "who is only in the other schema")

	req := f.run("policy", email("customer-500@example.com"))
	require.JSONEq(t, `{"postgres_example_test_dataset:customer": [{"email": "customer-500@example.com"}]}`, f.pack(req))
	require.Equal(t, prefixed(postgresKey, counts{"customer": 1, "employee": 0}), masked(req))
	require.Equal(t, []string{"customer 1 name: Johanna Customer → null"}, changes(backup, snapshot(t, db, "backup_schema")))
	require.Empty(t, changes(public, snapshot(t, db, "public")))

	f = newFlow(t, policy(access("user.contact.email")), datasets(dataset(t, postgresFile)), pgConnection(db))
	require.JSONEq(t, `{}`, f.pack(f.run("policy", email("customer-500@example.com"))))
}

// withVisitsDeleted is the sample's dataset, whose visits are deleted: their
// e-mail is part of the key of the table.
func withVisitsDeleted(t *testing.T) *graph.Dataset {
	t.Helper()
	d := dataset(t, postgresFile)
	collection(t, d, "visit").Masking = &graph.Masking{Strategy: graph.StrategyDelete}
	return d
}

// An address that two customers share is masked for both (S16, Fides' way).
func TestFides21EraseContact(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	before := snapshot(t, db, "public")
	f := newFlow(t, policy(erasure("null_rewrite", nil, "user.contact")), datasets(withVisitsDeleted(t)), pgConnection(db))
	req := f.run("policy", email(customer2))
	require.Equal(t, prefixed(postgresKey, counts{
		"address": 2, "customer": 1, "employee": 0, "report": 0, "service_request": 0, "visit": 1,
	}), masked(req))
	require.Equal(t, []string{
		"address 1 city: Exampletown → null", "address 1 house: 123 → null", "address 1 state: NY → null",
		"address 1 street: Example Street → null", "address 1 zip: 12345 → null",
		"address 2 city: Exampletown → null", "address 2 house: 4 → null", "address 2 state: NY → null",
		"address 2 street: Example Lane → null", "address 2 zip: 12321 → null",
		"customer 2 email: customer-2@example.com → null",
		"visit customer-2@example.com 2021-01-06 01:00:00 is gone",
	}, changes(before, snapshot(t, db, "public")))
}

func TestFides21EraseFinancial(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	before := snapshot(t, db, "public")
	f := newFlow(t, policy(erasure("null_rewrite", nil, "user.financial")), datasets(dataset(t, postgresFile)), pgConnection(db))
	req := f.run("policy", email(customer1))
	require.Equal(t, prefixed(postgresKey, counts{"payment_card": 1}), masked(req))
	require.Equal(t, []string{
		"payment_card pay_aaa-aaa ccn: 123456789 → null",
		"payment_card pay_aaa-aaa code: 321 → null",
		"payment_card pay_aaa-aaa name: Example Card 1 → null",
	}, changes(before, snapshot(t, db, "public")))
}
