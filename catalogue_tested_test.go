package dsr_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// testedOf are the tests of the connections that there are.
func testedOf(t *testing.T, c *configurable) (tests map[string]dsr.ConnectionTest, db *dsr.ConnectionDefinition) {
	t.Helper()
	defs, err := c.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	var list []*dsr.ConnectionDefinition
	for _, d := range defs.Connections {
		list = append(list, d)
	}
	tests, err = c.engine.Catalogue().Tests(t.Context(), list...)
	require.NoError(t, err)
	return tests, defs.Connections["db"]
}

// testedEntries are the tests that the store has.
func testedEntries(t *testing.T, c *configurable) []dsr.Entry {
	t.Helper()
	list, err := c.store.Entries(t.Context(), dsr.EntryQuery{Kind: "connection-test"})
	require.NoError(t, err)
	return list
}

// How tests ended makes no version, outlasts the process, and goes with the
// connection.
func TestTestsOfConnections(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	ctx := t.Context()
	version := c.update(t, func(d *dsr.Definitions) {
		shopDefined(d)
		d.Connections["other"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "other"}, Type: "paper"}
	})
	tests, db := testedOf(t, c)
	require.Empty(t, tests)
	at := time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)
	for i, passed := range []bool{false, true, false} {
		require.NoError(t, c.engine.Catalogue().NoteTest(ctx, db, dsr.ConnectionTest{At: at.Add(time.Duration(i) * time.Hour), OK: passed}))
	}
	c.engine = newEngine(t, c.config) // another process
	last := map[string]dsr.ConnectionTest{"db": {At: at.Add(2 * time.Hour)}}
	tests, _ = testedOf(t, c)
	require.Equal(t, last, tests)
	now, err := c.store.CatalogueVersion(ctx)
	require.NoError(t, err)
	require.Equal(t, version, now)
	c.update(t, func(d *dsr.Definitions) { delete(d.Connections, "other") })
	tests, err = c.engine.Catalogue().Tests(ctx, db)
	require.NoError(t, err)
	require.Equal(t, last, tests)

	c.update(t, func(d *dsr.Definitions) { delete(d.Datasets, "shop"); delete(d.Connections, "db") })
	require.Empty(t, testedEntries(t, c))
	require.ErrorIs(t, c.engine.Catalogue().NoteTest(ctx, db, dsr.ConnectionTest{At: at, OK: true}), dsr.ErrNotFound)
	require.Empty(t, testedEntries(t, c))
	c.clock.add(time.Second)
	c.update(t, shopDefined) // another one
	require.ErrorIs(t, c.engine.Catalogue().NoteTest(ctx, db, dsr.ConnectionTest{At: at, OK: true}), dsr.ErrNotFound)
	tests, _ = testedOf(t, c)
	require.Empty(t, tests)
	tests, err = c.engine.Catalogue().Tests(ctx)
	require.NoError(t, err)
	require.Empty(t, tests)
}

// What others keep under the same name, and notes that cannot be read, are in
// the way of nobody.
func TestTestsBesideRecordsOfOthers(t *testing.T) {
	t.Parallel()
	foreign := func(kind, key, data string, plain bool) dsr.Entry {
		return dsr.Entry{Kind: kind, Key: key, Version: 1, Plain: plain, Data: []byte(data)}
	}
	for name, test := range map[string]struct {
		entry dsr.Entry
		log   string // a part of it
	}{
		"the host's tests":       {entry: foreign("test", "connection/db", "5", true)},
		"no key of a connection": {entry: foreign("connection-test", "db", "5", true)},
		"versioned":              {entry: foreign("connection-test", "connection/db", "5", false)},
		"of another connection": {
			foreign("connection-test", "connection/other", "5", true),
			`msg="how a test ended cannot be read: the connection counts as not tested" of=connection/other error="json: cannot unmarshal`,
		},
		"unreadable": {
			foreign("connection-test", "connection/db", "{", true),
			`msg="how a test ended cannot be read: the connection counts as not tested" of=connection/db error="unexpected end of JSON input"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConfigurable(t)
			var log lockedBuffer
			c.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
			c.engine = newEngine(t, c.config)
			c.update(t, func(d *dsr.Definitions) {
				shopDefined(d)
				d.Connections["other"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "other"}, Type: "paper"}
			})
			_, err := c.store.SaveEntries(t.Context(), []dsr.EntryChange{{Entry: test.entry}})
			require.NoError(t, err)
			tests, db := testedOf(t, c)
			require.Empty(t, tests)
			one, err := c.engine.Catalogue().Tests(t.Context(), db)
			require.NoError(t, err)
			require.Empty(t, one)
			if test.log == "" {
				require.NotContains(t, log.String(), "how a test ended")
			} else {
				require.Contains(t, log.String(), test.log)
			}

			c.update(t, func(d *dsr.Definitions) { delete(d.Connections, "other") })
			last := dsr.ConnectionTest{At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), OK: true}
			require.NoError(t, c.engine.Catalogue().NoteTest(t.Context(), db, last))
			if test.entry.Plain { // else there is no room for it
				tests, _ = testedOf(t, c)
				require.Equal(t, map[string]dsr.ConnectionTest{"db": last}, tests)
			}
			c.update(t, func(d *dsr.Definitions) { delete(d.Datasets, "shop"); delete(d.Connections, "db") })
		})
	}
}

// swiftStore calls before it saves, once.
type swiftStore struct {
	dsr.Store
	before func()
}

func (s *swiftStore) SaveEntries(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	return s.Store.SaveEntries(ctx, changes)
}

// A connection that is removed while it is tested leaves nothing behind, also
// where its removal meets a test that came between.
func TestConnectionsRemovedDuringATest(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	plain := c.engine.Catalogue()
	swift := &swiftStore{Store: c.config.Store}
	c.config.Store = swift
	c.engine = newEngine(t, c.config)
	remove := func(d *dsr.Definitions) error {
		delete(d.Datasets, "shop")
		delete(d.Connections, "db")
		return nil
	}
	c.update(t, shopDefined)
	_, db := testedOf(t, c)
	swift.before = func() {
		_, err := plain.Update(t.Context(), remove)
		require.NoError(t, err)
	}
	require.ErrorIs(t, c.engine.Catalogue().NoteTest(t.Context(), db, dsr.ConnectionTest{OK: true}), dsr.ErrNotFound)
	require.Empty(t, testedEntries(t, c))

	c.update(t, shopDefined)
	_, db = testedOf(t, c)
	require.NoError(t, plain.NoteTest(t.Context(), db, dsr.ConnectionTest{}))
	swift.before = func() { require.NoError(t, plain.NoteTest(t.Context(), db, dsr.ConnectionTest{OK: true})) }
	_, err := c.engine.Catalogue().Update(t.Context(), remove)
	require.NoError(t, err)
	require.Empty(t, testedEntries(t, c))
}
