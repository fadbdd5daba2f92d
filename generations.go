package dsr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// newest asks for the newest version of the catalogue.
const newest = int64(-1)

const (
	// idleGenerations is how many generations are kept that nobody uses, so
	// that requests which were planned with one can go on with it again and
	// again.
	idleGenerations = 4
	// makeFor is how long a type may take to make something.
	makeFor = 30 * time.Second
	// makeOthersFor is how long they may take once one was too slow, so that
	// many together do not hold up everything.
	makeOthersFor = time.Second
)

// generations are those of the catalogue's versions that are in use.
type generations struct {
	base *generation // without the catalogue
	now  atomic.Pointer[generation]
	turn chan struct{} // holds a token while one is built, which may take long

	mu     sync.Mutex
	over   bool // the engine was closed
	kept   map[int64]*generation
	idle   []*generation // of kept, that are not in use, the longest first
	opened map[string]*opened

	closing int        // how much is being closed
	settled *sync.Cond // that there is less
}

func (s *generations) begin(base *generation) {
	s.base, s.kept, s.opened, s.turn = base, map[int64]*generation{}, map[string]*opened{}, make(chan struct{}, 1)
	s.settled = sync.NewCond(&s.mu)
	s.now.Store(base)
}

// present is the generation that was seen last.
func (e *Engine) present() *generation { return e.generations.now.Load() }

var errClosed = errors.New("dsr: the engine was closed")

// take returns the generation of a version, made from the store where it is not
// at hand. What it holds stays open until done is called.
func (e *Engine) take(ctx context.Context, version int64) (g *generation, done func(), err error) {
	defer recovered(&err)
	s := &e.generations
	if version == 0 {
		return s.base, func() {}, nil
	}
	latest, err := e.config.Store.CatalogueVersion(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("dsr: read the catalogue: %w", err)
	}
	fresh := version == newest
	if fresh {
		version = latest
	}
	if version == 0 {
		return s.base, func() {}, nil
	}
	g, state := s.use(version, latest, fresh)
	switch {
	case state == usable:
		return g, s.giveBack(g), nil
	case state == closed:
		return nil, nil, errClosed
	}
	ailing := g // one that can be used as long as another is built
	if ailing != nil {
		select {
		case s.turn <- struct{}{}:
		default:
			return ailing, s.giveBack(ailing), nil
		}
		defer s.giveBack(ailing)()
	} else {
		select {
		case s.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
	defer func() { <-s.turn }()
	g, state = s.use(version, latest, fresh) // another may have made it meanwhile
	if state == usable {
		return g, s.giveBack(g), nil
	}
	if g != nil {
		s.giveBack(g)()
	}
	old := s.held(version)
	if old != nil { // it must not be closed meanwhile
		defer s.giveBack(old)()
	}
	if g, err = e.remake(ctx, old, version, latest); err != nil {
		return nil, nil, err
	}
	if g, err = s.keep(g, fresh); err != nil {
		return nil, nil, err
	}
	return g, s.giveBack(g), nil
}

type usability int

const (
	absent usability = iota
	usable
	closed
)

// use returns a generation that is kept, in use, if secrets and the like may not
// have changed since. One of which something could not be opened is returned
// beside absent once it is time to try again.
func (s *generations) use(version, latest int64, fresh bool) (*generation, usability) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.kept[version]
	switch {
	case s.over:
		return nil, closed
	case g == nil || g.seen < latest:
		return nil, absent
	}
	s.begun(g)
	s.promote(g, fresh)
	if !g.again.IsZero() && !g.engine.config.Clock().Before(g.again) {
		return g, absent
	}
	return g, usable
}

// begun begins one use of a generation. The mutex is held.
func (s *generations) begun(g *generation) {
	g.uses++
	s.idle = slices.DeleteFunc(s.idle, func(o *generation) bool { return o == g })
}

// held returns the generation that is kept of a version, in use; nil for none.
func (s *generations) held(version int64) *generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.kept[version]
	if g != nil {
		s.begun(g)
	}
	return g
}

// promote makes a generation the present one, unless a newer one is. The mutex
// is held.
func (s *generations) promote(g *generation, fresh bool) {
	before := s.now.Load()
	if !fresh || g == before || g.version < before.version {
		return
	}
	s.now.Store(g)
	g.engine.forms.replace(g)
	s.rest(before)
}

// remake makes a generation of a version anew, or takes the old one where it
// would be the same.
func (e *Engine) remake(ctx context.Context, old *generation, version, latest int64) (*generation, error) {
	s := &e.generations
	if old != nil && old.again.IsZero() {
		standing, err := e.stands(ctx)
		if err != nil {
			return nil, err
		}
		if standing.same(old.standing) {
			s.mu.Lock()
			defer s.mu.Unlock()
			old.seen = max(old.seen, latest)
			return old, nil
		}
	}
	g, err := e.build(ctx, version)
	if err != nil {
		return nil, err
	}
	if g.failed {
		if old != nil {
			g.failures = old.failures + 1
		}
		g.again = e.config.Clock().Add(e.config.Retry.pause(g.failures))
	}
	return g, nil
}

// keep puts a generation into use.
func (s *generations) keep(g *generation, fresh bool) (*generation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun(g)
	if s.over {
		s.release(g)
		return nil, errClosed
	}
	old := s.kept[g.version]
	s.kept[g.version] = g
	s.promote(g, fresh || s.now.Load() == old)
	if old != nil && old != g {
		s.rest(old)
	}
	return g, nil
}

// giveBack returns what ends one use of a generation.
func (s *generations) giveBack(g *generation) func() {
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.release(g)
	})
}

func (s *generations) release(g *generation) {
	g.uses--
	s.rest(g)
}

// rest closes what is held by generations that are not in use any more, but for
// a few. The mutex is held.
func (s *generations) rest(g *generation) {
	switch {
	case g.uses > 0 || g == s.base:
		return
	case s.kept[g.version] != g: // another took its place, or the engine was closed
		s.idle = slices.DeleteFunc(s.idle, func(o *generation) bool { return o == g })
		s.close(g)
		return
	case g == s.now.Load() || slices.Contains(s.idle, g):
		return
	}
	s.idle = append(s.idle, g)
	for len(s.idle) > idleGenerations {
		old := s.idle[0]
		delete(s.kept, old.version)
		s.idle = s.idle[1:]
		s.close(old)
	}
}

// open returns what an ID stands for, opened once for all generations that have
// it. Only one generation is built at a time.
func (b *builder) open(ctx context.Context, id string, make func() (any, error)) (*opened, error) {
	if o := b.hold(id, nil); o != nil {
		return o, nil
	}
	value, err := manufacture(ctx, b.patience, make)
	if errors.Is(err, errSlow) {
		b.patience = makeOthersFor
	}
	if err != nil {
		return nil, err
	}
	made := &opened{id: id, value: value}
	made.closer, _ = value.(io.Closer)
	return b.hold(id, made), nil
}

// hold keeps open what an ID stands for: what was opened already, or else what
// was made, if anything.
func (g *generation) hold(id string, made *opened) *opened {
	s := &g.engine.generations
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.opened[id]
	if o == nil {
		if made == nil {
			return nil
		}
		o = made
		s.opened[id] = o
	}
	if !slices.Contains(g.opened, o) {
		o.uses++
		g.opened = append(g.opened, o)
	}
	return o
}

// errSlow says that a factory has not returned.
var errSlow = fmt.Errorf("%w: its type made nothing in time", ErrUnavailable)

// manufacture calls a factory, whose panics are errors, and which is not waited
// for for ever. What it makes later is closed.
func manufacture(ctx context.Context, patience time.Duration, make func() (any, error)) (any, error) {
	type result struct {
		value any
		err   error
	}
	done := newResult[result]()
	go func() {
		var r result
		defer func() {
			if late := done.put(r); late && r.err == nil {
				if c, ok := r.value.(io.Closer); ok && !isNil(r.value) {
					_ = closeSafely(c)
				}
			}
		}()
		defer recovered(&r.err)
		r.value, r.err = make()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done.ready:
	case <-timer.C:
	case <-ctx.Done():
	}
	r, ok := done.get()
	switch {
	case !ok && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case !ok:
		return nil, errSlow
	case r.err == nil && isNil(r.value):
		return nil, errors.New("its type made nothing")
	}
	return r.value, r.err
}

// result hands a value over to one who may have gone.
type result[T any] struct {
	ready chan struct{}
	mu    sync.Mutex
	value T
	there bool
	gone  bool
}

func newResult[T any]() *result[T] { return &result[T]{ready: make(chan struct{})} }

// put hands the value over; late says that nobody waits for it.
func (r *result[T]) put(v T) (late bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.value, r.there = v, true
	close(r.ready)
	return r.gone
}

// get takes the value, or says that nobody will.
func (r *result[T]) get() (v T, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = !r.there
	return r.value, r.there
}

// close gives back what a generation holds. What nobody holds any more is closed
// beside, since that may take its time. The mutex is held.
func (s *generations) close(g *generation) {
	for _, o := range g.opened {
		if o.uses--; o.uses > 0 {
			continue
		}
		delete(s.opened, o.id)
		if o.closer == nil {
			continue
		}
		s.closing++
		go func() {
			if err := closeSafely(o.closer); err != nil { // which may quote a secret
				g.engine.config.Logger.Warn("what the catalogue had opened could not be closed", "id", o.id)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.closing--
			s.settled.Broadcast()
		}()
	}
	g.opened = nil
}

func closeSafely(c io.Closer) (err error) {
	defer recovered(&err)
	return c.Close()
}

// Close closes what the engine opened for its [Catalogue], once nothing that is
// under way uses it. Nothing else needs to be closed. Requests and verbs that
// need the catalogue are errors afterwards.
func (e *Engine) Close() error {
	s := &e.generations
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.idle = nil
	kept := slices.Collect(maps.Values(s.kept))
	clear(s.kept)
	s.now.Store(s.base)
	for _, g := range kept {
		s.rest(g)
	}
	for s.closing > 0 {
		s.settled.Wait()
	}
	return nil
}
