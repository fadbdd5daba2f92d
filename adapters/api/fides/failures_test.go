package fides_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/notifiertest"
)

// mailing are notices of failures whose e-mails and whose host can be at fault.
type mailing struct {
	*fides.FailureNotices
	store *memory.Store
	host  *memory.Notifier
	mails *memory.Notifier // the e-mails
	logs  bytes.Buffer
}

// newMailing sends an e-mail after so many failures.
func newMailing(ctx context.Context, after int) (*mailing, error) {
	m := &mailing{store: memory.NewStore(), host: memory.NewNotifier(), mails: memory.NewNotifier()}
	_, err := m.store.SaveEntries(ctx, []dsr.EntryChange{{Entry: dsr.Entry{
		Kind: string(dsr.CatalogueSetting), Key: "fides.privacy_request_notification", Version: 1, UpdatedAt: begin,
		Data: fmt.Appendf(nil, `{"email_addresses":["desk@example.com"],"notify_after_failures":%d}`, after),
	}}})
	if err != nil {
		return nil, err
	}
	m.FailureNotices, err = fides.NewFailureNotices(fides.FailureOptions{
		Notifier: m.host, Store: m.store, Logger: slog.New(slog.NewJSONHandler(&m.logs, nil)),
		Send: func(ctx context.Context, to []string, n dsr.Notice) error {
			if !slices.Equal(to, []string{"desk@example.com"}) {
				return fmt.Errorf("sent to %q", to)
			}
			return m.mails.Notify(ctx, n)
		},
	})
	return m, err
}

// mailingAfter is newMailing for a test.
func mailingAfter(t *testing.T, after int) *mailing {
	t.Helper()
	m, err := newMailing(t.Context(), after)
	require.NoError(t, err)
	return m
}

// failed is the notice of a failure.
func failed(n int) dsr.Notice {
	return dsr.Notice{ID: fmt.Sprintf("n%d", n), Kind: dsr.NoticeFailed, RequestID: fmt.Sprintf("pri_%d", n), At: begin.Add(time.Duration(n) * time.Minute)}
}

// idsOf are the IDs of what a notifier took.
func idsOf(n *memory.Notifier) []string {
	ids := []string{}
	for _, notice := range n.Notices() {
		ids = append(ids, notice.ID)
	}
	return ids
}

// requestsIn are those that an e-mail names.
func requestsIn(mail dsr.Notice) (ids []string) {
	for line := range strings.Lines(mail.Text) {
		if id := strings.TrimSpace(line); strings.HasPrefix(id, "pri_") {
			ids = append(ids, id)
		}
	}
	return ids
}

// always fails with an error.
func always(err error) func(context.Context, dsr.Notice) error {
	return func(context.Context, dsr.Notice) error { return err }
}

// hang waits for the end of a context.
func hang(ctx context.Context, _ dsr.Notice) error {
	<-ctx.Done()
	return ctx.Err()
}

// faultsOf lets notifiers fail together, in every way that the suite knows.
func faultsOf(side *notifiertest.OtherSide, notifiers ...*memory.Notifier) *notifiertest.OtherSide {
	fault := func(before, after func(context.Context, dsr.Notice) error) func(bool) {
		return func(on bool) {
			for _, n := range notifiers {
				if on {
					n.Fail(before, after)
				} else {
					n.Fail(nil, nil)
				}
			}
		}
	}
	side.Down = fault(always(errors.New("down")), nil)
	side.Reject = fault(always(dsr.ErrRejected), nil)
	side.LoseAnswer = fault(nil, always(errors.New("no answer")))
	side.Hang = fault(hang, nil)
	return side
}

// FailureNotices bring what the host's notifier brings, as it does, also where
// the e-mails are at fault at the same time.
func TestFailureNoticesKeepThePromisesOfANotifier(t *testing.T) {
	t.Parallel()
	notifiertest.Run(t, notifiertest.Harness{
		New: func(ctx context.Context) (*notifiertest.OtherSide, error) {
			m, err := newMailing(ctx, 1)
			if err != nil {
				return nil, err
			}
			return faultsOf(&notifiertest.OtherSide{
				Notifier: m,
				Received: func() (received []notifiertest.Received, err error) {
					for _, n := range m.host.Notices() {
						received = append(received, notifiertest.Received{ID: n.ID, Kind: n.Kind, Subject: n.Subject, Text: n.Text, HTML: n.HTML})
					}
					return received, nil
				},
			}, m.host, m.mails), nil
		},
		Lacks: map[notifiertest.Feature]string{notifiertest.Recipients: "the host's notifier has no addresses"},
	})
}

// eachFails makes a failure of every notice, so that each is an e-mail.
type eachFails struct{ dsr.Notifier }

func (f eachFails) Notify(ctx context.Context, n dsr.Notice) error {
	n.Kind, n.RequestID = dsr.NoticeFailed, "pri_"+n.ID
	return f.Notifier.Notify(ctx, n)
}

// The e-mails keep them too, but for the two that are not meant for them: one
// that is sent does not come again, and one that is refused for good is no fault
// of the notice, which the host's notifier took.
func TestEMailsAboutFailuresKeepThePromisesOfANotifier(t *testing.T) {
	t.Parallel()
	const none = "an e-mail has a text of its own, about several requests"
	harness := notifiertest.Harness{
		New: func(ctx context.Context) (*notifiertest.OtherSide, error) {
			m, err := newMailing(ctx, 1)
			if err != nil {
				return nil, err
			}
			return faultsOf(&notifiertest.OtherSide{
				Notifier: eachFails{m},
				Received: func() (received []notifiertest.Received, err error) {
					for _, id := range idsOf(m.mails) {
						received = append(received, notifiertest.Received{ID: id})
					}
					return received, nil
				},
			}, m.mails), nil
		},
		Lacks: map[notifiertest.Feature]string{notifiertest.Recipients: none, notifiertest.Kinds: none, notifiertest.Texts: none},
	}
	var checked []string
	for _, check := range notifiertest.Checks() {
		if slices.Contains([]string{"handed over", "own id", "unavailable", "lost answer", "canceled", "no personal values"}, check.Name) {
			checked = append(checked, check.Name)
			t.Run(check.Name, func(t *testing.T) {
				t.Parallel()
				require.NoError(t, check.Run(t.Context(), harness), check.Explanation)
			})
		}
	}
	require.Len(t, checked, 6)
}

// Whatever the e-mails come to, the host's notifier is told of each failure once,
// and of nothing else.
func TestTheHostIsToldWhateverBecomesOfTheEMail(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for name, c := range map[string]struct {
		fault error
		want  error
		mails []string // once the fault is over and one more request failed
		about []string
		logs  string
	}{
		"refused for good": {dsr.ErrRejected, nil, []string{"failures-n3-1"}, []string{"pri_3"},
			`"requests":1,"reason":""`},
		"refused for good, with a reason": {fmt.Errorf("%w: %w", dsr.ErrRejected, refusalError{}), nil, []string{"failures-n3-1"}, []string{"pri_3"},
			`"requests":1,"reason":"the recipient is refused"`},
		"down": {down, down, []string{"failures-n3-3"}, []string{"pri_1", "pri_2", "pri_3"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mailingAfter(t, 1)
			m.mails.Fail(always(c.fault), nil)
			for i := range 2 {
				for range 3 { // it comes again
					require.ErrorIs(t, m.Notify(t.Context(), failed(i+1)), c.want)
				}
			}
			require.Equal(t, []string{"n1", "n2"}, idsOf(m.host))
			m.mails.Fail(nil, nil)
			require.NoError(t, m.Notify(t.Context(), failed(3)))
			require.Equal(t, []string{"n1", "n2", "n3"}, idsOf(m.host))
			require.Equal(t, c.mails, idsOf(m.mails))
			require.Equal(t, c.about, requestsIn(m.mails.Notices()[0]))
			for i := range 2 {
				require.NoError(t, m.Notify(t.Context(), failed(i+1)))
			}
			require.Len(t, m.mails.Notices(), 1)
			require.Equal(t, c.logs != "", strings.Contains(m.logs.String(), "refused for good"))
			require.Contains(t, m.logs.String(), c.logs)
			require.NotContains(t, m.logs.String(), "desk@example.com")
		})
	}
}

// refusalError says why an e-mail was refused.
type refusalError struct{}

func (refusalError) Error() string  { return "no such user desk@example.com" }
func (refusalError) Reason() string { return "the recipient is refused" }

// A failure is counted once the host's notifier took it, or will never, and once
// only.
func TestTheHostIsToldBeforeAFailureIsCounted(t *testing.T) {
	t.Parallel()
	m := mailingAfter(t, 2)
	down := errors.New("down")
	m.host.Fail(always(down), nil)
	for range 2 {
		require.ErrorIs(t, m.Notify(t.Context(), failed(1)), down)
		require.ErrorIs(t, m.Notify(t.Context(), failed(2)), down)
	}
	require.Empty(t, m.mails.Notices())
	m.host.Fail(always(dsr.ErrRejected), nil)
	require.ErrorIs(t, m.Notify(t.Context(), failed(1)), dsr.ErrRejected)
	m.mails.Fail(always(down), nil)
	err := m.Notify(t.Context(), failed(2))
	require.ErrorIs(t, err, down)
	require.NotErrorIs(t, err, dsr.ErrRejected, "it must come again for the sake of the e-mail")
	m.mails.Fail(nil, nil)
	require.ErrorIs(t, m.Notify(t.Context(), failed(2)), dsr.ErrRejected)
	require.Equal(t, []string{"failures-n2-2"}, idsOf(m.mails))
	m.host.Fail(nil, nil)
	for i := range 2 { // somebody has mended it and sends them again
		require.NoError(t, m.Notify(t.Context(), failed(i+1)))
	}
	require.Equal(t, []string{"n1", "n2"}, idsOf(m.host))
	require.Equal(t, []string{"failures-n2-2"}, idsOf(m.mails))
}

// What the host's notifier refused and took later, while the e-mail fails, it is
// not told again, as often as it comes for the sake of the e-mail.
func TestTheHostIsToldOnceOfWhatItRefusedBefore(t *testing.T) {
	t.Parallel()
	m := mailingAfter(t, 1)
	down := errors.New("down")
	m.mails.Fail(always(down), nil)
	m.host.Fail(always(dsr.ErrRejected), nil)
	for range 2 {
		require.ErrorIs(t, m.Notify(t.Context(), failed(1)), down)
	}
	m.host.Fail(nil, nil)
	for range 3 {
		require.ErrorIs(t, m.Notify(t.Context(), failed(1)), down)
		require.Equal(t, []string{"n1"}, idsOf(m.host))
	}
	m.mails.Fail(nil, nil)
	for range 2 {
		require.NoError(t, m.Notify(t.Context(), failed(1)))
	}
	require.Equal(t, []string{"n1"}, idsOf(m.host))
	require.Equal(t, []string{"failures-n1-1"}, idsOf(m.mails))
}

// A failure whose e-mail was sent, but whose process died before the engine
// knew, comes again and does not count for the next e-mail.
func TestAFailureThatComesAgainAfterTheEMailDoesNotCount(t *testing.T) {
	t.Parallel()
	m := mailingAfter(t, 2)
	for _, i := range []int{1, 2, 1, 2, 2, 3} {
		require.NoError(t, m.Notify(t.Context(), failed(i)))
	}
	require.Equal(t, []string{"failures-n2-2"}, idsOf(m.mails))
	require.NoError(t, m.Notify(t.Context(), failed(4)))
	require.Equal(t, []string{"failures-n2-2", "failures-n4-2"}, idsOf(m.mails))
	require.Equal(t, []string{"pri_3", "pri_4"}, requestsIn(m.mails.Notices()[1]))
}

// While an e-mail is on its way, nobody waits for it, and what failed meanwhile is
// told in one more: by who sent the first, or, if that one failed, with it.
func TestAnEMailThatHangsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	meanwhile := []string{"pri_11", "pri_12", "pri_13", "pri_14", "pri_15", "pri_16", "pri_17", "pri_18", "pri_19", "pri_20"}
	for name, c := range map[string]struct {
		after int
		end   error // of the e-mail that hangs
		mails []string
		about [][]string
		again bool     // the failure that sent it comes again, as it must
		next  []string // what the e-mails tell of once one more failed
	}{
		"sent": {after: 1, mails: []string{"failures-n10-1", "failures-n20-10"}, about: [][]string{{"pri_10"}, meanwhile}, next: []string{"pri_21"}},
		"sent, and too few for another": {after: 11, mails: []string{"failures-n10-11"},
			about: [][]string{{"pri_0", "pri_1", "pri_10", "pri_2", "pri_3", "pri_4", "pri_5", "pri_6", "pri_7", "pri_8", "pri_9"}}, next: append(slices.Clone(meanwhile), "pri_21")},
		"refused for good": {after: 1, end: dsr.ErrRejected, mails: []string{"failures-n20-10"}, about: [][]string{meanwhile}, next: []string{"pri_21"}},
		"failed, and comes again": {after: 1, end: down, again: true, mails: []string{"failures-n20-11"},
			about: [][]string{append([]string{"pri_10"}, meanwhile...)}, next: []string{"pri_21"}},
		"failed, and another comes first": {after: 1, end: down, mails: []string{}, next: append(append([]string{"pri_10"}, meanwhile...), "pri_21")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := mailingAfter(t, c.after)
				for i := range c.after - 1 {
					require.NoError(t, m.Notify(t.Context(), failed(i)))
				}
				release, sends := make(chan struct{}), 0
				m.mails.Fail(func(context.Context, dsr.Notice) error {
					if sends++; sends > 1 {
						return nil
					}
					<-release
					return c.end
				}, nil)
				first := make(chan error, 1)
				go func() { first <- m.Notify(t.Context(), failed(10)) }()
				synctest.Wait()
				others := make(chan error, 10)
				for i := range 10 {
					go func() { others <- m.Notify(t.Context(), failed(i+11)) }()
				}
				synctest.Wait()
				require.Len(t, others, 10, "they do not wait for the e-mail")
				for range 10 {
					require.NoError(t, <-others)
				}
				require.NoError(t, m.Notify(t.Context(), dsr.Notice{ID: "other", Kind: dsr.NoticeInput, RequestID: "pri_9"}))
				require.Empty(t, m.mails.Notices())
				close(release)
				err := <-first
				require.Equal(t, errors.Is(c.end, down), errors.Is(err, down), err)
				if c.again {
					require.NoError(t, m.Notify(t.Context(), failed(10)))
				}
				require.Equal(t, c.mails, idsOf(m.mails))
				for i, mail := range m.mails.Notices() {
					require.Equal(t, c.about[i], requestsIn(mail))
				}
				require.Len(t, m.host.Notices(), c.after+11, "the host is told of each once")
				require.NoError(t, m.Notify(t.Context(), failed(21)))
				require.Equal(t, c.next, requestsIn(m.mails.Notices()[len(c.mails)]))
				require.Len(t, m.mails.Notices(), len(c.mails)+1)
			})
		})
	}
}

// An e-mail that is sent without an answer, and comes again with more in it, is
// another to those who know the first by its ID.
func TestAnEMailThatTellsOfMoreIsAnother(t *testing.T) {
	t.Parallel()
	m := mailingAfter(t, 1)
	lost := errors.New("no answer")
	m.mails.Fail(nil, always(lost))
	for range 2 {
		require.ErrorIs(t, m.Notify(t.Context(), failed(2)), lost)
	}
	m.mails.Fail(nil, nil)
	require.NoError(t, m.Notify(t.Context(), failed(1)))
	require.Equal(t, []string{"failures-n2-1", "failures-n2-1", "failures-n2-2"}, idsOf(m.mails))
}

// An e-mail that breaks its sender keeps no later one from going out.
func TestAnEMailThatPanicsKeepsNobodyFromTheNext(t *testing.T) {
	t.Parallel()
	m := mailingAfter(t, 1)
	m.mails.Fail(func(context.Context, dsr.Notice) error { panic("broken") }, nil)
	require.Panics(t, func() { _ = m.Notify(t.Context(), failed(1)) })
	m.mails.Fail(nil, nil)
	require.NoError(t, m.Notify(t.Context(), failed(2)))
	require.Equal(t, []string{"failures-n2-2"}, idsOf(m.mails))
}

// What was counted is remembered for thirty days, by the time of the failures.
func TestWhatWasCountedIsForgottenInTheEnd(t *testing.T) {
	t.Parallel()
	m := mailingAfter(t, 1)
	counted := func() int {
		entries, err := m.store.Entries(t.Context(), dsr.EntryQuery{Kind: "fides/failure-counted"})
		require.NoError(t, err)
		for _, e := range entries {
			require.True(t, e.Plain)
		}
		return len(entries)
	}
	for i := range 5 {
		require.NoError(t, m.Notify(t.Context(), failed(i)))
	}
	require.Equal(t, 5, counted())
	later := failed(5)
	later.At = begin.Add(30*24*time.Hour + 90*time.Second)
	require.NoError(t, m.Notify(t.Context(), later))
	require.Equal(t, 4, counted())
	waiting, err := m.store.Entries(t.Context(), dsr.EntryQuery{Kind: "fides/failure"})
	require.NoError(t, err)
	require.Empty(t, waiting)
}

// An address that is refused for good keeps nothing from the operators, through
// the engine.
func TestABadAddressSilencesNoNoticeOfFailure(t *testing.T) {
	t.Parallel()
	k, mails := failing(t)
	require.Equal(t, http.StatusOK, k.send(t, k.token(t), "PUT", notificationAt, `{"email_addresses":["nobody@example.com"],"notify_after_failures":1}`).Status)
	mails.fail = dsr.ErrRejected
	for range 3 {
		k.fail(t)
	}
	var told []string
	for _, n := range k.notifier.Notices() {
		if n.Kind == dsr.NoticeFailed {
			told = append(told, n.RequestID)
		}
	}
	require.Equal(t, []string{"pri_1", "pri_2", "pri_3"}, told)
	waits, err := k.engine.Messages().Pending(t.Context(), "", 0)
	require.NoError(t, err)
	require.Empty(t, waits)
}
