package sqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/sqlstore"
)

var (
	errConflict = errors.New("conflict")
	errNotFound = errors.New("not found")
)

// log records statements and answers that each affected one row, or none.
type log struct {
	statements []string
	args       [][]any
	affected   int64
}

func (l *log) Exec(_ context.Context, statement string, args ...any) (int64, error) {
	l.statements, l.args = append(l.statements, statement), append(l.args, args)
	return l.affected, nil
}

func (l *log) Query(ctx context.Context, _ func(scan func(dest ...any) error) error, query string, args ...any) error {
	_, err := l.Exec(ctx, query, args...)
	return err
}

func dialect(dollar bool, prefix string) *sqlstore.Dialect {
	return &sqlstore.Dialect{
		Dollar: dollar, Prefix: prefix,
		EncodeTime: func(t time.Time) (any, error) { return t.Unix(), nil },
		ScanTime:   func(t *time.Time) any { return t },
		IsDue:      "due_at > 0", Conflict: errConflict, NotFound: errNotFound,
	}
}

func record(id string) sqlstore.Record {
	text, version, at, data := "", int64(1), time.Unix(7, 0), []byte("data")
	return sqlstore.Record{
		ID: &id, Version: &version, Epoch: &version,
		ExternalID: &text, Policy: &text, Status: &text, Stage: &text, Failure: &text,
		LeaseUntil: &at, RequestedAt: &at, CreatedAt: &at, UpdatedAt: &at, FinishedAt: &at, DueAt: &at,
		Identity: &data, Plan: &data, Outcomes: &data, Lookup: &[][]byte{data, nil},
	}
}

// A change is written in an order that makes the request's row the lock, and
// every statement that changes rows names the request.
func TestWrite(t *testing.T) {
	t.Parallel()
	step, applied, sealed, n := "a:b", true, []byte("s"), 3
	change := &sqlstore.Change{
		Expect: 1, Record: record("r1"), Drop: true,
		Append: []sqlstore.Chunk{{Seq: &n, Step: &step, Rows: &n, Sealed: &sealed, Applied: &applied, Counts: &sqlstore.Counts{Masked: 4}}},
		Ticks:  []sqlstore.Tick{{Seq: 9}},
		Events: []*sqlstore.Event{{Kind: "x"}, {Kind: "y"}},
	}
	l := &log{affected: 1}
	require.NoError(t, dialect(true, `"a??b".`).Write(t.Context(), l, change))
	require.Equal(t, []string{
		`UPDATE "a?b".requests SET version = $1, epoch = $2, external_id = $3, policy = $4, status = $5, stage = $6, failure = $7, ` +
			`lease_until = $8, requested_at = $9, created_at = $10, updated_at = $11, finished_at = $12, due_at = $13, identity = $14, outcomes = $15 ` +
			`WHERE id = $16 AND version = $17`,
		`INSERT INTO "a?b".plans AS p (request_id,plan) VALUES ($1,$2) ON CONFLICT (request_id) DO UPDATE SET plan = excluded.plan WHERE p.plan IS DISTINCT FROM excluded.plan`,
		`SELECT request_id, hash FROM "a?b".lookups WHERE request_id IN ($1) ORDER BY request_id, position`,
		`DELETE FROM "a?b".lookups WHERE request_id = $1`,
		`INSERT INTO "a?b".lookups (request_id,position,hash) VALUES ($1,$2,$3),($4,$5,$6)`,
		`DELETE FROM "a?b".ticks WHERE request_id = $1`,
		`DELETE FROM "a?b".journal WHERE request_id = $1`,
		`SELECT COALESCE(max(seq), 0) FROM "a?b".journal WHERE request_id = $1`,
		`INSERT INTO "a?b".journal (request_id,seq,step,rows,sealed) VALUES ($1,$2,$3,$4,$5)`,
		`INSERT INTO "a?b".ticks (request_id,seq,masked,gone,changed) SELECT request_id, seq, CAST($1 AS bigint), CAST($2 AS bigint), CAST($3 AS bigint) ` +
			`FROM "a?b".journal WHERE request_id = $4 AND seq = $5 ` +
			`ON CONFLICT (request_id, seq) DO UPDATE SET masked = excluded.masked, gone = excluded.gone, changed = excluded.changed`,
		`INSERT INTO "a?b".ticks (request_id,seq,masked,gone,changed) SELECT request_id, seq, CAST($1 AS bigint), CAST($2 AS bigint), CAST($3 AS bigint) ` +
			`FROM "a?b".journal WHERE request_id = $4 AND seq = $5 ` +
			`ON CONFLICT (request_id, seq) DO UPDATE SET masked = excluded.masked, gone = excluded.gone, changed = excluded.changed`,
		`SELECT COALESCE(max(seq), 0) FROM "a?b".events WHERE request_id = $1`,
		`INSERT INTO "a?b".events (request_id,seq,time,kind,collection,rows,message) VALUES ($1,$2,$3,$4,$5,$6,$7),($8,$9,$10,$11,$12,$13,$14)`,
	}, l.statements)
	require.Equal(t, []any{"r1", int64(1)}, l.args[0][15:])
	require.Equal(t, []any{"r1", 0, []byte("data"), "r1", 1, []byte{}}, l.args[4])
	require.Equal(t, []any{4, 0, 0, "r1", 1}, l.args[9])
	require.Equal(t, []any{0, 0, 0, "r1", 9}, l.args[10])
}

// A row that was not written is a conflict, and nothing follows.
func TestConflict(t *testing.T) {
	t.Parallel()
	for expect, want := range map[int64]string{0: "it is not at version 0: conflict", 4: "it is not at version 4: conflict"} {
		l := &log{}
		err := dialect(false, "").Write(t.Context(), l, &sqlstore.Change{Expect: expect, Record: record("r1")})
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, errConflict)
		require.Len(t, l.statements, 1)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	add := func() sqlstore.Record { return record("") }
	l := &log{}
	require.NoError(t, dialect(false, "").Requests(t.Context(), l, &sqlstore.Filter{}, add))
	require.NoError(t, dialect(true, `"s".`).Requests(t.Context(), l, &sqlstore.Filter{
		Status: []string{"a", "b"}, ExternalID: "x", Lookup: []byte("h"), DueBefore: time.Unix(9, 0), Limit: 5,
	}, add))
	const columns = "SELECT id, version, epoch, external_id, policy, status, stage, failure, lease_until, requested_at, created_at, " +
		"updated_at, finished_at, due_at, identity, outcomes, plan FROM "
	require.Equal(t, []string{
		columns + "requests LEFT JOIN plans ON request_id = id ORDER BY created_at, id LIMIT ?",
		columns + `"s".requests LEFT JOIN "s".plans ON request_id = id WHERE status IN ($1,$2) AND external_id <> '' AND external_id = $3 ` +
			`AND id IN (SELECT request_id FROM "s".lookups WHERE hash = $4) AND due_at > 0 AND due_at < $5 ORDER BY created_at, id LIMIT $6`,
	}, l.statements)
	require.Equal(t, [][]any{{100}, {"a", "b", "x", []byte("h"), int64(9), 5}}, l.args)
	err := dialect(false, "").Requests(t.Context(), l, &sqlstore.Filter{After: "r9"}, add)
	require.EqualError(t, err, `request "r9", after which to list: not found`)
	require.ErrorIs(t, dialect(false, "").Request(t.Context(), l, "r9", record("")), errNotFound)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	require.NoError(t, (&sqlstore.Change{Record: record("r1")}).Check())
	require.EqualError(t, (&sqlstore.Change{Record: record("")}).Check(), "a request without an ID cannot be stored")
	require.EqualError(t, (&sqlstore.Change{Expect: 1, Record: record("r1")}).Check(), `request "r1": version 1 cannot follow version 1: want 2`)
}
