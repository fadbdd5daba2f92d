package dsr

import (
	"maps"
	"slices"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/redact"
)

const (
	// maxKeys is how many different keys the objects of one field may have
	// over all rows, before they are one column instead of many.
	maxKeys = 200
	// maxColumns is how many fields inside of objects a collection may have,
	// before the innermost objects are one column each. Spreadsheets hold
	// 16,384 columns.
	maxColumns = 1000
)

// shape is what was found in a field over all rows.
type shape struct {
	leaf     bool // a value that is no object, or an empty one
	whole    bool // too many keys
	children map[string]*shape
	room     *room
}

// room is how many fields inside of objects a collection may still have.
type room struct {
	left int
	root *shape
}

// make folds what lies deepest, below a depth, until there is room.
func (r *room) make(depth int) bool {
	for r.left == 0 {
		deepest, at := r.root.deepest(0)
		if at <= depth {
			return false
		}
		deepest.fold()
	}
	return true
}

// deepest returns the object with fields that lies deepest, the first of such by
// name.
func (s *shape) deepest(depth int) (found *shape, at int) {
	found, at = s, depth
	for _, name := range slices.Sorted(maps.Keys(s.children)) {
		if c := s.children[name]; len(c.children) > 0 {
			if f, d := c.deepest(depth + 1); d > at {
				found, at = f, d
			}
		}
	}
	return found, at
}

// fold makes an object one column.
func (s *shape) fold() {
	for _, c := range s.children {
		c.fold()
		s.room.left++
	}
	s.whole, s.leaf, s.children = true, true, nil
}

// child is the shape of a field of the object; nil where that has no column.
func (s *shape) child(name string, depth int) *shape {
	if s == nil || s.whole {
		return nil
	}
	if s.children[name] == nil {
		if len(s.children) == maxKeys || !s.room.make(depth) {
			s.fold()
			return nil
		}
		if s.children == nil {
			s.children = map[string]*shape{}
		}
		s.room.left--
		s.children[name] = &shape{room: s.room}
	}
	return s.children[name]
}

// isLeaf notes that a value was found that is no object with fields.
func (s *shape) isLeaf() {
	if s != nil {
		s.leaf = true
	}
}

// see adds a value to the shape, and the names in it to those that are shown.
func (s *shape) see(v any, depth int, cursor *redact.Cursor) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			s.isLeaf()
		}
		for _, name := range slices.Sorted(maps.Keys(v)) { // so that the same keys come to be too many
			cursor.Enter(name)
			s.child(name, depth).see(v[name], depth+1, cursor)
			cursor.Leave()
		}
	case []any:
		s.isLeaf()
		for _, e := range v {
			(*shape)(nil).see(e, depth+1, cursor)
		}
	case nil: // needs no column of its own
	default:
		s.isLeaf()
	}
}

// declared is the shape of a column as its dataset has it.
func declared(c *graph.Collection, column string) *shape {
	root := &shape{leaf: true}
	root.room = &room{left: maxColumns, root: root}
	for path := range c.All() {
		if path[0] != column {
			continue
		}
		at := root
		for depth, name := range path[1:] {
			at = at.child(name, depth)
		}
		at.isLeaf()
	}
	return root
}

// columns yields the columns of a field, in order.
func (s *shape) columns(path graph.Path, shown []string, cursor *redact.Cursor, yield func(path graph.Path, shown []string, whole bool)) {
	if s.leaf || len(s.children) == 0 {
		yield(path, shown, s.whole)
	}
	if s.whole {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.children)) {
		as := cursor.Enter(name)
		s.children[name].columns(append(path[:len(path):len(path)], name), append(shown[:len(shown):len(shown)], string([]rune(as))), cursor, yield)
		cursor.Leave()
	}
}
