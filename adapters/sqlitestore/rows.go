package sqlitestore

import (
	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/sqlstore"
)

func recordRow(r *dsr.Record) sqlstore.Record {
	return sqlstore.Record{
		ID: &r.ID, Version: &r.Version, Epoch: &r.Epoch,
		ExternalID: &r.ExternalID, Policy: &r.Policy, Status: (*string)(&r.Status), Stage: (*string)(&r.Stage), Failure: &r.Failure,
		LeaseUntil: &r.LeaseUntil, RequestedAt: &r.RequestedAt, CreatedAt: &r.CreatedAt,
		UpdatedAt: &r.UpdatedAt, FinishedAt: &r.FinishedAt, DueAt: &r.DueAt,
		Identity: &r.Identity, Plan: &r.Plan, Outcomes: &r.Outcomes, Lookup: &r.Lookup,
	}
}

func chunkRow(c *dsr.JournalChunk) sqlstore.Chunk {
	return sqlstore.Chunk{
		Seq: &c.Seq, Step: &c.Step, Rows: &c.Rows, Sealed: &c.Sealed, Applied: &c.Applied, Counts: (*sqlstore.Counts)(&c.Counts),
	}
}

func changeRows(ch *dsr.StoreChange) *sqlstore.Change {
	rows := &sqlstore.Change{Expect: ch.ExpectVersion, Record: recordRow(&ch.Record), Drop: ch.DropJournal}
	for i := range ch.AppendJournal {
		rows.Append = append(rows.Append, chunkRow(&ch.AppendJournal[i]))
	}
	for _, tick := range ch.Ticks {
		rows.Ticks = append(rows.Ticks, sqlstore.Tick{Seq: tick.Seq, Counts: sqlstore.Counts(tick.Counts)})
	}
	for i := range ch.Events {
		rows.Events = append(rows.Events, (*sqlstore.Event)(&ch.Events[i]))
	}
	return rows
}

func filterRow(f *dsr.RequestFilter) *sqlstore.Filter {
	row := &sqlstore.Filter{ExternalID: f.ExternalID, Lookup: f.Lookup, DueBefore: f.DueBefore, After: f.After, Limit: f.Limit}
	for _, status := range f.Status {
		row.Status = append(row.Status, string(status))
	}
	return row
}

// chunkList makes room for the chunks that are read, one after the other.
func chunkList(list *[]dsr.JournalChunk) func() sqlstore.Chunk {
	return func() sqlstore.Chunk {
		*list = append(*list, dsr.JournalChunk{})
		return chunkRow(&(*list)[len(*list)-1])
	}
}

func eventList(list *[]dsr.Event) func() *sqlstore.Event {
	return func() *sqlstore.Event {
		*list = append(*list, dsr.Event{})
		return (*sqlstore.Event)(&(*list)[len(*list)-1])
	}
}

func recordList(list *[]*dsr.Record) func() sqlstore.Record {
	return func() sqlstore.Record {
		r := new(dsr.Record)
		*list = append(*list, r)
		return recordRow(r)
	}
}
