package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Load is what clients did that each waited for an answer before they asked
// again.
type Load struct {
	Took      time.Duration
	latencies []time.Duration // sorted
	// Client is the share of the machine that the clients' process took.
	Client float64
}

// Calls is how many answers there were.
func (l *Load) Calls() int { return len(l.latencies) }

// PerSecond is how many answers there were in a second.
func (l *Load) PerSecond() float64 { return float64(len(l.latencies)) / l.Took.Seconds() }

// At is the latency that a share of the calls stayed within, 1 for all.
func (l *Load) At(share float64) time.Duration {
	if len(l.latencies) == 0 {
		return 0
	}
	return l.latencies[min(int(share*float64(len(l.latencies))), len(l.latencies)-1)]
}

// RunLoad lets as many clients as wanted, each on a connection of its own that
// is kept alive, send calls to an address until ctx ends. render writes a call;
// answers must have status 200 and pass check. Each client is timed from the
// first byte it sends to the last it reads.
//
// The clients write to sockets without net/http's transport, which would take as
// much of two cores as the server.
func RunLoad(ctx context.Context, address string, clients, cores int, render func(w io.Writer), check func(body []byte) error) (*Load, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		load  = &Load{}
	)
	before, start := cpuTime(), time.Now()
	for range clients {
		group.Go(func() {
			latencies, err := oneClient(ctx, address, render, check)
			if err != nil {
				cancel(err)
			}
			mu.Lock()
			defer mu.Unlock()
			load.latencies = append(load.latencies, latencies...)
		})
	}
	group.Wait()
	load.Took = time.Since(start)
	load.Client = (cpuTime() - before).Seconds() / load.Took.Seconds() / float64(cores)
	slices.Sort(load.latencies)
	if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	return load, nil
}

func oneClient(ctx context.Context, address string, render func(io.Writer), check func([]byte) error) (latencies []time.Duration, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var call, body bytes.Buffer
	in := bufio.NewReaderSize(conn, 64<<10)
	for ctx.Err() == nil {
		call.Reset()
		render(&call)
		begun := time.Now()
		if _, err := conn.Write(call.Bytes()); err != nil {
			return latencies, err
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return latencies, err
		}
		body.Reset()
		_, err = body.ReadFrom(resp.Body)
		took := time.Since(begun)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return latencies, err
		}
		if resp.StatusCode != http.StatusOK {
			return latencies, fmt.Errorf("%s: %s", resp.Status, body.Bytes())
		}
		if err := check(body.Bytes()); err != nil {
			return latencies, err
		}
		latencies = append(latencies, took)
	}
	return latencies, nil
}

// cpuTime is what this process has taken of the machine.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
