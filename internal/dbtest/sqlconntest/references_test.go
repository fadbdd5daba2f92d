package sqlconntest_test

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
)

const boundYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
          - {name: name, data_categories: [user.name]}
      - name: subscriptions
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: customer_id, fides_meta: {references: [{dataset: shop, field: customers.id, direction: from}]}}
          - {name: email, data_categories: [user.contact.phone_number]}
          - {name: note, data_categories: [user.name]}
`

// counted counts the reads of a connector.
type counted struct {
	*sqlconn.Connector
	reads atomic.Int64
}

func (c *counted) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	c.reads.Add(1)
	return c.Connector.Read(ctx, q)
}

// What PostgreSQL itself would say in the middle of an erasure, preflight says
// before a row is read.
func TestColumnsBoundByForeignKeys(t *testing.T) {
	t.Parallel()
	db := dbtest.Postgres(t)
	exec(t, db,
		`CREATE TABLE customers (id int PRIMARY KEY, email text UNIQUE, name text)`,
		`CREATE TABLE subscriptions (id int PRIMARY KEY, customer_id int REFERENCES customers (id), email text, note text,
			CONSTRAINT subscriptions_email FOREIGN KEY (email) REFERENCES customers (email))`,
		`INSERT INTO customers VALUES (1, 'ada@example.com', 'Ada')`,
		`INSERT INTO subscriptions VALUES (1, 1, 'ada@example.com', 'weekly')`)
	for _, statement := range []string{
		`UPDATE customers SET email = 'masked'`, `UPDATE customers SET email = NULL`, `UPDATE subscriptions SET email = 'masked'`,
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.ErrorContains(t, err, "subscriptions_email", statement)
	}

	rule := func(strategy string, target graph.Category) graph.Policy {
		return graph.Policy{Key: strategy + " " + string(target), Rules: []graph.Rule{
			{Key: "erase", Action: graph.Erasure, Targets: []graph.Category{target}, Masking: &graph.Masking{Strategy: strategy}},
		}}
	}
	const referred = "error: shop:customers.email: rows of table public.subscriptions refer to it (subscriptions_email), so the database would refuse a masked value; delete the rows (masking_strategy_override: {strategy: delete} on the collection) or change its category"
	tests := []struct {
		policy graph.Policy
		want   string // none: it completes
	}{
		{rule("hash", "user.contact.email"), referred},
		{rule("null_rewrite", "user.contact.email"), referred},
		{rule("hash", "user.contact.phone_number"), "error: shop:subscriptions.email: it is part of foreign key subscriptions_email to table public.customers, which would refuse the masked value; use null_rewrite"},
		{rule("null_rewrite", "user.contact.phone_number"), ""},
		{rule("hash", "user.name"), ""},
	}
	datasets, diags := graph.Load("shop.yml", []byte(boundYAML), nil)
	require.NoError(t, diags.Err())
	conn := &counted{Connector: sqlconn.New(db, sqlconn.PostgreSQL, nil)}
	config := dsr.Config{
		Datasets: datasets, Connections: []dsr.Connection{{Key: "shop", Connector: conn, Datasets: []string{"shop"}}},
		Store: memory.NewStore(), Spool: memory.NewSpool(), Keyring: dsr.NewEphemeralKeyring(),
	}
	for _, test := range tests {
		config.Policies = append(config.Policies, test.policy)
	}
	engine, err := dsr.New(config)
	require.NoError(t, err)
	for _, test := range tests {
		submitted, err := engine.Requests().Submit(t.Context(), dsr.Submission{
			Policy: test.policy.Key, Identities: dsr.Identities{"email": {"ada@example.com"}},
		})
		require.NoError(t, err)
		before := conn.reads.Load()
		request, err := engine.Requests().Advance(t.Context(), submitted.ID)
		if test.want == "" {
			require.NoError(t, err, test.policy.Key)
			require.Equal(t, dsr.StatusComplete, request.Status)
			continue
		}
		require.ErrorContains(t, err, "failed at stage plan: dsr: "+test.want, test.policy.Key)
		require.Equal(t, before, conn.reads.Load(), test.policy.Key)
	}
	var kept string
	var nulled *string
	var masked int
	require.NoError(t, db.QueryRowContext(t.Context(), `SELECT c.email, s.email, length(c.name) + length(s.note)
		FROM customers c JOIN subscriptions s ON s.customer_id = c.id`).Scan(&kept, &nulled, &masked))
	require.Equal(t, "ada@example.com", kept)
	require.Nil(t, nulled)
	require.Equal(t, 128, masked)
}

// A key of a partitioned table holds in each partition, and comes once.
func TestReferencesOfPartitions(t *testing.T) {
	t.Parallel()
	db := dbtest.Postgres(t)
	exec(t, db,
		`CREATE TABLE people (id int PRIMARY KEY) PARTITION BY RANGE (id)`,
		`CREATE TABLE people_1 PARTITION OF people FOR VALUES FROM (0) TO (10)`,
		`CREATE TABLE people_2 PARTITION OF people FOR VALUES FROM (10) TO (20)`,
		`CREATE TABLE visits (day int, person int CONSTRAINT visits_person REFERENCES people ON DELETE CASCADE) PARTITION BY RANGE (day)`,
		`CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (10)`)
	connector := sqlconn.New(db, sqlconn.PostgreSQL, nil)
	key := dsr.ForeignKey{Columns: []string{"person"}, References: []string{"id"}, OnDelete: "cascade", Name: "visits_person", Table: "public.people"}
	for _, name := range []string{"visits", "visits_1"} {
		s, err := connector.Describe(t.Context(), table(name, "person"))
		require.NoError(t, err)
		require.Len(t, s.References, 1, name)
		key.Name = s.References[0].Name // a partition's is the database's choice
		require.Equal(t, []dsr.ForeignKey{key}, s.References)
	}
	people, err := connector.Describe(t.Context(), table("people", "id"))
	require.NoError(t, err)
	key.Name, key.Table = "visits_person", "public.visits"
	require.Equal(t, []dsr.ForeignKey{key}, people.ReferencedBy)
}

// SQLite ignores letter case in a key's declaration, which may also leave the
// columns out; the schema tells the names as they are stored.
func TestReferencesAsStored(t *testing.T) {
	t.Parallel()
	db := dbtest.SQLite(t)
	exec(t, db,
		`CREATE TABLE People (Tenant int, Id int, Email text UNIQUE, PRIMARY KEY (Tenant, Id))`,
		`CREATE TABLE Notes (id int PRIMARY KEY, T int, P int, mail text REFERENCES PEOPLE (EMAIL), lost int REFERENCES nowhere (x),
			FOREIGN KEY (t, p) REFERENCES people ON DELETE CASCADE)`)
	connector := sqlconn.New(db, sqlconn.SQLite, nil)
	keys := func(other string) []dsr.ForeignKey {
		return []dsr.ForeignKey{
			{Name: "Notes.0", Table: other, Columns: []string{"T", "P"}, References: []string{"Tenant", "Id"}, OnDelete: "cascade"},
			{Name: "Notes.2", Table: other, Columns: []string{"mail"}, References: []string{"Email"}, OnDelete: "restrict"},
		}
	}
	notes, err := connector.Describe(t.Context(), table("notes"))
	require.NoError(t, err)
	lost := dsr.ForeignKey{Name: "Notes.1", Table: "nowhere", Columns: []string{"lost"}, References: []string{"x"}, OnDelete: "restrict"}
	require.Equal(t, []dsr.ForeignKey{keys("People")[0], lost, keys("People")[1]}, notes.References)
	people, err := connector.Describe(t.Context(), table("people"))
	require.NoError(t, err)
	require.Equal(t, keys("Notes"), people.ReferencedBy)
}
