package storetest_test

import (
	"context"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func brokenCopies() map[string]faults {
	return map[string]faults{
		"copies given": {
			"the record is kept": over(func(s *memory.Store, f *fake) {
				kept := keeping(s, f)
				f.request = func(context.Context, string) (*dsr.Record, error) { return &kept().Record, nil }
			}),
			"the journal is kept": over(func(s *memory.Store, f *fake) {
				kept := keeping(s, f)
				f.journal = func(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error) {
					list, err := s.Journal(ctx, id, after, limit)
					for i := range list {
						list[i].Sealed = kept().AppendJournal[i].Sealed
					}
					return list, err
				}
			}),
			"the log is kept": over(func(s *memory.Store, f *fake) {
				kept := keeping(s, f)
				f.events = func(ctx context.Context, id string, after int64, limit int) ([]dsr.Event, error) {
					list, err := s.Events(ctx, id, after, limit)
					for i := range list {
						list[i].Fields = kept().Events[i].Fields
					}
					return list, err
				}
			}),
			"the audit trail is kept": over(func(s *memory.Store, f *fake) {
				kept := keeping(s, f)
				f.entries = func(context.Context, string, dsr.AuditPlace, int) ([]dsr.AuditEntry, error) { return kept().Audit, nil }
			}),
			"the checkpoint is kept": over(func(s *memory.Store, f *fake) {
				var kept []dsr.Checkpoint
				f.save = func(ctx context.Context, c *dsr.Checkpoint) error {
					kept = append(kept, *c)
					return s.SaveCheckpoint(ctx, c)
				}
				f.checkpoints = func(context.Context, int64, int) ([]dsr.Checkpoint, error) { return kept, nil }
			}),
			"the messages of a change are kept": over(func(s *memory.Store, f *fake) {
				kept := keeping(s, f)
				f.messages = func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
					list, err := s.Messages(ctx, q)
					list[0] = kept().Messages[0].Message
					return list, err
				}
			}),
			"the messages are kept": over(func(s *memory.Store, f *fake) {
				var kept []dsr.MessageChange
				f.put = func(ctx context.Context, changes []dsr.MessageChange) error {
					kept = changes
					return s.SaveMessages(ctx, changes)
				}
				f.messages = func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
					list, err := s.Messages(ctx, q)
					list[1] = kept[0].Message
					return list, err
				}
			}),
			"the entries are kept": over(func(s *memory.Store, f *fake) {
				var kept []dsr.EntryChange
				f.configure = func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
					kept = changes
					return s.SaveEntries(ctx, changes)
				}
				f.configured = func(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
					list, err := s.Entries(ctx, q)
					list[0].Data = kept[len(kept)-len(list)].Entry.Data
					return list, err
				}
			}),
			"the given entries are versioned": over(func(s *memory.Store, f *fake) {
				f.configure = func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
					version, err := s.SaveEntries(ctx, changes)
					for i := range changes {
						changes[i].Entry.Since = version
					}
					return version, err
				}
			}),
			"the given place is folded": over(func(s *memory.Store, f *fake) {
				f.configured = func(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
					if q.After != nil {
						q.After.Kind = strings.ToLower(q.After.Kind)
					}
					return s.Entries(ctx, q)
				}
			}),
			"the given messages are cleared": over(func(s *memory.Store, f *fake) {
				f.put = func(ctx context.Context, changes []dsr.MessageChange) error {
					defer clear(changes)
					return s.SaveMessages(ctx, changes)
				}
			}),
			"the messages of a change are cleared": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					defer clear(ch.Messages)
					return s.Commit(ctx, ch)
				}
			}),
			"the given chunks are numbered": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					for i := range ch.AppendJournal {
						ch.AppendJournal[i].Seq = i + 1
					}
					return s.Commit(ctx, ch)
				}
			}),
			"the given lines are numbered": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					for i := range ch.Events {
						ch.Events[i].Seq = int64(i) + 1
					}
					return s.Commit(ctx, ch)
				}
			}),
			"the given checkpoint is cleared": over(func(s *memory.Store, f *fake) {
				f.save = func(ctx context.Context, c *dsr.Checkpoint) error {
					defer clear(c.Heads)
					return s.SaveCheckpoint(ctx, c)
				}
			}),
			"a list sorts the query": over(func(s *memory.Store, f *fake) {
				f.requests = func(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
					slices.Sort(q.Policies)
					return s.Requests(ctx, q)
				}
			}),
			"a count empties the query": over(func(s *memory.Store, f *fake) {
				f.count = func(ctx context.Context, q dsr.RecordQuery) (int64, error) {
					defer clear(q.Times)
					return s.CountRequests(ctx, q)
				}
			}),
		},
		"copies returned": {
			"the record is handed out": over(func(s *memory.Store, f *fake) { f.request = once(s.Request) }),
			"the listed records are handed out": over(func(s *memory.Store, f *fake) {
				kept := once(func(ctx context.Context, _ string) ([]*dsr.Record, error) { return s.Requests(ctx, dsr.RecordQuery{}) })
				f.requests = func(ctx context.Context, _ dsr.RecordQuery) ([]*dsr.Record, error) { return kept(ctx, "") }
			}),
			"the journal is handed out": over(func(s *memory.Store, f *fake) {
				kept := once(func(ctx context.Context, id string) ([]dsr.JournalChunk, error) { return s.Journal(ctx, id, 0, 0) })
				f.journal = func(ctx context.Context, id string, _, _ int) ([]dsr.JournalChunk, error) { return kept(ctx, id) }
			}),
			"the log is handed out": over(func(s *memory.Store, f *fake) {
				kept := once(func(ctx context.Context, id string) ([]dsr.Event, error) { return s.Events(ctx, id, 0, 0) })
				f.events = func(ctx context.Context, id string, _ int64, _ int) ([]dsr.Event, error) { return kept(ctx, id) }
			}),
			"the audit trail is handed out": over(func(s *memory.Store, f *fake) {
				kept := once(func(ctx context.Context, id string) ([]dsr.AuditEntry, error) {
					return s.AuditEntries(ctx, id, dsr.AuditPlace{}, 0)
				})
				f.entries = func(ctx context.Context, id string, _ dsr.AuditPlace, _ int) ([]dsr.AuditEntry, error) {
					return kept(ctx, id)
				}
			}),
			"the heads are handed out": over(func(s *memory.Store, f *fake) {
				kept := once(func(ctx context.Context, _ string) ([]dsr.AuditHead, error) { return s.UnsignedHeads(ctx, 0) })
				f.heads = func(ctx context.Context, _ int) ([]dsr.AuditHead, error) { return kept(ctx, "") }
			}),
			"the checkpoints are handed out": over(func(s *memory.Store, f *fake) {
				kept := once(func(ctx context.Context, _ string) ([]dsr.Checkpoint, error) { return s.Checkpoints(ctx, 0, 0) })
				f.checkpoints = func(ctx context.Context, _ int64, _ int) ([]dsr.Checkpoint, error) { return kept(ctx, "") }
			}),
			"the entries of now are handed out":       handingOut(false),
			"the entries of a version are handed out": handingOut(true),
			"the messages are handed out": over(func(s *memory.Store, f *fake) {
				kept := once(func(ctx context.Context, _ string) ([]dsr.Message, error) { return s.Messages(ctx, dsr.MessageQuery{}) })
				f.messages = func(ctx context.Context, _ dsr.MessageQuery) ([]dsr.Message, error) { return kept(ctx, "") }
			}),
		},
	}
}

// handingOut makes a store that hands out the same entries again and again: those
// of a version of the catalogue, or those of now.
func handingOut(then bool) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		kept := once(func(ctx context.Context, at string) ([]dsr.Entry, error) {
			return s.Entries(ctx, dsr.EntryQuery{At: int64(len(at))})
		})
		f.configured = func(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
			if then == (q.At > 0) {
				return kept(ctx, strings.Repeat("1", int(q.At)))
			}
			return s.Entries(ctx, q)
		}
	})
}

// keeping makes a store keep the change that it was given last.
func keeping(s *memory.Store, f *fake) func() *dsr.StoreChange {
	var kept *dsr.StoreChange
	f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
		kept = ch
		return s.Commit(ctx, ch)
	}
	return func() *dsr.StoreChange { return kept }
}

// once reads something the first time only and hands out the same from then on.
func once[T any](read func(ctx context.Context, key string) (T, error)) func(ctx context.Context, key string) (T, error) {
	kept := map[string]T{}
	return func(ctx context.Context, key string) (T, error) {
		if value, ok := kept[key]; ok {
			return value, nil
		}
		value, err := read(ctx, key)
		if err == nil {
			kept[key] = value
		}
		return value, err
	}
}
