package value

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// Equal reports whether two members of the set are the same value. Numbers are
// equal when their exact values are, whatever their types: 1, 1.0 and "1.00"
// are, while the float64 nearest to 0.1 is not the decimal 0.1. Every NaN
// equals every other. Times are equal when they are the same instant, lists
// and maps when their elements are. Values of other kinds are never equal
// across kinds: a string is no []byte, and nil only equals nil.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case nil:
		return b == nil
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	case string:
		y, ok := b.(string)
		return ok && x == y
	case []byte:
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y)
	case time.Time:
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !Equal(x[i], y[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, e := range x {
			if f, ok := y[k]; !ok || !Equal(e, f) {
				return false
			}
		}
		return true
	}
	return equalNumbers(a, b)
}

func equalNumbers(a, b any) bool {
	switch x := a.(type) {
	case int64:
		switch y := b.(type) {
		case int64:
			return x == y
		case float64:
			return intIsFloat(x, y)
		case json.Number:
			return sameDecimal(strconv.FormatInt(x, 10), string(y))
		}
	case float64:
		switch y := b.(type) {
		case int64:
			return intIsFloat(y, x)
		case float64:
			return x == y || x != x && y != y
		case json.Number:
			return floatIsDecimal(x, string(y))
		}
	case json.Number:
		switch y := b.(type) {
		case int64:
			return sameDecimal(string(x), strconv.FormatInt(y, 10))
		case float64:
			return floatIsDecimal(y, string(x))
		case json.Number:
			return x == y || sameDecimal(string(x), string(y))
		}
	}
	return false
}

func intIsFloat(i int64, f float64) bool {
	// Every float64 in this range that is whole converts exactly.
	return f >= -1<<63 && f < 1<<63 && f == math.Trunc(f) && int64(f) == i
}

func floatIsDecimal(f float64, n string) bool {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return false
	}
	// No float64 has more than 767 significant decimal digits.
	return sameDecimal(strconv.FormatFloat(f, 'e', 766, 64), n)
}

// sameDecimal compares decimals without computing with them, so that an
// enormous exponent costs nothing.
func sameDecimal(a, b string) bool {
	x, ok := parseDecimal(a)
	if !ok {
		return false
	}
	y, ok := parseDecimal(b)
	return ok && x == y
}

// decimal is the number 0.digits times ten to the exp; digits neither start
// nor end with a zero. Zero has no digits.
type decimal struct {
	negative bool
	digits   string
	exp      int64
}

func parseDecimal(s string) (decimal, bool) {
	if !validNumber(s) {
		return decimal{}, false
	}
	var d decimal
	s, d.negative = strings.CutPrefix(s, "-")
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exp, err := strconv.ParseInt(strings.TrimPrefix(s[i+1:], "+"), 10, 32)
		if err != nil {
			return decimal{}, false
		}
		d.exp, s = exp, s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	d.exp += int64(len(whole))
	d.digits = whole + fraction
	trimmed := strings.TrimLeft(d.digits, "0")
	d.exp -= int64(len(d.digits) - len(trimmed))
	d.digits = strings.TrimRight(trimmed, "0")
	if d.digits == "" {
		return decimal{}, true
	}
	return d, true
}
