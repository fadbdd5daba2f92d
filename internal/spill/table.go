package spill

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"
)

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

func uvarintLen(n uint64) int { return max(1, (bits.Len64(n)+6)/7) }
