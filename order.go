package dsr

import (
	"context"
	"fmt"
	"slices"
)

// rowOrder puts rows that are to be deleted, and that refer to rows of their
// own table, into an order in which each goes before those it refers to.
type rowOrder struct {
	step  *step
	bonds []ForeignKey // of the table to itself
	ends  []*sharedEnd // of bonds
	limit int
	rows  []orderedRow
}

type orderedRow struct {
	entry
	record []byte   // its rowKey
	own    []string // by bond: what others refer to it by, empty for nothing
	refers []string // by bond: what it refers to
	kept   bool
	// Both lists hold indexes of rows; a row is in neither of its own.
	parents, children []int
	binding           []int // the parents that have to stay while it does
}

// rowGroup is a part of a rowOrder. None of its rows refers to another of
// them, unless it is a ring.
type rowGroup struct {
	rows []int
	ring bool
}

// newRowOrder returns nil for a step whose rows cannot stand in each other's
// way.
func newRowOrder(s *step, limit int) *rowOrder {
	o := &rowOrder{step: s, limit: limit}
	for _, fk := range s.bonds() {
		if fk.Table == s.schema.Table {
			o.bonds = append(o.bonds, fk)
			o.ends = append(o.ends, s.bondEnd(fk))
		}
	}
	if len(o.bonds) == 0 {
		return nil
	}
	return o
}

// add takes a row in; kept ones are to stay.
func (o *rowOrder) add(e entry, record []byte, row []any, kept bool) error {
	if len(o.rows) >= o.limit {
		return fmt.Errorf("%s: its rows refer to each other (%s), so that they are put in order before they are deleted; there are more than Limits.CycleValues (%d) allows to hold in memory", o.step.Address(), o.bonds[0].Name, o.limit)
	}
	key, err := o.step.rowKey(record)
	if err != nil {
		return err
	}
	r := orderedRow{entry: e, record: key, kept: kept}
	for i, fk := range o.bonds {
		own, _ := o.ends[i].form(o.step.tuple(columnPaths(fk.References), row))
		refers, _ := o.ends[i].form(o.step.tuple(columnPaths(fk.Columns), row))
		r.own, r.refers = append(r.own, string(own)), append(r.refers, string(refers))
	}
	o.rows = append(o.rows, r)
	return nil
}

// arrange returns the rows to delete in their order, and marks as kept all rows
// that kept ones refer to.
func (o *rowOrder) arrange() []rowGroup {
	o.connect()
	o.spread()
	up := func(i int) []int { return o.rows[i].parents }
	down := func(i int) []int { return o.rows[i].children }
	open := make([]bool, len(o.rows))
	for i := range o.rows {
		open[i] = !o.rows[i].kept
	}
	groups := peel(open, down, up)
	above := peel(open, up, down) // what rings refer to
	slices.Reverse(above)
	for i := range open {
		if !open[i] {
			continue
		}
		open[i] = false
		ring := []int{i}
		for at := 0; at < len(ring); at++ {
			for _, next := range slices.Concat(up(ring[at]), down(ring[at])) {
				if open[next] {
					open[next] = false
					ring = append(ring, next)
				}
			}
		}
		groups = append(groups, rowGroup{rows: ring, ring: true})
	}
	return append(groups, above...)
}

// connect finds which row refers to which.
func (o *rowOrder) connect() {
	for n, fk := range o.bonds {
		by := map[string][]int{}
		for i := range o.rows {
			if own := o.rows[i].own[n]; own != "" {
				by[own] = append(by[own], i)
			}
		}
		for i := range o.rows {
			for _, parent := range by[o.rows[i].refers[n]] {
				if parent == i {
					continue
				}
				o.rows[i].parents = append(o.rows[i].parents, parent)
				o.rows[parent].children = append(o.rows[parent].children, i)
				if fk.OnDelete != "set null" {
					o.rows[i].binding = append(o.rows[i].binding, parent)
				}
			}
		}
	}
}

// spread keeps what kept rows refer to.
func (o *rowOrder) spread() {
	var kept []int
	for i := range o.rows {
		if o.rows[i].kept {
			kept = append(kept, i)
		}
	}
	for at := 0; at < len(kept); at++ {
		for _, parent := range o.rows[kept[at]].binding {
			if !o.rows[parent].kept {
				o.rows[parent].kept = true
				kept = append(kept, parent)
			}
		}
	}
}

// peel closes, layer by layer, the open rows for which before leads to no open
// one; after leads back.
func peel(open []bool, before, after func(int) []int) []rowGroup {
	waits := make([]int, len(open))
	var layer []int
	for i := range open {
		for _, b := range before(i) {
			if open[b] {
				waits[i]++
			}
		}
		if open[i] && waits[i] == 0 {
			layer = append(layer, i)
		}
	}
	var layers []rowGroup
	for len(layer) > 0 {
		layers = append(layers, rowGroup{rows: layer})
		var next []int
		for _, i := range layer {
			open[i] = false
			for _, a := range after(i) {
				if waits[a]--; waits[a] == 0 && open[a] {
					next = append(next, a)
				}
			}
		}
		layer = next
	}
	return layers
}

// ordered journals the rows of an order, and returns how many more are kept
// because kept ones refer to them.
func (j *journal) ordered(ctx context.Context, o *rowOrder, chunks *chunker) (int64, error) {
	given := o.kept()
	for _, group := range o.arrange() {
		if limit := j.run.engine.config.Limits.ChunkRows; group.ring && len(group.rows) > limit {
			return 0, fmt.Errorf("%s: %d of its rows refer to each other in a ring (%s), so that one transaction has to delete them, and Limits.ChunkRows allows %d; raise it", o.step.Address(), len(group.rows), o.bonds[0].Name, limit)
		}
		if err := chunks.cut(ctx); err != nil {
			return 0, err
		}
		for _, i := range group.rows {
			if err := chunks.add(ctx, o.rows[i].entry); err != nil {
				return 0, err
			}
		}
	}
	for i := range o.rows {
		if o.rows[i].kept {
			j.keepKey(o.step, o.rows[i].record)
		}
	}
	return o.kept() - given, nil
}

func (o *rowOrder) kept() int64 {
	n := int64(0)
	for i := range o.rows {
		if o.rows[i].kept {
			n++
		}
	}
	return n
}
