package dsr

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr/internal/lifecycle"
)

// SendCode sends a new verification code, which voids the one before. There are
// at most [Flow.Codes] for a request.
func (r *Requests) SendCode(ctx context.Context, id string, by By) (*Request, error) {
	code := ""
	d, err := r.try(ctx, id, func(d *draft) (err error) {
		code, err = d.newCode(ctx, r.engine.flow(d.Record.Policy), by)
		return err
	})
	if err != nil {
		return nil, err
	}
	ids, err := newRun(r.engine, &d.Record).identities(ctx)
	if err != nil {
		return nil, err
	}
	return d.Record.request(), r.engine.sendCode(ctx, &d.Record, ids, code)
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
	return d.Record.request(), r.engine.hint(ctx, &d.Record)
}

// newCode puts the keyed hash of a new code into the change and returns the
// code.
func (d *draft) newCode(ctx context.Context, flow Flow, by By) (string, error) {
	n, err := rand.Int(d.engine.config.Random, big.NewInt(1_000_000))
	if err != nil {
		return "", fmt.Errorf("dsr: make a verification code: %w", err)
	}
	code := fmt.Sprintf("%06d", n)
	hash, err := d.engine.hashCode(ctx, d.Record.ID, code)
	if err != nil {
		return "", err
	}
	return code, d.move(ctx, lifecycle.Event{
		Kind: lifecycle.SendCode, Code: &lifecycle.Code{Hash: hash, ExpiresAt: d.now.Add(flow.CodeTTL)},
	}, by, nil)
}

func (e *Engine) hashCode(ctx context.Context, id, code string) ([]byte, error) {
	hash, err := e.config.Keyring.Lookup(ctx, []byte("code\x00"+id+"\x00"+code))
	if err != nil {
		return nil, fmt.Errorf("dsr: hash a verification code: %w", err)
	}
	return hash, nil
}

func (e *Engine) sendCode(ctx context.Context, rec *Record, to Identities, code string) error {
	if e.config.Notifier == nil {
		return errors.New("dsr: no Notifier is configured that could send the verification code")
	}
	n := Notice{Kind: NoticeVerify, RequestID: rec.ID, ExternalID: rec.ExternalID, Policy: rec.Policy, To: to, Code: code}
	if err := e.tell(ctx, n); err != nil {
		return &codeError{id: rec.ID, err: err}
	}
	return nil
}

// repeatsStored looks for the request that a stored one is a duplicate of.
func (r *Requests) repeatsStored(ctx context.Context, d *draft) (string, error) {
	flow := r.engine.flow(d.Record.Policy)
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
type codeError struct {
	id  string
	err error
}

func (e *codeError) Error() string {
	return "dsr: request " + e.id + " is stored, but its verification code was not sent; send a new one"
}

// Unwrap returns what the notifier said.
func (e *codeError) Unwrap() error { return e.err }
