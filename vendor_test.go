package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// The clock of an office begins on a Wednesday at 03:04:05.
var (
	thursdays = dsr.Vendor{Key: "crm", Name: "CRM Ltd", Address: "privacy@crm.example", Identities: []string{"email"}, When: dsr.Weekly(time.Thursday, 9, 0, nil)}
	daily     = dsr.Vendor{Key: "ads", Address: "erase@ads.example", Identities: []string{"phone_number", "email"}, When: dsr.Daily(12, 0, nil), AskedIsEnough: true}
)

// selling is an office with vendors.
func selling(t testing.TB, vendors ...dsr.Vendor) *office {
	t.Helper()
	phones := withPhones(t)
	return newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
		phones(c)
		c.Vendors = vendors
	})
}

// erasing submits and advances a request, which then waits for vendors.
func (o *office) erasing(t testing.TB, policy string, ids dsr.Identities) string {
	t.Helper()
	req := o.submitted(t, dsr.Submission{Policy: policy, Identities: ids})
	o.advanced(t, req.ID, dsr.StatusAwaitingEmail)
	return req.ID
}

func email(list ...string) dsr.Identities { return dsr.Identities{"email": list} }

// sendAt sets the clock and sends what is due then; next is when more will be.
func (o *office) sendAt(t testing.TB, at time.Time) (next time.Time) {
	t.Helper()
	o.clock.add(at.Sub(o.clock.Now()))
	next, err := o.engine.Messages().Send(t.Context())
	require.NoError(t, err)
	return next
}

// asks lists the messages to vendors: to where, about whom.
func (o *office) asks(t testing.TB) []string {
	t.Helper()
	lines := []string{}
	for _, n := range o.notifier.Notices() {
		if n.Kind != dsr.NoticeErase {
			continue
		}
		require.Empty(t, n.RequestID)
		require.Empty(t, n.To)
		require.Regexp(t, `^vendor\.[a-z]+\.[0-9]+$`, n.ID)
		var people []string
		for _, ids := range n.People {
			var person []string
			for _, kind := range ids.Kinds() {
				person = append(person, ids[kind]...)
			}
			people = append(people, strings.Join(person, "+"))
		}
		lines = append(lines, n.Vendor.Key+" "+n.Vendor.Name+" <"+n.Vendor.Address+">: "+strings.Join(people, " "))
	}
	return lines
}

func on(day, hour int) time.Time { return time.Date(2030, 1, day, hour, 0, 0, 0, time.UTC) }

// One message goes to each vendor at its time, whatever the number of requests,
// with the kinds of identity that it knows.
func TestVendorsAreAskedOncePerPeriod(t *testing.T) {
	t.Parallel()
	o := selling(t, thursdays, daily)
	require.Equal(t, on(2, 12), o.sendAt(t, begin))
	o.erasing(t, "erase", dsr.Identities{"email": {"ada@example.com"}, "phone_number": {"+4930123"}})
	o.erasing(t, "both", email("bob@example.com", "bob@work.example"))
	o.submitted(t, submission("access", "cem@example.com"))
	o.advanced(t, "r3", dsr.StatusComplete)
	require.Equal(t, []string{"vendor:crm", "vendor:ads"}, o.get(t, "r1").Awaits)
	require.Equal(t, []dsr.VendorOutcome{{Vendor: "crm", Name: "CRM Ltd"}, {Vendor: "ads", Name: "ads"}}, o.get(t, "r1").Vendors)

	require.Equal(t, on(2, 12), o.sendAt(t, on(2, 12).Add(-time.Microsecond)))
	require.Empty(t, o.asks(t))
	require.Equal(t, on(3, 9), o.sendAt(t, on(2, 12)))
	want := []string{"ads ads <erase@ads.example>: ada@example.com++4930123 bob@example.com+bob@work.example"}
	require.Equal(t, want, o.asks(t))
	require.Equal(t, []string{"vendor:crm"}, o.requireStatus(t, "r1", dsr.StatusAwaitingEmail).Awaits)

	o.erasing(t, "erase", email("dan@example.com"))
	require.Equal(t, on(3, 12), o.sendAt(t, on(3, 9)))
	want = append(want, "crm CRM Ltd <privacy@crm.example>: ada@example.com bob@example.com+bob@work.example dan@example.com")
	require.Equal(t, want, o.asks(t))
	require.Equal(t, []string{"vendor:ads"}, o.requireStatus(t, "r4", dsr.StatusAwaitingEmail).Awaits)
	req := o.advanced(t, "r1", dsr.StatusPendingExternal)
	require.Equal(t, []string{"vendor:crm"}, req.Awaits)
	messages := map[string]string{}
	for _, n := range o.notifier.Notices() {
		if n.Vendor != nil {
			messages[n.Vendor.Key] = n.ID
		}
	}
	require.Equal(t, []dsr.VendorOutcome{
		{Vendor: "crm", Name: "CRM Ltd", AskedAt: on(3, 9), Message: messages["crm"]},
		{Vendor: "ads", Name: "ads", AskedAt: on(2, 12), Message: messages["ads"]},
	}, req.Vendors)

	o.clock.add(time.Hour)
	req, err := o.engine.Vendors().Confirm(t.Context(), "r1", "crm", clerk)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusInProcessing, req.Status)
	require.Equal(t, on(3, 10), o.advanced(t, "r1", dsr.StatusComplete).Vendors[0].ConfirmedAt)
	trail := o.trail(t, "r1")
	require.Contains(t, trail, "vendor asked message="+messages["crm"]+" vendor=crm")
	require.Contains(t, trail, "vendor answered by clerk-7 vendor=crm")
	remarks, err := o.Remarks(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, []dsr.Remark{{Time: on(3, 10), Action: "vendor answered", Actor: clerk.Actor, Reason: clerk.Reason}}, remarks)
	require.Equal(t, []string{
		"waiting for others  vendors are to be asked by e-mail", "asked  vendor ads was asked to erase", "asked  vendor crm was asked to erase",
		"waiting for others  vendors were asked by e-mail and have to answer", "vendor answered  crm", "complete  ",
	}, o.logged(t, "r1")[9:], "the log says asked, not erased")

	// r4 is asked about at ads alone; nobody is asked twice.
	o.sendAt(t, on(3, 12))
	require.Equal(t, append(want, "ads ads <erase@ads.example>: dan@example.com"), o.asks(t))
	o.sendAt(t, on(20, 0))
	require.Len(t, o.asks(t), 3)
	require.NotContains(t, o.logs.String()+fmt.Sprint(o.trail(t, "r2")), "example.com")
	o.sound(t)
}

// logged lists the lines of a request's log.
func (o *office) logged(t testing.TB, id string) []string {
	t.Helper()
	events, err := o.Log(t.Context(), id, 0, 0)
	require.NoError(t, err)
	var lines []string
	for _, event := range events {
		lines = append(lines, event.Kind+" "+event.Collection+" "+event.Message)
	}
	return lines
}

// Who was asked first may answer first.
func TestVendorsAnswerInAnyOrder(t *testing.T) {
	t.Parallel()
	slow := daily
	slow.AskedIsEnough = false
	o := selling(t, thursdays, slow)
	o.sendAt(t, begin)
	o.erasing(t, "erase", email("ada@example.com"))
	confirm := func(vendor string) dsr.Verb {
		return func(ctx context.Context, id string, by dsr.By) (*dsr.Request, error) {
			return o.engine.Vendors().Confirm(ctx, id, vendor, by)
		}
	}
	o.refused(t, confirm("ads"), "r1", dsr.ErrNotFound, "dsr: cannot confirm vendor ads for request r1: that vendor was not asked about it")
	o.refused(t, confirm("nobody"), "r1", dsr.ErrNotFound, "dsr: cannot confirm vendor nobody for request r1: that vendor was not asked about it")
	o.sendAt(t, on(2, 12))
	o.done(t, confirm("ads"), "r1", dsr.StatusAwaitingEmail)
	o.refused(t, confirm("ads"), "r1", dsr.ErrConflict, "dsr: cannot confirm vendor ads for request r1: that vendor has answered already")
	o.sendAt(t, on(3, 9))
	require.Equal(t, []string{"vendor:crm"}, o.advanced(t, "r1", dsr.StatusPendingExternal).Awaits)
	// Whoever resumes it by hand does not get it past the vendor.
	o.done(t, o.Resume, "r1", dsr.StatusInProcessing)
	o.refused(t, confirm("crm"), "r1", dsr.ErrConflict, "dsr: cannot confirm vendor crm for request r1: it is in_processing and waits for no vendor")
	o.advanced(t, "r1", dsr.StatusPendingExternal)
	o.done(t, confirm("crm"), "r1", dsr.StatusInProcessing)
	o.advanced(t, "r1", dsr.StatusComplete)
}

// A vendor is not asked where it is not concerned, and the request says why.
func TestVendorsThatAreNotConcerned(t *testing.T) {
	t.Parallel()
	phones := dsr.Vendor{Key: "calls", Address: "a@calls.example", Identities: []string{"phone_number", "device"}}
	other := dsr.Vendor{Key: "other", Address: "a@other.example", Identities: []string{"email"}, Policies: []string{"erase"}}
	o := selling(t, phones, other)
	o.submitted(t, submission("both", "ada@example.com"))
	req := o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, []dsr.VendorOutcome{
		{Vendor: "calls", Name: "calls", Skipped: "it knows people by phone_number, device, and the request has nothing of that"},
	}, req.Vendors)
	require.Equal(t, []string{"vendor:other"}, o.get(t, o.erasing(t, "erase", email("bob@example.com"))).Awaits)
	o.submitted(t, submission("access", "cem@example.com"))
	require.Empty(t, o.advanced(t, "r3", dsr.StatusComplete).Vendors)
}

// While a request waits for a vendor its erasure has begun, and it has to be
// finished.
func TestWaitingForVendorsCannotBeUndone(t *testing.T) {
	t.Parallel()
	o := selling(t, thursdays)
	o.erasing(t, "erase", email("ada@example.com"))
	o.refused(t, o.Cancel, "r1", dsr.ErrErasureBegun, "dsr: cannot cancel request r1: its erasure has begun and must be finished")
	o.refused(t, o.Resubmit, "r1", dsr.ErrErasureBegun, "dsr: cannot resubmit request r1: its erasure has begun and must be finished")
	o.refused(t, o.Delete, "r1", dsr.ErrErasureBegun, "dsr: cannot delete request r1: its erasure has begun and must be finished before it can be deleted")
	// Resumed by hand, it waits again.
	o.done(t, o.Resume, "r1", dsr.StatusInProcessing)
	o.advanced(t, "r1", dsr.StatusAwaitingEmail)
	o.sendAt(t, begin)
	o.sendAt(t, on(3, 9))
	require.Len(t, o.asks(t), 1)
}

// A message names at most 1,000 people; the rest follow at once.
func TestVendorsAreAskedAboutThousands(t *testing.T) {
	t.Parallel()
	o := selling(t, daily)
	o.sendAt(t, begin)
	for i := range 1001 {
		s := submission("erase", fmt.Sprintf("p%d@example.com", i))
		s.Silent = true
		req := o.submitted(t, s)
		_, err := o.Advance(t.Context(), req.ID)
		require.NoError(t, err)
	}
	require.Equal(t, on(3, 12), o.sendAt(t, on(2, 12)))
	var counts []int
	people := map[string]bool{}
	messages := map[string]bool{}
	for _, n := range o.notifier.Notices() {
		if n.Kind == dsr.NoticeErase {
			counts = append(counts, len(n.People))
			messages[n.ID] = true
			for _, ids := range n.People {
				people[ids["email"][0]] = true
			}
		}
	}
	require.Equal(t, []int{1000, 1}, counts)
	require.Len(t, people, 1001)
	require.Len(t, messages, 2)
}

// A vendor whose configuration is gone fails the requests that wait for it, so
// that people learn of it.
func TestVendorsThatAreGone(t *testing.T) {
	t.Parallel()
	o := selling(t, thursdays, daily)
	o.sendAt(t, begin)
	o.erasing(t, "erase", email("ada@example.com"))
	o.config.Vendors = []dsr.Vendor{daily}
	reopen := func() {
		o.engine = newEngine(t, o.config)
		o.Requests = o.engine.Requests()
	}
	reopen()
	o.sendAt(t, begin.Add(time.Minute))
	o.sendAt(t, on(3, 9))
	require.Equal(t, []string{"vendor.crm vendor crm in 1h0m0s", "vendor.ads vendor ads in 3h0m0s"}, o.outbox(t, ""), "another process may know it")
	o.sendAt(t, on(5, 3))
	o.requireStatus(t, "r1", dsr.StatusAwaitingEmail)
	o.sendAt(t, on(5, 4))
	const why = "dsr: vendors were to be asked to erase and are not in Config.Vendors any more: crm; put them back and retry the request, or retry it as it is, and it goes on without them"
	_, err := o.Advance(t.Context(), "r1")
	require.ErrorContains(t, err, why)
	require.Contains(t, o.told(), "failed message="+why, "operators are told")
	o.sendAt(t, on(5, 9))
	require.Equal(t, []string{"vendor.ads vendor ads in 3h0m0s"}, o.outbox(t, ""), "the letter of the vendor that is gone is gone as well")

	// Retried as it is, it goes on without.
	o.erasing(t, "erase", email("bob@example.com"))
	o.done(t, o.Retry, "r1", dsr.StatusInProcessing)
	o.sendAt(t, on(5, 12))
	req := o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, dsr.VendorOutcome{Vendor: "crm", Name: "CRM Ltd", Skipped: "it was not in Config.Vendors any more when its time came"}, req.Vendors[0])

	// Put back, it is asked.
	o.config.Vendors = []dsr.Vendor{thursdays}
	reopen()
	id := o.erasing(t, "erase", email("cem@example.com"))
	o.config.Vendors = nil
	reopen()
	o.sendAt(t, on(6, 0))
	o.sendAt(t, on(9, 1))
	_, err = o.Advance(t.Context(), id)
	require.ErrorContains(t, err, why)
	o.config.Vendors = []dsr.Vendor{thursdays}
	reopen()
	o.done(t, o.Retry, id, dsr.StatusInProcessing)
	o.advanced(t, id, dsr.StatusAwaitingEmail)
	o.sendAt(t, on(9, 2))
	o.sendAt(t, on(10, 9))
	require.Equal(t, "crm CRM Ltd <privacy@crm.example>: cem@example.com", o.asks(t)[2])

	// Who was asked can be said to have answered, also when gone.
	o.advanced(t, id, dsr.StatusPendingExternal)
	o.config.Vendors = nil
	reopen()
	_, err = o.engine.Vendors().Confirm(t.Context(), id, "crm", clerk)
	require.NoError(t, err)
	o.advanced(t, id, dsr.StatusComplete)
}

// A message that is refused is told to operators and said of its requests; all
// of them are in the next one.
func TestVendorsMessageIsRefused(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"for good": dsr.ErrRejected, "for days": dsr.ErrUnavailable} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := selling(t, daily)
			o.sendAt(t, begin)
			o.erasing(t, "erase", email("ada@example.com"))
			var tries []string
			o.notifier.Fail(func(_ context.Context, n dsr.Notice) error {
				if n.Kind != dsr.NoticeErase {
					return nil
				}
				tries = append(tries, n.ID)
				return fmt.Errorf("%w: ada@example.com", failure)
			}, nil)
			o.sendAt(t, on(2, 12))
			reason := "refused for good"
			if errors.Is(failure, dsr.ErrUnavailable) {
				require.Len(t, o.outbox(t, ""), 1)
				require.Contains(t, o.outbox(t, "")[0], "(1: unavailable)")
				require.Len(t, o.told(), 1, "it may pass")
				reason = "unavailable"
				o.sendAt(t, on(5, 11))
				o.sendAt(t, on(5, 12))
				require.Len(t, tries, 3)
			}
			require.Len(t, slices.Compact(slices.Clone(tries)), 1, "it is the same message")
			why := `vendor "ads" was not asked to erase: message ` + tries[0] + ` was not taken (` + reason + `); the next one comes at the vendor's time, or with Messages.Retry("vendor.ads")`
			require.Equal(t, "failed message="+why+"; 1 requests wait", o.told()[1])
			require.Contains(t, o.logged(t, "r1"), "not asked  "+why)
			require.Equal(t, why, o.requireStatus(t, "r1", dsr.StatusAwaitingEmail).Failure)
			require.Equal(t, []string{"vendor.ads vendor ads in 24h0m0s (0: " + reason + ")"}, o.outbox(t, ""))
			require.Contains(t, o.actions(t, "r1"), "vendor not asked")
			require.NotContains(t, o.logs.String()+fmt.Sprint(o.logged(t, "r1"), o.trail(t, "r1")), "example.com")

			o.notifier.Fail(nil, nil)
			o.erasing(t, "erase", email("bob@example.com"))
			require.NoError(t, o.engine.Messages().Retry(t.Context(), "vendor.ads"))
			o.sendAt(t, o.clock.Now().Add(time.Second))
			require.Equal(t, []string{"ads ads <erase@ads.example>: ada@example.com bob@example.com"}, o.asks(t))
			for _, id := range []string{"r1", "r2"} {
				req := o.advanced(t, id, dsr.StatusComplete)
				require.Empty(t, req.Failure)
				require.NotEqual(t, tries[0], req.Vendors[0].Message, "another message has another ID")
			}
		})
	}
}

// A discarded message is made anew at its time.
func TestVendorsMessageIsDiscarded(t *testing.T) {
	t.Parallel()
	o := selling(t, daily)
	o.sendAt(t, begin)
	o.erasing(t, "erase", email("ada@example.com"))
	o.notifier.Fail(func(context.Context, dsr.Notice) error { return dsr.ErrUnavailable }, nil)
	o.sendAt(t, on(2, 12))
	require.NoError(t, o.engine.Messages().Discard(t.Context(), "vendor.ads"))
	o.notifier.Fail(nil, nil)
	o.sendAt(t, on(3, 11))
	require.Empty(t, o.asks(t))
	o.sendAt(t, on(3, 12))
	require.Equal(t, []string{"ads ads <erase@ads.example>: ada@example.com"}, o.asks(t))
}
