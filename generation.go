package dsr

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
	"github.com/godsr/dsr/redact"
)

// generation is what requests are planned and worked on with: the configuration
// that New was given, and what the catalogue adds to it in one of its versions.
// It does not change. A request stays with the one that it was planned with.
type generation struct {
	engine      *Engine
	version     int64  // of the catalogue; 0 for none
	config      Config // with what the catalogue adds
	datamap     *graph.DataMap
	policies    map[string]*graph.Policy
	defined     map[string]*PolicyDefinition // with those that are not ready
	connections map[string]*connection       // by dataset
	patterns    *redact.Patterns             // of the catalogue; nil for those of Config.Redaction
	standard    string                       // the key of the destination of rules that name none; empty for none
	forms       map[string]*manual.Form
	problems    []CatalogueProblem
	blocked     graph.Diagnostics // while there are any, no policy can be planned
	setAside    []graph.Skip      // collections of connections that are disabled
	checks      []string          // pre-approval hooks that the catalogue has, usable or not

	lacking  map[string]error // why a dataset, or a hook, cannot be reached
	down     error            // of what could not be opened, but may be later
	standing standing         // of what it was opened with
	failed   bool             // something could not be opened

	// The mutex of generations guards what follows.
	opened   []*opened // what it holds
	uses     int
	seen     int64     // the version of the catalogue until which its secrets are the newest
	again    time.Time // when to try again what could not be opened; zero for never
	failures int       // before, in a row

	mu      sync.Mutex
	schemas map[graph.Address]*Schema
	plans   map[string]*frozenPlan // by policy and kinds
}

// frozenPlan is a plan that requests share, and as they store it.
type frozenPlan struct {
	plan *graph.Plan
	json []byte
}

// maxPlans bounds the plans that are remembered.
const maxPlans = 64

// connection is a Connection with what New found out about it.
type connection struct {
	Connection
	dry   DryRunner // nil when the connector has no dry run
	asker Asker     // nil when a machine answers
}

func (e *Engine) newGeneration(version int64) *generation {
	g := &generation{
		engine: e, version: version, config: e.config, connections: map[string]*connection{},
		lacking: map[string]error{}, schemas: map[graph.Address]*Schema{}, plans: map[string]*frozenPlan{},
	}
	for key := range e.config.Destinations {
		if len(e.config.Destinations) == 1 {
			g.standard = key
		}
	}
	return g
}

// configure checks what New was given.
func (g *generation) configure(faults *multierror.Error) *multierror.Error {
	faults = g.configureDestinations(faults)
	faults = g.configureDatasets(faults)
	faults = g.configureConnections(faults)
	return g.configurePolicies(faults)
}

// plan plans a policy; see Engine.Plan.
func (g *generation) plan(policy string, kinds []string) (*graph.Plan, error) {
	p, ok := g.policies[policy]
	if !ok {
		for _, problem := range g.problems {
			if problem.Kind == CataloguePolicy && problem.Key == policy {
				return nil, g.passing(fmt.Errorf("%w: policy %q is not ready: %s", ErrNotFound, policy, problem.Reason))
			}
		}
		return nil, fmt.Errorf("%w: policy %q; the configuration has: %s", ErrNotFound, policy, keysOf(g.policies))
	}
	if err := g.blocked.Err(); err != nil {
		return nil, g.passing(err)
	}
	return graph.NewPlan(g.datamap, p, kinds, &graph.PlanOptions{Taxonomy: g.config.Taxonomy, SetAside: g.setAside})
}

// passing says of an error that it may go away by itself, where something could
// not be opened that may be later.
func (g *generation) passing(err error) error {
	if g.down == nil {
		return err
	}
	return &downError{error: err, down: g.down}
}

// freeze returns the plan of a policy for kinds of identity, made once: the
// same configuration gives the same plan.
func (g *generation) freeze(policy string, kinds []string) (*frozenPlan, error) {
	id := policy + "\x00" + strings.Join(kinds, "\x00")
	g.mu.Lock()
	frozen, ok := g.plans[id]
	g.mu.Unlock()
	if ok {
		return frozen, nil
	}
	plan, err := g.plan(policy, kinds)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(plan)
	if err != nil {
		return nil, fmt.Errorf("dsr: encode the plan: %w", err)
	}
	frozen = &frozenPlan{plan: plan, json: data}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.plans) < maxPlans {
		g.plans[id] = frozen
	}
	return frozen, nil
}

// kinds are the kinds of identity to plan with: those that a dataset has which
// is not set aside, or all of a submission where none is, so that the fault is
// told. There is none where datasets take any kind, and those that are given have
// no plain names.
func (g *generation) kinds(submitted Identities, all Identities) []string {
	known := slices.DeleteFunc(all.Kinds(), func(kind string) bool { return !g.datasetKind(kind) || !g.datamap.SeedsFrom(kind) })
	if len(known) == 0 && (g.datamap == nil || !g.datamap.SeedsFrom(graph.AnyIdentity)) {
		return submitted.Kinds()
	}
	return known
}

// redaction are the patterns that packages are written with.
func (g *generation) redaction() *redact.Patterns {
	if g.patterns == nil && g.config.Redaction != nil {
		return g.config.Redaction.Patterns()
	}
	return g.patterns
}

// compiled are patterns of names of the catalogue. Those that are in use already
// are compiled already, and remember what they found.
func (e *Engine) compiled(patterns []string) (*redact.Patterns, error) {
	if known := e.present().patterns; known != nil && slices.Equal(known.Strings(), patterns) {
		return known, nil
	}
	return e.config.Redaction.Compile(patterns)
}

// opened is a connector, hook or destination that the catalogue describes. The
// generations that have it share it; it is closed when none is left.
type opened struct {
	id     string
	value  any
	conn   *connection // of a connector
	closer io.Closer   // may be nil
	uses   int
}

// mapFaults are the faults of a data map by the keys of the datasets that they
// are about, sorted. What is about none of them is about all.
func mapFaults(datasets []*graph.Dataset, err error) iter.Seq2[string, string] {
	var keys []string
	for _, d := range datasets {
		keys = append(keys, d.Key)
	}
	slices.Sort(keys)
	reasons := map[string][]string{}
	var wrong *graph.FaultError
	if !errors.As(err, &wrong) {
		reasons[strings.Join(keys, ", ")] = []string{err.Error()}
	} else {
		for _, f := range wrong.Faults {
			key, _, _ := strings.Cut(f.Subject, ":")
			if !slices.Contains(keys, key) {
				if key = f.Pos.File; !slices.Contains(keys, key) {
					key = strings.Join(keys, ", ")
				}
			}
			if f.Subject == key { // which is told beside
				f.Subject = ""
			}
			reasons[key] = append(reasons[key], f.Text())
		}
	}
	return func(yield func(string, string) bool) {
		for _, key := range slices.Sorted(maps.Keys(reasons)) {
			if !yield(key, strings.Join(reasons[key], "; ")) {
				return
			}
		}
	}
}
