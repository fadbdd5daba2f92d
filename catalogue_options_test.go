package dsr_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// optional is an engine whose shops take options, which must be a text in JSON.
// The texts that connectors were made with come through the channel.
func optional(t *testing.T) (*configurable, chan string) {
	t.Helper()
	c := newConfigurable(t)
	made := make(chan string, 10)
	kind := c.config.ConnectionTypes["shop"]
	connect := kind.Connect
	kind.CheckOptions = func(options json.RawMessage) error {
		var text string
		if json.Unmarshal(options, &text) != nil {
			return errors.New("they are no text\nthey should be one")
		}
		return nil
	}
	kind.Connect = func(s dsr.ConnectionSettings) (dsr.Connector, error) {
		made <- string(s.Options)
		clear(s.Options) // they are its own
		return connect(s)
	}
	c.config.ConnectionTypes["shop"] = kind
	c.engine = newEngine(t, c.config)
	return c, made
}

func TestOptionsAreToldToTheType(t *testing.T) {
	t.Parallel()
	c, made := optional(t)
	c.update(t, shopDefined)
	require.Empty(t, <-made)
	version := c.update(t, func(d *dsr.Definitions) { d.Connections["db"].Options = json.RawMessage(`"one"`) })
	require.Equal(t, `"one"`, <-made)
	require.Equal(t, version, c.update(t, func(d *dsr.Definitions) { d.Connections["db"].Options = json.RawMessage(`"one"`) }), "nothing was changed")
	require.NoError(t, c.engine.Close())
	c.engine = newEngine(t, c.config)
	require.Empty(t, c.problems(t))
	require.Equal(t, `"one"`, <-made)
	defs, err := c.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	require.JSONEq(t, `"one"`, string(defs.Connections["db"].Options))
	require.NoError(t, c.engine.Catalogue().TryConnection(t.Context(), "shop", dsr.ConnectionSettings{Secrets: dsr.Secrets{"host": "here"}, Options: json.RawMessage(`"two"`)}))
	require.Equal(t, `"two"`, <-made)
	c.update(t, func(d *dsr.Definitions) { d.Connections["db"].Options = json.RawMessage{} })
	require.Empty(t, <-made)
	require.Empty(t, made)
}

// Options belong to a version: a request that is planned keeps those it was
// planned with, also in another process.
func TestPlannedRequestKeepsOptions(t *testing.T) {
	t.Parallel()
	c, made := optional(t)
	c.update(t, func(d *dsr.Definitions) {
		shopDefined(d)
		d.Connections["db"].Options = json.RawMessage(`"one"`)
	})
	require.Equal(t, `"one"`, <-made)
	id := c.planned(t, "access", "ada@example.com")
	c.update(t, func(d *dsr.Definitions) { d.Connections["db"].Options = json.RawMessage(`"two"`) })
	require.Equal(t, `"two"`, <-made)
	require.NoError(t, c.engine.Close())
	c.engine = newEngine(t, c.config)
	req, err := retry(t, c.engine, id)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Equal(t, `"one"`, <-made)
	_, err = c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
	require.Equal(t, `"two"`, <-made)
	require.NoError(t, c.engine.Close())
	require.Equal(t, c.opened.Load(), c.closed.Load())
}

func TestOptionsThatATypeDoesNotTake(t *testing.T) {
	t.Parallel()
	c, _ := optional(t)
	define := func(options map[string]string) error {
		_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
			shopDefined(d)
			d.Connections["paper"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "paper"}, Type: "paper"}
			for key, text := range options {
				d.Connections[key].Options = json.RawMessage(text)
			}
			return nil
		})
		return err
	}
	err := define(map[string]string{"paper": `{}`, "db": `{}`})
	var faults *graph.FaultError
	require.ErrorAs(t, err, &faults)
	var texts []string
	for _, f := range faults.Faults {
		texts = append(texts, f.Subject+": "+f.Message)
	}
	require.Equal(t, []string{"connection db: they are no text", "connection db: they should be one", "connection paper: its type takes no options"}, texts)
	require.ErrorContains(t, define(map[string]string{"db": `{`}), "its options are no JSON")
	require.NoError(t, define(map[string]string{"db": `"one"`}))

	// A process whose type takes none any more tells so, and leaves all else
	// to be changed.
	kind := c.config.ConnectionTypes["shop"]
	kind.CheckOptions = nil
	c.config.ConnectionTypes["shop"] = kind
	c.engine = newEngine(t, c.config)
	require.Equal(t, []string{`connection db: its type takes no options`, `dataset shop: connection "db": its type takes no options`}, c.problems(t))
	c.update(t, func(d *dsr.Definitions) { d.Policies["access"].Name = "Access" })
	c.update(t, func(d *dsr.Definitions) { d.Connections["db"].Options = nil })
	require.Empty(t, c.problems(t))
}

// A collection that is seeded with any identity is reached by whatever a request
// brings, and makes no kind known to lists.
func TestAnyIdentityLeadsToACollection(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, func(d *dsr.Definitions) {
		shopDefined(d)
		d.Datasets["desk"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "desk"}, Connection: "db", Source: `{"dataset":[{"fides_key":"desk","collections":[` +
			`{"name":"customers","fields":[{"name":"email","data_categories":["user"],"fides_meta":{"identity":"*","primary_key":true}}]}]}]}`}
	})
	require.NotContains(t, c.engine.IdentityKinds(), "*")
	for _, kinds := range [][]string{{"email"}, {"customer_number"}, {"email", "customer_number"}} {
		plan, err := c.engine.Plan("access", kinds...)
		require.NoError(t, err)
		var inputs []string
		for _, step := range plan.Steps {
			if step.Address().Dataset == "desk" {
				for _, in := range step.Inputs {
					inputs = append(inputs, in.Identity)
				}
			}
		}
		require.ElementsMatch(t, kinds, inputs)
	}
	// Plans are not sealed: a kind that may be a person's gets into none.
	_, err := c.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"ada lovelace": {"7"}}})
	require.ErrorContains(t, err, "none is of a kind that a dataset names, or whose name has 1 to 64 letters, digits, dots, dashes and underscores")
	require.NotContains(t, err.Error(), "lovelace")
	both, err := c.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"bob@example.com"}, "ada lovelace": {"7"}}})
	require.NoError(t, err)
	plan, err := c.engine.Requests().Plan(t.Context(), both.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"email"}, plan.Identities)

	// In a request all of its kinds lead there, not only those of datasets.
	req, err := c.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"customer_number": {"ada@example.com"}}})
	require.NoError(t, err)
	req, err = c.engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.JSONEq(t, `{"desk:customers":[{"email":"ada@example.com"}]}`, c.packages.file(req.ID+".json"))
}
