// Package slogger writes notices to a log, where there is nobody to send them
// to: in development, or beside a notifier that sends them.
package slogger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/godsr/dsr"
)

// Options tune a [Notifier].
type Options struct {
	// Level is that of the lines. Defaults to [slog.LevelInfo].
	Level slog.Level
	// ShowCodes writes verification codes to the log, so that whoever
	// develops can enter them. Whoever reads the log can then pass for any
	// data subject: never set it where there are real ones. Defaults to
	// false.
	ShowCodes bool
}

// Notifier is a [dsr.Notifier] that writes a line for each notice: what it is
// about, and nothing personal or secret. It sends nothing to anybody, and takes
// notices without a recipient as well.
type Notifier struct {
	handler slog.Handler
	options Options
}

var _ dsr.Notifier = (*Notifier)(nil)

// New returns a notifier that writes to the logger. opts may be nil.
func New(logger *slog.Logger, opts *Options) *Notifier {
	n := &Notifier{handler: logger.Handler()}
	if opts != nil {
		n.options = *opts
	}
	return n
}

// Notify implements [dsr.Notifier]. The line is "notice" with the attributes
// id, kind, audience, request, policy, actions, at, deadline,
// locale, packages, message and tasks, each only where the notice has it, and
// code where Options.ShowCodes is set. A log that is turned off at this level,
// or whose handler fails, is an error: the notice is then written later.
func (n *Notifier) Notify(ctx context.Context, notice dsr.Notice) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// Not by way of the logger, which does not tell of errors.
	if !n.handler.Enabled(ctx, n.options.Level) {
		return fmt.Errorf("slogger: the log takes no lines of level %v: lower its level or set Options.Level", n.options.Level)
	}
	line := slog.NewRecord(time.Now(), n.options.Level, "notice", 0)
	line.AddAttrs(n.attrs(&notice)...)
	err := n.handler.Handle(ctx, line)
	switch {
	case err != nil && n.options.ShowCodes:
		return errors.New("slogger: the log's handler failed, with an error that may quote a code")
	case err != nil:
		return fmt.Errorf("slogger: the log's handler failed: %w", err)
	}
	return nil
}

// attrs are the parts of a notice that the line tells.
func (n *Notifier) attrs(notice *dsr.Notice) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("id", notice.ID),
		slog.String("kind", string(notice.Kind)),
		slog.String("audience", string(notice.Kind.Audience())),
	}
	add := func(there bool, a slog.Attr) {
		if there {
			attrs = append(attrs, a)
		}
	}
	add(notice.RequestID != "", slog.String("request", notice.RequestID))
	add(notice.Policy != "", slog.String("policy", notice.Policy))
	add(len(notice.Actions) > 0, slog.Any("actions", notice.Actions))
	add(!notice.At.IsZero(), slog.Time("at", notice.At))
	add(!notice.Deadline.IsZero(), slog.Time("deadline", notice.Deadline))
	add(notice.Locale != "", slog.String("locale", notice.Locale))
	add(len(notice.Packages) > 0, slog.Any("packages", notice.Packages))
	add(notice.Message != "", slog.String("message", notice.Message))
	add(len(notice.Tasks) > 0, slog.Any("tasks", notice.Tasks))
	add(n.options.ShowCodes && notice.Code != "", slog.String("code", notice.Code))
	return attrs
}
