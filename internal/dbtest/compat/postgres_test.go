//go:build compat

package compat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

const postgresFile, mysqlFile, mongoFile = "dataset/postgres_example_test_dataset.yml", "dataset/mysql_example_test_dataset.yml", "dataset/mongo_example_test_dataset.yml"

const customer1, customer2, jane = "customer-1@example.com", "customer-2@example.com", "jane@example.com"

// related are the sample's tables with more references than its dataset has:
// orders lead to payment cards.
const related = `
dataset:
  - fides_key: db
    %[1]s
    collections:
      - name: address
        fields:
          - {name: id, fides_meta: {%[2]s}}
          - {name: street, data_categories: [A], fides_meta: {data_type: string}}
      - name: customer
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: name, data_categories: [A], fides_meta: {data_type: string, length: 40}}
          - {name: email, fides_meta: {identity: email}}
          - {name: address_id, fides_meta: {references: [{dataset: db, field: address.id, direction: to}]}}
      - name: orders
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: customer_id, fides_meta: {references: [{dataset: db, field: customer.id, direction: from}]}}
          - {name: shipping_address_id, fides_meta: {references: [{dataset: db, field: address.id, direction: to}]}}
          - {name: payment_card_id, fides_meta: {references: [{dataset: db, field: payment_card.id, direction: to}]}}
      - name: payment_card
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: name, data_categories: [A]}
          - {name: customer_id, fides_meta: {references: [{dataset: db, field: customer.id, direction: from}]}}
          - {name: billing_address_id, fides_meta: {references: [{dataset: db, field: address.id, direction: to}]}}
`

func TestFides17AccessOnPostgres(t *testing.T) {
	t.Parallel()
	f := newFlow(t, policy(access("A")), parse(t, fill(related, "", "primary_key: true")), pgConnection(postgres(t), "db"))
	req := f.run("policy", email(customer1))
	require.Equal(t, counts{"db:customer": 1, "db:orders": 3, "db:payment_card": 2, "db:address": 2}, found(req))
	samePackage(t, `{
		"db:customer": [{"name": "John Customer"}],
		"db:payment_card": [{"name": "Example Card 1"}, {"name": "Example Card 2"}],
		"db:address": [{"street": "Example Street"}, {"street": "Example Lane"}]
	}`, f.pack(req))

	// S13: the manifest lists what the package leaves out.
	require.Equal(t, counts{"db:customer": 1, "db:orders": 0, "db:payment_card": 2, "db:address": 2}, f.manifest(req))

	nobody := f.run("policy", email("nobody@example.com"))
	require.Equal(t, counts{"db:customer": 0, "db:orders": 0, "db:payment_card": 0, "db:address": 0}, found(nobody))
	require.JSONEq(t, `{}`, f.pack(nobody))
}

func TestFides17WholeDatasetOnPostgres(t *testing.T) {
	t.Parallel()
	f := newFlow(t, policy(access("user")), datasets(dataset(t, postgresFile)), pgConnection(postgres(t)))
	require.Equal(t, prefixed(postgresKey, counts{
		"address": 2, "customer": 1, "employee": 0, "login": 6, "order_item": 4, "orders": 3,
		"payment_card": 1, "product": 2, "report": 0, "service_request": 1, "visit": 1,
	}), found(f.run("policy", email(customer1))))
}

func TestFides18FilterOnStreet(t *testing.T) {
	t.Parallel()
	f := newFlow(t, policy(access("user.contact.address.street")), datasets(dataset(t, postgresFile)), pgConnection(postgres(t)))
	require.JSONEq(t, `{"postgres_example_test_dataset:address": [
		{"house": 123, "street": "Example Street"}, {"house": 4, "street": "Example Lane"}
	]}`, f.pack(f.run("policy", email(customer1))))
}

func TestFides18FilterOnContact(t *testing.T) {
	t.Parallel()
	f := newFlow(t, policy(access("user.contact")), datasets(dataset(t, postgresFile)), pgConnection(postgres(t)))
	require.JSONEq(t, `{
		"postgres_example_test_dataset:address": [
			{"city": "Exampletown", "house": 123, "state": "NY", "street": "Example Street", "zip": "12345"},
			{"city": "Exampletown", "house": 4, "state": "NY", "street": "Example Lane", "zip": "12321"}
		],
		"postgres_example_test_dataset:customer": [{"email": "customer-1@example.com"}],
		"postgres_example_test_dataset:service_request": [{"alt_email": "customer-1-alt@example.com"}],
		"postgres_example_test_dataset:visit": [{"email": "customer-1@example.com"}]
	}`, f.pack(f.run("policy", email(customer1))))
}

func TestFides22SkippedCollections(t *testing.T) {
	t.Parallel()
	d := dataset(t, postgresFile)
	collection(t, d, "login").SkipProcessing = true
	f := newFlow(t, policy(access("user")), datasets(d), pgConnection(postgres(t)))
	req := f.run("policy", email(customer1))
	require.Len(t, found(req), 10)
	require.NotContains(t, found(req), postgresKey+":login")
	p, err := f.engine.Plan("policy", "email")
	require.NoError(t, err)
	require.Equal(t, map[string]string{postgresKey + ":login": "skip_processing is set"}, skipped(p))

	d = dataset(t, postgresFile)
	collection(t, d, "address").SkipProcessing = true
	f = newFlow(t, policy(access("user")), datasets(d), pgConnection(postgres(t)))
	_, err = f.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "policy", Identities: email(customer1)})
	const tied = ": a reference ties it to postgres_example_test_dataset:address, which is set to skip_processing; remove one of the two"
	require.EqualError(t, err, "dsr: 4 faults:"+
		"\n\tdataset/postgres_example_test_dataset.yml:29:19: error: postgres_example_test_dataset:customer"+tied+
		"\n\tdataset/postgres_example_test_dataset.yml:55:19: error: postgres_example_test_dataset:employee"+tied+
		"\n\tdataset/postgres_example_test_dataset.yml:111:19: error: postgres_example_test_dataset:orders"+tied+
		"\n\tdataset/postgres_example_test_dataset.yml:141:19: error: postgres_example_test_dataset:payment_card"+tied)
}
