package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/godsr/dsr"
)

func journalOrder(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore, "r1")
	if err != nil {
		return err
	}
	want := numbered(1, chunks(12))
	for _, part := range [][]dsr.JournalChunk{chunks(12)[:5], chunks(12)[5:6], chunks(12)[6:]} {
		for i := range part {
			part[i].Seq = 0 // the store numbers
		}
		if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) { ch.AppendJournal = part }); err != nil {
			return err
		}
	}
	for _, test := range []struct{ after, limit, from, to int }{
		{0, 100, 0, 12}, {0, 5, 0, 5}, {5, 3, 5, 8}, {11, 5, 11, 12}, {12, 5, 12, 12}, {99, 5, 12, 12}, {0, 1, 0, 1},
	} {
		got, err := s.Journal(ctx, "r1", test.after, test.limit)
		if err != nil {
			return err
		}
		if err := diffChunks(got, want[test.from:test.to]); err != nil {
			return fmt.Errorf("after %d, limit %d: %w", test.after, test.limit, err)
		}
	}
	return nil
}

func ticks(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore, "r1")
	if err != nil {
		return err
	}
	counts := dsr.ChunkCounts{Masked: 7, Gone: 2, Changed: 1}
	want := numbered(1, chunks(5))
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
		func(ch *dsr.StoreChange) { ch.Ticks = mark(counts, 3, 1) },
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

func drop(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore, "r1")
	if err != nil {
		return err
	}
	if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) {
		ch.AppendJournal = chunks(3)
		ch.Ticks = []dsr.Tick{{Seq: 1, Counts: dsr.ChunkCounts{Masked: 1}}, {Seq: 3}}
	}); err != nil {
		return err
	}
	if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) { ch.DropJournal = true }); err != nil {
		return err
	}
	if err := expectJournal(ctx, s, "r1", nil); err != nil {
		return err
	}
	// Twice, so that the second drop and append come in one change.
	for range 2 {
		if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) {
			ch.DropJournal, ch.AppendJournal = true, chunks(2)
		}); err != nil {
			return err
		}
		if err := expectJournal(ctx, s, "r1", numbered(1, chunks(2))); err != nil {
			return err
		}
	}
	return nil
}

func eventsOrder(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore, "r1")
	if err != nil {
		return err
	}
	var want []dsr.Event
	for i := range 12 {
		want = append(want, dsr.Event{
			// Clocks go backwards sometimes; the log does not.
			Time: noon.Add(time.Duration(-i) * time.Second), Kind: "collected",
			Collection: fmt.Sprint("shop:table", i%3), Rows: int64(i) << 40, Message: fmt.Sprintf("it's \"%d\"\n", i),
		})
	}
	for part := range slices.Chunk(want, 5) {
		if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) { ch.Events = part }); err != nil {
			return err
		}
	}
	return expectEvents(ctx, s, "r1", want)
}

// spoil changes everything in a record that a copy could share.
func spoil(r *dsr.Record) {
	for _, b := range append([][]byte{r.Identity, r.Plan, r.Outcomes}, r.Lookup...) {
		clear(b)
	}
	for purpose := range r.Keys {
		clear(r.Keys[purpose])
	}
	r.Keys["spoilt"] = nil
	r.Lookup[0] = nil
	r.Failure = "spoilt"
}

func copiesGiven(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore)
	if err != nil {
		return err
	}
	events := []dsr.Event{{Time: noon, Kind: "kept"}}
	ch := &dsr.StoreChange{Record: sample("r1"), AppendJournal: chunks(1), Events: slices.Clone(events)}
	if err := s.Commit(ctx, ch); err != nil {
		return err
	}
	spoil(&ch.Record)
	clear(ch.AppendJournal[0].Sealed)
	ch.AppendJournal[0].Step = "spoilt"
	ch.Events[0].Kind = "spoilt"
	return errors.Join(
		expect(ctx, s, sample("r1")),
		expectJournal(ctx, s, "r1", numbered(1, chunks(1))),
		expectEvents(ctx, s, "r1", events),
	)
}

func copiesReturned(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore)
	if err != nil {
		return err
	}
	events := []dsr.Event{{Time: noon, Kind: "kept"}}
	if err := s.Commit(ctx, &dsr.StoreChange{Record: sample("r1"), AppendJournal: chunks(1), Events: events}); err != nil {
		return err
	}
	r, err := s.Request(ctx, "r1")
	if err != nil {
		return err
	}
	spoil(r)
	list, err := s.Requests(ctx, dsr.RequestFilter{})
	if err != nil {
		return err
	}
	if len(list) != 1 || !bytes.Equal(list[0].Identity, sample("r1").Identity) {
		return errors.New("a list does not hold the record as it was committed")
	}
	spoil(list[0])
	journal, err := s.Journal(ctx, "r1", 0, 10)
	if err != nil {
		return err
	}
	for i := range journal {
		clear(journal[i].Sealed)
		journal[i].Step = "spoilt"
	}
	log, err := s.Events(ctx, "r1")
	if err != nil {
		return err
	}
	for i := range log {
		log[i].Kind = "spoilt"
	}
	return errors.Join(
		expect(ctx, s, sample("r1")),
		expectJournal(ctx, s, "r1", numbered(1, chunks(1))),
		expectEvents(ctx, s, "r1", events),
	)
}
