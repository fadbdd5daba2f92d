package storetest_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func brokenFilters() map[string]faults {
	filters := faults{
		"one status": queried(func(q *dsr.RecordQuery) { q.Status = q.Status[:min(1, len(q.Status))] }),
		"one policy": queried(func(q *dsr.RecordQuery) { q.Policies = q.Policies[:min(1, len(q.Policies))] }),
		"one action": queried(func(q *dsr.RecordQuery) { q.Actions = q.Actions[:min(1, len(q.Actions))] }),
		"one look-up": queried(func(q *dsr.RecordQuery) {
			q.Lookup = q.Lookup[:min(1, len(q.Lookup))]
		}),
		"one more look-up": queried(func(q *dsr.RecordQuery) { q.Also = q.Also[:min(1, len(q.Also))] }),
		"look-ups up to a limit": queried(func(q *dsr.RecordQuery) {
			q.Lookup, q.Also = q.Lookup[:min(999, len(q.Lookup))], q.Also[:min(999, len(q.Also))]
		}),
		"more look-ups are joined by OR": queried(func(q *dsr.RecordQuery) {
			if len(q.Lookup) > 0 {
				q.Lookup, q.Also = slices.Concat(q.Lookup, q.Also), nil
			}
		}),
		"IDs have a case": matched(
			func(*dsr.RecordQuery) {},
			func(q *dsr.RecordQuery, rec *dsr.Record) bool { return strings.Contains(rec.ID, q.IDContains) }),
		"IDs are found by external IDs": queried(func(q *dsr.RecordQuery) {
			if q.Text == "" {
				q.Text, q.IDContains = q.IDContains, ""
			}
		}),
		"IDs are matched by patterns": matched(
			func(q *dsr.RecordQuery) { q.IDContains = "" },
			func(q *dsr.RecordQuery, rec *dsr.Record) bool { return like("%"+q.IDContains+"%", rec.ID) }),
		"keys are never listed": queried(func(q *dsr.RecordQuery) { q.Keys = false }),
		"until": queried(ranged(func(_ dsr.TimeField, r dsr.TimeRange) dsr.TimeRange {
			return dsr.TimeRange{From: r.From, Before: nonzero(r.Before, time.Microsecond)}
		})),
		"after": queried(ranged(func(_ dsr.TimeField, r dsr.TimeRange) dsr.TimeRange {
			return dsr.TimeRange{From: nonzero(r.From, time.Microsecond), Before: r.Before}
		})),
		"no beginning":         queried(ranged(func(_ dsr.TimeField, r dsr.TimeRange) dsr.TimeRange { return dsr.TimeRange{Before: r.Before} })),
		"no end":               queried(ranged(func(_ dsr.TimeField, r dsr.TimeRange) dsr.TimeRange { return dsr.TimeRange{From: r.From} })),
		"an open range is all": queried(func(q *dsr.RecordQuery) { q.Times = without(q.Times, dsr.TimeRange{}) }),
		"external IDs in any case": matched(
			func(q *dsr.RecordQuery) { q.ExternalID = "" },
			func(q *dsr.RecordQuery, rec *dsr.Record) bool {
				return q.ExternalID == "" || strings.EqualFold(rec.ExternalID, q.ExternalID)
			}),
		"external IDs are patterns": matched(
			func(q *dsr.RecordQuery) { q.ExternalID = "" },
			func(q *dsr.RecordQuery, rec *dsr.Record) bool {
				return q.ExternalID == "" || like(q.ExternalID, rec.ExternalID)
			}),
		"prefixes are patterns": matched(
			func(q *dsr.RecordQuery) { q.ExternalPrefix = "" },
			func(q *dsr.RecordQuery, rec *dsr.Record) bool { return like(q.ExternalPrefix+"%", rec.ExternalID) }),
		"prefixes have a case": matched(
			func(*dsr.RecordQuery) {},
			func(q *dsr.RecordQuery, rec *dsr.Record) bool {
				return strings.HasPrefix(rec.ExternalID, q.ExternalPrefix)
			}),
		"prefixes are anywhere": queried(func(q *dsr.RecordQuery) {
			if q.Text == "" {
				q.Text, q.ExternalPrefix = q.ExternalPrefix, ""
			}
		}),
		"text is a pattern": matched(
			func(q *dsr.RecordQuery) { q.Text = "" },
			func(q *dsr.RecordQuery, rec *dsr.Record) bool {
				return like("%"+q.Text+"%", rec.ExternalID) || like("%"+q.Text+"%", rec.ID)
			}),
		"text has a case": matched(
			func(*dsr.RecordQuery) {},
			func(q *dsr.RecordQuery, rec *dsr.Record) bool {
				return strings.Contains(rec.ExternalID+"\x00"+rec.ID, q.Text)
			}),
		"text is of IDs only": matched(
			func(*dsr.RecordQuery) {},
			func(q *dsr.RecordQuery, rec *dsr.Record) bool {
				return strings.Contains(rec.ID, strings.ToLower(q.Text))
			}),
		"text is of external IDs only": matched(
			func(*dsr.RecordQuery) {},
			func(q *dsr.RecordQuery, rec *dsr.Record) bool {
				return strings.Contains(strings.ToLower(rec.ExternalID), strings.ToLower(q.Text))
			}),
		"text is of statuses, too": matched(
			func(q *dsr.RecordQuery) {
				if q.Text == "pending" {
					q.Text = ""
				}
			},
			func(q *dsr.RecordQuery, rec *dsr.Record) bool { return q.Text != "pending" || rec.Status == "pending" }),
		"locations are prefixes": matched(
			func(q *dsr.RecordQuery) { q.Location = "" },
			func(q *dsr.RecordQuery, rec *dsr.Record) bool { return strings.HasPrefix(rec.Location, q.Location) }),
		"locations are patterns": matched(
			func(q *dsr.RecordQuery) {
				if strings.Contains(q.Location, "_") {
					q.Location = ""
				}
			},
			func(q *dsr.RecordQuery, rec *dsr.Record) bool {
				return q.Location == "" || like(q.Location, rec.Location) || like(q.Location+"-%", rec.Location)
			}),
		"countries have no parts": matched(
			func(*dsr.RecordQuery) {},
			func(q *dsr.RecordQuery, rec *dsr.Record) bool { return q.Location == "" || rec.Location == q.Location }),
		"denied is unfinished": matched(
			func(q *dsr.RecordQuery) { q.Unfinished = false },
			func(q *dsr.RecordQuery, rec *dsr.Record) bool {
				return !q.Unfinished || rec.Status != dsr.StatusComplete && rec.Status != dsr.StatusCanceled
			}),
		"answered requests are late": matched(
			func(q *dsr.RecordQuery) {},
			func(q *dsr.RecordQuery, rec *dsr.Record) bool {
				return q.OnTime.IsZero() || !rec.DeadlineAt.Before(q.OnTime) || rec.DeadlineAt.IsZero()
			}),
		"what has no deadline is late": matched(
			func(q *dsr.RecordQuery) {},
			func(q *dsr.RecordQuery, rec *dsr.Record) bool {
				return q.OnTime.IsZero() || !rec.DeadlineAt.IsZero()
			}),
		"a deadline is past when it comes": queried(func(q *dsr.RecordQuery) { q.OnTime = nonzero(q.OnTime, time.Microsecond) }),
		"text is joined by OR": over(func(s *memory.Store, f *fake) {
			f.requests = func(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
				rest := q
				rest.Text = ""
				list, err := s.Requests(ctx, rest)
				if err != nil || q.Text == "" || reflect.ValueOf(rest).IsZero() {
					return s.Requests(ctx, q)
				}
				found, err := s.Requests(ctx, dsr.RecordQuery{Text: q.Text})
				return append(list, found...), err
			}
		}),
		"deleted records only": matched(
			func(*dsr.RecordQuery) {},
			func(q *dsr.RecordQuery, rec *dsr.Record) bool { return !q.Deleted || !rec.DeletedAt.IsZero() }),
	}
	counts := faults{
		"the page is counted": over(func(s *memory.Store, f *fake) {
			f.count = func(ctx context.Context, q dsr.RecordQuery) (int64, error) {
				list, err := s.Requests(ctx, q)
				return int64(len(list)), err
			}
		}),
		"the offset counts": counted(func(q *dsr.RecordQuery, n int64) int64 { return max(n-int64(q.Offset), 0) }),
		"never more than a page": counted(func(_ *dsr.RecordQuery, n int64) int64 {
			return min(n, 100)
		}),
	}
	for _, field := range []string{
		"Status", "Policies", "Actions", "Lookup", "Also", "ExternalID", "ExternalPrefix", "Text", "IDContains", "Location", "Times",
		"Unfinished", "OnTime", "Deleted",
	} {
		filters["it ignores "+field] = queried(func(q *dsr.RecordQuery) { forget(q, field) })
		counts["it ignores "+field] = over(func(s *memory.Store, f *fake) {
			f.count = func(ctx context.Context, q dsr.RecordQuery) (int64, error) {
				forget(&q, field)
				return s.CountRequests(ctx, q)
			}
		})
	}
	for i, field := range dsr.TimeFields() {
		other := dsr.TimeFields()[(i+1)%len(dsr.TimeFields())]
		filters["it takes "+string(field)+" for another"] = queried(func(q *dsr.RecordQuery) {
			if r, ok := q.Times[field]; ok && len(q.Times) == 1 {
				q.Times = map[dsr.TimeField]dsr.TimeRange{other: r}
			}
		})
		filters["it ignores "+string(field)+" among others"] = queried(func(q *dsr.RecordQuery) {
			if len(q.Times) > 1 {
				times := map[dsr.TimeField]dsr.TimeRange{}
				for f, r := range q.Times {
					if f != field {
						times[f] = r
					}
				}
				q.Times = times
			}
		})
	}
	for _, field := range fieldsOf[dsr.Record]("ID", "Plan", "Outcomes", "Manual", "Keys", "DeletedAt", "AuditSeq", "AuditHash") {
		filters["lists are without "+field] = over(func(s *memory.Store, f *fake) {
			f.requests = func(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
				list, err := s.Requests(ctx, q)
				for _, rec := range list {
					forget(rec, field)
				}
				return list, err
			}
		})
	}
	for _, field := range []string{"Plan", "Outcomes", "Manual", "Keys"} {
		filters["lists hold "+field] = over(func(s *memory.Store, f *fake) {
			f.requests = func(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
				list, err := s.Requests(ctx, q)
				for _, rec := range list {
					whole, err := s.Request(ctx, rec.ID)
					if err != nil {
						return nil, err
					}
					keep(rec, whole, field)
				}
				return list, err
			}
		})
	}
	return map[string]faults{"filters": filters, "counts": counts}
}

// matched makes a store that alters queries and selects from the list itself.
func matched(alter func(q *dsr.RecordQuery), matches func(q *dsr.RecordQuery, rec *dsr.Record) bool) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.requests = func(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
			wider := q
			alter(&wider)
			list, err := s.Requests(ctx, wider)
			return slices.DeleteFunc(list, func(rec *dsr.Record) bool { return !matches(&q, rec) }), err
		}
	})
}

// counted makes a store that alters counts.
func counted(alter func(q *dsr.RecordQuery, n int64) int64) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.count = func(ctx context.Context, q dsr.RecordQuery) (int64, error) {
			n, err := s.CountRequests(ctx, q)
			return alter(&q, n), err
		}
	})
}

// ranged alters every range of a query.
func ranged(alter func(dsr.TimeField, dsr.TimeRange) dsr.TimeRange) func(*dsr.RecordQuery) {
	return func(q *dsr.RecordQuery) {
		times := map[dsr.TimeField]dsr.TimeRange{}
		for field, r := range q.Times {
			times[field] = alter(field, r)
		}
		q.Times = times
	}
}

func without(times map[dsr.TimeField]dsr.TimeRange, unwanted dsr.TimeRange) map[dsr.TimeField]dsr.TimeRange {
	rest := map[dsr.TimeField]dsr.TimeRange{}
	for field, r := range times {
		if r != unwanted {
			rest[field] = r
		}
	}
	return rest
}

func nonzero(t time.Time, d time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(d)
}

// like is SQL's pattern match, without regard to case.
func like(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '%':
		return like(pattern[1:], s) || s != "" && like(pattern, s[1:])
	case s == "":
		return false
	}
	return (pattern[0] == '_' || strings.EqualFold(pattern[:1], s[:1])) && like(pattern[1:], s[1:])
}
