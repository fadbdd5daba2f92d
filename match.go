package dsr

import "github.com/godsr/dsr/graph"

// matchNode is a field on the way to an array whose elements are matched by
// value: of such an array only the matching elements are the data subject's.
type matchNode struct {
	children map[string]*matchNode
	inputs   []*input
	keepAll  bool // return_all_elements
}

// matchNodes returns, by column, the ways to the array elements that the
// inputs of a step match; nil when there are none.
func matchNodes(s *step) map[int]*matchNode {
	var nodes map[int]*matchNode
	for _, in := range s.inputs {
		if !in.inArray {
			continue
		}
		path := in.Fields[0]
		if nodes == nil {
			nodes = map[int]*matchNode{}
		}
		at := s.at[path.Column()]
		if nodes[at] == nil {
			nodes[at] = &matchNode{}
		}
		node := nodes[at]
		keep := keepsAll(s, path[:1])
		node.keepAll = node.keepAll || keep
		for n := 1; n < len(path); n++ {
			if node.children == nil {
				node.children = map[string]*matchNode{}
			}
			child := node.children[path[n]]
			if child == nil {
				child = &matchNode{}
				node.children[path[n]] = child
			}
			keep = keep || keepsAll(s, path[:n+1])
			child.keepAll = child.keepAll || keep
			node = child
		}
		node.inputs = append(node.inputs, in)
	}
	return nodes
}

func keepsAll(s *step, path graph.Path) bool {
	f, ok := s.Collection.Field(path)
	return ok && f.ReturnAllElements
}

// part says what of a value is the data subject's: nil nothing, all
// everything, otherwise these elements or keys in this way. Keys that are not
// named are kept.
type part struct {
	all      bool
	elements []*part
	keys     map[string]*part
}

var wholePart = &part{all: true}

// match finds the part of a value that belongs to the data subject, and
// whether an input value was met in it.
func (n *matchNode) match(v any) (*part, bool) {
	switch v := v.(type) {
	case []any:
		p, hit := &part{elements: make([]*part, len(v))}, false
		for i, e := range v {
			sub, ok := n.match(e)
			if !ok {
				continue
			}
			p.elements[i], hit = sub, true
		}
		if n.keepAll {
			return wholePart, hit
		}
		return p, hit
	case map[string]any:
		if n.children == nil {
			return wholePart, false
		}
		p, hit := &part{keys: map[string]*part{}}, false
		for key, child := range n.children {
			if e, ok := v[key]; ok {
				sub, ok := child.match(e)
				p.keys[key] = sub
				hit = hit || ok
			}
		}
		return p, hit
	}
	for _, in := range n.inputs {
		if in.has(v) {
			return wholePart, true
		}
	}
	return wholePart, false
}

// prune returns the part of a value that is the data subject's, as a copy
// where something is left out.
func (p *part) prune(v any) any {
	if p.all {
		return v
	}
	switch v := v.(type) {
	case []any:
		out := []any{}
		for i, e := range v {
			if p.elements[i] != nil {
				out = append(out, p.elements[i].prune(e))
			}
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, e := range v {
			if sub, ok := p.keys[key]; ok && sub != nil {
				e = sub.prune(e)
			}
			out[key] = e
		}
		return out
	}
	return v
}

// element returns the part that an element of an array is; nil for one that is
// not the data subject's.
func (p *part) element(i int) *part {
	if p.all {
		return p
	}
	return p.elements[i]
}

// key returns the part that the value of a key is.
func (p *part) key(name string) *part {
	if sub, ok := p.keys[name]; ok && !p.all {
		return sub
	}
	return wholePart
}

// leaves calls visit with every value that path leads to inside of v, an
// array's elements one by one.
func leaves(v any, path []string, visit func(v any) error) error {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			if err := leaves(e, path, visit); err != nil {
				return err
			}
		}
		return nil
	}
	if len(path) == 0 {
		return visit(v)
	}
	if m, ok := v.(map[string]any); ok {
		if e, ok := m[path[0]]; ok {
			return leaves(e, path[1:], visit)
		}
	}
	return nil
}
