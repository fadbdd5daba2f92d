package fides

import (
	"reflect"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"github.com/godsr/dsr"
)

// identityView are identities as Fides shows them, by kind: its own kinds
// always, others where there is a value.
type identityView map[string]identityValue

// identityValue is what is known of one kind, and what that is called.
type identityValue struct {
	Label string `json:"label"`
	Value any    `json:"value"` // a text, a list of several, or null
}

// Schema implements [huma.SchemaProvider].
func (identityView) Schema(r huma.Registry) *huma.Schema {
	one := r.Schema(reflect.TypeFor[identityValue](), true, "")
	s := &huma.Schema{Type: huma.TypeObject, Required: ownKinds(), Properties: map[string]*huma.Schema{}, AdditionalProperties: one}
	for _, kind := range ownKinds() {
		s.Properties[kind] = one
	}
	return s
}

// TransformSchema implements [huma.SchemaTransformer].
func (identityValue) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	text := &huma.Schema{Type: huma.TypeString}
	s.Properties["value"] = &huma.Schema{
		AnyOf:       []*huma.Schema{text, {Type: huma.TypeArray, Items: text}, {Type: "null"}},
		Description: "Null where nothing is known, a list where several values are.",
	}
	return s
}

// ownLabels are what Fides calls its own kinds of identity.
func ownLabels() map[string]string {
	return map[string]string{
		kindEmail: "Email", kindPhone: "Phone number", "external_id": "External ID", "ga_client_id": "GA client ID",
		"ljt_readerID": "LJT reader ID", "fides_user_device_id": "Fides user device ID",
	}
}

// viewIdentities shows what is known of a data subject, with the labels that
// the submission was kept with.
func viewIdentities(ids dsr.Identities, kept dsr.Labels) identityView {
	v := identityView{}
	for kind, label := range ownLabels() {
		v[kind] = identityValue{Label: label}
	}
	for kind, list := range ids {
		one, own := v[kind]
		if label := kept[labelIdentity+kind]; !own && label != "" {
			one.Label = label
		} else if !own {
			one.Label = kind
		}
		switch len(list) {
		case 0:
		case 1:
			one.Value = list[0]
		default:
			one.Value = list
		}
		v[kind] = one
	}
	return v
}

// Bounds of what the engine keeps as labels. What is beyond them is shown with
// its kind for a label.
const (
	maxIdentityLabels = 18 // of the engine's 20, beside those of this door
	maxLabelKey       = 100
	maxLabel          = 1000
)

// identityLabels are what the submission calls identities of other kinds than
// Fides' own, as they are kept.
func (n *newRequest) identityLabels() dsr.Labels {
	own, labels := ownLabels(), dsr.Labels{}
	for _, one := range n.given() {
		for _, kind := range one.kinds() {
			labeled, _ := one[kind].(map[string]any)
			label, _ := labeled["label"].(string)
			key := labelIdentity + kind
			keeps := len(key) <= maxLabelKey && len(label) <= maxLabel && !strings.ContainsFunc(kind, func(r rune) bool { return !unicode.IsPrint(r) })
			if own[kind] == "" && label != "" && keeps && labels[key] == "" && len(labels) < maxIdentityLabels {
				labels[key] = label
			}
		}
	}
	return labels
}
