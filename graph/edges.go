package graph

import "slices"

// foldEdges drops references that say the same as another one; a directed one
// says more than an undirected one.
func (m *DataMap) foldEdges() {
	same := func(a, b edge) bool {
		return a.from == b.from && a.to == b.to && a.fromPath.Equal(b.fromPath) && a.toPath.Equal(b.toPath)
	}
	compare := func(a, b edge) int {
		if c := compareInts(a.from, b.from, a.to, b.to); c != 0 {
			return c
		}
		if c := a.fromPath.Compare(b.fromPath); c != 0 {
			return c
		}
		if c := a.toPath.Compare(b.toPath); c != 0 {
			return c
		}
		switch {
		case a.undirected == b.undirected:
			return 0
		case b.undirected:
			return -1
		}
		return 1
	}
	slices.SortStableFunc(m.edges, compare)
	m.edges = slices.CompactFunc(m.edges, same)
	type ends struct {
		from, to         int
		fromPath, toPath string
	}
	directed, seen := map[ends]bool{}, map[ends]bool{}
	for _, e := range m.edges {
		if !e.undirected {
			directed[ends{e.from, e.to, e.fromPath.key(), e.toPath.key()}] = true
		}
	}
	m.edges = slices.DeleteFunc(m.edges, func(e edge) bool {
		if !e.undirected {
			return false
		}
		there := ends{e.from, e.to, e.fromPath.key(), e.toPath.key()}
		back := ends{there.to, there.from, there.toPath, there.fromPath}
		drop := directed[there] || directed[back] || (seen[back] && e.from != e.to)
		seen[there] = true
		return drop
	})
}

func compareInts(pairs ...int) int {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] != pairs[i+1] {
			return pairs[i] - pairs[i+1]
		}
	}
	return 0
}
