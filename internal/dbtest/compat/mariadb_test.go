//go:build compat

package compat_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
)

func mysqlConnection(db *sql.DB, datasets ...string) dsr.Connection {
	if len(datasets) == 0 {
		datasets = []string{mysqlKey}
	}
	return dsr.Connection{Key: "mysql", Connector: sqlconn.New(db, sqlconn.MySQL, nil), Datasets: datasets}
}

func TestFides17AccessOnMariaDB(t *testing.T) {
	t.Parallel()
	db := mariadb(t)
	f := newFlow(t, policy(access("A")), parse(t, fill(related, "", "primary_key: true")), mysqlConnection(db, "db"))
	req := f.run("policy", email(customer1))
	require.Equal(t, counts{"db:customer": 1, "db:orders": 3, "db:payment_card": 2, "db:address": 2}, found(req))
	samePackage(t, `{
		"db:customer": [{"name": "John Customer"}],
		"db:payment_card": [{"name": "Example Card 1"}, {"name": "Example Card 2"}],
		"db:address": [{"street": "Example Street"}, {"street": "Example Lane"}]
	}`, f.pack(req))

	f = newFlow(t, policy(access("user")), datasets(dataset(t, mysqlFile)), mysqlConnection(db))
	require.Equal(t, prefixed(mysqlKey, counts{
		"Lead": 0, "address": 2, "customer": 1, "employee": 0, "login": 6, "order_item": 4, "orders": 3,
		"payment_card": 1, "product": 2, "report": 0, "service_request": 1, "visit": 1,
	}), found(f.run("policy", email(customer1))))
}

func TestFides18FilterOnMariaDB(t *testing.T) {
	t.Parallel()
	db := mariadb(t)
	f := newFlow(t, policy(access("user.contact.address.street")), datasets(dataset(t, mysqlFile)), mysqlConnection(db))
	require.JSONEq(t, `{"mysql_example_test_dataset:address": [
		{"house": 123, "street": "Example Street"}, {"house": 4, "street": "Example Lane"}
	]}`, f.pack(f.run("policy", email(customer1))))

	f = newFlow(t, policy(access("user.contact")), datasets(dataset(t, mysqlFile)), mysqlConnection(db))
	require.JSONEq(t, `{
		"mysql_example_test_dataset:address": [
			{"city": "Exampletown", "house": 123, "state": "NY", "street": "Example Street", "zip": "12345"},
			{"city": "Exampletown", "house": 4, "state": "NY", "street": "Example Lane", "zip": "12321"}
		],
		"mysql_example_test_dataset:customer": [{"email": "customer-1@example.com"}],
		"mysql_example_test_dataset:service_request": [{"alt_email": "customer-1-alt@example.com"}],
		"mysql_example_test_dataset:visit": [{"email": "customer-1@example.com"}]
	}`, f.pack(f.run("policy", email(customer1))))
}

func TestFides19ErasureOnMariaDB(t *testing.T) {
	t.Parallel()
	db := mariadb(t)
	run(t, db, "INSERT INTO address (id, street) VALUES (10000, 'First Street'), (10001, 'Second Street')")
	run(t, db, "INSERT INTO customer (id, email, name, address_id) VALUES (10000, 'new@example.com', 'New Customer', 10000)")
	run(t, db, "INSERT INTO orders (id, customer_id, shipping_address_id) VALUES ('ord_new', 10000, 10001)")
	before := snapshot(t, db, "")
	f := newFlow(t, policy(erasure("null_rewrite", nil, "A")), parse(t, fill(related, "", "primary_key: true")), mysqlConnection(db, "db"))
	req := f.run("policy", email("new@example.com"))
	require.Equal(t, counts{"db:customer": 1, "db:payment_card": 0, "db:address": 2}, masked(req))
	require.Equal(t, []string{
		"address 10000 street: First Street → null",
		"address 10001 street: Second Street → null",
		"customer 10000 name: New Customer → null",
	}, changes(before, snapshot(t, db, "")))
}

// S10: rows without a key are addressed by the fields they were found by;
// Fides masks nothing in MySQL tables without one and says complete.
func TestFides21ExceptionErasureOnMariaDB(t *testing.T) {
	t.Parallel()
	db := mariadb(t)
	before := snapshot(t, db, "")
	f := newFlow(t, policy(erasure("null_rewrite", nil, "user.contact")), datasets(dataset(t, mysqlFile)), mysqlConnection(db))
	req := f.run("policy", email(customer2))
	require.Equal(t, prefixed(mysqlKey, counts{
		"Lead": 0, "address": 2, "customer": 1, "employee": 0, "report": 0, "service_request": 0, "visit": 1,
	}), masked(req))
	require.Equal(t, []string{
		"address 1 city: Exampletown → null", "address 1 house: 123 → null", "address 1 state: NY → null",
		"address 1 street: Example Street → null", "address 1 zip: 12345 → null",
		"address 2 city: Exampletown → null", "address 2 house: 4 → null", "address 2 state: NY → null",
		"address 2 street: Example Lane → null", "address 2 zip: 12321 → null",
		"customer 2 email: customer-2@example.com → null",
		"visit customer-2@example.com 2021-01-06 01:00:00 is gone",
		"visit null 2021-01-06 01:00:00 is new",
	}, changes(before, snapshot(t, db, "")))
}

func TestFides21EraseFinancialOnMariaDB(t *testing.T) {
	t.Parallel()
	db := mariadb(t)
	before := snapshot(t, db, "")
	f := newFlow(t, policy(erasure("null_rewrite", nil, "user.financial")), datasets(dataset(t, mysqlFile)), mysqlConnection(db))
	req := f.run("policy", email(customer1))
	require.Equal(t, prefixed(mysqlKey, counts{"payment_card": 1}), masked(req))
	require.Equal(t, []string{
		"payment_card pay_aaa-aaa ccn: 123456789 → null",
		"payment_card pay_aaa-aaa code: 321 → null",
		"payment_card pay_aaa-aaa name: Example Card 1 → null",
	}, changes(before, snapshot(t, db, "")))
}
