package graph

import (
	"cmp"
	"fmt"
	"slices"
)

// DataMap is the datasets of all connections with their references resolved.
// It is immutable.
type DataMap struct {
	collections []*Collection // by address
	index       map[Address]int
	edges       []edge
	refers      [][]tie // collection → where its own references lead
	after       [][]int // collection → collections that are visited before it
	eraseAfter  [][]int
}

// edge is a resolved reference. An undirected one stands as it was declared:
// from the referenced field to the field that refers to it.
type edge struct {
	from, to         int // collections
	fromPath, toPath Path
	undirected       bool
	pos              Position
}

// tie is a collection that a reference names.
type tie struct {
	to  int
	pos Position
}

// NewDataMap joins datasets. The error is a [*FaultError] that names every nil,
// or every duplicate key and every name that leads nowhere: references, after and
// erase_after. The datasets must not be changed afterwards.
func NewDataMap(datasets ...*Dataset) (*DataMap, error) {
	m := &DataMap{index: map[Address]int{}}
	var faults Diagnostics
	fault := func(pos Position, subject, format string, args ...any) {
		faults = append(faults, Diagnostic{Severity: Error, Pos: pos, Subject: subject, Message: fmt.Sprintf(format, args...)})
	}
	checkNil(datasets, fault)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	byKey := map[string]*Dataset{}
	for _, d := range datasets {
		if first, ok := byKey[d.Key]; ok {
			fault(d.Pos, d.Key, "the dataset is there twice, first at %s; give one of them another fides_key", orUnknown(first.Pos))
			continue
		}
		byKey[d.Key] = d
		if !validKey(d.Key) {
			fault(d.Pos, d.Key, "%q cannot be the key of a dataset: want letters, digits and _ . < > -", d.Key)
		}
		for _, c := range d.Collections {
			address := Address{Dataset: d.Key, Collection: c.Name}
			if c.Name == "" {
				fault(c.Pos, d.Key, "a collection has no name")
			}
			checkNames(address.String(), c.Fields, fault)
			placed := *c
			placed.Address, placed.Namespace = address, d.Namespace
			m.collections = append(m.collections, &placed)
		}
	}
	slices.SortStableFunc(m.collections, func(a, b *Collection) int { return a.Address.Compare(b.Address) })
	for i, c := range m.collections {
		if _, ok := m.index[c.Address]; ok {
			fault(c.Pos, c.Address.String(), "the collection is there twice")
			continue
		}
		m.index[c.Address] = i
	}
	m.refers = make([][]tie, len(m.collections))
	m.after = make([][]int, len(m.collections))
	m.eraseAfter = make([][]int, len(m.collections))
	find := &finder{m: m, fields: map[int]map[string]foundField{}}
	for i, c := range m.collections {
		m.resolveReferences(i, c, byKey, find, fault)
		for _, a := range c.After {
			m.resolveAfter(&m.after[i], c, a, "after", fault)
		}
		for _, a := range c.EraseAfter {
			m.resolveAfter(&m.eraseAfter[i], c, a, "erase_after", fault)
		}
	}
	m.resolveDatasetAfter(datasets, byKey, fault)
	if err := canonical(faults).Err(); err != nil {
		return nil, err
	}
	m.foldEdges()
	return m, nil
}

// canonical orders faults by place, then by subject, and drops repeated ones,
// so that they do not depend on the order in which datasets are given.
func canonical(faults Diagnostics) Diagnostics {
	slices.SortStableFunc(faults, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column),
			cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(faults)
}

type faultFunc func(pos Position, subject, format string, args ...any)

// checkNames refuses fields without a name, and fields that share one with a
// sibling.
func checkNames(parent string, fields []*Field, fault faultFunc) {
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		switch {
		case f.Name == "":
			fault(f.Pos, parent, "a field has no name")
		case seen[f.Name]:
			fault(f.Pos, parent, "the field %q is there twice", f.Name)
		}
		seen[f.Name] = true
		checkNames(parent+"."+f.Name, f.Fields, fault)
	}
}

// checkNil tells of every nil among datasets and what they hold; nothing else
// can be said of them then.
func checkNil(datasets []*Dataset, fault faultFunc) {
	for n, d := range datasets {
		if d == nil {
			fault(Position{}, fmt.Sprintf("dataset %d", n+1), "it is nil")
			continue
		}
		for i, c := range d.Collections {
			if c == nil {
				fault(d.Pos, d.Key, "collection %d is nil", i+1)
				continue
			}
			checkNilFields(Address{Dataset: d.Key, Collection: c.Name}.String(), c.Pos, c.Fields, fault)
		}
	}
}

func checkNilFields(parent string, pos Position, fields []*Field, fault faultFunc) {
	for i, f := range fields {
		if f == nil {
			fault(pos, parent, "field %d is nil", i+1)
			continue
		}
		checkNilFields(parent+"."+f.Name, f.Pos, f.Fields, fault)
	}
}

func orUnknown(p Position) string {
	if s := p.String(); s != "" {
		return s
	}
	return "an unknown place"
}

func (m *DataMap) resolveReferences(i int, c *Collection, byKey map[string]*Dataset, find *finder, fault faultFunc) {
	for path, f := range c.All() {
		for _, ref := range f.References {
			pos := ref.Pos
			if pos.Line == 0 {
				pos = f.Pos
			}
			subject := FieldAddress{c.Address, path}.String()
			if len(f.Fields) > 0 {
				fault(pos, subject, "an object cannot refer to anything; move the reference to one of its fields")
				continue
			}
			if _, ok := byKey[ref.Dataset]; !ok {
				fault(pos, subject, "refers to dataset %q, which is not in the data map; add it or remove the reference", ref.Dataset)
				continue
			}
			target, targetPath, problem := find.field(ref.Dataset, ref.Field)
			if problem != "" {
				fault(pos, subject, "refers to %s.%s: %s", ref.Dataset, ref.Field, problem)
				continue
			}
			e := edge{from: target, fromPath: targetPath, to: i, toPath: path, pos: pos}
			switch ref.Direction {
			case To:
				e.from, e.fromPath, e.to, e.toPath = i, path, target, targetPath
			case From:
			case Undirected:
				e.undirected = true
			default:
				fault(pos, subject, "direction %q is neither from nor to", ref.Direction)
				continue
			}
			m.edges = append(m.edges, e)
			m.refers[i] = append(m.refers[i], tie{target, pos})
		}
	}
}

func (m *DataMap) resolveAfter(list *[]int, c *Collection, a Address, key string, fault faultFunc) {
	at, ok := m.index[a]
	switch {
	case !ok:
		fault(c.Pos, c.Address.String(), "%s names %s, which is not in the data map", key, a)
	case a == c.Address:
		fault(c.Pos, c.Address.String(), "%s names the collection itself", key)
	default:
		*list = append(*list, at)
	}
}

// maxAfter bounds the pairs of collections that the after of datasets makes.
const maxAfter = 4_000_000

// resolveDatasetAfter spreads a dataset's after over all its collections.
func (m *DataMap) resolveDatasetAfter(datasets []*Dataset, byKey map[string]*Dataset, fault faultFunc) {
	type pair struct{ before, d *Dataset }
	var list []pair
	pairs, known := 0, map[pair]bool{}
	for _, d := range datasets {
		for _, key := range d.After {
			p := pair{byKey[key], d}
			switch {
			case p.before == nil || key == d.Key:
				fault(d.Pos, d.Key, "after names dataset %q, which is not another dataset of the data map", key)
			case !known[p]:
				known[p] = true
				pairs += len(p.before.Collections) * len(d.Collections)
				list = append(list, p)
			}
		}
	}
	if pairs > maxAfter {
		fault(Position{}, "", "the after of the datasets ties %d pairs of collections, more than %d: name the collections it is about in their own after", pairs, maxAfter)
		return
	}
	for _, p := range list {
		for _, c := range p.d.Collections {
			at := m.index[Address{p.d.Key, c.Name}]
			for _, b := range p.before.Collections {
				m.after[at] = append(m.after[at], m.index[Address{p.before.Key, b.Name}])
			}
		}
	}
}

// Collection returns the collection at an address.
func (m *DataMap) Collection(a Address) (*Collection, bool) {
	i, ok := m.index[a]
	if !ok {
		return nil, false
	}
	return m.collections[i], true
}

// Addresses returns the addresses of all collections in order.
func (m *DataMap) Addresses() []Address {
	out := make([]Address, len(m.collections))
	for i, c := range m.collections {
		out[i] = c.Address
	}
	return out
}

// IdentityKinds returns the kinds of identity that fields of the data map
// are seeded with by name, in order.
func (m *DataMap) IdentityKinds() []string {
	var kinds []string
	for _, c := range m.collections {
		for _, f := range c.All() {
			if f.Identity != "" && f.Identity != AnyIdentity {
				kinds = append(kinds, f.Identity)
			}
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// TakesAnyIdentity reports whether a field of the data map is seeded with
// identities of any kind, see [AnyIdentity].
func (m *DataMap) TakesAnyIdentity() bool {
	return slices.ContainsFunc(m.collections, func(c *Collection) bool {
		for _, f := range c.All() {
			if f.Identity == AnyIdentity {
				return true
			}
		}
		return false
	})
}

// SeedsFrom reports whether plans can start from an identity of the kind: a field
// of a collection that is not set to skip_processing is seeded with it, or with
// any.
func (m *DataMap) SeedsFrom(kind string) bool {
	return slices.ContainsFunc(m.collections, func(c *Collection) bool { return !c.SkipProcessing && c.seededWith(kind) })
}
