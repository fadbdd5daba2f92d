package memory

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/godsr/dsr"
)

// Executor is a [dsr.Executor] within its process. Jobs that still wait when
// the process ends are lost, which the store makes up for.
type Executor struct {
	opts ExecutorOptions
	wake chan struct{} // holds one token when there may be something to start

	mu      sync.Mutex
	queue   queue
	waiting map[string]*entry // jobs in the queue, by request
	running map[string]*run
	serial  uint64
	serving bool
}

// ExecutorOptions tune an [Executor].
type ExecutorOptions struct {
	// Workers is how many jobs run at once. Defaults to 4.
	Workers int
	// RetryAfter is how long a job waits after its first error in a row.
	// The wait doubles with each further one. Defaults to one second.
	RetryAfter time.Duration
	// RetryLimit is the longest wait. Defaults to one minute.
	RetryLimit time.Duration
	// OnError is told of every error of a handler, a *[PanicError]
	// included, from many goroutines. Defaults to telling nobody.
	OnError func(j dsr.Job, err error)
}

// PanicError is what a handler's panic becomes. Its text does not show the
// value of the panic, which may be personal, unless the runtime made it.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	var fault runtime.Error
	if err, ok := e.Value.(error); ok && errors.As(err, &fault) {
		return "memory: the handler panicked: " + fault.Error()
	}
	return fmt.Sprintf("memory: the handler panicked with a %T", e.Value)
}

// NewExecutor returns an executor that starts nothing before Run. opts may be
// nil.
func NewExecutor(opts *ExecutorOptions) *Executor {
	e := &Executor{
		wake:    make(chan struct{}, 1),
		waiting: map[string]*entry{},
		running: map[string]*run{},
	}
	if opts != nil {
		e.opts = *opts
	}
	if e.opts.Workers <= 0 {
		e.opts.Workers = 4
	}
	if e.opts.RetryAfter <= 0 {
		e.opts.RetryAfter = time.Second
	}
	if e.opts.RetryLimit <= 0 {
		e.opts.RetryLimit = time.Minute
	}
	if e.opts.OnError == nil {
		e.opts.OnError = func(dsr.Job, error) {}
	}
	return e
}

var _ dsr.Executor = (*Executor)(nil)

// Enqueue implements [dsr.Executor]. Of two jobs for one request the earlier
// time to run counts.
func (e *Executor) Enqueue(ctx context.Context, j dsr.Job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if j.RequestID == "" {
		return errors.New("memory: a job must name its request")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.add(j, 0)
	return nil
}

// Run implements [dsr.Executor]. It returns nil once ctx is done and all
// handlers, which get ctx, have returned. What waits then is kept for another
// Run; two at once are an error.
func (e *Executor) Run(ctx context.Context, h dsr.Handler) error {
	e.mu.Lock()
	if e.serving {
		e.mu.Unlock()
		return errors.New("memory: the executor is running already")
	}
	e.serving = true
	e.mu.Unlock()

	var workers sync.WaitGroup
	defer func() {
		workers.Wait()
		e.mu.Lock()
		e.serving = false
		e.mu.Unlock()
	}()
	for ctx.Err() == nil {
		jobs, next := e.due()
		for _, j := range jobs {
			workers.Go(func() { e.handle(ctx, h, j) })
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

// due takes the jobs that can start now out of the queue, and tells how long
// the next one has to wait; 0 if none waits for its time only.
func (e *Executor) due() ([]*entry, time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var jobs []*entry
	for len(e.queue) > 0 && len(e.running) < e.opts.Workers {
		first := e.queue[0]
		if wait := time.Until(first.job.RunAt); wait > 0 {
			return jobs, wait
		}
		heap.Pop(&e.queue)
		delete(e.waiting, first.job.RequestID)
		e.running[first.job.RequestID] = &run{}
		jobs = append(jobs, first)
	}
	return jobs, 0
}

// handle runs one job to its end, whichever way the handler ends.
func (e *Executor) handle(ctx context.Context, h dsr.Handler, j *entry) {
	err := errors.New("memory: the handler ended its goroutine")
	defer func() {
		if err != nil {
			e.opts.OnError(j.job, err)
		}
		e.finish(j, err)
	}()
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	err = h(ctx, j.job)
}

// finish lets the request run again: soon, if somebody asked for that while it
// ran, or later, if it failed.
func (e *Executor) finish(j *entry, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id := j.job.RequestID
	again := e.running[id].again
	delete(e.running, id)
	failures := 0
	if err != nil {
		failures = j.failures + 1
		e.add(dsr.Job{RequestID: id, RunAt: time.Now().Add(e.backOff(failures))}, failures)
	}
	if again != nil {
		e.add(*again, failures)
	}
	e.signal() // a worker is free
}

func (e *Executor) backOff(failures int) time.Duration {
	wait := e.opts.RetryAfter
	for range failures - 1 {
		if wait >= e.opts.RetryLimit {
			break
		}
		wait *= 2
	}
	return min(wait, e.opts.RetryLimit)
}

// add queues a job, or merges it with the one that waits for the request.
func (e *Executor) add(j dsr.Job, failures int) {
	if r := e.running[j.RequestID]; r != nil {
		if r.again == nil || j.RunAt.Before(r.again.RunAt) {
			r.again = &j
		}
		return
	}
	if w := e.waiting[j.RequestID]; w != nil {
		w.failures = max(w.failures, failures)
		if j.RunAt.Before(w.job.RunAt) {
			w.job.RunAt = j.RunAt
			heap.Fix(&e.queue, w.index)
			e.signal()
		}
		return
	}
	e.serial++
	w := &entry{job: j, failures: failures, serial: e.serial}
	e.waiting[j.RequestID] = w
	heap.Push(&e.queue, w)
	e.signal()
}

func (e *Executor) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// run is a request whose handler runs.
type run struct {
	again *dsr.Job // asked for meanwhile
}

// entry is a job that waits.
type entry struct {
	job      dsr.Job
	failures int // in a row
	serial   uint64
	index    int // in the queue
}

// queue is a heap of jobs by their time, then by the order they came in.
type queue []*entry

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return cmp.Or(q[i].job.RunAt.Compare(q[j].job.RunAt), cmp.Compare(q[i].serial, q[j].serial)) < 0
}
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}
func (q *queue) Push(x any) {
	w := x.(*entry)
	w.index = len(*q)
	*q = append(*q, w)
}
func (q *queue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return w
}
