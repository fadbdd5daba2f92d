package dsr

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// Messages are the engine's verbs on its outbox: notices that wait to be sent,
// hooks that wait to be called, reminders and digests that wait for their time.
// Engine.Run sees to them; a host that does not call it calls Send.
type Messages struct {
	engine *Engine
}

// Messages returns the verbs on the outbox.
func (e *Engine) Messages() *Messages { return &Messages{engine: e} }

// MessageInfo is a line of the outbox as a host sees it, without anything
// personal.
type MessageInfo struct {
	ID        string
	RequestID string
	// Kind is notice, hook, reminder, digest or vendor; Notice is the kind of
	// a notice, Hook the key of a hook.
	Kind   string
	Notice NoticeKind
	Hook   string
	// DueAt is when it is tried next; zero where Refused.
	DueAt time.Time
	// Tries counts the failures so far, and Failure is the last.
	Tries   int
	Failure string
	// Refused will not be tried again unless somebody says so.
	Refused bool
}

// Pending lists what waits, by its time, and then what was refused; at most
// limit lines, 100 for 0. With a request's ID, only that one's.
func (m *Messages) Pending(ctx context.Context, requestID string, limit int) ([]MessageInfo, error) {
	list, err := m.engine.config.Store.Messages(ctx, MessageQuery{RequestID: requestID, Limit: limit})
	if err != nil {
		return nil, err
	}
	infos := make([]MessageInfo, 0, len(list))
	for _, msg := range list {
		var l letter
		if err := json.Unmarshal(msg.Data, &l); err != nil {
			return nil, fmt.Errorf("dsr: message %s cannot be read: %w", msg.ID, err)
		}
		info := MessageInfo{ID: msg.ID, RequestID: msg.RequestID, Kind: string(l.Kind), DueAt: msg.DueAt, Tries: l.Tries, Failure: l.Failure, Refused: l.Refused}
		if l.Notice != nil {
			info.Notice = l.Notice.Kind
		}
		if l.Hook != nil {
			info.Hook = l.Hook.Hook
		}
		if l.Refused {
			info.DueAt = time.Time{}
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// Retry sends a message at the next opportunity, also one that was refused.
func (m *Messages) Retry(ctx context.Context, id string) error {
	return m.edit(ctx, id, func(ch *MessageChange, l *letter, now time.Time) {
		l.Refused, l.Tries, l.Since = false, 0, time.Time{}
		ch.Message.DueAt = now
	})
}

// Discard drops a message unsent.
func (m *Messages) Discard(ctx context.Context, id string) error {
	return m.edit(ctx, id, func(ch *MessageChange, _ *letter, _ time.Time) { ch.Remove = true })
}

func (m *Messages) edit(ctx context.Context, id string, change func(*MessageChange, *letter, time.Time)) error {
	if id == "" {
		return fmt.Errorf("%w: a message without an ID", ErrNotFound)
	}
	list, err := m.engine.config.Store.Messages(ctx, MessageQuery{ID: id, Limit: 1})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("%w: message %s; it may have been sent", ErrNotFound, id)
	}
	var l letter
	if err := json.Unmarshal(list[0].Data, &l); err != nil {
		return fmt.Errorf("dsr: message %s cannot be read: %w", id, err)
	}
	now := m.engine.now()
	ch := MessageChange{ExpectVersion: list[0].Version, Message: list[0]}
	ch.Message.Version++
	change(&ch, &l, now)
	if ch.Message.Data, err = json.Marshal(&l); err != nil {
		return fmt.Errorf("dsr: encode a message: %w", err)
	}
	if err := m.engine.config.Store.SaveMessages(ctx, []MessageChange{ch}); err != nil {
		return err
	}
	m.engine.wakeOutbox()
	return nil
}

// Send sends all that is due and returns when something will be next; zero for
// never. What fails for the moment is tried again at a later call. The error is
// that of the store.
func (m *Messages) Send(ctx context.Context) (next time.Time, err error) {
	defer recovered(&err)
	e := m.engine
	if err := e.fits(ctx); err != nil {
		return time.Time{}, err
	}
	if err := e.standing(ctx); err != nil {
		return time.Time{}, err
	}
	for {
		now := e.now()
		list, err := e.config.Store.Messages(ctx, MessageQuery{Before: now.Add(time.Microsecond)})
		if err != nil {
			return time.Time{}, err
		}
		if len(list) == 0 {
			break
		}
		if err := e.deliverLetters(ctx, list); err != nil {
			return time.Time{}, err
		}
	}
	first, err := e.config.Store.Messages(ctx, MessageQuery{Limit: 1})
	if err != nil || len(first) == 0 || !first[0].DueAt.Before(never) {
		return time.Time{}, err
	}
	return first[0].DueAt, nil
}

// now is the time as stores keep it.
func (e *Engine) now() time.Time { return e.config.Clock().UTC().Truncate(time.Microsecond) }

// senders is how many requests' messages are sent at once.
const senders = 8

// deliverLetters sends messages, those of one request in their order.
func (e *Engine) deliverLetters(ctx context.Context, list []Message) error {
	var order []string
	by := map[string][]Message{}
	for _, m := range list {
		of := cmp.Or(m.RequestID, m.ID)
		if by[of] == nil {
			order = append(order, of)
		}
		by[of] = append(by[of], m)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(senders)
	for _, of := range order {
		g.Go(func() (err error) {
			defer recovered(&err)
			for _, m := range by[of] {
				claimed, err := e.claim(gctx, m)
				if err != nil {
					return err
				}
				if claimed != nil {
					if _, err := e.handleLetter(gctx, *claimed); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// claim takes a message for this process; nil when another has it.
func (e *Engine) claim(ctx context.Context, m Message) (*Message, error) {
	m.Version++
	m.DueAt = e.now().Add(e.config.Lease)
	err := e.config.Store.SaveMessages(ctx, []MessageChange{{ExpectVersion: m.Version - 1, Message: m}})
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return &m, err
}

// sendClaimed sends what a change put into the outbox for its maker to send. What
// fails stays in the outbox, and is named.
func (e *Engine) sendClaimed(ctx context.Context, claimed []Message) (failed []NoticeKind) {
	for _, m := range claimed {
		l, err := e.handleSafely(ctx, m)
		if err != nil {
			e.config.Logger.WarnContext(ctx, "a message waits in the outbox", "request", m.RequestID, "message", m.ID)
		}
		if l != nil && l.Notice != nil && (err != nil || l.Tries > 0) {
			failed = append(failed, l.Notice.Kind)
		}
	}
	return failed
}

func (e *Engine) handleSafely(ctx context.Context, m Message) (l *letter, err error) {
	defer recovered(&err)
	return e.handleLetter(ctx, m)
}

// postman sees to the outbox until ctx ends.
func (e *Engine) postman(ctx context.Context) {
	for ctx.Err() == nil {
		next, err := e.Messages().Send(ctx)
		if err != nil && ctx.Err() == nil {
			e.config.Logger.ErrorContext(ctx, "the outbox cannot be seen to", "error", err.Error())
		}
		wait := e.config.Poll
		if until := next.Sub(e.config.Clock()); !next.IsZero() && until < wait {
			wait = max(until, 0)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-e.runner.mail:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// wakeOutbox makes the postman look.
func (e *Engine) wakeOutbox() {
	select {
	case e.runner.mail <- struct{}{}:
	default:
	}
}
