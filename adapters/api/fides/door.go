package fides

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/hashicorp/go-multierror"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/internal/callid"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/graph"
)

// prefix is where Fides' routes are; they answer without it as well.
const prefix = "/api/v1"

// Door is the API as an [http.Handler]. It may be used by many goroutines.
type Door struct {
	engine          *dsr.Engine
	options         *Options
	routes          []route
	schemas         huma.Registry
	document        *huma.OpenAPI
	mux             *http.ServeMux
	limiter, public *oauth.Limiter
	looked          atomic.Bool    // at the catalogue
	tokens          *oauth.Limiter // of credentials, by client and address
	files           documentFiles
	bodies          map[string]json.RawMessage // examples, by operation
}

// New returns a door to an engine. The error tells every fault of the options.
func New(engine *dsr.Engine, o *Options) (*Door, error) {
	var faults *multierror.Error
	if engine == nil {
		faults = multierror.Append(faults, errors.New("fides: there is no engine"))
	}
	options, err := o.withDefaults()
	if err != nil {
		faults = multierror.Append(faults, err)
	}
	if engine != nil && options.PublicIntake {
		faults = multierror.Append(faults, checkIntake(engine))
	}
	if err := faults.ErrorOrNil(); err != nil {
		return nil, err
	}
	d := &Door{engine: engine, options: options, mux: http.NewServeMux()}
	d.limiter = oauth.NewLimiter(&oauth.LimiterOptions{Limit: options.Limits.PerMinute, Clock: options.Clock})
	d.public = oauth.NewLimiter(&oauth.LimiterOptions{Limit: options.Limits.PublicPerMinute, Clock: options.Clock})
	d.tokens = oauth.NewLimiter(&oauth.LimiterOptions{Limit: options.Limits.TokensPerMinute, Clock: options.Clock})
	d.schemas = huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer)
	d.document = d.newDocument()
	d.routes, d.bodies = d.groups(), d.examples()
	adapter := humago.NewAdapter(d.mux, "")
	for i := range d.routes {
		if err := d.add(adapter, &d.routes[i]); err != nil {
			return nil, err
		}
	}
	d.nameTypes()
	if d.files, err = d.renderDocument(); err != nil {
		return nil, err
	}
	return d, nil
}

// checkIntake refuses public intake of requests that nobody verifies. Policies
// come and go: those with a flow of their own are looked at with each request.
func checkIntake(engine *dsr.Engine) error {
	if !engine.Flow("").VerifyIdentity {
		return errors.New("fides: PublicIntake needs a Config.Flow with VerifyIdentity: everybody could ask for everybody's data")
	}
	return nil
}

// add makes a route answer, and describes it.
func (d *Door) add(adapter huma.Adapter, rt *route) (err error) {
	defer func() { // huma and ServeMux panic on what they cannot describe or tell apart
		if v := recover(); v != nil {
			err = fmt.Errorf("fides: route %s %s: %v", rt.method, rt.path, v)
		}
	}()
	if err := rt.prepare(d); err != nil {
		return err
	}
	for n, p := range rt.places() {
		op := d.describe(rt, p, n)
		adapter.Handle(op, func(hc huma.Context) {
			r, w := humago.Unwrap(hc)
			c := callOf(r.Context())
			c.route = p.method + " " + p.path
			if err := d.serve(rt, w, r); err != nil {
				f := failureOf(err)
				if f.status >= http.StatusInternalServerError || !explained(f.cause) {
					c.note(f.cause)
				}
				d.refused(c, f).write(w)
			}
		})
	}
	return nil
}

// refused is a failure as the route of a call answers it: those that take the
// secret of a client answer clients of OAuth.
func (d *Door) refused(c *call, f *failure) *failure {
	if slices.ContainsFunc(d.routes, func(rt route) bool { return rt.credentials && rt.method+" "+rt.path == c.route }) {
		return f.oauth()
	}
	return f
}

// ServeHTTP implements [http.Handler].
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := d.options.Clock()
	id, c := requestID(r, d.options.NewID), &call{method: r.Method}
	r = r.WithContext(context.WithValue(callid.With(r.Context(), id), callKey{}, c))
	rec := &recorder{ResponseWriter: w, head: r.Method == http.MethodHead}
	for key, value := range map[string]string{"X-Request-ID": id, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		w.Header().Set(key, value)
	}
	writeWithin(w, d.options.Limits.Timeout)
	defer d.log(r, rec, c, began)
	defer d.recovered(r.Context(), rec, c)
	d.dispatch(rec, r)
}

// dispatch finds the route.
func (d *Door) dispatch(w http.ResponseWriter, r *http.Request) {
	if clean := path.Clean("/" + r.URL.Path); clean != r.URL.Path { // the mux would redirect
		refuse(http.StatusNotFound, "Not Found").write(w)
		return
	}
	if strings.HasPrefix(r.URL.Path, prefix+"/") {
		if !strings.HasPrefix(r.URL.EscapedPath(), prefix+"/") { // net/http would answer in its own words
			refuse(http.StatusNotFound, "Not Found").write(w)
			return
		}
		http.StripPrefix(prefix, http.HandlerFunc(d.find)).ServeHTTP(w, r)
		return
	}
	d.find(w, r)
}

// find finds the route of a path without the prefix.
func (d *Door) find(w http.ResponseWriter, r *http.Request) {
	if d.takes(r, r.Method) {
		d.mux.ServeHTTP(w, r)
		return
	}
	var allow []string
	for _, method := range methods() {
		if d.takes(r, method) {
			allow = append(allow, method)
		}
	}
	if len(allow) == 0 {
		refuse(http.StatusNotFound, "Not Found").write(w)
		return
	}
	refuse(http.StatusMethodNotAllowed, "Method Not Allowed").with("Allow", strings.Join(allow, ", ")).write(w)
}

// methods are those that routes take.
func methods() []string {
	return []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost, http.MethodPut}
}

// takes reports whether there is a route at the path of a request that answers a
// method. HEAD is answered wherever GET is, unless that does something.
func (d *Door) takes(r *http.Request, method string) bool {
	probe := *r
	probe.Method = method
	_, pattern := d.mux.Handler(&probe)
	if method != http.MethodHead {
		return pattern != ""
	}
	return pattern != "" && !slices.ContainsFunc(d.routes, func(rt route) bool {
		return rt.acts && slices.ContainsFunc(rt.places(), func(p place) bool { return p.method+" "+p.path == pattern })
	})
}

// recovered answers for a handler that panicked.
func (d *Door) recovered(ctx context.Context, w *recorder, c *call) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v) //nolint:forbidigo // it is net/http's own, passed on
	}
	d.options.Logger.ErrorContext(ctx, "fides: a handler panicked", "route", c.route, "stack", string(debug.Stack()))
	if w.status == 0 {
		d.refused(c, refuse(http.StatusInternalServerError, "Internal Server Error")).write(w)
		return
	}
	panic(http.ErrAbortHandler) //nolint:forbidigo // half an answer must not look like a whole one
}

// log writes the line of a request. It holds the route's pattern and no path,
// which may name a person.
func (d *Door) log(r *http.Request, w *recorder, c *call, began time.Time) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("method", knownMethod(r.Method)), slog.String("route", c.route),
		slog.Int("status", w.status), slog.Duration("duration", d.options.Clock().Sub(began)), slog.String("client", c.client()),
	}
	failed, refused := w.status >= http.StatusInternalServerError, w.status >= http.StatusBadRequest
	if c.cause != nil && (failed || !refused) { // some of it failed, or all
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("error", c.cause.Error()))
	}
	if c.causes > 1 { // of a bulk; the first is told
		attrs = append(attrs, slog.Int("errors", c.causes))
	}
	if failed {
		level = slog.LevelError
	}
	d.options.Logger.LogAttrs(r.Context(), level, "fides: request", attrs...)
}

// explained reports whether an error is a refusal that its answer tells in full, in
// words that may quote what came in.
func explained(err error) bool {
	var auth *oauth.Error
	var faults *graph.FaultError
	return errors.As(err, &auth) || errors.As(err, &faults)
}

func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// requestID takes the ID that an HTTP request brings, if it is a plain one.
func requestID(r *http.Request, newID func() string) string {
	id := r.Header.Get("X-Request-ID")
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.:", c)
	}
	if id == "" || len(id) > 128 || strings.ContainsFunc(id, func(c rune) bool { return !plain(c) }) {
		return newID()
	}
	return id
}
