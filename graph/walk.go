package graph

import (
	"context"
	"slices"
	"sync"
)

// Outcome is how the visit of one step ended. It holds no personal value.
type Outcome struct {
	Address Address `json:"address"`
	State   State   `json:"state"`
	// Rows counts the rows that were found, each once.
	Rows int64 `json:"rows"`
	// Uncastable counts input values that the type of a field could not
	// take.
	Uncastable int64 `json:"uncastable,omitempty"`
	// Fresh counts values that the visit found for members of its cycle
	// and that no visit before had found; it decides on another round.
	Fresh int64 `json:"-"`
	// Message says why the step was skipped, failed or suspended.
	Message string `json:"message,omitempty"`
	// Behind says that the step was skipped because one that it takes
	// values from failed. A later walk visits it again.
	Behind bool `json:"behind,omitempty"`
	// Err is what made the step fail; it is not stored.
	Err error `json:"-"`
}

// Visit is one call of a [Visitor].
type Visit struct {
	Step *Step
	// Round counts the visits of the same step inside a cycle, from 0. A
	// later round asks only for the values that came up since the one
	// before.
	Round int
}

// Visitor visits one step and says how it ended. Address and counts of a
// cycle's rounds are added up by Walk. A visitor is called from many
// goroutines; a panic becomes a failed outcome.
type Visitor func(ctx context.Context, v Visit) Outcome

// WalkOptions bound a walk.
type WalkOptions struct {
	// Workers is how many steps are visited at once. Defaults to 8.
	Workers int
	// Group names what a step shares with others, such as its connection.
	// Defaults to one group of all steps.
	Group func(*Step) string
	// GroupLimit is how many steps of a group are visited at once; 0 or
	// less means no limit but Workers. The steps of a cycle are visited
	// one after another: together they take one place in each of their
	// groups, as long as the cycle lasts. Defaults to no limit.
	GroupLimit func(group string) int
	// Rounds is how often the steps of a cycle are visited before the walk
	// suspends them for a person. Defaults to 100.
	Rounds int
	// Prior are outcomes of an earlier walk of the same plan: steps that
	// were done, or skipped for a reason of their own, are not visited
	// again.
	Prior []Outcome
	// Observe is called, by one goroutine at a time, with each outcome as
	// it becomes final.
	Observe func(Outcome)
}

// Walk visits the steps of a plan, each after everything it waits for, as many
// at once as the limits allow, and returns one outcome per step in plan order.
// After a failure or a suspension, what depends on it is skipped or suspended
// and all other branches go on. When ctx ends, no visit is started any more;
// steps not visited fail with the cause. Walk returns when every visit has.
func Walk(ctx context.Context, p *Plan, visit Visitor, opts WalkOptions) []Outcome {
	if opts.Workers <= 0 {
		opts.Workers = 8
	}
	if opts.Rounds <= 0 {
		opts.Rounds = 100
	}
	w := &walk{plan: p, visit: visit, opts: opts, index: map[Address]int{}, busy: map[string]int{}, parked: map[string]*queue{}}
	for i, s := range p.Steps {
		w.index[s.Address()] = i
	}
	w.outcomes = make([]Outcome, len(p.Steps))
	w.makeUnits()
	w.run(ctx)
	return w.outcomes
}

// unit is what is scheduled: a step, or all steps of a cycle.
type unit struct {
	steps  []int
	cycle  bool
	groups []string // each once
	waits  int      // units that are still to end
	next   []int    // units that wait for this one
}

type walk struct {
	plan     *Plan
	visit    Visitor
	opts     WalkOptions
	index    map[Address]int
	units    []unit
	unitOf   []int
	outcomes []Outcome
	ready    queue
	parked   map[string]*queue // units that wait for a place in a group
	busy     map[string]int
	running  int
	jobs     chan int // units for the workers
	workers  int
	ended    sync.WaitGroup // of the workers
	finished chan finished
}

type finished struct {
	gone     bool // the worker is, too
	unit     int
	outcomes []Outcome
}

func (w *walk) makeUnits() {
	w.unitOf = make([]int, len(w.plan.Steps))
	byCycle := map[int]int{}
	for i, s := range w.plan.Steps {
		at, ok := byCycle[s.Cycle]
		if s.Cycle == 0 || !ok {
			at = len(w.units)
			w.units = append(w.units, unit{cycle: s.Cycle != 0})
			byCycle[s.Cycle] = at
		}
		w.units[at].steps = append(w.units[at].steps, i)
		w.unitOf[i] = at
	}
	for u := range w.units {
		waits := map[int]bool{}
		for _, i := range w.units[u].steps {
			for _, a := range w.plan.Steps[i].Upstream {
				if up, ok := w.index[a]; ok && w.unitOf[up] != u {
					waits[w.unitOf[up]] = true
				}
			}
		}
		for _, i := range w.units[u].steps {
			if g := w.group(i); !slices.Contains(w.units[u].groups, g) {
				w.units[u].groups = append(w.units[u].groups, g)
			}
		}
		w.units[u].waits = len(waits)
		for up := range waits {
			w.units[up].next = append(w.units[up].next, u)
		}
	}
}

// run is the only goroutine that touches the walk's state; workers only visit
// and report.
func (w *walk) run(ctx context.Context) {
	w.finished = make(chan finished, len(w.units))
	w.jobs = make(chan int, len(w.units))
	defer func() { close(w.jobs); w.ended.Wait() }()
	for u := range w.units {
		slices.Sort(w.units[u].next)
		if w.units[u].waits == 0 {
			w.ready.push(u)
		}
	}
	prior := map[Address]Outcome{}
	for _, o := range w.opts.Prior {
		if o.State == Done || o.State == Skipped && !o.Behind {
			prior[o.Address] = o
		}
	}
	for {
		w.start(ctx, prior)
		if w.running == 0 {
			return
		}
		f := <-w.finished
		w.running--
		if f.gone {
			w.workers--
		}
		for _, g := range w.units[f.unit].groups {
			w.busy[g]--
			w.unpark(g)
		}
		w.end(f.unit, f.outcomes)
	}
}

// start settles or starts whatever is ready, in order, until a limit is hit.
func (w *walk) start(ctx context.Context, prior map[Address]Outcome) {
	for {
		if ctx.Err() != nil {
			w.unparkAll() // to be settled: no place is waited for any more
		}
		if w.ready.Len() == 0 {
			return
		}
		u := w.ready.pop()
		if outcomes, ok := w.settled(ctx, u, prior); ok {
			w.end(u, outcomes)
			continue
		}
		if w.running >= w.opts.Workers {
			w.ready.push(u)
			return
		}
		if g, full := w.fullGroup(u); full {
			w.park(u, g)
			continue
		}
		for _, g := range w.units[u].groups {
			w.busy[g]++
		}
		w.running++
		w.jobs <- u
		if w.workers < w.running {
			w.workers++
			w.ended.Go(func() { w.worker(ctx) })
		}
	}
}

func (w *walk) group(step int) string {
	if w.opts.Group == nil {
		return ""
	}
	return w.opts.Group(w.plan.Steps[step])
}

// settled returns the outcomes of a unit that needs no visit: known from an
// earlier walk, behind a failure, or not to be started any more.
func (w *walk) settled(ctx context.Context, u int, prior map[Address]Outcome) ([]Outcome, bool) {
	outcomes := make([]Outcome, len(w.units[u].steps))
	known := 0
	for n, i := range w.units[u].steps {
		outcomes[n] = Outcome{Address: w.plan.Steps[i].Address()}
		if o, ok := prior[outcomes[n].Address]; ok {
			outcomes[n] = o
			known++
		}
	}
	if known == len(outcomes) {
		return outcomes, true
	}
	blocked, by := w.blocked(u)
	if blocked == "" && ctx.Err() == nil {
		return nil, false
	}
	for n := range outcomes {
		switch {
		case blocked == Suspended:
			outcomes[n].State, outcomes[n].Message = Suspended, "waits for "+by.String()
		case blocked == Failed:
			outcomes[n].State, outcomes[n].Message = Skipped, "not visited, because "+by.String()+" failed"
			outcomes[n].Behind = true
		default:
			outcomes[n] = notVisited(ctx, outcomes[n].Address)
		}
	}
	return outcomes, true
}

// BehindFailure reports whether the step was skipped because one that it
// depends on failed.
func (o Outcome) BehindFailure() bool { return o.Behind }

func notVisited(ctx context.Context, a Address) Outcome {
	err := context.Cause(ctx)
	return Outcome{Address: a, State: Failed, Err: err, Message: "not visited: " + err.Error()}
}

func (w *walk) blocked(u int) (State, Address) {
	var state State
	var by Address
	for _, i := range w.units[u].steps {
		for _, in := range w.plan.Steps[i].Inputs {
			for _, src := range in.Sources {
				up, ok := w.index[src.From]
				if !ok || w.unitOf[up] == u {
					continue
				}
				switch o := w.outcomes[up]; {
				case o.State == Failed, o.BehindFailure():
					return Failed, src.From
				case o.State == Suspended:
					state, by = Suspended, src.From
				}
			}
		}
		for _, a := range w.plan.Steps[i].Upstream {
			if up, ok := w.index[a]; ok && w.outcomes[up].State == Suspended && state == "" {
				state, by = Suspended, a
			}
		}
	}
	return state, by
}

func (w *walk) end(u int, outcomes []Outcome) {
	for n, i := range w.units[u].steps {
		w.outcomes[i] = outcomes[n]
		if w.opts.Observe != nil {
			w.opts.Observe(outcomes[n])
		}
	}
	for _, next := range w.units[u].next {
		if w.units[next].waits--; w.units[next].waits == 0 {
			w.ready.push(next)
		}
	}
}
