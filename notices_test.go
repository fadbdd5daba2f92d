package dsr_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/storage"
)

// told lists what was sent: the kind, to whom, and what the notice says besides.
func (o *office) told() []string {
	lines := []string{}
	for _, n := range o.notifier.Notices() {
		lines = append(lines, toldLine(&n))
	}
	return lines
}

func toldLine(n *dsr.Notice) string {
	line := string(n.Kind)
	for _, kind := range n.To.Kinds() {
		line += " to " + strings.Join(n.To[kind], ",")
	}
	add := func(name, text string) {
		if text != "" {
			line += " " + name + "=" + text
		}
	}
	add("reason", n.Reason)
	add("message", n.Message)
	add("packages", strings.Join(n.Packages, ","))
	if !n.Deadline.IsZero() {
		add("deadline", n.Deadline.Format(time.DateOnly))
	}
	if n.Code != "" {
		add("code for", n.CodeExpires.Sub(n.At).String())
	}
	return line
}

// Each way that a request can go, and who is told of it, in order.
func TestNoticesOfALife(t *testing.T) {
	t.Parallel()
	const to = " to ada@example.com"
	for _, c := range []struct {
		name   string
		flow   dsr.Flow
		keep   dsr.Retention
		policy string
		live   func(t *testing.T, o *office)
		want   []string
		silent []string // what is left of it where the data subject is told nothing
	}{
		{
			name: "access", policy: "access",
			live:   func(t *testing.T, o *office) { o.advanced(t, "r1", dsr.StatusComplete) },
			want:   []string{"received" + to, "complete" + to + " packages=r1.json"},
			silent: []string{},
		},
		{
			name: "erasure", policy: "erase",
			live:   func(t *testing.T, o *office) { o.advanced(t, "r1", dsr.StatusComplete) },
			want:   []string{"received" + to, "complete" + to},
			silent: []string{},
		},
		{
			name: "verified by a second code, approved", policy: "access", flow: dsr.Flow{VerifyIdentity: true, CodeTTL: time.Hour, Approval: true, Timeframe: 30 * 24 * time.Hour},
			live: func(t *testing.T, o *office) {
				o.done(t, o.SendCode, "r1", dsr.StatusUnverified)
				_, err := o.Verify(t.Context(), "r1", o.code(t))
				require.NoError(t, err)
				o.done(t, o.Approve, "r1", dsr.StatusApproved)
				o.advanced(t, "r1", dsr.StatusComplete)
			},
			want: []string{
				"received" + to + " deadline=2030-02-01", "verify" + to + " deadline=2030-02-01 code for=1h0m0s",
				"verify" + to + " deadline=2030-02-01 code for=1h0m0s", "approved" + to + " deadline=2030-02-01",
				"complete" + to + " packages=r1.json deadline=2030-02-01",
			},
			silent: []string{"verify" + to + " deadline=2030-02-01 code for=1h0m0s", "verify" + to + " deadline=2030-02-01 code for=1h0m0s"},
		},
		{
			name: "extended twice, denied", policy: "access", flow: dsr.Flow{Approval: true, Timeframe: 24 * time.Hour},
			live: func(t *testing.T, o *office) {
				for _, day := range []int{10, 20} {
					_, err := o.Extend(t.Context(), "r1", time.Date(2030, 3, day, 0, 0, 0, 0, time.UTC), dsr.By{Reason: "it takes long"})
					require.NoError(t, err)
				}
				o.done(t, o.Deny, "r1", dsr.StatusDenied)
			},
			want: []string{
				"received" + to + " deadline=2030-01-03", "extended" + to + " reason=it takes long deadline=2030-03-10",
				"extended" + to + " reason=it takes long deadline=2030-03-20", "denied" + to + " reason=as the letter says deadline=2030-03-20",
			},
			silent: []string{},
		},
		{
			name: "canceled", policy: "access", flow: dsr.Flow{Approval: true},
			live: func(t *testing.T, o *office) {
				o.done(t, o.Cancel, "r1", dsr.StatusCanceled)
				o.done(t, o.Cancel, "r1", dsr.StatusCanceled)
			},
			want:   []string{"received" + to, "canceled" + to},
			silent: []string{},
		},
		{
			name: "never verified", policy: "access", flow: dsr.Flow{VerifyIdentity: true}, keep: dsr.Retention{Unverified: time.Hour},
			live: func(t *testing.T, o *office) {
				o.clock.add(time.Hour)
				o.advanced(t, "r1", dsr.StatusCanceled)
			},
			want:   []string{"received" + to, "verify" + to + " code for=10m0s", "canceled" + to},
			silent: []string{"verify" + to + " code for=10m0s"},
		},
		{
			name: "failed, finalized", policy: "both", flow: dsr.Flow{Finalization: true},
			live: func(t *testing.T, o *office) {
				o.db().fail("visits", context.Canceled)
				_, err := o.Advance(t.Context(), "r1")
				require.Error(t, err)
				o.db().fail("visits", nil)
				o.done(t, o.Retry, "r1", dsr.StatusInProcessing)
				o.advanced(t, "r1", dsr.StatusRequiresFinalization)
				o.done(t, o.Finalize, "r1", dsr.StatusComplete)
			},
			want: []string{
				"received" + to, "failed message=collecting failed: shop:visits: context canceled", "finalization required",
				"complete" + to + " packages=r1.json",
			},
			silent: []string{"failed message=collecting failed: shop:visits: context canceled", "finalization required"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			keep := func(config *dsr.Config) { config.Retention = c.keep }
			o := newOffice(t, c.flow, keep)
			o.submitted(t, submission(c.policy, "ada@example.com"))
			c.live(t, o)
			require.Equal(t, c.want, o.told())
			numbered(t, o)

			c.flow.Silent = true
			o = newOffice(t, c.flow, keep)
			o.submitted(t, submission(c.policy, "ada@example.com"))
			c.live(t, o)
			require.Equal(t, c.silent, o.told(), "silent by flow")

			c.flow.Silent = false
			o = newOffice(t, c.flow, keep)
			s := submission(c.policy, "ada@example.com")
			s.Silent = true
			o.submitted(t, s)
			c.live(t, o)
			require.Equal(t, c.silent, o.told(), "silent by submission")

			if !c.flow.VerifyIdentity {
				o = newOffice(t, c.flow, func(config *dsr.Config) { keep(config); config.Notifier = nil })
				o.submitted(t, submission(c.policy, "ada@example.com"))
				c.live(t, o)
				pending, err := o.engine.Messages().Pending(t.Context(), "", 0)
				require.NoError(t, err)
				require.Empty(t, pending, "nothing is kept for nobody")
			}
		})
	}
}

// numbered says that every notice has an ID of its own, and that nothing waits.
func numbered(t testing.TB, o *office) {
	t.Helper()
	seen := map[string]bool{}
	for _, n := range o.notifier.Notices() {
		require.Regexp(t, `^r1\.[0-9]+\.[0-9]+$`, n.ID)
		require.False(t, seen[n.ID], n.ID)
		seen[n.ID] = true
	}
	pending, err := o.engine.Messages().Pending(t.Context(), "", 0)
	require.NoError(t, err)
	require.Empty(t, pending)
}

func TestNoticesAreInTheLanguageOfTheRequest(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	s := submission("both", "ada@example.com")
	s.Locale = "de-AT"
	o.submitted(t, s)
	o.db().fail("visits", context.Canceled)
	_, err := o.Advance(t.Context(), "r1")
	require.Error(t, err)
	var got []string
	for _, n := range o.notifier.Notices() {
		got = append(got, n.Locale+": "+n.Subject)
	}
	require.Equal(t, []string{"de-AT: Ihr Datenschutz-Antrag ist eingegangen", ": Privacy request r1 has failed"}, got)
}

// A request's ID that has what a notice's must not is hashed.
func TestIDsOfNoticesArePlain(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a b\r\nc", "é", strings.Repeat("x", 65), "r1.1"} {
		o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) { c.NewID = func() string { return id } })
		o.submitted(t, submission("access", "ada@example.com"))
		n := o.notifier.Notices()[0]
		require.Regexp(t, `^[0-9a-f]{32}\.1\.1$`, n.ID)
		require.Equal(t, id, n.RequestID)
	}
}

// linked is an office whose notices of completion have links.
func linked(t testing.TB, change func(*dsr.Config)) *office {
	t.Helper()
	dir := storage.NewFolder(t.TempDir(), nil)
	return newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
		c.Destinations = map[string]dsr.Destination{"folder": {Storage: dir}}
		c.DownloadURL = "https://privacy.example.com/packages/"
		if change != nil {
			change(c)
		}
	})
}

func TestLinksOfCompletionWorkAndExpire(t *testing.T) {
	t.Parallel()
	o := linked(t, nil)
	o.submitted(t, submission("both", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusComplete)
	n := o.notifier.Notices()[1]
	require.Equal(t, dsr.NoticeComplete, n.Kind)
	require.Len(t, n.Links, 1)
	require.Equal(t, []any{"access", begin.Add(5 * 24 * time.Hour)}, []any{n.Links[0].Rule, n.Links[0].Expires})
	require.Contains(t, n.Text, n.Links[0].URL)
	token, ok := strings.CutPrefix(n.Links[0].URL, "https://privacy.example.com/packages/")
	require.True(t, ok)
	token, err := url.PathUnescape(token)
	require.NoError(t, err)
	data, err := o.open(t, token)
	require.NoError(t, err)
	require.Equal(t, eraseShopPackage, data)
	o.clock.add(5 * 24 * time.Hour)
	_, err = o.open(t, token)
	require.ErrorIs(t, err, dsr.ErrLinkExpired)
	require.NotContains(t, o.logs.String(), token)

	o.submitted(t, submission("erase", "bob@example.com"))
	o.advanced(t, "r2", dsr.StatusComplete)
	require.Empty(t, o.notifier.Notices()[3].Links, "there is no package")
}

// However often a notice has to be sent, it has the same links, and one was made;
// once they have expired there are new ones.
func TestLinksAreMadeOnce(t *testing.T) {
	t.Parallel()
	o := linked(t, func(c *dsr.Config) {
		c.Retry = dsr.Retry{After: time.Second, Limit: time.Second, GiveUp: 365 * 24 * time.Hour}
	})
	o.submitted(t, submission("access", "ada@example.com"))
	var seen []string
	o.notifier.Fail(func(_ context.Context, n dsr.Notice) error {
		seen = append(seen, n.Links[0].URL)
		return dsr.ErrUnavailable
	}, nil)
	o.advanced(t, "r1", dsr.StatusComplete)
	send := func(later time.Duration) {
		o.clock.add(later)
		_, err := o.engine.Messages().Send(t.Context())
		require.NoError(t, err)
	}
	for range 3 {
		send(time.Hour)
	}
	made := func() (n int) {
		for _, action := range o.actions(t, "r1") {
			if action == "download link made" {
				n++
			}
		}
		return n
	}
	require.Len(t, seen, 4)
	require.Len(t, slices.Compact(slices.Clone(seen)), 1)
	require.Equal(t, 1, made())
	send(5 * 24 * time.Hour)
	require.NotEqual(t, seen[0], seen[4])
	require.Equal(t, 2, made())
	o.notifier.Fail(nil, nil)
	send(time.Hour)
	require.Equal(t, seen[4], o.notifier.Notices()[1].Links[0].URL)
}

// What waits to be sent is sealed, and vanishes with its request.
func TestWaitingNoticesAreSealedAndVanish(t *testing.T) {
	t.Parallel()
	o := linked(t, func(c *dsr.Config) {
		c.Flow = dsr.Flow{VerifyIdentity: true, Approval: true}
		c.Retention = dsr.Retention{Identities: time.Hour, Requests: 2 * time.Hour}
	})
	var codes []string
	o.notifier.Fail(func(_ context.Context, n dsr.Notice) error {
		if n.Code != "" {
			codes = append(codes, n.Code)
		}
		return fmt.Errorf("%w: no mail to CANARY@example.com", dsr.ErrUnavailable)
	}, nil)
	_, err := o.Submit(t.Context(), submission("access", "CANARY@example.com"))
	require.Error(t, err)
	require.Len(t, codes, 1)
	_, err = o.Verify(t.Context(), "r1", codes[0])
	require.NoError(t, err)
	_, err = o.Extend(t.Context(), "r1", begin.AddDate(0, 1, 0), dsr.By{Actor: "CANARY clerk", Reason: "CANARY is on leave"})
	require.NoError(t, err)
	_, err = o.Deny(t.Context(), "r1", dsr.By{Actor: "CANARY clerk", Reason: "CANARY is nobody"})
	require.NoError(t, err)
	kept, err := o.store.Messages(t.Context(), dsr.MessageQuery{RequestID: "r1"})
	require.NoError(t, err)
	require.Len(t, kept, 4)
	pending, err := o.engine.Messages().Pending(t.Context(), "r1", 0)
	require.NoError(t, err)
	for i, m := range kept {
		for _, text := range []string{string(m.Data), string(m.Sealed), m.ID, fmt.Sprintf("%+v", pending[i])} {
			require.NotContains(t, text, "CANARY")
			require.NotContains(t, text, codes[0])
		}
	}
	log, err := o.Log(t.Context(), "r1", 0, 0)
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%+v", log)+o.logs.String(), "CANARY")
	require.Contains(t, o.logs.String(), "notice not sent")

	o.clock.add(time.Hour)
	o.advanced(t, "r1", dsr.StatusDenied) // the data subject is forgotten
	_, err = o.engine.Messages().Send(t.Context())
	require.NoError(t, err)
	left, err := o.store.Messages(t.Context(), dsr.MessageQuery{})
	require.NoError(t, err)
	require.Empty(t, left, "there is nobody to write to any more")

	_, err = o.Submit(t.Context(), submission("access", "bob@example.com"))
	require.Error(t, err)
	o.done(t, o.Cancel, "r2", dsr.StatusCanceled)
	require.NotEmpty(t, o.outbox(t, "r2"))
	o.clock.add(2 * time.Hour)
	_, err = o.Advance(t.Context(), "r2")
	require.NoError(t, err)
	_, err = o.Get(t.Context(), "r2")
	require.ErrorIs(t, err, dsr.ErrNotFound, "retention removed it")
	require.Empty(t, o.outbox(t, ""))
}

// outbox lists what waits, one line each.
func (o *office) outbox(t testing.TB, id string) []string {
	t.Helper()
	list, err := o.engine.Messages().Pending(t.Context(), id, 0)
	require.NoError(t, err)
	lines := []string{}
	for _, m := range list {
		line := strings.TrimSpace(fmt.Sprint(m.ID, " ", m.Kind, " ", m.Notice, m.Hook, m.Vendor))
		switch {
		case m.Refused:
			line += " refused"
		case !m.DueAt.IsZero():
			line += " in " + m.DueAt.Sub(o.clock.Now()).String()
		}
		if m.Failure != "" {
			line += fmt.Sprintf(" (%d: %s)", m.Tries, m.Failure)
		}
		lines = append(lines, line)
	}
	return lines
}
