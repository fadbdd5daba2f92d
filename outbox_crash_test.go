package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// mortal is the store and the notifier of a process that is killed at its n-th
// call of either: before the call, or when it is done and not answered yet.
type mortal struct {
	dsr.Store
	notifier dsr.Notifier
	process  *process

	mu    sync.Mutex
	calls int
	doing []int // calls that do something
	die   int   // 0 for never
	after bool
}

// do makes a call that does something, or dies.
func (m *mortal) do(do func() error) error {
	m.mu.Lock()
	m.doing = append(m.doing, m.calls+1)
	m.mu.Unlock()
	return m.call(do)
}

// call makes a call, or dies.
func (m *mortal) call(do func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.process.check(); err != nil {
		return err
	}
	m.calls++
	if m.calls != m.die {
		return do()
	}
	if m.after {
		_ = do()
	}
	m.process.dead.Store(true)
	return errKilled
}

func (m *mortal) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	return m.do(func() error { return m.Store.Commit(ctx, ch) })
}

func (m *mortal) SaveMessages(ctx context.Context, changes []dsr.MessageChange) error {
	return m.do(func() error { return m.Store.SaveMessages(ctx, changes) })
}

func (m *mortal) Messages(ctx context.Context, q dsr.MessageQuery) (list []dsr.Message, err error) {
	err = m.call(func() (err error) { list, err = m.Store.Messages(ctx, q); return err })
	return list, err
}

func (m *mortal) Request(ctx context.Context, id string) (rec *dsr.Record, err error) {
	err = m.call(func() (err error) { rec, err = m.Store.Request(ctx, id); return err })
	return rec, err
}

func (m *mortal) Requests(ctx context.Context, q dsr.RecordQuery) (list []*dsr.Record, err error) {
	err = m.call(func() (err error) { list, err = m.Store.Requests(ctx, q); return err })
	return list, err
}

func (m *mortal) Notify(ctx context.Context, n dsr.Notice) error {
	return m.do(func() error { return m.notifier.Notify(ctx, n) })
}

// live lets processes work on an office until all is done: the first dies at its
// n-th call. step does what comes next, and reports whether something did; a
// process that died in it is followed by another, three minutes later. It
// returns the calls of the last one, and those of them that do something.
func live(t testing.TB, o *office, die int, after bool, step func(e *dsr.Engine) (bool, error)) (calls, doing []int) {
	t.Helper()
	for life := 1; ; life++ {
		require.Less(t, life, 4, "processes die without being killed")
		c := o.config
		p := &process{}
		m := &mortal{Store: c.Store, notifier: o.notifier, process: p, die: die, after: after}
		c.Store, c.Notifier, c.Connections = m, m, slices.Clone(c.Connections)
		c.Connections[0].Connector = &dyingConnector{o.db(), p}
		c.Destinations = map[string]dsr.Destination{"folder": {Storage: &dyingDestination{o.packages, p}}}
		e := newEngine(t, c)
		for {
			more, err := step(e)
			if p.dead.Load() {
				break
			}
			require.NoError(t, err)
			if !more {
				for n := range m.calls {
					calls = append(calls, n+1)
				}
				return calls, m.doing
			}
		}
		die = 0
		o.clock.add(3 * time.Minute)
	}
}

// heard lists what arrived, each notice once. One that came again must be as it
// was before.
func heard(t testing.TB, o *office) []string {
	t.Helper()
	seen := map[string]string{}
	var lines []string
	for _, n := range o.notifier.Notices() {
		if n.Code != "" { // which says how long it is good from now
			n.At, n.Text, n.HTML = n.CodeExpires, "", ""
		}
		content := fmt.Sprint(toldLine(&n), n.Code, n.Subject, n.Text, n.HTML, n.At, len(n.People), n.Links)
		for _, ids := range n.People {
			content += strings.Join(ids["email"], ",")
		}
		if before, again := seen[n.ID]; again {
			require.Equal(t, before, content, "%s came again", n.ID)
			continue
		}
		seen[n.ID] = content
		lines = append(lines, toldLine(&n))
	}
	return lines
}

// Wherever in its life a process is killed, every notice arrives, under one ID.
func TestKilledAnywhereNoNoticeIsLost(t *testing.T) {
	t.Parallel()
	texts, err := dsr.NewTexts(nil) // once, which is faster
	require.NoError(t, err)
	begun := func() *office {
		o := linked(t, func(c *dsr.Config) {
			c.Texts = texts
			c.Flow = dsr.Flow{VerifyIdentity: true, CodeTTL: time.Hour, Approval: true, Finalization: true, Timeframe: 24 * time.Hour}
		})
		return o
	}
	// step does the next thing that a host, a data subject and a clerk do.
	step := func(o *office) func(e *dsr.Engine) (bool, error) {
		return func(e *dsr.Engine) (bool, error) {
			if _, err := e.Messages().Send(t.Context()); err != nil {
				return true, err
			}
			r := e.Requests()
			req, err := o.Get(t.Context(), "r1")
			switch {
			case errors.Is(err, dsr.ErrNotFound):
				s := submission("both", "ada@example.com")
				_, err = r.Submit(t.Context(), s)
			case err != nil:
			case req.Status == dsr.StatusUnverified:
				_, err = r.Verify(t.Context(), "r1", o.code(t))
			case req.Status == dsr.StatusPending && req.DeadlineAt.Before(begin.AddDate(0, 1, 0)):
				_, err = r.Extend(t.Context(), "r1", begin.AddDate(0, 2, 0), dsr.By{Reason: "much to do"})
			case req.Status == dsr.StatusPending:
				_, err = r.Approve(t.Context(), "r1", clerk)
			case req.Status == dsr.StatusRequiresFinalization:
				_, err = r.Finalize(t.Context(), "r1", clerk)
			case req.Status == dsr.StatusComplete:
				return false, nil
			default:
				_, err = r.Advance(t.Context(), "r1")
			}
			return true, err
		}
	}
	o := begun()
	o.config.NewID = func() string { return "r1" }
	calls, doing := live(t, o, 0, false, step(o))
	want := heard(t, o)
	require.Equal(t, []string{
		"received to ada@example.com deadline=2030-01-03", "verify to ada@example.com deadline=2030-01-03 code for=0s",
		"extended to ada@example.com reason=much to do deadline=2030-03-02", "approved to ada@example.com deadline=2030-03-02",
		"finalization required deadline=2030-03-02", "complete to ada@example.com packages=r1.json deadline=2030-03-02",
	}, want)
	require.Greater(t, len(doing), 25)
	for after, at := range map[bool][]int{false: calls, true: doing} {
		for _, die := range at {
			o := begun()
			o.config.NewID = func() string { return "r1" }
			live(t, o, die, after, step(o))
			// One whose sender died comes when its claim is over, after others.
			require.ElementsMatch(t, want, heard(t, o), "killed at call %d, done: %t", die, after)
			require.Empty(t, o.outbox(t, ""))
			o.sound(t)
		}
	}
}

// Wherever a process is killed that asks vendors, each request is asked about in
// one message for each vendor, which comes again as it was.
func TestKilledAnywhereVendorsAreAskedOnce(t *testing.T) {
	t.Parallel()
	texts, err := dsr.NewTexts(nil) // once, which is faster
	require.NoError(t, err)
	waiting := func() *office {
		o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) { c.Vendors, c.Texts = []dsr.Vendor{thursdays, daily}, texts })
		o.sendAt(t, begin)
		for _, who := range []string{"ada@example.com", "bob@example.com"} {
			o.submitted(t, submission("erase", who))
		}
		o.clock.add(on(3, 13).Sub(begin)) // both vendors' time has come
		return o
	}
	step := func(o *office) func(e *dsr.Engine) (bool, error) {
		return func(e *dsr.Engine) (bool, error) {
			more := false
			for _, id := range []string{"r1", "r2"} {
				req, err := o.Get(t.Context(), id)
				require.NoError(t, err)
				if req.Status == dsr.StatusPendingExternal {
					more = true
					_, err = e.Vendors().Confirm(t.Context(), id, "crm", clerk)
				} else if req.Status != dsr.StatusComplete {
					more = true
					_, err = e.Requests().Advance(t.Context(), id)
				}
				if err != nil {
					return true, err
				}
			}
			_, err := e.Messages().Send(t.Context())
			return more, err
		}
	}
	check := func(o *office) {
		arrived := heard(t, o)
		slices.Sort(arrived)
		require.Equal(t, []string{
			"complete to ada@example.com", "complete to bob@example.com", "erase", "erase",
			"input required message=vendors were asked to erase and have to answer: crm; say so with Vendors.Confirm once they have",
			"input required message=vendors were asked to erase and have to answer: crm; say so with Vendors.Confirm once they have",
			"received to ada@example.com", "received to bob@example.com",
		}, arrived)
		asks := o.asks(t)
		slices.Sort(asks)
		require.Equal(t, []string{
			"ads ads <erase@ads.example>: ada@example.com bob@example.com", "crm CRM Ltd <privacy@crm.example>: ada@example.com bob@example.com",
		}, slices.Compact(asks))
		messages := map[string]string{}
		for _, n := range o.notifier.Notices() {
			if n.Vendor != nil {
				messages[n.Vendor.Key] = n.ID
			}
		}
		for _, id := range []string{"r1", "r2"} {
			for _, v := range o.requireStatus(t, id, dsr.StatusComplete).Vendors {
				require.Equal(t, messages[v.Vendor], v.Message)
			}
		}
		o.sound(t)
	}
	o := waiting()
	calls, doing := live(t, o, 0, false, step(o))
	check(o)
	require.Greater(t, len(doing), 25)
	for after, at := range map[bool][]int{false: calls, true: doing} {
		for _, die := range at {
			o := waiting()
			live(t, o, die, after, step(o))
			check(o)
		}
	}
}
