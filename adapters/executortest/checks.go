package executortest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/godsr/dsr"
)

type maker = func() (dsr.Executor, error)

// now is the RunAt of a job without a time.
var now time.Time

func runs(ctx context.Context, newExecutor maker) error {
	return onStage(newExecutor, func(s *stage) error {
		s.start(ctx, nil)
		if err := s.enqueue(ctx, "a", now); err != nil {
			return err
		}
		return s.exactly(ctx, "a", 1)
	})
}

func beforeRun(ctx context.Context, newExecutor maker) error {
	return onStage(newExecutor, func(s *stage) error {
		if err := errors.Join(s.enqueue(ctx, "a", now), s.enqueue(ctx, "b", in(shortly))); err != nil {
			return err
		}
		s.start(ctx, nil)
		return errors.Join(s.await("a", 1), s.await("b", 1))
	})
}

func oneWaiting(ctx context.Context, newExecutor maker) error {
	return onStage(newExecutor, func(s *stage) error {
		for range 3 {
			if err := errors.Join(s.enqueue(ctx, "due", now), s.enqueue(ctx, "timed", in(shortly))); err != nil {
				return err
			}
		}
		s.start(ctx, nil)
		return errors.Join(s.exactly(ctx, "due", 1), s.exactly(ctx, "timed", 1))
	})
}

func earlier(ctx context.Context, newExecutor maker) error {
	return onStage(newExecutor, func(s *stage) error {
		if err := errors.Join(s.enqueue(ctx, "a", in(time.Minute)), s.enqueue(ctx, "b", now), s.enqueue(ctx, "b", in(time.Minute))); err != nil {
			return err
		}
		s.start(ctx, nil)
		if err := s.await("b", 1); err != nil {
			return err
		}
		if err := s.enqueue(ctx, "a", now); err != nil {
			return err
		}
		return s.await("a", 1)
	})
}

func again(ctx context.Context, newExecutor maker) error {
	return onStage(newExecutor, func(s *stage) error {
		asked := make(chan struct{})
		s.start(ctx, func(ctx context.Context, j dsr.Job) error {
			if j.RequestID == "a" {
				_ = within(asked, "asking for another run")
			}
			return nil
		})
		if err := s.enqueue(ctx, "a", now); err != nil {
			return err
		}
		err := s.await("a", 1)
		if err == nil {
			err = s.enqueue(ctx, "a", now)
		}
		close(asked)
		if err != nil {
			return err
		}
		return s.exactly(ctx, "a", 2)
	})
}

func oneAtATime(ctx context.Context, newExecutor maker) error {
	return onStage(newExecutor, func(s *stage) error {
		var mu sync.Mutex
		var running, most int
		s.start(ctx, func(_ context.Context, j dsr.Job) error {
			if j.RequestID != "a" {
				return nil
			}
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			<-time.After(shortly)
			mu.Lock()
			running--
			mu.Unlock()
			return nil
		})
		for i := range 3 {
			for range 3 {
				if err := errors.Join(s.enqueue(ctx, "a", now), s.enqueue(ctx, "a", in(time.Millisecond))); err != nil {
					return err
				}
			}
			if err := s.await("a", i+1); err != nil {
				return err
			}
		}
		if err := s.stop(); err != nil {
			return err
		}
		if most != 1 {
			return fmt.Errorf("the request was handled by %d handlers at once", most)
		}
		return nil
	})
}

func notEarly(ctx context.Context, newExecutor maker) error {
	return onStage(newExecutor, func(s *stage) error {
		waiting, meanwhile := in(2*shortly), in(shortly)
		if err := s.enqueue(ctx, "a", waiting); err != nil {
			return err
		}
		block := make(chan struct{})
		s.start(ctx, func(_ context.Context, j dsr.Job) error {
			if j.RequestID == "b" {
				_ = within(block, "enqueueing")
			}
			return nil
		})
		if err := s.enqueue(ctx, "b", meanwhile); err != nil {
			return err
		}
		if err := s.await("b", 1); err != nil {
			return err
		}
		afterwards := in(2 * shortly)
		err := s.enqueue(ctx, "b", afterwards) // while it runs
		close(block)
		if err := errors.Join(err, s.await("a", 1), s.await("b", 2)); err != nil {
			return err
		}
		for _, run := range []struct{ at, wanted time.Time }{
			{s.runs("a")[0], waiting}, {s.runs("b")[0], meanwhile}, {s.runs("b")[1], afterwards},
		} {
			if run.at.Before(run.wanted) {
				return fmt.Errorf("a job was handled %v before its time", run.wanted.Sub(run.at))
			}
		}
		return nil
	})
}

func retry(ctx context.Context, newExecutor maker) error {
	return onStage(newExecutor, func(s *stage) error {
		s.start(ctx, func(_ context.Context, j dsr.Job) error {
			if len(s.runs("a")) == 1 && j.RequestID == "a" {
				return errors.New("the first run fails")
			}
			return nil
		})
		if err := s.enqueue(ctx, "a", now); err != nil {
			return err
		}
		return s.exactly(ctx, "a", 2)
	})
}

func panics(ctx context.Context, newExecutor maker) error {
	return onStage(newExecutor, func(s *stage) error {
		s.start(ctx, func(_ context.Context, j dsr.Job) error {
			if len(s.runs("a")) == 1 && j.RequestID == "a" {
				panic("the first run panics")
			}
			return nil
		})
		if err := s.enqueue(ctx, "a", now); err != nil {
			return err
		}
		if err := s.await("a", 1); err != nil {
			return err
		}
		if err := s.enqueue(ctx, "b", now); err != nil {
			return err
		}
		return errors.Join(s.await("b", 1), s.await("a", 2))
	})
}
