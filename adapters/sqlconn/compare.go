package sqlconn

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"
)

// equal compares two values of the closed set exactly: numbers by value
// whatever their type, times by instant, documents by value.
func equal(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		b, ok := b.(string)
		return ok && a == b
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equal)
	case int64:
		if b, ok := b.(int64); ok {
			return a == b
		}
	case float64:
		if b, ok := b.(float64); ok {
			return a == b || a != a && b != b
		}
	}
	switch b.(type) {
	case int64, int, float64, json.Number:
		x, okX := numberText(a)
		y, okY := numberText(b)
		return okX && okY && x == y
	}
	return false
}

// holds reports whether a column that holds current would hold the same if
// want had been written to it: exact, but in the column's own type, precision
// and padding.
func holds(c *column, current, want any) bool {
	if current == nil || want == nil {
		return current == nil && want == nil
	}
	if equal(current, want) {
		return true
	}
	switch c.form {
	case formText:
		have, _ := plainText(current)
		text, ok := plainText(want)
		if !ok {
			return false
		}
		if c.padded {
			return strings.TrimRight(have, " ") == strings.TrimRight(text, " ")
		}
		return have == text
	case formTime, formEpoch:
		have, ok := current.(time.Time)
		t, ok2 := timeOf(want)
		if !ok || !ok2 {
			return false
		}
		return have.Equal(rounded(t, c.scale)) || have.Equal(truncated(t, c.scale))
	case formDecimal:
		return sameDecimal(current, want, c.scale)
	case formBytes:
		have, ok := bytesOf(current)
		text, ok2 := bytesOf(want)
		return ok && ok2 && bytes.Equal(have, text)
	case formAny:
		return sameStored(c, current, want)
	case formOther:
		have, _ := plainText(current)
		text, ok := plainText(want)
		return ok && have == text
	case formJSON, formArray:
		return false
	}
	have, ok := scalarText(c, current)
	text, ok2 := scalarText(c, want)
	return ok && ok2 && have == text
}

// precision is the unit of the last digit of a second.
func precision(digits int) time.Duration {
	unit := time.Second
	for range digits {
		unit /= 10
	}
	return unit
}

func rounded(t time.Time, digits int) time.Time { return t.Round(max(precision(digits), 1)) }

func truncated(t time.Time, digits int) time.Time { return t.Truncate(max(precision(digits), 1)) }

// sameDecimal compares in the column's scale, to which databases round.
func sameDecimal(current, want any, scale int) bool {
	x, ok := numberText(current)
	y, ok2 := numberText(want)
	if !ok || !ok2 {
		return false
	}
	if x == y || scale < 0 {
		return x == y
	}
	a, ok := new(big.Rat).SetString(x)
	b, ok2 := new(big.Rat).SetString(y)
	return ok && ok2 && a.FloatString(scale) == b.FloatString(scale)
}

// sameStored applies a SQLite column's affinity to want, as storing it does.
func sameStored(c *column, current, want any) bool {
	a, ok := (sqlite{}).encode(c, current)
	b, ok2 := (sqlite{}).encode(c, want)
	if !ok || !ok2 {
		return false
	}
	x, isNumber := a.(json.Number)
	y, isNumber2 := b.(json.Number)
	if isNumber && isNumber2 {
		return equal(x, y)
	}
	return !isNumber && !isNumber2 && equal(a, b)
}

// documentForm is what a value reads as once it was written into a document:
// times and bytes become text there.
func documentForm(v any) any {
	switch v.(type) {
	case time.Time, []byte, []any, map[string]any:
		if text, err := encodeJSON(v); err == nil {
			if form, err := decodeJSON(text); err == nil {
				return form
			}
		}
	}
	return v
}
