package graph_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

// FuzzPlan builds data maps from bytes: whatever they hold, planning does not
// panic, gives the same plan twice, and puts every step behind what it waits
// for.
func FuzzPlan(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{3, 0, 1, 0, 1, 2, 1, 2, 0, 2})
	f.Add([]byte("a reference there and one back, after and erase_after"))
	f.Add([]byte{7, 255, 3, 9, 41, 200, 17, 6, 5, 0, 0, 0, 1, 1, 1, 2, 2, 2, 99, 98, 97, 3, 1, 2, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		datasets := fuzzDatasets(data)
		m, err := graph.NewDataMap(datasets...)
		if err != nil {
			require.NotEmpty(t, faults(t, err))
			return
		}
		policy := everything()
		policy.Rules = append(policy.Rules, erasureOf("user.name").Rules...)
		kinds := [][]string{{"email"}, {"ssn"}, {"email", "ssn"}}[len(data)%3]
		plan, err := graph.NewPlan(m, policy, kinds, nil)
		reversed, mErr := graph.NewDataMap(reverse(datasets)...)
		require.NoError(t, mErr)
		again, errAgain := graph.NewPlan(reversed, policy, kinds, nil)
		if err != nil {
			require.Nil(t, plan)
			require.EqualError(t, errAgain, err.Error())
			return
		}
		require.NoError(t, errAgain)
		first, err := json.Marshal(plan)
		require.NoError(t, err)
		second, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
		checkOrder(t, m, plan)
		for _, write := range renderings(plan) {
			var b strings.Builder
			require.NoError(t, write(&b, nil))
		}
	})
}

// FuzzNewDataMap takes files all the way to a plan: whatever loads, joining and
// planning it does not panic and has the same outcome twice.
func FuzzNewDataMap(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.yml")
	require.NoError(f, err)
	for _, name := range seeds {
		src, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(src)
	}
	f.Add([]byte("dataset: [{fides_key: a, collections: [{name: b, fields: [{name: c.d, fields: [{name: e}]}, {name: c, fields: [{name: d.e}]}, {name: f, fides_meta: {identity: email, references: [{dataset: a, field: b.c.d.e}]}}]}]}]"))
	f.Add([]byte("dataset: [{fides_key: a, collections: [{name: b, fields: []}]}, {fides_key: c, collections: [{name: d, fields: []}], fides_meta: {after: [a, a, e]}}]"))
	f.Add([]byte("dataset: [{fides_key: a, collections: [{name: b, fides_meta: {after: [a.b, a.c], erase_after: [a.b]}, fields: [{name: x, fides_meta: {references: [{dataset: a, field: b.x" + strings.Repeat(".x", 300) + "}]}}]}]}]"))
	f.Fuzz(func(t *testing.T, src []byte) {
		datasets, diags := graph.Load("f.yml", src, nil)
		if diags.Err() != nil {
			return
		}
		m, err := graph.NewDataMap(datasets...)
		again, errAgain := graph.NewDataMap(reverse(datasets)...)
		if err != nil {
			require.NotEmpty(t, faults(t, err))
			require.EqualError(t, errAgain, err.Error())
			return
		}
		require.NoError(t, errAgain)
		policy := everything()
		plan, err := graph.NewPlan(m, policy, m.IdentityKinds(), nil)
		planAgain, errAgain := graph.NewPlan(again, policy, m.IdentityKinds(), nil)
		if err != nil {
			require.NotEmpty(t, faults(t, err))
			require.EqualError(t, errAgain, err.Error())
			return
		}
		require.NoError(t, errAgain)
		first, err := json.Marshal(plan)
		require.NoError(t, err)
		second, err := json.Marshal(planAgain)
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
	})
}

func reverse(datasets []*graph.Dataset) []*graph.Dataset {
	out := make([]*graph.Dataset, 0, len(datasets))
	for i := len(datasets) - 1; i >= 0; i-- {
		d := *datasets[i]
		d.Collections = nil
		for j := len(datasets[i].Collections) - 1; j >= 0; j-- {
			d.Collections = append(d.Collections, datasets[i].Collections[j])
		}
		out = append(out, &d)
	}
	return out
}

// fuzzDatasets makes up to 12 collections in two datasets; every three further
// bytes add something.
func fuzzDatasets(data []byte) []*graph.Dataset {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b)
	}
	datasets := []*graph.Dataset{{Key: "a"}, {Key: "b"}}
	n := 1 + next()%12
	var all []*graph.Collection
	address := func(i int) graph.Address {
		return graph.Address{Dataset: datasets[i%2].Key, Collection: fmt.Sprintf("c%d", i)}
	}
	for i := range n {
		c := &graph.Collection{Name: address(i).Collection}
		for _, name := range []string{"x", "y", "z"} {
			c.Fields = append(c.Fields, &graph.Field{Name: name})
		}
		datasets[i%2].Collections = append(datasets[i%2].Collections, c)
		all = append(all, c)
	}
	all[0].Fields[0].Identity = "email"
	for len(data) > 0 {
		what, on, arg := next(), next(), next()
		c, other := all[on%n], address(arg%n)
		field := c.Fields[on/n%3]
		switch what % 9 {
		case 0, 1, 2, 3:
			field.References = append(field.References, graph.Reference{
				Dataset: other.Dataset, Field: other.Collection + "." + string("xyz"[arg/n%3]),
				Direction: []graph.Direction{graph.Undirected, graph.From, graph.To}[what/9%3],
			})
		case 4:
			c.After = append(c.After, other)
		case 5:
			c.EraseAfter = append(c.EraseAfter, other)
		case 6:
			field.PrimaryKey = true
		case 7:
			field.Identity = []string{"email", "ssn"}[arg%2]
		case 8:
			field.Categories = append(field.Categories, []graph.Category{"user.name", "user.unique_id", "system"}[arg%3])
		}
	}
	return datasets
}

// checkOrder holds every step against everything that must come before it.
func checkOrder(t *testing.T, m *graph.DataMap, plan *graph.Plan) {
	t.Helper()
	at, steps := map[graph.Address]int{}, map[graph.Address]*graph.Step{}
	for i, s := range plan.Steps {
		require.NotContains(t, at, s.Address())
		at[s.Address()], steps[s.Address()] = i, s
		require.NotEmpty(t, s.Inputs)
	}
	require.Len(t, m.Addresses(), len(plan.Steps)+len(plan.Skipped))
	for i, s := range plan.Steps {
		before := map[graph.Address]bool{}
		for _, up := range s.Upstream {
			before[up] = true
			require.Less(t, at[up], i)
			require.Less(t, steps[up].Level, s.Level)
		}
		for _, a := range s.Collection.After {
			if _, ok := at[a]; ok {
				require.True(t, before[a], "after %s is not kept", a)
			}
		}
		for _, in := range s.Inputs {
			for _, src := range in.Sources {
				require.Contains(t, at, src.From)
				inCycle := s.Cycle > 0 && steps[src.From].Cycle == s.Cycle
				require.NotEqual(t, inCycle, before[src.From], "%s feeds %s", src.From, s.Address())
			}
		}
	}
	for n, cycle := range plan.Cycles {
		for _, a := range cycle {
			require.Equal(t, n+1, steps[a].Cycle)
		}
	}
}
