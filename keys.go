package dsr

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"maps"

	"github.com/godsr/dsr/internal/seal"
)

// Purposes of a request's keys. Each seals one thing and is shredded alone.
const (
	keyIdentity = "identity"
	keyInputs   = "inputs"
	keySpool    = "spool"
	keyJournal  = "journal"
)

// bound ties what is sealed to its request and purpose.
func bound(requestID, purpose string) []byte {
	return []byte("dsr/1\x00" + requestID + "\x00" + purpose)
}

// newKey fills key with random bytes and stores it, wrapped, in the record.
func (e *Engine) newKey(ctx context.Context, rec *Record, purpose string, key []byte) error {
	if _, err := io.ReadFull(e.config.Random, key); err != nil {
		return fmt.Errorf("dsr: make the %s key: %w", purpose, err)
	}
	wrapped, err := e.config.Keyring.Wrap(ctx, key, bound(rec.ID, purpose))
	if err != nil {
		return fmt.Errorf("dsr: wrap the %s key: %w", purpose, err)
	}
	rec.Keys = maps.Clone(rec.Keys)
	if rec.Keys == nil {
		rec.Keys = map[string][]byte{}
	}
	rec.Keys[purpose] = wrapped
	return nil
}

// Rewrap wraps the keys of a request anew, with the newest key of the keyring,
// so that older ones can be destroyed. A request that is being worked on is
// [ErrLeased].
//
//	for req, err := range requests.All(ctx, dsr.Filter{Deleted: true}) { … requests.Rewrap(ctx, req.ID, by) … }
func (r *Requests) Rewrap(ctx context.Context, id string, by By) (*Request, error) {
	e := r.engine
	d, err := r.try(ctx, id, func(d *draft) error {
		if d.Record.LeaseUntil.After(d.now) {
			return fmt.Errorf("%w: its keys can be wrapped anew once it rests", ErrLeased)
		}
		keys := map[string][]byte{}
		for purpose, wrapped := range d.Record.Keys {
			key, err := e.config.Keyring.Unwrap(ctx, wrapped, bound(id, purpose))
			if err != nil {
				return fmt.Errorf("dsr: unwrap the %s key of request %s: %w", purpose, id, err)
			}
			if keys[purpose], err = e.config.Keyring.Wrap(ctx, key, bound(id, purpose)); err != nil {
				return fmt.Errorf("dsr: wrap the %s key: %w", purpose, err)
			}
		}
		d.Record.Keys = keys
		return d.note(ctx, "keys wrapped anew", by.Actor, nil)
	})
	if err != nil {
		return nil, err
	}
	return d.Record.request(), nil
}

// key returns one of the request's keys, unwrapped.
func (r *run) key(ctx context.Context, purpose string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if key, ok := r.keys[purpose]; ok {
		return key, nil
	}
	wrapped, ok := r.rec.Keys[purpose]
	if !ok {
		return nil, fmt.Errorf("%w: %s of request %s", ErrShredded, purpose, r.id)
	}
	key, err := r.engine.config.Keyring.Unwrap(ctx, wrapped, bound(r.id, purpose))
	if err != nil {
		return nil, fmt.Errorf("dsr: unwrap the %s key of request %s: %w", purpose, r.id, err)
	}
	r.keys[purpose] = key
	return key, nil
}

// maskSecrets derives the salts and keys of masking strategies from the
// journal's key: equal values of one request get equal masks, also after a
// restart, and nobody can recompute them once that key is shredded.
type maskSecrets struct {
	key    []byte
	random io.Reader
}

// Secret implements mask.Secrets.
func (s maskSecrets) Secret(strategy, use string) ([]byte, error) {
	secret, err := hkdf.Key(sha256.New, s.key, nil, "mask\x00"+strategy+"\x00"+use, seal.KeySize)
	if err != nil {
		return nil, err
	}
	if use == "key" && strategy == "aes_encrypt" {
		return secret, nil
	}
	return []byte(base64.RawURLEncoding.EncodeToString(secret)), nil
}

// Random implements mask.Random.
func (s maskSecrets) Random() io.Reader { return s.random }
