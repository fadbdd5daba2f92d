package turn

import (
	"context"
	"sync"
)

// Shared lets callers who want the same thing at the same time share one call
// for it. Nobody is given what was found before they asked: whoever comes while
// a call runs waits for the next one, together with all others who do. So a
// result is as fresh as one's own call would be, and at most one call for each
// thing runs at a time, however many ask.
//
// The zero value is ready. It is safe for concurrent use.
type Shared[T any] struct {
	mu    sync.Mutex
	lines map[string]*pair[T] // by key, while one runs
}

// pair is the call that runs and the one after it, nil while nobody waits for
// that.
type pair[T any] struct {
	running, next *call[T]
}

type call[T any] struct {
	ctx    context.Context
	cancel context.CancelFunc
	do     func(context.Context) (T, error)
	asked  int           // who still wait
	done   chan struct{} // closed once value and err are set
	value  T
	err    error
}

// Do returns what do returned in a call for the key that began after Do was
// called: the caller's own, or that of another caller. The call has the values
// of its first caller's ctx, and is cancelled once nobody waits for it any more.
// For a caller whose ctx ends, the error is that of ctx. A do that panics takes
// the process down.
func (s *Shared[T]) Do(ctx context.Context, key string, do func(context.Context) (T, error)) (T, error) {
	c := s.join(ctx, key, do)
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		s.leave(key, c)
		var none T
		return none, ctx.Err()
	}
}

func (s *Shared[T]) join(ctx context.Context, key string, do func(context.Context) (T, error)) *call[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.lines[key]
	if p != nil && p.next != nil {
		p.next.asked++
		return p.next
	}
	c := &call[T]{do: do, asked: 1, done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if p != nil {
		p.next = c
		return c
	}
	if s.lines == nil {
		s.lines = map[string]*pair[T]{}
	}
	s.lines[key] = &pair[T]{running: c}
	go s.run(key, c)
	return c
}

// run carries a call out, and those that were asked for meanwhile.
func (s *Shared[T]) run(key string, c *call[T]) {
	for c != nil {
		c.value, c.err = c.do(c.ctx)
		c.cancel()
		close(c.done)
		c = s.following(key)
	}
}

func (s *Shared[T]) following(key string) *call[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.lines[key]
	p.running, p.next = p.next, nil
	if p.running == nil {
		delete(s.lines, key)
	}
	return p.running
}

// leave is what a caller does who waits no longer.
func (s *Shared[T]) leave(key string, c *call[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.asked--; c.asked > 0 {
		return
	}
	c.cancel()
	if p := s.lines[key]; p != nil && p.next == c {
		p.next = nil
	}
}
