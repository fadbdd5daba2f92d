package fides

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/graph"
)

// policyView is a policy as Fides shows it.
type policyView struct {
	Name       string     `json:"name"`
	Key        string     `json:"key"`
	Rules      []ruleView `json:"rules" nullable:"false"`
	DRPAction  *string    `json:"drp_action"`
	Timeframe  *int       `json:"execution_timeframe" doc:"In days."`
	Conditions absent     `json:"conditions" doc:"Always null: there are no conditions."`
}

// ruleView is a rule, without the configuration of its masking.
type ruleView struct {
	Name        string                `json:"name"`
	Key         string                `json:"key"`
	Action      string                `json:"action_type"`
	Destination nullable[storageView] `json:"storage_destination" doc:"Null where the default destination is meant. Without details to those who lack the scope storage:read."`
	Masking     nullable[maskingView] `json:"masking_strategy"`
}

// wholeRuleView is a rule where it is not part of a policy.
type wholeRuleView struct {
	Name        string                `json:"name"`
	Key         string                `json:"key"`
	Action      string                `json:"action_type"`
	Targets     []targetView          `json:"targets" nullable:"false"`
	Destination nullable[storageView] `json:"storage_destination" doc:"Null where the default destination is meant. Without details to those who lack the scope storage:read."`
	Masking     nullable[maskingView] `json:"masking_strategy"`
}

// targetView is a category that a rule is about.
type targetView struct {
	Name     string `json:"name"`
	Key      string `json:"key"`
	Category string `json:"data_category"`
}

// policyNotes is what Fides knows of a policy and the engine does not.
type policyNotes struct {
	DRPAction string `json:"drp_action,omitempty"`
	// Targets are keys and names by the key of a rule and the category.
	Targets map[string]map[graph.Category]targetNote `json:"targets,omitempty"`
}

type targetNote struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

// notesOf reads the notes of a policy; none of one that others made.
func notesOf(p *dsr.PolicyDefinition) policyNotes {
	var n policyNotes
	if json.Unmarshal(p.Extra, &n) != nil {
		n = policyNotes{}
	}
	if n.Targets == nil {
		n.Targets = map[string]map[graph.Category]targetNote{}
	}
	return n
}

// keep puts the notes into a policy.
func (n *policyNotes) keep(p *dsr.PolicyDefinition) error {
	for rule, targets := range n.Targets {
		if len(targets) == 0 {
			delete(n.Targets, rule)
		}
	}
	return keepExtra(&p.Defined, map[string]any{"drp_action": n.DRPAction, "targets": n.Targets})
}

// target is what a target is called; without a note as Fides would call it,
// with the key of the rule for its ID.
func (n *policyNotes) target(rule string, c graph.Category) targetNote {
	if note, ok := n.Targets[rule][c]; ok {
		return note
	}
	return defaultTarget(rule, c)
}

func defaultTarget(rule string, c graph.Category) targetNote {
	name := rule + "-" + string(c)
	return targetNote{Key: keyOr(nil, &name), Name: name}
}

func policyName(p *dsr.PolicyDefinition) string { return cmp.Or(p.Name, p.Key) }

func ruleName(r *graph.Rule) string { return cmp.Or(r.Name, r.Key) }

// newestPolicies are all policies, the newest first, those of the host's
// configuration last.
func newestPolicies(defs *dsr.Definitions) []*dsr.PolicyDefinition {
	return newestFirst(slices.Collect(maps.Values(defs.Policies)), func(def *dsr.PolicyDefinition) *dsr.Defined { return &def.Defined })
}

func viewPolicy(ctx context.Context, defs *dsr.Definitions, p *dsr.PolicyDefinition) policyView {
	v := policyView{
		Name: policyName(p), Key: p.Key, Rules: []ruleView{}, DRPAction: textOf(notesOf(p).DRPAction), Timeframe: daysOf(p.Timeframe),
	}
	for i := range p.Rules {
		v.Rules = append(v.Rules, viewRule(ctx, defs, &p.Rules[i]))
	}
	return v
}

// daysOf is null for a policy that leaves the time to its flow.
func daysOf(timeframe time.Duration) *int {
	if timeframe == 0 {
		return nil
	}
	days := int(timeframe / (24 * time.Hour))
	return &days
}

func viewRule(ctx context.Context, defs *dsr.Definitions, r *graph.Rule) ruleView {
	v := ruleView{Name: ruleName(r), Key: r.Key, Action: string(r.Action)}
	if dest := defs.Destinations[r.Destination]; dest != nil {
		shown := viewStorage(defs, dest)
		if !may(ctx, oauth.ScopeStorageRead) {
			shown.Details = map[string]any{}
		}
		v.Destination = present(shown)
	}
	if r.Masking != nil {
		v.Masking = present(maskingView{r.Masking.Strategy})
	}
	return v
}

func viewWholeRule(ctx context.Context, defs *dsr.Definitions, p *dsr.PolicyDefinition, r *graph.Rule) wholeRuleView {
	rule, notes := viewRule(ctx, defs, r), notesOf(p)
	v := wholeRuleView{
		Name: rule.Name, Key: rule.Key, Action: rule.Action, Targets: []targetView{}, Destination: rule.Destination, Masking: rule.Masking,
	}
	for _, c := range r.Targets {
		v.Targets = append(v.Targets, notes.view(r, c))
	}
	return v
}

func (n *policyNotes) view(r *graph.Rule, c graph.Category) targetView {
	note := n.target(r.Key, c)
	return targetView{Name: note.Name, Key: note.Key, Category: string(c)}
}
