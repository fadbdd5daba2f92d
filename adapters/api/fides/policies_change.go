package fides

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/graph"
)

// putPolicies creates and changes policies, each judged for itself, in one
// commit. Rules in them take the scope for rules as well.
func (d *Door) putPolicies(ctx context.Context, in *policiesInput) (answer *bulk[policyView], _ error) {
	err := d.change(ctx, func(defs *dsr.Definitions) error {
		for i := range in.Body { // those of a policy that there is are as they were answered
			if n := &in.Body[i]; n.Action != nil || n.Rules != nil && defs.Policies[text(n.Key)] == nil {
				if err := principalOf(ctx).Require(oauth.ScopePolicyCreateOrUpdate, oauth.ScopeRuleCreateOrUpdate); err != nil {
					return err
				}
			}
		}
		if err := invalid(in.unconfigured(defs)...); err != nil {
			return err
		}
		before, err := d.engine.Catalogue().At(ctx, defs.Version)
		if err != nil {
			return err
		}
		answer = newBulk[policyView]()
		for i := range in.Body {
			p, message, err := d.putPolicy(before, defs, &in.Body[i])
			if err != nil {
				return err
			}
			if message != "" {
				answer.fail(message, in.Body[i].told)
				continue
			}
			answer.Succeeded = append(answer.Succeeded, viewPolicy(ctx, defs, p))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// unconfigured refuses masking strategies without configuration in new policies.
func (in *policiesInput) unconfigured(defs *dsr.Definitions) (faults []fault) {
	for i := range in.Body {
		if n := &in.Body[i]; defs.Policies[text(n.Key)] == nil {
			for k := range n.Rules {
				faults = append(faults, n.Rules[k].unconfigured(nil, "body", i, "rules", k)...)
			}
		}
	}
	return faults
}

// putPolicy changes one policy of the definitions, or says why not.
func (d *Door) putPolicy(before, defs *dsr.Definitions, n *newPolicy) (_ *dsr.PolicyDefinition, message string, _ error) {
	if n.Action != nil && !supported(*n.Action) {
		return nil, "Unsupported action_type '" + *n.Action + "'. Must be one of: access, erasure", nil
	}
	key := text(n.Key)
	there := defs.Policies[key]
	if there == nil && key == "" {
		key = keyOr(nil, &n.Name)
		if defs.Policies[key] != nil {
			return nil, keyTaken(key, "Policy"), nil
		}
	}
	switch {
	case !definedKey.MatchString(key):
		return nil, noKey("Policy"), nil
	case there != nil && there.Fixed:
		return nil, fixedPolicy(key), nil
	}
	if message := policyCollides(defs, key, n); message != "" {
		return nil, message, nil
	}
	message, err := d.attempt(before, defs, key, func(p *dsr.PolicyDefinition) string {
		notes := notesOf(p)
		p.Key, p.Name, p.Timeframe, notes.DRPAction = key, n.Name, 0, text(n.DRPAction)
		if n.Timeframe != nil {
			p.Timeframe = time.Duration(*n.Timeframe) * 24 * time.Hour
		}
		if err := notes.keep(p); err != nil {
			return err.Error()
		}
		if there != nil {
			return n.otherRules(p)
		}
		return d.firstRules(defs, p, n)
	})
	return defs.Policies[key], message, err
}

// policyCollides says what of a policy another one has already, or what nobody
// can have.
func policyCollides(defs *dsr.Definitions, key string, n *newPolicy) string {
	drp := text(n.DRPAction)
	if drp != "" && drp != "access" && drp != "deletion" {
		return drp + " action is not supported at this time."
	}
	for _, p := range newestPolicies(defs) {
		switch {
		case p.Key == key:
		case policyName(p) == n.Name:
			return nameTaken(n.Name, "Policy")
		case drp != "" && notesOf(p).DRPAction == drp:
			return "Policy " + p.Key + " has drp_action " + drp + " already."
		}
	}
	return ""
}

// supported reports whether rules can have the action.
func supported(action string) bool {
	return action == string(graph.Access) || action == string(graph.Erasure)
}

// otherRules says what of the rules is otherwise than those that the policy has:
// nothing would be done about it.
func (n *newPolicy) otherRules(p *dsr.PolicyDefinition) (message string) {
	const elsewhere = "The rules of a policy that there is are changed at PATCH and DELETE /dsr/policy/{policy_key}/rule, " +
		"and their targets at …/rule/{rule_key}/target, not here: "
	if n.Action != nil && !slices.ContainsFunc(p.Rules, func(r graph.Rule) bool { return string(r.Action) == *n.Action }) {
		return elsewhere + "it has no rule of action_type '" + *n.Action + "'."
	}
	if n.Rules == nil {
		return ""
	}
	if len(n.Rules) != len(p.Rules) {
		return elsewhere + fmt.Sprintf("it has %d, and 'rules' %d.", len(p.Rules), len(n.Rules))
	}
	notes, seen := notesOf(p), map[string]bool{}
	for i := range n.Rules {
		rule := &n.Rules[i]
		at := slices.IndexFunc(p.Rules, func(r graph.Rule) bool {
			if rule.Key != nil {
				return r.Key == *rule.Key
			}
			return ruleName(&r) == rule.Name
		})
		if at < 0 || seen[p.Rules[at].Key] {
			return elsewhere + fmt.Sprintf("'rules' has another one at %d.", i)
		}
		seen[p.Rules[at].Key] = true
		if what := rule.otherThan(&p.Rules[at], &notes); what != "" {
			return elsewhere + "'" + what + "' of rule " + p.Rules[at].Key + " is something else."
		}
	}
	return ""
}

// otherThan names what a rule was given that the rule that there is has not.
func (n *newRule) otherThan(there *graph.Rule, notes *policyNotes) (what string) {
	_, placed := n.told["storage_destination_key"] // null is given, too
	switch m := n.Masking.value; {
	case n.Name != ruleName(there):
		return "name"
	case n.Action != string(there.Action):
		return "action_type"
	case placed && there.Action == graph.Access && text(n.Destination) != there.Destination:
		return "storage_destination_key"
	case n.told.differs("storage_destination", there.Destination):
		return "storage_destination"
	case m != nil && (there.Masking == nil || there.Masking.Strategy != m.Strategy || m.Configuration != nil && !sameParts(there.Masking.Configuration, m.Configuration)):
		return "masking_strategy"
	case !n.told.lists("targets", there.Targets):
		return "targets"
	}
	for i := range n.Targets {
		t := &n.Targets[i]
		note := notes.target(there.Key, graph.Category(t.Category))
		if t.Key != nil && *t.Key != note.Key || t.Name != nil && *t.Name != note.Name {
			return "targets"
		}
	}
	return ""
}

// sameParts reports whether two objects are equal.
func sameParts(a, b map[string]any) bool {
	was, err := partsOf(a)
	given, other := partsOf(b)
	return err == nil && other == nil && (len(was)+len(given) == 0 || same(was, given))
}

// firstRules gives a new policy its rules, or says why not.
func (d *Door) firstRules(defs *dsr.Definitions, p *dsr.PolicyDefinition, n *newPolicy) (message string) {
	rules := n.Rules
	if n.Action != nil {
		rules = []newRule{d.commonRule(p, graph.Action(*n.Action))}
		p.AllowEmptyTargets = true // nobody chose them: some may be in no dataset
	}
	for i := range rules {
		rule, message := putRule(defs, p, &rules[i])
		if message != "" {
			return message
		}
		for k := range rules[i].Targets {
			target := &rules[i].Targets[k]
			if !d.engine.Taxonomy().Has(graph.Category(target.Category)) {
				return "The data category '" + target.Category + "' was not found in the database, and is therefore not valid for use here."
			}
			if _, message := putTarget(defs, p, rule, target); message != "" {
				return message
			}
		}
	}
	return ""
}

// commonCategories are what Fides takes for a policy of which only the action is
// told: all of people on the second level, but for money and access rights.
const commonCategories = "account behavior biometric childrens contact content criminal_history demographic device government_id " +
	"health_and_medical job_title location name privacy_preferences sensor social telemetry unique_id user_sensor workplace"

// commonRule is the rule of a policy of which only the action is told.
func (d *Door) commonRule(p *dsr.PolicyDefinition, action graph.Action) newRule {
	key := p.Key + "_rule"
	rule := newRule{Name: p.Name + " Rule", Key: &key, Action: string(action)}
	if action == graph.Erasure {
		rule.Masking = present(newMasking{Strategy: "hmac", Configuration: map[string]any{}})
	}
	for _, name := range strings.Fields(commonCategories) {
		if c := "user." + name; d.engine.Taxonomy().Has(graph.Category(c)) {
			rule.Targets = append(rule.Targets, newTarget{Category: c})
		}
	}
	return rule
}

// attempt changes a policy, which is created if there is none. What does not
// hold is taken back, and attempt says why. Before is what the catalogue has.
func (d *Door) attempt(
	before, defs *dsr.Definitions, key string, change func(*dsr.PolicyDefinition) string,
) (message string, err error) {
	was := defs.Policies[key]
	next := &dsr.PolicyDefinition{}
	if was != nil {
		*next = *was
		next.Rules = slices.Clone(was.Rules)
		for i := range next.Rules {
			next.Rules[i].Targets = slices.Clone(next.Rules[i].Targets)
		}
	}
	defs.Policies[key] = next
	if message = change(next); message == "" {
		err = d.engine.Catalogue().Check(before, defs)
		var faults *graph.FaultError
		if errors.As(err, &faults) {
			message, err = messagesOf(faults, ""), nil
		}
	}
	switch {
	case message == "" && err == nil:
	case was == nil:
		delete(defs.Policies, key)
	default:
		defs.Policies[key] = was
	}
	return message, err
}

// putEach changes a policy by items of a list, each judged for itself, in one
// commit. Check may refuse the whole call.
func putEach[N, V any](
	ctx context.Context, d *Door, key string, list []N, told func(*N) echo,
	check func(*dsr.PolicyDefinition) error, put func(*dsr.Definitions, *dsr.PolicyDefinition, *N) (V, string),
) (answer *bulk[V], _ error) {
	err := d.change(ctx, func(defs *dsr.Definitions) error {
		p, err := findPolicy(defs, key)
		if err == nil {
			err = check(p)
		}
		if err != nil {
			return err
		}
		before, err := d.engine.Catalogue().At(ctx, defs.Version)
		if err != nil {
			return err
		}
		answer = newBulk[V]()
		for i := range list {
			n := &list[i]
			if p.Fixed {
				answer.fail(fixedPolicy(key), told(n))
				continue
			}
			var shown V
			message, err := d.attempt(before, defs, key, func(p *dsr.PolicyDefinition) (message string) {
				shown, message = put(defs, p, n)
				return message
			})
			if err != nil {
				return err
			}
			if message != "" {
				answer.fail(message, told(n))
				continue
			}
			answer.Succeeded = append(answer.Succeeded, shown)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}
