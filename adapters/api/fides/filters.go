package fides

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/godsr/dsr"
)

// notBlank is the pattern of a filter's text. Texts of nothing but white space do
// not match it.
const notBlank = `\S`

// freeText reports whether a value is a text that may say anything, also nothing.
func freeText(s *huma.Schema) bool {
	return s.Type == huma.TypeString && s.Format == "" && s.Pattern == "" && len(s.Enum) == 0 && s.MinLength == nil
}

// TransformSchema implements [huma.SchemaTransformer]: no text may be blank, also
// in a body, as none in a query may be, see [Door.refuseBlank].
func (filters) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	for _, property := range s.Properties {
		if freeText(property) {
			property.Pattern = notBlank
		}
	}
	return s
}

// oneOrMore is a value, or a list of them, as Fides takes them.
type oneOrMore[T ~string] []T

// Schema implements [huma.SchemaProvider].
func (oneOrMore[T]) Schema(r huma.Registry) *huma.Schema {
	least, most := 1, 50
	one := r.Schema(reflect.TypeFor[T](), true, "")
	return &huma.Schema{AnyOf: []*huma.Schema{one, {Type: huma.TypeArray, MinItems: &least, MaxItems: &most, Items: one}, {Type: "null"}}}
}

// UnmarshalJSON implements [json.Unmarshaler].
func (o *oneOrMore[T]) UnmarshalJSON(text []byte) error {
	if !bytes.HasPrefix(text, []byte(`"`)) {
		return json.Unmarshal(text, (*[]T)(o))
	}
	*o = make([]T, 1)
	return json.Unmarshal(text, &(*o)[0])
}

// identityFilter are values of identities to look for, by kind.
type identityFilter map[string]any

// Schema implements [huma.SchemaProvider].
func (identityFilter) Schema(huma.Registry) *huma.Schema {
	least, kinds, most := 1, 100, 1000
	return &huma.Schema{
		Type: huma.TypeObject, MinProperties: &least, MaxProperties: &kinds,
		AdditionalProperties: &huma.Schema{AnyOf: []*huma.Schema{{Type: huma.TypeInteger}, {Type: huma.TypeString, Pattern: notBlank, MaxLength: &most}}},
	}
}

// UnmarshalJSON implements [json.Unmarshaler] and keeps numbers as they are
// written.
func (i *identityFilter) UnmarshalJSON(text []byte) error {
	return unmarshalNumbers(text, (*map[string]any)(i))
}

// fieldFilter are values of custom fields to look for, by key.
type fieldFilter map[string]fieldValue

// Schema implements [huma.SchemaProvider].
func (fieldFilter) Schema(huma.Registry) *huma.Schema {
	least, most := 1, maxFields
	return &huma.Schema{Type: huma.TypeObject, MinProperties: &least, MaxProperties: &most, AdditionalProperties: fieldSchema(notBlank, &least)}
}

// status is one of Fides' statuses.
type status string

// TransformSchema implements [huma.SchemaTransformer].
func (status) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	for _, one := range []dsr.Status{
		dsr.StatusUnverified, dsr.StatusRequiresInput, dsr.StatusPending, dsr.StatusApproved, dsr.StatusDenied, dsr.StatusInProcessing,
		dsr.StatusComplete, dsr.StatusPaused, dsr.StatusAwaitingEmail, dsr.StatusRequiresFinalization, dsr.StatusPendingExternal,
		dsr.StatusCanceled, dsr.StatusError, dsr.StatusDuplicate, dsr.StatusAwaitingPreApproval, dsr.StatusNotEligible,
	} {
		s.Enum = append(s.Enum, string(one))
	}
	return s
}

// action is one of Fides' actions.
type action string

// TransformSchema implements [huma.SchemaTransformer].
func (action) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Enum = []any{"access", "consent", "erasure", "update"}
	return s
}
