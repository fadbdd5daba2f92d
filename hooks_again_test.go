package dsr_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// TestHooksOfARequestThatCollectsAnew: rows that were kept for their time are
// collected again, but nobody is told or asked twice.
func TestHooksOfARequestThatCollectsAnew(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, everywhere(), func(c *dsr.Config) { c.Retention.Collected = 24 * time.Hour })
	hooks.answer("fraud", dsr.HookAnswer{Eligible: yes()})
	hooks.answer("crm", dsr.HookAnswer{Identities: dsr.Identities{"email": {"bob@example.com"}}})
	o.packages.err = dsr.ErrReadOnly
	o.submitted(t, submission("access", "ada@example.com"))
	_, err := o.Advance(t.Context(), "r1")
	require.ErrorIs(t, err, dsr.ErrReadOnly)
	before := o.requireStatus(t, "r1", dsr.StatusError)
	o.send(t)
	calls := hooks.lines()

	o.clock.add(25 * time.Hour)
	req := o.advanced(t, "r1", dsr.StatusError) // what was collected goes
	require.Equal(t, dsr.StagePlan, req.Stage)
	require.Equal(t, before.Hooks, req.Hooks)
	require.Contains(t, o.actions(t, "r1"), "expired")
	o.packages.err = nil
	o.done(t, o.Retry, "r1", dsr.StatusInProcessing)
	req = o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, int64(2), outcome(t, req, "shop:customers").Rows)
	o.send(t)
	require.Equal(t, append(calls, "post_execution ledger r1 in_processing asked", "post_execution desk r1 complete"), hooks.lines())
}

// TestHooksOfAHaltedRequestThatExpires: the hook may still answer.
func TestHooksOfAHaltedRequestThatExpires(t *testing.T) {
	t.Parallel()
	o, hooks := preApproving(t, func(c *dsr.Config) { c.Retention.Collected = time.Hour })
	hooks.answer("crm", dsr.HookAnswer{Halt: true})
	o.submitted(t, submission("access", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusPaused)
	o.clock.add(2 * time.Hour)
	req := o.advanced(t, "r1", dsr.StatusPaused)
	require.Equal(t, []string{"hook:crm"}, req.Awaits)
	_, err := o.ResumeWith(t.Context(), "r1", hooks.token(t, "crm"), nil)
	require.NoError(t, err)
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Len(t, hooks.ids("crm"), 1)
}

// TestHooksOfARequestThatIsSubmittedAgain are called again, under other IDs:
// to the other side it is another call. What they added stays.
func TestHooksOfARequestThatIsSubmittedAgain(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, everywhere(), nil)
	hooks.answer("fraud", dsr.HookAnswer{Eligible: yes()})
	hooks.answer("crm", dsr.HookAnswer{Identities: dsr.Identities{"email": {"bob@example.com"}, "loyalty_no": {"L-4711"}}})
	o.packages.err = dsr.ErrReadOnly
	o.submitted(t, submission("access", "ada@example.com"))
	_, err := o.Advance(t.Context(), "r1")
	require.ErrorIs(t, err, dsr.ErrReadOnly)
	o.send(t)
	o.packages.err = nil
	_, err = o.Resubmit(t.Context(), "r1", clerk)
	require.NoError(t, err)
	o.send(t)
	require.Empty(t, o.requireStatus(t, "r1", dsr.StatusApproved).Hooks)
	req := o.advanced(t, "r1", dsr.StatusComplete)
	o.send(t)
	require.Len(t, req.Hooks, 5)
	require.Equal(t, 0, req.Hooks[1].Identities, "they were there")
	require.Equal(t, dsr.Identities{"email": {"ada@example.com", "bob@example.com"}, "loyalty_no": {"L-4711"}}, o.identities(t, "r1"))
	for hook, times := range map[string]int{"fraud": 2, "crm": 2, "late": 2, "desk": 3, "ledger": 1} {
		seen := map[string]bool{}
		for _, id := range hooks.ids(hook) {
			seen[id] = true
		}
		require.Len(t, seen, times, hook)
		require.Len(t, hooks.ids(hook), times, hook)
	}
	o.sound(t)
}

// TestHooksOfTheConfiguration: what they are called, and where, is checked.
func TestHooksOfTheConfiguration(t *testing.T) {
	t.Parallel()
	_, hooks := newReceivers("a", "b c", "")
	hooks["nil"] = nil
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	c := w.config(nil, policy(accessRule()))
	c.Hooks = hooks
	c.Flow = dsr.Flow{Before: []dsr.Hooking{{Hook: "a"}, {Hook: "x"}, {Hook: "a", TwoWay: true}}, After: []dsr.Hooking{{Hook: "a"}, {Hook: "y"}}}
	_, err := dsr.New(c)
	for _, want := range []string{
		`Hooks: key "" must have 1 to 64 letters, digits, dots, dashes and underscores`,
		`Hooks: key "b c" must have 1 to 64 letters, digits, dots, dashes and underscores`,
		`Hooks: key "nil" has no hook`,
		`Flow: Before names hook "x", which is not in Hooks`,
		`Flow: Before names hook "a" twice`,
		`Flow: After names hook "y", which is not in Hooks`,
	} {
		require.ErrorContains(t, err, want)
	}
}

// TestGuideOfHooks: the receiver of the guide is the one that runs.
func TestGuideOfHooks(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("docs/hooks.md")
	require.NoError(t, err)
	example, err := os.ReadFile("hooks_example_test.go")
	require.NoError(t, err)
	_, code, found := strings.Cut(string(guide), "```go\nfunc crmReceiver")
	require.True(t, found)
	code, _, found = strings.Cut(code, "```")
	require.True(t, found)
	require.Contains(t, string(example), "func crmReceiver"+code)
}
