package manual_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/manual"
)

const (
	tree = `{"logical_operator":"and","conditions":[` +
		`{"field_address":"shop:orders:total","operator":"gt","value":100.00},` +
		`{"logical_operator":"or","conditions":[` +
		`{"field_address":"privacy_request.location","operator":"starts_with","value":"US"},` +
		`{"field_address":"shop:orders:total","operator":"list_contains","value":["a",1,true]},` +
		`{"field_address":"shop:customer:email","operator":"exists","value":null}]}]}`
	treeText = "(shop:orders:total gt and (privacy_request.location starts_with or shop:orders:total list_contains or shop:customer:email exists))"
)

func parse(t *testing.T, text string) *manual.Condition {
	t.Helper()
	var c manual.Condition
	require.NoError(t, json.Unmarshal([]byte(text), &c))
	return &c
}

func TestConditionJSON(t *testing.T) {
	t.Parallel()
	c := parse(t, tree)
	require.Equal(t, &manual.Condition{Logical: manual.And, Conditions: []manual.Condition{
		{Address: "shop:orders:total", Operator: manual.Gt, Value: json.Number("100.00")},
		{Logical: manual.Or, Conditions: []manual.Condition{
			{Address: "privacy_request.location", Operator: manual.StartsWith, Value: "US"},
			{Address: "shop:orders:total", Operator: manual.ListContains, Value: []any{"a", json.Number("1"), true}},
			{Address: "shop:customer:email", Operator: manual.Exists},
		}},
	}}, c)
	require.NoError(t, c.Check())
	require.Equal(t, []string{"shop:orders:total", "privacy_request.location", "shop:customer:email"}, c.Addresses())
	require.Equal(t, treeText, c.String())
	out, err := json.Marshal(c)
	require.NoError(t, err)
	require.Equal(t, tree, string(out))

	// What Check refuses is written as it was read, so that it can be mended.
	const both = `{"field_address":"a","operator":"","value":null,"logical_operator":"or","conditions":[]}`
	out, err = json.Marshal(parse(t, both))
	require.NoError(t, err)
	require.Equal(t, both, string(out))
}

func TestConditionIsNotRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body string
		want []manual.Fault
	}{
		"everything at once": {
			`{"field_address":1,"operator":[],"conditions":{},"opertor":"eq"}`,
			[]manual.Fault{
				{Type: "list_type", Loc: []any{"conditions"}, Message: "Input should be a valid list"},
				{Type: "string_type", Loc: []any{"field_address"}, Message: "Input should be a valid string"},
				{Type: "string_type", Loc: []any{"operator"}, Message: "Input should be a valid string"},
				{Type: "extra_forbidden", Loc: []any{"opertor"}, Message: "Extra inputs are not permitted"},
			},
		},
		"further in": {
			`{"conditions":[{},[],{"logical_operator":1}]}`,
			[]manual.Fault{
				{Type: "dict_type", Loc: []any{"conditions", 1}, Message: "Input should be a valid dictionary"},
				{Type: "string_type", Loc: []any{"conditions", 2, "logical_operator"}, Message: "Input should be a valid string"},
			},
		},
		"a key twice": {
			`{"conditions":[{"operator":"eq","operator":"neq"}]}`,
			[]manual.Fault{{Type: "duplicate_key", Loc: []any{}, Message: "A key may be given once only"}},
		},
		"a list": {`[]`, []manual.Fault{{Type: "dict_type", Loc: []any{}, Message: "Input should be a valid dictionary"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c manual.Condition
			require.Equal(t, test.want, faultsOf(t, json.Unmarshal([]byte(test.body), &c)))
			require.Zero(t, c)
		})
	}
}

func TestConditionDepth(t *testing.T) {
	t.Parallel()
	nested := func(depth int) string {
		return strings.Repeat(`{"logical_operator":"and","conditions":[`, depth) +
			`{"field_address":"a","operator":"exists"}` + strings.Repeat(`]}`, depth)
	}
	c := parse(t, nested(manual.MaxDepth))
	require.NoError(t, c.Check())
	require.Equal(t, []string{"a"}, c.Addresses())

	deeper := &manual.Condition{Logical: manual.And, Conditions: []manual.Condition{*c}}
	faults := faultsOf(t, deeper.Check())
	require.Len(t, faults, 1)
	require.Equal(t, "Conditions may be nested 20 deep", faults[0].Message)
	require.Len(t, faultsOf(t, json.Unmarshal([]byte(nested(manual.MaxDepth+1)), &manual.Condition{})), 1)
	require.Len(t, faultsOf(t, json.Unmarshal([]byte(nested(4000)), &manual.Condition{})), 1)
}

func TestConditionsAreFew(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		leaf := `{"field_address":"` + strings.Repeat("é", manual.MaxAddress) + `","operator":"exists"},`
		half := `{"logical_operator":"or","conditions":[` + strings.TrimSuffix(strings.Repeat(leaf, n/2), ",") + `]}`
		return `{"logical_operator":"and","conditions":[` + half + `,` + half + `]}`
	}
	c := parse(t, many(manual.MaxLeaves))
	require.NoError(t, c.Check())
	require.Len(t, c.Addresses(), 1)
	tooMany := []manual.Fault{{Type: "too_long", Loc: []any{}, Message: "Conditions may have 100 comparisons in all"}}
	for _, body := range []string{many(manual.MaxLeaves + 2), many(8000), `{"conditions":[` + strings.Repeat("1,", 8000) + `1]}`} {
		require.Equal(t, tooMany, faultsOf(t, json.Unmarshal([]byte(body), &manual.Condition{})))
	}
	more := &manual.Condition{Logical: manual.And, Conditions: []manual.Condition{*c, {Operator: "nix"}}}
	require.Equal(t, tooMany, faultsOf(t, more.Check()))
	_, err := more.Unmet(func(string) ([]any, bool) { return nil, true })
	require.Equal(t, tooMany, faultsOf(t, err))
	list := func(n int) manual.Condition {
		return manual.Condition{Address: "a", Operator: manual.ListContains, Value: make([]string, n)}
	}
	half := manual.MaxValues / 2
	require.NoError(t, (&manual.Condition{Logical: manual.Or, Conditions: []manual.Condition{list(half), list(half)}}).Check())
	require.Equal(t, []manual.Fault{{Type: "too_long", Loc: []any{}, Message: "The lists of conditions may have 1000 values in all"}},
		faultsOf(t, (&manual.Condition{Logical: manual.Or, Conditions: []manual.Condition{list(half), list(half + 1)}}).Check()))
	long := &manual.Condition{Address: strings.Repeat("é", manual.MaxAddress+1), Operator: manual.Exists}
	require.Equal(t, []manual.Fault{{Type: "string_too_long", Loc: []any{"field_address"}, Message: "String should have at most 500 characters"}}, faultsOf(t, long.Check()))
}

func TestConditionFaults(t *testing.T) {
	t.Parallel()
	err := parse(t, `{"logical_operator":"xor","value":1,"conditions":[
		{},
		{"logical_operator":"or","conditions":[]},
		{"logical_operator":"or"},
		{"field_address":" ","operator":"equals"},
		{"field_address":"a","operator":"eq","value":{}},
		{"field_address":"a","operator":"list_subset","value":["a",["b"]]}
	]}`).Check()
	const operators = "Input should be one of [eq neq lt lte gt gte exists not_exists list_contains not_in_list " +
		"list_intersects list_disjoint list_subset list_superset starts_with ends_with contains]"
	require.Equal(t, []manual.Fault{
		{Type: "value_error", Loc: []any{}, Message: "A condition is either a comparison or a group: remove one of both"},
		{Type: "enum", Loc: []any{"logical_operator"}, Message: "Input should be 'and' or 'or'"},
		{Type: "missing", Loc: []any{"conditions", 0, "field_address"}, Message: "Field required"},
		{Type: "enum", Loc: []any{"conditions", 0, "operator"}, Message: operators},
		{Type: "value_error", Loc: []any{"conditions", 1, "conditions"}, Message: "conditions list cannot be empty"},
		{Type: "value_error", Loc: []any{"conditions", 2, "conditions"}, Message: "conditions list cannot be empty"},
		{Type: "missing", Loc: []any{"conditions", 3, "field_address"}, Message: "Field required"},
		{Type: "enum", Loc: []any{"conditions", 3, "operator"}, Message: operators},
		{Type: "value_error", Loc: []any{"conditions", 4, "value"}, Message: "eq compares with a text, a number, a bool, null, or a list without lists"},
		{Type: "value_error", Loc: []any{"conditions", 5, "value"}, Message: "list_subset compares with a list of texts, numbers and bools"},
	}, faultsOf(t, err))
}

// TestConditionValues holds, for every operator, values that it takes and
// values that it refuses.
func TestConditionValues(t *testing.T) {
	t.Parallel()
	noon := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	scalars := []any{"a", "", 1, int64(1), 1.5, json.Number("1"), true, noon}
	lists := []any{[]any{}, []any{"a", 1, false}, []string{"a"}}
	documents := []any{map[string]any{}, []any{[]any{}}, []any{nil}, make(chan int), math.NaN(), math.Inf(1), json.Number("x")}
	all := func(sets ...[]any) []any {
		var out []any
		for _, set := range sets {
			out = append(out, set...)
		}
		return out
	}
	numbers := []any{0, 1.5, json.Number("1e5"), noon, "2024-02-29", "2024-02-29T12:00:00", "2024-02-29T12:00:00.5+01:00"}
	noNumbers := []any{nil, "a", "12", true, []any{1}, math.NaN(), "2024-02-30"}
	for operator, test := range map[manual.Operator]struct{ takes, refuses []any }{
		manual.Eq:             {all(scalars, lists, []any{nil}), documents},
		manual.Neq:            {all(scalars, lists, []any{nil}), documents},
		manual.Lt:             {numbers, noNumbers},
		manual.Lte:            {numbers, noNumbers},
		manual.Gt:             {numbers, noNumbers},
		manual.Gte:            {numbers, noNumbers},
		manual.Exists:         {[]any{nil}, []any{"a", false, []any{}}},
		manual.NotExists:      {[]any{nil}, []any{"a", false, []any{}}},
		manual.ListContains:   {all(scalars, lists), append(documents, nil)},
		manual.NotInList:      {all(scalars, lists), append(documents, nil)},
		manual.ListIntersects: {lists, all(scalars, documents, []any{nil})},
		manual.ListDisjoint:   {lists, all(scalars, documents, []any{nil})},
		manual.ListSubset:     {lists, all(scalars, documents, []any{nil})},
		manual.ListSuperset:   {lists, all(scalars, documents, []any{nil})},
		manual.StartsWith:     {[]any{"a", ""}, all([]any{nil, 1, true, noon}, lists)},
		manual.EndsWith:       {[]any{"a", ""}, all([]any{nil, 1, true, noon}, lists)},
		manual.Contains:       {[]any{"a", ""}, all([]any{nil, 1, true, noon}, lists)},
	} {
		for _, v := range test.takes {
			require.NoError(t, (&manual.Condition{Address: "a", Operator: operator, Value: v}).Check(), "%s %v", operator, v)
		}
		for _, v := range test.refuses {
			faults := faultsOf(t, (&manual.Condition{Address: "a", Operator: operator, Value: v}).Check())
			require.Len(t, faults, 1, "%s %v", operator, v)
			require.Equal(t, []any{"value"}, faults[0].Loc, "%s %v", operator, v)
		}
	}
}
