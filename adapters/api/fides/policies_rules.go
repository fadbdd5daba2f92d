package fides

import (
	"context"
	"net/http"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// ruleRoutes are what is done with rules of policies and their targets.
func (d *Door) ruleRoutes() []route {
	const rules, rule = "/{policy_key}/rule", "/{policy_key}/rule/{rule_key}"
	const targets, target = rule + "/target", rule + "/target/{rule_target_key}"
	at := func(method, path, id, summary string, call endpoint) route {
		rt := route{
			method: method, path: "/dsr/policy" + path, aliases: []place{{method, "/policy" + path}}, id: id, summary: summary, tag: tagPolicies,
			errors: []int{http.StatusNotFound}, call: call,
		}
		switch method {
		case "GET":
			rt.scopes = []string{oauth.ScopeRuleRead}
		case "PATCH":
			rt.scopes, rt.errors = []string{oauth.ScopeRuleCreateOrUpdate}, append(rt.errors, http.StatusConflict)
		default:
			rt.scopes, rt.errors, rt.status = []string{oauth.ScopeRuleDelete}, append(rt.errors, http.StatusConflict), http.StatusNoContent
		}
		return rt
	}
	back := func(view any, rt route) route {
		rt.view = view
		return rt
	}
	return []route{
		at("GET", rules, "get_rule_list", "The rules of a policy, the newest first", typed(d.listRules)),
		back(wholeRuleView{}, at("PATCH", rules, "create_or_update_rules", "Create or change rules of a policy", typed(d.putRules))),
		at("GET", rule, "get_rule", "A rule of a policy", typed(d.getRule)),
		at("DELETE", rule, "delete_rule", "Delete a rule of a policy", typed(d.deleteRule)),
		at("GET", targets, "get_rule_target_list", "The targets of a rule, the newest first", typed(d.listTargets)),
		back(targetView{}, at("PATCH", targets, "create_or_update_rule_targets", "Create or change targets of a rule", typed(d.putTargets))),
		at("GET", target, "get_rule_target", "A target of a rule", typed(d.getTarget)),
		at("DELETE", target, "delete_rule_target", "Delete a target of a rule", typed(d.deleteTarget)),
	}
}

// rulePath is the path of what is about one rule.
type rulePath struct {
	Policy string `json:"policy_key" minLength:"1" maxLength:"200"`
	Rule   string `json:"rule_key" minLength:"1" maxLength:"200"`
}

type oneRule struct{ Path rulePath }

type ruleList struct {
	Path  policyPath
	Query paging
}

type rulesInput struct {
	Path policyPath
	Body []plainRule `maxItems:"50"`
}

// plainRule is a rule to be created or changed, whose targets are told
// elsewhere.
type plainRule struct {
	Name        string               `json:"name" minLength:"1" maxLength:"200"`
	Key         *string              `json:"key" required:"false" maxLength:"200" doc:"Defaults to the name in snake case, also where it is blank."`
	Action      string               `json:"action_type" enum:"access,erasure,consent,update"`
	Destination *string              `json:"storage_destination_key" required:"false" maxLength:"200" doc:"Of access rules; not looked at for others, as in Fides. Defaults to the default destination, or to the storage_destination that comes back."`
	Masking     nullable[newMasking] `json:"masking_strategy" required:"false" doc:"Of erasure rules."`

	told echo
}

// newRule is a rule of a new policy, with its targets.
type newRule struct {
	Name        string               `json:"name" minLength:"1" maxLength:"200"`
	Key         *string              `json:"key" required:"false" maxLength:"200" doc:"Defaults to the name in snake case, also where it is blank."`
	Action      string               `json:"action_type" enum:"access,erasure,consent,update"`
	Destination *string              `json:"storage_destination_key" required:"false" maxLength:"200" doc:"Of access rules; not looked at for others, as in Fides. Defaults to the default destination, or to the storage_destination that comes back."`
	Masking     nullable[newMasking] `json:"masking_strategy" required:"false" doc:"Of erasure rules."`
	Targets     []newTarget          `json:"targets" required:"false" maxItems:"200"`

	told echo
}

// newMasking is how an erasure rule masks.
type newMasking struct {
	Strategy      string         `json:"strategy" minLength:"1" maxLength:"200"`
	Configuration map[string]any `json:"configuration" required:"false" doc:"Never shown again. Left out, a rule that has the strategy keeps its own."`
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told.
func (n *newRule) UnmarshalJSON(text []byte) (err error) {
	type plain newRule
	n.told, err = decodeKeeping(text, (*plain)(n))
	n.Key = givenKey(n.Key)
	return err
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told.
func (n *plainRule) UnmarshalJSON(text []byte) (err error) {
	type plain plainRule
	n.told, err = decodeKeeping(text, (*plain)(n))
	n.Key = givenKey(n.Key)
	return err
}

func (n *plainRule) rule() *newRule {
	return &newRule{Name: n.Name, Key: n.Key, Action: n.Action, Destination: n.Destination, Masking: n.Masking, told: n.told}
}

func (in *rulesInput) check() (faults []fault) {
	for i := range in.Body {
		faults = append(faults, in.Body[i].rule().check("body", i)...)
	}
	return faults
}

func (n *newRule) check(loc ...any) (faults []fault) {
	at := func(more ...any) []any { return slices.Concat(loc, more) }
	faults = append(faults, keyFault(n.Key, at("key")...)...)
	faults = append(faults, keyFault(n.Destination, at("storage_destination_key")...)...)
	for i := range n.Targets {
		faults = append(faults, keyFault(n.Targets[i].Key, at("targets", i, "key")...)...)
	}
	return faults
}

func (d *Door) listRules(ctx context.Context, in *ruleList) (*pageOfItems[wholeRuleView], error) {
	defs, p, err := d.policyNow(ctx, in.Path.Policy)
	if err != nil {
		return nil, err
	}
	newest := slices.Clone(p.Rules)
	slices.Reverse(newest)
	return pageFrom(newest, in.Query, func(r graph.Rule) (wholeRuleView, error) { return viewWholeRule(ctx, defs, p, &r), nil })
}

func (d *Door) getRule(ctx context.Context, in *oneRule) (*wholeRuleView, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	p, rule, err := findRule(defs, in.Path)
	if err != nil {
		return nil, err
	}
	shown := viewWholeRule(ctx, defs, p, rule)
	return &shown, nil
}

func (d *Door) deleteRule(ctx context.Context, in *oneRule) (*nothing, error) {
	return nil, d.change(ctx, func(defs *dsr.Definitions) error {
		p, rule, err := changeableRule(defs, in.Path)
		if err != nil {
			return err
		}
		notes := notesOf(p)
		delete(notes.Targets, rule.Key)
		if err := notes.keep(p); err != nil {
			return err
		}
		p.Rules = slices.DeleteFunc(p.Rules, func(r graph.Rule) bool { return r.Key == in.Path.Rule })
		return nil
	})
}

// putRules creates and changes rules, each judged for itself, in one commit.
func (d *Door) putRules(ctx context.Context, in *rulesInput) (*bulk[ruleView], error) {
	return putEach(ctx, d, in.Path.Policy, in.Body, func(n *plainRule) echo { return n.told },
		func(p *dsr.PolicyDefinition) error {
			var faults []fault
			for i := range in.Body {
				faults = append(faults, in.Body[i].rule().unconfigured(p, "body", i)...)
			}
			return invalid(faults...)
		},
		func(defs *dsr.Definitions, p *dsr.PolicyDefinition, n *plainRule) (shown ruleView, message string) {
			var targets []graph.Category
			if there := ruleOf(p, text(n.Key)); there != nil {
				targets = there.Targets
			}
			if !n.told.lists("targets", targets) {
				return shown, "'targets' are told only. They are changed at PATCH /dsr/policy/{policy_key}/rule/{rule_key}/target."
			}
			rule, message := putRule(defs, p, n.rule())
			if message == "" {
				shown = viewRule(ctx, defs, rule)
			}
			return shown, message
		})
}

// findRule refuses a key that no rule of the policy has.
func findRule(defs *dsr.Definitions, at rulePath) (*dsr.PolicyDefinition, *graph.Rule, error) {
	p, err := findPolicy(defs, at.Policy)
	if err != nil {
		return nil, nil, err
	}
	rule := ruleOf(p, at.Rule)
	if rule == nil {
		return nil, nil, refuse(http.StatusNotFound, "No Rule found for key %s attached to policy %s", at.Rule, at.Policy)
	}
	return p, rule, nil
}

// changeableRule is findRule with Fides' words for changes, and refuses rules of
// the host's configuration as well.
func changeableRule(defs *dsr.Definitions, at rulePath) (*dsr.PolicyDefinition, *graph.Rule, error) {
	p, err := findPolicy(defs, at.Policy)
	if err != nil {
		return nil, nil, err
	}
	rule := ruleOf(p, at.Rule)
	switch {
	case rule == nil:
		return nil, nil, refuse(http.StatusNotFound, "No Rule found for key %s on Policy %s.", at.Rule, at.Policy)
	case p.Fixed:
		return nil, nil, refuse(http.StatusConflict, "%s", fixedPolicy(p.Key))
	}
	return p, rule, nil
}

// ruleOf returns a rule of a policy, or nil.
func ruleOf(p *dsr.PolicyDefinition, key string) *graph.Rule {
	i := slices.IndexFunc(p.Rules, func(r graph.Rule) bool { return r.Key == key })
	if i < 0 {
		return nil
	}
	return &p.Rules[i]
}

// putRule creates or changes a rule of a policy, or says in Fides' words why
// not.
func putRule(defs *dsr.Definitions, p *dsr.PolicyDefinition, n *newRule) (_ *graph.Rule, message string) {
	for _, other := range newestPolicies(defs) {
		if n.Key != nil && other.Key != p.Key && ruleOf(other, *n.Key) != nil {
			return nil, "Rule with identifier " + *n.Key + " belongs to another policy."
		}
	}
	there := ruleOf(p, text(n.Key))
	rule, message := n.resolve(there)
	if message == "" {
		message = refusedRule(defs, &rule, there)
	}
	switch {
	case message != "":
		return nil, message
	case there == nil:
		p.Rules = append(p.Rules, rule)
		return &p.Rules[len(p.Rules)-1], ""
	}
	*there = rule
	return there, erasureConflict(p)
}

// resolve is the rule that is meant beside the one that there is, which may be
// nil. What came back stands for what that has, and is never shown stays: its
// destination, the configuration of its strategy, its targets. Resolve says what
// came back otherwise than it was answered: nothing would be done about it.
func (n *newRule) resolve(there *graph.Rule) (rule graph.Rule, message string) {
	if there == nil {
		there = &graph.Rule{}
	}
	destination := text(n.Destination)
	if _, given := n.told["storage_destination_key"]; !given && n.told.has("storage_destination") { // null is given, too
		if destination = there.Destination; n.told.differs("storage_destination", destination) {
			return rule, "'storage_destination' is told only. Where packages go is said by 'storage_destination_key'."
		}
	}
	rule = graph.Rule{Key: keyOr(n.Key, &n.Name), Name: n.Name, Action: graph.Action(n.Action), Targets: there.Targets}
	if rule.Action == graph.Access {
		rule.Destination = destination
	}
	if m := n.Masking.value; m != nil {
		rule.Masking = &graph.Masking{Strategy: m.Strategy, Configuration: m.Configuration}
		switch was := there.Masking; {
		case m.Configuration != nil:
		case was == nil || was.Strategy != m.Strategy:
			return rule, "The masking strategy requires a configuration."
		default:
			rule.Masking.Configuration = was.Configuration
		}
	}
	return rule, ""
}

// refusedRule says what a rule cannot be, or what of it another one has already
// than the one that there is: keys and names are unique among the rules of all
// policies.
func refusedRule(defs *dsr.Definitions, rule, there *graph.Rule) string {
	action := string(rule.Action)
	switch {
	case rule.Destination != "" && defs.Destinations[rule.Destination] == nil:
		return "A StorageConfig with key " + rule.Destination + " does not exist"
	case !supported(action):
		return action + " Rules are not supported at this time."
	case rule.Action == graph.Erasure && rule.Masking == nil:
		return "Erasure Rules must have masking strategies."
	case rule.Action == graph.Access && rule.Masking != nil:
		return "Access Rules cannot have masking strategies."
	case !definedKey.MatchString(rule.Key):
		return noKey("Rule")
	case rule.Action == graph.Access && storage.CheckName("id-"+rule.Key) != nil:
		return "The key of an access Rule becomes part of a file's name and cannot be " + rule.Key + "."
	}
	for _, p := range newestPolicies(defs) {
		for i := range p.Rules {
			switch r := &p.Rules[i]; {
			case r == there:
			case r.Key == rule.Key:
				return keyTaken(rule.Key, "Rule")
			case ruleName(r) == rule.Name:
				return nameTaken(rule.Name, "Rule")
			}
		}
	}
	return ""
}

// unconfigured refuses a masking strategy without configuration, unless the
// policy, which may be nil, has such a rule with one: it is never shown.
func (n *newRule) unconfigured(p *dsr.PolicyDefinition, loc ...any) []fault {
	m := n.Masking.value
	if m == nil || m.Configuration != nil {
		return nil
	}
	if p != nil {
		if r := ruleOf(p, text(n.Key)); r != nil && r.Masking != nil && r.Masking.Strategy == m.Strategy {
			return nil
		}
	}
	return []fault{{"missing", append(slices.Clone(loc), "masking_strategy", "configuration"), "Field required"}}
}
