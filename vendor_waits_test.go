package dsr_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// inputs lists what operators were told to do, besides the vendor's.
func (o *office) inputs() (lines []string) {
	for _, line := range o.told() {
		if rest, ok := strings.CutPrefix(line, "input required message="); ok {
			lines = append(lines, rest)
		}
	}
	return lines
}

// Operators hear that a request waits for a vendor's answer, and hear again of it
// until somebody says that it has answered.
func TestOperatorsHearOfVendorsThatHaveToAnswer(t *testing.T) {
	t.Parallel()
	weekly := thursdays
	weekly.Remind = 7 * 24 * time.Hour
	o := selling(t, weekly)
	o.sendAt(t, begin)
	o.erasing(t, "erase", email("ada@example.com"))
	o.sendAt(t, on(3, 9))
	require.Empty(t, o.inputs())
	o.advanced(t, "r1", dsr.StatusPendingExternal)
	want := []string{"vendors were asked to erase and have to answer: crm; say so with Vendors.Confirm once they have"}
	require.Equal(t, want, o.inputs())
	const again = "vendor crm was asked to erase on 2030-01-03, and nobody has said that it has answered: ask it again, and say so with Vendors.Confirm once it has"
	o.sendAt(t, on(10, 9).Add(-time.Microsecond))
	require.Equal(t, want, o.inputs())
	for day := range 2 {
		o.sendAt(t, on(10+7*day, 9))
		o.sendAt(t, on(10+7*day, 9)) // each comes once
		want = append(want, again)
		require.Equal(t, want, o.inputs())
	}
	require.NotContains(t, strings.Join(o.inputs(), " "), "example.com")
	_, err := o.engine.Vendors().Confirm(t.Context(), "r1", "crm", clerk)
	require.NoError(t, err)
	o.advanced(t, "r1", dsr.StatusComplete)
	o.sendAt(t, on(31, 9))
	require.Equal(t, want, o.inputs())
	require.Empty(t, o.outbox(t, "r1"))
}

// Without a time of its own, a vendor is heard of every 30 days.
func TestVendorsReminderByDefault(t *testing.T) {
	t.Parallel()
	o := selling(t, thursdays)
	o.sendAt(t, begin)
	o.erasing(t, "erase", email("ada@example.com"))
	o.sendAt(t, on(3, 9))
	require.Len(t, o.outbox(t, "r1"), 1)
	require.Contains(t, o.outbox(t, "r1")[0], "reminder in 720h0m0s")

	o.config.Vendors = []dsr.Vendor{{Key: "x", Address: "a@x.example", Identities: []string{"email"}, Remind: -1}}
	_, err := dsr.New(o.config)
	require.ErrorContains(t, err, `Vendors: vendor 1 ("x"): its Remind is negative`)
}

// The data subject has the package when it is there, and not when all others have
// answered; its links come once.
func TestPackageComesBeforeVendorsAnswer(t *testing.T) {
	t.Parallel()
	o := linked(t, func(c *dsr.Config) { c.Vendors, c.Retention.Packages = []dsr.Vendor{thursdays}, 24*time.Hour })
	o.sendAt(t, begin)
	o.erasing(t, "both", email("ada@example.com"))
	n := o.last(t)
	require.Equal(t, dsr.NoticePackage, n.Kind)
	require.Equal(t, dsr.ToSubject, n.Kind.Audience())
	require.Equal(t, dsr.Identities{"email": {"ada@example.com"}}, n.To)
	require.Len(t, n.Links, 1)
	require.Contains(t, n.Text, n.Links[0].URL)
	token, err := url.PathUnescape(strings.TrimPrefix(n.Links[0].URL, "https://privacy.example.com/packages/"))
	require.NoError(t, err)
	data, err := o.open(t, token)
	require.NoError(t, err)
	require.Equal(t, eraseShopPackage, data)
	o.sendAt(t, on(3, 9))
	o.advanced(t, "r1", dsr.StatusPendingExternal)
	o.done(t, o.Resume, "r1", dsr.StatusInProcessing)
	o.advanced(t, "r1", dsr.StatusPendingExternal)
	_, err = o.open(t, token)
	require.NoError(t, err)
	_, err = o.engine.Vendors().Confirm(t.Context(), "r1", "crm", clerk)
	require.NoError(t, err)
	_, err = o.open(t, token)
	require.ErrorIs(t, err, dsr.ErrConflict, "it is being worked on")
	o.advanced(t, "r1", dsr.StatusComplete)
	n = o.last(t)
	require.Equal(t, dsr.NoticeComplete, n.Kind)
	require.Empty(t, n.Links)
	require.Empty(t, n.Packages)
	require.Equal(t, []string{"CRM Ltd"}, n.Asked)
	kinds := map[dsr.NoticeKind]int{}
	for _, n := range o.notifier.Notices() {
		kinds[n.Kind]++
	}
	require.Equal(t, map[dsr.NoticeKind]int{"received": 1, "package": 1, "erase": 1, "input required": 2, "complete": 1}, kinds)
}

// Where a person finalizes, that one looks before the data subject hears of a
// package.
func TestPackageWaitsForFinalization(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Finalization: true}, func(c *dsr.Config) { c.Vendors = []dsr.Vendor{daily} })
	o.sendAt(t, begin)
	o.erasing(t, "both", email("ada@example.com"))
	o.sendAt(t, on(2, 12))
	o.advanced(t, "r1", dsr.StatusRequiresFinalization)
	require.Equal(t, []string{"received to ada@example.com", "erase", "finalization required"}, o.told())
	o.done(t, o.Finalize, "r1", dsr.StatusComplete)
	require.Equal(t, "complete to ada@example.com packages=r1.json", o.told()[3])
}

// A link is stored with its request, and would take that from whoever works on
// it: the notice comes a little later.
func TestPackageNoticeWaitsForTheWork(t *testing.T) {
	t.Parallel()
	o := linked(t, func(c *dsr.Config) { c.Vendors = []dsr.Vendor{thursdays} })
	o.sendAt(t, begin)
	o.notifier.Fail(func(_ context.Context, n dsr.Notice) error {
		if n.Kind == dsr.NoticePackage {
			return dsr.ErrUnavailable
		}
		return nil
	}, nil)
	o.erasing(t, "both", email("ada@example.com"))
	o.notifier.Fail(nil, nil)
	o.clock.add(time.Hour)
	o.done(t, o.Resume, "r1", dsr.StatusInProcessing)
	version := o.get(t, "r1").UpdatedAt
	o.send(t)
	require.Equal(t, version, o.get(t, "r1").UpdatedAt)
	require.NotContains(t, strings.Join(o.told(), "\n"), "package to")
	o.advanced(t, "r1", dsr.StatusAwaitingEmail)
	o.clock.add(time.Hour)
	o.send(t)
	require.Contains(t, o.told(), "package to ada@example.com packages=r1.json")
	require.Len(t, o.last(t).Links, 1)
}
