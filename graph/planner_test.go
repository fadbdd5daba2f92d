package graph_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

func TestPlanFlow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		text   string
		kinds  []string
		want   []string
		cycles int
	}{
		{"seeds at the top and inside an object, references both ways", `
d:t1
  f1
  f2 id=email
  f3
d:t2
  f1 ref=d:t1.f1
  f2
d:t3
  f1 ref=d:t2.f2
d:t4
  f1 ref=d:t2.f1
  f4/f5 id=email
`, []string{"email"}, []string{
			"0 d:t1 f2=email",
			"0 d:t4 f4.f5=email",
			"1 d:t2 f1=d:t1.f1 f1=d:t4.f1",
			"2 d:t3 f1=d:t2.f2",
		}, 0},
		{"the declaring side does not matter", `
d:child
  id
  parent
d:parent
  email id=email
  id ref=d:child.parent
`, []string{"email"}, []string{"0 d:parent email=email", "1 d:child parent=d:parent.id"}, 0},
		{"an address fed by customers and twice by orders", `
d:address
  id ref=d:customer.contact
d:customer
  id
  email id=email
  contact
d:order
  customer ref=d:customer.id
  shipping to=d:address.id
  billing to=d:address.id
`, []string{"email"}, []string{
			"0 d:customer email=email",
			"1 d:order customer=d:customer.id",
			"2 d:address id=d:customer.contact id=d:order.billing id=d:order.shipping",
		}, 0},
		{"three parallel references are three inputs", `
d:a
  email id=email
  x
  y
  z
d:b
  x from=d:a.x
  y from=d:a.y
  z from=d:a.z
`, []string{"email"}, []string{"0 d:a email=email", "1 d:b x=d:a.x y=d:a.y z=d:a.z"}, 0},
		{"equal distances go by address", `
d:b
  email id=email
  id
d:a
  email id=email
  id ref=d:b.id
`, []string{"email"}, []string{"0 d:a email=email", "1 d:b email=email id=d:a.id"}, 0},
		{"an undirected ring is cut where the distances meet", `
d:seed
  email id=email
  b
  c
d:b
  id ref=d:seed.b
  c
d:c
  id ref=d:seed.c
  b ref=d:b.c
`, []string{"email"}, []string{"0 d:seed email=email", "1 d:b id=d:seed.b", "2 d:c b=d:b.c id=d:seed.c"}, 0},
		{"mutual and repeated references are one", `
d:a
  email id=email
  id ref=d:b.a ref=d:b.a
d:b
  a ref=d:a.id ref=d:a.id
`, []string{"email"}, []string{"0 d:a email=email", "1 d:b a=d:a.id"}, 0},
		{"directed references are not turned around", `
d:a
  email id=email
  id
d:b
  a to=d:a.id
d:c
  a from=d:a.id
`, []string{"email"}, []string{"0 d:a email=email", "1 d:c a=d:a.id"}, 0},
		{"a self reference is a cycle of one", `
d:employee
  id
  email id=email
  boss ref=d:employee.id
`, []string{"email"}, []string{"0 d:employee boss=d:employee.id email=email"}, 1},
		{"a directed cycle is one", `
d:a
  email id=email
  id
  c from=d:c.id
d:b
  id
  a from=d:a.id
d:c
  id
  b from=d:b.id
d:tail
  c from=d:c.id
`, []string{"email"}, []string{
			"0 d:a c=d:c.id email=email", "0 d:b a=d:a.id", "0 d:c b=d:b.id", "1 d:tail c=d:c.id",
		}, 1},
		{"after holds across datasets and levels", `
x after=y
x:a
  email id=email
y:b
  email id=email
y:c after=y:b
  email id=email
`, []string{"email"}, []string{"0 y:b email=email", "1 y:c email=email", "2 x:a email=email"}, 0},
		{"after a collection that is not reached waits for nothing", `
d:a after=d:b
  email id=email
d:b
  phone id=phone_number
`, []string{"email"}, []string{"0 d:a email=email"}, 0},
		{"names with dots", `
d:a.b
  c.d id=email
  e/f.g
d:c
  x from=d:a.b.c.d
  y from=d:a.b.e.f.g
`, []string{"email"}, []string{"0 d:a.b c.d=email", "1 d:c x=d:a.b.c.d y=d:a.b.e.f.g"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan := newPlan(t, dataMap(t, tt.text), everything(), tt.kinds...)
			require.Len(t, plan.Cycles, tt.cycles)
			require.Equal(t, tt.want, flow(plan))
		})
	}
}

func TestPlanDirectedBeatsUndirected(t *testing.T) {
	t.Parallel()
	// Undirected, both would lead from a to b.
	for _, text := range []string{
		"d:a\n  email id=email\n  id from=d:b.a\nd:b\n  email id=email\n  a ref=d:a.id\n",
		"d:a\n  email id=email\n  id ref=d:b.a\nd:b\n  email id=email\n  a to=d:a.id\n",
	} {
		plan := newPlan(t, dataMap(t, text), everything(), "email")
		require.Equal(t, []string{"0 d:b email=email", "1 d:a email=email id=d:b.a"}, flow(plan))
	}
}

// variants is a map that three sets of identities traverse in three ways.
const variants = `
d:customer
  email id=email
  id
d:person
  ssn id=ssn
  id
  customer ref=d:customer.id
d:note
  person ref=d:person.id
`

func TestPlanVariants(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kinds []string
		want  []string
	}{
		{[]string{"email"}, []string{"0 d:customer email=email", "1 d:person customer=d:customer.id", "2 d:note person=d:person.id"}},
		{[]string{"ssn", "email", "ssn"}, []string{"0 d:customer email=email", "1 d:person customer=d:customer.id ssn=ssn", "2 d:note person=d:person.id"}},
		{[]string{"ssn"}, []string{"0 d:person ssn=ssn", "1 d:customer id=d:person.customer", "1 d:note person=d:person.id"}},
	}
	for _, tt := range tests {
		plan := newPlan(t, dataMap(t, variants), everything(), tt.kinds...)
		require.Equal(t, tt.want, flow(plan))
		require.Empty(t, plan.Skipped)
	}
}

// What is seeded with any identity is reached by all that a request brings, and
// leads on.
func TestPlanOfAnyIdentity(t *testing.T) {
	t.Parallel()
	m := dataMap(t, `
d:customer
  id
  email id=email
d:desk
  who id=*
  box
  customer from=d:customer.id
d:box
  id ref=d:desk.box
`)
	require.Equal(t, []string{"email"}, m.IdentityKinds())
	require.True(t, m.TakesAnyIdentity())
	require.False(t, dataMap(t, variants).TakesAnyIdentity())
	for _, tt := range []struct {
		kinds, want []string
	}{
		{[]string{"email"}, []string{"0 d:customer email=email", "1 d:desk customer=d:customer.id who=email", "2 d:box id=d:desk.box"}},
		{[]string{"ssn"}, []string{"0 d:desk who=ssn", "1 d:box id=d:desk.box"}},
		{[]string{"ssn", "email"}, []string{"0 d:customer email=email", "1 d:desk customer=d:customer.id who=email who=ssn", "2 d:box id=d:desk.box"}},
		{[]string{graph.AnyIdentity}, []string{"0 d:desk who=*", "1 d:box id=d:desk.box"}},
	} {
		require.Equal(t, tt.want, flow(newPlan(t, m, everything(), tt.kinds...)))
	}
}

// What is set to skip_processing starts no plan, by whatever kind.
func TestKindsThatPlansStartFrom(t *testing.T) {
	t.Parallel()
	m := dataMap(t, `
d:customer
  email id=email
d:secret skip
  phone id=phone_number
`)
	require.True(t, m.SeedsFrom("email"))
	require.False(t, m.SeedsFrom("phone_number"))
	require.False(t, m.SeedsFrom(graph.AnyIdentity))
	require.False(t, dataMap(t, "d:desk skip\n  who id=*\n").SeedsFrom("email"))
	all := dataMap(t, "d:desk\n  who id=*\n")
	require.True(t, all.SeedsFrom("email"))
	require.True(t, all.SeedsFrom(graph.AnyIdentity))
}

func TestPlanSkips(t *testing.T) {
	t.Parallel()
	m := dataMap(t, `
d:customer
  email id=email
d:calls
  phone id=phone_number
  id
d:recordings
  call from=d:calls.id
  cookie id=cookie
  body cat=user.content
d:countries
  code
d:outside
  request custom=ticket
  body cat=user.content
d:secret skip
  body cat=user.content
`)
	plan := newPlan(t, m, everything(), "email")
	require.Equal(t, []string{"0 d:customer email=email"}, flow(plan))
	var skipped []string
	for _, s := range plan.Skipped {
		skipped = append(skipped, s.Address.String()+": "+s.Reason)
	}
	require.Equal(t, []string{
		"d:calls: no identity of the request leads to it; one of these would: phone_number",
		"d:countries: nothing in it is targeted by the policy",
		"d:outside: it is looked up by a custom field of the request",
		"d:recordings: no identity of the request leads to it; one of these would: cookie, phone_number",
		"d:secret: skip_processing is set",
	}, skipped)
}

func shuffle(rng *rand.Rand, datasets []*graph.Dataset) {
	rng.Shuffle(len(datasets), func(i, j int) { datasets[i], datasets[j] = datasets[j], datasets[i] })
	for _, d := range datasets {
		rng.Shuffle(len(d.Collections), func(i, j int) { d.Collections[i], d.Collections[j] = d.Collections[j], d.Collections[i] })
	}
}

func TestPlanIsTheSameInAnyOrder(t *testing.T) {
	t.Parallel()
	text := `
shop:customer
  id key
  email id=email cat=user.contact.email
  address ref=shop:address.id
shop:address
  id key
  street cat=user.contact.address.street
shop:orders after=crm:person
  id key
  customer ref=shop:customer.id
  ship ref=shop:address.id
  person ref=crm:person.id
crm:person
  id key
  email id=email cat=user.contact.email
  employer ref=crm:company.id
crm:company
  id key
  owner to=crm:person.id
  address ref=shop:address.id
erp:loop
  id key
  person ref=crm:person.id
  next from=erp:ring.id
erp:ring
  id key
  next from=erp:loop.id
web after=crm
web:visits
  customer ref=shop:customer.id
`
	policy := everything()
	policy.Rules = append(policy.Rules, erasureOf("user.contact").Rules...)
	want, err := json.Marshal(newPlan(t, dataMap(t, text), policy, "email"))
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(3, 4))
	datasets := notation(t, text)
	for range 200 {
		shuffle(rng, datasets)
		m, err := graph.NewDataMap(datasets...)
		require.NoError(t, err)
		got, err := json.Marshal(newPlan(t, m, policy, "email"))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	}
}

func TestPlanUpstreamAndColumns(t *testing.T) {
	t.Parallel()
	m := dataMap(t, `
d:a
  id key
  email id=email
  phone id=phone_number
  shown cat=user.contact
  masked/deep cat=user.name
  masked/other
  link
  unused
  doc/ref
d:b after=d:z
  a from=d:a.link
  x
d:c
  a from=d:a.doc.ref
  unknown to=d:out.id
d:out
  id
d:z
  email id=email
`)
	policy := accessTo("user.contact")
	policy.Rules = append(policy.Rules, erasureOf("user.name").Rules...)
	plan := newPlan(t, m, policy, "email")
	require.Equal(t, []string{"doc", "email", "id", "link", "masked", "shown"}, step(t, plan, "d:a").Columns)
	require.Equal(t, []string{"a"}, step(t, plan, "d:b").Columns)
	require.Equal(t, []string{"a", "unknown"}, step(t, plan, "d:c").Columns)
	require.Equal(t, []string{"email"}, step(t, plan, "d:z").Columns)
	require.Equal(t, []graph.Address{{Dataset: "d", Collection: "a"}, {Dataset: "d", Collection: "z"}}, step(t, plan, "d:b").Upstream)
	for address, feeds := range map[string]bool{"d:a": true, "d:b": false, "d:c": true, "d:z": false, "d:none": false} {
		a, err := graph.ParseAddress(address)
		require.NoError(t, err)
		require.Equal(t, feeds, plan.Feeds(a), address)
		byHand := graph.Plan{Steps: plan.Steps}
		require.Equal(t, feeds, byHand.Feeds(a), address)
		want, ok := plan.Step(a)
		got, okByHand := byHand.Step(a)
		require.Equal(t, ok, okByHand)
		require.Same(t, want, got)
	}
}

func TestPlanRoundTrip(t *testing.T) {
	t.Parallel()
	datasets := notation(t, `
d:a
  id key
  email id=email cat=user.contact.email mask=hash length=40
  boss ref=d:a.id
d:b delete erase_after=d:a
  a ref=d:a.id
  name cat=user.name
d:c skip
`)
	for _, d := range datasets { // places are not stored
		d.Pos = graph.Position{}
		for _, c := range d.Collections {
			c.Pos = graph.Position{}
			for _, f := range c.Fields {
				f.Pos = graph.Position{}
				for i := range f.References {
					f.References[i].Pos = graph.Position{}
				}
			}
		}
		d.Namespace = map[string]string{"schema": "sales"}
	}
	m, err := graph.NewDataMap(datasets...)
	require.NoError(t, err)
	plan := newPlan(t, m, erasureOf("user"), "email")
	stored, err := json.Marshal(plan)
	require.NoError(t, err)
	var got graph.Plan
	require.NoError(t, json.Unmarshal(stored, &got))
	require.Equal(t, plan, &got)
	require.Equal(t, "sales", step(t, &got, "d:b").Collection.Namespace["schema"])

	for _, bad := range []string{`{"steps":[null]}`, `{"steps":[{"level":1}]}`, `{"steps":3}`} {
		require.ErrorContains(t, json.Unmarshal([]byte(bad), &graph.Plan{}), "graph: read a stored plan: ")
	}
}
