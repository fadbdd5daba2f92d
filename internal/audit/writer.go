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
	"slices"
	"unicode/utf8"
)

// Writer writes an export as JSON Lines: a header with the format and the
// public key, all checkpoints, the entries, and a last line with their counts
// and the SHA-256 of all lines before it. It checks nothing: a trail that was
// tampered with can be exported as it is.
//
// After an error every call returns it again.
type Writer struct {
	out     *bufio.Writer
	sum     hash.Hash
	header  header
	begun   bool
	entered bool // an entry was written
	closed  bool
	end     trailer
	err     error
}

// NewWriter returns a writer to w of a trail whose checkpoints are checked with
// key.
func NewWriter(w io.Writer, key ed25519.PublicKey) *Writer {
	out := &Writer{out: bufio.NewWriterSize(w, 64<<10), sum: sha256.New(), header: header{Format: Format, PublicKey: bytes.Clone(key)}}
	if len(key) != ed25519.PublicKeySize {
		out.err = fmt.Errorf("audit: export: the public key has %d bytes, not %d", len(key), ed25519.PublicKeySize)
	}
	return out
}

// Only says in the header that the export holds the entries of these requests
// only; it still needs all checkpoints. It must come before the first
// checkpoint.
func (w *Writer) Only(ids ...string) error {
	switch {
	case w.err != nil:
	case w.begun:
		w.err = errors.New("audit: export: Only came after the header was written; call it first")
	case len(ids) == 0:
		w.err = errors.New("audit: export: Only names no request; leave it out to export all")
	default:
		for _, id := range ids {
			if !utf8.ValidString(id) {
				w.err = fmt.Errorf("audit: export: the request ID %q is not UTF-8", id)
				return w.err
			}
		}
		w.header.Only = append(w.header.Only, ids...)
		slices.Sort(w.header.Only)
		w.header.Only = slices.Compact(w.header.Only)
	}
	return w.err
}

// Checkpoint writes the next checkpoint. All of them come before the entries,
// in the order of their numbers.
func (w *Writer) Checkpoint(c Checkpoint) error {
	w.begin()
	if w.err == nil && w.entered {
		w.err = fmt.Errorf("audit: export checkpoint %d: it comes after an entry; write all checkpoints first", c.Seq)
	}
	for _, h := range c.Heads {
		if w.err == nil && !utf8.ValidString(h.RequestID) {
			w.err = fmt.Errorf("audit: export checkpoint %d: a request ID in it is not UTF-8, so it was changed after it was made; verify the trail", c.Seq)
		}
	}
	w.end.Checkpoints++
	write(w, line{Checkpoint: &c}, "checkpoint %d", c.Seq)
	return w.err
}

// Entry writes the next entry, in the order of request IDs (by bytes) and
// numbers.
func (w *Writer) Entry(e Entry) error {
	w.begin()
	if w.err == nil && !e.utf8() {
		w.err = fmt.Errorf("audit: export entry %d of request %q: its text is not UTF-8, so it was changed after it was made; verify the trail", e.Seq, e.RequestID)
	}
	w.entered = true
	w.end.Entries++
	write(w, line{Entry: &e}, "entry %d of request %q", e.Seq, e.RequestID)
	return w.err
}

// Close writes the last line. An export without it is refused. It does not
// close the writer below. Closing again does nothing.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	w.begin()
	w.closed = true
	w.end.SHA256 = w.sum.Sum(nil)
	write(w, line{End: &w.end}, "the last line")
	if w.err == nil {
		if err := w.out.Flush(); err != nil {
			w.err = fmt.Errorf("audit: export the last line: %w", err)
		}
	}
	return w.err
}

func (w *Writer) begin() {
	if w.err == nil && w.closed {
		w.err = errors.New("audit: export: it is closed, nothing can be added; begin a new one")
	}
	if !w.begun {
		w.begun = true
		write(w, w.header, "the header")
	}
}

// write adds a line; what names it for an error.
func write[T header | line](w *Writer, value T, what string, args ...any) {
	if w.err != nil {
		return
	}
	text, err := encodeLine(value)
	if err == nil {
		w.sum.Write(text)
		_, err = w.out.Write(text)
	}
	if err != nil {
		w.err = fmt.Errorf("audit: export "+what+": %w", append(args, err)...)
	}
}
