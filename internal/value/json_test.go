package value_test

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/value"
)

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in   any
		want string
	}{
		"nil":               {nil, `null`},
		"bool":              {true, `true`},
		"int":               {int64(math.MinInt64), `-9223372036854775808`},
		"whole float":       {50.0, `50`},
		"float":             {0.1, `0.1`},
		"small float":       {1e-7, `1e-7`},
		"large float":       {1e21, `1e+21`},
		"NaN":               {math.NaN(), `"NaN"`},
		"infinity":          {math.Inf(1), `"Infinity"`},
		"minus infinity":    {math.Inf(-1), `"-Infinity"`},
		"number":            {json.Number("1.50"), `1.50`},
		"exponent":          {json.Number("-1.5E+07"), `-1.5E+07`},
		"empty number":      {json.Number(""), `""`},
		"no number":         {json.Number("NaN"), `"NaN"`},
		"leading zero":      {json.Number("01"), `"01"`},
		"no fraction":       {json.Number("1."), `"1."`},
		"no exponent":       {json.Number("1e"), `"1e"`},
		"only a sign":       {json.Number("-"), `"-"`},
		"text":              {"a<b>&\"\\\n\x01", `"a<b>&\"\\\n\u0001"`},
		"invalid UTF-8":     {"a\xffb", `"a\ufffdb"`},
		"line separators":   {"\u2028\u2029", `"\u2028\u2029"`},
		"replacement":       {"\ufffd", "\"\ufffd\""},
		"bytes":             {[]byte{0xfb, 0xff}, `"+/8="`},
		"time":              {time.Date(2024, 2, 29, 13, 0, 0, 500, time.FixedZone("", 3600)), `"2024-02-29T12:00:00.0000005Z"`},
		"list":              {[]any{int64(1), []any{}, "a"}, `[1,[],"a"]`},
		"nil list":          {[]any(nil), `[]`},
		"map":               {map[string]any{"b": int64(1), "a": map[string]any{}}, `{"a":{},"b":1}`},
		"outside the set":   {[]int{1, 2}, `[1,2]`},
		"inside a document": {map[string]any{"a": uint8(1)}, `{"a":1}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, "x"+tt.want, string(value.AppendJSON([]byte("x"), tt.in)))
		})
	}
	require.PanicsWithError(t, "value: unsupported Go type chan int", func() {
		value.AppendJSON(nil, make(chan int))
	})
}

func TestTranscodeJSON(t *testing.T) {
	t.Parallel()
	want := "x" + string(value.AppendJSON(nil, document()))
	out, rest, err := value.TranscodeJSON([]byte("x"), append(encode(t, document()), "rest"...))
	require.NoError(t, err)
	require.Equal(t, want, string(out))
	require.Equal(t, "rest", string(rest))
}

// stdJSON is what encoding/json writes without escaping HTML.
func stdJSON(t *testing.T, v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	require.NoError(t, e.Encode(v))
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func FuzzAppendJSONString(f *testing.F) {
	f.Add("plain")
	f.Add("quo\"te\\ <&> \x00\b\f\n\r\t\x1f\x7f")
	f.Add("ü\u2028\u2029\ufffd\xff\xc3\xe2\x80")
	f.Fuzz(func(t *testing.T, s string) {
		require.Equal(t, stdJSON(t, s), string(value.AppendJSONString(nil, s)))
	})
}

func FuzzAppendJSONFloat(f *testing.F) {
	for _, v := range []float64{0, 50, -2.5, 1e-6, 9.99e-7, 1e20, 1e21, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v float64) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
		require.Equal(t, stdJSON(t, v), string(value.AppendJSON(nil, v)))
	})
}

func TestAppendJSONOfADocument(t *testing.T) {
	t.Parallel()
	doc := document()
	// What encoding/json cannot write, or writes otherwise.
	delete(doc, "float")
	delete(doc, "number")
	require.Equal(t, stdJSON(t, doc), string(value.AppendJSON(nil, doc)))
}
