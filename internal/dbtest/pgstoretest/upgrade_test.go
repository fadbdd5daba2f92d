package pgstoretest

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/pgstore"
	"github.com/godsr/dsr/graph"
)

// A schema at version 1 is brought to the current one with all that is in it,
// and can then do what the current one can.
func TestUpgradeFromFirstVersion(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	ch := &dsr.StoreChange{
		Record: dsr.Record{
			ID: "r1", Version: 1, Epoch: 3, LeaseUntil: at, ExternalID: "Ext-1", Policy: "erase", Actions: []graph.Action{graph.Erasure},
			Location: "US-CA", Status: dsr.StatusInProcessing, Stage: dsr.StageErase, RequestedAt: at, CreatedAt: at, UpdatedAt: at,
			StartedAt: at, DeadlineAt: at.Add(time.Hour), DueAt: at, Identity: []byte("i\x00"), Details: []byte("d\xff"),
			Lookup: [][]byte{[]byte("b"), []byte("a")}, Keys: map[string][]byte{"journal": []byte("j"), "identity": []byte("i")},
			State: []byte("{}"), Plan: []byte(`{"plan":1}`), Outcomes: []byte("[]"), Failure: "no answer", AuditSeq: 1, AuditHash: []byte("h"),
		},
		AppendJournal: []dsr.JournalChunk{{Step: "a:b", Rows: 2, Sealed: []byte("s")}, {Step: "a:c"}},
		Ticks:         []dsr.Tick{{Seq: 1, Counts: dsr.ChunkCounts{Masked: 2}}},
		Events:        []dsr.Event{{Time: at, Kind: "collected", Fields: []dsr.FieldTouched{{Path: "x"}}}},
		Audit:         []dsr.AuditEntry{{RequestID: "r1", Seq: 1, Time: at, Action: "submitted", Details: map[string]string{"a": "b"}, Hash: []byte("h")}},
	}
	signed := dsr.Checkpoint{Seq: 1, Time: at, Heads: []dsr.AuditHead{{RequestID: "r9", Seq: 1, Hash: []byte("h")}}, Signature: []byte("s")}
	pool := newPool(t)
	current := openStore(t, pool)
	require.NoError(t, current.Commit(ctx, ch))
	require.NoError(t, current.SaveCheckpoint(ctx, &signed))

	firstVersion(t, pool)
	s, err := pgstore.Open(ctx, pool, &pgstore.Options{Schema: "first"})
	require.NoError(t, err)
	var version int
	require.NoError(t, pool.QueryRow(ctx, "SELECT version FROM first.dsr_schema").Scan(&version))
	require.Equal(t, 3, version)
	rec, err := s.Request(ctx, "r1")
	require.NoError(t, err)
	require.Equal(t, ch.Record, *rec)
	journal, err := s.Journal(ctx, "r1", 0, 0)
	require.NoError(t, err)
	require.Equal(t, []dsr.JournalChunk{
		{Seq: 1, Step: "a:b", Rows: 2, Sealed: []byte("s"), Applied: true, Counts: dsr.ChunkCounts{Masked: 2}}, {Seq: 2, Step: "a:c"},
	}, journal)
	events, err := s.Events(ctx, "r1", 0, 0)
	require.NoError(t, err)
	ch.Events[0].Seq = 1
	require.Equal(t, ch.Events, events)
	trail, err := s.AuditEntries(ctx, "r1", dsr.AuditPlace{}, 0)
	require.NoError(t, err)
	require.Equal(t, ch.Audit, trail)
	heads, err := s.UnsignedHeads(ctx, 0)
	require.NoError(t, err)
	require.Equal(t, []dsr.AuditHead{{RequestID: "r1", Seq: 1, Hash: []byte("h")}}, heads)
	checkpoints, err := s.Checkpoints(ctx, 0, 0)
	require.NoError(t, err)
	require.Equal(t, []dsr.Checkpoint{signed}, checkpoints)
	found, err := s.Requests(ctx, dsr.RecordQuery{Lookup: [][]byte{[]byte("a")}, Text: "ext"})
	require.NoError(t, err)
	require.Len(t, found, 1)

	rec.Version, rec.Manual = 2, []byte("answers")
	m := dsr.Message{ID: "m", Version: 1, RequestID: "r1", DueAt: at, Data: []byte("{}"), Sealed: []byte("s")}
	require.NoError(t, s.Commit(ctx, &dsr.StoreChange{ExpectVersion: 1, Record: *rec, Messages: []dsr.MessageChange{{Message: m}}}))
	again, err := s.Request(ctx, "r1")
	require.NoError(t, err)
	require.Equal(t, rec, again)
	messages, err := s.Messages(ctx, dsr.MessageQuery{})
	require.NoError(t, err)
	require.Equal(t, []dsr.Message{m}, messages)
	e := dsr.Entry{Kind: "k", Key: "e", Version: 1, UpdatedAt: at, Data: []byte("{}"), Sealed: []byte("s")}
	catalogue, err := s.SaveEntries(ctx, []dsr.EntryChange{{Entry: e}})
	require.NoError(t, err)
	require.EqualValues(t, 1, catalogue)
	e.Since = 1
	entries, err := s.Entries(ctx, dsr.EntryQuery{})
	require.NoError(t, err)
	require.Equal(t, []dsr.Entry{e}, entries)
}

// firstVersion makes the schema "first", at version 1, with the rows that the
// schema of the store holds of it.
func firstVersion(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	tables, err := os.ReadFile("../../../adapters/pgstore/schema/001.sql")
	require.NoError(t, err)
	execute(t, pool, "CREATE SCHEMA first; SET LOCAL search_path TO first;"+string(tables))
	var copies []string
	// Of each table its columns; those that refer to others come after them.
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT array_agg(format('INSERT INTO first.%1$I (%2$s) SELECT %2$s FROM dsr.%1$I', relname,
		(SELECT string_agg(quote_ident(attname), ',') FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0)) ORDER BY oid)
		FROM pg_class AS c WHERE relnamespace = 'first'::regnamespace AND relkind = 'r'`).Scan(&copies))
	require.Len(t, copies, 10)
	execute(t, pool, strings.Join(copies, ";"))
	execute(t, pool, `DELETE FROM first.documents WHERE kind NOT IN ('plan', 'outcomes');
		CREATE TABLE first.dsr_schema (version bigint NOT NULL); INSERT INTO first.dsr_schema VALUES (1)`)
}
