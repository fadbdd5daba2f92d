package dsr_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// receivers are hooks that write down every call, and answer as they are told.
type receivers struct {
	mu      sync.Mutex
	calls   []dsr.HookCall
	answers map[string]func(ctx context.Context, c *dsr.HookCall) (*dsr.HookAnswer, error)
}

type receiver struct {
	all *receivers
	key string
}

// newReceivers makes hooks of these keys, which answer nothing.
func newReceivers(keys ...string) (*receivers, map[string]dsr.Hook) {
	all := &receivers{answers: map[string]func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error){}}
	hooks := map[string]dsr.Hook{}
	for _, key := range keys {
		hooks[key] = &receiver{all, key}
	}
	return all, hooks
}

// Call implements [dsr.Hook].
func (r *receiver) Call(ctx context.Context, c *dsr.HookCall) (*dsr.HookAnswer, error) {
	r.all.mu.Lock()
	call := *c
	call.Identities = maps.Clone(c.Identities)
	r.all.calls = append(r.all.calls, call)
	answer := r.all.answers[r.key]
	r.all.mu.Unlock()
	for kind := range c.Identities { // a hook may do what it likes with what it is given
		delete(c.Identities, kind)
	}
	if answer == nil {
		return nil, nil
	}
	return answer(ctx, &call)
}

// answer tells a hook what to answer from now on.
func (r *receivers) answer(key string, answer dsr.HookAnswer) {
	r.does(key, func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error) { return &answer, nil })
}

// fails tells a hook to fail from now on.
func (r *receivers) fails(key string, err error) {
	r.does(key, func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error) { return nil, err })
}

func (r *receivers) does(key string, answer func(ctx context.Context, c *dsr.HookCall) (*dsr.HookAnswer, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[key] = answer
}

func (r *receivers) list() []dsr.HookCall {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// lines are the calls so far, one line each.
func (r *receivers) lines() []string {
	var lines []string
	for _, c := range r.list() {
		line := fmt.Sprint(c.Phase, " ", c.Hook, " ", c.Request.ID, " ", c.Request.Status)
		if c.TwoWay {
			line += " asked"
		}
		if c.Token != "" {
			line += " token"
		}
		lines = append(lines, line)
	}
	return lines
}

// ids are those of the calls of a hook so far.
func (r *receivers) ids(key string) []string {
	var ids []string
	for _, c := range r.list() {
		if c.Hook == key {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// token is the one of the last call of a hook.
func (r *receivers) token(t testing.TB, key string) string {
	t.Helper()
	calls := slices.DeleteFunc(r.list(), func(c dsr.HookCall) bool { return c.Hook != key })
	require.NotEmpty(t, calls, "hook %s was not called", key)
	require.NotEmpty(t, calls[len(calls)-1].Token)
	return calls[len(calls)-1].Token
}

// hooking is an office whose requests call these hooks.
func hooking(t testing.TB, flow dsr.Flow, change func(*dsr.Config)) (*office, *receivers) {
	t.Helper()
	keys := slices.Clone(flow.PreApproval)
	for _, h := range slices.Concat(flow.Before, flow.After) {
		keys = append(keys, h.Hook)
	}
	all, hooks := newReceivers(keys...)
	return newOffice(t, flow, func(c *dsr.Config) {
		c.Hooks = hooks
		if change != nil {
			change(c)
		}
	}), all
}

// pending lists what is in the outbox, one line each.
func (o *office) pending(t testing.TB) []string {
	t.Helper()
	list, err := o.engine.Messages().Pending(t.Context(), "", 0)
	require.NoError(t, err)
	var lines []string
	for _, m := range list {
		line := fmt.Sprint(m.RequestID, " ", m.Kind, " ", m.Hook, string(m.Notice), " tries ", m.Tries, " ", m.Failure)
		if m.Refused {
			line += ", refused"
		}
		lines = append(lines, line)
	}
	return lines
}

// send sends what is due.
func (o *office) send(t testing.TB) {
	t.Helper()
	_, err := o.engine.Messages().Send(t.Context())
	require.NoError(t, err)
}

// identities are those that a request has now.
func (o *office) identities(t testing.TB, id string) dsr.Identities {
	t.Helper()
	ids, err := o.Identities(t.Context(), id)
	require.NoError(t, err)
	return ids
}

func yes() *bool { eligible := true; return &eligible }
func no() *bool  { eligible := false; return &eligible }
