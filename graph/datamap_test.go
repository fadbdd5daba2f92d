package graph_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

func TestDataMapFaults(t *testing.T) {
	t.Parallel()
	at := func(line int) graph.Position { return graph.Position{File: "shop.yml", Line: line, Column: 3} }
	refer := func(line int, dataset, field string, direction graph.Direction) *graph.Field {
		return &graph.Field{Name: "f", Pos: at(line), References: []graph.Reference{{Dataset: dataset, Field: field, Direction: direction}}}
	}
	collection := func(name string, line int, fields ...*graph.Field) *graph.Collection {
		return &graph.Collection{Name: name, Pos: at(line), Fields: fields}
	}
	object := &graph.Field{Name: "o", Pos: at(32), Fields: []*graph.Field{{Name: "x"}}}
	objectRefers := refer(31, "shop", "target.id", graph.Undirected)
	objectRefers.Fields = []*graph.Field{{Name: "x"}}
	ordered := collection("ordered", 40)
	ordered.After = []graph.Address{{Dataset: "shop", Collection: "nowhere"}, {Dataset: "shop", Collection: "ordered"}}
	ordered.EraseAfter = []graph.Address{{Dataset: "gone", Collection: "target"}, {Dataset: "shop", Collection: "target"}}
	placed := refer(50, "shop", "target.nothing", graph.Undirected)
	placed.References[0].Pos = at(51)
	shop := &graph.Dataset{Key: "shop", Pos: at(1), After: []string{"gone", "shop"}, Collections: []*graph.Collection{
		collection("target", 2, &graph.Field{Name: "id"}, object),
		collection("a", 10, refer(11, "gone", "target.id", graph.Undirected)),
		collection("b", 12, refer(13, "shop", "nothing.id", graph.From)),
		collection("c", 14, refer(15, "shop", "target.name", graph.To)),
		collection("d", 16, refer(17, "shop", "target.o", graph.Undirected)),
		collection("e", 18, refer(19, "shop", "target.id", "sideways")),
		collection("f", 20, refer(21, "shop", "target", graph.Undirected)),
		collection("g", 30, objectRefers),
		ordered,
		collection("twice", 60),
		collection("twice", 61),
		collection("", 62),
		collection("names", 63, &graph.Field{Name: "n", Pos: at(64)}, &graph.Field{Name: "n", Pos: at(65)},
			&graph.Field{Name: "", Pos: at(66)}, &graph.Field{Name: "o", Fields: []*graph.Field{{Name: "", Pos: at(67)}}}),
		collection("placed", 49, placed),
	}}
	again := &graph.Dataset{Key: "shop", Pos: at(90)}
	odd := &graph.Dataset{Key: "a:b", Pos: at(95)}
	want := []string{
		`1 shop: after names dataset "gone", which is not another dataset of the data map`,
		`1 shop: after names dataset "shop", which is not another dataset of the data map`,
		`11 shop:a.f: refers to dataset "gone", which is not in the data map; add it or remove the reference`,
		"13 shop:b.f: refers to shop.nothing.id: no collection of that name",
		"15 shop:c.f: refers to shop.target.name: the collection has no such field",
		"17 shop:d.f: refers to shop.target.o: the field is an object; refer to one of its fields",
		`19 shop:e.f: direction "sideways" is neither from nor to`,
		"21 shop:f.f: refers to shop.target: no collection of that name",
		"31 shop:g.f: an object cannot refer to anything; move the reference to one of its fields",
		"40 shop:ordered: after names shop:nowhere, which is not in the data map",
		"40 shop:ordered: after names the collection itself",
		"40 shop:ordered: erase_after names gone:target, which is not in the data map",
		"51 shop:placed.f: refers to shop.target.nothing: the collection has no such field",
		"61 shop:twice: the collection is there twice",
		"62 shop: a collection has no name",
		`65 shop:names: the field "n" is there twice`,
		"66 shop:names: a field has no name",
		"67 shop:names.o: a field has no name",
		"90 shop: the dataset is there twice, first at shop.yml:1:3; give one of them another fides_key",
		`95 a:b: "a:b" cannot be the key of a dataset: want letters, digits and _ . < > -`,
	}
	for _, datasets := range [][]*graph.Dataset{{shop, again, odd}, {odd, shop, again}} {
		m, err := graph.NewDataMap(datasets...)
		require.Nil(t, m)
		require.Equal(t, want, faults(t, err))
	}
}

func TestDataMapTellsAFaultOnce(t *testing.T) {
	t.Parallel()
	_, err := graph.NewDataMap(notation(t, "d after=gone after=gone\nd:a\n  x ref=d:b.y ref=d:b.y\n")...)
	require.Equal(t, []string{
		`d: after names dataset "gone", which is not another dataset of the data map`,
		"3 d:a.x: refers to d.b.y: no collection of that name",
	}, faults(t, err))
}

func TestDataMapOfUnknownPlaces(t *testing.T) {
	t.Parallel()
	_, err := graph.NewDataMap(&graph.Dataset{Key: "shop"}, &graph.Dataset{Key: "shop"})
	require.EqualError(t, err, "dsr: error: shop: the dataset is there twice, first at an unknown place; give one of them another fides_key")
}

func TestDataMapNames(t *testing.T) {
	t.Parallel()
	leaf := func(name string) *graph.Field { return &graph.Field{Name: name} }
	m, err := graph.NewDataMap(&graph.Dataset{Key: "d", Namespace: map[string]string{"schema": "s"}, Collections: []*graph.Collection{
		{Name: "sales.orders", Fields: []*graph.Field{leaf("id"), {Name: "a.b", Fields: []*graph.Field{leaf("c.d")}}}},
		{Name: "sales", Fields: []*graph.Field{leaf("orders.no"), leaf("who")}},
		{Name: "refers", Fields: []*graph.Field{
			{Name: "1", References: []graph.Reference{{Dataset: "d", Field: "sales.orders.id", Direction: graph.To}}},
			{Name: "2", References: []graph.Reference{{Dataset: "d", Field: "sales.orders.no", Direction: graph.To}}},
			{Name: "3", References: []graph.Reference{{Dataset: "d", Field: "sales.orders.a.b.c.d", Direction: graph.To}}},
			{Name: "e", Identity: "email"},
		}},
	}})
	require.NoError(t, err)
	require.Equal(t, []graph.Address{{Dataset: "d", Collection: "refers"}, {Dataset: "d", Collection: "sales"}, {Dataset: "d", Collection: "sales.orders"}}, m.Addresses())
	require.Equal(t, []string{"email"}, m.IdentityKinds())
	plan := newPlan(t, m, everything(), "email")
	require.Equal(t, []string{
		"0 d:refers e=email", "1 d:sales orders.no=d:refers.2", "1 d:sales.orders a.b.c.d=d:refers.3 id=d:refers.1",
	}, flow(plan))
	require.Equal(t, graph.Path{"a.b", "c.d"}, step(t, plan, "d:sales.orders").Inputs[0].Fields[0])

	c, ok := m.Collection(graph.Address{Dataset: "d", Collection: "sales"})
	require.True(t, ok)
	require.Equal(t, "d:sales", c.Address.String())
	require.Equal(t, map[string]string{"schema": "s"}, c.Namespace)
	_, ok = m.Collection(graph.Address{Dataset: "d", Collection: "none"})
	require.False(t, ok)
}

// Of fields whose paths look the same one wins over those in its siblings, and
// else the first.
func TestDataMapPathsThatLookTheSame(t *testing.T) {
	t.Parallel()
	leaf := func(name string) *graph.Field { return &graph.Field{Name: name} }
	fed := func(fields ...*graph.Field) graph.Path {
		m, err := graph.NewDataMap(&graph.Dataset{Key: "d", Collections: []*graph.Collection{
			{Name: "to", Fields: fields},
			{Name: "from", Fields: []*graph.Field{
				{Name: "x", Identity: "email", References: []graph.Reference{{Dataset: "d", Field: "to.a.b.c", Direction: graph.To}}},
			}},
		}})
		require.NoError(t, err)
		return step(t, newPlan(t, m, everything(), "email"), "d:to").Inputs[0].Fields[0]
	}
	one := &graph.Field{Name: "a", Fields: []*graph.Field{leaf("b.c")}}
	two := &graph.Field{Name: "a.b", Fields: []*graph.Field{leaf("c")}}
	three := &graph.Field{Name: "a", Fields: []*graph.Field{{Name: "b", Fields: []*graph.Field{leaf("c")}}, leaf("b.c")}}
	require.Equal(t, graph.Path{"a", "b.c"}, fed(one, two))
	require.Equal(t, graph.Path{"a.b", "c"}, fed(two, one))
	require.Equal(t, graph.Path{"a.b.c"}, fed(one, leaf("a.b.c"), two))
	require.Equal(t, graph.Path{"a", "b.c"}, fed(three))
}

// The after of a dataset holds between all pairs of collections: of many it is
// refused, repeated it counts once.
func TestDataMapAfterOfManyCollections(t *testing.T) {
	t.Parallel()
	dataset := func(key string, collections int, after ...string) *graph.Dataset {
		d := &graph.Dataset{Key: key, After: after}
		for i := range collections {
			d.Collections = append(d.Collections, &graph.Collection{Name: fmt.Sprint(i)})
		}
		return d
	}
	_, err := graph.NewDataMap(dataset("a", 20), dataset("b", 20, slices.Repeat([]string{"a"}, 100_000)...))
	require.NoError(t, err)
	_, err = graph.NewDataMap(dataset("a", 3000), dataset("b", 1000, "a"), dataset("c", 1000, "b"), dataset("d", 1, "a", "b", "c"))
	require.EqualError(t, err, "dsr: error: the after of the datasets ties 4005000 pairs of collections, more than 4000000: name the collections it is about in their own after")
}

// The datasets that a host hands in stay as they were.
func TestDataMapLeavesDatasetsAlone(t *testing.T) {
	t.Parallel()
	d := &graph.Dataset{Key: "d", Namespace: map[string]string{"schema": "s"}, Collections: []*graph.Collection{{Name: "b"}, {Name: "a"}}}
	_, err := graph.NewDataMap(d)
	require.NoError(t, err)
	require.Equal(t, []*graph.Collection{{Name: "b"}, {Name: "a"}}, d.Collections)
}

func TestDataMapEmpty(t *testing.T) {
	t.Parallel()
	m, err := graph.NewDataMap()
	require.NoError(t, err)
	require.Empty(t, m.Addresses())
	_, err = graph.NewPlan(m, everything(), []string{"email"}, nil)
	require.Equal(t, []string{`identities: no dataset has a field for identity kind "email"; known kinds: none`}, faults(t, err))
}

func TestPolicyCheck(t *testing.T) {
	t.Parallel()
	masking := &graph.Masking{Strategy: "hash"}
	require.Empty(t, everything().Check(nil))
	tests := []struct {
		name   string
		policy graph.Policy
		want   []string
	}{
		{"nothing in it", graph.Policy{}, []string{"policy : it has no key", "policy : it has no rules"}},
		{"faulty rules", graph.Policy{Key: "p", Rules: []graph.Rule{
			{Action: graph.Access, Targets: []graph.Category{"user"}, Masking: masking},
			{Key: "two", Action: graph.Erasure, Targets: []graph.Category{"user"}, Destination: "disk"},
			{Key: "two", Action: graph.Erasure, Masking: &graph.Masking{}},
			{Key: "four", Action: "update", Targets: []graph.Category{"user", "user", "user.contact.emial", "x"}},
		}}, []string{
			"policy p: rule 1 has no key",
			`policy p: rule "" hands data over and cannot mask it; remove its masking or make it an erasure rule`,
			`policy p: rule "two" erases and needs a masking strategy`,
			`policy p: rule "two" erases and has no package; remove its destination`,
			`policy p: two rules have the key "two"`,
			`policy p: rule "two" erases and needs a masking strategy`,
			`policy p: rule "two" has no targets`,
			`policy p: rule "four" has the unknown action "update"; known: access, erasure`,
			`policy p: rule "four" targets user twice`,
			`policy p: rule "four" targets the unknown category "user.contact.emial"; did you mean user.contact.email?`,
			`policy p: rule "four" targets the unknown category "x"; add it to the taxonomy if it is your own`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, faults(t, tt.policy.Check(nil).Err()))
		})
	}
}

func TestPolicyCheckOwnTaxonomy(t *testing.T) {
	t.Parallel()
	own, err := graph.DefaultTaxonomy().With("user.shoe_size")
	require.NoError(t, err)
	require.Empty(t, accessTo("user.shoe_size").Check(own))
	require.Len(t, accessTo("user.shoe_size").Check(nil), 1)
}

func TestCategoryWithin(t *testing.T) {
	t.Parallel()
	require.True(t, graph.Category("user.name").Within("user.name"))
	require.True(t, graph.Category("user.name.last").Within("user.name"))
	require.False(t, graph.Category("user.name_history").Within("user.name"))
	require.False(t, graph.Category("user").Within("user.name"))
}

func TestDefaultIdentityKinds(t *testing.T) {
	t.Parallel()
	kinds := map[string]graph.IdentityKind{}
	for _, k := range graph.DefaultIdentityKinds() {
		kinds[k.Name] = k
	}
	require.Len(t, kinds, 2)
	require.True(t, kinds["email"].FoldCase)
	require.Equal(t, []string{"Jane@Example.com"}, kinds["email"].Forms(" Jane@Example.com\n"))
	for given, want := range map[string][]string{
		"+44 (0)20-79":  {"+44 (0)20-79", "+4402079", "4402079"},
		"+4420":         {"+4420", "4420"},
		" 020 79 ":      {"020 79"},
		"+":             {"+"},
		"254-344-9868 ": {"254-344-9868"},
	} {
		require.Equal(t, want, kinds["phone_number"].Forms(given), given)
	}
	require.False(t, kinds["phone_number"].FoldCase)
}
