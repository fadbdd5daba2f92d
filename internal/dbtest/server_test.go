package dbtest_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/dbtest"
)

// childVariable makes this binary start a server and wait to be killed.
const childVariable = "DBTEST_CHILD"

var products = map[string]func(string, *dbtest.Options) (*dbtest.Server, error){
	"postgres": dbtest.StartPostgres,
	"mariadb":  dbtest.StartMariaDB,
}

func TestMain(m *testing.M) {
	if product := os.Getenv(childVariable); product != "" {
		server, err := products[product]("", nil)
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(server.Dir())
		fmt.Println(server.DSN(""))
		select {}
	}
	os.Exit(m.Run())
}

func TestServerSurvivesKillAndStop(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		product string
		options *dbtest.Options
	}{
		{"postgres", nil},
		{"postgres", &dbtest.Options{Durable: true}},
		{"mariadb", nil},
		{"mariadb", &dbtest.Options{Durable: true}},
	} {
		t.Run(fmt.Sprintf("%s durable %t", c.product, c.options != nil), func(t *testing.T) {
			t.Parallel()
			server, err := products[c.product]("", c.options)
			require.NoError(t, err)
			defer func() { require.NoError(t, server.Close()) }()
			require.NoError(t, server.CreateDatabase(t.Context(), "shop `\" 1"))
			db, err := server.Open("shop `\" 1")
			require.NoError(t, err)
			defer db.Close()
			_, err = db.ExecContext(t.Context(), "CREATE TABLE customer (id INTEGER PRIMARY KEY)")
			require.NoError(t, err)

			for i, end := range []func() error{server.Kill, server.Stop, server.Kill} {
				_, err = db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO customer VALUES (%d)", i))
				require.NoError(t, err)
				require.NoError(t, end())
				require.NoError(t, end(), "ending an ended server does nothing")
				require.Error(t, db.PingContext(t.Context()))
				require.NoError(t, server.Start())
				require.NoError(t, server.Start(), "starting a running server does nothing")
				var rows int
				require.NoError(t, query(t.Context(), db, "SELECT count(*) FROM customer", &rows))
				require.Equal(t, i+1, rows)
			}

			require.NoError(t, server.DropDatabase(t.Context(), "shop `\" 1"))
			require.NoError(t, server.Close())
			require.NoFileExists(t, server.Log())
			require.NoDirExists(t, server.Dir())
		})
	}
}

// query retries while the pool still holds connections to the dead server.
func query(ctx context.Context, db *sql.DB, statement string, into any) error {
	var err error
	for range 5 {
		if err = db.QueryRowContext(ctx, statement).Scan(into); err == nil {
			return nil
		}
	}
	return err
}

func TestServerKeepsADirectoryThatIsGiven(t *testing.T) {
	t.Parallel()
	parent, err := os.MkdirTemp("", "dbtest-given-")
	require.NoError(t, err)
	defer func() { require.NoError(t, os.RemoveAll(parent)) }()
	require.NoError(t, os.Chmod(parent, 0o755))
	dir := filepath.Join(parent, "pg")

	server, err := dbtest.StartPostgres(dir, nil)
	require.NoError(t, err)
	require.Equal(t, dir, server.Dir())
	require.NoError(t, server.CreateDatabase(t.Context(), "kept"))
	require.NoError(t, server.Close())
	require.DirExists(t, dir)

	again, err := dbtest.StartPostgres(dir, nil)
	require.NoError(t, err)
	db, err := again.Open("kept")
	require.NoError(t, err)
	require.NoError(t, db.PingContext(t.Context()))
	require.NoError(t, db.Close())
	require.NoError(t, again.Close())
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	_, err := dbtest.StartPostgres(filepath.Join(os.TempDir(), strings.Repeat("long/", 30)), nil)
	require.ErrorContains(t, err, "choose a shorter directory")

	_, err = dbtest.StartPostgres("", &dbtest.Options{Args: []string{"-c", "no_such_setting=1"}})
	require.ErrorContains(t, err, "no_such_setting")
}

// A connection of a busy machine may need more time to end than PostgreSQL waits
// for it.
func TestDropWaitsForConnections(t *testing.T) {
	t.Parallel()
	server, err := dbtest.StartPostgres("", nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	require.NoError(t, server.CreateDatabase(t.Context(), "used"))
	db, err := server.Open("used")
	require.NoError(t, err)
	defer db.Close()
	var backend int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&backend))
	require.NoError(t, syscall.Kill(backend, syscall.SIGSTOP))
	dropped := make(chan error, 1)
	go func() { dropped <- server.DropDatabase(t.Context(), "used") }()
	require.Eventually(t, func() bool {
		log, err := os.ReadFile(server.Log())
		return err == nil && strings.Contains(string(log), "is being accessed by other users")
	}, 5*time.Minute, 20*time.Millisecond)
	require.NoError(t, syscall.Kill(backend, syscall.SIGCONT))
	require.NoError(t, <-dropped)
}

func TestServerDiesWithItsProcess(t *testing.T) {
	t.Parallel()
	drivers := map[string]string{"postgres": "pgx", "mariadb": "mysql"}
	for product := range products {
		t.Run(product, func(t *testing.T) {
			t.Parallel()
			child := exec.CommandContext(t.Context(), os.Args[0])
			child.Env = append(os.Environ(), childVariable+"="+product)
			output, err := child.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, child.Start())
			lines := bufio.NewScanner(output)
			require.True(t, lines.Scan())
			dir := lines.Text()
			require.True(t, lines.Scan(), dir)
			dsn := lines.Text()
			db, err := sql.Open(drivers[product], dsn)
			require.NoError(t, err)
			require.NoError(t, db.PingContext(t.Context()), "another process can use the address")
			require.DirExists(t, dir)

			require.NoError(t, child.Process.Kill())
			require.Error(t, child.Wait())
			gone := func() bool {
				_, err := os.Stat(dir)
				return errors.Is(err, fs.ErrNotExist) && db.PingContext(t.Context()) != nil
			}
			require.Eventually(t, gone, 5*time.Minute, 20*time.Millisecond)
			require.NoError(t, db.Close())
		})
	}
}
