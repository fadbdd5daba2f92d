package page

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// maxDepth is how deep trees and examples go.
const maxDepth = 7

// node is a value in a tree: a member of an object, or one alternative.
type node struct {
	Name, Type string
	Required   bool
	Facts      []string // limits and the like
	Pattern    string
	Enum       []string
	Text       string
	Children   []node
}

// tree is a schema as nested lists. What is not required may be left out of
// bodies, and may be missing in answers; there that is the rarer thing to say.
func (r *renderer) tree(s *huma.Schema, answered bool) (template.HTML, error) {
	key := treeKey{s.Ref, answered}
	if known, ok := r.trees[key]; ok && s.Ref != "" {
		return known, nil
	}
	nodes := []node{r.node(s, nil)}
	if answered {
		asAnswered(nodes)
	}
	out, err := r.render(nodes)
	if s.Ref != "" {
		r.trees[key] = out
	}
	return out, err
}

type treeKey struct {
	ref      string
	answered bool
}

func asAnswered(nodes []node) {
	for i := range nodes {
		n := &nodes[i]
		if n.Name != "" && !n.Required {
			n.Facts = append(n.Facts, "not always")
		}
		n.Required = false
		asAnswered(n.Children)
	}
}

func (r *renderer) render(nodes []node) (template.HTML, error) {
	var out bytes.Buffer
	err := r.templates.ExecuteTemplate(&out, "tree", nodes)
	return template.HTML(out.String()), err //nolint:gosec // a template made it
}

// deref follows references, and tells the last one.
func (r *renderer) deref(s *huma.Schema) (*huma.Schema, string) {
	ref := ""
	for s != nil && s.Ref != "" && r.doc.Components != nil {
		ref = s.Ref
		s = r.doc.Components.Schemas.SchemaFromRef(ref)
	}
	if s == nil {
		return &huma.Schema{}, ref
	}
	return s, ref
}

// alternatives are those of a schema without null, and whether that is one.
func (r *renderer) alternatives(s *huma.Schema) (others []*huma.Schema, null bool) {
	null = s.Nullable || s.Type == "null"
	for _, one := range slices.Concat(s.AnyOf, s.OneOf) {
		if known, _ := r.deref(one); known.Type == "null" {
			null = true
			continue
		}
		others = append(others, one)
	}
	return others, null
}

// node describes a schema; inside are the references that it is within.
func (r *renderer) node(s *huma.Schema, inside []string) node {
	s, ref := r.deref(s)
	n := node{Type: r.kind(s), Text: s.Description, Pattern: s.Pattern, Facts: facts(s)}
	for _, v := range s.Enum {
		n.Enum = append(n.Enum, inline(v))
	}
	if items, _ := r.deref(s.Items); s.Type == huma.TypeArray {
		n.Facts = append(n.Facts, facts(items)...)
		n.Pattern = cmp.Or(n.Pattern, items.Pattern)
		for _, v := range items.Enum {
			n.Enum = append(n.Enum, inline(v))
		}
	}
	if ref != "" && slices.Contains(inside, ref) {
		n.Facts = append(n.Facts, "as above, again")
		return n
	}
	if ref != "" {
		inside = append(slices.Clip(inside), ref)
	}
	n.Children = r.children(s, inside)
	return n
}

// children are the members of an object, of an array's items, of alternatives.
func (r *renderer) children(s *huma.Schema, inside []string) []node {
	if others, _ := r.alternatives(s); len(others) > 0 {
		return r.choices(others, inside)
	}
	if s.Type == huma.TypeArray && s.Items != nil {
		items := r.node(s.Items, inside)
		if len(items.Children) == 0 && slices.Contains(items.Facts, "as above, again") {
			return []node{{Type: "items", Facts: []string{"as above, again"}}}
		}
		return items.Children
	}
	if len(s.Properties) == 0 && s.AdditionalProperties == nil {
		return nil
	}
	if len(inside) > maxDepth {
		return []node{{Type: "deeper than shown here"}}
	}
	var children []node
	for _, name := range memberNames(s) {
		child := r.node(s.Properties[name], inside)
		child.Name, child.Required = name, slices.Contains(s.Required, name)
		children = append(children, child)
	}
	switch more := s.AdditionalProperties.(type) {
	case *huma.Schema:
		child := r.node(more, inside)
		child.Facts = append([]string{"under any name"}, child.Facts...)
		if len(children) > 0 || len(child.Children)+len(child.Enum)+len(child.Facts) > 1 || child.Text != "" {
			children = append(children, child)
		}
	case bool:
		if more && len(children) > 0 {
			children = append(children, node{Type: "any", Facts: []string{"under any other name"}})
		}
	}
	return children
}

func (r *renderer) choices(others []*huma.Schema, inside []string) []node {
	if len(others) == 1 {
		return r.node(others[0], inside).Children
	}
	var children []node
	plain := true
	for n, other := range others {
		child := r.node(other, inside)
		plain = plain && len(child.Children)+len(child.Enum)+len(child.Facts) == 0 && child.Pattern == ""
		child.Type = "or " + child.Type
		if n == 0 {
			child.Type = "either " + strings.TrimPrefix(child.Type, "or ")
		}
		children = append(children, child)
	}
	if plain { // the type says all of it
		return nil
	}
	return children
}

// memberNames are the names of an object's members: those that are required,
// then the others.
func memberNames(s *huma.Schema) []string {
	return slices.SortedFunc(maps.Keys(s.Properties), func(a, b string) int {
		first := func(name string) int {
			if slices.Contains(s.Required, name) {
				return 0
			}
			return 1
		}
		return cmp.Or(first(a)-first(b), strings.Compare(a, b))
	})
}

// kind is the type of a value in words.
func (r *renderer) kind(s *huma.Schema) string {
	others, null := r.alternatives(s)
	var kinds []string
	for _, other := range others {
		known, _ := r.deref(other)
		if k := r.kind(known); !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) == 0 {
		switch {
		case s.Type == huma.TypeArray:
			items, _ := r.deref(s.Items)
			kinds = append(kinds, "array of "+grouped(r.kind(items)))
		case s.Type == huma.TypeObject && len(s.Properties) == 0 && s.AdditionalProperties != false:
			k := "map"
			if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
				known, _ := r.deref(values)
				k += " of " + grouped(r.kind(known))
			}
			kinds = append(kinds, k)
		case s.Type == huma.TypeString && s.Format != "":
			kinds = append(kinds, s.Format)
		case s.Type == "null":
		default:
			kinds = append(kinds, cmp.Or(s.Type, "any"))
		}
	}
	if null && !slices.Contains(kinds, "any") {
		kinds = append(kinds, "null")
	}
	return strings.Join(kinds, " or ")
}

// grouped is a kind as part of another one.
func grouped(kind string) string {
	if strings.Contains(kind, " or ") {
		return "(" + kind + ")"
	}
	return kind
}

// facts are the limits of a schema in words.
func facts(s *huma.Schema) []string {
	var told []string
	told = append(told, bounds(s.MinLength, s.MaxLength, "character")...)
	told = append(told, bounds(s.MinItems, s.MaxItems, "item")...)
	told = append(told, bounds(s.MinProperties, s.MaxProperties, "member")...)
	for _, limit := range []struct {
		sign  string
		value *float64
	}{{"≥ ", s.Minimum}, {"> ", s.ExclusiveMinimum}, {"≤ ", s.Maximum}, {"< ", s.ExclusiveMaximum}, {"a multiple of ", s.MultipleOf}} {
		if limit.value != nil {
			told = append(told, limit.sign+strconv.FormatFloat(*limit.value, 'f', -1, 64))
		}
	}
	if s.Default != nil {
		told = append(told, "default "+inline(s.Default))
	}
	for _, flag := range []struct {
		set  bool
		word string
	}{{s.UniqueItems, "all different"}, {s.ReadOnly, "read-only"}, {s.WriteOnly, "only in requests"}, {s.Deprecated, "deprecated"}} {
		if flag.set {
			told = append(told, flag.word)
		}
	}
	return told
}

func bounds(low, high *int, unit string) []string {
	count := func(n int) string {
		if n == 1 {
			return "1 " + unit
		}
		return thousands(int64(n)) + " " + unit + "s"
	}
	switch {
	case low != nil && *low > 0 && high != nil:
		return []string{fmt.Sprintf("%s to %s", thousands(int64(*low)), count(*high))}
	case high != nil:
		return []string{"up to " + count(*high)}
	case low != nil && *low > 0:
		return []string{"at least " + count(*low)}
	}
	return nil
}
