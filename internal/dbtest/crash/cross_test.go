package crash_test

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
	"github.com/godsr/dsr/storage"
)

// crossTables are the tables of each dataset with their rows. The last column
// of contacts is a document.
func crossTables() map[string][]string {
	return map[string][]string{
		"app": {
			"CREATE TABLE accounts (id INTEGER PRIMARY KEY, email VARCHAR(100), name VARCHAR(100), plan VARCHAR(100))",
			`INSERT INTO accounts VALUES (1, 'Ada.Qzx@Example.com', 'Ada', 'gold'), (2, 'bob@example.com', 'Bob', NULL),
				(3, 'ada.qzx@example.com.example.org', 'Eve', 'gold'), (4, 'x', NULL, NULL)`,
			"CREATE TABLE devices (id INTEGER PRIMARY KEY, contact_id INTEGER, serial VARCHAR(100))",
			"INSERT INTO devices VALUES (5, 10, 'S-5'), (6, 11, 'S-6'), (7, NULL, 'S-7'), (8, 10, NULL)",
		},
		"crm": {
			"CREATE TABLE contacts (id INTEGER PRIMARY KEY, details JSON)",
			`INSERT INTO contacts VALUES
				(10, '{"reach": {"email": "ADA.QZX@EXAMPLE.COM", "best": "noon"}, "name": "Ada Q", "lang": "en", "scores": [1, 2.50]}'),
				(11, '{"reach": {"email": "bob@example.com"}, "name": "Bob", "lang": "en"}'),
				(12, '{"reach": {"email": null}, "name": "Nobody"}'),
				(13, '{"reach": null, "note": "ada.qzx@example.com"}'),
				(14, NULL)`,
			"CREATE TABLE invoices (id INTEGER PRIMARY KEY, account_id INTEGER, recipient VARCHAR(100), amount NUMERIC(10, 2))",
			"INSERT INTO invoices VALUES (100, 1, 'Ada', 12.75), (101, 2, 'Bob', 3.25), (102, 1, 'Ada Q', 0.75), (103, NULL, 'Ada', 1.25)",
		},
	}
}

// One request over two databases that are joined by keys in both directions.
// The e-mail is text in one and inside of a document in the other, each time
// in another letter case, and in a third one in the request.
func TestAcrossDatabases(t *testing.T) {
	t.Parallel()
	type database struct {
		open    func(testing.TB) *sql.DB
		dialect sqlconn.Dialect
	}
	sqlite := database{dbtest.SQLite, sqlconn.SQLite}
	postgres := database{dbtest.Postgres, sqlconn.PostgreSQL}
	mariadb := database{dbtest.MariaDB, sqlconn.MySQL}
	for _, test := range []struct {
		name     string
		app, crm database
	}{
		{"SQLite and PostgreSQL", sqlite, postgres},
		{"PostgreSQL and SQLite", postgres, sqlite},
		{"PostgreSQL and MariaDB", postgres, mariadb},
		{"MariaDB and PostgreSQL", mariadb, postgres},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dbs := map[string]*sql.DB{"app": test.app.open(t), "crm": test.crm.open(t)}
			for name, statements := range crossTables() {
				for _, s := range statements {
					_, err := dbs[name].ExecContext(t.Context(), s)
					require.NoError(t, err, s)
				}
			}
			dir := t.TempDir()
			requests := crossEngine(t, dir, map[string]dsr.Connector{
				"app": sqlconn.New(dbs["app"], test.app.dialect, nil), "crm": sqlconn.New(dbs["crm"], test.crm.dialect, nil),
			})
			req, err := requests.Submit(t.Context(), dsr.Submission{Policy: "forget", Identities: dsr.Identities{"email": {"ada.qzx@EXAMPLE.com"}}})
			require.NoError(t, err)
			req, err = requests.Advance(t.Context(), req.ID)
			require.NoError(t, err)

			require.Equal(t, map[string][]string{
				"app:accounts": {`{"email":"Ada.Qzx@Example.com","name":"Ada"}`},
				"app:devices":  {`{"serial":"S-5"}`, `{"serial":null}`},
				"crm:contacts": {`{"details":{"lang":"en","name":"Ada Q","reach":{"email":"ADA.QZX@EXAMPLE.COM"}}}`},
				"crm:invoices": {`{"amount":0.75,"recipient":"Ada Q"}`, `{"amount":12.75,"recipient":"Ada"}`},
			}, crossPackage(t, dir, req.ID))
			require.Equal(t, []string{
				"app:accounts done: 1 rows, 1 targeted, 1 masked, 0 gone, 0 changed",
				"app:devices done: 2 rows, 1 targeted, 1 masked, 0 gone, 0 changed",
				"crm:contacts done: 1 rows, 1 targeted, 1 masked, 0 gone, 0 changed",
				"crm:invoices done: 2 rows, 2 targeted, 2 masked, 0 gone, 0 changed",
			}, crossOutcomes(req))
			require.Equal(t, []string{
				"1 MASKED MASKED gold", "2 bob@example.com Bob null", "3 ada.qzx@example.com.example.org Eve gold", "4 x null null",
			}, crossRows(t, dbs["app"], "accounts", 4))
			require.Equal(t, []string{"5 10 null", "6 11 S-6", "7 null S-7", "8 10 null"}, crossRows(t, dbs["app"], "devices", 3))
			require.Equal(t, []string{
				`10 {"lang":"en","name":"MASKED","reach":{"best":"noon","email":"MASKED"},"scores":[1,2.50]}`,
				`11 {"lang":"en","name":"Bob","reach":{"email":"bob@example.com"}}`,
				`12 {"name":"Nobody","reach":{"email":null}}`,
				`13 {"note":"ada.qzx@example.com","reach":null}`,
				`14 null`,
			}, crossRows(t, dbs["crm"], "contacts", 2))
			require.Equal(t, []string{"100 1 MASKED 12.75", "101 2 Bob 3.25", "102 1 MASKED 0.75", "103 null Ada 1.25"},
				crossRows(t, dbs["crm"], "invoices", 4))

			req, err = requests.Submit(t.Context(), dsr.Submission{Policy: "forget", Identities: dsr.Identities{"email": {"ada.qzx@example.com"}}})
			require.NoError(t, err)
			req, err = requests.Advance(t.Context(), req.ID)
			require.NoError(t, err)
			require.Empty(t, crossPackage(t, dir, req.ID), "nothing is left to be found")
		})
	}
}

func crossEngine(t *testing.T, dir string, connectors map[string]dsr.Connector) *dsr.Requests {
	t.Helper()
	datasets, _, err := graph.LoadFS(testdata, []string{"testdata/cross.yml"}, nil)
	require.NoError(t, err)
	engine, err := dsr.New(dsr.Config{
		Datasets: datasets,
		Connections: []dsr.Connection{
			{Key: "app", Connector: connectors["app"], Datasets: []string{"app"}},
			{Key: "crm", Connector: connectors["crm"], Datasets: []string{"crm"}},
		},
		Policies: []graph.Policy{{Key: "forget", Rules: []graph.Rule{
			{Key: "access", Action: graph.Access, Targets: []graph.Category{"user"}},
			{
				Key: "rewrite", Action: graph.Erasure, Targets: []graph.Category{"user.name", "user.contact"},
				Masking: &graph.Masking{Strategy: "string_rewrite", Configuration: map[string]any{"rewrite_value": "MASKED"}},
			},
			{Key: "null", Action: graph.Erasure, Targets: []graph.Category{"user.device"}, Masking: &graph.Masking{Strategy: "null_rewrite"}},
		}}},
		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(dir, nil)}},
		Store:        memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
	})
	require.NoError(t, err)
	return engine.Requests()
}

// crossPackage returns the rows of a package by collection, sorted.
func crossPackage(t *testing.T, dir, id string) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, id+".json"))
	require.NoError(t, err)
	var rows map[string][]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &rows))
	out := map[string][]string{}
	for name, list := range rows {
		for _, r := range list {
			out[name] = append(out[name], document(parse(string(r))))
		}
		slices.Sort(out[name])
	}
	return out
}

func crossOutcomes(req *dsr.Request) []string {
	var out []string
	for _, c := range req.Collections {
		out = append(out, c.Address.String()+" "+outcomeText(c))
	}
	slices.Sort(out)
	return out
}

// crossRows reads a table of n columns, documents in one spelling.
func crossRows(t *testing.T, db *sql.DB, name string, n int) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+name+" ORDER BY id")
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var out []string
	for rows.Next() {
		values := make([]sql.NullString, n)
		into := make([]any, n)
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(t, rows.Scan(into...))
		words := make([]string, n)
		for i, v := range values {
			switch {
			case !v.Valid:
				words[i] = "null"
			case strings.HasPrefix(v.String, "{"):
				words[i] = document(parse(v.String))
			default:
				words[i] = v.String
			}
		}
		out = append(out, strings.Join(words, " "))
	}
	require.NoError(t, rows.Err())
	return out
}
