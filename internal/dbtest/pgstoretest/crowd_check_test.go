package pgstoretest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/storage"
)

// trail is when a request did what.
type trail map[string]time.Time

// trailsOf reads the audit trails by request, and checks that each request did
// everything once and while no other did anything.
func trailsOf(t *testing.T, e *dsr.Engine, requests []*dsr.Request) map[string]trail {
	t.Helper()
	all := map[string]trail{}
	for _, req := range requests {
		trail, count := trail{}, map[string]int{}
		for entry, err := range e.Audit().Entries(t.Context(), req.ID) {
			require.NoError(t, err)
			trail[entry.Action] = entry.Time
			count[entry.Action]++
		}
		for _, action := range []string{"received", "started", "planned", "collected", "completed"} {
			require.Equal(t, 1, count[action], "%s of request %s", action, req.ID)
		}
		require.Equal(t, len(req.Packages), count["delivered"], req.ID)
		all[req.ID] = trail
	}
	order := slices.SortedFunc(maps.Values(all), func(a, b trail) int { return a["planned"].Compare(b["planned"]) })
	for i := 1; i < len(order); i++ {
		require.False(t, order[i]["planned"].Before(order[i-1]["completed"]), "one began before another had ended")
	}
	return all
}

// checkPackages checks that there is one package for each access request, with
// the rows as they were at that time.
func (c *crowd) checkPackages(t *testing.T, requests []*dsr.Request, trails map[string]trail) {
	t.Helper()
	var erased time.Time // when the first erasure began
	for _, req := range requests {
		if at := trails[req.ID]["planned"]; req.Policy == "erase" && (erased.IsZero() || at.Before(erased)) {
			erased = at
		}
	}
	var want []string
	for _, req := range requests {
		if req.Policy == "erase" {
			require.Empty(t, req.Packages)
			continue
		}
		require.Len(t, req.Packages, 1)
		require.EqualValues(t, 1+crowdOrders, req.Packages[0].Rows)
		want = append(want, req.ID+".json", req.ID+storage.ManifestSuffix)
		data, err := os.ReadFile(filepath.Join(c.folder, req.ID+".json"))
		require.NoError(t, err)
		var got map[string][]map[string]any
		require.NoError(t, json.Unmarshal(data, &got))
		customer := map[string]any{"email": "person@example.com", "name": "name 1"}
		var orders []map[string]any
		for i := range crowdOrders {
			orders = append(orders, map[string]any{"note": fmt.Sprint("note ", 2*i)})
		}
		if !trails[req.ID]["planned"].Before(erased) {
			customer["name"] = nil
			for _, o := range orders {
				o["note"] = nil
			}
		}
		require.Len(t, got, 2)
		require.Equal(t, []map[string]any{customer}, got["shop:customers"])
		require.ElementsMatch(t, orders, got["shop:orders"])
	}
	entries, err := os.ReadDir(c.folder)
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	require.ElementsMatch(t, want, names)
}

// checkRows checks that every row of the person was written once, and that the
// requests tell so together.
func (c *crowd) checkRows(t *testing.T, requests []*dsr.Request) {
	t.Helper()
	customers := []string{"1 person@example.com null", "2 other@example.com name 2"}
	written := []string{"customers 1"}
	var orders []string
	for i := range 2 * crowdOrders {
		note := fmt.Sprint("note ", i)
		if i%2 == 0 {
			note = "null"
			written = append(written, fmt.Sprint("orders ", i))
		}
		orders = append(orders, fmt.Sprint(i, " ", 1+i%2, " ", note))
	}
	require.ElementsMatch(t, customers, c.texts(t, "SELECT id || ' ' || email || ' ' || coalesce(name, 'null') FROM customers"))
	require.ElementsMatch(t, orders, c.texts(t, "SELECT id || ' ' || customer_id || ' ' || coalesce(note, 'null') FROM orders"))
	require.ElementsMatch(t, written, c.texts(t, "SELECT what FROM written"))
	masked := map[string]int64{}
	for _, req := range requests {
		for _, o := range req.Collections {
			masked[o.Address.String()] += o.Masked
			require.Equal(t, o.Targeted, o.Masked)
			require.Zero(t, o.Gone+o.Changed)
		}
	}
	require.Equal(t, map[string]int64{"shop:customers": 1, "shop:orders": crowdOrders}, masked)
}

// texts reads one column.
func (c *crowd) texts(t *testing.T, query string) (all []string) {
	t.Helper()
	rows, err := c.db.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var text string
		require.NoError(t, rows.Scan(&text))
		all = append(all, text)
	}
	require.NoError(t, rows.Err())
	return all
}
