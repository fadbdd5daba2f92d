package tinkkeyring_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/tinkkeyring"
)

func TestKeyringWraps(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	keyring := open(t, create(t, master), master)
	key, bound := bytesOf('k', 32), []byte("request 1, journal")
	wrapped, err := keyring.Wrap(t.Context(), key, bound)
	require.NoError(t, err)
	require.NotContains(t, string(wrapped), string(key))
	got, err := keyring.Unwrap(t.Context(), wrapped, bound)
	require.NoError(t, err)
	require.Equal(t, key, got)
	again, err := keyring.Wrap(t.Context(), key, bound)
	require.NoError(t, err)
	require.NotEqual(t, wrapped, again, "the same key twice does not show")

	id := keyring.Keys()[0].ID
	_, err = keyring.Unwrap(t.Context(), wrapped, []byte("request 2, journal"))
	require.ErrorContains(t, err, fmt.Sprintf(
		"tinkkeyring: unwrap under key %d: it was changed, or is bound to another request or purpose", id))
	_, err = keyring.Unwrap(t.Context(), nil, bound)
	require.EqualError(t, err, "tinkkeyring: unwrap: this is no wrapped key")
	for i := range wrapped {
		_, err = keyring.Unwrap(t.Context(), wrapped[:i], bound)
		require.Error(t, err, "cut to %d bytes", i)
		changed := bytes.Clone(wrapped)
		changed[i] ^= 1
		_, err = keyring.Unwrap(t.Context(), changed, bound)
		require.Error(t, err, "byte %d changed", i)
	}
}

func TestKeyringAsksTheServiceOnce(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	sealed := create(t, master)
	require.Equal(t, []string{"encrypt", "decrypt"}, master.calls())
	keyring := open(t, sealed, master)
	require.Equal(t, []string{"decrypt"}, master.calls())
	requireOpens(t, keyring, wrap(t, keyring, "key"), "key")
	lookup(t, keyring, "email")
	require.Empty(t, master.calls())
}

func TestKeyringsDiffer(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	one, two := open(t, create(t, master), master), open(t, create(t, master), master)
	wrapped := wrap(t, one, "key")
	_, err := two.Unwrap(t.Context(), wrapped, []byte("bound"))
	require.EqualError(t, err, fmt.Sprintf("tinkkeyring: unwrap: the keyring lacks the key %d: "+
		"it was retired, or is of a newer sealed keyring; open the newest", wrappedBy(t, wrapped)))
	require.Len(t, lookup(t, one, "email"), 32)
	require.NotEqual(t, lookup(t, one, "email"), lookup(t, two, "email"))
	require.NotEqual(t, lookup(t, one, "email"), lookup(t, one, "phone"))
	hash := lookup(t, one, "email")
	require.Equal(t, hash, lookup(t, one, "email"))
	require.Len(t, lookup(t, one, ""), 32)
}

// What a release wrote must open for ever.
func TestKeyringOpensVersion1(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	sealed, err := hex.DecodeString(version1)
	require.NoError(t, err)
	keyring := open(t, sealed, master)
	require.Equal(t, []tinkkeyring.Key{{ID: 1, Role: tinkkeyring.Wraps}}, keyring.Keys())
	wrapped, err := hex.DecodeString(version1Wrapped)
	require.NoError(t, err)
	requireOpens(t, keyring, wrapped, "a key")
	require.Equal(t, version1Lookup, hex.EncodeToString(lookup(t, keyring, "email:a@example.com")))
}

const (
	version1 = "6473722d6b657972696e6701003cd7f4ac9965e85c255726b652892f67d2bb1ef3a31359ada1d83df1175d0c12c21eee" +
		"9e067342e078c1972fe793a89f3633395cdec3fd11ef76f33286e8a4a715298af5f0557057089cddf8e15409464f8198" +
		"48fca2d65f986c3c7e9678b1b739007b8279a9074d329c0a1b38cbacbb529934afd45b0dab8750406eb1f0b95f54520a" +
		"4901293abe0a179d90f0e7fdd693451f9d1ae6ef23b964f3fbfc7beca20469c0544d7145f3009bf7d2a1b33ae22f313f" +
		"b3b4fdd6e438a9fac60bd3e20e018eb9be0cb178c685219b682015b0eadb797d1f422fdf1ee5490f306e8a7c8b988366" +
		"2a48748617b7e00fbb1d22a331a3ffd2e380130434510bb20443530775f0f3a37bdbcd63dd18c66b6d2e4ec8ffffea7b" +
		"84dc43cf95152a8c3d6ee9912d0008d0c61471f53a9010c0d03094168bb9d5"
	version1Wrapped = "010000000103125f1b8e7896fd89f6c8d6e3aa0f3ae4db5f048ed07e7c2f9b1d5e325a059f54"
	version1Lookup  = "54ae5ede054a4c3c7eb0b249e25e99a25f7d2668fb183b90436fff8e85048be6"
)

func TestKeyringIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	keyring := open(t, create(t, master), master)
	hash := lookup(t, keyring, "email")
	failures := make(chan error, 16)
	var group sync.WaitGroup
	for i := range cap(failures) {
		group.Go(func() {
			bound := []byte{byte(i)}
			for range 50 {
				wrapped, err := keyring.Wrap(t.Context(), bytesOf(byte(i), 32), bound)
				if err != nil {
					failures <- err
					return
				}
				key, err := keyring.Unwrap(t.Context(), wrapped, bound)
				again, lookupErr := keyring.Lookup(t.Context(), []byte("email"))
				if !bytes.Equal(key, bytesOf(byte(i), 32)) || !bytes.Equal(again, hash) || len(keyring.Keys()) != 1 {
					failures <- errors.Join(errors.New("another's key"), err, lookupErr)
					return
				}
			}
		})
	}
	group.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
}

func TestKeyringIsNotPrinted(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	keyring := open(t, create(t, master), master)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		require.Equal(t, "[redacted keyring]", fmt.Sprintf(verb, keyring))
	}
	keys := keyring.Keys()
	keys[0].ID++
	require.NotEqual(t, keys, keyring.Keys(), "Keys returns a copy")
}

func TestKeyIDKnowsWhatItReads(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wrapped []byte
		id      uint32
		ok      bool
	}{
		"nothing":        {},
		"too short":      {wrapped: []byte{1, 0, 0, 0}},
		"another format": {wrapped: []byte{0, 0, 0, 0, 7}},
		"wrapped":        {wrapped: []byte{1, 1, 2, 3, 4, 5}, id: 0x01020304, ok: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, ok := tinkkeyring.KeyID(c.wrapped)
			require.Equal(t, c.ok, ok)
			require.Equal(t, c.id, id)
		})
	}
}

func TestOpenTakesAnEarlierKeyring(t *testing.T) {
	t.Parallel()
	master, secret := newService(t, 'm'), bytesOf('l', 40)
	// The ID of one byte makes what it wraps begin like Tink's.
	local, err := dsr.NewLocalKeyring(secret, dsr.LocalKey{ID: "1", Key: bytesOf('a', 32)})
	require.NoError(t, err)
	old, err := local.Wrap(t.Context(), []byte("old"), []byte("bound"))
	require.NoError(t, err)

	sealed, err := tinkkeyring.Import(t.Context(), master, secret)
	require.NoError(t, err)
	keyring, err := tinkkeyring.Open(t.Context(), sealed, master, &tinkkeyring.Options{Earlier: local})
	require.NoError(t, err)
	hash, err := local.Lookup(t.Context(), []byte("email"))
	require.NoError(t, err)
	require.Equal(t, hash, lookup(t, keyring, "email"))
	requireOpens(t, keyring, old, "old")
	fresh := wrap(t, keyring, "new")
	requireOpens(t, keyring, fresh, "new")
	_, err = local.Unwrap(t.Context(), fresh, []byte("bound"))
	require.Error(t, err, "the earlier keyring wraps no more")

	_, err = keyring.Unwrap(t.Context(), old, []byte("other"))
	require.ErrorContains(t, err, "tinkkeyring: unwrap: the keyring lacks the key")
	require.ErrorContains(t, err, `; nor does the earlier keyring open it: dsr: unwrap under key "1"`)
	_, err = open(t, sealed, master).Unwrap(t.Context(), old, []byte("bound"))
	require.ErrorContains(t, err, "lacks the key")
}

func TestOpenRefusesAnEarlierKeyringThatFindsOthers(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	sealed := create(t, master)
	_, err := tinkkeyring.Open(t.Context(), sealed, master, &tinkkeyring.Options{Earlier: dsr.NewEphemeralKeyring()})
	require.EqualError(t, err, "tinkkeyring: open: the earlier keyring has another look-up key; "+
		"make this one by Import, with the look-up key of the earlier one")
	down := errors.New("down")
	_, err = tinkkeyring.Open(t.Context(), sealed, master, &tinkkeyring.Options{Earlier: brokenKeyring{err: down}})
	require.ErrorIs(t, err, down)
	require.EqualError(t, err, "tinkkeyring: open: the earlier keyring cannot hash: down")
}

type brokenKeyring struct {
	dsr.Keyring
	err error
}

func (k brokenKeyring) Lookup(context.Context, []byte) ([]byte, error) { return nil, k.err }
