package crash_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/storage"
)

// sideBySide is how many worlds a test uses at once: most of the time a child
// waits, for a disk or for a lease.
const sideBySide = 4

// resume runs a child until it ends by itself and says what is wrong with what
// it leaves.
func (w *world) resume(ctx context.Context, t task) violations {
	res, _, err := w.run(ctx, t, nil)
	if err != nil {
		return violations{err.Error()}
	}
	v := w.check(ctx, res)
	w.checkLeft(&v)
	return v
}

// killAndResume runs a child that kills itself at a point, and another that
// takes up what it left, after dead was called.
func (w *world) killAndResume(ctx context.Context, t task, dead func()) (v violations) {
	if err := w.reset(ctx); err != nil {
		return violations{err.Error()}
	}
	res, points, err := w.run(ctx, t, nil)
	if err != nil || res != nil {
		return violations{fmt.Sprintf("the child was to die: %v, %+v", err, res)}
	}
	w.checkLeft(&v)
	dead()
	t.KillAt = 0
	v = append(v, w.resume(ctx, t)...)
	for i := range v {
		v[i] = fmt.Sprintf("killed at %q: %s", points[len(points)-1], v[i])
	}
	return v
}

func TestCrashAtEveryBoundary(t *testing.T) {
	t.Parallel()
	worlds := newWorlds(t, sideBySide, sqlconn.PostgreSQL)
	res, points, err := worlds[0].run(t.Context(), task{}, nil)
	require.NoError(t, err)
	require.Empty(t, worlds[0].check(t.Context(), res), "not interrupted")
	plain, err := leaks(filepath.Join(worlds[0].dir, "packages"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(worlds[0].dir, "packages", requestID+".json")}, plain, "where canaries are in the clear by design")
	chunks := 0
	for _, tbl := range worlds[0].tables() {
		chunks += (tbl.rows + chunkRows - 1) / chunkRows
	}
	for seq := range chunks {
		require.Subset(t, points, []string{
			fmt.Sprintf("before apply %d", seq+1), fmt.Sprintf("applied %d", seq+1), fmt.Sprintf("ticked %d", seq+1),
		})
	}
	var spooled atomic.Int64
	require.Empty(t, each(worlds, len(points), func(w *world, job int) []string {
		return w.killAndResume(t.Context(), task{KillAt: job + 1}, func() {
			if parts, _ := filepath.Glob(filepath.Join(w.dir, "spool", "*", "*")); len(parts) > 0 {
				spooled.Add(1)
			}
		})
	}))
	require.Positive(t, spooled.Load(), "kills that left rows in the spool")
}

// Without the journal the same kills do harm, and the same check sees it.
func TestCrashWithoutJournal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlconn.PostgreSQL)
	res, points, err := w.run(t.Context(), task{Unjournalled: true}, nil)
	require.NoError(t, err)
	require.Empty(t, w.check(t.Context(), res), "not interrupted")
	harmful := 0
	first := slices.Index(points, "applied")
	require.Positive(t, first)
	for n := first; n < first+4; n++ {
		if v := w.killAndResume(t.Context(), task{KillAt: n + 1, Unjournalled: true}, func() {}); len(v) > 0 {
			harmful++
		}
	}
	require.Positive(t, harmful, "kills that did harm")
}

// kills is how often the random tests kill: DSR_CRASH_KILLS, or n.
func kills(t *testing.T, n int) int {
	t.Helper()
	text, ok := os.LookupEnv("DSR_CRASH_KILLS")
	if !ok {
		return n
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "DSR_CRASH_KILLS")
	require.Positive(t, n, "DSR_CRASH_KILLS")
	return n
}

// seed is DSR_CRASH_SEED, or drawn; it is logged so that a failure can be
// looked for again.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := rand.Uint64()
	if text, ok := os.LookupEnv("DSR_CRASH_SEED"); ok {
		var err error
		n, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "DSR_CRASH_SEED")
	}
	t.Logf("DSR_CRASH_SEED=%d", n)
	return n
}

func TestCrashAtRandomPoints(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		dialect sqlconn.Dialect
		worlds  int
		kills   int
	}{
		{"PostgreSQL", sqlconn.PostgreSQL, sideBySide, 50},
		{"MariaDB", sqlconn.MySQL, 2, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			worlds, seed := newWorlds(t, test.worlds, test.dialect), seed(t)
			res, points, err := worlds[0].run(t.Context(), task{}, nil)
			require.NoError(t, err)
			require.Empty(t, worlds[0].check(t.Context(), res), "not interrupted")
			require.Empty(t, each(worlds, kills(t, test.kills), func(w *world, job int) []string {
				return w.killAtRandom(t.Context(), rand.New(rand.NewPCG(seed, uint64(job))), len(points))
			}))
		})
	}
}

// killAtRandom kills a child at a random time, every other time also the one
// that takes up its work, and lets the next one finish.
func (w *world) killAtRandom(ctx context.Context, rnd *rand.Rand, points int) (v violations) {
	if err := w.reset(ctx); err != nil {
		return violations{err.Error()}
	}
	for range 1 + rnd.IntN(2) {
		line, delay := rnd.IntN(points), time.Duration(rnd.IntN(5000))*time.Microsecond
		if rnd.IntN(8) == 0 { // while it starts, submits and plans
			line, delay = 0, time.Duration(rnd.IntN(300_000))*time.Microsecond
		}
		_, _, err := w.run(ctx, task{}, func(passed int, _ string, child *os.Process) error {
			if passed != line {
				return nil
			}
			for start := time.Now(); time.Since(start) < delay; {
				continue // a timer would be too coarse
			}
			return child.Kill()
		})
		if err != nil {
			return violations{err.Error()}
		}
		w.checkLeft(&v)
		if rnd.IntN(3) == 0 { // a spool may be lost with its machine
			v.failed("empty the spool", os.RemoveAll(filepath.Join(w.dir, "spool")))
		}
	}
	return append(v, w.resume(ctx, task{})...)
}

// A package that cannot be delivered leaves every database untouched.
func TestFailingDelivery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlconn.PostgreSQL)
	for name, test := range map[string]struct {
		path string // what is in the way of the package
		make func(path string) error
		want string
	}{
		"there is no folder":   {"packages", func(path string) error { return os.WriteFile(path, nil, 0o600) }, "it is not a directory"},
		"there is no manifest": {"packages/" + requestID + storage.ManifestSuffix, func(path string) error { return os.MkdirAll(path, 0o700) }, "rename into place"},
		"there is no package":  {"packages/" + requestID + ".json", func(path string) error { return os.MkdirAll(path, 0o700) }, "rename into place"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, w.reset(t.Context()))
			path := filepath.Join(w.dir, test.path)
			require.NoError(t, test.make(path))
			res, points, err := w.run(t.Context(), task{}, nil)
			require.NoError(t, err)
			require.Contains(t, res.Err, "failed at stage deliver")
			require.Contains(t, res.Err, test.want)
			require.NotContains(t, points, "before apply 1")
			rows, err := w.rows(t.Context())
			require.NoError(t, err)
			require.Equal(t, w.before, rows)
			audit, err := w.audit(t.Context())
			require.NoError(t, err)
			require.Empty(t, audit)
			var v violations
			w.checkLeft(&v)
			require.Empty(t, v)

			require.NoError(t, os.RemoveAll(path))
			require.Empty(t, w.resume(t.Context(), task{Retry: true}))
		})
	}
}
