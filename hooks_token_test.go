package dsr_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// halting is an office in which r1 and r2 are halted by the hook crm, and r3
// waits for the answer of the check fraud.
func halting(t testing.TB) (*office, *receivers) {
	t.Helper()
	o, hooks := preApproving(t, func(c *dsr.Config) {
		flow := c.Flow
		flow.PreApproval = []string{"fraud"}
		c.Flows = map[string]dsr.Flow{"both": flow}
		_, more := newReceivers("fraud")
		c.Hooks["fraud"] = more["fraud"]
	})
	hooks.answer("crm", dsr.HookAnswer{Halt: true})
	for _, id := range []string{"r1", "r2"} {
		o.submitted(t, submission("access", "ada@example.com"))
		o.advanced(t, id, dsr.StatusPaused)
	}
	return o, hooks
}

// TestTokensThatAreRefused: nothing is changed, and the error quotes no token.
func TestTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	o, hooks := halting(t)
	token := hooks.token(t, "crm") // of r2
	require.Less(t, len(token), 300)
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	require.NoError(t, err)
	flipped := func(i int) string {
		forged := append([]byte(nil), sealed...)
		forged[i] ^= 1
		return base64.RawURLEncoding.EncodeToString(forged)
	}
	_, others := halting(t)
	tests := map[string]struct{ id, token, want string }{
		"none":                 {"r2", "", "it was not made here"},
		"no base64":            {"r2", "{}", "it was not made here"},
		"padded":               {"r2", token + "=", "it was not made here"},
		"cut off":              {"r2", token[:len(token)-4], "it was not made here"},
		"its beginning":        {"r2", token[:8], "it was not made here"},
		"longer":               {"r2", token + "AAAA", "it was not made here"},
		"first byte changed":   {"r2", flipped(0), "it was not made here"},
		"last byte changed":    {"r2", flipped(len(sealed) - 1), "it was not made here"},
		"endless":              {"r2", strings.Repeat("A", 1<<20), "it is too long"},
		"of another keyring":   {"r2", others.token(t, "crm"), "it was not made here"},
		"of another request":   {"r1", token, "it is that of another request"},
		"of no request at all": {"r99", token, "it is that of another request"},
		"of an empty ID":       {"", token, "it is that of another request"},
		"4000 bytes":           {"r2", strings.Repeat("-", 4000), "it was not made here"},
	}
	for name, test := range tests {
		req, err := o.ResumeWith(t.Context(), test.id, test.token, dsr.Identities{"email": {"bob@example.com"}})
		require.Nil(t, req, name)
		require.EqualError(t, err, "dsr: the token is not valid: "+test.want, name)
		require.ErrorIs(t, err, dsr.ErrToken, name)
		_, err = o.PreApproveWith(t.Context(), test.id, test.token, true)
		require.ErrorIs(t, err, dsr.ErrToken, name)
		require.EqualError(t, o.CheckToken(t.Context(), test.id, test.token, dsr.HookBefore), "dsr: the token is not valid: "+test.want, name)
	}
	_, err = o.PreApproveWith(t.Context(), "r2", token, true)
	require.EqualError(t, err, "dsr: the token is not valid: it is no token for this", "of another phase")
	require.ErrorIs(t, o.CheckToken(t.Context(), "r2", token, dsr.HookPreApproval), dsr.ErrToken)
	require.NoError(t, o.CheckToken(t.Context(), "r2", token, dsr.HookBefore))
	o.requireStatus(t, "r1", dsr.StatusPaused)
	o.requireStatus(t, "r2", dsr.StatusPaused)
	require.Equal(t, dsr.Identities{"email": {"ada@example.com"}}, o.identities(t, "r2"))
	_, err = o.ResumeWith(t.Context(), "r2", token, nil)
	require.NoError(t, err)
}

// TestTokensExpire after 60 hours, as in Fides.
func TestTokensExpire(t *testing.T) {
	t.Parallel()
	o, hooks := halting(t)
	token := hooks.token(t, "crm")
	o.clock.add(60 * time.Hour)
	_, err := o.ResumeWith(t.Context(), "r2", token, nil)
	require.EqualError(t, err, "dsr: the token is not valid: it has expired")
	o.clock.add(-time.Microsecond)
	_, err = o.ResumeWith(t.Context(), "r2", token, nil)
	require.NoError(t, err)
}

// TestTokensWorkOnce, and only while the request waits for their hook in the
// submission that they are of.
func TestTokensWorkOnce(t *testing.T) {
	t.Parallel()
	o, hooks := halting(t)
	first := hooks.token(t, "crm")
	hooks.answer("mdm", dsr.HookAnswer{Halt: true})
	_, err := o.ResumeWith(t.Context(), "r2", first, nil)
	require.NoError(t, err)
	conflict := func(status dsr.Status) {
		t.Helper()
		_, err := o.ResumeWith(t.Context(), "r2", first, dsr.Identities{"email": {"bob@example.com"}})
		require.EqualError(t, err, "dsr: cannot resume request r2: it is "+string(status)+" and does not wait for hook crm")
		require.ErrorIs(t, err, dsr.ErrConflict)
		require.Equal(t, dsr.Identities{"email": {"ada@example.com"}}, o.identities(t, "r2"))
	}
	conflict(dsr.StatusInProcessing)
	o.advanced(t, "r2", dsr.StatusPaused)
	conflict(dsr.StatusPaused) // for mdm
	o.done(t, o.Resume, "r2", dsr.StatusInProcessing)
	o.done(t, o.Pause, "r2", dsr.StatusPaused)
	conflict(dsr.StatusPaused) // by a person

	o.done(t, o.Resubmit, "r2", dsr.StatusApproved)
	o.advanced(t, "r2", dsr.StatusPaused)
	require.Equal(t, []string{"hook:crm"}, o.get(t, "r2").Awaits)
	_, err = o.ResumeWith(t.Context(), "r2", first, nil)
	require.EqualError(t, err, "dsr: the token is not valid: the request has begun anew since")
	require.ErrorIs(t, err, dsr.ErrToken)
	o.done(t, o.Delete, "r2", dsr.StatusPaused)
	_, err = o.ResumeWith(t.Context(), "r2", hooks.token(t, "crm"), nil)
	require.ErrorIs(t, err, dsr.ErrDeleted)
}

// TestResumeWithBadIdentities changes nothing: the other side may try again.
func TestResumeWithBadIdentities(t *testing.T) {
	t.Parallel()
	o, hooks := halting(t)
	_, err := o.ResumeWith(t.Context(), "r2", hooks.token(t, "crm"), dsr.Identities{"email": {""}})
	require.EqualError(t, err, "dsr: error: identity email: a value is empty")
	o.requireStatus(t, "r2", dsr.StatusPaused)
	_, err = o.ResumeWith(t.Context(), "r2", hooks.token(t, "crm"), dsr.Identities{"email": {"bob@example.com"}})
	require.NoError(t, err)
	require.Equal(t, []string{"r2"}, found(t, o, "email", "bob@example.com"))
}

// TestTokensAreNowhere but in the call itself: not in the log, the trail, the
// store, or in how a call prints; nor is anybody.
func TestTokensAreNowhere(t *testing.T) {
	t.Parallel()
	o, hooks := halting(t)
	hooks.fails("mdm", errors.New("it answers 400"))
	token := hooks.token(t, "crm")
	_, wrong := o.ResumeWith(t.Context(), "r1", token, nil)
	_, err := o.ResumeWith(t.Context(), "r2", token, dsr.Identities{"email": {"bob@example.com"}})
	require.NoError(t, err)
	_, failed := o.Advance(t.Context(), "r2")
	require.Error(t, failed)
	_, again := o.ResumeWith(t.Context(), "r2", token, nil)
	o.send(t)

	var all strings.Builder
	show := func(v any) {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		fmt.Fprintf(&all, "%v %+v %#v %s %q %s\n", v, v, v, v, v, data)
	}
	for _, call := range hooks.list() {
		show(call)
		show(&call)
	}
	show(dsr.HookAnswer{Identities: dsr.Identities{"email": {"bob@example.com"}}})
	for _, id := range []string{"r1", "r2"} {
		rec, err := o.store.Request(t.Context(), id)
		require.NoError(t, err)
		fmt.Fprintf(&all, "%s %s %s %s %s\n", rec.State, rec.Outcomes, rec.Plan, rec.Identity, rec.Failure)
		show(o.get(t, id))
		events, err := o.Log(t.Context(), id, 0, 0)
		require.NoError(t, err)
		show(events)
		show(o.trail(t, id))
	}
	messages, err := o.store.Messages(t.Context(), dsr.MessageQuery{})
	require.NoError(t, err)
	for _, m := range messages {
		fmt.Fprintf(&all, "%s %s %s\n", m.ID, m.Data, m.Sealed)
	}
	all.WriteString(o.logs.String() + wrong.Error() + failed.Error() + again.Error())
	require.Contains(t, all.String(), "{pre_execution of hook crm for request r2}")
	for _, canary := range []string{token, token[10:40], "ada@example.com", "bob@example.com"} {
		require.NotContains(t, all.String(), canary)
	}
}

// FuzzHookToken: whatever a token holds, it is refused and never a panic.
func FuzzHookToken(f *testing.F) {
	o, hooks := halting(f)
	token := hooks.token(f, "crm")
	for _, seed := range []string{"", "A", token[:20], token + "A", strings.Repeat("A", 5000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, other string) {
		if other == token {
			return
		}
		for _, id := range []string{"r1", "r2"} {
			_, err := o.ResumeWith(t.Context(), id, other, nil)
			require.ErrorIs(t, err, dsr.ErrToken)
			_, err = o.PreApproveWith(t.Context(), id, other, true)
			require.ErrorIs(t, err, dsr.ErrToken)
			require.True(t, other == "" || len(other) < 8 || !strings.Contains(err.Error(), other))
		}
	})
}
