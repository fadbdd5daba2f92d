package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/godsr/dsr/internal/lifecycle"
)

// HookOutcome tells of a hook that was called.
type HookOutcome struct {
	Hook  string    `json:"hook"`
	Phase HookPhase `json:"phase"`
	// At is when it answered, or was put into the outbox.
	At time.Time `json:"at"`
	// Halted says that it paused the request.
	Halted bool `json:"halted,omitempty"`
	// Identities counts those that it added.
	Identities int `json:"identities,omitempty"`
}

// letterCall is a call of a hook in the outbox.
type letterCall struct {
	Hook  string    `json:"hook"`
	Phase HookPhase `json:"phase"`
}

// hookFor is how long a hook may take.
const hookFor = time.Minute

// awaitHook is how a request says that it waits for a hook.
func awaitHook(key string) string { return "hook:" + key }

// callHooks calls the hooks of a phase, in their order, each once. Those that
// nothing waits for go into the outbox.
func (r *run) callHooks(ctx context.Context, phase HookPhase) (waits bool, err error) {
	flow := r.engine.flow(r.record().Policy)
	hooks := flow.Before
	if phase == HookAfter {
		hooks = flow.After
	}
	for n, h := range hooks {
		if r.hooked(h.Hook, phase) {
			continue
		}
		if !h.TwoWay {
			if err := r.tellHook(ctx, h, phase); err != nil {
				return false, err
			}
			continue
		}
		halted, err := r.askHook(ctx, h, phase, n)
		if err != nil || halted {
			return halted, err
		}
	}
	return false, nil
}

func (r *run) hooked(key string, phase HookPhase) bool {
	return slices.ContainsFunc(r.results.Hooks, func(o HookOutcome) bool { return o.Hook == key && o.Phase == phase })
}

// tellHook puts the call of a one-way hook into the outbox.
func (r *run) tellHook(ctx context.Context, h Hooking, phase HookPhase) error {
	return r.commit(ctx, func(d *draft) error {
		r.results.Hooks = append(r.results.Hooks, HookOutcome{Hook: h.Hook, Phase: phase, At: d.now})
		if err := r.setResults(d); err != nil {
			return err
		}
		return d.post(ctx, &letter{Kind: letterHook, Hook: &letterCall{Hook: h.Hook, Phase: phase}}, letterSecret{}, d.now)
	})
}

// askHook calls a two-way hook and heeds its answer.
func (r *run) askHook(ctx context.Context, h Hooking, phase HookPhase, n int) (halted bool, err error) {
	rec := r.record()
	ids, err := r.identities(ctx)
	if err != nil {
		return false, err
	}
	call := &HookCall{
		ID: letterID(rec.ID, 0, n) + "." + string(phase), Hook: h.Hook, Phase: phase, TwoWay: true,
		Request: rec.show(&r.results), Actions: slices.Clone(rec.Actions), Identities: ids,
	}
	if phase == HookBefore {
		if call.Token, err = r.engine.hookToken(ctx, rec.ID, h.Hook, phase); err != nil {
			return false, err
		}
	}
	answer, err := r.engine.callHook(ctx, call)
	if err != nil {
		return false, fmt.Errorf("%s hook %q: %w", phase, h.Hook, err)
	}
	if phase == HookAfter && (answer.Halt || len(answer.Identities) > 0) {
		return false, fmt.Errorf("%s hook %q: it answers with a halt or identities, which come too late after execution", phase, h.Hook)
	}
	added := 0
	if len(answer.Identities) > 0 {
		if added, err = r.engine.checkDerived(rec.Policy, ids, answer.Identities); err != nil {
			return false, fmt.Errorf("%s hook %q: %w", phase, h.Hook, err)
		}
	}
	err = r.commit(ctx, func(d *draft) error {
		if added > 0 {
			if err := d.addIdentities(ctx, answer.Identities); err != nil {
				return err
			}
		}
		out := HookOutcome{Hook: h.Hook, Phase: phase, At: d.now, Halted: answer.Halt, Identities: added}
		r.results.Hooks = append(r.results.Hooks, out)
		d.event(Event{Kind: "hook answered", Status: logComplete, Rows: int64(added), Message: string(phase) + " hook " + h.Hook})
		if err := d.note(ctx, "hook answered", "", map[string]string{
			"hook": h.Hook, "phase": string(phase), "identities": fmt.Sprint(added), "halt": fmt.Sprint(answer.Halt),
		}); err != nil {
			return err
		}
		if err := r.setResults(d); err != nil || !answer.Halt {
			return err
		}
		return d.move(ctx, lifecycle.Event{Kind: lifecycle.Pause, Awaits: []string{awaitHook(h.Hook)}}, By{}, map[string]string{"hook": h.Hook})
	})
	if err == nil && added > 0 { // they may be those of a request that is being worked on
		err = r.giveWay(ctx)
	}
	return answer.Halt, err
}

// callHook calls a hook of the configuration. An answer is never nil.
func (e *Engine) callHook(ctx context.Context, c *HookCall) (answer *HookAnswer, err error) {
	defer recovered(&err)
	hook := e.config.Hooks[c.Hook]
	if hook == nil {
		return nil, fmt.Errorf("dsr: Config.Hooks has no hook %q any more", c.Hook)
	}
	ctx, cancel := context.WithTimeout(ctx, hookFor)
	defer cancel()
	answer, err = hook.Call(ctx, c)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		err = fmt.Errorf("%w: no answer came in time", ErrUnavailable)
	}
	if err == nil && answer == nil {
		answer = &HookAnswer{}
	}
	return answer, err
}

// checkDerived checks identities that a hook adds, and counts those that are
// new. Kinds that no dataset has are fine: notices may use them.
func (e *Engine) checkDerived(policy string, had, more Identities) (int, error) {
	s := Submission{Policy: policy, Identities: merged(had, more)}
	if err := s.check(); err != nil {
		return 0, err
	}
	added := 0
	for kind, values := range s.Identities {
		added += len(values) - len(had[kind])
	}
	return added, nil
}

// merged adds identities that are not there yet.
func merged(had, more Identities) Identities {
	all := Identities{}
	for _, ids := range []Identities{had, more} {
		for kind, values := range ids {
			for _, v := range values {
				if !slices.Contains(all[kind], v) {
					all[kind] = append(all[kind], v)
				}
			}
		}
	}
	return all
}

// addIdentities seals the request's identities anew, with more, and makes those
// findable.
func (d *draft) addIdentities(ctx context.Context, more Identities) error {
	sub, err := newRun(d.engine, &d.Record).subject(ctx)
	if err != nil {
		return err
	}
	sub.Identities = merged(sub.Identities, more)
	return d.engine.resealSubject(ctx, &d.Record, sub)
}

// callOneWay calls a hook of the outbox: one that nothing waits for, or that
// approves.
func (e *Engine) callOneWay(ctx context.Context, m *Message, l *letter, rec *Record) error {
	approving := l.Hook.Phase == HookPreApproval
	if approving && rec.Status != StatusAwaitingPreApproval {
		return errOutdated
	}
	ids, err := newRun(e, rec).identities(ctx)
	if err != nil {
		return err
	}
	call := &HookCall{
		ID: m.ID, Hook: l.Hook.Hook, Phase: l.Hook.Phase, TwoWay: approving,
		Request: rec.show(&results{}), Actions: slices.Clone(rec.Actions), Identities: ids,
	}
	if approving {
		if call.Token, err = e.hookToken(ctx, rec.ID, l.Hook.Hook, HookPreApproval); err != nil {
			return err
		}
	}
	answer, err := e.callHook(ctx, call)
	if err != nil || !approving || answer.Eligible == nil {
		return err
	}
	_, err = e.requests.PreApproval(ctx, rec.ID, l.Hook.Hook, *answer.Eligible, By{})
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrDeleted) {
		return errOutdated // a person decided meanwhile
	}
	return err
}

// askApproval puts the hooks among the pre-approval checks into the outbox,
// once a request waits for them.
func (d *draft) askApproval(ctx context.Context, before Status) error {
	if d.Record.Status != StatusAwaitingPreApproval || before == StatusAwaitingPreApproval {
		return nil
	}
	for _, check := range d.state.Flow.PreApproval {
		if d.engine.config.Hooks[check] == nil {
			continue // asked by the host itself
		}
		if err := d.post(ctx, &letter{Kind: letterHook, Hook: &letterCall{Hook: check, Phase: HookPreApproval}}, letterSecret{}, d.now); err != nil {
			return err
		}
	}
	return nil
}

// hookToken is a signed word by which the other side of a hook may answer
// later.
type hookToken struct {
	RequestID string    `json:"r"`
	Hook      string    `json:"h"`
	Phase     HookPhase `json:"p"`
	Expires   time.Time `json:"e"`
}

// tokenFor is how long the other side of a hook has to answer, as in Fides: 60
// hours.
const tokenFor = 3600 * time.Minute

func (e *Engine) hookToken(ctx context.Context, requestID, hook string, phase HookPhase) (string, error) {
	plain, err := json.Marshal(hookToken{RequestID: requestID, Hook: hook, Phase: phase, Expires: e.now().Add(tokenFor)})
	if err != nil {
		return "", fmt.Errorf("dsr: encode a token: %w", err)
	}
	return e.signToken(ctx, "hook", plain)
}

// openHookToken checks a token.
func (e *Engine) openHookToken(ctx context.Context, token string, phase HookPhase) (*hookToken, error) {
	plain, err := e.checkToken(ctx, "hook", token)
	if err != nil {
		return nil, err
	}
	var t hookToken
	if err := json.Unmarshal(plain, &t); err != nil || t.Phase != phase {
		return nil, fmt.Errorf("%w: it is no token for this", ErrToken)
	}
	if !e.now().Before(t.Expires) {
		return nil, fmt.Errorf("%w: it has expired", ErrToken)
	}
	return &t, nil
}

// ResumeWith lets a request go on that a hook halted. The token is that of the
// hook's call; identities, which may be none, are added to those of the
// request. A token that is forged, or too old, or of another request, is
// [ErrToken].
func (r *Requests) ResumeWith(ctx context.Context, id, token string, identities Identities) (*Request, error) {
	t, err := r.engine.openHookToken(ctx, token, HookBefore)
	if err != nil {
		return nil, err
	}
	if t.RequestID != id {
		return nil, fmt.Errorf("%w: it is that of another request", ErrToken)
	}
	d, err := r.try(ctx, id, func(d *draft) error {
		if !slices.Contains(d.state.Awaits, awaitHook(t.Hook)) {
			return &RefusedError{
				RequestID: id, Status: d.Record.Status, Verb: "resume", cause: ErrConflict,
				reason: "it is " + string(d.Record.Status) + " and does not wait for hook " + t.Hook,
			}
		}
		added := 0
		if len(identities) > 0 {
			had, err := newRun(r.engine, &d.Record).identities(ctx)
			if err != nil {
				return err
			}
			if added, err = r.engine.checkDerived(d.Record.Policy, had, identities); err != nil {
				return err
			}
			if err := d.addIdentities(ctx, identities); err != nil {
				return err
			}
		}
		d.Record.Failure = ""
		return d.move(ctx, lifecycle.Event{Kind: lifecycle.Resume}, By{}, map[string]string{"hook": t.Hook, "identities": fmt.Sprint(added)})
	})
	if err != nil {
		return nil, err
	}
	return d.Record.request(), r.engine.hint(ctx, &d.Record)
}

// PreApproveWith answers a pre-approval hook later than its call, by the call's
// token; otherwise it is PreApproval.
func (r *Requests) PreApproveWith(ctx context.Context, id, token string, eligible bool) (*Request, error) {
	t, err := r.engine.openHookToken(ctx, token, HookPreApproval)
	if err != nil {
		return nil, err
	}
	if t.RequestID != id {
		return nil, fmt.Errorf("%w: it is that of another request", ErrToken)
	}
	return r.PreApproval(ctx, id, t.Hook, eligible, By{})
}
