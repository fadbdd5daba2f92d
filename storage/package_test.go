package storage_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

// shelf is a destination in memory that notes what happens.
type shelf struct {
	events []string
	files  map[string]string
	room   int // bytes that a package can have; 0 for any
	create error
	commit error
}

type shelfUpload struct {
	bytes.Buffer
	on   *shelf
	name string
	over bool
}

func (s *shelf) Create(_ context.Context, name string) (storage.Upload, error) {
	s.events = append(s.events, "create "+name)
	if s.files == nil {
		s.files = map[string]string{}
	}
	return &shelfUpload{on: s, name: name}, s.create
}

func (u *shelfUpload) Write(p []byte) (int, error) {
	switch {
	case u.over:
		return 0, storage.ErrUploadOver
	case u.on.room > 0 && u.Len()+len(p) > u.on.room:
		return 0, errBroken
	}
	return u.Buffer.Write(p)
}

func (u *shelfUpload) Commit(context.Context) error {
	if u.over {
		return storage.ErrUploadOver
	}
	u.over = true
	u.on.events = append(u.on.events, "commit "+u.name)
	if u.on.commit != nil {
		return u.on.commit
	}
	u.on.files[u.name] = u.String()
	return nil
}

func (u *shelfUpload) Abort() error {
	if !u.over {
		u.on.events = append(u.on.events, "abort "+u.name)
	}
	u.over = true
	return nil
}

// turn is an encrypter that any text can be told from: it turns its bytes
// around by one, and ends with a dot.
type turn struct{ check, start, end error }

func (t turn) Extension() string               { return ".turned" }
func (t turn) Check(*storage.Recipients) error { return t.check }
func (t turn) Encrypt(w io.Writer, _ *storage.Recipients) (io.WriteCloser, error) {
	return &turning{w, t.end}, t.start
}

type turning struct {
	w   io.Writer
	end error
}

func (t *turning) Write(p []byte) (int, error) {
	turned := slices.Clone(p)
	for i := range turned {
		turned[i]++
	}
	return t.w.Write(turned)
}

func (t *turning) Close() error {
	_, err := t.w.Write([]byte{'.'})
	return errors.Join(err, t.end)
}

// options are those of a package of a format.
func options(format storage.Format) storage.PackageOptions {
	return storage.PackageOptions{Name: "r1", Format: format, About: about()}
}

// fill puts a row into a package.
func fill(t *testing.T, p *storage.Package) {
	t.Helper()
	require.NoError(t, p.Collection(table("a:b", "id")))
	require.NoError(t, p.Row([]byte(`{"id":1}`)))
}

func TestPackageCommit(t *testing.T) {
	t.Parallel()
	dest := &shelf{}
	opts := options(storage.CSV{})
	opts.Encrypter = turn{}
	p, err := storage.Create(t.Context(), dest, opts)
	require.NoError(t, err)
	fill(t, p)
	m := &storage.Manifest{RequestID: "r1", Collections: []storage.ManifestCollection{{Address: "a:b", State: storage.StateDone, Rows: 1}, {Address: "a:c", State: storage.StateDone}}}
	require.NoError(t, p.Commit(t.Context(), m))
	require.Equal(t, []string{"create r1.zip.turned", "create r1.manifest.json", "commit r1.manifest.json", "commit r1.zip.turned"}, dest.events)

	sealed := dest.files["r1.zip.turned"]
	require.Equal(t, "r1.zip.turned", m.Package)
	require.Equal(t, sha256Of(sealed), m.SHA256, "the digest is that of what is at the destination")
	require.Equal(t, int64(len(sealed)), m.Bytes)
	require.Equal(t, int64(1), m.Rows)
	require.Contains(t, dest.files["r1.manifest.json"], `"file": "a/b.csv"`)
	require.Equal(t, 1, strings.Count(dest.files["r1.manifest.json"], `"file"`))
	plain := []byte(strings.TrimSuffix(sealed, "."))
	for i := range plain {
		plain[i]--
	}
	require.Equal(t, "a/b.csv", unzip(t, plain)[0].name)

	require.NoError(t, p.Abort(), "harmless after Commit")
	require.ErrorIs(t, p.Commit(t.Context(), &storage.Manifest{}), storage.ErrUploadOver)
	require.EqualError(t, p.Row([]byte(`{}`)), "storage: the package is closed")
	require.Len(t, dest.events, 4, "nothing happened after the commit")
}

func TestPackageAbort(t *testing.T) {
	t.Parallel()
	dest := &shelf{}
	p, err := storage.Create(t.Context(), dest, options(storage.CSV{}))
	require.NoError(t, err)
	fill(t, p)
	require.NoError(t, p.Abort())
	require.NoError(t, p.Abort())
	require.ErrorIs(t, p.Commit(t.Context(), &storage.Manifest{}), storage.ErrUploadOver)
	require.Equal(t, []string{"create r1.zip", "abort r1.zip"}, dest.events)
	require.Empty(t, dest.files)
}

// Whatever fails, and wherever: no package becomes visible.
func TestPackageFails(t *testing.T) {
	t.Parallel()
	encrypted := func(by turn) storage.PackageOptions {
		o := options(storage.CSV{})
		o.Encrypter = by
		return o
	}
	for name, test := range map[string]struct {
		dest   *shelf
		opts   storage.PackageOptions
		want   string
		events []string
	}{
		"no about":                 {&shelf{}, storage.PackageOptions{Name: "r1"}, "storage: PackageOptions.About is missing: a package tells of itself", nil},
		"what cannot be encrypted": {&shelf{}, encrypted(turn{check: errBroken}), "broken", nil},
		"destination":              {&shelf{create: errBroken}, options(nil), "broken", []string{"create r1.json"}},
		"start of encryption":      {&shelf{}, encrypted(turn{start: errBroken}), "broken", []string{"create r1.zip.turned", "abort r1.zip.turned"}},
		"end of encryption":        {&shelf{}, encrypted(turn{end: errBroken}), "storage: encrypt: broken", []string{"create r1.zip.turned", "abort r1.zip.turned"}},
		"commit of the manifest":   {&shelf{commit: errBroken}, options(nil), "storage: manifest: broken", []string{"create r1.json", "create r1.manifest.json", "commit r1.manifest.json", "abort r1.json"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := storage.Create(t.Context(), test.dest, test.opts)
			if err == nil {
				fill(t, p)
				err = p.Commit(t.Context(), &storage.Manifest{})
			}
			require.EqualError(t, err, test.want)
			require.Equal(t, test.events, test.dest.events)
			require.Empty(t, test.dest.files)
		})
	}
}

// A destination that takes no more fails the package, wherever in it that is.
func TestPackageWriterFails(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{7}, storage.KeySize)
	for name, change := range map[string]func(*storage.PackageOptions){
		"JSON":               func(o *storage.PackageOptions) { o.Format = storage.JSON{} },
		"CSV":                func(*storage.PackageOptions) {},
		"CSV with a key":     func(o *storage.PackageOptions) { o.Key = key },
		"CSV for recipients": func(o *storage.PackageOptions) { o.Encrypter = turn{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			write := func(dest *shelf) error {
				opts := options(storage.CSV{})
				change(&opts)
				p, err := storage.Create(t.Context(), dest, opts)
				require.NoError(t, err)
				defer func() { _ = p.Abort() }()
				fill(t, p)
				scan := file("scan.jpg", strings.Repeat("x", 150_000))
				scan.Type = "image/jpeg"
				_, err = p.Attach(scan)
				require.NoError(t, err)
				return p.Commit(t.Context(), &storage.Manifest{})
			}
			whole := &shelf{}
			require.NoError(t, write(whole))
			size := 0
			for name, text := range whole.files {
				if !strings.HasSuffix(name, storage.ManifestSuffix) {
					size = len(text)
				}
			}
			require.Greater(t, size, 150_000)
			for _, room := range []int{1, 65_535, 65_536, 65_537, 131_072, size - 2, size - 1} {
				dest := &shelf{room: room}
				require.ErrorIs(t, write(dest), errBroken, "room for %d bytes", room)
				require.Empty(t, dest.files)
			}
		})
	}
}

func TestPackageOptions(t *testing.T) {
	t.Parallel()
	require.Equal(t, "r1.json", (&storage.PackageOptions{Name: "r1"}).FileName())
	require.Equal(t, "r1.zip.turned", (&storage.PackageOptions{Name: "r1", Format: storage.CSV{}, Encrypter: turn{}}).FileName())
	key := make([]byte, storage.KeySize)
	for _, test := range []struct {
		opts storage.PackageOptions
		want string
	}{
		{storage.PackageOptions{Key: key, Encrypter: turn{}}, "storage: a package is encrypted with a key or for recipients, not both"},
		{storage.PackageOptions{Key: key, Format: unkeyed{storage.JSON{}}}, "storage: packages with the extension .json cannot be encrypted with a key; ask for a passphrase or a public key"},
	} {
		require.EqualError(t, test.opts.Check(), test.want)
	}
	require.ErrorContains(t, (&storage.PackageOptions{Key: key[1:], Format: storage.CSV{}}).Check(), "storage: an encryption key has 16 bytes")
	require.NoError(t, (&storage.PackageOptions{Key: key, Format: storage.CSV{}}).Check())
}

// unkeyed is a format that cannot encrypt.
type unkeyed struct{ storage.Format }
