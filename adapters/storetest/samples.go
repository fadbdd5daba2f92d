package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// noon is when all that the checks store happens.
var noon = time.Date(2026, 3, 29, 12, 0, 0, 123456000, time.UTC)

// sample is a record of version 1 with a value in every field, but neither
// deleted nor audited.
func sample(id string) dsr.Record {
	return dsr.Record{
		ID: id, Version: 1, Epoch: 3, LeaseUntil: noon.Add(time.Minute),
		ExternalID: "ext-" + id, Policy: "erase_all", Actions: []graph.Action{graph.Access, graph.Erasure},
		Location: "US-CA", Status: dsr.StatusInProcessing, Stage: dsr.StageCollect,
		RequestedAt: noon.Add(-48 * time.Hour), CreatedAt: noon.Add(-24 * time.Hour), UpdatedAt: noon,
		StartedAt: noon.Add(-time.Hour), FailedAt: noon.Add(-time.Minute), FinishedAt: noon.Add(time.Hour),
		DeadlineAt: noon.Add(45 * 24 * time.Hour), DueAt: noon.Add(2 * time.Hour),
		Identity: []byte("identity\x00\xff" + id), Details: []byte("details\x00\xff" + id),
		Lookup: [][]byte{[]byte("hash 1 " + id), []byte("hash 2 " + id)},
		Keys:   map[string][]byte{"identity": {0, 1, 255}, "journal": []byte("key " + id)},
		State:  []byte(`{"attempts":2}`), Plan: []byte(`{"plan":1}`), Outcomes: []byte(`{"outcomes":[]}`),
		Manual:  []byte("manual\x00\xff" + id),
		Failure: "no answer",
	}
}

// setTime sets the time of a record that a query names so.
func setTime(rec *dsr.Record, field dsr.TimeField, at time.Time) {
	switch field {
	case dsr.TimeRequested:
		rec.RequestedAt = at
	case dsr.TimeCreated:
		rec.CreatedAt = at
	case dsr.TimeUpdated:
		rec.UpdatedAt = at
	case dsr.TimeStarted:
		rec.StartedAt = at
	case dsr.TimeFailed:
		rec.FailedAt = at
	case dsr.TimeFinished:
		rec.FinishedAt = at
	case dsr.TimeDeadline:
		rec.DeadlineAt = at
	case dsr.TimeDue:
		rec.DueAt = at
	}
}

// create commits version 1 of a record.
func create(ctx context.Context, s dsr.Store, rec dsr.Record) error {
	rec.Version = 1
	if err := s.Commit(ctx, &dsr.StoreChange{Record: rec}); err != nil {
		return fmt.Errorf("create request %q: %w", rec.ID, err)
	}
	return nil
}

// update commits the next version of a stored record after the change was
// applied to it.
func update(ctx context.Context, s dsr.Store, id string, change func(*dsr.StoreChange)) error {
	rec, err := s.Request(ctx, id)
	if err != nil {
		return fmt.Errorf("read request %q: %w", id, err)
	}
	ch := &dsr.StoreChange{ExpectVersion: rec.Version, Record: *rec}
	ch.Record.Version++
	change(ch)
	if err := s.Commit(ctx, ch); err != nil {
		return fmt.Errorf("update request %q: %w", id, err)
	}
	return nil
}

// removal removes version v of a sample.
func removal(id string, v int64, audit ...dsr.AuditEntry) *dsr.StoreChange {
	return &dsr.StoreChange{
		ExpectVersion: v, Record: dsr.Record{ID: id, Version: v + 1, Epoch: 3}, Remove: true, Audit: audit,
	}
}

// chunks makes n journal chunks that can be told apart. The store is to number
// them.
func chunks(n int) []dsr.JournalChunk {
	list := make([]dsr.JournalChunk, n)
	for i := range list {
		list[i] = dsr.JournalChunk{Step: fmt.Sprintf("shop:table%d", i), Rows: i + 1, Sealed: fmt.Appendf(nil, "sealed\x00%d", i)}
	}
	return list
}

// events makes n lines of a log that can be told apart, with a value in every
// field but the number, which the store is to give.
func events(n int) []dsr.Event {
	list := make([]dsr.Event, n)
	for i := range list {
		list[i] = dsr.Event{
			// Clocks go backwards sometimes; the log does not.
			Time: noon.Add(time.Duration(-i) * time.Second), Kind: "collected",
			Collection: fmt.Sprint("shop:table", i%3), Connection: "shop_db", Action: graph.Access, Status: "complete",
			Rows: int64(i+1) << 40, Message: fmt.Sprintf("it's \"%d\"\n", i),
			Fields: []dsr.FieldTouched{
				{Path: "b.name", Categories: []graph.Category{"user.name", "user.contact"}},
				{Path: fmt.Sprint("a", i)},
			},
		}
	}
	return list
}

// entry is one of a request's audit trail with a value in every field.
func entry(id string, seq int64) dsr.AuditEntry {
	return dsr.AuditEntry{
		RequestID: id, Seq: seq, Time: noon.Add(time.Duration(-seq) * time.Second),
		Action: "approved", Actor: fmt.Sprint("pseudonym ", seq),
		Details: map[string]string{"reason": "it's \"n\"\n", "nothing": ""},
		Prev:    fmt.Appendf(nil, "hash\x00%s %d", id, seq-1), Hash: fmt.Appendf(nil, "hash\x00%s %d", id, seq),
		MAC: fmt.Appendf(nil, "mac\xff%s %d", id, seq),
	}
}

// trail is the entries of a request from the first number to the last one.
func trail(id string, first, last int64) []dsr.AuditEntry {
	var list []dsr.AuditEntry
	for seq := first; seq <= last; seq++ {
		list = append(list, entry(id, seq))
	}
	return list
}

// lengthen adds n audit entries to a change.
func lengthen(ch *dsr.StoreChange, n int64) {
	rec := &ch.Record
	ch.Audit = trail(rec.ID, rec.AuditSeq+1, rec.AuditSeq+n)
	rec.AuditSeq, rec.AuditHash = rec.AuditSeq+n, head(rec.ID, rec.AuditSeq+n).Hash
}

// head is where a trail of entries stands.
func head(id string, seq int64) dsr.AuditHead {
	return dsr.AuditHead{RequestID: id, Seq: seq, Hash: entry(id, seq).Hash}
}

// checkpoint has a value in every field if it has heads.
func checkpoint(seq int64, heads ...dsr.AuditHead) dsr.Checkpoint {
	return dsr.Checkpoint{
		Seq: seq, Time: noon.Add(time.Duration(seq) * time.Second), Heads: heads,
		Prev: fmt.Appendf(nil, "checkpoint\x00%d", seq-1), Hash: fmt.Appendf(nil, "checkpoint\x00%d", seq),
		Signature: fmt.Appendf(nil, "signature\xff%d", seq),
	}
}
