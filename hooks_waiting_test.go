package dsr_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// gated gives a configurable pre-approval hooks of these keys, of the connection
// web, which every request waits for.
func (c *configurable) gated(t testing.TB, change func(*dsr.Config), keys ...string) (*receivers, *clock) {
	t.Helper()
	all, now := c.webs(t), &clock{now: begin}
	c.config.Flow, c.config.Clock = dsr.Flow{}, now.Now
	if change != nil {
		change(&c.config)
	}
	c.engine = newEngine(t, c.config)
	c.update(t, func(d *dsr.Definitions) {
		webDefined(d)
		d.Policies["access"].Before, d.Policies["access"].After = nil, nil
		for _, key := range keys {
			d.PreApproval = append(d.PreApproval, dsr.HookDefinition{Key: key, Connection: "web"})
		}
	})
	return all, now
}

// submits submits a request.
func (c *configurable) submits(t testing.TB, want dsr.Status) string {
	t.Helper()
	req, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
	require.Equal(t, want, req.Status)
	return req.ID
}

// sends sends what is due.
func (c *configurable) sends(t testing.TB) {
	t.Helper()
	_, err := c.engine.Messages().Send(t.Context())
	require.NoError(t, err)
}

func (c *configurable) requireStatus(t testing.TB, id string, want dsr.Status) {
	t.Helper()
	req, err := c.engine.Requests().Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, want, req.Status)
}

// waits tells what waits in the outbox of hooks.
func (c *configurable) waits(t testing.TB) []string {
	t.Helper()
	list, err := c.engine.Messages().Pending(t.Context(), "", 0)
	require.NoError(t, err)
	var lines []string
	for _, m := range list {
		line := fmt.Sprint(m.RequestID, " ", m.Hook, ": ", m.Failure)
		if m.Refused {
			line += ", refused"
		}
		lines = append(lines, line)
	}
	return lines
}

// A request that comes to its pre-approval while a hook cannot be called is asked
// about as soon as it can: by itself after what passes, or what was disabled, and
// by Messages.Retry otherwise.
func TestPreApprovalBeginsWhileItsHookCannotBeCalled(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		fails  error // of the hook's type
		off    bool  // its connection is disabled
		waits  string
		refuse bool
	}{
		{"it passes", fmt.Errorf("%w: the vault does not answer", dsr.ErrUnavailable), false,
			`connection "web": it cannot be called`, false},
		{"it lasts", errors.New("no such address"), false, `connection "web": it cannot be called`, true},
		{"it is disabled", nil, true, `connection "web" is disabled: enable it, or remove the hook`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newConfigurable(t)
			var fails atomic.Bool
			all, now := c.gated(t, func(config *dsr.Config) {
				config.Flow.VerifyIdentity = true
				web := config.ConnectionTypes["web"]
				opens := web.Hook
				web.Hook = func(s dsr.ConnectionSettings) (dsr.Hook, error) {
					if fails.Load() {
						return nil, test.fails
					}
					return opens(s)
				}
				config.ConnectionTypes["web"] = web
			}, "fraud")
			all.answer("here", dsr.HookAnswer{Eligible: yes()})
			id := c.submits(t, dsr.StatusUnverified)
			fails.Store(test.fails != nil)
			c.engine = newEngine(t, c.config) // which opens nothing that another has opened
			if test.off {
				c.update(t, func(d *dsr.Definitions) { d.Connections["web"].Disabled = true })
			}
			notices := c.notifier.Notices()
			req, err := c.engine.Requests().Verify(t.Context(), id, notices[len(notices)-1].Code)
			require.NoError(t, err)
			require.Equal(t, dsr.StatusAwaitingPreApproval, req.Status)
			events, err := c.engine.Requests().Log(t.Context(), id, 0, 100)
			require.NoError(t, err)
			require.Contains(t, fmt.Sprint(events), "pre_approval hook fraud")
			c.sends(t)
			line := id + " fraud: it cannot be called: " + test.waits
			if test.refuse {
				line += ", refused"
			}
			require.Contains(t, c.waits(t), line)

			fails.Store(false)
			if test.off {
				c.update(t, func(d *dsr.Definitions) { d.Connections["web"].Disabled = false })
			}
			now.add(time.Hour)
			if test.refuse {
				n, err := c.engine.Messages().RetryAll(t.Context())
				require.NoError(t, err)
				require.Equal(t, 1, n)
			}
			c.sends(t)
			c.requireStatus(t, id, dsr.StatusApproved)
			require.Equal(t, []string{"pre_approval fraud " + id + " awaiting_pre_approval asked token"}, all.lines())
		})
	}
}

// A pre-approval hook whose connection is disabled is never given up: requests
// that wait for it go on once the connection is enabled, within the longest pause.
func TestPreApprovalHookThatIsEnabledAgain(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	const longest = time.Hour
	all, now := c.gated(t, func(config *dsr.Config) { config.Retry = dsr.Retry{Limit: longest, GiveUp: 24 * time.Hour} }, "fraud")
	disable := func(is bool) {
		c.update(t, func(d *dsr.Definitions) { d.Connections["web"].Disabled = is })
	}
	id := c.submits(t, dsr.StatusAwaitingPreApproval)
	disable(true)
	for range 10 * 24 {
		c.sends(t)
		now.add(longest)
	}
	require.Empty(t, all.lines())
	require.Equal(t, []string{id + ` fraud: it cannot be called: connection "web" is disabled: enable it, or remove the hook`}, c.waits(t))
	events, err := c.engine.Requests().Log(t.Context(), id, 0, 100)
	require.NoError(t, err)
	var told []string
	for _, e := range events {
		if e.Kind == "hook failed" {
			told = append(told, e.Message)
		}
	}
	require.Equal(t, []string{`pre_approval hook fraud: it cannot be called: connection "web" is disabled: enable it, or remove the hook; it is tried again`}, told)
	for _, n := range c.notifier.Notices() {
		require.NotEqual(t, dsr.NoticeInput, n.Kind, "nobody has to do anything about the message")
	}

	disable(false)
	all.fails("here", fmt.Errorf("%w: it answers 503", dsr.ErrUnavailable))
	now.add(longest)
	c.sends(t)
	require.Len(t, all.lines(), 1)
	require.Equal(t, []string{id + " fraud: dsr: unavailable for now: it answers 503"}, c.waits(t), "it has only failed once")
	all.answer("here", dsr.HookAnswer{Eligible: yes()})
	now.add(longest)
	c.sends(t)
	c.requireStatus(t, id, dsr.StatusApproved)
	require.Empty(t, c.waits(t))
}

// A two-way hook whose connection is disabled stops the requests that get to it,
// until it is enabled and they are retried.
func TestTwoWayHookThatIsEnabledAgain(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	all, _ := c.gated(t, nil)
	c.update(t, func(d *dsr.Definitions) {
		d.Policies["access"].Before = []dsr.HookDefinition{{Key: "crm", Connection: "web", TwoWay: true}}
	})
	id := c.submits(t, dsr.StatusApproved)
	c.update(t, func(d *dsr.Definitions) { d.Connections["web"].Disabled = true })
	_, err := c.engine.Requests().Advance(t.Context(), id)
	require.ErrorContains(t, err, `connection "web" is disabled: enable it, or remove the hook`)
	c.requireStatus(t, id, dsr.StatusError)
	require.Empty(t, all.lines())
	c.update(t, func(d *dsr.Definitions) { d.Connections["web"].Disabled = false })
	req, err := retry(t, c.engine, id)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Equal(t, []string{"pre_execution crm " + id + " in_processing asked token"}, all.lines())
}

// A hook that was removed before a request came to its pre-approval is not called.
func TestPreApprovalBeginsAfterItsHookWasRemoved(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	all, _ := c.gated(t, func(config *dsr.Config) { config.Flow.VerifyIdentity = true }, "pa1", "pa2")
	all.answer("here", dsr.HookAnswer{Eligible: yes()})
	id := c.submits(t, dsr.StatusUnverified)
	c.update(t, func(d *dsr.Definitions) { d.PreApproval = d.PreApproval[1:] })
	notices := c.notifier.Notices()
	_, err := c.engine.Requests().Verify(t.Context(), id, notices[len(notices)-1].Code)
	require.NoError(t, err)
	require.Equal(t, []string{id + " pa2: "}, c.waits(t))
	c.sends(t)
	c.requireStatus(t, id, dsr.StatusApproved)
	require.Equal(t, []string{"pre_approval pa2 " + id + " awaiting_pre_approval asked token"}, all.lines())
}
