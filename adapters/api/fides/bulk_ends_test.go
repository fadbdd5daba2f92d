package fides_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

// frail is a store that fails in one way or another once it has committed so
// much.
type frail struct {
	*memory.Store
	left atomic.Int64 // commits; below 0 it fails
	down atomic.Bool  // nothing can be read either
	slow time.Duration
	// reads is how long it takes to read a request.
	reads time.Duration
	fail  func(context.Context) error
}

// Commit implements [dsr.Store].
func (f *frail) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	if f.slow > 0 {
		<-time.After(f.slow)
	}
	if f.left.Add(-1) < 0 {
		return f.fail(ctx)
	}
	return f.Store.Commit(ctx, ch)
}

// Request implements [dsr.Store].
func (f *frail) Request(ctx context.Context, id string) (*dsr.Record, error) {
	if f.down.Load() {
		return nil, dsr.ErrUnavailable
	}
	if f.reads > 0 {
		select {
		case <-time.After(f.reads):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return f.Store.Request(ctx, id)
}

// frailDesk is a desk over such a store, whose requests wait for an approval.
func frailDesk(t *testing.T, timeout time.Duration, fail func(context.Context, *frail) error) (*desk, *frail, string) {
	t.Helper()
	f := &frail{}
	f.left.Store(1 << 40)
	f.fail = func(ctx context.Context) error { return fail(ctx, f) }
	k := newDesk(t, func(k *desk) {
		f.Store = k.store
		k.config.Store, k.config.Flow.Approval, k.options.Limits.Timeout = f, true, timeout
	})
	return k, f, k.token(t)
}

// goes is a store that is gone.
func goes(_ context.Context, f *frail) error {
	f.down.Store(true)
	return fmt.Errorf("dial: %w", dsr.ErrUnavailable)
}

// blinks is a store that loses one commit, and knows that it did.
func blinks(context.Context, *frail) error { return fmt.Errorf("dial: %w", dsr.ErrUnavailable) }

// hangs is one that does not answer any more.
func hangs(ctx context.Context, _ *frail) error {
	<-ctx.Done()
	return ctx.Err()
}

func people(n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"policy_key":"access","external_id":"e%d","identity":{"email":"nia.vale@example.com"}}`, i)
	}
	return "[" + strings.Join(items, ",") + "]"
}

// ended is the answer to a bulk call: IDs, and the messages of what failed.
type ended struct {
	Succeeded []struct {
		ID       string `json:"id"`
		External string `json:"external_id"`
	} `json:"succeeded"`
	Failed []struct {
		Message string `json:"message"`
		Data    struct {
			External string `json:"external_id"`
			ID       string `json:"privacy_request_id"`
		} `json:"data"`
	} `json:"failed"`
}

func endOf(t *testing.T, a *answer) (e ended) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	require.NoError(t, json.Unmarshal([]byte(a.Body), &e))
	return e
}

func (k *desk) count(t *testing.T) int64 {
	t.Helper()
	n, err := k.store.CountRequests(t.Context(), dsr.RecordQuery{})
	require.NoError(t, err)
	return n
}

// What was created is told, whatever becomes of the rest.
func TestABulkThatEndsHalfwayTellsWhatItCreated(t *testing.T) {
	t.Parallel()
	const later = "Unavailable for now; this record was not reached. Try again later."
	const slow = "The request took too long, and this record was not "
	for name, test := range map[string]struct {
		fail          func(context.Context, *frail) error
		first, others string
		none          int
	}{
		"the store goes": {goes, "Unavailable for now, and whether this record was added is unknown. Look for it before it is sent again.", later, http.StatusOK},
		"it blinks":      {blinks, "Unavailable for now; this record was not added. Try again later.", later, http.StatusServiceUnavailable},
		"it hangs":       {hangs, slow + "added", slow + "reached", http.StatusGatewayTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k, f, token := frailDesk(t, 30*time.Second, test.fail)
				f.left.Store(3)
				e := endOf(t, k.send(t, token, "POST", "/privacy-request", people(6)))
				require.Len(t, e.Succeeded, 3)
				require.Len(t, e.Failed, 3)
				for i, s := range e.Succeeded {
					require.Equal(t, fmt.Sprintf("e%d", i), s.External)
				}
				for i, message := range []string{test.first, test.others, test.others} {
					require.Equal(t, message, e.Failed[i].Message)
					require.Equal(t, fmt.Sprintf("e%d", i+3), e.Failed[i].Data.External, "what was sent is sent back")
				}
				require.EqualValues(t, 3, k.count(t))
				require.Contains(t, k.logs.String(), `"level":"WARN"`)
				require.NotContains(t, k.logs.String(), "nia.vale")

				f.left.Store(0)
				a := k.send(t, token, "POST", "/privacy-request", people(6))
				require.Equal(t, test.none, a.Status, "nothing was created, or nobody knows")
				if a.Status == http.StatusOK {
					require.Contains(t, a.Body, `"failed":[{"message":"`+test.first+`"`)
				}
				require.Equal(t, test.none == http.StatusServiceUnavailable, a.Header.Get("Retry-After") == "5")
				require.EqualValues(t, 3, k.count(t))
			})
		})
	}
}

// A slow store leaves time to answer.
func TestABulkLeavesTimeToAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const timeout = time.Second
		k, f, token := frailDesk(t, timeout, hangs)
		f.slow = 70 * time.Millisecond
		began := time.Now()
		e := endOf(t, k.send(t, token, "POST", "/privacy-request", people(50)))
		require.Less(t, time.Since(began), timeout)
		require.NotEmpty(t, e.Succeeded)
		require.NotEmpty(t, e.Failed)
		require.Len(t, e.Succeeded, 50-len(e.Failed))
		require.EqualValues(t, len(e.Succeeded), k.count(t))
		for _, failed := range e.Failed {
			require.Equal(t, "The request took too long, and this record was not reached", failed.Message)
		}

		f.slow = 0
		k.submit(t, "access", 100-int(k.count(t)))
		f.slow = 100 * time.Millisecond
		body := make([]string, 100)
		for i := range body {
			body[i] = fmt.Sprintf("pri_%d", i+1)
		}
		began = time.Now()
		e = endOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/approve", body))
		require.Less(t, time.Since(began), timeout)
		require.NotEmpty(t, e.Succeeded)
		require.Len(t, e.Succeeded, 100-len(e.Failed))
		for _, failed := range e.Failed {
			require.Equal(t, "The request took too long, and this one was not reached", failed.Message)
		}
		pending, err := k.store.CountRequests(t.Context(), dsr.RecordQuery{Status: []dsr.Status{dsr.StatusPending}})
		require.NoError(t, err)
		require.EqualValues(t, len(e.Failed), pending)
	})
}

// However long it takes to show what was done, it is shown whole while there is
// time.
func TestABulkVerbShowsWhatItDidAsLongAsThereIsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, f, token := frailDesk(t, 30*time.Second, hangs)
		k.submit(t, "access", 100)
		body := make([]string, 100)
		for i := range body {
			body[i] = fmt.Sprintf("pri_%d", i+1)
		}
		shown := func() (n int) {
			var e struct {
				Succeeded []struct {
					ReviewedBy *string `json:"reviewed_by"`
				} `json:"succeeded"`
			}
			a := k.send(t, token, "PATCH", "/privacy-request/administrate/approve", body)
			require.NoError(t, json.Unmarshal([]byte(a.Body), &e), a.Body)
			require.Len(t, e.Succeeded, len(body), a.Body)
			for _, s := range e.Succeeded {
				if s.ReviewedBy != nil {
					n++
				}
			}
			return n
		}
		f.reads = 100 * time.Millisecond
		began := time.Now()
		require.Equal(t, 100, shown())
		require.Greater(t, time.Since(began), 5*time.Second)

		f.reads = 0
		k.submit(t, "access", 100)
		for i := range body {
			body[i] = fmt.Sprintf("pri_%d", i+101)
		}
		f.reads = time.Second
		began = time.Now()
		require.NotZero(t, shown())
		require.Less(t, time.Since(began), time.Minute, "the answer can still be written")
		require.NoError(t, k.engine.Close())
	})
}

// What was done by a verb is told, whatever becomes of the rest.
func TestABulkVerbThatEndsHalfwayTellsWhatItDid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fail    func(context.Context, *frail) error
		message string
		none    int
	}{
		"the store goes": {goes, "Unavailable for now. Try again later.", http.StatusServiceUnavailable},
		"it hangs":       {hangs, "The request took too long, and this one was not changed", http.StatusGatewayTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for _, verb := range [][2]string{
					{"PATCH", "/privacy-request/administrate/approve"}, {"PATCH", "/privacy-request/administrate/deny"},
					{"PATCH", "/privacy-request/administrate/cancel"}, {"POST", "/privacy-request/bulk/soft-delete"},
				} {
					k, f, token := frailDesk(t, 30*time.Second, test.fail)
					k.config.Limits.Workers = 1
					k.restart(t)
					k.submit(t, "access", 5)
					body := map[string]any{"request_ids": []string{"pri_1", "pri_2", "pri_3", "pri_4", "pri_5"}, "reason": "none"}
					f.left.Store(0)
					a := k.send(t, token, verb[0], verb[1], body)
					require.Equal(t, test.none, a.Status, "%s: %s", verb[1], a.Body)
					f.down.Store(false)

					f.left.Store(2)
					a = k.send(t, token, verb[0], verb[1], body)
					require.Equal(t, http.StatusOK, a.Status, "%s: %s", verb[1], a.Body)
					var e struct {
						Succeeded []any `json:"succeeded"`
						Failed    []struct {
							Message string `json:"message"`
							Data    struct {
								ID string `json:"privacy_request_id"`
							} `json:"data"`
						} `json:"failed"`
					}
					require.NoError(t, json.Unmarshal([]byte(a.Body), &e))
					require.Len(t, e.Succeeded, 2, verb[1])
					require.Len(t, e.Failed, 3, verb[1])
					require.Equal(t, test.message, e.Failed[0].Message, verb[1])
					require.Equal(t, "pri_3", e.Failed[0].Data.ID)
					require.NotContains(t, k.logs.String(), "nia.vale")
				}
			})
		})
	}
}

// Why entries of a bulk failed is in the log, though the answer is 200.
func TestWhatFailedInABulkIsLogged(t *testing.T) {
	t.Parallel()
	k, f, token := frailDesk(t, time.Minute, func(context.Context, *frail) error { return errors.New("the disk is odd") })
	f.left.Store(1)
	e := endOf(t, k.send(t, token, "POST", "/privacy-request", people(4)))
	require.Len(t, e.Succeeded, 1)
	require.Len(t, e.Failed, 3)
	require.Equal(t, "This record could not be added", e.Failed[0].Message)
	var line struct {
		Level  string `json:"level"`
		Error  string `json:"error"`
		Errors int    `json:"errors"`
		Status int    `json:"status"`
	}
	lines := strings.Split(strings.TrimSpace(k.logs.String()), "\n")
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &line))
	require.Equal(t, []any{"WARN", "dsr: store the request: the disk is odd", 3, 200}, []any{line.Level, line.Error, line.Errors, line.Status})
	require.NotContains(t, k.logs.String(), "nia.vale")
}
