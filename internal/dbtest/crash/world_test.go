package crash_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/internal/dbtest"
)

// world is two databases with a store, a spool, a folder of packages and a
// temporary directory, all of which a child process works on.
type world struct {
	dir       string
	shop, crm *backend
	before    map[string][]row // by table
}

// patience is when a child that neither ends nor dies fails the test.
const patience = 15 * time.Minute

// newWorld makes a world whose second database is on a server of that dialect.
func newWorld(t *testing.T, dialect sqlconn.Dialect) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	require.NoError(t, os.Mkdir(filepath.Join(w.dir, "shop"), 0o700))
	w.shop = sqliteBackend(filepath.Join(w.dir, "shop"))
	w.crm = &backend{tables: crm(), dialect: dialect}
	switch dialect {
	case sqlconn.PostgreSQL:
		w.crm.dsn = dbtest.PostgresDSN(t)
	case sqlconn.MySQL:
		w.crm.dsn = dbtest.MariaDBDSN(t)
	default:
		t.Fatalf("%s has no server", dialect)
	}
	for _, b := range w.backends() {
		require.NoError(t, b.create(t.Context()))
	}
	require.NoError(t, w.reset(t.Context()))
	var err error
	w.before, err = w.rows(t.Context())
	require.NoError(t, err)
	return w
}

func newWorlds(t *testing.T, n int, dialect sqlconn.Dialect) []*world {
	t.Helper()
	worlds := make([]*world, n)
	for i := range worlds {
		worlds[i] = newWorld(t, dialect)
	}
	return worlds
}

func (w *world) backends() []*backend { return []*backend{w.shop, w.crm} }

// reset makes everything as it was before there was a request.
func (w *world) reset(ctx context.Context) error {
	for _, name := range []string{"store", "spool", "packages", "tmp"} {
		if err := os.RemoveAll(filepath.Join(w.dir, name)); err != nil {
			return err
		}
	}
	for _, name := range []string{"store", "tmp"} {
		if err := os.Mkdir(filepath.Join(w.dir, name), 0o700); err != nil {
			return err
		}
	}
	return errors.Join(w.shop.reset(ctx), w.crm.reset(ctx))
}

// run lets a child do the task. It returns the points that the child passed,
// and nil for the result when it was killed. It calls at when the child begins
// and at each point.
func (w *world) run(ctx context.Context, t task, at func(passed int, point string, child *os.Process) error) (*result, []string, error) {
	t.Dir, t.Shop, t.Dialect, t.CRM = w.dir, w.shop.dsn, w.crm.dialect, w.crm.dsn
	data, err := json.Marshal(t)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the child does not end"))
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(data), "TMPDIR="+filepath.Join(w.dir, "tmp"),
		"GORACE=atexit_sleep_ms=0", // it sleeps for a second otherwise
		"GOGC=400")                 // children are short-lived
	cmd.Dir = filepath.Join(w.dir, "tmp")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	var points []string
	var res *result
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	if at == nil {
		at = func(int, string, *os.Process) error { return nil }
	}
	err = at(0, "", cmd.Process)
	for lines.Scan() {
		line, last := strings.CutPrefix(lines.Text(), "= ")
		if last {
			res = &result{}
			err = errors.Join(err, json.Unmarshal([]byte(line), res))
			continue
		}
		points = append(points, line)
		err = errors.Join(err, at(len(points), line, cmd.Process))
	}
	err = errors.Join(err, lines.Err())
	wait := cmd.Wait()
	var exit *exec.ExitError
	switch status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus); {
	case ctx.Err() != nil:
		err = errors.Join(err, context.Cause(ctx))
	case errors.As(wait, &exit) && status.Signaled() && status.Signal() == syscall.SIGKILL:
		return nil, points, err // killed, maybe after the result
	case wait != nil:
		err = errors.Join(err, wait)
	case res == nil:
		err = errors.Join(err, errors.New("the child ended without a result"))
	}
	if err != nil {
		err = fmt.Errorf("child: %w\n%s", err, stderr.String())
	}
	return res, points, err
}

// each lets worlds work off the jobs 0 to n-1 side by side and returns what
// they found wrong.
func each(worlds []*world, n int, do func(w *world, job int) []string) []string {
	jobs := make(chan int, n)
	for job := range n {
		jobs <- job
	}
	close(jobs)
	found := make(chan []string, len(worlds))
	for _, w := range worlds {
		go func() {
			var all []string
			for job := range jobs {
				for _, v := range do(w, job) {
					all = append(all, fmt.Sprintf("job %d: %s", job, v))
				}
			}
			found <- all
		}()
	}
	var all []string
	for range worlds {
		all = append(all, <-found...)
	}
	return all
}
