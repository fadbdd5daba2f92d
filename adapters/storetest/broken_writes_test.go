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

func brokenWrites() map[string]faults {
	return map[string]faults{
		"conflict": {
			"an update may create": beside(func(old *dsr.Record, ch *dsr.StoreChange) error {
				if old == nil {
					ch.ExpectVersion, ch.Record.Version = 0, 1
				}
				return nil
			}),
			"the last one wins": beside(lastWins),
			"the last removal wins": beside(func(old *dsr.Record, ch *dsr.StoreChange) error {
				if ch.Remove {
					return lastWins(old, ch)
				}
				return nil
			}),
			"an error of its own": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					if s.Commit(ctx, ch) != nil {
						return errors.New("duplicate key")
					}
					return nil
				}
			}),
		},
		"expired holder": {
			"epochs are not compared": beside(anyEpoch),
			"epochs of removals are not compared": beside(func(old *dsr.Record, ch *dsr.StoreChange) error {
				if ch.Remove {
					return anyEpoch(old, ch)
				}
				return nil
			}),
			"an epoch lasts for one change": beside(func(old *dsr.Record, ch *dsr.StoreChange) error {
				if old != nil && old.Epoch == ch.Record.Epoch {
					return dsr.ErrConflict
				}
				return nil
			}),
			"an error of its own": beside(func(old *dsr.Record, ch *dsr.StoreChange) error {
				if old != nil && old.Epoch > ch.Record.Epoch {
					return dsr.ErrLeased
				}
				return nil
			}),
			"the messages are saved all the same": over(spilling),
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
		"atomic": {
			"the messages are saved in any case": over(spilling),
			"the record goes first": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					c := copied(ch)
					c.Ticks = nil
					if err := s.Commit(ctx, c); err != nil {
						return err
					}
					if slices.ContainsFunc(ch.Ticks, beyond) {
						return dsr.ErrNotFound
					}
					return nil
				}
			}),
			"ticks without a chunk are dropped": altered(func(ch *dsr.StoreChange) { ch.Ticks = slices.DeleteFunc(ch.Ticks, beyond) }),
			"the audit trail goes first": over(func(s *memory.Store, f *fake) {
				var refused []dsr.AuditEntry
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					err := s.Commit(ctx, ch)
					if err != nil {
						refused = append(refused, ch.Audit...)
					}
					return err
				}
				f.entries = func(ctx context.Context, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
					list, err := s.AuditEntries(ctx, id, after, limit)
					return append(list, refused...), err
				}
			}),
			"the log is dropped first": over(func(s *memory.Store, f *fake) {
				dropped := false
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					dropped = dropped || ch.DropEvents
					return s.Commit(ctx, ch)
				}
				f.events = func(ctx context.Context, id string, after int64, limit int) ([]dsr.Event, error) {
					if dropped {
						return nil, nil
					}
					return s.Events(ctx, id, after, limit)
				}
			}),
		},
		"one winner": {"looks, then writes": racing, "nobody wins": func() dsr.Store {
			return &fake{Store: memory.NewStore(), commit: func(context.Context, *dsr.StoreChange) error { return dsr.ErrConflict }}
		}},
		"canceled": {
			"the context is not looked at": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					return s.Commit(context.WithoutCancel(ctx), ch)
				}
			}),
			"it is looked at too late": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					return errors.Join(s.Commit(context.WithoutCancel(ctx), ch), ctx.Err())
				}
			}),
			"it is looked at again at the end": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					if err := s.Commit(ctx, ch); err != nil {
						return err
					}
					if _, ok := ctx.Deadline(); ok { // the context ends before the answer is there
						<-ctx.Done()
					}
					return ctx.Err()
				}
			}),
			"removals do not look at it": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					if ch.Remove {
						ctx = context.WithoutCancel(ctx)
					}
					return s.Commit(ctx, ch)
				}
			}),
			"messages do not look at it": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				return s.SaveMessages(context.WithoutCancel(ctx), changes)
			}),
			"messages look at it too late": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				return errors.Join(s.SaveMessages(context.WithoutCancel(ctx), changes), ctx.Err())
			}),
			"messages look at it again at the end": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				if err := s.SaveMessages(ctx, changes); err != nil {
					return err
				}
				if _, ok := ctx.Deadline(); ok { // the context ends before the answer is there
					<-ctx.Done()
				}
				return ctx.Err()
			}),
			"messages are saved one by one": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				for i := range changes {
					if _, ok := ctx.Deadline(); ok && i > 0 { // the context ends in between
						<-ctx.Done()
					}
					if err := s.SaveMessages(ctx, changes[i:i+1]); err != nil {
						return err
					}
				}
				return nil
			}),
			"entries do not look at it": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				return s.SaveEntries(context.WithoutCancel(ctx), changes)
			}),
			"entries look at it too late": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				version, err := s.SaveEntries(context.WithoutCancel(ctx), changes)
				return version, errors.Join(err, ctx.Err())
			}),
			"plain entries do not look at it": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				if len(changes) == 1 && changes[0].Entry.Plain {
					ctx = context.WithoutCancel(ctx)
				}
				return s.SaveEntries(ctx, changes)
			}),
			"entries look at it again at the end": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				version, err := s.SaveEntries(ctx, changes)
				if _, ok := ctx.Deadline(); ok && err == nil { // the context ends before the answer is there
					<-ctx.Done()
				}
				return version, errors.Join(err, ctx.Err())
			}),
			"checkpoints do not look at it": over(func(s *memory.Store, f *fake) {
				f.save = func(ctx context.Context, c *dsr.Checkpoint) error {
					return s.SaveCheckpoint(context.WithoutCancel(ctx), c)
				}
			}),
			"checkpoints look at it too late": over(func(s *memory.Store, f *fake) {
				f.save = func(ctx context.Context, c *dsr.Checkpoint) error {
					return errors.Join(s.SaveCheckpoint(context.WithoutCancel(ctx), c), ctx.Err())
				}
			}),
		},
	}
}

// spilling saves the messages of a change that is refused.
func spilling(s *memory.Store, f *fake) {
	f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
		err := s.Commit(ctx, ch)
		if err != nil {
			return errors.Join(err, s.SaveMessages(ctx, ch.Messages))
		}
		return nil
	}
}

// beyond says whether a tick marks no chunk of five.
func beyond(tick dsr.Tick) bool { return tick.Seq < 1 || tick.Seq > 5 }

func lastWins(old *dsr.Record, ch *dsr.StoreChange) error {
	if old != nil {
		ch.ExpectVersion, ch.Record.Version = old.Version, old.Version+1
	}
	return nil
}

func anyEpoch(old *dsr.Record, ch *dsr.StoreChange) error {
	if old != nil {
		ch.Record.Epoch = max(ch.Record.Epoch, old.Epoch)
	}
	return nil
}

// racing makes a store that looks at the version and writes in two steps.
func racing() dsr.Store {
	var mu sync.Mutex
	stores := map[string]*memory.Store{} // the newest version of each request
	newest := func(id string) *memory.Store {
		mu.Lock()
		defer mu.Unlock()
		return stores[id]
	}
	gather := make(chan struct{}, 1000)
	return &fake{
		Store: memory.NewStore(),
		commit: func(ctx context.Context, ch *dsr.StoreChange) error {
			var version int64
			if s := newest(ch.Record.ID); s != nil {
				rec, err := s.Request(ctx, ch.Record.ID)
				if err != nil {
					return err
				}
				version = rec.Version
			}
			if version != ch.ExpectVersion {
				return dsr.ErrConflict
			}
			// Between the two steps a second writer gets its turn.
			gather <- struct{}{}
			for start := time.Now(); len(gather) < 2 && time.Since(start) < time.Second; {
				<-time.After(time.Millisecond)
			}
			s := memory.NewStore()
			c := *ch
			c.ExpectVersion, c.Record.Version = 0, 1
			if err := s.Commit(ctx, &c); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			stores[ch.Record.ID] = s
			return nil
		},
		request: func(ctx context.Context, id string) (*dsr.Record, error) { return newest(id).Request(ctx, id) },
	}
}
