package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// failures lists what failed, one line each.
func failures(res *dsr.BulkResult) []string {
	lines := []string{}
	for _, f := range res.Failed {
		lines = append(lines, f.ID+": "+f.Err.Error())
	}
	return lines
}

// pending is an office with requests r1 to rn that wait for a decision.
func pending(t *testing.T, n int) *office {
	t.Helper()
	o := newOffice(t, dsr.Flow{Approval: true}, nil)
	for i := range n {
		o.submitted(t, submission("access", fmt.Sprintf("person%d@example.com", i+1)))
	}
	return o
}

func TestBulkByIDs(t *testing.T) {
	t.Parallel()
	o := pending(t, 6)
	o.done(t, o.Deny, "r4", dsr.StatusDenied)
	o.done(t, o.Delete, "r5", dsr.StatusPending)
	res, err := o.Bulk(t.Context(), dsr.Selection{IDs: []string{"r6", "r4", "r1", "r6", "r9", "r5", "r1", "r2"}}, o.Approve, clerk)
	require.NoError(t, err)
	require.Equal(t, []string{"r6", "r1", "r2"}, res.Succeeded)
	require.Equal(t, []string{
		"r4: dsr: cannot approve request r4: it is denied; approve takes a request that is duplicate, awaiting_pre_approval, pre_approval_not_eligible or pending",
		`r9: memory: request "r9": dsr: not found`,
		"r5: dsr: cannot approve request r5: it was deleted on 2030-01-02",
	}, failures(res))
	for i, cause := range []error{dsr.ErrConflict, dsr.ErrNotFound, dsr.ErrDeleted} {
		require.ErrorIs(t, res.Failed[i].Err, cause)
	}
	for id, want := range map[string]dsr.Status{"r1": dsr.StatusApproved, "r2": dsr.StatusApproved, "r3": dsr.StatusPending, "r4": dsr.StatusDenied, "r6": dsr.StatusApproved} {
		o.requireStatus(t, id, want)
	}
	for _, id := range []string{"r1", "r6"} { // once, though named twice
		require.Equal(t, []string{"received policy=access", "approved by clerk-7"}, o.trail(t, id))
	}
}

func TestBulkByFilter(t *testing.T) {
	t.Parallel()
	o := pending(t, 7)
	o.done(t, o.Approve, "r2", dsr.StatusApproved)
	f := &dsr.Filter{Status: []dsr.Status{dsr.StatusPending}, Descending: true, Size: 2}
	res, err := o.Bulk(t.Context(), dsr.Selection{Filter: f, Except: []string{"r4", "r2"}}, o.Deny, clerk)
	require.NoError(t, err)
	require.Equal(t, &dsr.BulkResult{Succeeded: []string{"r7", "r6", "r5", "r3", "r1"}}, res)
	o.requireStatus(t, "r4", dsr.StatusPending)
	o.requireStatus(t, "r2", dsr.StatusApproved)
	require.Equal(t, dsr.Filter{Status: []dsr.Status{dsr.StatusPending}, Descending: true, Size: 2}, *f)
	// A verb that makes requests match the filter goes on over those selected
	// before, and no others.
	res, err = o.Bulk(t.Context(), dsr.Selection{Filter: &dsr.Filter{Status: []dsr.Status{dsr.StatusDenied}}}, o.Resubmit, clerk)
	require.NoError(t, err)
	require.Equal(t, []string{"r1", "r3", "r5", "r6", "r7"}, res.Succeeded)
	res, err = o.Bulk(t.Context(), dsr.Selection{IDs: []string{"r2", "r3", "r2"}, Except: []string{"r3"}}, o.Cancel, clerk)
	require.NoError(t, err)
	require.Equal(t, &dsr.BulkResult{Succeeded: []string{"r2"}}, res)
	// A filter that selects none is no error.
	res, err = o.Bulk(t.Context(), dsr.Selection{Filter: &dsr.Filter{Policies: []string{"erase"}}}, o.Deny, clerk)
	require.NoError(t, err)
	require.Equal(t, &dsr.BulkResult{}, res)
}

func TestBulkRefusesWhatSelectsBadly(t *testing.T) {
	t.Parallel()
	o := pending(t, 1)
	const empty = "dsr: the selection is empty; name IDs or a Filter"
	const both = "dsr: a selection has either IDs or a Filter"
	const all = "dsr: the Filter of the selection may take every request; say which, such as those of a Status"
	pendingOnes := &dsr.Filter{Status: []dsr.Status{dsr.StatusPending}}
	many := make([]string, 10_001)
	for i := range many {
		many[i] = fmt.Sprint("x", i)
	}
	for name, c := range map[string]struct {
		sel  dsr.Selection
		want string
		is   error
	}{
		"nothing":          {dsr.Selection{}, empty, dsr.ErrEmptyQuery},
		"no IDs":           {dsr.Selection{IDs: []string{}}, empty, dsr.ErrEmptyQuery},
		"only Except":      {dsr.Selection{Except: []string{"r1"}}, empty, dsr.ErrEmptyQuery},
		"everything":       {dsr.Selection{Filter: &dsr.Filter{Deleted: true}}, all, dsr.ErrEmptyQuery},
		"both":             {dsr.Selection{IDs: []string{"r1"}, Filter: &dsr.Filter{}}, both, nil},
		"every action":     {dsr.Selection{Filter: &dsr.Filter{Actions: []graph.Action{graph.Erasure, graph.Access}}}, all, dsr.ErrEmptyQuery},
		"no such Except":   {dsr.Selection{IDs: []string{"r1"}, Except: []string{"x2", "R1"}}, `dsr: not found: the selection excepts IDs that no request has: "R1", "x2"`, dsr.ErrNotFound},
		"many Excepts":     {dsr.Selection{Filter: pendingOnes, Except: many[:12]}, `dsr: not found: the selection excepts IDs that no request has: "x0", "x1", "x10", "x11", "x2", "x3", "x4", "x5", "x6", "x7" and 2 more`, dsr.ErrNotFound},
		"too many Excepts": {dsr.Selection{Filter: pendingOnes, Except: many}, "dsr: the selection excepts more than 10000 requests; narrow it and go on in parts", dsr.ErrLimit},
		"a bad filter":     {dsr.Selection{Filter: &dsr.Filter{Status: []dsr.Status{"x"}}}, `dsr: error: filter: there is no status "x"`, nil},
		"too many":         {dsr.Selection{IDs: many}, "dsr: the selection has more than 10000 requests; narrow it and go on in parts", dsr.ErrLimit},
	} {
		res, err := o.Bulk(t.Context(), c.sel, func(context.Context, string, dsr.By) (*dsr.Request, error) {
			require.Fail(t, "nothing is done")
			return nil, nil
		}, clerk)
		require.Nil(t, res, name)
		require.EqualError(t, err, c.want, name)
		if c.is != nil {
			require.ErrorIs(t, err, c.is, name)
		}
	}
	res, err := o.Bulk(t.Context(), dsr.Selection{IDs: append(slices.Repeat([]string{"r1"}, 3), many[:9_999]...)}, o.Approve, clerk)
	require.NoError(t, err)
	require.Equal(t, []string{"r1"}, res.Succeeded)
	require.Len(t, res.Failed, 9_999)
}

// crowd lists more records than a bulk verb takes.
type crowd struct {
	dsr.Store
	size int
}

func (c *crowd) Requests(_ context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
	first := 0
	if q.After != nil {
		if _, err := fmt.Sscanf(q.After.ID, "x%d", &first); err != nil {
			return nil, err
		}
	}
	var page []*dsr.Record
	for i := first + 1; i <= c.size && len(page) < q.Limit; i++ {
		page = append(page, &dsr.Record{ID: fmt.Sprintf("x%06d", i), Actions: []graph.Action{graph.Access}, CreatedAt: begin})
	}
	return page, nil
}

func TestBulkByFilterHasALimit(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]string{10_000: "", 10_001: "dsr: the selection has more than 10000 requests; narrow it and go on in parts"} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) { c.Store = &crowd{c.Store, size} })
			var calls atomic.Int64
			res, err := o.Bulk(t.Context(), dsr.Selection{Filter: &dsr.Filter{Unfinished: true, Size: 1000}}, func(context.Context, string, dsr.By) (*dsr.Request, error) {
				calls.Add(1)
				return nil, nil
			}, clerk)
			if want != "" {
				require.EqualError(t, err, want)
				require.ErrorIs(t, err, dsr.ErrLimit)
				require.Zero(t, calls.Load())
				return
			}
			require.NoError(t, err)
			require.Len(t, res.Succeeded, 10_000)
			require.Equal(t, int64(10_000), calls.Load())
		})
	}
}

// A verb that panics fails for that request, and what it panicked with is not
// told.
func TestBulkOverAPanic(t *testing.T) {
	t.Parallel()
	o := pending(t, 3)
	verb := func(ctx context.Context, id string, by dsr.By) (*dsr.Request, error) {
		if id == "r2" {
			panic("CANARY")
		}
		return o.Approve(ctx, id, by)
	}
	res, err := o.Bulk(t.Context(), dsr.Selection{Filter: &dsr.Filter{Unfinished: true}}, verb, clerk)
	require.NoError(t, err)
	require.Equal(t, []string{"r1", "r3"}, res.Succeeded)
	require.Len(t, res.Failed, 1)
	require.Equal(t, "r2", res.Failed[0].ID)
	var panicked *graph.PanicError
	require.ErrorAs(t, res.Failed[0].Err, &panicked)
	require.NotContains(t, res.Failed[0].Err.Error(), "CANARY")
	o.requireStatus(t, "r2", dsr.StatusPending)
}

// A canceled context begins no further request, and tells what was done.
func TestBulkThatIsInterrupted(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, func(c *dsr.Config) { c.Limits.Workers = 1 })
	for range 5 {
		o.submitted(t, submission("access", "ada@example.com"))
	}
	stop := errors.New("the host shuts down")
	ctx, cancel := context.WithCancelCause(t.Context())
	verb := func(ctx context.Context, id string, by dsr.By) (*dsr.Request, error) {
		req, err := o.Approve(ctx, id, by)
		if id == "r2" {
			cancel(stop)
		}
		return req, err
	}
	res, err := o.Bulk(ctx, dsr.Selection{IDs: []string{"r1", "r2", "r3", "r4"}}, verb, clerk)
	require.ErrorIs(t, err, stop)
	require.Equal(t, &dsr.BulkResult{Succeeded: []string{"r1", "r2"}}, res)
	o.requireStatus(t, "r3", dsr.StatusPending)
}

// Nothing in particular is never everything.
func TestBulkRefusesWhatSelectsEverything(t *testing.T) {
	t.Parallel()
	o := pending(t, 1)
	for name, c := range map[string]struct {
		sel  dsr.Selection
		want string
	}{
		"no condition": {dsr.Selection{Filter: &dsr.Filter{Deleted: true, Sort: dsr.TimeDue}}, "dsr: the Filter of the selection may take every request; say which, such as those of a Status"},
		"parts of IDs": {dsr.Selection{Filter: &dsr.Filter{Text: "r", IDContains: "r"}}, "dsr: the Filter of the selection may take every request; say which, such as those of a Status"},
		"empty lists":  {dsr.Selection{Filter: &dsr.Filter{Status: []dsr.Status{}, Identities: dsr.Identities{}, Location: " "}}, "dsr: the Filter of the selection may take every request; say which, such as those of a Status"},
		"a cursor":     {dsr.Selection{Filter: &dsr.Filter{Unfinished: true, Cursor: "x"}}, "dsr: a selection takes all that its Filter finds; leave out Cursor and Page"},
		"a page":       {dsr.Selection{Filter: &dsr.Filter{Unfinished: true, Page: 2}}, "dsr: a selection takes all that its Filter finds; leave out Cursor and Page"},
	} {
		_, err := o.Bulk(t.Context(), c.sel, o.Approve, clerk)
		require.EqualError(t, err, c.want, name)
	}
	_, err := o.Bulk(t.Context(), dsr.Selection{IDs: []string{"r1"}}, nil, clerk)
	require.EqualError(t, err, "dsr: there is no verb to apply")
	o.requireStatus(t, "r1", dsr.StatusPending)
}
