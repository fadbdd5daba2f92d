package download_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/download"
	"github.com/godsr/dsr/storage"
)

const everywhere = `Cache-Control: no-store
%sReferrer-Policy: no-referrer
X-Content-Type-Options: nosniff
X-Robots-Tag: noindex, nofollow`

func TestDownload(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	s, token, want := k.serve(t), k.link(t, nil), k.content(t)
	headers := fmt.Sprintf("Accept-Ranges: bytes\n"+everywhere, fmt.Sprintf(`Content-Disposition: attachment; filename="personal-data-r1.json"; filename*=UTF-8''personal-data-r1.json
Content-Length: %d
Content-Security-Policy: default-src 'none'; frame-ancestors 'none'
Content-Type: application/json
Etag: "%s"
`, len(want), k.request.Packages[0].SHA256))

	// HEAD uses nothing up and says the same.
	trail := k.trail(t)
	got := s.ask(t, http.MethodHead, token)
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, headers, got.headers())
	require.Empty(t, got.body)
	require.Equal(t, trail, k.trail(t))

	got = s.ask(t, http.MethodGet, token)
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, headers, got.headers())
	require.Equal(t, want, got.body)
	require.Equal(t, append(trail, "downloaded"), k.trail(t))
	require.Equal(t, got, s.ask(t, http.MethodPost, token), "a button may be pressed all the same")
}

// trail lists the actions of the audit trail.
func (k *desk) trail(t testing.TB) []string {
	t.Helper()
	var actions []string
	for entry, err := range k.engine.Audit().Entries(t.Context(), k.request.ID) {
		require.NoError(t, err)
		actions = append(actions, entry.Action)
	}
	return actions
}

// A download that broke off goes on where it stopped, unless it is another file.
func TestResume(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	s, token, want := k.serve(t), k.link(t, nil), k.content(t)
	tag := s.ask(t, http.MethodHead, token).header.Get("Etag")
	size := len(want)
	for _, c := range []struct {
		name    string
		headers []string
		status  int
		ranged  string
		body    string
	}{
		{"a part", []string{"Range", "bytes=2-5"}, 206, fmt.Sprintf("bytes 2-5/%d", size), want[2:6]},
		{"the rest", []string{"Range", "bytes=7-", "If-Range", tag}, 206, fmt.Sprintf("bytes 7-%d/%d", size-1, size), want[7:]},
		{"the end", []string{"Range", "bytes=-3"}, 206, fmt.Sprintf("bytes %d-%d/%d", size-3, size-1, size), want[size-3:]},
		{"of another file", []string{"Range", "bytes=7-", "If-Range", `"other"`}, 200, "", want},
		{"past the end", []string{"Range", "bytes=100000-"}, 416, fmt.Sprintf("bytes */%d", size), "invalid range: failed to overlap\n"},
		{"known already", []string{"If-None-Match", tag}, 304, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.ask(t, http.MethodGet, token, c.headers...)
			require.Equal(t, c.status, got.status)
			require.Equal(t, c.ranged, got.header.Get("Content-Range"))
			require.Equal(t, c.body, got.body)
		})
	}
	require.Equal(t, "downloaded", k.trail(t)[len(k.trail(t))-1])
	require.Equal(t, "download link made", k.trail(t)[len(k.trail(t))-2], "parts of one download are told once")
}

// It is mounted wherever the host likes.
func TestMounted(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	h, token := download.New(k.engine, nil), k.link(t, nil)
	for pattern, c := range map[string]struct {
		handler http.Handler
		path    string
	}{
		"/":                    {h, "/" + token},
		"/privacy/data/":       {h, "/privacy/data/" + token},
		"/stripped/":           {http.StripPrefix("/stripped", h), "/stripped/" + token},
		"/bare/":               {http.StripPrefix("/bare/", h), "/bare/" + token},
		"/of/{token}/download": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { r.URL.Path = r.PathValue("token"); h.ServeHTTP(w, r) }), "/of/" + token + "/download"},
	} {
		mux := http.NewServeMux()
		mux.Handle(pattern, c.handler)
		got := httptest.NewRecorder()
		mux.ServeHTTP(got, httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.path, http.NoBody))
		require.Equal(t, http.StatusOK, got.Code, pattern)
		require.Equal(t, k.content(t), got.Body.String())
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	s, token := k.serve(t), k.once(t)
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch, "BREW"} {
		got := s.ask(t, method, token)
		require.Equal(t, http.StatusMethodNotAllowed, got.status, method)
		require.Equal(t, "GET, HEAD, POST", got.header.Get("Allow"))
		require.Equal(t, "method not allowed; allowed are GET, HEAD, POST\n", got.body)
	}
	require.Equal(t, http.StatusOK, s.ask(t, http.MethodPost, token).status)
}

// File names are told in ASCII, and as they are.
func TestFileNames(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"42":        `attachment; filename="personal-data-42.json"; filename*=UTF-8''personal-data-42.json`,
		`a "b" é%+`: `attachment; filename="personal-data-a _b_ __+.json"; filename*=UTF-8''personal-data-a%20%22b%22%20%C3%A9%25%2B.json`,
		"日本":        `attachment; filename="personal-data-__.json"; filename*=UTF-8''personal-data-%E6%97%A5%E6%9C%AC.json`,
	} {
		k := newDesk(t, func(c *dsr.Config, _ *dsr.Submission) { c.NewID = func() string { return id } })
		require.Equal(t, want, k.serve(t).ask(t, http.MethodHead, k.link(t, nil)).header.Get("Content-Disposition"))
	}
}

// encrypter stands in for one.
type encrypter struct{}

func (encrypter) Extension() string               { return ".age" }
func (encrypter) Check(*storage.Recipients) error { return nil }

func (encrypter) Encrypt(w io.Writer, _ *storage.Recipients) (io.WriteCloser, error) {
	_, err := w.Write([]byte("sealed:"))
	return nopCloser{w}, err
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// What is encrypted is called so.
func TestEncryptedPackage(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(c *dsr.Config, s *dsr.Submission) {
		c.Encrypter, s.Encryption = encrypter{}, dsr.Encryption{Passphrase: "correct horse"}
	})
	got := k.serve(t).ask(t, http.MethodGet, k.link(t, nil))
	require.Equal(t, "application/octet-stream", got.header.Get("Content-Type"))
	require.Contains(t, got.header.Get("Content-Disposition"), `filename="personal-data-r1.json.age"`)
	require.True(t, strings.HasPrefix(got.body, "sealed:{"))
}

func TestRate(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.once(t)
	k.opts.Rate, k.opts.Burst = 1e-9, 2
	s := k.serve(t)
	for range 2 {
		require.Equal(t, http.StatusOK, s.ask(t, http.MethodGet, token).status)
	}
	got := s.ask(t, http.MethodPost, token)
	require.Equal(t, http.StatusTooManyRequests, got.status)
	require.Equal(t, "1", got.header.Get("Retry-After"))
	require.Equal(t, "Please try again in a moment", got.title())

	k.opts.Rate, k.opts.Burst = 1e-9, 0 // one and a fraction
	s = k.serve(t)
	require.Equal(t, http.StatusOK, s.ask(t, http.MethodPost, token).status, "it was not used up")
	require.Equal(t, http.StatusTooManyRequests, s.ask(t, http.MethodPost, token).status)
}
