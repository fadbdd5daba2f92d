package storetest_test

import (
	"cmp"
	"context"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func brokenLogs() map[string]faults {
	journalOrder := faults{
		"newest first": journalled(func(ctx context.Context, s *memory.Store, id string, after, limit int) ([]dsr.JournalChunk, error) {
			list, err := s.Journal(ctx, id, after, limit)
			slices.Reverse(list)
			return list, err
		}),
		"after is within": journalled(func(ctx context.Context, s *memory.Store, id string, after, limit int) ([]dsr.JournalChunk, error) {
			return s.Journal(ctx, id, after-1, limit)
		}),
		"the limit is ignored": journalled(func(ctx context.Context, s *memory.Store, id string, after, _ int) ([]dsr.JournalChunk, error) {
			return s.Journal(ctx, id, after, 0)
		}),
		"no limit is a hundred": journalled(func(ctx context.Context, s *memory.Store, id string, after, limit int) ([]dsr.JournalChunk, error) {
			if limit == 0 {
				limit = 100
			}
			return s.Journal(ctx, id, after, limit)
		}),
		"an append replaces": altered(func(ch *dsr.StoreChange) { ch.DropJournal = ch.DropJournal || len(ch.AppendJournal) > 0 }),
	}
	for _, field := range fieldsOf[dsr.JournalChunk]("Seq", "Applied", "Counts") {
		journalOrder["it forgets "+field] = altered(func(ch *dsr.StoreChange) { forgetAll(ch.AppendJournal, field) })
	}
	eventsOrder := faults{
		"by time": logged(func(ctx context.Context, s *memory.Store, id string, after int64, limit int) ([]dsr.Event, error) {
			list, err := s.Events(ctx, id, after, limit)
			slices.SortStableFunc(list, func(a, b dsr.Event) int { return a.Time.Compare(b.Time) })
			return list, err
		}),
		"after is within": logged(func(ctx context.Context, s *memory.Store, id string, after int64, limit int) ([]dsr.Event, error) {
			return s.Events(ctx, id, after-1, limit)
		}),
		"the limit is ignored": logged(func(ctx context.Context, s *memory.Store, id string, after int64, _ int) ([]dsr.Event, error) {
			return s.Events(ctx, id, after, 0)
		}),
		"no limit is a hundred": logged(func(ctx context.Context, s *memory.Store, id string, after int64, limit int) ([]dsr.Event, error) {
			if limit == 0 {
				limit = 100
			}
			return s.Events(ctx, id, after, limit)
		}),
		"a given number is taken": over(func(s *memory.Store, f *fake) {
			given := map[int64]int64{}
			next := int64(1)
			f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
				for _, event := range ch.Events {
					given[next] = cmp.Or(event.Seq, next)
					next++
				}
				return s.Commit(ctx, ch)
			}
			f.events = func(ctx context.Context, id string, after int64, limit int) ([]dsr.Event, error) {
				list, err := s.Events(ctx, id, after, limit)
				for i := range list {
					list[i].Seq = given[list[i].Seq]
				}
				return list, err
			}
		}),
		"lines have no number": logged(func(ctx context.Context, s *memory.Store, id string, after int64, limit int) ([]dsr.Event, error) {
			list, err := s.Events(ctx, id, after, limit)
			forgetAll(list, "Seq")
			return list, err
		}),
		"the last change only": altered(func(ch *dsr.StoreChange) { ch.DropEvents = true }),
		"one field of each": altered(func(ch *dsr.StoreChange) {
			for i := range ch.Events {
				ch.Events[i].Fields = ch.Events[i].Fields[:min(1, len(ch.Events[i].Fields))]
			}
		}),
		"fields without categories": altered(func(ch *dsr.StoreChange) {
			for i := range ch.Events {
				ch.Events[i].Fields = slices.Clone(ch.Events[i].Fields)
				forgetAll(ch.Events[i].Fields, "Categories")
			}
		}),
	}
	for _, field := range fieldsOf[dsr.Event]("Seq") {
		eventsOrder["it forgets "+field] = altered(func(ch *dsr.StoreChange) { forgetAll(ch.Events, field) })
	}
	return map[string]faults{
		"journal order": journalOrder,
		"events order":  eventsOrder,
		"ticks": {
			"they are forgotten": altered(func(ch *dsr.StoreChange) { ch.Ticks = nil }),
			"counts are forgotten": altered(func(ch *dsr.StoreChange) {
				for i := range ch.Ticks {
					ch.Ticks[i].Counts = dsr.ChunkCounts{}
				}
			}),
			"the first one counts": altered(func(ch *dsr.StoreChange) { ch.Ticks = ch.Ticks[:min(1, len(ch.Ticks))] }),
			"all before are marked": altered(func(ch *dsr.StoreChange) {
				for _, tick := range ch.Ticks {
					for seq := range tick.Seq {
						ch.Ticks = append(ch.Ticks, dsr.Tick{Seq: seq + 1, Counts: tick.Counts})
					}
				}
			}),
		},
		"drop": {
			"nothing is dropped": altered(func(ch *dsr.StoreChange) { ch.DropJournal = false }),
			"what is appended is dropped too": altered(func(ch *dsr.StoreChange) {
				if ch.DropJournal {
					ch.AppendJournal = nil
				}
			}),
			"the log is dropped too": altered(func(ch *dsr.StoreChange) { ch.DropEvents = ch.DropEvents || ch.DropJournal }),
			"there must be something": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					if list, err := s.Journal(ctx, ch.Record.ID, 0, 1); ch.DropJournal && len(list) == 0 && err == nil {
						return dsr.ErrNotFound
					}
					return s.Commit(ctx, ch)
				}
			}),
			"numbers go on": journalled(func(ctx context.Context, s *memory.Store, id string, after, limit int) ([]dsr.JournalChunk, error) {
				list, err := s.Journal(ctx, id, after, limit)
				if len(list) == 2 { // those that come after three were dropped
					list[0].Seq, list[1].Seq = 4, 5
				}
				return list, err
			}),
		},
		"drop log": {
			"nothing is dropped": altered(func(ch *dsr.StoreChange) { ch.DropEvents = false }),
			"what is added is dropped too": altered(func(ch *dsr.StoreChange) {
				if ch.DropEvents {
					ch.Events = nil
				}
			}),
			"the journal is dropped too": altered(func(ch *dsr.StoreChange) { ch.DropJournal = ch.DropJournal || ch.DropEvents }),
			"there must be something": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					if list, err := s.Events(ctx, ch.Record.ID, 0, 1); ch.DropEvents && len(list) == 0 && err == nil {
						return dsr.ErrNotFound
					}
					return s.Commit(ctx, ch)
				}
			}),
			"the audit trail is dropped too": over(func(s *memory.Store, f *fake) {
				dropped := map[string]bool{}
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					dropped[ch.Record.ID] = ch.DropEvents
					return s.Commit(ctx, ch)
				}
				f.entries = func(ctx context.Context, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
					if dropped[id] {
						return nil, nil
					}
					return s.AuditEntries(ctx, id, after, limit)
				}
			}),
			"numbers go on": logged(func(ctx context.Context, s *memory.Store, id string, after int64, limit int) ([]dsr.Event, error) {
				list, err := s.Events(ctx, id, after, limit)
				if len(list) == 2 { // those that come after three were dropped
					list[0].Seq, list[1].Seq = 4, 5
				}
				return list, err
			}),
		},
	}
}

// journalled makes a store that reads journals in another way.
func journalled(read func(ctx context.Context, s *memory.Store, id string, after, limit int) ([]dsr.JournalChunk, error)) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.journal = func(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error) {
			return read(ctx, s, id, after, limit)
		}
	})
}

// logged makes a store that reads logs in another way.
func logged(read func(ctx context.Context, s *memory.Store, id string, after int64, limit int) ([]dsr.Event, error)) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.events = func(ctx context.Context, id string, after int64, limit int) ([]dsr.Event, error) {
			return read(ctx, s, id, after, limit)
		}
	})
}
