package dsr

import "github.com/godsr/dsr/graph"

// pick is a tree of selected fields.
type pick struct {
	whole    bool
	children map[string]*pick
}

func picksOf(paths []graph.Path) map[string]*pick {
	root := &pick{}
	for _, path := range paths {
		node := root
		for _, name := range path {
			if node.children == nil {
				node.children = map[string]*pick{}
			}
			if node.children[name] == nil {
				node.children[name] = &pick{}
			}
			node = node.children[name]
		}
		node.whole = true
	}
	return root.children
}

// pick returns the picked part of a value; not ok when nothing of it is there.
// It counts values that hold something, but no object to pick from.
func (p *pick) pick(v any, odd *int64) (any, bool) {
	if p.whole {
		return v, true
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, child := range p.children {
			if e, ok := v[name]; ok {
				if e, ok = child.pick(e, odd); ok {
					out[name] = e
				}
			}
		}
		return out, len(out) > 0
	case []any:
		out := []any{}
		for _, e := range v {
			if e, ok := p.pick(e, odd); ok {
				out = append(out, e)
			}
		}
		return out, len(out) > 0
	}
	if v != nil && v != "" {
		*odd++
	}
	return nil, false
}
