package dsr

import (
	"cmp"
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/turn"
)

// LocalExecutor is the [Executor] within a process: a bounded number of
// workers, no goroutine before Run and none after it.
//
// It is fair. Of the requests that are due, the one that waited longest goes
// first; one that ran and asks for more waits behind all that are due by then.
// A request that fails waits its time without holding a worker.
//
// It holds hints, not truth. Jobs that wait when the process ends are lost, as
// are those beyond [LocalExecutorOptions.Horizon] and above
// [LocalExecutorOptions.Queue]: the store knows when each request is due.
type LocalExecutor struct {
	opts LocalExecutorOptions
	wake chan struct{} // holds one token when there may be something to start

	mu      sync.Mutex
	waiting *turn.Queue[*task] // by request
	running map[string]*Job    // by request; what was asked for meanwhile, or nil
	serving bool
}

// LocalExecutorOptions tune a [LocalExecutor].
type LocalExecutorOptions struct {
	// Workers is how many requests are handled at once. Defaults to 4.
	Workers int
	// Queue is how many jobs wait at most. When there are more, the one
	// with the latest time is forgotten, which may be the new one.
	// Defaults to 10,000.
	Queue int
	// Horizon is how far ahead jobs are kept: one whose RunAt is later
	// than that is accepted and forgotten. Defaults to 10 minutes.
	Horizon time.Duration
	// Grace is how long running handlers may take to come to a stopping
	// place when the context of Run ends; only then does theirs end.
	// Defaults to 30 seconds; below zero there is none.
	Grace time.Duration
	// RetryAfter is how long a request waits after its first error in a
	// row, give or take half of it. The wait doubles with each further one.
	// Defaults to one second.
	RetryAfter time.Duration
	// RetryLimit is the longest such wait. Defaults to one minute.
	RetryLimit time.Duration
	// OnError is told of every error of a handler, from many goroutines;
	// of a panic as a *[graph.PanicError]. Defaults to telling nobody.
	OnError func(j Job, err error)
}

// task is a job that waits or runs.
type task struct {
	job Job
	// pause makes the waits between errors; nil while there were none.
	pause *backoff.ExponentialBackOff
}

// NewLocalExecutor returns an executor that starts nothing before Run. opts
// may be nil.
func NewLocalExecutor(opts *LocalExecutorOptions) *LocalExecutor {
	e := &LocalExecutor{wake: make(chan struct{}, 1), running: map[string]*Job{}}
	if opts != nil {
		e.opts = *opts
	}
	e.opts.Workers = positive(e.opts.Workers, 4)
	e.opts.Queue = positive(e.opts.Queue, 10_000)
	e.opts.Horizon = positive(e.opts.Horizon, 10*time.Minute)
	e.opts.Grace = cmp.Or(e.opts.Grace, 30*time.Second)
	e.opts.RetryAfter = positive(e.opts.RetryAfter, time.Second)
	e.opts.RetryLimit = positive(e.opts.RetryLimit, time.Minute)
	if e.opts.OnError == nil {
		e.opts.OnError = func(Job, error) {}
	}
	e.waiting = turn.NewQueue[*task](e.opts.Queue)
	return e
}

func positive[T int | time.Duration](given, otherwise T) T {
	if given > 0 {
		return given
	}
	return otherwise
}

var _ Executor = (*LocalExecutor)(nil)

// Enqueue implements [Executor]. It refuses a job without a request and a
// context that has ended, and never waits.
func (e *LocalExecutor) Enqueue(ctx context.Context, j Job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if j.RequestID == "" {
		return errors.New("dsr: a job must name its request; set RequestID")
	}
	now := time.Now()
	if j.RunAt.Sub(now) > e.opts.Horizon {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if again, ok := e.running[j.RequestID]; ok {
		if again == nil || j.RunAt.Before(again.RunAt) {
			e.running[j.RequestID] = &j
		}
		return nil
	}
	t := &task{job: j}
	due := dueAt(j, now)
	if earlier, waits, ok := e.waiting.Get(j.RequestID); ok {
		if !due.Before(earlier) {
			return nil
		}
		t.pause = waits.pause
	}
	e.put(t, due)
	return nil
}

// dueAt is the time from which a job waits for a worker. It is told by the
// monotonic clock, so that all of them compare.
func dueAt(j Job, now time.Time) time.Time { return now.Add(max(j.RunAt.Sub(now), 0)) }

func (e *LocalExecutor) put(t *task, due time.Time) {
	e.waiting.Put(t.job.RequestID, due, t)
	e.signal()
}

func (e *LocalExecutor) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Run implements [Executor]. Once ctx ends it starts no more handlers, gives
// those that run their time ([LocalExecutorOptions.Grace]) and returns nil when
// the last one has returned. The contexts of handlers have the values of ctx.
// What waits then is kept for another Run; two at once are an error.
func (e *LocalExecutor) Run(ctx context.Context, h Handler) error {
	e.mu.Lock()
	if e.serving {
		e.mu.Unlock()
		return errors.New("dsr: the executor is running already; call Run once")
	}
	e.serving = true
	e.mu.Unlock()

	handling, end := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	defer func() {
		grace := time.AfterFunc(e.opts.Grace, end)
		workers.Wait()
		grace.Stop()
		end()
		e.mu.Lock()
		e.serving = false
		e.mu.Unlock()
	}()
	for ctx.Err() == nil {
		tasks, next := e.take()
		for _, t := range tasks {
			workers.Go(func() { e.handle(handling, h, t) })
		}
		var timer <-chan time.Time
		if next > 0 {
			timer = time.After(next)
		}
		select {
		case <-ctx.Done():
		case <-e.wake:
		case <-timer:
		}
	}
	return nil
}

// take starts what is due as far as there are workers, and tells how long the
// next one has to wait; 0 if none waits for its time only.
func (e *LocalExecutor) take() (tasks []*task, next time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.running) < e.opts.Workers {
		due, ok := e.waiting.Next()
		if !ok {
			break
		}
		if wait := time.Until(due); wait > 0 {
			return tasks, wait
		}
		id, t := e.waiting.Take()
		e.running[id] = nil
		tasks = append(tasks, t)
	}
	return tasks, 0
}

// handle runs one job to its end, whichever way the handler ends.
func (e *LocalExecutor) handle(ctx context.Context, h Handler, t *task) {
	err := errors.New("dsr: the handler ended its goroutine; let it return instead")
	defer func() {
		if err != nil {
			e.opts.OnError(t.job, err)
		}
		e.finish(t, err)
	}()
	defer func() {
		if value := recover(); value != nil {
			err = &graph.PanicError{Stack: string(debug.Stack())}
		}
	}()
	err = h(ctx, t.job)
}

// finish frees the worker and lets the request run again: if somebody asked
// for that meanwhile, or after a pause if it failed. An error came after
// whatever was asked for, so that the pause holds for that as well; else a
// request that asks for more and fails would run without end.
func (e *LocalExecutor) finish(t *task, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	again := e.running[t.job.RequestID]
	delete(e.running, t.job.RequestID)
	now := time.Now()
	switch {
	case err != nil:
		if t.pause == nil {
			t.pause = e.newPause()
		}
		t.job.RunAt = now.Add(t.pause.NextBackOff())
		e.put(t, t.job.RunAt)
	case again != nil:
		e.put(&task{job: *again}, dueAt(*again, now))
	}
	e.signal()
}

// newPause returns doubling waits that are half to one and a half of their
// length, so that requests which failed together do not come back together.
func (e *LocalExecutor) newPause() *backoff.ExponentialBackOff {
	const jitter = 0.5
	longest := time.Duration(float64(e.opts.RetryLimit) / (1 + jitter))
	return &backoff.ExponentialBackOff{
		InitialInterval:     min(e.opts.RetryAfter, longest),
		RandomizationFactor: jitter,
		Multiplier:          2,
		MaxInterval:         longest,
	}
}
