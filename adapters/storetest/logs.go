package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/godsr/dsr"
)

// cuts are parts of a list of twelve, numbered from 1: what comes after a
// number, at most limit of it.
func cuts() []struct{ after, limit, from, to int } {
	return []struct{ after, limit, from, to int }{
		{0, 100, 0, 12}, {0, 5, 0, 5}, {5, 3, 5, 8}, {11, 5, 11, 12}, {12, 5, 12, 12}, {99, 5, 12, 12}, {0, 1, 0, 1},
		{0, 0, 0, 12}, {5, 0, 5, 12}, {99, 0, 12, 12},
	}
}

// many is more than a store might take for all.
const many = 130

func journalOrder(ctx context.Context, s dsr.Store) error {
	want := numbered(chunks(12))
	for _, part := range [][]dsr.JournalChunk{chunks(12)[:5], chunks(12)[5:6], chunks(12)[6:]} {
		if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) { ch.AppendJournal = part }); err != nil {
			return err
		}
	}
	for _, cut := range cuts() {
		got, err := s.Journal(ctx, "r1", cut.after, cut.limit)
		if err != nil {
			return err
		}
		if err := diff(fmt.Sprintf("journal after %d, limit %d", cut.after, cut.limit), got, want[cut.from:cut.to]); err != nil {
			return err
		}
	}
	if err := update(ctx, s, "r2", func(ch *dsr.StoreChange) { ch.AppendJournal = chunks(many) }); err != nil {
		return err
	}
	got, err := s.Journal(ctx, "r2", 0, 0)
	if err != nil {
		return err
	}
	return diff("journal without a limit", got, numbered(chunks(many)))
}

func ticks(ctx context.Context, s dsr.Store) error {
	want := chunks(5)
	mark := func(c dsr.ChunkCounts, seqs ...int) []dsr.Tick {
		var list []dsr.Tick
		for _, seq := range seqs {
			list = append(list, dsr.Tick{Seq: seq, Counts: c})
			want[seq-1].Applied, want[seq-1].Counts = true, c
		}
		return list
	}
	for _, change := range []func(ch *dsr.StoreChange){
		func(ch *dsr.StoreChange) { ch.AppendJournal = chunks(4) },
		func(ch *dsr.StoreChange) { ch.Ticks = mark(dsr.ChunkCounts{Masked: 7, Gone: 2, Changed: 1}, 3, 1) },
		// A chunk may be marked as it comes, and again.
		func(ch *dsr.StoreChange) {
			ch.AppendJournal = chunks(5)[4:]
			ch.Ticks = append(mark(dsr.ChunkCounts{}, 5), mark(dsr.ChunkCounts{Masked: 9}, 1)...)
		},
	} {
		if err := update(ctx, s, "r1", change); err != nil {
			return err
		}
	}
	return expectJournal(ctx, s, "r1", want)
}

func drop(ctx context.Context, s dsr.Store) error {
	if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) {
		ch.AppendJournal, ch.Events = chunks(3), events(3)
		ch.Ticks = []dsr.Tick{{Seq: 1, Counts: dsr.ChunkCounts{Masked: 1}}, {Seq: 3}}
	}); err != nil {
		return err
	}
	// A journal that is empty can be dropped, too; and in the end one is
	// dropped and appended to in the same change.
	for _, n := range []int{0, 0, 2, 2} {
		if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) {
			ch.DropJournal, ch.AppendJournal = true, chunks(n)
		}); err != nil {
			return err
		}
		if err := expectJournal(ctx, s, "r1", chunks(n)); err != nil {
			return err
		}
	}
	return expectEvents(ctx, s, "r1", events(3))
}

func eventsOrder(ctx context.Context, s dsr.Store) error {
	want := numberedEvents(events(12))
	for _, part := range [][]dsr.Event{events(12)[:5], events(12)[5:6], events(12)[6:]} {
		part[0].Seq = 99 // which the store overrules
		if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) { ch.Events = part }); err != nil {
			return err
		}
	}
	for _, cut := range cuts() {
		got, err := s.Events(ctx, "r1", int64(cut.after), cut.limit)
		if err != nil {
			return err
		}
		if err := diff(fmt.Sprintf("events after %d, limit %d", cut.after, cut.limit), got, want[cut.from:cut.to]); err != nil {
			return err
		}
	}
	least := []dsr.Event{{}, {Fields: []dsr.FieldTouched{}}}
	lines := append(least, events(many)...)
	if err := update(ctx, s, "r2", func(ch *dsr.StoreChange) { ch.Events = lines }); err != nil {
		return err
	}
	got, err := s.Events(ctx, "r2", 0, 0)
	if err != nil {
		return err
	}
	return diff("events without a limit", got, numberedEvents(append(least, events(many)...)))
}

func dropLog(ctx context.Context, s dsr.Store) error {
	if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) {
		ch.AppendJournal, ch.Events = chunks(3), events(3)
		lengthen(ch, 2)
	}); err != nil {
		return err
	}
	// A log that is empty can be dropped, too; and in the end one is dropped
	// and added to in the same change.
	for _, n := range []int{0, 0, 2, 2} {
		if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) {
			ch.DropEvents, ch.Events = true, events(n)
		}); err != nil {
			return err
		}
		if err := expectEvents(ctx, s, "r1", events(n)); err != nil {
			return err
		}
	}
	return errors.Join(expectJournal(ctx, s, "r1", chunks(3)), expectAudit(ctx, s, "r1", trail("r1", 1, 2)))
}
