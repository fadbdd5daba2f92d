package dsr

import (
	"maps"
	"slices"

	"github.com/godsr/dsr/graph"
)

// Policies returns the policies that requests can be submitted under, as they
// were configured when the [Catalogue] was looked at last. They are not to be
// changed.
func (e *Engine) Policies() []graph.Policy { return slices.Clone(e.present().config.Policies) }

// PolicyDefinition returns a policy as it was defined when the [Catalogue] was
// looked at last, also one that is not ready for requests; nil for none. It is
// not to be changed.
func (e *Engine) PolicyDefinition(key string) *PolicyDefinition { return e.present().defined[key] }

// Flow returns what a request under the policy has to go through, if it is
// submitted now.
func (e *Engine) Flow(policy string) Flow { return e.present().flow(policy) }

// Taxonomy returns the data categories that rules can target.
func (e *Engine) Taxonomy() *graph.Taxonomy { return e.config.Taxonomy }

// NamedIdentityKinds returns the kinds of identity that the datasets know, or
// Config.Identities names, sorted. Requests may have others too.
func (e *Engine) NamedIdentityKinds() []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.AppendSeq(e.IdentityKinds(), maps.Keys(e.kinds)))))
}

// IdentityKinds returns the kinds of identity that the datasets know, sorted.
func (e *Engine) IdentityKinds() []string {
	if m := e.present().datamap; m != nil {
		return m.IdentityKinds()
	}
	return nil
}
