package fides

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// targetPath is the path of what is about one target of a rule.
type targetPath struct {
	Policy string `json:"policy_key" minLength:"1" maxLength:"200"`
	Rule   string `json:"rule_key" minLength:"1" maxLength:"200"`
	Target string `json:"rule_target_key" minLength:"1" maxLength:"200"`
}

func (at targetPath) rule() rulePath { return rulePath{at.Policy, at.Rule} }

type oneTarget struct{ Path targetPath }

type targetList struct {
	Path  rulePath
	Query paging
}

type targetsInput struct {
	Path rulePath
	Body []newTarget `maxItems:"50"`
}

// newTarget is a target to be created or changed.
type newTarget struct {
	Name     *string `json:"name" required:"false" minLength:"1" maxLength:"200"`
	Key      *string `json:"key" required:"false" maxLength:"200" doc:"Made here where it is left out, or blank."`
	Category string  `json:"data_category" maxLength:"1000"`

	told echo
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told.
func (n *newTarget) UnmarshalJSON(text []byte) (err error) {
	type plain newTarget
	n.told, err = decodeKeeping(text, (*plain)(n))
	n.Key = givenKey(n.Key)
	return err
}

func (in *targetsInput) check() (faults []fault) {
	for i := range in.Body {
		faults = append(faults, keyFault(in.Body[i].Key, "body", i, "key")...)
	}
	return faults
}

func (d *Door) listTargets(ctx context.Context, in *targetList) (*pageOfItems[targetView], error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	p, rule, err := findRule(defs, in.Path)
	if err != nil {
		return nil, err
	}
	notes, newest := notesOf(p), slices.Clone(rule.Targets)
	slices.Reverse(newest)
	return pageFrom(newest, in.Query, func(c graph.Category) (targetView, error) { return notes.view(rule, c), nil })
}

func (d *Door) getTarget(ctx context.Context, in *oneTarget) (*targetView, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	p, rule, err := findRule(defs, in.Path.rule())
	if err != nil {
		return nil, err
	}
	notes := notesOf(p)
	c, ok := notes.find(rule, in.Path.Target)
	if !ok {
		return nil, refuse(http.StatusNotFound, "No Rule Target found for key %s attached to rule %s.", in.Path.Target, in.Path.Rule)
	}
	shown := notes.view(rule, c)
	return &shown, nil
}

func (d *Door) deleteTarget(ctx context.Context, in *oneTarget) (*nothing, error) {
	return nil, d.change(ctx, func(defs *dsr.Definitions) error {
		p, err := findPolicy(defs, in.Path.Policy)
		if err != nil {
			return err
		}
		rule := ruleOf(p, in.Path.Rule)
		if rule == nil {
			return refuse(http.StatusNotFound, "No Rule found for key %s on Policy %s.", in.Path.Rule, in.Path.Policy)
		}
		notes := notesOf(p)
		c, ok := notes.find(rule, in.Path.Target)
		switch {
		case !ok:
			return refuse(http.StatusNotFound, "No RuleTarget found for key %s at Rule %s on Policy %s.", in.Path.Target, in.Path.Rule, in.Path.Policy)
		case p.Fixed:
			return refuse(http.StatusConflict, "%s", fixedPolicy(p.Key))
		}
		delete(notes.Targets[rule.Key], c)
		if err := notes.keep(p); err != nil {
			return err
		}
		rule.Targets = slices.DeleteFunc(rule.Targets, func(other graph.Category) bool { return other == c })
		return nil
	})
}

// putTargets creates and changes targets, each judged for itself, in one commit.
func (d *Door) putTargets(ctx context.Context, in *targetsInput) (*bulk[targetView], error) {
	check := func(p *dsr.PolicyDefinition) error {
		if ruleOf(p, in.Path.Rule) == nil {
			return refuse(http.StatusNotFound, "No Rule found for key %s on Policy %s.", in.Path.Rule, in.Path.Policy)
		}
		return d.checkCategories(in.Body)
	}
	return putEach(ctx, d, in.Path.Policy, in.Body, func(n *newTarget) echo { return n.told }, check,
		func(defs *dsr.Definitions, p *dsr.PolicyDefinition, n *newTarget) (targetView, string) {
			return putTarget(defs, p, ruleOf(p, in.Path.Rule), n)
		})
}

// checkCategories refuses the whole call for categories that there are not.
func (d *Door) checkCategories(list []newTarget) error {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Category
	}
	return d.checkNames(names)
}

// checkNames is checkCategories of categories by name.
func (d *Door) checkNames(names []string) error {
	var unknown []string
	for _, c := range names {
		if !d.engine.Taxonomy().Has(graph.Category(c)) {
			unknown = append(unknown, "'"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(c)+"'")
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return refuse(http.StatusUnprocessableEntity, "Invalid data categories: [%s]", strings.Join(slices.Compact(unknown), ", "))
}

// find returns the category of a target by its key.
func (n *policyNotes) find(r *graph.Rule, key string) (graph.Category, bool) {
	for _, c := range r.Targets {
		if n.target(r.Key, c).Key == key {
			return c, true
		}
	}
	return "", false
}

// putTarget creates or changes a target of a rule, or says in Fides' words why
// not. Keys and names are unique among the targets of all rules.
func putTarget(defs *dsr.Definitions, p *dsr.PolicyDefinition, rule *graph.Rule, n *newTarget) (_ targetView, message string) {
	notes, c := notesOf(p), graph.Category(n.Category)
	was, changes := graph.Category(""), false
	if n.Key != nil {
		was, changes = notes.find(rule, *n.Key)
		if !changes && targetKeyTaken(defs, *n.Key) {
			return targetView{}, "RuleTarget with identifier " + *n.Key + " belongs to another rule."
		}
	}
	note := defaultTarget(rule.Key, c)
	if changes {
		note = notes.target(rule.Key, was)
	}
	if n.Name != nil {
		if note.Name = *n.Name; !changes {
			note.Key = keyOr(nil, n.Name)
		}
	}
	if n.Key != nil {
		note.Key = *n.Key
	}
	doubled := slices.Contains(rule.Targets, c) && !(changes && was == c)
	switch {
	case !definedKey.MatchString(note.Key):
		return targetView{}, noKey("RuleTarget")
	case !changes && !doubled && targetKeyTaken(defs, note.Key):
		return targetView{}, keyTaken(note.Key, "RuleTarget")
	case doubled:
		return targetView{}, fmt.Sprintf("DataCategory %s is already specified on Rule with ID %s", c, rule.Key)
	case targetNameTaken(defs, note):
		return targetView{}, nameTaken(note.Name, "RuleTarget")
	}
	if changes {
		rule.Targets[slices.Index(rule.Targets, was)] = c
		delete(notes.Targets[rule.Key], was)
	} else {
		rule.Targets = append(rule.Targets, c)
	}
	if notes.Targets[rule.Key] == nil {
		notes.Targets[rule.Key] = map[graph.Category]targetNote{}
	}
	notes.Targets[rule.Key][c] = note
	if err := notes.keep(p); err != nil {
		return targetView{}, err.Error()
	}
	return notes.view(rule, c), erasureConflict(p)
}

// targetNotes are what all targets of all rules are called.
func targetNotes(defs *dsr.Definitions) (all []targetNote) {
	for _, p := range newestPolicies(defs) {
		notes := notesOf(p)
		for i := range p.Rules {
			for _, c := range p.Rules[i].Targets {
				all = append(all, notes.target(p.Rules[i].Key, c))
			}
		}
	}
	return all
}

func targetKeyTaken(defs *dsr.Definitions, key string) bool {
	return slices.ContainsFunc(targetNotes(defs), func(n targetNote) bool { return n.Key == key })
}

func targetNameTaken(defs *dsr.Definitions, note targetNote) bool {
	return slices.ContainsFunc(targetNotes(defs), func(n targetNote) bool { return n.Name == note.Name && n.Key != note.Key })
}

// erasureConflict says which categories of erasure rules lie within others: it
// would not be said how they are masked.
func erasureConflict(p *dsr.PolicyDefinition) string {
	var all []graph.Category
	for i := range p.Rules {
		if p.Rules[i].Action == graph.Erasure {
			all = append(all, p.Rules[i].Targets...)
		}
	}
	for i, c := range all {
		if slices.Contains(all[:i], c) {
			return conflict(c, c)
		}
		for parent := parentOf(c); parent != ""; parent = parentOf(parent) {
			if slices.Contains(all, parent) {
				return conflict(c, parent)
			}
		}
	}
	return ""
}

func conflict(a, b graph.Category) string {
	return fmt.Sprintf("Policy rules are invalid, action conflict in erasure rules detected for categories %s and %s", a, b)
}

func parentOf(c graph.Category) graph.Category {
	return c[:max(0, strings.LastIndex(string(c), "."))]
}
