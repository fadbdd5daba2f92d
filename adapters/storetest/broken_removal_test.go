package storetest_test

import (
	"context"
	"errors"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func brokenRemoval() map[string]faults {
	return map[string]faults{
		"shredded": {
			"keys are merged": beside(func(old *dsr.Record, ch *dsr.StoreChange) error {
				if old != nil {
					for purpose, key := range old.Keys {
						if ch.Record.Keys[purpose] == nil {
							ch.Record.Keys[purpose] = key
						}
					}
				}
				return nil
			}),
			"the last key stays": beside(func(old *dsr.Record, ch *dsr.StoreChange) error {
				if old != nil && len(ch.Record.Keys) == 0 {
					ch.Record.Keys = old.Keys
				}
				return nil
			}),
		},
		"removed": {
			"it is only hidden": beside(func(old *dsr.Record, ch *dsr.StoreChange) error {
				if ch.Remove && old != nil {
					version := ch.Record.Version
					ch.Remove, ch.Record = false, *old
					ch.Record.Version, ch.Record.DeletedAt = version, old.UpdatedAt
				}
				return nil
			}),
			"nothing is removed": altered(func(ch *dsr.StoreChange) { ch.Remove = false }),
			"the last entry is not added": altered(func(ch *dsr.StoreChange) {
				if ch.Remove {
					ch.Audit = nil
				}
			}),
			"the journal stays":                leaving(true, false, false),
			"the log stays":                    leaving(false, true, false),
			"the audit trail goes":             leaving(false, false, true),
			"the list still holds it":          over(listing),
			"the end of its trail goes":        over(func(s *memory.Store, f *fake) { f.heads = headsOfStored(s) }),
			"what has a like ID is taken away": over(prefixed),
			"its ID cannot be used again": over(func(s *memory.Store, f *fake) {
				gone := map[string]bool{}
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					if gone[ch.Record.ID] {
						return dsr.ErrConflict
					}
					gone[ch.Record.ID] = ch.Remove
					return s.Commit(ctx, ch)
				}
			}),
			"its version is forgotten only half": beside(func(old *dsr.Record, ch *dsr.StoreChange) error {
				if old == nil {
					ch.ExpectVersion, ch.Record.Version = 0, 1
				}
				return nil
			}),
		},
		"removed twice": {
			"it is not found": beside(func(old *dsr.Record, ch *dsr.StoreChange) error {
				if ch.Remove && old == nil {
					return dsr.ErrNotFound
				}
				return nil
			}),
			"versions are compared with none": beside(func(old *dsr.Record, ch *dsr.StoreChange) error {
				if ch.Remove && old == nil && ch.ExpectVersion != 0 {
					return dsr.ErrConflict
				}
				return nil
			}),
			"it is done with before the audit trail": beside(func(old *dsr.Record, ch *dsr.StoreChange) error {
				if ch.Remove && old == nil {
					ch.Audit = nil
				}
				return nil
			}),
			"it leaves a mark": beside(func(old *dsr.Record, ch *dsr.StoreChange) error {
				if ch.Remove && old == nil {
					ch.Remove, ch.ExpectVersion, ch.Record.Version = false, 0, 1
				}
				return nil
			}),
		},
	}
}

// leaving makes a store that leaves something behind of what it removes, or
// takes too much away.
func leaving(journal, log, trail bool) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		chunks, events, gone := map[string][]dsr.JournalChunk{}, map[string][]dsr.Event{}, map[string]bool{}
		f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
			id := ch.Record.ID
			if ch.Remove {
				var err1, err2 error
				chunks[id], err1 = s.Journal(ctx, id, 0, 0)
				events[id], err2 = s.Events(ctx, id, 0, 0)
				if err := errors.Join(err1, err2); err != nil {
					return err
				}
				gone[id] = true
			}
			return s.Commit(ctx, ch)
		}
		if journal {
			f.journal = func(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error) {
				list, err := s.Journal(ctx, id, after, limit)
				return append(chunks[id], list...), err
			}
		}
		if log {
			f.events = func(ctx context.Context, id string, after int64, limit int) ([]dsr.Event, error) {
				list, err := s.Events(ctx, id, after, limit)
				return append(events[id], list...), err
			}
		}
		if trail {
			f.entries = func(ctx context.Context, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
				if gone[id] {
					return nil, nil
				}
				return s.AuditEntries(ctx, id, after, limit)
			}
		}
	})
}

// listing makes a list that is not told of removals.
func listing(s *memory.Store, f *fake) {
	var removed []*dsr.Record
	f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
		if rec, err := s.Request(ctx, ch.Record.ID); err == nil && ch.Remove {
			removed = append(removed, rec)
		}
		return s.Commit(ctx, ch)
	}
	f.requests = func(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
		list, err := s.Requests(ctx, q)
		return append(list, removed...), err
	}
}

// headsOfStored lists the heads of requests that are there.
func headsOfStored(s *memory.Store) func(ctx context.Context, limit int) ([]dsr.AuditHead, error) {
	return func(ctx context.Context, limit int) ([]dsr.AuditHead, error) {
		heads, err := s.UnsignedHeads(ctx, limit)
		var list []dsr.AuditHead
		for _, head := range heads {
			if _, err := s.Request(ctx, head.RequestID); err == nil {
				list = append(list, head)
			}
		}
		return list, err
	}
}

// prefixed takes logs away of all requests whose ID begins like a removed one.
func prefixed(s *memory.Store, f *fake) {
	prefix := "none"
	f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
		if ch.Remove {
			prefix = ch.Record.ID
		}
		return s.Commit(ctx, ch)
	}
	f.events = func(ctx context.Context, id string, after int64, limit int) ([]dsr.Event, error) {
		if strings.HasPrefix(id, prefix) {
			return nil, nil
		}
		return s.Events(ctx, id, after, limit)
	}
}
