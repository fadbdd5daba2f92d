package storage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// bufferSize is what a package being written keeps in memory.
const bufferSize = 64 << 10

// JSON writes a data package as one JSON document: an object with an array of
// rows for every collection, one row on each line, and one of the files.
//
//	{
//	  "shop:customer": [
//	    {"email":"..."}
//	  ],
//	  "shop:orders": [
//	    {"id":1},
//	    {"id":2}
//	  ],
//	  "attachments": [
//	    {"file_name":"letter.pdf","content_type":"application/pdf","path":"attachments/letter.pdf","content":"JVBERi0...","size":1024}
//	  ]
//	}
//
// A collection without rows is left out, as is an empty list of files; a package
// without either is {}. The content of a file is in base64. The document ends
// with a line feed.
//
// JSON is UTF-8. Text that a database holds in other bytes, as SQLite may,
// cannot be shown in it: in the rows that the engine writes, U+FFFD stands for
// each byte that is not UTF-8. Columns of bytes are in base64 and lose nothing.
type JSON struct{}

var _ KeyedFormat = JSON{}

// Extension implements [Format].
func (JSON) Extension() string { return ".json" }

// Tabular implements [Format].
func (JSON) Tabular() bool { return false }

// NewWriter implements [Format].
func (JSON) NewWriter(w io.Writer, _ *About) (Writer, error) {
	return &jsonWriter{buf: bufio.NewWriterSize(w, bufferSize), first: true}, nil
}

// NewKeyedWriter implements [KeyedFormat]: the whole document is encrypted.
func (JSON) NewKeyedWriter(w io.Writer, _ *About, key []byte) (Writer, error) {
	k, err := newKeyedWriter(w, key)
	if err != nil {
		return nil, err
	}
	return &jsonWriter{buf: bufio.NewWriterSize(k, bufferSize), keyed: k, first: true}, nil
}

type jsonWriter struct {
	buf    *bufio.Writer
	keyed  *keyedWriter // nil where nothing is encrypted
	order  keyOrder
	opened bool // the array of the collection was opened, by its first row
	first  bool // no array was opened yet
	closed bool
	rows   int64
	files  []*Attachment
	names  fileNames
	err    error
}

// Collection implements [Writer].
func (j *jsonWriter) Collection(c *Collection) error {
	switch {
	case j.err != nil:
		return j.err
	case j.closed:
		return errClosed
	}
	if err := j.order.next(c.Key()); err != nil {
		return j.fail(err)
	}
	j.endArray()
	return j.err
}

// Row implements [Writer].
func (j *jsonWriter) Row(row []byte) error {
	switch {
	case j.err != nil:
		return j.err
	case j.closed:
		return errClosed
	}
	if err := j.order.row(row, j.rows); err != nil {
		return j.fail(err)
	}
	if !j.opened {
		j.openArray(j.order.key)
		j.opened = true
	} else {
		j.write(",\n    ")
	}
	if j.err == nil {
		if _, err := j.buf.Write(row); err != nil {
			return j.fail(err)
		}
		j.rows++
	}
	return j.err
}

// Attach implements [Writer].
func (j *jsonWriter) Attach(a *Attachment) (string, error) {
	switch {
	case j.err != nil:
		return "", j.err
	case j.closed:
		return "", errClosed
	}
	j.files = append(j.files, a)
	return j.names.attachment(a.Name), nil
}

// Close implements [Writer].
func (j *jsonWriter) Close(ctx context.Context, _ []ManifestCollection) error {
	if j.err != nil || j.closed {
		return j.err
	}
	j.closed = true
	j.endArray()
	if err := j.attachments(ctx); err != nil {
		return j.fail(err)
	}
	if j.first {
		j.write("{}\n")
	} else {
		j.write("\n}\n")
	}
	if j.err == nil {
		j.err = j.buf.Flush()
	}
	if j.err == nil && j.keyed != nil {
		j.err = j.keyed.Close()
	}
	return j.err
}

// Rows implements [Writer].
func (j *jsonWriter) Rows() int64 { return j.rows }

// attachments writes the files.
func (j *jsonWriter) attachments(ctx context.Context) error {
	if len(j.files) == 0 {
		return j.err
	}
	j.openArray("attachments")
	buf := make([]byte, bufferSize)
	for i, a := range j.files {
		if i > 0 {
			j.write(",\n    ")
		}
		head, err := encode(struct {
			Name string `json:"file_name"`
			Type string `json:"content_type"`
			Path string `json:"path"`
		}{a.Name, a.mediaType(), j.names.attached[i]}, "")
		if err != nil {
			return err
		}
		j.write(string(bytes.TrimSuffix(bytes.TrimSpace(head), []byte("}"))) + `,"content":"`)
		enc := base64.NewEncoder(base64.StdEncoding, j.buf)
		n, err := a.copyTo(ctx, enc, buf)
		if err != nil {
			return err
		}
		if err := enc.Close(); err != nil {
			return err
		}
		j.write(fmt.Sprintf(`","size":%d}`, n))
	}
	j.write("\n  ]")
	return j.err
}

func (j *jsonWriter) openArray(key string) {
	name, err := encode(key, "")
	if err != nil {
		j.err = err
		return
	}
	if j.first {
		j.write("{\n  ")
	} else {
		j.write(",\n  ")
	}
	j.write(string(bytes.TrimSpace(name)))
	j.write(": [\n    ")
	j.first = false
}

func (j *jsonWriter) endArray() {
	if j.opened {
		j.write("\n  ]")
	}
	j.opened = false
}

func (j *jsonWriter) write(s string) {
	if j.err == nil {
		_, j.err = j.buf.WriteString(s)
	}
}

func (j *jsonWriter) fail(err error) error {
	j.err = err
	return err
}

var errClosed = errors.New("storage: the package is closed")

// keyOrder holds the writers of all formats to one use.
type keyOrder struct {
	key   string // the collection that was started last
	begun bool
}

// next says why a collection cannot come next.
func (o *keyOrder) next(key string) error {
	if !utf8.ValidString(key) {
		return fmt.Errorf("storage: the key %q of a collection is not valid UTF-8", key)
	}
	if o.begun && CompareKeys(key, o.key) <= 0 {
		return fmt.Errorf("storage: collection %q comes after %q: keys must ascend, each once", key, o.key)
	}
	o.key, o.begun = key, true
	return nil
}

// row says why a row cannot come next.
func (o *keyOrder) row(row []byte, before int64) error {
	if !o.begun {
		return errors.New("storage: a row comes before the first collection")
	}
	if len(row) < 2 || row[0] != '{' || row[len(row)-1] != '}' || bytes.IndexByte(row, '\n') >= 0 {
		return fmt.Errorf("storage: row %d of the package, in collection %q, is not one JSON object on one line", before+1, o.key)
	}
	return nil
}

// encode is JSON as a person reads it: no escapes for <, > and &.
func encode(v any, indent string) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	err := enc.Encode(v)
	return buf.Bytes(), err
}
