package tinkkeyring

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/godsr/dsr"
)

// lookupSize is the length of a look-up hash in bytes: all of HMAC-SHA256.
const lookupSize = 32

// Options are the choices of [Open].
type Options struct {
	// Earlier is the keyring that the host used before this one. It opens
	// what this one did not wrap, and is asked for nothing else. Its
	// look-up hashes must be those of this keyring; see [Import]. Defaults
	// to none.
	Earlier dsr.Keyring
}

// Role is what a key is used for.
type Role string

const (
	// Wraps is the role of the one key that wraps. It opens, too.
	Wraps Role = "wraps"
	// Opens is the role of earlier keys, which open what they wrapped.
	Opens Role = "opens"
	// Prepared is the role of a key that [Prepare] added: it opens already,
	// and the next [Rotate] makes it the one that wraps.
	Prepared Role = "prepared"
)

// Key describes one of the keys of a keyring, without its secret.
type Key struct {
	// ID names the key in what it wrapped; see [KeyID].
	ID uint32
	// Role is what the key is used for.
	Role Role
}

// Keyring is an opened keyring. It implements [dsr.Keyring], never asks the
// key service, and is safe for concurrent use.
type Keyring struct {
	keys     []Key
	wrapping tink.AEAD
	lookup   prf.PRF
	earlier  dsr.Keyring
}

var _ dsr.Keyring = (*Keyring)(nil)

// Open opens a sealed keyring. It asks the master key once, and waits for it
// as long as ctx allows. The error says whether the blob, the master key or
// the earlier keyring is at fault; errors of the latter two are wrapped.
func Open(ctx context.Context, sealed []byte, master tink.AEADWithContext, opts *Options) (*Keyring, error) {
	k, err := open(ctx, sealed, master)
	if err != nil {
		return nil, fmt.Errorf("tinkkeyring: open: %w", err)
	}
	ring, err := newKeyring(k)
	if err != nil {
		return nil, fmt.Errorf("tinkkeyring: open: %w", err)
	}
	if opts != nil && opts.Earlier != nil {
		if err := ring.follow(ctx, opts.Earlier); err != nil {
			return nil, fmt.Errorf("tinkkeyring: open: %w", err)
		}
	}
	return ring, nil
}

func newKeyring(k *keys) (*Keyring, error) {
	all, err := k.roles()
	if err != nil {
		return nil, err
	}
	wrapping, err := aead.New(k.wrapping)
	if err != nil {
		return nil, fmt.Errorf("the keys that wrap cannot be used: %w", err)
	}
	set, err := prf.NewPRFSet(k.lookup)
	if err != nil {
		return nil, fmt.Errorf("the look-up key cannot be used: %w", err)
	}
	return &Keyring{keys: all, wrapping: wrapping, lookup: set.PRFs[set.PrimaryID]}, nil
}

// follow takes an earlier keyring. With other hashes no stored request would
// be found any more, and nothing would tell.
func (k *Keyring) follow(ctx context.Context, earlier dsr.Keyring) error {
	probe := []byte("dsr-keyring probe")
	before, err := earlier.Lookup(ctx, probe)
	if err != nil {
		return fmt.Errorf("the earlier keyring cannot hash: %w", err)
	}
	now, err := k.Lookup(ctx, probe)
	if err != nil {
		return err
	}
	if !bytes.Equal(before, now) {
		return errors.New("the earlier keyring has another look-up key; make this one by Import, with the look-up key of the earlier one")
	}
	k.earlier = earlier
	return nil
}

// Keys lists the keys that wrap and open, oldest first.
func (k *Keyring) Keys() []Key { return slices.Clone(k.keys) }

// Wrap implements [dsr.Keyring].
func (k *Keyring) Wrap(_ context.Context, key, bound []byte) ([]byte, error) {
	wrapped, err := k.wrapping.Encrypt(key, bound)
	if err != nil {
		return nil, fmt.Errorf("tinkkeyring: wrap: %w", err)
	}
	return wrapped, nil
}

// Unwrap implements [dsr.Keyring].
func (k *Keyring) Unwrap(ctx context.Context, wrapped, bound []byte) ([]byte, error) {
	key, err := k.unwrap(wrapped, bound)
	if err == nil || k.earlier == nil {
		return key, err
	}
	key, earlierErr := k.earlier.Unwrap(ctx, wrapped, bound)
	if earlierErr != nil {
		return nil, fmt.Errorf("%w; nor does the earlier keyring open it: %w", err, earlierErr)
	}
	return key, nil
}

func (k *Keyring) unwrap(wrapped, bound []byte) ([]byte, error) {
	id, ok := KeyID(wrapped)
	if !ok {
		return nil, errors.New("tinkkeyring: unwrap: this is no wrapped key")
	}
	if !slices.ContainsFunc(k.keys, func(key Key) bool { return key.ID == id }) {
		return nil, fmt.Errorf("tinkkeyring: unwrap: the keyring lacks the key %d: it was retired, or is of a newer sealed keyring; open the newest", id)
	}
	key, err := k.wrapping.Decrypt(wrapped, bound)
	if err != nil {
		return nil, fmt.Errorf("tinkkeyring: unwrap under key %d: it was changed, or is bound to another request or purpose: %w", id, err)
	}
	return key, nil
}

// Lookup implements [dsr.Keyring]: it returns the 32 bytes of HMAC-SHA256.
func (k *Keyring) Lookup(_ context.Context, data []byte) ([]byte, error) {
	hash, err := k.lookup.ComputePRF(data, lookupSize)
	if err != nil {
		return nil, fmt.Errorf("tinkkeyring: hash for look-up: %w", err)
	}
	return hash, nil
}

// Format keeps the keys out of logs, whatever the verb.
func (k *Keyring) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted keyring]")) }

// KeyID returns the ID of the key that wrapped something, and whether it looks
// like what a keyring of this package wraps. Ask it of all values of
// [dsr.Record.Keys] before a key is retired.
func KeyID(wrapped []byte) (id uint32, ok bool) {
	// Tink puts a byte for its format and the ID before what it encrypts.
	const tinkFormat, prefix = 1, 5
	if len(wrapped) < prefix || wrapped[0] != tinkFormat {
		return 0, false
	}
	return binary.BigEndian.Uint32(wrapped[1:]), true
}
