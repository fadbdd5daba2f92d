package dsr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godsr/dsr/graph"
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
	// Identities counts those that it added, also later by its token.
	Identities int `json:"identities,omitempty"`
	// TooLate says that it answered with something that only counts before
	// execution: it was left out.
	TooLate bool `json:"too_late,omitempty"`
}

// awaitHook is how a request says that it waits for a hook.
func awaitHook(key string) string { return "hook:" + key }

// callHooks calls the hooks of a phase, in their order, each once. Those that
// nothing waits for go into the outbox.
func (r *run) callHooks(ctx context.Context, phase HookPhase) (waits bool, err error) {
	flow := r.gen.flow(r.record().Policy)
	hooks := flow.Before
	if phase == HookAfter {
		hooks = flow.After
	}
	for _, h := range hooks {
		if r.results.hook(h.Hook, phase) != nil {
			continue
		}
		if !h.TwoWay {
			if err := r.tellHook(ctx, h, phase); err != nil {
				return false, err
			}
			continue
		}
		halted, err := r.askHook(ctx, h, phase)
		if err != nil || halted {
			return halted, err
		}
	}
	return false, nil
}

// hook returns the outcome of a hook that was called, or nil.
func (res *results) hook(key string, phase HookPhase) *HookOutcome {
	i := slices.IndexFunc(res.Hooks, func(o HookOutcome) bool { return o.Hook == key && o.Phase == phase })
	if i < 0 {
		return nil
	}
	return &res.Hooks[i]
}

// tellHook puts the call of a one-way hook into the outbox.
func (r *run) tellHook(ctx context.Context, h Hooking, phase HookPhase) error {
	return r.commitResults(ctx, func(d *draft) error {
		r.results.Hooks = append(slices.Clip(r.results.Hooks), HookOutcome{Hook: h.Hook, Phase: phase, At: d.now})
		if err := r.setResults(d); err != nil {
			return err
		}
		d.event(Event{Kind: "hook told", Message: string(phase) + " hook " + h.Hook})
		if err := d.note(ctx, "hook told", "", map[string]string{"hook": h.Hook, "phase": string(phase)}); err != nil {
			return err
		}
		return d.postHook(ctx, h.Hook, phase, time.Time{})
	})
}

// askHook calls a two-way hook and heeds its answer.
func (r *run) askHook(ctx context.Context, h Hooking, phase HookPhase) (halted bool, err error) {
	rec := r.record()
	state, err := rec.state()
	if err != nil {
		return false, err
	}
	opened, err := r.opened(ctx)
	if err != nil {
		return false, err
	}
	ids := copied(opened.Identities)
	call := &HookCall{
		ID: hookCallID(rec.ID, state.Round, phase, h.Hook), Hook: h.Hook, Phase: phase, TwoWay: true,
		Request: rec.show(&results{}), Actions: slices.Clone(rec.Actions), Identities: ids,
	}
	call.Request.Opened = opened
	if phase == HookBefore {
		if call.Token, err = r.engine.hookToken(ctx, rec.ID, h.Hook, phase, state.Round); err != nil {
			return false, err
		}
	}
	answer, err := r.gen.callHook(ctx, call)
	if err != nil {
		return false, fmt.Errorf("%s hook %q: %w", phase, h.Hook, err)
	}
	out := HookOutcome{Hook: h.Hook, Phase: phase}
	switch {
	case phase == HookAfter:
		out.TooLate = answer.Halt || len(answer.Identities) > 0 || answer.Eligible != nil
		answer = &HookAnswer{}
	case answer.Eligible != nil:
		return false, fmt.Errorf("%s hook %q: it answers whether the request is eligible, which only pre-approval asks", phase, h.Hook)
	default:
		if answer.Identities, out.Identities, err = r.gen.checkDerived(rec.Policy, ids, answer.Identities); err != nil {
			return false, fmt.Errorf("%s hook %q: %w", phase, h.Hook, err)
		}
	}
	out.Halted = answer.Halt
	err = r.commitResults(ctx, func(d *draft) error { return r.keepAnswer(ctx, d, out, answer.Identities) })
	if err == nil && out.Identities > 0 && !out.Halted { // they may be those of a request that is being worked on
		err = r.giveWay(ctx)
	}
	return out.Halted, err
}

// keepAnswer stores what a two-way hook answered.
func (r *run) keepAnswer(ctx context.Context, d *draft, out HookOutcome, ids Identities) error {
	if out.Identities > 0 {
		if err := d.addIdentities(ctx, ids); err != nil {
			return err
		}
	}
	out.At = d.now
	r.results.Hooks = append(slices.Clip(r.results.Hooks), out)
	event := Event{Kind: "hook answered", Status: logComplete, Rows: int64(out.Identities), Message: string(out.Phase) + " hook " + out.Hook}
	details := map[string]string{
		"hook": out.Hook, "phase": string(out.Phase), "identities": strconv.Itoa(out.Identities), "halt": strconv.FormatBool(out.Halted),
	}
	if out.TooLate {
		event.Message += ": what else it answered only counts before execution, and was left out"
		details["too late"] = "true"
	}
	d.event(event)
	if err := d.note(ctx, "hook answered", "", details); err != nil {
		return err
	}
	if err := r.setResults(d); err != nil {
		return err
	}
	if out.Halted {
		if err := d.postHook(ctx, out.Hook, out.Phase, d.now.Add(tokenFor)); err != nil {
			return err
		}
		told := fmt.Sprintf("%s hook %s halted the request: it goes on once the hook resumes it by its token, or a person does", out.Phase, out.Hook)
		if err := d.notify(ctx, Notice{Kind: NoticeInput, Message: told}); err != nil {
			return err
		}
		return d.move(ctx, lifecycle.Event{Kind: lifecycle.Pause, Awaits: []string{awaitHook(out.Hook)}}, By{}, map[string]string{"hook": out.Hook})
	}
	if d.state.Wait == nil {
		return nil
	}
	fresh := d.state.Fresh // nothing was asked of databases yet
	err := d.move(ctx, lifecycle.Event{Kind: lifecycle.Progress}, By{}, nil)
	d.state.Fresh = fresh
	return err
}

// checkDerived checks identities that a hook adds, brings them into their normal
// form, and counts those that are new. Kinds that no dataset has are fine: vendors
// and notices may use them. What is no plain kind may be a person's, and is not
// quoted.
func (g *generation) checkDerived(policy string, had, more Identities) (Identities, int, error) {
	if max(len(more), more.count()) > maxIdentities { // before they are worked on
		return nil, 0, fmt.Errorf("it answers with more than %d identities", maxIdentities)
	}
	for kind := range more {
		if _, known := g.engine.kinds[kind]; !known && !plainKey(kind) && had[kind] == nil && !g.datasetKind(kind) {
			return nil, 0, errors.New("it answers with a kind of identity that no dataset has, and that is not made of 1 to 64 letters, digits, dots, dashes and underscores")
		}
	}
	s := Submission{Policy: policy, Identities: merged(had, more)} // all of them: stores look for maxIdentities at once
	if err := s.check(); err != nil {
		return nil, 0, err
	}
	more, err := g.engine.normal(more)
	if err != nil {
		return nil, 0, err
	}
	return more, unseen(had, more).count(), nil
}

// normal brings identities into the form in which they are submitted.
func (e *Engine) normal(ids Identities) (Identities, error) {
	ids = copied(ids)
	var faults graph.Diagnostics
	for _, kind := range ids.Kinds() {
		normal := e.kinds[kind].Normal
		if normal == nil {
			continue
		}
		for i, v := range ids[kind] {
			v, err := normal(v)
			if err == nil && strings.TrimSpace(v) == "" {
				err = errors.New("a value is empty")
			}
			if err != nil {
				faults = append(faults, graph.Diagnostic{Severity: graph.Error, Subject: "identity " + kind, Message: err.Error()})
				continue
			}
			ids[kind][i] = v
		}
	}
	return ids, faults.Err()
}

// datasetKind reports whether a dataset has a kind of identity. One that takes
// any has those of plain names: others may be a person's, and plans are not
// sealed.
func (g *generation) datasetKind(kind string) bool {
	return g.datamap != nil && (slices.Contains(g.datamap.IdentityKinds(), kind) || g.datamap.TakesAnyIdentity() && plainKey(kind))
}

// merged adds identities that are not there yet.
func merged(had, more Identities) Identities {
	all := unseen(nil, had)
	for kind, values := range unseen(had, more) {
		all[kind] = append(all[kind], values...)
	}
	return all
}

// unseen are identities that are not there yet, each once. There may be many.
func unseen(had, more Identities) Identities {
	type identity struct{ kind, value string }
	seen, fresh := map[identity]bool{}, Identities{}
	for kind, values := range had {
		for _, v := range values {
			seen[identity{kind, v}] = true
		}
	}
	for kind, values := range more {
		for _, v := range values {
			if !seen[identity{kind, v}] {
				seen[identity{kind, v}] = true
				fresh[kind] = append(fresh[kind], v)
			}
		}
	}
	return fresh
}

// addIdentities seals the request's identities anew, with more, and makes those
// findable.
func (d *draft) addIdentities(ctx context.Context, more Identities) error {
	sub, err := newRun(d.engine, &d.Record).subject(ctx)
	if err != nil {
		return err
	}
	sub.Derived = unseen(sub.Identities, merged(sub.Derived, more))
	return d.engine.resealSubject(ctx, &d.Record, sub)
}

func (ids Identities) count() int {
	n := 0
	for _, values := range ids {
		n += len(values)
	}
	return n
}
