package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

// selection is what a plan with one or more rules does in d:a.
type selection struct {
	access map[string]string // rule → fields
	masks  []string
	keeps  []string
	delete bool
	rules  []string
}

func selected(s *graph.Step) selection {
	var got selection
	for _, sel := range s.Access {
		if got.access == nil {
			got.access = map[string]string{}
		}
		got.access[sel.Rule] = paths(sel.Fields)
	}
	if s.Erase == nil {
		return got
	}
	got.delete, got.rules = s.Erase.Delete, s.Erase.Rules
	for _, f := range s.Erase.Fields {
		got.masks = append(got.masks, f.Path.String()+" "+f.Masking.Strategy)
	}
	for _, k := range s.Erase.Kept {
		got.keeps = append(got.keeps, k.Path.String()+" "+k.Reason)
	}
	return got
}

func rules(list ...graph.Rule) *graph.Policy { return &graph.Policy{Key: "p", Rules: list} }

func erase(key, strategy string, targets ...graph.Category) graph.Rule {
	return graph.Rule{Key: key, Action: graph.Erasure, Targets: targets, Masking: &graph.Masking{Strategy: strategy}}
}

func TestPlanTargets(t *testing.T) {
	t.Parallel()
	erased := []string{"erase"}
	tests := []struct {
		name   string
		text   string
		policy *graph.Policy
		want   selection
	}{
		{"categories match by segment", `
d:a
  e id=email
  n cat=user.name
  h cat=user.name_history
  l cat=user.name.last
`, accessTo("user.name"), selection{access: map[string]string{"get": "n+l"}}},
		{"a legacy category is reached through its successor", `
d:a
  e id=email cat=user.provided.identifiable.contact.email
  n cat=user.provided.identifiable.name
`, accessTo("user.contact.email", "user.name"), selection{access: map[string]string{"get": "e+n"}}},
		{"a legacy category is a target itself", `
d:a
  e id=email cat=user.provided.identifiable.contact.email
  n cat=user.contact.email
`, accessTo("user.provided.identifiable"), selection{access: map[string]string{"get": "e"}}},
		{"a collection's category hands whole rows over", `
d:a cat=user.contact
  id key
  e id=email
  o/x
  o/y
`, accessTo("user.contact"), selection{access: map[string]string{"get": "id+e+o"}}},
		{"an object is handed over whole", `
d:a
  e id=email
  o cat=user.contact
  o/x cat=user.name
  p/x cat=user.contact
  p/y
`, accessTo("user"), selection{access: map[string]string{"get": "o+p.x"}}},
		{"a collection's category erases all but keys, ends of references and system fields", `
d:a cat=user.contact
  id key
  e id=email
  ref ref=d:b.id
  pointed
  sys cat=system.operations
  o/x
  o/ref ref=d:b.id
  plain
d:b
  id
  a from=d:a.pointed
`, erasureOf("user.contact"), selection{rules: erased, masks: []string{"e null_rewrite", "o.x null_rewrite", "plain null_rewrite"},
			keeps: []string{"id it is a key or an end of a reference", "o.ref it is a key or an end of a reference", "pointed it is a key or an end of a reference", "ref it is a key or an end of a reference"}}},
		{"a field's own category erases the end of a reference", `
d:a cat=user.contact
  e id=email
  ref ref=d:b.id cat=user.contact
d:b
  id
`, erasureOf("user.contact"), selection{rules: erased, masks: []string{"e null_rewrite", "ref null_rewrite"}}},
		{"names with dots are not the paths that they spell", `
d:a cat=user.contact
  a/b ref=d:b.id
  a.b
  e id=email
d:b
  id
`, erasureOf("user.contact"), selection{rules: erased, masks: []string{"a.b null_rewrite", "e null_rewrite"},
			keeps: []string{"a.b it is a key or an end of a reference"}}},
		{"an object is masked whole", `
d:a
  e id=email
  o cat=user.contact
  o/x cat=user.contact
  o/y
`, erasureOf("user"), selection{rules: erased, masks: []string{"o null_rewrite"}}},
		{"two rules with one way to mask are folded", `
d:a
  e id=email cat=user.contact
  o cat=user.name
  o/x cat=user.contact
`, rules(erase("one", "null_rewrite", "user.contact"), erase("two", "null_rewrite", "user")),
			selection{rules: []string{"one", "two"}, masks: []string{"e null_rewrite", "o null_rewrite"}}},
		{"a field's own masking wins over every rule", `
d:a
  e id=email cat=user.contact mask=hash
`, rules(erase("one", "null_rewrite", "user.contact"), erase("two", "preserve", "user")),
			selection{rules: []string{"one", "two"}, masks: []string{"e hash"}}},
		{"unique ids that are keys are kept, and so is what is read-only", `
d:a
  id key cat=user.unique_id
  e id=email cat=user.contact
  ro read_only cat=user.name
  lock read_only
  lock/x cat=user.name
  lock/y/z cat=user.name
`, erasureOf("user"), selection{rules: erased, masks: []string{"e null_rewrite"}, keeps: []string{
			"id it is the primary key, a unique id", "lock.x read_only is set", "lock.y.z read_only is set", "ro read_only is set",
		}}},
		{"kept once for all rules", `
d:a
  e id=email cat=user.contact read_only
`, rules(erase("one", "null_rewrite", "user.contact"), erase("two", "preserve", "user")),
			selection{rules: []string{"one", "two"}, keeps: []string{"e read_only is set"}}},
		{"rows are deleted, keys and all", `
d:a delete
  id key cat=user.contact
  e id=email cat=user.contact
`, erasureOf("user.contact"), selection{rules: erased, delete: true}},
		{"rows are deleted by the collection's category", `
d:a delete cat=user.contact
  id key
  e id=email
`, erasureOf("user"), selection{rules: erased, delete: true}},
		{"rows are not deleted when nothing in them is targeted", `
d:a delete
  id key
  e id=email cat=user.contact
d:b
  e id=email cat=user.name
`, erasureOf("user.name"), selection{}},
		{"access and erasure side by side", `
d:a
  e id=email cat=user.contact
  n cat=user.name
`, rules(graph.Rule{Key: "one", Action: graph.Access, Targets: []graph.Category{"user"}},
			graph.Rule{Key: "two", Action: graph.Access, Targets: []graph.Category{"user.name"}}, erase("erase", "hash", "user.name")),
			selection{access: map[string]string{"one": "e+n", "two": "n"}, rules: erased, masks: []string{"n hash"}}},
		{"empty targets can be allowed", "d:a\n  e id=email\n", &graph.Policy{Key: "p", AllowEmptyTargets: true,
			Rules: []graph.Rule{erase("erase", "hash", "user.name")}}, selection{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan := newPlan(t, dataMap(t, tt.text), tt.policy, "email")
			require.Equal(t, tt.want, selected(step(t, plan, "d:a")))
		})
	}
}

func TestPlanTargetFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		policy     *graph.Policy
		want       []string
	}{
		{"two ways to mask a field", `
d:a
  e id=email cat=user.contact
`, rules(erase("one", "hash", "user.contact"), erase("two", "null_rewrite", "user")), []string{
			`3 d:a.e: rules "one" and "two" mask it in different ways; let only one of them target it`,
		}},
		{"two ways to mask an object and a field of it", `
d:a
  e id=email
  o cat=user.contact
  o/x cat=user.name
`, rules(erase("one", "hash", "user.contact"), erase("two", "null_rewrite", "user.name")), []string{
			"d:a.o.x: it is masked in another way than the object o around it; let only one of them be targeted",
		}},
		{"keys", `
d:a
  id key cat=user.contact
  e id=email key cat=user.contact
`, erasureOf("user.contact"), []string{
			`3 d:a.id: rule "erase" targets a primary key; delete the rows (masking_strategy_override: {strategy: delete} on the collection) or change its category`,
			`4 d:a.e: rule "erase" targets a primary key; delete the rows (masking_strategy_override: {strategy: delete} on the collection) or change its category`,
		}},
		{"what must stay inside of an object", `
d:a
  e id=email
  o cat=user.contact
  o/id key
  o/deep/ro read_only
`, erasureOf("user.contact"), []string{
			`5 d:a.o.id: rule "erase" targets the object o as a whole, but this field is a primary key or read_only; give the categories to the object's fields instead`,
			`6 d:a.o.deep.ro: rule "erase" targets the object o as a whole, but this field is a primary key or read_only; give the categories to the object's fields instead`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := graph.NewPlan(dataMap(t, tt.text), tt.policy, []string{"email"}, nil)
			require.Equal(t, tt.want, faults(t, err))
		})
	}
}

func TestPlanLegacyChain(t *testing.T) {
	t.Parallel()
	// user.derived.identifiable.user_sensor became user.sensor_data, and
	// that is what a target names; a company's own key needs its taxonomy.
	own, err := graph.DefaultTaxonomy().With("user.shoe_size")
	require.NoError(t, err)
	m := dataMap(t, "d:a\n  e id=email\n  s cat=user.derived.identifiable.user_sensor\n  own cat=user.shoe_size\n")
	plan, err := graph.NewPlan(m, accessTo("user.sensor_data", "user.shoe_size"), []string{"email"}, &graph.PlanOptions{Taxonomy: own})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"get": "s+own"}, selected(step(t, plan, "d:a")).access)
}

func TestPlanEraseAfter(t *testing.T) {
	t.Parallel()
	plan := newPlan(t, dataMap(t, `
d:a erase_after=d:c erase_after=d:b erase_after=d:untouched
  e id=email cat=user.name
d:b
  e id=email cat=user.name
d:c
  e id=email cat=user.name
d:untouched erase_after=d:b
  e id=email
`), erasureOf("user.name"), "email")
	require.Equal(t, []graph.Address{{Dataset: "d", Collection: "b"}, {Dataset: "d", Collection: "c"}}, step(t, plan, "d:a").EraseAfter)
	require.Nil(t, step(t, plan, "d:untouched").EraseAfter)
}

func TestPlanMaskedLength(t *testing.T) {
	t.Parallel()
	plan := newPlan(t, dataMap(t, "d:a\n  e id=email cat=user.name length=40\n"), erasureOf("user.name"), "email")
	require.Equal(t, []graph.EraseField{{Path: graph.Path{"e"}, Masking: graph.Masking{Strategy: "null_rewrite"}, Length: 40}}, step(t, plan, "d:a").Erase.Fields)
}
