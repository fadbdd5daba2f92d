package graph_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

// randomPlan is a plan without cycles: references and after only lead from
// smaller to larger numbers.
func randomPlan(t testing.TB, rng *rand.Rand) *graph.Plan {
	t.Helper()
	var b strings.Builder
	n := 1 + rng.IntN(25)
	for i := range n {
		fmt.Fprintf(&b, "d:c%02d", i)
		for from := range i {
			if rng.IntN(6) == 0 {
				fmt.Fprintf(&b, " after=d:c%02d", from)
			}
		}
		b.WriteString("\n  k\n")
		seeded := i == 0 || rng.IntN(4) == 0
		for from := range i {
			if rng.IntN(4) == 0 || !seeded {
				fmt.Fprintf(&b, "  f%d from=d:c%02d.k\n", from, from)
				seeded = true
			}
		}
		if i == 0 || rng.IntN(4) == 0 {
			b.WriteString("  e id=email\n")
		}
	}
	return newPlan(t, dataMap(t, b.String()), everything(), "email")
}

// recorder watches visits.
type recorder struct {
	mu      sync.Mutex
	ended   map[graph.Address]bool
	visits  map[graph.Address]int
	now     int
	most    int
	byGroup map[string]int
	mostOf  map[string]int
}

func newRecorder() *recorder {
	return &recorder{
		ended: map[graph.Address]bool{}, visits: map[graph.Address]int{},
		byGroup: map[string]int{}, mostOf: map[string]int{},
	}
}

func (r *recorder) enter(s *graph.Step, group string) (missing []graph.Address) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.visits[s.Address()]++
	r.now++
	r.byGroup[group]++
	r.most, r.mostOf[group] = max(r.most, r.now), max(r.mostOf[group], r.byGroup[group])
	for _, up := range s.Upstream {
		if !r.ended[up] {
			missing = append(missing, up)
		}
	}
	return missing
}

func (r *recorder) leave(group string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now--
	r.byGroup[group]--
}

var errBroken = errors.New("broken")

func TestWalkRandomPlans(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { walkRandomPlan(t, seed) })
		})
	}
}

func walkRandomPlan(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	plan := randomPlan(t, rng)
	workers, limit := 1+rng.IntN(4), rng.IntN(3)
	fate, takes, groups := map[graph.Address]int{}, map[graph.Address]time.Duration{}, map[graph.Address]string{}
	for _, s := range plan.Steps {
		fate[s.Address()] = rng.IntN(12)
		takes[s.Address()] = time.Duration(rng.IntN(5)) * time.Second
		groups[s.Address()] = fmt.Sprint("g", rng.IntN(3))
	}
	rec := newRecorder()
	var early []graph.Address
	visit := func(ctx context.Context, v graph.Visit) graph.Outcome {
		a := v.Step.Address()
		missing := rec.enter(v.Step, groups[a])
		defer rec.leave(groups[a])
		rec.mu.Lock()
		early = append(early, missing...)
		rec.mu.Unlock()
		after := time.NewTimer(takes[a]) // virtual time
		<-after.C
		switch fate[a] {
		case 0:
			return graph.Outcome{State: graph.Failed, Err: errBroken}
		case 1:
			panic("somebody@example.com")
		case 2:
			return graph.Outcome{State: graph.Suspended}
		case 3:
			runtime.Goexit()
		case 4:
			return graph.Outcome{State: graph.Skipped}
		}
		return graph.Outcome{State: graph.Done, Rows: 1}
	}
	observed := map[graph.Address]graph.Outcome{}
	outcomes := graph.Walk(t.Context(), plan, visit, graph.WalkOptions{
		Workers:    workers,
		Group:      func(s *graph.Step) string { return groups[s.Address()] },
		GroupLimit: func(string) int { return limit },
		Observe: func(o graph.Outcome) {
			rec.mu.Lock()
			defer rec.mu.Unlock()
			require.NotContains(t, observed, o.Address)
			observed[o.Address] = o
			rec.ended[o.Address] = true
		},
	})
	require.Empty(t, early, "visits that started before something they wait for had ended")
	require.LessOrEqual(t, rec.most, workers)
	if limit > 0 {
		for g, most := range rec.mostOf {
			require.LessOrEqual(t, most, limit, g)
		}
	}
	require.Len(t, outcomes, len(plan.Steps))
	require.Len(t, observed, len(plan.Steps))
	got := map[graph.Address]graph.Outcome{}
	for i, s := range plan.Steps {
		require.Equal(t, s.Address(), outcomes[i].Address)
		require.Equal(t, outcomes[i], observed[s.Address()])
		got[s.Address()] = outcomes[i]
	}
	for _, s := range plan.Steps {
		o, a := got[s.Address()], s.Address()
		failed, suspended := expectedBlock(s, got)
		switch {
		case failed:
			require.Equal(t, graph.Skipped, o.State)
			require.True(t, o.BehindFailure())
			require.Zero(t, rec.visits[a])
		case suspended:
			require.Equal(t, graph.Suspended, o.State)
			require.Zero(t, rec.visits[a])
		default:
			require.Equal(t, 1, rec.visits[a], "an independent branch was not visited")
			want := map[int]graph.State{0: graph.Failed, 1: graph.Failed, 2: graph.Suspended, 3: graph.Failed, 4: graph.Skipped}
			if state, ok := want[fate[a]]; ok {
				require.Equal(t, state, o.State)
			} else {
				require.Equal(t, graph.Outcome{Address: a, State: graph.Done, Rows: 1}, o)
			}
			require.False(t, o.BehindFailure())
			require.NotContains(t, o.Message, "somebody")
			if fate[a] == 1 {
				var panicked *graph.PanicError
				require.ErrorAs(t, o.Err, &panicked)
				require.Contains(t, panicked.Stack, "walkRandomPlan")
				require.NotContains(t, panicked.Error()+panicked.Stack, "somebody")
			}
		}
	}
	checkResume(t, plan, outcomes)
}

// expectedBlock says what keeps a step from being visited: a failure only
// reaches those that take values, a suspension everything that waits.
func expectedBlock(s *graph.Step, got map[graph.Address]graph.Outcome) (failed, suspended bool) {
	for _, in := range s.Inputs {
		for _, src := range in.Sources {
			o := got[src.From]
			failed = failed || o.State == graph.Failed || o.BehindFailure()
		}
	}
	for _, up := range s.Upstream {
		suspended = suspended || got[up].State == graph.Suspended
	}
	return failed, suspended
}

// checkResume walks again from stored outcomes: exactly what did not end well
// is visited, and the result is whole.
func checkResume(t *testing.T, plan *graph.Plan, outcomes []graph.Outcome) {
	t.Helper()
	stored, err := json.Marshal(outcomes)
	require.NoError(t, err)
	var prior []graph.Outcome
	require.NoError(t, json.Unmarshal(stored, &prior))
	rec := newRecorder()
	again := graph.Walk(t.Context(), plan, func(_ context.Context, v graph.Visit) graph.Outcome {
		rec.enter(v.Step, "")
		return graph.Outcome{State: graph.Done, Rows: 2}
	}, graph.WalkOptions{Prior: prior})
	for i, o := range outcomes {
		if o.State == graph.Done || o.State == graph.Skipped && !o.BehindFailure() {
			require.Zero(t, rec.visits[o.Address])
			require.Equal(t, o, again[i])
			continue
		}
		require.Equal(t, 1, rec.visits[o.Address])
		require.Equal(t, graph.Outcome{Address: o.Address, State: graph.Done, Rows: 2}, again[i])
	}
}

const chain = `
d:a
  id id=email
d:b
  id from=d:a.id
d:c
  id from=d:b.id
d:z
  id id=email
`

func TestWalkCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		plan := newPlan(t, dataMap(t, chain), everything(), "email")
		cause := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		rec := newRecorder()
		finish := make(chan struct{})
		var outcomes []graph.Outcome
		returned := false
		go func() {
			outcomes = graph.Walk(ctx, plan, func(ctx context.Context, v graph.Visit) graph.Outcome {
				rec.enter(v.Step, "")
				<-finish
				return graph.Outcome{State: graph.Done}
			}, graph.WalkOptions{Workers: 1})
			returned = true
		}()
		synctest.Wait()
		cancel(cause)
		synctest.Wait()
		require.False(t, returned, "Walk must wait for a running visit")
		close(finish)
		synctest.Wait()
		require.True(t, returned)
		require.Equal(t, map[graph.Address]int{{Dataset: "d", Collection: "a"}: 1}, rec.visits)
		var states []graph.State
		for _, o := range outcomes {
			states = append(states, o.State)
		}
		require.Equal(t, []graph.State{graph.Done, graph.Failed, graph.Failed, graph.Skipped}, states)
		require.ErrorIs(t, outcomes[1].Err, cause)
		require.Equal(t, "not visited: shutting down", outcomes[1].Message)
		require.True(t, outcomes[3].BehindFailure())
	})
}

func TestWalkCancelledBefore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	plan := newPlan(t, dataMap(t, chain), everything(), "email")
	for _, o := range graph.Walk(ctx, plan, func(context.Context, graph.Visit) graph.Outcome {
		panic("visited")
	}, graph.WalkOptions{}) {
		require.Contains(t, []graph.State{graph.Failed, graph.Skipped}, o.State)
		var panicked *graph.PanicError
		require.NotErrorAs(t, o.Err, &panicked)
	}
}

func TestWalkUnknownState(t *testing.T) {
	t.Parallel()
	plan := newPlan(t, dataMap(t, "d:a\n  id id=email\n"), everything(), "email")
	outcomes := graph.Walk(t.Context(), plan, func(context.Context, graph.Visit) graph.Outcome {
		return graph.Outcome{Rows: 3}
	}, graph.WalkOptions{})
	require.Equal(t, graph.Failed, outcomes[0].State)
	require.Equal(t, `the visitor returned the unknown state ""`, outcomes[0].Message)
}

func TestWalkEmptyPlan(t *testing.T) {
	t.Parallel()
	require.Empty(t, graph.Walk(t.Context(), &graph.Plan{}, nil, graph.WalkOptions{}))
}

// Steps that wait for a place in their group are settled when ctx ends.
func TestWalkCancelWhileWaitingForAPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		plan := newPlan(t, dataMap(t, "d:a\n  e id=email\nd:b\n  e id=email\nd:c\n  e id=email\n"), everything(), "email")
		ctx, cancel := context.WithCancel(t.Context())
		outcomes := graph.Walk(ctx, plan, func(context.Context, graph.Visit) graph.Outcome {
			cancel()
			return graph.Outcome{State: graph.Done}
		}, graph.WalkOptions{GroupLimit: func(string) int { return 1 }})
		var states []graph.State
		for _, o := range outcomes {
			states = append(states, o.State)
		}
		require.Equal(t, []graph.State{graph.Done, graph.Failed, graph.Failed}, states)
	})
}
