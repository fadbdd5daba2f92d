// Package spill keeps sets of byte strings that may outgrow memory.
package spill

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"io"
	"iter"
	"math/bits"
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

// fits tells whether a value of that size can be kept within the memory, with
// a table of twice the size if it must grow.
func (s *Set) fits(size int, grow bool) bool {
	table := len(s.table)
	if grow {
		table *= 2
	}
	return len(s.arena)+size+4*table <= s.memory
}

// reserve grows the arena by doubling, within the memory where that does.
func (s *Set) reserve(size int) {
	need := len(s.arena) + size
	if need <= cap(s.arena) {
		return
	}
	room := max(2*cap(s.arena), minMemory)
	if limit := s.memory - 4*len(s.table); room > limit {
		room = limit
	}
	arena := make([]byte, len(s.arena), max(room, need))
	copy(arena, s.arena)
	s.arena = arena
}

// find returns the slot where b is, or where it is to be put.
func (s *Set) find(b []byte) (slot int, found bool) {
	mask := len(s.table) - 1
	slot = int(maphash.Bytes(s.seed, b)) & mask
	for s.table[slot] != 0 {
		if bytes.Equal(s.at(s.table[slot]-1), b) {
			return slot, true
		}
		slot = (slot + 1) & mask
	}
	return slot, false
}

func (s *Set) rehash() {
	old := s.table
	s.table = make([]uint32, 2*len(old))
	mask := len(s.table) - 1
	for _, entry := range old {
		if entry == 0 {
			continue
		}
		slot := int(maphash.Bytes(s.seed, s.at(entry-1))) & mask
		for s.table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		s.table[slot] = entry
	}
}

// at returns the value at an offset of the arena.
func (s *Set) at(offset uint32) []byte {
	a := s.arena[offset:]
	if n := int(a[0]); n < 0x80 {
		return a[1 : 1+n : 1+n]
	}
	n, size := binary.Uvarint(a)
	end := size + int(n)
	return a[size:end:end]
}

// sort turns the table into a list of sorted offsets, in its own memory.
func (s *Set) sort() []uint32 {
	n := 0
	for _, entry := range s.table {
		if entry != 0 {
			s.table[n] = entry - 1
			n++
		}
	}
	offsets := s.table[:n]
	slices.SortFunc(offsets, func(a, b uint32) int { return bytes.Compare(s.at(a), s.at(b)) })
	return offsets
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

func uvarintLen(n uint64) int { return max(1, (bits.Len64(n)+6)/7) }
