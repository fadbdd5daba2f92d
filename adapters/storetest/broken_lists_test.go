package storetest_test

import (
	"context"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func brokenLists() map[string]faults {
	sorting := faults{
		"always by creation": queried(func(q *dsr.RecordQuery) { q.Sort = "" }),
		"by request unless told": queried(func(q *dsr.RecordQuery) {
			if q.Sort == "" {
				q.Sort = dsr.TimeRequested
			}
		}),
		"always ascending": queried(func(q *dsr.RecordQuery) { q.Descending = false }),
		"equal times always by ascending ID": over(func(s *memory.Store, f *fake) {
			f.requests = func(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
				list, err := s.Requests(ctx, q)
				slices.SortStableFunc(list, func(a, b *dsr.Record) int {
					if a.Time(q.Sort).Equal(b.Time(q.Sort)) {
						return strings.Compare(a.ID, b.ID)
					}
					return 0
				})
				return list, err
			}
		}),
		"without a time is always last": over(func(s *memory.Store, f *fake) {
			f.requests = func(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
				list, err := s.Requests(ctx, q)
				var with, none []*dsr.Record
				for _, rec := range list {
					if rec.Time(q.Sort).IsZero() {
						none = append(none, rec)
					} else {
						with = append(with, rec)
					}
				}
				return append(with, none...), err
			}
		}),
	}
	for i, field := range dsr.TimeFields() {
		other := dsr.TimeFields()[(i+1)%len(dsr.TimeFields())]
		sorting["it takes "+string(field)+" for another"] = queried(func(q *dsr.RecordQuery) {
			if q.Sort == field {
				q.Sort = other
			}
		})
	}
	return map[string]faults{
		"sorting": sorting,
		"pages": {
			"the place is ignored": queried(func(q *dsr.RecordQuery) { q.After = nil }),
			"the place is ignored now and then": func() dsr.Store {
				calls := 0
				return queried(func(q *dsr.RecordQuery) {
					if calls++; calls == 3 {
						q.After = nil
					}
				})()
			},
			"the place is a time":         placed(func(q *dsr.RecordQuery, rec *dsr.Record) bool { return beyondTime(q, rec) > 0 }),
			"the place is a time or more": placed(func(q *dsr.RecordQuery, rec *dsr.Record) bool { return beyondTime(q, rec) >= 0 }),
			"the place is an ID":          placed(func(q *dsr.RecordQuery, rec *dsr.Record) bool { return rec.ID > q.After.ID != q.Descending }),
			"both are compared alone": placed(func(q *dsr.RecordQuery, rec *dsr.Record) bool {
				return beyondTime(q, rec) >= 0 && rec.ID > q.After.ID != q.Descending
			}),
			"nothing follows no time": placed(func(q *dsr.RecordQuery, rec *dsr.Record) bool {
				return !q.After.Time.IsZero() && (beyondTime(q, rec) > 0 || beyondTime(q, rec) == 0 && rec.ID > q.After.ID != q.Descending)
			}),
			"no time follows nothing": placed(func(q *dsr.RecordQuery, rec *dsr.Record) bool {
				return !rec.Time(q.Sort).IsZero() && (beyondTime(q, rec) > 0 || beyondTime(q, rec) == 0 && rec.ID > q.After.ID != q.Descending)
			}),
			"the place is a number": func() dsr.Store {
				passed := 0
				return queried(func(q *dsr.RecordQuery) {
					if q.After == nil {
						passed = 0
						return
					}
					passed += q.Limit
					q.After, q.Offset = nil, passed
				})()
			},
			"pages have no number": queried(func(q *dsr.RecordQuery) { q.Offset = 0 }),
			"pages are counted from one": queried(func(q *dsr.RecordQuery) {
				q.Offset = max(q.Offset-1, 0)
			}),
		},
		"limit": {
			"none unless told": queried(func(q *dsr.RecordQuery) {
				if q.Limit == 0 {
					q.Limit = 1000
				}
			}),
			"never more than 100": queried(func(q *dsr.RecordQuery) { q.Limit = min(q.Limit, 100) }),
		},
	}
}

// placed makes a store that finds the place to go on at by itself.
func placed(follows func(q *dsr.RecordQuery, rec *dsr.Record) bool) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.requests = func(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
			if q.After == nil {
				return s.Requests(ctx, q)
			}
			all := q
			all.After, all.Limit = nil, 1000
			list, err := s.Requests(ctx, all)
			list = slices.DeleteFunc(list, func(rec *dsr.Record) bool { return !follows(&q, rec) })
			return list[:min(q.Limit, len(list))], err
		}
	})
}

// beyondTime is above 0 for a record whose time follows that of the place in
// the order of the query, and below 0 if it comes before.
func beyondTime(q *dsr.RecordQuery, rec *dsr.Record) int {
	c := rec.Time(q.Sort).Compare(q.After.Time)
	if q.Descending {
		return -c
	}
	return c
}
