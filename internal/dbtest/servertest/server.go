// Package servertest runs examples/server in a process of its own, which tests
// call over HTTP, kill, and start again.
package servertest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Credentials of the root client, as in Fides' demo.
const (
	RootID     = "fidesopsadmin"
	RootSecret = "fidesopsadminsecret"
)

// Options say how a server is run.
type Options struct {
	// Program is what [Build] built. Defaults to building it.
	Program string
	// Data is its folder, which servers of one store share. Defaults to one of
	// its own.
	Data string
	// Store is the postgres:// address of its store. Defaults to a SQLite file
	// in the folder.
	Store string
}

// Patience is how long a server may take for anything, and longer than it takes
// on a busy machine.
const Patience = 10 * time.Minute

// Server is the example server, without its demo.
type Server struct {
	Options
	// URL is where it serves now, without a path.
	URL string
	// Token is sent with every call, unless it is empty.
	Token string
	// Kills counts how often it was killed and started again.
	Kills int

	cmd *exec.Cmd
	out io.Reader
	log *bytes.Buffer // whole when it has ended
}

// Build builds the server into a folder that goes when the test ends and
// returns the program. The working directory must be two below internal.
func Build(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "server")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./server")
	build.Dir = filepath.FromSlash("../../../examples")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	return program
}

// Start starts a server, which is killed when the test ends.
func Start(t testing.TB, opts Options) *Server {
	t.Helper()
	return StartAll(t, opts, 1)[0]
}

// StartAll starts servers at the same time, on the same folder and store.
func StartAll(t testing.TB, opts Options, n int) []*Server {
	t.Helper()
	if opts.Program == "" {
		opts.Program = Build(t)
	}
	if opts.Data == "" {
		opts.Data = filepath.Join(t.TempDir(), "data")
	}
	all := make([]*Server, n)
	for i := range all {
		s := &Server{Options: opts}
		all[i] = s
		s.launch(t)
		t.Cleanup(func() {
			if s.cmd != nil {
				s.Kill(t)
			}
		})
	}
	for _, s := range all {
		s.await(t)
	}
	return all
}

// Start starts it again, after [Server.Kill].
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.launch(t)
	s.await(t)
}

func (s *Server) launch(t testing.TB) {
	t.Helper()
	cmd := s.command()
	s.log = &bytes.Buffer{}
	cmd.Stderr = s.log
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	s.cmd, s.out = cmd, out
}

// await waits until it serves.
func (s *Server) await(t testing.TB) {
	t.Helper()
	first, err := bufio.NewReader(s.out).ReadString('\n')
	if err != nil { // it has ended, and its log is whole
		_ = s.cmd.Wait()
		s.cmd = nil
		require.NoError(t, err, s.log)
	}
	s.URL = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(first)
	require.NotEmpty(t, s.URL, first)
}

// KillStarting starts it and kills it with SIGKILL after that time, which may
// be before it serves.
func (s *Server) KillStarting(t testing.TB, after time.Duration) {
	t.Helper()
	cmd := s.command()
	require.NoError(t, cmd.Start())
	<-time.After(after)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
}

func (s *Server) command() *exec.Cmd {
	// A killed server keeps what it was working on for a lease.
	args := []string{"-addr=127.0.0.1:0", "-demo=false", "-lease=1s", "-per-minute=1000000", "-data=" + s.Data, "-store=" + s.Store}
	cmd := exec.Command(s.Program, args...) //nolint:noctx // it is killed
	cmd.Env = append(os.Environ(), "OAUTH_ROOT_CLIENT_ID="+RootID, "OAUTH_ROOT_CLIENT_SECRET="+RootSecret)
	return cmd
}

// Kill kills it with SIGKILL.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	require.NoError(t, s.cmd.Process.Kill())
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Killed kills it with SIGKILL and starts it again.
func (s *Server) Killed(t testing.TB) {
	t.Helper()
	s.Kill(t)
	s.Kills++
	s.Start(t)
}

// Text is a body of another type than JSON.
type Text struct{ Type, Text string }

// Form is the body of a form that asks for a token or ends one.
func Form(text string) Text { return Text{"application/x-www-form-urlencoded", text} }

// Send sends a body: none, a text that is JSON, a [Text], or what is to be
// encoded as JSON. The error says that no whole answer came.
func (s *Server) Send(ctx context.Context, method, path string, body any) (status int, answer string, err error) {
	var sent Text
	switch body := body.(type) {
	case nil:
	case Text:
		sent = body
	case string:
		sent = Text{"application/json", body}
	default:
		data, err := json.Marshal(body)
		if err != nil {
			return 0, "", err
		}
		sent = Text{"application/json", string(data)}
	}
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(sent.Text))
	if err != nil {
		return 0, "", err
	}
	if sent.Type != "" {
		req.Header.Set("Content-Type", sent.Type)
	}
	if s.Token != "" {
		req.Header.Set("Authorization", "Bearer "+s.Token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// Call is [Server.Send] whose answer must have the status.
func (s *Server) Call(t testing.TB, method, path string, body any, want int) string {
	t.Helper()
	status, answer, err := s.Send(t.Context(), method, path, body)
	require.NoError(t, err, "%s %s", method, path)
	require.Equal(t, want, status, "%s %s: %s", method, path, answer)
	return answer
}

// Configure is Call of what changes the configuration: nothing may be refused,
// and the server is killed when it has answered.
func (s *Server) Configure(t testing.TB, method, path string, body any, want int) map[string]any {
	t.Helper()
	answer := Object(t, s.Call(t, method, path, body, want))
	if failed, ok := answer["failed"]; ok {
		require.Empty(t, failed, path)
		require.NotEmpty(t, answer["succeeded"], path)
	}
	s.Killed(t)
	return answer
}

// LogIn takes a token of a client.
func (s *Server) LogIn(t testing.TB, id, secret string) {
	t.Helper()
	s.Token = ""
	answer := Object(t, s.Call(t, http.MethodPost, "/api/v1/oauth/token",
		Form("grant_type=client_credentials&client_id="+id+"&client_secret="+secret), http.StatusOK))
	s.Token, _ = answer["access_token"].(string)
	require.NotEmpty(t, s.Token)
}

// Packed waits for the package of a request in a local destination and returns
// it.
func (s *Server) Packed(t testing.TB, id string) string {
	t.Helper()
	name := filepath.Join(s.Data, "fides_uploads", id+".json")
	var data []byte
	require.Eventually(t, func() bool {
		var err error
		data, err = os.ReadFile(name)
		return err == nil
	}, Patience, 20*time.Millisecond, "there is no package of %s", id)
	return string(data)
}

// Object reads an object of JSON.
func Object(t testing.TB, text string) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}
