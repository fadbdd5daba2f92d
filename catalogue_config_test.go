package dsr_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
	"github.com/godsr/dsr/redact"
	"github.com/godsr/dsr/storage"
)

// fixes gives a configurable what is fixed by Config as well: a connection "own"
// with the dataset "own", a policy, a destination and a form.
func (c *configurable) fixes(t testing.TB) {
	t.Helper()
	c.config.Datasets = load(t, strings.ReplaceAll(eraseShopYAML, "shop", "own"))
	c.config.Connections = []dsr.Connection{{Key: "own", Connector: c.db(), Datasets: []string{"own"}}}
	rule := erasureRule("string_rewrite", "user.content")
	rule.Masking.Configuration = map[string]any{"rewrite_value": "MASKED"}
	c.config.Policies = []graph.Policy{{Key: "p", Rules: []graph.Rule{rule}}}
	c.config.Destinations = map[string]dsr.Destination{"safe": {Storage: &dyingDestination{c.packages, &process{}}, Format: storage.JSON{}}}
	c.engine = newEngine(t, c.config)
}

// What comes from Config cannot be changed, hidden, claimed or given secrets.
func TestWhatIsFixed(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.fixes(t)
	c.update(t, shopDefined)
	const changed = ": it comes from the host's configuration and cannot be changed here"
	for name, test := range map[string]struct {
		edit func(*dsr.Definitions)
		want string
	}{
		"renamed":     {func(d *dsr.Definitions) { d.Connections["own"].Name = "x" }, "connection own" + changed},
		"deleted":     {func(d *dsr.Definitions) { delete(d.Datasets, "own") }, "dataset own" + changed},
		"unfixed":     {func(d *dsr.Definitions) { d.Destinations["safe"].Fixed = false }, "destination safe" + changed},
		"claimed":     {func(d *dsr.Definitions) { d.Connections["db"].Fixed = true }, "connection db" + changed},
		"target":      {func(d *dsr.Definitions) { d.Policies["p"].Rules[0].Targets[0] = "user.name" }, "policy p" + changed},
		"masking":     {func(d *dsr.Definitions) { d.Policies["p"].Rules[0].Masking.Strategy = "null_rewrite" }, "policy p" + changed},
		"mask detail": {func(d *dsr.Definitions) { d.Policies["p"].Rules[0].Masking.Configuration["rewrite_value"] = "x" }, "policy p" + changed},
		"secrets": {
			func(d *dsr.Definitions) { d.Connections["own"].Secrets = dsr.Secrets{"password": "s3cret-canary"} },
			"connection own: it comes from the host's configuration and takes no secrets here",
		},
		"dataset there": {func(d *dsr.Definitions) {
			d.Datasets["crm"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "crm"}, Connection: "own", Source: strings.ReplaceAll(eraseShopYAML, "shop", "crm")}
		}, `dataset crm: connection "own" comes from the host's configuration, which names its datasets`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error { test.edit(d); return nil })
			require.ErrorContains(t, err, "error: "+test.want)
		})
	}
	require.Equal(t, graph.Category("user.content"), c.config.Policies[0].Rules[0].Targets[0])
	require.Equal(t, "MASKED", c.config.Policies[0].Rules[0].Masking.Configuration["rewrite_value"])
	defs, err := c.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	require.Contains(t, defs.Connections, "db")
	require.EqualValues(t, 1, defs.Version)
}

// Forms of Config can be redefined, disabled and deleted, for good; others of
// them follow Config.
func TestFormsOfConfigAndCatalogue(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.config.Forms = []manual.Form{textForm("a", "one"), textForm("b", "one"), textForm("c", "one"), textForm("d", "one")}
	c.engine = newEngine(t, c.config)
	ctx := t.Context()
	changed := textForm("a", "two")
	_, err := c.engine.Forms().Define(ctx, changed)
	require.NoError(t, err)
	require.NoError(t, c.engine.Forms().Disable(ctx, "b", true))
	require.NoError(t, c.engine.Forms().Delete(ctx, "c"))
	c.config.Forms = []manual.Form{textForm("a", "three"), textForm("b", "three"), textForm("c", "three"), textForm("d", "three"), textForm("e", "three")}
	c.engine = newEngine(t, c.config)
	v := c.update(t, func(d *dsr.Definitions) { d.Settings["seen"] = json.RawMessage("1") })
	list := func() (texts []string) {
		for _, f := range c.engine.Forms().List() {
			texts = append(texts, fmt.Sprint(f.Key, " ", f.Fields[0].Label, " ", f.Disabled))
		}
		return texts
	}
	require.Equal(t, []string{"a two false", "b one true", "d three false", "e three false"}, list())
	c.clock.add(1e9)
	require.Equal(t, v, c.update(t, func(*dsr.Definitions) {}), "nothing is stored where nothing changes")
	c.config.Forms = nil
	c.engine = newEngine(t, c.config)
	c.update(t, func(d *dsr.Definitions) { d.Settings["seen"] = json.RawMessage("2") })
	require.Equal(t, []string{"a two false", "b one true"}, list())
}

// Definitions that are written anew keep what the catalogue knows of them.
func TestDefinitionsWrittenAnew(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, shopDefined)
	before, err := c.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	c.clock.add(1e9)
	c.update(t, func(d *dsr.Definitions) {
		d.Connections["db"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "db", Name: "Shop"}, Type: "shop"}
		d.Policies["access"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "access", CreatedAt: c.clock.Now()}, Rules: []graph.Rule{accessRule()}, AllowEmptyTargets: true}
	})
	after, err := c.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	db := after.Connections["db"]
	require.Equal(t, []string{"host", "password"}, db.SecretNames)
	require.EqualValues(t, 1, db.SecretVersion)
	require.Equal(t, before.Connections["db"].CreatedAt, db.CreatedAt)
	require.Equal(t, before.Policies["access"].CreatedAt, after.Policies["access"].CreatedAt)
	require.Empty(t, c.problems(t))
}

// A key that the host takes for itself later is a problem of the catalogue's.
// Requests that were planned before go on.
func TestKeysThatClash(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	all, hooks := newReceivers("call")
	c.config.ConnectionTypes["web"] = dsr.ConnectionType{Hook: func(dsr.ConnectionSettings) (dsr.Hook, error) { return &receiver{all, "catalogue"}, nil }}
	c.engine = newEngine(t, c.config)
	c.update(t, func(d *dsr.Definitions) {
		shopDefined(d)
		d.Connections["web"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "web"}, Type: "web"}
		d.Policies["access"].Before = []dsr.HookDefinition{{Key: "call", Connection: "web", TwoWay: true}}
	})
	id := c.planned(t, "access", "ada@example.com")
	c.config.Connections = []dsr.Connection{{Key: "db", Connector: c.db(), Datasets: []string{"shop"}}}
	c.config.Datasets = c.datasets
	c.config.Policies = []graph.Policy{{Key: "access", Rules: []graph.Rule{accessRule()}}}
	c.config.Destinations = map[string]dsr.Destination{"folder": {Storage: &dyingDestination{c.packages, &process{}}, Format: storage.JSON{}}}
	c.config.Hooks = hooks
	c.engine = newEngine(t, c.config)
	const same = ": the host's configuration has one of the same key"
	require.Equal(t, []string{"destination folder" + same, "connection db" + same, "dataset shop" + same, "policy access" + same}, c.problems(t))
	req, err := retry(t, c.engine, id)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Len(t, all.list(), 1)
	_, err = c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.EqualError(t, err, "dsr: error: dataset shop: it cannot be used: the host's configuration has one of the same key")
	c.update(t, func(d *dsr.Definitions) {
		delete(d.Datasets, "shop")
		delete(d.Connections, "db")
		delete(d.Destinations, "folder")
		delete(d.Policies, "access")
	})
	require.Empty(t, c.problems(t))
	_, err = c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
}

// All faults of an edit are told at once, each exactly.
func TestFaultsOfPoliciesAndTheRest(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	taxonomy, err := graph.DefaultTaxonomy().With("user.shoe_size")
	require.NoError(t, err)
	c.config.Taxonomy = taxonomy
	c.engine = newEngine(t, c.config)
	_, err = c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		shopDefined(d)
		bad := erasureRule("no_such_strategy", "user.shoe_size")
		d.Policies["p"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "p", Extra: json.RawMessage("{")}, Timeframe: -1, Rules: []graph.Rule{bad}}
		d.Policies["q"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "other"}}
		d.Settings["s"] = json.RawMessage("{")
		d.Redaction = []string{"("}
		d.PreApproval = []dsr.HookDefinition{{Key: "h", Connection: "db"}, {Key: "h", Connection: "none"}}
		return nil
	})
	var faults *graph.FaultError
	require.ErrorAs(t, err, &faults)
	var texts []string
	for _, f := range faults.Faults {
		texts = append(texts, strings.TrimSpace(f.Subject+": "+f.Message))
	}
	require.Equal(t, []string{
		"policy p: what is kept with it is no JSON",
		"policy p: its Timeframe is negative",
	}, texts[:2])
	require.Contains(t, texts[2], `policy p: rule "erasure": `)
	require.Contains(t, texts[2], "no_such_strategy")
	require.Equal(t, []string{
		`policy q: its Key says "other"`,
		`hook h: connections of type "shop", such as "db", cannot be called`,
		`hook h: pre-approval and pre-approval both have a hook of this key`,
		`hook h: there is no connection "none"`,
		`setting s: what is kept with it is no JSON`,
	}, texts[3:])
	var patterns *redact.PatternsError
	require.ErrorAs(t, err, &patterns)
	c.update(t, func(d *dsr.Definitions) {
		shopDefined(d)
		d.Policies["p"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "p"}, Rules: []graph.Rule{erasureRule("null_rewrite", "user.shoe_size")}, AllowEmptyTargets: true}
	})
	require.Empty(t, c.problems(t))
}

// Patterns of the catalogue are matched by the options of Config.Redaction.
func TestPatternsHaveTheOptionsOfConfig(t *testing.T) {
	t.Parallel()
	for _, search := range []bool{false, true} {
		c := newConfigurable(t)
		registry, err := redact.NewRegistry(&redact.Options{Search: search})
		require.NoError(t, err)
		c.config.Redaction = registry
		c.engine = newEngine(t, c.config)
		c.update(t, func(d *dsr.Definitions) { shopDefined(d); d.Redaction = []string{"ustome"} })
		req, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
		require.NoError(t, err)
		_, err = c.engine.Requests().Advance(t.Context(), req.ID)
		require.NoError(t, err)
		require.Equal(t, search, !strings.Contains(c.packages.file(req.ID+".json"), "customers"))
	}
}

// No secret is shown or stored, whatever is printed, logged or refused.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	var out strings.Builder
	c.update(t, func(d *dsr.Definitions) {
		shopDefined(d)
		data, err := json.Marshal(d)
		require.NoError(t, err)
		db := d.Connections["db"]
		fmt.Fprintf(&out, "%s %v %+v %#v %s %v %+v %#v %q %x %d", data, *d, *db, *db, db.Secrets, db.Secrets, db.Secrets, db.Secrets, db.Secrets, db.Secrets, db.Secrets)
		fmt.Fprintf(&out, "%+v", dsr.ConnectionSettings{Secrets: db.Secrets})
		fmt.Fprintf(&out, "%#v", dsr.DestinationSettings{Secrets: db.Secrets})
		fmt.Fprint(&out, db.Secrets.LogValue())
	})
	for _, edit := range []func(*dsr.Definitions){
		func(d *dsr.Definitions) { d.Connections["db"].Secrets = dsr.Secrets{"nope": "s3cret-canary"} },
		func(d *dsr.Definitions) { d.Connections["db"].Secrets = dsr.Secrets{"password": "s3cret-canary"} },
		func(d *dsr.Definitions) { d.Destinations["folder"].Secrets = dsr.Secrets{"token": "s3cret-canary"} },
	} {
		_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error { edit(d); return nil })
		require.Error(t, err)
		out.WriteString(err.Error())
	}
	c.db().fail("customers", errors.New("locked"))
	req, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
	_, err = c.engine.Requests().Advance(t.Context(), req.ID)
	require.Error(t, err)
	require.NoError(t, c.engine.Catalogue().Rewrap(t.Context()))
	out.WriteString(err.Error() + c.logs.String())
	for _, at := range []int64{0, 1} {
		entries, err := c.store.Entries(t.Context(), dsr.EntryQuery{At: at})
		require.NoError(t, err)
		require.NotEmpty(t, entries)
		for _, entry := range entries {
			fmt.Fprintf(&out, "%s %s %s", entry.Key, entry.Data, entry.Sealed)
		}
	}
	defs, err := c.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	fmt.Fprintf(&out, "%+v", *defs.Connections["db"])
	require.NotContains(t, out.String(), "canary")
	require.NotContains(t, out.String(), fmt.Sprintf("%x", "canary"))
	secrets, err := c.engine.Catalogue().Secrets(t.Context(), dsr.CatalogueConnection, "db")
	require.NoError(t, err)
	require.Equal(t, "s3cret-canary", secrets["password"])
}

// Patterns are compiled when they change, not with every other change.
func TestPatternsThatStayAreNotCompiledAgain(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, func(d *dsr.Definitions) { shopDefined(d); d.Redaction = []string{"customers", "(?=a).*"} })
	first := c.engine.Patterns()
	require.Equal(t, []string{"customers", "(?=a).*"}, first.Strings())
	c.update(t, func(d *dsr.Definitions) { d.Settings = map[string]json.RawMessage{"note": json.RawMessage(`1`)} })
	require.Same(t, first, c.engine.Patterns())
	c.update(t, func(d *dsr.Definitions) { d.Redaction = []string{"(?=a).*", "customers"} })
	require.Equal(t, []string{"(?=a).*", "customers"}, c.engine.Patterns().Strings())
	c.update(t, func(d *dsr.Definitions) { d.Redaction = []string{} })
	require.Equal(t, []string{}, c.engine.Patterns().Strings())
	require.NotNil(t, c.engine.Patterns(), "none are not those of Config.Redaction")
	c.update(t, func(d *dsr.Definitions) { d.Redaction = nil })
	require.Nil(t, c.engine.Patterns())
	_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error { d.Redaction = []string{"("}; return nil })
	require.ErrorAs(t, err, new(*redact.PatternsError))
}
