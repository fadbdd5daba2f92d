package dsr_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// listed is an office with a request of each kind, an hour between each:
//
//	r1 access ada       CASE-1    US-CA complete
//	r2 erase  bob       case-2    US    pending, overdue since a microsecond
//	r3 both   ada, bob  ticket-3  FR    approved, cooling off until hour 50
//	r4 access cleo                      error
//	r5 erase  ada       CASE-10   US-NY denied
//	r6 access ada       CASE-1    US-CA deleted
func listed(t *testing.T) *office {
	t.Helper()
	o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
		c.Flows = map[string]dsr.Flow{
			"access": {Timeframe: 100 * time.Hour}, "erase": {Approval: true, Timeframe: 30 * time.Hour}, "both": {CoolingOff: 48 * time.Hour},
		}
	})
	for _, s := range []dsr.Submission{
		{Policy: "access", Identities: dsr.Identities{"email": {"Ada@example.com"}}, ExternalID: "CASE-1", Location: " us-ca"},
		{Policy: "erase", Identities: dsr.Identities{"email": {"bob@example.com"}}, ExternalID: "case-2", Location: "US", RequestedAt: begin.Add(-24 * time.Hour)},
		{Policy: "both", Identities: dsr.Identities{"email": {"ada@example.com", "bob@example.com"}}, ExternalID: "ticket-3", Location: "fr"},
		{Policy: "access", Identities: dsr.Identities{"email": {"cleo@example.com"}}},
		{Policy: "erase", Identities: dsr.Identities{"email": {"ada@example.com"}}, ExternalID: "CASE-10", Location: "US-NY"},
		{Policy: "access", Identities: dsr.Identities{"email": {"ada@example.com"}}, ExternalID: "CASE-1", Location: "US-CA"},
	} {
		o.clock.add(time.Hour)
		switch req := o.submitted(t, s); req.ID {
		case "r1":
			o.advanced(t, "r1", dsr.StatusComplete)
		case "r4":
			o.db().fail("customers", errors.New("no such column"))
			_, err := o.Advance(t.Context(), "r4")
			require.Error(t, err)
		case "r5":
			o.done(t, o.Deny, "r5", dsr.StatusDenied)
		case "r6":
			o.done(t, o.Delete, "r6", dsr.StatusApproved)
		}
	}
	o.clock.add(time.Microsecond)
	return o
}

// hour is the time n hours after the begin, at which rn was submitted.
func hour(n int) time.Time { return begin.Add(time.Duration(n) * time.Hour) }

func TestFilters(t *testing.T) {
	t.Parallel()
	o := listed(t)
	within := func(field dsr.TimeField, from, before time.Time) dsr.Filter {
		return dsr.Filter{Times: map[dsr.TimeField]dsr.TimeRange{field: {From: from, Before: before}}}
	}
	for _, c := range []struct {
		name   string
		filter dsr.Filter
		want   string
	}{
		{"all", dsr.Filter{}, "r1 r2 r3 r4 r5"},
		{"deleted too", dsr.Filter{Deleted: true}, "r1 r2 r3 r4 r5 r6"},
		{"status", dsr.Filter{Status: []dsr.Status{dsr.StatusPending}}, "r2"},
		{"statuses", dsr.Filter{Status: []dsr.Status{dsr.StatusError, dsr.StatusComplete}}, "r1 r4"},
		{"status of none", dsr.Filter{Status: []dsr.Status{dsr.StatusPaused}}, ""},
		{"policy", dsr.Filter{Policies: []string{"erase"}}, "r2 r5"},
		{"policies", dsr.Filter{Policies: []string{"both", "access"}}, "r1 r3 r4"},
		{"unknown policy", dsr.Filter{Policies: []string{"x"}}, ""},
		{"access", dsr.Filter{Actions: []graph.Action{graph.Access}}, "r1 r3 r4"},
		{"erasure", dsr.Filter{Actions: []graph.Action{graph.Erasure}}, "r2 r3 r5"},
		{"actions", dsr.Filter{Actions: []graph.Action{graph.Erasure, graph.Access}}, "r1 r2 r3 r4 r5"},
		{"identity", dsr.Filter{Identities: dsr.Identities{"email": {"ADA@example.com "}}}, "r1 r3 r5"},
		{"identity and deleted", dsr.Filter{Identities: dsr.Identities{"email": {"ada@example.com"}}, Deleted: true}, "r1 r3 r5 r6"},
		{"identities", dsr.Filter{Identities: dsr.Identities{"email": {"cleo@example.com", "bob@example.com"}}}, "r2 r3 r4"},
		{"kinds", dsr.Filter{Identities: dsr.Identities{"email": {"cleo@example.com"}, "phone_number": {"+15550100"}}}, "r4"},
		{"part of an identity", dsr.Filter{Identities: dsr.Identities{"email": {"ada"}}}, ""},
		{"identity of another kind", dsr.Filter{Identities: dsr.Identities{"phone_number": {"ada@example.com"}}}, ""},
		{"external ID", dsr.Filter{ExternalID: "CASE-1"}, "r1"},
		{"external ID in another case", dsr.Filter{ExternalID: "case-1"}, ""},
		{"prefix", dsr.Filter{ExternalPrefix: "case-"}, "r1 r2 r5"},
		{"longer prefix", dsr.Filter{ExternalPrefix: "Case-1"}, "r1 r5"},
		{"prefix that is none", dsr.Filter{ExternalPrefix: "ase"}, ""},
		{"text", dsr.Filter{Text: "E-1"}, "r1 r5"},
		{"text of an ID", dsr.Filter{Text: "R4"}, "r4"},
		{"text searches no people", dsr.Filter{Text: "example"}, ""},
		{"country", dsr.Filter{Location: "us"}, "r1 r2 r5"},
		{"country in spaces", dsr.Filter{Location: " FR "}, "r3"},
		{"part of a country", dsr.Filter{Location: "US-CA"}, "r1"},
		{"another part", dsr.Filter{Location: "US-C"}, ""},
		{"created from", within(dsr.TimeCreated, hour(2), time.Time{}), "r2 r3 r4 r5"},
		{"created before", within(dsr.TimeCreated, time.Time{}, hour(2)), "r1"},
		{"created between", within(dsr.TimeCreated, hour(2), hour(4)), "r2 r3"},
		{"requested", within(dsr.TimeRequested, hour(-24), hour(0)), "r2"},
		{"updated", within(dsr.TimeUpdated, hour(4), hour(5)), "r4"},
		{"started", within(dsr.TimeStarted, time.Time{}, time.Time{}), "r1 r4"},
		{"failed", within(dsr.TimeFailed, hour(4), hour(4).Add(time.Microsecond)), "r4"},
		{"finished", within(dsr.TimeFinished, hour(1), hour(6)), "r1 r5"},
		{"deadline", within(dsr.TimeDeadline, hour(6), hour(36)), "r2 r5"},
		{"due", within(dsr.TimeDue, hour(51), hour(52)), "r3"},
		{"two times", dsr.Filter{Times: map[dsr.TimeField]dsr.TimeRange{
			dsr.TimeStarted: {From: hour(1)}, dsr.TimeFinished: {From: hour(1)},
		}}, "r1"},
		{"unfinished", dsr.Filter{Unfinished: true}, "r2 r3 r4"},
		{"overdue", dsr.Filter{Overdue: true}, "r2"},
		{"overdue since", dsr.Filter{Overdue: true, Times: map[dsr.TimeField]dsr.TimeRange{dsr.TimeDeadline: {From: hour(7)}}}, ""},
		{"everything at once", dsr.Filter{
			Status: []dsr.Status{dsr.StatusComplete}, Policies: []string{"access"}, Actions: []graph.Action{graph.Access},
			Identities: dsr.Identities{"email": {"ada@example.com"}}, ExternalID: "CASE-1", ExternalPrefix: "c", Text: "case", Location: "US",
			Times: map[dsr.TimeField]dsr.TimeRange{dsr.TimeCreated: {From: hour(1), Before: hour(2)}},
		}, "r1"},
		{"one of it does not hold", dsr.Filter{Status: []dsr.Status{dsr.StatusComplete}, Location: "FR"}, ""},
		{"descending", dsr.Filter{Descending: true}, "r5 r4 r3 r2 r1"},
		{"by deadline", dsr.Filter{Sort: dsr.TimeDeadline}, "r3 r2 r5 r1 r4"},
		{"by deadline, the latest first", dsr.Filter{Sort: dsr.TimeDeadline, Descending: true}, "r4 r1 r5 r2 r3"},
		{"by request", dsr.Filter{Sort: dsr.TimeRequested}, "r2 r1 r3 r4 r5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.filter.Total = true
			page, err := o.List(t.Context(), c.filter)
			require.NoError(t, err)
			require.Equal(t, c.want, strings.Join(ids(page.Requests), " "))
			require.Equal(t, int64(len(page.Requests)), page.Total)
			require.Empty(t, page.Next)
			n, err := o.Count(t.Context(), c.filter)
			require.NoError(t, err)
			require.Equal(t, page.Total, n)
			c.filter.Size = 1
			var all []string
			for req, err := range o.All(t.Context(), c.filter) {
				require.NoError(t, err)
				all = append(all, req.ID)
			}
			require.Equal(t, c.want, strings.Join(all, " "))
		})
	}
	// Lists leave out what a request came to.
	require.NotEmpty(t, o.get(t, "r1").Collections)
	page, err := o.List(t.Context(), dsr.Filter{Size: 1})
	require.NoError(t, err)
	require.Empty(t, page.Requests[0].Collections)
	require.Empty(t, page.Requests[0].Packages)
}

func TestOverdue(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true, Timeframe: 30 * 24 * time.Hour}, nil)
	s := submission("access", "ada@example.com")
	s.RequestedAt = begin.Add(-24 * time.Hour).In(time.FixedZone("x", 3600))
	require.Equal(t, begin.Add(29*24*time.Hour), o.submitted(t, s).DeadlineAt)
	late := func(want bool, why string) {
		t.Helper()
		for _, f := range []dsr.Filter{{Overdue: true}, {OnTime: true}} {
			page, err := o.List(t.Context(), f)
			require.NoError(t, err)
			require.Len(t, page.Requests, map[bool]int{true: 1}[f.Overdue == want], why)
		}
	}
	o.clock.add(29 * 24 * time.Hour)
	late(false, "the deadline is now")
	o.clock.add(time.Microsecond)
	late(true, "the deadline has passed")
	o.done(t, o.Deny, "r1", dsr.StatusDenied)
	late(false, "an answer is an answer")
}

func TestFaultsOfFiltersAreToldAtOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	f := dsr.Filter{
		Status: []dsr.Status{"open", dsr.StatusComplete, "closed"}, Actions: []graph.Action{"consent"}, Location: "USA",
		Identities: dsr.Identities{"email": nil, "phone_number": {}}, Sort: "email", Page: -1, Size: 1001,
		Times: map[dsr.TimeField]dsr.TimeRange{"y": {}, dsr.TimeDue: {From: begin, Before: begin}, "x": {}},
	}
	const faults = `dsr: 11 faults:
	error: filter: there is no status "open"
	error: filter: there is no status "closed"
	error: filter: there is no action "consent"
	error: filter: due_at: From must be before Before
	error: filter: there is no time "x"
	error: filter: there is no time "y"
	error: filter: it cannot be sorted by "email"
	error: filter: its location is no country by ISO 3166-1 of two letters, nor a part of one by ISO 3166-2
	error: filter: identity email has no value
	error: filter: identity phone_number has no value
	error: filter: Page and Size cannot be negative, and Size is at most 1,000`
	_, err := o.List(t.Context(), f)
	require.EqualError(t, err, faults)
	_, err = o.Count(t.Context(), f)
	require.EqualError(t, err, faults)
	for req, err := range o.All(t.Context(), dsr.Filter{Size: -1}) {
		require.Nil(t, req)
		require.EqualError(t, err, "dsr: error: filter: Page and Size cannot be negative, and Size is at most 1,000")
	}
	_, err = o.List(t.Context(), dsr.Filter{Page: 2, Cursor: "x"})
	require.EqualError(t, err, "dsr: error: filter: it has both a Page and a Cursor")
	_, err = o.FindByIdentity(t.Context(), "email", "nobody@example.com")
	require.NoError(t, err)
}

// many is an office with 25 requests, r01 to r25; those with an even number
// have a due time, three each the same one.
func many(t *testing.T) *office {
	t.Helper()
	n := 0
	o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
		c.NewID = func() string { n++; return fmt.Sprintf("r%02d", n) }
		c.Flows = map[string]dsr.Flow{"access": {Approval: true}}
	})
	for i := 1; i <= 25; i++ {
		policy := "access"
		if i%2 == 0 {
			policy = "erase"
		}
		if i%6 == 1 {
			o.clock.add(time.Hour)
		}
		o.submitted(t, submission(policy, "ada@example.com"))
	}
	return o
}

func TestPages(t *testing.T) {
	t.Parallel()
	o := many(t)
	var created, due []string
	for i := 1; i <= 25; i += 2 {
		due = append(due, fmt.Sprintf("r%02d", i))
	}
	for i := 2; i <= 25; i += 2 {
		due = append(due, fmt.Sprintf("r%02d", i))
	}
	for i := 1; i <= 25; i++ {
		created = append(created, fmt.Sprintf("r%02d", i))
	}
	for sort, want := range map[dsr.TimeField][]string{"": created, dsr.TimeCreated: created, dsr.TimeDue: due} {
		for _, descending := range []bool{false, true} {
			for _, size := range []int{1, 7, 24, 25, 26, 1000} {
				t.Run(fmt.Sprint(sort, descending, size), func(t *testing.T) {
					t.Parallel()
					want := slices.Clone(want)
					if descending {
						slices.Reverse(want)
					}
					f := dsr.Filter{Sort: sort, Descending: descending, Size: size, Total: true}
					var got []string
					for pages := 1; ; pages++ {
						page, err := o.List(t.Context(), f)
						require.NoError(t, err)
						require.Equal(t, int64(25), page.Total, "the total does not depend on the page")
						numbered, err := o.List(t.Context(), dsr.Filter{Sort: sort, Descending: descending, Size: size, Total: true, Page: pages})
						require.NoError(t, err)
						require.Equal(t, page, numbered)
						got = append(got, ids(page.Requests)...)
						if f.Cursor = page.Next; f.Cursor == "" {
							break
						}
						require.Len(t, page.Requests, size)
					}
					require.Equal(t, want, got)
				})
			}
		}
	}
	page, err := o.List(t.Context(), dsr.Filter{Page: 3, Size: 20, Total: true})
	require.NoError(t, err)
	require.Equal(t, &dsr.Page{Total: 25}, page)
}

// Pages have 50 requests unless told otherwise.
func TestPagesByDefault(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	for range 120 {
		o.submitted(t, submission("access", "ada@example.com"))
	}
	page, err := o.List(t.Context(), dsr.Filter{})
	require.NoError(t, err)
	require.Len(t, page.Requests, 50)
	require.Zero(t, page.Total)
	found, err := o.FindByIdentity(t.Context(), "email", "ada@example.com")
	require.NoError(t, err)
	require.Len(t, found, 100)
	seen := map[string]bool{}
	for req, err := range o.All(t.Context(), dsr.Filter{Page: 2}) {
		require.NoError(t, err)
		seen[req.ID] = true
	}
	require.Len(t, seen, 120, "All passes over no page")
	for range o.All(t.Context(), dsr.Filter{}) {
		break
	}
}

// A page that follows by cursor repeats and loses nothing while requests come
// and go.
func TestCursorWhileRequestsCome(t *testing.T) {
	t.Parallel()
	o := many(t)
	f := dsr.Filter{Size: 10, Descending: true}
	page, err := o.List(t.Context(), f)
	require.NoError(t, err)
	got := ids(page.Requests)
	o.clock.add(time.Hour)
	o.submitted(t, submission("access", "ada@example.com"))
	o.done(t, o.Delete, "r20", dsr.StatusApproved) // seen already
	o.done(t, o.Delete, "r10", dsr.StatusApproved) // not yet seen
	for page.Next != "" {
		f.Cursor = page.Next
		page, err = o.List(t.Context(), f)
		require.NoError(t, err)
		got = append(got, ids(page.Requests)...)
	}
	var want []string
	for i := 25; i > 0; i-- {
		if i != 10 {
			want = append(want, fmt.Sprintf("r%02d", i))
		}
	}
	require.Equal(t, want, got)
}

func TestCursorsThatAreNone(t *testing.T) {
	t.Parallel()
	o := many(t)
	page, err := o.List(t.Context(), dsr.Filter{Size: 10})
	require.NoError(t, err)
	good := page.Next
	const damaged = "dsr: the cursor is none that a page of this list gave; begin without one"
	const other = "dsr: the cursor belongs to a list that is sorted otherwise; begin without one"
	for name, c := range map[string]struct {
		filter dsr.Filter
		want   string
	}{
		"no base64":      {dsr.Filter{Cursor: "***"}, damaged},
		"cut off":        {dsr.Filter{Cursor: good[:len(good)-4]}, damaged},
		"lengthened":     {dsr.Filter{Cursor: good + "AAAA"}, damaged},
		"empty object":   {dsr.Filter{Cursor: "e30"}, damaged},
		"null":           {dsr.Filter{Cursor: "bnVsbA"}, damaged},
		"an ID":          {dsr.Filter{Cursor: "r10"}, damaged},
		"sorted by due":  {dsr.Filter{Cursor: good, Sort: dsr.TimeDue}, other},
		"turned around":  {dsr.Filter{Cursor: good, Descending: true}, other},
		"sorted by both": {dsr.Filter{Cursor: good, Descending: true, Sort: dsr.TimeUpdated}, other},
	} {
		page, err := o.List(t.Context(), c.filter)
		require.Nil(t, page, name)
		require.EqualError(t, err, c.want, name)
		for req, err := range o.All(t.Context(), c.filter) {
			require.Nil(t, req)
			require.EqualError(t, err, c.want, name)
		}
	}
	// Another size, and a narrower filter, go on from the same place.
	page, err = o.List(t.Context(), dsr.Filter{Cursor: good, Size: 3, Policies: []string{"erase"}, Sort: dsr.TimeCreated})
	require.NoError(t, err)
	require.Equal(t, []string{"r12", "r14", "r16"}, ids(page.Requests))
}
