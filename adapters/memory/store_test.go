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
	require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{Record: dsr.Record{ID: "r1", Version: 1}}))
	for want, ch := range map[string]*dsr.StoreChange{
		"memory: a request without an ID cannot be stored":                {Record: dsr.Record{Version: 1}},
		`memory: request "r1": version 3 cannot follow version 1: want 2`: {ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 3}},
		`memory: request "r1" is at version 1, not 0: ` + dsr.ErrConflict.Error(): {
			Record: dsr.Record{ID: "r1", Version: 1},
		},
		`memory: request "r1" has no journal chunk 1 to mark: ` + dsr.ErrNotFound.Error(): {
			ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 2}, Ticks: []dsr.Tick{{Seq: 1}},
		},
	} {
		require.EqualError(t, s.Commit(t.Context(), ch), want)
	}
	_, err := s.Requests(t.Context(), dsr.RequestFilter{After: "r2"})
	require.ErrorIs(t, err, dsr.ErrNotFound)
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
	}))
	r, err := s.Request(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, now.Round(0).UTC(), r.CreatedAt)
	events, err := s.Events(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, []dsr.Event{{Time: now.Round(0).UTC()}}, events)
}
