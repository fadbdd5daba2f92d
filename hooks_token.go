package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
)

// hookToken is what a token says by which the other side of a hook may answer
// later.
type hookToken struct {
	RequestID string    `json:"r"`
	Hook      string    `json:"h"`
	Phase     HookPhase `json:"p"`
	Round     int       `json:"n"` // of the request
	Expires   time.Time `json:"e"`
}

// tokenFor is how long the other side of a hook has to answer, as in Fides: 60
// hours.
const tokenFor = 3600 * time.Minute

func (e *Engine) hookToken(ctx context.Context, requestID, hook string, phase HookPhase, round int) (string, error) {
	plain, err := json.Marshal(hookToken{RequestID: requestID, Hook: hook, Phase: phase, Round: round, Expires: e.now().Add(tokenFor)})
	if err != nil {
		return "", fmt.Errorf("dsr: encode a token: %w", err)
	}
	return e.signToken(ctx, "hook", plain)
}

// openHookToken checks a token that was given for a request.
func (e *Engine) openHookToken(ctx context.Context, token, requestID string, phase HookPhase) (*hookToken, error) {
	plain, err := e.checkToken(ctx, "hook", token)
	if err != nil {
		return nil, err
	}
	var t hookToken
	switch err := json.Unmarshal(plain, &t); {
	case err != nil || t.Phase != phase:
		return nil, fmt.Errorf("%w: it is no token for this", ErrToken)
	case !e.now().Before(t.Expires):
		return nil, fmt.Errorf("%w: it has expired", ErrToken)
	case t.RequestID != requestID:
		return nil, fmt.Errorf("%w: it is that of another request", ErrToken)
	}
	return &t, nil
}

// CheckToken tells whether a token is one of a hook's call for the request in
// that phase, [ErrToken] where not, before anything else of an answer is looked
// at. Whether the request still waits for it is told by [Requests.ResumeWith] and
// [Requests.PreApproveWith], which check the token as well.
func (r *Requests) CheckToken(ctx context.Context, id, token string, phase HookPhase) error {
	_, err := r.engine.openHookToken(ctx, token, id, phase)
	return err
}

// errOldRound: the token is from before the request was submitted again.
func errOldRound() error {
	return fmt.Errorf("%w: the request has begun anew since", ErrToken)
}

// ResumeWith lets a request go on that a hook halted. The token is that of the
// hook's call; identities, which may be none, are added to those of the request
// in the same moment. A token that was not made here, is that of another
// request or of an earlier submission, or is too old, is [ErrToken]. A request
// that does not wait for the hook, not yet or no longer, is [ErrConflict]: a
// token resumes once.
func (r *Requests) ResumeWith(ctx context.Context, id, token string, identities Identities) (*Request, error) {
	e := r.engine
	t, err := e.openHookToken(ctx, token, id, HookBefore)
	if err != nil {
		return nil, err
	}
	d, err := r.try(ctx, id, func(d *draft) error {
		switch {
		case !d.Record.DeletedAt.IsZero(): // refused in the lifecycle's words
			return d.move(ctx, lifecycle.Event{Kind: lifecycle.Resume}, By{}, nil)
		case d.state.Round != t.Round:
			return errOldRound()
		case !slices.Contains(d.state.Awaits, awaitHook(t.Hook)):
			return d.refuse("resume", "it is "+string(d.Record.Status)+" and does not wait for hook "+t.Hook)
		}
		added, err := d.derive(ctx, t, identities)
		if err != nil {
			return err
		}
		d.Record.Failure = ""
		d.event(Event{Kind: "hook answered", Status: logComplete, Rows: int64(added), Message: string(t.Phase) + " hook " + t.Hook + ", by its token"})
		return d.move(ctx, lifecycle.Event{Kind: lifecycle.Resume}, By{}, map[string]string{"hook": t.Hook, "identities": strconv.Itoa(added)})
	})
	if err != nil {
		return nil, err
	}
	return d.Record.request(), e.hint(ctx, &d.Record)
}

// derive adds identities that a hook gives by its token, and counts those that
// are new.
func (d *draft) derive(ctx context.Context, t *hookToken, identities Identities) (added int, err error) {
	had, err := newRun(d.engine, &d.Record).identities(ctx)
	if err != nil {
		return 0, err
	}
	g, done, err := d.engine.take(ctx, d.Record.catalogue())
	if err != nil {
		return 0, err
	}
	defer done()
	identities, added, err = g.checkDerived(d.Record.Policy, had, identities)
	var faults *graph.FaultError
	if err != nil && !errors.As(err, &faults) {
		return 0, graph.Diagnostics{{Severity: graph.Error, Subject: "identities", Message: err.Error()}}.Err()
	}
	if err != nil || added == 0 {
		return 0, err
	}
	if err := d.addIdentities(ctx, identities); err != nil {
		return 0, err
	}
	res, err := d.Record.results()
	if err != nil {
		return 0, fmt.Errorf("dsr: the stored outcomes of request %s cannot be read: %w", d.Record.ID, err)
	}
	if out := res.hook(t.Hook, t.Phase); out != nil {
		out.Identities += added
	}
	if d.Record.Outcomes, err = json.Marshal(&res); err != nil {
		return 0, errors.New("dsr: outcomes cannot be encoded")
	}
	return added, nil
}

func (d *draft) refuse(verb, reason string) error {
	return &RefusedError{RequestID: d.Record.ID, Status: d.Record.Status, Verb: verb, cause: ErrConflict, reason: reason}
}

// PreApproveWith answers a pre-approval hook later than its call, by the call's
// token, once: then the check has its answer, and it is [ErrConflict]; so it is
// when a person decided meanwhile. A token that was not made here, is that of
// another request or of an earlier submission, or is too old, is [ErrToken].
func (r *Requests) PreApproveWith(ctx context.Context, id, token string, eligible bool) (*Request, error) {
	t, err := r.engine.openHookToken(ctx, token, id, HookPreApproval)
	if err != nil {
		return nil, err
	}
	return r.answerCheck(ctx, id, t.Hook, t.Round, eligible)
}

// answerCheck takes the answer of a hook among the pre-approval checks.
func (r *Requests) answerCheck(ctx context.Context, id, check string, round int, eligible bool) (*Request, error) {
	event := lifecycle.Event{Kind: lifecycle.Answer, Check: check, Right: eligible}
	return r.changeIf(ctx, id, event, By{}, "", func(d *draft) error {
		_, answered := d.state.Answers[check]
		switch {
		case !d.Record.DeletedAt.IsZero(): // refused in the lifecycle's words
			return nil
		case d.state.Round != round:
			return errOldRound()
		case answered && d.Record.Status == StatusAwaitingPreApproval:
			return d.refuse("answer pre-approval", "check "+check+" has its answer")
		}
		return nil
	})
}
