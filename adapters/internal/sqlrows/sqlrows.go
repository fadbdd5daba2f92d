// Package sqlrows turns the types of the store's port into the rows of package
// sqlstore, which knows no engine, for the stores in SQL databases.
package sqlrows

import (
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/sqlstore"
)

// Record points at the fields of a record.
func Record(r *dsr.Record) sqlstore.Record {
	return sqlstore.Record{
		ID: &r.ID, Version: &r.Version, Epoch: &r.Epoch, AuditSeq: &r.AuditSeq,
		ExternalID: &r.ExternalID, Policy: &r.Policy, Status: (*string)(&r.Status), Stage: (*string)(&r.Stage),
		Failure: &r.Failure, Location: &r.Location, Actions: sqlstore.WordsOf(&r.Actions),
		LeaseUntil: &r.LeaseUntil, RequestedAt: &r.RequestedAt, CreatedAt: &r.CreatedAt, UpdatedAt: &r.UpdatedAt,
		StartedAt: &r.StartedAt, FailedAt: &r.FailedAt, FinishedAt: &r.FinishedAt, DeletedAt: &r.DeletedAt,
		DeadlineAt: &r.DeadlineAt, DueAt: &r.DueAt,
		Identity: &r.Identity, Details: &r.Details, State: &r.State, AuditHash: &r.AuditHash,
		Plan: &r.Plan, Outcomes: &r.Outcomes, Manual: &r.Manual, Lookup: &r.Lookup,
		Ended: ended(r.Status),
	}
}

func ended(s dsr.Status) bool {
	return s == dsr.StatusComplete || s == dsr.StatusDenied || s == dsr.StatusCanceled
}

func chunkRow(c *dsr.JournalChunk) sqlstore.Chunk {
	return sqlstore.Chunk{
		Seq: &c.Seq, Step: &c.Step, Rows: &c.Rows, Sealed: &c.Sealed, Applied: &c.Applied, Counts: (*sqlstore.Counts)(&c.Counts),
	}
}

func eventRow(e *dsr.Event) sqlstore.Event {
	return sqlstore.Event{
		Seq: &e.Seq, Time: &e.Time, Kind: &e.Kind, Collection: &e.Collection, Connection: &e.Connection,
		Action: (*string)(&e.Action), Status: &e.Status, Message: &e.Message, Rows: &e.Rows, Fields: &e.Fields,
	}
}

// Change is a change as SQL writes it.
func Change(ch *dsr.StoreChange) *sqlstore.Change {
	rows := &sqlstore.Change{
		Expect: ch.ExpectVersion, Record: Record(&ch.Record), Drop: ch.DropJournal, DropEvents: ch.DropEvents, Remove: ch.Remove,
		Audit:    convert(ch.Audit, func(e dsr.AuditEntry) sqlstore.AuditEntry { return sqlstore.AuditEntry(e) }),
		Messages: MessageChanges(ch.Messages),
	}
	for i := range ch.AppendJournal {
		rows.Append = append(rows.Append, chunkRow(&ch.AppendJournal[i]))
	}
	for _, tick := range ch.Ticks {
		rows.Ticks = append(rows.Ticks, sqlstore.Tick{Seq: tick.Seq, Counts: sqlstore.Counts(tick.Counts)})
	}
	for i := range ch.Events {
		rows.Events = append(rows.Events, eventRow(&ch.Events[i]))
	}
	return rows
}

// Query is a query as SQL asks it.
func Query(q *dsr.RecordQuery) *sqlstore.Query {
	row := &sqlstore.Query{
		Status: texts(q.Status), Policies: q.Policies, Actions: texts(q.Actions), Lookup: q.Lookup, Also: q.Also,
		ExternalID: q.ExternalID, ExternalPrefix: q.ExternalPrefix, Text: q.Text, IDContains: q.IDContains, Location: q.Location,
		Times: map[string]sqlstore.Range{}, OnTime: q.OnTime, Deleted: q.Deleted,
		// Said in these words, an index of the few helps.
		Unfinished: q.Unfinished || len(q.Status) > 0 && !slices.ContainsFunc(q.Status, ended),
		Sort:       string(q.Sort), Descending: q.Descending, After: (*sqlstore.Place)(q.After), Offset: q.Offset, Limit: q.Limit,
	}
	for field, r := range q.Times {
		row.Times[string(field)] = sqlstore.Range(r)
	}
	return row
}

// Checkpoint is a checkpoint as SQL writes it.
func Checkpoint(c *dsr.Checkpoint) *sqlstore.Checkpoint {
	return &sqlstore.Checkpoint{
		Seq: c.Seq, Time: c.Time, Prev: c.Prev, Hash: c.Hash, Signature: c.Signature,
		Heads: convert(c.Heads, func(h dsr.AuditHead) sqlstore.AuditHead { return sqlstore.AuditHead(h) }),
	}
}

// AuditEntries are entries as the port returns them.
func AuditEntries(list []sqlstore.AuditEntry) []dsr.AuditEntry {
	return convert(list, func(e sqlstore.AuditEntry) dsr.AuditEntry { return dsr.AuditEntry(e) })
}

// AuditHeads are ends of chains as the port returns them.
func AuditHeads(list []sqlstore.AuditHead) []dsr.AuditHead {
	return convert(list, func(h sqlstore.AuditHead) dsr.AuditHead { return dsr.AuditHead(h) })
}

// Checkpoints are checkpoints as the port returns them.
func Checkpoints(list []sqlstore.Checkpoint) []dsr.Checkpoint {
	return convert(list, func(c sqlstore.Checkpoint) dsr.Checkpoint {
		return dsr.Checkpoint{Seq: c.Seq, Time: c.Time, Prev: c.Prev, Heads: AuditHeads(c.Heads), Hash: c.Hash, Signature: c.Signature}
	})
}

// MessageChanges are changes to messages as SQL writes them.
func MessageChanges(list []dsr.MessageChange) []sqlstore.MessageChange {
	return convert(list, func(ch dsr.MessageChange) sqlstore.MessageChange {
		return sqlstore.MessageChange{Expect: ch.ExpectVersion, Message: sqlstore.Message(ch.Message), Remove: ch.Remove}
	})
}

// MessageQuery is a query for messages as SQL asks it.
func MessageQuery(q *dsr.MessageQuery) *sqlstore.MessageQuery {
	return &sqlstore.MessageQuery{ID: q.ID, RequestID: q.RequestID, Before: q.Before, After: (*sqlstore.Place)(q.After), Limit: q.Limit}
}

// Messages are messages as the port returns them.
func Messages(list []sqlstore.Message) []dsr.Message {
	return convert(list, func(m sqlstore.Message) dsr.Message { return dsr.Message(m) })
}

// EntryChanges are changes to entries as SQL writes them.
func EntryChanges(list []dsr.EntryChange) []sqlstore.EntryChange {
	return convert(list, func(ch dsr.EntryChange) sqlstore.EntryChange {
		return sqlstore.EntryChange{Expect: ch.ExpectVersion, Entry: sqlstore.Entry(ch.Entry), Remove: ch.Remove}
	})
}

// EntryQuery is a query for entries as SQL asks it.
func EntryQuery(q *dsr.EntryQuery) *sqlstore.EntryQuery {
	return &sqlstore.EntryQuery{Kind: q.Kind, Key: q.Key, At: q.At, After: (*sqlstore.EntryPlace)(q.After), Limit: q.Limit}
}

// Entries are entries as the port returns them.
func Entries(list []sqlstore.Entry) []dsr.Entry {
	return convert(list, func(e sqlstore.Entry) dsr.Entry { return dsr.Entry(e) })
}

func convert[A, B any](list []A, one func(A) B) (all []B) {
	for _, a := range list {
		all = append(all, one(a))
	}
	return all
}

func texts[T ~string](list []T) []string {
	return convert(list, func(t T) string { return string(t) })
}

// Records makes room for the records that are read, one after the other.
func Records(list *[]*dsr.Record) func() sqlstore.Record {
	return func() sqlstore.Record {
		*list = append(*list, new(dsr.Record))
		return Record((*list)[len(*list)-1])
	}
}

// Chunks makes room for the chunks that are read.
func Chunks(list *[]dsr.JournalChunk) func() sqlstore.Chunk {
	return func() sqlstore.Chunk {
		*list = append(*list, dsr.JournalChunk{})
		return chunkRow(&(*list)[len(*list)-1])
	}
}

// Events makes room for the lines that are read.
func Events(list *[]dsr.Event) func() sqlstore.Event {
	return func() sqlstore.Event {
		*list = append(*list, dsr.Event{})
		return eventRow(&(*list)[len(*list)-1])
	}
}
