package graph_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

func TestPlanFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		text   string
		policy *graph.Policy
		kinds  []string
		want   []string
	}{
		{"no identity", variants, everything(), nil, []string{"identities: none given; at least one is needed to start from"}},
		{"unknown kinds", variants + "d:hidden skip\n  x id=phone_number\n", everything(), []string{"phone_number", "fax", "email"}, []string{
			`identities: no dataset has a field for identity kind "fax"; known kinds: email, ssn`,
			`identities: no dataset has a field for identity kind "phone_number"; known kinds: email, ssn`,
		}},
		{"targeted and only outgoing references", `
d:a
  email id=email
  id
d:b
  a to=d:a.id
  name cat=user.name
`, everything(), []string{"email"}, []string{
			"d:b: the policy targets it, but no identity and no reference leads to it; add an identity or a reference from a reached collection, or set skip_processing",
		}},
		{"a reference to a collection that is set aside", `
d:a
  email id=email
  id
d:b skip
  a from=d:a.id
  c
d:c
  b from=d:b.c
d:e skip
  b from=d:b.c
`, everything(), []string{"email"}, []string{
			"9 d:c: a reference ties it to d:b, which is set to skip_processing; remove one of the two",
		}},
		{"a ring of after", `
d:a after=d:c
  email id=email
d:b after=d:a
  email id=email
d:c after=d:b
  email id=email
d:behind after=d:c
  email id=email
`, everything(), []string{"email"}, []string{
			"d:a, d:b, d:c: after makes these wait for each other; remove one of the waits",
		}},
		{"a ring of after and a reference", `
d:a after=d:b
  email id=email
  id
d:b
  a from=d:a.id
`, everything(), []string{"email"}, []string{"d:a, d:b: after makes these wait for each other; remove one of the waits"}},
		{"after between datasets that wait for each other", "x after=y\ny after=x\nx:a\n  e id=email\ny:b\n  e id=email\n",
			everything(), []string{"email"}, []string{"x:a, y:b: after makes these wait for each other; remove one of the waits"}},
		{"a ring of erase_after", `
d:a erase_after=d:b
  email id=email
d:b erase_after=d:a
  email id=email
`, everything(), []string{"email"}, []string{"d:a, d:b: erase_after makes these wait for each other; remove one of the waits"}},
		{"a target that selects nothing", "d:a cat=user.name\n  email id=email cat=user.contact.email\n", accessTo("user.name", "user.name.first", "user.contact", "user.financial"), []string{"email"}, []string{
			`policy get: target user.financial of rule "get" selects no field of any dataset; annotate the fields, remove the target, or set Policy.AllowEmptyTargets`,
			`policy get: target user.name.first of rule "get" selects no field of any dataset; annotate the fields, remove the target, or set Policy.AllowEmptyTargets`,
		}},
		{"every fault at once", `
d:a after=d:b
  email id=email
d:b after=d:a
  email id=email
  id key cat=user.name
  d to=d:d.x
d:c
  name cat=user.name
d:d skip
  x
`, erasureOf("user.name", "user.financial"), []string{"email", "fax"}, []string{
			"d:a, d:b: after makes these wait for each other; remove one of the waits",
			"d:c: the policy targets it, but no identity and no reference leads to it; add an identity or a reference from a reached collection, or set skip_processing",
			`identities: no dataset has a field for identity kind "fax"; known kinds: email`,
			`policy erase: target user.financial of rule "erase" selects no field of any dataset; annotate the fields, remove the target, or set Policy.AllowEmptyTargets`,
			`6 d:b.id: rule "erase" targets a primary key; delete the rows (masking_strategy_override: {strategy: delete} on the collection) or change its category`,
			"7 d:b: a reference ties it to d:d, which is set to skip_processing; remove one of the two",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			datasets, rng := notation(t, tt.text), rand.New(rand.NewPCG(1, 2))
			for range 20 {
				shuffle(rng, datasets)
				m, err := graph.NewDataMap(datasets...)
				require.NoError(t, err)
				plan, err := graph.NewPlan(m, tt.policy, tt.kinds, nil)
				require.Nil(t, plan)
				require.Equal(t, tt.want, faults(t, err))
			}
		})
	}
}

func TestPlanAfterInsideACycle(t *testing.T) {
	t.Parallel()
	text := `
d:a
  email id=email
  id
  b from=d:b.id
d:b after=d:a
  id
  a from=d:a.id
`
	_, err := graph.NewPlan(dataMap(t, text), everything(), []string{"email"}, nil)
	require.Equal(t, []string{"d:b: after names d:a, but the two feed each other; remove the after or a reference"}, faults(t, err))
}

// What is set aside for the time being is told where a plan fails for want of it.
func TestPlanFaultsOfWhatIsSetAside(t *testing.T) {
	t.Parallel()
	datasets := notation(t, `
mail:letters skip
  who id=email cat=user.contact
mail:replies skip
  who id=any cat=user.contact.email
shop:orders
  id
  phone id=phone_number
shop:parcels
  letter from=mail:letters.who
shop:rests cat=user.name
  x
tax:forms skip
  who id=email cat=user.contact
`)
	m, err := graph.NewDataMap(datasets...)
	require.NoError(t, err)
	const off = `connection "post" is disabled`
	aside := []graph.Skip{
		{Address: graph.Address{Dataset: "mail", Collection: "letters"}, Reason: off},
		{Address: graph.Address{Dataset: "mail", Collection: "replies"}, Reason: off},
	}
	plan, err := graph.NewPlan(m, accessTo("user.contact", "user.name", "user.financial"), []string{"email"}, &graph.PlanOptions{SetAside: aside})
	require.Nil(t, plan)
	const left = `; dataset "mail" is left out: ` + off
	require.Equal(t, []string{
		`identities: no dataset has a field for identity kind "email"; known kinds: phone_number` + left,
		`policy get: target user.contact of rule "get" selects no field of any dataset; annotate the fields, remove the target, or set Policy.AllowEmptyTargets` + left,
		`policy get: target user.financial of rule "get" selects no field of any dataset; annotate the fields, remove the target, or set Policy.AllowEmptyTargets`,
		`shop:rests: the policy targets it, but no identity and no reference leads to it; add an identity or a reference from a reached collection, or set skip_processing` + left,
		`10 shop:parcels: a reference ties it to mail:letters, which is left out: ` + off + `; change that, or remove the reference`,
	}, faults(t, err))
}
