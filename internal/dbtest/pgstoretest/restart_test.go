package pgstoretest

import (
	"context"
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
		for name, err := range everyMethod(t.Context(), s) {
			require.ErrorIs(t, err, dsr.ErrUnavailable, name)
		}

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

// everyMethod calls all methods of a store and returns their errors.
func everyMethod(ctx context.Context, s dsr.Store) map[string]error {
	errs := map[string]error{
		"Commit":         s.Commit(ctx, &dsr.StoreChange{Record: dsr.Record{ID: "r2", Version: 1}}),
		"SaveCheckpoint": s.SaveCheckpoint(ctx, &dsr.Checkpoint{Seq: 1}),
		"SaveMessages":   s.SaveMessages(ctx, []dsr.MessageChange{{Message: dsr.Message{ID: "m", Version: 1}}}),
	}
	_, errs["Request"] = s.Request(ctx, "r1")
	_, errs["Requests"] = s.Requests(ctx, dsr.RecordQuery{})
	_, errs["CountRequests"] = s.CountRequests(ctx, dsr.RecordQuery{})
	_, errs["Journal"] = s.Journal(ctx, "r1", 0, 0)
	_, errs["Events"] = s.Events(ctx, "r1", 0, 0)
	_, errs["AuditEntries"] = s.AuditEntries(ctx, "", dsr.AuditPlace{}, 0)
	_, errs["UnsignedHeads"] = s.UnsignedHeads(ctx, 0)
	_, errs["Checkpoints"] = s.Checkpoints(ctx, 0, 0)
	_, errs["Messages"] = s.Messages(ctx, dsr.MessageQuery{})
	_, errs["SaveEntries"] = s.SaveEntries(ctx, []dsr.EntryChange{{Entry: dsr.Entry{Kind: "k", Key: "e", Version: 1, Data: []byte("d")}}})
	_, errs["Entries"] = s.Entries(ctx, dsr.EntryQuery{})
	_, errs["CatalogueVersion"] = s.CatalogueVersion(ctx)
	return errs
}
