package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/godsr/dsr"
)

// message has a value in every field.
func message(id, request string, version int64) dsr.Message {
	return dsr.Message{
		ID: id, Version: version, RequestID: request, DueAt: noon,
		Data: fmt.Appendf(nil, `{"version":%d}`, version), Sealed: fmt.Appendf(nil, "sealed\x00\xff%s", id),
	}
}

// saving saves a message after the version before.
func saving(m dsr.Message) dsr.MessageChange {
	return dsr.MessageChange{ExpectVersion: m.Version - 1, Message: m}
}

// removing removes the version before.
func removing(m dsr.Message) dsr.MessageChange {
	return dsr.MessageChange{ExpectVersion: m.Version - 1, Message: m, Remove: true}
}

func save(ctx context.Context, s dsr.Store, changes ...dsr.MessageChange) error {
	if err := s.SaveMessages(ctx, changes); err != nil {
		return fmt.Errorf("save messages: %w", err)
	}
	return nil
}

func expectMessages(ctx context.Context, s dsr.Store, want ...dsr.Message) error {
	return expectMessagesOf(ctx, s, dsr.MessageQuery{}, want...)
}

func expectMessagesOf(ctx context.Context, s dsr.Store, q dsr.MessageQuery, want ...dsr.Message) error {
	got, err := s.Messages(ctx, q)
	if err != nil {
		return fmt.Errorf("messages: %w", err)
	}
	return diff(fmt.Sprintf("messages of %+v", q), got, want)
}

// refusing expects that the changes are refused with an error.
func refusing(ctx context.Context, s dsr.Store, want error, changes ...dsr.MessageChange) error {
	if err := s.SaveMessages(ctx, changes); !errors.Is(err, want) {
		return fmt.Errorf("SaveMessages of %+v returned %v, want %v", changes, err, want)
	}
	return nil
}

func messagesAtomic(ctx context.Context, s dsr.Store) error {
	first := message("m1", "r1", 1)
	if err := save(ctx, s, saving(first)); err != nil {
		return err
	}
	if err := errors.Join(
		refusing(ctx, s, dsr.ErrConflict, saving(message("m2", "", 1)), saving(message("m1", "r1", 2)), saving(message("m3", "", 7))),
		refusing(ctx, s, dsr.ErrConflict, removing(message("m1", "r1", 2)), saving(message("m3", "", 7))),
		expectMessages(ctx, s, first),
	); err != nil {
		return err
	}
	// In their order, also those of one message.
	if err := save(ctx, s, saving(message("m1", "r1", 2)), saving(message("m1", "r1", 3)), saving(message("m2", "", 1)), removing(message("m2", "", 2))); err != nil {
		return err
	}
	return expectMessages(ctx, s, message("m1", "r1", 3))
}

func messageConflict(ctx context.Context, s dsr.Store) error {
	if err := save(ctx, s, saving(message("m1", "r1", 1)), saving(message("m1", "r1", 2))); err != nil {
		return err
	}
	for _, version := range []int64{1, 2, 4} {
		m := message("m1", "r1", version)
		if err := errors.Join(refusing(ctx, s, dsr.ErrConflict, saving(m)), refusing(ctx, s, dsr.ErrConflict, removing(m))); err != nil {
			return err
		}
	}
	if err := errors.Join(
		refusing(ctx, s, dsr.ErrConflict, saving(message("m2", "", 2))), refusing(ctx, s, dsr.ErrConflict, removing(message("m2", "", 1))),
		expectMessages(ctx, s, message("m1", "r1", 2)),
	); err != nil {
		return err
	}
	for version := range int64(3) {
		results := make([]error, 30)
		var group sync.WaitGroup
		for i := range results {
			group.Go(func() {
				m := message("crowd", "r1", version+1)
				m.Sealed = fmt.Append(nil, i)
				results[i] = s.SaveMessages(ctx, []dsr.MessageChange{saving(m)})
			})
		}
		group.Wait()
		var winners []string
		for i, err := range results {
			if err == nil {
				winners = append(winners, fmt.Sprint(i))
			} else if !errors.Is(err, dsr.ErrConflict) {
				return fmt.Errorf("a writer that lost got %w, want ErrConflict", err)
			}
		}
		list, err := s.Messages(ctx, dsr.MessageQuery{ID: "crowd"})
		if err != nil {
			return err
		}
		if len(winners) != 1 || len(list) != 1 || string(list[0].Sealed) != winners[0] {
			return fmt.Errorf("version %d of a message was saved by writers %q and %d are stored, want one", version+1, winners, len(list))
		}
	}
	return nil
}

func messagesOfNobody(ctx context.Context, s dsr.Store) error {
	return errors.Join(
		refusing(ctx, s, dsr.ErrNotFound, saving(message("m1", "r1", 1)), saving(message("m2", "r9", 1))),
		expectMessages(ctx, s),
	)
}

func messageOrder(ctx context.Context, s dsr.Store) error {
	at := func(id, request string, due time.Time) dsr.Message {
		m := message(id, request, 1)
		m.DueAt = due
		return m
	}
	all := []dsr.Message{
		at("e", "r1", time.Time{}), at("c", "", noon), at("d", "r2", noon), at("b", "r1", noon.Add(time.Microsecond)), at("a", "r1", noon.Add(time.Hour)),
	}
	all[1].Data, all[1].Sealed = nil, nil
	for _, i := range []int{4, 2, 0, 3, 1} {
		if err := save(ctx, s, saving(all[i])); err != nil {
			return err
		}
	}
	return errors.Join(
		expectMessages(ctx, s, all...),
		expectMessagesOf(ctx, s, dsr.MessageQuery{RequestID: "r1"}, all[0], all[3], all[4]),
		expectMessagesOf(ctx, s, dsr.MessageQuery{RequestID: "r1", Before: noon.Add(time.Hour)}, all[0], all[3]),
		expectMessagesOf(ctx, s, dsr.MessageQuery{Before: noon}, all[0]),
		expectMessagesOf(ctx, s, dsr.MessageQuery{Before: noon.Add(time.Microsecond)}, all[:3]...),
		expectMessagesOf(ctx, s, dsr.MessageQuery{ID: "d"}, all[2]),
		expectMessagesOf(ctx, s, dsr.MessageQuery{ID: "d", RequestID: "r1"}),
		expectMessagesOf(ctx, s, dsr.MessageQuery{ID: "D"}),
	)
}

func messageLimit(ctx context.Context, s dsr.Store) error {
	var all []dsr.Message
	var changes []dsr.MessageChange
	for i := range 103 {
		all = append(all, message(fmt.Sprintf("m%03d", i), "", 1))
		changes = append(changes, saving(all[i]))
	}
	if err := save(ctx, s, changes...); err != nil {
		return err
	}
	for limit, want := range map[int]int{0: 100, 1: 1, 102: 102, 1000: 103} {
		if err := expectMessagesOf(ctx, s, dsr.MessageQuery{Limit: limit}, all[:want]...); err != nil {
			return err
		}
	}
	return nil
}

func messagesWithTheRequest(ctx context.Context, s dsr.Store) error {
	commit := func(changes ...dsr.MessageChange) error {
		return update(ctx, s, "r1", func(ch *dsr.StoreChange) { ch.Messages = changes })
	}
	if err := errors.Join(
		commit(saving(message("m1", "r1", 1)), saving(message("m2", "r1", 1))), commit(saving(message("m1", "r1", 2)), removing(message("m2", "r1", 2))),
		expectMessages(ctx, s, message("m1", "r1", 2)),
	); err != nil {
		return err
	}
	for _, refused := range []dsr.MessageChange{saving(message("m3", "r2", 1)), saving(message("m3", "", 1)), saving(message("m1", "r1", 2))} {
		if commit(saving(message("m4", "r1", 1)), refused) == nil {
			return fmt.Errorf("a change of request %q with the message %+v was accepted", "r1", refused)
		}
	}
	want := sample("r1")
	want.Version = 3
	return errors.Join(expect(ctx, s, want), expectMessages(ctx, s, message("m1", "r1", 2)))
}

func messagesRemoved(ctx context.Context, s dsr.Store) error {
	if err := save(ctx, s, saving(message("m1", "r1", 1)), saving(message("m2", "r2", 1)), saving(message("m3", "", 1))); err != nil {
		return err
	}
	if err := s.Commit(ctx, removal("r1", 1)); err != nil {
		return err
	}
	for i := range 10 {
		if err := removedMeanwhile(ctx, s, fmt.Sprint("meanwhile", i)); err != nil {
			return err
		}
	}
	return errors.Join(
		expectMessages(ctx, s, message("m2", "r2", 1), message("m3", "", 1)),
		refusing(ctx, s, dsr.ErrConflict, saving(message("m1", "r1", 2))), refusing(ctx, s, dsr.ErrNotFound, saving(message("m1", "r1", 1))),
	)
}

// removedMeanwhile saves messages of a request while it is removed.
func removedMeanwhile(ctx context.Context, s dsr.Store, id string) error {
	if err := create(ctx, s, sample(id)); err != nil {
		return err
	}
	results := make([]error, 4)
	var removed error
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() {
			results[i] = s.SaveMessages(ctx, []dsr.MessageChange{saving(message(fmt.Sprint(id, i), id, 1))})
		})
	}
	group.Go(func() { removed = s.Commit(ctx, removal(id, 1)) })
	group.Wait()
	for _, err := range results {
		if err != nil && !errors.Is(err, dsr.ErrNotFound) {
			return fmt.Errorf("a message of a request that was removed meanwhile got %w, want none or ErrNotFound", err)
		}
	}
	return errors.Join(removed, expectMessagesOf(ctx, s, dsr.MessageQuery{RequestID: id}))
}
