package slogger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/notifiertest"
	"github.com/godsr/dsr/adapters/slogger"
	"github.com/godsr/dsr/graph"
)

// journal is a log that may fail.
type journal struct {
	slog.Handler
	mu         sync.Mutex
	lines      bytes.Buffer
	down, lose bool
}

func newJournal() *journal {
	j := &journal{}
	j.Handler = slog.NewJSONHandler(&j.lines, nil)
	return j
}

func (j *journal) Handle(ctx context.Context, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	quoted := ""
	r.Attrs(func(a slog.Attr) bool { quoted += a.String() + " "; return true })
	if j.down {
		return fmt.Errorf("disk full: %s", quoted)
	}
	if err := j.Handler.Handle(ctx, r); err != nil || !j.lose {
		return err
	}
	return fmt.Errorf("not synced: %s", quoted)
}

func (j *journal) set(fault *bool) func(on bool) {
	return func(on bool) {
		j.mu.Lock()
		defer j.mu.Unlock()
		*fault = on
	}
}

func (j *journal) received() ([]notifiertest.Received, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var received []notifiertest.Received
	for line := range bytes.Lines(j.lines.Bytes()) {
		var read struct {
			ID   string
			Kind dsr.NoticeKind
		}
		if err := json.Unmarshal(line, &read); err != nil {
			return nil, err
		}
		received = append(received, notifiertest.Received{ID: read.ID, Kind: read.Kind})
	}
	return received, nil
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, codes := range []bool{false, true} {
		t.Run(fmt.Sprintf("codes %t", codes), func(t *testing.T) {
			t.Parallel()
			notifiertest.Run(t, notifiertest.Harness{
				New: func(context.Context) (*notifiertest.OtherSide, error) {
					j := newJournal()
					return &notifiertest.OtherSide{
						Notifier: slogger.New(slog.New(j), &slogger.Options{ShowCodes: codes}), Received: j.received,
						Down: j.set(&j.down), LoseAnswer: j.set(&j.lose),
					}, nil
				},
				Lacks: map[notifiertest.Feature]string{
					notifiertest.Texts:      "texts are personal, and are not logged",
					notifiertest.Recipients: "a log sends nothing to anybody",
					notifiertest.Hang:       "a handler is called, and nothing can end the call",
					notifiertest.Reject:     "a log refuses nothing for good",
				},
			})
		})
	}
}

// whole is a notice in which everything is set.
func whole() dsr.Notice {
	at := time.Date(2024, 2, 29, 12, 30, 15, 0, time.UTC)
	return dsr.Notice{
		ID: "n1", Kind: dsr.NoticeVerify, RequestID: "r1", ExternalID: "case 1", Policy: "both",
		Actions: []graph.Action{graph.Access, graph.Erasure}, At: at, Deadline: at.Add(time.Hour), Locale: "de",
		Packages: []string{"r1.zip"}, Message: "the form has no submission",
		Tasks:   []dsr.TaskRef{{RequestID: "r1", Task: "crm", Title: "Look into the CRM", Due: at}},
		Subject: "CANARY", Text: "CANARY", HTML: "CANARY",
		To: dsr.Identities{"email": {"CANARY"}}, Code: "314159", CodeExpires: at, Reason: "CANARY",
		Links: []dsr.NoticeLink{{Rule: "CANARY", URL: "CANARY"}}, Assignee: "CANARY",
		Vendor: &dsr.NoticeVendor{Key: "CANARY", Name: "CANARY", Address: "CANARY"}, People: []dsr.Identities{{"email": {"CANARY"}}},
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	const told = `"msg":"notice","service":"privacy","id":"n1","kind":"verify","audience":"data subject","request":"r1","policy":"both",` +
		`"actions":["access","erasure"],"at":"2024-02-29T12:30:15Z","deadline":"2024-02-29T13:30:15Z","locale":"de","packages":["r1.zip"],` +
		`"message":"the form has no submission","tasks":[{"request_id":"r1","task":"crm","title":"Look into the CRM","due":"2024-02-29T12:30:15Z"}]`
	for _, c := range []struct {
		name   string
		opts   *slogger.Options
		notice dsr.Notice
		want   string
	}{
		{"everything but what is personal", nil, whole(), `{"level":"INFO",` + told + "}\n"},
		{"codes when asked for", &slogger.Options{ShowCodes: true}, whole(), `{"level":"INFO",` + told + `,"code":"314159"}` + "\n"},
		{"a level", &slogger.Options{Level: slog.LevelWarn}, whole(), `{"level":"WARN",` + told + "}\n"},
		{
			"little", &slogger.Options{ShowCodes: true}, dsr.Notice{ID: "n2", Kind: dsr.NoticeDigest},
			`{"level":"INFO","msg":"notice","service":"privacy","id":"n2","kind":"digest","audience":"assignee"}` + "\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			untimed := func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}
			logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{ReplaceAttr: untimed})).With("service", "privacy")
			require.NoError(t, slogger.New(logger, c.opts).Notify(t.Context(), c.notice))
			require.Equal(t, c.want, log.String())
		})
	}
}

// What was not written is told.
func TestErrors(t *testing.T) {
	t.Parallel()
	j := newJournal()
	quiet := slogger.New(slog.New(j), &slogger.Options{Level: slog.LevelDebug})
	require.EqualError(t, quiet.Notify(t.Context(), whole()), "slogger: the log takes no lines of level DEBUG: lower its level or set Options.Level")
	require.Zero(t, j.lines.Len())

	failure := errors.New("disk full")
	failing := slog.New(failingHandler{failure})
	err := slogger.New(failing, nil).Notify(t.Context(), whole())
	require.ErrorIs(t, err, failure)
	require.EqualError(t, err, "slogger: the log's handler failed: disk full")
	err = slogger.New(failing, &slogger.Options{ShowCodes: true}).Notify(t.Context(), whole())
	require.EqualError(t, err, "slogger: the log's handler failed, with an error that may quote a code")
}

type failingHandler struct{ err error }

func (failingHandler) Enabled(context.Context, slog.Level) bool    { return true }
func (h failingHandler) Handle(context.Context, slog.Record) error { return h.err }
func (h failingHandler) WithAttrs([]slog.Attr) slog.Handler        { return h }
func (h failingHandler) WithGroup(string) slog.Handler             { return h }
