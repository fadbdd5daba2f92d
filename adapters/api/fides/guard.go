package fides

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr/adapters/api/oauth"
)

// guard lets a call pass to a route: who calls, how often, and with what. The
// first thing asked is who; before that is settled nothing of the request is
// read or looked up.
func (d *Door) guard(rt *route, r *http.Request) error {
	c := callOf(r.Context())
	address := d.options.ClientAddress(r)
	switch {
	case rt.hook:
		token, err := oauth.BearerToken(r)
		if err = errors.Join(d.limiter.Allow("address", address), err); err != nil || rt.phase == "" {
			return err
		}
		c.bearer = token
		return d.engine.Requests().CheckToken(r.Context(), r.PathValue("privacy_request_id"), c.bearer, rt.phase)
	case len(rt.scopes) > 0:
		p, err := d.options.Verifier.Authenticate(r.Context(), r)
		if err != nil {
			return errors.Join(d.limiter.Allow("address", address), err)
		}
		c.principal = p
		if err := d.limiter.Allow("client", p.ClientID, p.Subject); err != nil {
			return err
		}
		if slices.ContainsFunc(rt.or, func(scope string) bool { return p.Require(scope) == nil }) {
			return nil
		}
		return p.Require(rt.scopes...)
	}
	if limiter := rt.limiter(d); limiter != d.public {
		return limiter.Allow("address", address)
	}
	group := rt.id
	if rt.credentials { // secrets can be tried at any of these
		group = "credentials"
	}
	return d.public.Allow(group, address) // whoever guesses at one blocks no other
}

// limiter is the one of a route without scopes. Whoever writes without any token
// is limited most.
func (rt *route) limiter(d *Door) *oauth.Limiter {
	if len(rt.scopes) == 0 && !rt.hook && rt.method != http.MethodGet {
		return d.public
	}
	return d.limiter
}

// limit bounds the body, and refuses one of another media type, packed, or in
// another encoding than UTF-8.
func (rt *route) limit(w http.ResponseWriter, r *http.Request) error {
	if !rt.reads() {
		return nil
	}
	if r.ContentLength > rt.body {
		return tooLarge(rt.body)
	}
	r.Body = http.MaxBytesReader(w, r.Body, rt.body)
	for _, coding := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(coding), "identity") { // RFC 9110, section 15.5.16
			return refuse(http.StatusUnsupportedMediaType, "The body must be sent without Content-Encoding").with("Accept-Encoding", "identity")
		}
	}
	given := r.Header.Get("Content-Type")
	if given == "" && (r.ContentLength == 0 || slices.Contains(rt.accepts, "application/json")) {
		return nil
	}
	media, params, err := mime.ParseMediaType(given)
	if charset, ok := params["charset"]; ok && !slices.Contains([]string{"utf-8", "utf8", "us-ascii"}, strings.ToLower(charset)) {
		return refuse(http.StatusUnsupportedMediaType, "The charset of the body must be utf-8").with("Accept", strings.Join(rt.accepts, ", "))
	}
	if err != nil || !slices.Contains(rt.accepts, media) {
		accepted := strings.Join(rt.accepts, ", ")
		return refuse(http.StatusUnsupportedMediaType, "Content-Type must be %s", accepted).with("Accept", accepted)
	}
	return nil
}

// serve answers a call of a route.
func (d *Door) serve(rt *route, w http.ResponseWriter, r *http.Request) error {
	callOf(r.Context()).cutOff = writeWithin(w, rt.timeout)
	if err := d.guard(rt, r); err != nil {
		return err
	}
	if err := rt.limit(w, r); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), rt.timeout)
	defer cancel()
	r = r.WithContext(ctx)
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(rt.timeout)) // not every writer can
	d.look(ctx)
	out, err := rt.call.serve(ctx, func(in any) error { return d.read(rt, r, in) })
	if err != nil {
		if ctx.Err() != nil && !errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return err
	}
	if a, ok := out.(responder); ok {
		return a.respond(w, r)
	}
	if rt.status == http.StatusNoContent {
		w.WriteHeader(rt.status)
		return nil
	}
	writeJSON(w, rt.status, out)
	return nil
}

// writeWithin cuts off a caller who does not read the answer: after the time that
// a request may take, and as long again, a minute at most. The server takes the
// deadline back after each answer.
func writeWithin(w http.ResponseWriter, timeout time.Duration) time.Time {
	deadline := time.Now().Add(timeout + min(timeout, time.Minute))
	_ = http.NewResponseController(w).SetWriteDeadline(deadline) // not every writer can
	return deadline
}

// look has the engine read the catalogue before the first call, so that after a
// restart policies and forms are those that were configured. If it fails, the
// next call tries again.
func (d *Door) look(ctx context.Context) {
	if !d.looked.Load() {
		_, err := d.engine.Catalogue().Problems(ctx)
		d.looked.Store(err == nil)
	}
}
