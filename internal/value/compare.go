package value

import (
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// Compare orders two numbers by their exact values, whatever their types, or
// two times: -1, 0 or +1. Everything else has no order, nor has NaN, and ok is
// false.
func Compare(a, b any) (order int, ok bool) {
	if x, isTime := a.(time.Time); isTime {
		y, isTime := b.(time.Time)
		return x.Compare(y), isTime
	}
	x, ok := decimalOf(a)
	if !ok {
		return 0, false
	}
	y, ok := decimalOf(b)
	if !ok {
		return 0, false
	}
	return x.compare(y), true
}

// decimalOf returns a number as a decimal. The infinities lie beyond every
// exponent.
func decimalOf(v any) (decimal, bool) {
	switch v := v.(type) {
	case int64:
		return parseDecimal(strconv.FormatInt(v, 10))
	case float64:
		if math.IsInf(v, 0) {
			return decimal{negative: v < 0, digits: "1", exp: math.MaxInt64}, true
		}
		return parseDecimal(strconv.FormatFloat(v, 'e', 766, 64))
	case json.Number:
		return parseDecimal(string(v))
	}
	return decimal{}, false
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}

func (d decimal) compare(e decimal) int {
	if order := cmp.Compare(d.sign(), e.sign()); order != 0 || d.digits == "" {
		return order
	}
	return d.sign() * cmp.Or(cmp.Compare(d.exp, e.exp), strings.Compare(d.digits, e.digits))
}
