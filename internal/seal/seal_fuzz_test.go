package seal_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/seal"
)

// What was sealed opens as it was; anything else is refused.
func FuzzOpen(f *testing.F) {
	key := bytes.Repeat([]byte{7}, seal.KeySize)
	// The same in every process of the fuzzer.
	sealed, err := seal.Seal(bytes.NewReader(make([]byte, 64)), key, []byte("plain"), []byte("bound"))
	require.NoError(f, err)
	f.Add(sealed, []byte("bound"))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, data, bound []byte) {
		if plain, err := seal.Open(key, data, bound); err == nil {
			require.Equal(t, sealed, data, "nobody else has the key")
			require.Equal(t, "plain", string(plain))
		}
		again, err := seal.Seal(rand.Reader, key, data, bound)
		require.NoError(t, err)
		back, err := seal.Open(key, again, bound)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, back))
	})
}

// A stream is read to its end or refused, wherever it was cut or changed.
func FuzzStream(f *testing.F) {
	key := bytes.Repeat([]byte{9}, seal.KeySize)
	f.Add([]byte("some text"), []byte{}, uint(0), byte(0))
	f.Add(bytes.Repeat([]byte("long"), 40_000), []byte("x"), uint(70_000), byte(1))
	f.Fuzz(func(t *testing.T, data, bound []byte, at uint, flip byte) {
		var out buffer
		w, err := seal.NewWriter(rand.Reader, &out, key, bound)
		require.NoError(t, err)
		_, err = w.Write(data)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		sealed := out.Bytes()
		back, err := read(sealed, key, bound)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, back))

		cut := int(at % uint(len(sealed)))
		_, err = read(sealed[:cut], key, bound)
		require.Error(t, err)
		if flip != 0 {
			sealed[cut] ^= flip
			_, err = read(sealed, key, bound)
			require.Error(t, err)
		}
	})
}

type buffer struct{ bytes.Buffer }

func (*buffer) Close() error { return nil }

func read(sealed, key, bound []byte) ([]byte, error) {
	r, err := seal.NewReader(io.NopCloser(bytes.NewReader(sealed)), key, bound)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
