package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/godsr/dsr"
)

func atomic(ctx context.Context, s dsr.Store) error {
	want := sample("r1")
	if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) {
		ch.AppendJournal, ch.Events = chunks(2), events(2)
		ch.Messages = put(message("m", "r1"))
		lengthen(ch, 1)
		want = ch.Record
	}); err != nil {
		return err
	}
	refused := sample("r1")
	refused.Failure, refused.Lookup, refused.Keys = "half written", [][]byte{[]byte("new")}, nil
	for _, ch := range []*dsr.StoreChange{
		{ExpectVersion: 1}, // a conflict
		{ExpectVersion: 1, Remove: true},
		{ExpectVersion: 2, Ticks: []dsr.Tick{{Seq: 1}, {Seq: 9}}}, // no such chunk
		{ExpectVersion: 2, Ticks: []dsr.Tick{{Seq: 1}, {Seq: 0}}}, // no such chunk
		{ExpectVersion: 2, Ticks: []dsr.Tick{{Seq: 9}}, DropJournal: true, DropEvents: true},
	} {
		ch.Record = refused
		ch.Record.Version = ch.ExpectVersion + 1
		ch.AppendJournal, ch.Events, ch.Audit = chunks(3), events(1), trail("r1", 2, 3)
		ch.Messages = put(message("n", "r1"), next(message("m", "r1")))
		if err := s.Commit(ctx, ch); err == nil {
			return fmt.Errorf("a change that cannot be stored was accepted: version %d after %d, ticks %v",
				ch.Record.Version, ch.ExpectVersion, ch.Ticks)
		}
		if err := errors.Join(
			expect(ctx, s, want), expectJournal(ctx, s, "r1", chunks(2)), expectEvents(ctx, s, "r1", events(2)),
			expectAudit(ctx, s, "r1", trail("r1", 1, 1)), expectHeads(ctx, s, head("r1", 1)),
			expectMessages(ctx, s, message("m", "r1")),
		); err != nil {
			return err
		}
	}
	return nil
}

func oneWinner(ctx context.Context, s dsr.Store) error {
	const writers, rounds = 50, 4
	for version := range int64(rounds) {
		results := make([]error, writers)
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				rec := sample("r1")
				rec.Version, rec.Failure = version+1, fmt.Sprint("writer ", i)
				results[i] = s.Commit(ctx, &dsr.StoreChange{
					ExpectVersion: version, Record: rec, Events: []dsr.Event{{Time: noon, Message: rec.Failure}},
				})
			})
		}
		group.Wait()
		winner := ""
		for i, err := range results {
			switch {
			case err == nil && winner != "":
				return fmt.Errorf("two writers wrote version %d", version+1)
			case err == nil:
				winner = fmt.Sprint("writer ", i)
			case !errors.Is(err, dsr.ErrConflict):
				return fmt.Errorf("a writer that lost got %w, want ErrConflict", err)
			}
		}
		if winner == "" {
			return fmt.Errorf("nobody wrote version %d", version+1)
		}
		rec, err := s.Request(ctx, "r1")
		if err != nil {
			return err
		}
		if rec.Version != version+1 || rec.Failure != winner {
			return fmt.Errorf("stored is version %d of %s, want version %d of %s", rec.Version, rec.Failure, version+1, winner)
		}
		log, err := s.Events(ctx, "r1", 0, 0)
		if err != nil {
			return err
		}
		if n := len(log); n != int(version)+1 || log[n-1].Message != winner {
			return fmt.Errorf("%d writers left events, want %d", n, version+1)
		}
	}
	return nil
}

// canceled writes under a context that is over, and then under some that end
// before, while or after the change is stored.
func canceled(ctx context.Context, s dsr.Store) error {
	over, cancel := context.WithCancel(ctx)
	cancel()
	second := &dsr.StoreChange{ExpectVersion: 1, Record: sample("r1"), Events: events(1), AppendJournal: chunks(1), Messages: put(message("m", "r1"))}
	second.Record.Version, second.Record.Failure = 2, "canceled"
	lengthen(second, 1)
	for _, ch := range []*dsr.StoreChange{{Record: sample("r2")}, second, removal("r1", 1)} {
		if err := s.Commit(over, ch); err == nil {
			return errors.New("Commit succeeded under a context that is over")
		}
	}
	first := checkpoint(1)
	if err := s.SaveCheckpoint(over, &first); err == nil {
		return errors.New("SaveCheckpoint succeeded under a context that is over")
	}
	if err := s.SaveMessages(over, put(message("n", ""))); err == nil {
		return errors.New("SaveMessages succeeded under a context that is over")
	}
	for _, plain := range []bool{false, true} {
		if _, err := s.SaveEntries(over, putEntries(entryOf("k", "e", plain))); err == nil {
			return errors.New("SaveEntries succeeded under a context that is over")
		}
	}
	if err := errors.Join(
		expectGone(ctx, s, "r2"), expect(ctx, s, sample("r1")), expectEvents(ctx, s, "r1", nil),
		expectJournal(ctx, s, "r1", nil), expectAudit(ctx, s, "r1", nil), expectCheckpoints(ctx, s),
		expectMessages(ctx, s), expectEntries(ctx, s, dsr.EntryQuery{}), expectCatalogue(ctx, s, 0),
	); err != nil {
		return err
	}
	catalogue, entries := int64(0), []dsr.Entry(nil)
	want, log, messages := sample("r1"), []dsr.Event(nil), []dsr.Message(nil)
	for i := range 24 {
		id := fmt.Sprintf("m%02d", i)
		ch := &dsr.StoreChange{ExpectVersion: want.Version, Record: want, Events: events(1), Messages: put(message(id, "r1"))}
		ch.Record.Version++
		ch.Record.Failure = fmt.Sprint("change ", i)
		lengthen(ch, 1)
		pair := []dsr.Message{message(id+" a", "r1"), message(id+" b", "")}
		soon := func(write func(ctx context.Context) error) error {
			ctx, cancel := context.WithTimeout(ctx, 20*time.Microsecond<<(i%8))
			defer cancel()
			return write(ctx)
		}
		if soon(func(ctx context.Context) error { return s.Commit(ctx, ch) }) == nil {
			want, log, messages = ch.Record, append(log, ch.Events...), append(messages, ch.Messages[0].Message)
		}
		if soon(func(ctx context.Context) error { return s.SaveMessages(ctx, put(pair...)) }) == nil {
			messages = append(messages, pair...)
		}
		e, p := entryOf("k", id+" a", false), entryOf("k", id+" b", true)
		if soon(func(ctx context.Context) error { return giveEntries(ctx, s, putEntries(e, p)) }) == nil {
			catalogue++
			entries = append(entries, since(catalogue, e), p)
		}
		if err := errors.Join(
			expect(ctx, s, want), expectEvents(ctx, s, "r1", log), expectAudit(ctx, s, "r1", trail("r1", 1, want.AuditSeq)),
			expectMessages(ctx, s, messages...), expectEntries(ctx, s, dsr.EntryQuery{}, entries...), expectCatalogue(ctx, s, catalogue),
		); err != nil {
			return fmt.Errorf("a change whose context ended meanwhile was not stored as was said: %w", err)
		}
	}
	return nil
}
