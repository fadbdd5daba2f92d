package sqlconntest_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
)

const usersYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: users
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
          - {name: name, data_categories: [user.name]}
`

const documentUsersYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: users
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - name: email
            fields:
              - {name: e, fides_meta: {identity: email}}
          - {name: name, data_categories: [user.name]}
`

// eraser masks everything of users with one strategy.
func eraser(t *testing.T, db *sql.DB, d sqlconn.Dialect, yaml, strategy string) *dsr.Engine {
	t.Helper()
	datasets, diags := graph.Load("shop.yml", []byte(yaml), nil)
	require.NoError(t, diags.Err())
	masking := &graph.Masking{Strategy: strategy}
	if strategy == "string_rewrite" {
		masking.Configuration = map[string]any{"rewrite_value": "MASKED"}
	}
	engine, err := dsr.New(dsr.Config{
		Datasets:    datasets,
		Connections: []dsr.Connection{{Key: "shop", Connector: sqlconn.New(db, d, nil), Datasets: []string{"shop"}}},
		Policies: []graph.Policy{{Key: "erase", Rules: []graph.Rule{
			{Key: "erase", Action: graph.Erasure, Targets: []graph.Category{"user"}, Masking: masking},
		}}},
		Store: memory.NewStore(), Spool: memory.NewSpool(), Keyring: dsr.NewEphemeralKeyring(),
	})
	require.NoError(t, err)
	return engine
}

// erase runs a request of one e-mail address to its end.
func erase(t *testing.T, engine *dsr.Engine, email string) (*dsr.Request, error) {
	t.Helper()
	submitted, err := engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "erase", Identities: dsr.Identities{"email": {email}}})
	require.NoError(t, err)
	return engine.Requests().Advance(t.Context(), submitted.ID)
}

// column returns one column of all rows, null as "NULL".
func column(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var out []string
	for rows.Next() {
		var v sql.NullString
		require.NoError(t, rows.Scan(&v))
		if !v.Valid {
			v.String = "NULL"
		}
		out = append(out, v.String)
	}
	require.NoError(t, rows.Err())
	return out
}

// A person is found however the letters of the address are cased, and nobody
// whose address only looks alike, whatever the database's collation thinks.
func TestErasureFoldsCaseOnly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		open    func(testing.TB) *sql.DB
		dialect sqlconn.Dialect
		yaml    string
		setup   []string
		email   string
		want    []string
	}{
		{"SQLite", dbtest.SQLite, sqlconn.SQLite, usersYAML, []string{
			`CREATE TABLE users (id integer PRIMARY KEY, email text, name text)`,
			`INSERT INTO users VALUES (1, 'ÄNNA@example.com', 'Ä'), (2, 'änna@Example.com', 'ä'), (3, 'anna@example.com', 'a')`,
		}, "ÄNNA@example.com", []string{"NULL", "NULL", "a"}},
		{"PostgreSQL, collation C", dbtest.Postgres, sqlconn.PostgreSQL, usersYAML, []string{
			`CREATE TABLE users (id integer PRIMARY KEY, email text COLLATE "C", name text)`,
			`INSERT INTO users VALUES (1, 'ÄNNA@example.com', 'Ä'), (2, 'änna@Example.com', 'ä'), (3, 'anna@example.com', 'a')`,
		}, "ÄNNA@example.com", []string{"NULL", "NULL", "a"}},
		{"PostgreSQL, char", dbtest.Postgres, sqlconn.PostgreSQL, usersYAML, []string{
			`CREATE TABLE users (id integer PRIMARY KEY, email char(30) COLLATE "C", name text)`,
			`INSERT INTO users VALUES (1, 'ÄNNA@example.com', 'Ä'), (2, 'Bob@example.com', 'b'), (3, 'anna@example.com', 'a')`,
		}, "änna@example.com", []string{"NULL", "b", "a"}},
		{"SQLite, inside a document", dbtest.SQLite, sqlconn.SQLite, documentUsersYAML, []string{
			`CREATE TABLE users (id integer PRIMARY KEY, email json, name text)`,
			`INSERT INTO users VALUES (1, '{"e":"ÄNNA@x"}', 'Ä'), (2, '{"e":"\u00e4nna@x"}', 'ä'), (3, '{"e":"anna@x"}', 'a')`,
		}, "ÄNNA@x", []string{"NULL", "NULL", "a"}},
		{"PostgreSQL, inside a document", dbtest.Postgres, sqlconn.PostgreSQL, documentUsersYAML, []string{
			`CREATE TABLE users (id integer PRIMARY KEY, email json, name text)`,
			`INSERT INTO users VALUES (1, '{"e":"ÄNNA@x"}', 'Ä'), (2, '{"e":"\u00e4nna@x"}', 'ä'), (3, '{"e":"anna@x"}', 'a')`,
		}, "ÄNNA@x", []string{"NULL", "NULL", "a"}},
		{"MariaDB, inside a document", dbtest.MariaDB, sqlconn.MySQL, documentUsersYAML, []string{
			`CREATE TABLE users (id integer PRIMARY KEY, email json, name text)`,
			`INSERT INTO users VALUES (1, '{"e":"ÄNNA@x"}', 'Ä'), (2, '{"e":"\\u00e4nna@x"}', 'ä'), (3, '{"e":"anna@x"}', 'a')`,
		}, "ÄNNA@x", []string{"NULL", "NULL", "a"}},
		{"MariaDB, a collation without accents", dbtest.MariaDB, sqlconn.MySQL, usersYAML, []string{
			`CREATE TABLE users (id int PRIMARY KEY, email varchar(50), name varchar(50)) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci`,
			`INSERT INTO users VALUES (1, 'muller@x.de', 'M1'), (2, 'müller@x.de', 'M2'), (3, 'MULLER@x.de ', 'M3'), (4, 'MULLER@x.de', 'M4')`,
		}, "muller@x.de", []string{"NULL", "M2", "M3", "NULL"}},
		{"MariaDB, latin1", dbtest.MariaDB, sqlconn.MySQL, usersYAML, []string{
			`CREATE TABLE users (id int PRIMARY KEY, email varchar(50), name varchar(50)) CHARACTER SET latin1 COLLATE latin1_bin`,
			`INSERT INTO users VALUES (1, 'muller@x.de', 'M1'), (2, 'MÜLLER@x.de', 'M2'), (3, 'müller@x.de', 'M3')`,
		}, "Müller@x.de", []string{"M1", "NULL", "NULL"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db := test.open(t)
			exec(t, db, test.setup...)
			_, err := erase(t, eraser(t, db, test.dialect, test.yaml, "null_rewrite"), test.email)
			require.NoError(t, err)
			require.Equal(t, test.want, column(t, db, `SELECT name FROM users ORDER BY id`))
		})
	}
}

// Of an array of addresses only the person's elements are masked, however their
// letters are cased.
func TestErasureFoldsElements(t *testing.T) {
	t.Parallel()
	const yaml = `
dataset:
  - fides_key: shop
    collections:
      - name: users
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: emails, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: 'string[]'}}
`
	types := map[string]string{"PostgreSQL": "text[]", "MariaDB": "json", "SQLite": "json"}
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			db := d.open(t)
			list := `'["ÄNNA@x","otto@x","änna@X","anna@x"]'`
			if d.dialect == sqlconn.PostgreSQL {
				list = `'{"ÄNNA@x","otto@x","änna@X","anna@x"}'`
			}
			exec(t, db, `CREATE TABLE users (id integer PRIMARY KEY, emails `+types[d.name]+`)`, `INSERT INTO users VALUES (1, `+list+`)`)
			connector := sqlconn.New(db, d.dialect, nil)
			_, err := erase(t, eraser(t, db, d.dialect, yaml, "null_rewrite"), "Änna@x")
			require.NoError(t, err)
			collection := table("users", "id", "emails")
			collection.Fields[1].Type.Array = true
			rows, _ := read(t, connector, &dsr.Query{Collection: collection, Columns: []string{"emails"}, Criteria: []dsr.Criterion{where(graph.Path{"id"}, int64(1))}})
			require.Equal(t, [][]any{{[]any{nil, "otto@x", nil, "anna@x"}}}, rows)
		})
	}
}

// Without FoldCase the collation has the last word.
func TestCollationDecidesWithoutFoldCase(t *testing.T) {
	t.Parallel()
	db := dbtest.MariaDB(t)
	exec(t, db, `CREATE TABLE users (id int PRIMARY KEY, email varchar(50)) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci`,
		`INSERT INTO users VALUES (1, 'muller@x.de'), (2, 'müller@x.de'), (3, 'MULLER@x.de '), (4, 'moller@x.de')`)
	rows, _ := read(t, sqlconn.New(db, sqlconn.MySQL, nil), &dsr.Query{
		Collection: table("users", "id", "email"), Columns: []string{"id"}, Criteria: []dsr.Criterion{where(graph.Path{"email"}, "muller@x.de")},
	})
	require.ElementsMatch(t, [][]any{{int64(1)}, {int64(2)}, {int64(3)}}, rows)
}
