// Package value handles the closed set of values that crosses the connector
// port: nil, bool, int64, float64, [json.Number], string, []byte, [time.Time],
// []any and map[string]any. It brings other Go values into the set, compares
// members, and writes them as compact bytes and as JSON.
package value

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"time"
)

// MaxDepth is how deep lists and maps may be nested. Deeper values are refused
// when they are normalized or encoded, and corrupt when they are decoded.
const MaxDepth = 10_000

// ErrDepth: a value is nested deeper than [MaxDepth], or contains itself.
var ErrDepth = errors.New("value: nested too deeply")

// TypeError says that a Go type has no place in the set. It never holds the
// value.
type TypeError struct {
	// Type is the Go type, as in "chan int".
	Type string
}

func (e *TypeError) Error() string { return "value: unsupported Go type " + e.Type }

// Normalize brings v into the set. Integers become int64, or [json.Number]
// above its range; float32 becomes the float64 of its shortest decimal; named
// types become the basic type beneath them; pointers are followed; slices and
// arrays become []any, or []byte when they hold bytes; maps with string keys
// become map[string]any. A [driver.Valuer] is asked for its value. Nil
// pointers, slices and maps become nil. NaN and infinities stay float64.
//
// Members of the set come back as they are and share their memory with v. Any
// other type is a [*TypeError].
func Normalize(v any) (any, error) {
	out, _, err := normalize(v, 0)
	return out, err
}

// normalize also reports whether out is another value than v, so that lists
// and maps are copied only when they must be.
func normalize(v any, depth int) (out any, changed bool, err error) {
	if depth > MaxDepth {
		return nil, false, ErrDepth
	}
	switch x := v.(type) {
	case nil, bool, int64, float64, json.Number, string, time.Time:
		return v, false, nil
	case []byte:
		if x == nil {
			return nil, true, nil
		}
		return v, false, nil
	case []any:
		return normalizeList(x, depth)
	case map[string]any:
		return normalizeMap(x, depth)
	case int:
		return int64(x), true, nil
	case []string:
		if x == nil {
			return nil, true, nil
		}
		list := make([]any, len(x))
		for i, s := range x {
			list[i] = s
		}
		return list, true, nil
	case driver.Valuer:
		if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
			return nil, true, nil
		}
		inner, err := x.Value()
		if err != nil {
			// The error of a Valuer may quote the value.
			return nil, false, errors.New("value: the Value method of " + reflect.TypeOf(v).String() + " failed")
		}
		if _, again := inner.(driver.Valuer); again {
			return nil, false, &TypeError{Type: reflect.TypeOf(v).String()}
		}
		out, _, err = normalize(inner, depth+1)
		return out, true, err
	}
	out, err = normalizeOther(reflect.ValueOf(v), depth)
	return out, true, err
}

func normalizeList(list []any, depth int) (any, bool, error) {
	if list == nil {
		return nil, true, nil
	}
	copied := false
	out := list
	for i, e := range list {
		n, changed, err := normalize(e, depth+1)
		if err != nil {
			return nil, false, err
		}
		if changed && !copied {
			out = append(make([]any, 0, len(list)), list...)
			copied = true
		}
		if changed {
			out[i] = n
		}
	}
	return out, copied, nil
}

func normalizeMap(m map[string]any, depth int) (any, bool, error) {
	if m == nil {
		return nil, true, nil
	}
	copied := false
	out := m
	for k, e := range m {
		n, changed, err := normalize(e, depth+1)
		if err != nil {
			return nil, false, err
		}
		if changed && !copied {
			out = make(map[string]any, len(m))
			for k, e := range m {
				out[k] = e
			}
			copied = true
		}
		if changed {
			out[k] = n
		}
	}
	return out, copied, nil
}

func normalizeOther(rv reflect.Value, depth int) (any, error) {
	switch rv.Kind() {
	case reflect.Bool:
		return rv.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return rv.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if u := rv.Uint(); u > math.MaxInt64 {
			return json.Number(strconv.FormatUint(u, 10)), nil
		}
		return int64(rv.Uint()), nil
	case reflect.Float32:
		// 0.1 stays 0.1, rather than 0.10000000149011612.
		f, _ := strconv.ParseFloat(strconv.FormatFloat(rv.Float(), 'g', -1, 32), 64)
		return f, nil
	case reflect.Float64:
		return rv.Float(), nil
	case reflect.String:
		return rv.String(), nil
	case reflect.Pointer, reflect.Interface:
		if rv.IsNil() {
			return nil, nil
		}
		out, _, err := normalize(rv.Elem().Interface(), depth+1)
		return out, err
	case reflect.Slice, reflect.Array:
		return normalizeSlice(rv, depth)
	case reflect.Map:
		return normalizeKeyed(rv, depth)
	case reflect.Struct:
		if t := reflect.TypeFor[time.Time](); rv.Type().ConvertibleTo(t) {
			return rv.Convert(t).Interface(), nil
		}
	}
	return nil, &TypeError{Type: rv.Type().String()}
}

func normalizeSlice(rv reflect.Value, depth int) (any, error) {
	if rv.Kind() == reflect.Slice && rv.IsNil() {
		return nil, nil
	}
	if rv.Type().Elem().Kind() == reflect.Uint8 {
		if rv.Kind() == reflect.Slice {
			return rv.Bytes(), nil
		}
		b := make([]byte, rv.Len())
		reflect.Copy(reflect.ValueOf(b), rv)
		return b, nil
	}
	list := make([]any, rv.Len())
	for i := range list {
		n, _, err := normalize(rv.Index(i).Interface(), depth+1)
		if err != nil {
			return nil, err
		}
		list[i] = n
	}
	return list, nil
}

func normalizeKeyed(rv reflect.Value, depth int) (any, error) {
	if rv.Type().Key().Kind() != reflect.String {
		return nil, &TypeError{Type: rv.Type().String()}
	}
	if rv.IsNil() {
		return nil, nil
	}
	m := make(map[string]any, rv.Len())
	for it := rv.MapRange(); it.Next(); {
		n, _, err := normalize(it.Value().Interface(), depth+1)
		if err != nil {
			return nil, err
		}
		m[it.Key().String()] = n
	}
	return m, nil
}
