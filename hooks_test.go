package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// everywhere names hooks of every sort.
func everywhere() dsr.Flow {
	return dsr.Flow{
		PreApproval: []string{"fraud"},
		Before:      []dsr.Hooking{{Hook: "desk"}, {Hook: "crm", TwoWay: true}, {Hook: "late"}},
		After:       []dsr.Hooking{{Hook: "ledger", TwoWay: true}, {Hook: "desk"}},
	}
}

func TestHooksAreCalledInTheirOrder(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, everywhere(), nil)
	hooks.answer("fraud", dsr.HookAnswer{Eligible: yes()})
	o.submitted(t, submission("both", "ada@example.com"))
	o.requireStatus(t, "r1", dsr.StatusApproved)
	req := o.advanced(t, "r1", dsr.StatusComplete)
	o.send(t)
	require.Equal(t, []string{
		"pre_approval fraud r1 awaiting_pre_approval asked token",
		"pre_execution crm r1 in_processing asked token",
		"post_execution ledger r1 in_processing asked",
		"pre_execution desk r1 complete", // told by way of the outbox
		"pre_execution late r1 complete",
		"post_execution desk r1 complete",
	}, hooks.lines())
	seen := map[string]bool{}
	for _, c := range hooks.list() {
		require.Equal(t, dsr.Identities{"email": {"ada@example.com"}}, c.Identities)
		require.Equal(t, "both", c.Request.Policy)
		require.Equal(t, req.Actions, c.Actions)
		require.Nil(t, c.Request.Collections, "as lists show it")
		require.Regexp(t, `^[A-Za-z0-9._-]+$`, c.ID)
		require.False(t, seen[c.ID])
		seen[c.ID] = true
	}
	require.Equal(t, []dsr.HookOutcome{
		{Hook: "desk", Phase: dsr.HookBefore, At: begin}, {Hook: "crm", Phase: dsr.HookBefore, At: begin},
		{Hook: "late", Phase: dsr.HookBefore, At: begin}, {Hook: "ledger", Phase: dsr.HookAfter, At: begin},
		{Hook: "desk", Phase: dsr.HookAfter, At: begin},
	}, req.Hooks)
	require.Equal(t, []string{
		"received policy=both", "pre-approved check=fraud eligible=true", "started",
		"hook told hook=desk phase=pre_execution",
		"hook answered halt=false hook=crm identities=0 phase=pre_execution",
		"hook told hook=late phase=pre_execution",
	}, o.trail(t, "r1")[:6])
	require.Empty(t, o.pending(t))
	require.Equal(t, map[string]int{"customers": 1, "orders": 1, "visits": 1}, o.db().readCounts())
	o.sound(t)
}

// TestAdvanceAfterTheEndCallsNobody: a request that is done stays done.
func TestAdvanceAfterTheEndCallsNobody(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{Before: []dsr.Hooking{{Hook: "crm", TwoWay: true}}}, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusComplete)
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Len(t, hooks.list(), 1)
}

// failingStore dies at one of its calls: that one and all later ones fail, and
// the one may have had its effect.
type failingStore struct {
	dsr.Store
	at     int
	effect bool
	calls  int
	died   bool
}

var errDied = errors.New("the process died")

func (s *failingStore) call(do func() error) error {
	s.calls++
	switch {
	case s.died || s.calls == s.at && !s.effect:
		s.died = true
		return errDied
	case s.calls == s.at:
		s.died = true
		_ = do()
		return errDied
	}
	return do()
}

func (s *failingStore) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	return s.call(func() error { return s.Store.Commit(ctx, ch) })
}

func (s *failingStore) SaveMessages(ctx context.Context, changes []dsr.MessageChange) error {
	return s.call(func() error { return s.Store.SaveMessages(ctx, changes) })
}

func (s *failingStore) Request(ctx context.Context, id string) (rec *dsr.Record, err error) {
	err = s.call(func() error { rec, err = s.Store.Request(ctx, id); return err })
	return rec, err
}

func (s *failingStore) Requests(ctx context.Context, q dsr.RecordQuery) (list []*dsr.Record, err error) {
	err = s.call(func() error { list, err = s.Store.Requests(ctx, q); return err })
	return list, err
}

func (s *failingStore) Messages(ctx context.Context, q dsr.MessageQuery) (list []dsr.Message, err error) {
	err = s.call(func() error { list, err = s.Store.Messages(ctx, q); return err })
	return list, err
}

// TestHooksSurviveCrashes kills a process at each call of its store. The next
// one carries on: every hook is called, and what is called again comes under
// the same ID.
func TestHooksSurviveCrashes(t *testing.T) {
	t.Parallel()
	for _, effect := range []bool{false, true} {
		for at, died := 1, true; died; at++ {
			died = crashAtCall(t, at, effect)
			require.Less(t, at, 200)
		}
	}
}

func crashAtCall(t *testing.T, at int, effect bool) (died bool) {
	t.Helper()
	o, hooks := hooking(t, everywhere(), nil)
	hooks.answer("fraud", dsr.HookAnswer{Eligible: yes()})
	hooks.answer("crm", dsr.HookAnswer{Identities: dsr.Identities{"email": {"bob@example.com"}}})
	c := o.config
	store := &failingStore{Store: c.Store, at: at, effect: effect}
	c.Store = store
	first := newEngine(t, c)
	ctx, name := t.Context(), fmt.Sprint("at call ", at, ", effect ", effect)
	_, err := first.Requests().Submit(ctx, submission("both", "ada@example.com"))
	if err == nil {
		_, _ = first.Requests().Advance(ctx, "r1")
		_, _ = first.Messages().Send(ctx)
	}
	if _, err := o.Get(ctx, "r1"); errors.Is(err, dsr.ErrNotFound) {
		require.True(t, store.died)
		require.Empty(t, hooks.list(), name)
		return true
	}
	for range 3 { // the second process, which waits for leases and claims of the first
		o.clock.add(time.Hour)
		o.send(t)
		_, err := o.Advance(ctx, "r1")
		require.NoError(t, err, name)
	}
	o.send(t)
	req := o.requireStatus(t, "r1", dsr.StatusComplete)
	require.Len(t, req.Hooks, 5, name)
	require.Empty(t, o.pending(t), name)
	byID := map[string]string{}
	for _, c := range hooks.list() {
		effect := fmt.Sprint(c.Phase, " ", c.Hook)
		if had, again := byID[c.ID]; again {
			require.Equal(t, had, effect, name)
		}
		byID[c.ID] = effect
	}
	effects := map[string]int{}
	for _, effect := range byID {
		effects[effect]++
	}
	require.Equal(t, map[string]int{
		"pre_approval fraud": 1, "pre_execution desk": 1, "pre_execution crm": 1, "pre_execution late": 1,
		"post_execution ledger": 1, "post_execution desk": 1,
	}, effects, name)
	trail := strings.Join(o.trail(t, "r1"), "\n")
	require.Equal(t, 1, strings.Count(trail, "pre-approved"), name)
	require.Equal(t, 1, strings.Count(trail, "hook=crm identities=1"), name)
	require.Equal(t, 1, strings.Count(trail, "hook=ledger"), name)
	require.Equal(t, 3, strings.Count(trail, "hook told"), name)
	require.Equal(t, int64(3), outcome(t, req, "shop:visits").Rows, "%s: those of bob, too", name)
	o.sound(t)
	return store.died
}

func TestOneWayHooksHoldUpNothing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		hook   func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error)
		parked string // what is in the outbox then
		notice string
	}{
		{"down", fails(fmt.Errorf("%w: closed for today", dsr.ErrUnavailable)), "r1 hook desk tries 1 dsr: unavailable for now: closed for today", ""},
		{"refuses", fails(errors.New("it answers 410")), "r1 hook desk tries 1 it answers 410, refused", "r1 input required pre_execution hook desk was called in vain: it answers 410"},
		{"quotes an engine", fails(fmt.Errorf("%w: of its own", dsr.ErrConflict)), "r1 hook desk tries 1 dsr: the request was changed meanwhile: of its own, refused", "r1 input required pre_execution hook desk was called in vain: dsr: the request was changed meanwhile: of its own"},
		{"panics", func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error) { panic("ada@example.com") }, "r1 hook desk tries 1 the code that was called panicked; see the stack in the error, refused", ""},
		{"answers too much", func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error) {
			return &dsr.HookAnswer{Halt: true, Eligible: no(), Identities: dsr.Identities{"email": {"bob@example.com"}}}, nil
		}, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o, hooks := hooking(t, dsr.Flow{Before: []dsr.Hooking{{Hook: "desk"}}}, nil)
			hooks.does("desk", test.hook)
			o.submitted(t, submission("access", "ada@example.com"))
			o.advanced(t, "r1", dsr.StatusComplete)
			require.Equal(t, dsr.Identities{"email": {"ada@example.com"}}, o.identities(t, "r1"))
			var parked []string
			for _, line := range o.pending(t) {
				if strings.Contains(line, " hook ") {
					parked = append(parked, line)
				}
			}
			if test.parked == "" {
				require.Empty(t, parked)
				return
			}
			require.Equal(t, []string{test.parked}, parked)
			o.send(t)
			if test.notice != "" {
				require.Contains(t, o.notices(), test.notice)
			}
			require.NotContains(t, o.logs.String(), "ada@example.com")

			hooks.answer("desk", dsr.HookAnswer{}) // mended
			list, err := o.engine.Messages().Pending(t.Context(), "r1", 0)
			require.NoError(t, err)
			require.NoError(t, o.engine.Messages().Retry(t.Context(), list[0].ID))
			o.send(t)
			require.Empty(t, o.pending(t))
			ids := hooks.ids("desk")
			require.Len(t, ids, 2)
			require.Equal(t, ids[0], ids[1])
		})
	}
}

func fails(err error) func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error) {
	return func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error) { return nil, err }
}

// TestHookThatHangs: neither sort of hook can hold the engine for longer than a
// minute, even one that does not look at its context.
func TestHookThatHangs(t *testing.T) {
	t.Parallel()
	for _, twoWay := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			o, hooks := hooking(t, dsr.Flow{Before: []dsr.Hooking{{Hook: "crm", TwoWay: twoWay}}}, nil)
			hung := make(chan struct{})
			defer close(hung)
			hooks.does("crm", func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error) { <-hung; return nil, nil })
			o.submitted(t, submission("access", "ada@example.com"))
			start := time.Now()
			req, err := o.Advance(t.Context(), "r1")
			require.NoError(t, err)
			require.Equal(t, 45*time.Second, time.Since(start))
			if !twoWay {
				require.Equal(t, dsr.StatusComplete, req.Status)
				require.Equal(t, []string{"r1 hook crm tries 1 no answer came within 45s"}, o.pending(t))
				return
			}
			require.Equal(t, dsr.StatusInProcessing, req.Status)
			require.Equal(t, `pre_execution hook "crm": no answer came within 45s`, req.Waiting.Reason)
			require.Empty(t, o.db().readCounts())
		})
	}
}
