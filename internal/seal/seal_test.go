package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/seal"
)

const (
	frame  = 64 << 10
	sealed = frame + 16
	header = 33
)

var (
	key   = bytes.Repeat([]byte{7}, seal.KeySize)
	other = bytes.Repeat([]byte{8}, seal.KeySize)
	bound = []byte("request 1, identity")
)

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	for _, plain := range []string{"", "a", "canary name"} {
		one, err := seal.Seal(rand.Reader, key, []byte(plain), bound)
		require.NoError(t, err)
		require.Len(t, one, len(plain)+seal.Overhead)
		two, err := seal.Seal(rand.Reader, key, []byte(plain), bound)
		require.NoError(t, err)
		require.NotEqual(t, one, two)
		got, err := seal.Open(key, one, bound)
		require.NoError(t, err)
		require.Equal(t, plain, string(got))
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	blob, err := seal.Seal(rand.Reader, key, []byte("canary"), bound)
	require.NoError(t, err)
	for i := range blob {
		changed := bytes.Clone(blob)
		changed[i] ^= 1
		_, err := seal.Open(key, changed, bound)
		require.Equal(t, seal.ErrOpen, err, "byte %d changed", i)
		_, err = seal.Open(key, blob[:i], bound)
		require.Equal(t, seal.ErrOpen, err, "cut to %d bytes", i)
	}
	_, err = seal.Open(key, append(bytes.Clone(blob), 0), bound)
	require.Equal(t, seal.ErrOpen, err, "extended")
	_, err = seal.Open(other, blob, bound)
	require.Equal(t, seal.ErrOpen, err, "another key")
	_, err = seal.Open(key, blob, []byte("request 2, identity"))
	require.Equal(t, seal.ErrOpen, err, "another context")
	_, err = seal.Open(key[:16], blob, bound)
	require.EqualError(t, err, "seal: a key has 32 bytes, not 16")
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	_, err := seal.Seal(rand.Reader, key[:31], nil, nil)
	require.EqualError(t, err, "seal: a key has 32 bytes, not 31")
	_, err = seal.Seal(bytes.NewReader(make([]byte, 11)), key, nil, nil)
	require.EqualError(t, err, "seal: no randomness for a nonce")
}

// sink is a file in memory.
type sink struct {
	bytes.Buffer
	closed int
	fail   error
}

func (s *sink) Write(p []byte) (int, error) {
	if s.fail != nil && s.Len() > 0 {
		return 0, s.fail
	}
	return s.Buffer.Write(p)
}

func (s *sink) Close() error {
	s.closed++
	return nil
}

func sealStream(t testing.TB, plain []byte) []byte {
	var s sink
	w, err := seal.NewWriter(rand.Reader, &s, key, bound)
	require.NoError(t, err)
	n, err := w.Write(plain)
	require.NoError(t, err)
	require.Equal(t, len(plain), n)
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())
	require.Equal(t, 1, s.closed)
	return s.Bytes()
}

func openStream(stream, key, bound []byte) ([]byte, error) {
	r, err := seal.NewReader(io.NopCloser(bytes.NewReader(stream)), key, bound)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func plaintext(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}

func TestStream(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, frame - 1, frame, frame + 1, 2 * frame, 3*frame + 17} {
		plain := plaintext(n)
		stream := sealStream(t, plain)
		frames := max(1, (n+frame-1)/frame)
		require.Len(t, stream, header+n+16*frames)
		got, err := openStream(stream, key, bound)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plain, got), "%d bytes", n)

		r, err := seal.NewReader(io.NopCloser(iotest.HalfReader(bytes.NewReader(stream))), key, bound)
		require.NoError(t, err)
		require.NoError(t, iotest.TestReader(r, plain), "%d bytes", n)
	}
}

func TestStreamInSmallWrites(t *testing.T) {
	t.Parallel()
	plain := plaintext(2*frame + 5)
	var s sink
	w, err := seal.NewWriter(rand.Reader, &s, key, bound)
	require.NoError(t, err)
	for part := range slices.Chunk(plain, 777) {
		_, err := w.Write(part)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	got, err := openStream(s.Bytes(), key, bound)
	require.NoError(t, err)
	require.True(t, bytes.Equal(plain, got))
	require.NotContains(t, s.String(), string(plain[100:116]))
}

func TestStreamRefuses(t *testing.T) {
	t.Parallel()
	stream := sealStream(t, plaintext(3*frame+10))
	twin := sealStream(t, plaintext(3*frame+10))
	head, one, two := stream[:header], stream[header:header+sealed], stream[header+sealed:header+2*sealed]
	rest, tail := stream[header+2*sealed:], stream[header+3*sealed:]
	changed := func(i int) []byte {
		c := bytes.Clone(stream)
		c[i] ^= 1
		return c
	}
	tests := map[string][]byte{
		"nothing":                 nil,
		"part of the header":      stream[:header-1],
		"only the header":         head,
		"version":                 changed(0),
		"salt":                    changed(5),
		"first frame":             changed(header),
		"second frame":            changed(header + sealed),
		"last byte":               changed(len(stream) - 1),
		"cut in a frame":          stream[:header+100],
		"cut after the first":     stream[:header+sealed],
		"cut after the third":     stream[:header+3*sealed],
		"cut in the last":         stream[:len(stream)-1],
		"extended":                append(bytes.Clone(stream), 0),
		"last frame twice":        slices.Concat(stream, tail),
		"frames reordered":        slices.Concat(head, two, one, rest),
		"a frame twice":           slices.Concat(head, one, one, two, rest),
		"a frame missing":         slices.Concat(head, one, rest),
		"a frame of another":      slices.Concat(head, one, twin[header+sealed:header+2*sealed], rest),
		"last frame of another":   slices.Concat(stream[:header+3*sealed], twin[header+3*sealed:]),
		"another stream appended": slices.Concat(stream, twin),
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := openStream(s, key, bound)
			require.Equal(t, seal.ErrOpen, err)
		})
	}
	_, err := openStream(stream, other, bound)
	require.Equal(t, seal.ErrOpen, err)
	_, err = openStream(stream, key, []byte("another context"))
	require.Equal(t, seal.ErrOpen, err)
	_, err = openStream(stream, key[1:], bound)
	require.EqualError(t, err, "seal: a key has 32 bytes, not 31")
}

func TestReaderReturnsNothingUnauthenticated(t *testing.T) {
	t.Parallel()
	plain := plaintext(2 * frame)
	stream := sealStream(t, plain)
	stream[header+sealed+9] ^= 1
	got, err := openStream(stream, key, bound)
	require.Equal(t, seal.ErrOpen, err)
	require.True(t, bytes.Equal(plain[:frame], got))
}

func TestReaderPassesErrorsOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk failure")
	stream := sealStream(t, plaintext(2*frame))
	for _, n := range []int{10, header + 10, header + sealed + 1} {
		r, err := seal.NewReader(io.NopCloser(io.MultiReader(bytes.NewReader(stream[:n]), iotest.ErrReader(broken))), key, bound)
		if err == nil {
			_, err = io.ReadAll(r)
		}
		require.Equal(t, broken, err, "after %d bytes", n)
	}
}

func TestReaderIsClosed(t *testing.T) {
	t.Parallel()
	r, err := seal.NewReader(io.NopCloser(bytes.NewReader(sealStream(t, []byte("canary")))), key, bound)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	_, err = r.Read(make([]byte, 1))
	require.EqualError(t, err, "seal: the stream is closed")
}

func TestWriterKeepsItsError(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	s := &sink{fail: full}
	w, err := seal.NewWriter(rand.Reader, s, key, bound)
	require.NoError(t, err)
	_, err = w.Write(plaintext(2 * frame))
	require.Equal(t, full, err)
	_, err = w.Write([]byte("more"))
	require.Equal(t, full, err)
	require.Equal(t, full, w.Close())
	require.Equal(t, 1, s.closed)
	require.Equal(t, header, s.Len())
}

func TestWriterRefuses(t *testing.T) {
	t.Parallel()
	var s sink
	_, err := seal.NewWriter(bytes.NewReader(nil), &s, key, bound)
	require.EqualError(t, err, "seal: no randomness for a salt")
	require.Equal(t, 1, s.closed)
	_, err = seal.NewWriter(rand.Reader, &s, nil, bound)
	require.EqualError(t, err, "seal: a key has 32 bytes, not 0")
	require.Equal(t, 2, s.closed)

	w, err := seal.NewWriter(rand.Reader, &sink{}, key, bound)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = w.Write([]byte("late"))
	require.EqualError(t, err, "seal: the stream is closed")
}

// source is a file that is read.
type source struct {
	io.Reader
	closed int
}

func (s *source) Close() error {
	s.closed++
	return nil
}

func TestReaderClosesItsSource(t *testing.T) {
	t.Parallel()
	good := &source{Reader: bytes.NewReader(sealStream(t, []byte("canary")))}
	r, err := seal.NewReader(good, key, bound)
	require.NoError(t, err)
	require.Zero(t, good.closed)
	require.NoError(t, r.Close())
	require.Equal(t, 1, good.closed)

	for name, stream := range map[string][]byte{"short": {2}, "version": make([]byte, 100)} {
		bad := &source{Reader: bytes.NewReader(stream)}
		_, err = seal.NewReader(bad, key, bound)
		require.Equal(t, seal.ErrOpen, err, name)
		require.Equal(t, 1, bad.closed, name)
	}
}

type discard struct{ io.Writer }

func (discard) Close() error { return nil }

func BenchmarkWriter(b *testing.B) {
	line := plaintext(200)
	w, err := seal.NewWriter(rand.Reader, discard{io.Discard}, key, bound)
	require.NoError(b, err)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = w.Write(line)
	}
	require.NoError(b, w.Close())
}

func BenchmarkReader(b *testing.B) {
	stream := sealStream(b, plaintext(16*frame))
	b.SetBytes(16 * frame)
	for b.Loop() {
		r, err := seal.NewReader(io.NopCloser(bytes.NewReader(stream)), key, bound)
		require.NoError(b, err)
		_, err = io.Copy(io.Discard, r)
		require.NoError(b, err)
	}
}
