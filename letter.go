package dsr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/godsr/dsr/internal/seal"
)

// letterKind is what is done with a line of the outbox when it is due.
type letterKind string

const (
	letterNotice   letterKind = "notice"   // tells the notifier
	letterHook     letterKind = "hook"     // calls a hook that nothing waits for, or that approves
	letterReminder letterKind = "reminder" // tells who has a task that is still open
	letterDigest   letterKind = "digest"   // tells everybody who has open tasks
	letterVendor   letterKind = "vendor"   // asks a vendor to erase
	letterFiles    letterKind = "files"    // removes sealed files whose key is shredded
)

// letter is the data of a line of the outbox: without personal values.
type letter struct {
	Kind   letterKind     `json:"kind"`
	Notice *letterText    `json:"notice,omitempty"`
	Hook   *letterCall    `json:"hook,omitempty"`
	Task   string         `json:"task,omitempty"`   // of a reminder
	Asked  time.Time      `json:"asked,omitzero"`   // when the task of a reminder was
	Every  time.Duration  `json:"every,omitempty"`  // of a reminder
	Answer string         `json:"answer,omitempty"` // the vendor whose answer a reminder is about
	Vendor *letterBatch   `json:"vendor,omitempty"` // of a vendor
	Files  []string       `json:"files,omitempty"`  // names at Config.Files
	Digest *letterDigests `json:"digest,omitempty"`

	// Unknown is since when only processes have looked at a letter that
	// comes again and again which do not know what it is for; Late says that
	// its time came meanwhile.
	Unknown time.Time `json:"unknown,omitzero"`
	Late    bool      `json:"late,omitempty"`

	// Tries counts the failures, Since is when the first was.
	Tries   int       `json:"tries,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Failure string    `json:"failure,omitempty"`
}

// errTaken says that another process has a letter that this one had claimed.
var errTaken = errors.New("taken over")

// begin makes a letter that comes again and again forget what it was about.
func (l *letter) begin() {
	l.Tries, l.Since, l.Digest = 0, time.Time{}, nil
	if l.Vendor != nil {
		l.Vendor.Requests, l.Vendor.Sent = nil, false
	}
}

// into writes a letter into its message.
func (l *letter) into(m *Message) (err error) {
	m.Data, err = encode(l)
	return err
}

// saveLetter stores a claimed letter as it is now, still claimed. It is errTaken
// that it is not this process's any more, which must then leave it alone.
func (e *Engine) saveLetter(ctx context.Context, m *Message, l *letter) error {
	if err := l.into(m); err != nil {
		return err
	}
	err := e.saveMessage(ctx, m, e.claimUntil())
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
		return errTaken
	}
	return err
}

// keeper returns what a long work on a claimed letter calls now and then, so that
// its claim does not end before the work does.
func (e *Engine) keeper(ctx context.Context, m *Message, l *letter) (keep func() error) {
	saved := e.now()
	return func() error {
		now := e.now()
		if now.Sub(saved) < max(e.config.Lease, time.Minute)/4 {
			return nil
		}
		saved = now
		return e.saveLetter(ctx, m, l)
	}
}

// saveMessage stores a message that is there.
func (e *Engine) saveMessage(ctx context.Context, m *Message, due time.Time) error {
	next := *m
	next.Version++
	next.DueAt = due
	if err := e.config.Store.SaveMessages(ctx, []MessageChange{{ExpectVersion: m.Version, Message: next}}); err != nil {
		return err
	}
	*m = next
	return nil
}

// letterText is what is known of a notice when it is put into the outbox.
type letterText struct {
	Kind     NoticeKind `json:"kind"`
	At       time.Time  `json:"at"`
	Deadline time.Time  `json:"deadline,omitzero"`
	Packages []string   `json:"packages,omitempty"`
	Message  string     `json:"message,omitempty"`
	Tasks    []TaskRef  `json:"tasks,omitempty"`

	Unconfirmed []string `json:"unconfirmed,omitempty"`
	Asked       []string `json:"asked,omitempty"`
}

// letterSecret is what is sealed of it.
type letterSecret struct {
	Code        string       `json:"code,omitempty"`
	CodeExpires time.Time    `json:"code_expires,omitzero"`
	Reason      string       `json:"reason,omitempty"`
	Assignee    string       `json:"assignee,omitempty"`
	Links       []NoticeLink `json:"links,omitempty"` // made when it is sent first
}

// never is when a letter is due that waits for a person.
var never = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// claimUntil is how long a process has that sends a letter before others may: a
// lease, and no less than a notifier or a hook may take.
func (e *Engine) claimUntil() time.Time { return e.now().Add(max(e.config.Lease, time.Minute)) }

// notify puts a notice into the change. It is sent once the change is stored.
func (d *draft) notify(ctx context.Context, n Notice) error {
	e, rec := d.engine, &d.Record
	audience := n.Kind.Audience()
	_, known := rec.Keys[keyIdentity]
	switch {
	case e.config.Notifier == nil:
		return nil
	case audience == ToSubject && d.state.Flow.Silent && n.Kind != NoticeVerify:
		return nil
	case audience == ToSubject && !known:
		d.event(Event{Kind: "notice not sent", Message: string(n.Kind) + ": the data subject was forgotten"})
		return nil
	}
	l := letter{Kind: letterNotice, Notice: &letterText{
		Kind: n.Kind, At: d.now, Deadline: rec.DeadlineAt, Packages: n.Packages, Message: n.Message, Tasks: n.Tasks,
		Unconfirmed: n.Unconfirmed, Asked: n.Asked,
	}}
	return d.post(ctx, &l, letterSecret{Code: n.Code, CodeExpires: n.CodeExpires, Reason: n.Reason, Assignee: n.Assignee}, d.now)
}

// post puts a letter into the change. Where nobody runs the outbox, whoever
// makes the change sends what notices it puts there afterwards. Calls of hooks
// stay, since nobody who submits or decides is to wait for another system.
func (d *draft) post(ctx context.Context, l *letter, secret letterSecret, due time.Time) error {
	rec := &d.Record
	m := Message{ID: letterID(rec.ID, rec.Version, len(d.Messages)), Version: 1, RequestID: rec.ID, DueAt: due}
	if d.letters != "" {
		m.ID = fmt.Sprintf("%s.%d", d.letters, len(d.Messages)+1)
	}
	var err error
	if m.Data, err = json.Marshal(l); err != nil {
		return fmt.Errorf("dsr: encode a message: %w", err)
	}
	if m.Sealed, err = d.engine.sealLetter(ctx, rec, m.ID, &secret); err != nil {
		return err
	}
	if l.Kind == letterNotice && !due.After(d.now) && !d.engine.runner.running.Load() {
		d.toSend = append(d.toSend, m)
	}
	d.Messages = append(d.Messages, MessageChange{Message: m})
	return nil
}

// sealLetter seals what is personal of a message; nil for nothing.
func (e *Engine) sealLetter(ctx context.Context, rec *Record, id string, secret *letterSecret) ([]byte, error) {
	plain, err := json.Marshal(secret)
	if err != nil {
		return nil, errors.New("dsr: a message cannot be encoded")
	}
	if string(plain) == "{}" {
		return nil, nil
	}
	key, err := newRun(e, rec).key(ctx, keyIdentity)
	if err != nil {
		return nil, err
	}
	sealed, err := seal.Seal(e.config.Random, key, plain, bound(rec.ID, "message "+id))
	if err != nil {
		return nil, fmt.Errorf("dsr: seal a message of request %s: %w", rec.ID, err)
	}
	return sealed, nil
}

// letterID names the message that a version of a request puts into the outbox. A
// dot ends the name of the request, which therefore holds none.
func letterID(requestID string, version int64, n int) string {
	if len(requestID) > 64 || strings.Trim(requestID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		sum := sha256.Sum256([]byte(requestID))
		requestID = hex.EncodeToString(sum[:16])
	}
	return fmt.Sprintf("%s.%d.%d", requestID, version, n+1)
}

// openLetter opens what is sealed of a message.
func (e *Engine) openLetter(ctx context.Context, m *Message, rec *Record) (secret letterSecret, err error) {
	if len(m.Sealed) == 0 {
		return secret, nil
	}
	if rec == nil {
		return secret, fmt.Errorf("dsr: message %s is sealed and of no request", m.ID)
	}
	key, err := newRun(e, rec).key(ctx, keyIdentity)
	if err != nil {
		return secret, err
	}
	plain, err := seal.Open(key, m.Sealed, bound(rec.ID, "message "+m.ID))
	if err != nil {
		return secret, fmt.Errorf("dsr: open message %s: %w", m.ID, err)
	}
	if err := json.Unmarshal(plain, &secret); err != nil {
		return secret, fmt.Errorf("dsr: message %s cannot be decoded", m.ID)
	}
	return secret, nil
}
