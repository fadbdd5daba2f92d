package dsr

import (
	"context"
	"errors"
	"strings"
)

// errAtWork says that a run has the lease of a request, which a change would
// take away from it.
var errAtWork = errors.New("at work")

// saveHookFailure saves a call of the outbox that failed, in one commit with a
// line in the log of its request: once while it is tried again, and once when it
// is not any more, which is in the audit trail as well. Where there is nothing
// to tell, or that cannot be, it changes nothing; later says that it can be once
// the run ends that has the request's lease.
func (e *Engine) saveHookFailure(ctx context.Context, ch MessageChange, l *letter, also []MessageChange) (told, later bool) {
	over := ch.Message.DueAt.Equal(never)
	if l.Hook.Told && !over {
		return false, false
	}
	said, call := *l, *l.Hook
	said.Hook, call.Told, call.Ended = &call, true, false
	if said.into(&ch.Message) != nil { // told by the caller, who writes it as well
		return false, false
	}
	reason := strings.ToValidUTF8(l.Failure, "\uFFFD") // nothing else goes into the audit trail
	if len(reason) > maxOffered {
		reason = strings.ToValidUTF8(reason[:maxOffered], "")
	}
	_, err := e.requests.try(ctx, ch.Message.RequestID, func(d *draft) error {
		if !d.Record.LeaseUntil.IsZero() {
			return errAtWork
		}
		d.Messages = append(append(d.Messages, ch), also...)
		event := Event{Kind: "hook failed", Status: logRetrying, Message: string(call.Phase) + " hook " + call.Hook + ": " + reason}
		if !over {
			event.Message += "; it is tried again"
			d.event(event)
			return nil
		}
		event.Status = logError
		d.event(event)
		return d.note(ctx, "hook failed", "", map[string]string{"hook": call.Hook, "phase": string(call.Phase), "reason": reason})
	})
	switch {
	case err == nil:
		e.wakeOutbox()
		return true, false
	case errors.Is(err, errAtWork), errors.Is(err, ErrConflict):
		return false, true
	}
	e.config.Logger.WarnContext(ctx, "the log of a request lacks a hook that failed", "request", ch.Message.RequestID, "hook", call.Hook)
	return false, false
}
