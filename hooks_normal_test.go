package dsr_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// What hooks add is brought into the normal form of its kind, or refused, when it
// is answered at once and when it comes later.
func TestIdentitiesOfHooksHaveANormalForm(t *testing.T) {
	t.Parallel()
	for _, later := range []bool{false, true} {
		o, hooks := hooking(t, dsr.Flow{Before: []dsr.Hooking{{Hook: "crm", TwoWay: true}}}, func(c *dsr.Config) {
			c.Identities = append(graph.DefaultIdentityKinds(), graph.IdentityKind{Name: "card", Normal: func(v string) (string, error) {
				if v == "canary" {
					return "", errors.New("it is no card")
				}
				return strings.Trim(v, "#"), nil
			}})
		})
		adds := func(v string) error {
			ids := dsr.Identities{"card": {v}}
			hooks.answer("crm", dsr.HookAnswer{Identities: ids})
			if later {
				hooks.answer("crm", dsr.HookAnswer{Halt: true})
			}
			_, err := o.Advance(t.Context(), "r1")
			if later && err == nil {
				_, err = o.ResumeWith(t.Context(), "r1", hooks.token(t, "crm"), ids)
			}
			return err
		}
		o.submitted(t, submission("access", "ada@example.com"))
		for v, want := range map[string]string{"canary": "identity card: it is no card", "##": "identity card: a value is empty"} {
			err := adds(v)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "canary")
			if !later {
				o.done(t, o.Retry, "r1", dsr.StatusInProcessing)
			}
		}
		require.NoError(t, adds("#7#"))
		require.Equal(t, []string{"7"}, o.identities(t, "r1")["card"])
	}
}
