package fides_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/manualtask"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// annexYAML is what fails, and what people answer for: each for requests of one
// kind of identity only.
const annexYAML = shopYAML + `
  - fides_key: annex
    collections:
      - name: shelf
        fields: [{name: device, data_categories: [user.device], fides_meta: {identity: device, primary_key: true}}]
  - fides_key: paper
    collections:
      - name: archive
        fields:
          - {name: file, fides_meta: {identity: file_number}}
          - {name: note, data_categories: [user.content]}
          - {name: found, data_categories: [user.content]}
          - {name: scan, data_categories: [user.content]}
`

// mailbox takes notices and keeps the codes in them, and is a hook that halts,
// answers later and keeps the tokens of its calls; both by request.
type mailbox struct{ codes, tokens sync.Map }

func (m *mailbox) Notify(_ context.Context, n dsr.Notice) error {
	if n.Code != "" {
		m.codes.Store(n.RequestID, n.Code)
	}
	return nil
}

func (m *mailbox) Call(_ context.Context, c *dsr.HookCall) (*dsr.HookAnswer, error) {
	m.tokens.Store(c.Request.ID, c.Token)
	return &dsr.HookAnswer{Halt: c.Phase == dsr.HookBefore}, nil
}

func kept(m *sync.Map, id string) string {
	value, _ := m.Load(id)
	text, _ := value.(string)
	return text
}

// everything is a desk whose host has something of everything, and requests in
// each status.
type everything struct {
	*desk
	ctx context.Context // that of the test
	box mailbox

	people, policies atomic.Int64 // made for examples
}

func newEverything(t *testing.T) *everything {
	t.Helper()
	const unlimited = 1_000_000_000
	e := &everything{ctx: t.Context()}
	people, err := manualtask.New(&manualtask.Options{Collections: map[string]manualtask.Collection{"archive": {
		Title: "Look into the archive", Assignees: []string{"archivist"},
		Fields: []manualtask.Field{
			{TaskField: dsr.TaskField{Key: "note", Type: dsr.TaskText}},
			{TaskField: dsr.TaskField{Key: "found", Type: dsr.TaskCheckbox}},
			{TaskField: dsr.TaskField{Key: "scan", Type: dsr.TaskFile}},
		},
	}}})
	require.NoError(t, err)
	e.desk = configurable(t, func(k *desk) {
		k.config.Clock, k.config.Logger, k.options.Clock = nil, nil, nil
		k.options.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})) // why an answer is a 500
		k.config.Datasets, _, err = graph.LoadFS(fstest.MapFS{"annex.yml": {Data: []byte(annexYAML)}}, []string{"*.yml"}, nil)
		require.NoError(t, err)
		annex := broken{memory.NewConnector(map[string][]map[string]any{"shelf": nil}, nil)}
		k.config.Connections = append(
			k.config.Connections,
			dsr.Connection{Key: "annex", Connector: annex, Datasets: []string{"annex"}},
			dsr.Connection{Key: "paper", Connector: people, Datasets: []string{"paper"}},
		)
		k.config.ConnectionTypes["manual_task"] = manualtask.ConnectionType()
		k.config.Files = storage.NewFolder(t.TempDir(), nil)
		k.config.Hooks = map[string]dsr.Hook{"late": &e.box}
		k.config.Flows = map[string]dsr.Flow{}
		for key, flow := range map[string]dsr.Flow{
			"final": {Finalization: true}, "review": {Approval: true}, "verified": {VerifyIdentity: true},
			"checked": {PreApproval: []string{"late"}}, "halted": {Before: []dsr.Hooking{{Hook: "late", TwoWay: true}}},
		} {
			rules := []graph.Rule{{Key: key + "_all", Action: graph.Access, Targets: []graph.Category{"user"}}}
			if flow.Finalization {
				rules = []graph.Rule{{Key: key + "_names", Action: graph.Erasure, Targets: []graph.Category{"user.name"}, Masking: &graph.Masking{Strategy: "null_rewrite"}}}
			}
			k.config.Policies, k.config.Flows[key] = append(k.config.Policies, graph.Policy{Key: key, Rules: rules}), flow
		}
		for _, policy := range k.config.Policies { // others are defined soon
			if policy.Rules[0].Action == graph.Access {
				policy.Rules[0].Destination = "folder"
			}
		}
		k.options.Failures, err = fides.NewFailureNotices(fides.FailureOptions{Notifier: &e.box, Store: k.store, Send: (&mailed{}).send})
		require.NoError(t, err)
		k.config.Notifier = k.options.Failures
		k.oauth, err = oauth.New(&oauth.Options{
			Records: k.records, Key: []byte(strings.Repeat("k", 32)), Root: oauth.Credentials{ID: rootID, Secret: rootSecret},
		})
		require.NoError(t, err)
		k.options.OAuth, k.options.Verifier = k.oauth, oauth.Chain(words{}, k.oauth)
		k.options.AccessResults = true
		k.options.Limits = fides.Limits{PerMinute: unlimited, PublicPerMinute: unlimited, TokensPerMinute: unlimited}
	})
	for _, make := range []func() *dsr.Request{
		e.complete, e.failed, e.finished, e.asked,
		func() *dsr.Request { return e.submitted("access") }, func() *dsr.Request { return e.submitted("review") },
		func() *dsr.Request { return e.submitted("verified") }, func() *dsr.Request { return e.submitted("checked") },
		func() *dsr.Request { return e.advanced(e.submitted("halted")) },
	} {
		for range 3 {
			require.NotNil(t, make())
		}
	}
	return e
}

// submitted is a new request of somebody else, since those of one person wait
// for each other, with more identities as name and value; nil if it cannot be
// made.
func (e *everything) submitted(policy string, more ...string) *dsr.Request {
	n := e.people.Add(1)
	ids := dsr.Identities{"email": {fmt.Sprintf("person-%d@example.com", n)}}
	for i := 0; i+1 < len(more); i += 2 {
		ids[more[i]] = []string{fmt.Sprintf("%s-%d", more[i+1], n)}
	}
	if defs, err := e.engine.Catalogue().Read(e.ctx); err == nil { // it would wait for what was defined
		if len(defs.PreApproval) > 0 {
			e.preApproval(nil)
		}
		if definedFor(defs) {
			_, _ = e.engine.Catalogue().Update(e.ctx, func(d *dsr.Definitions) error { definedFor(d); return nil })
		}
	}
	req, err := e.engine.Requests().Submit(e.ctx, dsr.Submission{Policy: policy, Identities: ids})
	if err != nil {
		return nil
	}
	return req
}

// advanced takes a request as far as it goes, and fills in the forms that it
// meets.
func (e *everything) advanced(req *dsr.Request) *dsr.Request {
	if req == nil {
		return nil
	}
	req = e.step(req)
	for _, form := range e.engine.Forms().List() {
		if req.Status != dsr.StatusRequiresInput {
			return req
		}
		for _, action := range []graph.Action{graph.Access, graph.Erasure} {
			_, _ = e.engine.Forms().Upload(e.ctx, req.ID, form.Key, action, nil, dsr.By{}) // that which is asked for
		}
	}
	if resumed, err := e.engine.Forms().Resume(e.ctx, req.ID, dsr.By{}); err == nil {
		req = e.step(resumed)
	}
	return req
}

// step takes a request as far as it goes by itself. What fails tells its status.
func (e *everything) step(req *dsr.Request) *dsr.Request {
	if went, _ := e.engine.Requests().Advance(e.ctx, req.ID); went != nil {
		return went
	}
	return req
}

func (e *everything) complete() *dsr.Request { return e.advanced(e.submitted("access")) }
func (e *everything) failed() *dsr.Request   { return e.advanced(e.submitted("access", "device", "d")) }
func (e *everything) finished() *dsr.Request { return e.advanced(e.submitted("final")) }

// asked is a request that waits for people to answer a task.
func (e *everything) asked() *dsr.Request {
	return e.advanced(e.submitted("access", "file_number", "f"))
}
