package connectortest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"time"
)

// same compares two values of the port. Numbers are the same when they are
// exactly equal, whatever their types; times when they are the same instant.
func same(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x.Cmp(y) == 0
	}
	switch a := a.(type) {
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k := range a {
			v, ok := b[k]
			if !ok || !same(a[k], v) {
				return false
			}
		}
		return true
	case nil, bool, string:
		switch b.(type) {
		case nil, bool, string:
			return a == b
		}
	}
	return false
}

func number(v any) (*big.Rat, bool) {
	switch v := v.(type) {
	case int64:
		return new(big.Rat).SetInt64(v), true
	case float64:
		r := new(big.Rat).SetFloat64(v)
		return r, r != nil
	case json.Number:
		return new(big.Rat).SetString(string(v))
	}
	return nil, false
}

func sameInAnyOrder(got, want []any) bool {
	if len(got) != len(want) {
		return false
	}
	left := slices.Clone(want)
	for _, g := range got {
		i := slices.IndexFunc(left, func(w any) bool { return same(g, w) })
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return true
}

// strangeType returns the Go type of the first value in v that may not cross
// the port, or nothing.
func strangeType(v any) string {
	switch v := v.(type) {
	case nil, bool, int64, float64, json.Number, string, []byte, time.Time:
		return ""
	case []any:
		for _, e := range v {
			if t := strangeType(e); t != "" {
				return t
			}
		}
		return ""
	case map[string]any:
		for _, e := range v {
			if t := strangeType(e); t != "" {
				return t
			}
		}
		return ""
	}
	return fmt.Sprintf("%T", v)
}

func clone(v any) any {
	switch v := v.(type) {
	case []byte:
		return slices.Clone(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = clone(v[i])
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = clone(e)
		}
		return m
	}
	return v
}

// show prints a value of the suite, shortened.
func show(v any) string {
	text := fmt.Sprintf("%v", v)
	if s, ok := v.(string); ok {
		text = strconv.Quote(s)
	}
	if len(text) > 200 {
		return fmt.Sprintf("%s… (%d bytes)", text[:200], len(text))
	}
	return text
}
