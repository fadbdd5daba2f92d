package manualtask

import (
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

const (
	requestPrefix  = "privacy_request."
	identityPrefix = "identity."
)

// valuesOf returns what a condition finds at an address.
func valuesOf(q *dsr.Question, address string) (values []any, known bool) {
	if name, ok := strings.CutPrefix(address, requestPrefix); ok {
		return requestValues(q, name)
	}
	for _, in := range q.Inputs {
		fields := strings.Split(in.Field, ",") // several are compared together, and their values are tuples
		for i, field := range fields {
			if field == address || fedFrom(&in, i, len(fields), address) {
				values, known = appendValues(values, &in, i, len(fields)), true
			}
		}
	}
	// What nothing was found for is not among the inputs.
	return values, known || refersTo(q.Collection.Fields, nil, address)
}

// fedFrom reports whether the i-th of n fields of an input was fed from the
// address.
func fedFrom(in *dsr.QuestionInput, i, n int, address string) bool {
	for j := i; j < len(in.From); j += n {
		if in.From[j] == address {
			return true
		}
	}
	return false
}

func appendValues(values []any, in *dsr.QuestionInput, i, n int) []any {
	if n == 1 {
		return append(values, in.Values...)
	}
	for _, v := range in.Values {
		if tuple, ok := v.([]any); ok && i < len(tuple) {
			values = append(values, tuple[i])
		}
	}
	return values
}

// refersTo reports whether the address is a field that a reference or an identity
// feeds, or the place that such a reference feeds it from.
func refersTo(fields []*graph.Field, parent graph.Path, address string) bool {
	return slices.ContainsFunc(fields, func(f *graph.Field) bool {
		path := append(slices.Clip(parent), f.Name)
		if path.String() == address && (f.Identity != "" || len(f.References) > 0) {
			return true
		}
		return slices.ContainsFunc(f.References, func(r graph.Reference) bool {
			return r.Direction != graph.To && address == r.Dataset+":"+strings.Replace(r.Field, ".", ":", 1)
		}) || refersTo(f.Fields, path, address)
	})
}

// requestFields are the fields of a request that conditions may look at, after
// the prefix.
func requestFields() []string {
	return []string{
		"policy.key", "policy.rule_action_types", "policy.has_access_rule", "policy.has_erasure_rule",
		"status", "external_id", "location", "location_country", "actions",
		"requested_at", "created_at", "identity_verified_at", "due_date",
	}
}

func isRequestField(address string) bool {
	name := strings.TrimPrefix(address, requestPrefix)
	kind, identity := strings.CutPrefix(name, identityPrefix)
	return identity && kind != "" || slices.Contains(requestFields(), name)
}

// requestValues returns the values of a field of the request; what is empty is
// absent.
func requestValues(q *dsr.Question, name string) ([]any, bool) {
	if !isRequestField(name) {
		return nil, false
	}
	if kind, ok := strings.CutPrefix(name, identityPrefix); ok {
		return texts(q.Identities[kind]...), true
	}
	r := q.Request
	switch name {
	case "policy.key":
		return texts(r.Policy), true
	case "policy.has_access_rule":
		return []any{slices.Contains(r.Actions, graph.Access)}, true
	case "policy.has_erasure_rule":
		return []any{slices.Contains(r.Actions, graph.Erasure)}, true
	case "status":
		return texts(string(r.Status)), true
	case "external_id":
		return texts(r.ExternalID), true
	case "location":
		return texts(r.Location), true
	case "location_country":
		country, _, _ := strings.Cut(r.Location, "-")
		return texts(country), true
	case "requested_at":
		return moment(r.RequestedAt), true
	case "created_at":
		return moment(r.CreatedAt), true
	case "identity_verified_at":
		return moment(r.VerifiedAt), true
	case "due_date":
		return moment(r.DeadlineAt), true
	}
	actions := make([]string, len(r.Actions)) // actions, policy.rule_action_types
	for i, a := range r.Actions {
		actions[i] = string(a)
	}
	return texts(actions...), true
}

func texts(list ...string) []any {
	var values []any
	for _, s := range list {
		if s != "" {
			values = append(values, s)
		}
	}
	return values
}

func moment(t time.Time) []any {
	if t.IsZero() {
		return nil
	}
	return []any{t}
}
