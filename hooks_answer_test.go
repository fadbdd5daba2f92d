package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// preApproving is an office whose requests ask the hook crm before anything else.
func preApproving(t testing.TB, change func(*dsr.Config)) (*office, *receivers) {
	t.Helper()
	return hooking(t, dsr.Flow{Before: []dsr.Hooking{{Hook: "crm", TwoWay: true}, {Hook: "mdm", TwoWay: true}}}, change)
}

func found(t *testing.T, o *office, kind, value string) []string {
	t.Helper()
	list, err := o.List(t.Context(), dsr.Filter{Identities: dsr.Identities{kind: {value}}})
	require.NoError(t, err)
	return ids(list.Requests)
}

// TestHookAddsIdentities: what a hook adds is sealed, found by lists, seen by
// the hook after it and looked for, as if it had been submitted.
func TestHookAddsIdentities(t *testing.T) {
	t.Parallel()
	o, hooks := preApproving(t, nil)
	more := dsr.Identities{"email": {"bob@example.com", "ada@example.com"}, "loyalty_no": {"L-4711"}, "phone_number": {}}
	hooks.answer("crm", dsr.HookAnswer{Identities: more})
	require.Empty(t, found(t, o, "email", "bob@example.com"))
	o.submitted(t, submission("access", "ada@example.com", "ada@example.com"))
	req := o.advanced(t, "r1", dsr.StatusComplete)

	want := dsr.Identities{"email": {"ada@example.com", "bob@example.com"}, "loyalty_no": {"L-4711"}}
	require.Equal(t, want, o.identities(t, "r1"))
	require.Equal(t, want, hooks.list()[1].Identities, "of the next hook")
	require.Equal(t, []int{2, 0}, []int{req.Hooks[0].Identities, req.Hooks[1].Identities})
	require.Equal(t, int64(2), outcome(t, req, "shop:customers").Rows)
	require.Equal(t, int64(3), outcome(t, req, "shop:orders").Rows)
	require.Contains(t, o.packages.file("r1.json"), "n11")
	require.Equal(t, []string{"r1"}, found(t, o, "email", "bob@example.com"))
	require.Equal(t, []string{"r1"}, found(t, o, "loyalty_no", "L-4711"))
	require.Equal(t, []string{"r1"}, found(t, o, "email", "ada@example.com"))

	rec, err := o.store.Request(t.Context(), "r1")
	require.NoError(t, err)
	all := fmt.Sprintf("%s %s %s %s %v", rec.Identity, rec.State, rec.Outcomes, rec.Plan, o.trail(t, "r1")) + o.logs.String()
	for _, canary := range []string{"bob@example.com", "L-4711", "ada@example.com"} {
		require.NotContains(t, all, canary)
	}
	o.sound(t)
}

// TestAnswersThatAreRefused: the request stops with a clear error, nothing of
// the answer is kept, and Retry asks again under the same ID.
func TestAnswersThatAreRefused(t *testing.T) {
	t.Parallel()
	many := make([]string, 1000) // with the one of the submission too many
	for i := range many {
		many[i] = fmt.Sprint("v", i)
	}
	again, kinds := slices.Repeat([]string{"ada@example.com"}, 1001), dsr.Identities{}
	for i := range 1001 {
		kinds[fmt.Sprint("kind", i)] = []string{}
	}
	tests := []struct {
		name   string
		answer dsr.HookAnswer
		err    error
		want   string
	}{
		{"empty value", dsr.HookAnswer{Identities: dsr.Identities{"email": {"bob@example.com", " "}}}, nil, "dsr: error: identity email: a value is empty"},
		{"long value", dsr.HookAnswer{Identities: dsr.Identities{"email": {strings.Repeat("x", 1001)}}}, nil, "dsr: error: identity email: a value has more than 1000 bytes"},
		{"no text", dsr.HookAnswer{Identities: dsr.Identities{"email": {"\xff"}}}, nil, "dsr: error: identity email: a value is not valid UTF-8 text"},
		{"too many", dsr.HookAnswer{Identities: dsr.Identities{"email": many}}, nil, "dsr: error: submission: it has more than 1000 identities"},
		{"one too often", dsr.HookAnswer{Identities: dsr.Identities{"email": again}}, nil, "it answers with more than 1000 identities"},
		{"too many kinds", dsr.HookAnswer{Identities: kinds}, nil, "it answers with more than 1000 identities"},
		{"a person for a kind", dsr.HookAnswer{Identities: dsr.Identities{"bob@example.com": {"x"}}}, nil, "it answers with a kind of identity that no dataset has, and that is not made of 1 to 64 letters, digits, dots, dashes and underscores"},
		{"no kind", dsr.HookAnswer{Identities: dsr.Identities{"": {"x"}}}, nil, "it answers with a kind of identity that no dataset has, and that is not made of 1 to 64 letters, digits, dots, dashes and underscores"},
		{"eligible", dsr.HookAnswer{Eligible: no()}, nil, "it answers whether the request is eligible, which only pre-approval asks"},
		{"error", dsr.HookAnswer{}, errors.New("it answers 400"), "it answers 400"},
		{"error of an engine", dsr.HookAnswer{}, fmt.Errorf("%w: of its own", dsr.ErrLeased), "dsr: the request is being advanced elsewhere: of its own"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o, hooks := preApproving(t, nil)
			hooks.does("crm", func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error) { return &test.answer, test.err })
			o.submitted(t, submission("both", "ada@example.com"))
			req, err := o.Advance(t.Context(), "r1")
			require.EqualError(t, err, `dsr: request r1 failed at stage plan: pre_execution hook "crm": `+test.want)
			var failed *dsr.FailedError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, dsr.StatusError, req.Status)
			require.Equal(t, `pre_execution hook "crm": `+test.want, req.Failure)
			require.Empty(t, req.Hooks)
			require.Equal(t, dsr.Identities{"email": {"ada@example.com"}}, o.identities(t, "r1"))
			require.Empty(t, o.db().readCounts())

			hooks.answer("crm", dsr.HookAnswer{})
			_, err = retry(t, o.engine, "r1")
			require.NoError(t, err)
			o.requireStatus(t, "r1", dsr.StatusComplete)
			called := hooks.ids("crm")
			require.Len(t, called, 2)
			require.Equal(t, called[0], called[1])
			require.Len(t, hooks.ids("mdm"), 1)
		})
	}
}

func TestHookThatPanics(t *testing.T) {
	t.Parallel()
	o, hooks := preApproving(t, nil)
	hooks.does("crm", func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error) { panic("ada@example.com") })
	o.submitted(t, submission("access", "ada@example.com"))
	req, err := o.Advance(t.Context(), "r1")
	require.EqualError(t, err, `dsr: request r1 failed at stage plan: pre_execution hook "crm": the code that was called panicked; see the stack in the error`)
	var panicked interface{ Error() string }
	require.ErrorAs(t, err, &panicked)
	require.Equal(t, dsr.StatusError, req.Status)
	require.NotContains(t, o.logs.String(), "ada@")
}

// TestHookHalts: the request waits for the hook, until it resumes it by its
// token, with more identities, or a person does.
func TestHookHalts(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"token", "person"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			o, hooks := preApproving(t, nil)
			hooks.answer("crm", dsr.HookAnswer{Halt: true, Identities: dsr.Identities{"loyalty_no": {"L-4711"}}})
			o.submitted(t, submission("access", "ada@example.com"))
			req := o.advanced(t, "r1", dsr.StatusPaused)
			require.Equal(t, []string{"hook:crm"}, req.Awaits)
			require.Equal(t, []dsr.HookOutcome{{Hook: "crm", Phase: dsr.HookBefore, At: begin, Halted: true, Identities: 1}}, req.Hooks)
			o.clock.add(time.Hour)
			o.advanced(t, "r1", dsr.StatusPaused)
			require.Len(t, hooks.list(), 1)

			token, want := hooks.token(t, "crm"), int64(1)
			if by == "person" {
				o.done(t, o.Resume, "r1", dsr.StatusInProcessing)
			} else {
				req, err := o.ResumeWith(t.Context(), "r1", token, dsr.Identities{"email": {"bob@example.com"}})
				require.NoError(t, err)
				require.Equal(t, dsr.StatusInProcessing, req.Status)
				require.Equal(t, 2, req.Hooks[0].Identities)
				require.Empty(t, req.Awaits)
				require.Contains(t, o.trail(t, "r1"), "resumed hook=crm identities=1")
				want = 2
			}
			req = o.advanced(t, "r1", dsr.StatusComplete)
			require.Equal(t, want, outcome(t, req, "shop:customers").Rows)
			require.Len(t, hooks.ids("crm"), 1)
			require.Len(t, hooks.ids("mdm"), 1)
			_, err := o.ResumeWith(t.Context(), "r1", token, nil)
			require.ErrorIs(t, err, dsr.ErrConflict)
			o.sound(t)
		})
	}
}

// TestHookThatIsDown: the request waits by itself, with growing pauses that
// begin anew for the next hook, and asks again under the same ID.
func TestHookThatIsDown(t *testing.T) {
	t.Parallel()
	o, hooks := preApproving(t, nil)
	down := fmt.Errorf("%w: it answers 503", dsr.ErrUnavailable)
	hooks.fails("crm", down)
	hooks.fails("mdm", down)
	o.submitted(t, submission("access", "ada@example.com"))
	wait := func(hook string, tries int) *dsr.Request {
		t.Helper()
		req := o.advanced(t, "r1", dsr.StatusInProcessing)
		require.Equal(t, `pre_execution hook "`+hook+`": dsr: unavailable for now: it answers 503`, req.Waiting.Reason)
		require.Equal(t, tries, req.Waiting.Tries)
		require.True(t, req.DueAt.After(o.clock.Now()))
		require.Equal(t, req.DueAt, req.Waiting.Until)
		o.advanced(t, "r1", dsr.StatusInProcessing) // too early
		o.clock.add(req.DueAt.Sub(o.clock.Now()))
		return req
	}
	for tries := 1; tries <= 4; tries++ {
		wait("crm", tries)
	}
	hooks.answer("crm", dsr.HookAnswer{})
	wait("mdm", 1)
	wait("mdm", 2)
	hooks.answer("mdm", dsr.HookAnswer{})
	req := o.advanced(t, "r1", dsr.StatusComplete)
	require.Nil(t, req.Waiting)
	for hook, times := range map[string]int{"crm": 5, "mdm": 3} {
		called := hooks.ids(hook)
		require.Len(t, called, times)
		require.Len(t, slices.Compact(called), 1, hook)
	}
	require.Equal(t, []string{"received", "started", "waiting", "hook answered", "going on", "waiting", "hook answered", "going on", "planned"}, o.actions(t, "r1")[:9])
}

// TestHookThatStaysDown: after Retry.GiveUp the request stops.
func TestHookThatStaysDown(t *testing.T) {
	t.Parallel()
	o, hooks := preApproving(t, func(c *dsr.Config) { c.Retry.GiveUp = time.Hour })
	hooks.fails("crm", fmt.Errorf("%w: it answers 503", dsr.ErrUnavailable))
	o.submitted(t, submission("access", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusInProcessing)
	o.clock.add(2 * time.Hour)
	_, err := o.Advance(t.Context(), "r1")
	require.ErrorContains(t, err, "it answers 503")
	o.requireStatus(t, "r1", dsr.StatusError)
}

// TestAnswerAfterTheRequestWasCanceled: it is dropped.
func TestAnswerAfterTheRequestWasCanceled(t *testing.T) {
	t.Parallel()
	for _, answer := range []dsr.HookAnswer{{}, {Halt: true}, {Identities: dsr.Identities{"email": {"bob@example.com"}}}} {
		o, hooks := preApproving(t, nil)
		hooks.does("crm", func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error) {
			return &answer, cancel(t, o.engine, "r1")
		})
		o.submitted(t, submission("access", "ada@example.com"))
		_, err := o.Advance(t.Context(), "r1")
		require.ErrorIs(t, err, dsr.ErrConflict)
		req := o.requireStatus(t, "r1", dsr.StatusCanceled)
		require.Empty(t, req.Hooks)
		require.Equal(t, dsr.Identities{"email": {"ada@example.com"}}, o.identities(t, "r1"))
		require.Empty(t, found(t, o, "email", "bob@example.com"))
		_, err = o.ResumeWith(t.Context(), "r1", hooks.token(t, "crm"), nil)
		require.EqualError(t, err, "dsr: cannot resume request r1: it is canceled and does not wait for hook crm")
	}
}

// TestAnswersThatComeTooLate: when all is done, an answer can only be heard. The
// request comes to its end all the same, and everybody can see what was left
// out.
func TestAnswersThatComeTooLate(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]dsr.HookAnswer{
		"halt": {Halt: true}, "identities": {Identities: dsr.Identities{"email": {"bob@example.com"}}}, "eligible": {Eligible: no()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, hooks := hooking(t, dsr.Flow{After: []dsr.Hooking{{Hook: "ledger", TwoWay: true}}}, nil)
			hooks.answer("ledger", answer)
			o.submitted(t, submission("erase", "ada@example.com"))
			req := o.advanced(t, "r1", dsr.StatusComplete)
			require.Equal(t, []dsr.HookOutcome{{Hook: "ledger", Phase: dsr.HookAfter, At: begin, TooLate: true}}, req.Hooks)
			require.Empty(t, hooks.list()[0].Token)
			require.Equal(t, dsr.Identities{"email": {"ada@example.com"}}, o.identities(t, "r1"))
			require.Contains(t, o.trail(t, "r1"), "hook answered halt=false hook=ledger identities=0 phase=post_execution too late=true")
			require.Contains(t, lines(t, o.engine, "r1", "complete"), "hook answered  post_execution hook ledger: what else it answered only counts before execution, and was left out")
		})
	}
}

// TestAfterHookThatFails: the work is done, and done once.
func TestAfterHookThatFails(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{After: []dsr.Hooking{{Hook: "ledger", TwoWay: true}}}, nil)
	hooks.fails("ledger", errors.New("it answers 400"))
	o.submitted(t, submission("both", "ada@example.com"))
	_, err := o.Advance(t.Context(), "r1")
	require.EqualError(t, err, `dsr: request r1 failed at stage finish: post_execution hook "ledger": it answers 400`)
	applied, read := o.db().applied(), maps.Clone(o.db().readCounts())
	hooks.fails("ledger", fmt.Errorf("%w: it answers 503", dsr.ErrUnavailable))
	req, err := retry(t, o.engine, "r1")
	require.NoError(t, err)
	require.NotNil(t, req.Waiting)
	hooks.answer("ledger", dsr.HookAnswer{})
	o.clock.add(time.Hour)
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, applied, o.db().applied())
	require.Equal(t, read, o.db().readCounts())
	require.Len(t, slices.Compact(hooks.ids("ledger")), 1)
}

// TestAddedIdentityOfARequestAtWork: two requests of one data subject must not
// work at once, also when a hook finds out only then.
func TestAddedIdentityOfARequestAtWork(t *testing.T) {
	t.Parallel()
	o, hooks := preApproving(t, nil)
	other := make(chan error, 1)
	hooks.does("crm", func(ctx context.Context, c *dsr.HookCall) (*dsr.HookAnswer, error) {
		if c.Request.ID == "r2" {
			return nil, nil
		}
		// While r1 asks, r2 of bob takes its lease, and is in the midst of
		// its work when r1 hears that its ada is bob.
		hooks.does("mdm", func(ctx context.Context, c *dsr.HookCall) (*dsr.HookAnswer, error) {
			if c.Request.ID == "r1" {
				return nil, nil
			}
			hooks.answer("crm", dsr.HookAnswer{Identities: dsr.Identities{"email": {"bob@example.com"}}})
			_, err := o.Advance(ctx, "r3")
			other <- err
			return nil, nil
		})
		_, err := o.Advance(ctx, "r2")
		return nil, err
	})
	o.submitted(t, submission("access", "cyd@example.com"))
	o.submitted(t, submission("access", "bob@example.com"))
	o.submitted(t, submission("erase", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusComplete)
	require.ErrorIs(t, <-other, dsr.ErrLeased)
	o.requireStatus(t, "r2", dsr.StatusComplete)
	req := o.requireStatus(t, "r3", dsr.StatusInProcessing)
	require.Equal(t, 1, req.Hooks[0].Identities)
	require.Equal(t, dsr.StagePlan, req.Stage)

	calls := len(hooks.ids("crm"))
	req = o.advanced(t, "r3", dsr.StatusComplete)
	require.Len(t, hooks.ids("crm"), calls, "its answer is kept")
	require.Equal(t, int64(2), outcome(t, req, "shop:customers").Rows)
}

// A hook is told what is sealed of the request, by both ways, and what it does to
// that changes nothing.
func TestHooksAreToldWhatIsSealed(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{
		PreApproval: []string{"fraud"}, Before: []dsr.Hooking{{Hook: "crm", TwoWay: true}, {Hook: "late", TwoWay: true}},
	}, nil)
	hooks.answer("fraud", dsr.HookAnswer{Eligible: yes()})
	hooks.does("crm", func(_ context.Context, c *dsr.HookCall) (*dsr.HookAnswer, error) {
		clear(c.Request.Opened.Identities)
		return &dsr.HookAnswer{Identities: dsr.Identities{"loyalty_no": {"L-4711"}, "email": {"ada@example.com"}}}, nil
	})
	s := submission("access", "ada@example.com")
	s.By, s.Source = dsr.By{Actor: "desk"}, "Privacy Center"
	o.submitted(t, s)
	o.advanced(t, "r1", dsr.StatusComplete)
	calls := hooks.list()
	require.Len(t, calls, 3)
	for _, c := range calls {
		require.Equal(t, "desk", c.Request.Opened.Last("received").Actor, c.Hook)
		require.Equal(t, "Privacy Center", c.Request.Opened.Source, c.Hook)
	}
	require.Equal(t, dsr.Identities{"loyalty_no": {"L-4711"}, "email": {"ada@example.com"}}, calls[2].Identities, "a value that was there is not there twice")
}
