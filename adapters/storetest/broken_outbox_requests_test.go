package storetest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func brokenOutboxRequests() map[string]faults {
	return map[string]faults{
		"messages of nobody": {
			"it is saved as nobody's": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				return s.SaveMessages(ctx, adopted(s, changes))
			}),
			"only new ones are looked at": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				if changes[0].ExpectVersion > 0 {
					changes = adopted(s, changes)
				}
				return s.SaveMessages(ctx, changes)
			}),
			"it is passed over": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				if err := s.SaveMessages(ctx, changes); !errors.Is(err, dsr.ErrNotFound) {
					return err
				}
				return nil
			}),
			"a conflict":          putting(instead(dsr.ErrConflict)),
			"an error of its own": putting(instead(errors.New("violates foreign key constraint"))),
			"the others are saved": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) (err error) {
				for i := range changes {
					err = errors.Join(err, s.SaveMessages(ctx, changes[i:i+1]))
				}
				return err
			}),
		},
		"no orphans": {
			"looks, then writes": over(func(s *memory.Store, f *fake) { lingering(s, f, nil) }),
			"an error of its own": over(func(s *memory.Store, f *fake) {
				lingering(s, f, errors.New("violates foreign key constraint"))
			}),
			"removals wait for messages": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					if list, err := s.Messages(ctx, dsr.MessageQuery{RequestID: ch.Record.ID}); ch.Remove && len(list) > 0 || err != nil {
						return dsr.ErrConflict
					}
					return s.Commit(ctx, ch)
				}
			}),
		},
		"messages with the request": {
			"they are forgotten": altered(func(ch *dsr.StoreChange) { ch.Messages = nil }),
			"they go first": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					c := copied(ch)
					if ch.ExpectVersion == 0 {
						return s.Commit(ctx, c)
					}
					c.Messages = nil
					return errors.Join(s.SaveMessages(ctx, ch.Messages), s.Commit(ctx, c))
				}
			}),
			"removals of them are forgotten": altered(func(ch *dsr.StoreChange) {
				ch.Messages = slices.DeleteFunc(ch.Messages, func(m dsr.MessageChange) bool { return m.Remove })
			}),
			"those of others are dropped": altered(func(ch *dsr.StoreChange) {
				ch.Messages = slices.DeleteFunc(ch.Messages, func(m dsr.MessageChange) bool { return m.Message.RequestID != ch.Record.ID })
			}),
			"those of others are taken over": altered(func(ch *dsr.StoreChange) {
				for i := range ch.Messages {
					ch.Messages[i].Message.RequestID = ch.Record.ID
				}
			}),
			"those of others are stored": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					c := copied(ch)
					var others []dsr.MessageChange
					for _, m := range ch.Messages {
						if m.Message.RequestID == "r2" {
							others = append(others, m)
						}
					}
					c.Messages = slices.DeleteFunc(c.Messages, func(m dsr.MessageChange) bool { return m.Message.RequestID == "r2" })
					return errors.Join(s.Commit(ctx, c), s.SaveMessages(ctx, others))
				}
			}),
			"the log is written all the same": over(func(s *memory.Store, f *fake) {
				var late []dsr.Event
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					err := s.Commit(ctx, ch)
					if err != nil {
						late = append(late, ch.Events...)
					}
					return err
				}
				f.events = func(ctx context.Context, id string, after int64, limit int) ([]dsr.Event, error) {
					list, err := s.Events(ctx, id, after, limit)
					return append(list, late...), err
				}
			}),
		},
		"messages removed": {
			"they stay": over(func(s *memory.Store, f *fake) {
				var left []dsr.Message
				f.commit = removing(s, func(_ *dsr.StoreChange, own []dsr.Message) { left = append(left, own...) })
				f.messages = adding(s, func() []dsr.Message { return left })
			}),
			"they come again with the request": over(func(s *memory.Store, f *fake) {
				var left []dsr.Message
				f.commit = removing(s, func(_ *dsr.StoreChange, own []dsr.Message) { left = append(left, own...) })
				f.messages = adding(s, func() []dsr.Message {
					if _, err := s.Request(context.Background(), "r1"); err != nil {
						return nil
					}
					return left
				})
			}),
			"their IDs are used up": over(func(s *memory.Store, f *fake) {
				used := map[string]bool{}
				f.commit = removing(s, func(_ *dsr.StoreChange, own []dsr.Message) {
					for _, m := range own {
						used[m.ID] = true
					}
				})
				f.put = func(ctx context.Context, changes []dsr.MessageChange) error {
					for _, ch := range changes {
						if used[ch.Message.ID] {
							return dsr.ErrConflict
						}
					}
					return s.SaveMessages(ctx, changes)
				}
			}),
			"those of a like ID go too": over(func(s *memory.Store, f *fake) {
				prefix := "none"
				f.commit = removing(s, func(ch *dsr.StoreChange, _ []dsr.Message) { prefix = ch.Record.ID })
				f.messages = func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
					list, err := s.Messages(ctx, q)
					return slices.DeleteFunc(list, func(m dsr.Message) bool { return strings.HasPrefix(m.RequestID, prefix) }), err
				}
			}),
			"those of none go too": over(func(s *memory.Store, f *fake) {
				gone := false
				f.commit = removing(s, func(*dsr.StoreChange, []dsr.Message) { gone = true })
				f.messages = func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
					list, err := s.Messages(ctx, q)
					return slices.DeleteFunc(list, func(m dsr.Message) bool { return gone && m.RequestID == "" }), err
				}
			}),
		},
	}
}

// adopted makes messages of requests that there are not those of none.
func adopted(s *memory.Store, changes []dsr.MessageChange) []dsr.MessageChange {
	for i := range changes {
		m := &changes[i].Message
		if _, err := s.Request(context.Background(), m.RequestID); err != nil {
			m.RequestID = ""
		}
	}
	return changes
}

// instead returns another error than ErrNotFound.
func instead(other error) func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
	return func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
		err := s.SaveMessages(ctx, changes)
		if errors.Is(err, dsr.ErrNotFound) {
			return other
		}
		return err
	}
}

// lingering makes a store that saves messages in two steps: it looks for the
// request, which is removed before the second one. Then the message is saved
// all the same, unless there is an error to return.
func lingering(s *memory.Store, f *fake, refusal error) {
	var mu sync.Mutex
	var orphans []dsr.Message
	looked, gone := make(chan struct{}, 1000), make(chan struct{})
	var once sync.Once
	f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
		if !ch.Remove {
			return s.Commit(ctx, ch)
		}
		select {
		case <-looked:
		case <-time.After(time.Second):
		}
		defer once.Do(func() { close(gone) })
		return s.Commit(ctx, ch)
	}
	f.put = func(ctx context.Context, changes []dsr.MessageChange) error {
		if _, err := s.Request(ctx, changes[0].Message.RequestID); err != nil {
			return err
		}
		looked <- struct{}{}
		select {
		case <-gone:
		case <-time.After(time.Second):
		}
		err := s.SaveMessages(ctx, changes)
		switch {
		case err == nil:
			return nil
		case refusal != nil:
			return refusal
		}
		mu.Lock()
		defer mu.Unlock()
		for _, ch := range changes {
			orphans = append(orphans, ch.Message)
		}
		return nil
	}
	f.messages = adding(s, func() []dsr.Message {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(orphans)
	})
}

// removing looks at each removal, and at the messages that vanish with it.
func removing(s *memory.Store, look func(ch *dsr.StoreChange, own []dsr.Message)) func(ctx context.Context, ch *dsr.StoreChange) error {
	return func(ctx context.Context, ch *dsr.StoreChange) error {
		if ch.Remove {
			own, err := s.Messages(ctx, dsr.MessageQuery{RequestID: ch.Record.ID})
			if err != nil {
				return err
			}
			look(ch, own)
		}
		return s.Commit(ctx, ch)
	}
}

// adding finds more messages than those stored.
func adding(s *memory.Store, more func() []dsr.Message) func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
	return func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
		list, err := s.Messages(ctx, q)
		for _, m := range more() {
			if q.RequestID == "" || m.RequestID == q.RequestID {
				list = append(list, m)
			}
		}
		return list, err
	}
}
