package dsr

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/godsr/dsr/internal/value"
)

// Rows of a step are spooled in parts, one for each visit. A part is a
// sequence of records: a length as uvarint, then as many bytes. A record is
// either a row (the values of the step's columns, one after the other) or,
// where it is empty, the mark that the next query's rows follow.

// spooled says which parts hold the rows of a step.
type spooled struct {
	// Epoch is that of the lease under which the step was visited.
	Epoch int64 `json:"epoch"`
	// Rounds counts the visits, each with a part of its own.
	Rounds int `json:"rounds"`
	// Dropped counts the rows that several queries returned.
	Dropped int `json:"dropped,omitempty"`
	// Revision is that of the task whose answers they are.
	Revision int `json:"revision,omitempty"`
}

// rowsPart names the spool part of one visit of a step.
func rowsPart(s *step, round int) string {
	return fmt.Sprintf("rows-%d-%d-%d", s.spooled.Epoch, s.number, round)
}

// dropPart names the part with the rows that several queries returned.
func dropPart(s *step) string { return fmt.Sprintf("drop-%d-%d", s.spooled.Epoch, s.number) }

// matchPart names the part with the values that array elements are matched by.
func matchPart(s *step, input int) string {
	return fmt.Sprintf("match-%d-%d-%d", s.spooled.Epoch, s.number, input)
}

// rowWriter writes the rows of one visit.
type rowWriter struct {
	w   io.WriteCloser
	buf []byte
}

func newRowWriter(w io.WriteCloser) *rowWriter { return &rowWriter{w: w} }

// record writes one record; an empty one marks the next query.
func (w *rowWriter) record(b []byte) error {
	w.buf = append(binary.AppendUvarint(w.buf, uint64(len(b))), b...)
	if len(w.buf) < 16<<10 {
		return nil
	}
	return w.flush()
}

func (w *rowWriter) flush() error {
	_, err := w.w.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

func (w *rowWriter) close() error {
	return errors.Join(w.flush(), w.w.Close())
}

// rowKey identifies a row among those of its step: by the key that the database
// enforces, or by everything in it where there is none. A key that is only
// declared may be that of several rows.
func (s *step) rowKey(record []byte) ([]byte, error) {
	h := sha256.New()
	if len(s.schema.Key) == 0 || len(s.keyAt) == 0 {
		h.Write(record)
		return h.Sum(nil)[:16], nil
	}
	at, err := s.split(record)
	if err != nil {
		return nil, err
	}
	for _, k := range s.keyAt {
		h.Write(at[k])
	}
	return h.Sum(nil)[:16], nil
}

// split cuts a record into the encoded values of the step's columns.
func (s *step) split(record []byte) ([][]byte, error) {
	return s.splitInto(nil, record)
}

func (s *step) splitInto(at [][]byte, record []byte) ([][]byte, error) {
	for range s.columns {
		rest, err := value.Skip(record)
		if err != nil {
			return nil, fmt.Errorf("dsr: a spooled row of %s is damaged: %w", s.Address(), err)
		}
		at = append(at, record[:len(record)-len(rest)])
		record = rest
	}
	if len(record) > 0 {
		return nil, fmt.Errorf("dsr: a spooled row of %s is damaged: it goes on after its last column", s.Address())
	}
	return at, nil
}

// seenKey is the key of a row with the query that returned it.
func seenKey(key []byte, batch int) []byte {
	return binary.BigEndian.AppendUint32(key, uint32(batch)) //nolint:gosec // fewer queries than 2^32
}

// dropList holds the seen keys of rows that are left out, in order: 20 bytes
// each, and no more of them than Limits.CycleValues.
type dropList [][20]byte

func (d dropList) has(seen []byte) bool {
	_, ok := slices.BinarySearchFunc(d, seen, func(e [20]byte, seen []byte) int { return bytes.Compare(e[:], seen) })
	return ok
}

// errTooManyDrops suspends a request.
var errTooManyDrops = errors.New("several queries returned more rows twice than Limits.CycleValues allows to hold in memory; raise it, or Limits.QueryValues so that there are fewer queries")

// records yields the rows of a step as they were spooled, each once, in the
// order in which they were read. A record is valid until the next one.
func (r *run) records(ctx context.Context, s *step) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if s.schema == nil {
			return
		}
		batch := 0
		for round := range s.spooled.Rounds {
			part, err := r.open(ctx, rowsPart(s, round), keySpool)
			if err != nil {
				yield(nil, fmt.Errorf("dsr: rows of %s: %w", s.Address(), err))
				return
			}
			more := r.readPart(s, part, &batch, yield)
			if err := part.Close(); err != nil && more {
				yield(nil, fmt.Errorf("dsr: rows of %s: %w", s.Address(), err))
				return
			}
			if !more {
				return
			}
		}
	}
}

func (r *run) readPart(s *step, part io.Reader, batch *int, yield func([]byte, error) bool) bool {
	in := &recordReader{}
	if small, ok := part.(*smallReader); ok {
		in.rest = small.data
	} else {
		in.in = bufio.NewReaderSize(part, 32<<10)
	}
	for {
		record, err := in.next()
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			yield(nil, fmt.Errorf("dsr: rows of %s: %w", s.Address(), lost(err)))
			return false
		}
		if len(record) == 0 {
			*batch++
			continue
		}
		if len(s.drop) > 0 {
			key, err := s.rowKey(record)
			if err != nil {
				yield(nil, err)
				return false
			}
			if s.drop.has(seenKey(key, *batch)) {
				continue
			}
		}
		if !yield(record, nil) {
			return false
		}
	}
}

// recordReader reads the records of a part: from memory, or from the spool.
type recordReader struct {
	rest []byte
	in   *bufio.Reader
	buf  []byte
}

// next returns the next record, valid until the one after; io.EOF at the end.
func (r *recordReader) next() ([]byte, error) {
	if r.in == nil {
		if len(r.rest) == 0 {
			return nil, io.EOF
		}
		n, size := binary.Uvarint(r.rest)
		record := r.rest[size : size+int(n)] //nolint:gosec // written by this process
		r.rest = r.rest[size+len(record):]
		return record, nil
	}
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		return nil, err
	}
	if uint64(cap(r.buf)) < n {
		r.buf = make([]byte, n, n+n/2)
	}
	r.buf = r.buf[:n]
	if _, err := io.ReadFull(r.in, r.buf); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return r.buf, nil
}

// settleDuplicates finds the rows that more than one query returned; all but
// the first are dropped.
func (r *run) settleDuplicates(ctx context.Context, s *step) error {
	if s.seen == nil {
		return nil
	}
	if err := s.seen.Finish(); err != nil {
		return err
	}
	s.drop = nil
	var last [16]byte
	first, full := true, false
	for b, err := range s.seen.All() {
		if err != nil {
			return err
		}
		if !first && [16]byte(b[:16]) == last {
			if full = len(s.drop) == r.engine.config.Limits.CycleValues; full {
				break
			}
			s.drop = append(s.drop, [20]byte(b))
			continue
		}
		last, first = [16]byte(b[:16]), false
	}
	if err := s.seen.Close(); err != nil {
		return err
	}
	s.seen = nil
	if full {
		s.drop = nil
		return errTooManyDrops
	}
	s.spooled.Dropped = len(s.drop)
	if len(s.drop) == 0 {
		return nil
	}
	// The drops alone do not say how many rows they are: where no key tells
	// rows apart, one query may return the same row several times.
	s.rows = 0
	for _, err := range r.records(ctx, s) {
		if err != nil {
			return err
		}
		s.rows++
	}
	return r.writeStrings(ctx, dropPart(s), func(write func(string) error) error {
		for _, seen := range s.drop {
			if err := write(string(seen[:])); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeStrings writes a part of strings.
func (r *run) writeStrings(ctx context.Context, part string, fill func(write func(string) error) error) error {
	w, err := r.createSealed(ctx, part, keySpool)
	if err != nil {
		return err
	}
	rw := newRowWriter(w)
	if err := fill(func(s string) error { return rw.record([]byte(s)) }); err != nil {
		return errors.Join(err, rw.close())
	}
	return rw.close()
}

// readStrings reads a part of strings.
func (r *run) readStrings(ctx context.Context, part string) ([]string, error) {
	rc, err := r.open(ctx, part, keySpool)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rc.Close() }()
	in := &recordReader{in: bufio.NewReader(rc)}
	var out []string
	for {
		record, err := in.next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("dsr: spool: %w", lost(err))
		}
		out = append(out, string(record))
	}
}

// decodeRow decodes a record into the values of the step's columns.
func (s *step) decodeRow(record []byte) ([]any, error) {
	row := make([]any, len(s.columns))
	for i := range row {
		var err error
		if row[i], record, err = value.Decode(record); err != nil {
			return nil, fmt.Errorf("dsr: a spooled row of %s is damaged: %w", s.Address(), err)
		}
	}
	return row, nil
}
