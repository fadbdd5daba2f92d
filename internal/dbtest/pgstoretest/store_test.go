package pgstoretest

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/pgstore"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
)

// openPool opens a pool of a database that is closed at the end of the test.
func openPool(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func newPool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return openPool(t, dbtest.PostgresDSN(t))
}

func openStore(t testing.TB, pool *pgxpool.Pool) *pgstore.Store {
	t.Helper()
	s, err := pgstore.Open(t.Context(), pool, nil)
	require.NoError(t, err)
	return s
}

func execute(t testing.TB, pool *pgxpool.Pool, statements string) {
	t.Helper()
	_, err := pool.Exec(t.Context(), statements)
	require.NoError(t, err)
}

// create stores a new request.
func create(t testing.TB, s dsr.Store, r dsr.Record) {
	t.Helper()
	r.Version = 1
	require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{Record: r}))
}

func TestRefusedChanges(t *testing.T) {
	t.Parallel()
	s := openStore(t, newPool(t))
	const text = " holds a zero byte or is no UTF-8, which PostgreSQL cannot store"
	for want, ch := range map[string]*dsr.StoreChange{
		"pgstore: a request without an ID cannot be stored": {Record: dsr.Record{Version: 1}},
		`pgstore: request "r1": version 3 cannot follow version 1: want 2`: {
			ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 3},
		},
		`pgstore: request "r1": a time in the year 12000 cannot be stored: only 1 to 9999 can`: {
			Record: dsr.Record{ID: "r1", Version: 1, DueAt: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)},
		},
		`pgstore: request "r\xff": its ID` + text:                   {Record: dsr.Record{ID: "r\xff", Version: 1}},
		`pgstore: request "r1": its external ID` + text:             {Record: dsr.Record{ID: "r1", Version: 1, ExternalID: "\x00"}},
		`pgstore: request "r1": its policy` + text:                  {Record: dsr.Record{ID: "r1", Version: 1, Policy: "\x00"}},
		`pgstore: request "r1": its status` + text:                  {Record: dsr.Record{ID: "r1", Version: 1, Status: "\x00"}},
		`pgstore: request "r1": its stage` + text:                   {Record: dsr.Record{ID: "r1", Version: 1, Stage: "\x00"}},
		`pgstore: request "r1": its purpose of a key` + text:        {Record: dsr.Record{ID: "r1", Version: 1, Keys: map[string][]byte{"\x00": nil}}},
		`pgstore: request "r1": its step of a journal chunk` + text: {Record: dsr.Record{ID: "r1", Version: 1}, AppendJournal: []dsr.JournalChunk{{Step: "\xff"}}},
		`pgstore: request "r1": its kind of an event` + text:        {Record: dsr.Record{ID: "r1", Version: 1}, Events: []dsr.Event{{Kind: "\xff"}}},
		`pgstore: request "r1": its collection of an event` + text:  {Record: dsr.Record{ID: "r1", Version: 1}, Events: []dsr.Event{{Collection: "\xff"}}},
	} {
		require.EqualError(t, s.Commit(t.Context(), ch), want)
	}
	list, err := s.Requests(t.Context(), dsr.RecordQuery{})
	require.NoError(t, err)
	require.Empty(t, list)
}

// Queries for what PostgreSQL cannot store find nothing, and are no errors of
// the database.
func TestQueriesForWhatCannotBeStored(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := openStore(t, newPool(t))
	create(t, s, dsr.Record{ID: "r1", Status: dsr.StatusPending})
	for _, id := range []string{"r1\x00", "\xff"} {
		_, err := s.Request(ctx, id)
		require.EqualError(t, err, fmt.Sprintf("pgstore: request %q: dsr: not found", id))
		_, err = s.Requests(ctx, dsr.RecordQuery{After: &dsr.RecordPlace{ID: id}})
		require.ErrorIs(t, err, dsr.ErrNotFound)
		for _, f := range []dsr.RecordQuery{
			{ExternalID: id}, {ExternalPrefix: id}, {Text: id}, {Location: id}, {Policies: []string{id}},
			{Actions: []graph.Action{graph.Action(id)}}, {Status: []dsr.Status{dsr.Status(id)}},
		} {
			list, err := s.Requests(ctx, f)
			require.NoError(t, err)
			require.Empty(t, list)
			count, err := s.CountRequests(ctx, f)
			require.NoError(t, err)
			require.Zero(t, count)
		}
		list, err := s.Requests(ctx, dsr.RecordQuery{Status: []dsr.Status{dsr.Status(id), dsr.StatusPending}})
		require.NoError(t, err)
		require.Len(t, list, 1)
		chunks, err := s.Journal(ctx, id, 0, 0)
		require.NoError(t, err)
		require.Empty(t, chunks)
		events, err := s.Events(ctx, id, 0, 0)
		require.NoError(t, err)
		require.Empty(t, events)
	}
}

// What tells of a failure is stored in any case: it must not hold a request up.
func TestProseIsCleaned(t *testing.T) {
	t.Parallel()
	s := openStore(t, newPool(t))
	ch := &dsr.StoreChange{
		Record: dsr.Record{ID: "r1", Version: 1, Failure: "no\x00answer\xff."},
		Events: []dsr.Event{{Message: "no\x00answer"}},
	}
	require.NoError(t, s.Commit(t.Context(), ch))
	require.Equal(t, "no\x00answer\xff.", ch.Record.Failure, "what was given stays as it is")
	require.Equal(t, "no\x00answer", ch.Events[0].Message)
	r, err := s.Request(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, "no\uFFFDanswer\uFFFD.", r.Failure)
	events, err := s.Events(t.Context(), "r1", 0, 0)
	require.NoError(t, err)
	require.Equal(t, []dsr.Event{{Seq: 1, Message: "no\uFFFDanswer"}}, events)
}

// Lists longer than one statement holds.
func TestManyRows(t *testing.T) {
	t.Parallel()
	s := openStore(t, newPool(t))
	ch := &dsr.StoreChange{Record: dsr.Record{ID: "r1", Version: 1}}
	for i := range 1201 {
		ch.Record.Lookup = append(ch.Record.Lookup, fmt.Append(nil, i))
		ch.Events = append(ch.Events, dsr.Event{Message: fmt.Sprint(i)})
	}
	require.NoError(t, s.Commit(t.Context(), ch))
	r, err := s.Request(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, ch.Record.Lookup, r.Lookup)
	events, err := s.Events(t.Context(), "r1", 0, 0)
	require.NoError(t, err)
	for i := range ch.Events {
		ch.Events[i].Seq = int64(i + 1)
	}
	require.Equal(t, ch.Events, events)
}
