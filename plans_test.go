package dsr_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// addresses are the collections of a request's plan.
func addresses(t *testing.T, e *dsr.Engine, id string) (list []string) {
	t.Helper()
	plan, err := e.Requests().Plan(t.Context(), id)
	require.NoError(t, err)
	for _, s := range plan.Steps {
		list = append(list, s.Address().String())
	}
	return list
}

// The plan of a request is the one it was planned with; one that has none gets
// that of now.
func TestTheNewestConfigurationIsNotThatOfARequest(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, shopDefined)
	for range 2 {
		_, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
		require.NoError(t, err)
	}
	before := addresses(t, c.engine, "r1")
	require.NotEmpty(t, before)
	_, err := c.engine.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)

	c.update(t, func(d *dsr.Definitions) { d.Connections["db"].Disabled = true })
	another := newEngine(t, c.config)
	for _, e := range []*dsr.Engine{c.engine, another} {
		require.Equal(t, before, addresses(t, e, "r1"))
	}
	_, err = another.Requests().Plan(t.Context(), "r2")
	var faults *graph.FaultError
	require.ErrorAs(t, err, &faults)

	c.update(t, func(d *dsr.Definitions) { d.Connections["db"].Disabled = false })
	require.Equal(t, before, addresses(t, another, "r2"))
	shared, err := another.Requests().Plan(t.Context(), "r2")
	require.NoError(t, err)
	shared.Steps = nil // it is the caller's own
	require.Equal(t, before, addresses(t, another, "r2"))
	_, err = another.Requests().Plan(t.Context(), "nix")
	require.ErrorIs(t, err, dsr.ErrNotFound)
}

func TestAForgottenRequestWithoutAPlanGetsNone(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, func(c *dsr.Config) { c.Retention.Identities = time.Hour })
	o.submitted(t, submission("access", "ada@example.com"))
	o.done(t, o.Cancel, "r1", dsr.StatusCanceled)
	o.clock.add(2 * time.Hour)
	_, err := o.Advance(t.Context(), "r1")
	require.NoError(t, err)
	_, err = o.Plan(t.Context(), "r1")
	require.ErrorIs(t, err, dsr.ErrShredded)
}

func TestWakeAsksTheExecutorToLook(t *testing.T) {
	t.Parallel()
	executor := &wakened{}
	o := newOffice(t, dsr.Flow{Approval: true}, func(c *dsr.Config) { c.Executor = executor })
	o.submitted(t, submission("access", "ada@example.com"))
	_, err := o.Wake(t.Context(), "r1")
	require.EqualError(t, err, "dsr: cannot wake request r1: it is pending")
	require.ErrorIs(t, err, dsr.ErrConflict)
	o.done(t, o.Approve, "r1", dsr.StatusApproved)
	executor.jobs = nil
	commits := o.commits.Load()
	req, err := o.Wake(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, o.get(t, "r1"), req)
	require.Equal(t, []string{"r1"}, executor.jobs)
	require.Equal(t, commits, o.commits.Load())
	o.done(t, o.Delete, "r1", dsr.StatusApproved)
	_, err = o.Wake(t.Context(), "r1")
	require.ErrorIs(t, err, dsr.ErrDeleted)
	_, err = o.Wake(t.Context(), "nix")
	require.ErrorIs(t, err, dsr.ErrNotFound)

	idle := newOffice(t, dsr.Flow{}, nil)
	idle.submitted(t, submission("access", "ada@example.com"))
	_, err = idle.Wake(t.Context(), "r1")
	require.NoError(t, err)
	require.Zero(t, idle.engine.Local().Jobs())
}
