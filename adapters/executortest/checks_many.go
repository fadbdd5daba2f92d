package executortest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/godsr/dsr"
)

func concurrent(ctx context.Context, newExecutor maker) error {
	return onStage(newExecutor, func(s *stage) error {
		began := map[string]chan struct{}{"a": make(chan struct{}), "b": make(chan struct{})}
		other := map[string]string{"a": "b", "b": "a"}
		var mu sync.Mutex
		var alone error
		s.start(ctx, func(_ context.Context, j dsr.Job) error {
			if len(s.runs(j.RequestID)) == 1 {
				close(began[j.RequestID])
			}
			err := within(began[other[j.RequestID]], "a run of the other request meanwhile")
			mu.Lock()
			defer mu.Unlock()
			alone = errors.Join(alone, err)
			return nil
		})
		if err := errors.Join(s.enqueue(ctx, "a", now), s.enqueue(ctx, "b", now)); err != nil {
			return err
		}
		err := errors.Join(s.await("a", 1), s.await("b", 1), s.stop())
		mu.Lock()
		defer mu.Unlock()
		return errors.Join(err, alone)
	})
}

func crowd(ctx context.Context, newExecutor maker) error {
	const callers, jobs = 10, 10
	return onStage(newExecutor, func(s *stage) error {
		id := func(caller, job int) string { return fmt.Sprintf("%d/%d", caller, job) }
		faults := make(chan error, callers)
		ready := make(chan struct{})
		for caller := range callers {
			go func() {
				<-ready
				var err error
				for job := range jobs {
					err = errors.Join(err, s.enqueue(ctx, id(caller, job), now))
				}
				faults <- err
			}()
		}
		s.start(ctx, nil)
		close(ready)
		var err error
		for range callers {
			err = errors.Join(err, <-faults)
		}
		if err != nil {
			return err
		}
		for i := range callers * jobs {
			if err := s.await(id(i/jobs, i%jobs), 1); err != nil {
				return err
			}
		}
		return nil
	})
}

func fromAHandler(ctx context.Context, newExecutor maker) error {
	return onStage(newExecutor, func(s *stage) error {
		var mu sync.Mutex
		var refused error
		s.start(ctx, func(ctx context.Context, j dsr.Job) error {
			if j.RequestID != "a" || len(s.runs("a")) > 1 {
				return nil
			}
			err := errors.Join(s.enqueue(ctx, "a", now), s.enqueue(ctx, "b", now))
			mu.Lock()
			defer mu.Unlock()
			refused = err
			return nil
		})
		if err := s.enqueue(ctx, "a", now); err != nil {
			return err
		}
		err := errors.Join(s.await("b", 1), s.await("a", 2))
		mu.Lock()
		defer mu.Unlock()
		return errors.Join(err, refused)
	})
}

func drain(ctx context.Context, newExecutor maker) error {
	return onStage(newExecutor, func(s *stage) error {
		release := make(chan struct{})
		s.start(ctx, func(_ context.Context, j dsr.Job) error {
			if j.RequestID == "a" {
				_ = within(release, "the end of the check")
			}
			return nil
		})
		if err := s.enqueue(ctx, "a", now); err != nil {
			return err
		}
		err := s.await("a", 1)
		if err == nil {
			s.cancel()
			select {
			case <-s.ended:
				err = errors.New("Run returned while a handler was running")
			case <-time.After(shortly):
				// An executor that is stopping may refuse jobs.
				_ = s.executor.Enqueue(ctx, dsr.Job{RequestID: "b"})
			}
		}
		close(release)
		if err != nil {
			return err
		}
		if err := s.stop(); err != nil {
			return err
		}
		if len(s.runs("b")) > 0 {
			return errors.New("a job was started after the context of Run had ended")
		}
		return nil
	})
}

func canceled(ctx context.Context, newExecutor maker) error {
	return onStage(newExecutor, func(s *stage) error {
		s.start(ctx, nil)
		over, cancel := context.WithCancel(ctx)
		cancel()
		if s.enqueue(over, "a", now) == nil {
			if err := s.await("a", 1); err != nil {
				return fmt.Errorf("after Enqueue accepted the job: %w", err)
			}
		}
		if err := errors.Join(s.enqueue(ctx, "a", now), s.enqueue(ctx, "b", now)); err != nil {
			return err
		}
		return errors.Join(s.await("a", 1), s.await("b", 1))
	})
}
