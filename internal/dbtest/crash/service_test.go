package crash_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// buildExample builds examples/embed so that it obeys the environment at the
// points of package fault, and returns the program.
func buildExample(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "embed")
	build := exec.CommandContext(t.Context(), "go", "build", "-race", "-tags=dsrcrash", "-o", program, "./embed")
	build.Dir = filepath.FromSlash("../../../examples")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	return program
}

// service is one process of the example.
type service struct {
	cmd    *exec.Cmd
	ready  chan struct{} // closed when the process serves
	died   chan struct{} // closed when the process is gone
	err    error         // of the process, once it is gone
	points []string      // that it passed, once it is gone
}

// kill says when a process is to be killed. The zero kill is never.
type kill struct {
	// point kills at a point of package fault, by name or number.
	point string
	// after kills this long after the process was started.
	after time.Duration
	// call kills while a client calls that verb, after a delay.
	call  string
	delay time.Duration

	tries int // in how many rounds it was not come to
}

func (k kill) String() string {
	switch {
	case k.point != "":
		return "at point " + k.point
	case k.call != "":
		return fmt.Sprintf("%v after the call of %s", k.delay, k.call)
	case k.after > 0:
		return fmt.Sprintf("%v after its start", k.after)
	}
	return "never"
}

// ambush kills a process during a call.
type ambush struct {
	mu sync.Mutex
	kill
	target *os.Process
}

func (a *ambush) set(k kill, target *os.Process) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kill, a.target = k, target
}

// called springs the ambush if it waits for that verb.
func (a *ambush) called(verb string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.call == verb && a.target != nil {
		target := a.target
		time.AfterFunc(a.delay, func() { _ = target.Kill() }) // it may be gone already
		a.target = nil
	}
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// start starts a process that is killed as told. What it prints goes to
// service.log, and where it serves to w.url.
func (w *shopWorld) start(ctx context.Context, k kill) (*service, error) {
	s := &service{ready: make(chan struct{}), died: make(chan struct{})}
	s.cmd = exec.CommandContext(ctx, w.program, w.args()...)
	s.cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(w.dir, "tmp"), "GORACE=atexit_sleep_ms=0 halt_on_error=1",
		"DSR_CRASH_AT="+k.point)
	if w.unjournalled {
		s.cmd.Env = append(s.cmd.Env, "DSR_CRASH_WITHOUT_JOURNAL=1")
	}
	log, err := os.OpenFile(w.path("service.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	if k.call != "" {
		w.ambush.set(k, s.cmd.Process)
	}
	if k.after > 0 {
		time.AfterFunc(k.after, func() { _ = s.cmd.Process.Kill() })
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		each := bufio.NewScanner(stdout)
		for each.Scan() {
			// The first address is where it serves; examples follow.
			if at := address.FindString(each.Text()); at != "" && w.url.CompareAndSwap(nil, &at) {
				close(s.ready)
			}
		}
	})
	reading.Go(func() {
		each := bufio.NewScanner(io.TeeReader(stderr, log))
		for each.Scan() {
			if point, ok := strings.CutPrefix(each.Text(), "point "); ok {
				s.points = append(s.points, point)
			}
		}
	})
	go func() {
		reading.Wait()
		s.err = errors.Join(s.cmd.Wait(), log.Close())
		w.url.Store(nil)
		close(s.died)
	}()
	return s, nil
}

// killed reports whether the process, which is gone, was killed.
func (s *service) killed() bool {
	status, _ := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return status.Signaled() && status.Signal() == syscall.SIGKILL
}

// stop asks the process to end once it serves, and waits until it did.
func (s *service) stop() error {
	select {
	case <-s.ready:
	case <-s.died:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.died
	return s.err
}
