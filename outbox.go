package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
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
	// Kind is notice, hook, reminder, digest, vendor, or files, whose removal
	// waits; "" for one that this version cannot read. Notice is the kind of a notice, Hook the key of a
	// hook, Vendor that of a vendor.
	Kind   string
	Notice NoticeKind
	Hook   string
	Vendor string
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
		info := MessageInfo{ID: msg.ID, RequestID: msg.RequestID, DueAt: msg.DueAt, Refused: !msg.DueAt.Before(never)}
		if info.Refused {
			info.DueAt = time.Time{}
		}
		var l letter
		if json.Unmarshal(msg.Data, &l) == nil {
			info.Kind, info.Tries, info.Failure = string(l.Kind), l.Tries, l.Failure
			switch {
			case l.Notice != nil:
				info.Notice = l.Notice.Kind
			case l.Hook != nil:
				info.Hook = l.Hook.Hook
			case l.Vendor != nil:
				info.Vendor = l.Vendor.Key
			}
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// Retry sends a message at the next opportunity, also one that was refused, or
// whose time is yet to come. It is [ErrNotFound] that it was sent.
func (m *Messages) Retry(ctx context.Context, id string) error {
	return m.edit(ctx, id, func(ch *MessageChange, l *letter) error {
		ch.Message.DueAt = m.engine.now()
		if l == nil {
			return nil
		}
		l.Tries, l.Since = 0, time.Time{}
		if l.Hook != nil {
			l.Hook.Told, l.Hook.Ended = false, false
		}
		return l.into(&ch.Message)
	})
}

// RetryAll sends all that was refused at the next opportunity, as once what made
// a notifier refuse is mended, and counts it.
func (m *Messages) RetryAll(ctx context.Context) (n int, err error) {
	var list []Message
	for limit := someMessages; ; limit *= 10 { // they come last
		if list, err = m.engine.config.Store.Messages(ctx, MessageQuery{Limit: limit}); err != nil {
			return 0, err
		}
		if len(list) < limit {
			break
		}
	}
	for _, msg := range list {
		if msg.DueAt.Before(never) {
			continue
		}
		switch err := m.Retry(ctx, msg.ID); {
		case err == nil:
			n++
		case !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrConflict): // somebody else saw to it
			return n, err
		}
	}
	return n, nil
}

// Discard drops a message unsent. The next digest, and the next message to a
// vendor, come at their time all the same, the latter with all whom the
// discarded one was about. It is [ErrNotFound] that the message was sent.
func (m *Messages) Discard(ctx context.Context, id string) error {
	return m.edit(ctx, id, func(ch *MessageChange, l *letter) error {
		if l == nil {
			ch.Remove = true
			return nil
		}
		next := m.engine.standingTime(l)
		if ch.Remove = next.IsZero(); ch.Remove {
			return nil
		}
		l.begin()
		ch.Message.DueAt = next
		return l.into(&ch.Message)
	})
}

// edit changes a message; the letter is nil where it cannot be read.
func (m *Messages) edit(ctx context.Context, id string, change func(*MessageChange, *letter) error) error {
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
	var l *letter
	if json.Unmarshal(list[0].Data, &l) != nil {
		l = nil
	}
	ch := MessageChange{ExpectVersion: list[0].Version, Message: list[0]}
	ch.Message.Version++
	if err := change(&ch, l); err != nil {
		return err
	}
	if err := m.engine.config.Store.SaveMessages(ctx, []MessageChange{ch}); err != nil {
		return fmt.Errorf("dsr: message %s: %w", id, err)
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
	// Whatever comes of that, what is due goes out.
	stands := e.standing(ctx)
	looked := e.lookRound(ctx)
	out := newOutgoing()
	defer out.wg.Wait()
	for {
		if next, err = e.sendDue(ctx, out); err != nil {
			return time.Time{}, err
		}
		// All that had the places may have ended since: what waits for one goes on.
		if !out.some && out.idle() && !out.queued() {
			return next, errors.Join(out.failure(), stands, looked)
		}
		<-out.ended
		if err := out.failure(); err != nil {
			return time.Time{}, err
		}
	}
}

// now is the time as stores keep it.
func (e *Engine) now() time.Time { return e.config.Clock().UTC().Truncate(time.Microsecond) }
