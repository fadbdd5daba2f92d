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

// requestFields are the fields of a request that conditions may look at, by what
// follows the prefix. What is empty there is absent.
func requestFields() map[string]func(r *dsr.Request) []any {
	actions := func(r *dsr.Request) []any {
		list := make([]string, len(r.Actions))
		for i, a := range r.Actions {
			list[i] = string(a)
		}
		return texts(list...)
	}
	has := func(a graph.Action) func(r *dsr.Request) []any {
		return func(r *dsr.Request) []any { return []any{slices.Contains(r.Actions, a)} }
	}
	return map[string]func(r *dsr.Request) []any{
		"policy.key":               func(r *dsr.Request) []any { return texts(r.Policy) },
		"policy.rule_action_types": actions,
		"policy.has_access_rule":   has(graph.Access),
		"policy.has_erasure_rule":  has(graph.Erasure),
		"actions":                  actions,
		"status":                   func(r *dsr.Request) []any { return texts(string(r.Status)) },
		"external_id":              func(r *dsr.Request) []any { return texts(r.ExternalID) },
		"location":                 func(r *dsr.Request) []any { return texts(r.Location) },
		"location_country": func(r *dsr.Request) []any {
			country, _, _ := strings.Cut(r.Location, "-")
			return texts(country)
		},
		"requested_at":         func(r *dsr.Request) []any { return moment(r.RequestedAt) },
		"created_at":           func(r *dsr.Request) []any { return moment(r.CreatedAt) },
		"identity_verified_at": func(r *dsr.Request) []any { return moment(r.VerifiedAt) },
		"due_date":             func(r *dsr.Request) []any { return moment(r.DeadlineAt) },
	}
}

func isRequestField(address string) bool {
	_, known := requestValues(&dsr.Question{Request: &dsr.Request{}}, strings.TrimPrefix(address, requestPrefix))
	return known
}

// requestValues returns the values of a field of the request.
func requestValues(q *dsr.Question, name string) (values []any, known bool) {
	if kind, ok := strings.CutPrefix(name, identityPrefix); ok {
		return texts(q.Identities[kind]...), kind != ""
	}
	field, known := requestFields()[name]
	if !known {
		return nil, false
	}
	return field(q.Request), true
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
