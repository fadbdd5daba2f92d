package graph

import (
	"encoding/json"
	"fmt"
	"iter"
)

// Plan is what a policy means for one set of identity kinds on one data map:
// which collections are visited, in which order, by which values, and what is
// selected in them. It is plain data: it can be stored as JSON and walked
// later, and it is the same on every run and every machine. It must not be
// changed.
type Plan struct {
	Policy Policy `json:"policy"`
	// Identities are the kinds that the plan starts from, in order.
	Identities []string `json:"identities"`
	// Steps stand in an order in which each comes after everything it
	// takes values from, cycles apart; ties by address.
	Steps []*Step `json:"steps"`
	// Skipped are the collections that the plan leaves out, by address.
	Skipped []Skip `json:"skipped,omitempty"`
	// Cycles are the groups of steps that feed each other, each by
	// address.
	Cycles [][]Address `json:"cycles,omitempty"`

	index map[Address]*Step // nil for a plan that was put together by hand
	feeds map[Address]bool
}

// UnmarshalJSON reads a stored plan.
func (p *Plan) UnmarshalJSON(data []byte) error {
	type plain Plan // without this method
	if err := json.Unmarshal(data, (*plain)(p)); err != nil {
		return fmt.Errorf("graph: read a stored plan: %w", err)
	}
	for i, s := range p.Steps {
		if s == nil || s.Collection == nil {
			return fmt.Errorf("graph: read a stored plan: step %d has no collection", i+1)
		}
	}
	p.makeIndex()
	return nil
}

func (p *Plan) makeIndex() {
	p.index, p.feeds = make(map[Address]*Step, len(p.Steps)), map[Address]bool{}
	for _, s := range p.Steps {
		p.index[s.Address()] = s
		for from := range s.feeders() {
			p.feeds[from] = true
		}
	}
}

// feeders yields the other collections that the step takes values from.
func (s *Step) feeders() iter.Seq[Address] {
	return func(yield func(Address) bool) {
		for _, in := range s.Inputs {
			for _, src := range in.Sources {
				if src.From != s.Address() && !yield(src.From) {
					return
				}
			}
		}
	}
}

// Skip is a collection that a plan does not visit, and why.
type Skip struct {
	Address Address `json:"address"`
	Reason  string  `json:"reason"`
}

// Step is the visit of one collection.
type Step struct {
	Collection *Collection `json:"collection"`
	// Level is 0 for steps that wait for none; otherwise one more than the
	// highest level that the step waits for.
	Level int `json:"level"`
	// Cycle is the number of the step's cycle in Plan.Cycles, from 1; 0
	// outside of cycles.
	Cycle int `json:"cycle,omitempty"`
	// Inputs are the ways in which rows are found, joined by OR.
	Inputs []Input `json:"inputs"`
	// Upstream are the steps that must end first: those that feed this
	// one, and those named by after. Members of its own cycle are not
	// among them.
	Upstream []Address `json:"upstream,omitempty"`
	// Columns are the top-level fields to read, in order.
	Columns []string `json:"columns"`
	// Access tells for each access rule what it selects here.
	Access []Selection `json:"access,omitempty"`
	// Erase tells what the erasure rules change here; nil for nothing.
	Erase *Erase `json:"erase,omitempty"`
	// EraseAfter are the targeted steps that are erased before this one.
	EraseAfter []Address `json:"erase_after,omitempty"`
}

// Address returns the address of the step's collection.
func (s *Step) Address() Address { return s.Collection.Address }

// Input finds rows whose Fields hold one of the values of its sources.
type Input struct {
	// Fields are the step's own fields: one, or the parts of a tuple that
	// are compared together.
	Fields []Path `json:"fields"`
	// Identity is the kind of identity that gives the values; empty when
	// Sources do.
	Identity string   `json:"identity,omitempty"`
	Sources  []Source `json:"sources,omitempty"`
}

// Source is where an input takes its values from: fields of one row of another
// step, in the order of Input.Fields.
type Source struct {
	From   Address `json:"from"`
	Fields []Path  `json:"fields"`
}

// Selection is what one access rule hands over of a collection.
type Selection struct {
	Rule string `json:"rule"`
	// Fields are the selected fields, by path; a selected object is handed
	// over whole.
	Fields []Path `json:"fields"`
}

// Erase is what the erasure rules change in a collection.
type Erase struct {
	// Delete removes the rows; Fields is empty then.
	Delete bool `json:"delete,omitempty"`
	// Rules are the keys of the rules that reach the collection.
	Rules  []string     `json:"rules"`
	Fields []EraseField `json:"fields,omitempty"`
	// Kept are targeted fields that are not changed, and why.
	Kept []Kept `json:"kept,omitempty"`
}

// EraseField is a field that is masked.
type EraseField struct {
	Path    Path    `json:"path"`
	Masking Masking `json:"masking"`
	// Length cuts masked text to so many characters; 0 means no limit.
	Length int `json:"length,omitempty"`
}

// Kept is a targeted field that an erasure leaves as it is.
type Kept struct {
	Path   Path   `json:"path"`
	Reason string `json:"reason"`
}

// Step returns the step of an address.
func (p *Plan) Step(a Address) (*Step, bool) {
	if p.index != nil {
		s, ok := p.index[a]
		return s, ok
	}
	for _, s := range p.Steps {
		if s.Address() == a {
			return s, true
		}
	}
	return nil, false
}

// Feeds reports whether another step takes values from the collection.
func (p *Plan) Feeds(a Address) bool {
	if p.index != nil {
		return p.feeds[a]
	}
	for _, s := range p.Steps {
		for from := range s.feeders() {
			if from == a {
				return true
			}
		}
	}
	return false
}

// PlanOptions adjust how a plan is made.
type PlanOptions struct {
	// Taxonomy lets a target also select fields that are annotated with a
	// legacy key that its successor replaced. Defaults to
	// [DefaultTaxonomy].
	Taxonomy *Taxonomy
	// SetAside says why collections are left out that are set to
	// SkipProcessing for the time being, such as `connection "mail" is
	// disabled`. Plan.Skipped tells it, and faults that come of it do.
	SetAside []Skip
}
