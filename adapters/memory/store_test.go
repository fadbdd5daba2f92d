package memory_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/storetest"
)

func TestStoreConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func() (dsr.Store, error) { return memory.NewStore(), nil })
}

func TestStoreRefuses(t *testing.T) {
	t.Parallel()
	s := memory.NewStore()
	require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{Record: dsr.Record{ID: "r1", Version: 1, Epoch: 2}}))
	next := dsr.Record{ID: "r1", Version: 2, Epoch: 2}
	for want, ch := range map[string]*dsr.StoreChange{
		"memory: a request without an ID cannot be stored":                {Record: dsr.Record{Version: 1}},
		`memory: request "r1": version 3 cannot follow version 1: want 2`: {ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 3}},
		`memory: request "r1" is at version 1, not 0: ` + dsr.ErrConflict.Error(): {
			Record: dsr.Record{ID: "r1", Version: 1, Epoch: 2},
		},
		`memory: request "r1" is leased under epoch 2; the lease of epoch 1 is over: ` + dsr.ErrConflict.Error(): {
			ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 2, Epoch: 1},
		},
		`memory: request "r1" has no journal chunk 1 to mark: ` + dsr.ErrNotFound.Error(): {
			ExpectVersion: 1, Record: next, Ticks: []dsr.Tick{{Seq: 1}},
		},
		`memory: request "r1": an audit entry is of request "r2"`: {
			ExpectVersion: 1, Record: next, Audit: []dsr.AuditEntry{{RequestID: "r2", Seq: 1}},
		},
		`memory: request "r1": audit entry 3 does not follow those stored: want 2: ` + dsr.ErrConflict.Error(): {
			ExpectVersion: 1, Record: next, Audit: []dsr.AuditEntry{{RequestID: "r1", Seq: 1}, {RequestID: "r1", Seq: 3}},
		},
	} {
		require.EqualError(t, s.Commit(t.Context(), ch), want)
	}
	for want, q := range map[string]dsr.RecordQuery{
		"memory: requests cannot be sorted by \"id\"": {Sort: "id"},
		"memory: requests cannot be selected by \"id\"": {
			Times: map[dsr.TimeField]dsr.TimeRange{"id": {}},
		},
	} {
		_, err := s.Requests(t.Context(), q)
		require.ErrorContains(t, err, want)
		_, err = s.CountRequests(t.Context(), q)
		require.ErrorContains(t, err, want)
	}
	r, err := s.Request(t.Context(), "r1")
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Version)
}

// Times come back as from a durable store: in UTC, equal under ==.
func TestStoreTimes(t *testing.T) {
	t.Parallel()
	s := memory.NewStore()
	now := time.Now()
	require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{
		Record: dsr.Record{ID: "r1", Version: 1, CreatedAt: now.In(time.FixedZone("", 3600))},
		Events: []dsr.Event{{Time: now}},
		Audit:  []dsr.AuditEntry{{RequestID: "r1", Seq: 1, Time: now}},
	}))
	r, err := s.Request(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, now.Round(0).UTC(), r.CreatedAt)
	events, err := s.Events(t.Context(), "r1", 0, 0)
	require.NoError(t, err)
	require.Equal(t, []dsr.Event{{Seq: 1, Time: now.Round(0).UTC()}}, events)
	trail, err := s.AuditEntries(t.Context(), "r1", dsr.AuditPlace{}, 0)
	require.NoError(t, err)
	require.Equal(t, []dsr.AuditEntry{{RequestID: "r1", Seq: 1, Time: now.Round(0).UTC()}}, trail)
}

// Without a limit the lists of the audit trail hold everything.
func TestStoreWithoutLimits(t *testing.T) {
	t.Parallel()
	s := memory.NewStore()
	entries := []dsr.AuditEntry{{RequestID: "r1", Seq: 1}, {RequestID: "r1", Seq: 2}}
	require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{Record: dsr.Record{ID: "r1", Version: 1}, Audit: entries}))
	trail, err := s.AuditEntries(t.Context(), "", dsr.AuditPlace{}, 0)
	require.NoError(t, err)
	require.Equal(t, entries, trail)
	heads, err := s.UnsignedHeads(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, []dsr.AuditHead{{RequestID: "r1", Seq: 2}}, heads)
	require.NoError(t, s.SaveCheckpoint(t.Context(), &dsr.Checkpoint{Seq: 1}))
	require.NoError(t, s.SaveCheckpoint(t.Context(), &dsr.Checkpoint{Seq: 2, Heads: heads}))
	checkpoints, err := s.Checkpoints(t.Context(), 0, 0)
	require.NoError(t, err)
	require.Equal(t, []dsr.Checkpoint{{Seq: 1}, {Seq: 2, Heads: heads}}, checkpoints)
}
