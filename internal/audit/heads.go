package audit

import (
	"bytes"
	"cmp"
	"container/heap"
	"crypto/sha256"
)

// heads are what one checkpoint saw, packed: a head takes its ID, 44 bytes and
// no allocation of its own, because there may be millions.
type heads struct {
	checkpoint int64
	ids        []byte
	ends       []uint32 // where each ID ends in ids
	seqs       []int64
	hashes     []byte
	at         int // the next one to be merged
}

// packHeads copies the heads that keep selects.
func packHeads(c *Checkpoint, keep func(requestID string) bool) *heads {
	count, size := 0, 0
	for _, h := range c.Heads {
		if keep(h.RequestID) {
			count, size = count+1, size+len(h.RequestID)
		}
	}
	packed := &heads{
		checkpoint: c.Seq, ids: make([]byte, 0, size), ends: make([]uint32, 0, count),
		seqs: make([]int64, 0, count), hashes: make([]byte, 0, count*sha256.Size),
	}
	for _, h := range c.Heads {
		if keep(h.RequestID) {
			packed.ids = append(packed.ids, h.RequestID...)
			packed.ends = append(packed.ends, uint32(len(packed.ids)))
			packed.seqs = append(packed.seqs, h.Seq)
			packed.hashes = append(packed.hashes, h.Hash...)
		}
	}
	return packed
}

// id is the request of the next head; it holds until the heads are dropped.
func (h *heads) id() []byte {
	start := uint32(0)
	if h.at > 0 {
		start = h.ends[h.at-1]
	}
	return h.ids[start:h.ends[h.at]]
}

func (h *heads) seq() int64 { return h.seqs[h.at] }

func (h *heads) hash() []byte {
	return h.hashes[h.at*sha256.Size : (h.at+1)*sha256.Size]
}

// merge yields the heads of all checkpoints by request, then number, then
// checkpoint. It is the heap of what each checkpoint has left.
type merge []*heads

// Len, Less, Swap, Push and Pop implement [heap.Interface].
func (m merge) Len() int      { return len(m) }
func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)   { *m = append(*m, x.(*heads)) }
func (m merge) Less(i, j int) bool {
	a, b := m[i], m[j]
	return cmp.Or(bytes.Compare(a.id(), b.id()), cmp.Compare(a.seq(), b.seq()), cmp.Compare(a.checkpoint, b.checkpoint)) < 0
}

func (m *merge) Pop() any {
	last := len(*m) - 1
	popped := (*m)[last]
	(*m)[last] = nil
	*m = (*m)[:last]
	return popped
}

// next returns the heads whose turn it is; nil when all were taken.
func (m merge) next() *heads {
	if len(m) == 0 {
		return nil
	}
	return m[0]
}

// of returns the heads whose turn it is if it is one of that request.
func (m merge) of(requestID string) *heads {
	if h := m.next(); h != nil && string(h.id()) == requestID {
		return h
	}
	return nil
}

// take goes on to the next head.
func (m *merge) take() {
	h := (*m)[0]
	h.at++
	if h.at == len(h.ends) {
		heap.Pop(m)
		return
	}
	heap.Fix(m, 0)
}
