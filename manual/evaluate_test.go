package manual_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/manual"
)

// TestOperators holds each operator against what an address may hold.
func TestOperators(t *testing.T) {
	t.Parallel()
	type values = []any
	noon := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	berlin := noon.In(time.FixedZone("", 3600))
	const big = int64(9007199254740993) // no float64 is this
	tests := []struct {
		operator manual.Operator
		wanted   any
		holds    []values
		fails    []values
	}{
		{
			manual.Eq, "a",
			[]values{{"a"}, {"b", "a"}, {nil, "a"}},
			[]values{{}, {nil}, {""}, {"A"}, {"a "}, {int64(1)}, {true}, {[]byte("a")}, {[]any{"a"}}, {map[string]any{"a": "a"}}},
		},
		{
			manual.Eq, json.Number("1.0"),
			[]values{{int64(1)}, {1.0}, {json.Number("1")}, {json.Number("10e-1")}},
			[]values{{}, {nil}, {"1"}, {true}, {int64(2)}, {1.0000000001}},
		},
		{manual.Eq, json.Number("9007199254740993"), []values{{big}}, []values{{float64(big)}, {big - 1}}},
		{manual.Eq, json.Number("0.1"), []values{{json.Number("0.10")}}, []values{{0.1}}},
		{manual.Eq, 7, []values{{int64(7)}, {uint8(7)}}, []values{{"7"}}},
		{manual.Eq, true, []values{{true}}, []values{{}, {nil}, {false}, {int64(1)}, {"true"}}},
		{manual.Eq, nil, []values{{}, {nil}, {"a", nil}}, []values{{""}, {int64(0)}, {false}, {[]any{}}}},
		{manual.Eq, "", []values{{""}}, []values{{}, {nil}, {" "}}},
		{manual.Eq, noon, []values{{berlin}, {"2024-02-29T12:00:00Z"}, {"2024-02-29T13:00:00+01:00"}, {"2024-02-29T12:00:00.000"}}, []values{{noon.Add(1)}, {"2024-02-29"}, {noon.Unix()}}},
		{manual.Eq, "2024-02-29", []values{{"2024-02-29"}, {"2024-02-29T00:00:00Z"}, {noon.Truncate(24 * time.Hour)}}, []values{{noon}, {"29.02.2024"}, {"2024-02-29 "}}},
		{manual.Eq, []any{"a", 1}, []values{{[]any{"a", int64(1)}}}, []values{{"a"}, {"a", int64(1)}, {[]any{int64(1), "a"}}}},

		{manual.Neq, "a", []values{{}, {nil}, {"A"}, {int64(1)}, {"b", "c"}}, []values{{"a"}, {"b", "a"}}},
		{manual.Neq, nil, []values{{"a"}, {false}, {"a", "b"}}, []values{{}, {nil}, {"a", nil}}},
		{manual.Neq, 1, []values{{int64(2)}, {"1"}, {true}}, []values{{1.0}, {json.Number("1.00")}}},

		{
			manual.Lt, json.Number("10"),
			[]values{{int64(9)}, {9.99}, {json.Number("-1e30")}, {int64(11), int64(9)}},
			[]values{{}, {nil}, {int64(10)}, {10.0}, {int64(11)}, {"9"}, {false}, {[]any{int64(9)}}, {noon}},
		},
		{manual.Lt, json.Number("9007199254740993"), []values{{float64(big)}}, []values{{big}}},
		{manual.Lt, noon, []values{{noon.Add(-1)}, {"2024-02-29"}, {"2024-02-29T12:59:59+01:00"}}, []values{{noon}, {berlin}, {"2024-03"}, {int64(1)}, {"a"}}},
		{manual.Lte, 10, []values{{int64(10)}, {10.0}, {json.Number("1e1")}, {int64(-1)}}, []values{{}, {nil}, {""}, {10.000001}, {"10"}, {true}}},
		{manual.Lte, "2024-02-29", []values{{"2024-02-29"}, {"2023-12-31"}}, []values{{"2024-03-01"}, {noon}, {nil}, {"2024"}}},
		{manual.Gt, 10, []values{{int64(11)}, {10.000001}, {int64(1), int64(11)}}, []values{{}, {nil}, {int64(10)}, {int64(9)}, {"11"}, {true}, {[]any{int64(11)}}}},
		{manual.Gt, "2024-02-29T12:00:00+01:00", []values{{noon}, {"2024-02-29T11:00:01Z"}}, []values{{"2024-02-29T11:00:00Z"}, {"b"}, {json.Number("3000")}}},
		{manual.Gte, 1.5, []values{{json.Number("1.50")}, {int64(2)}}, []values{{}, {nil}, {json.Number("1.49")}, {"2"}}},
		{manual.Gte, "2024-02-29", []values{{"2024-02-29"}, {noon}}, []values{{"2024-02-28"}, {""}}},

		{manual.Exists, nil, []values{{"a"}, {""}, {int64(0)}, {false}, {[]any{}}, {nil, "a"}}, []values{{}, {nil}, {nil, nil}}},
		{manual.NotExists, nil, []values{{}, {nil}, {nil, nil}}, []values{{"a"}, {""}, {int64(0)}, {false}, {[]any{}}, {nil, "a"}}},

		{
			manual.ListContains, []any{"a", 1, true},
			[]values{{"a"}, {int64(1)}, {1.0}, {true}, {"x", "a"}, {[]any{"x", "a"}}, {nil, "a"}},
			[]values{{}, {nil}, {""}, {"A"}, {"1"}, {false}, {[]any{}}, {[]any{nil}}, {[]any{[]any{"a"}}}},
		},
		{manual.ListContains, "a", []values{{[]any{"b", "a"}}, {"a"}, {[]any{"b"}, []any{"a"}}}, []values{{}, {nil}, {[]any{}}, {[]any{"A"}}, {"ab"}}},
		{manual.ListContains, []any{}, nil, []values{{}, {nil}, {"a"}, {[]any{}}}},
		{manual.ListContains, []any{"2024-02-29"}, []values{{noon.Truncate(24 * time.Hour)}}, []values{{noon}}},

		{manual.NotInList, []any{"a", 1}, []values{{}, {nil}, {"A"}, {"1"}, {"x", "y"}, {[]any{"x"}}, {[]any{}}}, []values{{"a"}, {1.0}, {"x", "a"}, {[]any{"x", "a"}}}},
		{manual.NotInList, "a", []values{{}, {nil}, {[]any{"b"}}, {"b"}}, []values{{[]any{"b", "a"}}, {"a"}}},

		{manual.ListIntersects, []any{"a", "b"}, []values{{[]any{"x", "b"}}, {"a"}, {"x", "b"}}, []values{{}, {nil}, {[]any{}}, {[]any{"x"}}, {[]any{"A"}}, {int64(1)}}},
		{manual.ListIntersects, []any{}, nil, []values{{}, {[]any{}}, {"a"}}},
		{manual.ListDisjoint, []any{"a", "b"}, []values{{}, {nil}, {[]any{}}, {[]any{"x"}}, {"A"}, {int64(1)}}, []values{{[]any{"x", "b"}}, {"a"}, {"x", "b"}}},

		{manual.ListSubset, []any{"a", "b", 1}, []values{{[]any{"a"}}, {[]any{"b", "a", 1.0}}, {"a", "b"}, {[]any{}}, {"a", nil}}, []values{{}, {nil}, {[]any{"a", "x"}}, {"x"}, {[]any{"a", nil}}, {[]any{"1"}}}},
		{manual.ListSubset, []any{}, []values{{[]any{}}}, []values{{}, {nil}, {"a"}}},
		{manual.ListSuperset, []any{"a", 1}, []values{{[]any{"x", "a", 1.0}}, {"a", int64(1)}, {[]any{"a"}, []any{int64(1)}}}, []values{{}, {nil}, {[]any{}}, {"a"}, {[]any{"a", "1"}}, {[]any{"A", int64(1)}}}},
		{manual.ListSuperset, []any{}, []values{{"a"}, {[]any{}}}, []values{{}, {nil}}},

		{manual.StartsWith, "ab", []values{{"abc"}, {"ab"}, {"x", "abc"}}, []values{{}, {nil}, {""}, {"a"}, {"Abc"}, {"xab"}, {int64(1)}, {true}, {[]any{"abc"}}, {noon}}},
		{manual.StartsWith, "", []values{{""}, {"a"}}, []values{{}, {nil}, {int64(1)}}},
		{manual.EndsWith, ".com", []values{{"a.com"}, {".com"}, {"x", "a.com"}}, []values{{}, {nil}, {""}, {"a.COM"}, {"a.com.de"}, {false}, {[]any{"a.com"}}}},
		{manual.Contains, "ell", []values{{"hello"}, {"ell"}, {nil, "hello"}}, []values{{}, {nil}, {""}, {"hELLo"}, {int64(1)}, {[]any{"ell"}}, {[]byte("hello")}}},
	}
	tested := make(map[manual.Operator]bool)
	for _, test := range tests {
		tested[test.operator] = true
		c := &manual.Condition{Address: "a", Operator: test.operator, Value: test.wanted}
		for want, sets := range map[bool][]values{true: test.holds, false: test.fails} {
			for _, held := range sets {
				got, err := c.Holds(func(string) ([]any, bool) { return held, true })
				require.NoError(t, err)
				require.Equal(t, want, got, "%#v %s %#v", held, test.operator, test.wanted)
			}
		}
	}
	for _, operator := range manual.Operators() {
		require.True(t, tested[operator], operator)
	}
}

func TestOpposites(t *testing.T) {
	t.Parallel()
	held := [][]any{{}, {nil}, {"a"}, {"a", "b"}, {"a", nil}, {[]any{"a"}}, {[]any{}}, {int64(1)}}
	for operator, opposite := range map[manual.Operator]manual.Operator{
		manual.Eq: manual.Neq, manual.Exists: manual.NotExists, manual.ListContains: manual.NotInList, manual.ListIntersects: manual.ListDisjoint,
	} {
		wanted := map[manual.Operator]any{manual.Eq: "a", manual.ListContains: "a", manual.ListIntersects: []any{"a"}}[operator]
		for _, values := range held {
			get := func(string) ([]any, bool) { return values, true }
			one, err := (&manual.Condition{Address: "a", Operator: operator, Value: wanted}).Holds(get)
			require.NoError(t, err)
			other, err := (&manual.Condition{Address: "a", Operator: opposite, Value: wanted}).Holds(get)
			require.NoError(t, err)
			require.NotEqual(t, one, other, "%v %s", values, operator)
		}
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	known := func(held map[string][]any) func(string) ([]any, bool) {
		return func(address string) ([]any, bool) {
			values, ok := held[address]
			return values, ok
		}
	}
	c := parse(t, tree)
	for name, test := range map[string]struct {
		total, location, email []any
		unmet                  []string
	}{
		"all":  {[]any{int64(101)}, []any{"US-CA"}, []any{"x"}, nil},
		"one":  {[]any{int64(101)}, nil, []any{"x"}, nil},
		"and":  {[]any{int64(100)}, []any{"US"}, nil, []string{"shop:orders:total gt"}},
		"or":   {[]any{int64(101)}, []any{"FR"}, nil, []string{"privacy_request.location starts_with", "shop:orders:total list_contains", "shop:customer:email exists"}},
		"none": {nil, nil, nil, []string{"shop:orders:total gt", "privacy_request.location starts_with", "shop:orders:total list_contains", "shop:customer:email exists"}},
	} {
		get := known(map[string][]any{"shop:orders:total": test.total, "privacy_request.location": test.location, "shop:customer:email": test.email})
		unmet, err := c.Unmet(get)
		require.NoError(t, err, name)
		require.Equal(t, test.unmet, unmet, name)
		holds, err := c.Holds(get)
		require.NoError(t, err, name)
		require.Equal(t, test.unmet == nil, holds, name)
	}

	holds, err := c.Holds(known(map[string][]any{"privacy_request.location": {"US"}}))
	require.False(t, holds)
	require.EqualError(t, err, "manual: conditions look at what is not known here: shop:orders:total, shop:customer:email")
	var unknown *manual.UnknownError
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, []string{"shop:orders:total", "shop:customer:email"}, unknown.Addresses)

	holds, err = (&manual.Condition{}).Holds(known(nil))
	require.False(t, holds)
	require.Len(t, faultsOf(t, err), 2)

	holds, err = (&manual.Condition{Address: "a", Operator: manual.Exists}).Holds(known(map[string][]any{"a": {make(chan int)}}))
	require.False(t, holds)
	require.EqualError(t, err, "manual: comparing a: value: unsupported Go type chan int")
}

func FuzzCondition(f *testing.F) {
	f.Add([]byte(tree), []byte(`["a",1,null]`))
	for _, operator := range manual.Operators() {
		f.Add(fmt.Appendf(nil, `{"field_address":"a","operator":%q,"value":["a",1e5]}`, operator), []byte(`[["a"],100000.0]`))
		f.Add(fmt.Appendf(nil, `{"field_address":"a","operator":%q,"value":"2024-02-29"}`, operator), []byte(`["2024-02-29T00:00:00Z"]`))
	}
	f.Fuzz(func(t *testing.T, body, held []byte) {
		var c manual.Condition
		if json.Unmarshal(body, &c) != nil {
			return
		}
		out, err := json.Marshal(c)
		require.NoError(t, err)
		var again manual.Condition
		require.NoError(t, json.Unmarshal(out, &again))
		twice, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(out), string(twice))
		require.Equal(t, c.Addresses(), again.Addresses())

		var values []any
		if json.Unmarshal(held, &values) != nil {
			return
		}
		get := func(string) ([]any, bool) { return values, true }
		holds, err := c.Holds(get)
		if c.Check() != nil {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		same, err := again.Holds(get)
		require.NoError(t, err)
		require.Equal(t, holds, same)
	})
}
