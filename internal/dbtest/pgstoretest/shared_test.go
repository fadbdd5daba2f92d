package pgstoretest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlitestore"
	"github.com/godsr/dsr/graph"
)

// eachStore runs a test on both stores that share their SQL.
func eachStore(t *testing.T, test func(t *testing.T, s dsr.Store)) {
	t.Helper()
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, openStore(t, newPool(t)))
	})
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		s, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "dsr.db"), nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		test(t, s)
	})
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

func TestRecordKeepsEveryField(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s dsr.Store) {
		full := dsr.Record{
			ID: "r1", Version: 1, Epoch: 3, LeaseUntil: minute(1), ExternalID: "x", Policy: "p",
			Actions: []graph.Action{graph.Access, graph.Erasure}, Location: "US-CA", Status: dsr.StatusPending, Stage: "collect",
			RequestedAt: minute(2), CreatedAt: minute(3), UpdatedAt: minute(4), StartedAt: minute(5), FailedAt: minute(6),
			FinishedAt: minute(7), DeletedAt: minute(8), DeadlineAt: minute(9), DueAt: minute(10),
			Identity: []byte("i"), Details: []byte("d"), Lookup: [][]byte{[]byte("2"), []byte("1")},
			Keys: map[string][]byte{"k": []byte("w")}, State: []byte("{}"), Plan: []byte("plan"), Outcomes: []byte("outcomes"),
			Failure: "f", AuditSeq: 4, AuditHash: []byte("h"),
		}
		require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{Record: full}))
		r, err := s.Request(t.Context(), "r1")
		require.NoError(t, err)
		require.Equal(t, full, *r)
		list, err := s.Requests(t.Context(), dsr.RecordQuery{Deleted: true})
		require.NoError(t, err)
		short := full
		short.Plan, short.Outcomes, short.Keys = nil, nil, nil
		require.Equal(t, []*dsr.Record{&short}, list)

		empty := dsr.Record{ID: "r1", Version: 2, Epoch: 3}
		require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: 1, Record: empty}))
		r, err = s.Request(t.Context(), "r1")
		require.NoError(t, err)
		require.Equal(t, empty, *r)
	})
}

// randomRecord has values that filters and sorts tell apart, and many that are
// equal.
func randomRecord(rng *rand.Rand, n int) dsr.Record {
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	at := func() time.Time {
		if rng.IntN(4) == 0 {
			return time.Time{}
		}
		return minute(rng.IntN(200))
	}
	r := dsr.Record{
		ID: fmt.Sprintf("%s%04d", pick("a", "B", "é", "b"), n), Version: 1,
		ExternalID: pick("", "Ticket-", "ticket-", "TICKET_", "Été ", strings.Repeat("long", 20)) + pick("", "1", "2%", "A", "b"),
		Policy:     pick("p1", "p1", "p1", "p2", "p3"), Location: pick("", "US", "US-CA", "US-NY", "FR", "USX"),
		Status:    dsr.Status(pick("complete", "complete", "complete", "complete", "pending", "error", "denied", "canceled")),
		CreatedAt: at(), RequestedAt: at(), UpdatedAt: at(), StartedAt: at(), FailedAt: at(), FinishedAt: at(), DeadlineAt: at(), DueAt: at(),
		Lookup: [][]byte{fmt.Append(nil, rng.IntN(300)), fmt.Append(nil, rng.IntN(300))},
	}
	for _, action := range []graph.Action{graph.Access, graph.Erasure, "consent"} {
		if rng.IntN(3) == 0 {
			r.Actions = append(r.Actions, action)
		}
	}
	if rng.IntN(10) == 0 {
		r.DeletedAt = minute(1)
	}
	return r
}

func randomQuery(rng *rand.Rand) dsr.RecordQuery {
	var q dsr.RecordQuery
	some := func(odds int) bool { return rng.IntN(odds) == 0 }
	sample := func(list ...string) (some []string) {
		for range 1 + rng.IntN(3) {
			some = append(some, list[rng.IntN(len(list))])
		}
		return some
	}
	if some(4) {
		for _, s := range sample("complete", "pending", "error", "denied", "no such") {
			q.Status = append(q.Status, dsr.Status(s))
		}
	}
	if some(6) {
		q.Policies = sample("p1", "p2", "p9")
	}
	if some(6) {
		for _, a := range sample("access", "erasure", "consent", "", "access,erasure", "acc") {
			q.Actions = append(q.Actions, graph.Action(a))
		}
	}
	if some(10) {
		for range 1 + rng.IntN(3) {
			q.Lookup = append(q.Lookup, fmt.Append(nil, rng.IntN(300)))
		}
	}
	if some(12) {
		q.ExternalID = sample("Ticket-1", "ticket-", "TICKET_2%", "x")[0]
	}
	if some(8) {
		q.ExternalPrefix = sample("t", "TICKET-", "ticket_", "tick%", "éT", strings.Repeat("LONG", 20), strings.Repeat("long", 20)+"a", "\U0010FFFF")[0]
	}
	if some(12) {
		q.Text = sample("ICKET-1", "b00", "é", "_", "%")[0]
	}
	if some(6) {
		q.Location = sample("US", "US-CA", "FR", "U", "DE")[0]
	}
	for _, field := range dsr.TimeFields() {
		if some(12) {
			r := dsr.TimeRange{}
			if some(2) {
				r.From = minute(rng.IntN(200))
			}
			if some(2) {
				r.Before = minute(rng.IntN(200))
			}
			if q.Times == nil {
				q.Times = map[dsr.TimeField]dsr.TimeRange{}
			}
			q.Times[field] = r
		}
	}
	q.Unfinished, q.Deleted, q.Descending = some(5), some(3), some(2)
	if some(2) {
		q.Sort = dsr.TimeFields()[rng.IntN(8)]
	}
	if some(5) {
		q.Offset = rng.IntN(10)
	}
	q.Limit = []int{0, 1, 7, 5000}[rng.IntN(4)]
	return q
}

// matches and sorted say again, in plain words, what a query selects.
func matches(q *dsr.RecordQuery, r *dsr.Record) bool {
	upper := strings.ToUpper // the tests hold no letter that folding treats otherwise
	has := slices.ContainsFunc(r.Lookup, func(hash []byte) bool {
		return slices.ContainsFunc(q.Lookup, func(asked []byte) bool { return string(asked) == string(hash) })
	})
	for field, within := range q.Times {
		if !within.Holds(r.Time(field)) {
			return false
		}
	}
	ended := slices.Contains([]dsr.Status{dsr.StatusComplete, dsr.StatusDenied, dsr.StatusCanceled}, r.Status)
	return (len(q.Status) == 0 || slices.Contains(q.Status, r.Status)) &&
		(len(q.Policies) == 0 || slices.Contains(q.Policies, r.Policy)) &&
		(len(q.Actions) == 0 || slices.ContainsFunc(r.Actions, func(a graph.Action) bool { return slices.Contains(q.Actions, a) })) &&
		(len(q.Lookup) == 0 || has) &&
		(q.ExternalID == "" || r.ExternalID == q.ExternalID) &&
		strings.HasPrefix(upper(r.ExternalID), upper(q.ExternalPrefix)) &&
		(q.Text == "" || strings.Contains(upper(r.ID), upper(q.Text)) || strings.Contains(upper(r.ExternalID), upper(q.Text))) &&
		(q.Location == "" || r.Location == q.Location || strings.HasPrefix(r.Location, q.Location+"-")) &&
		(!q.Unfinished || !ended) && (q.Deleted || r.DeletedAt.IsZero())
}

func sorted(q *dsr.RecordQuery, all []dsr.Record) (list []dsr.Record) {
	for _, r := range all {
		if matches(q, &r) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b dsr.Record) int {
		field := cmp.Or(q.Sort, dsr.TimeCreated)
		order := cmp.Or(a.Time(field).Compare(b.Time(field)), strings.Compare(a.ID, b.ID))
		if q.Descending {
			return -order
		}
		return order
	})
	return list
}

func ids[R any](list []R, id func(R) string) []string {
	all := []string{}
	for _, r := range list {
		all = append(all, id(r))
	}
	return all
}

// Random queries over random records select, sort, page and count as their
// plain definition does, whichever way through the indexes they take.
func TestQueriesAgreeWithTheirDefinition(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 1))
	all := make([]dsr.Record, 500)
	for i := range all {
		all[i] = randomRecord(rng, i)
	}
	queries := make([]dsr.RecordQuery, 300)
	for i := range queries {
		queries[i] = randomQuery(rng)
	}
	eachStore(t, func(t *testing.T, s dsr.Store) {
		rng := rand.New(rand.NewPCG(5, 1))
		for _, r := range all {
			require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{Record: r}))
		}
		for _, q := range queries {
			want := sorted(&q, all)
			count, err := s.CountRequests(t.Context(), q)
			require.NoError(t, err, "%+v", q)
			require.EqualValues(t, len(want), count, "%+v", q)
			if len(want) > 0 && rng.IntN(2) == 0 {
				last := rng.IntN(len(want))
				q.After = &dsr.RecordPlace{Time: want[last].Time(cmp.Or(q.Sort, dsr.TimeCreated)), ID: want[last].ID}
				want = want[last+1:]
			}
			want = want[min(q.Offset, len(want)):]
			want = want[:min(cmp.Or(q.Limit, 100), len(want))]
			got, err := s.Requests(t.Context(), q)
			require.NoError(t, err, "%+v", q)
			require.Equal(t, ids(want, func(r dsr.Record) string { return r.ID }), ids(got, func(r *dsr.Record) string { return r.ID }), "%+v", q)
		}
	})
}

func TestUnknownTimes(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s dsr.Store) {
		_, err := s.Requests(t.Context(), dsr.RecordQuery{Sort: "id; DROP TABLE requests"})
		require.ErrorContains(t, err, `there is no time "id; DROP TABLE requests" to sort by`)
		_, err = s.CountRequests(t.Context(), dsr.RecordQuery{Sort: "status"})
		require.ErrorContains(t, err, `there is no time "status" to sort by`)
		q := dsr.RecordQuery{Actions: []graph.Action{"none"}, Times: map[dsr.TimeField]dsr.TimeRange{"deleted_at": {}}}
		_, err = s.Requests(t.Context(), q)
		require.ErrorContains(t, err, `there is no time "deleted_at" to select by`)
		_, err = s.CountRequests(t.Context(), q)
		require.ErrorContains(t, err, `there is no time "deleted_at" to select by`)
	})
}

// Whoever lost the lease writes nothing, even under the right version.
func TestEpochs(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s dsr.Store) {
		commit := func(expect, epoch int64, remove bool) error {
			return s.Commit(t.Context(), &dsr.StoreChange{
				ExpectVersion: expect, Remove: remove, Record: dsr.Record{ID: "r1", Version: expect + 1, Epoch: epoch},
				Events: []dsr.Event{{Kind: "x"}},
			})
		}
		require.NoError(t, commit(0, 5, false))
		require.ErrorIs(t, commit(1, 4, false), dsr.ErrConflict)
		require.ErrorIs(t, commit(1, 4, true), dsr.ErrConflict)
		require.NoError(t, commit(1, 5, false))
		require.NoError(t, commit(2, 6, false))
		require.ErrorIs(t, commit(2, 6, false), dsr.ErrConflict)
		events, err := s.Events(t.Context(), "r1", 0, 0)
		require.NoError(t, err)
		require.Len(t, events, 3)
		var group sync.WaitGroup
		errs := make([]error, 20)
		for i := range errs {
			group.Go(func() { errs[i] = commit(3, 6, false) })
		}
		group.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, dsr.ErrConflict)
		}
		require.Equal(t, 1, won)
	})
}

func TestEvents(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s dsr.Store) {
		events := []dsr.Event{
			{
				Time: minute(1), Kind: "collected", Collection: "shop:orders", Connection: "shop", Action: graph.Access, Status: "complete",
				Rows: 3, Message: "m", Fields: []dsr.FieldTouched{{Path: "a.b", Categories: []graph.Category{"user.name", "user"}}, {Path: "c"}},
			},
			{Seq: 77, Kind: "second"}, {Kind: "third"},
		}
		require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{Record: dsr.Record{ID: "r1", Version: 1}, Events: events}))
		for i := range events {
			events[i].Seq = int64(i + 1)
		}
		for _, test := range []struct {
			after int64
			limit int
			want  []dsr.Event
		}{{0, 0, events}, {1, 0, events[1:]}, {0, 2, events[:2]}, {1, 1, events[1:2]}, {3, 5, nil}} {
			got, err := s.Events(t.Context(), "r1", test.after, test.limit)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		}
		require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{
			ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 2}, DropEvents: true, Events: events[2:],
		}))
		got, err := s.Events(t.Context(), "r1", 0, 0)
		require.NoError(t, err)
		require.Equal(t, []dsr.Event{{Seq: 1, Kind: "third"}}, got)
	})
}
