package fides

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/nyaruka/phonenumbers"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// identity is what a caller knows of a data subject: a value by kind, or null.
// Other kinds than Fides' own are given as {label, value}, or plainly.
type identity map[string]any

// Kinds of identity that have a form.
const (
	kindEmail  = "email"
	kindPhone  = "phone_number"
	kindDevice = "fides_user_device_id"
)

// Schema implements [huma.SchemaProvider].
func (identity) Schema(huma.Registry) *huma.Schema {
	most := 1000
	plain := func(doc string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, Nullable: true, MaxLength: &most, Description: doc}
	}
	value := []*huma.Schema{{Type: huma.TypeString, MaxLength: &most}, {Type: huma.TypeInteger}}
	values := append(slices.Clone(value), &huma.Schema{Type: huma.TypeArray, MaxItems: &most, Items: &huma.Schema{AnyOf: value}})
	labeled := &huma.Schema{
		Type: huma.TypeObject, Required: []string{"value"}, AdditionalProperties: false,
		Properties: map[string]*huma.Schema{"label": plain(""), "value": {AnyOf: values}},
	}
	return &huma.Schema{
		Type: huma.TypeObject, MaxProperties: &most,
		Properties: map[string]*huma.Schema{
			kindEmail: plain("An e-mail address."), kindPhone: plain("A telephone number with its country, as people write it: it is brought into the form of E.164."),
			"ga_client_id": plain(""), "ljt_readerID": plain(""), kindDevice: plain("A UUID of version 4."), "external_id": plain(""),
		},
		AdditionalProperties: &huma.Schema{AnyOf: append([]*huma.Schema{labeled, {Type: "null"}}, values...)},
	}
}

// IdentityKinds returns those of [graph.DefaultIdentityKinds], and
// fides_user_device_id, for Config.Identities, with the rules for what hooks add
// that the API has for what it is sent: e-mail addresses have to be some, telephone
// numbers are brought into the form of E.164, and a fides_user_device_id has to be a
// UUID of version 4.
func IdentityKinds() []graph.IdentityKind {
	kinds := graph.DefaultIdentityKinds()
	for i := range kinds {
		switch kinds[i].Name {
		case kindEmail:
			kinds[i].Normal = func(v string) (string, error) {
				if !isEmail(v) {
					return "", errors.New(notEmail)
				}
				return v, nil
			}
		case kindPhone:
			kinds[i].Normal = func(v string) (string, error) {
				number, wrong := e164(v)
				if wrong != "" {
					return "", errors.New(wrong)
				}
				return number, nil
			}
		}
	}
	return append(kinds, graph.IdentityKind{Name: kindDevice, Normal: func(v string) (string, error) {
		if wrong := notDevice(v); wrong != "" {
			return "", errors.New(wrong)
		}
		return v, nil
	}})
}

// notDevice says why a text is no UUID of version 4, in one of its forms; empty
// if it is one.
func notDevice(v string) string {
	id, err := uuid.Parse(v)
	switch {
	case err != nil || uuid.Validate(v) != nil: // which Parse does not tell of braces
		return "badly formed hexadecimal UUID string"
	case id.Version() != 4 || id.Variant() != uuid.RFC4122:
		return "UUID version 4 expected"
	}
	return ""
}

func isEmail(v string) bool {
	a, err := mail.ParseAddress(v)
	return err == nil && a.Address == v
}

const notEmail = "value is not a valid email address"

// check refuses values that are none of their kind.
func (i identity) check(loc ...any) (faults []fault) {
	for _, v := range values(i[kindEmail]) {
		if v != "" && !isEmail(v) {
			faults = append(faults, fault{"value_error", append(slices.Clone(loc), kindEmail), notEmail})
		}
	}
	for _, v := range values(i[kindPhone]) {
		if _, wrong := e164(v); v != "" && wrong != "" {
			faults = append(faults, valueFault(wrong, append(slices.Clone(loc), kindPhone)...))
		}
	}
	for _, v := range values(i[kindDevice]) {
		if wrong := notDevice(v); v != "" && wrong != "" {
			faults = append(faults, valueFault(wrong, append(slices.Clone(loc), kindDevice)...))
		}
	}
	return faults
}

// derived is check of what a hook adds, which has no empty values.
func (i identity) derived(loc ...any) (faults []fault) {
	if wrong := crowded([]identity{i}, loc...); wrong != nil {
		return []fault{*wrong}
	}
	for _, kind := range i.kinds() {
		if slices.ContainsFunc(values(i[kind]), func(v string) bool { return strings.TrimSpace(v) == "" }) {
			return []fault{valueFault("An identity must not be empty", loc...)}
		}
	}
	return i.check(loc...)
}

// kinds are sorted.
func (i identity) kinds() []string { return slices.Sorted(maps.Keys(i)) }

// maxIdentities is how many values the engine takes of one request.
const maxIdentities = 1000

// crowded is the fault of more values than the engine takes, each counted as often
// as it was sent: they are counted before anything is done with them.
func crowded(sent []identity, loc ...any) *fault {
	count := 0
	for _, one := range sent {
		for _, v := range one {
			count += len(values(v))
		}
	}
	if count <= maxIdentities {
		return nil
	}
	wrong := valueFault(fmt.Sprintf("There can be %d identities at most, those that are given again counted", maxIdentities), loc...)
	return &wrong
}

// joined are the values of all, by kind, each once.
func joined(sent ...identity) dsr.Identities {
	type one struct{ kind, value string }
	ids, had := dsr.Identities{}, map[one]bool{}
	for _, i := range sent {
		for _, kind := range i.kinds() {
			for _, v := range values(i[kind]) {
				v = normal(kind, v)
				if v == "" || had[one{kind, v}] {
					continue
				}
				had[one{kind, v}] = true
				ids[kind] = append(ids[kind], v)
			}
		}
	}
	return ids
}

// normal is the form in which a value of a kind is kept and looked for.
func normal(kind, v string) string {
	if kind == kindPhone {
		if number, wrong := e164(v); wrong == "" {
			return number
		}
	}
	return v
}

// ownKinds are the kinds of identity that Fides has. Requests have them whatever
// datasets there are.
func ownKinds() []string {
	return []string{kindEmail, kindPhone, "external_id", "ga_client_id", "ljt_readerID", kindDevice}
}

// formsOf are the forms in which a value of a kind may have been kept: as it is,
// and for telephone numbers that of E.164, also where the plus sign is lost, which
// a query makes a space.
func formsOf(kind, v string) []string {
	forms := []string{v}
	if kind != kindPhone {
		return forms
	}
	for _, way := range []string{v, "+" + strings.TrimSpace(v)} {
		if number, wrong := e164(way); wrong == "" && !slices.Contains(forms, number) {
			forms = append(forms, number)
		}
	}
	return forms
}

// e164 reads a telephone number as people write it, or says what is wrong. One
// with an extension is somebody else's without it. What it gives is read as the
// same number again, so that what was kept is found: of a number that no country
// has, reading may take a prefix away more than once.
func e164(v string) (number, wrong string) {
	for range maxPrefixes {
		read, err := phonenumbers.Parse(v, "ZZ")
		switch {
		case err != nil:
			return "", notE164
		case read.GetExtension() != "":
			return "", "Phone number must have no extension: E.164 knows none"
		}
		written := phonenumbers.Format(read, phonenumbers.E164)
		if written == v {
			return v, ""
		}
		v = written
	}
	return "", notE164
}

const notE164 = "Phone number must be formatted in E.164 format"

// maxPrefixes is how often a number is read: numbers have at most 17 digits.
const maxPrefixes = 20

// values are those of one kind, in any of the forms that the schema takes.
func values(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case json.Number:
		return []string{v.String()}
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, values(item)...)
		}
		return all
	case map[string]any:
		return values(v["value"])
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler] and keeps numbers as they are
// written.
func (i *identity) UnmarshalJSON(text []byte) error {
	return unmarshalNumbers(text, (*map[string]any)(i))
}
