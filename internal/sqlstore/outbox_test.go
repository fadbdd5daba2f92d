package sqlstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/sqlstore"
)

// Every statement that changes a message names it with its version. What is
// asked of requests finds nothing here.
func TestSaveMessages(t *testing.T) {
	t.Parallel()
	m := sqlstore.Message{ID: "m", Version: 1, DueAt: time.Unix(7, 0), Data: []byte("d"), Sealed: []byte("s")}
	later := m
	later.Version = 5
	l := &log{affected: 1}
	require.NoError(t, dialect(true, `"a??b".`).SaveMessages(t.Context(), l, []sqlstore.MessageChange{
		{Message: m}, {Expect: 4, Message: later}, {Expect: 4, Message: later, Remove: true},
	}))
	require.Equal(t, []string{
		`INSERT INTO "a?b".messages (id,version,request_id,due_at,data,sealed) VALUES ($1,$2,$3,$4,$5,$6) ON CONFLICT DO NOTHING`,
		`UPDATE "a?b".messages SET version = $1, request_id = $2, due_at = $3, data = $4, sealed = $5 WHERE id = $6 AND version = $7`,
		`DELETE FROM "a?b".messages WHERE id = $1 AND version = $2`,
	}, l.statements)
	require.Equal(t, [][]any{
		{"m", int64(1), nil, int64(7), []byte("d"), []byte("s")}, {int64(5), nil, int64(7), []byte("d"), []byte("s"), "m", int64(4)},
		{"m", int64(4)},
	}, l.args)

	err := dialect(false, "").SaveMessages(t.Context(), &log{}, []sqlstore.MessageChange{{Message: m}})
	require.EqualError(t, err, `message "m": it is not at version 0: conflict`)
	require.ErrorIs(t, err, errConflict)
}

func TestCheckOfMessages(t *testing.T) {
	t.Parallel()
	change := &sqlstore.Change{Record: record("r1"), Messages: []sqlstore.MessageChange{{Message: sqlstore.Message{ID: "m", Version: 1, RequestID: "r2"}}}}
	require.EqualError(t, change.Check(), `request "r1": message "m" is of request "r2"`)
	change.Remove = true
	require.EqualError(t, change.Check(), `request "r1": a removal cannot change messages: they vanish`)
	require.EqualError(t, sqlstore.CheckMessages([]sqlstore.MessageChange{{}}), "a message without an ID cannot be stored")
	require.EqualError(t, sqlstore.CheckMessages([]sqlstore.MessageChange{{Message: sqlstore.Message{ID: "m"}}}),
		`message "m": version 0 cannot follow version 0: want 1`)
}

// A query asks for what is named in it, and no more.
func TestMessageStatements(t *testing.T) {
	t.Parallel()
	const from = "SELECT id, version, COALESCE(request_id, ''), due_at, data, sealed FROM messages "
	for _, test := range []struct {
		query sqlstore.MessageQuery
		where string
		args  []any
	}{
		{sqlstore.MessageQuery{Limit: -1}, "", []any{100}},
		{sqlstore.MessageQuery{ID: "m", Limit: 1}, "WHERE id = ? ", []any{"m", 1}},
		{sqlstore.MessageQuery{RequestID: "r1", Before: time.Unix(9, 0)}, "WHERE request_id = ? AND due_at < ? ", []any{"r1", int64(9), 100}},
		{sqlstore.MessageQuery{After: &sqlstore.Place{Time: time.Unix(9, 0), ID: "m"}}, "WHERE (due_at, id) > (?, ?) ", []any{int64(9), "m", 100}},
	} {
		l := &log{}
		_, err := dialect(false, "").Messages(t.Context(), l, &test.query)
		require.NoError(t, err)
		require.Equal(t, []string{from + test.where + "ORDER BY due_at, id LIMIT ?"}, l.statements)
		require.Equal(t, [][]any{test.args}, l.args)
	}
}
