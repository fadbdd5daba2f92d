package graph

import (
	"fmt"
	"slices"
)

// Category is a key of the taxonomy of data categories, such as
// "user.contact.email".
type Category string

// Within reports whether the category is parent or lies below it. Categories
// are compared segment by segment: "user.name_history" is not within
// "user.name".
func (c Category) Within(parent Category) bool {
	return c == parent || len(c) > len(parent) && c[len(parent)] == '.' && c[:len(parent)] == parent
}

// Policy says what is done for a privacy request: its rules name the
// categories to hand over or to erase.
type Policy struct {
	Key   string `json:"key"`
	Name  string `json:"name,omitempty"`
	Rules []Rule `json:"rules"`
	// AllowEmptyTargets accepts targets that select no field of any
	// dataset. Defaults to false: such a target is a mistake that would
	// otherwise look like a completed request.
	AllowEmptyTargets bool `json:"allow_empty_targets,omitempty"`
}

// Action is what a rule does.
type Action string

const (
	// Access hands the selected data over.
	Access Action = "access"
	// Erasure masks the selected data, or deletes its rows.
	Erasure Action = "erasure"
)

// Rule applies one action to the fields of its target categories.
type Rule struct {
	Key    string `json:"key"`
	Name   string `json:"name,omitempty"`
	Action Action `json:"action"`
	// Targets are categories; each selects itself and all below it.
	Targets []Category `json:"targets"`
	// Masking is required for erasure and refused for access.
	Masking *Masking `json:"masking,omitempty"`
	// Destination is the key of the storage destination that the package
	// of an access rule goes to. Defaults to the engine's only or
	// default one.
	Destination string `json:"destination,omitempty"`
}

// Selects reports whether one of the rule's targets holds the category.
func (r *Rule) Selects(c Category) bool {
	for _, target := range r.Targets {
		if c.Within(target) {
			return true
		}
	}
	return false
}

// Has reports whether a rule of the policy has the action.
func (p *Policy) Has(a Action) bool {
	for i := range p.Rules {
		if p.Rules[i].Action == a {
			return true
		}
	}
	return false
}

// Actions returns what the policy's rules do, sorted, each once.
func (p *Policy) Actions() []Action {
	var actions []Action
	for i := range p.Rules {
		if !slices.Contains(actions, p.Rules[i].Action) {
			actions = append(actions, p.Rules[i].Action)
		}
	}
	slices.Sort(actions)
	return actions
}

// Check returns every fault of the policy: no key, no rules, duplicate rule
// keys, unknown actions and categories, missing or misplaced masking. A nil
// taxonomy stands for [DefaultTaxonomy].
func (p *Policy) Check(t *Taxonomy) Diagnostics {
	if t == nil {
		t = DefaultTaxonomy()
	}
	var faults Diagnostics
	subject := "policy " + p.Key
	fault := func(format string, args ...any) {
		faults = append(faults, Diagnostic{Severity: Error, Subject: subject, Message: fmt.Sprintf(format, args...)})
	}
	if p.Key == "" {
		fault("it has no key")
	}
	if len(p.Rules) == 0 {
		fault("it has no rules")
	}
	keys := map[string]bool{}
	for i := range p.Rules {
		rule := &p.Rules[i]
		switch {
		case rule.Key == "":
			fault("rule %d has no key", i+1)
		case keys[rule.Key]:
			fault("two rules have the key %q", rule.Key)
		}
		keys[rule.Key] = true
		rule.check(t, fault)
	}
	return faults
}

func (r *Rule) check(t *Taxonomy, fault func(string, ...any)) {
	switch r.Action {
	case Access:
		if r.Masking != nil {
			fault("rule %q hands data over and cannot mask it; remove its masking or make it an erasure rule", r.Key)
		}
	case Erasure:
		if r.Masking == nil || r.Masking.Strategy == "" {
			fault("rule %q erases and needs a masking strategy", r.Key)
		}
		if r.Destination != "" {
			fault("rule %q erases and has no package; remove its destination", r.Key)
		}
	default:
		fault("rule %q has the unknown action %q; known: %s, %s", r.Key, r.Action, Access, Erasure)
	}
	if len(r.Targets) == 0 {
		fault("rule %q has no targets", r.Key)
	}
	seen := map[Category]bool{}
	for _, c := range r.Targets {
		near, ok := Category(""), false
		if !t.Has(c) { // looking for it goes through all of the taxonomy
			near, ok = t.Nearest(c)
		}
		switch {
		case seen[c]:
			fault("rule %q targets %s twice", r.Key, c)
		case t.Has(c):
		case ok:
			fault("rule %q targets the unknown category %q; did you mean %s?", r.Key, c, near)
		default:
			fault("rule %q targets the unknown category %q; add it to the taxonomy if it is your own", r.Key, c)
		}
		seen[c] = true
	}
}
