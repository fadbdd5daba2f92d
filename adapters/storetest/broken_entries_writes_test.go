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

// storedEntry is an entry as it is now, of version 0 if there is none.
func storedEntry(s *memory.Store, e dsr.Entry) dsr.Entry {
	list, err := s.Entries(context.Background(), dsr.EntryQuery{Kind: e.Kind, Key: e.Key, Limit: 1})
	if err != nil || len(list) == 0 {
		return dsr.Entry{}
	}
	return list[0]
}

// oneEntryAfterTheOther saves changes by themselves.
func oneEntryAfterTheOther(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (version int64, err error) {
	for i := range changes {
		if version, err = s.SaveEntries(ctx, changes[i:i+1]); err != nil {
			return 0, err
		}
	}
	return version, nil
}

// forcing makes a store that saves a single change whatever is stored, if it is
// one of some.
func forcing(some func(ch dsr.EntryChange) bool) func() dsr.Store {
	return configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
		if len(changes) == 1 && some(changes[0]) {
			changes[0].ExpectVersion = storedEntry(s, changes[0].Entry).Version
			changes[0].Entry.Version = changes[0].ExpectVersion + 1
		}
		return s.SaveEntries(ctx, changes)
	})
}

func brokenEntriesWrites() map[string]faults {
	oneByOne := configuring(oneEntryAfterTheOther)
	return map[string]faults{
		"entries atomic": {
			"one by one": oneByOne,
			"plain ones first": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				slices.SortStableFunc(changes, func(a, b dsr.EntryChange) int { return order(!a.Entry.Plain, !b.Entry.Plain) })
				split := slices.IndexFunc(changes, func(ch dsr.EntryChange) bool { return !ch.Entry.Plain })
				if split < 0 {
					split = len(changes)
				}
				_, err := s.SaveEntries(ctx, changes[:split])
				if err != nil {
					return 0, err
				}
				return s.SaveEntries(ctx, changes[split:])
			}),
			"what cannot be saved is passed over": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				for i := range changes {
					_, _ = s.SaveEntries(ctx, changes[i:i+1])
				}
				return s.CatalogueVersion(ctx)
			}),
			"the last change of an entry counts": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				var last []dsr.EntryChange
				for i, ch := range changes {
					if !slices.ContainsFunc(changes[i+1:], func(later dsr.EntryChange) bool {
						return later.Entry.Kind == ch.Entry.Kind && later.Entry.Key == ch.Entry.Key
					}) {
						last = append(last, ch)
					}
				}
				return s.SaveEntries(ctx, last)
			}),
			"a refused list uses up a version": over(func(s *memory.Store, f *fake) {
				var refused int64
				f.configure = func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
					version, err := s.SaveEntries(ctx, changes)
					if err != nil {
						refused++
					}
					return version + refused, err
				}
				f.catalogue = func(ctx context.Context) (int64, error) {
					version, err := s.CatalogueVersion(ctx)
					return version + refused, err
				}
			}),
			"versions are given": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				for i := range changes {
					changes[i].ExpectVersion = min(changes[i].ExpectVersion, storedEntry(s, changes[i].Entry).Version)
					changes[i].Entry.Version = changes[i].ExpectVersion + 1
				}
				return s.SaveEntries(ctx, changes)
			}),
			"keys are given": storing(func(e *dsr.Entry) {
				if e.Key == "" {
					e.Key = "given"
				}
			}),
			"kinds are given": storing(func(e *dsr.Entry) {
				if e.Kind == "" {
					e.Kind = "given"
				}
			}),
		},
		"entry conflict": {
			"the last one wins":              forcing(func(ch dsr.EntryChange) bool { return !ch.Remove }),
			"the last removal wins":          forcing(func(ch dsr.EntryChange) bool { return ch.Remove }),
			"what exists is replaced":        forcing(func(ch dsr.EntryChange) bool { return ch.ExpectVersion == 0 && !ch.Remove }),
			"plain ones are replaced":        forcing(func(ch dsr.EntryChange) bool { return ch.Entry.Plain && !ch.Remove }),
			"versioned ones are replaced":    forcing(func(ch dsr.EntryChange) bool { return !ch.Entry.Plain && !ch.Remove }),
			"a removal at version 0 removes": forcing(func(ch dsr.EntryChange) bool { return ch.ExpectVersion == 0 && ch.Remove }),
			"an update may create": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				for i := range changes {
					if storedEntry(s, changes[i].Entry).Version == 0 && !changes[i].Remove {
						changes[i].ExpectVersion, changes[i].Entry.Version = 0, 1
					}
				}
				return s.SaveEntries(ctx, changes)
			}),
			"a removal of nothing is passed over": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				return s.SaveEntries(ctx, slices.DeleteFunc(changes, func(ch dsr.EntryChange) bool {
					return ch.Remove && storedEntry(s, ch.Entry).Version == 0
				}))
			}),
			"the stored sort counts": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				for i := range changes {
					if old := storedEntry(s, changes[i].Entry); old.Version > 0 && !changes[i].Remove {
						changes[i].Entry.Plain = old.Plain
					}
				}
				return s.SaveEntries(ctx, changes)
			}),
			"the stored sort counts in removals": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				for i := range changes {
					if old := storedEntry(s, changes[i].Entry); old.Version > 0 && changes[i].Remove {
						changes[i].Entry.Plain = old.Plain
					}
				}
				return s.SaveEntries(ctx, changes)
			}),
			"an error of its own": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				version, err := s.SaveEntries(ctx, changes)
				if err != nil {
					err = errors.New("duplicate key")
				}
				return version, err
			}),
		},
		"one entry winner": {
			"versioned ones: looks, then writes": racingEntries(false),
			"plain ones: looks, then writes":     racingEntries(true),
			"what the losers added stays":        oneByOne,
			"nobody wins": configuring(func(context.Context, *memory.Store, []dsr.EntryChange) (int64, error) {
				return 0, dsr.ErrConflict
			}),
		},
	}
}

// racingEntries makes a store that looks at the versions and writes in two
// steps, entries of one sort.
func racingEntries(plain bool) func() dsr.Store {
	return func() dsr.Store {
		var mu sync.Mutex
		gather := make(chan struct{}, 1000)
		return configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
			if len(changes) == 0 || changes[0].Entry.Plain != plain {
				return s.SaveEntries(ctx, changes)
			}
			for _, ch := range changes {
				if storedEntry(s, ch.Entry).Version != ch.ExpectVersion {
					return 0, dsr.ErrConflict
				}
			}
			// Between the two steps a second writer gets its turn.
			gather <- struct{}{}
			for start := time.Now(); len(gather) < 2 && time.Since(start) < time.Second; {
				<-time.After(time.Millisecond)
			}
			mu.Lock()
			defer mu.Unlock()
			for i := range changes {
				changes[i].ExpectVersion = storedEntry(s, changes[i].Entry).Version
				changes[i].Entry.Version = changes[i].ExpectVersion + 1
			}
			return s.SaveEntries(ctx, changes)
		})()
	}
}
