package dsr

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/language"
)

// NoticeText is what the template of a notice sees. Its values are made safe to
// stand in a text: all but Reason and Message are of one line, and none has
// control characters but line breaks and tabs.
type NoticeText struct {
	// Notice is the notice, whose fields are named directly, as {{.Code}}.
	// Subject and Text are set in pages only.
	Notice
	// Name and Contact are those of [TextsOptions].
	Name, Contact string
	// Lang is the language of the template, by BCP 47, and Dir the way that
	// it is written: "ltr", or "rtl" for from right to left.
	Lang, Dir string
	// Access and Erasure say what the request asks for.
	Access, Erasure bool
	// Minutes is how long the verification code works; at least 1.
	Minutes int
	// Persons has a line for each of People: identities by kind, the kinds
	// labelled, such as "Email address: name@mail.example".
	Persons []string
}

func (t *Texts) noticeText(l *localeTexts, n *Notice) NoticeText {
	d := NoticeText{
		Notice: *n, Name: t.name, Contact: t.contact, Lang: l.tag, Dir: "ltr",
		Access: slices.Contains(n.Actions, graph.Access), Erasure: slices.Contains(n.Actions, graph.Erasure),
		Minutes: max(1, int(n.CodeExpires.Sub(n.At)/time.Minute)),
	}
	if language.RightToLeft(l.tag) {
		d.Dir = "rtl"
	}
	c := &d.Notice
	c.Subject, c.Text, c.HTML = "", "", ""
	for _, text := range []*string{&c.ID, &c.RequestID, &c.ExternalID, &c.Policy, &c.Locale, &c.Code, &c.Assignee} {
		*text = oneLine(*text)
	}
	c.Message, c.Reason = manyLines(n.Message), manyLines(n.Reason)
	c.Packages = nil
	for _, name := range n.Packages {
		c.Packages = append(c.Packages, oneLine(name))
	}
	for _, names := range []*[]string{&c.Unconfirmed, &c.Asked} {
		*names = slices.Clone(*names)
		for i, name := range *names {
			(*names)[i] = oneLine(name)
		}
	}
	c.Tasks = slices.Clone(n.Tasks)
	for i, task := range c.Tasks {
		c.Tasks[i] = TaskRef{oneLine(task.RequestID), oneLine(task.Task), oneLine(task.Title), task.Due}
	}
	c.Links = slices.Clone(n.Links)
	for i, link := range c.Links {
		c.Links[i] = NoticeLink{oneLine(link.Rule), oneLine(link.URL), link.Expires}
	}
	if v := n.Vendor; v != nil {
		c.Vendor = &NoticeVendor{oneLine(v.Key), oneLine(v.Name), oneLine(v.Address)}
	}
	for _, ids := range n.People {
		d.Persons = append(d.Persons, l.person(ids))
	}
	return d
}

// person shows the identities of one data subject on one line. A value that the
// line would not show as it is stands in quotes, escaped as in Go.
func (l *localeTexts) person(ids Identities) string {
	var kinds []string
	for _, kind := range ids.Kinds() {
		var values []string
		for _, v := range ids[kind] {
			if v != oneLine(v) || strings.ContainsAny(v, `,;"\`) {
				v = strconv.QuoteToGraphic(v)
			}
			values = append(values, v)
		}
		kinds = append(kinds, l.label(kind)+": "+strings.Join(values, ", "))
	}
	return strings.Join(kinds, "; ")
}

// label names a kind of identity.
func (l *localeTexts) label(kind string) string {
	if name := "label." + kind; l.has(name) {
		if label, err := l.execute(name, nil); err == nil && oneLine(label) != "" {
			return oneLine(label)
		}
	}
	words := oneLine(strings.NewReplacer("_", " ", "-", " ", ".", " ", ":", " ", ";", " ").Replace(kind))
	first, size := utf8.DecodeRuneInString(words)
	return string(unicode.ToUpper(first)) + words[size:]
}

// dateText is what the template "date" sees.
type dateText struct {
	Day   int
	Month string // a word, where the language has "months", else its number
	Year  int
}

// date writes a day in UTC.
func (l *localeTexts) date(at time.Time) (string, error) {
	if at.IsZero() {
		return "", nil
	}
	at = at.UTC()
	if !l.has("date") {
		return at.Format(time.DateOnly), nil
	}
	d := dateText{Day: at.Day(), Month: at.Format("01"), Year: at.Year()}
	if l.has("months") {
		months, err := l.months()
		if err != nil {
			return "", err
		}
		d.Month = months[at.Month()-1]
	}
	text, err := l.execute("date", d)
	return oneLine(text), err
}

// time writes a time in UTC, to the minute.
func (l *localeTexts) time(at time.Time) (string, error) {
	day, err := l.date(at)
	if day == "" || err != nil {
		return "", err
	}
	return day + ", " + at.UTC().Format("15:04") + " UTC", nil
}

// quote sets the words of others apart: each line stands after two spaces, so
// that nothing in it can pass for a part of the text.
func quote(words string) string {
	lines := strings.Split(strings.Trim(manyLines(words), "\n"), "\n")
	return "  " + strings.Join(lines, "\n  ")
}

// manyLines makes a text of several lines safe: line breaks of every sort are
// "\n", and there are no other control characters but tabs.
func manyLines(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\v", "\n", "\f", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").
		Replace(strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}

// oneLine makes a text safe to stand within a line: line breaks and tabs become
// spaces, and there are no other control characters, nor such as change the
// order of what follows them.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(strings.Map(func(r rune) rune {
		if r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069' {
			return -1
		}
		return r
	}, manyLines(s)), asciiSpace), " ")
}

// asciiSpace leaves out the spaces that do not break.
func asciiSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' }

// cutLine shortens a line to a number of characters.
func cutLine(s string, limit int) string {
	if letters := []rune(s); len(letters) > limit {
		return strings.TrimRight(string(letters[:limit-1]), " ") + "…"
	}
	return s
}
