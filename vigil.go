package dsr

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/godsr/dsr/internal/lifecycle"
	"github.com/godsr/dsr/internal/seal"
)

// Processes that share a store should have the same vendors, digest and forms.
// What follows is for those that do not, and for requests that nobody can read:
// neither may stop what is due for everybody else.

// leave leaves a letter that comes again and again to a process that knows what
// it is for. It is errOutdated once none has come for as long as anything is
// tried, which is Retry.GiveUp.
func (e *Engine) leave(l *letter) (handled, error) {
	now := e.now()
	if l.Unknown.IsZero() {
		l.Unknown = now
	}
	if now.Sub(l.Unknown) > e.config.Retry.GiveUp {
		return handled{}, errOutdated
	}
	l.Late = true
	return handled{again: now.Add(time.Hour)}, nil
}

// know takes a letter back that a process without its setting has looked at. It
// is due at once if its time came meanwhile, and at its next time otherwise.
func (e *Engine) know(m *Message, next time.Time) (changed bool, err error) {
	var l letter
	readable := json.Unmarshal(m.Data, &l) == nil
	if !readable || l.Unknown.IsZero() {
		return false, nil
	}
	switch {
	case l.Late:
		m.DueAt = e.now()
	case l.Vendor == nil || len(l.Vendor.Requests) == 0:
		m.DueAt = next
	}
	l.Unknown, l.Late = time.Time{}, false
	return true, l.into(m)
}

// lookRound looks for requests that nobody would ever hear of otherwise: those
// that wait for a vendor or a form that this process does not have, or for hooks
// that were removed.
func (e *Engine) lookRound(ctx context.Context) error {
	return errors.Join(e.recountRound(ctx), e.lookForUnknown(ctx))
}

// lookForUnknown looks for those that wait for a vendor or a form.
func (e *Engine) lookForUnknown(ctx context.Context) error {
	if err := e.forms.refresh(ctx); err != nil {
		return err
	}
	unknown := map[string]bool{}
	for rec, err := range e.records(ctx, RecordQuery{Status: []Status{StatusAwaitingEmail, StatusRequiresInput}}) {
		if err != nil {
			return err
		}
		state, err := rec.state()
		if err != nil {
			e.passOver(ctx, rec.ID, "see what it waits for", err)
			continue
		}
		for _, await := range state.Awaits {
			if key, ok := strings.CutPrefix(await, awaitVendor("")); ok && e.vendor(key) == nil {
				unknown[key] = true
			}
			of, ok := strings.CutPrefix(await, "form:")
			if _, form, cut := strings.Cut(of, "/"); ok && cut && !e.forms.has(form) {
				e.config.Logger.ErrorContext(ctx, "a request waits for a form that this process does not have", "request", rec.ID, "form", form)
				e.tellOnce(ctx, rec.ID, "form", await, fmt.Sprintf(
					"request %s waits for the form %q, which there is not in this process: define it again, or let the request go on with Forms.Delete(%q)", rec.ID, form, form))
			}
		}
	}
	for key := range unknown {
		if err := e.doubt(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// has reports whether there is a form, disabled or not.
func (f *Forms) has(key string) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.forms[key] != nil
}

// doubt writes down, in the letter of a vendor that this process does not know,
// since when. A process that knows the vendor takes that back.
func (e *Engine) doubt(ctx context.Context, vendor string) error {
	there, err := e.config.Store.Messages(ctx, MessageQuery{ID: vendorLetter(vendor), Limit: 1})
	if err != nil {
		return err
	}
	now := e.now()
	l := letter{Kind: letterVendor, Vendor: &letterBatch{Key: vendor}}
	ch := MessageChange{Message: Message{ID: vendorLetter(vendor), Version: 1}}
	if len(there) > 0 {
		ch = MessageChange{ExpectVersion: there[0].Version, Message: there[0]}
		ch.Message.Version++
		// One that is due, or that a process has in its hands, is not touched.
		readable := json.Unmarshal(there[0].Data, &l) == nil
		if !readable || !l.Unknown.IsZero() || !there[0].DueAt.After(e.claimUntil()) {
			return nil
		}
	}
	l.Unknown = now
	gone := now.Add(e.config.Retry.GiveUp + time.Microsecond)
	if ch.Message.DueAt.IsZero() || ch.Message.DueAt.After(gone) {
		ch.Message.DueAt = gone
	}
	if err := l.into(&ch.Message); err != nil {
		return err
	}
	err = e.config.Store.SaveMessages(ctx, []MessageChange{ch})
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

// releaseOrphans lets requests go on that wait for a vendor that is not
// configured any more. They find out and fail, so that people learn of it.
func (e *Engine) releaseOrphans(ctx context.Context, vendor string) error {
	for rec, err := range e.records(ctx, RecordQuery{Status: []Status{StatusAwaitingEmail}}) {
		if err != nil {
			return err
		}
		if waits, err := rec.awaitsVendor(vendor); err != nil || !waits {
			continue // lookRound tells of one that cannot be read
		}
		d, err := e.requests.try(ctx, rec.ID, func(d *draft) error {
			if waits, err := d.Record.awaitsVendor(vendor); err != nil || !waits {
				return errOutdated
			}
			return d.move(ctx, lifecycle.Event{Kind: lifecycle.GotAnswer}, By{}, nil)
		})
		switch {
		case errors.Is(err, errOutdated), errors.Is(err, ErrNotFound), errors.Is(err, ErrDeleted):
		case err != nil:
			return err
		default:
			if err := e.hint(ctx, &d.Record); err != nil {
				return err
			}
		}
	}
	return nil
}

// unreadable reports whether a failure is one request's own: what is stored of it
// cannot be read, while the store and the keyring do what they should.
func (e *Engine) unreadable(ctx context.Context, id string) bool {
	rec, err := e.config.Store.Request(ctx, id)
	if err != nil {
		return false
	}
	r := newRun(e, rec)
	_, err = rec.state()
	if err == nil {
		_, err = rec.results()
	}
	if err != nil {
		return true
	}
	if _, err = r.identities(ctx); err == nil {
		_, err = r.papers(ctx)
	}
	return err != nil && (errors.Is(err, ErrShredded) || e.keyringWorks(ctx))
}

// keyringWorks wraps and unwraps a key that is of nobody.
func (e *Engine) keyringWorks(ctx context.Context) bool {
	key := make([]byte, seal.KeySize)
	_, _ = rand.Read(key)
	wrapped, err := e.config.Keyring.Wrap(ctx, key, bound("", "probe"))
	if err == nil {
		_, err = e.config.Keyring.Unwrap(ctx, wrapped, bound("", "probe"))
	}
	return err == nil
}

// passOver says that a request is left out of something, and tells operators
// once.
func (e *Engine) passOver(ctx context.Context, id, what string, err error) {
	e.config.Logger.ErrorContext(ctx, "a request cannot be read and is passed over", "request", id, "to", what, "error", err.Error())
	e.tellOnce(ctx, id, "unreadable", "", fmt.Sprintf("request %s cannot be read and is passed over until it can; the log of the process says why", id))
}

// tellOnce puts a notice to operators into the outbox: once in the life of this
// process, and always under the same ID. What cannot be put there is told the
// next time; the caller has logged it.
func (e *Engine) tellOnce(ctx context.Context, requestID, of, about, text string) {
	if e.config.Notifier == nil {
		return
	}
	id := strings.TrimSuffix(letterID(requestID, 0, 0), "0.1") + of
	if about != "" {
		id = strings.TrimSuffix(letterID(requestID+"/"+about, 0, 0), "0.1") + of // a digest: it has a slash
	}
	if _, told := e.runner.told.LoadOrStore(id, true); told {
		return
	}
	l := letter{Kind: letterNotice, Notice: &letterText{Kind: NoticeInput, At: e.now(), Message: text}}
	m := Message{ID: id, Version: 1, RequestID: requestID, DueAt: e.now()}
	err := l.into(&m)
	if err == nil {
		err = e.config.Store.SaveMessages(ctx, []MessageChange{{Message: m}})
	}
	if err != nil && !errors.Is(err, ErrConflict) {
		e.runner.told.Delete(id)
	}
	e.wakeOutbox()
}
