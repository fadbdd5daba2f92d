//go:build compat

package compat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

// One identity starts at a column and at a nested field.
func TestFides01TreeFromTwoSeeds(t *testing.T) {
	t.Parallel()
	p, err := plan(t, policy(access("A")), parse(t, `
dataset:
  - fides_key: db
    collections:
      - name: t1
        fields:
          - {name: f1, data_categories: [A]}
          - {name: f2, fides_meta: {identity: email}}
      - name: t2
        fields:
          - {name: f1, fides_meta: {references: [{dataset: db, field: t1.f1, direction: from}]}}
          - {name: f2}
      - name: t3
        fields:
          - {name: f1, fides_meta: {references: [{dataset: db, field: t2.f2, direction: from}]}}
      - name: t4
        fields:
          - name: f4
            fields:
              - {name: f5, fides_meta: {identity: email}}
`), "email")
	require.NoError(t, err)
	require.Equal(t, []string{
		"0 email → db:t1.f2",
		"0 email → db:t4.f4.f5",
		"1 db:t1.f1 → db:t2.f1",
		"2 db:t2.f2 → db:t3.f1",
	}, flow(p))
	require.Equal(t, []string{"db:t4", "db:t3"}, terminals(p))
}

const shop = `
dataset:
  - fides_key: shop
    collections:
      - name: Address
        fields:
          - {name: id, data_categories: [A], fides_meta: {primary_key: true}}
      - name: Customer
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
          - {name: contact, fides_meta: {references: [{dataset: shop, field: Address.id, direction: to}]}}
      - name: Order
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: customer, fides_meta: {references: [{dataset: shop, field: Customer.id, direction: from}]}}
          - {name: shipping, fides_meta: {references: [{dataset: shop, field: Address.id, direction: to}]}}
          - {name: billing, fides_meta: {references: [{dataset: shop, field: Address.id, direction: to}]}}
`

func TestFides02EverySourceFeedsTheAddress(t *testing.T) {
	t.Parallel()
	p, err := plan(t, policy(access("A")), parse(t, shop), "email")
	require.NoError(t, err)
	require.Equal(t, []string{
		"0 email → shop:Customer.email",
		"1 shop:Customer.id → shop:Order.customer",
		"2 shop:Customer.contact → shop:Address.id",
		"2 shop:Order.billing → shop:Address.id",
		"2 shop:Order.shipping → shop:Address.id",
	}, flow(p))
}

// A collection that only leads elsewhere cannot be found.
func TestFides02OnlyOutgoingIsUnreachable(t *testing.T) {
	t.Parallel()
	_, err := plan(t, policy(access("A")), parse(t, shop+`
      - name: User
        fields:
          - {name: id, data_categories: [A], fides_meta: {primary_key: true}}
          - {name: address, fides_meta: {references: [{dataset: shop, field: Address.id, direction: to}]}}
`), "email")
	require.EqualError(t, err, "dsr: test.yml:20:9: error: shop:User: the policy targets it, but no identity and no reference leads to it; "+
		"add an identity or a reference from a reached collection, or set skip_processing")
}

func TestFides03PlansFollowTheIdentities(t *testing.T) {
	t.Parallel()
	const people = `
dataset:
  - fides_key: db
    collections:
      - name: address
        fields:
          - {name: user, data_categories: [A], fides_meta: {references: [{dataset: db, field: user.id, direction: from}]}}
      - name: customer
        fields:
          - {name: id, data_categories: [A], fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
      - name: user
        fields:
          - {name: id, data_categories: [A], fides_meta: {primary_key: true}}
          - {name: ssn, fides_meta: {identity: ssn}}
          - {name: customer, fides_meta: {references: [{dataset: db, field: customer.id, direction: from}]}}
`
	for _, c := range []struct {
		kinds   []string
		flow    []string
		skipped map[string]string
	}{
		{
			kinds: []string{"email"},
			flow: []string{
				"0 email → db:customer.email",
				"1 db:customer.id → db:user.customer",
				"2 db:user.id → db:address.user",
			},
			skipped: map[string]string{},
		},
		{
			kinds: []string{"email", "ssn"},
			flow: []string{
				"0 email → db:customer.email",
				"1 db:customer.id → db:user.customer",
				"1 ssn → db:user.ssn",
				"2 db:user.id → db:address.user",
			},
			skipped: map[string]string{},
		},
		{
			kinds: []string{"ssn"},
			flow: []string{
				"0 ssn → db:user.ssn",
				"1 db:user.id → db:address.user",
			},
			skipped: map[string]string{"db:customer": "no identity of the request leads to it; one of these would: email"},
		},
	} {
		p, err := plan(t, policy(access("A")), parse(t, people), c.kinds...)
		require.NoError(t, err)
		require.Equal(t, c.flow, flow(p))
		require.Equal(t, c.skipped, skipped(p))
	}
}

func TestFides04Faults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ src, want string }{
		"after in a ring": {
			src: `
dataset:
  - fides_key: db
    collections:
      - name: a
        fides_meta: {after: [db.b]}
        fields: [{name: id, data_categories: [A], fides_meta: {identity: email}}]
      - name: b
        fides_meta: {after: [db.a]}
        fields: [{name: id, fides_meta: {identity: email}}]
`,
			want: "dsr: test.yml:5:9: error: db:a, db:b: after makes these wait for each other; remove one of the waits",
		},
		"after against the flow": {
			src: `
dataset:
  - fides_key: db
    collections:
      - name: a
        fides_meta: {after: [db.b]}
        fields: [{name: id, data_categories: [A], fides_meta: {identity: email}}]
      - name: b
        fields: [{name: a, fides_meta: {references: [{dataset: db, field: a.id, direction: from}]}}]
`,
			want: "dsr: test.yml:5:9: error: db:a, db:b: after makes these wait for each other; remove one of the waits",
		},
		"orphan": {
			src: `
dataset:
  - fides_key: db
    collections:
      - name: a
        fields: [{name: id, data_categories: [A], fides_meta: {identity: email}}]
      - name: b
        fields: [{name: id, data_categories: [A]}]
`,
			want: "dsr: test.yml:7:9: error: db:b: the policy targets it, but no identity and no reference leads to it; " +
				"add an identity or a reference from a reached collection, or set skip_processing",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := plan(t, policy(access("A")), parse(t, c.src), "email")
			require.EqualError(t, err, c.want)
		})
	}
}

// Names that lead nowhere are all told when the data map is built; a missing
// field too, which Fides takes and finds nothing by.
func TestFides04DanglingNames(t *testing.T) {
	t.Parallel()
	_, err := graph.NewDataMap(parse(t, `
dataset:
  - fides_key: db
    collections:
      - name: a
        fides_meta: {after: [db.nowhere], erase_after: [other.b]}
        fields:
          - {name: id, fides_meta: {identity: email, references: [{dataset: other, field: b.id}]}}
          - {name: b, fides_meta: {references: [{dataset: db, field: nowhere.id}]}}
          - {name: c, fides_meta: {references: [{dataset: db, field: a.nowhere}]}}
`)...)
	require.EqualError(t, err, "dsr: 5 faults:"+
		"\n\ttest.yml:5:9: error: db:a: after names db:nowhere, which is not in the data map"+
		"\n\ttest.yml:5:9: error: db:a: erase_after names other:b, which is not in the data map"+
		"\n\ttest.yml:8:67: error: db:a.id: refers to dataset \"other\", which is not in the data map; add it or remove the reference"+
		"\n\ttest.yml:9:49: error: db:a.b: refers to db.nowhere.id: no collection of that name"+
		"\n\ttest.yml:10:49: error: db:a.c: refers to db.a.nowhere: the collection has no such field")
}

// S4: a collection that refers to itself is planned and walked until no new
// row is found; Fides refuses it.
func TestFides04ExceptionSelfReferenceWorks(t *testing.T) {
	t.Parallel()
	f := memoryFlow(t, policy(access("A")), `
dataset:
  - fides_key: db
    collections:
      - name: person
        fields:
          - {name: id, data_categories: [A], fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
          - {name: parent, fides_meta: {references: [{dataset: db, field: person.id, direction: from}]}}
`, rows{"db": {"person": {
		{"id": 1, "email": "a@example.com", "parent": 3},
		{"id": 2, "parent": 1},
		{"id": 3, "parent": 2},
		{"id": 4, "parent": 9},
	}}})
	p, err := f.engine.Plan("policy", "email")
	require.NoError(t, err)
	require.Equal(t, [][]graph.Address{{{Dataset: "db", Collection: "person"}}}, p.Cycles)
	req := f.run("policy", email("a@example.com"))
	require.Equal(t, counts{"db:person": 3}, found(req))
	require.JSONEq(t, `{"db:person": [{"id": 1}, {"id": 2}, {"id": 3}]}`, f.pack(req))
}

// S4: collections that feed each other in a ring are walked in rounds; Fides
// plans them and then crashes.
func TestFides04ExceptionDirectedCycleWorks(t *testing.T) {
	t.Parallel()
	f := memoryFlow(t, policy(access("A")), `
dataset:
  - fides_key: db
    collections:
      - name: a
        fields:
          - {name: id, data_categories: [A], fides_meta: {primary_key: true, references: [{dataset: db, field: c.a, direction: from}]}}
          - {name: email, fides_meta: {identity: email}}
      - name: b
        fields:
          - {name: id, data_categories: [A], fides_meta: {primary_key: true}}
          - {name: a, fides_meta: {references: [{dataset: db, field: a.id, direction: from}]}}
      - name: c
        fields:
          - {name: a, data_categories: [A]}
          - {name: b, fides_meta: {references: [{dataset: db, field: b.id, direction: from}]}}
`, rows{"db": {
		"a": {{"id": 1, "email": "a@example.com"}, {"id": 2}, {"id": 3}},
		"b": {{"id": 10, "a": 1}, {"id": 20, "a": 2}, {"id": 30, "a": 3}},
		"c": {{"a": 2, "b": 10}, {"a": 1, "b": 20}, {"a": 1, "b": 30}},
	}})
	p, err := f.engine.Plan("policy", "email")
	require.NoError(t, err)
	require.Equal(t, [][]graph.Address{{{Dataset: "db", Collection: "a"}, {Dataset: "db", Collection: "b"}, {Dataset: "db", Collection: "c"}}}, p.Cycles)
	req := f.run("policy", email("a@example.com"))
	require.Equal(t, counts{"db:a": 2, "db:b": 2, "db:c": 2}, found(req))
	require.JSONEq(t, `{"db:a": [{"id": 1}, {"id": 2}], "db:b": [{"id": 10}, {"id": 20}], "db:c": [{"a": 2}, {"a": 1}]}`, f.pack(req))
}

func TestFides05ParallelReferencesAllFeed(t *testing.T) {
	t.Parallel()
	p, err := plan(t, policy(access("A")), parse(t, `
dataset:
  - fides_key: db
    collections:
      - name: a
        fields:
          - {name: email, data_categories: [A], fides_meta: {identity: email}}
          - {name: x}
          - {name: y}
          - {name: z}
      - name: b
        fields:
          - {name: x, fides_meta: {references: [{dataset: db, field: a.x, direction: from}]}}
          - {name: y, fides_meta: {references: [{dataset: db, field: a.y, direction: from}]}}
          - {name: z, fides_meta: {references: [{dataset: db, field: a.z, direction: from}]}}
`), "email")
	require.NoError(t, err)
	require.Equal(t, []string{
		"0 email → db:a.email",
		"1 db:a.x → db:b.x",
		"1 db:a.y → db:b.y",
		"1 db:a.z → db:b.z",
	}, flow(p))
}

func TestFides06IdentityThatWasNotGiven(t *testing.T) {
	t.Parallel()
	src := `
dataset:
  - fides_key: db
    collections:
      - name: a
        fields: [{name: email, data_categories: [A], fides_meta: {identity: email}}]
      - name: b
        fields: [{name: phone, data_categories: [A], fides_meta: {identity: phone_number}}]
      - name: c
        fields: [{name: phone, data_categories: [A], fides_meta: {references: [{dataset: db, field: b.phone, direction: from}]}}]
`
	p, err := plan(t, policy(access("A")), parse(t, src), "email")
	require.NoError(t, err)
	require.Equal(t, []string{"0 email → db:a.email"}, flow(p))
	require.Equal(t, map[string]string{
		"db:b": "no identity of the request leads to it; one of these would: phone_number",
		"db:c": "no identity of the request leads to it; one of these would: phone_number",
	}, skipped(p))

	_, err = plan(t, policy(access("A")), parse(t, src+`
      - name: d
        fields: [{name: id, data_categories: [A]}]
`), "email")
	require.EqualError(t, err, "dsr: test.yml:12:9: error: db:d: the policy targets it, but no identity and no reference leads to it; "+
		"add an identity or a reference from a reached collection, or set skip_processing")
}

func TestFides07UnreachableMattersWhenTargeted(t *testing.T) {
	t.Parallel()
	datasets := func() []*graph.Dataset {
		return parse(t, `
dataset:
  - fides_key: db
    collections:
      - name: a
        fields: [{name: email, data_categories: [A], fides_meta: {identity: email}}]
      - name: b
        fields: [{name: id, data_categories: [B]}]
`)
	}
	p, err := plan(t, policy(access("A")), datasets(), "email")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"db:b": "nothing in it is targeted by the policy"}, skipped(p))

	_, err = plan(t, policy(access("A", "B")), datasets(), "email")
	require.EqualError(t, err, "dsr: test.yml:7:9: error: db:b: the policy targets it, but no identity and no reference leads to it; "+
		"add an identity or a reference from a reached collection, or set skip_processing")
}
