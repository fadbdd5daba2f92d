package value_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/value"
)

type (
	named  string
	count  uint16
	blob   []byte
	stamp  time.Time
	failed struct{}
	picky  struct{ secret string }
)

func (failed) Value() (driver.Value, error) { return nil, errors.New("secret value") }

func TestNormalize(t *testing.T) {
	t.Parallel()
	noon := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	text := "text"
	var noText *string
	var noNull *sql.NullString
	tests := map[string]struct{ in, want any }{
		"nil":             {nil, nil},
		"bool":            {true, true},
		"int":             {7, int64(7)},
		"int8":            {int8(-7), int64(-7)},
		"uint":            {uint(7), int64(7)},
		"largest int64":   {uint64(math.MaxInt64), int64(math.MaxInt64)},
		"beyond int64":    {uint64(math.MaxUint64), json.Number("18446744073709551615")},
		"float32":         {float32(0.1), 0.1},
		"infinity":        {math.Inf(1), math.Inf(1)},
		"number":          {json.Number("1.50"), json.Number("1.50")},
		"named string":    {named("x"), "x"},
		"named integer":   {count(3), int64(3)},
		"named bytes":     {blob{1}, []byte{1}},
		"named time":      {stamp(noon), noon},
		"duration":        {time.Second, int64(1e9)},
		"array of bytes":  {[2]byte{1, 2}, []byte{1, 2}},
		"strings":         {[]string{"a", "b"}, []any{"a", "b"}},
		"integers":        {[]int64{1, 2}, []any{int64(1), int64(2)}},
		"array":           {[2]bool{true, false}, []any{true, false}},
		"nested slices":   {[][]string{{"a"}, nil}, []any{[]any{"a"}, nil}},
		"map":             {map[named]int{"a": 1}, map[string]any{"a": int64(1)}},
		"inside a list":   {[]any{"a", 1}, []any{"a", int64(1)}},
		"inside a map":    {map[string]any{"a": 1, "b": "c"}, map[string]any{"a": int64(1), "b": "c"}},
		"pointer":         {&text, "text"},
		"nil pointer":     {noText, nil},
		"nil bytes":       {[]byte(nil), nil},
		"nil list":        {[]any(nil), nil},
		"nil strings":     {[]string(nil), nil},
		"nil map":         {map[string]any(nil), nil},
		"nil other map":   {map[string]int(nil), nil},
		"valuer":          {sql.NullInt32{Int32: 5, Valid: true}, int64(5)},
		"null valuer":     {sql.NullString{}, nil},
		"valuer pointer":  {&sql.NullString{String: "x", Valid: true}, "x"},
		"nil valuer":      {noNull, nil},
		"list of valuers": {[]sql.NullBool{{Bool: true, Valid: true}, {}}, []any{true, nil}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := value.Normalize(tt.in)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestNormalizeLeavesItsInputAlone(t *testing.T) {
	t.Parallel()
	in := map[string]any{"list": []any{1, "a"}}
	out, err := value.Normalize(in)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"list": []any{int64(1), "a"}}, out)
	require.Equal(t, map[string]any{"list": []any{1, "a"}}, in)

	members := []any{"a", map[string]any{"b": int64(1)}}
	out, err = value.Normalize(members)
	require.NoError(t, err)
	require.Same(t, &members[0], &out.([]any)[0], "members are not copied")
}

func TestNormalizeRefuses(t *testing.T) {
	t.Parallel()
	cycle := []any{nil}
	cycle[0] = cycle
	tests := map[string]struct {
		in   any
		want string
	}{
		"channel":        {make(chan int), "value: unsupported Go type chan int"},
		"complex":        {complex(1, 2), "value: unsupported Go type complex128"},
		"struct":         {picky{secret: "canary"}, "value: unsupported Go type value_test.picky"},
		"inside a list":  {[]any{picky{secret: "canary"}}, "value: unsupported Go type value_test.picky"},
		"inside a map":   {map[string]any{"k": func() {}}, "value: unsupported Go type func()"},
		"integer keys":   {map[int]string{1: "canary"}, "value: unsupported Go type map[int]string"},
		"failing valuer": {failed{}, "value: the Value method of value_test.failed failed"},
		"cycle":          {cycle, "value: nested too deeply"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := value.Normalize(tt.in)
			require.EqualError(t, err, tt.want)
			require.Nil(t, got)
		})
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	noon := time.Date(2024, 2, 29, 12, 0, 0, 5, time.UTC)
	tests := map[string]struct {
		a, b any
		want bool
	}{
		"nil":                   {nil, nil, true},
		"nil and empty text":    {nil, "", false},
		"nil and zero":          {nil, int64(0), false},
		"false and zero":        {false, int64(0), false},
		"bools":                 {true, true, true},
		"integers":              {int64(3), int64(3), true},
		"integer and float":     {int64(3), 3.0, true},
		"integer and fraction":  {int64(3), 3.5, false},
		"beyond float":          {int64(1<<53 + 1), float64(1 << 53), false},
		"largest int64":         {int64(math.MaxInt64), float64(1 << 63), false},
		"smallest int64":        {int64(math.MinInt64), float64(-1 << 63), true},
		"integer and decimal":   {int64(100), json.Number("1.00e2"), true},
		"integer and text":      {int64(1), "1", false},
		"decimals":              {json.Number("1.50"), json.Number("1.5"), true},
		"different decimals":    {json.Number("1.50"), json.Number("1.51"), false},
		"signs":                 {json.Number("1"), json.Number("-1"), false},
		"zeros":                 {json.Number("-0.00"), json.Number("0e9"), true},
		"float zeros":           {math.Copysign(0, -1), 0.0, true},
		"zero decimal":          {int64(0), json.Number("0.0"), true},
		"float and decimal":     {0.5, json.Number("0.50"), true},
		"float is not decimal":  {0.1, json.Number("0.1"), false},
		"float is exact":        {0.1, json.Number("0.1000000000000000055511151231257827021181583404541015625"), true},
		"smallest float":        {math.SmallestNonzeroFloat64, json.Number("5e-324"), false},
		"huge exponents":        {json.Number("1e999999999"), json.Number("10e999999998"), true},
		"exponent out of range": {json.Number("1e99999999999"), json.Number("1e99999999998"), false},
		"no numbers":            {json.Number("NaN"), json.Number("NaN"), true},
		"no number and number":  {json.Number("NaN"), int64(1), false},
		"NaN":                   {math.NaN(), math.NaN(), true},
		"NaN and number":        {math.NaN(), json.Number("1"), false},
		"infinity":              {math.Inf(1), json.Number("1e400"), false},
		"infinity and integer":  {math.Inf(1), int64(math.MaxInt64), false},
		"texts":                 {"a", "A", false},
		"text and bytes":        {"a", []byte("a"), false},
		"bytes":                 {[]byte("a"), []byte("a"), true},
		"instants":              {noon, noon.In(time.FixedZone("", 3600)), true},
		"times":                 {noon, noon.Add(1), false},
		"lists":                 {[]any{int64(1), "a"}, []any{1.0, "a"}, true},
		"longer list":           {[]any{"a"}, []any{"a", nil}, false},
		"order of lists":        {[]any{"a", "b"}, []any{"b", "a"}, false},
		"maps":                  {map[string]any{"a": nil}, map[string]any{"a": nil}, true},
		"keys of maps":          {map[string]any{"a": nil}, map[string]any{"b": nil}, false},
		"values of maps":        {map[string]any{"a": "x"}, map[string]any{"a": "y"}, false},
		"map and list":          {map[string]any{}, []any{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, value.Equal(tt.a, tt.b))
			require.Equal(t, tt.want, value.Equal(tt.b, tt.a))
		})
	}
}
