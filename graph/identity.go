package graph

import "strings"

// AnyIdentity in the place of a kind lets a field be seeded with identities of
// whatever kinds a request brings: of somebody who is asked about a person, in
// the first place.
const AnyIdentity = "*"

// IdentityKind says how values of one kind of identity are compared with what
// databases hold.
type IdentityKind struct {
	// Name is what datasets write as a field's identity.
	Name string
	// FoldCase finds a value however its letters are cased.
	FoldCase bool
	// Forms returns every way in which a value may be stored; all of them
	// are asked for. Defaults to the value as it was given.
	Forms func(value string) []string
	// Normal brings a value that a hook adds to a request into the form in
	// which the host submits values of the kind, or says what is wrong with
	// it, without quoting it. Defaults to the value as it was given.
	Normal func(value string) (string, error)
}

// DefaultIdentityKinds returns the kinds that need more than a comparison of
// bytes: "email", without regard to case, and "phone_number", as given, as
// E.164 digits with and without the plus sign.
func DefaultIdentityKinds() []IdentityKind {
	return []IdentityKind{
		{Name: "email", FoldCase: true, Forms: func(v string) []string { return []string{strings.TrimSpace(v)} }},
		{Name: "phone_number", Forms: phoneForms},
	}
}

// phoneForms drops the separators that people write into a number.
func phoneForms(v string) []string {
	v = strings.TrimSpace(v)
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, v)
	if digits == "" || !strings.HasPrefix(v, "+") {
		return []string{v}
	}
	forms := []string{v}
	for _, f := range []string{"+" + digits, digits} {
		if f != v {
			forms = append(forms, f)
		}
	}
	return forms
}
