package pgstoretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// message is one of request r1, in a version.
func message(id string, version int64) dsr.MessageChange {
	return dsr.MessageChange{ExpectVersion: version - 1, Message: dsr.Message{ID: id, Version: version, RequestID: "r1"}}
}

func TestRefusedMessages(t *testing.T) {
	t.Parallel()
	s := openStore(t, newPool(t))
	create(t, s, dsr.Record{ID: "r1"})
	const text = " holds a zero byte or is no UTF-8, which PostgreSQL cannot store"
	for want, m := range map[string]dsr.Message{
		"pgstore: a message without an ID cannot be stored":               {Version: 1},
		`pgstore: message "m": version 2 cannot follow version 0: want 1`: {ID: "m", Version: 2},
		`pgstore: message "m\x00": its ID` + text:                         {ID: "m\x00", Version: 1},
		`pgstore: message "m": its ID of a request` + text:                {ID: "m", Version: 1, RequestID: "\xff"},
		`pgstore: message "m": there is no request "r9": dsr: not found`:  {ID: "m", Version: 1, RequestID: "r9"},
	} {
		require.EqualError(t, s.SaveMessages(t.Context(), []dsr.MessageChange{{Message: m}}), want)
	}
	stale := s.SaveMessages(t.Context(), []dsr.MessageChange{message("m", 2)})
	require.EqualError(t, stale, `pgstore: message "m": it is not at version 1: dsr: the request was changed meanwhile`)
	require.EqualError(t, s.Commit(t.Context(), &dsr.StoreChange{
		ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 2}, Messages: []dsr.MessageChange{message("\xff", 1)},
	}), `pgstore: request "r1": message "\xff": its ID`+text)
	list, err := s.Messages(t.Context(), dsr.MessageQuery{})
	require.NoError(t, err)
	require.Empty(t, list)
	for _, q := range []dsr.MessageQuery{{ID: "\x00"}, {RequestID: "\xff"}} {
		list, err = s.Messages(t.Context(), q)
		require.NoError(t, err)
		require.Empty(t, list)
	}
}

// What saves a message waits for a removal of its request that is under way,
// and finds it gone.
func TestMessageMeetsRemoval(t *testing.T) {
	t.Parallel()
	for want, ch := range map[string]dsr.MessageChange{
		`pgstore: message "new": there is no request "r1": dsr: not found`:                       message("new", 1),
		`pgstore: message "old": it is not at version 1: dsr: the request was changed meanwhile`: message("old", 2),
	} {
		t.Run(ch.Message.ID, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t)
			s := openStore(t, pool)
			require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{
				Record: dsr.Record{ID: "r1", Version: 1}, Messages: []dsr.MessageChange{message("old", 1)},
			}))
			tx, err := pool.Begin(t.Context())
			require.NoError(t, err)
			_, err = tx.Exec(t.Context(), "DELETE FROM dsr.requests")
			require.NoError(t, err)
			done := make(chan error)
			go func() { done <- s.SaveMessages(t.Context(), []dsr.MessageChange{ch}) }()
			require.Eventually(t, func() bool {
				var waiting int
				err := pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting)
				return err == nil && waiting == 1
			}, 5*time.Minute, 5*time.Millisecond)
			require.NoError(t, tx.Commit(t.Context()))
			require.EqualError(t, <-done, want)
			list, err := s.Messages(t.Context(), dsr.MessageQuery{})
			require.NoError(t, err)
			require.Empty(t, list)
		})
	}
}
