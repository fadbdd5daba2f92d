package dsr_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/seal"
)

// sealed is a copy of something that was sealed, as a thief would have it.
type sealed struct {
	name   string
	bound  string // what it is bound to
	stream bool
	data   []byte
}

// sealedContext is what the engine binds a thing of r1 to.
func sealedContext(of string) []byte { return []byte("dsr/1\x00r1\x00" + of) }

// copySealed copies everything sealed of r1, wherever it lies.
func (o *office) copySealed(t testing.TB) []sealed {
	t.Helper()
	rec, err := o.store.Request(t.Context(), "r1")
	require.NoError(t, err)
	all := []sealed{
		{name: "identity", bound: "identity", data: rec.Identity},
		{name: "details", bound: "details", data: rec.Details},
	}
	chunks, err := o.store.Journal(t.Context(), "r1", 0, 0)
	require.NoError(t, err)
	for _, chunk := range chunks {
		all = append(all, sealed{name: "journal of " + chunk.Step, bound: "journal " + chunk.Step, data: chunk.Sealed})
	}
	o.spool.mu.Lock()
	defer o.spool.mu.Unlock()
	for part, data := range o.spool.seen {
		all = append(all, sealed{name: "spool " + part, bound: part, stream: true, data: bytes.Clone(data.Bytes())})
	}
	return all
}

// opens tries every copy with every key that the store still has of r1 and the
// keyring unwraps, and lists what opens.
func (o *office) opens(t testing.TB, copies []sealed) []string {
	t.Helper()
	var keys [][]byte
	rec, err := o.store.Request(t.Context(), "r1")
	if !errors.Is(err, dsr.ErrNotFound) {
		require.NoError(t, err)
		for _, wrapped := range rec.Keys {
			for _, purpose := range []string{"identity", "inputs", "spool", "journal", "details"} {
				if key, err := o.keyring.Unwrap(t.Context(), wrapped, sealedContext(purpose)); err == nil {
					keys = append(keys, key)
				}
			}
		}
	}
	opened := []string{}
	for _, c := range copies {
		for _, key := range keys {
			if c.open(key) {
				opened = append(opened, c.name)
			}
		}
	}
	slices.Sort(opened)
	return opened
}

func (c sealed) open(key []byte) bool {
	if !c.stream {
		_, err := seal.Open(key, c.data, sealedContext(c.bound))
		return err == nil
	}
	r, err := seal.NewReader(io.NopCloser(bytes.NewReader(c.data)), key, sealedContext(c.bound))
	if err != nil {
		return false
	}
	_, err = io.ReadAll(r)
	return err == nil
}

func namesOf(copies []sealed) []string {
	var names []string
	for _, c := range copies {
		names = append(names, c.name)
	}
	slices.Sort(names)
	return names
}

// spooling is an office whose rows are too large to stay in memory.
func spooling(t *testing.T, flow dsr.Flow, rules dsr.Retention) *office {
	t.Helper()
	o := newOffice(t, flow, func(c *dsr.Config) { c.Retention = rules })
	o.db().Update("visits", func(row map[string]any) {
		if row["id"] == int64(20) {
			row["page"] = strings.Repeat("long ", 20_000)
		}
	})
	s := submission("both", "ada@example.com")
	s.By = clerk
	o.submitted(t, s)
	return o
}

// What is shredded cannot be opened again, by whoever copied it and has the
// keyring and all that the store still holds.
func TestShreddedCannotBeOpened(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	o := spooling(t, dsr.Flow{Finalization: true}, dsr.Retention{Journals: day, Identities: 2 * day, Requests: 3 * day})
	var copies []sealed
	ctx, hit := at(t.Context(), "at erase", func() { copies = o.copySealed(t) })
	_, err := o.Advance(ctx, "r1")
	require.NoError(t, err)
	require.True(t, *hit)
	journal := []string{"journal of shop:customers", "journal of shop:orders", "journal of shop:visits"}
	people := []string{"details", "identity"}
	spool := slices.DeleteFunc(namesOf(copies), func(name string) bool { return !strings.HasPrefix(name, "spool ") })
	require.NotEmpty(t, spool)
	require.Equal(t, slices.Concat(people, journal, spool), namesOf(copies))
	large := slices.IndexFunc(copies, func(c sealed) bool { return c.stream && len(c.data) > 100_000 })
	require.GreaterOrEqual(t, large, 0, "collected rows are among the copies")

	o.requireStatus(t, "r1", dsr.StatusRequiresFinalization)
	require.Equal(t, slices.Concat(people, journal), o.opens(t, copies), "the rows go with the work")
	o.done(t, o.Finalize, "r1", dsr.StatusComplete)
	require.Equal(t, slices.Concat(people, journal), o.opens(t, copies))
	copies = append(copies, o.copySealed(t)[1]) // what was said by then
	people = []string{"details", "details", "identity"}
	for _, want := range [][]string{people, {}, {}} {
		o.clock.add(day - time.Microsecond)
		before := o.opens(t, copies)
		o.advanced(t, "r1", dsr.StatusComplete)
		require.Equal(t, before, o.opens(t, copies))
		o.clock.add(time.Microsecond)
		o.advanced(t, "r1", dsr.StatusComplete)
		require.Equal(t, want, o.opens(t, copies))
	}
	found, err := o.FindByIdentity(t.Context(), "email", "ada@example.com")
	require.NoError(t, err)
	require.Empty(t, found)
	_, err = o.Get(t.Context(), "r1")
	require.ErrorIs(t, err, dsr.ErrNotFound)
	o.sound(t)
}

// All copies open at the moment in which all is there, so that the test above
// can fail.
func TestSealedOpensBefore(t *testing.T) {
	t.Parallel()
	o := spooling(t, dsr.Flow{}, dsr.Retention{})
	ctx, hit := at(t.Context(), "at erase", func() {
		copies := o.copySealed(t)
		require.Equal(t, namesOf(copies), o.opens(t, copies))
	})
	_, err := o.Advance(ctx, "r1")
	require.NoError(t, err)
	require.True(t, *hit)
}

// Every way out of the work shreds what was collected.
func TestCollectedRowsAreShredded(t *testing.T) {
	t.Parallel()
	people := []string{"details", "identity"}
	for _, c := range []struct {
		name string
		out  func(o *office) dsr.Verb
	}{
		{"canceled", func(o *office) dsr.Verb { return o.Cancel }},
		{"deleted", func(o *office) dsr.Verb { return o.Delete }},
		{"resubmitted", func(o *office) dsr.Verb { return o.Resubmit }},
		{"expired", func(o *office) dsr.Verb {
			return func(ctx context.Context, id string, by dsr.By) (*dsr.Request, error) {
				if _, err := o.Pause(ctx, id, by); err != nil {
					return nil, err
				}
				o.clock.add(time.Hour)
				return o.Advance(ctx, id)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := spooling(t, dsr.Flow{}, dsr.Retention{Collected: time.Hour})
			var copies []sealed
			o.interrupted(t, "before erase", func() {
				copies = o.copySealed(t)
				require.Equal(t, namesOf(copies), o.opens(t, copies))
				_, err := c.out(o)(t.Context(), "r1", clerk)
				require.NoError(t, err)
			})
			require.Greater(t, len(copies), 5)
			require.Equal(t, people, o.opens(t, copies))
			require.Empty(t, o.spool.left(t))
			chunks, err := o.store.Journal(t.Context(), "r1", 0, 0)
			require.NoError(t, err)
			require.Empty(t, chunks)
		})
	}
}

// Without a rule a journal is shredded in the commit that ends the request.
func TestJournalGoesWithTheEnd(t *testing.T) {
	t.Parallel()
	o := spooling(t, dsr.Flow{}, dsr.Retention{})
	var copies []sealed
	ctx, hit := at(t.Context(), "before done", func() {
		copies = o.copySealed(t)
		require.Contains(t, o.opens(t, copies), "journal of shop:visits")
	})
	_, err := o.Advance(ctx, "r1")
	require.NoError(t, err)
	require.True(t, *hit)
	require.Equal(t, []string{"details", "identity"}, o.opens(t, copies))
}
