package fides_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

const shopYAML = `
dataset:
  - fides_key: shop
    name: shop
    collections:
      - name: customers
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
          - {name: phone, data_categories: [user.contact.phone_number], fides_meta: {identity: phone_number}}
          - {name: name, data_categories: [user.name]}
`

// begin is when the clock of a desk starts.
var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// desk is a door over an engine in memory.
type desk struct {
	config   dsr.Config
	engine   *dsr.Engine
	store    *memory.Store
	notifier *memory.Notifier
	options  fides.Options
	oauth    *oauth.Server
	records  *oauth.MemoryRecords
	door     *fides.Door
	logs     *lockedBuffer

	mu  sync.Mutex
	now time.Time
	ids int
}

// newDesk opens a door; change may alter what engine and door are made of.
func newDesk(t testing.TB, change func(*desk)) *desk {
	t.Helper()
	k := &desk{store: memory.NewStore(), notifier: memory.NewNotifier(), records: oauth.NewMemoryRecords(), now: begin, logs: &lockedBuffer{}}
	logger := slog.New(slog.NewJSONHandler(k.logs, nil))
	datasets, _, err := graph.LoadFS(fstest.MapFS{"shop.yml": {Data: []byte(shopYAML)}}, []string{"*.yml"}, nil)
	require.NoError(t, err)
	rows := map[string][]map[string]any{"customers": {{"id": 1, "email": "nia.vale@example.com", "phone": "+11234567891", "name": "Nia Vale"}}}
	k.config = dsr.Config{
		Datasets:    datasets,
		Connections: []dsr.Connection{{Key: "shop", Connector: memory.NewConnector(rows, nil), Datasets: []string{"shop"}}},
		Policies: []graph.Policy{
			{Key: "access", Name: "Access", Rules: []graph.Rule{{Key: "everything", Name: "Everything", Action: graph.Access, Targets: []graph.Category{"user"}}}},
			{Key: "erase", Rules: []graph.Rule{{Key: "names", Action: graph.Erasure, Targets: []graph.Category{"user.name"}, Masking: &graph.Masking{Strategy: "null_rewrite"}}}},
		},
		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(t.TempDir(), nil)}},
		Store:        k.store, Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(), Notifier: k.notifier,
		Clock: k.clock, NewID: k.newID, Logger: logger,
	}
	k.oauth, err = oauth.New(&oauth.Options{Records: k.records, Key: bytes.Repeat([]byte{7}, 32), Clock: k.clock})
	require.NoError(t, err)
	k.options = fides.Options{
		Verifier: k.oauth, OAuth: k.oauth, Clock: k.clock, Logger: logger, NewID: func() string { return "a-request" },
		Limits: fides.Limits{PerMinute: 1_000_000, PublicPerMinute: 1_000_000, TokensPerMinute: 1_000_000},
	}
	if change != nil {
		change(k)
	}
	k.engine, err = dsr.New(k.config)
	require.NoError(t, err)
	k.door, err = fides.New(k.engine, &k.options)
	require.NoError(t, err)
	return k
}

func (k *desk) clock() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

func (k *desk) wait(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now = k.now.Add(d)
}

func (k *desk) newID() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ids++
	return fmt.Sprintf("pri_%d", k.ids)
}

// client makes a client with scopes; all of them for none.
func (k *desk) client(t testing.TB, scopes ...string) oauth.Credentials {
	t.Helper()
	if len(scopes) == 0 {
		scopes = oauth.ScopeNames()
	}
	_, creds, err := k.oauth.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{Scopes: scopes})
	require.NoError(t, err)
	return creds
}

// token is one of a new client with scopes; all of them for none.
func (k *desk) token(t testing.TB, scopes ...string) string {
	t.Helper()
	creds := k.client(t, scopes...)
	token, err := k.oauth.Token(t.Context(), creds.ID, creds.Secret, nil)
	require.NoError(t, err)
	return token.Value
}

// answer is what came back.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// send sends a body of JSON, or text as it is, and checks that the answer is
// one that the OpenAPI document tells of.
func (k *desk) send(t testing.TB, token, method, target string, body any) *answer {
	t.Helper()
	var content string
	switch b := body.(type) {
	case nil:
	case string:
		content = b
	default:
		encoded, err := json.Marshal(b)
		require.NoError(t, err)
		content = string(encoded)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(content))
	if content != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return k.do(t, r)
}

// do sends a request and checks the answer against the document.
func (k *desk) do(t testing.TB, r *http.Request) *answer {
	t.Helper()
	method, target := r.Method, r.URL.RequestURI()
	w := httptest.NewRecorder()
	k.door.ServeHTTP(w, r)
	a := &answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}
	require.NoError(t, k.door.CheckAnswer(method, r.URL.EscapedPath(), a.Status, a.Header.Get("Content-Type"), []byte(a.Body)), "%s %s: %s", method, target, a.Body)
	return a
}

// lockedBuffer takes log lines from many goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
