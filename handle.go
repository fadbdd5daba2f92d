package dsr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr/graph"
)

// handled is what becomes of a letter that was dealt with.
type handled struct {
	again time.Time       // when it is due again; zero for never
	also  []MessageChange // what else is put into the outbox in the same moment
}

// errOutdated says that a letter has become pointless. That something of its
// request was shredded makes it so; a letter of many requests it does not.
var errOutdated = errors.New("outdated")

// errUnsent says that a code expired before it was sent.
var errUnsent = errors.New("expired unsent")

// handleLetter deals with a claimed message and saves what became of it: whether
// it was sent, or need not be. The error is that of the store.
func (e *Engine) handleLetter(ctx context.Context, m Message) (l *letter, sent bool, err error) {
	if err := json.Unmarshal(m.Data, &l); err != nil {
		e.config.Logger.ErrorContext(ctx, "a message cannot be read and is laid aside", "request", m.RequestID, "message", m.ID)
		return nil, false, e.saveMessage(ctx, &m, never)
	}
	var rec *Record
	var secret letterSecret
	if m.RequestID != "" {
		if rec, err = e.config.Store.Request(ctx, m.RequestID); errors.Is(err, ErrNotFound) {
			return l, true, nil // gone with its request
		}
	}
	var done handled
	if err == nil {
		secret, err = e.openLetter(ctx, &m, rec)
	}
	if err == nil {
		done, err = e.dispatch(ctx, &m, l, secret, rec)
	}
	if m.RequestID != "" && errors.Is(err, ErrShredded) {
		err = errOutdated
	}
	if errors.Is(err, errUnsent) {
		switch err = e.renewCode(ctx, &m, l, &secret); {
		case err == nil:
			return l, false, nil // another message has its place
		case errors.Is(err, ErrTooManyAttempts):
			done.also, err = e.tellOperators(&m, "its verification code expired before it could be sent, and no more codes may be: resubmit or cancel the request"), nil
		}
	}
	sent = err == nil || errors.Is(err, errOutdated)
	return l, sent, e.settle(ctx, m, l, done, err)
}

// dispatch does what a letter is for.
func (e *Engine) dispatch(ctx context.Context, m *Message, l *letter, secret letterSecret, rec *Record) (done handled, err error) {
	defer recovered(&err)
	switch l.Kind {
	case letterNotice:
		n, err := e.compose(ctx, m, l, &secret, rec)
		if err != nil {
			return done, err
		}
		return done, e.sendNotice(ctx, n)
	case letterHook:
		return e.callFromOutbox(ctx, m, l, rec)
	case letterReminder:
		if l.Answer != "" {
			return e.remindOfVendor(ctx, m, l, rec)
		}
		return e.remind(ctx, m, l, rec)
	case letterDigest:
		return e.digest(ctx, m, l)
	case letterVendor:
		return e.askVendor(ctx, m, l)
	case letterFiles:
		return done, e.removeNamed(ctx, l.Files)
	}
	return done, fmt.Errorf("dsr: message %s is of a kind that this version does not know", m.ID)
}

// settle saves what became of a letter.
func (e *Engine) settle(ctx context.Context, m Message, l *letter, done handled, err error) error {
	interrupted := ctx.Err() != nil
	long := context.WithoutCancel(ctx)
	ctx, cancel := context.WithTimeout(long, 10*time.Second)
	defer cancel()
	now := e.now()
	ch := MessageChange{Message: m}
	var failed *letterCall // a call that failed now
	log := e.config.Logger.With("request", m.RequestID, "message", m.ID, "kind", string(l.Kind))
	if l.Notice != nil {
		log = log.With("notice", string(l.Notice.Kind))
	}
	switch {
	case errors.Is(err, errTaken):
		log.InfoContext(ctx, "a message is left to another process, which has taken it over")
		return nil
	case err == nil && done.again.IsZero():
		ch.Remove = true
	case err == nil:
		ch.Message.DueAt = done.again.UTC().Truncate(time.Microsecond)
		if !l.Late {
			l.Tries, l.Since, l.Failure = 0, time.Time{}, ""
		}
	case errors.Is(err, errOutdated):
		ch.Remove = true
		log.InfoContext(ctx, "a message was dropped: it has become pointless, or its data subject was forgotten")
	case interrupted:
		ch.Message.DueAt = now
	default:
		ended := l.Hook != nil && l.Hook.Ended
		if !ended {
			l.Tries++
		}
		if l.Since.IsZero() || errors.Is(err, errDisabled) { // which is not given up
			l.Since = now
		}
		l.Failure = reasonOf(err)
		if l.Kind == letterDigest || !errors.Is(err, ErrRejected) && now.Sub(l.Since) < e.config.Retry.GiveUp {
			ch.Message.DueAt = now.Add(e.config.Retry.pause(l.Tries - 1)).Truncate(time.Microsecond)
			log.WarnContext(ctx, "notice not sent", "reason", l.Failure, "again", ch.Message.DueAt)
			failed = l.Hook
			break
		}
		if failed = l.Hook; ended {
			ch.Message.DueAt = never
			break
		}
		log.ErrorContext(ctx, "a message was not taken and will not be sent again by itself", "reason", l.Failure)
		ch.Message.DueAt = never
		if l.Kind == letterVendor {
			var err error // all its requests are told, which takes as long as it takes
			if done.also, err = e.vendorFailed(long, &m, l); err != nil {
				return err
			}
			ch.Message.DueAt = e.standingTime(l)
			ctx, cancel = context.WithTimeout(long, 10*time.Second)
			defer cancel()
		}
		done.also = append(done.also, e.parked(&m, l, errors.Is(err, ErrRejected))...)
	}
	ch.ExpectVersion, ch.Message.Version = m.Version, m.Version+1
	if failed != nil {
		told, later := e.saveHookFailure(ctx, ch, l, done.also)
		switch {
		case told:
			return nil
		case later && ch.Message.DueAt.Equal(never):
			failed.Ended, ch.Message.DueAt = true, now.Add(e.config.Lease).Truncate(time.Microsecond)
		}
	}
	if err := l.into(&ch.Message); err != nil {
		return err
	}
	save := e.config.Store.SaveMessages(ctx, append([]MessageChange{ch}, done.also...))
	if errors.Is(save, ErrConflict) || errors.Is(save, ErrNotFound) {
		return nil // its request is gone, or somebody has edited it
	}
	if !ch.Remove || len(done.also) > 0 {
		e.wakeOutbox()
	}
	return save
}

// reasonOf says why a message was not taken, without what the other side said,
// which may quote it: in the notifier's words only where it offers some for that.
func reasonOf(err error) string {
	kind, reason := failureOf(err), offered(err)
	switch {
	case reason == "":
		return kind
	case errors.Is(err, ErrRejected):
		return kind + ": " + reason
	}
	return reason
}

// maxOffered is how much of a reason is kept, in bytes.
const maxOffered = 500

// offered is what an error offers to be shown; empty for nothing.
func offered(err error) (reason string) {
	defer func() {
		if recover() != nil { // it is a host's, and its panic may quote anything
			reason = ""
		}
	}()
	var says ReasonError
	if !errors.As(err, &says) {
		return ""
	}
	reason = strings.Join(strings.Fields(strings.ToValidUTF8(says.Reason(), "")), " ")
	if len(reason) > maxOffered {
		reason = strings.ToValidUTF8(reason[:maxOffered], "")
	}
	return reason
}

// failureOf says of what kind a failure is.
func failureOf(err error) string {
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
func (e *Engine) compose(ctx context.Context, m *Message, l *letter, secret *letterSecret, rec *Record) (*Notice, error) {
	n := &Notice{
		ID: m.ID, Kind: l.Notice.Kind, At: l.Notice.At, Deadline: l.Notice.Deadline, Packages: l.Notice.Packages, Message: l.Notice.Message, Tasks: l.Notice.Tasks,
		Unconfirmed: l.Notice.Unconfirmed, Asked: l.Notice.Asked,
		Code: secret.Code, CodeExpires: secret.CodeExpires, Reason: secret.Reason, Assignee: secret.Assignee,
	}
	if rec == nil {
		return n, nil
	}
	n.RequestID, n.ExternalID, n.Policy, n.Actions = rec.ID, rec.ExternalID, rec.Policy, rec.Actions
	if n.Kind.Audience() != ToSubject {
		return n, nil
	}
	if n.Kind == NoticeVerify {
		switch life, err := e.codeLife(ctx, rec, secret); {
		case err != nil:
			return nil, err
		case life == codeExpired:
			return nil, errUnsent
		case life == codeGone:
			return nil, errOutdated
		}
		n.At = e.now() // the text says how long the code is good from now
	}
	if n.Kind == NoticePackage && rec.Status == StatusInProcessing { // a link would take the request from who works on it
		return nil, fmt.Errorf("%w: the request is being worked on", ErrUnavailable)
	}
	sub, err := newRun(e, rec).subject(ctx)
	if err != nil {
		return nil, err
	}
	n.To, n.Locale = sub.Identities, sub.Locale
	if len(n.Packages) > 0 && e.config.DownloadURL != "" {
		n.Links, err = e.links(ctx, m, l, secret, rec)
	}
	return n, err
}

// codeLife is what has become of a code in the outbox.
type codeLife int

const (
	codeGone    codeLife = iota // a newer one took its place, or none is needed
	codeExpired                 // and is still the one to be entered
	codeGood
)

// codeLife says whether a code can still be entered.
func (e *Engine) codeLife(ctx context.Context, rec *Record, secret *letterSecret) (codeLife, error) {
	if rec.Status != StatusUnverified || !rec.DeletedAt.IsZero() {
		return codeGone, nil
	}
	state, err := rec.state()
	if err != nil || state.Code == nil {
		return codeGone, err
	}
	switch hash, err := e.hashCode(ctx, rec.ID, secret.Code); {
	case err != nil || !bytes.Equal(hash, state.Code.Hash):
		return codeGone, err
	case !e.now().Before(secret.CodeExpires):
		return codeExpired, nil
	}
	return codeGood, nil
}

// links makes a link to each package that can be opened. They are made once, when
// the notice is sent first, and sealed into its message.
func (e *Engine) links(ctx context.Context, m *Message, l *letter, secret *letterSecret, rec *Record) ([]NoticeLink, error) {
	expired := func(link NoticeLink) bool { return !e.now().Before(link.Expires) }
	if len(secret.Links) > 0 && !slices.ContainsFunc(secret.Links, expired) {
		return secret.Links, nil
	}
	res, err := rec.results()
	if err != nil {
		return nil, fmt.Errorf("dsr: the stored outcomes of request %s cannot be read: %w", rec.ID, err)
	}
	secret.Links = nil
	for _, p := range res.Packages {
		dest, done, err := e.destinationOf(ctx, &p)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		done()
		if dest == nil {
			e.config.Logger.WarnContext(ctx, "a notice has no link to a package: its destination was removed", "request", rec.ID, "rule", p.Rule, "destination", p.Destination)
			continue
		}
		if !opens(dest) && !links(dest) {
			continue // the host brings it there in another way
		}
		token, expires, err := e.downloads.Link(ctx, rec.ID, p.Rule, nil)
		if l.Notice.Kind == NoticePackage && errors.Is(err, ErrConflict) { // somebody has begun to work on it: later
			return nil, fmt.Errorf("%w: the request is being worked on", ErrUnavailable)
		}
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrPackageGone) || errors.Is(err, ErrConflict) || errors.Is(err, ErrDeleted) {
			e.config.Logger.WarnContext(ctx, "a notice has no link to a package", "request", rec.ID, "rule", p.Rule)
			continue
		}
		if err != nil {
			return nil, err
		}
		secret.Links = append(secret.Links, NoticeLink{Rule: p.Rule, URL: e.config.DownloadURL + url.PathEscape(token), Expires: expires})
	}
	if len(secret.Links) == 0 {
		return nil, nil
	}
	if m.Sealed, err = e.sealLetter(ctx, rec, m.ID, secret); err != nil {
		return nil, err
	}
	return secret.Links, e.saveLetter(ctx, m, l)
}
