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
	errOrphan   = errors.New("a row of nobody")
)

// log records statements and answers that each affected one row, or none, and
// that queries find nothing.
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
		Dollar: dollar, Prefix: prefix, Position: "find", Guide: !dollar,
		EncodeTime: func(t time.Time) (any, error) { return t.Unix(), nil },
		ScanTime:   func(t *time.Time) any { return t },
		Orphan:     func(err error) bool { return errors.Is(err, errOrphan) },
		Conflict:   errConflict, NotFound: errNotFound,
	}
}

func record(id string) sqlstore.Record {
	text, version, at, data, actions := "US-CA", int64(1), time.Unix(7, 0), []byte("data"), []string{"access", "erasure"}
	return sqlstore.Record{
		ID: &id, Version: &version, Epoch: &version, AuditSeq: &version,
		ExternalID: &text, Policy: &text, Status: &text, Stage: &text, Failure: &text, Location: &text, Actions: sqlstore.WordsOf(&actions),
		LeaseUntil: &at, RequestedAt: &at, CreatedAt: &at, UpdatedAt: &at, StartedAt: &at, FailedAt: &at, FinishedAt: &at, DeletedAt: &at,
		DeadlineAt: &at, DueAt: &at,
		Identity: &data, Details: &data, State: &data, AuditHash: &data, Plan: &data, Outcomes: &data, Manual: &data, Lookup: &[][]byte{data, nil},
	}
}

// A change is written in an order that makes the request's row the lock, and
// every statement that changes rows names the request.
func TestWrite(t *testing.T) {
	t.Parallel()
	step, applied, sealed, n, text, rows, at := "a:b", true, []byte("s"), 3, "x", int64(2), time.Unix(7, 0)
	event := sqlstore.Event{
		Seq: &rows, Time: &at, Kind: &text, Collection: &text, Connection: &text, Action: &text, Status: &text, Message: &text, Rows: &rows,
		Fields: &[]string{"a"},
	}
	change := &sqlstore.Change{
		Expect: 1, Record: record("r1"), Drop: true, DropEvents: true,
		Append: []sqlstore.Chunk{{Seq: &n, Step: &step, Rows: &n, Sealed: &sealed, Applied: &applied, Counts: &sqlstore.Counts{Masked: 4}}},
		Ticks:  []sqlstore.Tick{{Seq: 9}},
		Events: []sqlstore.Event{event, event},
		Audit:  []sqlstore.AuditEntry{{RequestID: "r1", Seq: 4, Hash: []byte("h")}},
		Messages: []sqlstore.MessageChange{
			{Message: sqlstore.Message{ID: "m1", Version: 1, RequestID: "r1", DueAt: at}},
			{Message: sqlstore.Message{ID: "m2", Version: 3, RequestID: "r1", DueAt: at}, Expect: 2},
			{Message: sqlstore.Message{ID: "m3", Version: 3, RequestID: "r1", DueAt: at}, Expect: 2, Remove: true},
		},
	}
	l := &log{affected: 1}
	require.NoError(t, dialect(true, `"a??b".`).Write(t.Context(), l, change))
	const tick = `INSERT INTO "a?b".ticks (request_id,seq,masked,gone,changed) SELECT request_id, seq, CAST($1 AS bigint), CAST($2 AS bigint), CAST($3 AS bigint) ` +
		`FROM "a?b".journal WHERE request_id = $4 AND seq = $5 ` +
		`ON CONFLICT (request_id, seq) DO UPDATE SET masked = excluded.masked, gone = excluded.gone, changed = excluded.changed`
	require.Equal(t, []string{
		`UPDATE "a?b".requests SET version = $1, epoch = $2, external_id = $3, policy = $4, status = $5, stage = $6, failure = $7, ` +
			`location = $8, actions = $9, audit_seq = $10, lease_until = $11, requested_at = $12, created_at = $13, updated_at = $14, ` +
			`started_at = $15, failed_at = $16, finished_at = $17, deleted_at = $18, deadline_at = $19, due_at = $20, ` +
			`identity = $21, details = $22, state = $23, audit_hash = $24, ` +
			`id_folded = $25, external_folded = $26, country = $27, open = $28, deleted = $29 ` +
			`WHERE id = $30 AND version = $31 AND epoch <= $32`,
		`INSERT INTO "a?b".documents AS d (request_id,kind,body) VALUES ($1,$2,$3),($4,$5,$6),($7,$8,$9) ` +
			`ON CONFLICT (request_id, kind) DO UPDATE SET body = excluded.body WHERE d.body IS DISTINCT FROM excluded.body`,
		`SELECT request_id, hash FROM "a?b".lookups WHERE request_id IN ($1) ORDER BY request_id, position`,
		`DELETE FROM "a?b".lookups WHERE request_id = $1`,
		`INSERT INTO "a?b".lookups (request_id,position,hash) VALUES ($1,$2,$3),($4,$5,$6)`,
		`DELETE FROM "a?b".ticks WHERE request_id = $1`,
		`DELETE FROM "a?b".journal WHERE request_id = $1`,
		`SELECT COALESCE(max(seq), 0) FROM "a?b".journal WHERE request_id = $1`,
		`INSERT INTO "a?b".journal (request_id,seq,step,rows,sealed) VALUES ($1,$2,$3,$4,$5)`,
		tick, tick,
		`DELETE FROM "a?b".events WHERE request_id = $1`,
		`SELECT COALESCE(max(seq), 0) FROM "a?b".events WHERE request_id = $1`,
		`INSERT INTO "a?b".events (request_id,seq,time,kind,collection,connection,action,status,rows,message,fields) ` +
			`VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11),($12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22)`,
		`INSERT INTO "a?b".messages (id,version,request_id,due_at,data,sealed) VALUES ($1,$2,$3,$4,$5,$6) ON CONFLICT DO NOTHING`,
		`UPDATE "a?b".messages SET version = $1, request_id = $2, due_at = $3, data = $4, sealed = $5 WHERE id = $6 AND version = $7`,
		`DELETE FROM "a?b".messages WHERE id = $1 AND version = $2`,
		`UPDATE "a?b".heads SET seq = $1, hash = $2 WHERE request_id = $3 AND seq = $4`,
		`INSERT INTO "a?b".audit (request_id,seq,time,action,actor,details,prev,hash,mac) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)`,
	}, l.statements)
	require.Equal(t, []any{"R1", "US-CA", "US", 1, 1, "r1", int64(1), int64(1)}, l.args[0][24:])
	require.Equal(t, ",access,erasure,", l.args[0][8])
	require.Equal(t, []any{"r1", 0, []byte("data"), "r1", 1, []byte{}}, l.args[4])
	require.Equal(t, []any{4, 0, 0, "r1", 1}, l.args[9])
	require.Equal(t, []any{0, 0, 0, "r1", 9}, l.args[10])
	require.Equal(t, `["a"]`, l.args[13][10])
	require.Equal(t, []any{int64(4), []byte("h"), "r1", int64(3)}, l.args[17])
}

// A row that was not written is a conflict, and nothing follows.
func TestConflict(t *testing.T) {
	t.Parallel()
	for expect, want := range map[int64]string{
		0: "it is not at version 0, or its lease was taken over: conflict",
		4: "it is not at version 4, or its lease was taken over: conflict",
	} {
		l := &log{}
		err := dialect(true, "").Write(t.Context(), l, &sqlstore.Change{Expect: expect, Record: record("r1")})
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, errConflict)
		require.Len(t, l.statements, 1)
	}
	l := &log{}
	require.NoError(t, dialect(false, "").Write(t.Context(), l, &sqlstore.Change{Expect: 4, Record: record("r1"), Remove: true}))
	require.Equal(t, []string{
		"DELETE FROM requests WHERE id = ? AND version = ? AND epoch <= ?",
		"SELECT version FROM requests WHERE id = ?",
	}, l.statements)
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, dialect(false, "").Request(t.Context(), &log{}, "r9", record("")), errNotFound)
}

const columns = "SELECT id, version, epoch, external_id, policy, status, stage, failure, location, actions, audit_seq, lease_until, requested_at, " +
	"created_at, updated_at, started_at, failed_at, finished_at, deleted_at, deadline_at, due_at, identity, details, state, audit_hash FROM "

// What people type is an argument, never a part of the statement.
func TestListStatements(t *testing.T) {
	t.Parallel()
	place := &sqlstore.Place{Time: time.Unix(9, 0), ID: "@?"}
	for _, test := range []struct {
		name    string
		d       *sqlstore.Dialect
		matches int
		query   sqlstore.Query
		want    string
		args    []any
	}{
		{
			"everything", dialect(true, `"@".`), 1, sqlstore.Query{},
			columns + `"@".requests WHERE deleted = 0 ORDER BY created_at, id LIMIT $1`,
			[]any{100},
		},
		{
			"guided", dialect(false, ""), 1, sqlstore.Query{Sort: "due_at", Descending: true, After: place, Deleted: true, Offset: 3, Limit: 5},
			columns + `requests WHERE (due_at, id) < (?, ?) ORDER BY due_at DESC, id DESC LIMIT ? OFFSET ?`,
			[]any{int64(9), "@?", 5, 3},
		},
		{
			"merged", dialect(false, ""), 1, sqlstore.Query{Status: []string{"b", "a", "b"}, After: place, Text: "%_x", Deleted: true, Offset: 1},
			"SELECT * FROM (" + columns + "requests WHERE status = ? AND (find(id_folded, ?) > 0 OR find(external_folded, ?) > 0) " +
				"AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?) AS walk UNION ALL " +
				"SELECT * FROM (" + columns + "requests WHERE status = ? AND (find(id_folded, ?) > 0 OR find(external_folded, ?) > 0) " +
				"AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?) AS walk ORDER BY created_at, id LIMIT ? OFFSET ?",
			[]any{"a", "%_X", "%_X", int64(9), "@?", 101, "b", "%_X", "%_X", int64(9), "@?", 101, 100, 1},
		},
		{
			"exact", dialect(true, `"@".`), 1, sqlstore.Query{Lookup: [][]byte{{1}, {2}}, Status: []string{"a"}, Location: "US-CA"},
			columns + `"@".requests WHERE id IN (SELECT request_id FROM "@".lookups WHERE hash IN ($1, $2)) AND status IN ($3) AND location IN ($4) ` +
				`AND deleted = 0 ORDER BY created_at, id LIMIT $5`,
			[]any{[]byte{1}, []byte{2}, "a", "US-CA", 100},
		},
		{
			"prefix", dialect(true, ""), 1, sqlstore.Query{ExternalPrefix: "a'\u007f", Sort: "created_at", Deleted: true},
			columns + `(SELECT * FROM requests WHERE external_folded <> '' AND substr(external_folded, 1, 64) >= $1 ` +
				`AND substr(external_folded, 1, 64) < $2 OFFSET 0) AS requests ` +
				`WHERE external_folded <> '' AND substr(external_folded, 1, 64) >= $3 AND substr(external_folded, 1, 64) < $4 ORDER BY created_at, id LIMIT $5`,
			[]any{"A'\u007f", "A'\u0080", "A'\u007f", "A'\u0080", 100},
		},
		{
			"gathered", dialect(false, ""), 5000, sqlstore.Query{Sort: "due_at", Policies: []string{"p"}, After: place},
			columns + `requests WHERE policy IN (?) AND +deleted = 0 AND (+due_at, id) > (?, ?) ORDER BY due_at, id LIMIT ?`,
			[]any{"p", int64(9), "@?", 100},
		},
		{
			"walked", dialect(false, ""), 5001,
			sqlstore.Query{
				Sort: "due_at", Policies: []string{"p"}, Unfinished: true, After: place,
				Times: map[string]sqlstore.Range{"due_at": {Before: time.Unix(8, 0)}, "failed_at": {From: time.Unix(6, 0)}},
			},
			columns + `requests WHERE +policy IN (?) AND due_at > ? AND due_at < ? AND +failed_at >= ? AND +open = 1 AND +deleted = 0 ` +
				`AND (due_at, id) > (?, ?) ORDER BY due_at, id LIMIT ?`,
			[]any{"p", time.Time{}.Unix(), int64(8), int64(6), int64(9), "@?", 100},
		},
	} {
		l := &found{matches: test.matches}
		require.NoError(t, test.d.Requests(t.Context(), l, &test.query, func() sqlstore.Record { return record("") }), test.name)
		last := len(l.statements) - 1
		require.Equal(t, test.want, l.statements[last], test.name)
		require.Equal(t, test.args, l.args[last], test.name)
	}
}

// found answers that so many requests match whatever is counted.
type found struct {
	log
	matches int
}

func (f *found) Query(ctx context.Context, each func(scan func(dest ...any) error) error, query string, args ...any) error {
	if err := f.log.Query(ctx, nil, query, args...); err != nil || query[:len("SELECT count")] != "SELECT count" {
		return err
	}
	return each(func(dest ...any) error { *dest[0].(*int) = f.matches; return nil })
}

func TestCheck(t *testing.T) {
	t.Parallel()
	require.NoError(t, (&sqlstore.Change{Record: record("r1")}).Check())
	require.EqualError(t, (&sqlstore.Change{Record: record("")}).Check(), "a request without an ID cannot be stored")
	require.EqualError(t, (&sqlstore.Change{Expect: 1, Record: record("r1")}).Check(), `request "r1": version 1 cannot follow version 1: want 2`)
}
