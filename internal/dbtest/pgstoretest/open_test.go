package pgstoretest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/pgstore"
	"github.com/godsr/dsr/internal/dbtest"
)

func TestReopen(t *testing.T) {
	t.Parallel()
	dsn := dbtest.PostgresDSN(t)
	first := openPool(t, dsn)
	create(t, openStore(t, first), dsr.Record{ID: "r1", Keys: map[string][]byte{"k": []byte("wrapped"), "empty": nil}})
	require.NoError(t, first.Ping(t.Context()), "the pool stays the host's")
	first.Close()
	r, err := openStore(t, openPool(t, dsn)).Request(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"k": []byte("wrapped"), "empty": {}}, r.Keys)
}

// Names of schemas are names, whatever they look like.
func TestHostileSchemas(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	execute(t, pool, "CREATE TABLE precious (id text)")
	names := []string{
		"a", "A", `a"b`, `"; DROP TABLE public.precious; --`, "what? $1 ?? :x", "select", "a.b", "a b", "'", `\`, "日本",
		strings.Repeat("x", 63), ` "$user", public`,
	}
	for _, name := range names {
		s, err := pgstore.Open(t.Context(), pool, &pgstore.Options{Schema: name})
		require.NoError(t, err, name)
		r := dsr.Record{ID: "r1", Failure: name, Lookup: [][]byte{[]byte("hash")}, Keys: map[string][]byte{"k": []byte("k")}, Plan: []byte("{}")}
		create(t, s, r)
		r.Version = 2
		require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{
			ExpectVersion: 1, Record: r, AppendJournal: []dsr.JournalChunk{{}}, Ticks: []dsr.Tick{{Seq: 1}}, Events: []dsr.Event{{}},
		}))
	}
	for _, name := range names {
		s, err := pgstore.Open(t.Context(), pool, &pgstore.Options{Schema: name})
		require.NoError(t, err, name)
		list, err := s.Requests(t.Context(), dsr.RecordQuery{Lookup: [][]byte{[]byte("hash")}})
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, name, list[0].Failure)
		chunks, err := s.Journal(t.Context(), "r1", 0, 1)
		require.NoError(t, err)
		require.Equal(t, []dsr.JournalChunk{{Seq: 1, Applied: true}}, chunks)
	}
	execute(t, pool, "SELECT FROM precious")
	var schemas int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_namespace WHERE nspname = ANY($1)", names).Scan(&schemas))
	require.Len(t, names, schemas)
	for _, name := range []string{strings.Repeat("x", 64), "a\x00", "\xff"} {
		_, err := pgstore.Open(t.Context(), pool, &pgstore.Options{Schema: name})
		require.ErrorContains(t, err, "a name has at most 63 bytes of UTF-8 and no zero byte")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ before, want string }{
		"tables of another program": {
			"CREATE SCHEMA dsr; CREATE TABLE dsr.requests (id text)",
			`pgstore: schema "dsr": it holds tables of another program; choose another schema`,
		},
		"another program's mark": {
			"CREATE SCHEMA dsr; CREATE TABLE dsr.dsr_schema (id text)",
			`pgstore: schema "dsr": it holds tables of another program; choose another schema`,
		},
		"a mark without a version": {
			"CREATE SCHEMA dsr; CREATE TABLE dsr.dsr_schema (version integer)",
			`pgstore: schema "dsr": it holds tables of another program; choose another schema`,
		},
		"a newer version": {
			"CREATE SCHEMA dsr; CREATE TABLE dsr.dsr_schema (version integer); INSERT INTO dsr.dsr_schema VALUES (99)",
			`pgstore: schema "dsr": it is at version 99, this program knows versions up to 3; update the program`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t)
			execute(t, pool, test.before)
			s, err := pgstore.Open(t.Context(), pool, nil)
			require.EqualError(t, err, test.want)
			require.Nil(t, s)
			var tables int
			require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'dsr'").Scan(&tables))
			require.Equal(t, 1, tables, "the schema was changed")
		})
	}
	_, err := pgstore.Open(t.Context(), nil, nil)
	require.EqualError(t, err, "pgstore: a pool of connections is needed")
}

func TestOpenCanceled(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := pgstore.Open(ctx, pool, nil)
	require.ErrorIs(t, err, context.Canceled)
	openStore(t, pool)
}

// A schema that exists and is empty is used as it is.
func TestOpenInEmptySchema(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	execute(t, pool, "CREATE SCHEMA dsr")
	create(t, openStore(t, pool), dsr.Record{ID: "r1"})
}

// A role that may only read and write the tables can run the engine.
func TestRoleWithoutRights(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	// Roles belong to the server, and stay when the database goes.
	execute(t, pool, "CREATE ROLE pgstore_modest")
	t.Cleanup(func() {
		_, err := pool.Exec(context.WithoutCancel(t.Context()), "DROP OWNED BY pgstore_modest; DROP ROLE pgstore_modest")
		require.NoError(t, err)
	})
	config := pool.Config()
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "SET ROLE pgstore_modest")
		return err
	}
	modest, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(modest.Close)

	_, err = pgstore.Open(t.Context(), modest, nil)
	require.EqualError(t, err, `pgstore: schema "dsr": migration to version 1: create it: the role lacks a right; let it own the schema, or create the schema for it (SQLSTATE 42501)`)
	openStore(t, pool)
	execute(t, pool, `GRANT USAGE ON SCHEMA dsr TO pgstore_modest;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA dsr TO pgstore_modest`)
	create(t, openStore(t, modest), dsr.Record{ID: "r1", Keys: map[string][]byte{"k": []byte("k")}})
}

// A migration that fails midway leaves nothing behind, and is taken again.
func TestFailedMigration(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	execute(t, pool, `CREATE TABLE precious (id text);
		CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
			IF (SELECT count(*) FROM pg_tables WHERE schemaname = 'dsr') > 5 THEN RAISE EXCEPTION 'refused'; END IF; END $$;
		CREATE EVENT TRIGGER refuse ON ddl_command_end EXECUTE FUNCTION refuse()`)
	_, err := pgstore.Open(t.Context(), pool, nil)
	require.EqualError(t, err, `pgstore: schema "dsr": migration to version 1: PostgreSQL refused (SQLSTATE P0001)`)
	var left int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_namespace WHERE nspname = 'dsr'").Scan(&left))
	require.Zero(t, left)
	execute(t, pool, "DROP EVENT TRIGGER refuse")
	create(t, openStore(t, pool), dsr.Record{ID: "r1"})
	execute(t, pool, "SELECT FROM precious")
}

// A pool whose one connection is all there is, and whose transactions only
// read by default, is enough.
func TestOpenWithOneConnection(t *testing.T) {
	t.Parallel()
	config := newPool(t).Config()
	config.MaxConns = 1
	config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	config.ConnConfig.RuntimeParams["default_transaction_isolation"] = "serializable"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	create(t, openStore(t, pool), dsr.Record{ID: "r1"})
	var path string
	require.NoError(t, pool.QueryRow(t.Context(), "SHOW search_path").Scan(&path))
	require.Equal(t, `"$user", public`, path, "the host's connection is as it was")
}

// Many that open a new schema at once all find it ready.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	errs := make([]error, 12)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { _, errs[i] = pgstore.Open(t.Context(), pool, nil) })
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	var versions []int
	rows, err := pool.Query(t.Context(), "SELECT version FROM dsr.dsr_schema")
	require.NoError(t, err)
	versions, err = pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(t, err)
	require.Equal(t, []int{3}, versions)
}
