package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

func encode(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("dsr: encode what is stored: %w", err)
	}
	return data, nil
}

// remind tells those who have a task that is still open.
func (e *Engine) remind(ctx context.Context, m *Message, l *letter, rec *Record) (handled, error) {
	p, err := newRun(e, rec).papers(ctx)
	if err != nil {
		return handled{}, err
	}
	t := p.Tasks[l.Task]
	if t == nil || t.State != TaskOpen || !t.AskedAt.Equal(l.Asked) || !rec.DeletedAt.IsZero() {
		return handled{}, errOutdated
	}
	if e.config.Notifier == nil { // another process may have one
		return handled{again: e.now().Add(time.Hour)}, nil
	}
	if rec.Status != StatusRequiresInput { // for a while only: its end shreds the task
		return handled{again: e.now().Add(l.Every)}, nil
	}
	d, err := e.draft(rec)
	if err != nil {
		return handled{}, err
	}
	// The notices are numbered by the reminder, which is saved with them: each
	// comes once for each time.
	d.letters = fmt.Sprintf("%s.%d", m.ID, m.Version)
	if err := d.tellTask(ctx, NoticeReminder, t, t.Spec.Assignees); err != nil {
		return handled{}, err
	}
	for i := range d.Messages {
		d.Messages[i].Message.DueAt = d.now
	}
	return handled{again: e.now().Add(l.Every), also: d.Messages}, nil
}

// digest tells everybody who has open tasks of all of them. Who was told is
// written down, so that a crash in between tells nobody twice but the one it hit.
func (e *Engine) digest(ctx context.Context, m *Message, l *letter) (handled, error) {
	if e.config.Digest == nil || e.config.Notifier == nil {
		return e.leave(l)
	}
	keep := e.keeper(ctx, m, l)
	if l.Digest == nil {
		l.Digest = &letterDigests{Period: e.now()}
		if err := e.saveLetter(ctx, m, l); err != nil {
			return handled{}, err
		}
	}
	by := map[string][]TaskRef{}
	for t, err := range e.Tasks().open(ctx, TaskFilter{}, func(id string, err error) error {
		if !e.unreadable(ctx, id) {
			return err
		}
		e.passOver(ctx, id, "list its tasks in a digest", err)
		return nil
	}) {
		if err == nil {
			err = keep()
		}
		if err != nil {
			return handled{}, err
		}
		for _, assignee := range t.Assignees {
			by[assignee] = append(by[assignee], TaskRef{RequestID: t.RequestID, Task: t.ID, Title: t.Title, Due: t.DueAt})
		}
	}
	var waits error
	for _, assignee := range slices.Sorted(maps.Keys(by)) {
		who, err := e.pseudonym(ctx, assignee)
		if err != nil {
			return handled{}, err
		}
		if slices.Contains(l.Digest.Told, who) {
			continue
		}
		n := &Notice{
			ID: fmt.Sprintf("%s.%d.%s", m.ID, l.Digest.Period.Unix(), who), Kind: NoticeDigest, At: l.Digest.Period,
			Assignee: assignee, Tasks: by[assignee],
		}
		// Who was told last is written down, and the letter is still this
		// process's.
		if err := e.saveLetter(ctx, m, l); err != nil {
			return handled{}, err
		}
		switch err := e.sendNotice(ctx, n); {
		case err == nil:
			l.Digest.Told = append(l.Digest.Told, who)
		case errors.Is(err, ErrRejected):
			e.config.Logger.ErrorContext(ctx, "a digest was not taken", "assignee", who)
			l.Digest.Told = append(l.Digest.Told, who)
		default:
			waits = err
		}
	}
	if err := e.saveLetter(ctx, m, l); err != nil {
		return handled{}, err
	}
	if waits != nil && (l.Since.IsZero() || e.now().Sub(l.Since) < e.config.Retry.GiveUp) {
		return handled{}, waits
	}
	if waits != nil {
		e.config.Logger.ErrorContext(ctx, "a digest is given up until the next one: not everybody could be told", "told", len(l.Digest.Told), "of", len(by))
	}
	l.Digest = nil
	return handled{again: e.config.Digest(e.now())}, nil
}

// letterDigests is how far a digest is.
type letterDigests struct {
	Period time.Time `json:"period"`
	Told   []string  `json:"told,omitempty"` // pseudonyms
}

// standing puts into the outbox what comes again and again: the digest, and a
// letter for each vendor.
func (e *Engine) standing(ctx context.Context) error {
	want := map[string]Message{}
	add := func(id string, l *letter, when Schedule) error {
		data, err := encode(l)
		want[id] = Message{ID: id, Version: 1, DueAt: when(e.now()).UTC().Truncate(time.Microsecond), Data: data}
		return err
	}
	if e.config.Digest != nil && e.config.Notifier != nil {
		if err := add("digest", &letter{Kind: letterDigest}, e.config.Digest); err != nil {
			return err
		}
	}
	for _, v := range e.config.Vendors {
		if err := add(vendorLetter(v.Key), &letter{Kind: letterVendor, Vendor: &letterBatch{Key: v.Key}}, v.When); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		there, err := e.config.Store.Messages(ctx, MessageQuery{ID: id, Limit: 1})
		if err != nil {
			return err
		}
		ch := MessageChange{Message: want[id]}
		if len(there) > 0 { // a schedule may have become denser
			old := there[0]
			ch = MessageChange{ExpectVersion: old.Version, Message: old}
			ch.Message.Version = old.Version + 1
			known, err := e.know(&ch.Message, want[id].DueAt)
			if err != nil {
				return err
			}
			if !known && (!ch.Message.DueAt.After(want[id].DueAt) || !ch.Message.DueAt.After(e.claimUntil())) {
				continue // one that a process may have in its hands is not touched
			}
			if want[id].DueAt.Before(ch.Message.DueAt) {
				ch.Message.DueAt = want[id].DueAt
			}
		}
		err = e.config.Store.SaveMessages(ctx, []MessageChange{ch})
		if err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return nil
}

// standingTime is when a letter that comes again and again comes next; zero for
// one that does not.
func (e *Engine) standingTime(l *letter) time.Time {
	var when Schedule
	switch l.Kind {
	case letterDigest:
		when = e.config.Digest
	case letterVendor:
		if v := e.vendor(l.Vendor.Key); v != nil {
			when = v.When
		}
	}
	if when == nil {
		return time.Time{}
	}
	now := e.now()
	if next := when(now).UTC().Truncate(time.Microsecond); next.After(now) {
		return next
	}
	return now.Add(time.Hour) // a schedule that stands still must not make the engine race
}
