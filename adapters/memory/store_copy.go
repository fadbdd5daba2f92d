package memory

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/godsr/dsr"
)

func copyRecord(rec dsr.Record) dsr.Record {
	for _, t := range []*time.Time{
		&rec.LeaseUntil, &rec.RequestedAt, &rec.CreatedAt, &rec.UpdatedAt, &rec.StartedAt,
		&rec.FailedAt, &rec.FinishedAt, &rec.DeletedAt, &rec.DeadlineAt, &rec.DueAt,
	} {
		*t = instant(*t)
	}
	for _, b := range []*[]byte{&rec.Identity, &rec.Details, &rec.State, &rec.Plan, &rec.Outcomes, &rec.Manual, &rec.AuditHash} {
		*b = bytes.Clone(*b)
	}
	rec.Actions = slices.Clone(rec.Actions)
	rec.Lookup = copies(rec.Lookup, bytes.Clone)
	rec.Keys = maps.Clone(rec.Keys)
	for purpose := range rec.Keys {
		rec.Keys[purpose] = bytes.Clone(rec.Keys[purpose])
	}
	return rec
}

func copyChunk(chunk dsr.JournalChunk) dsr.JournalChunk {
	chunk.Sealed = bytes.Clone(chunk.Sealed)
	return chunk
}

func copyEvent(event dsr.Event) dsr.Event {
	event.Time = instant(event.Time)
	event.Fields = copies(event.Fields, func(field dsr.FieldTouched) dsr.FieldTouched {
		field.Categories = slices.Clone(field.Categories)
		return field
	})
	return event
}

func copyEntry(entry dsr.AuditEntry) dsr.AuditEntry {
	entry.Time = instant(entry.Time)
	entry.Details = maps.Clone(entry.Details)
	entry.Prev, entry.Hash, entry.MAC = bytes.Clone(entry.Prev), bytes.Clone(entry.Hash), bytes.Clone(entry.MAC)
	return entry
}

func copyCheckpoint(c dsr.Checkpoint) dsr.Checkpoint {
	c.Time = instant(c.Time)
	c.Prev, c.Hash, c.Signature = bytes.Clone(c.Prev), bytes.Clone(c.Hash), bytes.Clone(c.Signature)
	c.Heads = copies(c.Heads, func(head dsr.AuditHead) dsr.AuditHead {
		head.Hash = bytes.Clone(head.Hash)
		return head
	})
	return c
}

// instant is the time as a durable store returns it: in UTC, without a reading
// of the monotonic clock.
func instant(t time.Time) time.Time { return t.Round(0).UTC() }
