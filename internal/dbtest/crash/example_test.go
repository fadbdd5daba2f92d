package crash_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/storage"
)

// The example answers everybody, and touches nothing else, however often it is
// killed on the way: at every point that it passes, at random ones, at random
// times, and while a client waits for an answer.
func TestCrashExample(t *testing.T) {
	t.Parallel()
	program := buildExample(t)
	for _, test := range []struct {
		name          string
		dialect       sqlconn.Dialect
		postgresStore bool
	}{
		{"SQLite", sqlconn.SQLite, false},
		{"PostgreSQL", sqlconn.PostgreSQL, false},
		{"MariaDB", sqlconn.MySQL, false},
		{"PostgreSQL for the requests too", sqlconn.PostgreSQL, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, rnd := newShopWorld(t, program, test.dialect, test.postgresStore), rand.New(rand.NewPCG(seed(t), 0))
			began := time.Now()
			_, points, v := w.round(t.Context(), nil)
			took := time.Since(began)
			require.Empty(t, append(v, w.check(t.Context())...), "not interrupted")
			require.Subset(t, points, []string{
				"collected shop:orders", "before deliver", "at deliver", "delivered everything", "before journal", "at journal", "before erase",
				"at erase", "before apply 2", "applied 2", "ticked 2", "before finish", "at finish", "before done", "at done",
			})

			all := plan(rnd, points, kills(t, 20), took)
			for left := all; len(left) > 0; {
				left, _, v = w.round(t.Context(), left)
				t.Logf("%v round %d, left %d, killed %q", time.Since(began), w.rounds, len(left), w.deaths)
				require.Empty(t, append(v, w.check(t.Context())...), "round %d, killed %q", w.rounds, w.deaths)
			}
			t.Logf("killed %d times in %d rounds", len(all), w.rounds)
		})
	}

	t.Run("harm is told", func(t *testing.T) {
		t.Parallel()
		testHarm(t, newShopWorld(t, program, sqlconn.SQLite, false))
	})
	// A kill does harm without the journal, and the same check sees it: who is
	// masked in part is not found again.
	t.Run("without journal", func(t *testing.T) {
		t.Parallel()
		w := newShopWorld(t, program, sqlconn.SQLite, false)
		w.unjournalled = true
		left, _, v := w.round(t.Context(), []kill{{point: "applied"}})
		require.Empty(t, v)
		require.Empty(t, left)
		require.Contains(t, strings.Join(w.check(t.Context()), "\n"), "note happened 0 times instead of 1")
	})
}

// plan makes n kills, or more: one at each of the points, in the order in which
// the last request of a round comes to them, and others at random.
func plan(rnd *rand.Rand, points []string, n int, took time.Duration) []kill {
	var all []kill
	for i, point := range points {
		if !slices.Contains(points[i+1:], point) {
			all = append(all, kill{point: point})
		}
	}
	for i := range max(n-len(all), n/3) {
		delay := time.Duration(rnd.IntN(3000)) * time.Microsecond
		switch i % 5 {
		case 0:
			all = append(all, kill{call: "submit", delay: delay})
		case 1:
			all = append(all, kill{call: []string{"verify", "approve", "deny", "cancel"}[rnd.IntN(4)], delay: delay})
		case 2:
			all = append(all, kill{after: time.Duration(1 + rnd.Int64N(int64(took)))})
		default:
			all = append(all, kill{point: strconv.Itoa(1 + rnd.IntN(len(points)/3))})
		}
	}
	return all
}

// testHarm does every kind of harm to a shop that answered everybody.
func testHarm(t *testing.T, w *shopWorld) {
	t.Helper()
	_, _, v := w.round(t.Context(), nil)
	require.Empty(t, append(v, w.check(t.Context())...))

	access, erased, other := w.people[0], w.people[1], w.people[len(w.people)-1]
	require.NoError(t, w.exec(t.Context(),
		fmt.Sprintf("UPDATE customers SET name = 'x' WHERE id = %d", other.id),
		fmt.Sprintf("UPDATE orders SET note = 'y' WHERE id = %d", erased.orders[0].id),
		fmt.Sprintf("DELETE FROM orders WHERE id = %d", other.orders[5].id),
	))
	id := access.wishes[0].id
	require.NoError(t, os.WriteFile(w.path("packages", id+".json"), []byte(`{}`), 0o600))
	require.NoError(t, os.Remove(w.path("packages", id+storage.ManifestSuffix)))
	require.NoError(t, os.WriteFile(w.path("packages", "another.txt"), nil, 0o600))
	require.NoError(t, os.MkdirAll(w.path("spool", id), 0o700))
	require.NoError(t, os.WriteFile(w.path("spool", id, "part"), []byte(access.name), 0o600))
	store, err := sql.Open("sqlite", w.path("requests.db"))
	require.NoError(t, err)
	for _, statement := range []string{
		"UPDATE audit SET action = 'started' WHERE action = 'erasure begun' AND request_id = '" + erased.wishes[0].id + "'",
		"DELETE FROM audit WHERE action = 'completed' AND request_id = '" + id + "'",
	} {
		_, err := store.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	require.NoError(t, store.Close())
	access.wishes[0].view.Status = dsr.StatusError

	told := strings.Join(w.check(t.Context()), "\n")
	for _, want := range []string{
		fmt.Sprintf("customers %d name was changed", other.id),
		fmt.Sprintf("customers %d name happened 1 times instead of 0", other.id),
		fmt.Sprintf("orders %d note has not the shape of random text", erased.orders[0].id),
		fmt.Sprintf("orders %d note happened 2 times instead of 1", erased.orders[0].id),
		fmt.Sprintf("orders %d is gone", other.orders[5].id),
		"manifest of a visible package: ",
		"the package of " + access.wishes[0].reference + " is not what was to be handed over",
		"there is a file another.txt among the packages",
		"the spool still holds 1 parts",
		"part holds a canary",
		"it did not end as complete",
		"it was started 2 times instead of 1",
		"it was completed 0 times instead of 1",
		" edited: ",
	} {
		require.Contains(t, told, want)
	}
}
