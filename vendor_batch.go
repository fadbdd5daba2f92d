package dsr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
)

// letterBatch is a message to a vendor: the one that is being sent, while it
// has requests.
type letterBatch struct {
	Key string `json:"key"`
	// Number is that of no other message to the vendor, also of one whose
	// letter was there before.
	Number   int64     `json:"number,omitempty"`
	At       time.Time `json:"at,omitzero"`
	Requests []string  `json:"requests,omitempty"`
	// Full says that there may be more requests than it is about.
	Full bool `json:"full,omitempty"`
	// Sent says that the notifier took it, and only the ticks may lack.
	Sent bool `json:"sent,omitempty"`
}

// maxBatch is how many requests one message to a vendor is about.
const maxBatch = 1000

// noticeID is the ID of the notice that asks a vendor.
func (b *letterBatch) noticeID() string { return fmt.Sprintf("%s.%d", vendorLetter(b.Key), b.Number) }

// askVendor sends one message to a vendor for all requests that wait for it. The
// requests are written down before it is sent, so that one that was sent and not
// ticked off goes out again as the same message.
func (e *Engine) askVendor(ctx context.Context, m *Message, l *letter) (handled, error) {
	v, batch := e.vendor(l.Vendor.Key), l.Vendor
	if v == nil {
		done, err := e.leave(l)
		if errors.Is(err, errOutdated) {
			err = cmp.Or(e.releaseOrphans(ctx, l.Vendor.Key), err)
		}
		return done, err
	}
	keep := e.keeper(ctx, m, l)
	if len(batch.Requests) == 0 {
		ids, err := e.awaiting(ctx, v, keep)
		if err != nil {
			return handled{}, err
		}
		if len(ids) == 0 {
			return handled{again: e.standingTime(l)}, nil
		}
		batch.At, batch.Requests, batch.Sent, batch.Full = e.now(), ids, false, len(ids) == maxBatch
		batch.Number = max(batch.Number+1, batch.At.UnixMicro())
		if err := e.saveLetter(ctx, m, l); err != nil {
			return handled{}, err
		}
	}
	if !batch.Sent {
		n, err := e.people(ctx, v, batch, keep)
		if err != nil {
			return handled{}, err
		}
		// With those left out that cannot be asked about, and only if the
		// message is still this process's to send.
		if err := e.saveLetter(ctx, m, l); err != nil {
			return handled{}, err
		}
		if len(n.People) > 0 {
			if err := e.sendNotice(ctx, n); err != nil {
				return handled{}, err
			}
		}
		batch.Sent = true
		if err := e.saveLetter(ctx, m, l); err != nil {
			return handled{}, err
		}
	}
	asked := false
	for _, id := range batch.Requests {
		asked = true
		if err := e.markAsked(ctx, id, v, batch.noticeID()); err != nil {
			if !e.unreadable(ctx, id) {
				return handled{}, err
			}
			e.passOver(ctx, id, "tick off "+v.Key, err)
		}
		if err := keep(); err != nil {
			return handled{}, err
		}
	}
	full := batch.Full && asked // where nobody of so many can be read, the next time is soon enough
	l.begin()
	if full {
		return handled{again: e.now()}, nil
	}
	return handled{again: e.standingTime(l)}, nil
}

// people makes the message to a vendor: about all whose requests were written
// down, each person once. It is the same whenever it comes again, also where a
// request has gone on meanwhile, but for requests that were canceled, denied or
// deleted, and those whose data subject was forgotten. One that cannot be read
// is left out, and waits.
func (e *Engine) people(ctx context.Context, v *Vendor, batch *letterBatch, keep func() error) (*Notice, error) {
	n := &Notice{ID: batch.noticeID(), Kind: NoticeErase, At: batch.At, Vendor: &NoticeVendor{Key: v.Key, Name: v.Name, Address: v.Address}}
	seen := map[string]bool{}
	var readable []string
	for _, id := range batch.Requests {
		ids, err := e.peopleOf(ctx, id, v)
		if err != nil {
			if !e.unreadable(ctx, id) {
				return nil, err
			}
			e.passOver(ctx, id, "ask vendor "+v.Key, err)
			continue
		}
		readable = append(readable, id)
		if person := ids.fingerprint(); len(ids) > 0 && !seen[person] {
			seen[person] = true
			n.People = append(n.People, ids)
		}
		if err := keep(); err != nil {
			return nil, err
		}
	}
	batch.Requests = readable
	return n, nil
}

// fingerprint is the same for equal identities, in whatever order their values
// are.
func (ids Identities) fingerprint() string {
	var all []string
	for _, kind := range ids.Kinds() {
		for _, v := range slices.Sorted(slices.Values(ids[kind])) {
			all = append(all, fmt.Sprintf("%q:%q", kind, v))
		}
	}
	return strings.Join(slices.Compact(all), " ")
}

// awaiting are the requests that wait for a vendor to be asked, oldest first.
func (e *Engine) awaiting(ctx context.Context, v *Vendor, keep func() error) ([]string, error) {
	var ids []string
	for rec, err := range e.records(ctx, RecordQuery{Status: []Status{StatusAwaitingEmail}}) {
		if err != nil {
			return nil, err
		}
		waits, err := rec.awaitsVendor(v.Key)
		if err != nil {
			e.passOver(ctx, rec.ID, "ask vendor "+v.Key, err)
			continue
		}
		if waits {
			ids = append(ids, rec.ID)
		}
		if len(ids) == maxBatch {
			break
		}
		if err := keep(); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// awaitsVendor reports whether a request waits for a vendor to be asked.
func (rec *Record) awaitsVendor(key string) (bool, error) {
	state, err := rec.state()
	return rec.Status == StatusAwaitingEmail && rec.DeletedAt.IsZero() && slices.Contains(state.Awaits, awaitVendor(key)), err
}

// peopleOf are the identities of a request that a vendor may see; none where it
// is not to be asked about any more.
func (e *Engine) peopleOf(ctx context.Context, id string, v *Vendor) (Identities, error) {
	rec, err := e.config.Store.Request(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if rec.Status == StatusCanceled || rec.Status == StatusDenied || !rec.DeletedAt.IsZero() {
		return nil, nil
	}
	if _, err := rec.state(); err != nil {
		return nil, err
	}
	all, err := newRun(e, rec).identities(ctx)
	if errors.Is(err, ErrShredded) && lifecycle.Status(rec.Status).Ended() {
		return nil, nil
	}
	return v.knows(all), err
}

// markAsked lets a request go on that a vendor was asked for. One that turns out
// to have nothing by which the vendor knows people goes on as well.
func (e *Engine) markAsked(ctx context.Context, id string, v *Vendor, message string) error {
	d, err := e.requests.try(ctx, id, func(d *draft) error {
		if waits, err := d.Record.awaitsVendor(v.Key); err != nil || !waits {
			return cmp.Or(err, errOutdated)
		}
		res, err := d.Record.results()
		if err != nil {
			return fmt.Errorf("dsr: the stored outcomes of request %s cannot be read: %w", id, err)
		}
		ids, err := newRun(e, &d.Record).identities(ctx)
		if err != nil {
			return err
		}
		if len(v.knows(ids)) == 0 {
			return d.answered(ctx, awaitVendor(v.Key), map[string]string{"vendor": v.Key})
		}
		out := res.vendor(v)
		out.AskedAt, out.Message = d.now, message
		if d.Record.Outcomes, err = encode(&res); err != nil {
			return err
		}
		d.Record.Failure = ""
		d.event(Event{Kind: "asked", Action: graph.Erasure, Status: logComplete, Message: "vendor " + v.Key + " was asked to erase"})
		if err := d.note(ctx, "vendor asked", "", map[string]string{"vendor": v.Key, "message": message}); err != nil {
			return err
		}
		if !v.AskedIsEnough {
			l := letter{Kind: letterReminder, Answer: v.Key, Asked: d.now, Every: v.Remind}
			if err := d.post(ctx, &l, letterSecret{}, d.now.Add(v.Remind)); err != nil {
				return err
			}
		}
		return d.answered(ctx, awaitVendor(v.Key), map[string]string{"vendor": v.Key})
	})
	if errors.Is(err, errOutdated) || errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return e.hint(ctx, &d.Record)
}

// remindOfVendor tells operators that nobody has said yet that a vendor has
// answered.
func (e *Engine) remindOfVendor(ctx context.Context, m *Message, l *letter, rec *Record) (handled, error) {
	res, err := rec.results()
	if err != nil {
		return handled{}, fmt.Errorf("dsr: the stored outcomes of request %s cannot be read: %w", rec.ID, err)
	}
	out := res.vendorOf(l.Answer)
	over := lifecycle.Status(rec.Status).Ended() || rec.Status == StatusRequiresFinalization || !rec.DeletedAt.IsZero()
	if over || out == nil || !out.AskedAt.Equal(l.Asked) || !out.ConfirmedAt.IsZero() {
		return handled{}, errOutdated
	}
	done := handled{again: e.now().Add(l.Every)}
	if rec.Status != StatusPendingExternal && rec.Status != StatusAwaitingEmail { // nobody can confirm it now
		return done, nil
	}
	d, err := e.draft(rec)
	if err != nil {
		return handled{}, err
	}
	d.letters = fmt.Sprintf("%s.%d", m.ID, m.Version) // saved with the reminder, so that each comes once
	text := fmt.Sprintf("vendor %s was asked to erase on %s, and nobody has said that it has answered: ask it again, and say so with Vendors.Confirm once it has",
		l.Answer, l.Asked.Format(time.DateOnly))
	if err := d.notify(ctx, Notice{Kind: NoticeInput, Message: text}); err != nil {
		return handled{}, err
	}
	for i := range d.Messages {
		d.Messages[i].Message.DueAt = d.now
	}
	done.also = d.Messages
	return done, nil
}

// vendorFailed tells the operators, and the requests, of a message to a vendor
// that is not tried again. They wait for the next one.
func (e *Engine) vendorFailed(ctx context.Context, m *Message, l *letter) ([]MessageChange, error) {
	id, waiting := l.Vendor.noticeID(), l.Vendor.Requests
	failure := fmt.Sprintf("vendor %q was not asked to erase: message %s was not taken (%s); the next one comes at the vendor's time, or with Messages.Retry(%q)",
		l.Vendor.Key, id, l.Failure, m.ID)
	keep := e.keeper(ctx, m, l)
	for _, request := range waiting {
		if err := keep(); err != nil {
			return nil, err
		}
		_, err := e.requests.try(ctx, request, func(d *draft) error {
			if waits, err := d.Record.awaitsVendor(l.Vendor.Key); err != nil || !waits || d.Record.Failure == failure {
				return cmp.Or(err, errOutdated)
			}
			d.Record.Failure = failure
			d.event(Event{Kind: "not asked", Action: graph.Erasure, Status: logError, Message: failure})
			return d.note(ctx, "vendor not asked", "", map[string]string{"vendor": l.Vendor.Key, "message": id, "reason": l.Failure})
		})
		switch {
		case err == nil, errors.Is(err, errOutdated), errors.Is(err, ErrNotFound):
		case e.unreadable(ctx, request):
			e.passOver(ctx, request, "note a failure", err)
		default:
			return nil, err
		}
	}
	notice := letter{Kind: letterNotice, Notice: &letterText{
		Kind: NoticeFailed, At: e.now(), Message: fmt.Sprintf("%s; %d requests wait", failure, len(waiting)),
	}}
	told := Message{ID: fmt.Sprintf("%s.%d", id, m.Version), Version: 1, DueAt: e.now()}
	if err := notice.into(&told); err != nil {
		return nil, err
	}
	l.begin()
	return []MessageChange{{Message: told}}, nil
}
