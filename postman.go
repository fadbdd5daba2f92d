package dsr

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
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

	// What is due and has no place yet, by kind and in order; of many, only
	// where it is to be read. The rest says how far was read, and when from
	// the beginning, and how much waited then. Only sendDue touches these.
	queue  map[letterKind][]*group
	by     map[string]*group
	seen   map[string]int64 // versions that were queued
	some   bool             // something was begun
	waits  int
	waited int
	after  *RecordPlace
	began  time.Time

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

// free reports whether there is a place for a message of a kind.
func (o *outgoing) free(kind letterKind) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kinds[kind] < senders
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

// queued reports whether something waits for a place.
func (o *outgoing) queued() bool {
	for _, groups := range o.queue {
		if len(groups) > 0 {
			return true
		}
	}
	return false
}

// wants reports whether something waits for a place, or failed.
func (o *outgoing) wants() bool {
	if o.queued() {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err != nil
}

// group is what is sent one after another.
type group struct {
	of   string
	list []Message
}

// How many messages are read at once, and held in memory with all that is in
// them.
const (
	someMessages = 100
	heldMessages = 1000
)

// lateness is how long after its time a message may come into the store and is
// still found at once.
const lateness = 5 * time.Second

// sendDue begins to send what is due, as far as there are places, and says when
// a message will be due next. It reads on from where it was; from the beginning
// once half of what it found there has a place, so that however much is due,
// each message is read a few times at most.
func (e *Engine) sendDue(ctx context.Context, out *outgoing) (next time.Time, err error) {
	defer recovered(&err)
	now := e.now()
	soon := now.Add(time.Microsecond)
	whole := out.waits <= out.waited/2 || now.Sub(out.began) >= 10*e.config.Poll
	if whole {
		out.queue, out.by, out.waits, out.after, out.began = map[letterKind][]*group{}, map[string]*group{}, 0, nil, now
		out.seen = map[string]int64{}
	}
	// What is put there now may come before what was read a moment ago.
	if late := now.Add(-lateness); out.after != nil && out.after.Time.After(late) {
		out.after = &RecordPlace{Time: late}
	}
	for {
		page, err := e.config.Store.Messages(ctx, MessageQuery{Before: soon, After: out.after, Limit: someMessages})
		if err != nil {
			return time.Time{}, err
		}
		out.add(page)
		if len(page) < someMessages {
			break
		}
	}
	if whole {
		out.waited = out.waits
	}
	e.sendSome(ctx, out)
	later, err := e.config.Store.Messages(ctx, MessageQuery{After: &RecordPlace{Time: soon}, Limit: 1})
	if err == nil && len(later) > 0 && later[0].DueAt.Before(never) {
		next = later[0].DueAt
	}
	return next, err
}

// add queues messages that were read.
func (o *outgoing) add(page []Message) {
	for _, m := range page {
		o.after = &RecordPlace{Time: m.DueAt, ID: m.ID}
		if o.seen[m.ID] == m.Version {
			continue
		}
		o.seen[m.ID] = m.Version
		var l letter
		_ = json.Unmarshal(m.Data, &l) // one that cannot be read is of no kind
		of := cmp.Or(m.RequestID, m.ID) + " " + string(l.Kind)
		if o.waits++; o.waits > heldMessages {
			m.Data, m.Sealed = nil, nil
		}
		g := o.by[of]
		if g == nil {
			g = &group{of: of}
			o.by[of] = g
			o.queue[l.Kind] = append(o.queue[l.Kind], g)
		}
		g.list = append(g.list, m)
	}
}

// sendSome begins to send messages that have a place.
func (e *Engine) sendSome(ctx context.Context, out *outgoing) {
	out.some = false
	for _, kind := range slices.Sorted(maps.Keys(out.queue)) {
		var left []*group
		groups := out.queue[kind]
		for i, g := range groups {
			if !out.free(kind) {
				left = append(left, groups[i:]...)
				break
			}
			if !out.begin(g.of, kind) {
				left = append(left, g)
				continue
			}
			out.some = true
			out.waits -= len(g.list)
			delete(out.by, g.of)
			slices.SortStableFunc(g.list, inTurn)
			out.wg.Go(func() {
				var err error
				defer func() { out.end(g.of, kind, err) }()
				defer recovered(&err)
				err = e.sendAll(ctx, g.list)
			})
		}
		out.queue[kind] = left
	}
}

// inTurn orders the messages of one request: the tenth of a moment comes after
// its ninth.
func inTurn(a, b Message) int {
	return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
}

// sendAll sends messages one after another.
func (e *Engine) sendAll(ctx context.Context, list []Message) error {
	for i := 0; i < len(list) && ctx.Err() == nil; i++ {
		m := &list[i]
		if m.Data == nil {
			now, err := e.config.Store.Messages(ctx, MessageQuery{ID: m.ID, Limit: 1})
			if err != nil {
				return err
			}
			if len(now) == 0 || now[0].Version != m.Version {
				continue
			}
			m = &now[0]
		}
		claimed, err := e.claim(ctx, *m)
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
	if err == nil {
		slices.SortStableFunc(due, inTurn)
		err = e.sendAll(ctx, due)
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
	var stood, looked time.Time
	for ctx.Err() == nil {
		if now := e.now(); now.Sub(stood) >= e.config.Poll {
			stood = now
			err := e.safely(ctx, e.standing)
			if err == nil && now.Sub(looked) >= lookEvery {
				if err = e.safely(ctx, e.lookRound); err == nil {
					looked = now
				}
			}
			if err != nil && ctx.Err() == nil { // what is due goes out all the same
				e.config.Logger.ErrorContext(ctx, "what comes again and again cannot be seen to", "error", err.Error())
			}
		}
		next, err := e.sendDue(ctx, out)
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
		for still := true; still; {
			select {
			case <-ctx.Done():
				still = false
			case <-e.runner.mail:
				still = false
			case <-ended:
				still = !out.wants()
			case <-timer.C:
				still = false
			}
		}
		timer.Stop()
	}
}

// lookEvery is how often requests are looked for that wait for what is gone.
const lookEvery = time.Hour

func (e *Engine) safely(ctx context.Context, do func(context.Context) error) (err error) {
	defer recovered(&err)
	return do(ctx)
}

// wakeOutbox makes the postman look.
func (e *Engine) wakeOutbox() {
	select {
	case e.runner.mail <- struct{}{}:
	default:
	}
}
