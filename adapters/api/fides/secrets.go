package fides

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/godsr/dsr"
)

// withheld stands for a reason that may hold a secret which cannot be masked.
const withheld = "The reason is withheld: it could show a secret. The log of what this leads to says more."

// withheldRefusal is that of secrets that are refused, which lead to nothing.
const withheldRefusal = "The reason is withheld: it could show a secret. Nothing was stored."

// shortSecret is how many characters a secret has at least that is masked.
const shortSecret = 8

// maskIn masks sensitive values in a text. One that ordinary words may hold by
// chance would be told by where the mask is: then the whole text is withheld. So
// it is where a value is in it as errors of URLs, for one, quote it.
func maskIn(text string, fields []dsr.SecretField, secrets dsr.Secrets) string {
	var found []string
	for _, f := range fields {
		value := secrets[f.Name]
		if !f.Sensitive || value == "" {
			continue
		}
		if slices.ContainsFunc(escaped(value), func(form string) bool { return form != value && strings.Contains(text, form) }) {
			return withheld
		}
		if !strings.Contains(text, value) {
			continue
		}
		if byChance(value, fields, secrets) {
			return withheld
		}
		found = append(found, value)
	}
	slices.SortFunc(found, func(a, b string) int { return len(b) - len(a) }) // one may be a part of another
	for _, value := range found {
		text = strings.ReplaceAll(text, value, masked)
	}
	return text
}

// longSecrets are those that no text holds by chance.
func longSecrets(secrets dsr.Secrets) dsr.Secrets {
	long := maps.Clone(secrets)
	maps.DeleteFunc(long, func(_, value string) bool { return utf8.RuneCountInString(value) < shortSecret })
	return long
}

// escaped are the forms in which a value is quoted: as Go and JSON do, and in the
// parts of a URL.
func escaped(value string) []string {
	inner := func(quoted string) string { return quoted[1 : len(quoted)-1] }
	forms := []string{
		inner(strconv.Quote(value)), inner(strconv.QuoteToASCII(value)), url.QueryEscape(value), url.PathEscape(value),
		strings.TrimPrefix(url.UserPassword("", value).String(), ":"),
	}
	for _, html := range []bool{true, false} {
		var text strings.Builder
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(html)
		if e.Encode(value) == nil { // a text always can be
			forms = append(forms, inner(strings.TrimSuffix(text.String(), "\n")))
		}
	}
	for _, form := range slices.Clone(forms) { // %q of an address
		forms = append(forms, inner(strconv.Quote(form)))
	}
	return forms
}

// byChance reports whether a text may hold a secret without quoting it: a short
// one, words, and what other settings, which are shown, hold as well.
func byChance(secret string, fields []dsr.SecretField, secrets dsr.Secrets) bool {
	words := strings.IndexFunc(secret, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsSpace(r) }) < 0
	return words || utf8.RuneCountInString(secret) < shortSecret || slices.ContainsFunc(fields, func(f dsr.SecretField) bool {
		return !f.Sensitive && strings.Contains(secrets[f.Name], secret)
	})
}
