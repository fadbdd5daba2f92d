package graph

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// NewPlan works out how the policy is carried out for a request that brings
// the given kinds of identity. The error is a [*FaultError] that names every
// fault: identity kinds that no dataset knows, targets that select nothing,
// collections with targeted data that nothing leads to, after and erase_after
// that cannot be kept, targeted keys, and fields that two rules mask
// differently.
func NewPlan(m *DataMap, policy *Policy, kinds []string, opts *PlanOptions) (*Plan, error) {
	p := &planner{m: m, policy: policy, kinds: slices.Compact(slices.Sorted(slices.Values(kinds))), aside: map[Address]string{}}
	if opts != nil {
		p.taxonomy = opts.Taxonomy
		for _, skip := range opts.SetAside {
			p.aside[skip.Address] = skip.Reason
		}
	}
	if p.taxonomy == nil {
		p.taxonomy = DefaultTaxonomy()
	}
	p.link()
	p.checkKinds()
	p.orient()
	p.reach()
	p.order()
	plan := p.build()
	if err := canonical(p.faults).Err(); err != nil {
		return nil, err
	}
	plan.makeIndex()
	return plan, nil
}

type planner struct {
	m        *DataMap
	policy   *Policy
	kinds    []string
	taxonomy *Taxonomy
	faults   Diagnostics
	aside    map[Address]string // why, of collections that are set aside

	active     []bool   // collections that take part
	keys       [][]Path // primary keys by collection
	in, out    [][]int  // edges by collection, undirected ones in both
	seeded     [][]seed // identity fields by collection
	flow       []edge   // edges as they are used, all of them directed
	flowIn     [][]int
	flowOut    [][]int
	reached    []bool
	component  []int // by collection
	components [][]int
	level      []int // by component
	selected   []*targets
	matches    map[Category][]bool // by rule
}

type seed struct {
	kind string
	path Path
}

func (p *planner) fault(pos Position, subject, format string, args ...any) {
	p.faults = append(p.faults, Diagnostic{Severity: Error, Pos: pos, Subject: subject, Message: fmt.Sprintf(format, args...)})
}

// checkKinds refuses kinds that seed nothing; collections that are left out
// of every plan do not count.
func (p *planner) checkKinds() {
	var known []string
	for _, seeds := range p.seeded {
		for _, s := range seeds {
			known = append(known, s.kind)
		}
	}
	slices.Sort(known)
	known = slices.Compact(known)
	if len(p.kinds) == 0 {
		p.fault(Position{}, "identities", "none given; at least one is needed to start from")
	}
	for _, k := range p.kinds {
		if !slices.Contains(known, k) {
			p.fault(Position{}, "identities", "no dataset has a field for identity kind %q; known kinds: %s%s", k, list(known),
				p.leftOut(func(c *Collection) bool { return c.seededWith(k) }))
		}
	}
}

// seededWith reports whether a field is seeded with the kind, or with any.
func (c *Collection) seededWith(kind string) bool {
	for _, f := range c.All() {
		if len(f.Fields) == 0 && (f.Identity == kind || f.Identity == AnyIdentity) {
			return true
		}
	}
	return false
}

// leftOut tells which datasets with such collections are set aside, and why, to
// end a fault with.
func (p *planner) leftOut(such func(*Collection) bool) string {
	var texts []string
	for i, c := range p.m.collections {
		if reason := p.aside[c.Address]; reason != "" && !p.active[i] && such(c) {
			texts = append(texts, fmt.Sprintf("; dataset %q is left out: %s", c.Address.Dataset, reason))
		}
	}
	slices.Sort(texts)
	return strings.Join(slices.Compact(texts), "")
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// link gathers edges and seeds of the collections that take part.
func (p *planner) link() {
	n := len(p.m.collections)
	p.active, p.seeded = make([]bool, n), make([][]seed, n)
	p.in, p.out = make([][]int, n), make([][]int, n)
	p.keys = make([][]Path, n)
	for i, c := range p.m.collections {
		p.active[i] = !c.SkipProcessing
		p.keys[i] = c.PrimaryKey()
		for path, f := range c.All() {
			if f.Identity == "" || len(f.Fields) > 0 || !p.active[i] {
				continue
			}
			kinds := []string{f.Identity}
			if f.Identity == AnyIdentity && len(p.kinds) > 0 {
				kinds = p.kinds
			}
			for _, kind := range kinds {
				p.seeded[i] = append(p.seeded[i], seed{kind, path})
			}
		}
	}
	for i, ties := range p.m.refers {
		for _, t := range ties {
			if !p.active[i] || p.active[t.to] {
				continue
			}
			subject, to := p.m.collections[i].Address.String(), p.m.collections[t.to].Address
			if reason := p.aside[to]; reason != "" {
				p.fault(t.pos, subject, "a reference ties it to %s, which is left out: %s; change that, or remove the reference", to, reason)
				continue
			}
			p.fault(t.pos, subject, "a reference ties it to %s, which is set to skip_processing; remove one of the two", to)
		}
	}
	for e, edge := range p.m.edges {
		if !p.active[edge.from] || !p.active[edge.to] {
			continue // the references of a collection that is set aside go with it
		}
		p.out[edge.from] = append(p.out[edge.from], e)
		p.in[edge.to] = append(p.in[edge.to], e)
	}
}

// distances walks breadth first from the collections seeded by one of kinds,
// or by any when kinds is nil; -1 is unreached.
func (p *planner) distances(kinds []string) []int {
	dist := make([]int, len(p.m.collections))
	var queue []int
	for i := range dist {
		dist[i] = -1
		for _, s := range p.seeded[i] {
			if kinds == nil || slices.Contains(kinds, s.kind) {
				dist[i] = 0
				queue = append(queue, i)
				break
			}
		}
	}
	visit := func(from, to int) {
		if dist[to] < 0 {
			dist[to] = dist[from] + 1
			queue = append(queue, to)
		}
	}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, e := range p.out[i] {
			visit(i, p.m.edges[e].to)
		}
		for _, e := range p.in[i] {
			if p.m.edges[e].undirected {
				visit(i, p.m.edges[e].from)
			}
		}
	}
	return dist
}

// orient gives every undirected edge the direction away from the seeds. Equal
// distances go by address, and a reference within one collection leads from
// the referenced field to the one that refers to it.
func (p *planner) orient() {
	dist := p.distances(p.kinds)
	n := len(p.m.collections)
	p.flowIn, p.flowOut = make([][]int, n), make([][]int, n)
	p.reached = make([]bool, n)
	for i := range p.reached {
		p.reached[i] = dist[i] >= 0
	}
	for _, e := range p.m.edges {
		if !p.reached[e.from] || !p.reached[e.to] && !e.undirected || !p.active[e.from] || !p.active[e.to] {
			continue
		}
		if e.undirected && (dist[e.from] > dist[e.to] || dist[e.from] == dist[e.to] && e.from > e.to) {
			e.from, e.fromPath, e.to, e.toPath = e.to, e.toPath, e.from, e.fromPath
		}
		p.flowOut[e.from] = append(p.flowOut[e.from], len(p.flow))
		p.flowIn[e.to] = append(p.flowIn[e.to], len(p.flow))
		p.flow = append(p.flow, e)
	}
}

// reach decides for every unreached collection whether it may be skipped.
func (p *planner) reach() {
	p.selectTargets()
	possible := p.distances(nil)
	for i, c := range p.m.collections {
		if !p.active[i] || p.reached[i] || possible[i] >= 0 || !p.selected[i].any() || hasCustomField(c) {
			continue
		}
		p.fault(c.Pos, c.Address.String(),
			"the policy targets it, but no identity and no reference leads to it; add an identity or a reference from a reached collection, or set skip_processing%s",
			p.leftOut(func(*Collection) bool { return true }))
	}
}

func hasCustomField(c *Collection) bool {
	for _, f := range c.All() {
		if f.CustomRequestField != "" {
			return true
		}
	}
	return false
}

// skips tells why the collections outside of the plan are left out.
func (p *planner) skips() []Skip {
	if !slices.Contains(p.reached, false) {
		return nil
	}
	var skips []Skip
	kinds := p.leadingKinds()
	for i, c := range p.m.collections {
		if p.active[i] && p.reached[i] {
			continue
		}
		reason := "nothing in it is targeted by the policy"
		switch {
		case !p.active[i]:
			reason = cmp.Or(p.aside[c.Address], "skip_processing is set")
		case hasCustomField(c):
			reason = "it is looked up by a custom field of the request"
		case len(kinds[i]) > 0:
			reason = "no identity of the request leads to it; one of these would: " + list(kinds[i])
		}
		skips = append(skips, Skip{Address: c.Address, Reason: reason})
	}
	return skips
}

// leadingKinds returns for every collection the kinds of identity that reach
// it.
func (p *planner) leadingKinds() [][]string {
	kinds := make([][]string, len(p.m.collections))
	for _, kind := range p.m.IdentityKinds() {
		for i, d := range p.distances([]string{kind}) {
			if d >= 0 {
				kinds[i] = append(kinds[i], kind)
			}
		}
	}
	return kinds
}
