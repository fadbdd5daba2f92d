package cataloguetest_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
)

// What drivers could take for something else than a name or a password.
const (
	database = "sh?op/x&y=z"
	user     = "a@/d a?'\"\\"
	password = "canary:@/?#%&=' \"\\\x01)é("
	rotated  = "canary-2 %40@tcp(evil:1)/?x=y"
)

// server is a database server that asks for passwords, and answers over TCP.
type server struct {
	*dbtest.Server
	dialect    sqlconn.Dialect
	admin      *sql.DB // in the database
	host, port string
	proxy      *dbtest.Proxy
}

func servers(t *testing.T, test func(t *testing.T, s *server)) {
	t.Helper()
	for _, start := range []func(*testing.T) *server{postgres, mariadb} {
		s := start(t)
		t.Run(string(s.dialect), func(t *testing.T) { test(t, s) })
	}
}

func postgres(t *testing.T) *server {
	t.Helper()
	s, err := dbtest.StartPostgres("", nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Stop())
	rules := "local all postgres trust\nlocal all all scram-sha-256\n"
	require.NoError(t, os.WriteFile(filepath.Join(s.Dir(), "data", "pg_hba.conf"), []byte(rules), 0o600))
	require.NoError(t, s.Start())
	out := prepare(t, s, sqlconn.PostgreSQL)
	out.exec(t, "create role "+out.name()+" login password "+out.text(password), "grant select, update on people to "+out.name())
	address, err := url.Parse(out.proxy.DSN(""))
	require.NoError(t, err)
	out.host, out.port = address.Hostname(), address.Port()
	return out
}

func mariadb(t *testing.T) *server {
	t.Helper()
	s, err := dbtest.StartMariaDB("", nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	out := prepare(t, s, sqlconn.MySQL)
	out.exec(t, "create user "+out.name()+" identified by "+out.text(password), "grant select, update on people to "+out.name())
	config, err := mysql.ParseDSN(out.proxy.DSN(""))
	require.NoError(t, err)
	out.host, out.port, err = net.SplitHostPort(config.Addr)
	require.NoError(t, err)
	return out
}

func prepare(t *testing.T, s *dbtest.Server, d sqlconn.Dialect) *server {
	t.Helper()
	require.NoError(t, s.CreateDatabase(t.Context(), database))
	out := &server{Server: s, dialect: d}
	var err error
	if d == sqlconn.PostgreSQL {
		address, err := url.Parse(s.DSN(""))
		require.NoError(t, err)
		query := address.Query()
		query.Set("database", database)
		address.RawQuery = query.Encode()
		out.admin, err = sql.Open("pgx", address.String())
		require.NoError(t, err)
	} else {
		out.admin, err = s.Open(database)
		require.NoError(t, err)
	}
	t.Cleanup(func() { require.NoError(t, out.admin.Close()) })
	out.proxy, err = s.Proxy()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, out.proxy.Close()) })
	out.exec(t, "create table people (id int primary key, mail varchar(99))", "insert into people values (1, 'ada@example.com'), (2, 'bob@example.com')")
	return out
}

func (s *server) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := s.admin.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
}

// name is the user in a statement.
func (s *server) name() string {
	if s.dialect == sqlconn.PostgreSQL {
		return `"` + strings.ReplaceAll(user, `"`, `""`) + `"`
	}
	return s.text(user) + "@'localhost'"
}

// text is a literal.
func (s *server) text(v string) string {
	if s.dialect == sqlconn.MySQL {
		v = strings.ReplaceAll(v, `\`, `\\`)
	}
	return "'" + strings.ReplaceAll(v, "'", "''") + "'"
}

func (s *server) setPassword(t *testing.T, to string) {
	t.Helper()
	if s.dialect == sqlconn.PostgreSQL {
		s.exec(t, "alter role "+s.name()+" password "+s.text(to))
		return
	}
	s.exec(t, "alter user "+s.name()+" identified by "+s.text(to))
}

// backends counts the connections of the user.
func (s *server) backends(t *testing.T) (n int) {
	t.Helper()
	query := "select count(*) from pg_stat_activity where usename = " + s.text(user)
	if s.dialect == sqlconn.MySQL {
		query = "select count(*) from information_schema.processlist where user = " + s.text(user)
	}
	require.NoError(t, s.admin.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

func (s *server) secrets(password string) dsr.Secrets {
	return dsr.Secrets{"host": s.host, "port": s.port, "dbname": database, "username": user, "password": password, "ssh_required": "false"}
}

const peopleYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: people
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: mail, data_categories: [user.contact.email], fides_meta: {identity: email}}
`

// log is a log that may be written to at once.
type log struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

// world is an engine whose connection to a server comes from the catalogue.
type world struct {
	*server
	engine *dsr.Engine
	dir    string
	log    log
}

func newWorld(t *testing.T, s *server) *world {
	t.Helper()
	w := &world{server: s, dir: t.TempDir()}
	var err error
	w.engine, err = dsr.New(dsr.Config{
		Store: memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
		Retry:            dsr.Retry{After: time.Millisecond, Limit: time.Millisecond},
		Logger:           slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		ConnectionTypes:  map[string]dsr.ConnectionType{"sql": sqlconn.ConnectionType(s.dialect, nil)},
		DestinationTypes: map[string]dsr.DestinationType{"local": dsr.FolderDestinationType(w.dir, nil)},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.engine.Close()) })
	w.update(t, func(d *dsr.Definitions) {
		d.Connections["db"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "db"}, Type: "sql", Secrets: s.secrets(password)}
		d.Datasets["shop"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "shop"}, Connection: "db", Source: peopleYAML}
		d.Destinations["folder"] = &dsr.DestinationDefinition{
			Defined: dsr.Defined{Key: "folder"}, Type: "local", Format: "json", Details: map[string]string{"naming": "request_id"},
		}
		d.Policies["access"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "access"}, Rules: []graph.Rule{
			{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}, Destination: "folder"},
		}}
	})
	return w
}

func (w *world) update(t *testing.T, edit func(*dsr.Definitions)) {
	t.Helper()
	_, err := w.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error { edit(d); return nil })
	require.NoError(t, err)
	problems, err := w.engine.Catalogue().Problems(t.Context())
	require.NoError(t, err)
	require.Empty(t, problems)
}

func (w *world) submit(t *testing.T) *dsr.Request {
	t.Helper()
	req, err := w.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"ada@example.com"}}})
	require.NoError(t, err)
	return req
}

// advance works on a request until it is complete.
func (w *world) advance(t *testing.T, req *dsr.Request) string {
	t.Helper()
	req, err := w.engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	text, err := os.ReadFile(filepath.Join(w.dir, req.ID+".json"))
	require.NoError(t, err)
	return string(text)
}

// everything is the text of an error and of all that it wraps.
func everything(err error) string {
	var b strings.Builder
	for ; err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(&b, "%v %+v %#v\n", err, err, err)
	}
	return b.String()
}
