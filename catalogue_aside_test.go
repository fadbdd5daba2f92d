package dsr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// foundBox is a dataset beside the shop whose field is seeded with identities of
// the kind.
func foundBox(kind string) func(*dsr.Definitions) {
	return func(d *dsr.Definitions) {
		shopDefined(d)
		d.Connections["other"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "other"}, Type: "shop", Secrets: dsr.Secrets{"host": "here"}}
		d.Datasets["box"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "box"}, Connection: "other", Source: `
dataset:
  - fides_key: box
    collections:
      - name: letters
        fields:
          - {name: id, fides_meta: {primary_key: true, data_type: integer}}
          - {name: who, data_categories: [user.contact], fides_meta: {identity: "` + kind + `", data_type: string}}
`}
	}
}

func foundOff(d *dsr.Definitions) { d.Connections["other"].Disabled = true }

// Kinds of identity that only a connection has which is disabled make no request
// fail: not when it is submitted, nor when it is planned, nor when a hook brings
// them. A request of which nothing else is known finds nothing, and is refused.
func TestKindsOfADisabledConnection(t *testing.T) {
	t.Parallel()
	skip := graph.Skip{Address: graph.Address{Dataset: "box", Collection: "letters"}, Reason: `connection "other" is disabled`}
	both := dsr.Identities{"email": {"ada@example.com"}, "phone_number": {"+4930123456"}}
	const refused = `no dataset has a field for identity kind "phone_number"; known kinds: email; dataset "box" is left out: connection "other" is disabled`
	for _, kind := range []string{graph.AnyIdentity, "phone_number"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := newConfigurable(t)
			all := c.webs(t)
			c.config.Flow.Before = append(c.config.Flow.Before, dsr.Hooking{Hook: "own2", TwoWay: true})
			c.config.Hooks["own2"] = &receiver{all, "own2"}
			c.config.Flow.After = nil
			c.engine = newEngine(t, c.config)
			c.update(t, foundBox(kind))
			requests := c.engine.Requests()
			submit := func(ids dsr.Identities) error {
				_, err := requests.Submit(t.Context(), dsr.Submission{Policy: "access", Identities: ids})
				return err
			}
			ends := func(id string) {
				t.Helper()
				req, err := requests.Advance(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, dsr.StatusComplete, req.Status)
				plan, err := requests.Plan(t.Context(), id)
				require.NoError(t, err)
				require.Contains(t, plan.Skipped, skip)
			}
			require.NoError(t, submit(both)) // r1, which is planned once it is disabled
			require.NoError(t, submit(dsr.Identities{"phone_number": {"+4930123456"}}))
			c.update(t, foundOff)
			ends("r1")
			_, err := requests.Advance(t.Context(), "r2")
			require.ErrorContains(t, err, refused)

			require.NoError(t, submit(both))
			ends("r3")
			require.ErrorContains(t, submit(dsr.Identities{"phone_number": {"+4930123456"}}), refused)

			all.answer("own", dsr.HookAnswer{Identities: dsr.Identities{"phone_number": {"+4930123456"}}})
			require.NoError(t, submit(dsr.Identities{"email": {"ada@example.com"}}))
			ends("r4")

			all.answer("own", dsr.HookAnswer{})
			all.answer("own2", dsr.HookAnswer{Halt: true})
			require.NoError(t, submit(dsr.Identities{"email": {"ada@example.com"}}))
			_, err = requests.Advance(t.Context(), "r5")
			require.NoError(t, err)
			_, err = requests.ResumeWith(t.Context(), "r5", all.token(t, "own2"), dsr.Identities{"phone_number": {"+4930123456"}})
			require.NoError(t, err)
			ends("r5")
		})
	}
}
