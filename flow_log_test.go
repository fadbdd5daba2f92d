package dsr_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// log lists the execution log of r1, one line each, all that a line has: kind,
// collection and connection, action, status, rows, fields with their
// categories, and the message.
func (o *office) log(t testing.TB) []string {
	t.Helper()
	events, err := o.Log(t.Context(), "r1", 0, 0)
	require.NoError(t, err)
	var lines []string
	for i, e := range events {
		require.Equal(t, int64(i+1), e.Seq)
		var words []string
		word := func(format string, v any) {
			if text := fmt.Sprintf(format, v); text != fmt.Sprintf(format, "") && text != fmt.Sprintf(format, 0) {
				words = append(words, text)
			}
		}
		word("%v", e.Kind)
		word("%v", e.Collection)
		word("at %v", e.Connection)
		word("for %v", e.Action)
		word("is %v", e.Status)
		word("rows=%v", e.Rows)
		for _, f := range e.Fields {
			words = append(words, fmt.Sprint(f.Path, f.Categories))
		}
		word("- %v", e.Message)
		lines = append(lines, strings.Join(words, " "))
	}
	return lines
}

const (
	collectedCustomers = "collected shop:customers at shop for access is complete rows=1 email[user.contact.email] id[user.unique_id] name[user.name]"
	collectedOrders    = "collected shop:orders at shop for access is complete rows=2 buyer[user.contact.email] note[user.content]"
	collectedVisits    = "collected shop:visits at shop for access is complete rows=2 page[user.content]"
)

func TestLogOfAccessAndErasure(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, nil)
	o.submitted(t, submission("both", "ada@example.com"))
	o.done(t, o.Approve, "r1", dsr.StatusApproved)
	o.clock.add(time.Minute)
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, []string{
		"received",
		"planned - 3 collections, 0 skipped",
		collectedCustomers, collectedOrders, collectedVisits,
		"delivered for access is complete rows=5 - package of rule access to folder",
		"journalled for erasure rows=4",
		"masked shop:customers at shop for erasure is complete rows=1 email[user.contact.email] name[user.name]",
		"masked shop:orders at shop for erasure is complete rows=2 buyer[user.contact.email] note[user.content]",
		"masked shop:visits at shop for erasure is complete rows=1 page[user.content]",
		"complete",
	}, o.log(t))
	events, err := o.Log(t.Context(), "r1", 0, 2)
	require.NoError(t, err)
	require.Equal(t, []time.Time{begin, begin.Add(time.Minute)}, []time.Time{events[0].Time, events[1].Time})
}

// An erasure hands nothing over, and what is deleted is told as such.
func TestLogOfADeletion(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
		yaml := strings.Replace(eraseShopYAML, "- name: visits\n", "- name: visits\n        fides_meta: {masking_strategy_override: {strategy: delete}}\n", 1)
		yaml = strings.Replace(yaml, "- name: orders\n", "- name: orders\n        fides_meta: {skip_processing: true}\n", 1)
		c.Datasets = load(t, yaml)
	})
	o.submitted(t, submission("erase", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, []string{
		"received",
		"planned - 2 collections, 1 skipped",
		"collected shop:customers at shop for access is complete rows=1",
		"collected shop:visits at shop for access is complete rows=2",
		"skipped shop:orders is skipped - skip_processing is set",
		"journalled for erasure rows=3",
		"masked shop:customers at shop for erasure is complete rows=1 email[user.contact.email] name[user.name]",
		"deleted shop:visits at shop for erasure is complete rows=2",
		"complete",
	}, o.log(t))
}

func TestLogOfAFailure(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	o.submitted(t, submission("both", "ada@example.com"))
	o.db().fail("orders", errors.New("no such table"))
	o.db().fail("visits", errors.New("no such column"))
	_, err := o.Advance(t.Context(), "r1")
	require.Error(t, err)
	failed := []string{
		"received",
		"planned - 3 collections, 0 skipped",
		"failed shop:orders at shop for access is error - no such table",
		"failed shop:visits at shop for access is error - no such column",
	}
	require.Equal(t, failed, o.log(t))
	o.db().fail("orders", nil)
	o.db().fail("visits", nil)
	o.packages.err = errors.New("disk full")
	o.done(t, o.Retry, "r1", dsr.StatusInProcessing)
	_, err = o.Advance(t.Context(), "r1")
	require.Error(t, err)
	log := o.log(t)
	require.Equal(t, append(failed, collectedCustomers, collectedOrders, collectedVisits), log[:7])
	require.Len(t, log, 8)
	require.Regexp(t, `^failed is error - package of rule "access": .*disk full$`, log[7])
}

// Tries that fail one after another are told once: how often, the request says.
func TestLogOfAWait(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	o.db().fail("visits", dsr.ErrUnavailable)
	for tries := 1; tries <= 3; tries++ {
		req := o.advanced(t, "r1", dsr.StatusInProcessing)
		require.Equal(t, dsr.Waiting{
			Reason: `collecting failed: shop:visits: connection "shop" is unavailable: dsr: unavailable for now`,
			Since:  begin, Until: req.DueAt, Tries: tries,
		}, *req.Waiting)
		require.True(t, req.DueAt.After(o.clock.Now()))
		require.Equal(t, req.Waiting, o.get(t, "r1").Waiting)
		// Before its time nothing is done.
		commits := o.commits.Load()
		o.clock.add(req.DueAt.Sub(o.clock.Now()) - time.Microsecond)
		o.advanced(t, "r1", dsr.StatusInProcessing)
		require.Equal(t, commits, o.commits.Load())
		o.clock.add(time.Microsecond)
	}
	waiting := []string{
		"received",
		"planned - 3 collections, 0 skipped",
		`failed shop:visits at shop for access is retrying - connection "shop" is unavailable: dsr: unavailable for now`,
	}
	require.Equal(t, waiting, o.log(t))
	o.db().fail("visits", nil)
	require.Nil(t, o.advanced(t, "r1", dsr.StatusComplete).Waiting)
	require.Equal(t, append(waiting, collectedCustomers, collectedOrders, collectedVisits,
		"delivered for access is complete rows=5 - package of rule access to folder", "complete"), o.log(t))
	require.Equal(t, []string{"received", "started", "planned", "waiting", "collected", "going on", "delivered", "completed"}, o.actions(t, "r1"))
}

func TestPagesOfTheLog(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	o.submitted(t, submission("both", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusComplete)
	all, err := o.Log(t.Context(), "r1", 0, 0)
	require.NoError(t, err)
	require.Len(t, all, 11)
	for limit := 1; limit <= 12; limit++ {
		var got []dsr.Event
		for after := int64(0); ; {
			page, err := o.Log(t.Context(), "r1", after, limit)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			require.LessOrEqual(t, len(page), limit)
			got = append(got, page...)
			after = page[len(page)-1].Seq
		}
		require.Equal(t, all, got)
	}
	rest, err := o.Log(t.Context(), "r1", 9, 0)
	require.NoError(t, err)
	require.Equal(t, all[9:], rest)
	none, err := o.Log(t.Context(), "r9", 0, 0)
	require.NoError(t, err)
	require.Empty(t, none)
}
