package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// connects replaces what makes the connectors of a configurable.
func (c *configurable) connects(t testing.TB, connect func(dsr.ConnectionSettings) (dsr.Connector, error)) {
	t.Helper()
	shopType := c.config.ConnectionTypes["shop"]
	shopType.Connect = connect
	c.config.ConnectionTypes = map[string]dsr.ConnectionType{"shop": shopType, "paper": c.config.ConnectionTypes["paper"]}
	c.engine = newEngine(t, c.config)
}

// A type that fails is a problem of the connections that it was to make, and of
// nothing else.
func TestTypesThatFail(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		connect func(dsr.ConnectionSettings) (dsr.Connector, error)
		want    string
	}{
		"error":  {func(dsr.ConnectionSettings) (dsr.Connector, error) { return nil, errors.New("no driver") }, "it cannot be opened: no driver"},
		"nil":    {func(dsr.ConnectionSettings) (dsr.Connector, error) { return nil, nil }, "it cannot be opened: its type made nothing"},
		"typed":  {func(dsr.ConnectionSettings) (dsr.Connector, error) { return (*countedConnector)(nil), nil }, "it cannot be opened: its type made nothing"},
		"panics": {func(s dsr.ConnectionSettings) (dsr.Connector, error) { panic(s.Secrets["password"]) }, "it cannot be opened: " + (&graph.PanicError{}).Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConfigurable(t)
			c.connects(t, test.connect)
			c.update(t, shopDefined)
			require.Equal(t, []string{"connection db: " + test.want, `dataset shop: connection "db": ` + test.want}, c.problems(t))
			_, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
			var fault *graph.FaultError
			require.ErrorAs(t, err, &fault)
			require.EqualError(t, c.engine.Catalogue().Ping(t.Context(), "db"), `dsr: connection "db" cannot be used: `+test.want)
			require.NotContains(t, err.Error()+c.logs.String(), "canary")
			c.connects(t, newConfigurable(t).config.ConnectionTypes["shop"].Connect)
			require.Empty(t, c.problems(t))
		})
	}
}

// A type that never returns stops nobody for ever, and what it makes at last is
// closed.
func TestTypeThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConfigurable(t)
		good := c.config.ConnectionTypes["shop"].Connect
		c.connects(t, func(s dsr.ConnectionSettings) (dsr.Connector, error) {
			if s.Secrets["host"] == "slow" {
				<-time.After(time.Minute)
			}
			return good(s)
		})
		c.update(t, func(d *dsr.Definitions) {
			shopDefined(d)
			for _, key := range []string{"slow", "slower"} {
				d.Connections[key] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: key}, Type: "shop", Secrets: dsr.Secrets{"host": "slow"}}
			}
		})
		require.Equal(t, []string{
			"connection slow: it cannot be opened: dsr: unavailable for now: its type made nothing in time",
			"connection slower: it cannot be opened: dsr: unavailable for now: its type made nothing in time",
		}, c.problems(t))
		req, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
		require.NoError(t, err)
		req, err = c.engine.Requests().Advance(t.Context(), req.ID)
		require.NoError(t, err)
		require.Equal(t, dsr.StatusComplete, req.Status)
		<-time.After(time.Minute)
		synctest.Wait()
		require.EqualValues(t, 3, c.opened.Load())
		require.EqualValues(t, 2, c.closed.Load(), "what came too late")

		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = newEngine(t, c.config).Requests().Submit(impatient, submission("access", "ada@example.com"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		<-time.After(2 * time.Minute)
	})
}

// A connection that could not be opened is tried again by itself, later and
// later. Requests that need it wait meanwhile, if that may pass.
func TestConnectionThatComesBack(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, shopDefined)
	submitted, err := c.engine.Requests().Submit(t.Context(), submission("access", "bob@example.com"))
	require.NoError(t, err)
	planned := c.planned(t, "access", "ada@example.com")
	var down atomic.Bool
	var tries atomic.Int64
	down.Store(true)
	good := c.config.ConnectionTypes["shop"].Connect
	c.connects(t, func(s dsr.ConnectionSettings) (dsr.Connector, error) {
		tries.Add(1)
		if down.Load() {
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}
		return good(s)
	})
	ids := []string{submitted.ID, planned}
	_, err = c.engine.Requests().Retry(t.Context(), planned, dsr.By{})
	require.NoError(t, err)
	for _, id := range ids {
		req, err := c.engine.Requests().Advance(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, dsr.StatusInProcessing, req.Status)
		require.NotNil(t, req.Waiting)
		require.Contains(t, req.Waiting.Reason, `connection "db": it cannot be opened`)
		require.NotContains(t, req.Waiting.Reason, "dial")
	}
	require.EqualValues(t, 1, tries.Load())
	require.Len(t, c.problems(t), 2)
	require.EqualValues(t, 1, tries.Load(), "it is left alone for a while")
	down.Store(false)
	c.clock.add(time.Hour)
	for _, id := range ids {
		req, err := c.engine.Requests().Advance(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, dsr.StatusComplete, req.Status)
	}
	require.EqualValues(t, 2, tries.Load())
	require.Empty(t, c.problems(t))
}

// Few generations are kept that nobody uses, and what only they held is closed,
// once.
func TestIdleGenerationsAreClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConfigurable(t)
		for i := range 12 {
			c.update(t, func(d *dsr.Definitions) {
				shopDefined(d)
				d.Connections["db"].Name = fmt.Sprint("name ", i)
			})
		}
		synctest.Wait()
		require.EqualValues(t, 12, c.opened.Load())
		require.EqualValues(t, 12-1-4, c.closed.Load())
		require.NoError(t, c.engine.Close())
		require.NoError(t, c.engine.Close())
		require.EqualValues(t, 12, c.closed.Load())
		_, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
		require.EqualError(t, err, "dsr: the engine was closed")
	})
}

// What a request is being worked on with stays open until it is through.
func TestNothingIsClosedInUse(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, func(d *dsr.Definitions) {
		shopDefined(d)
		d.Policies["erase"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "erase"}, Rules: []graph.Rule{erasureRule("null_rewrite", "user.content")}}
	})
	req, err := c.engine.Requests().Submit(t.Context(), submission("erase", "ada@example.com"))
	require.NoError(t, err)
	c.db().beforeApply = func(*dsr.Chunk) {
		c.db().mu.Lock()
		c.db().beforeApply = nil
		c.db().mu.Unlock()
		for i := range 8 {
			c.update(t, func(d *dsr.Definitions) {
				d.Connections["db"].Name = fmt.Sprint("name ", i)
				d.Connections["db"].Secrets = dsr.Secrets{"host": "here"}
			})
		}
		require.NoError(t, c.engine.Close())
		require.EqualValues(t, 8, c.closed.Load(), "all but the one in use")
	}
	req, err = c.engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.NoError(t, c.engine.Close())
	require.EqualValues(t, 9, c.closed.Load())
	require.EqualValues(t, 9, c.opened.Load())
}

// closingFolder is a folder that counts its end.
type closingFolder struct {
	*storage.Folder
	closed *atomic.Int64
}

// Close implements [io.Closer].
func (f *closingFolder) Close() error { f.closed.Add(1); return nil }

// A package is found where its request left it, by a process that has never
// looked and after its destination was redefined; what reads it stays open.
func TestPackagesAtDestinationsOfTheCatalogue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConfigurable(t)
		dirs := map[string]string{"one": t.TempDir(), "two": t.TempDir()}
		var closed atomic.Int64
		c.config.DestinationTypes = map[string]dsr.DestinationType{"local": {
			Details: []dsr.SecretField{{Name: "dir", Optional: true}},
			Open: func(s dsr.DestinationSettings) (storage.Destination, error) {
				return &closingFolder{storage.NewFolder(dirs[s.Details["dir"]], nil), &closed}, nil
			},
		}}
		c.engine = newEngine(t, c.config)
		move := func(to string) {
			c.update(t, func(d *dsr.Definitions) { d.Destinations["folder"].Details = map[string]string{"dir": to} })
		}
		c.update(t, shopDefined)
		move("one")
		req, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
		require.NoError(t, err)
		_, err = c.engine.Requests().Advance(t.Context(), req.ID)
		require.NoError(t, err)
		move("two")
		c.engine = newEngine(t, c.config)
		token, _, err := newEngine(t, c.config).Downloads().Link(t.Context(), req.ID, "access", nil)
		require.NoError(t, err)
		d, err := c.engine.Downloads().Open(t.Context(), token, nil)
		require.NoError(t, err)
		for range 6 {
			move("one")
			move("two")
		}
		synctest.Wait()
		require.EqualValues(t, 12-1-4, closed.Load(), "of those that came since")
		require.NoError(t, c.engine.Close())
		require.EqualValues(t, 12, closed.Load(), "but not the one in use")
		data, err := io.ReadAll(d.Content)
		require.NoError(t, err)
		require.Contains(t, string(data), "ada@example.com")
		require.NoError(t, d.Content.Close())
		require.NoError(t, c.engine.Close())
		require.EqualValues(t, 13, closed.Load())
	})
}

// Many requests of many versions, which come and go at once, never meet what
// was closed.
func TestVersionsThatComeAndGo(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, shopDefined)
	ids := make([]string, 12)
	for i := range ids {
		c.update(t, func(d *dsr.Definitions) { d.Connections["db"].Name = fmt.Sprint("name ", i) })
		ids[i] = c.planned(t, "access", fmt.Sprintf("p%d@example.com", i))
	}
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			req, err := c.engine.Requests().Retry(t.Context(), id, dsr.By{})
			if err == nil {
				req, err = c.engine.Requests().Advance(t.Context(), id)
			}
			if err != nil || req.Status != dsr.StatusComplete {
				t.Error(err)
			}
		})
		wg.Go(func() {
			_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
				d.Connections["db"].Secrets = dsr.Secrets{"host": "here", "password": fmt.Sprint(i)}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, c.engine.Close())
	require.Equal(t, c.opened.Load(), c.closed.Load())
}

// lockedKeyring fails as long as it is locked.
type lockedKeyring struct {
	dsr.Keyring
	locked atomic.Bool
}

func (k *lockedKeyring) Unwrap(ctx context.Context, wrapped, bound []byte) ([]byte, error) {
	if k.locked.Load() {
		return nil, errors.New("the key service is down")
	}
	return k.Keyring.Unwrap(ctx, wrapped, bound)
}

// A keyring or a store that is down for a while fails no request: it goes on by
// itself in a process that runs.
func TestOutagesOfKeyringAndStore(t *testing.T) {
	t.Parallel()
	for _, which := range []string{"keyring", "store"} {
		t.Run(which, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newConfigurable(t)
				c.config.Clock = time.Now
				c.engine = newEngine(t, c.config)
				c.update(t, shopDefined)
				id := c.planned(t, "access", "ada@example.com")
				keyring := &lockedKeyring{Keyring: c.config.Keyring}
				store := &brokenEntries{Store: c.config.Store}
				c.config.Keyring, c.config.Store = keyring, store
				keyring.locked.Store(which == "keyring")
				store.broken.Store(which == "store")
				e := newEngine(t, c.config)
				_, err := c.engine.Requests().Retry(t.Context(), id, dsr.By{})
				require.NoError(t, err)
				_, err = e.Requests().Advance(t.Context(), id)
				require.Error(t, err)
				ctx, stop := context.WithCancel(t.Context())
				over := make(chan error, 1)
				go func() { over <- e.Run(ctx) }()
				<-time.After(2 * time.Minute)
				req, err := e.Requests().Get(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, dsr.StatusInProcessing, req.Status)
				keyring.locked.Store(false)
				store.broken.Store(false)
				<-time.After(30 * time.Minute)
				req, err = e.Requests().Get(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, dsr.StatusComplete, req.Status)
				stop()
				require.NoError(t, <-over)
			})
		})
	}
}

// brokenEntries is a store that gives no entries while it is broken.
type brokenEntries struct {
	dsr.Store
	broken atomic.Bool
}

func (s *brokenEntries) Entries(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
	if s.broken.Load() {
		return nil, errors.New("the database is down")
	}
	return s.Store.Entries(ctx, q)
}
