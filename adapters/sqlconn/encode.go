package sqlconn

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/godsr/dsr/internal/value"
)

// scalarText brings a value into the text form of a column's type, as all
// dialects read it; false when the type cannot hold it. Times and bytes, which
// every dialect spells differently, come as plain text.
func scalarText(c *column, v any) (string, bool) {
	switch c.form {
	case formInteger:
		return integerText(c, v)
	case formDecimal:
		return numberText(v)
	case formFloat:
		s, ok := numberText(v)
		if !ok {
			return "", false
		}
		f, err := strconv.ParseFloat(s, floatBits(c))
		if err != nil || math.IsInf(f, 0) {
			return "", false
		}
		return strconv.FormatFloat(f, 'g', -1, floatBits(c)), true
	case formBoolean:
		switch v := v.(type) {
		case bool:
			return strconv.FormatBool(v), true
		case string:
			switch strings.ToLower(v) {
			case "true", "false":
				return strings.ToLower(v), true
			}
		}
		switch s, _ := numberText(v); s {
		case "0":
			return "false", true
		case "1":
			return "true", true
		}
		return "", false
	case formDate:
		if t, ok := v.(time.Time); ok {
			return t.UTC().Format(time.DateOnly), t.UTC().Equal(t.UTC().Truncate(24 * time.Hour))
		}
		s, ok := v.(string)
		_, err := time.Parse(time.DateOnly, s)
		return s, ok && err == nil
	case formUUID:
		return uuidText(v)
	}
	return plainText(v)
}

func floatBits(c *column) int {
	if c.single {
		return 32
	}
	return 64
}

// plainText is the text of a scalar; false for documents and for what no
// database takes as text.
func plainText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, utf8.ValidString(v)
	case []byte:
		return string(v), utf8.Valid(v)
	case bool:
		return strconv.FormatBool(v), true
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), true
	case json.Number:
		return string(v), true
	}
	return numberText(v)
}

// numberText is the plain decimal form of a number: no exponent, no needless
// zeros. Text that is a number counts.
func numberText(v any) (string, bool) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), true
	case int:
		return strconv.Itoa(v), true
	case bool:
		if v {
			return "1", true
		}
		return "0", true
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return "", false
		}
		return trimZeros(strconv.FormatFloat(v, 'f', -1, 64)), true
	case json.Number:
		return decimalText(string(v))
	case string:
		return decimalText(v)
	}
	return "", false
}

// maxExponent bounds what a number such as 1e999999999 may expand to.
const maxExponent = 400

func decimalText(s string) (string, bool) {
	mantissa, exponent := s, ""
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa, exponent = s[:i], s[i+1:]
	}
	digits := strings.TrimLeft(mantissa, "+-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if len(mantissa)-len(digits) > 1 || whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return "", false
	}
	if exponent == "" {
		if len(mantissa) < len(s) {
			return "", false
		}
		sign := ""
		if strings.HasPrefix(mantissa, "-") {
			sign = "-"
		}
		whole = strings.TrimLeft(whole, "0")
		if whole == "" {
			whole = "0"
		}
		if strings.Trim(fraction, "0") == "" {
			if whole == "0" {
				sign = ""
			}
			return sign + whole, true
		}
		return sign + whole + "." + strings.TrimRight(fraction, "0"), true
	}
	e, err := strconv.Atoi(exponent)
	if err != nil || e > maxExponent || e < -maxExponent || len(mantissa) > 2*maxExponent {
		return "", false
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return "", false
	}
	return trimZeros(r.FloatString(len(fraction) + max(0, -e))), true
}

func trimZeros(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

func integerText(c *column, v any) (string, bool) {
	s, ok := numberText(v)
	if !ok {
		return "", false
	}
	bits := c.bits
	if bits == 0 {
		bits = 64
	}
	if c.unsigned {
		_, err := strconv.ParseUint(s, 10, bits)
		return s, err == nil
	}
	_, err := strconv.ParseInt(s, 10, bits)
	return s, err == nil
}

// uuidText takes the forms with and without hyphens and braces, in any case.
func uuidText(v any) (string, bool) {
	s, ok := v.(string)
	if b, isBytes := v.([]byte); isBytes && len(b) == 16 {
		s, ok = hex.EncodeToString(b), true
	}
	s = strings.ReplaceAll(strings.ToLower(strings.Trim(s, "{}")), "-", "")
	if _, err := hex.DecodeString(s); !ok || err != nil || len(s) != 32 {
		return "", false
	}
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:], true
}

// timeOf reads a point in time.
func timeOf(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v.UTC(), true
	case string:
		for _, layout := range []string{
			time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999",
			"2006-01-02T15:04:05.999999999", time.DateOnly,
		} {
			if t, err := time.Parse(layout, v); err == nil {
				return t.UTC(), true
			}
		}
	}
	return time.Time{}, false
}

// inCalendar keeps to the years that every database can write.
func inCalendar(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }

func bytesOf(v any) ([]byte, bool) {
	switch v := v.(type) {
	case []byte:
		return v, true
	case string:
		return []byte(v), true
	}
	return nil, false
}

// encodeJSON writes a value of the closed set as JSON.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// documentKey is what scalars inside documents are compared by; false for
// null, objects and arrays.
func documentKey(v any, fold bool) (string, bool) {
	var s string
	var ok bool
	switch v := v.(type) {
	case json.Number:
		if s, ok = decimalText(string(v)); !ok {
			s, ok = string(v), true
		}
	default:
		s, ok = plainText(v)
	}
	if fold {
		s = value.Fold(s)
	}
	return s, ok
}
