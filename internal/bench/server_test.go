package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/bench"
	"github.com/godsr/dsr/internal/dbtest"
)

var (
	loadFor     = flag.Duration("load", 20*time.Second, "how long BenchmarkServer keeps each load up")
	loadOnly    = flag.String("load-only", "", "measure no other lines of BenchmarkServer than those whose `name` holds this, such as \"postgres: create\"")
	loadProfile = flag.String("load-profile", "", "instead of measuring, write CPU profiles of each operation to files whose names begin with this `prefix`")
)

// wanted tells whether -load-only leaves a line in.
func wanted(product string, o *bench.Operation) bool {
	return strings.Contains(product+": "+o.Name, *loadOnly)
}

// loadScene is a store with very many requests, and what serves it.
type loadScene struct {
	product, data, program, dsn string
	crowd                       int
	front                       *front
	cast                        *bench.Cast
	made                        atomic.Int64
}

func (s *loadScene) server(tb testing.TB) *process {
	tb.Helper()
	args := []string{"-addr=127.0.0.1:0", "-data=" + s.data, "-per-minute=1000000000"}
	if s.product != "sqlite" {
		args = append(args, "-store="+s.dsn)
	}
	return launch(tb, exec.Command(s.program, args...), func(c *exec.Cmd) { _ = c.Process.Signal(syscall.SIGTERM) }) //nolint:gosec // ours
}

func (s *loadScene) child(tb testing.TB, what, profile string) *process {
	tb.Helper()
	cmd := exec.Command(os.Args[0]) //nolint:gosec // this binary
	cmd.Env = append(os.Environ(), childDSN+"="+s.dsn, childServes+"="+what, childData+"="+s.data, childProfile+"="+profile)
	in, err := cmd.StdinPipe()
	require.NoError(tb, err)
	return launch(tb, cmd, func(*exec.Cmd) { _ = in.Close() })
}

// load is one load on one server.
func (s *loadScene) load(ctx context.Context, tb testing.TB, p *process, o *bench.Operation, clients int) *bench.Load {
	tb.Helper()
	l, err := bench.RunLoad(ctx, p.address, clients, runtime.NumCPU(), func(w io.Writer) {
		switch {
		case o.Makes:
			o.Render(w, s.cast.Token, "", fmt.Sprintf("n%d", s.made.Add(1)))
		case o.Crowd:
			o.Render(w, s.cast.Token, bench.CrowdID(1+rand.Int64N(int64(s.crowd))), "")
		default:
			n := rand.N(len(s.cast.People))
			o.Render(w, s.cast.Token, s.cast.People[n], bench.PersonNumber+strconv.Itoa(n))
		}
	}, func(body []byte) error {
		if !bytes.Contains(body, []byte(o.Holds)) {
			return fmt.Errorf("%s: an answer without %s: %s", o.Name, o.Holds, body)
		}
		return nil
	})
	require.NoError(tb, err)
	require.Positive(tb, l.Calls(), o.Name)
	return l
}

// ask has people ask through the API, and waits until all of them are answered.
func (s *loadScene) ask(tb testing.TB, p *process, from, n int) {
	tb.Helper()
	for n > 0 {
		part := min(n, 50)
		var body []string
		for i := range part {
			number := bench.PersonNumber + strconv.Itoa(from+i)
			body = append(body, `{"policy_key":"demo_access","external_id":"`+bench.LoadExternal(number)+`","identities":[{"email":"`+bench.LoadPerson(number)+`"}]}`)
		}
		req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, "http://"+p.address+"/api/v1/privacy-request", strings.NewReader("["+strings.Join(body, ",")+"]"))
		require.NoError(tb, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+s.cast.Token)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(tb, err)
		var answer struct {
			Succeeded []struct{ ID string }
			Failed    []any
		}
		require.NoError(tb, json.NewDecoder(resp.Body).Decode(&answer))
		require.NoError(tb, resp.Body.Close())
		require.Empty(tb, answer.Failed)
		for _, one := range answer.Succeeded {
			s.cast.People = append(s.cast.People, one.ID)
		}
		from, n = from+part, n-part
	}
	require.Eventually(tb, func() bool {
		left, err := s.front.Engine.Requests().Count(tb.Context(), dsr.Filter{ExternalPrefix: bench.LoadExternal(bench.PersonNumber), Unfinished: true})
		require.NoError(tb, err)
		return left == 0
	}, 2*time.Minute, 50*time.Millisecond)
}

// newScene fills the store of an example server.
func newScene(tb testing.TB, program, product string, site bench.Site, data string, crowd, people int) *loadScene {
	tb.Helper()
	ctx := tb.Context()
	_, err := site.Store(ctx, "dsr") // makes the database
	require.NoError(tb, err)
	s := &loadScene{product: product, program: program, data: data, dsn: site.Address("dsr"), crowd: crowd, cast: &bench.Cast{}}
	p := s.server(tb)
	store, end, err := bench.Open(ctx, s.dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, end()) })
	s.front, err = newFront(store, frontOptions{Data: data})
	require.NoError(tb, err)
	s.cast.Token, err = s.front.token(ctx)
	require.NoError(tb, err)
	s.ask(tb, p, 0, 1)
	p.stop()
	one, err := store.Request(ctx, s.cast.People[0])
	require.NoError(tb, err)
	require.Equal(tb, dsr.StatusComplete, one.Status)
	require.NoError(tb, site.Bulk(ctx, "dsr", bench.Crowd(product, one, crowd, time.Now())...))
	s.cast.People = nil // it is gone
	p = s.server(tb)
	s.ask(tb, p, 0, people)
	p.stop()
	text, err := json.Marshal(s.cast)
	require.NoError(tb, err)
	require.NoError(tb, os.WriteFile(filepath.Join(data, castFile), text, 0o600))
	return s
}

// serverScenes passes one of each product.
func serverScenes(tb testing.TB, crowd, people int, durable bool, each func(s *loadScene)) {
	tb.Helper()
	program := filepath.Join(tb.TempDir(), "server")
	build := exec.CommandContext(tb.Context(), "go", "build", "-o", program, "./server") //nolint:gosec // ours
	build.Dir = filepath.FromSlash("../../examples")
	output, err := build.CombinedOutput()
	require.NoError(tb, err, string(output))

	data := filepath.Join(tb.TempDir(), "data")
	require.NoError(tb, os.Mkdir(data, 0o700))
	some := func(product string) bool {
		return slices.ContainsFunc(bench.Operations(), func(o bench.Operation) bool { return wanted(product, &o) })
	}
	if some("sqlite") {
		lite := &bench.SQLite{Dir: data}
		defer lite.Close()
		each(newScene(tb, program, "sqlite", lite, data, crowd, people))
	}
	if !some("postgres") {
		return
	}

	server, err := dbtest.StartPostgres("", &dbtest.Options{Durable: durable})
	require.NoError(tb, err)
	defer func() { require.NoError(tb, server.Close()) }()
	postgres := &bench.Postgres{Server: server}
	defer postgres.Close()
	each(newScene(tb, program, "postgres", postgres, filepath.Join(tb.TempDir(), "data"), crowd, people))
}

// row is a line of the table.
func row(s *loadScene, o *bench.Operation, clients int, who string, l *bench.Load, server time.Duration) string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000) }
	share := server.Seconds() / l.Took.Seconds() / float64(runtime.NumCPU())
	return fmt.Sprintf("| %s | %s | %d | %s | %.0f | %s | %s | %s | %.0f %% | %.0f %% |", s.product, o.Name, clients, who, l.PerSecond(),
		ms(l.At(0.5)), ms(l.At(0.99)), ms(l.At(1)), 100*share, 100*l.Client)
}

// run puts every load on every server.
func (s *loadScene) run(tb testing.TB, clients []int, each time.Duration, more int) {
	tb.Helper()
	measure := func(p *process, who string, o *bench.Operation, clients int) {
		ctx, cancel := context.WithTimeout(tb.Context(), each)
		defer cancel()
		before := p.cpu(tb)
		l := s.load(ctx, tb, p, o, clients)
		fmt.Println(row(s, o, clients, who, l, p.cpu(tb)-before))
	}
	real, bare := s.server(tb), s.child(tb, "bare", "")
	var create bench.Operation
	for _, o := range bench.Operations() {
		if o.Makes {
			create = o
			continue
		}
		if !wanted(s.product, &o) {
			continue
		}
		steps := clients
		if o.Name != "get" && o.Name != "list" {
			steps = clients[1:2]
		}
		for _, c := range steps {
			measure(real, "server", &o, c)
			measure(bare, "bare", &o, c)
		}
		mark, err := bench.HighWater(strconv.Itoa(real.cmd.Process.Pid))
		require.NoError(tb, err)
		fmt.Printf("%s: high-water mark after %s: %.1f MiB\n", s.product, o.Name, float64(mark)/1024)
	}
	for _, o := range bench.Operations() {
		if o.Name != "get" || !wanted(s.product, &o) {
			continue
		}
		ctx, cancel := context.WithCancel(tb.Context())
		people := len(s.cast.People)
		loaded := make(chan *bench.Load, 1)
		before := real.cpu(tb)
		other := &loadScene{product: s.product, crowd: s.crowd, cast: &bench.Cast{Token: s.cast.Token, People: s.cast.People[:people:people]}}
		go func() { loaded <- other.load(ctx, tb, real, &o, 8) }()
		s.ask(tb, real, people, more)
		cancel()
		l := <-loaded
		fmt.Println(row(s, &o, 8, fmt.Sprintf("server, %d being worked on", more), l, real.cpu(tb)-before))
	}
	if !wanted(s.product, &create) {
		bare.stop()
		real.stop()
		return
	}
	door := s.child(tb, "door", "")
	for _, c := range clients {
		measure(door, "server, approval", &create, c)
		measure(bare, "bare", &create, c)
	}
	door.stop()
	measure(real, "server, working", &create, clients[1])
	bare.stop()
	real.stop()
}

// profile writes a CPU profile of each operation.
func (s *loadScene) profile(tb testing.TB, name string, each time.Duration) {
	tb.Helper()
	for _, o := range bench.Operations() {
		door := s.child(tb, "door", name+"-"+s.product+"-"+strings.Map(func(r rune) rune {
			if strings.ContainsRune(" ,=", r) {
				return '_'
			}
			return r
		}, o.Name)+".pprof")
		ctx, cancel := context.WithTimeout(tb.Context(), each)
		before := door.cpu(tb)
		fmt.Println(row(s, &o, 8, "profiled", s.load(ctx, tb, door, &o, 8), door.cpu(tb)-before))
		cancel()
		door.stop()
	}
}

// TestServer sees that what BenchmarkServer measures works.
func TestServer(t *testing.T) {
	t.Parallel()
	serverScenes(t, 400, 10, false, func(s *loadScene) { s.run(t, []int{1, 4}, 100*time.Millisecond, 5) })
}

// BenchmarkServer prints what the example server does under load, beside a bare
// handler that sends the same statements and answers as many bytes, with a
// million requests stored.
func BenchmarkServer(b *testing.B) {
	serverScenes(b, *crowd, 1000, true, func(s *loadScene) {
		if *loadProfile != "" {
			s.profile(b, *loadProfile, *loadFor)
			return
		}
		s.run(b, []int{1, 8, 32}, *loadFor, 1000)
	})
	for b.Loop() { // measured once
	}
	b.ReportMetric(0, "ns/op")
}
