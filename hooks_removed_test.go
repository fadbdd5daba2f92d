package dsr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// Requests do not wait for pre-approval hooks that are removed meanwhile: those
// count that are left of those that were asked, and one of which none is left
// waits for a person.
func TestPreApprovalHooksThatAreRemoved(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.webs(t)
	c.config.Flow = dsr.Flow{}
	c.engine = newEngine(t, c.config)
	one, two := dsr.HookDefinition{Key: "pa1", Connection: "web"}, dsr.HookDefinition{Key: "pa2", Connection: "web"}
	hooks := func(list ...dsr.HookDefinition) {
		t.Helper()
		c.update(t, func(d *dsr.Definitions) { d.PreApproval = list })
	}
	c.update(t, webDefined)
	c.update(t, func(d *dsr.Definitions) { d.Policies["access"].Before, d.Policies["access"].After = nil, nil })
	hooks(one, two)
	requests := c.engine.Requests()
	submit := func(id string) {
		t.Helper()
		req, err := requests.Submit(t.Context(), submission("access", "ada@example.com"))
		require.NoError(t, err)
		require.Equal(t, []any{id, dsr.StatusAwaitingPreApproval}, []any{req.ID, req.Status})
	}
	status := func(id string, want dsr.Status) {
		t.Helper()
		req, err := requests.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want, req.Status, id)
	}
	says := func(id, check string, yes bool) error {
		t.Helper()
		_, err := requests.PreApproval(t.Context(), id, check, yes, dsr.By{})
		return err
	}
	submit("r1") // the one that is left says yes later
	submit("r2") // it has said yes before
	submit("r3") // only the one that goes has said yes
	require.NoError(t, says("r2", "pa2", true))
	require.NoError(t, says("r3", "pa1", true))
	hooks(two)
	status("r1", dsr.StatusAwaitingPreApproval)
	status("r2", dsr.StatusApproved)
	status("r3", dsr.StatusAwaitingPreApproval)
	require.ErrorIs(t, says("r1", "pa1", true), dsr.ErrConflict)
	require.ErrorIs(t, says("r1", "pa1", false), dsr.ErrConflict)
	status("r1", dsr.StatusAwaitingPreApproval)
	require.NoError(t, says("r1", "pa2", true))
	status("r1", dsr.StatusApproved)

	hooks()
	status("r3", dsr.StatusAwaitingPreApproval)
	_, err := requests.Approve(t.Context(), "r3", dsr.By{Actor: "ann"})
	require.NoError(t, err)
	status("r3", dsr.StatusApproved)

	// One that was not asked does not count, and one that comes back does.
	hooks(one, two)
	submit("r4")
	hooks(two, dsr.HookDefinition{Key: "pa3", Connection: "web"})
	hooks(one, two)
	require.NoError(t, says("r4", "pa2", true))
	status("r4", dsr.StatusAwaitingPreApproval)
	require.NoError(t, says("r4", "pa1", false))
	status("r4", dsr.StatusNotEligible)

	var trail []string
	for entry, err := range c.engine.Audit().Entries(t.Context(), "r2") {
		require.NoError(t, err)
		trail = append(trail, entry.Action+" "+entry.Details["check"]+entry.Details["removed"])
	}
	require.Equal(t, []string{"received ", "pre-approval answered pa2", "pre-approved pa1"}, trail[:3])
}

// What the host's configuration asks for counts always.
func TestPreApprovalOfTheHostIsNotRemoved(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.webs(t)
	c.config.Flow = dsr.Flow{PreApproval: []string{"host"}}
	c.engine = newEngine(t, c.config)
	c.update(t, webDefined)
	c.update(t, func(d *dsr.Definitions) {
		d.PreApproval = []dsr.HookDefinition{{Key: "pa1", Connection: "web"}}
	})
	req, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
	c.update(t, func(d *dsr.Definitions) { d.PreApproval = nil })
	req, err = c.engine.Requests().Get(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusAwaitingPreApproval, req.Status)
	req, err = c.engine.Requests().PreApproval(t.Context(), req.ID, "host", true, dsr.By{})
	require.NoError(t, err)
	require.Equal(t, dsr.StatusApproved, req.Status)
}
