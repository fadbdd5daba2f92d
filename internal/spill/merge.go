package spill

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"slices"
)

const (
	// fanIn is how many runs are merged at once, and so how many are open.
	fanIn = 16
	// bufferSize is the read and write buffer of one run.
	bufferSize = 8 << 10
)

var errCorrupt = errors.New("spill: a part is corrupt")

// run is a sorted part without duplicates: each value behind its length. Runs
// of one level are of about the same size, so that each value is rewritten
// once for each level only.
type run struct {
	name  string
	level int
	count int64
}

// write makes a part of the values, which must be sorted, and leaves out
// duplicates. If it fails, the part is kept among the runs to be removed by
// Close.
func (s *Set) write(level int, values iter.Seq2[[]byte, error]) (r run, err error) {
	r = run{name: s.partName(), level: level}
	part, err := s.parts.Create(r.name)
	if err != nil {
		return r, err
	}
	defer func() {
		if cerr := part.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			s.runs = append(s.runs, r)
		}
	}()
	w := bufio.NewWriterSize(part, bufferSize)
	var last []byte
	for v, err := range values {
		if err != nil {
			return r, err
		}
		if r.count > 0 && bytes.Equal(v, last) {
			continue
		}
		if _, err := w.Write(binary.AppendUvarint(w.AvailableBuffer(), uint64(len(v)))); err != nil {
			return r, err
		}
		if _, err := w.Write(v); err != nil {
			return r, err
		}
		last = append(last[:0], v...)
		r.count++
	}
	return r, w.Flush()
}

// read yields the values of a run.
func (s *Set) read(r run) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		c, err := s.open(r)
		if err != nil {
			yield(nil, err)
			return
		}
		defer c.part.Close()
		for {
			more, err := c.advance()
			if err != nil {
				yield(nil, err)
				return
			}
			if !more || !yield(c.value, nil) {
				return
			}
		}
	}
}

// mergeLevels merges the runs of a level as soon as there are enough of them,
// so that their number stays small.
func (s *Set) mergeLevels() error {
	for level := 0; ; level++ {
		var same []run
		for _, r := range s.runs {
			if r.level == level {
				same = append(same, r)
			}
		}
		if len(same) < fanIn {
			return nil
		}
		if err := s.merge(same, level+1); err != nil {
			return err
		}
	}
}

// mergeAll leaves one run, merging small ones first.
func (s *Set) mergeAll() error {
	for len(s.runs) > 1 {
		slices.SortStableFunc(s.runs, func(a, b run) int { return a.level - b.level })
		// The first merge takes just so many that the following ones,
		// and the last and largest, are full.
		n := (len(s.runs)-1)%(fanIn-1) + 1
		if n == 1 {
			n = min(fanIn, len(s.runs))
		}
		some := slices.Clone(s.runs[:n])
		if err := s.merge(some, some[n-1].level); err != nil {
			return err
		}
	}
	return nil
}

// merge replaces some runs by one of that level.
func (s *Set) merge(some []run, level int) error {
	merged, err := s.write(level, s.mergeSorted(some))
	if err != nil {
		return err
	}
	names := make([]string, len(some))
	for i, r := range some {
		names[i] = r.name
	}
	s.runs = append(s.runs, merged)
	if err := s.parts.Remove(names...); err != nil {
		return err
	}
	s.runs = slices.DeleteFunc(s.runs, func(r run) bool { return slices.Contains(names, r.name) })
	return nil
}

// mergeSorted yields the values of all runs in order, duplicates included.
func (s *Set) mergeSorted(runs []run) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var live cursors
		for _, r := range runs {
			c, err := s.open(r)
			if err != nil {
				yield(nil, err)
				return
			}
			defer c.part.Close()
			more, err := c.advance()
			if err != nil {
				yield(nil, err)
				return
			}
			if more {
				live = append(live, c)
			}
		}
		heap.Init(&live)
		for len(live) > 0 {
			if !yield(live[0].value, nil) {
				return
			}
			more, err := live[0].advance()
			if err != nil {
				yield(nil, err)
				return
			}
			if more {
				heap.Fix(&live, 0)
			} else {
				heap.Pop(&live)
			}
		}
	}
}

// cursor stands in a run that is being read.
type cursor struct {
	part    io.ReadCloser
	r       *bufio.Reader
	value   []byte
	left    int64
	longest int
}

func (s *Set) open(r run) (*cursor, error) {
	part, err := s.parts.Open(r.name)
	if err != nil {
		return nil, err
	}
	return &cursor{part: part, r: bufio.NewReaderSize(part, bufferSize), left: r.count, longest: s.longest}, nil
}

// advance reads the next value; more is false behind the last one. What the
// parts themselves report is passed on.
func (c *cursor) advance() (more bool, err error) {
	first, err := c.r.ReadByte()
	if err == io.EOF && c.left == 0 {
		return false, nil
	}
	if err != nil {
		return false, corruptAtEOF(err)
	}
	n, err := c.length(first)
	if err != nil {
		return false, err
	}
	if c.left == 0 || n > uint64(c.longest) {
		return false, errCorrupt
	}
	c.left--
	c.value = slices.Grow(c.value[:0], int(n))[:n]
	_, err = io.ReadFull(c.r, c.value)
	return err == nil, corruptAtEOF(err)
}

// length reads the rest of a varint of at most five bytes, which hold 1 GiB.
func (c *cursor) length(b byte) (uint64, error) {
	n := uint64(b & 0x7f)
	for shift := 7; b >= 0x80; shift += 7 {
		if shift > 28 {
			return 0, errCorrupt
		}
		var err error
		if b, err = c.r.ReadByte(); err != nil {
			return 0, corruptAtEOF(err)
		}
		n |= uint64(b&0x7f) << shift
	}
	return n, nil
}

func corruptAtEOF(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errCorrupt
	}
	return err
}

// cursors is a heap on the values that they stand at.
type cursors []*cursor

func (c cursors) Len() int           { return len(c) }
func (c cursors) Less(i, j int) bool { return bytes.Compare(c[i].value, c[j].value) < 0 }
func (c cursors) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *cursors) Push(x any)        { *c = append(*c, x.(*cursor)) }
func (c *cursors) Pop() any {
	old := *c
	last := old[len(old)-1]
	*c = old[:len(old)-1]
	return last
}
