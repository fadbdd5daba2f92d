package pgstoretest

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/dbtest"
)

// A server that crashed and is there again is used at once, though the pool
// holds connections to the one before.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	server, err := dbtest.StartPostgres("", nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	pool := openPool(t, server.DSN(""))
	s := openStore(t, pool)
	create(t, s, dsr.Record{ID: "r1"})
	for i, end := range []func() error{server.Kill, server.Stop} {
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() { _, _ = s.Request(t.Context(), "r1") })
		}
		group.Wait()
		require.Positive(t, pool.Stat().TotalConns())
		require.NoError(t, end())
		_, err := s.Request(t.Context(), "r1")
		require.ErrorContains(t, err, "failed to connect")
		err = s.Commit(t.Context(), &dsr.StoreChange{Record: dsr.Record{ID: "r2", Version: 1}})
		require.ErrorContains(t, err, "failed to connect")

		require.NoError(t, server.Start())
		for range 8 {
			group.Go(func() { _, _ = s.Request(t.Context(), "r1") })
		}
		group.Wait()
		require.NoError(t, server.Kill())
		require.NoError(t, server.Start())
		version := int64(i + 2)
		require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: version - 1, Record: dsr.Record{ID: "r1", Version: version}}))
		r, err := s.Request(t.Context(), "r1")
		require.NoError(t, err)
		require.Equal(t, version, r.Version)
	}
}
