package bench

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// Subject is the e-mail of the person whom benchmarks ask for.
const Subject = "subject@example.com"

// Engine returns an engine over one PostgreSQL database that delivers to a
// folder. Its policies are "access" (category user) and "erasure" (the same
// categories set to null).
func Engine(db *sql.DB, datasets []*graph.Dataset, dir, spool string, erase ...graph.Category) (*dsr.Engine, error) {
	access := graph.Policy{Key: "access", Rules: []graph.Rule{{Key: "access", Action: graph.Access, Targets: []graph.Category{"user"}}}}
	policies := []graph.Policy{access}
	if len(erase) > 0 {
		policies = append(policies, graph.Policy{Key: "erasure", Rules: []graph.Rule{{
			Key: "erase", Action: graph.Erasure, Targets: erase, Masking: &graph.Masking{Strategy: "null_rewrite"},
		}}})
	}
	return dsr.New(dsr.Config{
		Datasets: datasets,
		Connections: []dsr.Connection{{
			Key: "postgres", Connector: sqlconn.New(db, sqlconn.PostgreSQL, nil), Datasets: []string{datasets[0].Key}, Concurrency: 16,
		}},
		Policies:     policies,
		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(dir, nil)}},
		Store:        memory.NewStore(),
		Keyring:      dsr.NewEphemeralKeyring(),
		Spool:        dsr.NewDirSpool(spool),
		Limits:       dsr.Limits{Workers: 16},
	})
}

// Run submits and advances one request.
func Run(ctx context.Context, e *dsr.Engine, policy, email string) (*dsr.Request, error) {
	req, err := e.Requests().Submit(ctx, dsr.Submission{Policy: policy, Identities: dsr.Identities{"email": {email}}})
	if err != nil {
		return nil, err
	}
	return e.Requests().Advance(ctx, req.ID)
}

// Fixture is a database with its dataset and what the yardstick knows of it.
type Fixture struct {
	Key     string
	Schema  []string // statements that make and fill it
	Dataset string   // YAML
	Tables  []Table
}

// Load reads the fixture's dataset.
func (f *Fixture) Load() ([]*graph.Dataset, error) {
	datasets, diags := graph.Load(f.Key+".yml", []byte(f.Dataset), nil)
	return datasets, diags.Err()
}

// Fill makes the fixture's tables.
func (f *Fixture) Fill(ctx context.Context, db *sql.DB) error {
	for _, statement := range append(f.Schema, "ANALYZE") {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.60s: %w", statement, err)
		}
	}
	return nil
}

// Tree is a graph of 40 collections: one table of customers, and below it three
// levels in which each table has three children, with 2, 4 and 8 rows for each
// row of its parent's customer. The subject is one of 200 customers.
func Tree() *Fixture {
	f := &Fixture{Key: "tree"}
	var yaml strings.Builder
	yaml.WriteString("dataset:\n  - fides_key: tree\n    collections:\n")
	const customers = 200
	perCustomer := []int{1, 2, 4, 8}
	for i := range 40 {
		level := 0
		for n := i; n > 0; n = (n - 1) / 3 {
			level++
		}
		name, parent := fmt.Sprintf("t%02d", i), fmt.Sprintf("t%02d", (i-1)/3)
		t := Table{Name: name, Columns: []Column{{Name: "amount", Pick: true}, {Name: "id"}, {Name: "label", Kind: Text, Pick: true}, {Name: "note", Kind: Text, Pick: true}, {Name: "parent_id"}}}
		field := func(name, rest string) { fmt.Fprintf(&yaml, "          - {name: %s%s}\n", name, rest) }
		fmt.Fprintf(&yaml, "      - name: %s\n        fields:\n", name)
		f.Schema = append(f.Schema, fmt.Sprintf("CREATE TABLE %s (id bigint PRIMARY KEY, parent_id bigint, email text, label text, note text, amount bigint)", name))
		rows := perCustomer[level]
		up := 1
		if level > 0 {
			up = perCustomer[level-1]
		}
		f.Schema = append(f.Schema,
			fmt.Sprintf(`INSERT INTO %s SELECT c*%d+k, c*%d+k%%%d, CASE WHEN c = 77 THEN 'Subject@Example.com' ELSE 'customer-'||c||'@example.com' END,
				'label '||c||' '||k, repeat('some words of a note, ', 3), c+k FROM generate_series(0,%d) c, generate_series(0,%d) k`, name, rows, up, up, customers-1, rows-1),
			fmt.Sprintf("CREATE INDEX ON %s (parent_id)", name))
		field("id", ", fides_meta: {primary_key: true, data_type: integer}")
		field("label", ", data_categories: [user.content]")
		field("note", ", data_categories: [user.content]")
		field("amount", ", data_categories: [user.financial]")
		if level == 0 {
			f.Schema = append(f.Schema, "CREATE INDEX ON "+name+" (lower(email))")
			field("email", ", data_categories: [user.contact.email], fides_meta: {identity: email}")
			t.Columns = []Column{{Name: "amount", Pick: true}, {Name: "email", Kind: Text, Pick: true}, {Name: "id"}, {Name: "label", Kind: Text, Pick: true}, {Name: "note", Kind: Text, Pick: true}}
			t.Emails = []string{"email"}
		} else {
			field("parent_id", fmt.Sprintf(", fides_meta: {references: [{dataset: tree, field: %s.id, direction: from}]}", parent))
			t.Feeds = []Feed{{Column: "parent_id", From: parent, FromColumn: "id"}}
		}
		f.Tables = append(f.Tables, t)
	}
	f.Dataset = yaml.String()
	return f
}

// Wide is a customer with many rows: orders of which each has one parcel. With
// inner set the orders are the many and each has one parcel; otherwise one
// order has them all as parcels.
func Wide(rows int, inner bool) *Fixture {
	orders, parcel := "1", "1"
	if inner {
		orders, parcel = fmt.Sprint(rows), "g"
	}
	return &Fixture{
		Key: "wide",
		Schema: []string{
			"CREATE TABLE customers (id bigint PRIMARY KEY, email text, name text)",
			"CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint, note text)",
			"CREATE TABLE parcels (id bigint PRIMARY KEY, order_id bigint, street text, city text)",
			"INSERT INTO customers VALUES (1, 'subject@example.com', 'Subject'), (2, 'other@example.com', 'Other')",
			"INSERT INTO orders SELECT g, 1, 'note of order '||g FROM generate_series(1," + orders + ") g",
			fmt.Sprintf("INSERT INTO parcels SELECT g, %s, g||' Example Street', 'Exampletown' FROM generate_series(1,%d) g", parcel, rows),
			"CREATE INDEX ON orders (customer_id)", "CREATE INDEX ON parcels (order_id)",
		},
		Dataset: `
dataset:
  - fides_key: wide
    collections:
      - name: customers
        fields:
          - {name: id, fides_meta: {primary_key: true, data_type: integer}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
          - {name: name, data_categories: [user.name]}
      - name: orders
        fields:
          - {name: id, fides_meta: {primary_key: true, data_type: integer}}
          - {name: customer_id, fides_meta: {references: [{dataset: wide, field: customers.id, direction: from}]}}
          - {name: note, data_categories: [user.content]}
      - name: parcels
        fields:
          - {name: id, fides_meta: {primary_key: true, data_type: integer}}
          - {name: order_id, fides_meta: {references: [{dataset: wide, field: orders.id, direction: from}]}}
          - {name: street, data_categories: [user.contact.address.street]}
          - {name: city, data_categories: [user.contact.address.city]}
`,
		Tables: []Table{
			{Name: "customers", Emails: []string{"email"}, Columns: []Column{{Name: "email", Kind: Text, Pick: true}, {Name: "id"}, {Name: "name", Kind: Text, Pick: true}}},
			{Name: "orders", Feeds: []Feed{{"customer_id", "customers", "id"}}, Columns: []Column{{Name: "customer_id"}, {Name: "id"}, {Name: "note", Kind: Text, Pick: true}}},
			{Name: "parcels", Feeds: []Feed{{"order_id", "orders", "id"}}, Columns: []Column{{Name: "city", Kind: Text, Pick: true}, {Name: "id"}, {Name: "order_id"}, {Name: "street", Kind: Text, Pick: true}}},
		},
	}
}
