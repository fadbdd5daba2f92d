package storage

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/godsr/dsr/internal/language"
)

// Texts are the sentences of an [HTML] package in one language. Words in braces
// are replaced: {from} by who hands the package over, {n}, {total}, {first} and
// {last} by numbers. A field that is left empty is taken from the built-in texts
// of the language, or else from the English ones.
type Texts struct {
	// Title and TitleFrom head the first page, without and with a sender.
	Title, TitleFrom string
	// Intro and Private say what the package is and how to keep it. Unpack
	// is shown only where the folder was not unpacked.
	Intro, Private, Unpack string
	// Skip leads past the head of a page, Here names the way to a page,
	// Overview leads to the first page.
	Skip, Here, Overview string
	// The facts of the package: whom it is about, when they asked, when it
	// was made, the number of the request, whom to ask.
	About, Subject, Requested, Created, Request, Contact string
	// What was found. Nothing stands in its place. Manual heads what people
	// looked up.
	Found, Nothing, Manual, Collection, Collections, Categories, Entries, Files, Note string
	// What was not: searched without a find, left out, failed.
	Empty, EmptyIntro, Skipped, SkippedIntro, Failed, FailedIntro, Uncastable string
	// The search. SearchLarge and SearchPage stand where the package is too
	// large for one search: on the first page and on the others.
	Search, SearchHint, SearchScript, SearchLarge, SearchPage, Searching, Results, NoResults, More, Broken string
	// Pages of a collection.
	Pages, First, Previous, Next, Last, AllPages, Page, GoTo, Go, Entry, Range, OfTotal string
	// Values: null, text without a character, an object or array without a
	// member, true, false, a field without a name, a long text.
	Null, Blank, Without, True, False, Unnamed, Long string
	// Thousands separates groups of three digits.
	Thousands string
	// Date shows {day}, {month} and {year}; the time in UTC follows it.
	// Months begin with January.
	Date   string
	Months [12]string
	// Identities name kinds of identities, such as "phone_number". Others
	// are shown with their underscores replaced.
	Identities map[string]string
}

// english is the fallback of every other language.
const english = "en"

// textsFor chooses the texts for a locale, and says which language they are in.
// A tag falls back to what is left without its last part, and in the end to
// English. The host's texts win over the built-in ones.
func textsFor(own map[string]Texts, locale string) (t Texts, lang string) {
	byTag := map[string]Texts{}
	for _, tag := range slices.Sorted(maps.Keys(own)) {
		byTag[strings.ToLower(strings.ReplaceAll(tag, "_", "-"))] = own[tag]
	}
	built := builtInTexts()
	locale = strings.ReplaceAll(locale, "_", "-")
	for tag := strings.ToLower(locale); tag != ""; tag = language.Parent(tag) {
		texts, host := byTag[tag]
		base, known := built[tag]
		if !host && !known {
			continue
		}
		t, lang = complete(t, texts), cmp.Or(lang, locale)
		t = complete(t, base)
	}
	if lang == "" {
		t, lang = byTag[english], english
	}
	return complete(t, built[english]), lang
}

// complete fills what is empty in one from another.
func complete(t, from Texts) Texts {
	to, other := reflect.ValueOf(&t).Elem(), reflect.ValueOf(from)
	for i := range to.NumField() {
		if to.Field(i).IsZero() {
			to.Field(i).Set(other.Field(i))
		}
	}
	names := maps.Clone(from.Identities)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, t.Identities)
	t.Identities = names
	return t
}

// fill replaces words in braces, given as pairs.
func fill(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }

// number shows a count.
func (t *Texts) number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + t.Thousands + digits[i:]
	}
	return digits
}

// date shows a time to the minute, in UTC; empty for the zero time.
func (t *Texts) date(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	at = at.UTC()
	day := fill(t.Date, "{day}", strconv.Itoa(at.Day()), "{month}", t.Months[at.Month()-1], "{year}", strconv.Itoa(at.Year()))
	return day + ", " + at.Format("15:04") + " UTC"
}

// identity names a kind of identity.
func (t *Texts) identity(kind string) string {
	if name := t.Identities[kind]; name != "" {
		return name
	}
	words := strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' {
			return ' '
		}
		return r
	}, kind))
	if words == "" {
		return kind
	}
	first, size := utf8.DecodeRuneInString(words)
	return string(unicode.ToUpper(first)) + words[size:]
}
