package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// countingStore counts what is asked of the entries, and breaks at one of the
// calls: before it has an effect, or after, so that only its answer is lost.
type countingStore struct {
	dsr.Store
	mu    sync.Mutex
	calls int
	at    int
	after bool
}

func (s *countingStore) call(do func() error) error {
	s.mu.Lock()
	s.calls++
	n := s.calls
	s.mu.Unlock()
	if s.at == 0 || n < s.at {
		return do()
	}
	if n == s.at && s.after {
		_ = do()
	}
	return errKilled
}

func (s *countingStore) SaveEntries(ctx context.Context, changes []dsr.EntryChange) (v int64, err error) {
	err = s.call(func() error { v, err = s.Store.SaveEntries(ctx, changes); return err })
	return v, err
}

func (s *countingStore) Entries(ctx context.Context, q dsr.EntryQuery) (list []dsr.Entry, err error) {
	err = s.call(func() error { list, err = s.Store.Entries(ctx, q); return err })
	return list, err
}

func (s *countingStore) CatalogueVersion(ctx context.Context) (v int64, err error) {
	err = s.call(func() error { v, err = s.Store.CatalogueVersion(ctx); return err })
	return v, err
}

// An edit is stored in whole or not at all, secrets with definitions, at
// whichever call of the store the process dies, or its answer is lost.
func TestUpdateKilledAnywhere(t *testing.T) {
	t.Parallel()
	rotate := func(d *dsr.Definitions) error {
		d.Connections["db"].Secrets = dsr.Secrets{"host": "there", "password": "newer"}
		d.Connections["db"].Name = "renamed"
		d.Policies["other"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "other"}, Rules: []graph.Rule{accessRule()}}
		delete(d.Destinations, "spare")
		return nil
	}
	prepared := func() *configurable {
		c := newConfigurable(t)
		c.update(t, func(d *dsr.Definitions) {
			shopDefined(d)
			d.Policies["access"].Rules[0].Destination = "folder"
			d.Destinations["spare"] = &dsr.DestinationDefinition{Defined: dsr.Defined{Key: "spare"}, Type: "local"}
		})
		return c
	}
	c := prepared()
	count := &countingStore{Store: c.config.Store}
	c.config.Store = count
	_, err := newEngine(t, c.config).Catalogue().Update(t.Context(), rotate)
	require.NoError(t, err)
	require.Greater(t, count.calls, 10)
	seen := map[bool]int{}
	for at := 1; at <= count.calls; at++ {
		for _, after := range []bool{false, true} {
			c := prepared()
			whole := c.config
			c.config.Store = &countingStore{Store: whole.Store, at: at, after: after}
			_, failed := newEngine(t, c.config).Catalogue().Update(t.Context(), rotate)
			e := newEngine(t, whole) // after a restart
			defs, err := e.Catalogue().Read(t.Context())
			require.NoError(t, err)
			secrets, err := e.Catalogue().Secrets(t.Context(), dsr.CatalogueConnection, "db")
			require.NoError(t, err)
			stored := defs.Version == 2
			seen[stored]++
			db := defs.Connections["db"]
			if stored {
				require.Equal(t, dsr.Secrets{"host": "there", "password": "newer"}, secrets)
				require.Equal(t, "renamed", db.Name)
				require.EqualValues(t, 2, db.SecretVersion)
				require.Contains(t, defs.Policies, "other")
				require.NotContains(t, defs.Destinations, "spare")
			} else {
				require.Error(t, failed)
				require.EqualValues(t, 1, defs.Version)
				require.Equal(t, dsr.Secrets{"host": "here", "password": "s3cret-canary"}, secrets)
				require.Empty(t, db.Name)
				require.EqualValues(t, 1, db.SecretVersion)
				require.NotContains(t, defs.Policies, "other")
				require.Contains(t, defs.Destinations, "spare")
			}
			_, err = e.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error { // again, by who got an error
				if d.Destinations["spare"] == nil {
					return nil
				}
				return rotate(d)
			})
			require.NoError(t, err)
		}
	}
	require.Greater(t, seen[true], 1)
	require.Greater(t, seen[false], 10)
}

// What an edit refuses, or panics with, changes nothing.
func TestEditsThatFail(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	mine := errors.New("not today")
	_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error { shopDefined(d); return mine })
	require.Same(t, mine, err)
	_, err = c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error { shopDefined(d); panic("s3cret-canary") })
	var panicked *graph.PanicError
	require.ErrorAs(t, err, &panicked)
	require.NotContains(t, err.Error(), "canary")
	_, err = c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error { d.Forms["x"] = nil; return nil })
	require.EqualError(t, err, "dsr: error: form x: it is nil; delete it from the map instead")
	v := c.update(t, func(*dsr.Definitions) {})
	require.Zero(t, v)
}

// Two processes that change the catalogue at once lose nothing, and deadlock
// neither with each other nor with requests that are worked on.
func TestTwoProcessesAtOnce(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, shopDefined)
	engines := []*dsr.Engine{c.engine, newEngine(t, c.config)}
	var wg sync.WaitGroup
	for i := range 8 {
		for n, e := range engines {
			wg.Go(func() {
				_, err := e.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
					d.Settings[fmt.Sprintf("n%d-%d", n, i)] = []byte("true")
					d.Connections["db"].Secrets = dsr.Secrets{"host": "here", "password": fmt.Sprint(n, i)}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				req, err := e.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
				if err == nil {
					req, err = engines[1-n].Requests().Advance(t.Context(), req.ID)
				}
				if errors.Is(err, dsr.ErrLeased) { // another of the same person comes first
					return
				}
				if err != nil || req.Status != dsr.StatusComplete {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	defs, err := engines[1].Catalogue().Read(t.Context())
	require.NoError(t, err)
	require.Len(t, defs.Settings, 16)
	require.EqualValues(t, 17, defs.Version)
	require.EqualValues(t, 17, defs.Connections["db"].SecretVersion)
	for _, e := range engines {
		require.NoError(t, e.Close())
	}
	require.Equal(t, c.opened.Load(), c.closed.Load())
}

// What an update rests on still holds when it is stored, also where another process
// changes entries that it does not touch.
func TestUpdatesThatRestOnEachOther(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit, meanwhile func(d *dsr.Definitions)
		refused         string
	}{
		"a rule and its destination": {
			func(d *dsr.Definitions) { d.Policies["access"].Rules[0].Destination = "other" },
			func(d *dsr.Definitions) { delete(d.Destinations, "other") },
			`dsr: error: policy access: rule "access" names destination "other", which there is not`,
		},
		"a destination and its rule": {
			func(d *dsr.Definitions) { delete(d.Destinations, "other") },
			func(d *dsr.Definitions) { d.Policies["access"].Rules[0].Destination = "other" },
			`dsr: error: policy access: rule "access" names destination "other", which there is not`,
		},
		"a dataset and its connection": {
			func(d *dsr.Definitions) { d.Datasets["shop"].Connection = "spare" },
			func(d *dsr.Definitions) { delete(d.Connections, "spare") },
			`dsr: error: dataset shop: there is no connection "spare"`,
		},
		"a connection and its dataset": {
			func(d *dsr.Definitions) { delete(d.Connections, "spare") },
			func(d *dsr.Definitions) { d.Datasets["shop"].Connection = "spare" },
			`dsr: error: dataset shop: there is no connection "spare"`,
		},
		"a hook and its connection": {
			func(d *dsr.Definitions) { d.PreApproval = []dsr.HookDefinition{{Key: "h", Connection: "web"}} },
			func(d *dsr.Definitions) { delete(d.Connections, "web") },
			`dsr: error: hook h: there is no connection "web"`,
		},
		"secrets and their connection": {
			func(d *dsr.Definitions) {
				if d.Connections["spare"] != nil {
					d.Connections["spare"].Secrets = dsr.Secrets{"host": "here"}
				}
			},
			func(d *dsr.Definitions) { delete(d.Connections, "spare") },
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConfigurable(t)
			c.webs(t)
			c.update(t, func(d *dsr.Definitions) {
				shopDefined(d)
				d.Connections["web"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "web"}, Type: "web"}
				d.Connections["spare"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "spare"}, Type: "shop"}
				d.Destinations["other"] = &dsr.DestinationDefinition{Defined: dsr.Defined{Key: "other"}, Type: "local"}
			})
			other := &configurable{world: c.world, engine: newEngine(t, c.config)}
			calls := 0
			_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
				if calls++; calls == 1 {
					other.update(t, test.meanwhile)
				}
				test.edit(d)
				return nil
			})
			if test.refused == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, test.refused)
			}
			require.Equal(t, 2, calls)
			require.EqualValues(t, 2, other.update(t, func(*dsr.Definitions) {}), "only what came first is stored")
			secrets, err := c.store.Entries(t.Context(), dsr.EntryQuery{Kind: "secret", Key: "connection/spare"})
			require.NoError(t, err)
			require.Empty(t, secrets)
		})
	}
}

// An update waits for another one of its process, as long as its context lets it.
func TestUpdatesWaitForEachOther(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, func(d *dsr.Definitions) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := c.engine.Catalogue().Update(ctx, func(*dsr.Definitions) error { return nil })
		require.ErrorIs(t, err, context.Canceled)
		shopDefined(d)
	})
	var calls atomic.Int64
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
				calls.Add(1)
				d.Settings[fmt.Sprint(i)] = []byte("true")
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 20, calls.Load(), "none had to begin anew")
}

// What one process defines another uses at once, also one that has never looked.
func TestAnotherProcessUsesWhatIsDefined(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	other := newEngine(t, c.config)
	c.update(t, shopDefined)
	plan, err := other.Plan("access", "email")
	require.NoError(t, err)
	require.NotEmpty(t, plan.Steps)
	_, err = c.engine.Forms().Create(t.Context(), textForm("crm", "note"))
	require.NoError(t, err)
	req, err := newEngine(t, c.config).Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
	req, err = newEngine(t, c.config).Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusRequiresInput, req.Status)
	view, err := newEngine(t, c.config).Forms().View(t.Context(), req.ID, "crm", graph.Access)
	require.NoError(t, err)
	require.NotNil(t, view)
	_, err = newEngine(t, c.config).Forms().Upload(t.Context(), req.ID, "crm", graph.Access, map[string]any{"note": "n"}, dsr.By{})
	require.NoError(t, err)
	req, err = newEngine(t, c.config).Forms().Resume(t.Context(), req.ID, dsr.By{})
	require.NoError(t, err)
	require.Equal(t, dsr.StatusInProcessing, req.Status)
	req, err = newEngine(t, c.config).Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
}
