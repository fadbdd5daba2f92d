package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

func notFound(ctx context.Context, s dsr.Store) error {
	return errors.Join(expectGone(ctx, s, "r2"), expectAudit(ctx, s, "r2", nil), expectAudit(ctx, s, "r1", nil))
}

func roundTrip(ctx context.Context, s dsr.Store) error {
	first := &dsr.StoreChange{Record: sample("r1")}
	first.Record.DeletedAt = noon.Add(time.Second)
	lengthen(first, 2)
	if err := s.Commit(ctx, first); err != nil {
		return err
	}
	if err := expect(ctx, s, first.Record); err != nil {
		return err
	}
	other := sample("other")
	other.ID, other.Version, other.Epoch, other.LeaseUntil = "r1", 2, 1<<62, time.Time{}
	other.Policy, other.Actions, other.Location = "p", []graph.Action{graph.Erasure}, ""
	other.Status, other.Stage, other.Failure = dsr.StatusComplete, dsr.StageDone, ""
	other.UpdatedAt, other.DueAt, other.FailedAt = noon.Add(time.Second), time.Time{}, time.Time{}
	other.Details, other.State, other.Plan, other.Outcomes, other.Manual = nil, []byte{}, []byte(`[]`), nil, []byte("answers")
	other.Lookup = [][]byte{[]byte("z"), []byte("a"), []byte("m"), []byte("a")}
	other.Keys = map[string][]byte{"journal": []byte("another"), "spool": []byte("s")}
	other.AuditSeq, other.AuditHash = first.Record.AuditSeq, first.Record.AuditHash
	if err := s.Commit(ctx, &dsr.StoreChange{ExpectVersion: 1, Record: other}); err != nil {
		return err
	}
	if err := expect(ctx, s, other); err != nil {
		return err
	}
	for _, least := range []dsr.Record{
		{ID: "nil", Version: 1},
		{
			ID: "empty", Version: 1, Actions: []graph.Action{}, Identity: []byte{}, Details: []byte{}, Lookup: [][]byte{},
			Keys: map[string][]byte{}, State: []byte{}, Plan: []byte{}, Outcomes: []byte{}, Manual: []byte{}, AuditHash: []byte{},
		},
	} {
		if err := create(ctx, s, least); err != nil {
			return err
		}
		if err := expect(ctx, s, least); err != nil {
			return err
		}
	}
	return nil
}

func conflict(ctx context.Context, s dsr.Store) error {
	if err := update(ctx, s, "r1", func(*dsr.StoreChange) {}); err != nil {
		return err
	}
	for _, test := range []struct {
		id     string
		expect int64
		remove bool
		why    string
	}{
		{"r1", 0, false, "creates a request that exists"},
		{"r1", 1, false, "expects an older version"},
		{"r1", 3, false, "expects a version to come"},
		{"r2", 1, false, "expects a request that does not exist"},
		{"r1", 0, true, "removes a request as if it did not exist"},
		{"r1", 1, true, "removes an older version"},
		{"r1", 3, true, "removes a version to come"},
	} {
		rec := sample(test.id)
		rec.Version, rec.Failure = test.expect+1, "written in spite of the conflict"
		err := s.Commit(ctx, &dsr.StoreChange{ExpectVersion: test.expect, Record: rec, Remove: test.remove})
		if !errors.Is(err, dsr.ErrConflict) {
			return fmt.Errorf("a change that %s returned %v, want ErrConflict", test.why, err)
		}
	}
	want := sample("r1")
	want.Version = 2
	return errors.Join(expect(ctx, s, want), expectGone(ctx, s, "r2"))
}

func expiredHolder(ctx context.Context, s dsr.Store) error {
	if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) { ch.Record.Epoch = 5 }); err != nil {
		return err
	}
	late := sample("r1")
	late.Version, late.Failure = 3, "written after the lease was over"
	for _, epoch := range []int64{0, 3, 4} {
		late.Epoch = epoch
		ch := &dsr.StoreChange{ExpectVersion: 2, Record: late, AppendJournal: chunks(1), Events: events(1), Messages: put(message("m", "r1"))}
		lengthen(ch, 1)
		if err := s.Commit(ctx, ch); !errors.Is(err, dsr.ErrConflict) {
			return fmt.Errorf("a change under epoch %d after epoch 5 returned %v, want ErrConflict", epoch, err)
		}
		ch = removal("r1", 2)
		ch.Record.Epoch = epoch
		if err := s.Commit(ctx, ch); !errors.Is(err, dsr.ErrConflict) {
			return fmt.Errorf("a removal under epoch %d after epoch 5 returned %v, want ErrConflict", epoch, err)
		}
	}
	want := sample("r1")
	want.Version, want.Epoch = 2, 5
	if err := errors.Join(
		expect(ctx, s, want), expectJournal(ctx, s, "r1", nil), expectEvents(ctx, s, "r1", nil), expectAudit(ctx, s, "r1", nil),
		expectMessages(ctx, s),
	); err != nil {
		return err
	}
	// The holder goes on under its epoch, and the next one under any above.
	for _, epoch := range []int64{5, 5, 7} {
		if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) { ch.Record.Epoch = epoch }); err != nil {
			return err
		}
	}
	want.Version, want.Epoch = 5, 7
	return expect(ctx, s, want)
}

func separate(ctx context.Context, s dsr.Store) error {
	if err := update(ctx, s, "r10", func(ch *dsr.StoreChange) {
		ch.AppendJournal, ch.Events = chunks(2), events(2)
		lengthen(ch, 2)
	}); err != nil {
		return err
	}
	for range 2 {
		if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) {
			ch.DropJournal, ch.DropEvents = true, true
			ch.AppendJournal, ch.Events = chunks(1), events(1)
			ch.Ticks = []dsr.Tick{{Seq: 1}}
			ch.Record.Keys, ch.Record.Lookup = nil, nil
			lengthen(ch, 1)
		}); err != nil {
			return err
		}
	}
	second := sample("r10")
	second.Version, second.AuditSeq, second.AuditHash = 2, 2, head("r10", 2).Hash
	return errors.Join(
		expect(ctx, s, second),
		expectJournal(ctx, s, "r10", chunks(2)),
		expectEvents(ctx, s, "r10", events(2)),
		expectAudit(ctx, s, "r10", trail("r10", 1, 2)),
		expect(ctx, s, sample("R1")),
		expectJournal(ctx, s, "R1", nil),
		expectEvents(ctx, s, "R1", nil),
		expectAudit(ctx, s, "R1", nil),
	)
}

func times(ctx context.Context, s dsr.Store) error {
	for i, at := range []time.Time{
		{},
		time.Unix(0, 0),
		time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC),
		time.Date(1900, 1, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(2026, 10, 25, 2, 30, 0, 1000, time.FixedZone("", 2*3600)),
		time.Date(2026, 10, 25, 2, 30, 0, 1000, time.FixedZone("", 3600)),
		time.Date(2200, 12, 31, 23, 59, 59, 999999000, time.FixedZone("", -5*3600-1800)),
	} {
		ch := &dsr.StoreChange{Record: sample(fmt.Sprint("r", i)), Events: events(1)}
		rec := &ch.Record
		for _, field := range dsr.TimeFields() {
			setTime(rec, field, at)
		}
		rec.LeaseUntil, rec.DeletedAt = at, at
		ch.Events[0].Time = at
		lengthen(ch, 1)
		ch.Audit[0].Time = at
		ch.Messages = put(message("of "+rec.ID, rec.ID))
		ch.Messages[0].Message.DueAt = at
		if err := s.Commit(ctx, ch); err != nil {
			return err
		}
		signed := checkpoint(int64(i)+1, head(rec.ID, 1))
		signed.Time = at
		if err := s.SaveCheckpoint(ctx, &signed); err != nil {
			return err
		}
		saved, err := s.Checkpoints(ctx, int64(i), 1)
		e, p := entryOf("k", rec.ID, false), entryOf("plain", rec.ID, true)
		e.UpdatedAt, p.UpdatedAt = at, at
		if err := errors.Join(
			saveEntries(ctx, s, int64(i)+1, putEntries(e, p)), expectEntries(ctx, s, dsr.EntryQuery{Key: rec.ID}, since(int64(i)+1, e), p),
			expect(ctx, s, *rec), expectEvents(ctx, s, rec.ID, ch.Events), expectAudit(ctx, s, rec.ID, ch.Audit),
			expectFound(ctx, s, dsr.MessageQuery{RequestID: rec.ID}, ch.Messages[0].Message),
			err, diff("checkpoints", saved, []dsr.Checkpoint{signed}),
		); err != nil {
			return err
		}
		// What a list is sorted and selected by is the same time.
		for _, field := range dsr.TimeFields() {
			q := dsr.RecordQuery{Deleted: true, Sort: field, Times: map[dsr.TimeField]dsr.TimeRange{
				field: {From: at, Before: at.Add(time.Microsecond)},
			}}
			ids, err := listed(ctx, s, q)
			if err != nil {
				return err
			}
			if want := !at.IsZero(); want != (len(ids) == 1) {
				return fmt.Errorf("%d requests have %s within the microsecond %v", len(ids), field, at)
			}
		}
	}
	return nil
}
