package pgstoretest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/pgstore"
)

// What is done in a change's transaction is stored if and only if the change
// is.
func TestInTx(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	execute(t, pool, "CREATE TABLE jobs (request_id text, version bigint)")
	refusal := errors.New("no more jobs")
	var refuse error
	s, err := pgstore.Open(t.Context(), pool, &pgstore.Options{InTx: func(ctx context.Context, tx pgx.Tx, ch *dsr.StoreChange) error {
		if _, err := tx.Exec(ctx, "INSERT INTO jobs VALUES ($1, $2)", ch.Record.ID, ch.Record.Version); err != nil {
			return err
		}
		var written int64
		if err := tx.QueryRow(ctx, "SELECT version FROM dsr.requests WHERE id = $1", ch.Record.ID).Scan(&written); err != nil {
			return err
		}
		if written != ch.Record.Version {
			return fmt.Errorf("the change is not written yet: version %d", written)
		}
		return refuse
	}})
	require.NoError(t, err)
	create(t, s, dsr.Record{ID: "r1"})
	require.Equal(t, []string{"r1 1"}, jobs(t, pool))

	require.ErrorIs(t, s.Commit(t.Context(), &dsr.StoreChange{Record: dsr.Record{ID: "r1", Version: 1}}), dsr.ErrConflict)
	next := &dsr.StoreChange{ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 2}}
	refuse = refusal
	err = s.Commit(t.Context(), next)
	require.ErrorIs(t, err, refusal)
	require.EqualError(t, err, `pgstore: request "r1": InTx: no more jobs`)
	require.Equal(t, []string{"r1 1"}, jobs(t, pool))
	r, err := s.Request(t.Context(), "r1")
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Version)

	refuse = nil
	require.NoError(t, s.Commit(t.Context(), next))
	require.Equal(t, []string{"r1 1", "r1 2"}, jobs(t, pool))
	execute(t, pool, "DROP TABLE jobs")
	err = s.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: 2, Record: dsr.Record{ID: "r1", Version: 3}})
	require.ErrorContains(t, err, `pgstore: request "r1": InTx: `)
	require.ErrorContains(t, err, "SQLSTATE 42P01")
	r, err = s.Request(t.Context(), "r1")
	require.NoError(t, err)
	require.EqualValues(t, 2, r.Version)
}

func jobs(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), "SELECT request_id || ' ' || version FROM jobs ORDER BY version")
	require.NoError(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return list
}
