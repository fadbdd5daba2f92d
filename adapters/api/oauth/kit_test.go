package oauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/oauth"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: start} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const (
	rootID     = "fidesopsadmin"
	rootSecret = "fidesopsadminsecret"
)

func root() oauth.Credentials { return oauth.Credentials{ID: rootID, Secret: rootSecret} }

func key() []byte { return bytes.Repeat([]byte{7}, 32) }

// site is a server and what it stands on.
type site struct {
	*oauth.Server
	records *oauth.MemoryRecords
	clock   *clock
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{records: oauth.NewMemoryRecords(), clock: newClock()}
	s.Server = s.process(t, root())
	return s
}

// process is another server over the same records.
func (s *site) process(t *testing.T, root oauth.Credentials) *oauth.Server {
	t.Helper()
	server, err := oauth.New(&oauth.Options{Records: s.records, Key: key(), Root: root, Clock: s.clock.Now})
	require.NoError(t, err)
	return server
}

// client makes a client with scopes.
func (s *site) client(t *testing.T, scopes ...string) oauth.Credentials {
	t.Helper()
	_, creds, err := s.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{Scopes: scopes})
	require.NoError(t, err)
	return creds
}

// token gets a token.
func (s *site) token(t *testing.T, creds oauth.Credentials, scopes ...string) *oauth.Token {
	t.Helper()
	token, err := s.Token(t.Context(), creds.ID, creds.Secret, scopes)
	require.NoError(t, err)
	return token
}

// with is a request that brings a token.
func with(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// who asks a verifier about a token.
func who(ctx context.Context, v oauth.Verifier, token string) (*oauth.Principal, error) {
	return v.Authenticate(ctx, with(token))
}

// refused checks every part of a refusal that is sent on.
func refused(t *testing.T, err, kind error, status int, detail string) *oauth.Error {
	t.Helper()
	require.ErrorIs(t, err, kind)
	var e *oauth.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, status, e.Status)
	require.Equal(t, detail, e.Detail)
	require.Equal(t, detail, e.Error())
	return e
}

func notAuthorized(t *testing.T, err error) {
	t.Helper()
	refused(t, err, oauth.ErrForbidden, http.StatusForbidden, "Not Authorized for this action")
}

// printed is a value under every way of printing it.
func printed(t *testing.T, value any) string {
	t.Helper()
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", value)
	}
	require.NoError(t, json.NewEncoder(&out).Encode(value))
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "value", value)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "value", value)
	return out.String()
}

var errDown = errors.New("the store is down")

// flaky are records that may fail, or do something first.
type flaky struct {
	oauth.Records
	before func(verb string, r oauth.Record) error
}

func (f *flaky) Get(ctx context.Context, kind, key string) (oauth.Record, error) {
	if err := f.before("get", oauth.Record{Kind: kind, Key: key}); err != nil {
		return oauth.Record{}, err
	}
	return f.Records.Get(ctx, kind, key)
}

func (f *flaky) List(ctx context.Context, kind, after string, limit int) ([]oauth.Record, error) {
	if err := f.before("list", oauth.Record{Kind: kind, Key: after}); err != nil {
		return nil, err
	}
	return f.Records.List(ctx, kind, after, limit)
}

func (f *flaky) Put(ctx context.Context, r oauth.Record, expect int64) error {
	if err := f.before("put", r); err != nil {
		return err
	}
	return f.Records.Put(ctx, r, expect)
}

func (f *flaky) Delete(ctx context.Context, kind, key string, expect int64) error {
	if err := f.before("delete", oauth.Record{Kind: kind, Key: key}); err != nil {
		return err
	}
	return f.Records.Delete(ctx, kind, key, expect)
}
