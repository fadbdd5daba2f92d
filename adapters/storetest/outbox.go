package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/godsr/dsr"
)

// message is one of version 1 with a value in every field; that is no request's
// if request is empty.
func message(id, request string) dsr.Message {
	return dsr.Message{
		ID: id, Version: 1, RequestID: request, DueAt: noon,
		Data: fmt.Appendf(nil, `{"message":%q}`, id), Sealed: []byte("sealed\x00\xff" + id),
	}
}

// next is the next version of a message, with other values.
func next(m dsr.Message) dsr.Message {
	m.Version++
	m.DueAt = m.DueAt.Add(time.Minute)
	m.Data, m.Sealed = fmt.Appendf(nil, `{"version":%d}`, m.Version), fmt.Appendf(nil, "sealed again\x00%d", m.Version)
	return m
}

// put saves messages, each after the version before.
func put(list ...dsr.Message) []dsr.MessageChange {
	changes := make([]dsr.MessageChange, len(list))
	for i, m := range list {
		changes[i] = dsr.MessageChange{ExpectVersion: m.Version - 1, Message: m}
	}
	return changes
}

// without removes messages that are stored so.
func without(list ...dsr.Message) []dsr.MessageChange {
	changes := make([]dsr.MessageChange, len(list))
	for i, m := range list {
		changes[i] = dsr.MessageChange{ExpectVersion: m.Version, Message: next(m), Remove: true}
	}
	return changes
}

// expectMessages compares all messages with want.
func expectMessages(ctx context.Context, s dsr.Store, want ...dsr.Message) error {
	return expectFound(ctx, s, dsr.MessageQuery{Limit: len(want) + 10}, want...)
}

func expectFound(ctx context.Context, s dsr.Store, q dsr.MessageQuery, want ...dsr.Message) error {
	got, err := s.Messages(ctx, q)
	if err != nil {
		return fmt.Errorf("messages: %w", err)
	}
	return diff("messages", got, want)
}

func messageRoundTrip(ctx context.Context, s dsr.Store) error {
	m, n := message("m", "r1"), message("n", "")
	bare := dsr.Message{ID: "m", Version: 4, RequestID: "r1", DueAt: m.DueAt, Data: []byte{}}
	moved := next(bare)
	moved.RequestID = ""
	for _, step := range []struct {
		changes []dsr.MessageChange
		want    []dsr.Message
	}{
		{put(m, n), []dsr.Message{m, n}},
		{put(next(n)), []dsr.Message{m, next(n)}},
		{put(next(m), next(next(m))), []dsr.Message{next(n), next(next(m))}},
		{put(bare), []dsr.Message{bare, next(n)}},
		{put(moved), []dsr.Message{moved, next(n)}},
		{without(next(n)), []dsr.Message{moved}},
		{put(n, dsr.Message{ID: "least", Version: 1}), []dsr.Message{{ID: "least", Version: 1}, n, moved}},
		{nil, []dsr.Message{{ID: "least", Version: 1}, n, moved}},
	} {
		if err := s.SaveMessages(ctx, step.changes); err != nil {
			return fmt.Errorf("save messages: %w", err)
		}
		if err := expectMessages(ctx, s, step.want...); err != nil {
			return err
		}
	}
	return nil
}

func messageFilters(ctx context.Context, s dsr.Store) error {
	at := func(m dsr.Message, steps int) dsr.Message {
		m.DueAt = noon.Add(time.Duration(steps) * time.Microsecond)
		return m
	}
	none, a1, b1, a2, own := message("none", ""), at(message("a1", "r1"), 1), at(message("b1", "r1"), 2), at(message("a2", "r10"), 1), at(message("own", ""), 3)
	none.DueAt = time.Time{}
	if err := s.SaveMessages(ctx, put(own, b1, none, a2, a1)); err != nil {
		return err
	}
	for _, test := range []struct {
		query dsr.MessageQuery
		want  []dsr.Message
	}{
		{dsr.MessageQuery{}, []dsr.Message{none, a1, a2, b1, own}},
		{dsr.MessageQuery{ID: "b1"}, []dsr.Message{b1}},
		{dsr.MessageQuery{ID: "b"}, nil},
		{dsr.MessageQuery{ID: "B1"}, nil},
		{dsr.MessageQuery{RequestID: "r1"}, []dsr.Message{a1, b1}},
		{dsr.MessageQuery{RequestID: "R1"}, nil},
		{dsr.MessageQuery{RequestID: "r2"}, nil},
		{dsr.MessageQuery{Before: noon}, []dsr.Message{none}},
		{dsr.MessageQuery{Before: a1.DueAt}, []dsr.Message{none}},
		{dsr.MessageQuery{Before: b1.DueAt}, []dsr.Message{none, a1, a2}},
		{dsr.MessageQuery{Before: own.DueAt.Add(time.Microsecond)}, []dsr.Message{none, a1, a2, b1, own}},
		{dsr.MessageQuery{ID: "a1", RequestID: "r1"}, []dsr.Message{a1}},
		{dsr.MessageQuery{ID: "a1", RequestID: "r10"}, nil},
		{dsr.MessageQuery{ID: "a1", Before: a1.DueAt}, nil},
		{dsr.MessageQuery{ID: "a1", Before: b1.DueAt}, []dsr.Message{a1}},
		{dsr.MessageQuery{RequestID: "r1", Before: b1.DueAt}, []dsr.Message{a1}},
		{dsr.MessageQuery{RequestID: "r10", Before: b1.DueAt, Limit: 1}, []dsr.Message{a2}},
		{dsr.MessageQuery{ID: "a1", RequestID: "r1", Before: b1.DueAt, Limit: 1}, []dsr.Message{a1}},
	} {
		if err := expectFound(ctx, s, test.query, test.want...); err != nil {
			return fmt.Errorf("query %+v: %w", test.query, err)
		}
	}
	return nil
}

// messageOrder saves messages in an order that is neither that of their times
// nor that of their IDs. Those that lie beyond the times that a store can keep
// come before and after the others all the same.
func messageOrder(ctx context.Context, s dsr.Store) error {
	year := func(y int) time.Time { return time.Date(y, 6, 1, 0, 0, 0, 0, time.UTC) }
	in := func(hours int, t time.Time) time.Time { return t.In(time.FixedZone("", hours*3600)) }
	list := []struct {
		id  string
		due time.Time
	}{
		{"z", time.Time{}},
		{"e1", year(1500)}, {"e2", year(1600)}, {"d", year(1900)}, {"c", year(1969)}, {"b", noon.Add(-time.Microsecond)},
		{"ab", noon}, {"ac", in(9, noon)}, {"ad", in(-9, noon)}, {"ae", noon}, {"af", noon}, {"9", in(-9, noon.Add(time.Microsecond))},
		{"8", in(9, noon.Add(time.Hour))}, {"x", year(2200)}, {"y1", year(2500)}, {"y2", year(9000)}, {"y3", year(12000)},
	}
	var all, early, past []string
	var changes []dsr.MessageChange
	for _, line := range list {
		m := message(line.id, "")
		m.DueAt = line.due
		changes = append(changes, put(m)...)
		all = append(all, line.id)
		if line.due.Before(noon) {
			early = append(early, line.id)
		}
		if line.due.Before(year(2201)) {
			past = append(past, line.id)
		}
	}
	for i := range changes { // seven and the list's length have no common divisor
		if err := s.SaveMessages(ctx, changes[i*7%len(changes):][:1]); err != nil {
			return fmt.Errorf("save a message: %w", err)
		}
	}
	for _, test := range []struct {
		query dsr.MessageQuery
		want  []string
	}{
		{dsr.MessageQuery{}, all}, {dsr.MessageQuery{Limit: 9}, all[:9]}, {dsr.MessageQuery{Limit: 1}, all[:1]},
		{dsr.MessageQuery{Before: in(5, noon)}, early}, {dsr.MessageQuery{Before: noon, Limit: 3}, early[:3]},
		{dsr.MessageQuery{Before: year(2201)}, past}, {dsr.MessageQuery{Before: year(1400)}, all[:1]},
	} {
		found, err := s.Messages(ctx, test.query)
		if err != nil {
			return fmt.Errorf("messages: %w", err)
		}
		if got := idsOf(found); !slices.Equal(got, test.want) {
			return fmt.Errorf("query %+v: messages %q, want %q", test.query, got, test.want)
		}
	}
	return nil
}

// messagePages walks through messages of equal and of different times, page by
// page, with and without another condition.
func messagePages(ctx context.Context, s dsr.Store) error {
	var ids []string
	var changes []dsr.MessageChange
	for i := range 17 {
		m := message(fmt.Sprintf("m%02d", (i*7)%17), []string{"r1", ""}[i%2])
		m.DueAt = noon.Add(time.Duration(i/4) * time.Microsecond)
		if i < 3 {
			m.DueAt = time.Time{}
		}
		changes = append(changes, put(m)...)
	}
	if err := s.SaveMessages(ctx, changes); err != nil {
		return err
	}
	for _, q := range []dsr.MessageQuery{{}, {RequestID: "r1"}, {Before: noon.Add(2 * time.Microsecond)}} {
		q.Limit = 1000
		all, err := s.Messages(ctx, q)
		if err != nil {
			return fmt.Errorf("messages: %w", err)
		}
		for _, q.Limit = range []int{1, 2, 5} {
			ids, q.After = nil, nil
			for range len(all) + 1 {
				page, err := s.Messages(ctx, q)
				if err != nil {
					return fmt.Errorf("messages: %w", err)
				}
				if len(page) == 0 {
					break
				}
				ids = append(ids, idsOf(page)...)
				last := page[len(page)-1]
				q.After = &dsr.RecordPlace{Time: last.DueAt, ID: last.ID}
			}
			if want := idsOf(all); !slices.Equal(ids, want) {
				return fmt.Errorf("pages of %d hold messages %q, want %q", q.Limit, ids, want)
			}
		}
	}
	return nil
}

func idsOf(list []dsr.Message) []string {
	ids := make([]string, len(list))
	for i, m := range list {
		ids[i] = m.ID
	}
	return ids
}

func messageLimit(ctx context.Context, s dsr.Store) error {
	var list []dsr.Message
	for i := range 103 {
		list = append(list, message(fmt.Sprintf("m%03d", i), "r1"))
	}
	if err := s.SaveMessages(ctx, put(list...)); err != nil {
		return err
	}
	var errs []error
	for limit, want := range map[int]int{0: 100, 1: 1, 2: 2, 102: 102, 103: 103, 1000: 103} {
		if err := expectFound(ctx, s, dsr.MessageQuery{Limit: limit}, list[:want]...); err != nil {
			errs = append(errs, fmt.Errorf("limit %d: %w", limit, err))
		}
	}
	return errors.Join(errs...)
}
