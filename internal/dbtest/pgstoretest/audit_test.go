package pgstoretest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// chain makes entries of a request's trail.
func chain(id string, from, to int64) (entries []dsr.AuditEntry) {
	for seq := from; seq <= to; seq++ {
		entries = append(entries, dsr.AuditEntry{
			RequestID: id, Seq: seq, Time: minute(int(seq)), Action: "approved", Actor: "actor",
			Details: map[string]string{"why": fmt.Sprint(seq, "\x00é")},
			Prev:    fmt.Append(nil, "hash", seq-1), Hash: fmt.Append(nil, "hash", seq), MAC: []byte("mac"),
		})
	}
	return entries
}

func head(id string, seq int64) dsr.AuditHead {
	return dsr.AuditHead{RequestID: id, Seq: seq, Hash: fmt.Append(nil, "hash", seq)}
}

func TestAuditTrail(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s dsr.Store) {
		var all []dsr.AuditEntry
		for _, id := range []string{"B", "a", "b", "é"} { // in the order of their bytes
			entries := chain(id, 1, 3)
			entries[1].Details, entries[1].Prev, entries[1].Actor = nil, nil, ""
			all = append(all, entries...)
			require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{Record: dsr.Record{ID: id, Version: 1}, Audit: entries}))
		}
		for _, test := range []struct {
			id    string
			after dsr.AuditPlace
			limit int
			want  []dsr.AuditEntry
		}{
			{"", dsr.AuditPlace{}, 0, all},
			{"", dsr.AuditPlace{}, 5, all[:5]},
			{"", dsr.AuditPlace{RequestID: "a", Seq: 2}, 2, all[5:7]},
			{"", dsr.AuditPlace{RequestID: "a", Seq: 3}, 1, all[6:7]},
			{"", dsr.AuditPlace{RequestID: "aa"}, 0, all[6:]},
			{"", dsr.AuditPlace{RequestID: "é", Seq: 3}, 0, nil},
			{"b", dsr.AuditPlace{}, 0, all[6:9]},
			{"b", dsr.AuditPlace{RequestID: "b", Seq: 1}, 1, all[7:8]},
			{"b", dsr.AuditPlace{RequestID: "a", Seq: 9}, 0, all[6:9]},
			{"b", dsr.AuditPlace{RequestID: "é"}, 0, nil},
			{"none", dsr.AuditPlace{}, 0, nil},
		} {
			got, err := s.AuditEntries(t.Context(), test.id, test.after, test.limit)
			require.NoError(t, err)
			require.Equal(t, test.want, got, "%+v", test)
		}
	})
}

func TestAuditNumbersFollow(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s dsr.Store) {
		version := int64(0)
		commit := func(entries ...dsr.AuditEntry) error {
			err := s.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: version, Record: dsr.Record{ID: "r1", Version: version + 1}, Audit: entries})
			if err == nil {
				version++
			}
			return err
		}
		require.ErrorIs(t, commit(chain("r1", 2, 2)...), dsr.ErrConflict)
		require.NoError(t, commit(chain("r1", 1, 2)...))
		for _, wrong := range []int64{1, 2, 4, 9} {
			require.ErrorIs(t, commit(chain("r1", wrong, wrong)...), dsr.ErrConflict, wrong)
		}
		require.ErrorContains(t, commit(chain("r1", 0, 0)...), `request "r1": audit entry 0 is out of order`)
		require.ErrorContains(t, commit(chain("r1", 3, 3)[0], chain("r1", 5, 5)[0]), "audit entry 5 is out of order")
		require.ErrorContains(t, commit(chain("r2", 3, 3)...), `audit entry 3 is that of request "r2"`)
		broken := chain("r1", 3, 3)
		broken[0].Details = map[string]string{"why": "\xff"}
		require.ErrorContains(t, commit(broken...), "its details hold a text that is no UTF-8")
		require.NoError(t, commit(chain("r1", 3, 1203)...))
		r, err := s.Request(t.Context(), "r1")
		require.NoError(t, err)
		require.EqualValues(t, 2, r.Version)
		entries, err := s.AuditEntries(t.Context(), "r1", dsr.AuditPlace{}, 0)
		require.NoError(t, err)
		require.Equal(t, chain("r1", 1, 1203), entries)
	})
}

func TestCheckpoints(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s dsr.Store) {
		unsigned := func(limit int) []dsr.AuditHead {
			heads, err := s.UnsignedHeads(t.Context(), limit)
			require.NoError(t, err)
			return heads
		}
		var all []dsr.AuditHead
		for i := range 520 { // more than one statement signs
			id := fmt.Sprintf("r%04d", i)
			require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{Record: dsr.Record{ID: id, Version: 1}, Audit: chain(id, 1, 2)}))
			all = append(all, head(id, 2))
		}
		require.Equal(t, all, unsigned(0))
		require.Equal(t, all[:7], unsigned(7))

		first := dsr.Checkpoint{Seq: 1, Time: minute(1), Heads: all[:510], Hash: []byte("h1"), Signature: []byte("s1")}
		second := dsr.Checkpoint{Seq: 2, Time: minute(2), Prev: []byte("h1"), Heads: all[510:511], Hash: []byte("h2")}
		require.ErrorIs(t, s.SaveCheckpoint(t.Context(), &second), dsr.ErrConflict)
		require.ErrorIs(t, s.SaveCheckpoint(t.Context(), &dsr.Checkpoint{}), dsr.ErrConflict)
		require.NoError(t, s.SaveCheckpoint(t.Context(), &first))
		require.ErrorIs(t, s.SaveCheckpoint(t.Context(), &first), dsr.ErrConflict)
		require.Equal(t, all[510:], unsigned(0))
		require.NoError(t, s.SaveCheckpoint(t.Context(), &second))
		require.Equal(t, all[511:], unsigned(0))

		for _, test := range []struct {
			after int64
			limit int
			want  []dsr.Checkpoint
		}{
			{0, 0, []dsr.Checkpoint{first, second}},
			{0, 1, []dsr.Checkpoint{first}},
			{1, 5, []dsr.Checkpoint{second}},
			{0, -1, []dsr.Checkpoint{second}},
			{2, 0, nil},
		} {
			got, err := s.Checkpoints(t.Context(), test.after, test.limit)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		}

		// A chain that grew is unsigned again, and no older or invented head
		// signs it.
		require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{
			ExpectVersion: 1, Record: dsr.Record{ID: "r0000", Version: 2}, Audit: chain("r0000", 3, 3),
		}))
		require.Equal(t, head("r0000", 3), unsigned(1)[0])
		require.NoError(t, s.SaveCheckpoint(t.Context(), &dsr.Checkpoint{
			Seq: 3, Heads: []dsr.AuditHead{head("nobody", 1), head("r0000", 1), head("r0515", 9)},
		}))
		require.Equal(t, append([]dsr.AuditHead{head("r0000", 3)}, all[511:]...), unsigned(0))

		// Of many that save at once, one does.
		errs := make([]error, 10)
		var group sync.WaitGroup
		for i := range errs {
			group.Go(func() {
				errs[i] = s.SaveCheckpoint(t.Context(), &dsr.Checkpoint{Seq: 4, Hash: fmt.Append(nil, i), Heads: []dsr.AuditHead{head("r0000", 3)}})
			})
		}
		group.Wait()
		won := 0
		for i, err := range errs {
			if err != nil {
				require.ErrorIs(t, err, dsr.ErrConflict)
				continue
			}
			won++
			last, err := s.Checkpoints(t.Context(), 0, -1)
			require.NoError(t, err)
			require.Equal(t, fmt.Append(nil, i), last[0].Hash)
		}
		require.Equal(t, 1, won)
	})
}

// A removed request leaves its audit trail and nothing else, and its ID may
// come again.
func TestRemoval(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s dsr.Store) {
		full := func() *dsr.StoreChange {
			return &dsr.StoreChange{
				Record: dsr.Record{
					ID: "r1", Version: 1, Epoch: 1, ExternalID: "x", Lookup: [][]byte{[]byte("hash")}, Keys: map[string][]byte{"k": []byte("w")},
					Plan: []byte("p"), Outcomes: []byte("o"),
				},
				AppendJournal: []dsr.JournalChunk{{Sealed: []byte("s"), Applied: true}}, Events: []dsr.Event{{Kind: "x"}}, Audit: chain("r1", 1, 2),
			}
		}
		remove := func(version int64, audit ...dsr.AuditEntry) error {
			return s.Commit(t.Context(), &dsr.StoreChange{
				ExpectVersion: version, Remove: true, Record: dsr.Record{ID: "r1", Version: version + 1, Epoch: 1}, Audit: audit,
			})
		}
		require.NoError(t, remove(0), "what is not there")
		require.NoError(t, s.Commit(t.Context(), full()))
		other := full()
		other.Record.ID, other.Audit = "r2", nil
		require.NoError(t, s.Commit(t.Context(), other))
		for _, wrong := range []int64{0, 2} {
			require.ErrorIs(t, remove(wrong), dsr.ErrConflict)
		}
		require.ErrorIs(t, remove(1, chain("r1", 9, 9)...), dsr.ErrConflict)
		_, err := s.Request(t.Context(), "r1")
		require.NoError(t, err, "a removal whose audit entry is refused removes nothing")
		require.NoError(t, remove(1, chain("r1", 3, 3)...))
		require.NoError(t, remove(1))
		require.NoError(t, remove(7))

		_, err = s.Request(t.Context(), "r1")
		require.ErrorIs(t, err, dsr.ErrNotFound)
		list, err := s.Requests(t.Context(), dsr.RecordQuery{Lookup: [][]byte{[]byte("hash")}})
		require.NoError(t, err)
		require.Equal(t, []string{"r2"}, ids(list, func(r *dsr.Record) string { return r.ID }))
		trail, err := s.AuditEntries(t.Context(), "r1", dsr.AuditPlace{}, 0)
		require.NoError(t, err)
		require.Equal(t, chain("r1", 1, 3), trail)
		heads, err := s.UnsignedHeads(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, []dsr.AuditHead{head("r1", 3)}, heads)

		again := full()
		again.Record.Keys, again.Record.Plan, again.Record.Lookup, again.AppendJournal, again.Events = nil, nil, nil, nil, nil
		again.Audit = chain("r1", 1, 1)
		require.ErrorIs(t, s.Commit(t.Context(), again), dsr.ErrConflict, "its trail goes on")
		again.Audit = chain("r1", 4, 4)
		require.NoError(t, s.Commit(t.Context(), again))
		r, err := s.Request(t.Context(), "r1")
		require.NoError(t, err)
		require.Equal(t, again.Record, *r)
		chunks, err := s.Journal(t.Context(), "r1", 0, 0)
		require.NoError(t, err)
		require.Empty(t, chunks)
		events, err := s.Events(t.Context(), "r1", 0, 0)
		require.NoError(t, err)
		require.Empty(t, events)
		r, err = s.Request(t.Context(), "r2")
		require.NoError(t, err)
		require.Equal(t, map[string][]byte{"k": []byte("w")}, r.Keys)
	})
}

// A store that can no longer reach its database says so, every time.
func TestClosed(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s dsr.Store) {
		ctx := t.Context()
		switch closer := s.(type) {
		case interface{ Close() error }:
			require.NoError(t, closer.Close())
			require.NoError(t, closer.Close())
		default:
			pool := newPool(t)
			s = openStore(t, pool)
			pool.Close()
			pool.Close()
		}
		var errs []error
		add := func(err error) { errs = append(errs, err) }
		add(s.Commit(ctx, &dsr.StoreChange{Record: dsr.Record{ID: "r1", Version: 1}}))
		add(s.SaveCheckpoint(ctx, &dsr.Checkpoint{Seq: 1}))
		_, err := s.Request(ctx, "r1")
		add(err)
		_, err = s.Requests(ctx, dsr.RecordQuery{})
		add(err)
		_, err = s.CountRequests(ctx, dsr.RecordQuery{})
		add(err)
		_, err = s.Journal(ctx, "r1", 0, 0)
		add(err)
		_, err = s.Events(ctx, "r1", 0, 0)
		add(err)
		_, err = s.AuditEntries(ctx, "", dsr.AuditPlace{}, 0)
		add(err)
		_, err = s.UnsignedHeads(ctx, 0)
		add(err)
		_, err = s.Checkpoints(ctx, 0, 0)
		add(err)
		for i, err := range errs {
			require.ErrorContains(t, err, "closed", i)
			require.False(t, errors.Is(err, dsr.ErrNotFound) || errors.Is(err, dsr.ErrConflict), i)
		}
	})
}
