// Package spill keeps sets of byte strings that may outgrow memory.
package spill

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
	"io"
	"iter"
	"slices"
	"strconv"
)

// Parts is where a set puts what does not fit into memory. Whoever implements
// it seals what it stores. A part is opened only after its writer was closed,
// and removed only while nobody reads it; Remove always names at least one.
type Parts interface {
	Create(name string) (io.WriteCloser, error)
	Open(name string) (io.ReadCloser, error)
	Remove(names ...string) error
}

// DefaultMemory is the memory of a set that names none, in bytes.
const DefaultMemory = 4 << 20

// minMemory leaves room for the smallest table; maxMemory keeps offsets in 32
// bits.
const (
	minMemory = 4 << 10
	maxMemory = 1 << 30
	minTable  = 256
)

var (
	errFinished   = errors.New("spill: the set is finished; nothing can be added")
	errUnfinished = errors.New("spill: the set is not finished; call Finish first")
	errClosed     = errors.New("spill: the set is closed")
	errTooLong    = errors.New("spill: a value is longer than 1 GiB")
)

// Set is a set of distinct byte strings in bounded memory. Values are added
// first; after Finish they can be counted and read, in ascending order, any
// number of times.
//
// A Set is not safe for concurrent use; after Finish, All is.
type Set struct {
	parts  Parts
	name   string
	memory int

	// arena holds the values in memory, each behind its length. table is
	// an open-addressing index into it: offsets plus one, zero for free.
	// Once finished in memory, its first count entries are the sorted
	// offsets.
	arena []byte
	table []uint32
	count int
	seed  maphash.Seed

	runs     []run
	next     int   // number of the next part
	longest  int   // length of the longest value
	total    int64 // distinct values, once finished
	spilled  bool
	finished bool
	err      error
}

// NewSet returns an empty set that holds about memory bytes before it writes a
// sorted part. Its parts are called name+".1", name+".2" and so on; they are
// created when memory runs out, not before. Memory defaults to
// [DefaultMemory].
func NewSet(parts Parts, name string, memory int) *Set {
	if memory <= 0 {
		memory = DefaultMemory
	}
	return &Set{
		parts:  parts,
		name:   name,
		memory: min(max(memory, minMemory), maxMemory),
		seed:   maphash.MakeSeed(),
	}
}

// Add adds a copy of b. Fresh tells whether b is new. It is exact as long as
// nothing was spilled; afterwards it may be true for a value that only an
// earlier part holds, never false for a new one. After an error the set is of
// no use any more but to be closed.
func (s *Set) Add(b []byte) (fresh bool, err error) {
	if s.finished {
		return false, errFinished
	}
	if s.err != nil {
		return false, s.err
	}
	if len(b) > maxMemory {
		return false, errTooLong
	}
	if s.table == nil {
		s.table = make([]uint32, minTable)
	}
	slot, found := s.find(b)
	if found {
		return false, nil
	}
	size := uvarintLen(uint64(len(b))) + len(b)
	full := (s.count+1)*4 > len(s.table)*3
	if s.count > 0 && !s.fits(size, full) {
		if s.err = s.spill(); s.err != nil {
			return false, s.err
		}
		slot, _ = s.find(b)
	} else if full {
		s.rehash()
		slot, _ = s.find(b)
	}
	s.reserve(size)
	s.table[slot] = uint32(len(s.arena)) + 1
	s.arena = binary.AppendUvarint(s.arena, uint64(len(b)))
	s.arena = append(s.arena, b...)
	s.count++
	s.longest = max(s.longest, len(b))
	return true, nil
}

// spill writes what is in memory as a sorted run and empties the memory.
func (s *Set) spill() error {
	s.spilled = true
	offsets := s.sort()
	r, err := s.write(0, func(yield func([]byte, error) bool) {
		for _, offset := range offsets {
			if !yield(s.at(offset), nil) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	s.runs = append(s.runs, r)
	clear(s.table)
	s.count = 0
	if s.arena = s.arena[:0]; cap(s.arena) > s.memory {
		s.arena = nil
	}
	return s.mergeLevels()
}

// Finish ends the adding of values. It merges what was spilled into one part.
func (s *Set) Finish() error {
	if s.finished || s.err != nil {
		return s.err
	}
	if s.spilled {
		if s.count > 0 {
			s.err = s.spill()
		}
		s.arena, s.table = nil, nil
		if s.err == nil {
			s.err = s.mergeAll()
		}
		if s.err != nil {
			return s.err
		}
		s.total = s.runs[0].count
	} else {
		s.table = slices.Clone(s.sort())
		s.total = int64(s.count)
	}
	s.finished = true
	return nil
}

// Len returns the number of distinct values, 0 before Finish.
func (s *Set) Len() int64 { return s.total }

// Spilled tells whether values went to a part.
func (s *Set) Spilled() bool { return s.spilled }

// All yields the values in ascending order, each once. A value is valid until
// the next one is asked for. An error ends the sequence. Before Finish, and
// after Close, there is nothing but an error.
func (s *Set) All() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		switch {
		case s.err != nil:
			yield(nil, s.err)
		case !s.finished:
			yield(nil, errUnfinished)
		case s.spilled:
			s.read(s.runs[0])(yield)
		default:
			for _, offset := range s.table {
				if !yield(s.at(offset), nil) {
					return
				}
			}
		}
	}
}

// Close frees the memory of the set and removes its parts. Closing again
// retries what could not be removed.
func (s *Set) Close() error {
	s.arena, s.table = nil, nil
	s.count, s.total, s.finished = 0, 0, false
	if s.err == nil {
		s.err = errClosed
	}
	if s.next == 0 {
		return nil
	}
	names := make([]string, len(s.runs))
	for i, r := range s.runs {
		names[i] = r.name
	}
	if len(names) == 0 {
		return nil
	}
	if err := s.parts.Remove(names...); err != nil {
		return err
	}
	s.runs = nil
	return nil
}

func (s *Set) partName() string {
	s.next++
	return s.name + "." + strconv.Itoa(s.next)
}
