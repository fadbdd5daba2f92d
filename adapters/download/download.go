// Package download serves the download links of a [dsr.Engine] over HTTP: a
// page to confirm a one-time link, the data package itself, and a page that
// helps whose link does not work (any more).
//
// The handler is mounted wherever the host likes; the last segment of the path
// is the token:
//
//	mux.Handle("/privacy/downloads/", download.New(engine, nil))
//	token, expires, err := engine.Downloads().Link(ctx, request.ID, "", nil)
//	link := "https://shop.example/privacy/downloads/" + token
//
// The token is the only authority: there is no cookie that another site could
// make use of. It must not end up in logs and analytics; docs/downloads.md says
// how, and which time-outs the host's server needs.
package download

import (
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/godsr/dsr"
)

// Options tune a handler.
type Options struct {
	// Contact is where a data subject finds help: an e-mail address, an
	// https:// address, or any text. Pages show it. Defaults to none.
	Contact string
	// Texts are those of the pages by language, by BCP 47, such as "de" or
	// "pt-BR". Which one is shown, the browser's Accept-Language says.
	// English is built in, may be replaced, and stands in for what is empty.
	Texts map[string]Texts
	// Redirect sends downloads to the destination itself, where that is a
	// storage.Linker, under an address that is good for this long; see
	// [dsr.OpenOptions]. Defaults to streaming them.
	Redirect time.Duration
	// Rate is how many requests the handler answers in a second, after a
	// burst of as many as Burst, which defaults to twice the rate, rounded
	// up; the others get status 429. All clients share it. Defaults to no
	// bound: a proxy that tells clients apart is the better place.
	Rate  float64
	Burst int
	// Logger takes what became of each request, without tokens, names and
	// addresses. Defaults to none.
	Logger *slog.Logger
}

type handler struct {
	downloads *dsr.Downloads
	opts      Options
	limiter   *rate.Limiter
	pages     *pages
}

// New returns a handler of the engine's download links. opts may be nil.
//
// GET downloads the package; of a one-time link it shows a page with a button
// that downloads it by POST, so that mail scanners and link previews, which
// follow links, do not use it up. HEAD tells the headers and uses nothing up. A
// download by GET can be resumed (Range, If-Range with the ETag).
//
// A link that is unknown or was forged is answered by 404, alike and without a
// look at the store; one that expired or was used, or whose package is gone, by
// 410.
func New(engine *dsr.Engine, opts *Options) http.Handler {
	h := &handler{downloads: engine.Downloads()}
	if opts != nil {
		h.opts = *opts
	}
	if h.opts.Logger == nil {
		h.opts.Logger = slog.New(slog.DiscardHandler)
	}
	if h.opts.Rate > 0 {
		if h.opts.Burst <= 0 {
			h.opts.Burst = int(math.Ceil(2 * h.opts.Rate))
		}
		h.limiter = rate.NewLimiter(rate.Limit(h.opts.Rate), h.opts.Burst)
	}
	h.pages = newPages(&h.opts)
	return h
}

const methods = "GET, HEAD, POST"

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Robots-Tag", "noindex, nofollow")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	token := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
		header.Set("Allow", methods)
		http.Error(w, "method not allowed; allowed are "+methods, http.StatusMethodNotAllowed)
	case h.limiter != nil && !h.limiter.Allow():
		header.Set("Retry-After", "1")
		h.pages.tell(w, r, http.StatusTooManyRequests, busy)
		h.log(r, string(busy))
	case r.Method == http.MethodPost:
		h.send(w, r, token)
	default:
		h.show(w, r, token)
	}
}

// show answers what uses nothing up, and passes on what does.
func (h *handler) show(w http.ResponseWriter, r *http.Request, token string) {
	d, err := h.downloads.Show(r.Context(), token)
	switch {
	case err != nil:
		h.refuse(w, r, err)
	case d.Once:
		h.pages.confirm(w, r, d)
		h.log(r, "asked", "request", d.RequestID)
	case r.Method == http.MethodHead:
		describe(w.Header(), d)
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Content-Length", strconv.FormatInt(d.Size, 10))
		w.WriteHeader(http.StatusOK)
		h.log(r, "looked", "request", d.RequestID)
	default:
		h.send(w, r, token)
	}
}

// send sends the package, or where it can be downloaded.
func (h *handler) send(w http.ResponseWriter, r *http.Request, token string) {
	d, err := h.downloads.Open(r.Context(), token, &dsr.OpenOptions{Redirect: h.opts.Redirect})
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if d.URL != "" {
		w.Header().Set("Location", d.URL)
		w.WriteHeader(http.StatusSeeOther)
		h.log(r, "redirected", "request", d.RequestID)
		return
	}
	defer func() { _ = d.Content.Close() }() // it was only read
	describe(w.Header(), d)
	if r.Method == http.MethodPost { // what was used up is sent whole
		r = r.Clone(r.Context())
		for _, name := range []string{"Range", "If-Range", "If-Match", "If-None-Match"} {
			r.Header.Del(name)
		}
	}
	content := &watched{ReadSeeker: d.Content}
	http.ServeContent(w, r, "", time.Time{}, content)
	if content.err != nil {
		h.opts.Logger.ErrorContext(r.Context(), "a download broke off", "request", d.RequestID, "error", content.err)
		return
	}
	h.log(r, "sent", "request", d.RequestID)
}

// watched remembers why a package could not be read.
type watched struct {
	io.ReadSeeker
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadSeeker.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// refuse says why there is nothing to download.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, which := http.StatusInternalServerError, failed
	switch {
	case errors.Is(err, dsr.ErrNotFound):
		status, which = http.StatusNotFound, unknown
	case errors.Is(err, dsr.ErrLinkExpired):
		status, which = http.StatusGone, expired
	case errors.Is(err, dsr.ErrLinkUsed):
		status, which = http.StatusGone, used
	case errors.Is(err, dsr.ErrPackageGone), errors.Is(err, dsr.ErrDeleted):
		status, which = http.StatusGone, gone
	case errors.Is(err, dsr.ErrConflict):
		status, which = http.StatusConflict, notReady
	case r.Context().Err() != nil: // nobody is there to be told
	default:
		if errors.Is(err, dsr.ErrUnavailable) {
			status = http.StatusServiceUnavailable
		}
		h.opts.Logger.ErrorContext(r.Context(), "a download failed", "error", err)
		h.pages.tell(w, r, status, which)
		return
	}
	h.pages.tell(w, r, status, which)
	h.log(r, string(which), "error", err)
}

func (h *handler) log(r *http.Request, outcome string, more ...any) {
	h.opts.Logger.InfoContext(r.Context(), "download", append([]any{"outcome", outcome, "method", r.Method}, more...)...)
}

// describe sets the headers that tell of a package.
func describe(header http.Header, d *dsr.Download) {
	header.Set("Content-Type", d.ContentType)
	header.Set("Content-Disposition", disposition(d.FileName))
	header.Set("ETag", `"`+d.SHA256+`"`)
}

// disposition names a file for saving, by RFC 6266: in ASCII for old clients,
// and as it is.
func disposition(name string) string {
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%/`, r) {
			return '_'
		}
		return r
	}, name)
	return `attachment; filename="` + ascii + `"; filename*=UTF-8''` + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
}
