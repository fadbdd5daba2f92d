package value

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends v as the JSON of a data package: what [encoding/json]
// writes without escaping HTML, keys sorted. Besides, times are RFC 3339 in UTC
// with the nanoseconds they have, NaN and the infinities are the strings "NaN",
// "Infinity" and "-Infinity", a [json.Number] is written as it is, or as a
// string if JSON knows no such number, and a nil list or map is an empty one.
//
// A value outside of the set is normalized first; AppendJSON panics, naming the
// type, if that fails.
func AppendJSON(dst []byte, v any) []byte {
	switch x := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, x)
	case int64:
		return strconv.AppendInt(dst, x, 10)
	case float64:
		return appendJSONFloat(dst, x)
	case json.Number:
		return appendJSONNumber(dst, x)
	case string:
		return AppendJSONString(dst, x)
	case []byte:
		return appendJSONBytes(dst, x)
	case time.Time:
		return appendJSONTime(dst, x)
	case []any:
		dst = append(dst, '[')
		for i, e := range x {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSON(dst, e)
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, '{')
		var few [16]string
		for i, k := range sortedKeys(few[:0], x) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendJSONString(dst, k), ':')
			dst = AppendJSON(dst, x[k])
		}
		return append(dst, '}')
	}
	n, err := Normalize(v)
	if err != nil {
		panic(err)
	}
	return AppendJSON(dst, n)
}

// TranscodeJSON appends the JSON of the encoded value at the start of src, the
// same bytes as [AppendJSON] of the decoded value, and returns what follows
// the value in src. It refuses what [Decode] refuses; dst and src then come
// back as they were.
func TranscodeJSON(dst, src []byte) (out, rest []byte, err error) {
	out, rest, ok := transcode(dst, src, 0)
	if !ok {
		return dst, src, ErrCorrupt
	}
	return out, rest, nil
}

func transcode(dst, src []byte, depth int) (out, rest []byte, ok bool) {
	if len(src) == 0 {
		return nil, nil, false
	}
	tag, src := src[0], src[1:]
	switch tag {
	case tagNil:
		return append(dst, "null"...), src, true
	case tagFalse:
		return append(dst, "false"...), src, true
	case tagTrue:
		return append(dst, "true"...), src, true
	case tagInt:
		i, rest, ok := readInt(src)
		return strconv.AppendInt(dst, i, 10), rest, ok
	case tagFloat:
		f, rest, ok := readFloat(src)
		return appendJSONFloat(dst, f), rest, ok
	case tagNumber:
		b, rest, ok := readBytes(src)
		return appendJSONNumber(dst, b), rest, ok
	case tagString:
		b, rest, ok := readBytes(src)
		return appendJSONString(dst, b), rest, ok
	case tagBytes:
		b, rest, ok := readBytes(src)
		return appendJSONBytes(dst, b), rest, ok
	case tagTime:
		t, rest, ok := readTime(src)
		return appendJSONTime(dst, t), rest, ok
	case tagList:
		n, src, ok := readCount(src, depth, 1)
		dst = append(dst, '[')
		for i := 0; ok && i < n; i++ {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst, src, ok = transcode(dst, src, depth+1)
		}
		return append(dst, ']'), src, ok
	case tagMap:
		n, src, ok := readCount(src, depth, 2)
		dst = append(dst, '{')
		var key []byte
		for i := 0; ok && i < n; i++ {
			if key, src, ok = readKey(src, key, i); !ok {
				break
			}
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendJSONString(dst, key), ':')
			dst, src, ok = transcode(dst, src, depth+1)
		}
		return append(dst, '}'), src, ok
	}
	return nil, nil, false
}

// AppendJSONString appends s as a JSON string, byte for byte as [encoding/json]
// does without escaping HTML: what is not UTF-8 becomes U+FFFD.
func AppendJSONString(dst []byte, s string) []byte { return appendJSONString(dst, s) }

func appendJSONString[T ~string | ~[]byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b >= ' ' && b != '"' && b != '\\' && b < utf8.RuneSelf {
			i++
			continue
		}
		if b < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			switch b {
			case '"', '\\':
				dst = append(dst, '\\', b)
			case '\b':
				dst = append(dst, '\\', 'b')
			case '\f':
				dst = append(dst, '\\', 'f')
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&0xf])
			}
			i++
			start = i
			continue
		}
		// The conversion is of four bytes at most and stays on the stack.
		r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(append(dst, s[start:i]...), `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			// Line ends in older JavaScript.
			dst = append(append(dst, s[start:i]...), `\u202`...)
			dst = append(dst, hex[r&0xf])
			start = i + size
		}
		i += size
	}
	return append(append(dst, s[start:]...), '"')
}

func appendJSONFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	// The bounds at which ECMAScript, and so encoding/json, goes over to
	// exponents.
	if abs := math.Abs(f); abs == 0 || abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

func appendJSONNumber[T ~string | ~[]byte](dst []byte, n T) []byte {
	if !validNumber(n) {
		return appendJSONString(dst, n)
	}
	return append(dst, n...)
}

func appendJSONBytes(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

func appendJSONTime(dst []byte, t time.Time) []byte {
	dst = append(dst, '"')
	dst = t.UTC().AppendFormat(dst, time.RFC3339Nano)
	return append(dst, '"')
}

// validNumber reports whether n is a number in the grammar of JSON.
func validNumber[T ~string | ~[]byte](n T) bool {
	i := 0
	digits := func() bool {
		start := i
		for i < len(n) && n[i] >= '0' && n[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(n) && n[i] == '-' {
		i++
	}
	if i < len(n) && n[i] == '0' {
		i++
	} else if !digits() {
		return false
	}
	if i < len(n) && n[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(n) && (n[i] == 'e' || n[i] == 'E') {
		i++
		if i < len(n) && (n[i] == '+' || n[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(n)
}
