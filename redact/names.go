package redact

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Setting is what a dataset, a collection or a field says of its own name. It
// wins over patterns and does not hold for what is below.
type Setting string

const (
	// Default leaves the decision to the patterns.
	Default Setting = ""
	// Hide always replaces the name.
	Hide Setting = "name"
	// Keep never replaces the name.
	Keep Setting = "none"
)

// MaxNames is how many names of one package can be replaced.
const MaxNames = 100_000

// Names tells what is shown in the place of the names of one package. First all
// names are added; then Number replaces them; then they are asked for. Names
// are replaced by dataset_1, collection_1, field_1 and so on: those of one
// parent that are replaced are numbered as they sort, and a number that would
// give a name that is really there, shown or not, is left out. In whatever
// order names are added, they are shown as the same. It is used from one
// goroutine.
type Names struct {
	match    *matcher
	root     Name
	count    int // of names that are replaced
	alike    int // of undeclared ones that look like a replacement
	numbered bool
}

// Name is a name in its place: that of a dataset, of a collection in it, of a
// field in that, or of a field in another.
type Name struct {
	name, shown string
	own         Setting
	hidden      bool // is replaced
	hides       bool // something below is
	depth       int
	children    map[string]*Name
}

// NewNames returns the names of one package, of which none was added yet. Its
// time budget is spent by matching only. Patterns may be nil.
func NewNames(p *Patterns) *Names { return &Names{match: p.matcher()} }

// Add adds a name below a parent, nil for a dataset, or finds it there. Of
// settings that differ, Hide holds. It panics when it has to add after Number:
// that name would be shown as it is.
func (n *Names) Add(parent *Name, name string, own Setting) *Name {
	if parent == nil {
		parent = &n.root
	}
	child := parent.children[name]
	switch {
	case child == nil && n.numbered:
		//nolint:forbidigo // a name that nobody judged must not be shown
		panic("redact: a name is added after the names were numbered")
	case child == nil:
		child = &Name{name: name, shown: name, own: own, depth: parent.depth + 1}
		if parent.children == nil {
			parent.children = map[string]*Name{}
		}
		parent.children[name] = child
		n.judge(child)
	case !n.numbered && (child.own == Default || own == Hide) && child.own != own:
		child.own = own
		n.judge(child)
	}
	return child
}

// judge decides whether a name is replaced.
func (n *Names) judge(name *Name) {
	before := name.hidden
	name.hidden = name.own == Hide || name.own != Keep && n.match.hides(name.name)
	switch {
	case name.hidden && !before:
		n.count++
	case before && !name.hidden:
		n.count--
	}
}

// Any reports whether a name was added that is replaced.
func (n *Names) Any() bool { return n.count > 0 }

// OverBudget reports whether the time to match names was spent, so that names
// may be replaced only because nobody knows better.
func (n *Names) OverBudget() bool { return n.match != nil && n.match.left <= 0 }

// Number gives every name its replacement. Nothing can be added afterwards.
func (n *Names) Number() error {
	if n.numbered {
		return errors.New("redact: the names are numbered already")
	}
	n.numbered = true
	switch {
	case n.full() && n.OverBudget():
		return fmt.Errorf("redact: more than %d names of the package are to be replaced, since the budget of %s to match them was spent: give Options.Budget more, or have simpler patterns", MaxNames, n.match.patterns.options.Budget)
	case n.full() && n.Any():
		return fmt.Errorf("redact: more than %d names of the package are to be replaced, or look like field_1: keys of documents that are data, such as IDs, should not match a pattern", MaxNames)
	}
	n.root.number()
	return nil
}

// full reports whether no more undeclared names are remembered.
func (n *Names) full() bool { return n.count > MaxNames || n.alike > MaxNames }

var prefixes = [...]string{"dataset_", "collection_", "field_"}

func (n *Name) prefix() string { return prefixes[min(n.depth, len(prefixes)-1)] }

// number gives the children their replacements.
func (n *Name) number() {
	next := 0
	for _, name := range slices.Sorted(maps.Keys(n.children)) {
		child := n.children[name]
		child.number()
		if child.hidden {
			for taken := true; taken; {
				next++
				child.shown = n.prefix() + strconv.Itoa(next)
				taken = n.children[child.shown] != nil
			}
		}
		n.hides = n.hides || child.hidden || child.hides
	}
}

// String returns what is shown: the name itself, or its replacement.
func (n *Name) String() string { return n.shown }

// Hides reports whether a name below is replaced.
func (n *Name) Hides() bool { return n.hides }

// Cursor follows documents through the names, to find those that no dataset
// declares. Only names that matter are remembered.
type Cursor struct {
	names *Names
	at    []*Name  // nil for those not remembered
	path  []string // their names
}

// Cursor returns one that begins at a field.
func (n *Names) Cursor(at *Name) *Cursor {
	return &Cursor{names: n, at: []*Name{at}, path: []string{at.name}}
}

// Enter goes to a field of the object at which the cursor is, and returns what
// is shown in the place of its name. Before the names are numbered it adds the
// name, and what it returns means nothing. Elements of arrays are passed
// through: those of one array have the same fields.
func (c *Cursor) Enter(name string) string {
	parent := c.at[len(c.at)-1]
	var child *Name
	if parent != nil {
		child = parent.children[name]
	}
	c.at, c.path = append(c.at, child), append(c.path, name)
	if child == nil && !c.names.numbered && c.names.matters(name) {
		child = c.remember()
	}
	if child == nil {
		return name
	}
	return child.shown
}

// matters reports whether an undeclared field must be remembered: its name is
// replaced, or looks like a replacement.
func (n *Names) matters(name string) bool {
	if n.full() {
		return false
	}
	if n.match.hides(name) {
		return true
	}
	digits, alike := strings.CutPrefix(name, prefixes[len(prefixes)-1])
	if alike = alike && digits != "" && strings.Trim(digits, "0123456789") == ""; alike {
		n.alike++
	}
	return alike
}

// remember adds what the cursor went through.
func (c *Cursor) remember() *Name {
	for i := 1; i < len(c.at); i++ {
		if c.at[i] == nil {
			c.at[i] = c.names.Add(c.at[i-1], c.path[i], Default)
		}
	}
	return c.at[len(c.at)-1]
}

// Leave goes back to where the last Enter came from.
func (c *Cursor) Leave() {
	last := len(c.at) - 1
	c.at, c.path = c.at[:last], c.path[:last]
}
