package openapitest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// number makes a number within the bounds of a schema, often at one of them.
func (m *maker) number(schema map[string]any, whole bool) any {
	low, high := math.Inf(-1), math.Inf(1)
	limit := func(keyword string, set func(float64)) {
		if number, ok := schema[keyword].(json.Number); ok {
			if f, err := number.Float64(); err == nil {
				set(f)
			}
		}
	}
	step := 1.0
	if !whole {
		step = 0.5
	}
	limit("minimum", func(f float64) { low = f })
	limit("exclusiveMinimum", func(f float64) { low = max(low, f+step) })
	limit("maximum", func(f float64) { high = f })
	limit("exclusiveMaximum", func(f float64) { high = min(high, f-step) })
	format, _ := schema["format"].(string)
	if format == "int32" {
		low, high = max(low, math.MinInt32), min(high, math.MaxInt32)
	}
	factor := 0.0
	limit("multipleOf", func(f float64) { factor = f })

	edges := []float64{0, 1, 2, -1, 10, 100, 65536, math.MaxInt32, math.MinInt32, 1 << 53}
	if !whole {
		edges = append(edges, 0.5, -0.25, 1e-9, 1e15)
	}
	var fit []float64
	for _, edge := range append(edges, low, high, low+step, high-step, float64(m.IntN(1000)), float64(m.IntN(20))) {
		if edge >= low && edge <= high && !math.IsInf(edge, 0) {
			fit = append(fit, edge)
		}
	}
	if len(fit) == 0 {
		return json.Number("0")
	}
	f := pick(m.Rand, fit)
	if span := high - low; !math.IsInf(span, 0) && span > 0 && m.chance(40) {
		f = low + m.Float64()*span
	}
	if factor > 0 {
		f = math.Max(math.Round(f/factor), math.Ceil(low/factor)) * factor
	}
	if whole {
		f = math.Trunc(f)
		if f < low {
			f++
		}
		exact, _ := big.NewFloat(f).Int(nil)
		return json.Number(exact.String())
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
}

// text makes a string for a schema.
func (m *maker) text(schema map[string]any, name string) string {
	least, most := bound(schema, "minLength", 0), bound(schema, "maxLength", -1)
	if pattern, ok := schema["pattern"].(string); ok {
		return m.matching(pattern, least, most)
	}
	if format, ok := schema["format"].(string); ok {
		if made, ok := m.formatted(format); ok {
			return made
		}
	}
	if encoding, _ := schema["contentEncoding"].(string); encoding == "base64" {
		return base64.StdEncoding.EncodeToString([]byte(m.word()))
	}
	n := least + m.IntN(12)
	if m.chance(10) && most >= 0 {
		n = most
	}
	if m.chance(2) {
		n = least + 300
	}
	if most >= 0 {
		n = min(n, most)
	}
	made := m.word()
	switch m.IntN(6) {
	case 0:
		made = strings.ToValidUTF8(m.hostileText(m.op, "text "+name), "é")
	case 1:
		runes := make([]rune, 1+m.IntN(10))
		for i := range runes {
			runes[i] = m.letters[m.deal(m.op.ID+" letter "+name, len(m.letters))]
		}
		made = string(runes)
	}
	if short := min(n, 100_000) - utf8.RuneCountInString(made); short > 0 {
		more := []byte(made)
		for short > 0 {
			word := m.word()
			more, short = append(more, word...), short-len(word)
		}
		made = string(more)
	}
	if runes := []rune(made); len(runes) > n && (n > 0 || most == 0) {
		made = string(runes[:n])
	}
	return made
}

// word is a short plain text.
func (m *maker) word() string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789_"
	made := make([]byte, 3+m.IntN(6))
	for i := range made {
		made[i] = letters[m.IntN(len(letters))]
	}
	made[0] = letters[m.IntN(26)]
	return string(made)
}

func (m *maker) formatted(format string) (string, bool) {
	at := time.Unix(1_500_000_000+m.Int64N(500_000_000), m.Int64N(1e9)).UTC()
	switch format {
	case "date-time":
		return pick(m.Rand, []string{
			at.Format(time.RFC3339), at.Format(time.RFC3339Nano), at.In(time.FixedZone("", -34200)).Format(time.RFC3339),
			"0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2024-02-29T23:59:59+14:00", at.Format(time.RFC3339),
		}), true
	case "date":
		return pick(m.Rand, []string{at.Format(time.DateOnly), "2024-02-29", "0001-01-01", "9999-12-31"}), true
	case "time":
		return at.Format("15:04:05Z"), true
	case "duration":
		return pick(m.Rand, []string{"P1D", "PT1H30M", "P1Y2M3DT4H5M6S", "PT0S"}), true
	case "email", "idn-email":
		return pick(m.Rand, []string{m.word() + "@example.com", m.word() + "+tag@example.org", "o'" + m.word() + "@example.com"}), true
	case "hostname", "idn-hostname":
		return m.word()[:1] + "x.example.com", true
	case "ipv4", "ip":
		return fmt.Sprintf("192.0.2.%d", m.IntN(256)), true
	case "ipv6":
		return fmt.Sprintf("2001:db8::%x", m.IntN(65536)), true
	case "uri", "url", "iri":
		return "https://example.com/" + m.word() + "?a=b#c", true
	case "uri-reference", "iri-reference":
		return "/" + m.word(), true
	case "uuid":
		a, b := m.Uint64(), m.Uint64()
		return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", a>>32, a&0xffff, a>>16&0xfff, b>>48&0xfff, b&0xffffffffffff), true
	case "binary": // the name of a file as well
		return m.word() + pick(m.Rand, []string{".txt", ".pdf", ".png", ".csv", ".exe", ""}), true
	case "byte":
		return base64.StdEncoding.EncodeToString([]byte(m.word())), true
	case "regex":
		return "^[a-z]+$", true
	case "json-pointer":
		return "/" + m.word(), true
	default:
		return "", false
	}
}

// matching makes a string that a pattern matches, of the right length where
// that comes about soon.
func (m *maker) matching(pattern string, least, most int) string {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return m.word()
	}
	var made string
	for range 40 {
		var out strings.Builder
		m.regexp(&out, tree)
		made = out.String()
		if n := utf8.RuneCountInString(made); n >= least && (most < 0 || n <= most) {
			break
		}
	}
	return made
}

func (m *maker) regexp(out *strings.Builder, tree *syntax.Regexp) {
	repeat := func(least, most int) {
		if most < 0 || most > least+8 {
			most = least + 8
		}
		for range least + m.IntN(most-least+1) {
			if out.Len() > 10_000 {
				return
			}
			m.regexp(out, tree.Sub[0])
		}
	}
	switch tree.Op {
	case syntax.OpLiteral:
		out.WriteString(string(tree.Rune))
	case syntax.OpCharClass:
		if len(tree.Rune) > 0 {
			out.WriteRune(m.class(tree.Rune))
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		out.WriteString(pick(m.Rand, []string{"a", "Z", "5", " ", "-", "é", "'"}))
	case syntax.OpStar:
		repeat(0, -1)
	case syntax.OpPlus:
		repeat(1, -1)
	case syntax.OpQuest:
		repeat(0, 1)
	case syntax.OpRepeat:
		repeat(tree.Min, tree.Max)
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range tree.Sub {
			m.regexp(out, sub)
		}
	case syntax.OpAlternate:
		m.regexp(out, pick(m.Rand, tree.Sub))
	default: // matches the empty string, or nothing
	}
}

// class picks a rune of ranges, printable ASCII if they hold any.
func (m *maker) class(ranges []rune) rune {
	var plain []rune
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := max(ranges[i], ' '); r <= min(ranges[i+1], '~'); r++ {
			plain = append(plain, r)
		}
	}
	if len(plain) > 0 && !m.chance(5) {
		return pick(m.Rand, plain)
	}
	i := 2 * m.IntN(len(ranges)/2)
	return ranges[i] + m.Int32N(ranges[i+1]-ranges[i]+1)
}

func integerText(text string) bool {
	_, err := strconv.ParseInt(text, 10, 64)
	return err == nil
}
