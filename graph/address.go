package graph

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Address names one collection of one dataset. It is written
// "dataset:collection", which is also the key of the collection in a data
// package.
type Address struct {
	Dataset    string `json:"dataset"`
	Collection string `json:"collection"`
}

// String returns "dataset:collection".
func (a Address) String() string { return a.Dataset + ":" + a.Collection }

// Compare orders addresses by dataset, then by collection.
func (a Address) Compare(b Address) int {
	return cmp.Or(cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.Collection, b.Collection))
}

// ParseAddress reads "dataset:collection". A dataset key never holds a colon,
// so everything after the first one is the collection's name.
func ParseAddress(s string) (Address, error) {
	dataset, collection, ok := strings.Cut(s, ":")
	if !ok || dataset == "" || collection == "" {
		return Address{}, fmt.Errorf("graph: %q is not an address: want dataset:collection", s)
	}
	return Address{Dataset: dataset, Collection: collection}, nil
}

// Path leads to a field of a collection: its first element is the name of a
// top-level field (a column), each further one a key inside it. Arrays on the
// way are not spelled out: a path means the field in every element.
type Path []string

// String joins the elements with dots, as a dataset's references write them.
func (p Path) String() string { return strings.Join(p, ".") }

// Column returns the top-level field that the path starts at.
func (p Path) Column() string { return p[0] }

// Compare orders paths element by element.
func (p Path) Compare(q Path) int { return slices.Compare(p, q) }

// Equal reports whether both paths lead to the same field.
func (p Path) Equal(q Path) bool { return slices.Equal(p, q) }

// HasPrefix reports whether q is p or one of its parents.
func (p Path) HasPrefix(q Path) bool { return len(p) >= len(q) && slices.Equal(p[:len(q)], q) }

// FieldAddress names one field of one collection.
type FieldAddress struct {
	Address
	Path Path `json:"path"`
}

// String returns "dataset:collection.path.to.field".
func (f FieldAddress) String() string { return f.Address.String() + "." + f.Path.String() }
