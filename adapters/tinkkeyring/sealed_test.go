package tinkkeyring_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	aeadsubtle "github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/godsr/dsr/adapters/tinkkeyring"
)

func TestEveryVerbRefusesWhatIsNoKeyring(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	sealed := create(t, master)
	end := 14 + int(binary.BigEndian.Uint16(sealed[12:]))
	newer, other := bytes.Clone(sealed), bytes.Clone(sealed)
	newer[11] = 2
	other[len(other)-1] ^= 1
	for fault, c := range map[string]struct {
		sealed []byte
		told   string
	}{
		"nothing":       {nil, "this is no sealed keyring; give the bytes that Create returned, unchanged"},
		"another file":  {[]byte("-----BEGIN PRIVATE KEY-----"), "this is no sealed keyring; give the bytes that Create returned, unchanged"},
		"no version":    {sealed[:11], "this is no sealed keyring; give the bytes that Create returned, unchanged"},
		"newer version": {newer, "the sealed keyring has version 2, this program reads version 1; use a release that knows it"},
		"no length":     {sealed[:13], "the sealed keyring is cut off; restore a whole copy of it"},
		"cut key":       {sealed[:20], "the sealed keyring is cut off; restore a whole copy of it"},
		"no keys":       {sealed[:end+27], "the sealed keyring is cut off; restore a whole copy of it"},
		"changed": {other, "the sealed keyring was changed, or the master key returned a wrong key; " +
			"restore a copy of it, and check the key service"},
	} {
		for verb, call := range verbs {
			t.Run(fault+"/"+verb, func(t *testing.T) {
				t.Parallel()
				require.EqualError(t, call(t.Context(), c.sealed, master), "tinkkeyring: "+verb+": "+c.told)
			})
		}
	}
}

func TestEveryVerbRefusesAMasterKey(t *testing.T) {
	t.Parallel()
	sealed := create(t, newService(t, 'm'))
	denied := errors.New("access denied")
	cannot := "the master key cannot decrypt; check that it is the one that sealed this keyring, the key service, and the rights to it: "
	for fault, c := range map[string]struct {
		decrypt crypt
		told    string
	}{
		"denies":     {func(_, _ []byte) ([]byte, error) { return nil, denied }, cannot + "access denied"},
		"is another": {newService(t, 'o').aead.Decrypt, cannot},
		"nothing":    {func(_, _ []byte) ([]byte, error) { return nil, nil }, "the master key returned 0 bytes instead of a key of 32; check the key service"},
		"echoes": {func(data, _ []byte) ([]byte, error) { return data, nil },
			"the master key returned 60 bytes instead of a key of 32; check the key service"},
		"garbage": {func(_, _ []byte) ([]byte, error) { return bytesOf('g', 32), nil },
			"the sealed keyring was changed, or the master key returned a wrong key; restore a copy of it, and check the key service"},
	} {
		for verb, call := range verbs {
			t.Run(fault+"/"+verb, func(t *testing.T) {
				t.Parallel()
				master := newService(t, 'm')
				master.decrypt = c.decrypt
				err := call(t.Context(), sealed, master)
				require.ErrorContains(t, err, "tinkkeyring: "+verb+": "+c.told)
				require.Equal(t, fault == "denies", errors.Is(err, denied))
			})
		}
	}
	for verb, call := range verbs {
		require.EqualError(t, call(t.Context(), sealed, nil),
			"tinkkeyring: "+verb+": there is no master key; give the AEAD of your key service")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, call(ctx, sealed, newService(t, 'm')), context.Canceled)
	}
}

// A keyring that could not be opened again must never be handed out.
func TestCreateProvesTheMasterKey(t *testing.T) {
	t.Parallel()
	denied := errors.New("access denied")
	refuse := func(_, _ []byte) ([]byte, error) { return nil, denied }
	ours := newService(t, 'm')
	for fault, c := range map[string]struct {
		encrypt, decrypt crypt
		told             string
	}{
		"cannot encrypt": {encrypt: refuse, told: "the master key cannot encrypt; check the key service and the rights to it: access denied"},
		"cannot decrypt": {decrypt: refuse, told: "what was sealed does not open again: the master key cannot decrypt; " +
			"check that it is the one that sealed this keyring, the key service, and the rights to it: access denied"},
		"nothing": {encrypt: func(_, _ []byte) ([]byte, error) { return nil, nil },
			told: "the master key returned 0 bytes instead of an encrypted key; check the key service"},
		"too much": {encrypt: func(_, _ []byte) ([]byte, error) { return make([]byte, 65536), nil },
			told: "the master key returned 65536 bytes instead of an encrypted key; check the key service"},
		"no encryption": {encrypt: func(data, _ []byte) ([]byte, error) { return append([]byte("x"), data...), nil },
			told: "the master key returned what it was given, unencrypted; use one that encrypts"},
		"garbage": {decrypt: func(_, _ []byte) ([]byte, error) { return bytesOf('g', 32), nil },
			told: "what was sealed does not open again: the sealed keyring was changed, or the master key returned a wrong key; " +
				"restore a copy of it, and check the key service"},
		"other associated data": {encrypt: func(data, _ []byte) ([]byte, error) { return ours.aead.Encrypt(data, []byte("other")) },
			told: "what was sealed does not open again: the master key cannot decrypt; "},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			master := newService(t, 'm')
			master.encrypt, master.decrypt = c.encrypt, c.decrypt
			sealed, err := tinkkeyring.Create(t.Context(), master)
			require.ErrorContains(t, err, "tinkkeyring: create: "+c.told)
			require.Nil(t, sealed)
			sealed, err = tinkkeyring.Import(t.Context(), master, bytesOf('l', 32))
			require.ErrorContains(t, err, "tinkkeyring: import: "+c.told)
			require.Nil(t, sealed)
		})
	}
	_, err := tinkkeyring.Create(t.Context(), nil)
	require.EqualError(t, err, "tinkkeyring: create: there is no master key; give the AEAD of your key service")
}

func TestSealedKeyringIsAuthentic(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	var associated []byte
	master.encrypt = func(data, associatedData []byte) ([]byte, error) {
		associated = bytes.Clone(associatedData)
		return master.aead.Encrypt(data, associatedData)
	}
	sealed := create(t, master)
	require.Equal(t, "dsr-keyring\x01", string(associated))
	require.Equal(t, "dsr-keyring\x01", string(sealed[:12]))
	require.NotContains(t, string(sealed), "google", "the key types are sealed too")
	require.NotEqual(t, sealed, create(t, master))
	for i := range sealed {
		_, err := tinkkeyring.Open(t.Context(), sealed[:i], master, nil)
		require.Error(t, err, "cut to %d bytes", i)
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		_, err = tinkkeyring.Open(t.Context(), changed, master, nil)
		require.Error(t, err, "byte %d changed", i)
	}
	_, err := tinkkeyring.Open(t.Context(), append(bytes.Clone(sealed), 0), master, nil)
	require.Error(t, err)
}

// The data key of one keyring does not fit the rest of another.
func TestSealedKeyringsCannotBeMixed(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	// A service that gives the same key for all binds nothing by itself.
	master.decrypt = func(_, _ []byte) ([]byte, error) { return bytesOf('d', 32), nil }
	one, two := sealBy(t, "one", payload(t, wrappingKeys(t), lookupKeys(t))), sealBy(t, "two", payload(t, wrappingKeys(t), lookupKeys(t)))
	open(t, one, master)
	open(t, two, master)
	const header = 14 + len("one")
	_, err := tinkkeyring.Open(t.Context(), append(bytes.Clone(one[:header]), two[header:]...), master, nil)
	require.ErrorContains(t, err, "the sealed keyring was changed")
}

func TestOpenChecksTheKeysItself(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	master.decrypt = func(_, _ []byte) ([]byte, error) { return bytesOf('d', 32), nil }
	wrapping, lookup := wrappingKeys(t), lookupKeys(t)
	manager := keyset.NewManager()
	for range 2 {
		id, err := manager.Add(prf.HMACSHA256PRFKeyTemplate())
		require.NoError(t, err)
		require.NoError(t, manager.SetPrimary(id))
	}
	handle, err := manager.Handle()
	require.NoError(t, err)
	open(t, sealBy(t, "key", payload(t, wrapping, lookup)), master)
	for told, plain := range map[string][]byte{
		"the keys in the sealed keyring end too early; restore a copy of it":                                     {0, 0, 0},
		"the keys in the sealed keyring end too early; ":                                                         {0xff, 0xff, 0xff, 0xff, 1},
		"the keys that wrap cannot be read: ":                                                                    {0, 0, 0, 1, 'x'},
		"the look-up key cannot be read: ":                                                                       payload(t, wrapping, nil),
		"the sealed keyring has 2 look-up keys instead of one":                                                   payload(t, wrapping, inClear(t, handle)),
		"is no key that wraps; use the release that made this keyring":                                           payload(t, lookup, lookup),
		" is no key that wraps; ":                                                                                payload(t, keys(t, aead.AES256GCMNoPrefixKeyTemplate()), lookup),
		"the look-up key in the sealed keyring is no key of HMAC-SHA256; use the release that made this keyring": payload(t, wrapping, wrapping),
		"the look-up key in the sealed keyring is no key of HMAC-SHA256; use":                                    payload(t, wrapping, keys(t, prf.HMACSHA512PRFKeyTemplate())),
	} {
		_, err := tinkkeyring.Open(t.Context(), sealBy(t, "key", plain), master, nil)
		require.ErrorContains(t, err, "tinkkeyring: open: ")
		require.ErrorContains(t, err, told)
	}
}

func FuzzOpen(f *testing.F) {
	master := newService(f, 'm')
	sealed, err := hex.DecodeString(version1) // the same in every process
	require.NoError(f, err)
	f.Add(sealed)
	f.Add(sealed[:len(sealed)/2])
	f.Add([]byte("dsr-keyring\x01\x00\x00"))
	f.Add([]byte("dsr-keyring\x01\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keyring, err := tinkkeyring.Open(t.Context(), data, master, nil)
		require.Equal(t, bytes.Equal(data, sealed), err == nil, "only what was sealed opens")
		require.Equal(t, err == nil, keyring != nil)
	})
}

// FuzzOpenKeys goes past the encryption: whatever the keys are, a keyring that
// opens also works.
func FuzzOpenKeys(f *testing.F) {
	master := newService(f, 'm')
	master.decrypt = func(_, _ []byte) ([]byte, error) { return bytesOf('d', 32), nil }
	wrapping, lookup := wrappingKeys(f), lookupKeys(f)
	f.Add(payload(f, wrapping, lookup))
	f.Add(payload(f, lookup, wrapping))
	f.Add(payload(f, wrapping, nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, plain []byte) {
		keyring, err := tinkkeyring.Open(t.Context(), sealBy(t, "key", plain), master, nil)
		if err != nil {
			require.Nil(t, keyring)
			return
		}
		requireOpens(t, keyring, wrap(t, keyring, "key"), "key")
	})
}

// sealBy builds a sealed keyring by hand, under the data key of bytes 'd'.
func sealBy(t testing.TB, encryptedKey string, plain []byte) []byte {
	t.Helper()
	cipher, err := aeadsubtle.NewAESGCM(bytesOf('d', 32))
	require.NoError(t, err)
	blob := []byte("dsr-keyring\x01")
	blob = binary.BigEndian.AppendUint16(blob, uint16(len(encryptedKey)))
	blob = append(blob, encryptedKey...)
	rest, err := cipher.Encrypt(plain, blob)
	require.NoError(t, err)
	return append(blob, rest...)
}

func payload(t testing.TB, wrapping, lookup []byte) []byte {
	t.Helper()
	plain := binary.BigEndian.AppendUint32(nil, uint32(len(wrapping)))
	return append(append(plain, wrapping...), lookup...)
}

func wrappingKeys(t testing.TB) []byte { return keys(t, aead.AES256GCMKeyTemplate()) }

func lookupKeys(t testing.TB) []byte { return keys(t, prf.HMACSHA256PRFKeyTemplate()) }

func keys(t testing.TB, template *tinkpb.KeyTemplate) []byte {
	t.Helper()
	handle, err := keyset.NewHandle(template)
	require.NoError(t, err)
	return inClear(t, handle)
}

// inClear encodes a keyset without encryption.
func inClear(t testing.TB, handle *keyset.Handle) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&b)))
	return b.Bytes()
}
