package graph

import (
	"cmp"
	"slices"
	"strings"
)

// order groups the reached collections into components that feed each other
// and gives each component its level.
func (p *planner) order() {
	next := func(i int) []int {
		var to []int
		for _, e := range p.flowOut[i] {
			to = append(to, p.flow[e].to)
		}
		return to
	}
	p.component, p.components = stronglyConnected(len(p.m.collections), p.reached, next)
	waits := make([][]int, len(p.components)) // component → components it waits for
	for _, e := range p.flow {
		p.wait(waits, e.from, e.to)
	}
	for to, befores := range p.m.after {
		if !p.reached[to] {
			continue
		}
		for _, from := range befores {
			if !p.reached[from] {
				continue
			}
			if p.component[from] == p.component[to] {
				p.fault(p.m.collections[to].Pos, p.m.collections[to].Address.String(),
					"after names %s, but the two feed each other; remove the after or a reference", p.m.collections[from].Address)
				continue
			}
			p.wait(waits, from, to)
		}
	}
	p.levels(waits)
	p.checkEraseOrder()
}

func (p *planner) wait(waits [][]int, from, to int) {
	f, t := p.component[from], p.component[to]
	if f != t {
		waits[t] = append(waits[t], f)
	}
}

// levels gives each component one more than the highest it waits for, and
// names the rings that after has tied.
func (p *planner) levels(waits [][]int) {
	n := len(p.components)
	p.level = make([]int, n)
	open, dependents := make([]int, n), make([][]int, n)
	var ready []int
	for c := range waits {
		slices.Sort(waits[c])
		waits[c] = slices.Compact(waits[c])
		open[c] = len(waits[c])
		for _, w := range waits[c] {
			dependents[w] = append(dependents[w], c)
		}
		if open[c] == 0 {
			ready = append(ready, c)
		}
	}
	done := 0
	for ; len(ready) > 0; done++ {
		c := ready[0]
		ready = ready[1:]
		for _, d := range dependents[c] {
			p.level[d] = max(p.level[d], p.level[c]+1)
			if open[d]--; open[d] == 0 {
				ready = append(ready, d)
			}
		}
	}
	if done == n {
		return
	}
	all := make([]bool, n)
	for c := range all {
		all[c] = open[c] > 0
	}
	_, rings := stronglyConnected(n, all, func(c int) []int { return dependents[c] })
	for _, ring := range rings {
		if len(ring) > 1 {
			var members []int
			for _, c := range ring {
				members = append(members, p.components[c]...)
			}
			p.ringFault(members, "after makes these wait for each other; remove one of the waits")
		}
	}
}

// checkEraseOrder refuses rings among erase_after.
func (p *planner) checkEraseOrder() {
	next := make([][]int, len(p.m.collections))
	for to, befores := range p.m.eraseAfter {
		for _, from := range befores {
			if p.reached[to] && p.reached[from] {
				next[from] = append(next[from], to)
			}
		}
	}
	_, rings := stronglyConnected(len(p.m.collections), p.reached, func(i int) []int { return next[i] })
	for _, ring := range rings {
		if len(ring) > 1 {
			p.ringFault(ring, "erase_after makes these wait for each other; remove one of the waits")
		}
	}
}

func (p *planner) ringFault(members []int, message string) {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = p.m.collections[m].Address.String()
	}
	slices.Sort(names)
	p.fault(p.m.collections[slices.Min(members)].Pos, strings.Join(names, ", "), "%s", message)
}

// stronglyConnected returns the strongly connected components of the nodes
// that take part, ordered by their smallest node, and for every node the
// number of its component (-1 for one that takes no part). It is Tarjan's
// algorithm (SIAM J. Comput. 1(2), 1972) without recursion, so that a chain of
// any length fits.
func stronglyConnected(n int, takesPart []bool, next func(int) []int) (of []int, components [][]int) {
	const unvisited = -1
	order, low, onStack := make([]int, n), make([]int, n), make([]bool, n)
	for i := range order {
		order[i] = unvisited
	}
	type frame struct {
		node int
		next []int
	}
	var stack []int
	count := 0
	for root := range n {
		if !takesPart[root] || order[root] != unvisited {
			continue
		}
		var calls []frame
		enter := func(i int) {
			order[i], low[i] = count, count
			count++
			stack, onStack[i] = append(stack, i), true
			calls = append(calls, frame{i, next(i)})
		}
		enter(root)
		for len(calls) > 0 {
			top := &calls[len(calls)-1]
			if len(top.next) > 0 {
				to := top.next[0]
				top.next = top.next[1:]
				switch {
				case !takesPart[to]:
				case order[to] == unvisited:
					enter(to)
				case onStack[to]:
					low[top.node] = min(low[top.node], order[to])
				}
				continue
			}
			i := top.node
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				parent := calls[len(calls)-1].node
				low[parent] = min(low[parent], low[i])
			}
			if low[i] == order[i] {
				at := len(stack) - 1 // from the top: the stack may be long
				for stack[at] != i {
					at--
				}
				members := slices.Clone(stack[at:])
				stack = stack[:at]
				for _, m := range members {
					onStack[m] = false
				}
				slices.Sort(members)
				components = append(components, members)
			}
		}
	}
	slices.SortFunc(components, func(a, b []int) int { return cmp.Compare(a[0], b[0]) })
	of = make([]int, n)
	for i := range of {
		of[i] = -1
	}
	for c, members := range components {
		for _, m := range members {
			of[m] = c
		}
	}
	return of, components
}
