package fides_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

const intakeRefusal = "Without a token a request has one identity, since a verification code proves no more than one: " +
	"send one alone, or let your own server, which knows the data subject, create the request at /privacy-request/authenticated"

// intakeFailed are the messages of the entries that failed, and how many did not.
func intakeFailed(t *testing.T, a *answer) (messages []string, succeeded int) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	var told struct {
		Succeeded []json.RawMessage
		Failed    []struct{ Message string }
	}
	require.NoError(t, json.Unmarshal([]byte(a.Body), &told))
	for _, one := range told.Failed {
		messages = append(messages, one.Message)
	}
	return messages, len(told.Succeeded)
}

// A code goes to an e-mail address: whatever else is named beside it is not
// proved by it.
func TestWithoutATokenARequestHasOneIdentity(t *testing.T) {
	t.Parallel()
	for name, identities := range map[string]string{
		"an address and a number":             `"identity":{"email":"nia.vale@example.com","phone_number":"+11234567891"}`,
		"an address and a customer number":    `"identity":{"email":"nia.vale@example.com","external_id":"c-1"}`,
		"a kind of the caller's own":          `"identity":{"email":"nia.vale@example.com","loyalty_id":{"label":"Card","value":"c-1"}}`,
		"a number of the caller's own kind":   `"identity":{"email":"nia.vale@example.com","loyalty_id":12}`,
		"another letter case of the kind":     `"identity":{"email":"nia.vale@example.com","Email":"nia.vale@example.com"}`,
		"in two places":                       `"identity":{"email":"nia.vale@example.com"},"identities":[{"phone_number":"+11234567891"}]`,
		"in two entries":                      `"identities":[{"email":"nia.vale@example.com"},{"external_id":"c-1"}]`,
		"two values in two places":            `"identity":{"email":"nia.vale@example.com"},"identities":[{"email":"other@example.com"}]`,
		"two numbers":                         `"identities":[{"phone_number":"+11234567891"},{"phone_number":"+11234567892"}]`,
		"a list of the caller's own kind":     `"identity":{"loyalty_id":["c-1","c-2"]}`,
		"a labeled list of one's own kind":    `"identity":{"loyalty_id":{"label":"Card","value":["c-1",2]}}`,
		"another letter case of another":      `"identity":{"loyalty_id":["c-a","C-A"]}`,
		"none that is reached":                `"identity":{"external_id":"c-1","ga_client_id":"c-2"}`,
		"an address and blanks":               `"identity":{"email":"nia.vale@example.com","loyalty_id":" "}`,
		"kinds that differ by a strange rune": `"identity":{"email":"nia.vale@example.com","\u200bemail":"other@example.com"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := verifyDesk(t)
			a := k.send(t, "", "POST", "/privacy-request", `[{"policy_key":"access",`+identities+`},{"policy_key":"access","identity":{"email":"nia.vale@example.com"}}]`)
			messages, succeeded := intakeFailed(t, a)
			require.Equal(t, []string{intakeRefusal}, messages)
			require.Equal(t, 1, succeeded)
			count, err := k.engine.Requests().Count(t.Context(), dsr.Filter{})
			require.NoError(t, err)
			require.EqualValues(t, 1, count)
			require.NotContains(t, k.logs.String(), "nia.vale")

			// Fides' route of those who know the data subject takes it.
			if name == "an address and a number" {
				a = k.send(t, k.token(t, "privacy-request:create"), "POST", "/privacy-request/authenticated", `[{"policy_key":"access",`+identities+`}]`)
				require.Contains(t, a.Body, `"failed":[]`)
			}
		})
	}
}

func TestOneValueInSeveralSpellingsIsOneIdentity(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		identities string
		kept       dsr.Identities
	}{
		"once":        {`"identity":{"email":"nia.vale@example.com"}`, dsr.Identities{"email": {"nia.vale@example.com"}}},
		"both ways":   {`"identity":{"email":"nia.vale@example.com"},"identities":[{"email":"nia.vale@example.com"}]`, dsr.Identities{"email": {"nia.vale@example.com"}}},
		"letter case": {`"identities":[{"email":"nia.vale@example.com"},{"email":"Nia.Vale@Example.com"}]`, dsr.Identities{"email": {"nia.vale@example.com", "Nia.Vale@Example.com"}}},
		"a number":    {`"identities":[{"phone_number":"+1 (123) 456 7891"},{"phone_number":"+11234567891"}]`, dsr.Identities{"phone_number": {"+11234567891"}}},
		"with nulls":  {`"identity":{"email":"nia.vale@example.com","phone_number":null,"external_id":""}`, dsr.Identities{"email": {"nia.vale@example.com"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := verifyDesk(t)
			a := k.send(t, "", "POST", "/privacy-request", `[{"policy_key":"access",`+c.identities+`}]`)
			messages, succeeded := intakeFailed(t, a)
			require.Empty(t, messages)
			require.Equal(t, 1, succeeded)
			kept, err := k.engine.Requests().Identities(t.Context(), "pri_1")
			require.NoError(t, err)
			require.Equal(t, c.kept, kept)
		})
	}
}

// Where a letter case tells addresses apart, the engine does not take two.
func TestAHostThatTellsLetterCasesApartIsAsked(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) {
		k.config.Flow.VerifyIdentity, k.options.PublicIntake = true, true
		k.config.Identities = []graph.IdentityKind{}
	})
	a := k.send(t, "", "POST", "/privacy-request", `[{"policy_key":"access","identities":[{"email":"nia.vale@example.com"},{"email":"Nia.Vale@example.com"}]}]`)
	messages, succeeded := intakeFailed(t, a)
	require.Equal(t, []string{"This record could not be added"}, messages)
	require.Zero(t, succeeded)
}

// The code of such a request reaches nobody, so nobody can give it.
func TestAnIdentityThatTheNotifierDoesNotReachIsNeverVerified(t *testing.T) {
	t.Parallel()
	k := verifyDesk(t)
	k.notifier.Fail(func(_ context.Context, n dsr.Notice) error {
		if len(n.To["email"]) == 0 {
			return dsr.ErrRejected
		}
		return nil
	}, nil)
	a := k.send(t, "", "POST", "/privacy-request", `[{"policy_key":"access","identity":{"phone_number":"+11234567891"}}]`)
	messages, succeeded := intakeFailed(t, a)
	require.Equal(t, []string{"Verification message could not be sent."}, messages)
	require.Zero(t, succeeded)
	a = k.send(t, "", "POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"nia.vale@example.com"}}]`)
	require.Contains(t, a.Body, `"failed":[]`)
	for _, code := range []string{"", k.code(t)} {
		a = k.send(t, "", "POST", "/privacy-request/pri_1/verify", `{"code":"`+code+`"}`)
		require.Equal(t, []any{403, `{"detail":"Incorrect identification code for 'pri_1'"}`}, []any{a.Status, a.Body})
	}
	_, err := k.engine.Requests().Advance(t.Context(), "pri_1")
	require.NoError(t, err)
	req, err := k.engine.Requests().Get(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusUnverified, req.Status)
}
