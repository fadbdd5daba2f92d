package fides_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// People who would be asked by any identity are not asked once their connection
// is disabled, and requests with kinds that nobody else takes go through without.
func TestADisabledTaskFailsNoRequest(t *testing.T) {
	t.Parallel()
	c, _ := definedDesk(t)
	c.wants(t, 201, definedNoteShown, "POST", definedField, definedNote)
	const body = `[{"policy_key":"access","identity":{"email":"customer-3@example.com","phone_number":"+1 202 555 0143"}}]`
	c.does(t, "POST", "/privacy-request/authenticated", body) // before
	c.does(t, "PATCH", "/connection", `[{"key":"paper","connection_type":"manual_task","access":"write","disabled":true}]`)
	c.does(t, "POST", "/privacy-request/authenticated", body)
	for _, id := range []string{"pri_1", "pri_2"} {
		require.Equal(t, dsr.StatusComplete, c.advance(t, id).Status)
		require.Contains(t, c.does(t, "GET", "/privacy-request?verbose=true&id="+id, nil), `connection \"paper\" is disabled`)
	}
	a := c.send(t, c.token, "POST", "/privacy-request/authenticated", `[{"policy_key":"access","identity":{"phone_number":"+1 202 555 0143"}}]`)
	require.Contains(t, a.Body, `no dataset has a field for identity kind \"phone_number\"; known kinds: email; dataset \"paper\" is left out: connection \"paper\" is disabled`)
}
