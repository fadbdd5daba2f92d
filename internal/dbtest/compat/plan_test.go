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
