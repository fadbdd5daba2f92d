//go:build compat

package bench_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/bench"
	"github.com/godsr/dsr/internal/dbtest"
)

// sample is Fides' PostgreSQL sample as somebody would read it by hand, who
// knows the tables and which questions the references allow.
func sample(b *testing.B) *bench.Fixture {
	b.Helper()
	dir := os.Getenv("DSR_COMPAT_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data", "fides")
	}
	dataset, err := os.ReadFile(filepath.Join(dir, "dataset", "postgres_example_test_dataset.yml"))
	require.NoError(b, err, "set DSR_COMPAT_DATA to the folder with Fides' files")
	rows, err := os.ReadFile(filepath.Join(dir, "sql", "postgres_example.sql"))
	require.NoError(b, err)
	text := func(name string) bench.Column { return bench.Column{Name: name, Kind: bench.Text, Pick: true} }
	hidden := func(name string) bench.Column { return bench.Column{Name: name} }
	hiddenText := func(name string) bench.Column { return bench.Column{Name: name, Kind: bench.Text} }
	number := func(name string) bench.Column { return bench.Column{Name: name, Pick: true} }
	return &bench.Fixture{
		Key: "postgres_example_test_dataset", Schema: []string{string(rows)}, Dataset: string(dataset),
		Tables: []bench.Table{
			{Name: "address", Columns: []bench.Column{text("city"), number("house"), hidden("id"), text("state"), text("street"), text("zip")},
				Feeds: []bench.Feed{
					{Column: "id", From: "customer", FromColumn: "address_id"}, {Column: "id", From: "employee", FromColumn: "address_id"},
					{Column: "id", From: "orders", FromColumn: "shipping_address_id"}, {Column: "id", From: "payment_card", FromColumn: "billing_address_id"},
				}},
			{Name: "customer", Emails: []string{"email"}, Columns: []bench.Column{hidden("address_id"), text("email"), number("id"), text("name")}},
			{Name: "employee", Emails: []string{"email"}, Columns: []bench.Column{hidden("address_id"), text("email"), number("id"), text("name")}},
			{Name: "login", Columns: []bench.Column{number("customer_id"), hidden("id"), {Name: "time", Kind: bench.Time, Pick: true}},
				Feeds: []bench.Feed{{Column: "customer_id", From: "customer", FromColumn: "id"}}},
			{Name: "order_item", Columns: []bench.Column{hiddenText("order_id"), hidden("product_id")},
				Feeds: []bench.Feed{{Column: "order_id", From: "orders", FromColumn: "id"}}},
			{Name: "orders", Columns: []bench.Column{number("customer_id"), hiddenText("id"), hidden("shipping_address_id")},
				Feeds: []bench.Feed{{Column: "customer_id", From: "customer", FromColumn: "id"}}},
			{Name: "payment_card", Columns: []bench.Column{hidden("billing_address_id"), number("ccn"), number("code"), number("customer_id"), hiddenText("id"), text("name"), {Name: "preferred", Kind: bench.Bool, Pick: true}},
				Feeds: []bench.Feed{{Column: "customer_id", From: "customer", FromColumn: "id"}}},
			{Name: "product", Columns: []bench.Column{hidden("id")}, Feeds: []bench.Feed{{Column: "id", From: "order_item", FromColumn: "product_id"}}},
			{Name: "report", Emails: []string{"email"}, Columns: []bench.Column{text("email"), hidden("id")}},
			{Name: "service_request", Emails: []string{"alt_email", "email"}, Columns: []bench.Column{text("alt_email"), hiddenText("email"), number("employee_id"), hiddenText("id")},
				Feeds: []bench.Feed{{Column: "employee_id", From: "employee", FromColumn: "id"}}},
			{Name: "visit", Emails: []string{"email"}, Columns: []bench.Column{text("email"), {Name: "last_visit", Kind: bench.Time}}},
		},
	}
}

// BenchmarkAccessSample is one access request over the eleven collections of
// Fides' sample.
func BenchmarkAccessSample(b *testing.B) {
	f, db := sample(b), dbtest.Postgres(b)
	require.NoError(b, f.Fill(context.Background(), db))
	access(b, f, db, "customer-1@example.com")
}
