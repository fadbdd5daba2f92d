package dsr_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// A key that was wrapped opens as it was; what was damaged, was cut or is no
// wrapped key at all is refused.
func FuzzUnwrap(f *testing.F) {
	keyring, err := dsr.NewLocalKeyring(bytesOf('l', 32),
		dsr.LocalKey{ID: "old", Key: bytesOf('a', 32)}, dsr.LocalKey{ID: "new", Key: bytesOf('b', 32)})
	require.NoError(f, err)
	f.Add([]byte{}, []byte{}, uint(0), byte(0))
	f.Add([]byte("\x03new"), []byte("request 1"), uint(0), byte(1))
	f.Add([]byte("\x03old and then something that is not sealed at all"), []byte("request 1"), uint(4), byte(0x80))
	f.Add([]byte("\xffshorter than it says"), []byte{}, uint(9), byte(7))
	f.Fuzz(func(t *testing.T, data, bound []byte, at uint, flip byte) {
		plain, err := keyring.Unwrap(t.Context(), data, bound)
		require.Error(t, err, "nobody else has the keys")
		require.Nil(t, plain)

		wrapped, err := keyring.Wrap(t.Context(), data, bound)
		require.NoError(t, err)
		plain, err = keyring.Unwrap(t.Context(), wrapped, bound)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, plain))

		cut := int(at % uint(len(wrapped)))
		refused := func(wrapped, bound []byte) {
			plain, err := keyring.Unwrap(t.Context(), wrapped, bound)
			require.Error(t, err)
			require.Nil(t, plain)
		}
		refused(wrapped[:cut], bound)
		refused(append(bytes.Clone(wrapped), flip), bound)
		refused(wrapped, append(bytes.Clone(bound), flip))
		if flip != 0 {
			wrapped[cut] ^= flip
			refused(wrapped, bound)
		}
	})
}
