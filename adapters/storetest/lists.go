package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/godsr/dsr"
)

// sorting lists nine records, three of which have each time, three a later one
// and three none; which they are differs from field to field.
func sorting(ctx context.Context, s dsr.Store) error {
	group := func(i, k int) int { return (i + k) % 9 / 3 }
	fields := dsr.TimeFields()
	for _, i := range []int{4, 8, 1, 6, 3, 0, 7, 2, 5} {
		rec := dsr.Record{ID: fmt.Sprint("r", i)}
		for k, field := range fields {
			if n := group(i, k); n > 0 {
				setTime(&rec, field, noon.Add(time.Duration(n)*time.Microsecond))
			}
		}
		if err := create(ctx, s, rec); err != nil {
			return err
		}
	}
	for k, field := range fields {
		var want []string
		for n := range 3 {
			for i := range 9 {
				if group(i, k) == n {
					want = append(want, fmt.Sprint("r", i))
				}
			}
		}
		queries := []dsr.RecordQuery{{Sort: field}, {Sort: field, Descending: true}}
		if field == dsr.TimeCreated {
			queries = append(queries, dsr.RecordQuery{}, dsr.RecordQuery{Descending: true})
		}
		for _, q := range queries {
			want := slices.Clone(want)
			if q.Descending {
				slices.Reverse(want)
			}
			ids, err := listed(ctx, s, q)
			if err != nil {
				return err
			}
			if !slices.Equal(ids, want) {
				return fmt.Errorf("sorted by %q, descending %t: requests %q, want %q", q.Sort, q.Descending, ids, want)
			}
		}
	}
	return nil
}

// pages walks, in every order, through twelve records, three of which have no
// time, while others come in before, between and after them.
func pages(ctx context.Context, s dsr.Store) error {
	at := func(rec dsr.Record, steps int) dsr.Record {
		for _, field := range dsr.TimeFields() {
			if steps == 0 {
				setTime(&rec, field, time.Time{})
			} else {
				setTime(&rec, field, noon.Add(time.Duration(steps)*time.Microsecond))
			}
		}
		return rec
	}
	var want []string
	for i := range 12 {
		want = append(want, fmt.Sprintf("r%02d", i))
	}
	for _, i := range []int{7, 2, 11, 4, 9, 0, 5, 10, 1, 6, 3, 8} { // not in the order of any list
		if err := create(ctx, s, at(sample(want[i]), i/3*10)); err != nil {
			return err
		}
	}
	more := 0
	insert := func() error {
		more++
		// Before all, among those without a time, equal to some, between, last.
		steps := []int{0, 10, 15, 20, 30, 99, -5}[more%7]
		return create(ctx, s, at(sample(fmt.Sprintf("%c%02d", "qrs"[more%3], 20+more)), steps))
	}
	for _, field := range dsr.TimeFields() {
		for _, descending := range []bool{false, true} {
			got, err := walk(ctx, s, dsr.RecordQuery{Sort: field, Descending: descending, Limit: 5}, insert)
			if err != nil {
				return fmt.Errorf("sorted by %q, descending %t: %w", field, descending, err)
			}
			got = slices.DeleteFunc(got, func(id string) bool { return !slices.Contains(want, id) })
			if descending {
				slices.Reverse(got)
			}
			if !slices.Equal(got, want) {
				return fmt.Errorf("sorted by %q, descending %t: the pages held %q of the requests %q", field, descending, got, want)
			}
		}
	}
	return numberedPages(ctx, s)
}

// walk reads all pages by After, and inserts a record after the first page and
// two more while it goes on.
func walk(ctx context.Context, s dsr.Store, q dsr.RecordQuery, insert func() error) (ids []string, err error) {
	var group sync.WaitGroup
	var insertErr error
	defer func() {
		group.Wait()
		err = errors.Join(err, insertErr)
	}()
	seen := map[string]bool{}
	var last *dsr.Record
	for n := 0; ; n++ {
		page, err := s.Requests(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, rec := range page {
			if seen[rec.ID] {
				return nil, fmt.Errorf("request %q came twice", rec.ID)
			}
			if last != nil {
				c := cmp.Or(last.Time(q.Sort).Compare(rec.Time(q.Sort)), strings.Compare(last.ID, rec.ID))
				if c > 0 != q.Descending {
					return nil, fmt.Errorf("request %q came after %q", rec.ID, last.ID)
				}
			}
			seen[rec.ID], last = true, rec
			ids = append(ids, rec.ID)
		}
		if len(page) < q.Limit {
			return ids, nil
		}
		q.After = &dsr.RecordPlace{Time: last.Time(q.Sort), ID: last.ID}
		switch n {
		case 0:
			if err := insert(); err != nil {
				return nil, err
			}
		case 1:
			group.Go(func() { insertErr = errors.Join(insert(), insert()) })
		}
	}
}

// numberedPages reads the pages by Offset, while nothing changes.
func numberedPages(ctx context.Context, s dsr.Store) error {
	for _, descending := range []bool{false, true} {
		want, err := listed(ctx, s, dsr.RecordQuery{Descending: descending, Limit: 1000})
		if err != nil {
			return err
		}
		for offset := 0; offset < len(want)+7; offset += 7 {
			q := dsr.RecordQuery{Descending: descending, Offset: offset, Limit: 7}
			page, err := listed(ctx, s, q)
			if err != nil {
				return err
			}
			if part := want[min(offset, len(want)):min(offset+7, len(want))]; !slices.Equal(page, part) {
				return fmt.Errorf("offset %d, descending %t: the page held %q, want %q", offset, descending, page, part)
			}
		}
	}
	return nil
}

func limit(ctx context.Context, s dsr.Store) error {
	for i := range 103 {
		if err := create(ctx, s, dsr.Record{ID: fmt.Sprintf("r%03d", i), CreatedAt: noon}); err != nil {
			return err
		}
	}
	for limit, want := range map[int]int{0: 100, 1: 1, 2: 2, 102: 102, 103: 103, 1000: 103} {
		ids, err := listed(ctx, s, dsr.RecordQuery{Limit: limit})
		if err != nil {
			return err
		}
		if len(ids) != want {
			return fmt.Errorf("limit %d returned %d requests, want %d", limit, len(ids), want)
		}
	}
	return nil
}
