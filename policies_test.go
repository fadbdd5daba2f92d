package dsr_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

func TestPoliciesAndFlowsAreShownAsTheyAreConfigured(t *testing.T) {
	t.Parallel()
	p := policy(graph.Rule{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}})
	c := shop(t, peopleYAML, nil, nil).config(nil, p)
	c.Flows = map[string]dsr.Flow{"p": {Approval: true, Timeframe: time.Hour}}
	e := newEngine(t, c)
	require.Equal(t, []graph.Policy{p}, e.Policies())
	flow := e.Flow("p")
	require.True(t, flow.Approval)
	require.Equal(t, time.Hour, flow.Timeframe)
	require.False(t, e.Flow("another").Approval)
	require.Equal(t, &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "p", Fixed: true}, Rules: p.Rules, Timeframe: time.Hour}, e.PolicyDefinition("p"))
	require.Nil(t, e.PolicyDefinition("another"))
	require.Equal(t, []string{"email"}, e.IdentityKinds())
	require.Equal(t, []string{"email", "phone_number"}, e.NamedIdentityKinds())
}
