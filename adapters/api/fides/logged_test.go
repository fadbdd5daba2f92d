package fides_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/storage"
)

// loggedStore is a store that fails after so many commits, and cannot tell the
// version of the catalogue any more once that was changed.
type loggedStore struct {
	*memory.Store
	commits atomic.Int64
	changed atomic.Bool
}

// Commit implements [dsr.Store].
func (s *loggedStore) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	if s.commits.Add(-1) < 0 {
		return errors.New("the disk is odd")
	}
	return s.Store.Commit(ctx, ch)
}

// SaveEntries implements [dsr.EntryStore].
func (s *loggedStore) SaveEntries(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
	s.changed.Store(true)
	return s.Store.SaveEntries(ctx, changes)
}

// CatalogueVersion implements [dsr.EntryStore].
func (s *loggedStore) CatalogueVersion(ctx context.Context) (int64, error) {
	if s.changed.Load() {
		return 0, errors.New("the disk is odd")
	}
	return s.Store.CatalogueVersion(ctx)
}

// loggedDesk is a desk with a request that waits for approval. The engine's
// logger is as a host makes it, those of the others are plain.
func loggedDesk(t *testing.T, change func(*desk)) (*desk, *loggedStore) {
	t.Helper()
	s := &loggedStore{}
	s.commits.Store(1 << 40)
	k := newDesk(t, func(k *desk) {
		s.Store = k.store
		k.config.Store, k.config.Flow.Approval, k.config.Files = s, true, storage.NewFolder(t.TempDir(), nil)
		k.config.Logger = slog.New(fides.LogHandler(k.config.Logger.Handler()))
		var err error
		k.oauth, err = oauth.New(&oauth.Options{Records: k.records, Key: []byte(strings.Repeat("k", 32)), Clock: k.clock, Logger: k.options.Logger})
		require.NoError(t, err)
		k.options.OAuth, k.options.Verifier = k.oauth, k.oauth
		if change != nil {
			change(k)
		}
	})
	k.submit(t, "access", 1)
	return k, s
}

// Every line that a call writes has the ID that is in its answer, whoever
// writes it.
func TestEveryLineOfACallHasItsID(t *testing.T) {
	t.Parallel()
	get := func(target string) func(t *testing.T, k *desk, _ *loggedStore) *answer {
		return func(t *testing.T, k *desk, _ *loggedStore) *answer { return k.send(t, k.token(t), "GET", target, nil) }
	}
	for name, c := range map[string]struct {
		change func(*desk)
		call   func(t *testing.T, k *desk, s *loggedStore) *answer
		lines  []string
	}{
		"a request":     {nil, get("/privacy-request"), nil},
		"no such route": {nil, get("/nix"), nil},
		"all of the server": {nil, func(t *testing.T, k *desk, _ *loggedStore) *answer {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodOptions, "/", nil)
			r.URL.Path = "*"
			return k.do(t, r)
		}, nil},
		"a panic": {
			func(k *desk) {
				k.options.Verifier = verifier(func() (*oauth.Principal, error) { panic("at the disco") })
			},
			get("/privacy-request"), []string{"fides: a handler panicked"},
		},
		"what is sealed": {nil, func(t *testing.T, k *desk, _ *loggedStore) *answer {
			k.config.Keyring = dsr.NewEphemeralKeyring()
			k.restart(t)
			return k.send(t, k.token(t), "GET", "/privacy-request/pri_1", nil)
		}, []string{"fides: what is sealed of a request cannot be opened"}},
		"a client": {nil, func(t *testing.T, k *desk, _ *loggedStore) *answer {
			require.NoError(t, k.records.Put(t.Context(), oauth.Record{Kind: "client", Key: "0", Data: []byte("{")}, 0))
			return k.send(t, k.token(t), "GET", "/oauth/client", nil)
		}, []string{"oauth: a client is left out of a list"}},
		"a token": {nil, func(t *testing.T, k *desk, _ *loggedStore) *answer {
			id := k.client(t).ID
			require.NoError(t, k.records.Put(t.Context(), oauth.Record{Kind: "token", Key: id + "/0", Data: []byte("{")}, 0))
			return k.send(t, k.token(t), "GET", "/oauth/client/"+id+"/token", nil)
		}, []string{"oauth: a token is left out of a list"}},
		"the engine, of the catalogue": {nil, func(t *testing.T, k *desk, _ *loggedStore) *answer {
			return k.send(t, k.token(t), "PUT", "/privacy-request/redaction-patterns", `{"patterns":["^secret"]}`)
		}, []string{"the catalogue was changed, but cannot be used yet"}},
		"the engine, of a file": {nil, func(t *testing.T, k *desk, s *loggedStore) *answer {
			s.commits.Store(1)
			return k.multipart(t, k.token(t), filesOf, part{name: "attachment_type", content: "internal_use_only"}, part{name: "attachment_file", file: "a.txt", content: "a"})
		}, []string{"the name of a file that was not attached is forgotten later"}},
		"the host": {
			func(k *desk) {
				k.options.Verifier = loggedVerifier(func(ctx context.Context) {
					k.options.Logger.ErrorContext(ctx, "a provider is down", "request_id", fides.RequestID(ctx))
				})
			},
			get("/privacy-request"), []string{"a provider is down"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, s := loggedDesk(t, c.change)
			before := len(k.logs.String())
			a := c.call(t, k, s)
			require.Equal(t, "a-request", a.Header.Get("X-Request-ID"))
			text := k.logs.String()[before:]
			lines := strings.Split(strings.TrimSpace(text), "\n")
			require.Len(t, lines, len(c.lines)+1, text)
			for i, want := range append(c.lines, "fides: request") {
				require.Contains(t, lines[i], `"msg":"`+want+`"`)
				require.Equal(t, 1, strings.Count(lines[i], `"request_id":"a-request"`), lines[i])
			}
		})
	}
	require.Empty(t, fides.RequestID(t.Context()))
}

// loggedVerifier knows nobody, and says so.
type loggedVerifier func(context.Context)

func (v loggedVerifier) Authenticate(ctx context.Context, _ *http.Request) (*oauth.Principal, error) {
	v(ctx)
	return nil, dsr.ErrUnavailable
}
