package dsr

import (
	"context"
)

// Keyring wraps the keys of requests. The engine makes a fresh key for every
// purpose of every request and stores it wrapped only; whoever lacks the
// keyring can open nothing, and forgetting one wrapped key forgets just what
// it sealed. Errors are logged as they are: they must hold no key, and nothing
// personal.
type Keyring interface {
	// Wrap encrypts a key, bound to its context (request and purpose).
	Wrap(ctx context.Context, key, bound []byte) ([]byte, error)
	// Unwrap reverses Wrap, also for keys that were wrapped before the
	// keyring was rotated. It must fail when bound differs.
	Unwrap(ctx context.Context, wrapped, bound []byte) ([]byte, error)
	// Lookup returns a keyed hash of data, the same for ever: rotation
	// must not change it.
	Lookup(ctx context.Context, data []byte) ([]byte, error)
}
