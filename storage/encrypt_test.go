package storage_test

import (
	"archive/zip"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

const mib = 1 << 20

var packageKey = []byte("test--encryption")

// openPackage is how Fides' guide opens what was encrypted with a key, as
// docs/encryption.md shows it.
func openPackage(key []byte, file string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(file)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	if len(data) < aead.NonceSize() {
		return nil, errors.New("the file is too short")
	}
	nonce, sealed := data[:aead.NonceSize()], data[aead.NonceSize():]
	return aead.Open(nil, nonce, sealed, nonce)
}

// The sample that Fides documents opens by the same decrypter as ours.
func TestKeyedSampleOpens(t *testing.T) {
	t.Parallel()
	const sample = "GPUiK9tq5k/HfBnSN+J+OvLXZ+GCisapdI2KGP7A1WK+dz1XHef+hWb/SjszdqdNVGvziyY6GF5KIrvrXgxjZuaAvgU="
	plain, err := openPackage(packageKey, sample)
	require.NoError(t, err)
	require.Equal(t, `{"street": "test street", "state": "NY"}`, string(plain))
}

// keyed writes a JSON package of the rows.
func keyed(t *testing.T, key []byte, rows ...string) (plain, sealed string) {
	t.Helper()
	var out [2]bytes.Buffer
	for i := range out {
		w, err := storage.JSON{}.NewWriter(&out[i], &storage.About{})
		if i == 1 {
			w, err = storage.JSON{}.NewKeyedWriter(&out[i], &storage.About{}, key)
		}
		require.NoError(t, err)
		require.NoError(t, w.Collection(named("shop:customer")))
		for _, row := range rows {
			require.NoError(t, w.Row([]byte(row)))
		}
		require.NoError(t, w.Close(t.Context(), nil))
		require.NoError(t, w.Close(t.Context(), nil), "once is enough")
	}
	return out[0].String(), out[1].String()
}

func TestKeyedPackageOpens(t *testing.T) {
	t.Parallel()
	long := `{"note":"` + strings.Repeat("ж", 300_000) + `"}`
	for name, rows := range map[string][]string{
		"empty": nil,
		"one":   {`{"email":"ada@example.com"}`},
		"large": {long, long, long, long, long},
	} {
		plain, sealed := keyed(t, packageKey, rows...)
		opened, err := openPackage(packageKey, sealed)
		require.NoError(t, err, name)
		require.Equal(t, sha256Of(plain), sha256Of(string(opened)), name)

		_, again := keyed(t, packageKey, rows...)
		require.NotEqual(t, sealed[:16], again[:16], "a nonce is used once")
		_, err = openPackage([]byte("another-key-of16"), sealed)
		require.Error(t, err)
		altered := []byte(sealed)
		altered[len(altered)/2] ^= 1
		_, err = openPackage(packageKey, string(altered))
		require.Error(t, err)
		_, err = openPackage(packageKey, sealed[:len(sealed)-8])
		require.Error(t, err)
	}
}

func TestKeyedArchiveOpens(t *testing.T) {
	t.Parallel()
	texts := map[string]string{"large": strings.Repeat("a,b\r\n", mib/2), "empty": "", "small": "a,b\r\n1,2\r\n"}
	files := map[string]io.WriterTo{}
	for name, text := range texts {
		files[name] = strings.NewReader(text)
	}
	var out bytes.Buffer
	require.NoError(t, storage.KeyedArchive(&out, packageKey, files, "large", "empty", "small"))
	r, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	nonces := map[string]bool{}
	for _, file := range r.File {
		in, err := file.Open()
		require.NoError(t, err)
		sealed, err := io.ReadAll(in)
		require.NoError(t, err)
		nonces[string(sealed[:16])] = true
		plain, err := openPackage(packageKey, string(sealed))
		require.NoError(t, err)
		require.Equal(t, sha256Of(texts[strings.TrimSuffix(file.Name, ".csv")]), sha256Of(string(plain)), file.Name)
	}
	require.Len(t, nonces, 3)

	require.EqualError(t, storage.KeyedArchive(io.Discard, []byte("short"), nil), "storage: an encryption key has 16 bytes, this one has 5")
}

func TestKeyedFaults(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 15, 17, 24, 32} {
		_, err := storage.JSON{}.NewKeyedWriter(io.Discard, &storage.About{}, bytes.Repeat([]byte("k"), size))
		require.EqualError(t, err, fmt.Sprintf("storage: an encryption key has 16 bytes, this one has %d", size))
	}
	full := errors.New("disk full")
	w, err := storage.JSON{}.NewKeyedWriter(failingWriter{full}, &storage.About{}, packageKey)
	require.NoError(t, err)
	require.ErrorIs(t, w.Close(t.Context(), nil), full)
	require.ErrorIs(t, w.Close(t.Context(), nil), full)
}

type failingWriter struct{ err error }

func (b failingWriter) Write([]byte) (int, error) { return 0, b.err }

// filler writes so many bytes.
type filler int

func (z filler) WriteTo(w io.Writer) (n int64, err error) {
	piece := make([]byte, 64<<10)
	for n < int64(z) && err == nil {
		var m int
		m, err = w.Write(piece[:min(int64(z)-n, int64(len(piece)))])
		n += int64(m)
	}
	return n, err
}

// allocated returns how many bytes f allocates: an upper bound of what it has
// at once. Nothing else may run.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A file of the largest size takes little more memory than its size, however
// many there are in a package; one byte more is refused.
func TestKeyedSizeAndMemory(t *testing.T) {
	files := map[string]io.WriterTo{
		"small": filler(100), "next": filler(2 * mib), "full": filler(storage.MaxKeyed), "over": filler(storage.MaxKeyed + 1),
	}
	for _, tc := range []struct {
		order []string
		most  uint64
	}{
		{[]string{"small"}, mib / 2},
		{[]string{"full", "next", "small"}, storage.MaxKeyed + 3*mib},
	} {
		var out sizeOf
		var err error
		used := allocated(func() { err = storage.KeyedArchive(&out, packageKey, files, tc.order...) })
		require.NoError(t, err)
		require.Positive(t, out)
		require.Less(t, used, tc.most, tc.order)
	}
	const refusal = "storage: a file of the package has more than 64 MiB, too many to be encrypted with a key in one piece; ask for a passphrase or a public key, which encrypt any size"
	require.EqualError(t, storage.KeyedArchive(io.Discard, packageKey, files, "small", "over"), refusal)

	w, err := storage.JSON{}.NewKeyedWriter(failingWriter{errors.New("something was written")}, &storage.About{}, packageKey)
	require.NoError(t, err)
	require.NoError(t, w.Collection(named("shop:customer")))
	row := []byte(`{"note":"` + strings.Repeat("x", mib) + `"}`)
	for range storage.MaxKeyed/mib - 1 {
		require.NoError(t, w.Row(row))
	}
	require.EqualError(t, w.Row(row), refusal)
	require.EqualError(t, w.Close(t.Context(), nil), refusal, "and nothing is written later")
}

type sizeOf int64

func (c *sizeOf) Write(p []byte) (int, error) {
	*c += sizeOf(len(p))
	return len(p), nil
}

// marking is an encrypter that puts marks around what it is given.
type marking struct{ fault string }

func (marking) Extension() string { return ".wrapped" }

func (w marking) Check(*storage.Recipients) error {
	if w.fault != "" {
		return errors.New(w.fault)
	}
	return nil
}

func (marking) Encrypt(w io.Writer, _ *storage.Recipients) (io.WriteCloser, error) {
	_, err := io.WriteString(w, "<")
	return marked{w}, err
}

type marked struct{ io.Writer }

func (w marked) Close() error {
	_, err := io.WriteString(w, ">")
	return err
}

// otherFormat is a format that cannot encrypt by itself.
type otherFormat struct{ storage.Format }

func (otherFormat) Extension() string { return ".zip" }

// What the manifest tells of a package is told of the encrypted file.
func TestEncryptedPackage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		options storage.PackageOptions
		name    string
		open    func(file string) (string, error)
	}{
		{storage.PackageOptions{Encrypter: marking{}, To: &storage.Recipients{Passphrase: "p"}}, "r1.json.wrapped", func(file string) (string, error) {
			return strings.TrimSuffix(strings.TrimPrefix(file, "<"), ">"), nil
		}},
		{storage.PackageOptions{Encrypter: marking{}, Format: otherFormat{storage.JSON{}}}, "r1.zip.wrapped", func(file string) (string, error) {
			return file[1 : len(file)-1], nil
		}},
		{storage.PackageOptions{Key: packageKey}, "r1.json", func(file string) (string, error) {
			plain, err := openPackage(packageKey, file)
			return string(plain), err
		}},
	} {
		dir := t.TempDir()
		tc.options.Name, tc.options.About = "r1", &storage.About{}
		require.Equal(t, tc.name, tc.options.FileName())
		p, err := storage.Create(t.Context(), storage.NewFolder(dir, nil), tc.options)
		require.NoError(t, err)
		require.NoError(t, p.Collection(named("shop:customer")))
		require.NoError(t, p.Row([]byte(`{"id":7}`)))
		m := &storage.Manifest{RequestID: "r1"}
		require.NoError(t, p.Commit(t.Context(), m))
		require.ElementsMatch(t, []string{"r1.manifest.json", tc.name}, names(t, dir))
		file := content(t, dir, tc.name)
		require.Equal(t, tc.name, m.Package)
		require.Equal(t, int64(len(file)), m.Bytes)
		require.Equal(t, sha256Of(file), m.SHA256)
		plain, err := tc.open(file)
		require.NoError(t, err)
		require.Equal(t, "{\n  \"shop:customer\": [\n    {\"id\":7}\n  ]\n}\n", plain)
	}
}

// What cannot be encrypted as asked for is refused before anything is created.
func TestEncryptionRefused(t *testing.T) {
	t.Parallel()
	to := &storage.Recipients{Passphrase: "p"}
	for text, options := range map[string]storage.PackageOptions{
		"storage: a package is encrypted with a key or for recipients, not both":                                         {Key: packageKey, Encrypter: marking{}, To: to},
		"storage: packages with the extension .zip cannot be encrypted with a key; ask for a passphrase or a public key": {Key: packageKey, Format: otherFormat{storage.JSON{}}},
		"storage: an encryption key has 16 bytes, this one has 15":                                                       {Key: packageKey[:15]},
		"storage: an encryption key has 16 bytes, this one has 0":                                                        {Key: []byte{}},
		"nobody can read this": {Encrypter: marking{"nobody can read this"}, To: to},
	} {
		options.Name, options.About = "r1", &storage.About{}
		dir := t.TempDir()
		_, err := storage.Create(t.Context(), storage.NewFolder(dir, nil), options)
		require.EqualError(t, err, text)
		require.Empty(t, names(t, dir))
	}
}

func TestRecipientsPrintNothing(t *testing.T) {
	t.Parallel()
	r := storage.Recipients{Passphrase: "CANARY", PublicKeys: []string{"CANARY"}}
	for _, v := range []any{r, &r, []storage.Recipients{r}, struct{ R *storage.Recipients }{&r}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			told := fmt.Sprintf(verb, v)
			require.NotContains(t, told, "CANARY", verb)
			require.NotContains(t, strings.ToLower(told), "43414e415259", verb)
		}
		data, err := json.Marshal(v)
		require.NoError(t, err)
		require.NotContains(t, string(data), "CANARY")
		var logs bytes.Buffer
		slog.New(slog.NewJSONHandler(&logs, nil)).Info("told", "v", v)
		slog.New(slog.NewTextHandler(&logs, nil)).Info("told", "v", v)
		require.NotContains(t, logs.String(), "CANARY")
	}
	require.Equal(t, "[redacted]", fmt.Sprint(r))
}
