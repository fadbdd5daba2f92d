package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/godsr/dsr"
)

func messagesAtomic(ctx context.Context, s dsr.Store) error {
	m, n, o := message("m", "r1"), message("n", ""), message("o", "")
	if err := s.SaveMessages(ctx, put(m, n)); err != nil {
		return err
	}
	skipped := next(next(n))
	skipped.Version = 7
	for _, test := range []struct {
		why     string
		changes [][]dsr.MessageChange
	}{
		{"the last one expects a version to come", [][]dsr.MessageChange{put(next(m), o), without(next(n))}},
		{"it changes what it has removed", [][]dsr.MessageChange{without(m), put(next(m))}},
		{"it makes a message twice", [][]dsr.MessageChange{put(o, o)}},
		{"it makes a message again and again", [][]dsr.MessageChange{without(n), put(o, n), put(n)}},
		{"there is no such request", [][]dsr.MessageChange{put(next(m), message("of none", "r9"))}},
		{"a message has no ID", [][]dsr.MessageChange{without(n), put(dsr.Message{Version: 1})}},
		{"a version does not follow", [][]dsr.MessageChange{put(o), {{ExpectVersion: 1, Message: skipped}}}},
	} {
		if err := s.SaveMessages(ctx, slices.Concat(test.changes...)); err == nil {
			return fmt.Errorf("a list of changes was saved although %s", test.why)
		}
		if err := expectMessages(ctx, s, m, n); err != nil {
			return fmt.Errorf("after a list was refused because %s: %w", test.why, err)
		}
	}
	// One list may change a message again and again.
	other := next(n)
	other.Version = 1
	again := slices.Concat(put(next(m), o, next(next(m))), without(n, o), put(other, o))
	if err := s.SaveMessages(ctx, again); err != nil {
		return fmt.Errorf("change messages again within one list: %w", err)
	}
	return expectMessages(ctx, s, o, other, next(next(m)))
}

func messageConflict(ctx context.Context, s dsr.Store) error {
	m := message("m", "r1")
	if err := s.SaveMessages(ctx, put(m, next(m))); err != nil {
		return err
	}
	for _, test := range []struct {
		id     string
		expect int64
		remove bool
		why    string
	}{
		{"m", 0, false, "creates a message that exists"},
		{"m", 1, false, "expects an older version"},
		{"m", 3, false, "expects a version to come"},
		{"n", 1, false, "expects a message that does not exist"},
		{"m", 0, true, "removes a message as if it did not exist"},
		{"m", 1, true, "removes an older version"},
		{"m", 3, true, "removes a version to come"},
		{"n", 0, true, "removes a message that does not exist"},
		{"n", 1, true, "removes a version of a message that does not exist"},
	} {
		change := message(test.id, "r1")
		change.Version = test.expect + 1
		changes := []dsr.MessageChange{{ExpectVersion: test.expect, Message: change, Remove: test.remove}}
		if err := s.SaveMessages(ctx, changes); !errors.Is(err, dsr.ErrConflict) {
			return fmt.Errorf("a change that %s returned %v, want ErrConflict", test.why, err)
		}
		rec := sample("r1")
		rec.Version, rec.Failure = 2, "written in spite of the conflict"
		if err := s.Commit(ctx, &dsr.StoreChange{ExpectVersion: 1, Record: rec, Messages: changes}); !errors.Is(err, dsr.ErrConflict) {
			return fmt.Errorf("a Commit with a change of a message that %s returned %v, want ErrConflict", test.why, err)
		}
	}
	return errors.Join(expect(ctx, s, sample("r1")), expectMessages(ctx, s, next(m)))
}

// oneMessageWinner lets many save the same version of a message, each with one
// of their own in the same list.
func oneMessageWinner(ctx context.Context, s dsr.Store) error {
	const writers, rounds = 20, 4
	var own []dsr.Message
	for version := range int64(rounds) {
		saved := func(i int) (shared, mine dsr.Message) {
			shared, mine = message("shared", "r1"), message(fmt.Sprintf("version %d by writer %02d", version+1, i), "")
			shared.Version, shared.Data = version+1, []byte(mine.ID)
			return shared, mine
		}
		results := make([]error, writers)
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				shared, mine := saved(i)
				results[i] = s.SaveMessages(ctx, put(mine, shared))
			})
		}
		group.Wait()
		winner := -1
		for i, err := range results {
			switch {
			case err == nil && winner >= 0:
				return fmt.Errorf("two writers wrote version %d of a message", version+1)
			case err == nil:
				winner = i
			case !errors.Is(err, dsr.ErrConflict):
				return fmt.Errorf("a writer of a message that lost got %w, want ErrConflict", err)
			}
		}
		if winner < 0 {
			return fmt.Errorf("nobody wrote version %d of a message", version+1)
		}
		shared, mine := saved(winner)
		own = append(own, mine)
		if err := errors.Join(
			expectFound(ctx, s, dsr.MessageQuery{ID: "shared"}, shared),
			expectMessages(ctx, s, append([]dsr.Message{shared}, own...)...),
		); err != nil {
			return err
		}
	}
	return nil
}
