package fides_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/storage"
)

// notedLine is what the log says of a call.
type notedLine struct {
	Level  string `json:"level"`
	Status int    `json:"status"`
	Error  string `json:"error"`
	Errors int    `json:"errors"`
}

// noted is the last line of the log.
func (k *desk) noted(t *testing.T) (line notedLine) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(k.logs.String()), "\n")
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &line))
	return line
}

// notedExecutor takes no jobs.
type notedExecutor struct{ dsr.Executor }

func (notedExecutor) Enqueue(context.Context, dsr.Job) error { return errors.New("the queue is full") }

// notedSpool is one that cannot be emptied when it is stuck.
type notedSpool struct {
	*memory.Spool
	stuck atomic.Bool
}

// Remove implements [dsr.Spool].
func (s *notedSpool) Remove(ctx context.Context, requestID string, parts ...string) error {
	if s.stuck.Load() {
		return errors.New("the spool is stuck")
	}
	return s.Spool.Remove(ctx, requestID, parts...)
}

// What was done is answered with 200; what could not be done after it is in the
// log.
func TestWhatFailsAfterAVerbIsLogged(t *testing.T) {
	t.Parallel()
	deaf := func(k *desk) { k.config.Executor, k.config.Flow.Approval = notedExecutor{}, true }
	const unheard = "dsr: request pri_1 is stored, but could not be enqueued: the queue is full"
	many := make([]string, 40)
	for i := range many {
		many[i] = fmt.Sprint("pri_", i+1)
	}
	for name, c := range map[string]struct {
		change       func(*desk)
		n            int
		method, path string
		body         any
		want         notedLine
	}{
		"one": {deaf, 1, "PATCH", "/privacy-request/administrate/approve", []string{"pri_1"}, notedLine{"WARN", 200, unheard, 0}},
		"many at once": {
			func(k *desk) { deaf(k); k.config.Limits.Workers = 16 }, len(many), "PATCH", "/privacy-request/administrate/approve", many,
			notedLine{"WARN", 200, "", len(many)},
		},
		"again": {
			func(k *desk) { k.config.Executor = notedExecutor{} }, 0, "POST", "/privacy-request/pri_1/resubmit", nil, notedLine{"WARN", 200, unheard, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newDesk(t, c.change)
			for range max(c.n, 1) {
				_, _ = k.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
			}
			a := k.send(t, k.token(t), c.method, c.path, c.body)
			require.Equal(t, http.StatusOK, a.Status, a.Body)
			line := k.noted(t)
			if c.want.Error == "" { // any of them may be the first
				require.Regexp(t, `^dsr: request pri_\d+ is stored, but could not be enqueued: the queue is full$`, line.Error)
				line.Error = ""
			}
			require.Equal(t, c.want, line)
			require.NotContains(t, k.logs.String(), "nia.vale")
		})
	}
}

func TestWhatFailsAfterAVerificationIsLogged(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) { k.config.Executor, k.config.Flow.VerifyIdentity = notedExecutor{}, true })
	k.submit(t, "access", 1)
	a := k.send(t, "", "POST", "/privacy-request/pri_1/verify", `{"code":"`+k.code(t)+`"}`)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	require.Equal(t, notedLine{"WARN", 200, "dsr: request pri_1 is stored, but could not be enqueued: the queue is full", 0}, k.noted(t))
}

func TestASpoolThatIsNotEmptiedIsLogged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, path string
		body         any
	}{
		"many": {"PATCH", "/privacy-request/administrate/cancel", []string{"pri_1"}},
		"one":  {"POST", "/privacy-request/pri_1/soft-delete", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spool := &notedSpool{Spool: memory.NewSpool()}
			k := newDesk(t, func(k *desk) { k.config.Spool, k.config.Flow.Approval = spool, true })
			k.submit(t, "access", 1)
			spool.stuck.Store(true)
			k.send(t, k.token(t), c.method, c.path, c.body).is(t, http.StatusOK)
			require.Equal(t, notedLine{"WARN", 200, "dsr: request pri_1: its key is shredded, but its spool was not emptied: the spool is stuck", 0}, k.noted(t))
		})
	}
}

// notedFolder is a folder whose files break off.
type notedFolder struct{ *storage.Folder }

// Open implements [storage.Opener].
func (f notedFolder) Open(ctx context.Context, name string) (storage.File, error) {
	file, err := f.Folder.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return &notedFile{file, 1}, nil
}

// notedFile can be read once.
type notedFile struct {
	storage.File
	reads int
}

func (f *notedFile) Read(p []byte) (int, error) {
	if f.reads--; f.reads < 0 {
		return 0, errors.New("the disk is gone")
	}
	return f.File.Read(p[:min(len(p), 100)])
}

// A download that breaks off ends the connection, and the log says why.
func TestADownloadThatBreaksOffIsLogged(t *testing.T) {
	t.Parallel()
	for name, download := range map[string]func(t *testing.T) (k *desk, target string){
		"a package": func(t *testing.T) (*desk, string) {
			k := newDesk(t, func(k *desk) {
				k.config.Destinations = map[string]dsr.Destination{"folder": {Storage: notedFolder{storage.NewFolder(t.TempDir(), nil)}}}
			})
			k.submit(t, "access", 1)
			require.Equal(t, dsr.StatusComplete, k.advance(t, "pri_1").Status)
			link, _, err := k.engine.Downloads().Link(t.Context(), "pri_1", "", nil)
			require.NoError(t, err)
			return k, "/privacy-request/pri_1/access-package?token=" + link
		},
		"a file": func(t *testing.T) (*desk, string) {
			k := newDesk(t, func(k *desk) {
				k.config.Flow.Approval = true
				k.config.Files = notedFolder{storage.NewFolder(t.TempDir(), nil)}
			})
			k.submit(t, "access", 1)
			return k, filesOf + "/" + k.attached(t, k.token(t), strings.Repeat("x", 900)+".txt", "internal_use_only").ID + "/content"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, target := download(t)
			r := httptest.NewRequestWithContext(t.Context(), "GET", target, nil)
			r.Header.Set("Authorization", "Bearer "+k.token(t))
			w := httptest.NewRecorder()
			require.PanicsWithValue(t, http.ErrAbortHandler, func() { k.door.ServeHTTP(w, r) })
			line := k.noted(t)
			require.Equal(t, []any{"WARN", 200}, []any{line.Level, line.Status})
			require.Contains(t, line.Error, "the disk is gone")
		})
	}
}

// openedFolder counts what is opened of it.
type openedFolder struct {
	*storage.Folder
	opened atomic.Int64
}

// Open implements [storage.Opener].
func (f *openedFolder) Open(ctx context.Context, name string) (storage.File, error) {
	f.opened.Add(1)
	return f.Folder.Open(ctx, name)
}

// HEAD tells of a file what GET does, and does not open it.
func TestHeadOfAFileOpensNothing(t *testing.T) {
	t.Parallel()
	files := &openedFolder{Folder: storage.NewFolder(t.TempDir(), nil)}
	k := newDesk(t, func(k *desk) { k.config.Flow.Approval, k.config.Files = true, files })
	k.submit(t, "access", 1)
	token := k.token(t)
	target := filesOf + "/" + k.attached(t, token, "a.txt", "internal_use_only").ID + "/content"
	head := k.send(t, token, "HEAD", target, nil)
	require.Zero(t, files.opened.Load())
	get := k.send(t, token, "GET", target, nil)
	require.EqualValues(t, 1, files.opened.Load())
	require.Equal(t, "of a.txt", get.Body)
	require.Empty(t, head.Body)
	require.Equal(t, get.Status, head.Status)
	require.Equal(t, get.Header, head.Header)
	require.Equal(t, http.StatusNotFound, k.send(t, token, "HEAD", filesOf+"/nix/content", nil).Status)
}
