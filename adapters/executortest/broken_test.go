package executortest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/executortest"
)

// fake is an executor in which some methods are replaced.
type fake struct {
	dsr.Executor
	enqueue func(ctx context.Context, j dsr.Job) error
	run     func(ctx context.Context, h dsr.Handler) error
}

func (f *fake) Enqueue(ctx context.Context, j dsr.Job) error {
	if f.enqueue != nil {
		return f.enqueue(ctx, j)
	}
	return f.Executor.Enqueue(ctx, j)
}

func (f *fake) Run(ctx context.Context, h dsr.Handler) error {
	if f.run != nil {
		return f.run(ctx, h)
	}
	return f.Executor.Run(ctx, h)
}

func local() *dsr.LocalExecutor { return dsr.NewLocalExecutor(nil) }

// tuned is an executor whose options break it.
func tuned(opts dsr.LocalExecutorOptions) func() dsr.Executor {
	return func() dsr.Executor { return dsr.NewLocalExecutor(&opts) }
}

// handled is an executor whose handler is wrapped.
func handled(wrap func(ctx context.Context, j dsr.Job, h dsr.Handler) error) func() dsr.Executor {
	return func() dsr.Executor {
		e := local()
		return &fake{Executor: e, run: func(ctx context.Context, h dsr.Handler) error {
			return e.Run(ctx, func(ctx context.Context, j dsr.Job) error { return wrap(ctx, j, h) })
		}}
	}
}

// altered is an executor whose jobs are altered, or dropped for false.
func altered(alter func(j *dsr.Job) bool) func() dsr.Executor {
	return func() dsr.Executor {
		e := local()
		return &fake{Executor: e, enqueue: func(ctx context.Context, j dsr.Job) error {
			if !alter(&j) {
				return nil
			}
			return e.Enqueue(ctx, j)
		}}
	}
}

// states is an executor that drops jobs by what it knows of their requests:
// the number of those that wait and of those that run.
func states(drop func(waiting, running int) bool) func() dsr.Executor {
	return func() dsr.Executor {
		var mu sync.Mutex
		waiting, running := map[string]int{}, map[string]int{}
		e := local()
		return &fake{
			Executor: e,
			enqueue: func(ctx context.Context, j dsr.Job) error {
				mu.Lock()
				defer mu.Unlock()
				if drop(waiting[j.RequestID], running[j.RequestID]) {
					return nil
				}
				waiting[j.RequestID]++
				return e.Enqueue(ctx, j)
			},
			run: func(ctx context.Context, h dsr.Handler) error {
				return e.Run(ctx, func(ctx context.Context, j dsr.Job) error {
					mu.Lock()
					waiting[j.RequestID] = 0
					running[j.RequestID]++
					mu.Unlock()
					defer func() {
						mu.Lock()
						defer mu.Unlock()
						running[j.RequestID]--
					}()
					return h(ctx, j)
				})
			},
		}
	}
}

// numbered is an executor to which every job is another request.
func numbered() dsr.Executor {
	var mu sync.Mutex
	n := 0
	e := local()
	return &fake{
		Executor: e,
		enqueue: func(ctx context.Context, j dsr.Job) error {
			mu.Lock()
			defer mu.Unlock()
			n++
			j.RequestID = fmt.Sprintf("%s#%d", j.RequestID, n)
			return e.Enqueue(ctx, j)
		},
		run: func(ctx context.Context, h dsr.Handler) error {
			return e.Run(ctx, func(ctx context.Context, j dsr.Job) error {
				j.RequestID, _, _ = strings.Cut(j.RequestID, "#")
				return h(ctx, j)
			})
		},
	}
}

// deaf is an executor that hears of jobs only while Run runs.
func deaf() dsr.Executor {
	e := local()
	var mu sync.Mutex
	hears := false
	return &fake{
		Executor: e,
		enqueue: func(ctx context.Context, j dsr.Job) error {
			mu.Lock()
			defer mu.Unlock()
			if !hears {
				return nil
			}
			return e.Enqueue(ctx, j)
		},
		run: func(ctx context.Context, h dsr.Handler) error {
			mu.Lock()
			hears = true
			mu.Unlock()
			return e.Run(ctx, h)
		},
	}
}

// locked is an executor that takes no job while a handler runs.
func locked() dsr.Executor {
	e := local()
	lock := make(chan struct{}, 1) // a mutex on which a bubble may wait
	hold := func(ctx context.Context, f func() error) error {
		select {
		case lock <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		defer func() { <-lock }()
		return f()
	}
	return &fake{
		Executor: e,
		enqueue: func(ctx context.Context, j dsr.Job) error {
			return hold(ctx, func() error { return e.Enqueue(ctx, j) })
		},
		run: func(ctx context.Context, h dsr.Handler) error {
			return e.Run(ctx, func(ctx context.Context, j dsr.Job) error {
				return hold(ctx, func() error { return h(ctx, j) })
			})
		},
	}
}

// broken lists, for every check, executors that it must find at fault.
var broken = map[string]map[string]func() dsr.Executor{
	"runs": {
		"jobs are dropped": altered(func(*dsr.Job) bool { return false }),
		"it takes another ID": handled(func(ctx context.Context, j dsr.Job, h dsr.Handler) error {
			return h(ctx, dsr.Job{RequestID: strings.ToUpper(j.RequestID)})
		}),
		"everything runs twice": handled(func(ctx context.Context, j dsr.Job, h dsr.Handler) error {
			return errors.Join(h(ctx, j), h(ctx, j))
		}),
		"Run gives up": func() dsr.Executor {
			return &fake{Executor: local(), run: func(context.Context, dsr.Handler) error { return errors.New("no broker") }}
		},
	},
	"before run":  {"nothing is kept before Run": deaf},
	"one waiting": {"jobs are not merged": numbered},
	"earlier": {
		"the first one counts": states(func(waiting, _ int) bool { return waiting > 0 }),
		"the last one counts": func() dsr.Executor {
			var mu sync.Mutex
			last := map[string]time.Time{}
			e := local()
			return &fake{
				Executor: e,
				enqueue: func(ctx context.Context, j dsr.Job) error {
					mu.Lock()
					defer mu.Unlock()
					last[j.RequestID] = j.RunAt
					return e.Enqueue(ctx, j)
				},
				run: func(ctx context.Context, h dsr.Handler) error {
					return e.Run(ctx, func(ctx context.Context, j dsr.Job) error {
						mu.Lock()
						at := last[j.RequestID]
						mu.Unlock()
						if at.After(time.Now()) {
							return e.Enqueue(ctx, dsr.Job{RequestID: j.RequestID, RunAt: at})
						}
						return h(ctx, j)
					})
				},
			}
		},
	},
	"again":         {"a running request is enough": states(func(_, running int) bool { return running > 0 })},
	"one at a time": {"jobs are not merged": numbered},
	"not early": {
		"times are ignored": altered(func(j *dsr.Job) bool { j.RunAt = time.Time{}; return true }),
		"times are seconds": altered(func(j *dsr.Job) bool { j.RunAt = j.RunAt.Truncate(time.Second); return true }),
		"times are ignored while the request runs": func() dsr.Executor {
			var mu sync.Mutex
			ran := map[string]bool{}
			e := local()
			return &fake{
				Executor: e,
				enqueue: func(ctx context.Context, j dsr.Job) error {
					mu.Lock()
					defer mu.Unlock()
					if ran[j.RequestID] {
						j.RunAt = time.Time{}
					}
					return e.Enqueue(ctx, j)
				},
				run: func(ctx context.Context, h dsr.Handler) error {
					return e.Run(ctx, func(ctx context.Context, j dsr.Job) error {
						mu.Lock()
						ran[j.RequestID] = true
						mu.Unlock()
						return h(ctx, j)
					})
				},
			}
		},
	},
	"retry": {
		"errors are dropped": handled(func(ctx context.Context, j dsr.Job, h dsr.Handler) error {
			_ = h(ctx, j)
			return nil
		}),
		"tomorrow": tuned(dsr.LocalExecutorOptions{RetryAfter: 24 * time.Hour, RetryLimit: 24 * time.Hour}),
	},
	"panic": {
		"it is dropped": handled(func(ctx context.Context, j dsr.Job, h dsr.Handler) error {
			defer func() { _ = recover() }()
			return h(ctx, j)
		}),
		"it ends Run": func() dsr.Executor {
			e := local()
			return &fake{Executor: e, run: func(ctx context.Context, h dsr.Handler) error {
				ctx, cancel := context.WithCancelCause(ctx)
				_ = e.Run(ctx, func(ctx context.Context, j dsr.Job) error {
					defer func() {
						if recover() != nil {
							cancel(errors.New("a handler panicked"))
						}
					}()
					return h(ctx, j)
				})
				return context.Cause(ctx)
			}}
		},
		"a worker is lost with each": func() dsr.Executor {
			e := dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{Workers: 1})
			return &fake{Executor: e, run: func(ctx context.Context, h dsr.Handler) error {
				return e.Run(ctx, func(handling context.Context, j dsr.Job) error {
					defer func() {
						if recover() != nil {
							<-ctx.Done()
						}
					}()
					return h(handling, j)
				})
			}}
		},
	},
	"concurrent": {"one worker": tuned(dsr.LocalExecutorOptions{Workers: 1})},
	"crowd": {
		"there is little room": func() dsr.Executor {
			e := dsr.NewLocalExecutor(&dsr.LocalExecutorOptions{Queue: 10})
			return &fake{Executor: e, run: func(ctx context.Context, h dsr.Handler) error {
				<-time.After(time.Second) // all callers come first
				return e.Run(ctx, h)
			}}
		},
	},
	"from a handler": {"a handler holds the lock": locked},
	"drain": {
		"handlers are left alone": func() dsr.Executor {
			e := local()
			return &fake{Executor: e, run: func(ctx context.Context, h dsr.Handler) error {
				go func() { _ = e.Run(ctx, h) }()
				<-ctx.Done()
				return nil
			}}
		},
		"what waits is handled first": func() dsr.Executor {
			e := local()
			return &fake{Executor: e, run: func(ctx context.Context, h dsr.Handler) error {
				_ = e.Run(ctx, h)
				more, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
				defer cancel()
				return e.Run(more, h)
			}}
		},
		"the end of the context is an error": func() dsr.Executor {
			e := local()
			return &fake{Executor: e, run: func(ctx context.Context, h dsr.Handler) error {
				return errors.Join(e.Run(ctx, h), ctx.Err())
			}}
		},
		"Run never returns": func() dsr.Executor {
			e := local()
			return &fake{Executor: e, run: func(ctx context.Context, h dsr.Handler) error {
				_ = e.Run(ctx, h)
				<-time.After(24 * time.Hour)
				return nil
			}}
		},
	},
	"canceled": {
		"the job is accepted and lost": func() dsr.Executor {
			e := local()
			return &fake{Executor: e, enqueue: func(ctx context.Context, j dsr.Job) error {
				if ctx.Err() != nil {
					return nil
				}
				return e.Enqueue(ctx, j)
			}}
		},
		"the connection is closed": func() dsr.Executor {
			var mu sync.Mutex
			var closed error
			e := local()
			return &fake{Executor: e, enqueue: func(ctx context.Context, j dsr.Job) error {
				mu.Lock()
				defer mu.Unlock()
				if closed == nil {
					closed = ctx.Err()
				}
				if closed != nil {
					return closed
				}
				return e.Enqueue(ctx, j)
			}}
		},
		"the request is taken for waiting": func() dsr.Executor {
			var mu sync.Mutex
			refused := map[string]bool{}
			e := local()
			return &fake{Executor: e, enqueue: func(ctx context.Context, j dsr.Job) error {
				mu.Lock()
				defer mu.Unlock()
				if err := ctx.Err(); err != nil {
					refused[j.RequestID] = true
					return err
				}
				if refused[j.RequestID] {
					return nil
				}
				return e.Enqueue(ctx, j)
			}}
		},
	},
}

// Every check finds every executor at fault that was broken for it.
func TestChecksFindBrokenExecutors(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, check := range executortest.Checks() {
		require.False(t, names[check.Name], "two checks are named %q", check.Name)
		names[check.Name] = true
		require.NotEmpty(t, check.Explanation)
		require.NotEmpty(t, broken[check.Name], "no executor proves check %q", check.Name)
		for name, newFake := range broken[check.Name] {
			t.Run(fmt.Sprintf("%s/%s", check.Name, name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					err := check.Run(t.Context(), func() (dsr.Executor, error) { return newFake(), nil })
					<-time.After(48 * time.Hour) // for what a broken executor left behind
					require.Error(t, err)
					t.Log(err)
				})
			})
		}
	}
	for name := range broken {
		require.True(t, names[name], "there is no check %q", name)
	}
}

// An executor that cannot be made is no fault of a check, and a decorator that
// changes nothing breaks none.
func TestChecksOnHonestExecutors(t *testing.T) {
	t.Parallel()
	failure := errors.New("no broker")
	for _, check := range executortest.Checks() {
		t.Run(check.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				require.ErrorIs(t, check.Run(t.Context(), func() (dsr.Executor, error) { return nil, failure }), failure)
				require.NoError(t, check.Run(t.Context(), func() (dsr.Executor, error) { return &fake{Executor: local()}, nil }))
			})
		})
	}
}
