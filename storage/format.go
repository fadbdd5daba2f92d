package storage

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// Format is how a data package is written: [JSON], [CSV], [HTML], or a host's
// own. It is a value that many packages share.
type Format interface {
	// Extension follows the name of a package: ".json" or ".zip".
	Extension() string
	// Tabular reports whether the writer must be told every column of a
	// collection before its first row.
	Tabular() bool
	// NewWriter returns a writer of one package to w.
	NewWriter(w io.Writer, about *About) (Writer, error)
}

// KeyedFormat is a format that can encrypt what it writes by itself, in the
// way of Fides: AES-GCM with a key of [KeySize] bytes, in one piece and
// therefore at most [MaxKeyed] bytes for each file. [Encrypter] has no such
// bound.
type KeyedFormat interface {
	Format
	// NewKeyedWriter is NewWriter with a key.
	NewKeyedWriter(w io.Writer, about *About, key []byte) (Writer, error)
}

// Writer writes one data package. It is used from one goroutine. After an error
// every further call returns it. Memory does not grow with the rows and the
// size of files, but for a few hundred bytes for each file of a zip.
type Writer interface {
	// Collection starts the next collection. They come in the order of
	// [CompareKeys], each once. One without rows leaves no trace.
	Collection(c *Collection) error
	// Row adds a row to the collection that was started last: one object in
	// JSON without line feeds, whose keys differ. The caller answers for its
	// being valid JSON. The slice is not kept.
	Row(row []byte) error
	// Attach adds a file, which is read when the package is closed, and
	// returns where it will be within the package, so that rows can tell.
	Attach(a *Attachment) (path string, err error)
	// Close ends the package. Formats that have room for it tell what was
	// looked into, in the given order; those with a file for each collection
	// fill in File of the contents. It does not close what is written to.
	Close(ctx context.Context, contents []ManifestCollection) error
	// Rows counts the rows of all collections.
	Rows() int64
}

// About is what a package tells of itself.
type About struct {
	RequestID string
	// RequestedAt is when the data subject asked, Created when the package
	// was made.
	RequestedAt, Created time.Time
	// Locale is the language that the data subject reads, by BCP 47, such
	// as "de" or "pt-BR". Defaults to English.
	Locale string
	// Identities are those that the data was found by.
	Identities []Identity
}

// Identity is a kind of identity, such as "email", and the data subject's
// values of it.
type Identity struct {
	Kind   string
	Values []string
}

// Format implements [fmt.Formatter] for every verb without showing a value.
func (i Identity) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "{%s [redacted]}", i.Kind) }

// Collection is a collection as a package shows it: with the names that
// redaction left, or put in their place.
type Collection struct {
	// Dataset and Name say what it is. What people answered has no Name.
	Dataset, Name string
	// Columns are the fields in order. A [Format.Tabular] one needs all;
	// for others they may name the outermost only.
	Columns []Column
	// Categories say what kinds of data the collection holds, as the data
	// subject would say it.
	Categories []string
}

// Key is "dataset:collection", or the dataset alone where there is no name.
func (c *Collection) Key() string {
	if c.Name == "" {
		return c.Dataset
	}
	return c.Dataset + ":" + c.Name
}

// Column is a field of a collection, or a field inside of one.
type Column struct {
	// Path is its name, below those of the fields that it is inside of.
	Path []string
	// Whole says that an object found here is one value: its keys are too
	// many to be columns.
	Whole bool
	// Categories say what the data is, as the data subject would say it.
	Categories []string
}

// Attachment is a file in a package.
type Attachment struct {
	// Name is what the file is called. It is made fit for a file name, and
	// made different from others.
	Name string
	// Type is its media type. Defaults to application/octet-stream.
	Type string
	// Open opens it for reading from the beginning. It is called once. Its
	// errors, and those of reading, are told and stored but for the paths
	// that the operating system's quote: they must hold no personal value.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Format implements [fmt.Formatter] for every verb without showing the name,
// which may be that of a person.
func (a Attachment) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "{[redacted] %s}", a.Type) }

// CompareKeys orders the keys of collections as a package holds them: by
// dataset (up to the first colon), then by collection. Keys without a colon,
// which are those of what people answered, come last.
func CompareKeys(a, b string) int {
	datasetA, collectionA, inA := strings.Cut(a, ":")
	datasetB, collectionB, inB := strings.Cut(b, ":")
	if inA != inB {
		if inA {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(datasetA, datasetB), cmp.Compare(collectionA, collectionB))
}
