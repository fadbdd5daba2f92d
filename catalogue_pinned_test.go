package dsr_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/fault"
)

// planned submits a request and stops it once it is planned.
func (c *configurable) planned(t testing.TB, policy, email string) string {
	t.Helper()
	req, err := c.engine.Requests().Submit(t.Context(), submission(policy, email))
	require.NoError(t, err)
	c.db().fail("customers", errors.New("the table is locked"))
	_, err = c.engine.Requests().Advance(t.Context(), req.ID)
	var failed *dsr.FailedError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, dsr.StageCollect, failed.Stage)
	c.db().fail("customers", nil)
	return req.ID
}

// A process that has a version at hand opens its connections anew once their
// secrets were changed, here or elsewhere; those of old are gone.
func TestPlannedRequestTakesNewSecrets(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]bool{"here": false, "elsewhere": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConfigurable(t)
			c.update(t, shopDefined)
			id := c.planned(t, "access", "ada@example.com")
			here := c.engine
			if other {
				c.engine = newEngine(t, c.config)
			}
			c.update(t, func(d *dsr.Definitions) {
				d.Connections["db"].Secrets = dsr.Secrets{"host": "here", "password": "rotated"}
			})
			c.last.Delete("db")
			c.clock.add(30 * 24 * time.Hour)
			req, err := retry(t, here, id)
			require.NoError(t, err)
			require.Equal(t, dsr.StatusComplete, req.Status)
			last, _ := c.last.Load("db")
			require.Equal(t, "rotated", last)
			require.NoError(t, here.Close())
			require.NoError(t, c.engine.Close())
			require.Equal(t, c.opened.Load(), c.closed.Load())
		})
	}
}

// Changes of other things open nothing anew.
func TestPlannedRequestKeepsWhatIsOpen(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, shopDefined)
	id := c.planned(t, "access", "ada@example.com")
	for _, name := range []string{"a", "b", "c"} {
		c.update(t, func(d *dsr.Definitions) { d.Policies["access"].Name = name })
	}
	_, err := retry(t, c.engine, id)
	require.NoError(t, err)
	require.EqualValues(t, 1, c.opened.Load())
	require.Zero(t, c.closed.Load())
}

// A connection that is gone stops requests that were planned with it, clearly;
// a new one of the same name is another. Replan takes the newest version.
func TestPlannedRequestLosesItsConnection(t *testing.T) {
	t.Parallel()
	for name, anew := range map[string]bool{"removed": false, "another": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConfigurable(t)
			c.update(t, shopDefined)
			id := c.planned(t, "access", "ada@example.com")
			c.update(t, func(d *dsr.Definitions) { delete(d.Datasets, "shop"); delete(d.Connections, "db") })
			if anew {
				c.clock.add(time.Second)
				c.update(t, shopDefined)
			}
			_, err := retry(t, c.engine, id)
			require.ErrorContains(t, err, `no connection serves dataset "shop" any more: connection "db": it was removed from the catalogue since`)
			req, err := c.engine.Requests().Get(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, dsr.StatusError, req.Status)
			c.update(t, shopDefined)
			_, err = c.engine.Requests().Replan(t.Context(), id, dsr.By{})
			require.NoError(t, err)
			req, err = newEngine(t, c.config).Requests().Advance(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, dsr.StatusComplete, req.Status)
		})
	}
}

// Datasets, destinations and patterns are those of the plan.
func TestPlannedRequestKeepsDestinationAndPatterns(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, func(d *dsr.Definitions) {
		shopDefined(d)
		d.Redaction = []string{"customers"}
	})
	id := c.planned(t, "access", "ada@example.com")
	c.update(t, func(d *dsr.Definitions) {
		d.Redaction = []string{}
		d.Destinations["second"] = &dsr.DestinationDefinition{Defined: dsr.Defined{Key: "second"}, Type: "local"}
		d.Policies["access"].Rules[0].Destination = "second"
	})
	c.engine = newEngine(t, c.config)
	req, err := retry(t, c.engine, id)
	require.NoError(t, err)
	require.Equal(t, "folder", req.Packages[0].Destination)
	require.NotContains(t, c.packages.file(id+".json"), "customers")
	require.Contains(t, c.packages.file(id+".json"), "ada@example.com")
	next, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
	next, err = c.engine.Requests().Advance(t.Context(), next.ID)
	require.NoError(t, err)
	require.Equal(t, "second", next.Packages[0].Destination)
	require.Contains(t, c.packages.file(next.ID+".json"), "shop:customers")
}

// Once erasure has begun a request must end as it was planned.
func TestNoReplanOnceErasing(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, func(d *dsr.Definitions) {
		shopDefined(d)
		d.Policies["erase"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "erase"}, Rules: []graph.Rule{erasureRule("null_rewrite", "user.content")}}
	})
	req, err := c.engine.Requests().Submit(t.Context(), submission("erase", "ada@example.com"))
	require.NoError(t, err)
	broken := fault.WithHook(t.Context(), func(at string) {
		if at == "at erase" {
			panic("a bug")
		}
	})
	_, err = c.engine.Requests().Advance(broken, req.ID)
	var failed *dsr.FailedError
	require.ErrorAs(t, err, &failed)
	c.update(t, func(d *dsr.Definitions) { delete(d.Policies, "erase") })
	_, err = c.engine.Requests().Replan(t.Context(), req.ID, dsr.By{})
	require.ErrorIs(t, err, dsr.ErrConflict)
	require.ErrorContains(t, err, "its erasure has begun and must be finished")
	c.engine = newEngine(t, c.config)
	req, err = retry(t, c.engine, req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
}

// What people filled in for a request is not asked for again by Replan.
func TestReplanKeepsAnswers(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, shopDefined)
	_, err := c.engine.Forms().Create(t.Context(), textForm("crm", "note"))
	require.NoError(t, err)
	req, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
	_, err = c.engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	_, err = c.engine.Forms().Upload(t.Context(), req.ID, "crm", graph.Access, map[string]any{"note": "from the drawer"}, dsr.By{})
	require.NoError(t, err)
	_, err = c.engine.Forms().Resume(t.Context(), req.ID, dsr.By{})
	require.NoError(t, err)
	c.db().fail("customers", errors.New("the table is locked"))
	_, err = c.engine.Requests().Advance(t.Context(), req.ID)
	require.Error(t, err)
	c.db().fail("customers", nil)
	_, err = c.engine.Requests().Replan(t.Context(), req.ID, dsr.By{})
	require.NoError(t, err)
	req, err = c.engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Contains(t, c.packages.file(req.ID+".json"), "from the drawer")
}
