package graph

import (
	"cmp"
	"slices"
	"strings"
)

// build writes the plan down.
func (p *planner) build() *Plan {
	plan := &Plan{Policy: *p.policy, Identities: p.kinds}
	cycles := p.numberCycles(plan)
	for i, c := range p.m.collections {
		if !p.active[i] || !p.reached[i] {
			continue
		}
		step := &Step{Collection: c, Level: p.level[p.component[i]], Cycle: cycles[p.component[i]]}
		step.Inputs = p.inputs(i)
		step.Upstream = p.upstream(i)
		step.Access = p.selected[i].access
		step.Erase = p.selected[i].erase
		if step.Erase != nil {
			step.EraseAfter = p.eraseAfter(i)
		}
		step.Columns = p.columns(i, step)
		plan.Steps = append(plan.Steps, step)
	}
	slices.SortStableFunc(plan.Steps, func(a, b *Step) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), a.Collection.Address.Compare(b.Collection.Address))
	})
	plan.Skipped = p.skips()
	return plan
}

// numberCycles lists the components whose members feed each other or
// themselves.
func (p *planner) numberCycles(plan *Plan) []int {
	self := make([]bool, len(p.m.collections))
	for _, e := range p.flow {
		self[e.from] = self[e.from] || e.from == e.to
	}
	number := make([]int, len(p.components))
	for c, members := range p.components {
		if len(members) == 1 && !self[members[0]] {
			continue
		}
		var cycle []Address
		for _, m := range members {
			cycle = append(cycle, p.m.collections[m].Address)
		}
		plan.Cycles = append(plan.Cycles, cycle)
		number[c] = len(plan.Cycles)
	}
	return number
}

func (p *planner) upstream(i int) []Address {
	var from []int
	for _, e := range p.flowIn[i] {
		if p.component[p.flow[e].from] != p.component[i] {
			from = append(from, p.flow[e].from)
		}
	}
	for _, a := range p.m.after[i] {
		if p.reached[a] {
			from = append(from, a)
		}
	}
	return p.addresses(from)
}

func (p *planner) eraseAfter(i int) []Address {
	var from []int
	for _, a := range p.m.eraseAfter[i] {
		if p.reached[a] && p.selected[a].erase != nil {
			from = append(from, a)
		}
	}
	return p.addresses(from)
}

func (p *planner) addresses(ids []int) []Address {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	var out []Address
	for _, id := range ids {
		out = append(out, p.m.collections[id].Address)
	}
	return out
}

// inputs groups the ways into a collection: one input for each identity
// field, one for each field or tuple that other collections feed.
func (p *planner) inputs(i int) []Input {
	var inputs []Input
	for _, s := range p.seeded[i] {
		if slices.Contains(p.kinds, s.kind) {
			inputs = append(inputs, Input{Fields: []Path{s.path}, Identity: s.kind})
		}
	}
	byParent := map[int][]edge{}
	for _, e := range p.flowIn[i] {
		byParent[p.flow[e].from] = append(byParent[p.flow[e].from], p.flow[e])
	}
	parents := make([]int, 0, len(byParent))
	for parent := range byParent {
		parents = append(parents, parent)
	}
	slices.Sort(parents)
	fed := map[string]int{}
	for _, parent := range parents {
		for _, tuple := range p.tuples(parent, i, byParent[parent]) {
			var to, from []Path
			for _, e := range tuple {
				to, from = append(to, e.toPath), append(from, e.fromPath)
			}
			key := pathsKey(to)
			at, ok := fed[key]
			if !ok {
				at = len(inputs)
				fed[key] = at
				inputs = append(inputs, Input{Fields: to})
			}
			inputs[at].Sources = append(inputs[at].Sources, Source{From: p.m.collections[parent].Address, Fields: from})
		}
	}
	slices.SortStableFunc(inputs, func(a, b Input) int {
		return cmp.Or(slices.CompareFunc(a.Fields, b.Fields, Path.Compare), cmp.Compare(a.Identity, b.Identity))
	})
	return inputs
}

// key is a path as one string, which no other path has, also when names hold
// dots.
func (p Path) key() string {
	var b strings.Builder
	for _, name := range p {
		b.WriteString(name)
		b.WriteByte(0)
	}
	return b.String()
}

func pathsKey(paths []Path) string {
	var b strings.Builder
	for _, path := range paths {
		b.WriteString(path.key())
		b.WriteByte(1)
	}
	return b.String()
}

// tuples splits the edges between two collections into those that stand alone
// and those that must be compared together, because they are different parts
// of a composite key of one of the two.
func (p *planner) tuples(from, to int, edges []edge) [][]edge {
	slices.SortStableFunc(edges, func(a, b edge) int {
		return cmp.Or(a.toPath.Compare(b.toPath), a.fromPath.Compare(b.fromPath))
	})
	if from != to || len(edges) > 1 {
		byFrom := func(e edge) Path { return e.fromPath }
		byTo := func(e edge) Path { return e.toPath }
		for _, end := range []struct {
			of  int
			key func(edge) Path
		}{{from, byFrom}, {to, byTo}} {
			if out, ok := p.keyTuples(end.of, edges, end.key); ok {
				return out
			}
		}
	}
	var out [][]edge
	for _, e := range edges {
		out = append(out, []edge{e})
	}
	return out
}

// keyTuples pairs up edges that hold different parts of the composite key of
// collection c. One part may be referred to several times (two addresses of
// one tenant): each gives a tuple of its own.
func (p *planner) keyTuples(c int, edges []edge, end func(edge) Path) ([][]edge, bool) {
	key := p.keys[c]
	if len(key) < 2 {
		return nil, false
	}
	var alone [][]edge
	parts := make([][]edge, len(key))
	for _, e := range edges {
		at := slices.IndexFunc(key, func(k Path) bool { return k.Equal(end(e)) })
		if at < 0 {
			alone = append(alone, []edge{e})
			continue
		}
		parts[at] = append(parts[at], e)
	}
	parts = slices.DeleteFunc(parts, func(es []edge) bool { return len(es) == 0 })
	if len(parts) < 2 {
		return nil, false
	}
	several := -1
	for at, es := range parts {
		for _, e := range es {
			inside := FieldAddress{p.m.collections[e.to].Address, e.toPath}
			if p.inArray(e.from, e.fromPath) {
				inside = FieldAddress{p.m.collections[e.from].Address, e.fromPath}
			} else if !p.inArray(e.to, e.toPath) {
				continue
			}
			p.fault(e.pos, inside.String(), "a part of the composite key of %s is matched inside of an array here, where parts cannot be told apart; keep the parts outside of arrays", p.m.collections[c].Address)
			return alone, true
		}
		if len(es) < 2 {
			continue
		}
		if several >= 0 {
			p.fault(es[0].pos, p.m.collections[es[0].to].Address.String(),
				"several references to the composite key of %s, and more than one part of it is referred to twice: it is not clear which belong together", p.m.collections[c].Address)
			return alone, true
		}
		several = at
	}
	turns := 1
	if several >= 0 {
		turns = len(parts[several])
	}
	out := alone
	for turn := range turns {
		var tuple []edge
		for at, es := range parts {
			if at == several {
				tuple = append(tuple, es[turn])
			} else {
				tuple = append(tuple, es[0])
			}
		}
		out = append(out, tuple)
	}
	return out, true
}

// inArray reports whether a path leads through or to an array.
func (p *planner) inArray(c int, path Path) bool {
	for n := range path {
		if f, ok := p.m.collections[c].Field(path[:n+1]); ok && f.Type.Array {
			return true
		}
	}
	return false
}

// columns lists what has to be read: keys, ends of references in use, and what
// the policy selects.
func (p *planner) columns(i int, step *Step) []string {
	var columns []string
	add := func(paths ...Path) {
		for _, path := range paths {
			columns = append(columns, path.Column())
		}
	}
	add(p.keys[i]...)
	for _, in := range step.Inputs {
		add(in.Fields...)
	}
	for _, e := range p.flowOut[i] {
		add(p.flow[e].fromPath)
	}
	for _, s := range step.Access {
		add(s.Fields...)
	}
	if step.Erase != nil {
		for _, f := range step.Erase.Fields {
			add(f.Path)
		}
	}
	slices.Sort(columns)
	return slices.Compact(columns)
}
