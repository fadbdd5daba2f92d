package storage

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// CSV writes a data package as a zip of tables, one file for each collection
// that has rows, named dataset/collection.csv as nearly as file systems allow.
// Attachments follow in attachments/, and contents.csv ends the package: which
// collections were looked into, how that went, and in which file the rows are.
// [CSVReader] reads the tables, and gives back exactly what was written.
//
// The tables are those of RFC 4180, with a comma between cells and CR LF after
// each line, in UTF-8 with a byte order mark, without which spreadsheets take it
// for something else. The first line names the columns; a field inside of
// others is named by all their names with a dot between them, where \. and \\
// stand for a dot and a backslash in a name.
//
// A cell says what kind of value it holds:
//
//	                  nothing: there is no such field, or it is null
//	""                the empty string
//	"text"            text is in quotes always
//	12.5, true        numbers and booleans never are
//	"[""a"",""b""]"   a list, and an object with too many keys to be columns,
//	                  is JSON
//
// A spreadsheet calculates what looks like a formula. So that it never does, an
// apostrophe stands before each =, +, -, @, their full-width forms and each
// apostrophe with which a text begins, or a part of it after a semicolon, a tab
// or a line break: there a spreadsheet may begin a cell, depending on its
// language. Spaces and double quotes in front do not count. Before a tab or line
// break with which a text begins, and before text that is a JSON list or object
// itself, there is an apostrophe too. Numbers are left alone. Semicolons in JSON
// are written as \u003b.
type CSV struct{}

var _ KeyedFormat = CSV{}

// Extension implements [Format].
func (CSV) Extension() string { return ".zip" }

// Tabular implements [Format].
func (CSV) Tabular() bool { return true }

// NewWriter implements [Format].
func (CSV) NewWriter(w io.Writer, about *About) (Writer, error) { return newCSVWriter(w, about, nil) }

// NewKeyedWriter implements [KeyedFormat]: each file in the zip is encrypted by
// itself.
func (CSV) NewKeyedWriter(w io.Writer, about *About, key []byte) (Writer, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return newCSVWriter(w, about, key)
}

func newCSVWriter(w io.Writer, about *About, key []byte) (Writer, error) {
	a, err := newArchive(w, about.Created, key)
	if err != nil {
		return nil, err
	}
	a.names.reserve("attachments", csvContents)
	return &csvWriter{archive: a, files: map[string]string{}}, nil
}

const (
	csvContents = "contents.csv"
	csvType     = "text/csv; charset=utf-8"
)

type csvWriter struct {
	archive *archive
	order   keyOrder
	files   map[string]string // by key of the collection

	dataset, folder string // those of the last file
	collection      Collection
	table           csvTable
	out             io.Writer // the file of the collection; nil before its first row
	buf             []byte    // lines for it

	rows   int64
	closed bool
	err    error
}

// csvBuffer is how many bytes of lines are gathered before they are written.
const csvBuffer = 32 << 10

// Collection implements [Writer].
func (c *csvWriter) Collection(of *Collection) error {
	if err := c.ready(); err != nil {
		return err
	}
	if err := c.order.next(of.Key()); err != nil {
		return c.fail(err)
	}
	if err := c.flush(); err != nil {
		return c.fail(err)
	}
	c.out, c.collection = nil, Collection{Dataset: of.Dataset, Name: of.Name, Columns: slices.Clone(of.Columns)}
	if err := c.table.set(of.Columns); err != nil {
		return c.fail(fmt.Errorf("storage: collection %q: %w", of.Key(), err))
	}
	return nil
}

// Row implements [Writer]. Every field of it must have a column: its own, or one
// for each field inside of it.
func (c *csvWriter) Row(row []byte) error {
	if err := c.ready(); err != nil {
		return err
	}
	if err := c.order.row(row, c.rows); err != nil {
		return c.fail(err)
	}
	if c.out == nil {
		if err := c.open(); err != nil {
			return c.fail(err)
		}
	}
	var err error
	if c.buf, err = c.table.appendLine(c.buf, row); err != nil {
		return c.fail(fmt.Errorf("storage: row %d of the package, in collection %q, %w", c.rows+1, c.order.key, err))
	}
	c.rows++
	if len(c.buf) >= csvBuffer {
		if err := c.flush(); err != nil {
			return c.fail(err)
		}
	}
	return nil
}

// open starts the file of the collection.
func (c *csvWriter) open() (err error) {
	var name string
	switch of := &c.collection; {
	case of.Name == "":
		name = c.archive.names.in("", of.Dataset, ".csv")
	case c.folder == "" || c.dataset != of.Dataset:
		c.dataset, c.folder = of.Dataset, c.archive.names.in("", of.Dataset, "")
		fallthrough
	default:
		name = c.archive.names.in(c.folder, of.Name, ".csv")
	}
	c.files[c.order.key] = name
	if c.out, err = c.archive.file(name, csvType); err != nil {
		return err
	}
	c.buf = append(c.buf, byteOrderMark...)
	for i, column := range c.collection.Columns {
		c.buf = appendComma(c.buf, i)
		c.buf = appendCSVText(c.buf, []byte(joinPath(column.Path)))
	}
	c.buf = append(c.buf, "\r\n"...)
	return nil
}

func (c *csvWriter) flush() error {
	if len(c.buf) == 0 {
		return nil
	}
	_, err := c.out.Write(c.buf)
	c.buf = c.buf[:0]
	if err != nil {
		return fmt.Errorf("storage: write the package: %w", err)
	}
	return nil
}

// Attach implements [Writer].
func (c *csvWriter) Attach(a *Attachment) (string, error) {
	if err := c.ready(); err != nil {
		return "", err
	}
	return c.archive.attach(a), nil
}

// Close implements [Writer].
func (c *csvWriter) Close(ctx context.Context, contents []ManifestCollection) error {
	if c.err != nil || c.closed {
		return c.err
	}
	c.closed = true
	if err := c.end(ctx, contents); err != nil {
		return c.fail(err)
	}
	return nil
}

func (c *csvWriter) end(ctx context.Context, contents []ManifestCollection) error {
	if err := c.flush(); err != nil {
		return err
	}
	if err := c.archive.attachments(ctx); err != nil {
		return err
	}
	var err error
	if c.out, err = c.archive.file(csvContents, csvType); err != nil {
		return err
	}
	c.buf = append(c.buf, byteOrderMark+`"address","state","rows","uncastable","file","message"`+"\r\n"...)
	for i := range contents {
		m := &contents[i]
		m.File = c.files[m.Address]
		c.buf = append(appendCSVText(c.buf, []byte(m.Address)), ',')
		c.buf = append(appendCSVText(c.buf, []byte(m.State)), ',')
		c.buf = append(strconv.AppendInt(c.buf, m.Rows, 10), ',')
		c.buf = append(strconv.AppendInt(c.buf, m.Uncastable, 10), ',')
		for i, text := range []string{m.File, m.Message} {
			if c.buf = appendComma(c.buf, i); text != "" {
				c.buf = appendCSVText(c.buf, []byte(text))
			}
		}
		if c.buf = append(c.buf, "\r\n"...); len(c.buf) >= csvBuffer {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
	if err := c.flush(); err != nil {
		return err
	}
	return c.archive.close()
}

// Rows implements [Writer].
func (c *csvWriter) Rows() int64 { return c.rows }

func (c *csvWriter) ready() error {
	if c.err == nil && c.closed {
		return errClosed
	}
	return c.err
}

func (c *csvWriter) fail(err error) error {
	c.err = err
	return err
}
