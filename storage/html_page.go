package storage

import (
	"crypto/rand"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/godsr/dsr/internal/language"
)

//go:embed html
var htmlFiles embed.FS

// htmlTemplates are parsed when the first package is written.
var htmlTemplates = sync.OnceValues(func() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{
		"text":    func(s string) template.HTML { return template.HTML("<bdi>" + string(appendHTML(nil, s)) + "</bdi>") },
		"visible": visible,
		"join":    func(words []string) string { return strings.Join(words, ", ") },
	}).ParseFS(htmlFiles, "html/*.html")
})

// assets writes the files that all pages use.
func (h *htmlWriter) assets() error {
	for _, name := range []string{"style.css", "script.js"} {
		data, err := htmlFiles.ReadFile("html/" + name)
		if err != nil {
			return err
		}
		kind := "text/css"
		if name == "script.js" {
			kind = "text/javascript"
		}
		w, err := h.archive.file("assets/"+name, kind)
		if err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return fmt.Errorf("storage: write the package: %w", err)
		}
	}
	return nil
}

// htmlPages writes the pages of one package.
type htmlPages struct {
	From, Contact string
	About         *About
	T             *Texts
	Lang          string
	RTL           bool
	// Nonce is what the pages' own scripts and style sheets are known by:
	// what somebody smuggled into the data cannot know it.
	Nonce   string
	heading [2]string // around the number of a row
}

func newHTMLPages(h *HTML, about *About, t *Texts, lang string) *htmlPages {
	p := &htmlPages{From: h.From, Contact: h.Contact, About: about, T: t, Lang: lang, RTL: language.RightToLeft(lang), Nonce: rand.Text()}
	before, after, _ := strings.Cut(t.Entry, "{n}")
	p.heading = [2]string{string(appendHTML(nil, before)), string(appendHTML(nil, after))}
	return p
}

// appendHeading begins a row.
func (p *htmlPages) appendHeading(dst []byte, number int64) []byte {
	dst = strconv.AppendInt(append(dst, `<article id="r`...), number, 10)
	dst = append(append(dst, `"><h2>`...), p.heading[0]...)
	dst = append(append(dst, p.T.number(number)...), p.heading[1]...)
	return append(dst, "</h2>\n"...)
}

// htmlPage is what every page has.
type htmlPage struct {
	*htmlPages
	Title string
	Root  string // the way to the first page's folder
	C     *htmlCollection
}

// folder is the way from a collection's page to the first page's folder.
const folderRoot = "../../../"

// Made says when the package was made, Asked when it was asked for.
func (p *htmlPages) Made() string  { return p.T.date(p.About.Created) }
func (p *htmlPages) Asked() string { return p.T.date(p.About.RequestedAt) }

// Number shows a count.
func (p *htmlPages) Number(n int64) string { return p.T.number(n) }

// Heading is that of the first page.
func (p *htmlPages) Heading() string {
	if p.From == "" {
		return p.T.Title
	}
	return fill(p.T.TitleFrom, "{from}", p.From)
}

// Identity names a kind of identity.
func (p *htmlPages) Identity(kind string) string { return p.T.identity(kind) }

func (p *htmlPages) execute(w io.Writer, name string, data any) error {
	t, err := htmlTemplates()
	if err == nil {
		err = t.ExecuteTemplate(w, name, data)
	}
	if err != nil {
		return fmt.Errorf("storage: write a page of the package: %w", err)
	}
	return nil
}

// fragment returns a part of pages that is the same on several, or twice on one.
func (p *htmlPages) fragment(name string, data any) (template.HTML, error) {
	var out strings.Builder
	err := p.execute(&out, name, data)
	return template.HTML(out.String()), err
}

// htmlRows is a page of rows, without the rows: its head, and its foot.
type htmlRows struct {
	htmlPage
	PageNumber, PreviousPage, NextPage int // 0 for none
	PageName, Range                    string
	Ended                              bool // it is known what follows
	Several                            bool // the collection has other pages
	Pager                              template.HTML
}

// newRows returns the next page of a collection, for the rows from first to
// last.
func (p *htmlPages) newRows(c *htmlCollection, first, last int64) (page *htmlRows, err error) {
	number := c.pages + 1
	page = &htmlRows{
		htmlPage: p.page(c), PageNumber: number, PreviousPage: number - 1,
		PageName: fill(p.T.Page, "{n}", p.T.number(int64(number))),
		Range:    fill(p.T.Range, "{first}", p.T.number(first), "{last}", p.T.number(last)),
	}
	if first == last {
		page.Range = fill(p.T.Entry, "{n}", p.T.number(last))
	}
	if c.Top == "" {
		if c.Top, err = p.fragment("rows-top", page); err == nil {
			c.Foot, err = p.fragment("foot", page)
		}
	}
	return page, err
}

// end says whether a page follows.
func (r *htmlRows) end(more bool) (err error) {
	r.Ended, r.Several = true, more || r.PageNumber > 1
	if more {
		r.NextPage = r.PageNumber + 1
	}
	if r.Several {
		r.Pager, err = r.fragment("pager", r)
	}
	return err
}

// head writes what comes before the rows. Where it is not known yet whether a
// page follows, only the foot has the ways to others; the script copies them.
func (r *htmlRows) head(w io.Writer) error {
	if r.Several || !r.Ended {
		r.Title += " – " + r.PageName
	}
	return r.execute(w, "rows-head", r)
}

// foot writes what comes after them.
func (r *htmlRows) foot(w io.Writer) error { return r.execute(w, "rows-foot", r) }

func (p *htmlPages) page(c *htmlCollection) htmlPage {
	return htmlPage{htmlPages: p, Title: visible(c.Dataset + ": " + c.Name), Root: folderRoot, C: c}
}

// maxLinks is how many pages are linked from one; of more, every tenth,
// hundredth and so on.
const maxLinks = 1000

// all writes the way to the pages of a collection.
func (p *htmlPages) all(w io.Writer, c *htmlCollection) error {
	page := struct {
		htmlPage
		Links []int64
		Last  int64
	}{htmlPage: p.page(c), Last: int64(c.pages)}
	page.Title += " – " + p.T.AllPages
	step := int64(1)
	for page.Last/step > maxLinks {
		step *= 10
	}
	for n := int64(1); n < page.Last; n = n - n%step + step {
		page.Links = append(page.Links, n)
	}
	return p.execute(w, "pages.html", &page)
}

// htmlIndex is the first page.
type htmlIndex struct {
	htmlPage
	Sources                []*htmlSource
	Files                  []htmlFile
	Collections, FileCount int64
	Rows                   int64
	Missing                []*htmlPlaces // what gave nothing, by the reason
	Whole                  bool          // all of it can be searched at once
}

type (
	htmlSource struct {
		Dataset     string
		Collections []*htmlCollection
	}
	htmlFile   struct{ Name, Href string }
	htmlPlaces struct {
		ID, Title, Intro string
		Places           []htmlPlace
	}
	htmlPlace struct{ Dataset, Name, Note string }
)

// index writes the first page.
func (p *htmlPages) index(w io.Writer, h *htmlWriter, contents []ManifestCollection) error {
	page := &htmlIndex{
		htmlPage: htmlPage{htmlPages: p, Title: visible(p.Heading())},
		Rows:     h.rows, Collections: int64(len(h.found)), FileCount: int64(len(h.archive.files)), Whole: h.search.whole(),
	}
	failed := &htmlPlaces{ID: "failed", Title: p.T.Failed, Intro: p.T.FailedIntro}
	skipped := &htmlPlaces{ID: "skipped", Title: p.T.Skipped, Intro: p.T.SkippedIntro}
	empty := &htmlPlaces{ID: "empty", Title: p.T.Empty, Intro: p.T.EmptyIntro}
	page.Missing = []*htmlPlaces{failed, skipped, empty}
	notes := map[string]string{}
	for _, c := range contents {
		to := failed
		if c.Rows > 0 {
			notes[c.Address] = p.note(c)
		}
		switch {
		case c.State == StateDone && c.Rows > 0:
			continue
		case c.State == StateDone:
			to = empty
		case c.State == StateSkipped:
			to = skipped
		}
		dataset, name, found := strings.Cut(c.Address, ":")
		if !found {
			dataset, name = p.T.Manual, c.Address
		}
		to.Places = append(to.Places, htmlPlace{dataset, name, p.note(c)})
	}
	for _, c := range h.found {
		last := len(page.Sources) - 1
		if last < 0 || page.Sources[last].Dataset != c.Dataset {
			page.Sources, last = append(page.Sources, &htmlSource{Dataset: c.Dataset}), last+1
		}
		c.Note = notes[c.key]
		page.Sources[last].Collections = append(page.Sources[last].Collections, c)
	}
	for i, path := range h.archive.names.attached {
		page.Files = append(page.Files, htmlFile{h.archive.files[i].Name, href(path)})
	}
	return p.execute(w, "index.html", page)
}

// note is what the manifest says of a collection.
func (p *htmlPages) note(c ManifestCollection) string {
	if c.Uncastable == 0 {
		return c.Message
	}
	uncastable := fill(p.T.Uncastable, "{n}", p.T.number(c.Uncastable))
	if c.Message == "" {
		return uncastable
	}
	return c.Message + ". " + uncastable
}

// Href is the way from the first page to a collection.
func (c *htmlCollection) Href() string { return href(c.folder) + "/page-1.html" }

// href is a path within the package as an attribute of a link.
func href(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
