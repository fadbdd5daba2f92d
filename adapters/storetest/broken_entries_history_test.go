package storetest_test

import (
	"context"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

// numbering makes a store that returns other versions of the catalogue.
func numbering(number func(version int64) int64) func() dsr.Store {
	return configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
		version, err := s.SaveEntries(ctx, changes)
		return number(version), err
	})
}

// remembering makes a store that alters what it finds in a version of the
// catalogue, knowing what there is now.
func remembering(alter func(list, now []dsr.Entry) []dsr.Entry) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.configured = func(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
			list, err := s.Entries(ctx, q)
			if err != nil || q.At == 0 {
				return list, err
			}
			q.At = 0
			now, err := s.Entries(ctx, q)
			return alter(list, now), err
		}
	})
}

func holding(list []dsr.Entry, e dsr.Entry) bool {
	return slices.ContainsFunc(list, func(o dsr.Entry) bool { return o.Kind == e.Kind && o.Key == e.Key })
}

func brokenEntriesHistory() map[string]faults {
	before := func(by int64) func() dsr.Store {
		return looking(func(q *dsr.EntryQuery) {
			if q.At > 0 {
				q.At += by
			}
		})
	}
	plainToo := remembering(func(list, now []dsr.Entry) []dsr.Entry {
		for _, e := range now {
			if e.Plain {
				list = append(list, e)
			}
		}
		slices.SortFunc(list, byKind)
		return list
	})
	return map[string]faults{
		"versions in order": {
			"two share a version": numbering(func(version int64) int64 { return (version + 1) / 2 }),
			"versions have gaps":  numbering(func(version int64) int64 { return 2 * version }),
			"versions begin at 0": numbering(func(version int64) int64 { return version - 1 }),
			"two versions change places": numbering(func(version int64) int64 {
				switch version {
				case 1:
					return 2
				case 2:
					return 1
				}
				return version
			}),
			"versions are seen late": before(-1),
			"writers meet conflicts": over(func(s *memory.Store, f *fake) {
				f.configure = func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
					for _, ch := range changes {
						if ch.ExpectVersion > 3 {
							return 0, dsr.ErrConflict
						}
					}
					return s.SaveEntries(ctx, changes)
				}
			}),
			"the newest version is one behind": over(func(s *memory.Store, f *fake) {
				f.catalogue = func(ctx context.Context) (int64, error) {
					version, err := s.CatalogueVersion(ctx)
					return version - 1, err
				}
			}),
		},
		"entries as they were": {
			"there is only now":               looking(func(q *dsr.EntryQuery) { q.At = 0 }),
			"a version is the one before":     before(-1),
			"a version is the one after":      before(1),
			"plain ones are in every version": plainToo,
			"what was removed is gone": remembering(func(list, now []dsr.Entry) []dsr.Entry {
				return slices.DeleteFunc(list, func(e dsr.Entry) bool { return !holding(now, e) })
			}),
			"what was changed is gone": remembering(func(list, now []dsr.Entry) []dsr.Entry {
				return slices.DeleteFunc(list, func(e dsr.Entry) bool {
					return slices.ContainsFunc(now, func(n dsr.Entry) bool { return n.Kind == e.Kind && n.Key == e.Key && n.Since > e.Since })
				})
			}),
			"old versions have new secrets": remembering(func(list, now []dsr.Entry) []dsr.Entry {
				for i := range list {
					for _, n := range now {
						if n.Kind == list[i].Kind && n.Key == list[i].Key {
							list[i].Sealed = n.Sealed
						}
					}
				}
				return list
			}),
			"what was removed stays": over(func(s *memory.Store, f *fake) {
				f.configured = func(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
					list, err := s.Entries(ctx, q)
					for at := q.At - 1; err == nil && at > 0; at-- {
						earlier, _ := s.Entries(ctx, dsr.EntryQuery{At: at})
						for _, e := range earlier {
							if !holding(list, e) {
								list = append(list, e)
							}
						}
					}
					slices.SortFunc(list, byKind)
					return list, err
				}
			}),
		},
		"plain entries": {
			"they are in every version": plainToo,
			"they make versions": over(func(s *memory.Store, f *fake) {
				var more int64
				f.configure = func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
					version, err := s.SaveEntries(ctx, changes)
					if err == nil && !slices.ContainsFunc(changes, func(ch dsr.EntryChange) bool { return !ch.Entry.Plain }) {
						more++
					}
					return version + more, err
				}
				f.catalogue = func(ctx context.Context) (int64, error) {
					version, err := s.CatalogueVersion(ctx)
					return version + more, err
				}
			}),
			"they are versioned": over(func(s *memory.Store, f *fake) {
				f.configure = func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
					changes = slices.Clone(changes)
					for i := range changes {
						changes[i].Entry.Plain = false
					}
					return s.SaveEntries(ctx, changes)
				}
			}),
			"what they were is found too": over(func(s *memory.Store, f *fake) {
				var before []dsr.Entry
				f.configure = func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
					for _, ch := range changes {
						if old := storedEntry(s, ch.Entry); old.Plain {
							before = append(before, old)
						}
					}
					return s.SaveEntries(ctx, changes)
				}
				f.configured = func(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
					list, err := s.Entries(ctx, q)
					return append(list, before...), err
				}
			}),
			"those that are removed stay": over(func(s *memory.Store, f *fake) {
				f.configure = func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
					return s.SaveEntries(ctx, slices.DeleteFunc(slices.Clone(changes), func(ch dsr.EntryChange) bool { return ch.Remove && ch.Entry.Plain }))
				}
			}),
			"they have a Since": found(func(e *dsr.Entry) { e.Since = max(e.Since, 1) }),
		},
	}
}
