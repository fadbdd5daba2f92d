package storage

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"strconv"
)

// HTML writes a data package as a zip that a person unpacks and opens:
//
//	index.html                          what this is, what was found, what was not; the search
//	data/<dataset>/<collection>/page-1.html, page-2.html, ...
//	data/<dataset>/<collection>/pages.html   the way to each page, where there are several
//	attachments/                        the files
//	assets/, search/                    a style sheet, a script and the search index
//
// The pages load nothing but these, and run no script but the package's own.
// They can be read without scripts; only the search needs them. Where the text
// of a package is more than 64 MiB, each page is searched by itself.
//
// Folders are named after datasets and collections as far as file systems take
// their names. Collections without rows have no folder.
type HTML struct {
	// From is who hands the package over, as the data subject knows them.
	// Defaults to not being told.
	From string
	// Contact says where to ask, such as an e-mail address. Defaults to not
	// being told.
	Contact string
	// PageRows is how many rows a page shows. One is also full when it has
	// more than 256 KiB, so that a large row may stand alone. Defaults to 50.
	PageRows int
	// Texts are the sentences of the pages by language (BCP 47), for
	// languages besides English, German, French and Spanish, or to replace
	// some. Defaults to these.
	Texts map[string]Texts
}

var _ Format = HTML{}

const (
	defaultPageRows = 50
	pageSize        = 256 << 10
)

// Extension implements [Format].
func (HTML) Extension() string { return ".zip" }

// Tabular implements [Format].
func (HTML) Tabular() bool { return false }

// NewWriter implements [Format].
func (h HTML) NewWriter(w io.Writer, about *About) (Writer, error) {
	if about == nil {
		return nil, errors.New("storage: an HTML package needs PackageOptions.About")
	}
	if h.PageRows < 0 {
		return nil, fmt.Errorf("storage: HTML.PageRows is %d; give a positive number, or 0 for %d", h.PageRows, defaultPageRows)
	}
	if h.PageRows == 0 {
		h.PageRows = defaultPageRows
	}
	a, err := newArchive(w, about.Created, nil)
	if err != nil {
		return nil, err
	}
	texts, lang := textsFor(h.Texts, about.Locale)
	out := &htmlWriter{
		archive: a, about: about, rowLimit: h.PageRows,
		pages:  newHTMLPages(&h, about, &texts, lang),
		search: htmlSearch{archive: a, limit: searchLimit},
		row:    htmlRow{texts: &texts},
	}
	out.row.full = out.overflow
	if err := out.assets(); err != nil {
		return nil, err
	}
	return out, nil
}

type htmlWriter struct {
	archive  *archive
	about    *About
	pages    *htmlPages
	search   htmlSearch
	rowLimit int
	order    keyOrder
	found    []*htmlCollection // those with rows
	at       *htmlCollection   // the one that was started last; nil before
	dataset  string            // the last one that has a folder
	folder   string            // of it
	row      htmlRow
	raw      []byte    // what row shows
	page     []byte    // the rows of the page that is not full yet
	inPage   int       // how many
	open     *htmlRows // the page of a large row, which waits for its end; nil for none
	stream   io.Writer // of the open page
	rows     int64
	closed   bool
	err      error
}

// htmlCollection is what the first page tells of a collection.
type htmlCollection struct {
	Dataset, Name string
	key           string
	Categories    []string
	Rows          int64
	Note          string // of the manifest
	pages         int
	folder        string // empty until there is a row
	fields        *htmlField
	Top, Foot     template.HTML // what its pages have in common
}

// Collection implements [Writer].
func (h *htmlWriter) Collection(c *Collection) error {
	if err := h.usable(); err != nil {
		return err
	}
	if err := h.order.next(c.Key()); err != nil {
		return h.fail(err)
	}
	if err := h.endCollection(); err != nil {
		return h.fail(err)
	}
	h.at = &htmlCollection{Dataset: c.Dataset, Name: c.Name, key: c.Key(), Categories: c.Categories, fields: htmlFields(c.Columns, h.row.texts)}
	if c.Name == "" {
		h.at.Dataset, h.at.Name = h.row.texts.Manual, c.Dataset
	}
	return nil
}

// Row implements [Writer].
func (h *htmlWriter) Row(row []byte) error {
	if err := h.usable(); err != nil {
		return err
	}
	if err := h.order.row(row, h.rows); err != nil {
		return h.fail(err)
	}
	if err := h.add(row); err != nil {
		return h.fail(err)
	}
	return nil
}

// add puts a row on the page, or on the next one.
func (h *htmlWriter) add(row []byte) error {
	if h.at.folder == "" {
		h.begin()
	}
	number := h.at.Rows + 1
	h.row.start()
	h.row.html = h.pages.appendHeading(h.row.html, number)
	h.raw = row
	err := h.row.object(row, h.at.fields, 0)
	h.raw = nil
	if err != nil {
		return fmt.Errorf("%w: row %d of collection %q", err, number, h.at.key)
	}
	h.row.markup("</article>\n")
	large := h.row.noText
	switch {
	case large:
		if _, err := h.stream.Write(h.row.html); err != nil {
			return fmt.Errorf("storage: write the package: %w", err)
		}
	case h.open != nil, h.inPage == h.rowLimit, h.inPage > 0 && len(h.page)+len(h.row.html) > pageSize:
		if err := h.endPage(true); err != nil {
			return err
		}
		fallthrough
	default:
		h.page = append(h.page, h.row.html...)
	}
	h.inPage++
	h.at.Rows++
	h.rows++
	if large {
		return nil
	}
	return h.search.row(strconv.Itoa(h.at.pages+1), number, h.row.text)
}

// begin gives the collection a folder.
func (h *htmlWriter) begin() {
	if h.folder == "" || h.dataset != h.at.Dataset {
		h.dataset, h.folder = h.at.Dataset, h.archive.names.in("data", h.at.Dataset, "")
	}
	h.at.folder = h.archive.names.in(h.folder, h.at.Name, "")
	h.search.collection(h.at.Dataset, h.at.Name, href(h.at.folder)+"/")
	h.found = append(h.found, h.at)
}

// beginPage writes the head of a page.
func (h *htmlWriter) beginPage(page *htmlRows) (err error) {
	h.at.pages++
	h.open = page
	h.stream, err = h.archive.file(fmt.Sprintf("%s/page-%d.html", h.at.folder, h.at.pages), "text/html")
	if err != nil {
		return err
	}
	return page.head(h.stream)
}

// endPage writes the page, or what is left of it, and says whether another one
// follows.
func (h *htmlWriter) endPage(more bool) error {
	if h.open == nil {
		page, err := h.pages.newRows(h.at, h.at.Rows-int64(h.inPage)+1, h.at.Rows)
		if err == nil {
			err = page.end(more)
		}
		if err == nil {
			err = h.beginPage(page)
		}
		if err != nil {
			return err
		}
		if _, err := h.stream.Write(h.page); err != nil {
			return fmt.Errorf("storage: write the package: %w", err)
		}
	}
	if !h.open.Ended {
		if err := h.open.end(more); err != nil {
			return err
		}
	}
	err := h.open.foot(h.stream)
	h.open, h.stream, h.page, h.inPage = nil, nil, h.page[:0], 0
	return err
}

// endCollection writes its last page, and the way to all of them.
func (h *htmlWriter) endCollection() error {
	if h.at == nil || h.inPage == 0 {
		return nil
	}
	if err := h.endPage(false); err != nil {
		return err
	}
	h.at.fields, h.at.Top, h.at.Foot = nil, "", ""
	if h.at.pages == 1 {
		return nil
	}
	w, err := h.archive.file(h.at.folder+"/pages.js", "text/javascript")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "dsrPackage.pages(%d,%d);\n", h.at.pages, h.at.Rows); err != nil {
		return err
	}
	if w, err = h.archive.file(h.at.folder+"/pages.html", "text/html"); err != nil {
		return err
	}
	return h.pages.all(w, h.at)
}

// Attach implements [Writer].
func (h *htmlWriter) Attach(a *Attachment) (string, error) {
	if err := h.usable(); err != nil {
		return "", err
	}
	return h.archive.attach(a), nil
}

// Close implements [Writer]. Among the contents it finds what has no rows.
func (h *htmlWriter) Close(ctx context.Context, contents []ManifestCollection) error {
	if h.err != nil || h.closed {
		return h.err
	}
	h.closed = true
	if err := h.end(ctx, contents); err != nil {
		return h.fail(err)
	}
	return nil
}

func (h *htmlWriter) end(ctx context.Context, contents []ManifestCollection) error {
	if err := h.endCollection(); err != nil {
		return err
	}
	if err := h.archive.attachments(ctx); err != nil {
		return err
	}
	h.search.collection("", "", "")
	for i, path := range h.archive.names.attached {
		name := h.archive.files[i].Name
		if err := h.search.row(string(appendJS(nil, []byte(href(path)))), 0, []byte(name)); err != nil {
			return err
		}
	}
	if err := h.search.close(); err != nil {
		return err
	}
	w, err := h.archive.file("index.html", "text/html")
	if err != nil {
		return err
	}
	if err := h.pages.index(w, h, contents); err != nil {
		return err
	}
	return h.archive.close()
}

// Rows implements [Writer].
func (h *htmlWriter) Rows() int64 { return h.rows }

func (h *htmlWriter) usable() error {
	if h.err == nil && h.closed {
		return errClosed
	}
	return h.err
}

func (h *htmlWriter) fail(err error) error {
	h.err = err
	return err
}
