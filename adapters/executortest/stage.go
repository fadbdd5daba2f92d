package executortest

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/godsr/dsr"
)

const (
	// patience is how long a check waits for what must come. Only an
	// executor at fault lets it wait that long.
	patience = 30 * time.Second
	// shortly is long enough for an executor to do what it must not do.
	shortly = 50 * time.Millisecond
)

// stage is an executor under check. Its handler notes each run.
type stage struct {
	executor dsr.Executor
	cancel   context.CancelFunc // ends the context of Run
	ended    chan struct{}      // closed once Run has returned; nil before start
	result   error              // what Run returned, once it has

	mu      sync.Mutex
	handled map[string][]time.Time // when the runs of a request began
	changed chan struct{}          // closed and replaced at each run
}

// onStage makes an executor, lets a check use it, and ends it. That it ends as
// it should is part of every check.
func onStage(newExecutor func() (dsr.Executor, error), check func(s *stage) error) error {
	executor, err := newExecutor()
	if err != nil {
		return err
	}
	s := &stage{executor: executor, handled: map[string][]time.Time{}, changed: make(chan struct{})}
	err = check(s)
	if s.ended == nil {
		return err
	}
	return cmp.Or(err, s.stop())
}

// start calls Run. handle may be nil.
func (s *stage) start(ctx context.Context, handle dsr.Handler) {
	ctx, s.cancel = context.WithCancel(ctx)
	s.ended = make(chan struct{})
	go func() {
		defer close(s.ended)
		s.result = s.executor.Run(ctx, func(ctx context.Context, j dsr.Job) error {
			s.note(j.RequestID)
			if handle == nil {
				return nil
			}
			return handle(ctx, j)
		})
	}()
}

// stop ends the context of Run and waits until it returns.
func (s *stage) stop() error {
	s.cancel()
	select {
	case <-s.ended:
		if s.result != nil {
			return fmt.Errorf("Run returned %w; want nil once its context ended", s.result)
		}
		return nil
	case <-time.After(patience):
		return fmt.Errorf("Run did not return within %v of the end of its context", patience)
	}
}

func (s *stage) enqueue(ctx context.Context, id string, runAt time.Time) error {
	if err := s.executor.Enqueue(ctx, dsr.Job{RequestID: id, RunAt: runAt}); err != nil {
		return fmt.Errorf("Enqueue(%q): %w", id, err)
	}
	return nil
}

func (s *stage) note(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handled[id] = append(s.handled[id], time.Now())
	close(s.changed)
	s.changed = make(chan struct{})
}

// runs returns when the runs of a request began.
func (s *stage) runs(id string) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handled[id]
}

// await waits until a request ran that often.
func (s *stage) await(id string, times int) error {
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		got, changed := len(s.handled[id]), s.changed
		s.mu.Unlock()
		if got >= times {
			return nil
		}
		select {
		case <-changed:
		case <-s.ended:
			return fmt.Errorf("Run returned before its context ended, with error %v, when request %q had run %d times", s.result, id, got)
		case <-deadline:
			return fmt.Errorf("request %q ran %d times within %v; want %d", id, got, patience, times)
		}
	}
}

// exactly waits until a request ran that often, and sees that it does not run
// more often shortly after. A job for later, of another request, tells when.
func (s *stage) exactly(ctx context.Context, id string, times int) error {
	if err := s.await(id, times); err != nil {
		return err
	}
	if err := s.later(ctx); err != nil {
		return err
	}
	if got := len(s.runs(id)); got != times {
		return fmt.Errorf("request %q ran %d times; want %d", id, got, times)
	}
	return nil
}

// later waits until a job that is due shortly was handled.
func (s *stage) later(ctx context.Context) error {
	before := len(s.runs("later"))
	if err := s.enqueue(ctx, "later", in(shortly)); err != nil {
		return err
	}
	return s.await("later", before+1)
}

// in is a time to come, which a database can store as it is.
func in(d time.Duration) time.Time { return time.Now().Add(d).Truncate(time.Millisecond) }

// within waits for something that must come.
func within(c <-chan struct{}, what string) error {
	select {
	case <-c:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s did not happen within %v", what, patience)
	}
}
