package graph

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Cast converts a value to the declared type, so that a key that is text in one
// database finds a key that is a number in another. It is false when the value
// is nil or does not fit. An array's elements are cast one by one, and all of
// them must fit (nil elements stay nil); a single value is cast as one element,
// because that is what an array is matched by.
func (t Type) Cast(v any) (any, bool) {
	list, ok := v.([]any)
	if !ok || !t.Array {
		return t.Kind.Cast(v)
	}
	cast := make([]any, len(list))
	for i, element := range list {
		if element == nil {
			continue
		}
		if cast[i], ok = t.Kind.Cast(element); !ok {
			return nil, false
		}
	}
	return cast, true
}

// Cast converts a value to the kind, without loss or not at all. Values are of
// the types that cross a connector, and so are the results:
//
//   - String (string): text as it is, numbers as digits (1, "1.0", 1e+16;
//     decimals as written), "true" and "false", times in RFC 3339, bytes that
//     are UTF-8.
//   - Integer (int64): whole numbers in range, also written as text or as 5.0;
//     3.7 is refused. Booleans are 1 and 0.
//   - Float (float64): finite numbers, also written as text; integers that a
//     float64 holds exactly. Booleans are 1 and 0.
//   - Boolean (bool): 1 and 0, and the words true and false in any case.
//   - ObjectID (string): 24 hexadecimal digits, in lower case; 12 bytes.
//   - Object (map[string]any): documents only.
//   - Any: every value as it is.
//
// Zero, false and the empty text are values like any other; nil is none.
func (k Kind) Cast(v any) (any, bool) {
	if v == nil {
		return nil, false
	}
	var cast any
	var ok bool
	switch k {
	case Any:
		return v, true
	case String:
		cast, ok = castString(v)
	case Integer:
		cast, ok = castInteger(v)
	case Float:
		cast, ok = castFloat(v)
	case Boolean:
		cast, ok = castBoolean(v)
	case ObjectID:
		cast, ok = castObjectID(v)
	case Object:
		cast, ok = v.(map[string]any)
	}
	if !ok {
		return nil, false
	}
	return cast, true
}

func castString(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), utf8.Valid(v)
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return floatText(v), !math.IsNaN(v) && !math.IsInf(v, 0)
	case json.Number:
		return v.String(), true
	case time.Time:
		return v.Format(time.RFC3339Nano), true
	}
	return "", false
}

// floatText keeps the point of whole numbers ("1.0") and turns to exponents
// where Python does, because the text columns that hold such keys were mostly
// filled by programs that print floats that way.
func floatText(f float64) string {
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func castInteger(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case float64:
		// 2^63 itself is out of range; -2^63 is not.
		return int64(v), v == math.Trunc(v) && v >= math.MinInt64 && v < -math.MinInt64
	}
	number, ok := decimal(v)
	if !ok || !number.IsInt() || !number.Num().IsInt64() {
		return 0, false
	}
	return number.Num().Int64(), true
}

func castFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case int64:
		f := float64(v)
		return f, f != -math.MinInt64 && int64(f) == v
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	number, ok := decimal(v)
	if !ok {
		return 0, false
	}
	f, _ := number.Float64()
	return f, !math.IsInf(f, 0)
}

// decimal reads a number that is written as text.
func decimal(v any) (*big.Rat, bool) {
	text, ok := textOf(v)
	// The limits keep 1e999999999 from becoming a billion digits.
	if text = strings.TrimSpace(text); !ok || len(text) > 400 || strings.Trim(text, "0123456789+-.eE") != "" {
		return nil, false
	}
	if _, exponent, found := strings.Cut(strings.ToLower(text), "e"); found {
		if n, err := strconv.Atoi(exponent); err != nil || n < -400 || n > 400 {
			return nil, false
		}
	}
	return new(big.Rat).SetString(text)
}

func castBoolean(v any) (value, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string, []byte, json.Number:
		text, _ := textOf(v)
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "true":
			return true, true
		case "false":
			return false, true
		}
	}
	n, ok := castInteger(v)
	return n == 1, ok && (n == 0 || n == 1)
}

func castObjectID(v any) (string, bool) {
	if b, ok := v.([]byte); ok && len(b) == 12 {
		return hex.EncodeToString(b), true
	}
	text, _ := textOf(v)
	if _, err := hex.DecodeString(text); err != nil || len(text) != 24 {
		return "", false
	}
	return strings.ToLower(text), true
}

// textOf returns what stands in a value that is text.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), utf8.Valid(v)
	case json.Number:
		return v.String(), true
	}
	return "", false
}
