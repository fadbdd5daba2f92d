package value_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/value"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	// In ascending order; what stands in one row is equal.
	rows := [][]any{
		{math.Inf(-1)},
		{json.Number("-1e400")},
		{int64(math.MinInt64), json.Number("-9223372036854775808"), float64(math.MinInt64)},
		{int64(-2), -2.0, json.Number("-2"), json.Number("-0.2e1")},
		{json.Number("-1.5"), -1.5},
		{int64(0), 0.0, math.Copysign(0, -1), json.Number("-0"), json.Number("0e9")},
		{math.SmallestNonzeroFloat64},
		{json.Number("0.1")},
		{0.1},
		{int64(9), json.Number("9.0")},
		{int64(10), json.Number("1e1")},
		{json.Number("10.01")},
		{int64(math.MaxInt64)},
		{float64(math.MaxInt64), json.Number("9223372036854775808")},
		{json.Number("1e400")},
		{math.Inf(1)},
	}
	for i, row := range rows {
		for j, other := range rows {
			for _, a := range row {
				for _, b := range other {
					order, ok := value.Compare(a, b)
					require.True(t, ok, "%v %v", a, b)
					require.Equal(t, min(1, max(-1, i-j)), order, "%v %v", a, b)
				}
			}
		}
	}

	noon := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	order, ok := value.Compare(noon, noon.In(time.FixedZone("", 3600)).Add(time.Second))
	require.True(t, ok)
	require.Equal(t, -1, order)
	for _, pair := range [][2]any{
		{math.NaN(), 1.0}, {int64(1), "1"}, {"1", int64(1)}, {"1", "2"}, {nil, nil}, {noon, int64(1)}, {int64(1), noon},
		{true, false}, {json.Number("x"), int64(1)}, {[]any{}, []any{}},
	} {
		_, ok := value.Compare(pair[0], pair[1])
		require.False(t, ok, "%v", pair)
	}
}
