package fides

import (
	"context"
	"fmt"
	"net/http"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

const tagPolicies = "Policies"

// policyRoutes are what is done with policies. They have the places of fidesops
// as well.
func (d *Door) policyRoutes() []route {
	return []route{
		{
			method: "GET", path: "/dsr/policy", aliases: []place{{"GET", "/policy"}}, scopes: []string{oauth.ScopePolicyRead},
			id: "get_policy_list", summary: "All policies, the newest first", description: byKey, tag: tagPolicies, call: typed(d.listPolicies),
		},
		{
			method: "PATCH", path: "/dsr/policy", aliases: []place{{"PATCH", "/policy"}}, scopes: []string{oauth.ScopePolicyCreateOrUpdate},
			id: "create_or_update_policies", summary: "Create or change policies", tag: tagPolicies,
			description: "With rules or action_type it needs the scope `rule:create_or_update` as well.",
			errors:      []int{http.StatusConflict}, call: typed(d.putPolicies), view: policyView{},
		},
		{
			method: "GET", path: "/dsr/policy/{policy_key}", aliases: []place{{"GET", "/policy/{policy_key}"}}, scopes: []string{oauth.ScopePolicyRead},
			id: "get_policy", summary: "A policy", tag: tagPolicies, errors: []int{http.StatusNotFound}, call: typed(d.getPolicy),
		},
		{
			method: "DELETE", path: "/dsr/policy/{policy_key}", aliases: []place{{"DELETE", "/policy/{policy_key}"}}, scopes: []string{oauth.ScopePolicyDelete},
			id: "delete_policy", summary: "Delete a policy that no unfinished request is under", tag: tagPolicies, status: http.StatusNoContent,
			errors: []int{http.StatusNotFound, http.StatusConflict}, call: typed(d.deletePolicy),
		},
	}
}

// policyPath is the path of what is about one policy.
type policyPath struct {
	Policy string `json:"policy_key" minLength:"1" maxLength:"200"`
}

type onePolicy struct{ Path policyPath }

type policiesInput struct {
	Body []newPolicy `maxItems:"50"`
}

type policyList struct{ Query paging }

// newPolicy is a policy to be created or changed.
type newPolicy struct {
	Name      string    `json:"name" minLength:"1" maxLength:"200"`
	Key       *string   `json:"key" required:"false" maxLength:"200" doc:"Defaults to the name in snake case, also where it is blank."`
	Action    *string   `json:"action_type" required:"false" enum:"access,erasure,consent,update" doc:"Gives a new policy a rule for common data of people. Not together with rules. A policy that there is must have a rule of it."`
	Rules     []newRule `json:"rules" required:"false" maxItems:"50" doc:"Rules of a new policy. Of one that there is they change nothing, and must be as they are."`
	DRPAction *string   `json:"drp_action" required:"false" enum:"access,deletion,sale:opt_out,sale:opt_in,access:categories,access:specific"`
	Timeframe *int      `json:"execution_timeframe" required:"false" minimum:"1" maximum:"36500" doc:"How many days an answer may take."`

	told echo
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told.
func (n *newPolicy) UnmarshalJSON(text []byte) (err error) {
	type plain newPolicy
	n.told, err = decodeKeeping(text, (*plain)(n))
	n.Key = givenKey(n.Key)
	return err
}

func (in *policiesInput) check() (faults []fault) {
	for i := range in.Body {
		n := &in.Body[i]
		faults = append(faults, keyFault(n.Key, "body", i, "key")...)
		if n.Action != nil && n.Rules != nil {
			faults = append(faults, valueFault("Provide either 'action_type' or 'rules', not both.", "body", i))
		}
		for k := range n.Rules {
			faults = append(faults, n.Rules[k].check("body", i, "rules", k)...)
		}
	}
	return faults
}

func (d *Door) listPolicies(ctx context.Context, in *policyList) (*pageOfItems[policyView], error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	return pageFrom(newestPolicies(defs), in.Query, func(p *dsr.PolicyDefinition) (policyView, error) { return viewPolicy(ctx, defs, p), nil })
}

func (d *Door) getPolicy(ctx context.Context, in *onePolicy) (*policyView, error) {
	defs, p, err := d.policyNow(ctx, in.Path.Policy)
	if err != nil {
		return nil, err
	}
	shown := viewPolicy(ctx, defs, p)
	return &shown, nil
}

func (d *Door) deletePolicy(ctx context.Context, in *onePolicy) (*nothing, error) {
	key := in.Path.Policy
	return nil, d.change(ctx, func(defs *dsr.Definitions) error {
		if _, err := changeablePolicy(defs, key); err != nil {
			return err
		}
		n, err := d.engine.Requests().Count(ctx, dsr.Filter{Policies: []string{key}, Unfinished: true})
		if err != nil {
			return err
		}
		if n > 0 {
			return refuse(http.StatusConflict, "Cannot delete policy %s: it is referenced by one or more privacy requests.", key)
		}
		delete(defs.Policies, key)
		return nil
	})
}

// findPolicy refuses a key that no policy has.
func findPolicy(defs *dsr.Definitions, key string) (*dsr.PolicyDefinition, error) {
	p := defs.Policies[key]
	if p == nil {
		return nil, refuse(http.StatusNotFound, "No Policy found for key %s.", key)
	}
	return p, nil
}

// policyNow is one of the catalogue as it is.
func (d *Door) policyNow(ctx context.Context, key string) (*dsr.Definitions, *dsr.PolicyDefinition, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := findPolicy(defs, key)
	return defs, p, err
}

// changeablePolicy refuses policies of the host's configuration as well.
func changeablePolicy(defs *dsr.Definitions, key string) (*dsr.PolicyDefinition, error) {
	p, err := findPolicy(defs, key)
	if err != nil {
		return nil, err
	}
	if p.Fixed {
		return nil, refuse(http.StatusConflict, "%s", fixedPolicy(key))
	}
	return p, nil
}

// fixedPolicy says that a policy cannot be changed.
func fixedPolicy(key string) string {
	return "Policy " + key + " comes from the host's configuration and cannot be changed."
}

// noPolicy looks for a policy that is not known here, which another process may
// have configured, and says why requests cannot be submitted under it; nothing
// if they can.
func (d *Door) noPolicy(ctx context.Context, key string) (message string, _ error) {
	problems, err := d.engine.Catalogue().Problems(ctx)
	if err != nil {
		return "", err
	}
	for _, p := range problems {
		if p.Kind == dsr.CataloguePolicy && p.Key == key && principalOf(ctx) == nil {
			callOf(ctx).note(fmt.Errorf("fides: policy %q is not ready: %s", key, p.Reason))
			return notAdded, nil
		}
		if p.Kind == dsr.CataloguePolicy && p.Key == key {
			return "Policy with key " + key + " is not ready for requests: " + p.Reason, nil
		}
	}
	if d.policy(key) == nil {
		return "Policy with key " + key + " does not exist", nil
	}
	return "", nil
}
