package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr/graph"
)

// hookFor is how long a hook may take: less than a lease by default.
const hookFor = 45 * time.Second

// letterCall is a call of a hook in the outbox.
type letterCall struct {
	Hook  string    `json:"hook"`
	Phase HookPhase `json:"phase"`
	// Round is the one of the request that it belongs to.
	Round int `json:"round,omitempty"`
	// Until is when the token of a call has expired that is to be answered
	// later. Then operators are told.
	Until time.Time `json:"until,omitzero"`
	// Told says that the request's log tells of a failure that passes. Ended
	// is a call that is not made again, of which the request is yet to be told.
	Told  bool `json:"told,omitempty"`
	Ended bool `json:"ended,omitempty"`
}

// awaited reports whether a request still waits for the answer of a call.
func (c *letterCall) awaited(rec *Record) bool {
	state, err := rec.state()
	if err != nil || !rec.DeletedAt.IsZero() || state.Round != c.Round {
		return false
	}
	if c.Phase == HookBefore {
		return slices.Contains(state.Awaits, awaitHook(c.Hook))
	}
	_, answered := state.Answers[c.Hook]
	return rec.Status == StatusAwaitingPreApproval && !answered
}

// hookCallID names the call of a two-way hook, however often it is made.
func hookCallID(requestID string, round int, phase HookPhase, key string) string {
	return strings.Join([]string{letterID(requestID, int64(round), 0), string(phase), key}, ".")
}

// hookError is what a hook failed with. Of its causes only those count that the
// port names: a hook that uses an engine may return any error of one.
type hookError struct {
	text     string
	passing  bool
	disabled bool // it was not called, since its connection is disabled
	panic    *graph.PanicError
}

// errDisabled says that somebody disabled a connection, and may enable it.
var errDisabled = errors.New("disabled")

func (e *hookError) Error() string { return e.text }

// Is implements [errors.Is].
func (e *hookError) Is(target error) bool {
	return e.passing && target == ErrUnavailable || e.disabled && target == errDisabled
}

// Unwrap returns the panic, if it was one.
func (e *hookError) Unwrap() error {
	if e.panic == nil {
		return nil
	}
	return e.panic
}

// callHook calls a hook of the configuration, and waits for it for a while, even
// for one that does not look at its context. An answer without error is never
// nil.
func (g *generation) callHook(ctx context.Context, c *HookCall) (*HookAnswer, error) {
	hook := g.config.Hooks[c.Hook]
	if reason := g.lacking[lackingHook(c.Hook)]; hook == nil && reason != nil {
		return nil, &hookError{text: "it cannot be called: " + reason.Error(), passing: passing(reason), disabled: errors.Is(reason, errDisabled)}
	}
	if hook == nil {
		return nil, &hookError{text: "it is not in Config.Hooks any more"}
	}
	given := *c
	given.Identities = copied(c.Identities) // it may keep or change them
	waiting, cancel := context.WithTimeout(ctx, hookFor)
	defer cancel()
	type result struct {
		answer *HookAnswer
		err    error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() { done <- r }()
		defer recovered(&r.err)
		r.answer, r.err = hook.Call(waiting, &given)
	}()
	var r result
	select {
	case r = <-done:
	case <-waiting.Done():
		r.err = waiting.Err()
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case r.err != nil && waiting.Err() != nil:
		return nil, &hookError{text: fmt.Sprintf("no answer came within %s", hookFor), passing: true}
	case r.err != nil:
		failed := &hookError{text: r.err.Error(), passing: passing(r.err)}
		_ = errors.As(r.err, &failed.panic)
		return nil, failed
	case r.answer == nil:
		return &HookAnswer{}, nil
	}
	return &HookAnswer{Identities: copied(r.answer.Identities), Halt: r.answer.Halt, Eligible: r.answer.Eligible}, nil
}

func copied(ids Identities) Identities {
	ids = maps.Clone(ids)
	for kind, values := range ids {
		ids[kind] = slices.Clone(values)
	}
	return ids
}

// postHook puts the call of a hook into the outbox; with a time, that one is to
// answer until then.
func (d *draft) postHook(ctx context.Context, key string, phase HookPhase, until time.Time) error {
	l := letter{Kind: letterHook, Hook: &letterCall{Hook: key, Phase: phase, Round: d.state.Round, Until: until}}
	due := d.now
	if !until.IsZero() {
		due = until
	}
	return d.post(ctx, &l, letterSecret{}, due)
}

// askApproval puts the hooks among the pre-approval checks into the outbox, of a
// request that begins to wait for them: those of the catalogue also while they
// cannot be called, since nobody would ask them later. Other checks are up to the
// host.
func (d *draft) askApproval(ctx context.Context) error {
	removed, err := d.removedChecks(ctx)
	if err != nil {
		return err
	}
	for _, check := range d.state.Flow.PreApproval {
		ofCatalogue := slices.Contains(d.state.Flow.Removable, check)
		if !ofCatalogue && d.engine.config.Hooks[check] == nil || slices.Contains(removed, check) {
			continue
		}
		d.event(Event{Kind: "hook told", Message: string(HookPreApproval) + " hook " + check})
		if err := d.postHook(ctx, check, HookPreApproval, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// callFromOutbox calls a hook of the outbox: one that nothing waits for, or that
// approves. Of one that answers later it sees to it that somebody hears when it
// did not.
func (e *Engine) callFromOutbox(ctx context.Context, m *Message, l *letter, rec *Record) (done handled, err error) {
	approving, until := l.Hook.Phase == HookPreApproval, l.Hook.Until
	switch {
	case !rec.DeletedAt.IsZero(), (approving || !until.IsZero()) && !l.Hook.awaited(rec):
		return done, errOutdated
	case l.Hook.Ended:
		return done, fmt.Errorf("%w: %w", ErrRejected, &hookError{text: l.Failure})
	case !until.IsZero() && !e.now().Before(until):
		return handled{also: e.tellOfHook(m, l, "has not answered, and its token has expired")}, nil
	case !until.IsZero() && !approving:
		return handled{again: until}, nil
	}
	opened, err := e.open(ctx, rec)
	if err != nil {
		return done, err
	}
	g, release, err := e.take(ctx, rec.catalogue())
	if err != nil {
		return done, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer release()
	call := &HookCall{
		ID: m.ID, Hook: l.Hook.Hook, Phase: l.Hook.Phase, TwoWay: approving,
		Request: rec.show(&results{}), Actions: slices.Clone(rec.Actions), Identities: opened.Identities,
	}
	call.Request.Opened = opened
	if approving {
		if call.Token, err = e.hookToken(ctx, rec.ID, l.Hook.Hook, HookPreApproval, l.Hook.Round); err != nil {
			return done, err
		}
	}
	answer, err := g.callHook(ctx, call)
	var failed *hookError
	switch {
	case errors.As(err, &failed) && !failed.passing && !(approving && failed.disabled): // which is called once it is enabled
		return done, fmt.Errorf("%w: %w", ErrRejected, err)
	case err != nil || !approving:
		return done, err
	case answer.Halt || len(answer.Identities) > 0:
		return done, fmt.Errorf("%w: %w", ErrRejected, &hookError{text: "it answers a pre-approval with a halt or identities"})
	case answer.Eligible == nil:
		l.Hook.Until = e.now().Add(tokenFor)
		return handled{again: l.Hook.Until}, nil
	}
	_, err = e.requests.answerCheck(ctx, rec.ID, l.Hook.Hook, l.Hook.Round, *answer.Eligible)
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrDeleted) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrToken) {
		err = errOutdated // a person decided meanwhile, or it begins anew
	}
	return done, err
}

// parked tells operators of a call, or of a notice to others, that will not be
// tried again by itself; never of one to themselves.
func (e *Engine) parked(m *Message, l *letter, refused bool) []MessageChange {
	switch {
	case l.Hook != nil:
		return e.tellOfHook(m, l, "was called in vain: "+l.Failure)
	case l.Kind == letterReminder:
		return e.tellOperators(m, "a reminder was given up: "+l.Failure)
	case l.Kind == letterFiles:
		return e.tellOperators(m, "attached files whose key is shredded could not be removed from Config.Files: "+l.Failure)
	case l.Notice == nil, l.Notice.Kind.Audience() == ToOperators:
		return nil
	case refused:
		return e.tellOperators(m, fmt.Sprintf("notice %q to the %s was %s", l.Notice.Kind, l.Notice.Kind.Audience(), l.Failure))
	}
	return e.tellOperators(m, fmt.Sprintf("notice %q to the %s was given up: %s", l.Notice.Kind, l.Notice.Kind.Audience(), l.Failure))
}

// tellOfHook puts a notice of a call of the outbox to operators beside it.
func (e *Engine) tellOfHook(m *Message, l *letter, what string) []MessageChange {
	return e.tellOperators(m, fmt.Sprintf("%s hook %s %s", l.Hook.Phase, l.Hook.Hook, what))
}

// tellOperators puts a notice of a message of the outbox to operators beside it.
func (e *Engine) tellOperators(m *Message, message string) []MessageChange {
	if e.config.Notifier == nil {
		return nil
	}
	text := letterText{Kind: NoticeInput, At: e.now(), Message: message}
	data, err := json.Marshal(&letter{Kind: letterNotice, Notice: &text})
	if err != nil { // it holds nothing but text and a time
		return nil
	}
	return []MessageChange{{Message: Message{ID: fmt.Sprintf("%s.%d", m.ID, m.Version), Version: 1, RequestID: m.RequestID, DueAt: text.At, Data: data}}}
}
