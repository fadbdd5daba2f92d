package dsr_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// webs gives a configurable a type of hooks, and a hook "own" of Config that its
// flow calls before and after.
func (c *configurable) webs(t testing.TB) *receivers {
	t.Helper()
	all, hooks := newReceivers("own")
	c.config.Hooks = hooks
	c.config.Flow = dsr.Flow{Before: []dsr.Hooking{{Hook: "own", TwoWay: true}}, After: []dsr.Hooking{{Hook: "own", TwoWay: true}}}
	c.config.ConnectionTypes["web"] = dsr.ConnectionType{
		Fields: []dsr.SecretField{{Name: "url"}},
		Hook: func(s dsr.ConnectionSettings) (dsr.Hook, error) {
			if s.Secrets["url"] == "bad" {
				return nil, errors.New("no address")
			}
			return &receiver{all, s.Secrets["url"]}, nil
		},
	}
	c.engine = newEngine(t, c.config)
	return all
}

func webDefined(d *dsr.Definitions) {
	shopDefined(d)
	d.Connections["web"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "web"}, Type: "web", Secrets: dsr.Secrets{"url": "here"}}
	d.Policies["access"].Before = []dsr.HookDefinition{{Key: "b1", Connection: "web", TwoWay: true}, {Key: "b2", Connection: "web"}}
	d.Policies["access"].After = []dsr.HookDefinition{{Key: "a1", Connection: "web", TwoWay: true}}
}

// Hooks of policies come after those of the flow, in their order.
func TestHooksOfTheCatalogue(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	all := c.webs(t)
	c.update(t, webDefined)
	req, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
	_, err = c.engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, []string{
		"pre_execution own r1 in_processing asked token", "pre_execution b1 r1 in_processing asked token",
		"post_execution own r1 in_processing asked", "post_execution a1 r1 in_processing asked",
		"pre_execution b2 r1 complete",
	}, all.lines())

	c.update(t, func(d *dsr.Definitions) {
		d.Connections["web"].Disabled, d.Policies["access"].Before = true, d.Policies["access"].Before[1:]
	})
	require.Equal(t, []string{
		`hook b2: connection "web" is disabled: it is not called`,
		`hook a1: connection "web" is disabled: it is not called`,
	}, c.problems(t))
	req, err = c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
	_, err = c.engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"pre_execution own r2 in_processing asked token", "post_execution own r2 in_processing asked"}, all.lines()[5:])
}

// Every policy, those of Config too, asks the hooks that approve; so does a
// process that has never looked.
func TestPreApprovalOfTheCatalogue(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	all := c.webs(t)
	c.config.Flow = dsr.Flow{}
	c.config.Datasets = c.datasets
	c.config.Connections = []dsr.Connection{{Key: "db", Connector: c.db(), Datasets: []string{"shop"}}}
	c.config.Policies = []graph.Policy{policy(erasureRule("null_rewrite", "user.content"))}
	c.engine = newEngine(t, c.config)
	c.update(t, func(d *dsr.Definitions) {
		d.Connections["web"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "web"}, Type: "web", Secrets: dsr.Secrets{"url": "here"}}
		d.PreApproval = []dsr.HookDefinition{{Key: "fraud", Connection: "web"}}
	})
	req, err := newEngine(t, c.config).Requests().Submit(t.Context(), submission("p", "ada@example.com"))
	require.NoError(t, err)
	require.Equal(t, dsr.StatusAwaitingPreApproval, req.Status)
	yes := true
	all.answer("here", dsr.HookAnswer{Eligible: &yes})
	req, err = newEngine(t, c.config).Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Equal(t, []string{"pre_approval fraud r1 awaiting_pre_approval asked token"}, all.lines())
}

// A hook that could hold requests up is not passed by because somebody disabled
// its connection, neither by new requests nor by those that wait for it.
func TestHooksThatHoldRequestsUpAreNotDisabled(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(*dsr.Definitions){
		"approves": func(d *dsr.Definitions) { d.PreApproval = []dsr.HookDefinition{{Key: "gate", Connection: "web"}} },
		"two-way": func(d *dsr.Definitions) {
			d.Policies["access"].Before = []dsr.HookDefinition{{Key: "gate", Connection: "web", TwoWay: true}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConfigurable(t)
			all := c.webs(t)
			disable := func(is bool) {
				c.update(t, func(d *dsr.Definitions) { d.Connections["web"].Disabled = is })
			}
			c.update(t, func(d *dsr.Definitions) {
				webDefined(d)
				d.Policies["access"].Before, d.Policies["access"].After = nil, nil
				hook(d)
			})
			waiting, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
			require.NoError(t, err)
			disable(true)
			const why = `connection "web" is disabled: enable it, or remove the hook`
			require.Equal(t, []string{"hook gate: " + why}, c.problems(t))
			_, err = c.engine.Requests().Submit(t.Context(), submission("access", "bob@example.com"))
			require.ErrorContains(t, err, "hook gate: it cannot be called: "+why)
			req, err := c.engine.Requests().Advance(t.Context(), waiting.ID)
			if err == nil {
				require.NotEqual(t, dsr.StatusComplete, req.Status)
			}
			require.NotContains(t, fmt.Sprint(all.lines()), "gate")

			yes := true
			all.answer("here", dsr.HookAnswer{Eligible: &yes})
			disable(false)
			require.Empty(t, c.problems(t))
			_, err = c.engine.Requests().Submit(t.Context(), submission("access", "cid@example.com"))
			require.NoError(t, err)
			disable(true)
			c.update(t, func(d *dsr.Definitions) { d.PreApproval, d.Policies["access"].Before = nil, nil })
			_, err = c.engine.Requests().Submit(t.Context(), submission("access", "dee@example.com"))
			require.NoError(t, err)
		})
	}
}

// A request that was planned with a hook is not completed without it, whatever
// became of the hook since; a disabled connection does not count then.
func TestPlannedRequestKeepsItsHooks(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	all := c.webs(t)
	c.update(t, webDefined)
	id := c.planned(t, "access", "ada@example.com")
	c.update(t, func(d *dsr.Definitions) { d.Policies["access"].Before, d.Policies["access"].After = nil, nil })
	c.engine = newEngine(t, c.config)
	req, err := retry(t, c.engine, id)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Contains(t, all.lines(), "post_execution a1 r1 in_processing asked")

	c.update(t, webDefined)
	id = c.planned(t, "access", "bob@example.com")
	c.update(t, func(d *dsr.Definitions) { d.Connections["web"].Secrets = dsr.Secrets{"url": "bad"} })
	require.Equal(t, []string{
		"connection web: it cannot be called: no address",
		`hook b1: connection "web": it cannot be called: no address`,
		`hook b2: connection "web": it cannot be called: no address`,
		`hook a1: connection "web": it cannot be called: no address`,
	}, c.problems(t))
	_, err = retry(t, c.engine, id)
	require.ErrorContains(t, err, `post_execution hook "a1": it cannot be called: connection "web": it cannot be called`)
	require.NotContains(t, err.Error(), "no address")
	_, err = c.engine.Requests().Submit(t.Context(), submission("access", "cid@example.com"))
	require.ErrorContains(t, err, `hook b1: it cannot be called: connection "web": it cannot be called`)
	require.NotContains(t, err.Error(), "no address")
	events, err := c.engine.Requests().Log(t.Context(), id, 0, 100)
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(events), "it cannot be called")
	require.NotContains(t, fmt.Sprint(events), "no address")
	require.Contains(t, c.logs.String(), `"msg":"something of the catalogue cannot be used","kind":"connection","key":"web","reason":"it cannot be called","cause":"no address"`)
	c.update(t, func(d *dsr.Definitions) { d.Connections["web"].Secrets = dsr.Secrets{"url": "there"} })
	req, err = retry(t, c.engine, id)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
}

// A hook that the host took the key of later is not taken for the host's.
func TestHookKeysThatClash(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	all := c.webs(t)
	c.update(t, func(d *dsr.Definitions) {
		webDefined(d)
		d.PreApproval = []dsr.HookDefinition{{Key: "fraud", Connection: "web"}}
	})
	_, c.config.Hooks = newReceivers("own", "fraud", "b1")
	c.engine = newEngine(t, c.config)
	require.Equal(t, []string{
		"hook fraud: the host's configuration has a hook of the same key",
		"hook b1: the host's configuration has a hook of the same key",
	}, c.problems(t))
	_, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.ErrorContains(t, err, "hook fraud: it cannot be called: the host's configuration has a hook of the same key")
	c.update(t, func(d *dsr.Definitions) { d.PreApproval, d.Policies["access"].Before = nil, nil })
	_, err = c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
	require.Empty(t, all.list())
}

// No hook of the catalogue answers in the place of the host: neither one that is
// defined under the key of a check that the host answers, nor one that was there
// before the check.
func TestHooksDoNotAnswerForTheHost(t *testing.T) {
	t.Parallel()
	legal := dsr.HookDefinition{Key: "legal", Connection: "web"}
	hooks := map[string]func(*dsr.Definitions){
		"pre-approval": func(d *dsr.Definitions) { d.PreApproval = []dsr.HookDefinition{legal} },
		"before":       func(d *dsr.Definitions) { d.Policies["other"].Before = []dsr.HookDefinition{legal} },
		"after":        func(d *dsr.Definitions) { d.Policies["other"].After = []dsr.HookDefinition{legal} },
	}
	asks := dsr.Flow{PreApproval: []string{"legal"}}
	for name, change := range map[string]func(*dsr.Config){
		"of every policy": func(c *dsr.Config) { c.Flow = asks },
		"of one policy":   func(c *dsr.Config) { c.Flow, c.Flows = dsr.Flow{}, map[string]dsr.Flow{"p": asks} },
	} {
		for phase, hook := range hooks {
			t.Run(name+", "+phase, func(t *testing.T) {
				t.Parallel()
				c := newConfigurable(t)
				all := c.webs(t)
				all.answer("here", dsr.HookAnswer{Eligible: yes()})
				rule := erasureRule("null_rewrite", "user.content")
				c.config.Datasets, c.config.Policies, c.config.Flow = c.datasets, []graph.Policy{policy(rule)}, dsr.Flow{}
				c.config.Connections = []dsr.Connection{{Key: "db", Connector: c.db(), Datasets: []string{"shop"}}}
				host := c.config
				change(&host)
				c.engine = newEngine(t, host)
				c.update(t, func(d *dsr.Definitions) {
					d.Connections["web"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "web"}, Type: "web", Secrets: dsr.Secrets{"url": "here"}}
					d.Policies["other"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "other"}, Rules: []graph.Rule{rule}}
				})
				req, err := c.engine.Requests().Submit(t.Context(), submission("p", "ada@example.com"))
				require.NoError(t, err)
				_, err = c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error { hook(d); return nil })
				var fault *graph.FaultError
				require.ErrorAs(t, err, &fault)
				require.ErrorContains(t, err, "hook legal: the host answers a pre-approval check of this key itself; choose another key")
				require.Empty(t, c.problems(t))

				c.engine = newEngine(t, c.config) // before the host asked for the check
				c.update(t, hook)
				c.engine = newEngine(t, host)
				const why = "the host answers a pre-approval check of the same key itself: give the hook another key"
				require.Equal(t, []string{"hook legal: " + why}, c.problems(t))
				_, err = c.engine.Requests().Submit(t.Context(), submission("p", "bob@example.com"))
				require.ErrorContains(t, err, "hook legal: it cannot be called: "+why)
				_, err = c.engine.Requests().Resubmit(t.Context(), req.ID, dsr.By{})
				require.NoError(t, err)
				_, err = c.engine.Messages().Send(t.Context())
				require.NoError(t, err)
				require.Empty(t, all.lines())
				req, err = c.engine.Requests().Get(t.Context(), req.ID)
				require.NoError(t, err)
				require.Equal(t, dsr.StatusAwaitingPreApproval, req.Status)
				req, err = c.engine.Requests().PreApproval(t.Context(), req.ID, "legal", true, dsr.By{})
				require.NoError(t, err)
				require.Equal(t, dsr.StatusApproved, req.Status)
			})
		}
	}
}
