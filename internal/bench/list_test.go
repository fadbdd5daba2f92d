package bench_test

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/bench"
)

var crowd = flag.Int("crowd", 1_000_000, "how many requests BenchmarkList lists from")

// listing is one list of BenchmarkList. Its Size defaults to 50.
type listing struct {
	name   string
	filter dsr.Filter
	count  bool // instead of a list
}

// listings are those that an office asks for. middle is the cursor in the
// middle of the usual list.
func listings(now time.Time, n int, middle string) []listing {
	list := []listing{
		{name: "first page"},
		{name: "newest first", filter: dsr.Filter{Descending: true}},
		{name: "cursor in the middle", filter: dsr.Filter{Cursor: middle}},
		{name: "page 1000 by number", filter: dsr.Filter{Page: 1000}},
		{name: "first page with total", filter: dsr.Filter{Total: true}},
	}
	for _, field := range dsr.TimeFields() {
		list = append(list, listing{name: "newest by " + string(field), filter: dsr.Filter{Sort: field, Descending: true}})
	}
	person := dsr.Identities{"email": {bench.Person(bench.CrowdPrefix, int64(n/2/bench.CrowdEach))}}
	return append(list,
		listing{name: "status, few: error", filter: dsr.Filter{Status: []dsr.Status{dsr.StatusError}}},
		listing{name: "status, most: complete", filter: dsr.Filter{Status: []dsr.Status{dsr.StatusComplete}, Descending: true}},
		listing{name: "two statuses by deadline", filter: dsr.Filter{Status: []dsr.Status{dsr.StatusPending, dsr.StatusApproved}, Sort: dsr.TimeDeadline}},
		listing{name: "identity", filter: dsr.Filter{Identities: person}},
		listing{name: "external ID", filter: dsr.Filter{ExternalID: fmt.Sprintf("EXT-%07d", n/2)}},
		listing{name: "external prefix of 100", filter: dsr.Filter{ExternalPrefix: fmt.Sprintf("ext-%07d", n/2)[:9]}},
		listing{name: "external prefix of all", filter: dsr.Filter{ExternalPrefix: "ext-"}},
		listing{name: "country", filter: dsr.Filter{Location: "FR", Descending: true}},
		listing{name: "part of a country", filter: dsr.Filter{Location: "FR-1", Descending: true}},
		listing{name: "created on one day", filter: dsr.Filter{Times: map[dsr.TimeField]dsr.TimeRange{
			dsr.TimeCreated: {From: now.Add(-100 * 24 * time.Hour), Before: now.Add(-99 * 24 * time.Hour)},
		}}},
		listing{name: "overdue by deadline", filter: dsr.Filter{Overdue: true, Sort: dsr.TimeDeadline}},
		listing{name: "unfinished", filter: dsr.Filter{Unfinished: true}},
		listing{name: "count all", count: true},
		listing{name: "count overdue", filter: dsr.Filter{Overdue: true}, count: true},
		listing{name: "count status, most", filter: dsr.Filter{Status: []dsr.Status{dsr.StatusComplete}}, count: true},
	)
}

func (l *listing) ask(ctx context.Context, r *dsr.Requests) (found int, err error) {
	if l.count {
		n, err := r.Count(ctx, l.filter)
		return int(n), err
	}
	page, err := r.List(ctx, l.filter)
	if err != nil {
		return 0, err
	}
	return len(page.Requests), nil
}

// BenchmarkList lists from a million requests, beside the bare driver sending
// the statements of the same list.
func BenchmarkList(b *testing.B) {
	sites(b, false, func(name string, site bench.Site) {
		b.Run(name, func(b *testing.B) {
			ctx, now := b.Context(), time.Now()
			store, err := site.Taped(ctx, "crowd")
			require.NoError(b, err)
			desk, err := bench.NewDesk(store, bench.DeskOptions{Workers: 1})
			require.NoError(b, err)
			req, err := desk.Submit(ctx)
			require.NoError(b, err)
			_, err = desk.RunFor(ctx, 1)
			require.NoError(b, err)
			one, err := store.Request(ctx, req.ID)
			require.NoError(b, err)
			start := time.Now()
			require.NoError(b, site.Bulk(ctx, "crowd", bench.Crowd(name, one, *crowd, now)...))
			b.Logf("%d requests made in %s", *crowd, time.Since(start).Round(time.Second))
			plain, err := site.Store(ctx, "crowd")
			require.NoError(b, err)
			bare, err := site.Bare(ctx, "crowd")
			require.NoError(b, err)
			lists(b, store, plain, bare, now)
		})
	})
}

func lists(b *testing.B, taped, plain dsr.Store, play bench.Player, now time.Time) {
	b.Helper()
	requests := func(store dsr.Store) *dsr.Requests {
		desk, err := bench.NewDesk(store, bench.DeskOptions{})
		require.NoError(b, err)
		return desk.Engine.Requests()
	}
	total, err := requests(plain).Count(b.Context(), dsr.Filter{})
	require.NoError(b, err)
	require.EqualValues(b, *crowd, total)
	page, err := requests(plain).List(b.Context(), dsr.Filter{
		Size: 1, Times: map[dsr.TimeField]dsr.TimeRange{dsr.TimeCreated: {From: now.Add(-time.Duration(*crowd/2) * bench.CrowdEvery)}},
	})
	require.NoError(b, err)
	require.NotEmpty(b, page.Next)
	for _, l := range listings(now, *crowd, page.Next) {
		b.Run(l.name, func(b *testing.B) {
			tape := &bench.Tape{}
			found, err := l.ask(bench.Record(b.Context(), tape), requests(taped))
			require.NoError(b, err)
			require.Positive(b, found)
			ours := requests(plain)
			compare(b,
				func(int) {
					_, err := l.ask(b.Context(), ours)
					require.NoError(b, err)
				},
				func(int) { require.NoError(b, play(b.Context(), tape, nil)) })
			b.ReportMetric(float64(found), "found")
		})
	}
}
