package agecrypt_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/agecrypt"
	"github.com/godsr/dsr/storage"
)

// raw is a format of bytes that are no text.
type raw struct{}

func (raw) Extension() string { return ".zip" }
func (raw) Tabular() bool     { return false }
func (raw) NewWriter(w io.Writer, _ *storage.About) (storage.Writer, error) {
	return &rawWriter{w: w}, nil
}

type rawWriter struct {
	w     io.Writer
	files []*storage.Attachment
	rows  int64
}

func (*rawWriter) Collection(*storage.Collection) error { return nil }

func (r *rawWriter) Row(row []byte) error {
	r.rows++
	_, err := r.w.Write(append(row, 0))
	return err
}

func (r *rawWriter) Attach(a *storage.Attachment) (string, error) {
	r.files = append(r.files, a)
	return a.Name, nil
}

func (r *rawWriter) Close(ctx context.Context, _ []storage.ManifestCollection) error {
	for _, a := range r.files {
		in, err := a.Open(ctx)
		if err != nil {
			return err
		}
		if _, err := io.Copy(r.w, in); err != nil {
			return err
		}
	}
	return nil
}

func (r *rawWriter) Rows() int64 { return r.rows }

// teed is an encrypter that keeps what it is given to encrypt.
type teed struct {
	storage.Encrypter
	plain bytes.Buffer
}

func (e *teed) Encrypt(w io.Writer, to *storage.Recipients) (io.WriteCloser, error) {
	out, err := e.Encrypter.Encrypt(w, to)
	return struct {
		io.Writer
		io.Closer
	}{io.MultiWriter(out, &e.plain), out}, err
}

// What age opens is, byte for byte, the package as its format wrote it.
func TestPackagesOpenWithAge(t *testing.T) {
	t.Parallel()
	one, two, hybrid, ed, rsa := x25519Holder(t), x25519Holder(t), hybridHolder(t), ed25519Holder(t), rsaHolder(t, 2048)
	for name, tc := range map[string]struct {
		to  storage.Recipients
		ids []age.Identity
	}{
		"passphrase":          {storage.Recipients{Passphrase: passphrase}, []age.Identity{knower(t, passphrase)}},
		"unicode passphrase":  {storage.Recipients{Passphrase: "zażółć gęślą jaźń"}, []age.Identity{knower(t, "zażółć gęślą jaźń")}},
		"public key":          {storage.Recipients{PublicKeys: []string{one.public}}, []age.Identity{one.private}},
		"space around":        {storage.Recipients{PublicKeys: []string{" " + one.public + "\n"}}, []age.Identity{one.private}},
		"SSH key, commented":  {storage.Recipients{PublicKeys: []string{ed.public + " ada@desk"}}, []age.Identity{ed.private}},
		"keys of three kinds": {storage.Recipients{PublicKeys: []string{one.public, two.public, ed.public, rsa.public}}, []age.Identity{one.private, two.private, ed.private, rsa.private}},
		"post-quantum":        {storage.Recipients{PublicKeys: []string{hybrid.public}}, []age.Identity{hybrid.private}},
	} {
		for _, format := range []storage.Format{storage.JSON{}, storage.CSV{}, storage.HTML{}, raw{}} {
			tee := &teed{Encrypter: quick()}
			file, m := deliver(t, format, tee, &tc.to)
			plain := tee.plain.Bytes()
			require.Greater(t, len(plain), 100<<10)
			require.Equal(t, "r1"+format.Extension()+".age", m.Package)
			require.Equal(t, int64(len(file)), m.Bytes)
			sum := sha256.Sum256(file)
			require.Equal(t, hex.EncodeToString(sum[:]), m.SHA256)
			for _, id := range tc.ids {
				opened, err := open(file, id)
				require.NoError(t, err, name)
				require.Equal(t, sha256.Sum256(plain), sha256.Sum256(opened), name)
			}
			if format == (storage.JSON{}) { // which writes the same each time
				without, _ := deliver(t, format, nil, nil)
				require.Equal(t, sha256.Sum256(without), sha256.Sum256(plain), name)
			}
			_, err := open(file, x25519Holder(t).private)
			require.Error(t, err, name)
			_, err = open(file, knower(t, passphrase+"."))
			require.Error(t, err, name)
		}
	}
}

// What was cut off, altered or lengthened does not open, wherever that was.
func TestDamagedPackagesDoNotOpen(t *testing.T) {
	t.Parallel()
	h := x25519Holder(t)
	to := &storage.Recipients{PublicKeys: []string{h.public}}
	const piece = 64 << 10 // what age encrypts at once
	for _, size := range []int{0, 1, piece, piece + 1} {
		plain := bytes.Repeat([]byte("x"), size)
		file := seal(t, quick(), to, plain)
		opened, err := open(file, h.private)
		require.NoError(t, err)
		require.Equal(t, len(plain), len(opened))
		head := len(file) - size - 16*max(1, (size+piece-1)/piece) // of the header and the nonce
		step := max(1, size/30)
		for at := 0; at < len(file); at++ {
			if at > head {
				at = min(at+step-1, len(file)-1)
			}
			_, err := open(file[:at], h.private)
			require.Error(t, err, "cut off at %d of %d", at, len(file))
			altered := bytes.Clone(file)
			altered[at] ^= 1
			_, err = open(altered, h.private)
			require.Error(t, err, "altered at %d of %d", at, len(file))
		}
		for pieces := 1; head+pieces*(piece+16) < len(file); pieces++ {
			_, err := open(file[:head+pieces*(piece+16)], h.private)
			require.Error(t, err, "cut off between pieces")
		}
		_, err = open(append(bytes.Clone(file), 0), h.private)
		require.Error(t, err)
		_, err = open(append(bytes.Clone(file), file...), h.private)
		require.Error(t, err)
	}
}

// A package that was not ended does not open either.
func TestUnfinishedPackageDoesNotOpen(t *testing.T) {
	t.Parallel()
	h := x25519Holder(t)
	var out bytes.Buffer
	w, err := quick().Encrypt(&out, &storage.Recipients{PublicKeys: []string{h.public}})
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 200<<10))
	require.NoError(t, err)
	_, err = open(out.Bytes(), h.private)
	require.Error(t, err)
}

func TestCheckTellsFaultsAndQuotesNone(t *testing.T) {
	t.Parallel()
	h, hybrid := x25519Holder(t), hybridHolder(t)
	private := h.private.(*age.X25519Identity).String()
	keys := func(keys ...string) *storage.Recipients { return &storage.Recipients{PublicKeys: keys} }
	words := func(p string) *storage.Recipients { return &storage.Recipients{Passphrase: p} }
	wrong := []byte(h.public)
	wrong[20] ^= 1
	small := "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDCANARYn"
	for _, tc := range []struct {
		name    string
		options *agecrypt.Options
		to      *storage.Recipients
		want    string
	}{
		{"nobody", nil, nil, "agecrypt: there is neither a passphrase nor a public key: without one, nobody could open the package"},
		{"none", nil, keys(), "agecrypt: there is neither a passphrase nor a public key: without one, nobody could open the package"},
		{"both", nil, &storage.Recipients{Passphrase: passphrase, PublicKeys: []string{h.public}}, "agecrypt: there are a passphrase and public keys: a package that a passphrase opens cannot have another way in; give one of them"},
		{"short", nil, words("CANARY 5678"), "agecrypt: the passphrase is too short: want at least 12 characters"},
		{"short in characters", nil, words("żółćżółćżół"), "agecrypt: the passphrase is too short: want at least 12 characters"},
		{"short for the host", &agecrypt.Options{MinPassphrase: 30}, words(passphrase), "agecrypt: the passphrase is too short: want at least 30 characters"},
		{"blank", nil, words(strings.Repeat(" ", 20)), "agecrypt: the passphrase holds nothing but space"},
		{"line feed", nil, words("CANARY battery staple\n"), "agecrypt: the passphrase holds a control character, such as a line feed, which cannot be typed in"},
		{"no text", &agecrypt.Options{WorkFactor: 23}, words("CANARY\xff"), "agecrypt: Options.WorkFactor is 23: want 10 to 22, or 0 for the default; the passphrase is not valid UTF-8, and could not be typed in; the passphrase is too short: want at least 12 characters"},
		{"work factor", &agecrypt.Options{WorkFactor: 9}, words(passphrase), "agecrypt: Options.WorkFactor is 9: want 10 to 22, or 0 for the default"},
		{"keys", nil, keys("CANARY", h.public, "", string(wrong), private, h.public+"\n"+h.public, "age1pq1CANARY", small, "-----BEGIN OPENSSH PRIVATE KEY-----\nCANARY", hybrid.public), "agecrypt: " +
			"public key 1 of 10 is of no known kind: want one that begins with age1, ssh-ed25519 or ssh-rsa; " +
			"public key 3 of 10 is empty; " +
			"public key 4 of 10 is damaged or of no use: a character is wrong, something is missing, or an RSA key has less than 2048 bits; " +
			"public key 5 of 10 is a private key: give the public one, and use the private one no longer, as others have seen it; " +
			"public key 6 of 10 has several lines: give each key by itself; " +
			"public key 7 of 10 is damaged or of no use: a character is wrong, something is missing, or an RSA key has less than 2048 bits; " +
			"public key 8 of 10 is damaged or of no use: a character is wrong, something is missing, or an RSA key has less than 2048 bits; " +
			"public key 9 of 10 is a private key: give the public one, and use the private one no longer, as others have seen it; " +
			"keys that begin with age1pq1 cannot stand beside others, which would give away what they protect"},
		{"of low order", nil, keys("age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z"), "agecrypt: nothing can be encrypted for these public keys: failed to wrap key for recipient #0: crypto/ecdh: bad X25519 remote ECDH input: low order point"},
	} {
		e := agecrypt.New(tc.options)
		err := e.Check(tc.to)
		require.EqualError(t, err, tc.want, tc.name)
		require.NotContains(t, err.Error(), "CANARY")
		var out bytes.Buffer
		_, err = e.Encrypt(&out, tc.to)
		require.Error(t, err, tc.name)
		require.Zero(t, out.Len(), tc.name)
	}
}

// A passphrase is stretched as often as the options say.
func TestWorkFactor(t *testing.T) {
	t.Parallel()
	to := &storage.Recipients{Passphrase: passphrase}
	for factor, want := range map[int]string{10: " 10\n", 12: " 12\n"} {
		file := seal(t, agecrypt.New(&agecrypt.Options{WorkFactor: factor}), to, []byte("x"))
		line := bytes.Index(file, []byte("\n-> scrypt "))
		require.Positive(t, line)
		require.Contains(t, string(file[line:line+60]), want)
	}
}

type brokenWriter struct{ err error }

func (b brokenWriter) Write([]byte) (int, error) { return 0, b.err }

func TestWriteErrorsAreTold(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	_, err := quick().Encrypt(brokenWriter{full}, &storage.Recipients{Passphrase: passphrase})
	require.ErrorIs(t, err, full)
	require.ErrorContains(t, err, "agecrypt: ")
}

// Memory does not grow with what is encrypted. This test runs alone, as it
// counts what is allocated.
func TestMemoryIsFlat(t *testing.T) {
	to := &storage.Recipients{PublicKeys: []string{x25519Holder(t).public}}
	piece := make([]byte, 32<<10)
	used := map[int]uint64{}
	for _, size := range []int{1 << 20, 128 << 20} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w, err := quick().Encrypt(io.Discard, to)
		require.NoError(t, err)
		for range size / len(piece) {
			_, err := w.Write(piece)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		runtime.ReadMemStats(&after)
		used[size] = after.TotalAlloc - before.TotalAlloc
	}
	require.Less(t, used[128<<20], uint64(2<<20), used)
}
