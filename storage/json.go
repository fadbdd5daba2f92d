package storage

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"unicode/utf8"
)

// bufferSize is all that a package being written keeps in memory.
const bufferSize = 64 << 10

// JSON writes a data package as one JSON document: an object with an array of
// rows for every collection, one row on each line.
//
//	{
//	  "shop:customer": [
//	    {"email":"..."}
//	  ],
//	  "shop:orders": [
//	    {"id":1},
//	    {"id":2}
//	  ]
//	}
//
// A collection without rows is left out; a package without rows is {}. The
// document ends with a line feed. After an error every further call returns
// it.
//
// JSON is UTF-8. Text that a database holds in other bytes, as SQLite may,
// cannot be shown in it: in the rows that the engine writes, U+FFFD stands for
// each byte that is not UTF-8. Columns of bytes are in base64 and lose nothing.
type JSON struct {
	out    digest
	buf    *bufio.Writer
	key    string // the collection that was started last
	keyed  bool   // a collection was started
	opened bool   // its array was opened, by its first row
	first  bool   // no array was opened yet
	closed bool
	rows   int64
	err    error
}

// NewJSON returns a writer of a package to w. The document is complete after
// Close, which does not close w.
func NewJSON(w io.Writer) *JSON {
	j := &JSON{out: digest{w: w, sum: sha256.New()}, first: true}
	j.buf = bufio.NewWriterSize(&j.out, bufferSize)
	return j
}

// CompareKeys orders the keys of collections as a package holds them: by
// dataset (up to the first colon), then by collection.
func CompareKeys(a, b string) int {
	datasetA, collectionA, _ := strings.Cut(a, ":")
	datasetB, collectionB, _ := strings.Cut(b, ":")
	return cmp.Or(cmp.Compare(datasetA, datasetB), cmp.Compare(collectionA, collectionB), cmp.Compare(a, b))
}

// Collection starts the next collection. Its key is "dataset:collection"; keys
// must come in the order of [CompareKeys], each once.
func (j *JSON) Collection(key string) error {
	switch {
	case j.err != nil:
		return j.err
	case j.closed:
		return errClosed
	case !utf8.ValidString(key):
		return j.fail(fmt.Errorf("storage: the key %q of a collection is not valid UTF-8", key))
	case j.keyed && CompareKeys(key, j.key) <= 0:
		return j.fail(fmt.Errorf("storage: collection %q comes after %q: keys must ascend, each once", key, j.key))
	}
	j.endArray()
	j.key, j.keyed = key, true
	return j.err
}

// Row adds a row to the collection that was started last: one object in JSON
// without line feeds. It is written as it is; the caller answers for its being
// valid JSON. The slice is not kept.
func (j *JSON) Row(row []byte) error {
	switch {
	case j.err != nil:
		return j.err
	case j.closed:
		return errClosed
	case !j.keyed:
		return j.fail(errors.New("storage: a row comes before the first collection"))
	case len(row) < 2 || row[0] != '{' || row[len(row)-1] != '}' || bytes.IndexByte(row, '\n') >= 0:
		return j.fail(fmt.Errorf("storage: row %d of the package, in collection %q, is not one JSON object on one line", j.rows+1, j.key))
	}
	if !j.opened {
		j.openArray()
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

// Close ends the document and flushes it. Closing again does nothing.
func (j *JSON) Close() error {
	if j.err != nil || j.closed {
		return j.err
	}
	j.closed = true
	j.endArray()
	if j.first {
		j.write("{}\n")
	} else {
		j.write("\n}\n")
	}
	if j.err == nil {
		if err := j.buf.Flush(); err != nil {
			return j.fail(err)
		}
	}
	return j.err
}

// Bytes counts what was written so far, buffered bytes included.
func (j *JSON) Bytes() int64 { return j.out.n + int64(j.buf.Buffered()) }

// Rows counts the rows of all collections.
func (j *JSON) Rows() int64 { return j.rows }

// Sum returns the SHA-256 digest of the document once it is closed. Before
// that it is nil.
func (j *JSON) Sum() []byte {
	if !j.closed || j.err != nil {
		return nil
	}
	return j.out.sum.Sum(nil)
}

var errClosed = errors.New("storage: the package is closed")

func (j *JSON) openArray() {
	name, err := encode(j.key, "")
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
	j.first, j.opened = false, true
}

func (j *JSON) endArray() {
	if j.opened {
		j.write("\n  ]")
	}
	j.opened = false
}

func (j *JSON) write(s string) {
	if j.err == nil {
		_, j.err = j.buf.WriteString(s)
	}
}

func (j *JSON) fail(err error) error {
	j.err = err
	return err
}

// digest counts and hashes what reaches a writer.
type digest struct {
	w   io.Writer
	sum hash.Hash
	n   int64
}

func (d *digest) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	d.sum.Write(p[:n])
	d.n += int64(n)
	return n, err
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
