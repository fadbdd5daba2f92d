package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/godsr/dsr/storage"
)

// Package is a data package of a given size: half of it rows, half files.
type Package struct {
	rows int
	size int64    // of each file
	pool [][]byte // the rows, which come again
}

const (
	packagePool    = 1024
	packageRowSize = 300 // about
	// PackageFiles is how many files a Package has.
	PackageFiles = 8
	// PackageCollections is how many collections.
	PackageCollections = 4
)

// NewPackage returns a package of about so many MiB before compression.
func NewPackage(mib int) *Package {
	half := int64(mib) << 20 / 2
	p := &Package{rows: int(half / packageRowSize / PackageCollections), size: half / PackageFiles}
	for n := range packagePool {
		p.pool = append(p.pool, packageRow(n))
	}
	return p
}

// Rows is how many rows each collection has.
func (p *Package) Rows() int { return p.rows }

// Row returns a row, in JSON.
func (p *Package) Row(n int) []byte { return p.pool[n%packagePool] }

// Columns are those of every collection.
func (p *Package) Columns() []string {
	return []string{"id", "created_at", "email", "name", "note", "amount", "active", "city"}
}

// About is what the package tells of itself.
func (p *Package) About() *storage.About {
	return &storage.About{
		RequestID: "request-1", RequestedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Created: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC),
		Identities: []storage.Identity{{Kind: "email", Values: []string{Subject}}},
	}
}

// words are what the rows are about.
var words = []string{
	"delivery", "address", "changed", "invoice", "paid", "returned", "parcel", "customer", "asked", "about", "warranty",
	"newsletter", "order", "cancelled", "voucher", "used", "called", "back", "open", "question", "größe", "señal", "日本",
}

// packageRow makes a row. Its texts need escapes in JSON and in HTML.
func packageRow(n int) []byte {
	rng := rand.New(rand.NewPCG(1, uint64(n))) //nolint:gosec // not a secret
	dst := append([]byte(nil), `{"id":`...)
	dst = strconv.AppendInt(dst, int64(n), 10)
	dst = append(dst, `,"created_at":"`...)
	dst = time.Unix(1_700_000_000+int64(n), 0).UTC().AppendFormat(dst, time.RFC3339)
	dst = append(dst, `","email":"`...)
	dst = fmt.Appendf(dst, "customer-%d@example.com", rng.IntN(1e6))
	dst = append(dst, `","name":"`...)
	dst = append(append(append(dst, words[rng.IntN(len(words))]...), ' '), words[rng.IntN(len(words))]...)
	dst = append(dst, `","note":"`...)
	for range 16 {
		dst = append(append(dst, words[rng.IntN(len(words))]...), ' ')
	}
	dst = append(dst, `& \"so on\"","amount":`...)
	dst = fmt.Appendf(dst, "%d.%02d", rng.IntN(1000), rng.IntN(100))
	dst = append(dst, `,"active":`...)
	dst = strconv.AppendBool(dst, n%2 == 0)
	dst = append(dst, `,"city":"`...)
	dst = append(dst, words[rng.IntN(len(words))]...)
	return append(dst, `"}`...)
}

// Write writes the package and returns how many bytes were given to the writer.
func (p *Package) Write(ctx context.Context, to storage.Writer) (size int64, err error) {
	for i := range PackageFiles {
		if _, err := to.Attach(&storage.Attachment{
			Name: fmt.Sprintf("recording %d.mp3", i+1), Type: "audio/mpeg",
			Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(p.File(i)), nil },
		}); err != nil {
			return size, err
		}
		size += p.size
	}
	for c := range PackageCollections {
		collection := &storage.Collection{Dataset: "shop", Name: PackageTable(c)}
		for _, name := range p.Columns() {
			collection.Columns = append(collection.Columns, storage.Column{Path: []string{name}})
		}
		if err := to.Collection(collection); err != nil {
			return size, err
		}
		for n := range p.rows {
			row := p.Row(n)
			size += int64(len(row))
			if err := to.Row(row); err != nil {
				return size, err
			}
		}
	}
	return size, to.Close(ctx, nil)
}

// PackageTable is the name of a collection.
func PackageTable(n int) string { return fmt.Sprintf("table_%d", n+1) }

// File is the content of a file: what no compression makes smaller.
func (p *Package) File(n int) io.Reader {
	return io.LimitReader(&noise{rng: rand.NewPCG(2, uint64(n))}, p.size)
}

// noise is without end.
type noise struct {
	rng  *rand.PCG
	rest []byte
	buf  [8]byte
}

func (n *noise) Read(p []byte) (int, error) {
	if len(n.rest) == 0 {
		binary.LittleEndian.PutUint64(n.buf[:], n.rng.Uint64())
		n.rest = n.buf[:]
	}
	read := copy(p, n.rest)
	n.rest = n.rest[read:]
	for ; len(p)-read >= 8; read += 8 {
		binary.LittleEndian.PutUint64(p[read:], n.rng.Uint64())
	}
	return read, nil
}

// Formats are those that packages are measured in.
func Formats() map[string]storage.Format {
	return map[string]storage.Format{"json": storage.JSON{}, "csv": storage.CSV{}, "html": storage.HTML{}}
}
