package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// wholeChange is one with a value in every field.
func wholeChange() *dsr.StoreChange {
	ch := &dsr.StoreChange{
		Record: sample("r1"), AppendJournal: chunks(2), Events: events(2), Messages: put(message("m", "r1")),
		Ticks: []dsr.Tick{{Seq: 2, Counts: dsr.ChunkCounts{Masked: 1}}},
	}
	lengthen(ch, 2)
	return ch
}

// twoEntries are changes that add an entry of each sort.
func twoEntries() []dsr.EntryChange {
	return putEntries(entryOf("k", "plain", true), entryOf("k", "versioned", false))
}

// expectWhole compares what is stored with the whole change, a message, two
// entries and a checkpoint.
func expectWhole(ctx context.Context, s dsr.Store) error {
	want := wholeChange()
	want.AppendJournal[1].Applied, want.AppendJournal[1].Counts = true, want.Ticks[0].Counts
	list, err := s.Requests(ctx, dsr.RecordQuery{})
	if err != nil {
		return err
	}
	short := want.Record
	short.Plan, short.Outcomes, short.Manual, short.Keys = nil, nil, nil, nil
	return errors.Join(
		expect(ctx, s, want.Record), diff("the list", list, []*dsr.Record{&short}), expectJournal(ctx, s, "r1", want.AppendJournal), expectEvents(ctx, s, "r1", want.Events),
		expectAudit(ctx, s, "r1", want.Audit), expectHeads(ctx, s, head("r1", 2)), expectCheckpoints(ctx, s, checkpoint(1, head("r1", 1))),
		expectMessages(ctx, s, message("m", "r1"), message("n", "")),
		expectEntries(ctx, s, dsr.EntryQuery{}, twoEntries()[0].Entry, since(1, twoEntries()[1].Entry)),
		expectEntries(ctx, s, dsr.EntryQuery{At: 1}, since(1, twoEntries()[1].Entry)),
	)
}

func copiesGiven(ctx context.Context, s dsr.Store) error {
	ch, c, messages, entries := wholeChange(), checkpoint(1, head("r1", 1)), put(message("n", "")), twoEntries()
	if err := errors.Join(s.Commit(ctx, ch), s.SaveCheckpoint(ctx, &c), s.SaveMessages(ctx, messages), giveEntries(ctx, s, entries)); err != nil {
		return err
	}
	if err := errors.Join(
		diff("the change that was given to Commit", *ch, *wholeChange()),
		diff("the checkpoint that was given", c, checkpoint(1, head("r1", 1))),
		diff("the messages that were given", messages, put(message("n", ""))),
		diff("the entries that were given", entries, twoEntries()),
	); err != nil {
		return err
	}
	spoil(ch)
	spoil(&c)
	spoil(messages)
	spoil(entries)
	if err := expectWhole(ctx, s); err != nil {
		return err
	}
	query := func() dsr.RecordQuery {
		return dsr.RecordQuery{
			Status: []dsr.Status{dsr.StatusPending, dsr.StatusComplete, dsr.StatusDenied}, Policies: []string{"z", "a"},
			Actions: []graph.Action{graph.Erasure, graph.Access}, Lookup: [][]byte{[]byte("z"), []byte("a")}, Also: [][]byte{[]byte("z"), []byte("a")}, ExternalPrefix: "A%",
			Times: map[dsr.TimeField]dsr.TimeRange{dsr.TimeDue: {From: noon}}, After: &dsr.RecordPlace{Time: noon, ID: "r"},
		}
	}
	q := query()
	_, listErr := s.Requests(ctx, q)
	_, countErr := s.CountRequests(ctx, q)
	if err := errors.Join(listErr, countErr); err != nil {
		return err
	}
	if !reflect.DeepEqual(q, query()) {
		return fmt.Errorf("the query that was given became %+v, want %+v", q, query())
	}
	place := dsr.EntryPlace{Kind: "K", Key: "x"}
	_, err := s.Entries(ctx, dsr.EntryQuery{After: &place})
	return errors.Join(err, diff("the place that was given", place, dsr.EntryPlace{Kind: "K", Key: "x"}))
}

func giveEntries(ctx context.Context, s dsr.Store, changes []dsr.EntryChange) error {
	_, err := s.SaveEntries(ctx, changes)
	return err
}

func copiesReturned(ctx context.Context, s dsr.Store) error {
	c := checkpoint(1, head("r1", 1))
	if err := errors.Join(s.Commit(ctx, wholeChange()), s.SaveCheckpoint(ctx, &c), s.SaveMessages(ctx, put(message("n", ""))), giveEntries(ctx, s, twoEntries())); err != nil {
		return err
	}
	rec, err := s.Request(ctx, "r1")
	if err != nil {
		return err
	}
	list, err1 := s.Requests(ctx, dsr.RecordQuery{})
	journal, err2 := s.Journal(ctx, "r1", 0, 0)
	log, err3 := s.Events(ctx, "r1", 0, 0)
	entries, err4 := s.AuditEntries(ctx, "r1", dsr.AuditPlace{}, 10)
	heads, err5 := s.UnsignedHeads(ctx, 10)
	saved, err6 := s.Checkpoints(ctx, 0, 10)
	messages, err7 := s.Messages(ctx, dsr.MessageQuery{})
	now, err8 := s.Entries(ctx, dsr.EntryQuery{})
	then, err9 := s.Entries(ctx, dsr.EntryQuery{At: 1})
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9); err != nil {
		return err
	}
	for _, value := range []any{rec, list, journal, log, entries, heads, saved, messages, now, then} {
		spoil(value)
	}
	return expectWhole(ctx, s)
}

// spoil changes everything that can be reached from a value and that a copy
// could share.
func spoil(value any) { spoilValue(reflect.ValueOf(value)) }

func spoilValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			spoilValue(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				spoilValue(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoilValue(v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			spoilValue(v.MapIndex(key)) // what it points to
			v.SetMapIndex(key, reflect.Value{})
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString("spoilt")
		}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		if v.CanSet() {
			v.SetUint(v.Uint() + 1)
		}
	case reflect.Int, reflect.Int64:
		if v.CanSet() {
			v.SetInt(v.Int() + 1)
		}
	}
}
