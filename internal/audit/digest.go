package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"
)

// digester hashes fields so that no two lists of fields give the same bytes:
// the name of what is hashed comes first, and everything of variable length
// after its length.
type digester struct {
	sum hash.Hash
}

func newDigester(domain string) digester {
	d := digester{sum: sha256.New()}
	d.text(domain)
	return d
}

func (d digester) number(n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	d.sum.Write(b[:])
}

func (d digester) bytes(b []byte) {
	d.number(int64(len(b)))
	d.sum.Write(b)
}

func (d digester) text(s string) { d.bytes([]byte(s)) }

// time hashes the instant to the nanosecond; the zone it is told in does not
// count.
func (d digester) time(t time.Time) {
	d.number(t.Unix())
	d.number(int64(t.Nanosecond()))
}

func (d digester) digest() []byte { return d.sum.Sum(nil) }
