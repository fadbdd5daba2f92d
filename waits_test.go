package dsr_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// lettersYAML is two databases, of which the second hangs on the first.
const lettersYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
          - {name: name, data_categories: [user.name]}
  - fides_key: mail
    collections:
      - name: letters
        fields:
          - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
          - {name: customer, data_categories: [system.operations], fides_meta: {references: [{dataset: shop, field: customers.id, direction: from}]}}
          - {name: text, data_categories: [user.content]}
`

// letterRows holds people with some letters each.
func letterRows(people, letters int) map[string]map[string][]row {
	rows := map[string]map[string][]row{"shop": {"customers": nil}, "mail": {"letters": nil}}
	for i := range people {
		rows["shop"]["customers"] = append(rows["shop"]["customers"], row{"id": i + 1, "email": addressOf(i), "name": fmt.Sprint("name ", i)})
		for n := range letters {
			rows["mail"]["letters"] = append(rows["mail"]["letters"], row{"id": i*letters + n + 1, "customer": i + 1, "text": fmt.Sprint("text ", i, n)})
		}
	}
	return rows
}

func addressOf(i int) string { return fmt.Sprintf("person%d@example.com", i) }

func readPolicy() graph.Policy {
	return graph.Policy{Key: "read", Rules: []graph.Rule{accessRule()}}
}

func erasePolicy() graph.Policy {
	return graph.Policy{Key: "erase", Rules: []graph.Rule{erasureRule("random_string_rewrite", "user.name", "user.content")}}
}

// submitAll submits a request for each of the first people.
func submitAll(t testing.TB, e *dsr.Engine, policy string, n int) []string {
	t.Helper()
	var ids []string
	for i := range n {
		ids = append(ids, submitTo(t, e, policy, addressOf(i)))
	}
	return ids
}

func names(ids []string) []string {
	var names []string
	for _, id := range ids {
		names = append(names, id+".json")
	}
	slices.Sort(names)
	return names
}

func TestRequestsWaitForAConnectionAndGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, lettersYAML, letterRows(10, 2))
		e, executor := f.engine(t, readPolicy())
		f.switches["mail"].fail(syscall.ECONNREFUSED)
		stop := runEngine(t, e)
		ids := submitAll(t, e, "read", 10)
		for range 100 {
			settle(6 * time.Second)
			trying := 0
			for _, id := range ids {
				req := get(t, e, id)
				require.Equal(t, dsr.StatusInProcessing, req.Status)
				require.NotNil(t, req.Waiting)
				require.Contains(t, []string{
					`collecting failed: mail:letters: connection "mail" is unavailable: connection refused`,
					`collecting failed: mail:letters: connection "mail" is unavailable: too many calls in a row failed; it is left alone for a while; the last one: connection refused`,
					// Of one that looks at the schema again, since a failure made the engine forget it.
					`dsr: error: mail:letters: its schema cannot be read: connection "mail" is unavailable: too many calls in a row failed; it is left alone for a while; the last one: connection refused`,
				}, req.Waiting.Reason)
				require.False(t, req.DueAt.Before(time.Now()))
				if req.Waiting.Until.IsZero() {
					trying++
				} else {
					require.Equal(t, req.DueAt, req.Waiting.Until)
				}
				require.Less(t, req.Waiting.Since.Sub(f.start), time.Second)
				require.Positive(t, req.Waiting.Tries)
			}
			require.Equal(t, trying, executor.Jobs(), "what waits is not in memory")
		}
		tries := get(t, e, ids[0]).Waiting.Tries
		require.GreaterOrEqual(t, tries, 4)
		require.LessOrEqual(t, tries, 12)
		f.switches["mail"].fail(nil)
		// The longest wait is five minutes, give or take half of it.
		until(t, e, dsr.StatusComplete, 8*time.Minute, ids...)
		require.Equal(t, map[string]int{"customers": 10}, f.dbs["shop"].readCounts(), "what was collected is kept")
		require.Equal(t, map[string]int{"letters": 10}, f.dbs["mail"].readCounts())
		require.Equal(t, names(ids), f.delivery.packages())
		for _, id := range ids {
			require.Nil(t, get(t, e, id).Waiting)
			require.Len(t, lines(t, e, id, "retrying"), 1)
			require.Empty(t, lines(t, e, id, "error"))
			require.Equal(t, []string{"received", "started", "planned", "waiting", "collected", "going on", "delivered", "completed"}, withoutRepeats(t, f.trail(t, id)))
		}
		require.Empty(t, f.store.faults)
		stop()
	})
}

// withoutRepeats checks that each action is there once.
func withoutRepeats(t testing.TB, actions []string) []string {
	t.Helper()
	for i, action := range actions {
		require.NotContains(t, actions[:i], action)
	}
	return actions
}

func TestWaitingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, lettersYAML, letterRows(1, 2))
		f.tune = func(c *dsr.Config) { c.Retry = dsr.Retry{GiveUp: time.Hour} }
		e, _ := f.engine(t, readPolicy())
		f.switches["mail"].failSchema(syscall.ECONNREFUSED)
		f.switches["mail"].fail(syscall.ECONNREFUSED)
		stop := runEngine(t, e)
		id := submitTo(t, e, "read", addressOf(0))
		settle(time.Hour - time.Second)
		require.Equal(t, dsr.StatusInProcessing, get(t, e, id).Status)
		until(t, e, dsr.StatusError, 8*time.Minute, id)
		req := get(t, e, id)
		require.Nil(t, req.Waiting)
		require.Contains(t, req.Failure, `connection "mail" is unavailable`)
		require.True(t, req.DueAt.IsZero())
		require.Equal(t, []string{"received", "started", "waiting", "failed"}, f.trail(t, id))
		require.Len(t, lines(t, e, id, "retrying"), 1)
		require.Len(t, lines(t, e, id, "error"), 1)

		f.switches["mail"].failSchema(nil)
		f.switches["mail"].fail(nil)
		_, err := e.Requests().Retry(t.Context(), id, dsr.By{})
		require.NoError(t, err)
		until(t, e, dsr.StatusComplete, time.Minute, id)
		stop()
	})
}

// What does not go away by itself is told at once, also beside what does.
func TestFailureForGoodDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, treeYAML(), map[string]map[string][]row{"shop": treeRows()})
		e, _ := f.engine(t, readPolicy())
		stop := runEngine(t, e)
		f.db().fail("left", errors.New("syntax error"))
		f.db().fail("right", syscall.ECONNRESET)
		id := submitTo(t, e, "read", "ada@example.com")
		until(t, e, dsr.StatusError, time.Second, id)
		require.Equal(t, []string{
			"failed shop:left syntax error", `failed shop:right connection "shop" is unavailable: connection reset by peer`,
		}, lines(t, e, id, "error"))
		require.Equal(t, map[string]int{"customers": 1, "left": 1, "right": 3}, f.db().readCounts())
		stop()
	})
}

func TestErasureGoesOnAfterAnOutage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		cut  func(apply func() error) error
	}{
		{"before the change", func(func() error) error { return syscall.ECONNREFUSED }},
		{"after it", func(apply func() error) error { return errors.Join(apply(), syscall.ECONNRESET) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, lettersYAML, letterRows(2, 20))
				f.tune = func(c *dsr.Config) { c.Limits.ChunkRows = 2 }
				e, executor := f.engine(t, erasePolicy())
				mail := f.switches["mail"]
				mail.cut = func(n int64, apply func() error) error {
					if n == 4 {
						mail.fail(syscall.ECONNREFUSED)
						return c.cut(apply)
					}
					return apply()
				}
				stop := runEngine(t, e)
				id := submitTo(t, e, "erase", addressOf(0))
				settle(10 * time.Minute)
				req := get(t, e, id)
				require.Equal(t, dsr.StatusInProcessing, req.Status)
				require.Equal(t, dsr.StageErase, req.Stage)
				require.NotNil(t, req.Waiting)
				require.Contains(t, req.Waiting.Reason, `mail:letters: connection "mail" is unavailable: `)
				require.Zero(t, executor.Jobs())
				_, err := e.Requests().Cancel(t.Context(), id, dsr.By{})
				require.ErrorIs(t, err, dsr.ErrConflict, "it has begun")
				mail.fail(nil)
				until(t, e, dsr.StatusComplete, 8*time.Minute, id)
				require.Len(t, f.dbs["mail"].written, 20)
				for _, times := range f.dbs["mail"].written {
					require.Equal(t, 1, times)
				}
				for i, r := range f.dbs["mail"].Rows("letters") {
					require.Equal(t, i >= 20, strings.HasPrefix(r["text"].(string), "text "))
				}
				letters := outcome(t, get(t, e, id), "mail:letters")
				require.Equal(t, []int64{20, 20, 0, 0}, []int64{letters.Targeted, letters.Masked, letters.Gone, letters.Changed})
				require.Len(t, lines(t, e, id, "retrying"), 1)
				stop()
			})
		})
	}
}

// A full disk, of the spool or of the destination, is waited for.
func TestRequestsWaitForRoom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		fill   func(f *fleet, err error)
		reason string
	}{
		{"spool", func(f *fleet, err error) { f.spool.fail(err) }, "collecting failed: mail:letters: dsr: spool: no space left on device"},
		{"destination", func(f *fleet, err error) { f.delivery.fail(err) }, `package of rule "access": no space left on device`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rows := letterRows(1, 2)
				rows["mail"]["letters"][0]["text"] = strings.Repeat("x", 70_000) // more than stays in memory
				f := newFleet(t, lettersYAML, rows)
				e, _ := f.engine(t, readPolicy())
				c.fill(f, syscall.ENOSPC)
				stop := runEngine(t, e)
				id := submitTo(t, e, "read", addressOf(0))
				settle(5 * time.Minute)
				req := get(t, e, id)
				require.NotNil(t, req.Waiting)
				require.Contains(t, req.Waiting.Reason, c.reason)
				require.Empty(t, f.delivery.packages())
				c.fill(f, nil)
				until(t, e, dsr.StatusComplete, 8*time.Minute, id)
				require.Equal(t, []string{id + ".json"}, f.delivery.packages())
				require.Len(t, lines(t, e, id, "retrying"), 1)
				if c.name == "destination" {
					require.Equal(t, map[string]int{"letters": 1}, f.dbs["mail"].readCounts())
				}
				stop()
			})
		})
	}
}

// While the store fails, nothing is asked of it without a pause, and afterwards
// everything goes on.
func TestRunOutlivesAFailingStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, lettersYAML, letterRows(10, 2))
		e, _ := f.engine(t, readPolicy(), erasePolicy())
		f.switches["mail"].slowDown(10 * time.Second)
		stop := runEngine(t, e)
		ids := append(submitAll(t, e, "read", 5), submitTo(t, e, "erase", addressOf(7)))
		settle(5 * time.Second) // four are at work
		f.store.fail(errors.New("store: disk I/O error"))
		before := f.store.calls.Load()
		settle(3 * time.Minute)
		// Every five seconds a look, and each request at times.
		require.LessOrEqual(t, f.store.calls.Load()-before, int64(36+6*20))
		f.store.fail(nil)
		until(t, e, dsr.StatusComplete, 3*time.Minute, ids...)
		require.Equal(t, names(ids[:5]), f.delivery.packages())
		logs := f.logs.String()
		looks := strings.Count(logs, "due requests cannot be looked for")
		require.GreaterOrEqual(t, looks, 30)
		require.LessOrEqual(t, looks, 37)
		require.Contains(t, logs, `msg="a request cannot be worked on for now"`)
		for _, id := range ids[:5] {
			require.Equal(t, []string{"received", "started", "planned", "collected", "delivered", "completed"}, f.trail(t, id))
		}
		require.Equal(t, []string{
			"received", "started", "planned", "collected", "journalled", "erasure begun", "erased", "erased", "completed",
		}, f.trail(t, ids[5]))
		stop()
	})
}

func TestVerbsOnAWaitingRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, lettersYAML, letterRows(3, 2))
		e, executor := f.engine(t, readPolicy())
		f.switches["mail"].fail(syscall.ECONNREFUSED)
		stop := runEngine(t, e)
		ids := submitAll(t, e, "read", 3)
		settle(10 * time.Minute)
		canceled, paused, left := ids[0], ids[1], ids[2]
		req, err := e.Requests().Cancel(t.Context(), canceled, dsr.By{})
		require.NoError(t, err)
		require.Nil(t, req.Waiting)
		req, err = e.Requests().Pause(t.Context(), paused, dsr.By{})
		require.NoError(t, err)
		require.Equal(t, dsr.StatusPaused, req.Status)
		require.Nil(t, req.Waiting)
		f.switches["mail"].fail(nil)
		until(t, e, dsr.StatusComplete, 8*time.Minute, left)
		settle(time.Hour)
		require.Equal(t, dsr.StatusPaused, get(t, e, paused).Status)
		_, err = e.Requests().Resume(t.Context(), paused, dsr.By{})
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, dsr.StatusComplete, get(t, e, paused).Status, "it tries at once")
		require.Equal(t, dsr.StatusCanceled, get(t, e, canceled).Status)
		require.Equal(t, names([]string{paused, left}), f.delivery.packages())
		require.Zero(t, executor.Jobs())
		stop()
	})
}
