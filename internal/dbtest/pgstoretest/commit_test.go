package pgstoretest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// onWrite makes the database run statements of PL/pgSQL before each write to a
// table.
func onWrite(t *testing.T, pool *pgxpool.Pool, table, statements string) {
	t.Helper()
	execute(t, pool, fmt.Sprintf(`CREATE FUNCTION disturb() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN %s RETURN NEW; END $$;
		CREATE TRIGGER disturb BEFORE INSERT OR UPDATE ON dsr.%s FOR EACH ROW EXECUTE FUNCTION disturb()`, statements, table))
}

// A change that loses to other transactions is tried again, five times at most.
func TestRetries(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"40001", "40P01"} {
		for failures, want := range map[int]string{
			4: "",
			5: `pgstore: request "r1": other transactions came in between 5 times (SQLSTATE ` + code + `)`,
		} {
			t.Run(fmt.Sprint(code, " ", failures), func(t *testing.T) {
				t.Parallel()
				pool := newPool(t)
				s := openStore(t, pool)
				onWrite(t, pool, "events", fmt.Sprintf("IF nextval('tries') <= %d THEN RAISE EXCEPTION USING ERRCODE = '%s'; END IF;", failures, code))
				execute(t, pool, "CREATE SEQUENCE tries") // counts also what is rolled back
				err := s.Commit(t.Context(), &dsr.StoreChange{Record: dsr.Record{ID: "r1", Version: 1}, Events: []dsr.Event{{Message: "once"}}})
				var tries int
				require.NoError(t, pool.QueryRow(t.Context(), "SELECT last_value FROM tries").Scan(&tries))
				require.Equal(t, 5, tries)
				if want != "" {
					require.EqualError(t, err, want)
					_, err := s.Request(t.Context(), "r1")
					require.ErrorIs(t, err, dsr.ErrNotFound)
					return
				}
				require.NoError(t, err)
				events, err := s.Events(t.Context(), "r1", 0, 0)
				require.NoError(t, err)
				require.Equal(t, []dsr.Event{{Seq: 1, Message: "once"}}, events)
			})
		}
	}
}

// Errors of the server may quote rows; those of the store do not.
func TestErrorsHoldNoValues(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	s := openStore(t, pool)
	onWrite(t, pool, "requests", "RAISE EXCEPTION 'refused: %', NEW USING DETAIL = NEW.external_id, HINT = NEW.failure;")
	err := s.Commit(t.Context(), &dsr.StoreChange{Record: dsr.Record{ID: "r1", Version: 1, ExternalID: "canary", Failure: "canary"}})
	require.EqualError(t, err, `pgstore: request "r1": PostgreSQL refused (SQLSTATE P0001)`)
	for ; err != nil; err = unwrap(err) {
		require.NotContains(t, fmt.Sprintf("%+v %#v", err, err), "canary")
	}
}

func unwrap(err error) error {
	if e, ok := err.(interface{ Unwrap() error }); ok {
		return e.Unwrap()
	}
	return nil
}

// A commit waits for the disk where the host does not by default, and leaves
// stricter settings alone.
func TestCommitIsDurable(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{"off": "on", "on": "on", "remote_apply": "remote_apply", "local": "local"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t)
			openStore(t, pool)
			onWrite(t, pool, "requests", "INSERT INTO seen VALUES (current_setting('synchronous_commit'), current_setting('transaction_isolation'));")
			execute(t, pool, "CREATE TABLE seen (durability text, isolation text)")
			config := pool.Config()
			config.ConnConfig.RuntimeParams["synchronous_commit"] = setting
			config.ConnConfig.RuntimeParams["default_transaction_isolation"] = "serializable"
			config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
			host, err := pgxpool.NewWithConfig(t.Context(), config)
			require.NoError(t, err)
			t.Cleanup(host.Close)
			create(t, openStore(t, host), dsr.Record{ID: "r1"})
			var durability, isolation string
			require.NoError(t, pool.QueryRow(t.Context(), "SELECT durability, isolation FROM seen").Scan(&durability, &isolation))
			require.Equal(t, want, durability)
			require.Equal(t, "read committed", isolation)
		})
	}
}

// A commit that is canceled while it waits for another leaves nothing, and its
// connection can be used again.
func TestCanceledWhileWaiting(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	s := openStore(t, pool)
	create(t, s, dsr.Record{ID: "r1"})
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SELECT FROM dsr.requests FOR UPDATE")
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- s.Commit(ctx, &dsr.StoreChange{ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 2, Failure: "written"}})
	}()
	require.Eventually(t, func() bool {
		var waiting int
		err := pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting)
		return err == nil && waiting == 1
	}, 5*time.Minute, 5*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.NoError(t, tx.Rollback(t.Context()))

	r, err := s.Request(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.Record{ID: "r1", Version: 1}, *r)
	require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 2}}))
}

// A shredded key is in no row, and the others stay as they are.
func TestShreddedKeyIsDeleted(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	s := openStore(t, pool)
	create(t, s, dsr.Record{ID: "r1", Keys: map[string][]byte{"a": []byte("1"), "b": []byte("2"), "c": []byte("3")}})
	create(t, s, dsr.Record{ID: "r2", Keys: map[string][]byte{"a": []byte("4")}})
	rows := func() (all []string) {
		require.NoError(t, pool.QueryRow(t.Context(),
			"SELECT array_agg(request_id || purpose || convert_from(wrapped, 'UTF8') ORDER BY request_id, purpose) FROM dsr.keys").Scan(&all))
		return all
	}
	require.Equal(t, []string{"r1a1", "r1b2", "r1c3", "r2a4"}, rows())
	require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{
		ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 2, Keys: map[string][]byte{"b": []byte("2"), "c": []byte("5")}},
	}))
	require.Equal(t, []string{"r1b2", "r1c5", "r2a4"}, rows())
}
