package callid_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/slogtest"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/internal/callid"
)

func TestALineHasTheIDOfItsContextOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	plain := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}}))
	none := t.Context()
	ctx := callid.With(none, "a-request")
	require.Equal(t, []string{"", "a-request"}, []string{callid.Of(none), callid.Of(ctx)})
	once := callid.Logger(plain)
	for want, write := range map[string]func(){
		"msg=hello by=one\n": func() { once.InfoContext(none, "hello", "by", "one") },
		"msg=hello\n":        func() { once.Info("hello") },
		"msg=hello request_id=a-request by=one\n":           func() { once.InfoContext(ctx, "hello", "by", "one") },
		"msg=hello request_id=a-request by=two\n":           func() { callid.Logger(once).InfoContext(ctx, "hello", "by", "two") },
		"msg=hello request_id=a-request host=here by=one\n": func() { once.With("host", "here").InfoContext(ctx, "hello", "by", "one") },
		"msg=hello request_id=a-request g.by=one\n":         func() { callid.Logger(once.WithGroup("g")).InfoContext(ctx, "hello", "by", "one") },
		"msg=hello request_id=a-request a=1 g.b=2 g.h.by=one\n": func() {
			once.With("a", 1).WithGroup("g").With("b", 2).With().WithGroup("").WithGroup("h").InfoContext(ctx, "hello", "by", "one")
		},
		"msg=hello a=1 g.by=one\n": func() { once.With("a", 1).WithGroup("g").InfoContext(none, "hello", "by", "one") },
	} {
		log.Reset()
		write()
		require.Equal(t, want, log.String())
	}
}

// With an ID and without, it does all that handlers have to.
func TestHandlerIsOne(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{"an ID": "a-request", "none": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log *bytes.Buffer
			slogtest.Run(t, func(*testing.T) slog.Handler {
				log = &bytes.Buffer{}
				return always{callid.Handler(slog.NewJSONHandler(log, nil)), id}
			}, func(t *testing.T) map[string]any {
				line := map[string]any{}
				require.NoError(t, json.Unmarshal(log.Bytes(), &line))
				if id != "" {
					require.Equal(t, id, line["request_id"])
				}
				return line
			})
		})
	}
}

// always is a handler whose lines have an ID.
type always struct {
	slog.Handler
	id string
}

func (a always) Handle(ctx context.Context, r slog.Record) error {
	return a.Handler.Handle(callid.With(ctx, a.id), r)
}

func (a always) WithAttrs(attrs []slog.Attr) slog.Handler {
	return always{a.Handler.WithAttrs(attrs), a.id}
}

func (a always) WithGroup(name string) slog.Handler { return always{a.Handler.WithGroup(name), a.id} }
