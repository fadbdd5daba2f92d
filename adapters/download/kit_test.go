package download_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/download"
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
`

// begin is when the clock of a desk starts.
var begin = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// desk hands out the package of one complete request.
type desk struct {
	config  dsr.Config
	engine  *dsr.Engine
	store   *memory.Store
	folder  string
	request *dsr.Request
	opts    download.Options
	logs    *lockedBuffer

	mu  sync.Mutex
	now time.Time
}

// newDesk completes a request; change may alter what its engine is made of, and
// what is submitted.
func newDesk(t testing.TB, change func(*dsr.Config, *dsr.Submission)) *desk {
	t.Helper()
	k := &desk{store: memory.NewStore(), folder: t.TempDir(), now: begin, logs: &lockedBuffer{}}
	datasets, _, err := graph.LoadFS(fstest.MapFS{"shop.yml": {Data: []byte(shopYAML)}}, []string{"*.yml"}, nil)
	require.NoError(t, err)
	rows := map[string][]map[string]any{"customers": {{"id": 1, "email": "nia.vale@example.com"}}}
	k.config = dsr.Config{
		Datasets:     datasets,
		Connections:  []dsr.Connection{{Key: "shop", Connector: memory.NewConnector(rows, nil), Datasets: []string{"shop"}}},
		Policies:     []graph.Policy{{Key: "access", Rules: []graph.Rule{{Key: "everything", Action: graph.Access, Targets: []graph.Category{"user"}}}}},
		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(k.folder, nil)}},
		Store:        k.store, Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
		Clock: k.clock, NewID: func() string { return "r1" },
	}
	s := dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}}
	if change != nil {
		change(&k.config, &s)
	}
	k.engine = newEngine(t, k.config)
	k.request, err = k.engine.Requests().Submit(t.Context(), s)
	require.NoError(t, err)
	k.request, err = k.engine.Requests().Advance(t.Context(), k.request.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, k.request.Status)
	k.opts = download.Options{
		Contact: "privacy@shop.example",
		Logger:  slog.New(slog.NewJSONHandler(k.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	return k
}

func newEngine(t testing.TB, c dsr.Config) *dsr.Engine {
	t.Helper()
	e, err := dsr.New(c)
	require.NoError(t, err)
	return e
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

// content is the package at its destination.
func (k *desk) content(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(k.folder, k.request.Packages[0].Name))
	require.NoError(t, err)
	return string(data)
}

// link makes a link.
func (k *desk) link(t testing.TB, opts *dsr.LinkOptions) string {
	t.Helper()
	token, _, err := k.engine.Downloads().Link(t.Context(), k.request.ID, "", opts)
	require.NoError(t, err)
	return token
}

// once makes a one-time link.
func (k *desk) once(t testing.TB) string { return k.link(t, &dsr.LinkOptions{Once: true}) }

// serve serves the links of an engine.
func (k *desk) serve(t testing.TB) *site {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/data/", download.New(k.engine, &k.opts))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &site{server}
}

// site is a server that is asked like a browser that follows nothing.
type site struct{ *httptest.Server }

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	length int64
}

// ask sends a request; headers are pairs.
func (s *site) ask(t testing.TB, method, token string, headers ...string) answer {
	t.Helper()
	got, err := s.try(t.Context(), method, token, headers...)
	require.NoError(t, err)
	return got
}

func (s *site) try(ctx context.Context, method, token string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+"/data/"+token, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.Client().Transport.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	resp.Header.Del("Date") // the only header that differs by itself
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body), resp.ContentLength}, err
}

// headers lists them, one a line.
func (a answer) headers() string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		lines = append(lines, name+": "+strings.Join(a.header[name], ", "))
	}
	return strings.Join(lines, "\n")
}

// title is the heading of a page.
func (a answer) title() string {
	_, rest, _ := strings.Cut(a.body, "<h1>")
	title, _, _ := strings.Cut(rest, "</h1>")
	return title
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
