package page

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// object is an example of one, with its members in order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements [json.Marshaler].
func (o object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for n, m := range o {
		if n > 0 {
			out.WriteByte(',')
		}
		out.Write(encode(m.name, ""))
		out.WriteByte(':')
		out.Write(encode(m.value, ""))
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func encode(v any, indent string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(v); err != nil {
		return []byte("null")
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

func pretty(v any) string { return string(encode(v, "  ")) }

// example is a value that a schema allows: of objects all members, or those
// that are required. A pattern it does not try to meet.
func (r *renderer) example(s *huma.Schema, all bool, inside []string) any {
	s, ref := r.deref(s)
	if ref != "" {
		inside = append(slices.Clip(inside), ref)
	}
	if s.Examples != nil {
		return s.Examples[0]
	}
	if s.Default != nil {
		return s.Default
	}
	if len(s.Enum) > 0 {
		return s.Enum[0]
	}
	if others, _ := r.alternatives(s); len(others) > 0 {
		for _, other := range others {
			if _, again := r.deref(other); !slices.Contains(inside, again) {
				return r.example(other, all, inside)
			}
		}
		return nil
	}
	switch s.Type {
	case huma.TypeObject:
		return r.exampleObject(s, all, inside)
	case huma.TypeArray:
		if _, again := r.deref(s.Items); s.Items == nil || again != "" && slices.Contains(inside, again) || len(inside) > maxDepth {
			return []any{}
		}
		return []any{r.example(s.Items, all, inside)}
	case huma.TypeString:
		return exampleText(s)
	case huma.TypeBoolean:
		return true
	case huma.TypeInteger, huma.TypeNumber:
		return exampleNumber(s)
	}
	return nil
}

func (r *renderer) exampleObject(s *huma.Schema, all bool, inside []string) object {
	shown := object{}
	for _, name := range memberNames(s) {
		required := slices.Contains(s.Required, name)
		child := s.Properties[name]
		if !all && !required {
			continue
		}
		if _, ref := r.deref(child); ref != "" && slices.Contains(inside, ref) || len(inside) > maxDepth {
			if required {
				shown = append(shown, member{name, nil})
			}
			continue
		}
		shown = append(shown, member{name, r.example(child, all, inside)})
	}
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok && len(shown) == 0 && all && len(inside) <= maxDepth {
		if _, ref := r.deref(values); ref == "" || !slices.Contains(inside, ref) {
			shown = append(shown, member{"name", r.example(values, all, inside)})
		}
	}
	return shown
}

func exampleText(s *huma.Schema) string {
	known := map[string]string{
		"date-time": "2026-01-31T12:00:00Z", "date": "2026-01-31", "time": "12:00:00", "email": "someone@example.com",
		"uri": "https://example.com", "url": "https://example.com", "uuid": "6d9f1d4e-6b0c-4c6e-8f57-3b1f1f0b8a10",
	}
	text := known[s.Format]
	if text == "" {
		text = "string"
	}
	if s.MinLength != nil && len(text) < *s.MinLength {
		text += strings.Repeat("x", *s.MinLength-len(text))
	}
	if s.MaxLength != nil && len(text) > *s.MaxLength {
		text = text[:*s.MaxLength]
	}
	return text
}

func exampleNumber(s *huma.Schema) float64 {
	n := 1.0
	if s.MultipleOf != nil {
		n = *s.MultipleOf
	}
	if s.Minimum != nil {
		n = math.Max(n, *s.Minimum)
	}
	if s.Maximum != nil {
		n = math.Min(n, *s.Maximum)
	}
	return n
}
