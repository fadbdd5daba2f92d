package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/bench"
)

// castFile says whom a load is about, for the children.
const castFile = "load-cast.json"

// servingChild serves the API ("door", whose requests wait for approval), or
// what plays its statements ("bare"), until its input ends.
func servingChild(ctx context.Context) (err error) {
	data := os.Getenv(childData)
	text, err := os.ReadFile(filepath.Join(data, castFile))
	if err != nil {
		return err
	}
	cast := &bench.Cast{}
	if err := json.Unmarshal(text, cast); err != nil {
		return err
	}
	handler, end, err := serving(ctx, os.Getenv(childServes), os.Getenv(childDSN), data, cast)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if name := os.Getenv(childProfile); name != "" {
		file, err := os.Create(name)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer func() { pprof.StopCPUProfile(); _ = file.Close() }()
	}
	fmt.Println("http://" + listener.Addr().String())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	end()
	return nil
}

func serving(ctx context.Context, what, address, data string, cast *bench.Cast) (http.Handler, func(), error) {
	deck, err := bench.OpenDeck(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	// As many connections as the bare handler has.
	front, err := newFront(deck.Taped, frontOptions{Data: data, Approval: true})
	if err != nil {
		return nil, nil, err
	}
	if what == "bare" {
		if _, err := front.Engine.Catalogue().Problems(ctx); err != nil { // takes the newest policies, as Run does
			return nil, nil, err
		}
		handler, err := bench.NewBare(ctx, deck, front.Door, cast)
		if err != nil {
			return nil, nil, err
		}
		fmt.Fprintf(os.Stderr, "statements: %+v\n", handler.Counts())
		return handler, deck.Close, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- front.Engine.Run(ctx) }()
	return front.Door, func() { cancel(); <-ran; deck.Close() }, nil
}

// process is a server in a process of its own.
type process struct {
	cmd     *exec.Cmd
	address string
	stop    func()
}

// launch starts a server that prints its address first.
func launch(tb testing.TB, cmd *exec.Cmd, stop func(*exec.Cmd)) *process {
	tb.Helper()
	log := &bytes.Buffer{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, cmd.Start())
	tb.Cleanup(func() { _ = cmd.Process.Kill() }) // where the test fails
	first, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = cmd.Wait()
	}
	require.NoError(tb, err, log)
	p := &process{cmd: cmd, address: regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(first)}
	p.stop = func() {
		stop(cmd)
		require.NoError(tb, cmd.Wait(), log)
		if strings.HasPrefix(log.String(), "statements") {
			tb.Log(log)
		}
	}
	return p
}

// cpu is what a process has taken of the machine.
func (p *process) cpu(tb testing.TB) time.Duration {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	require.NoError(tb, err)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	require.NoError(tb, err)
	system, err := strconv.Atoi(fields[12])
	require.NoError(tb, err)
	return time.Duration(user+system) * time.Second / 100
}
