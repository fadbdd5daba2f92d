package storetest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func brokenOutboxWrites() map[string]faults {
	oneByOne := putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
		for i := range changes {
			if err := s.SaveMessages(ctx, changes[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	})
	return map[string]faults{
		"messages atomic": {
			"one by one": oneByOne,
			"all that can be saved": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) (err error) {
				for i := range changes {
					err = errors.Join(err, s.SaveMessages(ctx, changes[i:i+1]))
				}
				return err
			}),
			"what cannot be saved is passed over": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				for i := range changes {
					_ = s.SaveMessages(ctx, changes[i:i+1])
				}
				return nil
			}),
			"all are compared with what was there before": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				for _, ch := range changes {
					if versionOf(s, ch.Message.ID) != ch.ExpectVersion {
						return dsr.ErrConflict
					}
				}
				return s.SaveMessages(ctx, changes)
			}),
			"removals come last": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				slices.SortStableFunc(changes, func(a, b dsr.MessageChange) int { return order(a.Remove, b.Remove) })
				return s.SaveMessages(ctx, changes)
			}),
			"removals come first": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				slices.SortStableFunc(changes, func(a, b dsr.MessageChange) int { return order(b.Remove, a.Remove) })
				return s.SaveMessages(ctx, changes)
			}),
			"versions are given": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				for i := range changes {
					changes[i].ExpectVersion = min(changes[i].ExpectVersion, versionOf(s, changes[i].Message.ID))
					changes[i].Message.Version = changes[i].ExpectVersion + 1
				}
				return s.SaveMessages(ctx, changes)
			}),
			"IDs are given": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				for i := range changes {
					if changes[i].Message.ID == "" {
						changes[i].Message.ID = "given"
					}
				}
				return s.SaveMessages(ctx, changes)
			}),
		},
		"message conflict": {
			"the last one wins":              putting(anyVersion),
			"the last removal wins":          putting(latest(func(ch dsr.MessageChange) bool { return ch.Remove })),
			"what exists is replaced":        putting(latest(func(ch dsr.MessageChange) bool { return ch.ExpectVersion == 0 && !ch.Remove })),
			"a removal at version 0 removes": putting(latest(func(ch dsr.MessageChange) bool { return ch.ExpectVersion == 0 && ch.Remove })),
			"an update may create": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				for i := range changes {
					if versionOf(s, changes[i].Message.ID) == 0 && !changes[i].Remove && len(changes) == 1 {
						changes[i].ExpectVersion, changes[i].Message.Version = 0, 1
					}
				}
				return s.SaveMessages(ctx, changes)
			}),
			"what is not there need not be removed": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				return s.SaveMessages(ctx, slices.DeleteFunc(changes, func(ch dsr.MessageChange) bool {
					return ch.Remove && ch.ExpectVersion == 0 && versionOf(s, ch.Message.ID) == 0
				}))
			}),
			"a removal of nothing is passed over": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				return s.SaveMessages(ctx, slices.DeleteFunc(changes, func(ch dsr.MessageChange) bool {
					return ch.Remove && versionOf(s, ch.Message.ID) == 0
				}))
			}),
			"an error of its own": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				if s.SaveMessages(ctx, changes) != nil {
					return errors.New("duplicate key")
				}
				return nil
			}),
			"commits do not compare": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					c := copied(ch)
					c.Messages = nil
					return errors.Join(s.Commit(ctx, c), anyVersion(ctx, s, slices.Clone(ch.Messages)))
				}
			}),
			"commits pass over conflicts": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					c := copied(ch)
					c.Messages = slices.DeleteFunc(c.Messages, func(m dsr.MessageChange) bool {
						return versionOf(s, m.Message.ID) != m.ExpectVersion
					})
					return s.Commit(ctx, c)
				}
			}),
		},
		"one message winner": {
			"looks, then writes":          racingMessages,
			"what the losers added stays": oneByOne,
			"nobody wins":                 putting(func(context.Context, *memory.Store, []dsr.MessageChange) error { return dsr.ErrConflict }),
		},
	}
}

// versionOf is the version at which a message is stored, or 0.
func versionOf(s *memory.Store, id string) int64 {
	list, err := s.Messages(context.Background(), dsr.MessageQuery{ID: id, Limit: 1})
	if err != nil || len(list) == 0 {
		return 0
	}
	return list[0].Version
}

// latest saves some changes whatever version they expect.
func latest(some func(dsr.MessageChange) bool) func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
	return func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
		if len(changes) == 1 && some(changes[0]) {
			changes[0].ExpectVersion = versionOf(s, changes[0].Message.ID)
			changes[0].Message.Version = changes[0].ExpectVersion + 1
		}
		return s.SaveMessages(ctx, changes)
	}
}

// anyVersion saves a change whatever version it expects.
func anyVersion(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
	return latest(func(dsr.MessageChange) bool { return true })(ctx, s, changes)
}

// racingMessages makes a store that looks at the versions and writes in two
// steps.
func racingMessages() dsr.Store {
	var mu sync.Mutex
	gather := make(chan struct{}, 1000)
	return putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
		for _, ch := range changes {
			if versionOf(s, ch.Message.ID) != ch.ExpectVersion {
				return dsr.ErrConflict
			}
		}
		// Between the two steps a second writer gets its turn.
		gather <- struct{}{}
		for start := time.Now(); len(gather) < 2 && time.Since(start) < time.Second; {
			<-time.After(time.Millisecond)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, ch := range changes {
			if err := anyVersion(ctx, s, []dsr.MessageChange{ch}); err != nil {
				return err
			}
		}
		return nil
	})()
}
