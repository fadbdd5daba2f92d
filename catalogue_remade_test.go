package dsr_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// interruptedStore lets another process do something after one of the reads of the
// catalogue.
type interruptedStore struct {
	dsr.Store
	mu    sync.Mutex
	reads int
	after int
	do    func()
}

func (s *interruptedStore) read() {
	s.mu.Lock()
	s.reads++
	now := s.reads == s.after
	s.mu.Unlock()
	if now {
		s.do()
	}
}

func (s *interruptedStore) Entries(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
	list, err := s.Store.Entries(ctx, q)
	s.read()
	return list, err
}

func (s *interruptedStore) CatalogueVersion(ctx context.Context) (int64, error) {
	v, err := s.Store.CatalogueVersion(ctx)
	s.read()
	return v, err
}

// madeAnew removes the connection of the shop and makes another one under its key.
func (c *configurable) madeAnew(t testing.TB) {
	c.update(t, func(d *dsr.Definitions) { delete(d.Datasets, "shop"); delete(d.Connections, "db") })
	c.update(t, func(d *dsr.Definitions) {
		d.Connections["db"] = &dsr.ConnectionDefinition{
			Defined: dsr.Defined{Key: "db"}, Type: "shop", ReadOnly: true, Secrets: dsr.Secrets{"host": "elsewhere", "password": "newer"},
		}
	})
}

// interruptedAnywhere calls do with an engine of another process, for every read of
// the catalogue that do makes, after which the connection is made anew.
func interruptedAnywhere(t *testing.T, do func(t *testing.T, c *configurable, other *dsr.Engine)) {
	t.Helper()
	for after := 1; ; after++ {
		interrupted := false
		t.Run(fmt.Sprint("read ", after), func(t *testing.T) {
			c := newConfigurable(t)
			var ticks atomic.Int64 // what is made later has another time
			clock := c.config.Clock
			c.config.Clock = func() time.Time { return clock().Add(time.Duration(ticks.Add(1)) * time.Millisecond) }
			paired := map[string]bool{"here": false, "elsewhere": true}
			c.connects(t, func(s dsr.ConnectionSettings) (dsr.Connector, error) {
				if paired[s.Secrets["host"]] != s.ReadOnly {
					t.Error("a connection was opened with the secrets of another one")
				}
				return &countedConnector{Connector: c.db(), closed: &c.closed}, nil
			})
			c.update(t, shopDefined)
			store := &interruptedStore{Store: c.config.Store, do: func() { interrupted = true; c.madeAnew(t) }}
			config := c.config
			config.Store = store
			other := newEngine(t, config)
			store.after = after + store.reads
			do(t, c, other)
		})
		if !interrupted {
			require.Greater(t, after, 2, "it never was interrupted")
			return
		}
	}
}

// Secrets of a connection that is made anew while all are sealed anew are its own,
// not those of the one before.
func TestSecretsSealedAnewBringNoneBack(t *testing.T) {
	t.Parallel()
	interruptedAnywhere(t, func(t *testing.T, c *configurable, other *dsr.Engine) {
		require.NoError(t, other.Catalogue().Rewrap(t.Context()))
		defs, err := c.engine.Catalogue().Read(t.Context())
		require.NoError(t, err)
		want := dsr.Secrets{"host": "here", "password": "s3cret-canary"}
		if defs.Connections["db"].ReadOnly {
			want = dsr.Secrets{"host": "elsewhere", "password": "newer"}
		}
		secrets, err := c.engine.Catalogue().Secrets(t.Context(), dsr.CatalogueConnection, "db")
		require.NoError(t, err)
		require.Equal(t, want, secrets)
	})
}

// What a connection was is never opened with the secrets of what took its key.
func TestConnectionsAreOpenedWithTheirOwnSecrets(t *testing.T) {
	t.Parallel()
	interruptedAnywhere(t, func(t *testing.T, _ *configurable, other *dsr.Engine) {
		_, err := other.Catalogue().Problems(t.Context())
		require.NoError(t, err)
	})
}
