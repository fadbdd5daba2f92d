package dsr

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
)

// SendCode sends a new verification code, which voids the one before. There are
// at most [Flow.Codes] for a request.
func (r *Requests) SendCode(ctx context.Context, id string, by By) (*Request, error) {
	d, err := r.try(ctx, id, func(d *draft) (err error) {
		return d.newCode(ctx, r.engine.present().flow(d.Record.Policy), by, false)
	})
	if err != nil {
		return nil, err
	}
	return d.Record.request(), r.engine.sendWithCode(ctx, d)
}

// Verify takes the code that the data subject entered. A wrong one is
// [ErrWrongCode], after [Flow.CodeAttempts] of which the code is void and every
// further try [ErrTooManyAttempts]; an old one is [ErrCodeExpired].
func (r *Requests) Verify(ctx context.Context, id, code string) (*Request, error) {
	right := false
	d, err := r.try(ctx, id, func(d *draft) error {
		event := lifecycle.Event{Kind: lifecycle.Verify}
		hash, err := r.engine.hashCode(ctx, id, strings.TrimSpace(code))
		if err != nil {
			return err
		}
		right = d.state.Code != nil && subtle.ConstantTimeCompare(hash, d.state.Code.Hash) == 1
		if event.Right = right; right {
			if event.Repeats, err = r.repeatsStored(ctx, d); err != nil {
				return err
			}
		}
		return d.move(ctx, event, By{}, nil)
	})
	if err != nil {
		return nil, err
	}
	if !right {
		return nil, fmt.Errorf("%w: request %s", ErrWrongCode, id)
	}
	r.engine.sendNow(ctx, d.toSend)
	return d.Record.request(), r.engine.hint(ctx, &d.Record)
}

// newCode puts the keyed hash of a new code into the change, and the code itself,
// sealed, into the outbox. Unseen says that it takes the place of one that expired
// before it was sent.
func (d *draft) newCode(ctx context.Context, flow Flow, by By, unseen bool) error {
	if d.engine.config.Notifier == nil {
		return errors.New("dsr: no Notifier is configured that could send the verification code")
	}
	sub, err := newRun(d.engine, &d.Record).subject(ctx)
	if err != nil {
		return err
	}
	if err := d.engine.verifiable(sub.Identities); err != nil {
		return err
	}
	n, err := rand.Int(d.engine.config.Random, big.NewInt(1_000_000))
	if err != nil {
		return fmt.Errorf("dsr: make a verification code: %w", err)
	}
	code := fmt.Sprintf("%06d", n)
	hash, err := d.engine.hashCode(ctx, d.Record.ID, code)
	if err != nil {
		return err
	}
	expires := d.now.Add(flow.CodeTTL)
	event := lifecycle.Event{Kind: lifecycle.SendCode, Unseen: unseen, Code: &lifecycle.Code{Hash: hash, ExpiresAt: expires}}
	if err := d.move(ctx, event, by, nil); err != nil {
		return err
	}
	return d.notify(ctx, Notice{Kind: NoticeVerify, Code: code, CodeExpires: expires})
}

// renewCode makes a new code in the place of one that expired in the outbox, and
// sends that: nobody saw the old one, and a request must not wait for it for
// ever. The new message goes on counting the failures of the old.
func (e *Engine) renewCode(ctx context.Context, m *Message, l *letter, secret *letterSecret) error {
	_, err := e.requests.try(ctx, m.RequestID, func(d *draft) error {
		if life, err := e.codeLife(ctx, &d.Record, secret); err != nil || life != codeExpired {
			return cmp.Or(err, errOutdated)
		}
		if err := d.newCode(ctx, e.present().flow(d.Record.Policy), By{}, true); err != nil {
			return err
		}
		next := &d.Messages[len(d.Messages)-1].Message
		var renewed letter
		if err := json.Unmarshal(next.Data, &renewed); err != nil {
			return fmt.Errorf("dsr: decode a message: %w", err)
		}
		renewed.Tries, renewed.Since, renewed.Failure = l.Tries, l.Since, l.Failure
		if err := renewed.into(next); err != nil {
			return err
		}
		old := *m
		old.Version++
		d.Messages = append(d.Messages, MessageChange{ExpectVersion: m.Version, Message: old, Remove: true})
		return nil
	})
	return err
}

// verifiable refuses identities of which one code could prove but one.
func (e *Engine) verifiable(ids Identities) error {
	var faults graph.Diagnostics
	for _, kind := range ids.Kinds() {
		distinct := map[string]bool{}
		for _, v := range ids[kind] {
			distinct[e.compared(kind, v)] = true
		}
		if len(distinct) > 1 {
			faults = append(faults, graph.Diagnostic{
				Severity: graph.Error, Subject: "identity " + kind,
				Message: fmt.Sprintf("it has %d values, and a verification code that goes to all of them would be proof of one; verify them one by one and set Submission.Verified, or submit one", len(distinct)),
			})
		}
	}
	return faults.Err()
}

func (e *Engine) hashCode(ctx context.Context, id, code string) ([]byte, error) {
	hash, err := e.config.Keyring.Lookup(ctx, []byte("code\x00"+id+"\x00"+code))
	if err != nil {
		return nil, fmt.Errorf("dsr: hash a verification code: %w", err)
	}
	return hash, nil
}

// sendWithCode sends what a change put into the outbox. Where nobody runs the
// outbox it matters to the caller that a code is still in it.
func (e *Engine) sendWithCode(ctx context.Context, d *draft) error {
	failed := e.sendNow(ctx, d.toSend)
	if slices.Contains(failed, NoticeVerify) {
		return &codeError{id: d.Record.ID}
	}
	return nil
}

// repeatsStored looks for the request that a stored one is a duplicate of.
func (r *Requests) repeatsStored(ctx context.Context, d *draft) (string, error) {
	flow := r.engine.present().flow(d.Record.Policy)
	if flow.Duplicates == nil || d.Record.Keys[keyIdentity] == nil {
		return "", nil
	}
	ids, err := newRun(r.engine, &d.Record).identities(ctx)
	if err != nil {
		return "", err
	}
	return r.repeats(ctx, &d.Record, flow, ids)
}

// repeats returns the oldest request that a new one is a duplicate of, or "".
func (r *Requests) repeats(ctx context.Context, rec *Record, flow Flow, ids Identities) (string, error) {
	if flow.Duplicates == nil {
		return "", nil
	}
	var found []string // in all kinds so far, oldest first
	for i, kind := range flow.Duplicates.Kinds {
		var hashes [][]byte
		for _, v := range ids[kind] {
			hash, err := r.engine.lookup(ctx, kind, v)
			if err != nil {
				return "", err
			}
			hashes = append(hashes, hash)
		}
		if len(hashes) == 0 {
			return "", nil
		}
		list, err := r.repeated(ctx, rec, hashes, flow.Duplicates.Window)
		if err != nil {
			return "", err
		}
		if i > 0 {
			list = slices.DeleteFunc(list, func(id string) bool { return !slices.Contains(found, id) })
		}
		if found = list; len(found) == 0 {
			return "", nil
		}
	}
	if len(found) == 0 {
		return "", nil
	}
	return found[0], nil
}

// repeated lists the requests within the window that have one of the hashes and
// count, oldest first.
func (r *Requests) repeated(ctx context.Context, rec *Record, hashes [][]byte, window time.Duration) ([]string, error) {
	q := RecordQuery{
		Policies: []string{rec.Policy}, Lookup: hashes,
		Times: map[TimeField]TimeRange{TimeCreated: {From: r.engine.config.Clock().UTC().Add(-window)}},
	}
	for _, s := range lifecycle.Statuses() {
		switch s {
		case lifecycle.Unverified, lifecycle.Duplicate, lifecycle.Denied, lifecycle.Canceled:
		default:
			q.Status = append(q.Status, Status(s))
		}
	}
	var ids []string
	for other, err := range r.engine.records(ctx, q) {
		if err != nil {
			return nil, err
		}
		if other.ID != rec.ID {
			ids = append(ids, other.ID)
		}
	}
	return ids, nil
}

// codeError says that a code was not sent, without what the notifier said, which
// may quote the code and whom it is for.
type codeError struct{ id string }

func (e *codeError) Error() string {
	return "dsr: request " + e.id + " is stored, but its verification code was not sent yet; it waits in the outbox"
}
