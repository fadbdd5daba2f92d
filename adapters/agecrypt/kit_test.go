package agecrypt_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/godsr/dsr/adapters/agecrypt"
	"github.com/godsr/dsr/storage"
)

const passphrase = "correct horse battery staple"

// quick stretches passphrases for tests.
func quick() *agecrypt.Encrypter { return agecrypt.New(&agecrypt.Options{WorkFactor: 10}) }

// holder has a public key, and what opens with it.
type holder struct {
	public  string
	private age.Identity
}

func x25519Holder(t *testing.T) holder {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return holder{id.Recipient().String(), id}
}

func hybridHolder(t *testing.T) holder {
	t.Helper()
	id, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	return holder{id.Recipient().String(), id}
}

func authorized(t *testing.T, public any) string {
	t.Helper()
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func ed25519Holder(t *testing.T) holder {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	id, err := agessh.NewEd25519Identity(private)
	require.NoError(t, err)
	return holder{authorized(t, public), id}
}

func rsaHolder(t *testing.T, bits int) holder {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	id, err := agessh.NewRSAIdentity(private)
	require.NoError(t, err)
	return holder{authorized(t, &private.PublicKey), id}
}

func knower(t *testing.T, passphrase string) age.Identity {
	t.Helper()
	id, err := age.NewScryptIdentity(passphrase)
	require.NoError(t, err)
	return id
}

// open opens a file as age does.
func open(file []byte, id age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(file), id)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// seal encrypts plain text in pieces.
func seal(t *testing.T, e *agecrypt.Encrypter, to *storage.Recipients, plain []byte) []byte {
	t.Helper()
	require.NoError(t, e.Check(to))
	var out bytes.Buffer
	w, err := e.Encrypt(&out, to)
	require.NoError(t, err)
	for len(plain) > 0 {
		n := min(1000, len(plain))
		_, err := w.Write(plain[:n])
		require.NoError(t, err)
		plain = plain[n:]
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

// deliver writes a package to a folder and returns its bytes, and the manifest.
func deliver(t *testing.T, format storage.Format, e storage.Encrypter, to *storage.Recipients) ([]byte, *storage.Manifest) {
	t.Helper()
	dir := t.TempDir()
	p, err := storage.Create(t.Context(), storage.NewFolder(dir, nil), storage.PackageOptions{
		Name: "r1", Format: format, About: &storage.About{RequestID: "r1"}, Encrypter: e, To: to,
	})
	require.NoError(t, err)
	require.NoError(t, p.Collection(&storage.Collection{Dataset: "shop", Name: "customer", Columns: []storage.Column{{Path: []string{"note"}}}}))
	for range 50 {
		require.NoError(t, p.Row([]byte(`{"note":"`+strings.Repeat("żółć ", 1000)+`"}`)))
	}
	_, err = p.Attach(&storage.Attachment{Name: "photo.jpg", Type: "image/jpeg", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(strings.Repeat("\x00\xff", 70_000))), nil
	}})
	require.NoError(t, err)
	m := &storage.Manifest{RequestID: "r1"}
	require.NoError(t, p.Commit(t.Context(), m))
	data, err := os.ReadFile(filepath.Join(dir, m.Package))
	require.NoError(t, err)
	return data, m
}
