package sqlconn

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// convert brings what a driver returned for an output expression into the
// closed set of types. Drivers differ in whether text comes as string or
// []byte, and numbers as such or as text. Bytes are copied.
func convert(c *column, v any) any {
	if v == nil {
		return nil
	}
	switch c.form {
	case formBytes:
		switch v := v.(type) {
		case []byte:
			return bytes.Clone(v)
		case string:
			return []byte(v)
		}
	case formInteger:
		return toInteger(v)
	case formFloat:
		return toFloat(v)
	case formDecimal:
		return toDecimal(v)
	case formBoolean:
		return toBoolean(v)
	case formTime, formEpoch:
		return toTime(c, v)
	case formDate:
		if t, ok := v.(time.Time); ok {
			return t.Format(time.DateOnly)
		}
	case formJSON, formArray:
		return toDocument(v)
	case formAny:
		if b, ok := v.([]byte); ok {
			return bytes.Clone(b)
		}
	}
	return toPlain(v)
}

// toPlain brings a driver's value into the closed set without looking at the
// column.
func toPlain(v any) any {
	switch plain := v.(type) {
	case []byte:
		return string(plain)
	case float32:
		return toFloat(v)
	case uint64:
		return toInteger(v)
	case int:
		return int64(plain)
	case time.Time:
		return plain.UTC()
	}
	return v
}

func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	}
	return "", false
}

func toInteger(v any) any {
	// v itself is returned where it will do: boxing it anew allocates.
	switch n := v.(type) {
	case int64:
		return v
	case uint64:
		if n > math.MaxInt64 {
			return json.Number(strconv.FormatUint(n, 10))
		}
		return int64(n)
	}
	if s, ok := textOf(v); ok {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i
		}
		if _, err := strconv.ParseUint(s, 10, 64); err == nil {
			return json.Number(s)
		}
	}
	return toPlain(v)
}

func toFloat(v any) any {
	switch n := v.(type) {
	case float64:
		return v
	case float32:
		// The shortest decimal that is this float32, as the database
		// prints it.
		f, _ := strconv.ParseFloat(strconv.FormatFloat(float64(n), 'g', -1, 32), 64)
		return f
	}
	if s, ok := textOf(v); ok {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f
		}
	}
	return toPlain(v)
}

func toDecimal(v any) any {
	s, ok := textOf(v)
	if !ok {
		return toPlain(v)
	}
	if _, isNumber := decimalText(s); isNumber {
		return json.Number(s)
	}
	return s
}

func toBoolean(v any) any {
	if _, ok := v.(bool); ok {
		return v
	}
	switch i := toInteger(v); i {
	case int64(0):
		return false
	case int64(1):
		return true
	default:
		return i
	}
}

func toTime(c *column, v any) any {
	if t, ok := v.(time.Time); ok {
		return t.UTC()
	}
	s, ok := textOf(v)
	if !ok {
		return toPlain(v)
	}
	if c.form == formEpoch {
		seconds, fraction, _ := strings.Cut(s, ".")
		sec, err := strconv.ParseInt(seconds, 10, 64)
		nano, err2 := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		if err != nil || err2 != nil {
			return s
		}
		return time.Unix(sec, nano).UTC()
	}
	if t, ok := timeOf(s); ok {
		return t
	}
	return s
}

// toDocument decodes JSON; what is no JSON stays the text it is.
func toDocument(v any) any {
	s, ok := textOf(v)
	if !ok {
		return toPlain(v)
	}
	doc, err := decodeJSON([]byte(s))
	if err != nil {
		return s
	}
	return doc
}

func decodeJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var doc any
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, strconv.ErrSyntax
	}
	return integers(doc), nil
}

// integers turns the whole numbers of a decoded document into int64.
func integers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(string(v), 10, 64); err == nil && v != "-0" {
			return i
		}
	case []any:
		for i := range v {
			v[i] = integers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = integers(v[k])
		}
	}
	return v
}
