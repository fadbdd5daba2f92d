package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/value"
)

// Requests implements [dsr.Store] by looking at every record. A query that
// names an unknown time is an error.
func (s *Store) Requests(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
	q.Sort = cmp.Or(q.Sort, dsr.TimeCreated)
	if q.Limit <= 0 {
		q.Limit = 100
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	found, err := s.find(ctx, &q)
	if err != nil {
		return nil, err
	}
	order := func(a, b dsr.RecordPlace) int {
		c := cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.ID, b.ID))
		if q.Descending {
			return -c
		}
		return c
	}
	place := func(rec *dsr.Record) dsr.RecordPlace { return dsr.RecordPlace{Time: rec.Time(q.Sort), ID: rec.ID} }
	if q.After != nil {
		found = slices.DeleteFunc(found, func(rec *dsr.Record) bool { return order(place(rec), *q.After) <= 0 })
	}
	slices.SortFunc(found, func(a, b *dsr.Record) int { return order(place(a), place(b)) })
	found = page(found, int64(q.Offset), q.Limit)
	for i, rec := range found {
		short := *rec
		short.Plan, short.Outcomes, short.Manual = nil, nil, nil
		if !q.Keys {
			short.Keys = nil
		}
		short = copyRecord(short)
		found[i] = &short
	}
	return found, nil
}

// CountRequests implements [dsr.Store].
func (s *Store) CountRequests(ctx context.Context, q dsr.RecordQuery) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found, err := s.find(ctx, &q)
	return int64(len(found)), err
}

// find returns the records that match, unsorted and not copied.
func (s *Store) find(ctx context.Context, q *dsr.RecordQuery) ([]*dsr.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	known := dsr.TimeFields()
	if q.Sort != "" && !slices.Contains(known, q.Sort) {
		return nil, fmt.Errorf("memory: requests cannot be sorted by %q: name one of %q", q.Sort, known)
	}
	for field := range q.Times {
		if !slices.Contains(known, field) {
			return nil, fmt.Errorf("memory: requests cannot be selected by %q: name one of %q", field, known)
		}
	}
	var found []*dsr.Record
	for _, r := range s.requests {
		if selects(&r.record, q) {
			found = append(found, &r.record)
		}
	}
	return found, nil
}

// selects joins the fields of the query by AND, the values of a field by OR.
func selects(rec *dsr.Record, q *dsr.RecordQuery) bool {
	for field, within := range q.Times {
		if !within.Holds(rec.Time(field)) {
			return false
		}
	}
	external := value.Fold(rec.ExternalID)
	text := value.Fold(q.Text)
	return (q.Deleted || rec.DeletedAt.IsZero()) &&
		(!q.Unfinished || !finished(rec.Status)) &&
		(q.OnTime.IsZero() || finished(rec.Status) || rec.DeadlineAt.IsZero() || !rec.DeadlineAt.Before(q.OnTime)) &&
		(len(q.Status) == 0 || slices.Contains(q.Status, rec.Status)) &&
		(len(q.Policies) == 0 || slices.Contains(q.Policies, rec.Policy)) &&
		(len(q.Actions) == 0 || haveCommon(q.Actions, rec.Actions)) &&
		(len(q.Lookup) == 0 || hasOne(rec, q.Lookup)) &&
		(len(q.Also) == 0 || hasOne(rec, q.Also)) &&
		(q.ExternalID == "" || rec.ExternalID == q.ExternalID) &&
		strings.HasPrefix(external, value.Fold(q.ExternalPrefix)) &&
		(strings.Contains(external, text) || strings.Contains(value.Fold(rec.ID), text)) &&
		strings.Contains(value.Fold(rec.ID), value.Fold(q.IDContains)) &&
		(q.Location == "" || within(rec.Location, q.Location))
}

// hasOne reports whether a record is found by one of the hashes.
func hasOne(rec *dsr.Record, hashes [][]byte) bool {
	return slices.ContainsFunc(hashes, func(hash []byte) bool {
		return slices.ContainsFunc(rec.Lookup, func(own []byte) bool { return bytes.Equal(own, hash) })
	})
}

func haveCommon[T comparable](a, b []T) bool {
	return slices.ContainsFunc(a, func(x T) bool { return slices.Contains(b, x) })
}

func finished(status dsr.Status) bool {
	switch status {
	case dsr.StatusComplete, dsr.StatusDenied, dsr.StatusCanceled:
		return true
	}
	return false
}

// within reports whether a location is the place, or part of it if the place
// is a country.
func within(location, place string) bool {
	return location == place || !strings.Contains(place, "-") && strings.HasPrefix(location, place+"-")
}
