package dsr_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// place defines a destination.
func place(key string) func(*dsr.Definitions) {
	return func(d *dsr.Definitions) {
		d.Destinations[key] = &dsr.DestinationDefinition{Defined: dsr.Defined{Key: key}, Type: "local", Format: "json"}
	}
}

// delivered says where the package of a new request went.
func (c *configurable) delivered(t testing.TB, policy string) string {
	t.Helper()
	req, err := c.engine.Requests().Submit(t.Context(), submission(policy, "ada@example.com"))
	require.NoError(t, err)
	req, err = c.engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	return req.Packages[0].Destination
}

// Another destination takes over nothing that was delivered before, also in
// another process whose clock is behind.
func TestTheFirstDestinationIsTheDefault(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, shopDefined)
	require.Equal(t, "folder", c.delivered(t, "access"))
	clock := c.config.Clock
	c.config.Clock = func() time.Time { return clock().Add(-time.Hour) }
	c.engine = newEngine(t, c.config)
	c.update(t, place("archive"))
	require.Empty(t, c.problems(t))
	require.Equal(t, "folder", c.delivered(t, "access"))

	id := c.planned(t, "access", "ada@example.com")
	c.update(t, func(d *dsr.Definitions) { d.DefaultDestination = "archive" })
	c.engine = newEngine(t, c.config)
	require.Equal(t, "archive", c.delivered(t, "access"), "after a restart")
	req, err := retry(t, c.engine, id)
	require.NoError(t, err)
	require.Equal(t, "folder", req.Packages[0].Destination, "it was planned before")

	c.update(t, func(d *dsr.Definitions) { d.DefaultDestination = "" })
	require.Equal(t, "folder", c.delivered(t, "access"), "the first again")
	read, err := c.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	require.Empty(t, read.DefaultDestination)
	require.Equal(t, "folder", read.DestinationByDefault())
	before, err := c.engine.Catalogue().At(t.Context(), read.Version-1)
	require.NoError(t, err)
	require.Equal(t, "archive", before.DefaultDestination)
}

// The only destination of Config was there before those of the catalogue; of
// several of Config none is meant.
func TestTheDestinationOfConfigIsTheDefault(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.config.Destinations = map[string]dsr.Destination{"safe": {Storage: &dyingDestination{c.packages, &process{}}, Format: storage.JSON{}}}
	c.engine = newEngine(t, c.config)
	c.update(t, shopDefined)
	require.Equal(t, "safe", c.delivered(t, "access"))
	c.config.Destinations["vault"] = c.config.Destinations["safe"]
	c.engine = newEngine(t, c.config)
	require.Equal(t, []string{`policy access: rule "access": it names no destination, and there are 3 to choose from`}, c.problems(t))
	c.update(t, func(d *dsr.Definitions) { d.DefaultDestination = "vault" })
	require.Equal(t, "vault", c.delivered(t, "access"))
}

// What rules go to without naming it is not taken from below them.
func TestTheDefaultDestinationStays(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, shopDefined)
	c.update(t, place("archive"))
	refused := func(want string, edit func(d *dsr.Definitions)) {
		t.Helper()
		_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error { edit(d); return nil })
		require.EqualError(t, err, want)
	}
	refused(`dsr: error: destination folder: rule "access" of policy "access" names no destination and goes there; name one, or a DefaultDestination, first`,
		func(d *dsr.Definitions) { delete(d.Destinations, "folder") })
	refused(`dsr: error: default none: there is no destination of this key`, func(d *dsr.Definitions) { d.DefaultDestination = "none" })
	c.update(t, func(d *dsr.Definitions) { d.DefaultDestination = "archive" })
	refused(`dsr: error: default archive: there is no destination of this key`, func(d *dsr.Definitions) { delete(d.Destinations, "archive") })
	c.update(t, func(d *dsr.Definitions) { delete(d.Destinations, "folder") })
	require.Equal(t, "archive", c.delivered(t, "access"))
	c.update(t, func(d *dsr.Definitions) {
		d.DefaultDestination = ""
		delete(d.Destinations, "archive")
	})
	require.Equal(t, []string{`policy access: rule "access": it names no destination, and there are 0 to choose from`}, c.problems(t))
}

// A default destination that cannot be used is no reason to deliver elsewhere.
func TestTheDefaultDestinationCannotBeUsed(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, func(d *dsr.Definitions) {
		shopDefined(d)
		d.Policies["named"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "named"}, Rules: []graph.Rule{accessRule()}}
		d.Policies["named"].Rules[0].Destination = "archive"
		place("archive")(d)
		d.Destinations["folder"].Details = map[string]string{"naming": "x"}
	})
	local := c.config.DestinationTypes["local"]
	c.config.DestinationTypes["local"] = dsr.DestinationType{Details: local.Details, Open: func(s dsr.DestinationSettings) (storage.Destination, error) {
		if s.Details["naming"] != "" {
			return nil, errors.New("it is full")
		}
		return local.Open(s)
	}}
	c.engine = newEngine(t, c.config)
	c.update(t, func(d *dsr.Definitions) { d.DefaultDestination = "folder" })
	require.Contains(t, c.problems(t), `policy access: rule "access": it names no destination, and the default one, "folder", cannot be used: it cannot be opened`)
	require.Equal(t, "archive", c.delivered(t, "named"))
}

// A rule without a destination delivers to the one that was the default when the
// request was planned, whatever is the default now.
func TestDefaultDestinationStaysWithTheRequest(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	ctx := t.Context()
	c.update(t, func(d *dsr.Definitions) {
		shopDefined(d)
		d.Policies["access"].Rules[0].Destination = ""
	})
	req, err := c.engine.Requests().Submit(ctx, submission("access", "ada@example.com"))
	require.NoError(t, err)
	c.db().fail("orders", errors.New("the table is locked"))
	_, err = c.engine.Requests().Advance(ctx, req.ID)
	require.Error(t, err)
	c.db().fail("orders", nil)

	c.config.Destinations = map[string]dsr.Destination{"safe": {Storage: storage.NewFolder(t.TempDir(), nil)}}
	c.engine = newEngine(t, c.config) // the host has one of its own now
	_, err = c.engine.Requests().Retry(ctx, req.ID, dsr.By{})
	require.NoError(t, err)
	req, err = c.engine.Requests().Advance(ctx, req.ID)
	require.NoError(t, err)
	require.Equal(t, "folder", req.Packages[0].Destination)
}
