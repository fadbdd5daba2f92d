package turn_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/turn"
)

// line lets callers wait at a gate, one after the other, and lets those in
// leave one after the other.
type line struct {
	t    *testing.T
	gate *turn.Gate
	in   chan func() // leave of the one who got in
	mu   sync.Mutex
	who  []string // in the order they got in
}

// wait lets a caller wait, by a name such as "a1", for the party "a".
func (l *line) wait(ctx context.Context, name string) {
	go func() {
		leave, err := l.gate.Enter(ctx, name[:1])
		if err != nil {
			return
		}
		l.mu.Lock()
		l.who = append(l.who, name)
		l.mu.Unlock()
		l.in <- leave
	}()
	synctest.Wait()
}

// pass lets everybody through and returns the order.
func (l *line) pass(names ...string) string {
	for range names {
		(<-l.in)()
		synctest.Wait()
	}
	busy, waiting := l.gate.Stats()
	require.Equal(l.t, [2]int{0, 0}, [2]int{busy, waiting})
	require.Zero(l.t, turn.Parties(l.gate))
	return strings.Join(l.who, " ")
}

func TestGatePartiesTakeTurns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		come, went string
	}{
		{"one party is served in order", "a1 a2 a3 a4", "a1 a2 a3 a4"},
		{"many of one party and one of another", "a1 a2 a3 a4 a5 b1", "a1 a2 b1 a3 a4 a5"},
		{"round robin", "a1 a2 a3 a4 b1 b2 c1 c2 c3", "a1 a2 b1 c1 a3 b2 c2 a4 c3"},
		{"the later party has more", "a1 b1 c1 c2 c3 b2", "a1 b1 c1 b2 c2 c3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := &line{t: t, gate: turn.NewGate(1), in: make(chan func())}
				names := strings.Fields(c.come)
				for i, name := range names {
					l.wait(t.Context(), name)
					busy, waiting := l.gate.Stats()
					require.Equal(t, [2]int{1, i}, [2]int{busy, waiting})
				}
				require.Equal(t, c.went, l.pass(names...))
			})
		})
	}
}

func TestGatePartyThatComesBackIsNotStarved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := turn.NewGate(1)
		leave, err := gate.Enter(t.Context(), "many")
		require.NoError(t, err)
		turns := 0
		var crowd sync.WaitGroup
		for range 40 {
			crowd.Go(func() {
				leave, err := gate.Enter(t.Context(), "many")
				if err == nil {
					<-time.After(time.Second) // works, while the other comes back
					turns++
					leave()
				}
			})
		}
		synctest.Wait()
		crowd.Go(func() {
			for i := range 10 {
				leave, err := gate.Enter(t.Context(), "one")
				if err != nil || turns != i+1 {
					t.Errorf("turn %d came after %d turns of the other party: %v", i+1, turns, err)
				}
				leave()
			}
		})
		synctest.Wait()
		leave()
		crowd.Wait()
		require.Equal(t, 40, turns)
	})
}

// Parties that come back at once, each time as if they were new, do not pass
// by one that waits.
func TestGatePartiesThatComeBackStarveNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := turn.NewGate(1)
		var order []string
		var crowd sync.WaitGroup
		come := func(party string, times int) {
			crowd.Go(func() {
				for range times {
					leave, err := gate.Enter(t.Context(), party)
					if err != nil {
						return
					}
					order = append(order, party)
					<-time.After(time.Second)
					leave()
				}
			})
			synctest.Wait()
		}
		for range 4 {
			come("m", 1)
		}
		come("a", 3)
		come("b", 3)
		crowd.Wait()
		require.Equal(t, "m m a b m a b m a b", strings.Join(order, " "))
		require.Zero(t, turn.Parties(gate))
	})
}

func TestGateCanceledWaiters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &line{t: t, gate: turn.NewGate(1), in: make(chan func())}
		ctx, cancel := context.WithCancel(t.Context())
		l.wait(t.Context(), "a1")
		l.wait(ctx, "b1") // the first of its party
		l.wait(ctx, "c1") // alone
		l.wait(t.Context(), "b2")
		l.wait(ctx, "b3")
		l.wait(t.Context(), "d1")
		cancel()
		synctest.Wait()
		busy, waiting := l.gate.Stats()
		require.Equal(t, [2]int{1, 2}, [2]int{busy, waiting})
		require.Equal(t, "a1 b2 d1", l.pass("a1", "b2", "d1"))

		leave, err := l.gate.Enter(ctx, "a")
		require.ErrorIs(t, err, context.Canceled, "a free slot is no reason to go on")
		require.Nil(t, leave)
		busy, waiting = l.gate.Stats()
		require.Equal(t, [2]int{0, 0}, [2]int{busy, waiting})
	})
}

// The end of the context and the slot come at once, in an order that the
// scheduler picks: whatever the waiter says, no slot is lost or doubled.
func TestGateCanceledWhileWoken(t *testing.T) {
	t.Parallel()
	outcomes := map[bool]int{}
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			gate := turn.NewGate(1)
			first, err := gate.Enter(t.Context(), "a")
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			var second func()
			var waited sync.WaitGroup
			waited.Go(func() { second, err = gate.Enter(ctx, "b") })
			synctest.Wait()
			// Both happen before the waiter can run.
			cancel()
			first()
			waited.Wait()
			outcomes[err == nil]++
			busy, waiting := gate.Stats()
			if err == nil {
				require.Equal(t, [2]int{1, 0}, [2]int{busy, waiting})
				second()
			} else {
				require.ErrorIs(t, err, context.Canceled)
				require.Nil(t, second)
			}
			busy, waiting = gate.Stats()
			require.Equal(t, [2]int{0, 0}, [2]int{busy, waiting})
			third, err := gate.Enter(t.Context(), "c")
			require.NoError(t, err)
			third()
		})
	}
	require.NotZero(t, outcomes[false], "the waiter never gave its slot back")
}

func TestGateLeaveTwice(t *testing.T) {
	t.Parallel()
	gate := turn.NewGate(0) // as 1
	leave, err := gate.Enter(t.Context(), "a")
	require.NoError(t, err)
	leave()
	again, err := gate.Enter(t.Context(), "a")
	require.NoError(t, err)
	leave()
	busy, waiting := gate.Stats()
	require.Equal(t, [2]int{1, 0}, [2]int{busy, waiting}, "the slot is another's by now")
	again()
	busy, _ = gate.Stats()
	require.Zero(t, busy)
}

func TestGateNeverLetsTooManyIn(t *testing.T) {
	t.Parallel()
	const slots = 3
	gate := turn.NewGate(slots)
	var inside, entered, gaveUp atomic.Int64
	var crowd sync.WaitGroup
	for i := range 50 {
		crowd.Go(func() {
			for round := range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				if (i+round)%5 == 0 {
					time.AfterFunc(time.Duration(round)*time.Microsecond, cancel)
				}
				leave, err := gate.Enter(ctx, fmt.Sprint(i%7))
				cancel()
				if err != nil {
					gaveUp.Add(1)
					continue
				}
				entered.Add(1)
				if n := inside.Add(1); n > slots {
					t.Errorf("%d are inside", n)
				}
				inside.Add(-1)
				leave()
				leave()
			}
		})
	}
	crowd.Wait()
	require.EqualValues(t, 50*200, entered.Load()+gaveUp.Load())
	require.GreaterOrEqual(t, entered.Load(), int64(50*160), "those whose context does not end get in")
	busy, waiting := gate.Stats()
	require.Equal(t, [2]int{0, 0}, [2]int{busy, waiting})
	require.Zero(t, turn.Parties(gate))
}

func BenchmarkGateUncontended(b *testing.B) {
	gate := turn.NewGate(4)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		leave, err := gate.Enter(ctx, "a")
		if err != nil {
			b.Fatal(err)
		}
		leave()
	}
}
