package dsr_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

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

// interposed is a store that something happens to in the midst of its calls: each
// thing once.
type interposed struct {
	dsr.Store
	beforeCommit func() // before a request is stored
	afterCommit  func() // after that
	afterSave    func() // after an update of the catalogue was stored
	lost         bool   // nobody hears that it was
	down         bool   // no request can be read

	mu    sync.Mutex
	lists []string // the lists of requests that were asked for
}

func (s *interposed) pop(do *func()) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := *do
	*do = nil
	return f
}

// Commit implements [dsr.Store].
func (s *interposed) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	if do := s.pop(&s.beforeCommit); do != nil {
		do()
	}
	err := s.Store.Commit(ctx, ch)
	if do := s.pop(&s.afterCommit); do != nil {
		do()
	}
	return err
}

// SaveEntries implements [dsr.Store].
func (s *interposed) SaveEntries(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
	v, err := s.Store.SaveEntries(ctx, changes)
	if do := s.pop(&s.afterSave); do != nil {
		do()
	}
	if s.lost {
		return 0, errKilled
	}
	return v, err
}

// Request implements [dsr.Store].
func (s *interposed) Request(ctx context.Context, id string) (*dsr.Record, error) {
	if s.down {
		return nil, errKilled
	}
	return s.Store.Request(ctx, id)
}

// Requests implements [dsr.Store].
func (s *interposed) Requests(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
	s.mu.Lock()
	s.lists = append(s.lists, fmt.Sprint(q.Status))
	s.mu.Unlock()
	if s.down {
		return nil, errKilled
	}
	return s.Store.Requests(ctx, q)
}

// removing is a request that waits for pa1, while pa2 has said yes, over a store
// that things happen to.
func removing(t testing.TB, change func(*dsr.Config)) (c *configurable, s *interposed, now *clock, id string) {
	t.Helper()
	c = newConfigurable(t)
	s = &interposed{Store: c.config.Store}
	_, now = c.gated(t, func(config *dsr.Config) {
		config.Store = s
		if change != nil {
			change(config)
		}
	}, "pa1", "pa2")
	id = c.submits(t, dsr.StatusAwaitingPreApproval)
	_, err := c.engine.Requests().PreApproval(t.Context(), id, "pa2", true, dsr.By{})
	require.NoError(t, err)
	c.requireStatus(t, id, dsr.StatusAwaitingPreApproval)
	return c, s, now, id
}

func removeFirst(d *dsr.Definitions) error { d.PreApproval = d.PreApproval[1:]; return nil }

// An update that was stored lets the requests go on that it is about, whatever
// comes between: at once, or when somebody looks again.
func TestRemovedHooksLetRequestsGoOnWhateverHappens(t *testing.T) {
	t.Parallel()
	t.Run("who asked hangs up", func(t *testing.T) {
		t.Parallel()
		c, s, _, id := removing(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		s.afterSave = cancel
		_, err := c.engine.Catalogue().Update(ctx, removeFirst)
		require.NoError(t, err)
		c.requireStatus(t, id, dsr.StatusApproved)
	})
	t.Run("the keyring is down", func(t *testing.T) {
		t.Parallel()
		ring := &failingRing{}
		c, s, _, id := removing(t, func(config *dsr.Config) { ring.Keyring, config.Keyring = config.Keyring, ring })
		s.afterSave = func() { ring.down = true }
		_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
			d.Connections["web"].Secrets = dsr.Secrets{"url": "there"} // which it is asked for
			return removeFirst(d)
		})
		require.NoError(t, err)
		require.Contains(t, c.logs.String(), "the catalogue was changed, but cannot be used yet")
		c.requireStatus(t, id, dsr.StatusApproved)
	})
	for name, again := range map[string]func(*configurable){
		"it goes on":        func(*configurable) {},
		"it starts anew":    func(c *configurable) { c.engine = newEngine(t, c.config) },
		"it has looked ere": func(c *configurable) { c.sends(t) },
	} {
		t.Run("the process never hears that it was stored, and "+name, func(t *testing.T) {
			t.Parallel()
			c, s, _, id := removing(t, nil)
			c.sends(t)
			s.lost = true
			_, err := c.engine.Catalogue().Update(t.Context(), removeFirst)
			require.ErrorIs(t, err, errKilled)
			c.requireStatus(t, id, dsr.StatusAwaitingPreApproval)
			again(c)
			c.sends(t)
			c.requireStatus(t, id, dsr.StatusApproved)
		})
	}
	t.Run("requests cannot be read for a moment", func(t *testing.T) {
		t.Parallel()
		c, s, _, id := removing(t, nil)
		c.sends(t)
		s.afterSave = func() { s.down = true }
		_, err := c.engine.Catalogue().Update(t.Context(), removeFirst)
		require.NoError(t, err)
		require.Contains(t, c.logs.String(), "could go on yet: they are looked for again")
		_, err = c.engine.Messages().Send(t.Context())
		require.ErrorIs(t, err, errKilled)
		s.down = false
		c.sends(t)
		c.requireStatus(t, id, dsr.StatusApproved)
	})
	t.Run("another request cannot be read", func(t *testing.T) {
		t.Parallel()
		c, _, _, id := removing(t, nil)
		other := c.submits(t, dsr.StatusAwaitingPreApproval)
		rec, err := c.store.Request(t.Context(), other)
		require.NoError(t, err)
		rec.State = []byte("{")
		rec.Version++
		require.NoError(t, c.store.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: rec.Version - 1, Record: *rec}))
		_, err = c.engine.Catalogue().Update(t.Context(), removeFirst)
		require.NoError(t, err)
		c.requireStatus(t, id, dsr.StatusApproved)
		require.Contains(t, c.logs.String(), "a request cannot be read and is passed over")
	})
}

// An answer that is stored just when the other hook is removed lets the request go
// on: who removed it has looked before, and who answers looks again.
func TestAnswerMeetsTheRemovalOfAHook(t *testing.T) {
	t.Parallel()
	answered := func(t *testing.T, meanwhile func(*interposed)) (*configurable, string, *dsr.Request) {
		c := newConfigurable(t)
		s := &interposed{Store: c.config.Store}
		c.gated(t, nil, "pa1", "pa2")
		id := c.submits(t, dsr.StatusAwaitingPreApproval)
		c.sends(t) // both are asked, and answer later
		config := c.config
		config.Store = s
		other := &configurable{world: c.world, config: config, engine: newEngine(t, config)}
		s.beforeCommit = func() {
			_, err := c.engine.Catalogue().Update(t.Context(), removeFirst)
			require.NoError(t, err)
			c.requireStatus(t, id, dsr.StatusAwaitingPreApproval)
			other.sends(t)
			meanwhile(s)
		}
		req, err := other.engine.Requests().PreApproval(t.Context(), id, "pa2", true, dsr.By{})
		require.NoError(t, err)
		return other, id, req
	}
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		c, id, req := answered(t, func(*interposed) {})
		require.Equal(t, dsr.StatusApproved, req.Status)
		c.requireStatus(t, id, dsr.StatusApproved)
	})
	t.Run("later, where the store fails", func(t *testing.T) {
		t.Parallel()
		var s *interposed
		c, id, req := answered(t, func(store *interposed) {
			s = store
			s.afterCommit = func() { s.down = true }
		})
		require.Equal(t, dsr.StatusAwaitingPreApproval, req.Status)
		require.Equal(t, map[string]bool{"pa2": true}, req.PreApproval, "the answer is stored")
		s.down = false
		c.sends(t)
		c.requireStatus(t, id, dsr.StatusApproved)
	})
}

// All requests that wait are read only where there may be something to find: when
// the catalogue has changed, and once a day.
func TestRequestsThatWaitForRemovedHooksAreLookedForWithReason(t *testing.T) {
	t.Parallel()
	c, s, now, _ := removing(t, nil)
	looks := func() (n int) {
		t.Helper()
		s.lists = nil
		c.sends(t)
		for _, of := range s.lists {
			if of == fmt.Sprint([]dsr.Status{dsr.StatusAwaitingPreApproval}) {
				n++
			}
		}
		return n
	}
	require.Equal(t, 1, looks(), "it has just started")
	require.Zero(t, looks())
	now.add(23 * time.Hour)
	require.Zero(t, looks())
	now.add(time.Hour)
	require.Equal(t, 1, looks(), "a day has passed")
	c.update(t, func(d *dsr.Definitions) { d.Connections["web"].Name = "renamed" })
	require.Equal(t, 1, looks(), "the catalogue has changed")
	require.Zero(t, looks())
	c = newConfigurable(t)
	s.Store, c.config.Store = c.config.Store, s
	c.engine = newEngine(t, c.config)
	require.Zero(t, looks(), "there is no catalogue")
}
