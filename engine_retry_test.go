package dsr_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/fault"
)

// treeYAML: two branches below customers, one of them two deep.
func treeYAML() string {
	return wide(
		coll("customers", "id: primary_key: true", "email: identity: email"),
		coll("left", "id: primary_key: true", "c: "+ref("customers.id", "from")),
		coll("leaf", "id: primary_key: true", "l: "+ref("left.id", "from")),
		coll("right", "id: primary_key: true", "c: "+ref("customers.id", "from")),
	)
}

func treeRows() map[string][]row {
	return map[string][]row{
		"customers": {{"id": 1, "email": "ada@example.com"}}, "left": {{"id": 2, "c": 1}},
		"leaf": {{"id": 3, "l": 2}}, "right": {{"id": 4, "c": 1}},
	}
}

const treePackage = `{"shop:customers":[{"id":1,"email":"ada@example.com"}],"shop:leaf":[{"id":3,"l":2}],"shop:left":[{"id":2,"c":1}],"shop:right":[{"id":4,"c":1}]}`

func TestFailureLeavesOtherBranchesAndRetryGoesOn(t *testing.T) {
	t.Parallel()
	w := shop(t, treeYAML(), treeRows(), nil)
	w.db().fail("left", errors.New("connection reset"))
	w.db().fail("right", errors.New("time-out"))
	e := newEngine(t, w.config(nil, policy(accessRule())))
	submit(t, e, "email", "ada@example.com")
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.EqualError(t, err, "dsr: request r1 failed at stage collect: collecting failed in 2 collections:\n\tshop:left: connection reset\n\tshop:right: time-out")
	var walk *dsr.WalkError
	require.ErrorAs(t, err, &walk)
	require.Equal(t, graph.Failed, outcome(t, req, "shop:left").State)
	require.Equal(t, "not visited, because shop:left failed", outcome(t, req, "shop:leaf").Message)

	w.db().fail("left", nil)
	_, err = retry(t, e, "r1")
	require.EqualError(t, err, "dsr: request r1 failed at stage collect: collecting failed: shop:right: time-out")
	w.db().fail("right", nil)
	// Another process goes on.
	req, err = retry(t, newEngine(t, w.config(nil, policy(accessRule()))), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Equal(t, map[string]int{"customers": 1, "left": 2, "leaf": 1, "right": 3}, w.db().readCounts())
	var notices []string
	for _, n := range w.notifier.Notices() {
		notices = append(notices, string(n.Kind)+" "+n.Message)
	}
	require.Equal(t, []string{
		"received ", "failed collecting failed in 2 collections:\n\tshop:left: connection reset\n\tshop:right: time-out",
		"failed collecting failed: shop:right: time-out", "complete ",
	}, notices)
	require.JSONEq(t, treePackage, w.packages.file("r1.json"))
}

// A part that was lost is collected again, with all that hangs on it and
// nothing else.
func TestLostPartIsCollectedAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, lose string
		want       map[string]int
	}{
		{"one", "rows-1-1-0", map[string]int{"customers": 1, "left": 2, "leaf": 2, "right": 2}},
		{"all", "", map[string]int{"customers": 2, "left": 2, "leaf": 2, "right": 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := shop(t, treeYAML(), treeRows(), nil)
			w.db().fail("right", errors.New("time-out"))
			e := newEngine(t, w.config(nil, policy(accessRule())))
			submit(t, e, "email", "ada@example.com")
			_, err := e.Requests().Advance(t.Context(), "r1")
			require.Error(t, err)
			w.db().fail("right", nil)
			if c.lose == "" {
				require.NoError(t, w.spool.Remove(t.Context(), "r1"))
			} else {
				require.Contains(t, w.spool.left(t), c.lose)
				require.NoError(t, w.spool.Remove(t.Context(), "r1", c.lose))
			}
			req, err := retry(t, e, "r1")
			require.NoError(t, err)
			require.Equal(t, dsr.StatusComplete, req.Status)
			require.JSONEq(t, treePackage, w.packages.file("r1.json"))
			require.Equal(t, c.want, w.db().readCounts())
		})
	}
}

// What is lost or damaged between collection and delivery is collected again
// by the same run.
func TestSpoolLostBeforeDelivery(t *testing.T) {
	t.Parallel()
	rows := treeRows()
	rows["left"] = nil
	long := strings.Repeat("x", 70_000) // more than stays in memory
	rows["left"] = append(rows["left"], row{"id": 2, "c": 1, "text": long})
	yaml := strings.Replace(treeYAML(), "      - name: leaf\n", "          - {name: text, data_categories: [user]}\n      - name: leaf\n", 1)
	for _, how := range []string{"lost", "damaged"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := shop(t, yaml, rows, nil)
			e := newEngine(t, w.config(nil, policy(accessRule())))
			submit(t, e, "email", "ada@example.com")
			done := false
			ctx := fault.WithHook(t.Context(), func(point string) {
				if point != "at deliver" || done {
					return
				}
				done = true
				for _, name := range w.spool.left(t) {
					if how == "lost" {
						require.NoError(t, w.spool.Remove(t.Context(), "r1", name))
						continue
					}
					part, err := w.spool.Create(context.Background(), "r1", name)
					require.NoError(t, err)
					_, err = part.Write([]byte("cut off"))
					require.NoError(t, err)
					require.NoError(t, part.Close())
				}
			})
			req, err := e.Requests().Advance(ctx, "r1")
			require.NoError(t, err)
			require.True(t, done)
			require.Equal(t, dsr.StatusComplete, req.Status)
			require.Equal(t, 2, w.db().readCounts()["left"])
			require.Equal(t, 1, w.db().readCounts()["customers"])
			require.Contains(t, w.packages.file("r1.json"), long)
		})
	}
}

func TestAfterHoldsWhenTheRequestRuns(t *testing.T) {
	t.Parallel()
	yaml := strings.Replace(treeYAML(), "- name: left\n", "- name: left\n        fides_meta: {after: [shop.right]}\n", 1)
	w := shop(t, yaml, treeRows(), nil)
	w.complete(t, "ada@example.com", accessRule())
	var order []string
	for _, q := range w.db().queries {
		order = append(order, q.Collection.Name)
	}
	require.Equal(t, []string{"customers", "right", "left", "leaf"}, order)
}

func TestTwoDatabases(t *testing.T) {
	t.Parallel()
	yaml := `
dataset:
  - fides_key: crm
    collections:
` + coll("people", "id: primary_key: true", "email: identity: email") + `
  - fides_key: web
    collections:
      - name: visits
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - name: who
            data_categories: [user]
            fides_meta: {data_type: string, references: [{dataset: crm, field: people.id, direction: from}]}
`
	w := newWorld(t, yaml, map[string]*memory.Connector{
		"crm": memory.NewConnector(map[string][]row{"people": {{"id": 7, "email": "ada@example.com"}}}, nil),
		"web": memory.NewConnector(map[string][]row{"visits": {{"id": 1, "who": "7"}, {"id": 2, "who": "8"}}}, nil),
	})
	w.complete(t, "ada@example.com", accessRule())
	require.JSONEq(t, `{"crm:people":[{"id":7,"email":"ada@example.com"}],"web:visits":[{"who":"7"}]}`, w.packages.file("r1.json"))
}

func TestSeveralRulesGoToSeveralDestinations(t *testing.T) {
	t.Parallel()
	w := shop(t, shopYAML, shopRows(), nil)
	other := &packages{files: map[string]string{}}
	c := w.config(nil, policy(
		graph.Rule{Key: "names", Action: graph.Access, Targets: []graph.Category{"user.name"}, Destination: "folder"},
		graph.Rule{Key: "texts", Action: graph.Access, Targets: []graph.Category{"user.content"}, Destination: "other"},
	))
	c.Destinations["other"] = dsr.Destination{Storage: &dyingDestination{other, &process{}}}
	e := newEngine(t, c)
	submit(t, e, "email", "ada@example.com")
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, []string{"r1-names.json", "r1-names.manifest.json"}, w.packages.names())
	require.Equal(t, []string{"r1-texts.json", "r1-texts.manifest.json"}, other.names())
	require.Equal(t, "{\n  \"shop:customers\": [\n    {\"name\":\"Ada\"}\n  ]\n}\n", w.packages.file("r1-names.json"))
	require.Equal(t, "{\n  \"shop:orders\": [\n    {\"note\":\"ring twice\"},\n    {\"note\":null}\n  ]\n}\n", other.file("r1-texts.json"))
	require.Equal(t, []string{"names", "texts"}, []string{req.Packages[0].Rule, req.Packages[1].Rule})
	require.Equal(t, int64(2), req.Packages[1].Rows)
}

// A package that cannot be delivered leaves every row, and the next try
// delivers it.
func TestFailedDeliveryStopsTheErasure(t *testing.T) {
	t.Parallel()
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	w.packages.err = errors.New("disk full")
	e := newEngine(t, w.config(nil, policy(accessRule(), erasureRule("random_string_rewrite", eraseAll...))))
	submit(t, e, "email", "ada@example.com")
	_, err := e.Requests().Advance(t.Context(), "r1")
	require.ErrorContains(t, err, `dsr: request r1 failed at stage deliver: package of rule "access": `)
	require.ErrorContains(t, err, "disk full")
	require.Zero(t, w.db().applied())
	require.Empty(t, w.packages.names())
	for name, rows := range eraseShopRows() {
		for i, r := range rows {
			require.Equal(t, normal(t, r), w.db().Rows(name)[i])
		}
	}
	w.packages.err = nil
	reads := w.db().readCounts()
	req, err := retry(t, newEngine(t, w.config(nil, policy(accessRule(), erasureRule("random_string_rewrite", eraseAll...)))), "r1")
	require.NoError(t, err)
	require.NoError(t, w.check(t, req))
	require.Equal(t, reads, w.db().readCounts(), "what was collected is not read again")
}
