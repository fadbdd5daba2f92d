package value_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/value"
)

func encode(t require.TestingT, v any) []byte {
	b, err := value.Append(nil, v)
	require.NoError(t, err)
	return b
}

// nested returns lists within lists.
func nested(depth int) any {
	var v any
	for range depth {
		v = []any{v}
	}
	return v
}

// document holds every kind of value.
func document() map[string]any {
	return map[string]any{
		"":        nil,
		"bool":    []any{true, false},
		"int":     []any{int64(0), int64(-1), int64(math.MaxInt64), int64(math.MinInt64)},
		"float":   []any{0.0, 50.0, -2.5, 1e-7, 1e21, math.MaxFloat64, math.Inf(1), math.Inf(-1)},
		"number":  []any{json.Number("1.50"), json.Number("-0e1"), json.Number(""), json.Number("NaN")},
		"string":  []any{"", "plain", "quo\"te\\ <&> \x00\b\f\n\r\t\x7f", "ünï \U0001f600\u2028\u2029", "bad \xff\xc3"},
		"bytes":   []any{[]byte{}, []byte{0, 1, 254, 255}},
		"time":    []any{time.Time{}, time.Date(2024, 2, 29, 12, 30, 0, 120000000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)},
		"list":    []any{},
		"map":     map[string]any{},
		"nested":  map[string]any{"b": []any{map[string]any{"c": int64(1)}}, "a\"": "x"},
		"many":    map[string]any{"a": int64(1), "b": int64(1), "c": int64(1), "d": int64(1), "e": int64(1), "f": int64(1), "g": int64(1), "h": int64(1), "i": int64(1), "j": int64(1), "k": int64(1), "l": int64(1), "m": int64(1), "n": int64(1), "o": int64(1), "p": int64(1), "q": int64(1)},
		"long":    strings.Repeat("long ", 100),
		"deep":    nested(100),
		"ünicode": "key",
	}
}

func TestAppendBytes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in   any
		want []byte
	}{
		"nil":    {nil, []byte{0}},
		"false":  {false, []byte{1}},
		"true":   {true, []byte{2}},
		"int":    {int64(-2), []byte{3, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}},
		"float":  {1.0, []byte{4, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0}},
		"number": {json.Number("1.0"), []byte{5, 3, '1', '.', '0'}},
		"string": {"ab", []byte{6, 2, 'a', 'b'}},
		"bytes":  {[]byte{9}, []byte{7, 1, 9}},
		"time":   {time.Unix(1, 5), []byte{8, 2, 5}},
		"list":   {[]any{nil, true}, []byte{9, 2, 0, 2}},
		"map":    {map[string]any{"b": nil, "a": true}, []byte{10, 2, 1, 'a', 2, 1, 'b', 0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, encode(t, tt.in))
			got, rest, err := value.Decode(append(tt.want, 0xaa))
			require.NoError(t, err)
			require.True(t, value.Equal(tt.in, got))
			require.Equal(t, []byte{0xaa}, rest)
		})
	}
}

func TestDecodeReturnsWhatWasAppended(t *testing.T) {
	t.Parallel()
	src := append(encode(t, document()), "rest"...)
	got, rest, err := value.Decode(src)
	require.NoError(t, err)
	require.Equal(t, document(), got)
	require.Equal(t, "rest", string(rest))

	rest, err = value.Skip(src)
	require.NoError(t, err)
	require.Equal(t, "rest", string(rest))
}

func TestAppendIsCanonical(t *testing.T) {
	t.Parallel()
	noon := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	same := map[string][2]any{
		"zeros":     {0.0, math.Copysign(0, -1)},
		"NaN":       {math.NaN(), math.Float64frombits(0x7ff8000000000002)},
		"instants":  {noon, noon.In(time.FixedZone("east", 3600))},
		"nil bytes": {[]byte(nil), []byte{}},
		"nil list":  {[]any(nil), []any{}},
		"other Go":  {[]any{int64(1), "a"}, []any{1, named("a")}},
	}
	for name, pair := range same {
		require.Equal(t, encode(t, pair[0]), encode(t, pair[1]), name)
	}
	different := []any{
		nil, false, true, int64(0), int64(1), 0.0, 1.0, json.Number("0"), json.Number("1"), json.Number("1.0"),
		"", "1", []byte{}, []byte("1"), noon, noon.Add(1), []any{}, []any{nil}, map[string]any{}, map[string]any{"": nil},
		[]any{[]any{}, nil}, []any{[]any{nil}}, []any{"a", "b"}, []any{"b", "a"}, []any{"ab"},
	}
	seen := map[string]any{}
	for _, v := range different {
		b := string(encode(t, v))
		require.NotContains(t, seen, b, "%#v", v)
		seen[b] = v
	}
}

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	dst := []byte("kept")
	out, err := value.Append(dst, []any{"a", make(chan int)})
	require.EqualError(t, err, "value: unsupported Go type chan int")
	require.Equal(t, "kept", string(out))

	out, err = value.Append(dst, nested(value.MaxDepth+1))
	require.ErrorIs(t, err, value.ErrDepth)
	require.Equal(t, "kept", string(out))

	_, err = value.Append(nil, nested(value.MaxDepth))
	require.NoError(t, err)
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string][]byte{
		"nothing":                {},
		"unknown tag":            {11},
		"no payload":             {3},
		"endless varint":         bytes.Repeat([]byte{0xff}, 12),
		"long varint":            {3, 0x80, 0x00},
		"short float":            {4, 1, 2, 3},
		"negative zero":          {4, 0x80, 0, 0, 0, 0, 0, 0, 0},
		"other NaN":              {4, 0x7f, 0xf8, 0, 0, 0, 0, 0, 2},
		"text beyond the end":    {6, 2, 'a'},
		"huge text":              {6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"a second of nanosecond": {8, 0, 0x80, 0x94, 0xeb, 0xdc, 0x03},
		"huge list":              {9, 0xff, 0xff, 0xff, 0xff, 0x0f, 0},
		"list beyond the end":    {9, 2, 0},
		"huge map":               {10, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0},
		"keys out of order":      {10, 2, 1, 'b', 0, 1, 'a', 0},
		"a key twice":            {10, 2, 1, 'a', 0, 1, 'a', 0},
		"a key without value":    {10, 1, 1, 'a'},
		"too deep":               append(bytes.Repeat([]byte{9, 1}, value.MaxDepth+1), 0),
	}
	for name, src := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, rest, err := value.Decode(src)
			require.ErrorIs(t, err, value.ErrCorrupt)
			require.Nil(t, v)
			require.Equal(t, src, rest)
			rest, err = value.Skip(src)
			require.ErrorIs(t, err, value.ErrCorrupt)
			require.Equal(t, src, rest)
			out, rest, err := value.TranscodeJSON([]byte("kept"), src)
			require.ErrorIs(t, err, value.ErrCorrupt)
			require.Equal(t, "kept", string(out))
			require.Equal(t, src, rest)
		})
	}
}

func TestSkipAllocatesNothing(t *testing.T) {
	src := encode(t, document())
	require.Zero(t, testing.AllocsPerRun(10, func() { _, _ = value.Skip(src) }))
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, document()))
	for _, v := range document() {
		f.Add(encode(f, v))
	}
	f.Add([]byte{10, 2, 1, 'b', 0, 1, 'a', 0})
	f.Add(bytes.Repeat([]byte{9, 0x7f}, 200))
	f.Fuzz(func(t *testing.T, src []byte) {
		v, rest, err := value.Decode(src)
		skipped, skipErr := value.Skip(src)
		out, transcoded, transcodeErr := value.TranscodeJSON(nil, src)
		require.Equal(t, err, skipErr)
		require.Equal(t, err, transcodeErr)
		require.Equal(t, rest, skipped)
		require.Equal(t, rest, transcoded)
		if err != nil {
			require.Equal(t, src, rest)
			return
		}
		require.True(t, value.Equal(v, v))
		require.Equal(t, src[:len(src)-len(rest)], encode(t, v), "one encoding only")
		require.Equal(t, string(value.AppendJSON(nil, v)), string(out))
		require.True(t, json.Valid(out), "%s", out)
	})
}
