package bench_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/bench"
	"github.com/godsr/dsr/internal/dbtest"
)

// sites are the stores that are measured. Commits wait for the disk, as in
// production, where durable is set.
func sites(tb testing.TB, durable bool, each func(name string, site bench.Site)) {
	tb.Helper()
	lite := &bench.SQLite{Dir: tb.TempDir()}
	defer lite.Close()
	each("sqlite", lite)
	server, err := dbtest.StartPostgres("", &dbtest.Options{Durable: durable})
	require.NoError(tb, err)
	defer func() { require.NoError(tb, server.Close()) }()
	postgres := &bench.Postgres{Server: server}
	defer postgres.Close()
	each("postgres", postgres)
}

// life is what one request asks of a store.
type life struct {
	rec                 *dsr.Record
	submitted, complete *bench.Tape
}

// record lets one request live in a store that writes down what it is asked.
func record(tb testing.TB, site bench.Site, name string) *life {
	tb.Helper()
	ctx := tb.Context()
	store, err := site.Taped(ctx, name)
	require.NoError(tb, err)
	// An engine compares its keyring with the store's once: not in the life
	// that is recorded.
	first, err := bench.NewDesk(store, bench.DeskOptions{})
	require.NoError(tb, err)
	before, err := first.Submit(ctx)
	require.NoError(tb, err)
	_, err = first.Engine.Requests().Advance(ctx, before.ID)
	require.NoError(tb, err)
	l := &life{submitted: &bench.Tape{}, complete: &bench.Tape{}}
	desk, err := bench.NewDesk(store, bench.DeskOptions{Workers: 1, Tape: l.complete})
	require.NoError(tb, err)
	_, err = desk.Engine.Requests().Advance(ctx, before.ID)
	require.NoError(tb, err)
	req, err := desk.Submit(bench.Record(ctx, l.submitted))
	require.NoError(tb, err)
	l.rec, err = store.Request(ctx, req.ID)
	require.NoError(tb, err)
	_, err = desk.RunFor(ctx, 1)
	require.NoError(tb, err)
	req, err = desk.Engine.Requests().Get(ctx, req.ID)
	require.NoError(tb, err)
	require.Equal(tb, dsr.StatusComplete, req.Status)
	return l
}

// player plays lives of ever new requests.
type player struct {
	*life
	play bench.Player

	mu      sync.Mutex
	made    int
	waiting []bench.Swap // submitted, not complete
}

func (p *player) submit(ctx context.Context) error {
	p.mu.Lock()
	p.made++
	swap := bench.Another(p.rec, fmt.Sprintf("%08x-%04x-4c3d-8e4f-%012x", rand.Uint32(), rand.N(1<<16), p.made), fmt.Sprintf("%032x", rand.Uint64()))
	p.waiting = append(p.waiting, swap)
	p.mu.Unlock()
	return p.play(ctx, p.submitted, swap)
}

func (p *player) complete(ctx context.Context) error {
	p.mu.Lock()
	swap := p.waiting[0]
	p.waiting = p.waiting[1:]
	p.mu.Unlock()
	return p.play(ctx, p.life.complete, swap)
}

// share lets workers do a piece of work n times together, and says how long
// that took.
func share(b *testing.B, workers, n int, do func(context.Context) error) time.Duration {
	b.Helper()
	errs := make([]error, workers)
	start := time.Now()
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				errs[w] = do(b.Context())
			}
		})
	}
	group.Wait()
	took := time.Since(start)
	require.NoError(b, errors.Join(errs...))
	return took
}

// perTurn is how many requests are submitted, or completed, in a turn.
const perTurn = 200

// BenchmarkStore measures requests for access to one collection in memory,
// from nothing to submitted and from there to complete through Run, beside the
// bare driver playing the statements that one such request asked for.
func BenchmarkStore(b *testing.B) {
	sites(b, true, func(name string, site bench.Site) {
		l := record(b, site, "recorded")
		for _, workers := range []int{1, 4, 16} {
			b.Run(fmt.Sprintf("%s/%d", name, workers), func(b *testing.B) {
				store, err := site.Store(b.Context(), fmt.Sprintf("store_%d", workers))
				require.NoError(b, err)
				play, err := site.Bare(b.Context(), fmt.Sprintf("bare_%d", workers))
				require.NoError(b, err)
				desk, err := bench.NewDesk(store, bench.DeskOptions{Workers: workers})
				require.NoError(b, err)
				lives(b, desk, &player{life: l, play: play}, workers)
			})
		}
	})
}

// lives runs desk and bare driver in turns.
func lives(b *testing.B, desk *bench.Desk, p *player, workers int) {
	b.Helper()
	var figures [6][]float64
	turn := func(keep bool) {
		took := [4]time.Duration{
			share(b, workers, perTurn, p.submit),
			share(b, workers, perTurn, func(ctx context.Context) error {
				_, err := desk.Submit(ctx)
				return err
			}),
			share(b, workers, perTurn, p.complete),
		}
		var err error
		took[3], err = desk.RunFor(b.Context(), perTurn)
		require.NoError(b, err)
		if !keep {
			return
		}
		for i, t := range took {
			figures[i] = append(figures[i], perTurn/t.Seconds())
		}
		figures[4] = append(figures[4], took[1].Seconds()/took[0].Seconds())
		figures[5] = append(figures[5], took[3].Seconds()/took[2].Seconds())
	}
	turn(false)
	for b.Loop() {
		turn(true)
	}
	for i, unit := range []string{"bare-submits/s", "submits/s", "bare-completions/s", "completions/s", "submit-ratio", "complete-ratio"} {
		b.ReportMetric(median(figures[i]), unit)
	}
	for what, tape := range map[string]*bench.Tape{"submit": p.submitted, "complete": p.life.complete} {
		n := tape.Counts()
		b.ReportMetric(float64(n.Commits), "commits/"+what)
		b.ReportMetric(float64(n.Reads), "reads/"+what)
		b.ReportMetric(float64(n.Statements), "statements/"+what)
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkSync is what a disk lets any store do: a page is appended to a file,
// which is synced.
func BenchmarkSync(b *testing.B) {
	file, err := os.Create(filepath.Join(b.TempDir(), "log"))
	require.NoError(b, err)
	defer func() { require.NoError(b, file.Close()) }()
	page := make([]byte, 4096)
	start, n := time.Now(), 0
	for b.Loop() {
		_, err := file.Write(page)
		require.NoError(b, err)
		require.NoError(b, file.Sync())
		n++
	}
	b.ReportMetric(float64(n)/time.Since(start).Seconds(), "syncs/s")
	b.ReportMetric(0, "ns/op")
}
