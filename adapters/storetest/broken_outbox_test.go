package storetest_test

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func brokenOutbox() map[string]faults {
	roundTrip := faults{
		"the first version stays": over(func(s *memory.Store, f *fake) {
			first := map[string]dsr.Message{}
			f.put = func(ctx context.Context, changes []dsr.MessageChange) error {
				for _, ch := range changes {
					if _, ok := first[ch.Message.ID]; !ok {
						first[ch.Message.ID] = ch.Message
					}
				}
				return s.SaveMessages(ctx, changes)
			}
			f.messages = func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
				list, err := s.Messages(ctx, q)
				for i := range list {
					list[i] = first[list[i].ID]
				}
				return list, err
			}
		}),
		"nothing is removed": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
			for i := range changes {
				changes[i].Remove = false
			}
			return s.SaveMessages(ctx, changes)
		}),
		"a zero time becomes a time": sent(func(list []dsr.Message) []dsr.Message {
			for i := range list {
				if list[i].DueAt.IsZero() {
					list[i].DueAt = time.Unix(0, 0)
				}
			}
			return list
		}),
		"an empty list is refused": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
			if len(changes) == 0 {
				return dsr.ErrNotFound
			}
			return s.SaveMessages(ctx, changes)
		}),
		"versions count on after a removal": over(func(s *memory.Store, f *fake) {
			last := map[string]int64{}
			f.put = func(ctx context.Context, changes []dsr.MessageChange) error {
				for _, ch := range changes {
					if ch.Message.Version <= last[ch.Message.ID] {
						return dsr.ErrConflict
					}
					last[ch.Message.ID] = ch.Message.Version
				}
				return s.SaveMessages(ctx, changes)
			}
		}),
	}
	for _, field := range fieldsOf[dsr.Message]() {
		roundTrip["it forgets "+field] = sent(func(list []dsr.Message) []dsr.Message {
			forgetAll(list, field)
			return list
		})
	}
	// An update that leaves a column out is no better.
	for _, field := range fieldsOf[dsr.Message]("ID", "Version") {
		roundTrip["updates leave "+field] = over(func(s *memory.Store, f *fake) { f.put = leavingField(s, field) })
	}
	return map[string]faults{
		"message round trip": roundTrip,
		"message filters": {
			"IDs are ignored":            asked(func(q *dsr.MessageQuery) { q.ID = "" }),
			"requests are ignored":       asked(func(q *dsr.MessageQuery) { q.RequestID = "" }),
			"times are ignored":          asked(func(q *dsr.MessageQuery) { q.Before = time.Time{} }),
			"before is within":           asked(func(q *dsr.MessageQuery) { q.Before = within(q.Before) }),
			"milliseconds in times":      asked(func(q *dsr.MessageQuery) { q.Before = q.Before.Truncate(time.Millisecond) }),
			"case is folded in IDs":      asked(func(q *dsr.MessageQuery) { q.ID = strings.ToLower(q.ID) }),
			"case is folded in requests": asked(func(q *dsr.MessageQuery) { q.RequestID = strings.ToLower(q.RequestID) }),
			"an ID excludes the rest":    asked(func(q *dsr.MessageQuery) { q.RequestID, q.Before = only(q.ID, q.RequestID, q.Before) }),
			"requests exclude times":     asked(func(q *dsr.MessageQuery) { _, q.Before = only(q.RequestID, "", q.Before) }),
			"times exclude requests":     asked(excluding),
			"IDs are beginnings": matching(func(q *dsr.MessageQuery, m *dsr.Message) bool {
				return strings.HasPrefix(m.ID, q.ID) && m.RequestID == cmp.Or(q.RequestID, m.RequestID)
			}),
			"requests are beginnings": matching(func(q *dsr.MessageQuery, m *dsr.Message) bool {
				return (q.ID == "" || m.ID == q.ID) && strings.HasPrefix(m.RequestID, q.RequestID)
			}),
			"no time is left out": sent(func(list []dsr.Message) []dsr.Message {
				return slices.DeleteFunc(list, func(m dsr.Message) bool { return m.DueAt.IsZero() })
			}),
			"the limit comes first": over(func(s *memory.Store, f *fake) {
				f.messages = func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
					first, err := s.Messages(ctx, dsr.MessageQuery{Limit: q.Limit})
					if err != nil {
						return nil, err
					}
					list, err := s.Messages(ctx, q)
					return slices.DeleteFunc(list, func(m dsr.Message) bool {
						return !slices.ContainsFunc(first, func(f dsr.Message) bool { return f.ID == m.ID })
					}), err
				}
			}),
		},
		"message order": {
			"by ID":        sorted(func(a, b dsr.Message) int { return cmp.Compare(a.ID, b.ID) }),
			"latest first": sorted(func(a, b dsr.Message) int { return cmp.Or(b.DueAt.Compare(a.DueAt), cmp.Compare(a.ID, b.ID)) }),
			"equal times by descending ID": sorted(func(a, b dsr.Message) int {
				return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(b.ID, a.ID))
			}),
			"by milliseconds": sorted(func(a, b dsr.Message) int {
				return cmp.Or(a.DueAt.Truncate(time.Millisecond).Compare(b.DueAt.Truncate(time.Millisecond)), cmp.Compare(a.ID, b.ID))
			}),
			"no time is last": sorted(func(a, b dsr.Message) int {
				return cmp.Or(order(a.DueAt.IsZero(), b.DueAt.IsZero()), a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID))
			}),
			"by the clock on the wall": over(func(s *memory.Store, f *fake) { f.put = walled(s) }),
			"late times are refused": putting(func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error {
				for _, ch := range changes {
					if ch.Message.DueAt.Year() > 2261 {
						return context.DeadlineExceeded
					}
				}
				return s.SaveMessages(ctx, changes)
			}),
			"late times wrap around": sorted(func(a, b dsr.Message) int {
				return cmp.Or(cmp.Compare(wrapped(a.DueAt), wrapped(b.DueAt)), cmp.Compare(a.ID, b.ID))
			}),
			"before wraps around": asked(func(q *dsr.MessageQuery) {
				if !q.Before.IsZero() {
					q.Before = time.Unix(0, wrapped(q.Before))
				}
			}),
		},
		"message pages": {
			"all are the first": asked(func(q *dsr.MessageQuery) { q.After = nil }),
			"times only": asked(func(q *dsr.MessageQuery) {
				if q.After != nil {
					q.After = &dsr.RecordPlace{Time: q.After.Time, ID: "\u007f"}
				}
			}),
			"IDs only": asked(func(q *dsr.MessageQuery) {
				if q.After != nil {
					q.After = &dsr.RecordPlace{ID: q.After.ID}
				}
			}),
			"milliseconds in places": asked(func(q *dsr.MessageQuery) {
				if q.After != nil {
					q.After = &dsr.RecordPlace{Time: q.After.Time.Truncate(time.Millisecond), ID: q.After.ID}
				}
			}),
		},
		"message limit": {
			"none unless told":    asked(func(q *dsr.MessageQuery) { q.Limit = cmp.Or(q.Limit, 1000) }),
			"never more than 100": asked(func(q *dsr.MessageQuery) { q.Limit = min(q.Limit, 100) }),
			"ignored":             asked(func(q *dsr.MessageQuery) { q.Limit = 1000 }),
			"one too many":        asked(func(q *dsr.MessageQuery) { q.Limit++ }),
		},
	}
}

// leavingField saves messages, but updates leave a field as it was.
func leavingField(s *memory.Store, field string) func(ctx context.Context, changes []dsr.MessageChange) error {
	first := map[string]dsr.Message{}
	return func(ctx context.Context, changes []dsr.MessageChange) error {
		next := maps.Clone(first)
		changes = slices.Clone(changes)
		for i := range changes {
			m := &changes[i].Message
			if old, ok := next[m.ID]; ok && changes[i].ExpectVersion > 0 {
				keep(m, &old, field)
			}
			next[m.ID] = *m
		}
		first = next
		return s.SaveMessages(ctx, changes)
	}
}

// within is a time that is after t but before the next microsecond.
func within(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(time.Nanosecond)
}

// only returns the rest of a query that is only looked at if the first part of
// it is empty.
func only(first, second string, before time.Time) (string, time.Time) {
	if first != "" {
		return "", time.Time{}
	}
	return second, before
}

func excluding(q *dsr.MessageQuery) {
	if !q.Before.IsZero() {
		q.RequestID = ""
	}
}

// matching makes a store that selects messages by itself.
func matching(matches func(q *dsr.MessageQuery, m *dsr.Message) bool) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.messages = func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
			list, err := s.Messages(ctx, dsr.MessageQuery{Before: q.Before, Limit: 1000})
			return slices.DeleteFunc(list, func(m dsr.Message) bool { return !matches(&q, &m) }), err
		}
	})
}

// sorted makes a store that sorts messages in another way.
func sorted(compare func(a, b dsr.Message) int) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.messages = func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
			all := q
			all.Limit = 1000
			list, err := s.Messages(ctx, all)
			slices.SortFunc(list, compare)
			if q.Limit > 0 {
				list = list[:min(q.Limit, len(list))]
			}
			return list, err
		}
	})
}

func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// wrapped is a time as nanoseconds in 64 bits.
func wrapped(t time.Time) int64 { return t.UnixNano() }

// walled saves the time that a clock shows, whatever the zone.
func walled(s *memory.Store) func(ctx context.Context, changes []dsr.MessageChange) error {
	return func(ctx context.Context, changes []dsr.MessageChange) error {
		changes = slices.Clone(changes)
		for i := range changes {
			t := &changes[i].Message.DueAt
			*t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		}
		return s.SaveMessages(ctx, changes)
	}
}
