package fides

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// deref follows a reference to a schema.
func (d *Door) deref(s *huma.Schema) *huma.Schema {
	for s != nil && s.Ref != "" {
		s = d.schemas.SchemaFromRef(s.Ref)
	}
	return s
}

// checker validates what one call brings, and collects what is wrong with it.
type checker struct {
	door *Door
	// loc is where the value is that is being looked at. It is one for all of
	// them: a fault keeps a copy.
	loc    []any
	faults []fault // at most maxFaults
	found  int     // how many there are
}

// part checks a value at a place against a schema, in Fides' words (those of
// pydantic 2), and returns it as it is to be decoded: with the defaults of what
// an object leaves out.
func (c *checker) part(s *huma.Schema, tree any, loc ...any) any {
	c.loc = loc
	return c.value(s, tree)
}

// bad notes that the value is wrong.
func (c *checker) bad(kind, format string, args ...any) {
	if c.found++; len(c.faults) < maxFaults {
		c.faults = append(c.faults, fault{kind, slices.Clone(c.loc), fmt.Sprintf(format, args...)})
	}
}

// add notes what was found otherwise.
func (c *checker) add(faults ...fault) {
	c.found += len(faults)
	c.faults = append(c.faults, faults[:min(len(faults), maxFaults-len(c.faults))]...)
}

// all are the faults as they are told.
func (c *checker) all() []fault { return told(c.faults, c.found) }

// below checks a value inside the one that is being looked at.
func (c *checker) below(at any, check func()) {
	c.loc = append(c.loc, at)
	check()
	c.loc = c.loc[:len(c.loc)-1]
}

func (c *checker) value(s *huma.Schema, tree any) any {
	s = c.door.deref(s)
	if len(s.AnyOf) > 0 {
		return c.any(s, tree)
	}
	if tree == nil && (s.Nullable || s.Type == "" || s.Type == "null") {
		return nil
	}
	_, garbled := tree.(unparsed)
	switch s.Type {
	case huma.TypeString:
		if text, ok := tree.(string); ok {
			c.text(s, text)
		} else {
			c.bad("string_type", "Input should be a valid string")
		}
	case huma.TypeBoolean:
		if _, ok := tree.(bool); garbled {
			c.bad("bool_parsing", "Input should be a valid boolean, unable to interpret input")
		} else if !ok {
			c.bad("bool_type", "Input should be a valid boolean")
		}
	case huma.TypeInteger, huma.TypeNumber:
		return c.number(s, tree)
	case huma.TypeArray:
		if list, ok := tree.([]any); ok {
			return c.list(s, list)
		}
		c.bad("list_type", "Input should be a valid list")
	case huma.TypeObject:
		if object, ok := tree.(map[string]any); ok {
			return c.object(s, object)
		}
		c.bad("model_attributes_type", "Input should be a valid dictionary or object to extract fields from")
	case "null":
		c.bad("none_required", "Input should be None: this is not carried out here")
	case "":
		c.free(tree)
	}
	return tree
}

// free refuses what cannot be kept of a value that may be anything.
func (c *checker) free(tree any) {
	switch v := tree.(type) {
	case json.Number:
		if _, err := v.Float64(); err != nil {
			c.bad("float_parsing", "Input should be a valid number, it is out of range")
		}
	case string:
		if why := unfit("text", v); why != "" {
			c.bad("value_error", "Value error, %s", why)
		}
	case []any:
		for i, item := range v {
			c.below(i, func() { c.free(item) })
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if why := unfit("key", name); why != "" {
				c.bad("value_error", "Value error, %s", why)
				continue
			}
			c.below(name, func() { c.free(v[name]) })
		}
	}
}

// any takes the first alternative that fits; of none, it tells the faults of the
// last one that takes such a JSON type, or which types would do.
func (c *checker) any(s *huma.Schema, tree any) any {
	var chosen, first *checker
	var types []string
	for _, alternative := range s.AnyOf {
		try := &checker{door: c.door, loc: c.loc}
		out := try.value(alternative, tree)
		if try.found == 0 {
			return out
		}
		kind := c.door.deref(alternative).Type
		if word := typeWord(kind); word != "" && !slices.Contains(types, word) {
			types = append(types, word)
		}
		if first == nil {
			first = try
		}
		if kind == jsonType(tree) || kind == huma.TypeNumber && jsonType(tree) == huma.TypeInteger {
			chosen = try
		}
	}
	switch {
	case chosen == nil && len(types) > 1:
		last := len(types) - 1
		c.bad("value_error", "Value error, Input should be %s or %s", strings.Join(types[:last], ", "), types[last])
		return nil
	case chosen == nil:
		chosen = first
	}
	c.add(chosen.faults...)
	c.found += chosen.found - len(chosen.faults)
	return nil
}

// typeWord names values of a type that is an alternative; null, which may be left
// out as well, it does not name.
func typeWord(kind string) string {
	switch kind {
	case huma.TypeArray:
		return "a valid list"
	case huma.TypeObject:
		return "a valid dictionary"
	case "", "null":
		return ""
	}
	return "a valid " + kind
}

func jsonType(tree any) string {
	switch tree.(type) {
	case string:
		return huma.TypeString
	case bool:
		return huma.TypeBoolean
	case json.Number:
		return huma.TypeInteger
	case []any:
		return huma.TypeArray
	case map[string]any:
		return huma.TypeObject
	}
	return "null"
}

func (c *checker) text(s *huma.Schema, text string) {
	length, why := utf8.RuneCountInString(text), unfit("text", text)
	switch {
	case why != "":
		c.bad("value_error", "Value error, %s", why)
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, any(text)):
		c.bad("enum", "Input should be %s", alternatives(s.Enum))
	case s.Pattern == notBlank && strings.TrimSpace(text) == "":
		c.bad("value_error", "Value error, A filter cannot be empty: give it a value, or leave it out")
	case s.MinLength != nil && length < *s.MinLength:
		c.bad("string_too_short", "String should have at least %s", count(*s.MinLength, "character"))
	case s.MaxLength != nil && length > *s.MaxLength:
		c.bad("string_too_long", "String should have at most %s", count(*s.MaxLength, "character"))
	case s.Pattern != "" && !matches(s.Pattern, text):
		c.bad("string_pattern_mismatch", "String should match pattern '%s'", s.Pattern)
	case s.Format == "date-time":
		if _, err := parseStamp(text); err != nil {
			c.bad("datetime_parsing", "Input should be a valid datetime")
		}
	}
}

// unfit says why no store can keep a text or a key, if it is so.
func unfit(what, text string) string {
	switch {
	case !utf8.ValidString(text):
		return "a " + what + " must be UTF-8"
	case strings.ContainsRune(text, 0):
		return "a " + what + " cannot hold the character U+0000"
	}
	return ""
}

func matches(pattern, text string) bool {
	re, err := regexp.Compile(pattern)
	return err == nil && re.MatchString(text)
}

func (c *checker) number(s *huma.Schema, tree any) any {
	bad := func(kind, format string, args ...any) any {
		c.bad(kind, format, args...)
		return nil
	}
	kind, word := "int", "integer"
	if s.Type == huma.TypeNumber {
		kind, word = "float", "number"
	}
	number, ok := tree.(json.Number)
	if _, garbled := tree.(unparsed); garbled {
		return bad(kind+"_parsing", "Input should be a valid %s, unable to parse string as %s %s", word, article(word), word)
	}
	if !ok {
		return bad(kind+"_type", "Input should be a valid %s", word)
	}
	value, err := number.Float64()
	exact := decimalOf(number)
	if err != nil || s.Type == huma.TypeNumber && value == 0 && exact.digits != "" { // too large, or too near to 0
		return bad(kind+"_parsing", "Input should be a valid %s, it is out of range", word)
	}
	var out any = number
	if s.Type == huma.TypeInteger {
		if exact.exponent < 0 {
			return bad("int_from_float", "Input should be a valid integer, got a number with a fractional part")
		}
		whole, fits := exact.int64()
		if !fits || s.Format == "int32" && (whole > math.MaxInt32 || whole < math.MinInt32) {
			return bad("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size")
		}
		out = whole
	}
	switch {
	case s.Minimum != nil && value < *s.Minimum:
		return bad("greater_than_equal", "Input should be greater than or equal to %s", plain(*s.Minimum))
	case s.Maximum != nil && value > *s.Maximum:
		return bad("less_than_equal", "Input should be less than or equal to %s", plain(*s.Maximum))
	case s.ExclusiveMinimum != nil && value <= *s.ExclusiveMinimum:
		return bad("greater_than", "Input should be greater than %s", plain(*s.ExclusiveMinimum))
	}
	return out
}

// plain writes a limit without a power of ten.
func plain(limit float64) string { return strconv.FormatFloat(limit, 'f', -1, 64) }

// decimal is a number as it was written: its digits without zeros before and
// behind, none for 0, times ten to the power of the exponent.
type decimal struct {
	negative bool
	digits   string
	exponent int64
}

func decimalOf(number json.Number) decimal {
	mantissa, power, _ := strings.Cut(strings.ToLower(string(number)), "e")
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	exponent, _ := strconv.ParseInt(power, 10, 32) // out of range, it is the nearest: as far from any int64
	digits := strings.TrimRight(whole+fraction, "0")
	exponent += int64(len(whole) - len(digits))
	if digits = strings.TrimLeft(digits, "0"); digits == "" {
		exponent = 0
	}
	return decimal{negative, digits, exponent}
}

// int64 is the value if it is whole and in range.
func (d decimal) int64() (whole int64, fits bool) {
	if d.exponent < 0 || int64(len(d.digits))+d.exponent > 19 {
		return 0, false
	}
	text := "0" + d.digits + strings.Repeat("0", int(d.exponent))
	if d.negative {
		text = "-" + text
	}
	whole, err := strconv.ParseInt(text, 10, 64)
	return whole, err == nil
}

func (c *checker) list(s *huma.Schema, list []any) any {
	switch {
	case s.MaxItems != nil && len(list) > *s.MaxItems:
		c.bad("too_long", "List should have at most %s after validation, not %d", count(*s.MaxItems, "item"), len(list))
		return nil
	case s.MinItems != nil && len(list) < *s.MinItems:
		c.bad("too_short", "List should have at least %s after validation, not %d", count(*s.MinItems, "item"), len(list))
		return nil
	}
	out := make([]any, len(list))
	for i, item := range list {
		c.below(i, func() { out[i] = c.value(s.Items, item) })
	}
	return out
}

func (c *checker) object(s *huma.Schema, object map[string]any) any {
	out := make(map[string]any, len(object))
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		c.below(name, func() {
			if v, ok := object[name]; ok {
				out[name] = c.value(s.Properties[name], v)
			} else if slices.Contains(s.Required, name) {
				c.bad("missing", "Field required")
			} else if standard := s.Properties[name].Default; standard != nil {
				out[name] = standard
			}
		})
	}
	more, _ := s.AdditionalProperties.(*huma.Schema)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if s.Properties[name] != nil {
			continue
		}
		if why := unfit("key", name); why != "" {
			c.bad("value_error", "Value error, %s", why)
			continue
		}
		c.below(name, func() {
			switch {
			case more != nil:
				out[name] = c.value(more, object[name])
			case s.AdditionalProperties == true:
				out[name] = object[name]
			default:
				c.bad("extra_forbidden", "Extra inputs are not permitted")
			}
		})
	}
	if s.MinProperties != nil && len(object) < *s.MinProperties {
		c.bad("too_short", "Dictionary should have at least %s after validation, not %d", count(*s.MinProperties, "item"), len(object))
	}
	if s.MaxProperties != nil && len(object) > *s.MaxProperties {
		c.bad("too_long", "Dictionary should have at most %s after validation, not %d", count(*s.MaxProperties, "item"), len(object))
	}
	return out
}

func article(word string) string {
	if word == "integer" {
		return "an"
	}
	return "a"
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return strconv.Itoa(n) + " " + of + "s"
}

// alternatives are written as pydantic does: 'a', 'b' or 'c'.
func alternatives(values []any) string {
	var words []string
	for _, v := range values {
		if v != nil { // Fides does not tell of it
			words = append(words, fmt.Sprintf("'%v'", v))
		}
	}
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
