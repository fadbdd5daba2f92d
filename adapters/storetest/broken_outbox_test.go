package storetest_test

import (
	"context"
	"errors"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func brokenOutbox() map[string]faults {
	order := faults{
		"the latest first": boxed(func(ctx context.Context, s *memory.Store, q dsr.MessageQuery) ([]dsr.Message, error) {
			list, err := s.Messages(ctx, q)
			slices.Reverse(list)
			return list, err
		}),
		"Before is within": asked(func(q *dsr.MessageQuery) {
			if !q.Before.IsZero() {
				q.Before = q.Before.Add(1)
			}
		}),
	}
	for _, field := range fieldsOf[dsr.MessageQuery]("Limit") {
		order[field+" is ignored"] = asked(func(q *dsr.MessageQuery) { forget(q, field) })
	}
	for _, field := range fieldsOf[dsr.Message]() {
		order["it forgets "+field] = boxed(func(ctx context.Context, s *memory.Store, q dsr.MessageQuery) ([]dsr.Message, error) {
			list, err := s.Messages(ctx, q)
			forgetAll(list, field)
			return list, err
		})
	}
	return map[string]faults{
		"messages atomic": {"one after the other": saved(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
			for i := range changes {
				if err := s.SaveMessages(ctx, changes[i:i+1]); err != nil {
					return err
				}
			}
			return nil
		})},
		"message conflict": {
			"an error of its own": saved(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				if s.SaveMessages(ctx, changes) != nil {
					return errors.New("duplicate key")
				}
				return nil
			}),
			"a conflict is passed over": saved(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				if err := s.SaveMessages(ctx, changes); !errors.Is(err, dsr.ErrConflict) {
					return err
				}
				return nil
			}),
		},
		"messages of nobody": {"they are kept": saved(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
			changes = slices.Clone(changes)
			for i := range changes {
				if _, err := s.Request(ctx, changes[i].Message.RequestID); err != nil {
					changes[i].Message.RequestID = ""
				}
			}
			return s.SaveMessages(ctx, changes)
		})},
		"message order": order,
		"message limit": {
			"none unless told": asked(func(q *dsr.MessageQuery) {
				if q.Limit == 0 {
					q.Limit = 1000
				}
			}),
			"never more than 100": asked(func(q *dsr.MessageQuery) { q.Limit = min(q.Limit, 100) }),
		},
		"messages with the request": {
			"they are forgotten": altered(func(ch *dsr.StoreChange) { ch.Messages = nil }),
			"those of others are left out": altered(func(ch *dsr.StoreChange) {
				ch.Messages = slices.DeleteFunc(slices.Clone(ch.Messages), func(m dsr.MessageChange) bool { return m.Message.RequestID != ch.Record.ID })
			}),
		},
		"messages removed": {"they stay": over(func(s *memory.Store, f *fake) {
			var gone []dsr.Message
			f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
				if ch.Remove {
					list, err := s.Messages(ctx, dsr.MessageQuery{RequestID: ch.Record.ID})
					if err != nil {
						return err
					}
					gone = append(gone, list...)
				}
				return s.Commit(ctx, ch)
			}
			f.messages = func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
				list, err := s.Messages(ctx, q)
				return append(gone, list...), err
			}
		})},
	}
}

// saved makes a store that saves messages in another way.
func saved(save func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.saveAll = func(ctx context.Context, changes []dsr.MessageChange) error { return save(ctx, s, changes) }
	})
}

// boxed makes a store that reads messages in another way.
func boxed(read func(ctx context.Context, s *memory.Store, q dsr.MessageQuery) ([]dsr.Message, error)) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.messages = func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) { return read(ctx, s, q) }
	})
}

// asked makes a store that alters every query for messages.
func asked(alter func(q *dsr.MessageQuery)) func() dsr.Store {
	return boxed(func(ctx context.Context, s *memory.Store, q dsr.MessageQuery) ([]dsr.Message, error) {
		alter(&q)
		return s.Messages(ctx, q)
	})
}

// messagesFirst saves the messages of a change whatever becomes of it.
func messagesFirst(s *memory.Store, f *fake) {
	f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
		c := copied(ch)
		c.Messages = nil
		return errors.Join(s.SaveMessages(ctx, ch.Messages), s.Commit(ctx, c))
	}
}
