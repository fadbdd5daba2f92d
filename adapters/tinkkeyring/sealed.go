package tinkkeyring

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	aeadsubtle "github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// name and version begin every sealed keyring.
const (
	name    = "dsr-keyring"
	version = 1
)

const dataKeySize = 32

// keys are what a sealed keyring holds.
type keys struct {
	wrapping *keyset.Handle // AEAD keys, oldest first; the primary one wraps
	lookup   *keyset.Handle // one PRF key
}

var errNoMaster = errors.New("there is no master key; give the AEAD of your key service")

// seal seals the keys under the master key. It opens them again before it
// returns: whatever is stored under a keyring that cannot be opened is lost.
func seal(ctx context.Context, k *keys, master tink.AEADWithContext) ([]byte, error) {
	if master == nil {
		return nil, errNoMaster
	}
	plain, err := encode(k)
	if err != nil {
		return nil, err
	}
	dataKey := make([]byte, dataKeySize)
	_, _ = rand.Read(dataKey) // It never fails.
	blob := append([]byte(name), version)
	encrypted, err := master.EncryptWithContext(ctx, dataKey, blob)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the master key cannot encrypt; check the key service and the rights to it: %w", err)
	case len(encrypted) == 0 || len(encrypted) > math.MaxUint16:
		return nil, fmt.Errorf("the master key returned %d bytes instead of an encrypted key; check the key service", len(encrypted))
	case bytes.Contains(encrypted, dataKey):
		return nil, errors.New("the master key returned what it was given, unencrypted; use one that encrypts")
	}
	blob = binary.BigEndian.AppendUint16(blob, uint16(len(encrypted)))
	blob = append(blob, encrypted...)
	cipher, err := aeadsubtle.NewAESGCM(dataKey)
	if err != nil {
		return nil, err
	}
	rest, err := cipher.Encrypt(plain, blob)
	if err != nil {
		return nil, err
	}
	blob = append(blob, rest...)
	if _, err := open(ctx, blob, master); err != nil {
		return nil, fmt.Errorf("what was sealed does not open again: %w", err)
	}
	return blob, nil
}

// open opens a sealed keyring.
func open(ctx context.Context, sealed []byte, master tink.AEADWithContext) (*keys, error) {
	if master == nil {
		return nil, errNoMaster
	}
	plain, err := unseal(ctx, sealed, master)
	if err != nil {
		return nil, err
	}
	return decode(plain)
}

// unseal returns the encoded keys.
func unseal(ctx context.Context, sealed []byte, master tink.AEADWithContext) ([]byte, error) {
	header, ok := bytes.CutPrefix(sealed, []byte(name))
	if !ok || len(header) == 0 {
		return nil, errors.New("this is no sealed keyring; give the bytes that Create returned, unchanged")
	}
	if header[0] != version {
		return nil, fmt.Errorf("the sealed keyring has version %d, this program reads version %d; use a release that knows it", header[0], version)
	}
	start := len(name) + 1 + 2 // of the encrypted data key
	if len(sealed) < start {
		return nil, errCut
	}
	end := start + int(binary.BigEndian.Uint16(sealed[start-2:]))
	if len(sealed) < end+aeadsubtle.AESGCMIVSize+aeadsubtle.AESGCMTagSize {
		return nil, errCut
	}
	dataKey, err := master.DecryptWithContext(ctx, sealed[start:end], sealed[:start-2])
	if err != nil {
		return nil, fmt.Errorf("the master key cannot decrypt; check that it is the one that sealed this keyring, the key service, and the rights to it: %w", err)
	}
	if len(dataKey) != dataKeySize {
		return nil, fmt.Errorf("the master key returned %d bytes instead of a key of %d; check the key service", len(dataKey), dataKeySize)
	}
	cipher, err := aeadsubtle.NewAESGCM(dataKey)
	if err != nil {
		return nil, err
	}
	plain, err := cipher.Decrypt(sealed[end:], sealed[:end])
	if err != nil {
		return nil, errors.New("the sealed keyring was changed, or the master key returned a wrong key; restore a copy of it, and check the key service")
	}
	return plain, nil
}

var errCut = errors.New("the sealed keyring is cut off; restore a whole copy of it")

// encode writes the keys in clear, only ever to be sealed.
func encode(k *keys) ([]byte, error) {
	var wrapping, lookup bytes.Buffer
	if err := insecurecleartextkeyset.Write(k.wrapping, keyset.NewBinaryWriter(&wrapping)); err != nil {
		return nil, fmt.Errorf("encode the keys that wrap: %w", err)
	}
	if err := insecurecleartextkeyset.Write(k.lookup, keyset.NewBinaryWriter(&lookup)); err != nil {
		return nil, fmt.Errorf("encode the look-up key: %w", err)
	}
	plain := binary.BigEndian.AppendUint32(nil, uint32(wrapping.Len()))
	plain = append(plain, wrapping.Bytes()...)
	return append(plain, lookup.Bytes()...), nil
}

// decode reverses encode. Its errors never quote the bytes.
func decode(plain []byte) (*keys, error) {
	if len(plain) < 4 || uint64(binary.BigEndian.Uint32(plain)) > uint64(len(plain)-4) {
		return nil, errors.New("the keys in the sealed keyring end too early; restore a copy of it")
	}
	end := 4 + int(binary.BigEndian.Uint32(plain))
	wrapping, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(plain[4:end])))
	if err != nil {
		return nil, fmt.Errorf("the keys that wrap cannot be read: %w", err)
	}
	lookup, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(plain[end:])))
	if err != nil {
		return nil, fmt.Errorf("the look-up key cannot be read: %w", err)
	}
	if err := check(wrapping, lookup); err != nil {
		return nil, fmt.Errorf("%w; use the release that made this keyring", err)
	}
	return &keys{wrapping: wrapping, lookup: lookup}, nil
}

// check refuses keys of kinds that this package never makes: Tink would take
// keys that wrap without naming themselves, or that call a service.
func check(wrapping, lookup *keyset.Handle) error {
	for i := range wrapping.Len() {
		entry, err := wrapping.Entry(i)
		if err != nil {
			return err
		}
		params, ok := entry.Key().Parameters().(*aesgcm.Parameters)
		if !ok || params.Variant() != aesgcm.VariantTink || entry.KeyStatus() != keyset.Enabled {
			return fmt.Errorf("the key %d in the sealed keyring is no key that wraps", entry.KeyID())
		}
	}
	if n := lookup.Len(); n != 1 {
		return fmt.Errorf("the sealed keyring has %d look-up keys instead of one", n)
	}
	entry, err := lookup.Entry(0)
	if err != nil {
		return err
	}
	if params, ok := entry.Key().Parameters().(*hmacprf.Parameters); !ok || params.HashType() != hmacprf.SHA256 {
		return errors.New("the look-up key in the sealed keyring is no key of HMAC-SHA256")
	}
	return nil
}

// roles lists the keys that wrap, oldest first. Those after the primary one
// have not wrapped anything yet.
func (k *keys) roles() ([]Key, error) {
	out := make([]Key, k.wrapping.Len())
	role := Opens
	for i := range out {
		entry, err := k.wrapping.Entry(i)
		if err != nil {
			return nil, err
		}
		out[i] = Key{ID: entry.KeyID(), Role: role}
		if entry.IsPrimary() {
			out[i].Role, role = Wraps, Prepared
		}
	}
	return out, nil
}
