package graph

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// labelsCSV lists key and label in each language. Keys that have a successor
// are left out: they are called what it is called.
//
//go:embed labels.csv
var labelsCSV string

// english is the language of last resort.
const english = "en"

// labels are what categories are called, by language in lower case.
type labels map[string]map[Category]string

var builtInLabels = sync.OnceValue(func() labels {
	head, rows, _ := strings.Cut(labelsCSV, "\n")
	languages := strings.Split(head, ",")[1:]
	all := labels{}
	for _, language := range languages {
		all[language] = map[Category]string{}
	}
	for row := range strings.Lines(rows) {
		column := strings.Split(strings.TrimSpace(row), ",")
		for i, language := range languages {
			all[language][Category(column[0])] = column[i+1]
		}
	}
	return all
})

// Label says what a category is as a data subject would say it: "E-mail
// address" for user.contact.email. The locale is a language by BCP 47, such as
// "de" or "pt-BR"; "de-AT" is "de" where nothing else is known, and a language
// without a label is English, which is also the default. A legacy category
// without a label is called what its successor is called. What has no label
// anywhere is named by its last segment.
//
// The labels of Fideslang's categories are there in English, German, French and
// Spanish; [Taxonomy.WithLabels] adds others.
func (t *Taxonomy) Label(c Category, locale string) string {
	last := c
	for _, language := range languages(locale) {
		for last = c; ; {
			if label, ok := t.labels[language][last]; ok {
				return label
			}
			next, ok := t.ReplacedBy(last)
			if !ok {
				break
			}
			last = next
		}
	}
	return humanise(last)
}

// languages are those in which a label is looked for, in order.
func languages(locale string) []string {
	var all []string
	for tag := strings.ToLower(locale); tag != ""; {
		all = append(all, tag)
		tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)]
	}
	return append(all, english)
}

// humanise makes words of the last segment of a key.
func humanise(c Category) string {
	s := string(c)
	s = strings.TrimSpace(strings.NewReplacer("_", " ", "-", " ", "<", "", ">", "").Replace(s[strings.LastIndexByte(s, '.')+1:]))
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return string(c)
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// maxLabel is the longest label in characters: it heads a column.
const maxLabel = 100

// WithLabels returns a taxonomy in which categories are called otherwise in one
// language: a host's own categories, a host's own words, or a language that is
// not built in. The categories must be in the taxonomy; a label has at most 100
// characters on one line. The error is a [*FaultError] that names every
// category at fault.
func (t *Taxonomy) WithLabels(locale string, words map[Category]string) (*Taxonomy, error) {
	var diags Diagnostics
	fault := func(subject, message string) {
		diags = append(diags, Diagnostic{Severity: Error, Subject: subject, Message: message})
	}
	if !ValidLanguage(locale) {
		fault("locale", "not a language by BCP 47, such as de or pt-BR")
	}
	language := strings.ToLower(locale)
	merged := &Taxonomy{replacedBy: t.replacedBy, labels: maps.Clone(t.labels)}
	if merged.labels == nil {
		merged.labels = labels{}
	}
	own := maps.Clone(t.labels[language])
	if own == nil {
		own = map[Category]string{}
	}
	for _, c := range slices.Sorted(maps.Keys(words)) {
		label := strings.TrimSpace(words[c])
		switch {
		case !t.Has(c):
			fault(string(c), "not a data category of this taxonomy: add it with Taxonomy.With before its label")
		case label == "":
			fault(string(c), "the label is blank")
		case !utf8.ValidString(label) || strings.ContainsFunc(label, unicode.IsControl):
			fault(string(c), "the label is not one line of valid UTF-8 text")
		case utf8.RuneCountInString(label) > maxLabel:
			fault(string(c), "the label has more than 100 characters")
		}
		own[c] = label
	}
	if err := diags.Err(); err != nil {
		return nil, err
	}
	merged.labels[language] = own
	return merged, nil
}

// ValidLanguage reports whether the text has the form of a language by BCP 47,
// such as "de" or "pt-BR".
func ValidLanguage(s string) bool {
	for i, part := range strings.Split(s, "-") {
		letters := strings.Trim(strings.ToLower(part), "abcdefghijklmnopqrstuvwxyz") == ""
		if len(part) < 1 || len(part) > 8 || i == 0 && (len(part) < 2 || !letters) ||
			strings.Trim(strings.ToLower(part), "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return false
		}
	}
	return len(s) <= 35
}
