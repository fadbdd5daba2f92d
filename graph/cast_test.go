package graph_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

// refused stands for a value that does not fit.
var refused = any(nil)

func TestKindCast(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 2, 12, 0, 0, 500, time.UTC)
	document := map[string]any{"a": nil}
	const id = "507f191e810c19729de860ea"
	for _, tc := range []struct {
		kind graph.Kind
		in   any
		want any
	}{
		{graph.Any, "x", "x"},
		{graph.Any, false, false},
		{graph.Any, document, document},
		{graph.Any, []any{nil}, []any{nil}},
		{graph.Any, nil, refused},

		{graph.String, "a b", "a b"},
		{graph.String, "", ""},
		{graph.String, int64(1), "1"},
		{graph.String, int64(0), "0"},
		{graph.String, 1.0, "1.0"},
		{graph.String, 0.0, "0.0"},
		{graph.String, 0.1, "0.1"},
		{graph.String, -2.5e15, "-2500000000000000.0"},
		{graph.String, 1e16, "1e+16"},
		{graph.String, 1.5e-7, "1.5e-07"},
		{graph.String, math.NaN(), refused},
		{graph.String, math.Inf(1), refused},
		{graph.String, json.Number("1.50"), "1.50"},
		{graph.String, true, "true"},
		{graph.String, false, "false"},
		{graph.String, []byte("ü"), "ü"},
		{graph.String, []byte{0xff}, refused},
		{graph.String, noon, "2026-01-02T12:00:00.0000005Z"},
		{graph.String, document, refused},
		{graph.String, []any{"a"}, refused},
		{graph.String, nil, refused},

		{graph.Integer, int64(0), int64(0)},
		{graph.Integer, "1", int64(1)},
		{graph.Integer, " -7 ", int64(-7)},
		{graph.Integer, "5.0", int64(5)},
		{graph.Integer, "1e3", int64(1000)},
		{graph.Integer, "3.7", refused},
		{graph.Integer, "A", refused},
		{graph.Integer, "", refused},
		{graph.Integer, "1/1", refused},
		{graph.Integer, "0x10", refused},
		{graph.Integer, "1_000", refused},
		{graph.Integer, "1e999999999", refused},
		{graph.Integer, strings.Repeat("1", 1000), refused},
		{graph.Integer, "9223372036854775807", int64(math.MaxInt64)},
		{graph.Integer, "9223372036854775808", refused},
		{graph.Integer, "4503599627370497.3", refused},
		{graph.Integer, 5.0, int64(5)},
		{graph.Integer, 3.7, refused},
		{graph.Integer, -9223372036854775808.0, int64(math.MinInt64)},
		{graph.Integer, 9223372036854775808.0, refused},
		{graph.Integer, math.NaN(), refused},
		{graph.Integer, math.Inf(-1), refused},
		{graph.Integer, json.Number("12.00"), int64(12)},
		{graph.Integer, json.Number("12.01"), refused},
		{graph.Integer, []byte("12"), int64(12)},
		{graph.Integer, true, int64(1)},
		{graph.Integer, false, int64(0)},
		{graph.Integer, noon, refused},
		{graph.Integer, nil, refused},

		{graph.Float, 0.0, 0.0},
		{graph.Float, "1", 1.0},
		{graph.Float, "0.1", 0.1},
		{graph.Float, "-1.5e3", -1500.0},
		{graph.Float, "1e400", refused},
		{graph.Float, "NaN", refused},
		{graph.Float, "Inf", refused},
		{graph.Float, "A", refused},
		{graph.Float, int64(3), 3.0},
		{graph.Float, int64(1<<53 + 1), refused},
		{graph.Float, int64(math.MaxInt64), refused},
		{graph.Float, json.Number("2.25"), 2.25},
		{graph.Float, true, 1.0},
		{graph.Float, false, 0.0},
		{graph.Float, math.NaN(), refused},
		{graph.Float, document, refused},

		{graph.Boolean, false, false},
		{graph.Boolean, "True", true},
		{graph.Boolean, "false", false},
		{graph.Boolean, "1", true},
		{graph.Boolean, int64(0), false},
		{graph.Boolean, 1.0, true},
		{graph.Boolean, int64(2), refused},
		{graph.Boolean, "yes", refused},
		{graph.Boolean, "", refused},
		{graph.Boolean, nil, refused},

		{graph.ObjectID, id, id},
		{graph.ObjectID, strings.ToUpper(id), id},
		{graph.ObjectID, []byte(id), id},
		{graph.ObjectID, []byte("\x50\x7f\x19\x1e\x81\x0c\x19\x72\x9d\xe8\x60\xea"), id},
		{graph.ObjectID, id[1:], refused},
		{graph.ObjectID, "z" + id[1:], refused},
		{graph.ObjectID, int64(1), refused},

		{graph.Object, document, document},
		{graph.Object, "{}", refused},
		{graph.Object, []any{document}, refused},

		{graph.Kind("no such kind"), "x", refused},
	} {
		t.Run(fmt.Sprintf("%s from %T %.40v", tc.kind, tc.in, tc.in), func(t *testing.T) {
			t.Parallel()
			got, ok := tc.kind.Cast(tc.in)
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.want != refused, ok)
			// A value is matched against an array as one of its elements.
			if _, list := tc.in.([]any); !list {
				got, ok = graph.Type{Kind: tc.kind, Array: true}.Cast(tc.in)
				require.Equal(t, tc.want, got)
				require.Equal(t, tc.want != refused, ok)
			}
		})
	}
}

func TestTypeCastArrays(t *testing.T) {
	t.Parallel()
	in := []any{"1", nil, int64(2), 3.0}
	got, ok := graph.Type{Kind: graph.Integer, Array: true}.Cast(in)
	require.True(t, ok)
	require.Equal(t, []any{int64(1), nil, int64(2), int64(3)}, got)
	require.Equal(t, []any{"1", nil, int64(2), 3.0}, in, "the argument stays as it is")

	got, ok = graph.Type{Kind: graph.Integer, Array: true}.Cast([]any{"1", "A"})
	require.False(t, ok)
	require.Nil(t, got)

	got, ok = graph.Type{Kind: graph.String, Array: true}.Cast([]any{})
	require.True(t, ok)
	require.Equal(t, []any{}, got)

	_, ok = graph.Type{Kind: graph.Integer}.Cast([]any{"1"})
	require.False(t, ok)
}
