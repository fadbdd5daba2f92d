// Package executortest checks that a [dsr.Executor] keeps what the port
// promises. An executor's own test calls [Run]:
//
//	func TestExecutor(t *testing.T) {
//		executortest.Run(t, func() (dsr.Executor, error) { return myexecutor.New(...) })
//	}
//
// The checks go by the clock, and wait for nothing longer than they must: an
// executor that keeps its promises passes most of them in less than a second.
// They run in a bubble of testing/synctest as well, if the executor does.
package executortest

import (
	"context"
	"testing"

	"github.com/godsr/dsr"
)

// Check is one promise of the port.
type Check struct {
	// Name is short and unique.
	Name string
	// Explanation says what must hold, and is shown when it does not.
	Explanation string
	// Run returns an error that says what the executor did wrong. It calls
	// newExecutor for an executor without jobs, as often as it needs one.
	// That must handle at least two requests at once and try a failed one
	// again within ten seconds.
	Run func(ctx context.Context, newExecutor func() (dsr.Executor, error)) error
}

// Checks returns all checks. They are independent of each other.
func Checks() []Check {
	return []Check{
		{"runs", "a job is handled once, under the ID of its request", runs},
		{"before run", "a job that was enqueued before Run is handled by it", beforeRun},
		{"one waiting", "jobs of the same request that wait are one", oneWaiting},
		{"earlier", "of the times of jobs that are one, the earliest counts", earlier},
		{"again", "a request that is enqueued while it runs runs again afterwards", again},
		{"one at a time", "no request is handled twice at once", oneAtATime},
		{"not early", "no job is handled before its time", notEarly},
		{"retry", "a job whose handler returned an error is handled again", retry},
		{"panic", "a handler that panics has failed; the executor goes on", panics},
		{"concurrent", "jobs of different requests are handled at once", concurrent},
		{"crowd", "jobs of many requests that many enqueue at once are all handled", crowd},
		{"from a handler", "a handler may enqueue its own request and others", fromAHandler},
		{"drain", "once its context ends, Run starts nothing more and returns nil when the last handler has returned", drain},
		{"canceled", "Enqueue under a context that is over fails and does no harm, or counts", canceled},
	}
}

// Run runs every check as a parallel subtest.
func Run(t *testing.T, newExecutor func() (dsr.Executor, error)) {
	t.Helper()
	for _, check := range Checks() {
		t.Run(check.Name, func(t *testing.T) {
			t.Parallel()
			if err := check.Run(t.Context(), newExecutor); err != nil {
				t.Errorf("%v\nmust hold: %s", err, check.Explanation)
			}
		})
	}
}
