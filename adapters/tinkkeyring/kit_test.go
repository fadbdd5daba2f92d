package tinkkeyring_test

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	aeadsubtle "github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/godsr/dsr/adapters/tinkkeyring"
)

func bytesOf(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

// service stands in for a key service that has one key.
type service struct {
	aead tink.AEAD
	// encrypt and decrypt change what the service does, if they are set.
	encrypt, decrypt func(data, associatedData []byte) ([]byte, error)

	mu    sync.Mutex
	asked []string
}

// newService returns a service with a key of equal bytes.
func newService(t testing.TB, fill byte) *service {
	t.Helper()
	aead, err := aeadsubtle.NewAESGCM(bytesOf(fill, 32))
	require.NoError(t, err)
	return &service{aead: aead}
}

func (s *service) EncryptWithContext(ctx context.Context, data, associatedData []byte) ([]byte, error) {
	return s.answer(ctx, "encrypt", s.encrypt, s.aead.Encrypt, data, associatedData)
}

func (s *service) DecryptWithContext(ctx context.Context, data, associatedData []byte) ([]byte, error) {
	return s.answer(ctx, "decrypt", s.decrypt, s.aead.Decrypt, data, associatedData)
}

type crypt = func(data, associatedData []byte) ([]byte, error)

func (s *service) answer(ctx context.Context, verb string, changed, ordinary crypt, data, associatedData []byte) ([]byte, error) {
	s.mu.Lock()
	s.asked = append(s.asked, verb)
	s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if changed != nil {
		return changed(data, associatedData)
	}
	return ordinary(data, associatedData)
}

// calls returns what was asked of the service since the last time.
func (s *service) calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

func create(t testing.TB, master tink.AEADWithContext) []byte {
	t.Helper()
	sealed, err := tinkkeyring.Create(t.Context(), master)
	require.NoError(t, err)
	return sealed
}

func open(t testing.TB, sealed []byte, master tink.AEADWithContext) *tinkkeyring.Keyring {
	t.Helper()
	keyring, err := tinkkeyring.Open(t.Context(), sealed, master, nil)
	require.NoError(t, err)
	return keyring
}

// do applies one of Prepare and Rotate.
func do(t testing.TB, verb func(context.Context, []byte, tink.AEADWithContext) ([]byte, error), sealed []byte, master tink.AEADWithContext) []byte {
	t.Helper()
	out, err := verb(t.Context(), sealed, master)
	require.NoError(t, err)
	return out
}

func wrap(t testing.TB, keyring *tinkkeyring.Keyring, key string) []byte {
	t.Helper()
	wrapped, err := keyring.Wrap(t.Context(), []byte(key), []byte("bound"))
	require.NoError(t, err)
	return wrapped
}

func requireOpens(t testing.TB, keyring *tinkkeyring.Keyring, wrapped []byte, key string) {
	t.Helper()
	got, err := keyring.Unwrap(t.Context(), wrapped, []byte("bound"))
	require.NoError(t, err)
	require.Equal(t, key, string(got))
}

func wrappedBy(t testing.TB, wrapped []byte) uint32 {
	t.Helper()
	id, ok := tinkkeyring.KeyID(wrapped)
	require.True(t, ok)
	return id
}

func lookup(t testing.TB, keyring *tinkkeyring.Keyring, data string) []byte {
	t.Helper()
	hash, err := keyring.Lookup(t.Context(), []byte(data))
	require.NoError(t, err)
	return hash
}
