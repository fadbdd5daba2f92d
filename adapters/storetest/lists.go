package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/godsr/dsr"
)

func filters(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore)
	if err != nil {
		return err
	}
	shared := []byte("shared\x00hash")
	for i, r := range []dsr.Record{
		{ID: "a", Status: dsr.StatusPending, ExternalID: "x", Lookup: [][]byte{shared}},
		{ID: "b", Status: dsr.StatusComplete, ExternalID: "x%", Lookup: [][]byte{[]byte("own"), shared}, DueAt: noon},
		{ID: "c", Status: dsr.StatusError, ExternalID: "X", DueAt: noon.Add(-time.Microsecond), Lookup: [][]byte{[]byte("shared")}},
		{ID: "d", Status: dsr.StatusPending, DueAt: noon.Add(-time.Hour), Lookup: [][]byte{shared, shared}},
	} {
		r.CreatedAt = noon.Add(time.Duration(i) * time.Second)
		if err := create(ctx, s, r); err != nil {
			return err
		}
	}
	for _, test := range []struct {
		name   string
		filter dsr.RequestFilter
		want   []string
	}{
		{"none", dsr.RequestFilter{}, []string{"a", "b", "c", "d"}},
		{"one status", dsr.RequestFilter{Status: []dsr.Status{dsr.StatusPending}}, []string{"a", "d"}},
		{"two statuses", dsr.RequestFilter{Status: []dsr.Status{dsr.StatusPending, dsr.StatusError}}, []string{"a", "c", "d"}},
		{"a status that none has", dsr.RequestFilter{Status: []dsr.Status{dsr.StatusCanceled}}, nil},
		{"external ID", dsr.RequestFilter{ExternalID: "x"}, []string{"a"}},
		{"external ID that looks like a pattern", dsr.RequestFilter{ExternalID: "x%"}, []string{"b"}},
		{"look-up", dsr.RequestFilter{Lookup: shared}, []string{"a", "b", "d"}},
		{"look-up of a part", dsr.RequestFilter{Lookup: []byte("shared")}, []string{"c"}},
		{"look-up that none has", dsr.RequestFilter{Lookup: []byte("s")}, nil},
		{"due", dsr.RequestFilter{DueBefore: noon}, []string{"c", "d"}},
		{"due later", dsr.RequestFilter{DueBefore: noon.Add(time.Microsecond)}, []string{"b", "c", "d"}},
		{"due before all", dsr.RequestFilter{DueBefore: noon.Add(-2 * time.Hour)}, nil},
		{"after", dsr.RequestFilter{After: "b"}, []string{"c", "d"}},
		{"after the last", dsr.RequestFilter{After: "d"}, nil},
		{"everything at once", dsr.RequestFilter{
			Status: []dsr.Status{dsr.StatusPending, dsr.StatusComplete}, Lookup: shared, DueBefore: noon.Add(time.Hour), After: "a", Limit: 5,
		}, []string{"b", "d"}},
		{"contradiction", dsr.RequestFilter{ExternalID: "x", DueBefore: noon}, nil},
	} {
		found, err := s.Requests(ctx, test.filter)
		if err != nil {
			return fmt.Errorf("filter %q: %w", test.name, err)
		}
		if got := ids(found); !slices.Equal(got, test.want) {
			return fmt.Errorf("filter %q returned requests %q, want %q", test.name, got, test.want)
		}
	}
	found, err := s.Requests(ctx, dsr.RequestFilter{ExternalID: "x%"})
	if err != nil {
		return err
	}
	want := dsr.Record{
		ID: "b", Version: 1, Status: dsr.StatusComplete, ExternalID: "x%", CreatedAt: noon.Add(time.Second), DueAt: noon,
		Lookup: [][]byte{[]byte("own"), shared},
	}
	return diff(*found[0], want)
}

// pages reads twenty records of ten ages, page by page, while others come in
// before, between and after them.
func pages(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore)
	if err != nil {
		return err
	}
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("r%02d", i))
	}
	for i := len(want) - 1; i >= 0; i-- { // not in the order of the list
		r := sample(want[i])
		r.CreatedAt = noon.Add(time.Duration(i/2) * time.Microsecond)
		if err := create(ctx, s, r); err != nil {
			return err
		}
	}
	var group sync.WaitGroup
	var insertErr error
	group.Go(func() {
		for i := range 30 {
			r := sample(fmt.Sprintf("s%02d", i))
			r.CreatedAt = noon.Add(time.Duration(i-10) * time.Microsecond)
			if insertErr = create(ctx, s, r); insertErr != nil {
				return
			}
		}
	})
	var got []string
	seen := map[string]bool{}
	var pageErr error
	var last *dsr.Record
	for after := ""; ; {
		page, err := s.Requests(ctx, dsr.RequestFilter{After: after, Limit: 3})
		if err != nil {
			pageErr = err
			break
		}
		for _, r := range page {
			if seen[r.ID] {
				pageErr = fmt.Errorf("request %q came twice", r.ID)
			}
			if last != nil && (r.CreatedAt.Before(last.CreatedAt) || r.CreatedAt.Equal(last.CreatedAt) && r.ID < last.ID) {
				pageErr = fmt.Errorf("request %q came after %q", r.ID, last.ID)
			}
			seen[r.ID], last = true, r
			if r.ID[0] == 'r' {
				got = append(got, r.ID)
			}
		}
		if pageErr != nil || len(page) < 3 {
			break
		}
		after = page[len(page)-1].ID
	}
	group.Wait()
	if err := errors.Join(pageErr, insertErr); err != nil {
		return err
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("the pages held %q, want %q", got, want)
	}
	return nil
}

func limit(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore)
	if err != nil {
		return err
	}
	for i := range 103 {
		if err := create(ctx, s, dsr.Record{ID: fmt.Sprintf("r%03d", i), CreatedAt: noon}); err != nil {
			return err
		}
	}
	for limit, want := range map[int]int{0: 100, 1: 1, 2: 2, 102: 102, 103: 103, 1000: 103} {
		found, err := s.Requests(ctx, dsr.RequestFilter{Limit: limit})
		if err != nil {
			return err
		}
		if len(found) != want {
			return fmt.Errorf("limit %d returned %d requests, want %d", limit, len(found), want)
		}
	}
	return nil
}

func ids(records []*dsr.Record) []string {
	var list []string
	for _, r := range records {
		list = append(list, r.ID)
	}
	return list
}
