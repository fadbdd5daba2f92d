package cataloguetest_test

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
)

const patience = 5 * time.Minute

func TestConnectionFromFirstToLast(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		catalogue := w.engine.Catalogue()
		require.Zero(t, w.backends(t), "a connection was made before it was needed")
		require.NoError(t, catalogue.Ping(t.Context(), "db"))
		got := w.advance(t, w.submit(t))
		require.Contains(t, got, "ada@example.com")
		require.NotContains(t, got, "bob@example.com")

		before := w.submit(t)
		w.setPassword(t, rotated)
		w.update(t, func(d *dsr.Definitions) { d.Connections["db"].Secrets = w.secrets(rotated) })
		require.NoError(t, catalogue.Ping(t.Context(), "db"))
		require.Contains(t, w.advance(t, before), "ada@example.com")

		w.update(t, func(d *dsr.Definitions) {
			d.Connections["db"].Disabled = true
			d.Connections["other"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "other"}, Type: "sql", Secrets: w.secrets(rotated)}
			d.Datasets["crm"] = &dsr.DatasetDefinition{
				Defined: dsr.Defined{Key: "crm"}, Connection: "other", Source: strings.ReplaceAll(peopleYAML, "shop", "crm"),
			}
		})
		plan, err := w.engine.Plan("access", "email")
		require.NoError(t, err)
		require.Equal(t, []graph.Skip{{
			Address: graph.Address{Dataset: "shop", Collection: "people"}, Reason: `connection "db" is disabled`,
		}}, plan.Skipped)
		require.Error(t, catalogue.Ping(t.Context(), "db"))
		w.update(t, func(d *dsr.Definitions) { d.Connections["db"].Disabled = false })
		require.Contains(t, w.advance(t, w.submit(t)), "ada@example.com")
		require.Positive(t, w.backends(t))

		w.update(t, func(d *dsr.Definitions) { clear(d.Datasets); clear(d.Connections) })
		require.ErrorIs(t, catalogue.Ping(t.Context(), "db"), dsr.ErrNotFound)
		for i := range 5 { // until no version is kept that has it
			w.update(t, func(d *dsr.Definitions) { d.Settings["count"] = []byte{byte('0' + i)} })
		}
		require.Eventually(t, func() bool { return w.backends(t) == 0 }, patience, 10*time.Millisecond)
		require.NotContains(t, w.log.String(), "canary")
	})
}

func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		code := map[sqlconn.Dialect][2]string{sqlconn.PostgreSQL: {"28P01", "3D000"}, sqlconn.MySQL: {"1045", "1044"}}[s.dialect]
		w.update(t, func(d *dsr.Definitions) { d.Connections["db"].Secrets = w.secrets("canary") })
		err := w.engine.Catalogue().Ping(t.Context(), "db")
		require.EqualError(t, err, "sqlconn: ping: the database does not accept the user name and the password, or from where they come (code "+code[0]+")")
		require.NotErrorIs(t, err, dsr.ErrUnavailable)
		require.NotContains(t, everything(err), "canary")

		// A request waits meanwhile, and goes on with the secrets that are set then.
		req, err := w.engine.Requests().Advance(t.Context(), w.submit(t).ID)
		require.NoError(t, err)
		require.Equal(t, dsr.StatusInProcessing, req.Status)
		w.update(t, func(d *dsr.Definitions) { d.Connections["db"].Secrets = w.secrets(password) })
		require.Eventually(t, func() bool {
			req, err = w.engine.Requests().Advance(t.Context(), req.ID)
			return err != nil || req.Status == dsr.StatusComplete
		}, patience, 10*time.Millisecond)
		require.NoError(t, err)

		w.update(t, func(d *dsr.Definitions) {
			d.Connections["db"].Secrets = w.secrets(password)
			d.Connections["db"].Secrets["dbname"] = "canary"
		})
		err = w.engine.Catalogue().Ping(t.Context(), "db")
		require.ErrorContains(t, err, "(code "+code[1]+")")
		require.NotErrorIs(t, err, dsr.ErrUnavailable)
		require.NotContains(t, everything(err), "canary")
		require.NotContains(t, w.log.String(), "canary")
	})
}

func TestEncryptionThatIsNotThere(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *server) {
		for _, mode := range []string{"require", "verify-full"} {
			secrets := s.secrets(password)
			secrets["ssl_mode"] = mode
			c := connect(t, s, nil, dsr.ConnectionSettings{Secrets: secrets})
			err := c.Ping(t.Context())
			require.EqualError(t, err, "sqlconn: ping: the connection cannot be encrypted: the server offers no TLS, or a certificate that cannot be verified")
			require.NotErrorIs(t, err, dsr.ErrUnavailable)
		}
	})
}

// connect makes a connector that is closed when the test ends.
func connect(t *testing.T, s *server, o *sqlconn.TypeOptions, settings dsr.ConnectionSettings) dsr.Connector {
	t.Helper()
	c, err := sqlconn.ConnectionType(s.dialect, o).Connect(settings)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.(io.Closer).Close()) })
	return c
}

func people() *graph.Collection {
	return &graph.Collection{Name: "people", Fields: []*graph.Field{{Name: "id", PrimaryKey: true}, {Name: "mail"}}}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *server) {
		for _, change := range []dsr.Secrets{{"port": strconv.Itoa(dbtest.RefusingPort(t))}, {"host": "canary.invalid"}} {
			secrets := s.secrets(password)
			for name, value := range change {
				secrets[name] = value
			}
			c := connect(t, s, nil, dsr.ConnectionSettings{Secrets: secrets})
			err := c.Ping(t.Context())
			require.ErrorIs(t, err, dsr.ErrUnavailable)
			require.NotContains(t, everything(err), "canary")
			_, err = c.Describe(t.Context(), people())
			require.ErrorIs(t, err, dsr.ErrUnavailable)
			require.NotContains(t, everything(err), "canary")
		}
	})
}

func TestHangingServer(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	s.proxy.Hang()
	c := connect(t, s, &sqlconn.TypeOptions{Timeout: time.Second}, dsr.ConnectionSettings{Secrets: s.secrets(password)})
	err := c.Ping(t.Context())
	require.ErrorIs(t, err, dsr.ErrUnavailable)
	require.NotContains(t, everything(err), "canary")
	s.proxy.Lose()
	// A second is not enough now and then on a busy machine.
	require.Eventually(t, func() bool { return c.Ping(t.Context()) == nil }, patience, 10*time.Millisecond)
}

func TestReadOnlyConnection(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *server) {
		chunk := &dsr.Chunk{Collection: people(), Key: []graph.Path{{"id"}}, Rows: []dsr.RowChange{
			{Key: []any{int64(1)}, Set: []dsr.Change{{Path: []any{"mail"}, Old: "ada@example.com", New: "x"}}},
		}}
		c := connect(t, s, nil, dsr.ConnectionSettings{ReadOnly: true, Secrets: s.secrets(password)})
		_, err := c.Apply(t.Context(), chunk)
		require.ErrorIs(t, err, dsr.ErrReadOnly)
		c = connect(t, s, nil, dsr.ConnectionSettings{Secrets: s.secrets(password)})
		results, err := c.Apply(t.Context(), chunk)
		require.NoError(t, err)
		require.Equal(t, []dsr.RowResult{dsr.RowWritten}, results)
	})
}

func TestPoolLimit(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *server) {
		c := connect(t, s, &sqlconn.TypeOptions{MaxConns: 2}, dsr.ConnectionSettings{Secrets: s.secrets(password)})
		errs := make(chan error)
		for range 20 {
			go func() {
				_, err := c.Describe(t.Context(), people())
				errs <- err
			}()
		}
		for range 20 {
			require.NoError(t, <-errs)
			require.LessOrEqual(t, s.backends(t), 2)
		}
	})
}

func TestPasswordsOfTheProcessStayHere(t *testing.T) {
	s := postgres(t)
	file := filepath.Join(t.TempDir(), "pgpass")
	require.NoError(t, os.WriteFile(file, []byte("*:*:*:*:"+rotated+"\n"), 0o600))
	s.setPassword(t, rotated)
	secrets := s.secrets("")
	t.Setenv("PGPASSWORD", rotated)
	t.Setenv("PGPASSFILE", file)
	t.Setenv("PGUSER", "postgres")
	err := connect(t, s, nil, dsr.ConnectionSettings{Secrets: secrets}).Ping(t.Context())
	require.ErrorContains(t, err, "(code 28P01)")
	delete(secrets, "username")
	require.Error(t, connect(t, s, nil, dsr.ConnectionSettings{Secrets: secrets}).Ping(t.Context()))
}

func TestSQLiteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &server{dialect: sqlconn.SQLite}
	c := connect(t, s, &sqlconn.TypeOptions{Dir: dir}, dsr.ConnectionSettings{Secrets: dsr.Secrets{"path": "a b?%41.db"}})
	err := c.Ping(t.Context())
	require.ErrorIs(t, err, dsr.ErrUnavailable)
	require.NoFileExists(t, filepath.Join(dir, "a b?%41.db"))

	db := dbtest.SQLite(t)
	for _, statement := range []string{
		"create table people (id int primary key, mail text)", "vacuum into '" + filepath.Join(dir, "a b?%41.db") + "'",
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	require.NoError(t, c.Ping(t.Context()))
	schema, err := c.Describe(t.Context(), people())
	require.NoError(t, err)
	require.Equal(t, []string{"id"}, schema.Key)

	// Where the path leads is looked at again each time.
	outside := filepath.Join(t.TempDir(), "outside.db")
	require.NoError(t, os.Rename(filepath.Join(dir, "a b?%41.db"), outside))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "a b?%41.db")))
	_, err = c.Describe(t.Context(), people())
	require.EqualError(t, err, "sqlconn: open: the path leads out of the host's directory, or may not be opened")
}
