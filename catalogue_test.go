package dsr_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
	"github.com/godsr/dsr/storage"
)

// configurable is an engine whose databases come from the catalogue.
type configurable struct {
	*world
	config dsr.Config
	engine *dsr.Engine
	opened atomic.Int64
	closed atomic.Int64
	last   sync.Map // secrets that a connection was opened with last
}

// countedConnector is a connector that counts its end, after which it must not
// be used.
type countedConnector struct {
	dsr.Connector
	closed *atomic.Int64
	over   atomic.Bool
}

// Close implements [io.Closer].
func (c *countedConnector) Close() error {
	c.closed.Add(1)
	if c.over.Swap(true) {
		c.closed.Add(1000)
	}
	return nil
}

var errUsedAfterwards = errors.New("it was closed already")

// Describe implements [dsr.Connector].
func (c *countedConnector) Describe(ctx context.Context, of *graph.Collection) (*dsr.Schema, error) {
	if c.over.Load() {
		return nil, errUsedAfterwards
	}
	return c.Connector.Describe(ctx, of)
}

// Read implements [dsr.Connector].
func (c *countedConnector) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	if c.over.Load() {
		return func(yield func(dsr.Row, error) bool) { yield(dsr.Row{}, errUsedAfterwards) }
	}
	return c.Connector.Read(ctx, q)
}

func newConfigurable(t testing.TB) *configurable {
	t.Helper()
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	c := &configurable{world: w, config: w.config(nil)}
	c.config.Datasets, c.config.Connections, c.config.Destinations = nil, nil, nil
	var n atomic.Int64
	c.config.NewID = func() string { return fmt.Sprint("r", n.Add(1)) }
	c.config.ConnectionTypes = map[string]dsr.ConnectionType{
		"shop": {
			Title:  "A shop",
			Fields: []dsr.SecretField{{Name: "host"}, {Name: "password", Sensitive: true, Optional: true}},
			Connect: func(s dsr.ConnectionSettings) (dsr.Connector, error) {
				if s.Secrets["host"] == "nowhere" {
					return nil, errors.New("there is no such host")
				}
				c.opened.Add(1)
				c.last.Store(s.Key, s.Secrets["password"])
				return &countedConnector{Connector: w.db(), closed: &c.closed}, nil
			},
		},
		"paper": {Title: "A drawer"},
	}
	c.config.DestinationTypes = map[string]dsr.DestinationType{"local": {
		Title: "A folder", Details: []dsr.SecretField{{Name: "naming", Optional: true}},
		Open: func(dsr.DestinationSettings) (storage.Destination, error) {
			return &dyingDestination{w.packages, &process{}}, nil
		},
	}}
	c.engine = newEngine(t, c.config)
	return c
}

func (c *configurable) update(t testing.TB, edit func(*dsr.Definitions)) int64 {
	t.Helper()
	v, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error { edit(d); return nil })
	require.NoError(t, err)
	return v
}

func (c *configurable) problems(t testing.TB) []string {
	t.Helper()
	list, err := c.engine.Catalogue().Problems(t.Context())
	require.NoError(t, err)
	var texts []string
	for _, p := range list {
		texts = append(texts, p.String())
	}
	return texts
}

// shopDefined is all that an access request needs.
func shopDefined(d *dsr.Definitions) {
	d.Connections["db"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "db"}, Type: "shop", Secrets: dsr.Secrets{"host": "here", "password": "s3cret-canary"}}
	d.Datasets["shop"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "shop"}, Connection: "db", Source: eraseShopYAML}
	d.Destinations["folder"] = &dsr.DestinationDefinition{Defined: dsr.Defined{Key: "folder"}, Type: "local", Format: "json"}
	d.Policies["access"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "access"}, Rules: []graph.Rule{accessRule()}}
}

func TestCatalogueStepByStep(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	ctx := t.Context()
	submit := func() error {
		_, err := c.engine.Requests().Submit(ctx, submission("access", "ada@example.com"))
		return err
	}
	require.EqualError(t, submit(), `dsr: not found: policy "access"; the configuration has: `)

	require.EqualValues(t, 1, c.update(t, func(d *dsr.Definitions) {
		d.Policies["access"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "access", Name: "Access"}}
	}))
	require.Equal(t, []string{"policy access: it has no rules"}, c.problems(t))
	require.EqualError(t, submit(), `dsr: not found: policy "access" is not ready: it has no rules`)

	c.update(t, func(d *dsr.Definitions) {
		d.Connections["db"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "db"}, Type: "shop"}
		d.Datasets["shop"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "shop"}, Connection: "db", Source: eraseShopYAML}
		d.Policies["access"].Rules = []graph.Rule{{Key: "all", Action: graph.Access}}
	})
	require.Equal(t, []string{
		`connection db: secret "host" is missing`,
		`dataset shop: connection "db": secret "host" is missing`,
		`policy access: rule "all" has no targets; rule "all": it names no destination, and there are 0 to choose from`,
	}, c.problems(t))

	c.update(t, shopDefined)
	require.Empty(t, c.problems(t))
	require.NoError(t, submit())
	req, err := c.engine.Requests().Advance(ctx, "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Contains(t, c.packages.file("r1.json"), "ada@example.com")

	c.engine = newEngine(t, c.config) // another process
	require.NoError(t, submit())
	defs, err := c.engine.Catalogue().Read(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 3, defs.Version)
	require.Equal(t, []string{"host", "password"}, defs.Connections["db"].SecretNames)
	require.Nil(t, defs.Connections["db"].Secrets)
	first, err := c.engine.Catalogue().At(ctx, 1)
	require.NoError(t, err)
	require.Empty(t, first.Connections)
	require.Empty(t, first.Policies["access"].Rules)
}

func TestCatalogueFaults(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		d.Connections["db"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "db"}, Type: "oracle"}
		d.Connections[".."] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: ".."}, Type: "shop"}
		d.Policies["dots"] = &dsr.PolicyDefinition{
			Defined: dsr.Defined{Key: "dots"}, Rules: []graph.Rule{{Key: "..", Action: graph.Access}}, Before: []dsr.HookDefinition{{Key: ".", Connection: "db"}},
		}
		d.Connections["a b"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "a b"}, Type: "shop"}
		d.Connections["paper"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "paper"}, Type: "paper", Secrets: dsr.Secrets{"pin": "1234-canary"}}
		d.Datasets["shop"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "shop"}, Connection: "none", Source: "dataset: 5"}
		d.Destinations["d"] = &dsr.DestinationDefinition{Defined: dsr.Defined{Key: "d"}, Type: "local", Format: "pdf"}
		d.Policies["p"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "p"}, Rules: []graph.Rule{{Key: "r", Action: graph.Access, Targets: []graph.Category{"no.such"}, Destination: "x"}}}
		return nil
	})
	var fault *graph.FaultError
	require.ErrorAs(t, err, &fault)
	for _, want := range []string{
		`connection ..: its key must have 1 to 200 letters`, `policy dots: the key of a rule must not be . or ..`,
		`hook .: its key must have 1 to 64 letters, digits, dots, dashes and underscores, and not be . or ..`,
		`connection a b: its key must have 1 to 200 letters`, `connection db: there is no type "oracle"; there are: paper, shop`,
		`connection paper: there is no secret "pin"`, `dataset shop: there is no connection "none"`, `there is no format "pdf"`,
		`rule "r" names destination "x", which there is not`, `no.such`,
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "canary")
	v, err := c.store.CatalogueVersion(t.Context())
	require.NoError(t, err)
	require.Zero(t, v)
}

func TestSecretsOfTheCatalogue(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	ctx := t.Context()
	c.update(t, shopDefined)
	require.NoError(t, c.engine.Catalogue().Ping(ctx, "db"))
	require.EqualValues(t, 1, c.opened.Load())
	got, err := c.engine.Catalogue().Secrets(ctx, dsr.CatalogueConnection, "db")
	require.NoError(t, err)
	require.Equal(t, "s3cret-canary", got["password"])
	require.Equal(t, "[redacted]", fmt.Sprintf("%+v", got))
	entries, err := c.store.Entries(ctx, dsr.EntryQuery{})
	require.NoError(t, err)
	for _, entry := range entries {
		require.NotContains(t, string(entry.Data)+string(entry.Sealed), "canary")
	}
	require.NoError(t, c.engine.Catalogue().Rewrap(ctx))

	before, err := c.engine.Requests().Submit(ctx, submission("access", "ada@example.com"))
	require.NoError(t, err)
	c.update(t, func(d *dsr.Definitions) {
		d.Connections["db"].Secrets = dsr.Secrets{"host": "here", "password": "newer"}
	})
	_, err = c.engine.Requests().Advance(ctx, before.ID)
	require.NoError(t, err)
	last, _ := c.last.Load("db")
	require.Equal(t, "newer", last)
	require.EqualValues(t, 2, c.opened.Load())
	c.update(t, func(d *dsr.Definitions) { delete(d.Datasets, "shop"); delete(d.Connections, "db") })
	_, err = c.engine.Catalogue().Secrets(ctx, dsr.CatalogueConnection, "db")
	require.ErrorIs(t, err, dsr.ErrNotFound)
	require.ErrorIs(t, c.engine.Catalogue().Ping(ctx, "db"), dsr.ErrNotFound)
	require.NoError(t, c.engine.Close())
	require.EqualValues(t, 2, c.closed.Load())
}

// Sealing anew passes over what is a host's own, and one secret that is damaged
// keeps no other from being sealed.
func TestSecretsAreSealedAnew(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	ctx := t.Context()
	c.update(t, func(d *dsr.Definitions) {
		shopDefined(d)
		for _, key := range []string{"a", "z"} {
			d.Connections[key] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: key}, Type: "shop", Secrets: dsr.Secrets{"host": key}}
		}
	})
	own := dsr.Entry{Kind: "secret", Key: "of the host", Version: 1, Plain: true, Sealed: []byte("its own")}
	_, err := c.store.SaveEntries(ctx, []dsr.EntryChange{{Entry: own}})
	require.NoError(t, err)
	kept := func() map[string]dsr.Entry {
		entries, err := c.store.Entries(ctx, dsr.EntryQuery{Kind: "secret"})
		require.NoError(t, err)
		byKey := map[string]dsr.Entry{}
		for _, entry := range entries {
			byKey[entry.Key] = entry
		}
		return byKey
	}
	before := kept()
	require.NoError(t, c.engine.Catalogue().Rewrap(ctx))
	after := kept()
	require.Equal(t, before["of the host"], after["of the host"])
	for _, key := range []string{"connection/a", "connection/db", "connection/z"} {
		require.EqualValues(t, 2, after[key].Version, key)
		require.NotEqual(t, before[key].Sealed, after[key].Sealed, key)
	}

	for _, key := range []string{"connection/a", "connection/db"} {
		spoilt := after[key]
		spoilt.Version, spoilt.Sealed = 3, []byte("{")
		_, err := c.store.SaveEntries(ctx, []dsr.EntryChange{{ExpectVersion: 2, Entry: spoilt}})
		require.NoError(t, err)
	}
	err = c.engine.Catalogue().Rewrap(ctx)
	require.ErrorContains(t, err, "the stored secrets of connection/a cannot be read")
	require.ErrorContains(t, err, "the stored secrets of connection/db cannot be read")
	require.EqualValues(t, 3, kept()["connection/z"].Version)
	secrets, err := c.engine.Catalogue().Secrets(ctx, dsr.CatalogueConnection, "z")
	require.NoError(t, err)
	require.Equal(t, dsr.Secrets{"host": "z"}, secrets)
}

func TestRequestKeepsItsVersion(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	ctx := t.Context()
	c.update(t, shopDefined)
	req, err := c.engine.Requests().Submit(ctx, submission("access", "ada@example.com"))
	require.NoError(t, err)
	c.db().fail("orders", errors.New("the table is locked"))
	_, err = c.engine.Requests().Advance(ctx, req.ID)
	require.Error(t, err)
	c.db().fail("orders", nil)
	c.update(t, func(d *dsr.Definitions) { d.Policies["access"].Rules[0].Targets = []graph.Category{"user.name"} })

	c.engine = newEngine(t, c.config) // another process goes on with it
	_, err = c.engine.Requests().Retry(ctx, req.ID, dsr.By{})
	require.NoError(t, err)
	req, err = c.engine.Requests().Advance(ctx, req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Contains(t, c.packages.file("r1.json"), "n10")

	next, err := c.engine.Requests().Submit(ctx, submission("access", "bob@example.com"))
	require.NoError(t, err)
	c.db().fail("customers", errors.New("the table is locked"))
	_, err = c.engine.Requests().Advance(ctx, next.ID)
	require.Error(t, err)
	c.db().fail("customers", nil)
	c.update(t, func(d *dsr.Definitions) { d.Policies["access"].Rules[0].Targets = []graph.Category{"user.content"} })
	_, err = c.engine.Requests().Replan(ctx, next.ID, dsr.By{})
	require.NoError(t, err)
	_, err = c.engine.Requests().Advance(ctx, next.ID)
	require.NoError(t, err)
	require.Contains(t, c.packages.file("r2.json"), "n11")
	require.NotContains(t, c.packages.file("r2.json"), "Bob")
}

func TestDisabledConnection(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, shopDefined)
	c.update(t, func(d *dsr.Definitions) {
		d.Connections["off"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "off"}, Type: "shop", Disabled: true, Secrets: dsr.Secrets{"host": "nowhere"}}
		d.Datasets["crm"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "crm"}, Connection: "off", Source: strings.ReplaceAll(eraseShopYAML, "shop", "crm")}
	})
	require.Empty(t, c.problems(t))
	plan, err := c.engine.Plan("access", "email")
	require.NoError(t, err)
	require.Equal(t, graph.Skip{Address: graph.Address{Dataset: "crm", Collection: "customers"}, Reason: `connection "off" is disabled`}, plan.Skipped[0])

	c.update(t, func(d *dsr.Definitions) { d.Connections["off"].Disabled = false })
	_, err = c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.ErrorContains(t, err, `dataset crm: it cannot be used: connection "off": it cannot be opened`)
	require.NotContains(t, err.Error(), "no such host")
	require.Contains(t, c.logs.String(), `"kind":"connection","key":"off","reason":"it cannot be opened","cause":"there is no such host"`)
}

func TestUpdatesAtOnce(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, err := c.engine.Catalogue().Update(context.Background(), func(d *dsr.Definitions) error {
				d.Settings["count"] = []byte(fmt.Sprint(len(d.Settings["count"]) + 1))
				d.Settings[fmt.Sprint("n", i)] = []byte("true")
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	defs, err := c.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	require.Len(t, defs.Settings, 21)
	require.EqualValues(t, 20, defs.Version)
}

// Check judges a change as Update does, of whatever kind it is, and stores
// nothing.
func TestCatalogueCheckTellsWhatUpdateWouldRefuse(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.fixes(t)
	c.config.Forms = []manual.Form{textForm("ask", "one")}
	c.config.Destinations["vault"] = c.config.Destinations["safe"] // none of them is meant
	c.engine = newEngine(t, c.config)
	toDefault := func(d *dsr.Definitions) {
		shopDefined(d)
		d.DefaultDestination = "folder"
	}
	version := c.update(t, toDefault)
	hook := dsr.HookDefinition{Key: "h", Connection: "db"}
	const fixed = ": it comes from the host's configuration"
	for name, test := range map[string]struct {
		edit func(*dsr.Definitions)
		want string // empty for what is taken
	}{
		"nothing":    {func(*dsr.Definitions) {}, ""},
		"all anew":   {toDefault, ""},
		"connection": {func(d *dsr.Definitions) { d.Connections["db"].Type = "oracle" }, `connection db: there is no type "oracle"`},
		"options":    {func(d *dsr.Definitions) { d.Connections["db"].Options = json.RawMessage("{}") }, "connection db: its type takes no options"},
		"options of a new one": {func(d *dsr.Definitions) {
			d.Connections["new"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "new"}, Type: "paper", Options: json.RawMessage("{}")}
		}, "connection new: its type takes no options"},
		"secrets":          {func(d *dsr.Definitions) { d.Connections["db"].Secrets = dsr.Secrets{"pin": "1"} }, `connection db: there is no secret "pin"`},
		"fixed connection": {func(d *dsr.Definitions) { d.Connections["own"].Name = "x" }, "connection own" + fixed},
		"no connection":    {func(d *dsr.Definitions) { d.Connections["db"] = nil }, "connection db: it is nil"},
		"new dataset": {func(d *dsr.Definitions) {
			d.Datasets["new"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "new"}, Connection: "db", Source: "\t{"}
		}, "not YAML"},
		"dataset":               {func(d *dsr.Definitions) { d.Datasets["shop"].Source = "dataset: 5" }, "dataset"},
		"fixed dataset":         {func(d *dsr.Definitions) { delete(d.Datasets, "own") }, "dataset own" + fixed},
		"connection of dataset": {func(d *dsr.Definitions) { delete(d.Connections, "db") }, `dataset shop: there is no connection "db"`},
		"destination":           {func(d *dsr.Definitions) { d.Destinations["folder"].Format = "pdf" }, `destination folder: there is no format "pdf"`},
		"fixed destination":     {func(d *dsr.Definitions) { d.Destinations["safe"].Name = "x" }, "destination safe" + fixed},
		"no default":            {func(d *dsr.Definitions) { delete(d.Destinations, "folder") }, "default folder: there is no destination of this key"},
		"another default": {func(d *dsr.Definitions) {
			delete(d.Destinations, "folder")
			delete(d.Destinations, "vault")
			d.DefaultDestination = ""
		}, "destination folder: rule "},
		"policy":       {func(d *dsr.Definitions) { d.Policies["access"].Rules[0].Targets = []graph.Category{"user.nope"} }, `targets the unknown category "user.nope"`},
		"fixed policy": {func(d *dsr.Definitions) { d.Policies["p"].Rules[0].Targets[0] = "user.name" }, "policy p" + fixed},
		"form": {func(d *dsr.Definitions) {
			d.Forms["attachments"] = &dsr.FormDefinition{Form: textForm("attachments", "one")}
		}, "form attachments: packages keep files"},
		"hook":             {func(d *dsr.Definitions) { d.PreApproval = append(d.PreApproval, hook) }, `hook h: connections of type "shop"`},
		"hook of a policy": {func(d *dsr.Definitions) { d.Policies["access"].After = append(d.Policies["access"].After, hook) }, `hook h: connections of type "shop"`},
		"redaction":        {func(d *dsr.Definitions) { d.Redaction = []string{"("} }, "pattern"},
		"setting":          {func(d *dsr.Definitions) { d.Settings["s"] = json.RawMessage("{") }, "setting s: what is kept with it is no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			defs, err := c.engine.Catalogue().Read(t.Context())
			require.NoError(t, err)
			test.edit(defs)
			before, err := c.engine.Catalogue().At(t.Context(), defs.Version)
			require.NoError(t, err)
			checked := c.engine.Catalogue().Check(before, defs)
			if test.want == "" {
				require.NoError(t, checked)
				return
			}
			require.ErrorContains(t, checked, test.want)
			_, err = c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error { test.edit(d); return nil })
			require.EqualError(t, checked, err.Error())
		})
	}
	now, err := c.store.CatalogueVersion(t.Context())
	require.NoError(t, err)
	require.Equal(t, version, now)
}

// What makes a duplicate does not depend on what the datasets are that the
// catalogue has at the start, or has now.
func TestDuplicatesWithTheCatalogueOnly(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.config.Flow = dsr.Flow{Approval: true, Duplicates: &dsr.Duplicates{Kinds: []string{"email", "phone_number"}}}
	c.engine = newEngine(t, c.config)
	c.update(t, shopDefined)
	submit := func() dsr.Status {
		t.Helper()
		req, err := c.engine.Requests().Submit(t.Context(), dsr.Submission{
			Policy: "access", Identities: dsr.Identities{"email": {"ada@example.com"}, "phone_number": {"+15550100"}},
		})
		require.NoError(t, err)
		return req.Status
	}
	require.Equal(t, dsr.StatusPending, submit())
	require.NoError(t, c.engine.Close())
	c.engine = newEngine(t, c.config)
	require.Equal(t, dsr.StatusDuplicate, submit())
	require.Empty(t, c.problems(t))

	// With datasets of Config alone it is a mistake.
	fixed := c.config
	fixed.ConnectionTypes, fixed.DestinationTypes = nil, nil
	fixed.Datasets = load(t, eraseShopYAML)
	fixed.Connections = []dsr.Connection{{Key: "db", Connector: c.db(), Datasets: []string{"shop"}}}
	_, err := dsr.New(fixed)
	require.ErrorContains(t, err, `Duplicates compares identity kind "phone_number", which no dataset has`)

	// With both, datasets that are there need not have it.
	fixed.ConnectionTypes = c.config.ConnectionTypes
	_, err = dsr.New(fixed)
	require.NotContains(t, fmt.Sprint(err), "Duplicates")
}
