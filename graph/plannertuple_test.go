package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

func TestPlanTuples(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		text string
		want []string
	}{
		{"from parent to child", `
d:account
  tenant key
  id key
  email id=email
d:orders
  tenant ref=d:account.tenant
  account ref=d:account.id
`, []string{"0 d:account email=email", "1 d:orders tenant+account=d:account.tenant+id"}},
		{"from child to parent", `
d:account
  tenant key
  id key
d:orders
  email id=email
  tenant ref=d:account.tenant
  account ref=d:account.id
`, []string{"0 d:orders email=email", "1 d:account tenant+id=d:orders.tenant+account"}},
		{"two tuples share the tenant", `
d:account
  tenant key
  id key
d:orders
  email id=email
  tenant ref=d:account.tenant
  buyer ref=d:account.id
  seller ref=d:account.id
`, []string{"0 d:orders email=email", "1 d:account tenant+id=d:orders.tenant+buyer tenant+id=d:orders.tenant+seller"}},
		{"two tuples share the tenant on the way down", `
d:account
  email id=email
  tenant key
  id key
d:orders
  tenant ref=d:account.tenant
  buyer ref=d:account.id
  seller ref=d:account.id
`, []string{"0 d:account email=email", "1 d:orders tenant+buyer=d:account.tenant+id tenant+seller=d:account.tenant+id"}},
		{"a reference to another field stands alone", `
d:account
  email id=email
  tenant key
  id key
  phone
d:orders
  tenant ref=d:account.tenant
  account ref=d:account.id
  phone ref=d:account.phone
`, []string{"0 d:account email=email", "1 d:orders phone=d:account.phone tenant+account=d:account.tenant+id"}},
		{"references to one part stand alone", `
d:account
  email id=email
  tenant key
  id key
d:orders
  buyer ref=d:account.id
  seller ref=d:account.id
`, []string{"0 d:account email=email", "1 d:orders buyer=d:account.id seller=d:account.id"}},
		{"a row of a tree under a composite key", `
d:node
  email id=email
  tenant key ref=d:node.tenant
  id key
  parent ref=d:node.id
`, []string{"0 d:node email=email tenant+parent=d:node.tenant+id"}},
		{"two parents into the same tuple", `
d:a
  email id=email
  tenant key
  id key
d:b
  email id=email
  tenant key
  id key
d:c
  tenant ref=d:a.tenant ref=d:b.tenant
  ref ref=d:a.id ref=d:b.id
`, []string{"0 d:a email=email", "0 d:b email=email", "1 d:c tenant+ref=d:a.tenant+id tenant+ref=d:b.tenant+id"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, flow(newPlan(t, dataMap(t, tt.text), everything(), "email")))
		})
	}
}

func TestPlanTupleFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"two parts are referred to twice", `
d:account
  email id=email
  tenant key
  id key
d:orders
  t1 ref=d:account.tenant
  t2 ref=d:account.tenant
  a1 ref=d:account.id
  a2 ref=d:account.id
`, "9 d:orders: several references to the composite key of d:account, and more than one part of it is referred to twice: it is not clear which belong together"},
		{"a part inside an array", `
d:account
  email id=email
  tenant key
  id key
d:orders
  tenant ref=d:account.tenant
  lines array
  lines/account ref=d:account.id
`, "9 d:orders.lines.account: a part of the composite key of d:account is matched inside of an array here, where parts cannot be told apart; keep the parts outside of arrays"},
		{"a part comes out of an array", `
d:orders
  email id=email
  tenant ref=d:account.tenant
  accounts array ref=d:account.id
d:account
  tenant key
  id key
`, "5 d:orders.accounts: a part of the composite key of d:account is matched inside of an array here, where parts cannot be told apart; keep the parts outside of arrays"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := graph.NewPlan(dataMap(t, tt.text), everything(), []string{"email"}, nil)
			require.Equal(t, []string{tt.want}, faults(t, err))
		})
	}
}
