package storetest_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

// configuring makes a store that saves entries in another way.
func configuring(save func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error)) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.configure = func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
			return save(ctx, s, slices.Clone(changes))
		}
	})
}

// storing makes a store that alters every entry before it saves it.
func storing(alter func(e *dsr.Entry)) func() dsr.Store {
	return configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
		for i := range changes {
			alter(&changes[i].Entry)
		}
		return s.SaveEntries(ctx, changes)
	})
}

// looking makes a store that alters every query for entries.
func looking(alter func(q *dsr.EntryQuery)) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.configured = func(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
			alter(&q)
			return s.Entries(ctx, q)
		}
	})
}

// found makes a store that alters every entry that it returns.
func found(alter func(e *dsr.Entry)) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.configured = func(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
			list, err := s.Entries(ctx, q)
			for i := range list {
				alter(&list[i])
			}
			return list, err
		}
	})
}

// picking makes a store that selects and sorts entries by itself, of those of a
// version of the catalogue.
func picking(matches func(q *dsr.EntryQuery, e *dsr.Entry) bool, compare func(a, b dsr.Entry) int) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.configured = func(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
			list, err := s.Entries(ctx, dsr.EntryQuery{At: q.At, Limit: 1000})
			list = slices.DeleteFunc(list, func(e dsr.Entry) bool { return !matches(&q, &e) })
			slices.SortStableFunc(list, compare)
			return list[:min(cmp.Or(q.Limit, 100), len(list))], err
		}
	})
}

// selects is how an honest store selects entries, and byKind how it sorts them.
func selects(q *dsr.EntryQuery, e *dsr.Entry) bool {
	return (q.Kind == "" || e.Kind == q.Kind) && (q.Key == "" || e.Key == q.Key) && (q.After == nil || byKind(*e, dsr.Entry{Kind: q.After.Kind, Key: q.After.Key}) > 0)
}

func byKind(a, b dsr.Entry) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
}

func brokenEntries() map[string]faults {
	roundTrip := faults{
		"nothing is removed": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
			for i := range changes {
				changes[i].Remove = false
			}
			return s.SaveEntries(ctx, changes)
		}),
		"an empty list makes a version": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
			version, err := s.SaveEntries(ctx, changes)
			if len(changes) == 0 {
				version++
			}
			return version, err
		}),
		"an empty list is refused": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
			if len(changes) == 0 {
				return 0, errors.New("nothing to do")
			}
			return s.SaveEntries(ctx, changes)
		}),
		"the version is not returned": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
			_, err := s.SaveEntries(ctx, changes)
			return 0, err
		}),
		"the catalogue has no version": over(func(_ *memory.Store, f *fake) {
			f.catalogue = func(context.Context) (int64, error) { return 0, nil }
		}),
		"no version is an error": over(func(s *memory.Store, f *fake) {
			f.catalogue = func(ctx context.Context) (int64, error) {
				version, err := s.CatalogueVersion(ctx)
				if version == 0 {
					err = dsr.ErrNotFound
				}
				return version, err
			}
		}),
		"Since is taken as given": over(func(s *memory.Store, f *fake) {
			given := map[dsr.EntryPlace]int64{}
			f.configure = func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
				for _, ch := range changes {
					given[dsr.EntryPlace{Kind: ch.Entry.Kind, Key: ch.Entry.Key}] = ch.Entry.Since
				}
				return s.SaveEntries(ctx, changes)
			}
			f.configured = func(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
				list, err := s.Entries(ctx, q)
				for i := range list {
					list[i].Since = cmp.Or(given[dsr.EntryPlace{Kind: list[i].Kind, Key: list[i].Key}], list[i].Since)
				}
				return list, err
			}
		}),
		"versions count on after a removal": over(func(s *memory.Store, f *fake) {
			last := map[dsr.EntryPlace]int64{}
			f.configure = func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
				for _, ch := range changes {
					place := dsr.EntryPlace{Kind: ch.Entry.Kind, Key: ch.Entry.Key}
					if ch.Entry.Version <= last[place] {
						return 0, dsr.ErrConflict
					}
					last[place] = ch.Entry.Version
				}
				return s.SaveEntries(ctx, changes)
			}
		}),
		"a name stays plain, or versioned": over(func(s *memory.Store, f *fake) {
			first := map[dsr.EntryPlace]bool{}
			f.configure = func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
				for _, ch := range changes {
					place := dsr.EntryPlace{Kind: ch.Entry.Kind, Key: ch.Entry.Key}
					if plain, ok := first[place]; ok && plain != ch.Entry.Plain {
						return 0, dsr.ErrConflict
					}
					first[place] = ch.Entry.Plain
				}
				return s.SaveEntries(ctx, changes)
			}
		}),
	}
	for _, field := range fieldsOf[dsr.Entry]() {
		roundTrip["it forgets "+field] = found(func(e *dsr.Entry) { forget(e, field) })
	}
	// An update that leaves a column out is no better.
	for _, field := range []string{"UpdatedAt", "Data", "Sealed"} {
		for _, plain := range []bool{false, true} {
			name := map[bool]string{false: "versioned", true: "plain"}[plain]
			roundTrip["updates of "+name+" ones leave "+field] = over(func(s *memory.Store, f *fake) { f.configure = leavingEntries(s, field, plain) })
		}
	}
	prefix := func(q *dsr.EntryQuery, e *dsr.Entry) bool {
		return strings.HasPrefix(e.Kind, q.Kind) && selects(&dsr.EntryQuery{Key: q.Key, After: q.After}, e)
	}
	return map[string]faults{
		"entry round trip": roundTrip,
		"entry filters": {
			"kinds are ignored":     looking(func(q *dsr.EntryQuery) { q.Kind = "" }),
			"keys are ignored":      looking(func(q *dsr.EntryQuery) { q.Key = "" }),
			"places are ignored":    looking(func(q *dsr.EntryQuery) { q.After = nil }),
			"versions are ignored":  looking(func(q *dsr.EntryQuery) { q.At = 0 }),
			"case is folded":        looking(func(q *dsr.EntryQuery) { q.Kind = strings.ToLower(q.Kind) }),
			"kinds are beginnings":  picking(prefix, byKind),
			"a kind excludes a key": looking(alone(func(q *dsr.EntryQuery) bool { return q.Kind != "" && q.After == nil }, func(q *dsr.EntryQuery) { q.Key = "" })),
			"a kind excludes a place": looking(alone(func(q *dsr.EntryQuery) bool { return q.Kind != "" },
				func(q *dsr.EntryQuery) { q.After = nil })),
			"a key excludes a place": looking(alone(func(q *dsr.EntryQuery) bool { return q.Key != "" && q.Kind == "" }, func(q *dsr.EntryQuery) { q.After = nil })),
			"a version excludes kinds": looking(alone(func(q *dsr.EntryQuery) bool { return q.At > 0 },
				func(q *dsr.EntryQuery) { q.Kind = "" })),
			"a version excludes keys": looking(alone(func(q *dsr.EntryQuery) bool { return q.At > 0 },
				func(q *dsr.EntryQuery) { q.Key = "" })),
			"a version excludes places": looking(alone(func(q *dsr.EntryQuery) bool { return q.At > 0 },
				func(q *dsr.EntryQuery) { q.After = nil })),
			"after is within": picking(func(q *dsr.EntryQuery, e *dsr.Entry) bool {
				return selects(&dsr.EntryQuery{Kind: q.Kind, Key: q.Key}, e) && (q.After == nil || byKind(*e, dsr.Entry{Kind: q.After.Kind, Key: q.After.Key}) >= 0)
			}, byKind),
			"after compares each part": picking(func(q *dsr.EntryQuery, e *dsr.Entry) bool {
				return selects(&dsr.EntryQuery{Kind: q.Kind, Key: q.Key}, e) && (q.After == nil || e.Kind >= q.After.Kind && e.Key > q.After.Key)
			}, byKind),
			"after compares kinds only": picking(func(q *dsr.EntryQuery, e *dsr.Entry) bool {
				return selects(&dsr.EntryQuery{Kind: q.Kind, Key: q.Key}, e) && (q.After == nil || e.Kind > q.After.Kind)
			}, byKind),
			"the limit comes first": over(func(s *memory.Store, f *fake) {
				f.configured = func(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
					list, err := s.Entries(ctx, dsr.EntryQuery{At: q.At, Limit: q.Limit})
					return slices.DeleteFunc(list, func(e dsr.Entry) bool { return !selects(&q, &e) }), err
				}
			}),
		},
		"entry order": {
			"by key":          picking(selects, func(a, b dsr.Entry) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Kind, b.Kind)) }),
			"the other way":   picking(selects, func(a, b dsr.Entry) int { return byKind(b, a) }),
			"keys descending": picking(selects, func(a, b dsr.Entry) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(b.Key, a.Key)) }),
			"case is folded": picking(selects, func(a, b dsr.Entry) int {
				return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(strings.ToLower(a.Key), strings.ToLower(b.Key)))
			}),
			"case is folded in kinds": picking(selects, func(a, b dsr.Entry) int {
				return cmp.Or(cmp.Compare(strings.ToLower(a.Kind), strings.ToLower(b.Kind)), cmp.Compare(a.Key, b.Key))
			}),
			"by length first": picking(selects, func(a, b dsr.Entry) int {
				return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(len(a.Key), len(b.Key)), cmp.Compare(a.Key, b.Key))
			}),
			"plain ones last": picking(selects, func(a, b dsr.Entry) int { return cmp.Or(order(a.Plain, b.Plain), byKind(a, b)) }),
			"punctuation is ignored": picking(selects, func(a, b dsr.Entry) int {
				letters := strings.NewReplacer(" ", "", "-", "", ".", "").Replace
				return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(letters(a.Key), letters(b.Key)), cmp.Compare(a.Key, b.Key))
			}),
			"pages begin again": looking(func(q *dsr.EntryQuery) { q.After = nil }),
		},
		"entry limit": {
			"none unless told":    looking(func(q *dsr.EntryQuery) { q.Limit = cmp.Or(q.Limit, 1000) }),
			"never more than 100": looking(func(q *dsr.EntryQuery) { q.Limit = min(q.Limit, 100) }),
			"ignored":             looking(func(q *dsr.EntryQuery) { q.Limit = 1000 }),
			"one too many":        looking(func(q *dsr.EntryQuery) { q.Limit++ }),
			"ignored in versions": looking(alone(func(q *dsr.EntryQuery) bool { return q.At > 0 }, func(q *dsr.EntryQuery) { q.Limit = 1000 })),
		},
	}
}

// alone alters some queries.
func alone(which func(q *dsr.EntryQuery) bool, alter func(q *dsr.EntryQuery)) func(q *dsr.EntryQuery) {
	return func(q *dsr.EntryQuery) {
		if which(q) {
			alter(q)
		}
	}
}

// leavingEntries saves entries, but updates leave a field as it was.
func leavingEntries(s *memory.Store, field string, plain bool) func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
	first := map[dsr.EntryPlace]dsr.Entry{}
	return func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
		next := maps.Clone(first)
		changes = slices.Clone(changes)
		for i := range changes {
			e := &changes[i].Entry
			place := dsr.EntryPlace{Kind: e.Kind, Key: e.Key}
			if old, ok := next[place]; ok && changes[i].ExpectVersion > 0 && e.Plain == plain {
				keep(e, &old, field)
			}
			next[place] = *e
		}
		first = next
		return s.SaveEntries(ctx, changes)
	}
}
