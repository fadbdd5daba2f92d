package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// TestPreApprovalByHooks: all yes approves, one no asks a person, and later waits.
func TestPreApprovalByHooks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name         string
		fraud, owner *bool
		status       dsr.Status
		answers      map[string]bool
		open         []string // answers that may come later
	}{
		{"all yes", yes(), yes(), dsr.StatusApproved, map[string]bool{"fraud": true, "owner": true}, nil},
		{"the first says no", no(), yes(), dsr.StatusNotEligible, map[string]bool{"fraud": false}, nil},
		{"the last says no", yes(), no(), dsr.StatusNotEligible, map[string]bool{"fraud": true, "owner": false}, nil},
		{"later", yes(), nil, dsr.StatusAwaitingPreApproval, map[string]bool{"fraud": true}, []string{"r1 hook owner tries 0 "}},
		{"all later", nil, nil, dsr.StatusAwaitingPreApproval, nil, []string{"r1 hook fraud tries 0 ", "r1 hook owner tries 0 "}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o, hooks := hooking(t, dsr.Flow{PreApproval: []string{"fraud", "owner"}, Approval: true}, nil)
			hooks.answer("fraud", dsr.HookAnswer{Eligible: test.fraud})
			hooks.answer("owner", dsr.HookAnswer{Eligible: test.owner})
			o.submitted(t, submission("access", "ada@example.com"))
			req := o.requireStatus(t, "r1", test.status)
			require.Equal(t, test.answers, req.PreApproval)
			o.send(t)
			require.Equal(t, test.open, o.pending(t))
			if test.status == dsr.StatusNotEligible {
				o.done(t, o.Deny, "r1", dsr.StatusDenied)
			}
			o.sound(t)
		})
	}
}

// TestPreApprovalLater: the answer that comes later comes by the token of the
// call, once.
func TestPreApprovalLater(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{PreApproval: []string{"fraud", "owner"}}, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	fraud, owner := hooks.token(t, "fraud"), hooks.token(t, "owner")
	req, err := o.PreApproveWith(t.Context(), "r1", fraud, true)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusAwaitingPreApproval, req.Status)
	_, err = o.PreApproveWith(t.Context(), "r1", fraud, false)
	require.EqualError(t, err, "dsr: cannot answer pre-approval for request r1: check fraud has its answer")
	require.ErrorIs(t, err, dsr.ErrConflict)
	req, err = o.PreApproveWith(t.Context(), "r1", owner, true)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusApproved, req.Status)
	_, err = o.PreApproveWith(t.Context(), "r1", owner, true)
	require.EqualError(t, err, "dsr: cannot answer pre-approval for request r1: it is approved; answer pre-approval takes a request that is awaiting_pre_approval")
	require.ErrorIs(t, err, dsr.ErrConflict)
}

// TestPreApprovalBesideTheHost: a check that is no hook is the host's.
func TestPreApprovalBesideTheHost(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{PreApproval: []string{"fraud", "contract"}}, func(c *dsr.Config) { delete(c.Hooks, "contract") })
	hooks.answer("fraud", dsr.HookAnswer{Eligible: yes()})
	o.submitted(t, submission("access", "ada@example.com"))
	o.requireStatus(t, "r1", dsr.StatusAwaitingPreApproval)
	require.Equal(t, []string{"pre_approval fraud r1 awaiting_pre_approval asked token"}, hooks.lines())
	req, err := o.PreApproval(t.Context(), "r1", "contract", true, clerk)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusApproved, req.Status)
}

// TestPreApprovalAfterVerification: nobody is asked, and nothing told, before
// the data subject is known.
func TestPreApprovalAfterVerification(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{VerifyIdentity: true, PreApproval: []string{"fraud"}}, nil)
	hooks.answer("fraud", dsr.HookAnswer{Eligible: yes()})
	o.submitted(t, submission("access", "ada@example.com"))
	o.send(t)
	require.Empty(t, hooks.list())
	_, err := o.Verify(t.Context(), "r1", o.code(t))
	require.NoError(t, err)
	o.send(t)
	o.requireStatus(t, "r1", dsr.StatusApproved)
	require.Len(t, hooks.list(), 1)
}

// TestPreApprovalAnew: a request that is submitted again asks again, under
// another ID, also where it waited for the same answer before.
func TestPreApprovalAnew(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{PreApproval: []string{"fraud"}}, nil)
	hooks.fails("fraud", fmt.Errorf("%w: it answers 503", dsr.ErrUnavailable))
	o.submitted(t, submission("access", "ada@example.com"))
	require.Equal(t, []string{"r1 hook fraud tries 1 dsr: unavailable for now: it answers 503"}, o.pending(t))
	old := hooks.token(t, "fraud")

	o.clock.add(time.Millisecond)
	hooks.answer("fraud", dsr.HookAnswer{})
	o.done(t, o.Resubmit, "r1", dsr.StatusAwaitingPreApproval)
	_, err := o.PreApproveWith(t.Context(), "r1", old, true)
	require.EqualError(t, err, "dsr: the token is not valid: the request has begun anew since")
	require.ErrorIs(t, err, dsr.ErrToken)
	o.clock.add(time.Hour)
	o.send(t) // the old call is dropped
	require.Equal(t, []string{"r1 hook fraud tries 0 "}, o.pending(t))
	called := hooks.ids("fraud")
	require.Len(t, called, 2)
	require.NotEqual(t, called[0], called[1])
	o.requireStatus(t, "r1", dsr.StatusAwaitingPreApproval)
	_, err = o.PreApproveWith(t.Context(), "r1", hooks.token(t, "fraud"), true)
	require.NoError(t, err)
	o.requireStatus(t, "r1", dsr.StatusApproved)
}

// TestAPersonDecidesMeanwhile: the late answer is dropped, and so is the call
// that was not made yet.
func TestAPersonDecidesMeanwhile(t *testing.T) {
	t.Parallel()
	for name, verb := range map[string]func(o *office) dsr.Verb{
		"approves": func(o *office) dsr.Verb { return o.Approve },
		"denies":   func(o *office) dsr.Verb { return o.Deny },
		"cancels":  func(o *office) dsr.Verb { return o.Cancel },
		"deletes":  func(o *office) dsr.Verb { return o.Delete },
		"resubmits": func(o *office) dsr.Verb {
			return o.Resubmit
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, hooks := hooking(t, dsr.Flow{PreApproval: []string{"fraud", "owner"}}, nil)
			var status dsr.Status
			hooks.does("fraud", func(ctx context.Context, _ *dsr.HookCall) (*dsr.HookAnswer, error) {
				hooks.does("fraud", nil)
				req, err := verb(o)(ctx, "r1", clerk)
				require.NoError(t, err)
				status = req.Status
				return &dsr.HookAnswer{Eligible: no()}, nil
			})
			o.submitted(t, submission("access", "ada@example.com"))
			o.send(t)
			req := o.requireStatus(t, "r1", status)
			require.Empty(t, req.PreApproval)
			if name == "resubmits" {
				require.Len(t, hooks.list(), 3)
				require.Equal(t, []string{"r1 hook fraud tries 0 ", "r1 hook owner tries 0 "}, o.pending(t))
			} else {
				require.Len(t, hooks.list(), 1, "the call of owner is dropped")
				require.Empty(t, o.pending(t))
			}
			require.NotContains(t, o.logs.String(), "ERROR")
			require.NotContains(t, o.logs.String(), "WARN")
		})
	}
}

// TestPreApprovalHookThatIsDown: it is tried again; given up, it waits for a
// person, and operators are told.
func TestPreApprovalHookThatIsDown(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{PreApproval: []string{"fraud"}}, func(c *dsr.Config) { c.Retry.GiveUp = time.Hour })
	hooks.fails("fraud", fmt.Errorf("%w: it answers 503", dsr.ErrUnavailable))
	o.submitted(t, submission("access", "ada@example.com"))
	for try := 1; ; try++ {
		require.Less(t, try, 50)
		list, err := o.engine.Messages().Pending(t.Context(), "r1", 0)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, try, list[0].Tries)
		if list[0].Refused {
			break
		}
		require.True(t, list[0].DueAt.After(o.clock.Now()))
		require.NotContains(t, strings.Join(o.notices(), "\n"), "in vain")
		o.clock.add(list[0].DueAt.Sub(o.clock.Now()))
		o.send(t)
	}
	require.Contains(t, o.notices(), "r1 input required pre_approval hook fraud was called in vain: dsr: unavailable for now: it answers 503")
	o.requireStatus(t, "r1", dsr.StatusAwaitingPreApproval)
	called := len(hooks.list())
	o.clock.add(1000 * time.Hour)
	o.send(t)
	require.Len(t, hooks.list(), called)

	hooks.answer("fraud", dsr.HookAnswer{Eligible: yes()})
	list, err := o.engine.Messages().Pending(t.Context(), "r1", 0)
	require.NoError(t, err)
	require.NoError(t, o.engine.Messages().Retry(t.Context(), list[0].ID))
	o.send(t)
	o.requireStatus(t, "r1", dsr.StatusApproved)
	require.Empty(t, o.pending(t))
}

// TestPreApprovalAnswersThatAreRefused: they are parked at once, and told.
func TestPreApprovalAnswersThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer dsr.HookAnswer
		err    error
		want   string
	}{
		"halt":       {dsr.HookAnswer{Eligible: yes(), Halt: true}, nil, "it answers a pre-approval with a halt or identities"},
		"identities": {dsr.HookAnswer{Eligible: yes(), Identities: dsr.Identities{"email": {"bob@example.com"}}}, nil, "it answers a pre-approval with a halt or identities"},
		"error":      {dsr.HookAnswer{}, errors.New("it answers 400"), "it answers 400"},
		"shredded":   {dsr.HookAnswer{}, fmt.Errorf("%w: of its own", dsr.ErrShredded), "dsr: the key was shredded: of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, hooks := hooking(t, dsr.Flow{PreApproval: []string{"fraud"}}, nil)
			hooks.does("fraud", func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error) { return &test.answer, test.err })
			o.submitted(t, submission("access", "ada@example.com"))
			o.send(t)
			o.requireStatus(t, "r1", dsr.StatusAwaitingPreApproval)
			require.Equal(t, []string{"r1 hook fraud tries 1 " + test.want + ", refused"}, o.pending(t))
			require.Contains(t, o.notices(), "r1 input required pre_approval hook fraud was called in vain: "+test.want)
		})
	}
}

// TestAnswerThatNeverComes: when a token has expired, operators are told, once
// and only of requests that still wait. A call that approves can be made again,
// with another token.
func TestAnswerThatNeverComes(t *testing.T) {
	t.Parallel()
	o, hooks := halting(t) // r1 and r2
	o.submitted(t, submission("both", "ada@example.com"))
	o.submitted(t, submission("both", "ada@example.com"))
	_, err := o.ResumeWith(t.Context(), "r2", hooks.token(t, "crm"), nil)
	require.NoError(t, err)
	o.done(t, o.Approve, "r4", dsr.StatusApproved)
	vain := func() (lines []string) {
		for _, line := range o.notices() {
			if strings.Contains(line, "has not answered") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	o.clock.add(60*time.Hour - time.Second)
	o.send(t)
	require.Empty(t, vain())
	list, err := o.engine.Messages().Pending(t.Context(), "r3", 0)
	require.NoError(t, err)
	require.NoError(t, o.engine.Messages().Retry(t.Context(), list[0].ID))
	list, err = o.engine.Messages().Pending(t.Context(), "r1", 0)
	require.NoError(t, err)
	require.NoError(t, o.engine.Messages().Retry(t.Context(), list[0].ID))
	o.send(t)
	require.Empty(t, vain(), "its time has not come")
	o.clock.add(time.Hour)
	o.send(t)
	require.Equal(t, []string{"r1 input required pre_execution hook crm has not answered, and its token has expired"}, vain())
	o.clock.add(60 * time.Hour)
	o.send(t)
	o.clock.add(1000 * time.Hour)
	o.send(t)
	require.Equal(t, []string{
		"r1 input required pre_execution hook crm has not answered, and its token has expired",
		"r3 input required pre_approval hook fraud has not answered, and its token has expired",
	}, vain())
	require.Empty(t, o.pending(t))
	o.requireStatus(t, "r1", dsr.StatusPaused)
	o.done(t, o.Resume, "r1", dsr.StatusInProcessing)
}

// TestAnswerThatCameByItsToken is not missed, while that of the other check is.
func TestAnswerThatCameByItsToken(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{PreApproval: []string{"fraud", "owner"}}, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	_, err := o.PreApproveWith(t.Context(), "r1", hooks.token(t, "fraud"), true)
	require.NoError(t, err)
	o.clock.add(61 * time.Hour)
	o.send(t)
	told := strings.Join(o.notices(), "\n")
	require.Contains(t, told, "hook owner has not answered")
	require.NotContains(t, told, "hook fraud has not answered")
}

// TestHookThatIsNoLongerConfigured: its calls wait for somebody to see to it.
func TestHookThatIsNoLongerConfigured(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{PreApproval: []string{"fraud"}}, nil)
	hooks.fails("fraud", dsr.ErrUnavailable)
	o.submitted(t, submission("access", "ada@example.com"))
	c := o.config
	c.Hooks, c.Flow = nil, dsr.Flow{}
	o.clock.add(time.Hour)
	_, err := newEngine(t, c).Messages().Send(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"r1 hook fraud tries 2 it is not in Config.Hooks any more, refused"}, o.pending(t))
}
