package dsr

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/godsr/dsr/graph"
)

// handled is what becomes of a letter that was dealt with.
type handled struct {
	again time.Time       // when it is due again; zero for never
	also  []MessageChange // what else is put into the outbox in the same moment
}

// errOutdated says that a letter has become pointless.
var errOutdated = errors.New("outdated")

// handleLetter deals with a claimed message and saves what became of it. The
// error is that of the store.
func (e *Engine) handleLetter(ctx context.Context, m Message) (*letter, error) {
	var rec *Record
	if m.RequestID != "" {
		var err error
		if rec, err = e.config.Store.Request(ctx, m.RequestID); errors.Is(err, ErrNotFound) {
			return nil, nil // gone with its request
		} else if err != nil {
			return nil, err
		}
	}
	l, secret, err := e.openLetter(ctx, &m, rec)
	if l == nil {
		return nil, err
	}
	var done handled
	if err == nil {
		done, err = e.dispatch(ctx, &m, l, secret, rec)
	}
	return l, e.settle(ctx, m, l, done, err)
}

// dispatch does what a letter is for.
func (e *Engine) dispatch(ctx context.Context, m *Message, l *letter, secret letterSecret, rec *Record) (done handled, err error) {
	defer recovered(&err)
	switch l.Kind {
	case letterNotice:
		n, err := e.compose(ctx, m, l, secret, rec)
		if err != nil {
			return done, err
		}
		return done, e.sendNotice(ctx, n)
	case letterHook:
		return e.callFromOutbox(ctx, m, l, rec)
	case letterReminder:
		return e.remind(ctx, m, l, rec)
	case letterDigest:
		return e.digest(ctx, m, l)
	case letterVendor:
		return e.askVendor(ctx, m, l)
	}
	return done, fmt.Errorf("dsr: message %s is of a kind that this version does not know", m.ID)
}

// settle saves what became of a letter.
func (e *Engine) settle(ctx context.Context, m Message, l *letter, done handled, err error) error {
	interrupted := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	now := e.now()
	ch := MessageChange{ExpectVersion: m.Version, Message: m}
	ch.Message.Version++
	log := e.config.Logger.With("request", m.RequestID, "message", m.ID, "kind", string(l.Kind))
	switch {
	case err == nil && done.again.IsZero():
		ch.Remove = true
	case err == nil:
		ch.Message.DueAt = done.again.UTC().Truncate(time.Microsecond)
		l.Tries, l.Since, l.Failure = 0, time.Time{}, ""
	case errors.Is(err, errOutdated), errors.Is(err, ErrShredded):
		ch.Remove = true
		log.InfoContext(ctx, "a message was dropped: it has become pointless, or its data subject was forgotten")
	case interrupted:
		ch.Message.DueAt = now
	default:
		if l.Tries++; l.Since.IsZero() {
			l.Since = now
		}
		l.Failure = reasonOf(err)
		if l.Kind != letterDigest && (errors.Is(err, ErrRejected) || now.Sub(l.Since) >= e.config.Retry.GiveUp) {
			l.Refused, ch.Message.DueAt = true, never
			done.also = append(done.also, e.parked(&m, l)...)
			log.ErrorContext(ctx, "a message was not taken and will not be sent again by itself", "reason", l.Failure)
		} else {
			ch.Message.DueAt = now.Add(e.config.Retry.pause(l.Tries - 1)).Truncate(time.Microsecond)
			log.WarnContext(ctx, "notice not sent", "reason", l.Failure, "again", ch.Message.DueAt)
		}
	}
	var encodeErr error
	if ch.Message.Data, encodeErr = json.Marshal(l); encodeErr != nil {
		return fmt.Errorf("dsr: encode a message: %w", encodeErr)
	}
	save := e.config.Store.SaveMessages(ctx, append([]MessageChange{ch}, done.also...))
	if errors.Is(save, ErrConflict) || errors.Is(save, ErrNotFound) {
		return nil // its request is gone, or somebody has edited it
	}
	return save
}

// reasonOf says why a message was not taken, without what the other side said,
// which may quote it.
func reasonOf(err error) string {
	var panicked *graph.PanicError
	var hook *hookError
	switch {
	case errors.As(err, &hook): // hooks promise to quote nobody
		return hook.text
	case errors.Is(err, ErrRejected):
		return "refused for good"
	case errors.As(err, &panicked):
		return "a panic"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, ErrUnavailable):
		return "unavailable"
	}
	return "failed"
}

// sendNotice renders a notice and waits for the notifier.
func (e *Engine) sendNotice(ctx context.Context, n *Notice) error {
	if e.config.Notifier == nil {
		return fmt.Errorf("%w: no Notifier is configured any more", ErrRejected)
	}
	if err := e.config.Texts.Render(n); err != nil {
		return err
	}
	return e.tell(ctx, *n)
}

// compose makes a notice of a letter, with what is known of its request now.
func (e *Engine) compose(ctx context.Context, m *Message, l *letter, secret letterSecret, rec *Record) (*Notice, error) {
	n := &Notice{
		ID: m.ID, Kind: l.Notice.Kind, At: l.Notice.At, Packages: l.Notice.Packages, Message: l.Notice.Message, Tasks: l.Notice.Tasks,
		Code: secret.Code, CodeExpires: secret.CodeExpires, Reason: secret.Reason, Assignee: secret.Assignee,
	}
	if rec == nil {
		return n, nil
	}
	n.RequestID, n.ExternalID, n.Policy, n.Actions, n.Deadline = rec.ID, rec.ExternalID, rec.Policy, rec.Actions, rec.DeadlineAt
	if n.Kind.Audience() != ToSubject {
		return n, nil
	}
	if n.Kind == NoticeVerify {
		if good, err := e.codeIsGood(ctx, rec, n); err != nil || !good {
			return nil, cmp.Or(err, errOutdated)
		}
	}
	sub, err := newRun(e, rec).subject(ctx)
	if err != nil {
		return nil, err
	}
	n.To, n.Locale = sub.Identities, sub.Locale
	if n.Kind == NoticeVerify { // the text says how long the code is good from now
		n.At = e.now()
	}
	if n.Kind == NoticeComplete && e.config.DownloadURL != "" {
		n.Links = e.links(ctx, rec)
	}
	return n, nil
}

// codeIsGood reports whether a code can still be entered: it has not expired,
// and no newer one has voided it.
func (e *Engine) codeIsGood(ctx context.Context, rec *Record, n *Notice) (bool, error) {
	if rec.Status != StatusUnverified || !e.now().Before(n.CodeExpires) {
		return false, nil
	}
	state, err := rec.state()
	if err != nil || state.Code == nil {
		return false, err
	}
	hash, err := e.hashCode(ctx, rec.ID, n.Code)
	return bytes.Equal(hash, state.Code.Hash), err
}

// links makes a link to each package that can be opened.
func (e *Engine) links(ctx context.Context, rec *Record) []NoticeLink {
	res, err := rec.results()
	if err != nil {
		return nil
	}
	var links []NoticeLink
	for _, p := range res.Packages {
		token, expires, err := e.downloads.Link(ctx, rec.ID, p.Rule, nil)
		if err != nil {
			e.config.Logger.WarnContext(ctx, "a notice of completion has no link to a package", "request", rec.ID, "rule", p.Rule)
			continue
		}
		links = append(links, NoticeLink{Rule: p.Rule, URL: e.config.DownloadURL + url.PathEscape(token), Expires: expires})
	}
	return links
}
