package audit

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
)

// ErrAltered: an export was read to its end, but its last line does not fit the
// others. What a report says of it then shows where, if the change was not in
// the wrapping alone.
var ErrAltered = errors.New("audit: the export is not as it was written")

// VerifyExport checks an export without the engine, as a stream. With a nil key
// it takes the one in the export's header, and the report says that it is
// unauthenticated. MACs are not checked.
//
// An error says that the file is broken, with the number of the line; there is
// no report then, except beside [ErrAltered]. A tampered trail in a whole file
// is no error: it is told by the report's findings.
func VerifyExport(r io.Reader, key ed25519.PublicKey) (*Report, error) {
	v := NewVerifier(key, nil)
	err := ReadExport(r, v)
	if err != nil && !errors.Is(err, ErrAltered) {
		return nil, err
	}
	return v.Done(), err
}

// ReadExport gives all of an export to a verifier that was given nothing yet,
// for those who want to say more than [VerifyExport] takes: a MAC,
// [Verifier.Expect], [Verifier.Only]. If the verifier has no key, it takes the
// one in the header; if nothing was said of Only, it is restricted to what the
// header names, and the report tells so. Errors are those of [VerifyExport].
func ReadExport(r io.Reader, v *Verifier) error {
	read := reader{verifier: v, sum: sha256.New()}
	in := bufio.NewReaderSize(r, 64<<10)
	var buffer []byte
	for {
		text, err := readLine(in, &buffer)
		if err == io.EOF {
			return read.finish()
		}
		read.number++
		if err == nil {
			err = read.line(text)
		}
		if err != nil {
			return fmt.Errorf("audit: export, line %d: %w", read.number, err)
		}
	}
}

// reader is how far an export was read.
type reader struct {
	verifier *Verifier
	sum      hash.Hash
	number   int64 // of the line
	counts   trailer
	end      *trailer
}

func (r *reader) line(text []byte) error {
	if r.number == 1 {
		r.sum.Write(text)
		return r.header(text)
	}
	if r.end != nil {
		return errors.New("there is something after the last line")
	}
	l, err := decodeLine[line](text)
	if err != nil {
		return err
	}
	switch {
	case l.Checkpoint != nil && l.Entry == nil && l.End == nil:
		if r.counts.Entries > 0 {
			return errors.New("a checkpoint comes after an entry; all checkpoints come first")
		}
		r.counts.Checkpoints++
		r.verifier.Checkpoint(*l.Checkpoint)
	case l.Entry != nil && l.Checkpoint == nil && l.End == nil:
		r.counts.Entries++
		r.verifier.Entry(*l.Entry)
	case l.End != nil && l.Checkpoint == nil && l.Entry == nil:
		r.counts.SHA256 = r.sum.Sum(nil)
		r.end = l.End
	default:
		return errors.New("it must hold one of checkpoint, entry and end")
	}
	r.sum.Write(text)
	return nil
}

func (r *reader) header(text []byte) error {
	h, err := decodeLine[header](text)
	if err != nil {
		return err
	}
	v := r.verifier
	switch {
	case h.Format != Format:
		return fmt.Errorf("the format is not %q; this program reads no other", Format)
	case len(h.PublicKey) != ed25519.PublicKeySize:
		return fmt.Errorf("the public key has %d bytes, not %d", len(h.PublicKey), ed25519.PublicKeySize)
	case len(v.key) == 0:
		v.key, v.report.Unauthenticated = h.PublicKey, true
	case !bytes.Equal(v.key, h.PublicKey):
		v.report.add("", 0, Edited, "the header names another public key than the one given: the export was made for another key, or the header was changed")
	}
	if len(h.Only) > 0 && v.only == nil {
		v.Only(h.Only...)
	}
	return nil
}

// finish compares the last line with the others.
func (r *reader) finish() error {
	switch {
	case r.number == 0:
		return errors.New("audit: export: the file is empty")
	case r.end == nil:
		return fmt.Errorf("audit: export: it ends after line %d without its last line: the file was cut off", r.number)
	case r.end.Checkpoints != r.counts.Checkpoints || r.end.Entries != r.counts.Entries:
		return fmt.Errorf("%w: line %d counts %d checkpoints and %d entries, there are %d and %d",
			ErrAltered, r.number, r.end.Checkpoints, r.end.Entries, r.counts.Checkpoints, r.counts.Entries)
	case !bytes.Equal(r.end.SHA256, r.counts.SHA256):
		return fmt.Errorf("%w: the SHA-256 in line %d does not fit the lines before it", ErrAltered, r.number)
	}
	return nil
}
