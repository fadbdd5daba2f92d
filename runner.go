package dsr

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godsr/dsr/internal/lifecycle"
)

// runner is what Run adds to an engine.
type runner struct {
	executor Executor
	running  atomic.Bool // Run was called

	mu      sync.Mutex
	soonest time.Time     // when something is due that was not looked for yet; zero for unknown
	changed chan struct{} // holds a token when soonest came nearer
	mail    chan struct{} // holds a token when something was put into the outbox

	told sync.Map // IDs of the notices that are sent once in the life of a process

	recounted atomic.Pointer[recounted] // nil for not yet
}

// Run lets the executor advance requests until ctx ends: those that are
// submitted here, those that an earlier process left unfinished, and those
// whose time has come. Every wait is a due time in the store, so that it
// survives this process, and none is held in memory. It also makes the
// checkpoints of the audit trail, and sees to the outbox.
//
// When ctx ends, Run starts nothing more, lets what it works on come to a
// stopping place, and returns. Two at once are an error.
func (e *Engine) Run(ctx context.Context) error {
	if !e.runner.running.CompareAndSwap(false, true) {
		return errors.New("dsr: the engine is running already; call Run once")
	}
	defer e.runner.running.Store(false)
	if err := e.fits(ctx); errors.Is(err, ErrKeyring) {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { e.lookOut(ctx) })
	wg.Go(func() { e.sign(ctx) })
	wg.Go(func() { e.postman(ctx) })
	return e.runner.executor.Run(ctx, func(handling context.Context, j Job) error {
		return e.handle(handling, j, func() bool { return ctx.Err() != nil })
	})
}

// handle advances one request, for as long as its slice is.
func (e *Engine) handle(ctx context.Context, j Job, draining func() bool) error {
	end := e.config.Clock().Add(e.config.Slice)
	yield := func() bool { return draining() || e.config.Clock().After(end) }
	req, err := e.requests.advance(ctx, j.RequestID, yield)
	var failed *FailedError
	var store *storeError
	switch {
	case err == nil:
	case !errors.As(err, &store) && (errors.Is(err, ErrLeased) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) || errors.As(err, &failed)):
		return nil // trying again at once would not help; the store says when
	default:
		if ctx.Err() == nil {
			e.config.Logger.ErrorContext(ctx, "a request cannot be worked on for now", "request", j.RequestID, "error", err.Error())
		}
		return err
	}
	if req.Status == StatusInProcessing && !req.DueAt.After(e.config.Clock()) && req.DeletedAt.IsZero() && !draining() {
		return e.runner.executor.Enqueue(ctx, Job{RequestID: j.RequestID})
	}
	return nil
}

// wake makes the look-out look when something will be due. Of what is due
// already the executor is told itself.
func (e *Engine) wake(due time.Time) {
	if !e.runner.running.Load() || !due.After(e.config.Clock()) {
		return
	}
	e.runner.look(due)
}

// look makes the look-out look at a time, if it would look later.
func (w *runner) look(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.soonest.IsZero() && !at.Before(w.soonest) {
		return
	}
	w.soonest = at
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// lookOut enqueues requests when their time comes. The first look is at what an
// earlier process left.
func (e *Engine) lookOut(ctx context.Context) {
	w := &e.runner
	for ctx.Err() == nil {
		w.mu.Lock()
		w.soonest = time.Time{} // what this look may miss is told by wake
		w.mu.Unlock()
		next, err := e.enqueueDue(ctx)
		if err != nil && ctx.Err() == nil {
			e.config.Logger.ErrorContext(ctx, "due requests cannot be looked for", "error", err.Error())
		}
		w.look(e.config.Clock().Add(e.config.Poll))
		if !next.IsZero() {
			w.look(next)
		}
		for waiting := true; waiting; {
			w.mu.Lock()
			timer := time.NewTimer(w.soonest.Sub(e.config.Clock()))
			w.mu.Unlock()
			select {
			case <-ctx.Done():
				waiting = false
			case <-w.changed:
			case <-timer.C:
				waiting = false
			}
			timer.Stop()
		}
	}
}

// enqueueDue enqueues what is due and says when the next request will be.
func (e *Engine) enqueueDue(ctx context.Context) (next time.Time, err error) {
	defer recovered(&err)
	_, done, err := e.take(ctx, newest) // what other processes configured
	if err != nil {                     // what is due goes on as far as it can
		e.config.Logger.ErrorContext(ctx, "the catalogue cannot be put to use", "error", err.Error())
	} else {
		done()
	}
	now := e.config.Clock().UTC()
	q := RecordQuery{Times: map[TimeField]TimeRange{TimeDue: {Before: now.Add(time.Microsecond)}}, Sort: TimeDue, Deleted: true}
	for rec, err := range e.records(ctx, q) {
		if err != nil {
			return time.Time{}, err
		}
		if err := e.runner.executor.Enqueue(ctx, Job{RequestID: rec.ID}); err != nil {
			return time.Time{}, fmt.Errorf("dsr: enqueue request %s: %w", rec.ID, err)
		}
	}
	q.Times, q.Limit = map[TimeField]TimeRange{TimeDue: {From: now.Add(time.Microsecond)}}, 1
	first, err := e.config.Store.Requests(ctx, q)
	if err != nil || len(first) == 0 {
		return time.Time{}, err
	}
	return first[0].DueAt, nil
}

// sign makes checkpoints.
func (e *Engine) sign(ctx context.Context) {
	tick := time.NewTicker(e.config.Audit.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := e.checkpoint(ctx); err != nil && ctx.Err() == nil {
			e.config.Logger.ErrorContext(ctx, "no checkpoint of the audit trail was made", "error", err.Error())
		}
	}
}

func (e *Engine) checkpoint(ctx context.Context) (err error) {
	defer recovered(&err)
	_, err = e.Audit().Checkpoint(ctx)
	return err
}

// hint tells the executor of a request that can go on now. One that waits for
// its time has no job: the look-out sees to it.
func (e *Engine) hint(ctx context.Context, rec *Record) error {
	switch {
	case e.config.Executor == nil && !e.runner.running.Load(), !rec.DeletedAt.IsZero(), rec.DueAt.After(e.config.Clock()),
		rec.Status != StatusApproved && rec.Status != StatusInProcessing:
		return nil
	}
	if err := e.runner.executor.Enqueue(ctx, Job{RequestID: rec.ID}); err != nil {
		return fmt.Errorf("dsr: request %s is stored, but could not be enqueued: %w", rec.ID, err)
	}
	return nil
}

// letGo tells the executor of requests that may have waited for one of the same
// data subject.
func (e *Engine) letGo(ctx context.Context, rec *Record) {
	people := rec.people()
	if len(people) == 0 || e.config.Executor == nil && !e.runner.running.Load() {
		return
	}
	q := RecordQuery{Status: []Status{StatusApproved, StatusInProcessing}, Lookup: people}
	for other, err := range e.records(ctx, q) {
		if err == nil && other.ID != rec.ID {
			err = e.hint(ctx, other)
		}
		if err != nil {
			e.config.Logger.WarnContext(ctx, "requests of the same data subject go on a little later", "request", rec.ID)
			return
		}
	}
}

// waits says until when a request waits that met an error, and whether the
// error is one that goes away by itself. Where a connection is left alone for
// all requests, they do not all come back in the same moment.
func (e *Engine) waits(state *lifecycle.State, err error, now time.Time) (until time.Time, worth bool) {
	if !passing(err) {
		return time.Time{}, false
	}
	count := 0
	if state.Wait != nil {
		if now.Sub(state.Wait.Since) >= e.config.Retry.GiveUp {
			return time.Time{}, false
		}
		count = state.Wait.Tries
	}
	pause := e.config.Retry.pause(count)
	var down *unavailableError
	if errors.As(err, &down) {
		pause += down.wait
	}
	// Stores keep no finer times than microseconds.
	return now.Add(max(pause.Truncate(time.Microsecond), time.Millisecond)), true
}
