package graph

import (
	"maps"
	"reflect"
	"slices"
)

// targets is what the rules of a policy select in one collection.
type targets struct {
	access []Selection
	erase  *Erase
}

func (t *targets) any() bool { return len(t.access) > 0 || t.erase != nil }

// matched reports for each rule whether it selects the category, also under
// the name that replaced it.
func (p *planner) matched(c Category) []bool {
	if hit, ok := p.matches[c]; ok {
		return hit
	}
	names := p.namesOf(c)
	hit := make([]bool, len(p.policy.Rules))
	for r := range p.policy.Rules {
		hit[r] = slices.ContainsFunc(names, p.policy.Rules[r].Selects)
	}
	p.matches[c] = hit
	return hit
}

// namesOf returns a category and all that took its place, generation by
// generation.
func (p *planner) namesOf(c Category) []Category {
	names := []Category{c}
	for now, ok := p.taxonomy.ReplacedBy(c); ok && !slices.Contains(names, now); now, ok = p.taxonomy.ReplacedBy(now) {
		names = append(names, now)
	}
	return names
}

func (p *planner) anyMatches(rule int, categories []Category) bool {
	return slices.ContainsFunc(categories, func(c Category) bool { return p.matched(c)[rule] })
}

// selectTargets applies every rule to every collection.
func (p *planner) selectTargets() {
	p.matches = map[Category][]bool{}
	p.selected = make([]*targets, len(p.m.collections))
	ends := p.referenceEnds()
	for i, c := range p.m.collections {
		p.selected[i] = &targets{}
		if !p.active[i] {
			continue
		}
		masked := map[string]maskedBy{}
		for r := range p.policy.Rules {
			rule := &p.policy.Rules[r]
			switch rule.Action {
			case Access:
				p.selectAccess(i, c, r)
			case Erasure:
				p.selectErasure(i, c, r, ends[i], masked)
			}
		}
		if e := p.selected[i].erase; e != nil {
			slices.SortFunc(e.Fields, func(a, b EraseField) int { return a.Path.Compare(b.Path) })
			slices.SortFunc(e.Kept, func(a, b Kept) int { return a.Path.Compare(b.Path) })
			p.foldNested(c, e)
			e.Kept = slices.CompactFunc(e.Kept, func(a, b Kept) bool { return a.Path.Equal(b.Path) })
		}
	}
	p.checkTargets()
}

// referenceEnds returns for every collection the fields that references of
// the data map start or end at.
func (p *planner) referenceEnds() []map[string]bool {
	ends := make([]map[string]bool, len(p.m.collections))
	add := func(i int, path Path) {
		if ends[i] == nil {
			ends[i] = map[string]bool{}
		}
		ends[i][path.key()] = true
	}
	for _, e := range p.m.edges {
		add(e.from, e.fromPath)
		add(e.to, e.toPath)
	}
	return ends
}

func (p *planner) selectAccess(i int, c *Collection, r int) {
	var fields []Path
	if p.anyMatches(r, c.Categories) {
		for _, f := range c.Fields {
			fields = append(fields, Path{f.Name})
		}
	} else {
		for path, f := range c.All() {
			covered := len(fields) > 0 && path.HasPrefix(fields[len(fields)-1])
			if !covered && p.anyMatches(r, f.Categories) {
				fields = append(fields, path)
			}
		}
	}
	if len(fields) > 0 {
		p.selected[i].access = append(p.selected[i].access, Selection{Rule: p.policy.Rules[r].Key, Fields: fields})
	}
}

// foldNested drops fields inside of an object that is masked as a whole.
func (p *planner) foldNested(c *Collection, e *Erase) {
	var whole *EraseField
	e.Fields = slices.DeleteFunc(e.Fields, func(f EraseField) bool {
		if whole == nil || !f.Path.HasPrefix(whole.Path) {
			whole = &f
			return false
		}
		if !reflect.DeepEqual(f.Masking, whole.Masking) {
			p.fault(c.Pos, FieldAddress{c.Address, f.Path}.String(),
				"it is masked in another way than the object %s around it; let only one of them be targeted", whole.Path)
		}
		return true
	})
}

type maskedBy struct {
	rule    string
	masking Masking
}

func (p *planner) selectErasure(i int, c *Collection, r int, ends map[string]bool, masked map[string]maskedBy) {
	rule := &p.policy.Rules[r]
	whole := p.anyMatches(r, c.Categories)
	var covered Path // a selected object: its children go with it
	var locked Path  // a read_only object: so are its children
	erase := func() *Erase {
		e := p.selected[i].erase
		if e == nil {
			e = &Erase{Delete: c.Deletes()}
			p.selected[i].erase = e
		}
		if !slices.Contains(e.Rules, rule.Key) {
			e.Rules = append(e.Rules, rule.Key)
		}
		return e
	}
	for path, f := range c.All() {
		if f.ReadOnly && len(f.Fields) > 0 && (locked == nil || !path.HasPrefix(locked)) {
			locked = path
		}
		own := p.anyMatches(r, f.Categories)
		byCollection := whole && len(f.Fields) == 0 && !f.PrimaryKey && !ends[path.key()] && !isSystem(f.Categories)
		if covered != nil && path.HasPrefix(covered) {
			continue
		}
		if !own && !byCollection {
			if whole && len(f.Fields) == 0 && !c.Deletes() && !isSystem(f.Categories) {
				e := erase()
				e.Kept = append(e.Kept, Kept{path, "it is a key or an end of a reference"})
			}
			continue
		}
		e := erase()
		if c.Deletes() {
			return
		}
		if len(f.Fields) > 0 {
			covered = path
		}
		readOnly := f.ReadOnly || locked != nil && path.HasPrefix(locked)
		switch {
		case f.PrimaryKey && uniqueID(f.Categories):
			e.Kept = append(e.Kept, Kept{path, "it is the primary key, a unique id"})
		case f.PrimaryKey:
			p.fault(f.Pos, FieldAddress{c.Address, path}.String(),
				"rule %q targets a primary key; delete the rows (masking_strategy_override: {strategy: delete} on the collection) or change its category", rule.Key)
		case readOnly:
			e.Kept = append(e.Kept, Kept{path, "read_only is set"})
		default:
			p.checkInside(c, path, f, rule)
			p.maskField(e, c, path, f, rule, masked)
		}
	}
	if whole && p.selected[i].erase == nil {
		erase()
	}
}

// checkInside refuses to mask an object as a whole when that would also mask a
// field which must stay.
func (p *planner) checkInside(c *Collection, object Path, f *Field, rule *Rule) {
	walkFields(object, f.Fields, func(path Path, inner *Field) bool {
		if inner.PrimaryKey || inner.ReadOnly {
			p.fault(inner.Pos, FieldAddress{c.Address, path}.String(),
				"rule %q targets the object %s as a whole, but this field is a primary key or read_only; give the categories to the object's fields instead", rule.Key, object)
		}
		return true
	})
}

func (p *planner) maskField(e *Erase, c *Collection, path Path, f *Field, rule *Rule, masked map[string]maskedBy) {
	by := maskedBy{rule: rule.Key}
	switch {
	case f.Masking != nil:
		by.masking = *f.Masking
	case rule.Masking != nil:
		by.masking = *rule.Masking
	default:
		return // refused by Policy.Check
	}
	if first, ok := masked[path.key()]; ok {
		if !reflect.DeepEqual(first.masking, by.masking) {
			p.fault(f.Pos, FieldAddress{c.Address, path}.String(),
				"rules %q and %q mask it in different ways; let only one of them target it", first.rule, by.rule)
		}
		return
	}
	masked[path.key()] = by
	e.Fields = append(e.Fields, EraseField{Path: path, Masking: by.masking, Length: f.Length})
}

func isSystem(categories []Category) bool {
	return slices.ContainsFunc(categories, func(c Category) bool { return c.Within("system") })
}

func uniqueID(categories []Category) bool {
	return slices.ContainsFunc(categories, func(c Category) bool { return c.Within("user.unique_id") })
}

// checkTargets refuses targets that select no field of any collection.
func (p *planner) checkTargets() {
	if p.policy.AllowEmptyTargets {
		return
	}
	categories := map[Category]bool{}
	for i, c := range p.m.collections {
		if !p.active[i] {
			continue
		}
		for _, cat := range c.Categories {
			categories[cat] = true
		}
		for _, f := range c.All() {
			for _, cat := range f.Categories {
				categories[cat] = true
			}
		}
	}
	for c := range maps.Clone(categories) {
		for _, name := range p.namesOf(c) {
			categories[name] = true
		}
	}
	for _, rule := range p.policy.Rules {
		for _, target := range rule.Targets {
			hit := false
			for c := range categories {
				if hit = c.Within(target); hit {
					break
				}
			}
			if !hit {
				p.fault(Position{}, "policy "+p.policy.Key, "target %s of rule %q selects no field of any dataset; annotate the fields, remove the target, or set Policy.AllowEmptyTargets%s",
					target, rule.Key, p.leftOut(func(c *Collection) bool { return p.holds(c, target) }))
			}
		}
	}
}

// holds reports whether a collection or a field of it is annotated with the target
// or what is below it.
func (p *planner) holds(c *Collection, target Category) bool {
	within := func(categories []Category) bool {
		return slices.ContainsFunc(categories, func(cat Category) bool {
			return slices.ContainsFunc(p.namesOf(cat), func(name Category) bool { return name.Within(target) })
		})
	}
	for _, f := range c.All() {
		if within(f.Categories) {
			return true
		}
	}
	return within(c.Categories)
}
