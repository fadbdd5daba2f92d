// Package callid keeps the ID of an HTTP request in contexts, and puts it into
// the lines of logs that are written with them.
package callid

import (
	"context"
	"log/slog"
	"slices"
)

type key struct{}

// With returns a context of the request.
func With(ctx context.Context, id string) context.Context { return context.WithValue(ctx, key{}, id) }

// Of returns the ID of the request that a context belongs to; empty for none.
func Of(ctx context.Context) string {
	id, _ := ctx.Value(key{}).(string)
	return id
}

// Logger is a logger whose lines have the ID.
func Logger(l *slog.Logger) *slog.Logger { return slog.New(Handler(l.Handler())) }

// Handler is a handler whose lines have the ID, as request_id, before all else:
// before attributes that a logger has, and outside of its groups.
func Handler(h slog.Handler) slog.Handler {
	if _, ok := h.(handler); ok {
		return h
	}
	return handler{h, h, nil}
}

type handler struct {
	slog.Handler // for lines without an ID

	plain slog.Handler
	added []func(slog.Handler) slog.Handler // what made the one of the other
}

// Handle implements [slog.Handler]. The handlers below it get a context without
// the ID, so that a line has it once, however many of them add it.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	id := Of(ctx)
	if id == "" {
		return h.Handler.Handle(ctx, r)
	}
	with := h.plain.WithAttrs([]slog.Attr{slog.String("request_id", id)})
	for _, add := range h.added {
		with = add(with)
	}
	return with.Handle(With(ctx, ""), r)
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	return h.add(func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.add(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h handler) add(add func(slog.Handler) slog.Handler) handler {
	return handler{add(h.Handler), h.plain, append(slices.Clip(h.added), add)}
}
