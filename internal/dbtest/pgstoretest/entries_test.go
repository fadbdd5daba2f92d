package pgstoretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

func TestRefusedEntries(t *testing.T) {
	t.Parallel()
	s := openStore(t, newPool(t))
	const text = " holds a zero byte or is no UTF-8, which PostgreSQL cannot store"
	for want, e := range map[string]dsr.Entry{
		`pgstore: entry "" of kind "k": an entry without a kind or a key cannot be stored`: {Kind: "k", Version: 1},
		`pgstore: entry "e" of kind "k": version 2 cannot follow version 0: want 1`:        {Kind: "k", Key: "e", Version: 2},
		`pgstore: entry "\x00" of kind "k": its key` + text:                                {Kind: "k", Key: "\x00", Version: 1},
		`pgstore: entry "e" of kind "\xff": its kind` + text:                               {Kind: "\xff", Key: "e", Version: 1, Plain: true},
	} {
		version, err := s.SaveEntries(t.Context(), []dsr.EntryChange{{Entry: e}})
		require.EqualError(t, err, want)
		require.Zero(t, version)
	}
	for _, q := range []dsr.EntryQuery{{Kind: "\x00"}, {Key: "\xff"}} {
		list, err := s.Entries(t.Context(), q)
		require.NoError(t, err)
		require.Empty(t, list)
	}
	_, err := s.Entries(t.Context(), dsr.EntryQuery{After: &dsr.EntryPlace{Kind: "k", Key: "\xff"}})
	require.EqualError(t, err, `pgstore: entries: entry "\xff" of kind "k", after which to list: dsr: not found`)
}

// Who makes a version of the catalogue waits for the one before; who saves a
// plain entry does not.
func TestVersionsWaitForEachOther(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	s := openStore(t, pool)
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "UPDATE dsr.catalogue SET version = version + 1")
	require.NoError(t, err)
	type result struct {
		version int64
		err     error
	}
	done := make(chan result, 1)
	go func() {
		version, err := s.SaveEntries(t.Context(), []dsr.EntryChange{{Entry: dsr.Entry{Kind: "k", Key: "v", Version: 1}}})
		done <- result{version, err}
	}()
	require.Eventually(t, func() bool {
		var waiting int
		err := pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting)
		return err == nil && waiting == 1
	}, 5*time.Minute, 5*time.Millisecond)
	version, err := s.SaveEntries(t.Context(), []dsr.EntryChange{{Entry: dsr.Entry{Kind: "k", Key: "p", Version: 1, Plain: true}}})
	require.NoError(t, err)
	require.Zero(t, version)
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, result{2, nil}, <-done)
}
