package dsr_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

func bytesOf(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

func TestLocalKeyringWraps(t *testing.T) {
	t.Parallel()
	keyring, err := dsr.NewLocalKeyring(bytesOf('l', 32), dsr.LocalKey{ID: "2024", Key: bytesOf('a', 32)})
	require.NoError(t, err)
	for name, keyring := range map[string]dsr.Keyring{"local": keyring, "ephemeral": dsr.NewEphemeralKeyring()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, bound := bytesOf('k', 32), []byte("request 1, journal")
			wrapped, err := keyring.Wrap(t.Context(), key, bound)
			require.NoError(t, err)
			require.NotContains(t, string(wrapped), string(key))
			got, err := keyring.Unwrap(t.Context(), wrapped, bound)
			require.NoError(t, err)
			require.Equal(t, key, got)

			_, err = keyring.Unwrap(t.Context(), wrapped, []byte("request 2, journal"))
			require.Error(t, err)
			_, err = keyring.Unwrap(t.Context(), nil, bound)
			require.EqualError(t, err, "dsr: unwrap: this is no wrapped key")
			for i := range wrapped {
				_, err = keyring.Unwrap(t.Context(), wrapped[:i], bound)
				require.Error(t, err, "cut to %d bytes", i)
				changed := bytes.Clone(wrapped)
				changed[i] ^= 1
				_, err = keyring.Unwrap(t.Context(), changed, bound)
				require.Error(t, err, "byte %d changed", i)
			}
		})
	}
}

func TestLocalKeyringRotates(t *testing.T) {
	t.Parallel()
	lookup := bytesOf('l', 32)
	one := dsr.LocalKey{ID: "one", Key: bytesOf('a', 32)}
	two := dsr.LocalKey{ID: "two", Key: bytesOf('b', 32)}
	before, err := dsr.NewLocalKeyring(lookup, one)
	require.NoError(t, err)
	rotated, err := dsr.NewLocalKeyring(lookup, one, two)
	require.NoError(t, err)
	after, err := dsr.NewLocalKeyring(lookup, two)
	require.NoError(t, err)

	old, err := before.Wrap(t.Context(), []byte("key"), nil)
	require.NoError(t, err)
	got, err := rotated.Unwrap(t.Context(), old, nil)
	require.NoError(t, err)
	require.Equal(t, "key", string(got))
	_, err = after.Unwrap(t.Context(), old, nil)
	require.EqualError(t, err, `dsr: unwrap: the keyring lacks the key "one"; add it to open what it wrapped`)

	fresh, err := rotated.Wrap(t.Context(), []byte("key"), nil)
	require.NoError(t, err)
	got, err = after.Unwrap(t.Context(), fresh, nil)
	require.NoError(t, err)
	require.Equal(t, "key", string(got))

	mac := hmac.New(sha256.New, lookup)
	mac.Write([]byte("email:a@example.com"))
	for _, keyring := range []dsr.Keyring{before, rotated, after} {
		hash, err := keyring.Lookup(t.Context(), []byte("email:a@example.com"))
		require.NoError(t, err)
		require.Equal(t, mac.Sum(nil), hash)
	}
}

func TestLocalKeyringCopiesItsKeys(t *testing.T) {
	t.Parallel()
	lookup, key := bytesOf('l', 32), bytesOf('a', 32)
	keyring, err := dsr.NewLocalKeyring(lookup, dsr.LocalKey{ID: "one", Key: key})
	require.NoError(t, err)
	wrapped, err := keyring.Wrap(t.Context(), []byte("key"), nil)
	require.NoError(t, err)
	hash, err := keyring.Lookup(t.Context(), nil)
	require.NoError(t, err)
	clear(lookup)
	clear(key)
	_, err = keyring.Unwrap(t.Context(), wrapped, nil)
	require.NoError(t, err)
	again, err := keyring.Lookup(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, hash, again)
}

func TestLocalKeyringNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := dsr.NewLocalKeyring(nil)
	require.EqualError(t, err, "dsr: local keyring: the lookup key has 0 bytes; give it at least 32; "+
		"there is no key to wrap with; give at least one")
	_, err = dsr.NewLocalKeyring(bytesOf('l', 32),
		dsr.LocalKey{Key: bytesOf('a', 32)},
		dsr.LocalKey{ID: "one", Key: bytesOf('b', 31)},
		dsr.LocalKey{ID: "one", Key: bytesOf('l', 32)})
	require.EqualError(t, err, "dsr: local keyring: key 1 has an ID of 0 bytes; give it 1 to 255; "+
		`key 2 ("one") has 31 bytes; give it 32; `+
		`key 3 has the ID "one" of an earlier one; give it another; `+
		`key 3 ("one") is the lookup key; use two different ones`)
}

func TestEphemeralKeyringsDiffer(t *testing.T) {
	t.Parallel()
	one, two := dsr.NewEphemeralKeyring(), dsr.NewEphemeralKeyring()
	wrapped, err := one.Wrap(t.Context(), []byte("key"), nil)
	require.NoError(t, err)
	_, err = two.Unwrap(t.Context(), wrapped, nil)
	require.Error(t, err)
	a, err := one.Lookup(t.Context(), []byte("x"))
	require.NoError(t, err)
	b, err := two.Lookup(t.Context(), []byte("x"))
	require.NoError(t, err)
	require.NotEqual(t, a, b)
}

func TestKeysAreNotPrinted(t *testing.T) {
	t.Parallel()
	key := dsr.LocalKey{ID: "one", Key: bytesOf('c', 32)}
	keyring, err := dsr.NewLocalKeyring(bytesOf('l', 32), key)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		require.Equal(t, `[redacted key "one"]`, fmt.Sprintf(verb, key))
		require.Contains(t, fmt.Sprintf(verb, []dsr.LocalKey{key}), `[redacted key "one"]`)
		require.Equal(t, "[redacted keyring]", fmt.Sprintf(verb, keyring))
	}
}
