package crash_test

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
)

// A process that stood still for longer than its lease finds the work done by
// another one, and does nothing more when it goes on.
func TestStandstill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlconn.PostgreSQL)
	for _, point := range []string{"collected crm:tickets", "delivered access", "before apply 2", "applied 20", "before done"} {
		require.NoError(t, w.reset(t.Context()), point)
		stopped, done := make(chan *os.Process, 1), make(chan violations, 1)
		go func() {
			var v violations
			res, points, err := w.run(t.Context(), task{StopAt: point, Lease: time.Minute}, func(_ int, at string, child *os.Process) error {
				if at == point {
					stopped <- child
				}
				return nil
			})
			v.failed("child", err)
			if err == nil && (!strings.Contains(res.Err, dsr.ErrConflict.Error()) || slices.Contains(points, "at done")) {
				v.add("it went on: %+v", res)
			}
			done <- v
		}()
		var child *os.Process
		select {
		case child = <-stopped:
		case v := <-done:
			require.Fail(t, "it did not stop", "at %q: %v", point, v)
		}
		require.Empty(t, w.resume(t.Context(), task{Ahead: 2 * time.Minute}), "while one stands still at %q", point)
		require.NoError(t, child.Signal(syscall.SIGCONT))
		require.Empty(t, <-done, "stood still at %q", point)
		res, _, err := w.run(t.Context(), task{}, nil)
		require.NoError(t, err)
		require.Empty(t, w.check(t.Context(), res), "after one stood still at %q", point)
	}
}

// Whoever writes between journal and erasure is neither overwritten unseen nor
// is what he wrote about the data subject left.
func TestAnotherWriter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlconn.PostgreSQL)
	meddle := task{Meddle: map[string][]string{
		"shop": {
			"UPDATE orders SET note = 'Qzxtext of late' WHERE id = 1",
			"UPDATE orders SET customer_id = 2 WHERE id = 3",
			"UPDATE orders SET gift = json_set(gift, '$.wrap', 'gold', '$.card', 'Qzxtext of late') WHERE id = 7",
		},
		"crm": {
			"UPDATE tickets SET body = 'Qzxtext of late' WHERE id = 1",
			"UPDATE contacts SET profile = jsonb_set(profile, '{lang}', '\"de\"') WHERE id = 3",
			"DELETE FROM shipments WHERE id = 9",
		},
	}}
	want := []string{
		"orders 1 UPDATE happened 2 times instead of 1",
		"orders 1 note happened 2 times instead of 1",
		"orders 3 customer_id was changed",
		"orders 3 customer_id happened 1 times instead of 0",
		"orders 3 recipient has not the shape of a hash",
		"orders 3 recipient happened 0 times instead of 1",
		"orders 3 note has not the shape of random text",
		"orders 3 note happened 0 times instead of 1",
		"orders 3 phone is not null",
		"orders 3 phone happened 0 times instead of 1",
		"orders 3 gift to.name has not the shape of a hash",
		"orders 3 gift to.street is not null",
		"orders 3 gift card has not the shape of random text",
		"orders 3 gift happened 0 times instead of 1",
		"orders 7 UPDATE happened 2 times instead of 1",
		"orders 7 gift happened 2 times instead of 1",
		"orders 7 gift: siblings of masked keys were changed",
		"tickets 1 UPDATE happened 2 times instead of 1",
		"tickets 1 body happened 2 times instead of 1",
		"contacts 3 UPDATE happened 2 times instead of 1",
		"contacts 3 profile happened 2 times instead of 1",
		"contacts 3 profile: siblings of masked keys were changed",
		"shipments 9 is gone",
		"shipments 9 DELETE happened 1 times instead of 0",
		"shipments 9 UPDATE happened 0 times instead of 1",
		"shipments 9 recipient happened 0 times instead of 1",
		"shipments 9 street happened 0 times instead of 1",
		"shipments 9 hint happened 0 times instead of 1",
		"shop:orders: done: 70 rows, 70 targeted, 69 masked, 0 gone, 3 changed, 1 rows were given to somebody else since they were collected, and left alone" +
			" instead of done: 70 rows, 70 targeted, 70 masked, 0 gone, 0 changed",
		"crm:tickets: done: 49 rows, 49 targeted, 49 masked, 0 gone, 1 changed" +
			" instead of done: 49 rows, 49 targeted, 49 masked, 0 gone, 0 changed",
		"crm:shipments: done: 49 rows, 49 targeted, 48 masked, 1 gone, 0 changed" +
			" instead of done: 49 rows, 49 targeted, 49 masked, 0 gone, 0 changed",
	}
	res, points, err := w.run(t.Context(), meddle, nil)
	require.NoError(t, err)
	require.ElementsMatch(t, want, w.check(t.Context(), res))
	now, err := w.rows(t.Context())
	require.NoError(t, err)
	require.Contains(t, now["orders"][6].values[6].String, `"wrap":"gold"`, "what was written beside the masked keys stays")
	require.Contains(t, now["contacts"][2].values[1].String, `"lang": "de"`)

	for _, point := range []string{"applied 1", "ticked 1", "applied 2", "ticked 2", "before apply 3"} {
		require.NoError(t, w.reset(t.Context()))
		meddle.KillAt = slices.Index(points, point) + 1
		require.Positive(t, meddle.KillAt, point)
		res, _, err := w.run(t.Context(), meddle, nil)
		require.NoError(t, err)
		require.Nil(t, res, "it was killed")
		res, _, err = w.run(t.Context(), task{}, nil)
		require.NoError(t, err)
		require.ElementsMatch(t, want, w.check(t.Context(), res), "killed at %s", point)
	}
}
