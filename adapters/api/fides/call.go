package fides

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/internal/callid"
	"github.com/godsr/dsr/adapters/api/oauth"
)

// RequestID returns the X-Request-ID of the HTTP request that a door works on
// with this context, or one derived of it; empty where there is none. Connectors,
// notifiers and verifiers get such contexts. So do handlers of logs, but for
// lines that have the ID already: there it is empty.
func RequestID(ctx context.Context) string { return callid.Of(ctx) }

// LogHandler puts the ID of [RequestID] into lines, as request_id, and then hands
// them on. Doors do that for their own logger, [oauth.Server] as well; a host
// gives the engine a logger with it. A line has the ID once, also where a logger
// goes through several, and outside of groups, but for those that h is in already.
func LogHandler(h slog.Handler) slog.Handler { return callid.Handler(h) }

// call is what is known of the HTTP request that a context belongs to.
type call struct {
	route     string // the pattern, never the path
	principal *oauth.Principal
	bearer    string // of hooks
	method    string
	cutOff    time.Time // when the answer must have been read
	cause     error     // the first of what failed, for the log
	causes    int       // how many things failed
}

// note keeps for the log why something failed, whatever is answered.
func (c *call) note(err error) {
	if err == nil {
		return
	}
	if c.causes++; c.cause == nil {
		c.cause = err
	}
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	if c == nil {
		c = &call{}
	}
	return c
}

// client is who calls, for the log: the ID of a client, never a subject, who may
// be a person.
func (c *call) client() string {
	if c.principal == nil {
		return ""
	}
	return c.principal.ClientID
}

// principalOf returns who calls; nil on public routes.
func principalOf(ctx context.Context) *oauth.Principal { return callOf(ctx).principal }

// may reports whether the caller has a scope, for what only some are shown.
func may(ctx context.Context, scope string) bool { return principalOf(ctx).Require(scope) == nil }

// bearerOf returns the token of a hook's call.
func bearerOf(ctx context.Context) string { return callOf(ctx).bearer }

// methodOf returns the method, which is HEAD on routes of GET as well.
func methodOf(ctx context.Context) string { return callOf(ctx).method }

// by says who does something to a request, for what reason.
func by(ctx context.Context, reason string) dsr.By {
	if p := principalOf(ctx); p != nil {
		return dsr.By{Actor: p.Subject, Reason: reason}
	}
	return dsr.By{Reason: reason}
}

// recorder remembers what was answered. For HEAD it drops the body.
type recorder struct {
	http.ResponseWriter
	status int
	head   bool
}

// Unwrap lets [http.ResponseController] through.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements [http.ResponseWriter].
func (w *recorder) Write(b []byte) (int, error) {
	if w.WriteHeader(http.StatusOK); w.head {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}
