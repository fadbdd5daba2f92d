package dsr_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/fault"
)

func TestCrashTestFailsWithoutJournal(t *testing.T) {
	t.Parallel()
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	require.ErrorContains(t, w.crashAndResume(t, "applied", true), "was not masked exactly once", "without a journal the same test fails")
	w = shop(t, eraseShopYAML, eraseShopRows(), nil)
	require.NoError(t, w.crashAndResume(t, "applied 1", false))
}

// crashAndResume kills a process at a point, lets another one finish and
// reports what is wrong then.
func (w *world) crashAndResume(t testing.TB, point string, withoutJournal bool) error {
	t.Helper()
	p := &process{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hit := false
	hooked := fault.WithHook(ctx, func(at string) {
		if at == point && !hit {
			hit = true
			p.dead.Store(true)
			cancel()
		}
	})
	again := t.Context()
	if withoutJournal {
		hooked, again = fault.WithoutJournal(hooked), fault.WithoutJournal(again)
	}
	rules := policy(accessRule(), erasureRule("random_string_rewrite", eraseAll...))
	e := newEngine(t, w.config(p, rules))
	submit(t, e, "email", "ada@example.com")
	_, err := e.Requests().Advance(hooked, "r1")
	if !hit {
		return fmt.Errorf("the point %q was never reached", point)
	}
	if err == nil && point != "at done" {
		return fmt.Errorf("the killed process came to a good end")
	}
	e = newEngine(t, w.config(nil, rules))
	if point != "at done" {
		if _, err := e.Requests().Advance(t.Context(), "r1"); err == nil || !strings.Contains(err.Error(), dsr.ErrLeased.Error()) {
			return fmt.Errorf("the lease of the dead process did not hold: %w", err)
		}
	}
	w.clock.add(2 * 60e9)
	req, err := e.Requests().Advance(again, "r1")
	if err != nil {
		return err
	}
	return w.check(t, req)
}

// check says what is wrong with a shop whose first customer was erased.
func (w *world) check(t testing.TB, req *dsr.Request) error {
	t.Helper()
	if req.Status != dsr.StatusComplete {
		return fmt.Errorf("status %s", req.Status)
	}
	want := eraseShopRows()
	fresh := map[string]bool{}
	for name, columns := range map[string][]string{"customers": {"email", "name"}, "orders": {"buyer", "note"}, "visits": {"page"}} {
		for i, row := range w.db().Rows(name) {
			before := normal(t, want[name][i])
			mine := name == "customers" && row["id"] == int64(1) || name == "orders" && i != 1 || name == "visits" && i != 1
			for _, column := range columns {
				was, now := before[column], row[column]
				if !mine || was == nil {
					continue
				}
				text, ok := now.(string)
				if !ok || len(text) != 30 || text == was || w.db().written[text] != 1 || fresh[text] {
					return fmt.Errorf("%s.%s of row %d was not masked exactly once", name, column, i)
				}
				fresh[text] = true
				delete(row, column)
				delete(before, column)
			}
			if fmt.Sprint(row) != fmt.Sprint(before) {
				return fmt.Errorf("%s: row %d was touched", name, i)
			}
		}
	}
	if len(w.db().written) != len(fresh) {
		return fmt.Errorf("%d values were written, %d are there", len(w.db().written), len(fresh))
	}
	for address, n := range map[string]int64{"shop:customers": 1, "shop:orders": 2, "shop:visits": 1} {
		if o := outcome(t, req, address); o.Targeted != n || o.Masked != n || o.Gone != 0 || o.Changed != 0 {
			return fmt.Errorf("%s: the counts are %d %d %d %d", address, o.Targeted, o.Masked, o.Gone, o.Changed)
		}
	}
	if got := w.packages.file("r1.json"); got != eraseShopPackage {
		return fmt.Errorf("the package is %s", got)
	}
	rec, err := w.store.Request(t.Context(), "r1")
	require.NoError(t, err)
	chunks, err := w.store.Journal(t.Context(), "r1", 0, 0)
	require.NoError(t, err)
	if left := w.spool.left(t); len(chunks) > 0 || len(left) > 0 || len(rec.Keys) != 1 {
		return fmt.Errorf("left behind: %d chunks, %d parts, %d keys", len(chunks), len(left), len(rec.Keys))
	}
	return nil
}

const eraseShopPackage = `{
  "shop:customers": [
    {"email":"ada@example.com","id":1,"name":"Ada"}
  ],
  "shop:orders": [
    {"buyer":"ada@example.com","note":"n10"},
    {"buyer":"ada@example.com","note":"n12"}
  ],
  "shop:visits": [
    {"page":"p20"},
    {"page":null}
  ]
}
`

// Every point at which a process can be killed is tried, found by running once
// without a kill.
func TestKilledAnywhereItResumes(t *testing.T) {
	t.Parallel()
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	points := map[string]bool{}
	e := newEngine(t, w.config(nil, policy(accessRule(), erasureRule("random_string_rewrite", eraseAll...))))
	submit(t, e, "email", "ada@example.com")
	var seen []string
	hooked := fault.WithHook(t.Context(), func(at string) {
		w.clock.mu.Lock()
		defer w.clock.mu.Unlock()
		if !points[at] {
			points[at] = true
			seen = append(seen, at)
		}
	})
	req, err := e.Requests().Advance(hooked, "r1")
	require.NoError(t, err)
	require.NoError(t, w.check(t, req))
	require.Greater(t, len(seen), 15)
	slices.Sort(seen)
	for _, point := range seen {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			w := shop(t, eraseShopYAML, eraseShopRows(), nil)
			require.NoError(t, w.crashAndResume(t, point, false))
		})
	}
}

// Process after process dies, each a few points later than the one before, until
// one comes through.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	rules := policy(accessRule(), erasureRule("random_string_rewrite", eraseAll...))
	submit(t, newEngine(t, w.config(nil, rules)), "email", "ada@example.com")
	for life := 1; ; life++ {
		require.Less(t, life, 100)
		p := &process{}
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		left := life
		hooked := fault.WithHook(ctx, func(string) {
			mu.Lock()
			defer mu.Unlock()
			if left--; left == 0 {
				p.dead.Store(true)
				cancel()
			}
		})
		config := w.config(p, rules)
		config.Limits.ChunkRows = 1
		req, err := newEngine(t, config).Requests().Advance(hooked, "r1")
		cancel()
		if err == nil {
			require.Greater(t, life, 10)
			require.NoError(t, w.check(t, req))
			return
		}
		w.clock.add(2 * time.Minute)
	}
}
