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
		_, _, err := w.run(ctx, task{}, func(passed int) bool {
			if passed != line {
				return false
			}
			for start := time.Now(); time.Since(start) < delay; {
				continue // a timer would be too coarse
			}
			return true
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

// Whoever writes between journal and erasure is neither overwritten unseen nor
// is what he wrote about the data subject left.
func TestAnotherWriter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlconn.PostgreSQL)
	meddle := task{Meddle: map[string][]string{
		"shop": {
			"UPDATE orders SET note = 'Qzxtext of late' WHERE id = 1",
			"UPDATE orders SET customer_id = 2 WHERE id = 3",
			"UPDATE orders SET gift = json_set(gift, '$.wrap', 'gold', '$.card', 'Qzxtext of late') WHERE id = 7",
		},
		"crm": {
			"UPDATE tickets SET body = 'Qzxtext of late' WHERE id = 1",
			"UPDATE contacts SET profile = jsonb_set(profile, '{lang}', '\"de\"') WHERE id = 3",
			"DELETE FROM shipments WHERE id = 9",
		},
	}}
	want := []string{
		"orders 1 UPDATE happened 2 times instead of 1",
		"orders 1 note happened 2 times instead of 1",
		"orders 3 customer_id was changed",
		"orders 3 customer_id happened 1 times instead of 0",
		"orders 3 recipient has not the shape of a hash",
		"orders 3 recipient happened 0 times instead of 1",
		"orders 3 note has not the shape of random text",
		"orders 3 note happened 0 times instead of 1",
		"orders 3 phone is not null",
		"orders 3 phone happened 0 times instead of 1",
		"orders 3 gift to.name has not the shape of a hash",
		"orders 3 gift to.street is not null",
		"orders 3 gift card has not the shape of random text",
		"orders 3 gift happened 0 times instead of 1",
		"orders 7 UPDATE happened 2 times instead of 1",
		"orders 7 gift happened 2 times instead of 1",
		"orders 7 gift: siblings of masked keys were changed",
		"tickets 1 UPDATE happened 2 times instead of 1",
		"tickets 1 body happened 2 times instead of 1",
		"contacts 3 UPDATE happened 2 times instead of 1",
		"contacts 3 profile happened 2 times instead of 1",
		"contacts 3 profile: siblings of masked keys were changed",
		"shipments 9 is gone",
		"shipments 9 DELETE happened 1 times instead of 0",
		"shipments 9 UPDATE happened 0 times instead of 1",
		"shipments 9 recipient happened 0 times instead of 1",
		"shipments 9 street happened 0 times instead of 1",
		"shipments 9 hint happened 0 times instead of 1",
		"shop:orders: done: 70 rows, 70 targeted, 69 masked, 0 gone, 3 changed, 1 rows were given to somebody else since they were collected, and left alone" +
			" instead of done: 70 rows, 70 targeted, 70 masked, 0 gone, 0 changed",
		"crm:tickets: done: 49 rows, 49 targeted, 49 masked, 0 gone, 1 changed" +
			" instead of done: 49 rows, 49 targeted, 49 masked, 0 gone, 0 changed",
		"crm:shipments: done: 49 rows, 49 targeted, 48 masked, 1 gone, 0 changed" +
			" instead of done: 49 rows, 49 targeted, 49 masked, 0 gone, 0 changed",
	}
	res, points, err := w.run(t.Context(), meddle, nil)
	require.NoError(t, err)
	require.ElementsMatch(t, want, w.check(t.Context(), res))
	now, err := w.rows(t.Context())
	require.NoError(t, err)
	require.Contains(t, now["orders"][6].values[6].String, `"wrap":"gold"`, "what was written beside the masked keys stays")
	require.Contains(t, now["contacts"][2].values[1].String, `"lang": "de"`)

	for _, point := range []string{"applied 1", "ticked 1", "applied 2", "ticked 2", "before apply 3"} {
		require.NoError(t, w.reset(t.Context()))
		meddle.KillAt = slices.Index(points, point) + 1
		require.Positive(t, meddle.KillAt, point)
		res, _, err := w.run(t.Context(), meddle, nil)
		require.NoError(t, err)
		require.Nil(t, res, "it was killed")
		res, _, err = w.run(t.Context(), task{}, nil)
		require.NoError(t, err)
		require.ElementsMatch(t, want, w.check(t.Context(), res), "killed at %s", point)
	}
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
