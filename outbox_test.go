package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// post is an office in the time of a bubble whose first engine is not run.
func post(t testing.TB, flow dsr.Flow, change func(*dsr.Config)) *office {
	t.Helper()
	o := newOffice(t, flow, func(c *dsr.Config) {
		c.Clock = time.Now
		c.Audit.Every, c.Poll = 1000*time.Hour, 1000*time.Hour
		if change != nil {
			change(c)
		}
	})
	o.clock.now = time.Now()
	return o
}

// another is another process of an office.
func (o *office) another(t testing.TB) *dsr.Engine {
	t.Helper()
	c := o.config
	c.Executor = dsr.NewLocalExecutor(nil)
	return newEngine(t, c)
}

// outboxNow lists what is in the outbox, as of now.
func (o *office) outboxNow(t testing.TB) []string {
	t.Helper()
	o.clock.add(time.Since(o.clock.Now()))
	return o.outbox(t, "")
}

// tries records when notices were tried, by ID, and fails them.
type tries struct {
	mu   sync.Mutex
	list []string
	at   []time.Time
	err  error
}

func (f *tries) fail(_ context.Context, n dsr.Notice) error {
	if n.Kind == dsr.NoticeInput { // it tells of the others
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list, f.at = append(f.list, n.ID), append(f.at, time.Now())
	return f.err
}

// What fails for the moment is tried again with growing pauses, until it is given
// up; then a person decides.
func TestNoticesAreTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := post(t, dsr.Flow{Approval: true}, func(c *dsr.Config) {
			c.Retry = dsr.Retry{After: time.Second, Limit: time.Minute, GiveUp: time.Hour}
		})
		f := &tries{err: fmt.Errorf("%w: no mail to ada@example.com", dsr.ErrUnavailable)}
		o.notifier.Fail(f.fail, nil)
		runEngine(t, o.engine)
		o.submitted(t, submission("access", "ada@example.com"))
		settle(2 * time.Hour)
		require.Equal(t, []string{"r1.1.1"}, slices.Compact(slices.Clone(f.list)))
		var longest time.Duration
		for i := range f.at[1:] {
			pause := f.at[i+1].Sub(f.at[i])
			require.GreaterOrEqual(t, pause, min(time.Second<<min(i, 10)/2, 20*time.Second), "pause %d", i)
			require.LessOrEqual(t, pause, time.Minute)
			longest = max(longest, pause)
		}
		require.Greater(t, longest, 30*time.Second)
		require.InDelta(t, 60, f.at[len(f.at)-1].Sub(f.at[0]).Minutes(), 1.1)
		require.Equal(t, []string{fmt.Sprintf("r1.1.1 notice received refused (%d: unavailable)", len(f.list))}, o.outboxNow(t))
		require.NotContains(t, o.logs.String(), "example.com")

		// Somebody mends it and says so; somebody else drops another one.
		o.notifier.Fail(nil, nil)
		require.NoError(t, o.engine.Messages().Retry(t.Context(), "r1.1.1"))
		synctest.Wait()
		require.Equal(t, []string{`r1 input required notice "received" to the data subject was given up: unavailable`, "r1 received"}, o.notices())
		require.Empty(t, o.outboxNow(t))
		for _, verb := range []func(context.Context, string) error{o.engine.Messages().Retry, o.engine.Messages().Discard} {
			require.ErrorIs(t, verb(t.Context(), "r1.1.1"), dsr.ErrNotFound)
			require.ErrorIs(t, verb(t.Context(), ""), dsr.ErrNotFound)
		}
		f.err = dsr.ErrRejected
		f.list = nil
		o.notifier.Fail(f.fail, nil)
		o.done(t, o.Deny, "r1", dsr.StatusDenied)
		settle(time.Hour)
		require.Equal(t, []string{"r1.2.1"}, f.list, "what is refused for good is tried once")
		require.Equal(t, []string{"r1.2.1 notice denied refused (1: refused for good)"}, o.outboxNow(t))
		require.NoError(t, o.engine.Messages().Discard(t.Context(), "r1.2.1"))
		require.Empty(t, o.outboxNow(t))
	})
}

// Without Run, whoever changes a request sends its notices, and what fails waits
// for Send.
func TestSendWithoutRun(t *testing.T) {
	t.Parallel()
	o := newOffice(t, verifying, nil)
	o.notifier.Fail(func(context.Context, dsr.Notice) error { return errors.New("mail server is down") }, nil)
	_, err := o.Submit(t.Context(), submission("access", "ada@example.com"))
	require.EqualError(t, err, "dsr: request r1 is stored, but its verification code was not sent yet; it waits in the outbox")
	require.Len(t, o.outbox(t, "r1"), 2)
	next, err := o.engine.Messages().Send(t.Context())
	require.NoError(t, err)
	require.Greater(t, next.Sub(begin), 2*time.Second)
	require.Less(t, next.Sub(begin), 8*time.Second)
	o.notifier.Fail(nil, nil)
	o.clock.add(8 * time.Second)
	next, err = o.engine.Messages().Send(t.Context())
	require.NoError(t, err)
	require.Zero(t, next)
	require.ElementsMatch(t, []string{"r1 received", "r1 verify"}, o.notices())
	for _, n := range o.notifier.Notices() {
		if n.Kind == dsr.NoticeVerify {
			require.Contains(t, n.Text, "9 minutes", "it says how long the code is good still")
		}
	}
	_, err = o.Verify(t.Context(), "r1", o.code(t))
	require.NoError(t, err)
}

// A code that is of no use any more is not sent.
func TestUselessCodesAreDropped(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, o *office){
		"expired":  func(_ *testing.T, o *office) { o.clock.add(10 * time.Minute) },
		"canceled": func(t *testing.T, o *office) { o.done(t, o.Cancel, "r1", dsr.StatusCanceled) },
		"deleted":  func(t *testing.T, o *office) { o.done(t, o.Delete, "r1", dsr.StatusUnverified) },
		"replaced": func(t *testing.T, o *office) {
			o.notifier.Fail(nil, nil)
			o.done(t, o.SendCode, "r1", dsr.StatusUnverified)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, verifying, nil)
			f := &tries{err: dsr.ErrUnavailable}
			o.notifier.Fail(f.fail, nil)
			_, err := o.Submit(t.Context(), submission("access", "ada@example.com"))
			require.Error(t, err)
			spoil(t, o)
			o.notifier.Fail(nil, nil)
			o.clock.add(time.Minute)
			o.send(t)
			for _, n := range o.notifier.Notices() {
				require.NotEqual(t, "r1.1.2", n.ID)
			}
			require.Empty(t, o.outbox(t, ""))
		})
	}
}

// A caller that goes away is told that the code was not sent, and the message is
// given back at once.
func TestCallerThatGoesAwayGivesTheMessageBack(t *testing.T) {
	t.Parallel()
	o := newOffice(t, verifying, nil)
	ctx, cancel := context.WithCancel(t.Context())
	o.notifier.Fail(func(ctx context.Context, _ dsr.Notice) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}, nil)
	_, err := o.Submit(ctx, submission("access", "ada@example.com"))
	require.EqualError(t, err, "dsr: request r1 is stored, but its verification code was not sent yet; it waits in the outbox")
	o.notifier.Fail(nil, nil)
	o.send(t)
	require.Equal(t, []string{"r1 received", "r1 verify"}, o.notices())
}

// Two processes over one store send each notice once.
func TestTwoProcessesSendEachNoticeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := post(t, dsr.Flow{Approval: true}, func(c *dsr.Config) { c.Poll = time.Second })
		runEngine(t, o.another(t))
		runEngine(t, o.engine)
		o.notifier.Fail(func(context.Context, dsr.Notice) error { elapse(3 * time.Second); return nil }, nil)
		for i := range 50 {
			o.submitted(t, submission("access", fmt.Sprintf("p%d@example.com", i)))
		}
		elapse(time.Hour)
		seen := map[string]int{}
		for _, n := range o.notifier.Notices() {
			seen[n.ID]++
		}
		require.Len(t, seen, 50)
		for id, n := range seen {
			require.Equal(t, 1, n, id)
		}
		require.Empty(t, o.outboxNow(t))
	})
}

// What a process had claimed that died is sent by another once the claim is over.
func TestClaimsOfTheDeadEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := post(t, dsr.Flow{Approval: true}, nil)
		p := &process{}
		m := &mortal{Store: o.config.Store, notifier: o.notifier, process: p}
		c := o.config
		c.Store, c.Notifier = m, m
		o.notifier.Fail(func(context.Context, dsr.Notice) error { p.dead.Store(true); return errKilled }, nil)
		_, err := newEngine(t, c).Requests().Submit(t.Context(), submission("access", "ada@example.com"))
		require.NoError(t, err)
		o.notifier.Fail(nil, nil)
		began := time.Now()
		runEngine(t, o.another(t))
		require.Equal(t, []string{"r1.1.1 notice received in 1m0s"}, o.outboxNow(t))
		elapse(time.Minute - time.Nanosecond)
		require.Empty(t, o.notices())
		settle(time.Millisecond)
		require.Equal(t, []string{"r1 received"}, o.notices())
		require.Equal(t, time.Minute, time.Since(began).Truncate(time.Second))
	})
}

// A shut-down in the middle gives a message back, and Run returns; the next
// process sends it at once.
func TestShutDownGivesMessagesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := post(t, dsr.Flow{Approval: true}, nil)
		o.notifier.Fail(func(ctx context.Context, _ dsr.Notice) error { <-ctx.Done(); return ctx.Err() }, nil)
		stop := runEngine(t, o.engine)
		for i := range 20 { // more than are sent at once
			o.submitted(t, submission("access", fmt.Sprintf("p%d@example.com", i)))
		}
		settle(time.Second)
		began := time.Now()
		stop()
		o.notifier.Fail(nil, nil)
		runEngine(t, o.another(t))
		require.Len(t, o.notices(), 20)
		require.Zero(t, time.Since(began))
	})
}

// A recipient that is slow, or hooks that are, hold up nobody else, and no
// Submit.
func TestSlowRecipientsHoldUpNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan struct{})
		o := post(t, dsr.Flow{Before: []dsr.Hooking{{Hook: "slow"}}}, func(c *dsr.Config) {
			c.Hooks = map[string]dsr.Hook{"slow": hookFunc(func(ctx context.Context) { <-ctx.Done() })}
			c.Flows = map[string]dsr.Flow{"erase": verifying}
		})
		o.notifier.Fail(func(ctx context.Context, n dsr.Notice) error {
			if strings.HasPrefix(n.To["email"][0], "slow") {
				<-slow
			}
			return nil
		}, nil)
		submit := func(s dsr.Submission) { // and waits for no hook
			_, err := o.Submit(t.Context(), s)
			require.NoError(t, err)
		}
		runEngine(t, o.engine)
		for i := range 150 { // more hooks than are looked at, and than are called, at once
			submit(submission("access", fmt.Sprintf("p%d@example.com", i)))
		}
		synctest.Wait()
		require.Len(t, o.notices(), 300, "received and complete, while the hooks hang")
		began := time.Now()
		for range 7 { // places are left
			submit(submission("erase", "slow@example.com"))
		}
		submit(submission("erase", "ada@example.com"))
		synctest.Wait()
		require.Equal(t, []string{"r158 received", "r158 verify"}, o.notices()[300:], "those of one request in their order")
		require.Zero(t, time.Since(began))
		close(slow)
		synctest.Wait()
		require.Len(t, o.notices(), 316)
	})
}

// Notices of one request go in the order of what they tell, also of one moment.
func TestNoticesOfARequestKeepTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := make(chan struct{})
		o := post(t, dsr.Flow{Approval: true}, nil)
		o.notifier.Fail(func(context.Context, dsr.Notice) error { <-first; return nil }, nil)
		runEngine(t, o.engine)
		o.submitted(t, submission("access", "ada@example.com"))
		synctest.Wait()
		want := []string{""}
		for i := range 12 {
			want = append(want, fmt.Sprint("reason ", i))
			_, err := o.Extend(t.Context(), "r1", time.Now().AddDate(0, 1, i), dsr.By{Reason: want[i+1]})
			require.NoError(t, err)
		}
		close(first)
		synctest.Wait()
		var got []string
		for _, n := range o.notifier.Notices() {
			got = append(got, n.Reason)
		}
		require.Equal(t, want, got)
	})
}

// hookFunc is a hook that does something and fails.
type hookFunc func(context.Context)

func (h hookFunc) Call(ctx context.Context, _ *dsr.HookCall) (*dsr.HookAnswer, error) {
	h(ctx)
	return nil, fmt.Errorf("%w: no answer", dsr.ErrUnavailable)
}

// An outbox in which nothing is due costs nothing, and what comes due is sent at
// its time.
func TestIdlePostmanRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &outageStore{working: map[string]bool{}}
		m := &mortal{process: &process{}}
		v := daily
		v.When = dsr.Every(100 * time.Hour)
		o := post(t, dsr.Flow{}, func(c *dsr.Config) {
			store.Store = c.Store
			m.Store = store
			c.Store, c.Vendors = m, []dsr.Vendor{v}
		})
		runEngine(t, o.engine)
		o.submitted(t, dsr.Submission{Policy: "erase", Identities: email("ada@example.com")})
		settle(2 * time.Hour) // what a lease left is looked for once
		o.requireStatus(t, "r1", dsr.StatusAwaitingEmail)
		m.mu.Lock()
		calls := m.calls
		m.mu.Unlock()
		due := v.When(time.Now())
		settle(time.Until(due) - time.Nanosecond)
		m.mu.Lock()
		require.Equal(t, calls, m.calls)
		m.mu.Unlock()
		require.Empty(t, o.asks(t))
		settle(time.Nanosecond)
		require.Equal(t, []string{"ads ads <erase@ads.example>: ada@example.com"}, o.asks(t))
		require.Equal(t, due, o.get(t, "r1").Vendors[0].AskedAt.In(due.Location()))
		o.requireStatus(t, "r1", dsr.StatusComplete)
	})
}

// A store that fails holds the postman up for no longer than Config.Poll.
func TestPostmanOutlivesAStoreThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &failingOutbox{}
		o := post(t, dsr.Flow{Approval: true}, func(c *dsr.Config) {
			m.Store, c.Store, c.Poll = c.Store, m, time.Minute
		})
		runEngine(t, o.engine)
		m.fail(errors.New("disk full: ada@example.com"))
		o.submitted(t, submission("access", "ada@example.com"))
		settle(time.Hour)
		require.Empty(t, o.notices())
		require.LessOrEqual(t, m.failed, 122, "it does not race")
		m.fail(nil)
		elapse(2*time.Minute + time.Second)
		require.Equal(t, []string{"r1 received"}, o.notices())
	})
}

// failingOutbox is a store whose outbox cannot be changed.
type failingOutbox struct {
	dsr.Store
	mu     sync.Mutex
	err    error
	failed int
}

func (s *failingOutbox) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *failingOutbox) SaveMessages(ctx context.Context, changes []dsr.MessageChange) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		s.failed++
		return s.err
	}
	return s.Store.SaveMessages(ctx, changes)
}

// A message that this version cannot read is laid aside and holds up no other.
func TestUnreadableMessagesAreLaidAside(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, nil)
	require.NoError(t, o.store.SaveMessages(t.Context(), []dsr.MessageChange{
		{Message: dsr.Message{ID: "odd", Version: 1, DueAt: begin, Data: []byte(`{"kind":7}`)}},
		{Message: dsr.Message{ID: "new", Version: 1, DueAt: begin, Data: []byte(`{"kind":"pigeon"}`)}},
	}))
	o.send(t)
	require.Equal(t, "odd refused", o.outbox(t, "")[1])
	require.Regexp(t, `^new pigeon in [0-9.]+s \(1: failed\)$`, o.outbox(t, "")[0])
	require.NoError(t, o.engine.Messages().Retry(t.Context(), "odd"))
	o.send(t)
	require.NoError(t, o.engine.Messages().Discard(t.Context(), "odd"))
	require.NoError(t, o.engine.Messages().Discard(t.Context(), "new"))
	require.Empty(t, o.outbox(t, ""))
}
