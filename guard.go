package dsr

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/turn"
)

const (
	// tripAfter is how many failures in a row close a connection to all
	// requests, for openFor or Retry.Limit, whichever is shorter: then one
	// call finds out whether it is back.
	tripAfter = 10
	openFor   = 15 * time.Second
	// tries is how often a call is made that fails for a moment, before the
	// request waits.
	tries = 3
	// pingFor bounds the question whether a connection is there at all.
	pingFor = 10 * time.Second
)

// guard stands before the connector of a connection, for all requests: it lets
// a limited number of calls through at a time, requests by turns, no faster
// than the connection's rate, ends those that hang, makes those again that fail
// for a moment, and keeps all away from a connection that is down.
type guard struct {
	next    Connector
	key     string
	timeout time.Duration
	gate    *turn.Gate
	limiter *rate.Limiter
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	openFor time.Duration
	opened  atomic.Int64          // when the breaker opened last, in Unix nanoseconds
	failure atomic.Pointer[error] // what counted against the connection last
}

func newGuard(c *Connection, limit time.Duration) *guard {
	g := &guard{next: c.Connector, key: c.Key, timeout: c.Timeout, gate: turn.NewGate(c.Concurrency), limiter: rate.NewLimiter(rate.Inf, 1), openFor: min(openFor, limit)}
	if c.Rate > 0 {
		g.limiter = rate.NewLimiter(rate.Limit(c.Rate), max(1, c.Burst))
	}
	g.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: c.Key, Timeout: g.openFor,
		ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= tripAfter },
		IsSuccessful: func(err error) bool { return !passing(err) },
		IsExcluded:   func(err error) bool { return errors.Is(err, errNoProof) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				g.opened.Store(time.Now().UnixNano())
			}
		},
	})
	return g
}

// partyKey is under which a context says for which request it works.
type partyKey struct{}

// party returns the request that a context works for.
func party(ctx context.Context) string {
	id, _ := ctx.Value(partyKey{}).(string)
	return id
}

// unavailableError says that a connection cannot be used for now.
type unavailableError struct {
	connection string
	wait       time.Duration // for how long it is left alone; 0 for unknown
	err        error
}

func (e *unavailableError) Error() string {
	return fmt.Sprintf("connection %q is unavailable: %v", e.connection, e.err)
}

func (e *unavailableError) Unwrap() []error { return []error{ErrUnavailable, e.err} }

var (
	errStalled  = errors.New("no answer came in time")
	errOpen     = errors.New("too many calls in a row failed; it is left alone for a while")
	errNoAnswer = errors.New("it does not answer a ping")
	// errNoProof is what came of a call that says nothing of its connection:
	// it was called off, or panicked.
	errNoProof = errors.New("no proof")
)

// pass is a call that was let through.
type pass struct {
	guard *guard
	told  func(error) // tells the breaker; nil once it knows that the call is answered
	out   func()
}

// enter waits until a call may be made.
func (g *guard) enter(ctx context.Context) (*pass, error) {
	// Who comes to a closed door need not queue up for it.
	if g.breaker.State() == gobreaker.StateOpen {
		return nil, g.closed()
	}
	out, err := g.gate.Enter(ctx, party(ctx))
	if err != nil {
		return nil, err
	}
	if err := g.limiter.Wait(ctx); err != nil {
		out()
		if ctx.Err() == nil {
			err = g.down(errors.New("its rate would be exceeded before the deadline"))
		}
		return nil, err
	}
	told, err := g.breaker.Allow()
	if err != nil {
		out()
		return nil, g.closed()
	}
	return &pass{guard: g, told: told, out: out}, nil
}

// answers tells the breaker, if it waits for one call to find out whether the
// connection is back, that it is: the call itself may take long.
func (p *pass) answers() {
	if p.told != nil && p.guard.breaker.State() == gobreaker.StateHalfOpen {
		p.told(nil)
		p.told = nil
	}
}

// leave ends a call with what came of it.
func (p *pass) leave(err error) {
	defer p.out()
	if passing(err) {
		p.guard.failure.Store(&err)
	}
	if p.told == nil {
		told, shut := p.guard.breaker.Allow()
		if shut != nil {
			return
		}
		p.told = told
	}
	p.told(err)
}

// closed is the error while the breaker lets nobody through.
func (g *guard) closed() error {
	err := errOpen
	if last := g.failure.Load(); last != nil {
		var down *unavailableError
		if cause := *last; errors.As(cause, &down) {
			err = fmt.Errorf("%w; the last one: %w", errOpen, down.err)
		} else {
			err = fmt.Errorf("%w; the last one: %w", errOpen, cause)
		}
	}
	return &unavailableError{connection: g.key, wait: max(0, time.Until(time.Unix(0, g.opened.Load()).Add(g.openFor))), err: err}
}

func (g *guard) down(err error) error { return &unavailableError{connection: g.key, err: err} }

// judge finds out whether an error means that the connection is down: some say
// so, and for others it is pinged.
func (g *guard) judge(ctx context.Context, err error) error {
	switch {
	case err == nil || ctx.Err() != nil || permanent(err):
		return err
	case unavailable(err):
		return g.down(err)
	}
	ctx, cancel := context.WithTimeout(ctx, pingFor)
	defer cancel()
	if g.ping(ctx) != nil {
		return g.down(fmt.Errorf("%w: %w", errNoAnswer, err))
	}
	return err
}

func (g *guard) ping(ctx context.Context) (err error) {
	defer recovered(&err)
	return g.next.Ping(ctx)
}

// permanent reports whether an error is about what was asked, not about who was
// asked.
func permanent(err error) bool {
	var panicked *graph.PanicError
	for _, known := range []error{ErrReadOnly, ErrEmptyQuery, ErrNoCollection, ErrChangedSince, ErrShredded} {
		if errors.Is(err, known) {
			return true
		}
	}
	return errors.As(err, &panicked)
}

// unavailable reports whether an error is likely to go away by itself.
func unavailable(err error) bool {
	for _, known := range []error{
		ErrUnavailable, driver.ErrBadConn, io.ErrUnexpectedEOF, context.DeadlineExceeded, net.ErrClosed, errStalled,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT,
		syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	var network net.Error
	if !errors.As(err, &network) {
		return false
	}
	// The numbers of the system have the methods of a net.Error, whatever they
	// are about: a folder in the way of a file does not go by itself.
	_, system := network.(syscall.Errno)
	return !system
}

// passing reports whether an error goes away by itself: of several collections
// that failed, all of theirs.
func passing(err error) bool {
	var walk *WalkError
	if errors.As(err, &walk) {
		return !slices.ContainsFunc(walk.faults, func(fault error) bool { return !unavailable(fault) || permanent(fault) })
	}
	return err != nil && unavailable(err) && !permanent(err)
}

// again makes a call until it succeeds, fails for good or was tried often
// enough.
func (g *guard) again(ctx context.Context, call func(context.Context, *pass) (retry bool, err error)) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = 100 * time.Millisecond
	for try := 1; ; try++ {
		p, err := g.enter(ctx)
		if err != nil {
			return err
		}
		retry, err := g.try(ctx, p, call)
		if !retry || try == tries || !passing(err) || ctx.Err() != nil {
			return err
		}
		wait := time.NewTimer(pause.NextBackOff())
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
	}
}

// try makes a call once, and leaves whichever way it ends.
func (g *guard) try(ctx context.Context, p *pass, call func(context.Context, *pass) (retry bool, err error)) (retry bool, err error) {
	proof := errNoProof // as long as it may panic
	defer func() { p.leave(proof) }()
	retry, err = call(ctx, p)
	if err != nil {
		err = g.judge(ctx, err)
	}
	var panicked *graph.PanicError
	if err == nil || ctx.Err() == nil && !errors.As(err, &panicked) {
		proof = err
	}
	return retry, err
}

// call is again for a call that ends with its answer.
func (g *guard) call(ctx context.Context, do func(context.Context) error) error {
	return g.again(ctx, func(ctx context.Context, _ *pass) (_ bool, err error) {
		ctx, cancel := context.WithTimeoutCause(ctx, g.timeout, errStalled)
		defer cancel()
		defer recovered(&err)
		if err = do(ctx); err != nil && errors.Is(context.Cause(ctx), errStalled) {
			err = fmt.Errorf("%w: %w", errStalled, err)
		}
		return true, err
	})
}

// Describe implements [Connector].
func (g *guard) Describe(ctx context.Context, c *graph.Collection) (schema *Schema, err error) {
	err = g.call(ctx, func(ctx context.Context) (err error) { schema, err = g.next.Describe(ctx, c); return err })
	return schema, err
}

// Apply implements [Connector]. A chunk can be applied again, whatever became
// of it: rows that hold the new values are recognised.
func (g *guard) Apply(ctx context.Context, ch *Chunk) (results []RowResult, err error) {
	err = g.call(ctx, func(ctx context.Context) (err error) { results, err = g.next.Apply(ctx, ch); return err })
	return results, err
}

// Ping implements [Connector].
func (g *guard) Ping(ctx context.Context) error { return g.ping(ctx) }

// Read implements [Connector]. It makes the query again only as long as no row
// of it has come: then the walk has to begin the collection anew.
func (g *guard) Read(ctx context.Context, q *Query) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		stopped := false
		err := g.again(ctx, func(ctx context.Context, p *pass) (retry bool, err error) {
			rows := 0
			watch := g.watch(ctx)
			defer watch.end()
			for row, err := range g.next.Read(watch.ctx, q) {
				if err != nil {
					return rows == 0, watch.explain(err)
				}
				if rows++; rows == 1 {
					p.answers()
				}
				watch.pause()
				if !yield(row, nil) {
					stopped = true
					return false, nil
				}
				watch.resume()
			}
			return rows == 0, watch.explain(nil)
		})
		if err != nil && !stopped {
			yield(Row{}, err)
		}
	}
}

// watch ends a context when nothing comes for a while. Time in which nobody
// asks for more does not count.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	// beat is odd while the connector is asked, and grows with every row.
	beat atomic.Uint64
	seen uint64
}

// watch looks at the beat every time-out, so that a query is ended after one to
// two of them.
func (g *guard) watch(ctx context.Context) *watch { return newWatch(ctx, g.timeout) }

func newWatch(ctx context.Context, timeout time.Duration) *watch {
	w := &watch{}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.beat.Store(1)
	ready := make(chan struct{})
	w.timer = time.AfterFunc(timeout, func() {
		<-ready
		beat := w.beat.Load()
		switch {
		case w.ctx.Err() != nil:
			return
		case beat%2 == 1 && beat == w.seen:
			w.cancel(errStalled)
			return
		}
		w.seen = beat
		w.timer.Reset(timeout)
	})
	close(ready)
	return w
}

func (w *watch) pause()  { w.beat.Add(1) }
func (w *watch) resume() { w.beat.Add(1) }

func (w *watch) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain says that an error came of the time-out. A connector that ends
// quietly when its context does has not yielded all there is.
func (w *watch) explain(err error) error {
	switch {
	case w.ctx.Err() == nil:
		return err
	case !errors.Is(context.Cause(w.ctx), errStalled):
		return cmp.Or(err, context.Cause(w.ctx))
	case err == nil:
		return errStalled
	}
	return fmt.Errorf("%w: %w", errStalled, err)
}
