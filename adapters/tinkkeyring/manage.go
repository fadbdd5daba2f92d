package tinkkeyring

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// minLookupKey is the length of a full-strength key for HMAC-SHA256, in bytes.
const minLookupKey = 32

// Create makes a new keyring and returns it, sealed by the master key. Call it
// once for an installation, and keep what it returns: a second keyring opens
// nothing of the first.
//
// The master key is asked to encrypt and, as a proof, to decrypt again. Its
// errors are wrapped.
func Create(ctx context.Context, master tink.AEADWithContext) ([]byte, error) {
	lookup, err := keyset.NewHandle(prf.HMACSHA256PRFKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("tinkkeyring: create: make the look-up key: %w", err)
	}
	return create(ctx, "create", lookup, master)
}

// Import is [Create] with the look-up key of a [dsr.NewLocalKeyring], at least
// 32 bytes, for a host that moves from that one: people are found under the
// same hashes as before. What the local keyring wrapped is opened through
// [Options.Earlier].
func Import(ctx context.Context, master tink.AEADWithContext, lookup []byte) ([]byte, error) {
	const verb = "import"
	if len(lookup) < minLookupKey {
		return nil, fmt.Errorf("tinkkeyring: %s: the look-up key has %d bytes; give it at least %d", verb, len(lookup), minLookupKey)
	}
	handle, err := lookupHandle(lookup)
	if err != nil {
		return nil, fmt.Errorf("tinkkeyring: %s: take over the look-up key: %w", verb, err)
	}
	return create(ctx, verb, handle, master)
}

func lookupHandle(lookup []byte) (*keyset.Handle, error) {
	params, err := hmacprf.NewParameters(len(lookup), hmacprf.SHA256)
	if err != nil {
		return nil, err
	}
	key, err := hmacprf.NewKey(secretdata.NewBytesFromData(lookup, insecuresecretdataaccess.Token{}), params)
	if err != nil {
		return nil, err
	}
	manager := keyset.NewManager()
	id, err := manager.AddKey(key)
	if err != nil {
		return nil, err
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, err
	}
	return manager.Handle()
}

func create(ctx context.Context, verb string, lookup *keyset.Handle, master tink.AEADWithContext) ([]byte, error) {
	wrapping, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("tinkkeyring: %s: make a key: %w", verb, err)
	}
	sealed, err := seal(ctx, &keys{wrapping: wrapping, lookup: lookup}, master)
	if err != nil {
		return nil, fmt.Errorf("tinkkeyring: %s: %w", verb, err)
	}
	return sealed, nil
}

// Prepare adds the key that the next [Rotate] will wrap with, so that every
// process can be given it before the first one uses it. A keyring that has
// such a key already is returned as it is, sealed anew.
func Prepare(ctx context.Context, sealed []byte, master tink.AEADWithContext) ([]byte, error) {
	return change(ctx, "prepare", sealed, master, func(current []Key, manager *keyset.Manager) error {
		if current[len(current)-1].Role == Prepared {
			return nil
		}
		_, err := manager.Add(aead.AES256GCMKeyTemplate())
		return err
	})
}

// Rotate makes another key the one that wraps: the one that [Prepare] added,
// or else a fresh one. The earlier keys still open what they wrapped.
//
// After a leak of the keyring a prepared key has leaked too: [Retire] it first.
func Rotate(ctx context.Context, sealed []byte, master tink.AEADWithContext) ([]byte, error) {
	return change(ctx, "rotate", sealed, master, func(current []Key, manager *keyset.Manager) error {
		next := current[len(current)-1]
		if next.Role != Prepared {
			id, err := manager.Add(aead.AES256GCMKeyTemplate())
			if err != nil {
				return err
			}
			next.ID = id
		}
		return manager.SetPrimary(next.ID)
	})
}

// Retire deletes a key, named by its ID: what it wrapped can never be opened
// again with this keyring. The key that wraps cannot be retired; [Rotate]
// first. [Keyring.Keys] lists the keys, and [KeyID] tells whether a request
// still needs one.
//
// A copy of an earlier sealed keyring still holds the key, and the master key
// opens it. To be rid of the key for good, delete every such copy, or [Reseal]
// and have the key service destroy the master key that sealed them.
func Retire(ctx context.Context, sealed []byte, master tink.AEADWithContext, id uint32) ([]byte, error) {
	return change(ctx, "retire", sealed, master, func(current []Key, manager *keyset.Manager) error {
		i := slices.IndexFunc(current, func(k Key) bool { return k.ID == id })
		switch {
		case i < 0:
			return fmt.Errorf("the keyring has no key %d; it has: %s", id, list(current))
		case current[i].Role == Wraps:
			return fmt.Errorf("key %d is the one that wraps; rotate first", id)
		}
		return manager.Delete(id)
	})
}

func list(keys []Key) string {
	var all []string
	for _, k := range keys {
		all = append(all, fmt.Sprintf("%d (%s)", k.ID, k.Role))
	}
	return strings.Join(all, ", ")
}

// change opens a sealed keyring, changes the keys that wrap and seals it anew.
func change(ctx context.Context, verb string, sealed []byte, master tink.AEADWithContext, apply func(current []Key, manager *keyset.Manager) error) ([]byte, error) {
	k, err := open(ctx, sealed, master)
	if err != nil {
		return nil, fmt.Errorf("tinkkeyring: %s: %w", verb, err)
	}
	current, err := k.roles()
	if err != nil {
		return nil, fmt.Errorf("tinkkeyring: %s: %w", verb, err)
	}
	manager := keyset.NewManagerFromHandle(k.wrapping)
	if err := apply(current, manager); err != nil {
		return nil, fmt.Errorf("tinkkeyring: %s: %w", verb, err)
	}
	if k.wrapping, err = manager.Handle(); err != nil {
		return nil, fmt.Errorf("tinkkeyring: %s: %w", verb, err)
	}
	out, err := seal(ctx, k, master)
	if err != nil {
		return nil, fmt.Errorf("tinkkeyring: %s: %w", verb, err)
	}
	return out, nil
}

// Reseal seals the same keys under another master key, for instance in another
// region or at another provider. Copies of the old blob can still be opened
// with the old master key. The errors say which of the two failed.
func Reseal(ctx context.Context, sealed []byte, from, to tink.AEADWithContext) ([]byte, error) {
	k, err := open(ctx, sealed, from)
	if err != nil {
		return nil, fmt.Errorf("tinkkeyring: reseal: under the old master key: %w", err)
	}
	out, err := seal(ctx, k, to)
	if err != nil {
		return nil, fmt.Errorf("tinkkeyring: reseal: under the new master key: %w", err)
	}
	return out, nil
}
