package endtoend_test

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
)

// everywhere runs a test over each database, by its dialect.
func everywhere(t *testing.T, test func(t *testing.T, db *database)) {
	t.Helper()
	for _, server := range []struct {
		dialect sqlconn.Dialect
		open    func(testing.TB) *sql.DB
	}{
		{sqlconn.SQLite, dbtest.SQLite}, {sqlconn.PostgreSQL, dbtest.Postgres}, {sqlconn.MySQL, dbtest.MariaDB},
	} {
		t.Run(fmt.Sprint(server.dialect), func(t *testing.T) {
			t.Parallel()
			test(t, &database{server.open(t), server.dialect})
		})
	}
}

type database struct {
	*sql.DB
	dialect sqlconn.Dialect
}

func (db *database) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

// rows returns what a query of one text column finds.
func (db *database) rows(t *testing.T, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	found := []string{}
	for rows.Next() {
		var text string
		require.NoError(t, rows.Scan(&text))
		found = append(found, text)
	}
	require.NoError(t, rows.Err())
	return found
}

// erase submits an erasure of ada@example.com, in chunks of two rows, and
// advances it.
func (db *database) erase(t *testing.T, yaml string, shared dsr.SharedRows) (*dsr.Request, error) {
	t.Helper()
	datasets, diags := graph.Load("test.yml", []byte(yaml), nil)
	require.NoError(t, diags.Err())
	engine, err := dsr.New(dsr.Config{
		Datasets:    datasets,
		Connections: []dsr.Connection{{Key: "db", Connector: sqlconn.New(db.DB, db.dialect, nil), Datasets: []string{"shop"}}},
		Policies: []graph.Policy{{Key: "erase", Rules: []graph.Rule{{
			Key: "all", Action: graph.Erasure, Targets: []graph.Category{"user"},
			Masking: &graph.Masking{Strategy: "string_rewrite", Configuration: map[string]any{"rewrite_value": "x"}},
		}}}},
		Store: memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
		SharedRows: shared, Limits: dsr.Limits{ChunkRows: 2},
	})
	require.NoError(t, err)
	req, err := engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "erase", Identities: dsr.Identities{"email": {"ada@example.com"}}})
	require.NoError(t, err)
	return engine.Requests().Advance(t.Context(), req.ID)
}
