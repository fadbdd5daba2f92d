package dbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Who may do everything on an [S3Server].
const (
	S3AccessKey = "dsr-access"
	S3SecretKey = "dsr-secret-key"
	S3Region    = "us-east-1"
)

// s3Name is the server that speaks S3.
const s3Name = "versitygw"

// s3Program is in PATH, or where make servers puts it: below the repository's
// root, of which the test runs somewhere below.
func s3Program() (program, error) {
	p := program{server: s3Name, needs: [][]string{{s3Name}}}
	dir, err := os.Getwd()
	if err != nil {
		return p, fmt.Errorf("look for %s: %w", s3Name, err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		p.patterns = append(p.patterns, filepath.Join(dir, ".cache", "bin"))
	}
	return p, nil
}

// S3Server is an object store that speaks S3, and its directory. It checks
// signatures and their expiry. Its methods may be called from several
// goroutines.
type S3Server struct {
	dir     string
	program string
	address string

	mu      sync.Mutex
	running *process

	hold io.Closer
	reap func() error
}

// StartS3 starts an S3 server on a free port, without buckets, in a temporary
// directory that goes with it. It returns a [*MissingError] when the server is
// not installed.
func StartS3() (_ *S3Server, err error) {
	need, err := s3Program()
	if err != nil {
		return nil, err
	}
	found, err := need.find(os.Getenv("PATH"))
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "dbtest-s3-")
	if err != nil {
		return nil, fmt.Errorf("prepare the directory of %s: %w", s3Name, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		return nil, fmt.Errorf("prepare the directory of %s: %w", s3Name, err)
	}
	hold, wait, err := reap(dir, true)
	if err != nil {
		return nil, err
	}
	s := &S3Server{dir: dir, program: found[0], hold: hold, reap: sync.OnceValue(wait)}
	for range 20 { // somebody else may have the port
		s.address = fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(ports))
		if err = s.Start(); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, s.Close())
}

// The ports of S3 servers are below those that systems give to whoever asks for
// any, so that nobody gets one while its server is down.
const firstPort, ports = 20_000, 10_000

// Endpoint is the server's address, the same after every Start.
func (s *S3Server) Endpoint() string { return "http://" + s.address }

// Start starts a server that was killed and returns when it answers. On a
// running server it does nothing.
func (s *S3Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return nil
	}
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", s3Name, err)
	}
	defer log.Close()  //nolint:errcheck // the server writes to its own copy
	var current *owner // it runs as root, too
	cmd := current.command(s.dir, s.program, "--port", s.address, "--region", S3Region, "posix", filepath.Join(s.dir, "data"))
	cmd.Env = append(cmd.Env, "ROOT_ACCESS_KEY="+S3AccessKey, "ROOT_SECRET_KEY="+S3SecretKey)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := launch(cmd)
	if err != nil {
		return fmt.Errorf("start %s: %w", s3Name, err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, pidFile), []byte(strconv.Itoa(p.os.Pid)+"\n"), 0o600); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", s3Name, err), p.kill())
	}
	if err := s.await(p); err != nil {
		return errors.Join(err, p.kill())
	}
	s.running = p
	return nil
}

// await returns when the server answers, has ended or is too late. Another one
// that has the port is not taken for it.
func (s *S3Server) await(p *process) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint(), nil)
		if err != nil {
			return err
		}
		ours := false
		if resp, err := http.DefaultClient.Do(req); err == nil {
			ours = resp.Header.Get("Server") == "VERSITYGW"
			_ = resp.Body.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended while starting; its log ends:\n%s", s3Name, s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer; its log ends:\n%s", s3Name, s.logTail())
		case <-tick.C:
			if ours {
				return nil
			}
		}
	}
}

// Kill ends the server with SIGKILL, as a crash does, and waits until it is
// gone. On a stopped server it does nothing.
func (s *S3Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return nil
	}
	if err := s.running.stop(syscall.SIGKILL); err != nil {
		return fmt.Errorf("end %s: %w", s3Name, err)
	}
	s.running = nil
	return os.Remove(filepath.Join(s.dir, pidFile))
}

// Close kills the server and removes its directory. It need not be called: the
// end of the process does the same.
func (s *S3Server) Close() error {
	if err := s.Kill(); err != nil {
		return err
	}
	if err := s.hold.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("close %s: %w", s3Name, err)
	}
	return s.reap()
}

func (s *S3Server) log() string { return filepath.Join(s.dir, "server.log") }

func (s *S3Server) logTail() string {
	log, err := os.ReadFile(s.log())
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-2000):])
}

var sharedS3 = sync.OnceValues(StartS3)

// S3 returns the S3 server that all tests of a binary share, started by the
// first. Tests make buckets of their own in it.
func S3(tb testing.TB) *S3Server {
	tb.Helper()
	server, err := sharedS3()
	if err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	return server
}
