package dsr

import (
	"bytes"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"slices"
	"strings"
	"text/template"

	"github.com/godsr/dsr/internal/language"
	"github.com/godsr/dsr/internal/notices"
)

// Texts turns notices into words: a subject, a plain text and a page of HTML,
// in the language of whom they are for. It never changes, and may be used by
// many at once.
type Texts struct {
	name, contact string
	locales       map[string]*localeTexts // by tag in lower case
	page          *htmltemplate.Template
}

// TextsOptions say whose texts they are, and what they say.
type TextsOptions struct {
	// Name is that of the company or institution, for signatures and
	// subjects; one line of at most 100 characters. Defaults to none.
	Name string
	// Contact says how to reach it, as "privacy@shop.example"; one line of
	// at most 200 characters. Defaults to none.
	Contact string
	// Files hold templates of the host's own, one file "<locale>.tmpl" for
	// each language, such as "de.tmpl" or "pt-BR.tmpl", in its top folder;
	// other files are left alone. They take the place of the built-in ones,
	// kind by kind, or add languages. The built-in languages are English,
	// German, French and Spanish: en, de, fr, es.
	//
	// A file consists of definitions in the syntax of [text/template], which
	// see a [NoticeText]:
	//
	//	{{define "denied.subject"}}…{{end}}  the subject, for each NoticeKind
	//	{{define "denied"}}…{{end}}          the plain text
	//	{{define "denied.html"}}…{{end}}     a whole page, by html/template
	//	{{define "label.email"}}…{{end}}     names a kind of identity
	//	{{define "months"}}…{{end}}          twelve words
	//	{{define "date"}}…{{end}}            a date from .Day, .Month and .Year
	//	{{define "_mine"}}…{{end}}           a part of the host's own
	//
	// The built-in texts share the parts "prefix" (of subjects), "what" (was
	// asked for), "number" (of the request), "packages", "tasks", "complain", "desk" and
	// "signature", which can be replaced too.
	//
	// In a plain text, lines are joined to paragraphs and wrapped, and an
	// empty line ends a paragraph; lines that begin with two spaces or with
	// "- " stay as they are. Where a kind has no page, one is made from the
	// plain text. A language that lacks "date" writes dates as year-month-day.
	//
	// The functions are those of text/template and:
	//
	//	date .Deadline  the day in UTC; empty for the zero time
	//	time .Deadline  the day and the time in UTC
	//	quote .Reason   the words of others, each line after two spaces
	Files fs.FS
}

// English is what every language falls back to.
const english = "en"

// NewTexts reads the templates and tries each on samples of its kind, so that
// one that names what there is not is refused here. The error names every fault
// of all files, with file and line. Nil options are empty ones.
func NewTexts(opts *TextsOptions) (*Texts, error) {
	if opts == nil {
		opts = &TextsOptions{}
	}
	t := &Texts{name: opts.Name, contact: opts.Contact, locales: map[string]*localeTexts{}}
	var err error
	if t.page, err = htmltemplate.ParseFS(notices.Files, "page.html"); err != nil {
		return nil, fmt.Errorf("dsr: the built-in page of notices: %w", err)
	}
	faults := t.load(notices.Files, false)
	faults = append(faults, lineFaults("Name", opts.Name, 100)...)
	faults = append(faults, lineFaults("Contact", opts.Contact, 200)...)
	if opts.Files != nil {
		faults = append(faults, t.load(opts.Files, true)...)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("dsr: the texts of notices have %d fault(s):\n\t%s", len(faults), strings.Join(faults, "\n\t"))
	}
	return t, nil
}

// lineFaults tells what is wrong with an option that stands within a line.
func lineFaults(option, value string, limit int) []string {
	if cleaned := oneLine(value); cleaned != value || len([]rune(value)) > limit {
		return []string{fmt.Sprintf("%s must be one line of at most %d characters, without control characters and spaces around it", option, limit)}
	}
	return nil
}

// Locales returns the tags of all languages that there are texts in, sorted.
func (t *Texts) Locales() []string {
	var tags []string
	for _, l := range t.locales {
		tags = append(tags, l.tag)
	}
	slices.Sort(tags)
	return tags
}

// Render fills in the Subject, Text and HTML of a notice. The language is that
// of its Locale, or what that falls back to, kind by kind: "pt-BR" to "pt", and
// that to English. The subject is one line of at most 200 characters; its
// template sees nothing that is personal or secret. The error holds nothing
// personal.
func (t *Texts) Render(n *Notice) error {
	l := t.choose(n.Locale, n.Kind)
	if l == nil {
		return fmt.Errorf("dsr: there is no text for notices of the kind %q", n.Kind)
	}
	subject, text, page, err := t.render(l, n)
	if err != nil {
		return fmt.Errorf("dsr: render the notice %s: %w", n, placeOnly(err))
	}
	n.Subject, n.Text, n.HTML = subject, text, page
	return nil
}

// choose finds the language of a notice; nil for a kind that is none.
func (t *Texts) choose(locale string, kind NoticeKind) *localeTexts {
	if !slices.Contains(NoticeKinds(), kind) {
		return nil
	}
	for tag := strings.ToLower(strings.ReplaceAll(locale, "_", "-")); tag != ""; tag = language.Parent(tag) {
		if l := t.locales[tag]; l != nil && l.has(string(kind)) {
			return l
		}
	}
	return t.locales[english]
}

func (t *Texts) render(l *localeTexts, n *Notice) (subject, text, page string, err error) {
	kind, data := string(n.Kind), t.noticeText(l, n)
	public := data
	public.To, public.Code, public.CodeExpires, public.Reason, public.Links = nil, "", data.At, "", nil
	public.Assignee, public.Vendor, public.People, public.Persons = "", nil, nil, nil
	if subject, err = l.execute(kind+".subject", public); err != nil {
		return "", "", "", err
	}
	if text, err = l.execute(kind, data); err != nil {
		return "", "", "", err
	}
	blocks := parseBlocks(text)
	data.Notice.Subject, data.Notice.Text = cutLine(oneLine(subject), 200), plainText(blocks)
	if data.Notice.Subject == "" {
		return "", "", "", l.fault(kind+".subject", "is empty for some notices")
	}
	if data.Notice.Text == "" {
		return "", "", "", l.fault(kind, "is empty for some notices")
	}
	var out bytes.Buffer
	if l.has(kind + ".html") {
		err = l.pages.ExecuteTemplate(&out, kind+".html", data)
	} else {
		err = t.page.ExecuteTemplate(&out, "page.html", noticePage{data, pageBlocks(blocks, n)})
	}
	return data.Notice.Subject, data.Notice.Text, out.String(), err
}

// placeOnly keeps of a template's error where it is, and leaves out the cause,
// which may quote a value.
func placeOnly(err error) error {
	var exec template.ExecError
	if !errors.As(err, &exec) {
		return err
	}
	place, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "template: "), ">: ")
	return errors.New(place + "> cannot be carried out with what the notice holds")
}
