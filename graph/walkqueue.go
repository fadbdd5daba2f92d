package graph

import "container/heap"

// queue gives out the smallest number first: units are numbered in plan order.
type queue struct{ ints }

func (q *queue) push(u int) { heap.Push(&q.ints, u) }
func (q *queue) pop() int   { return heap.Pop(&q.ints).(int) }

// ints is a heap.
type ints []int

func (h ints) Len() int           { return len(h) }
func (h ints) Less(i, j int) bool { return h[i] < h[j] }
func (h ints) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *ints) Push(x any)        { *h = append(*h, x.(int)) }
func (h *ints) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// fullGroup returns a group of the unit that has no place left. A cycle takes
// one place in each of its groups.
func (w *walk) fullGroup(u int) (string, bool) {
	for _, g := range w.units[u].groups {
		if w.full(g) {
			return g, true
		}
	}
	return "", false
}

func (w *walk) full(g string) bool {
	if w.opts.GroupLimit == nil {
		return false
	}
	limit := w.opts.GroupLimit(g)
	return limit > 0 && w.busy[g] >= limit
}

// park sets a unit aside until its group has a place, so that it is not looked
// at whenever something else ends. What it leaves free in its other groups goes
// to those that wait there.
func (w *walk) park(u int, group string) {
	if w.parked[group] == nil {
		w.parked[group] = &queue{}
	}
	w.parked[group].push(u)
	for _, g := range w.units[u].groups {
		if g != group && !w.full(g) {
			w.unpark(g)
		}
	}
}

// unpark makes one unit ready that waits for a place in the group.
func (w *walk) unpark(group string) {
	if q := w.parked[group]; q != nil && q.Len() > 0 {
		w.ready.push(q.pop())
	}
}

func (w *walk) unparkAll() {
	for _, q := range w.parked {
		for q.Len() > 0 {
			w.ready.push(q.pop())
		}
	}
}
