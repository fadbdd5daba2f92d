package fides

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/godsr/dsr"
)

// customField is a custom field of a form, as it is sent and shown.
type customField struct {
	Label string     `json:"label" maxLength:"1000" doc:"What the form calls it."`
	Value fieldValue `json:"value"`
}

// fieldValue is a text, a whole number, or a list of those.
type fieldValue struct{ of any }

const (
	maxFields      = 100  // of one request, or in one filter
	maxFieldValues = 1000 // in one list
)

// Schema implements [huma.SchemaProvider].
func (fieldValue) Schema(huma.Registry) *huma.Schema { return fieldSchema("", nil) }

// fieldSchema is that of a value whose texts match a pattern and whose lists are
// as long at least.
func fieldSchema(pattern string, least *int) *huma.Schema {
	most := maxFieldValues
	one := []*huma.Schema{{Type: huma.TypeInteger, Format: "int64"}, {Type: huma.TypeString, Pattern: pattern}}
	list := &huma.Schema{Type: huma.TypeArray, MinItems: least, MaxItems: &most, Items: &huma.Schema{AnyOf: one}}
	return &huma.Schema{AnyOf: append(slices.Clone(one), list)}
}

// MarshalJSON implements [json.Marshaler].
func (v fieldValue) MarshalJSON() ([]byte, error) { return json.Marshal(v.of) }

// UnmarshalJSON implements [json.Unmarshaler], and keeps numbers as they are
// written.
func (v *fieldValue) UnmarshalJSON(text []byte) error { return unmarshalNumbers(text, &v.of) }

// texts are the values one by one, as they are searched for and put into cells.
func (v fieldValue) texts() []string { return fieldTexts(v.of) }

func fieldTexts(of any) (texts []string) {
	switch of := of.(type) {
	case string:
		return []string{of}
	case int64:
		return []string{strconv.FormatInt(of, 10)}
	case json.Number:
		return []string{of.String()}
	case []any:
		for _, one := range of {
			texts = append(texts, fieldTexts(one)...)
		}
	}
	return texts
}

// customFields are those of a request, by key.
type customFields map[string]customField

// Schema implements [huma.SchemaProvider].
func (customFields) Schema(r huma.Registry) *huma.Schema {
	most := maxFields
	return &huma.Schema{Type: huma.TypeObject, MaxProperties: &most, AdditionalProperties: r.Schema(reflect.TypeFor[customField](), true, "")}
}

// fields are they for the engine.
func (c customFields) fields() dsr.Fields {
	if len(c) == 0 {
		return nil
	}
	fields := dsr.Fields{}
	for key, f := range c {
		fields[key] = dsr.Field{Label: f.Label, Value: f.Value.of}
	}
	return fields
}

// viewFields shows what the engine kept.
func viewFields(fields dsr.Fields) customFields {
	shown := customFields{}
	for key, f := range fields {
		shown[key] = customField{f.Label, fieldValue{f.Value}}
	}
	return shown
}
