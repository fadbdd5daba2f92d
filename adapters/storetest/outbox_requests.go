package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/godsr/dsr"
)

func messagesOfNobody(ctx context.Context, s dsr.Store) error {
	m, n := message("m", "r1"), message("n", "")
	if err := s.SaveMessages(ctx, put(m, n)); err != nil {
		return err
	}
	moved, claimed := next(m), next(n)
	moved.RequestID, claimed.RequestID = "r9", "r9"
	for why, changes := range map[string][]dsr.MessageChange{
		"a new message":                      put(message("o", "r9")),
		"a message that was another's":       put(moved),
		"a message that was no request's":    put(claimed),
		"one of several, the first of which": put(message("o", "r9"), next(m)),
	} {
		if err := s.SaveMessages(ctx, changes); !errors.Is(err, dsr.ErrNotFound) {
			return fmt.Errorf("to save %s, of a request that there is not, returned %v, want ErrNotFound", why, err)
		}
	}
	return expectMessages(ctx, s, m, n)
}

// noOrphans removes requests while messages of theirs are saved.
func noOrphans(ctx context.Context, s dsr.Store) error {
	const rounds = 12
	for round := range rounds {
		id := fmt.Sprint("removed ", round)
		first := message("first of "+id, id)
		if err := s.Commit(ctx, &dsr.StoreChange{Record: sample(id), Messages: put(first)}); err != nil {
			return err
		}
		var removed error
		saves := make([]error, 6)
		var group sync.WaitGroup
		start := make(chan struct{})
		for i := range saves {
			group.Go(func() {
				<-start
				changes := put(message(fmt.Sprintf("message %d of %s", i, id), id))
				if i == 0 {
					changes = put(next(first))
				}
				saves[i] = s.SaveMessages(ctx, changes)
			})
		}
		group.Go(func() {
			<-start
			removed = s.Commit(ctx, removal(id, 1))
		})
		close(start)
		group.Wait()
		if removed != nil {
			return fmt.Errorf("remove a request while messages of it are saved: %w", removed)
		}
		for _, err := range saves {
			if err != nil && !errors.Is(err, dsr.ErrNotFound) && !errors.Is(err, dsr.ErrConflict) {
				return fmt.Errorf("to save a message while its request is removed returned %w, want ErrNotFound or ErrConflict", err)
			}
		}
		if err := errors.Join(expectGone(ctx, s, id), expectMessages(ctx, s)); err != nil {
			return err
		}
	}
	return nil
}

func messagesWithRequest(ctx context.Context, s dsr.Store) error {
	m, n, o := message("m", "r1"), message("n", "r1"), message("o", "r1")
	made := &dsr.StoreChange{Record: sample("r1"), Messages: put(m, n)}
	if err := s.Commit(ctx, made); err != nil {
		return fmt.Errorf("make a request with messages: %w", err)
	}
	if err := errors.Join(expect(ctx, s, made.Record), expectMessages(ctx, s, m, n)); err != nil {
		return err
	}
	want := made.Record
	if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) {
		ch.Messages = append(put(next(m), next(next(m)), o), without(n)...)
		want = ch.Record
	}); err != nil {
		return err
	}
	if err := errors.Join(expect(ctx, s, want), expectMessages(ctx, s, o, next(next(m)))); err != nil {
		return err
	}
	// What is not of the request is refused, and with it everything.
	if err := create(ctx, s, sample("r2")); err != nil {
		return err
	}
	for _, request := range []string{"", "r2", "r9"} {
		ch := &dsr.StoreChange{ExpectVersion: 2, Record: want, Events: events(1)}
		ch.Record.Version, ch.Record.Failure = 3, "written with a message of another request"
		ch.Messages = put(message("p", "r1"), message("q", request))
		if err := s.Commit(ctx, ch); err == nil {
			return fmt.Errorf("a change of request %q was stored with a message of request %q", "r1", request)
		}
		if err := errors.Join(
			expect(ctx, s, want), expectEvents(ctx, s, "r1", nil), expectMessages(ctx, s, o, next(next(m))),
		); err != nil {
			return err
		}
	}
	return nil
}

func messagesRemoved(ctx context.Context, s dsr.Store) error {
	own, stays, none := message("own", "r1"), message("stays", "r10"), message("without a request", "")
	for _, ch := range []*dsr.StoreChange{
		{Record: sample("r1"), Messages: put(own)}, {Record: sample("r10"), Messages: put(stays)},
	} {
		if err := s.Commit(ctx, ch); err != nil {
			return err
		}
	}
	if err := s.SaveMessages(ctx, put(message("later", "r1"), none)); err != nil {
		return err
	}
	for range 2 {
		if err := s.Commit(ctx, removal("r1", 1)); err != nil {
			return fmt.Errorf("remove a request with its messages: %w", err)
		}
		if err := errors.Join(expectGone(ctx, s, "r1"), expectMessages(ctx, s, stays, none)); err != nil {
			return err
		}
	}
	// The IDs are free again, and nothing comes back with the request.
	again := message("own", "r1")
	if err := s.Commit(ctx, &dsr.StoreChange{Record: sample("r1")}); err != nil {
		return err
	}
	if err := expectMessages(ctx, s, stays, none); err != nil {
		return err
	}
	if err := s.SaveMessages(ctx, put(again)); err != nil {
		return fmt.Errorf("save a message under the ID of one that vanished with its request: %w", err)
	}
	return expectMessages(ctx, s, again, stays, none)
}
