package dsr

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"
)

// outgoing is what an engine is sending. Messages of one request and kind go one
// after another; others go side by side, so that neither a slow hook nor one
// slow recipient holds up a verification code.
type outgoing struct {
	wg    sync.WaitGroup
	ended chan struct{} // holds a token once something was dealt with

	mu    sync.Mutex
	busy  map[string]bool // requests with a kind, and messages of no request
	kinds map[letterKind]int
	err   error // what the store failed with
}

func newOutgoing() *outgoing {
	return &outgoing{ended: make(chan struct{}, 1), busy: map[string]bool{}, kinds: map[letterKind]int{}}
}

// senders is how many messages of a kind are sent at once.
const senders = 8

// begin takes a place for what is to be sent; false where there is none.
func (o *outgoing) begin(of string, kind letterKind) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.busy[of] || o.kinds[kind] >= senders {
		return false
	}
	o.busy[of] = true
	o.kinds[kind]++
	return true
}

func (o *outgoing) end(of string, kind letterKind, err error) {
	o.mu.Lock()
	delete(o.busy, of)
	o.kinds[kind]--
	o.err = cmp.Or(o.err, err)
	o.mu.Unlock()
	select {
	case o.ended <- struct{}{}:
	default:
	}
}

func (o *outgoing) idle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.busy) == 0
}

// failure returns what the store failed with since it was asked last.
func (o *outgoing) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.err
	o.err = nil
	return err
}

// How many messages are looked at, at first and at most.
const (
	someMessages = 100
	manyMessages = 10_000
)

// sendDue begins to send what is due, as far as there are places, and says when
// a message will be due next.
func (e *Engine) sendDue(ctx context.Context, out *outgoing) (next time.Time, err error) {
	defer recovered(&err)
	for limit := someMessages; ; {
		list, err := e.config.Store.Messages(ctx, MessageQuery{Limit: limit})
		if err != nil {
			return time.Time{}, err
		}
		due := len(list)
		for i, m := range list {
			if m.DueAt.After(e.now()) {
				if due = i; m.DueAt.Before(never) {
					next = m.DueAt
				}
				break
			}
		}
		switch {
		case e.sendSome(ctx, out, list[:due]): // those behind may have a place as well
		case due == limit && limit < manyMessages:
			limit *= 10
		default:
			return next, nil
		}
	}
}

// sendSome begins to send messages that have a place, and reports whether there
// were any.
func (e *Engine) sendSome(ctx context.Context, out *outgoing, due []Message) bool {
	type group struct {
		of   string
		kind letterKind
		list []Message
	}
	var groups []*group
	by := map[string]*group{}
	for _, m := range due {
		var l letter
		_ = json.Unmarshal(m.Data, &l) // one that cannot be read is of no kind
		of := cmp.Or(m.RequestID, m.ID) + " " + string(l.Kind)
		if by[of] == nil {
			by[of] = &group{of: of, kind: l.Kind}
			groups = append(groups, by[of])
		}
		by[of].list = append(by[of].list, m)
	}
	some := false
	for _, g := range groups {
		slices.SortStableFunc(g.list, func(a, b Message) int { // the tenth of a moment comes after its ninth
			return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
		})
		if !out.begin(g.of, g.kind) {
			continue
		}
		some = true
		out.wg.Go(func() {
			var err error
			defer func() { out.end(g.of, g.kind, err) }()
			defer recovered(&err)
			err = e.sendAll(ctx, g.list)
		})
	}
	return some
}

// sendAll sends messages one after another.
func (e *Engine) sendAll(ctx context.Context, list []Message) error {
	for i := 0; i < len(list) && ctx.Err() == nil; i++ {
		claimed, err := e.claim(ctx, list[i])
		if err != nil {
			return err
		}
		if claimed == nil {
			continue
		}
		if _, _, err := e.handleLetter(ctx, *claimed); err != nil {
			return err
		}
	}
	return nil
}

// claim takes a message for this process; nil when another has it.
func (e *Engine) claim(ctx context.Context, m Message) (*Message, error) {
	m.Version++
	m.DueAt = e.claimUntil()
	err := e.config.Store.SaveMessages(ctx, []MessageChange{{ExpectVersion: m.Version - 1, Message: m}})
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return &m, err
}

// sendNow sends what a change put into the outbox for its maker to send, one
// after another, each claimed only then: so no other process sends it as well,
// however long those before it took. What fails stays in the outbox, and is
// named.
func (e *Engine) sendNow(ctx context.Context, list []Message) (failed []NoticeKind) {
	for _, m := range list {
		claimed, err := e.claim(ctx, m)
		var l *letter
		sent := err == nil && claimed == nil // another process has it
		if claimed != nil && err == nil {
			l, sent, err = e.handleSafely(ctx, *claimed)
		}
		if err != nil {
			e.config.Logger.WarnContext(ctx, "a message waits in the outbox", "request", m.RequestID, "message", m.ID)
		}
		if l == nil {
			_ = json.Unmarshal(m.Data, &l)
		}
		if !sent && l != nil && l.Notice != nil {
			failed = append(failed, l.Notice.Kind)
		}
	}
	return failed
}

// sendOf sends what is due of a request, where nobody runs the outbox.
func (e *Engine) sendOf(ctx context.Context, requestID string) {
	if e.runner.running.Load() {
		return
	}
	due, err := e.config.Store.Messages(ctx, MessageQuery{RequestID: requestID, Before: e.now().Add(time.Microsecond)})
	out := newOutgoing()
	if err == nil {
		e.sendSome(ctx, out, due)
		out.wg.Wait()
		err = out.failure()
	}
	if err != nil {
		e.config.Logger.WarnContext(ctx, "messages wait in the outbox", "request", requestID)
	}
}

func (e *Engine) handleSafely(ctx context.Context, m Message) (l *letter, sent bool, err error) {
	defer recovered(&err)
	return e.handleLetter(ctx, m)
}

// postman sees to the outbox until ctx ends.
func (e *Engine) postman(ctx context.Context) {
	out := newOutgoing()
	defer out.wg.Wait()
	stood := false
	for ctx.Err() == nil {
		var next time.Time
		var err error
		if !stood {
			err = e.standing(ctx)
			stood = err == nil
		}
		if err == nil {
			next, err = e.sendDue(ctx, out)
		}
		err = cmp.Or(err, out.failure())
		wait, ended := e.config.Poll, out.ended
		switch until := next.Sub(e.config.Clock()); {
		case err != nil: // no sooner, whatever ends
			ended = nil
			if ctx.Err() == nil {
				e.config.Logger.ErrorContext(ctx, "the outbox cannot be seen to", "error", err.Error())
			}
		case !next.IsZero() && until < wait:
			wait = max(until, 0)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-e.runner.mail:
		case <-ended:
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
