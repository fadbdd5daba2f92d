package dsr

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr/internal/seal"
)

// LocalKey is a key of [NewLocalKeyring].
type LocalKey struct {
	// ID names the key in what it wrapped: 1 to 255 bytes, never to be
	// used for another key.
	ID string
	// Key is 32 random bytes.
	Key []byte
}

// Format keeps the key out of logs, whatever the verb.
func (k LocalKey) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[redacted key %q]", k.ID) }

// minLookupKey is the length of a full-strength key for HMAC-SHA256.
const minLookupKey = sha256.Size

// NewLocalKeyring returns a keyring over keys that the host holds itself, in a
// secret store or a file. The last key wraps, all of them unwrap: to rotate,
// add a new one at the end, and keep the old ones as long as requests exist
// that they wrapped.
//
// The lookup key, of at least 32 random bytes, hashes identities for exact
// search. It must stay the same for ever.
//
// The keys are copied. The error names every fault. The keyring is safe for
// concurrent use.
func NewLocalKeyring(lookup []byte, keys ...LocalKey) (Keyring, error) {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if len(lookup) < minLookupKey {
		fault("the lookup key has %d bytes; give it at least %d", len(lookup), minLookupKey)
	}
	if len(keys) == 0 {
		fault("there is no key to wrap with; give at least one")
	}
	k := &localKeyring{lookup: bytes.Clone(lookup), keys: make(map[string][]byte, len(keys))}
	for i, key := range keys {
		if n := len(key.ID); n == 0 || n > 255 {
			fault("key %d has an ID of %d bytes; give it 1 to 255", i+1, n)
		} else if _, twice := k.keys[key.ID]; twice {
			fault("key %d has the ID %q of an earlier one; give it another", i+1, key.ID)
		}
		if n := len(key.Key); n != seal.KeySize {
			fault("key %d (%q) has %d bytes; give it %d", i+1, key.ID, n, seal.KeySize)
		}
		if bytes.Equal(key.Key, lookup) && len(lookup) > 0 {
			fault("key %d (%q) is the lookup key; use two different ones", i+1, key.ID)
		}
		k.keys[key.ID] = bytes.Clone(key.Key)
		k.current = key.ID
	}
	if len(faults) > 0 {
		return nil, errors.New("dsr: local keyring: " + strings.Join(faults, "; "))
	}
	return k, nil
}

// NewEphemeralKeyring returns a keyring with random keys, for tests and first
// steps. The keys live in this process only: after a restart nothing that was
// stored can be opened, and no identity be found.
func NewEphemeralKeyring() Keyring {
	random := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b) // It never fails.
		return b
	}
	const id = "ephemeral"
	return &localKeyring{
		lookup:  random(minLookupKey),
		keys:    map[string][]byte{id: random(seal.KeySize)},
		current: id,
	}
}

// localKeyring wraps a key as the length of a key ID, the ID, and a sealed
// blob that is bound to the ID and the context.
type localKeyring struct {
	lookup  []byte
	keys    map[string][]byte
	current string
}

func (k *localKeyring) Wrap(_ context.Context, key, bound []byte) ([]byte, error) {
	header := append([]byte{byte(len(k.current))}, k.current...)
	sealed, err := seal.Seal(rand.Reader, k.keys[k.current], key, slices.Concat(header, bound))
	if err != nil {
		return nil, fmt.Errorf("dsr: wrap under key %q: %w", k.current, err)
	}
	return append(header, sealed...), nil
}

func (k *localKeyring) Unwrap(_ context.Context, wrapped, bound []byte) ([]byte, error) {
	if len(wrapped) == 0 || len(wrapped) < 1+int(wrapped[0]) {
		return nil, errors.New("dsr: unwrap: this is no wrapped key")
	}
	header, sealed := wrapped[:1+int(wrapped[0])], wrapped[1+int(wrapped[0]):]
	id := string(header[1:])
	key, ok := k.keys[id]
	if !ok {
		return nil, fmt.Errorf("dsr: unwrap: the keyring lacks the key %q; add it to open what it wrapped", id)
	}
	plain, err := seal.Open(key, sealed, slices.Concat(header, bound))
	if err != nil {
		return nil, fmt.Errorf("dsr: unwrap under key %q: %w", id, err)
	}
	return plain, nil
}

func (k *localKeyring) Lookup(_ context.Context, data []byte) ([]byte, error) {
	mac := hmac.New(sha256.New, k.lookup)
	mac.Write(data)
	return mac.Sum(nil), nil
}

// Format keeps the keys out of logs, whatever the verb.
func (k *localKeyring) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted keyring]")) }
