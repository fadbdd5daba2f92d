package bench_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/bench"
)

// waiting is how many requests wait in BenchmarkWaiting.
const waiting = 10_000

// The scenes of BenchmarkWaiting.
const (
	sceneCooling = "cooling off"
	sceneTried   = "tried in vain"
	sceneDown    = "connection down"
)

// scene makes the desk of one.
func scene(store dsr.Store, name string) (*bench.Desk, error) {
	o := bench.DeskOptions{Poll: time.Hour}
	switch name {
	case sceneCooling:
		o.CoolingOff = 24 * time.Hour
	case sceneTried, sceneDown:
		o.Down, o.RetryAfter = true, 48*time.Hour
	}
	return bench.NewDesk(store, o)
}

// watch is a store that takes the time of the first look at what is due.
type watch struct {
	dsr.Store
	mu    sync.Mutex
	begun time.Time
	took  time.Duration
	done  chan struct{}
}

func (w *watch) Requests(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
	start := time.Now()
	list, err := w.Store.Requests(ctx, q)
	if q.Sort != dsr.TimeDue {
		return list, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun.IsZero() {
		w.begun = start
	}
	if q.Limit == 1 && w.took == 0 { // when the next will be due, asked last
		w.took = time.Since(w.begun)
		close(w.done)
	}
	return list, err
}

// waitingChild runs the engine on a store with requests that wait, and one that
// is due, until all that is due was worked on. It prints its heap after that in
// bytes, its high-water mark in KiB, and how long the look-out and the work
// took, in microseconds.
func waitingChild(ctx context.Context) error {
	due, err := strconv.Atoi(os.Getenv(childRows))
	if err != nil {
		return err
	}
	store, end, err := bench.Open(ctx, os.Getenv(childDSN))
	if err != nil {
		return err
	}
	w := &watch{Store: store, done: make(chan struct{})}
	now, err := bench.NewDesk(store, bench.DeskOptions{})
	if err != nil {
		return err
	}
	if _, err := now.Submit(ctx); err != nil {
		return err
	}
	desk, err := scene(w, os.Getenv(childWaits))
	if err != nil {
		return err
	}
	start := time.Now()
	rung, stop := desk.Start(ctx, due)
	<-w.done
	<-rung
	took := time.Since(start)
	heap := heapInUse()
	peak, err := bench.HighWater("self")
	if err != nil {
		return err
	}
	fmt.Println(heap, peak, w.took.Microseconds(), took.Microseconds())
	runtime.KeepAlive(desk)
	if err := stop(); err != nil {
		return err
	}
	return end()
}

// heapInUse is what lives after garbage was collected.
func heapInUse() uint64 {
	var stats runtime.MemStats
	for range 3 { // pools let go of what they keep in the second
		runtime.GC()
	}
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

type waited struct {
	heap, peak    float64 // MiB
	lookOut, work float64 // milliseconds
}

// runScene measures one in a child process. due requests are worked on.
func runScene(b *testing.B, address, name string, due int) waited {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0]) //nolint:gosec // this binary
	cmd.Env = append(os.Environ(), childDSN+"="+address, childWaits+"="+name, childRows+"="+strconv.Itoa(due))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(b, err)
	var heap, peak, lookOut, work float64
	_, err = fmt.Sscan(string(out), &heap, &peak, &lookOut, &work)
	require.NoError(b, err)
	return waited{heap / (1 << 20), peak / 1024, lookOut / 1e3, work / 1e3}
}

// BenchmarkWaiting reports the memory of a process in which Run is active while
// 10,000 requests wait and one is due, beside a process in which none waits,
// and how long Run looks for what is due.
func BenchmarkWaiting(b *testing.B) {
	sites(b, false, func(product string, site bench.Site) {
		none := func(b *testing.B) waited {
			_, err := site.Store(b.Context(), "none")
			require.NoError(b, err)
			return runScene(b, site.Address("none"), sceneCooling, 1)
		}
		fill := func(b *testing.B, name, as string) {
			store, err := site.Store(b.Context(), name)
			require.NoError(b, err)
			desk, err := scene(store, as)
			require.NoError(b, err)
			share(b, 8, waiting, func(ctx context.Context) error {
				_, err := desk.Submit(ctx)
				return err
			})
			site.Close()
		}
		report := func(b *testing.B, w, none waited) {
			for b.Loop() { // measured once, in children
			}
			b.ReportMetric(w.heap, "heap-MiB")
			b.ReportMetric(w.heap-none.heap, "more-heap-MiB")
			b.ReportMetric(w.peak, "peak-MiB")
			b.ReportMetric(w.peak-none.peak, "more-peak-MiB")
			b.ReportMetric(w.lookOut, "look-out-ms")
			b.ReportMetric(w.work, "work-ms")
			b.ReportMetric(0, "ns/op")
		}
		b.Run(product+"/none", func(b *testing.B) {
			w := none(b)
			report(b, w, w)
		})
		b.Run(product+"/"+sceneCooling, func(b *testing.B) {
			fill(b, "cooling", sceneCooling)
			report(b, runScene(b, site.Address("cooling"), sceneCooling, 1), none(b))
		})
		// All are due at once, and each finds the connection down.
		b.Run(product+"/"+sceneTried, func(b *testing.B) {
			fill(b, "down", sceneTried)
			report(b, runScene(b, site.Address("down"), sceneTried, waiting+1), none(b))
		})
		b.Run(product+"/"+sceneDown, func(b *testing.B) {
			report(b, runScene(b, site.Address("down"), sceneDown, 1), none(b))
		})
	})
}
