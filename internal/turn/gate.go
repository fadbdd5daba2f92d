// Package turn decides who goes next: [Gate] for slots that many parties
// share, [Queue] for what waits for its time.
package turn

import (
	"container/list"
	"context"
	"sync"
)

// Gate lets a limited number of callers in at once. Those who wait do so on
// behalf of a party, and parties take turns in rounds: in each, a party gets
// one slot, however many of its callers wait. One whose callers come one by
// one has its turn in each round as well. Within a party, first come is first
// served. A gate where nobody waits holds no party.
//
// It is safe for concurrent use.
type Gate struct {
	slots int

	mu      sync.Mutex
	busy    int // below slots only while nobody waits
	waiting int
	lines   map[string]*line    // by party
	served  map[string]struct{} // parties that had their turn in this round
	round   *list.List          // of *line, those whose turn is in this round
	next    *list.List          // of *line, those whose turn is in the next one
}

// line is a party that waits.
type line struct {
	party   string
	waiters list.List  // of *waiter, never empty
	round   *list.List // holds turn
	turn    *list.Element
}

type waiter struct {
	line  *line
	place *list.Element // nil once the slot is the waiter's
	ready chan struct{} // closed together with that
}

// NewGate returns a gate with that many slots, at least one.
func NewGate(slots int) *Gate {
	return &Gate{
		slots: max(slots, 1),
		lines: map[string]*line{}, served: map[string]struct{}{},
		round: list.New(), next: list.New(),
	}
}

// Enter waits for a slot on behalf of a party. leave gives the slot back; it
// may be called more than once. The only error is that of ctx, and leave is
// nil then.
func (g *Gate) Enter(ctx context.Context, party string) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	if g.busy < g.slots {
		g.busy++
		g.mu.Unlock()
		return g.leave(), nil
	}
	w := g.join(party)
	g.mu.Unlock()

	select {
	case <-w.ready:
		return g.leave(), nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.place == nil {
		g.release() // the slot came together with the end of ctx
	} else {
		g.remove(w)
	}
	return nil, ctx.Err()
}

// Stats tells how many slots are taken and how many callers wait.
func (g *Gate) Stats() (busy, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.busy, g.waiting
}

func (g *Gate) leave() func() {
	left := false
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !left {
			left = true
			g.release()
		}
	}
}

// release hands a slot to the party whose turn it is.
func (g *Gate) release() {
	if g.waiting == 0 {
		g.busy--
		return
	}
	if g.round.Len() == 0 {
		g.round, g.next = g.next, g.round
		clear(g.served)
	}
	l := g.round.Front().Value.(*line)
	g.served[l.party] = struct{}{}
	l.round.Remove(l.turn)
	l.queueUp(g.next)
	w := l.waiters.Front().Value.(*waiter)
	g.remove(w)
	close(w.ready)
}

func (g *Gate) join(party string) *waiter {
	l := g.lines[party]
	if l == nil {
		l = &line{party: party}
		g.lines[party] = l
		if _, had := g.served[party]; had {
			l.queueUp(g.next)
		} else {
			l.queueUp(g.round)
		}
	}
	w := &waiter{line: l, ready: make(chan struct{})}
	w.place = l.waiters.PushBack(w)
	g.waiting++
	return w
}

func (g *Gate) remove(w *waiter) {
	l := w.line
	l.waiters.Remove(w.place)
	w.place = nil
	g.waiting--
	if l.waiters.Len() == 0 {
		l.round.Remove(l.turn)
		delete(g.lines, l.party)
	}
	if g.waiting == 0 {
		clear(g.served)
	}
}

func (l *line) queueUp(round *list.List) {
	l.round, l.turn = round, round.PushBack(l)
}
