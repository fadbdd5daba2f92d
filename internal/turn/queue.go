package turn

import (
	"cmp"
	"container/heap"
	"time"
)

// Queue holds items that wait for their time, one for each key. The earliest
// comes first; of those with the same time, the one that was put first. It
// holds a limited number: when it is full, the last in that order is dropped.
//
// It is not safe for concurrent use. Times must all have a monotonic clock
// reading, or none.
type Queue[V any] struct {
	limit  int
	serial uint64
	items  map[string]*item[V]
	first  ends[V] // the earliest on top
	last   ends[V] // the latest on top
}

type item[V any] struct {
	key    string
	due    time.Time
	serial uint64
	value  V
	index  [2]int // in first and in last
}

// NewQueue returns a queue for at most limit items.
func NewQueue[V any](limit int) *Queue[V] {
	return &Queue[V]{
		limit: limit,
		items: map[string]*item[V]{},
		first: ends[V]{side: 0, sign: 1},
		last:  ends[V]{side: 1, sign: -1},
	}
}

// Len tells how many items wait.
func (q *Queue[V]) Len() int { return len(q.items) }

// Get returns the item of a key.
func (q *Queue[V]) Get(key string) (due time.Time, value V, ok bool) {
	i := q.items[key]
	if i == nil {
		return due, value, false
	}
	return i.due, i.value, true
}

// Put adds an item, behind all others that have the same time. It replaces
// the one that the key had.
func (q *Queue[V]) Put(key string, due time.Time, value V) {
	q.drop(q.items[key])
	q.serial++
	i := &item[V]{key: key, due: due, serial: q.serial, value: value}
	q.items[key] = i
	heap.Push(&q.first, i)
	heap.Push(&q.last, i)
	if len(q.items) > q.limit {
		q.drop(q.last.items[0])
	}
}

// Next tells when the first item is due. It is false if there is none.
func (q *Queue[V]) Next() (due time.Time, ok bool) {
	if len(q.items) == 0 {
		return due, false
	}
	return q.first.items[0].due, true
}

// Take removes the first item. There must be one.
func (q *Queue[V]) Take() (key string, value V) {
	i := q.first.items[0]
	q.drop(i)
	return i.key, i.value
}

func (q *Queue[V]) drop(i *item[V]) {
	if i == nil {
		return
	}
	delete(q.items, i.key)
	heap.Remove(&q.first, i.index[q.first.side])
	heap.Remove(&q.last, i.index[q.last.side])
}

// ends is a heap of the items, from one of their two ends.
type ends[V any] struct {
	items      []*item[V]
	side, sign int
}

func (e *ends[V]) Len() int { return len(e.items) }

func (e *ends[V]) Less(i, j int) bool {
	a, b := e.items[i], e.items[j]
	return e.sign*cmp.Or(a.due.Compare(b.due), cmp.Compare(a.serial, b.serial)) < 0
}

func (e *ends[V]) Swap(i, j int) {
	e.items[i], e.items[j] = e.items[j], e.items[i]
	e.items[i].index[e.side], e.items[j].index[e.side] = i, j
}

// Push implements [heap.Interface].
func (e *ends[V]) Push(x any) {
	i := x.(*item[V])
	i.index[e.side] = len(e.items)
	e.items = append(e.items, i)
}

// Pop implements [heap.Interface].
func (e *ends[V]) Pop() any {
	last := len(e.items) - 1
	i := e.items[last]
	e.items[last] = nil
	e.items = e.items[:last]
	return i
}
