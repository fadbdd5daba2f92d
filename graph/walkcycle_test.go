package graph_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

// ring is three collections that feed each other, and one behind them.
const ring = `
d:a
  email id=email
  id
  c from=d:c.id
d:b
  id
  a from=d:a.id
d:c
  id
  b from=d:b.id
d:tail
  c from=d:c.id
`

type visitKey struct {
	name  string
	round int
}

func walkRing(t *testing.T, opts graph.WalkOptions, visit func(visitKey) graph.Outcome) ([]visitKey, []graph.Outcome) {
	var visits []visitKey
	var outcomes []graph.Outcome
	synctest.Test(t, func(t *testing.T) {
		plan := newPlan(t, dataMap(t, ring), everything(), "email")
		require.Len(t, plan.Cycles, 1)
		outcomes = graph.Walk(t.Context(), plan, func(_ context.Context, v graph.Visit) graph.Outcome {
			k := visitKey{v.Step.Collection.Name, v.Round}
			visits = append(visits, k) // a cycle is visited by one goroutine
			return visit(k)
		}, opts)
	})
	return visits, outcomes
}

func named(name string, o graph.Outcome) graph.Outcome {
	o.Address = graph.Address{Dataset: "d", Collection: name}
	return o
}

func TestWalkCycleEndsWhenNothingIsFresh(t *testing.T) {
	t.Parallel()
	fresh := map[visitKey]int64{{"a", 0}: 2, {"b", 0}: 1, {"c", 0}: 1, {"a", 1}: 1}
	visits, outcomes := walkRing(t, graph.WalkOptions{}, func(k visitKey) graph.Outcome {
		return graph.Outcome{State: graph.Done, Rows: 10, Uncastable: 1, Fresh: fresh[k]}
	})
	require.Equal(t, []visitKey{{"a", 0}, {"b", 0}, {"c", 0}, {"a", 1}, {"b", 1}, {"c", 1}, {"b", 2}, {"tail", 0}}, visits)
	require.Equal(t, []graph.Outcome{
		named("a", graph.Outcome{State: graph.Done, Rows: 20, Uncastable: 2}),
		named("b", graph.Outcome{State: graph.Done, Rows: 30, Uncastable: 3}),
		named("c", graph.Outcome{State: graph.Done, Rows: 20, Uncastable: 2}),
		named("tail", graph.Outcome{State: graph.Done, Rows: 10, Uncastable: 1}),
	}, outcomes)
}

func TestWalkCycleLimitSuspends(t *testing.T) {
	t.Parallel()
	visits, outcomes := walkRing(t, graph.WalkOptions{Rounds: 3}, func(visitKey) graph.Outcome {
		return graph.Outcome{State: graph.Done, Rows: 1, Fresh: 1}
	})
	require.Len(t, visits, 9)
	for _, o := range outcomes {
		require.Equal(t, graph.Suspended, o.State, o.Address)
	}
	require.Contains(t, outcomes[0].Message, "after 3 rounds")
	require.Equal(t, int64(3), outcomes[0].Rows)
	require.Equal(t, "waits for d:c", outcomes[3].Message)
}

func TestWalkCycleEndsWithItsMember(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		visit func() graph.Outcome
		want  graph.State
		tail  graph.State
	}{
		{"failure", func() graph.Outcome { return graph.Outcome{State: graph.Failed, Err: errBroken} }, graph.Failed, graph.Skipped},
		{"panic", func() graph.Outcome { panic(errBroken) }, graph.Failed, graph.Skipped},
		{"suspension", func() graph.Outcome { return graph.Outcome{State: graph.Suspended} }, graph.Suspended, graph.Suspended},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			visits, outcomes := walkRing(t, graph.WalkOptions{}, func(k visitKey) graph.Outcome {
				if k == (visitKey{"b", 1}) {
					return tt.visit()
				}
				return graph.Outcome{State: graph.Done, Fresh: 1}
			})
			require.Len(t, visits, 5)
			for _, o := range outcomes[:3] {
				require.Equal(t, tt.want, o.State)
			}
			require.Equal(t, "its cycle with d:b was not completed", outcomes[0].Message)
			require.Equal(t, tt.tail, outcomes[3].State)
		})
	}
}

func TestWalkCycleGoesOnWithoutASkippedMember(t *testing.T) {
	t.Parallel()
	visits, outcomes := walkRing(t, graph.WalkOptions{}, func(k visitKey) graph.Outcome {
		if k.name == "b" {
			return graph.Outcome{State: graph.Skipped, Message: "no such table"}
		}
		return graph.Outcome{State: graph.Done, Rows: 1, Fresh: 1}
	})
	require.Equal(t, []visitKey{{"a", 0}, {"b", 0}, {"c", 0}, {"a", 1}, {"tail", 0}}, visits)
	require.Equal(t, named("a", graph.Outcome{State: graph.Done, Rows: 2}), outcomes[0])
	require.Equal(t, named("b", graph.Outcome{State: graph.Skipped, Message: "no such table"}), outcomes[1])
	require.Equal(t, graph.Done, outcomes[3].State)
}

func TestWalkCycleStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		plan := newPlan(t, dataMap(t, ring), everything(), "email")
		ctx, cancel := context.WithCancel(t.Context())
		visits := 0
		outcomes := graph.Walk(ctx, plan, func(_ context.Context, v graph.Visit) graph.Outcome {
			if visits++; visits == 4 {
				cancel()
			}
			return graph.Outcome{State: graph.Done, Fresh: 1}
		}, graph.WalkOptions{})
		require.Equal(t, 4, visits)
		for _, o := range outcomes[:3] {
			require.Equal(t, graph.Failed, o.State)
			require.ErrorIs(t, o.Err, context.Canceled)
		}
		require.True(t, outcomes[3].BehindFailure())
	})
}

// A cycle is visited by one worker at a time, so it takes one place in its
// group, however many members it has.
func TestWalkCycleTakesOnePlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		plan := newPlan(t, dataMap(t, ring+"d:other\n  id id=email\n"), everything(), "email")
		rec := newRecorder()
		graph.Walk(t.Context(), plan, func(_ context.Context, v graph.Visit) graph.Outcome {
			rec.enter(v.Step, "one")
			defer rec.leave("one")
			<-time.NewTimer(time.Second).C
			return graph.Outcome{State: graph.Done}
		}, graph.WalkOptions{
			Group:      func(*graph.Step) string { return "one" },
			GroupLimit: func(string) int { return 2 },
		})
		require.Equal(t, 2, rec.mostOf["one"])
	})
}

// Cycles take places in several groups at once; nobody starves and no limit is
// passed.
func TestWalkCyclesOverSeveralGroups(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			var b strings.Builder
			for i := range 12 {
				fmt.Fprintf(&b, "d:a%d\n  e id=email\n  id\n  b from=d:b%d.id\nd:b%d\n  id\n  a from=d:a%d.id\nd:z%d\n  e id=email\n", i, i, i, i, i)
			}
			plan := newPlan(t, dataMap(t, b.String()), everything(), "email")
			require.Len(t, plan.Cycles, 12)
			group := map[graph.Address]string{}
			for _, s := range plan.Steps {
				group[s.Address()] = fmt.Sprint("g", rng.IntN(4))
			}
			rec := newRecorder()
			outcomes := graph.Walk(t.Context(), plan, func(_ context.Context, v graph.Visit) graph.Outcome {
				g := group[v.Step.Address()]
				rec.enter(v.Step, g)
				defer rec.leave(g)
				<-time.NewTimer(time.Second).C
				return graph.Outcome{State: graph.Done}
			}, graph.WalkOptions{
				Group:      func(s *graph.Step) string { return group[s.Address()] },
				GroupLimit: func(g string) int { return 1 + int(g[1]-'0')%2 },
			})
			for _, o := range outcomes {
				require.Equal(t, graph.Done, o.State, "seed %d", seed)
			}
			for g, most := range rec.mostOf {
				require.LessOrEqual(t, most, 1+int(g[1]-'0')%2, "seed %d", seed)
			}
		})
	}
}
