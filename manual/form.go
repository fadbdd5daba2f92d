package manual

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Action is what a form is filled in for.
type Action string

// The actions. For access people upload data; for erasure they confirm, field
// by field, that they erased it.
const (
	Access  Action = "access"
	Erasure Action = "erasure"
)

// FieldType is what a field takes for an access request.
type FieldType string

// The types of fields: text, and the IDs of uploaded files.
const (
	String FieldType = "string"
	File   FieldType = "file"
)

// MaxName is how long the names and labels of fields may be, in characters.
const MaxName = 200

// Form is what people are asked for, by one system that is searched by hand.
// [NewForm] checks and completes it.
type Form struct {
	// Key names the form in a data package. Letters of ASCII, digits and
	// . _ < > - are allowed. Defaults to the name in snake_case.
	Key string `json:"key"`
	// Name is shown to people.
	Name string `json:"name,omitempty"`
	// System is the name of the system that is searched.
	System string `json:"system_name,omitempty"`
	// Actions are those that the form is filled in for. Defaults to both.
	Actions []Action `json:"enabled_actions,omitempty"`
	// Fields are at least one.
	Fields []Field `json:"fields"`
	// Disabled forms are asked of nobody.
	Disabled bool `json:"disabled,omitempty"`
}

// Field is one thing that a form asks for.
type Field struct {
	// PIIField is what people are asked for, such as "Phone Number": 1 to
	// [MaxName] characters, unique in the form.
	PIIField string `json:"pii_field"`
	// Label is the key of the field in uploads and in the data package: up
	// to [MaxName] characters, unique in the form. Defaults to the PIIField
	// in snake_case, such as "phone_number".
	Label string `json:"dsr_package_label"`
	// DataCategories tell what the field holds; nothing is selected by them.
	DataCategories []string `json:"data_categories,omitempty"`
	// Types defaults to [String].
	Types []FieldType `json:"types"`
}

// Takes reports whether the field takes values of the type.
func (f *Field) Takes(t FieldType) bool {
	return slices.Contains(f.Types, t) || len(f.Types) == 0 && t == String
}

// NewForm returns a copy of the form, trimmed and completed. What is wrong
// comes all at once, as a [*FaultError].
func NewForm(f Form) (*Form, error) {
	var found faults
	f.Key, f.Name, f.System = strings.TrimSpace(f.Key), strings.TrimSpace(f.Name), strings.TrimSpace(f.System)
	if f.Key == "" {
		f.Key = snakeCase(f.Name)
	}
	switch {
	case f.Key == "":
		found.add("missing", "Field required: give a key, or a name to make it from", "key")
	case !isKey(f.Key):
		found.add("value_error", "Keys consist of the letters a to z and A to Z, digits and . _ < > -", "key")
	}
	f.Actions = slices.Clone(f.Actions)
	for i, a := range f.Actions {
		if a != Access && a != Erasure {
			found.add("enum", "Input should be 'access' or 'erasure'", "enabled_actions", i)
		}
	}
	slices.Sort(f.Actions)
	f.Actions = slices.Compact(f.Actions)

	if len(f.Fields) == 0 {
		found.add("too_short", "List should have at least 1 item after validation, not 0", "fields")
	}
	f.Fields = slices.Clone(f.Fields)
	names, labels := make(map[string]bool), make(map[string]bool)
	var sameName, sameLabel bool
	for i := range f.Fields {
		field := &f.Fields[i]
		field.complete(i, &found)
		sameName = sameName || names[field.PIIField]
		sameLabel = sameLabel || field.Label != "" && labels[field.Label]
		names[field.PIIField], labels[field.Label] = true, true
	}
	if sameName {
		found.notUnique("pii_fields must be unique", "fields")
	}
	if sameLabel {
		found.notUnique("dsr_package_labels must be unique", "fields")
	}
	if err := found.err(); err != nil {
		return nil, err
	}
	return &f, nil
}

// complete trims, completes and checks the i-th field of a form.
func (f *Field) complete(i int, found *faults) {
	f.PIIField, f.Label = strings.TrimSpace(f.PIIField), strings.TrimSpace(f.Label)
	named := checkLength(found, f.PIIField, "fields", i, "pii_field")
	if f.Label == "" && named {
		f.Label = snakeCase(f.PIIField)
	}
	if f.Label != "" || named {
		checkLength(found, f.Label, "fields", i, "dsr_package_label")
	}
	f.DataCategories = slices.Clone(f.DataCategories)
	for j, category := range f.DataCategories {
		if !isKey(category) {
			found.add("value_error", "Data categories consist of the letters a to z and A to Z, digits and . _ < > -", "fields", i, "data_categories", j)
		}
	}
	f.Types = slices.Clone(f.Types)
	for j, t := range f.Types {
		if t != String && t != File {
			found.add("literal_error", "Input should be 'string' or 'file'", "fields", i, "types", j)
		}
	}
	slices.SortFunc(f.Types, func(a, b FieldType) int { return -strings.Compare(string(a), string(b)) })
	f.Types = slices.Compact(f.Types)
	if len(f.Types) == 0 {
		f.Types = []FieldType{String}
	}
}

// checkLength reports whether the text has 1 to [MaxName] characters.
func checkLength(found *faults, s string, loc ...any) bool {
	switch {
	case s == "":
		found.add("string_too_short", "String should have at least 1 character", loc...)
	case !utf8.ValidString(s):
		found.add("string_unicode", "Input should be a valid string, in UTF-8", loc...)
	case utf8.RuneCountInString(s) > MaxName:
		found.add("string_too_long", "String should have at most 200 characters", loc...)
	default:
		return true
	}
	return false
}

// Asks reports whether people are asked to fill in the form for the action.
func (f *Form) Asks(a Action) bool { return !f.Disabled && f.Takes(a) }

// Takes reports whether the form is for the action, also while it is disabled.
func (f *Form) Takes(a Action) bool {
	return slices.Contains(f.Actions, a) || len(f.Actions) == 0 && (a == Access || a == Erasure)
}

// Labels returns what the form asks for, in its order. For erasure, fields that
// take nothing but files are not asked for.
func (f *Form) Labels(a Action) []string {
	labels := make([]string, 0, len(f.Fields))
	for i := range f.Fields {
		if f.Fields[i].asked(a) {
			labels = append(labels, f.Fields[i].Label)
		}
	}
	return labels
}

func (f *Field) asked(a Action) bool { return a != Erasure || f.Takes(String) }

func (f *Form) field(a Action, label string) (*Field, bool) {
	i := slices.IndexFunc(f.Fields, func(field Field) bool { return field.Label == label })
	if i < 0 || !f.Fields[i].asked(a) {
		return nil, false
	}
	return &f.Fields[i], true
}

// keys is the form of Fides' keys.
var keys = regexp.MustCompile(`^[a-zA-Z0-9_.<>-]+$`)

func isKey(s string) bool { return keys.MatchString(s) }

// snakeCase makes a label of a name as Fides does: in lower case, without
// punctuation, each run of blanks and dashes one underscore. Unlike there,
// letters that are not of ASCII stay as they are.
func snakeCase(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(strings.TrimSpace(s)) {
		switch {
		case unicode.IsSpace(r) || r == '-':
			gap = true
		case r == '_' || unicode.In(r, unicode.L, unicode.M, unicode.N):
			if gap {
				b.WriteByte('_')
			}
			gap = false
			b.WriteRune(r)
		}
	}
	if gap {
		b.WriteByte('_')
	}
	return b.String()
}
