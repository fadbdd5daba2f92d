package sqlitestore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// A file of the first schema is brought to the current one with all that is in
// it, and can then do what the current one can.
func TestUpgradeFromFirstSchema(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
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
	current := filepath.Join(t.TempDir(), "current.db")
	s := openStore(t, current)
	require.NoError(t, s.Commit(ctx, ch))
	require.NoError(t, s.SaveCheckpoint(ctx, &signed))
	require.NoError(t, s.Close())

	path := firstSchema(t, current)
	s = openStore(t, path)
	var version int
	require.NoError(t, raw(t, path).QueryRowContext(ctx, "PRAGMA user_version").Scan(&version))
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

// firstSchema makes a file of the first schema with the rows that a file of the
// current one holds of it.
func firstSchema(t *testing.T, current string) string {
	t.Helper()
	ctx := t.Context()
	schema, err := os.ReadFile(filepath.Join("schema", "001.sql"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "first.db")
	db := raw(t, path)
	execute(t, db, string(schema))
	_, err = db.ExecContext(ctx, "ATTACH ? AS current", current)
	require.NoError(t, err)
	// Of each table its columns; those that refer to others come after them.
	var copies string
	require.NoError(t, db.QueryRowContext(ctx, `SELECT group_concat(format('INSERT INTO main.%s (%s) SELECT %s FROM current.%s', name, columns, columns, name), ';')
		FROM (SELECT t.name, (SELECT group_concat(name) FROM pragma_table_info(t.name, 'main')) AS columns
			FROM main.sqlite_schema AS t WHERE t.type = 'table' ORDER BY t.rowid)`).Scan(&copies))
	require.Equal(t, 10, strings.Count(copies, "INSERT"))
	execute(t, db, copies)
	execute(t, db, "DELETE FROM main.documents WHERE kind NOT IN ('plan', 'outcomes'); DETACH current")
	execute(t, db, "PRAGMA application_id = 0x44535253; PRAGMA user_version = 1")
	require.NoError(t, db.Close())
	return path
}
