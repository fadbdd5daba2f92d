package dsr_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// lockbox is an encrypter: a line says whom it is for, and every byte behind it
// is turned round.
type lockbox struct{ fault error }

func (lockbox) Extension() string { return ".age" }

func (l lockbox) Check(to *storage.Recipients) error {
	if to.Passphrase == "short" {
		return errors.New("lockbox: the passphrase is too short")
	}
	return nil
}

func (l lockbox) Encrypt(w io.Writer, to *storage.Recipients) (io.WriteCloser, error) {
	if l.fault != nil {
		return nil, l.fault
	}
	_, err := io.WriteString(w, lockOf(*to))
	return lock{w}, err
}

func lockOf(to storage.Recipients) string {
	return fmt.Sprintf("%x\n", sha256.Sum256([]byte(to.Passphrase+"\n"+strings.Join(to.PublicKeys, "\n"))))
}

type lock struct{ w io.Writer }

func (l lock) Write(p []byte) (int, error) {
	turned := bytes.Clone(p)
	for i := range turned {
		turned[i] ^= 0xff
	}
	return l.w.Write(turned)
}

func (lock) Close() error { return nil }

// unlock opens what a lockbox closed for exactly these.
func unlock(t testing.TB, file string, to storage.Recipients) string {
	t.Helper()
	head := lockOf(to)
	require.True(t, strings.HasPrefix(file, head), "it is encrypted for others, or not at all")
	var plain bytes.Buffer
	_, err := lock{&plain}.Write([]byte(file[len(head):]))
	require.NoError(t, err)
	return plain.String()
}

// unkey opens what was encrypted with a key.
func unkey(t testing.TB, file string, key []byte) string {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(file)
	require.NoError(t, err)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	plain, err := aead.Open(nil, data[:12], data[12:], data[:12])
	require.NoError(t, err)
	return string(plain)
}

// keyless is a format that cannot encrypt by itself.
type keyless struct{ storage.Format }

func (keyless) Extension() string { return ".zip" }

var (
	subjectKey = []byte("CANARY--16 bytes")
	secrets    = map[string]dsr.Encryption{
		"key":         {Key: subjectKey},
		"passphrase":  {Passphrase: "CANARY passphrase"},
		"public keys": {PublicKeys: []string{"CANARY one", "CANARY two"}},
	}
)

// destined changes the destination of an office.
func destined(change func(*dsr.Destination)) func(*dsr.Config) {
	return func(c *dsr.Config) {
		c.Encrypter = lockbox{}
		d := c.Destinations["folder"]
		change(&d)
		c.Destinations["folder"] = d
	}
}

// encrypted is a submission of Ada's.
func encrypted(policy string, e dsr.Encryption) dsr.Submission {
	s := submission(policy, "ada@example.com")
	s.Encryption = e
	return s
}

// opened opens the package of r1, whichever way it was encrypted for her.
func (o *office) opened(t testing.TB, name string, e dsr.Encryption, more ...string) string {
	t.Helper()
	file := o.packages.file(name)
	require.NotEmpty(t, file)
	require.NotContains(t, file, "ada@example.com")
	if e.Key != nil {
		return unkey(t, file, e.Key)
	}
	return unlock(t, file, storage.Recipients{Passphrase: e.Passphrase, PublicKeys: slices.Concat(more, e.PublicKeys)})
}

// A package opens to exactly what is written without encryption, and what is
// told of it is told of the encrypted file.
func TestPackagesAreEncrypted(t *testing.T) {
	t.Parallel()
	plain := newOffice(t, dsr.Flow{}, nil)
	plain.submitted(t, submission("both", "ada@example.com"))
	plain.advanced(t, "r1", dsr.StatusComplete)
	want := plain.packages.file("r1.json")
	require.Contains(t, want, "ada@example.com")

	secrets := map[string]dsr.Encryption{"key": secrets["key"], "passphrase": secrets["passphrase"], "public keys": secrets["public keys"], "": {}}
	for _, c := range []struct {
		way, name string
		format    storage.Format
		own       []string
	}{
		{"key", "r1.json", nil, nil},
		{"passphrase", "r1.json.age", nil, nil},
		{"passphrase", "r1.zip.age", keyless{storage.JSON{}}, nil},
		{"public keys", "r1.json.age", storage.JSON{}, nil},
		{"public keys", "r1.zip.age", keyless{storage.JSON{}}, []string{"officer"}},
		{"", "r1.json.age", nil, []string{"officer", "auditor"}},
	} {
		o := newOffice(t, dsr.Flow{}, destined(func(d *dsr.Destination) { d.Format, d.PublicKeys = c.format, c.own }))
		o.submitted(t, encrypted("both", secrets[c.way]))
		req := o.advanced(t, "r1", dsr.StatusComplete)
		require.ElementsMatch(t, []string{c.name, "r1.manifest.json"}, o.packages.names())
		require.Equal(t, want, o.opened(t, c.name, secrets[c.way], c.own...), c.name)

		file := o.packages.file(c.name)
		var m storage.Manifest
		require.NoError(t, json.Unmarshal([]byte(o.packages.file("r1.manifest.json")), &m))
		require.Equal(t, c.name, m.Package)
		require.Equal(t, int64(len(file)), m.Bytes)
		require.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte(file))), m.SHA256)
		require.Equal(t, []dsr.PackageOutcome{{
			Rule: "access", Destination: "folder", Name: c.name, Manifest: "r1.manifest.json", Bytes: m.Bytes, SHA256: m.SHA256, Rows: m.Rows,
		}}, req.Packages)
	}
}

// The host changing its list of keys afterwards changes nothing.
func TestDestinationKeysAreCopied(t *testing.T) {
	t.Parallel()
	own := []string{"officer"}
	o := newOffice(t, dsr.Flow{}, destined(func(d *dsr.Destination) { d.PublicKeys = own }))
	own[0] = "thief"
	o.submitted(t, encrypted("access", dsr.Encryption{}))
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Contains(t, o.opened(t, "r1.json.age", dsr.Encryption{}, "officer"), "ada@example.com")
}

// What cannot be encrypted as asked for is refused at once, and stores nothing.
func TestEncryptionThatCannotBeHonouredIsRefused(t *testing.T) {
	t.Parallel()
	const always, package1 = "dsr: error: submission: its packages cannot be encrypted: ", `dsr: error: submission: the package of rule "access" cannot be encrypted: `
	none := func(*dsr.Destination) {}
	html := func(d *dsr.Destination) { d.Format = keyless{storage.JSON{}} }
	locked := func(d *dsr.Destination) { d.PublicKeys = []string{"officer"} }
	unable := func(c *dsr.Config) { c.Encrypter = nil }
	pass, key, public := "CANARY passphrase", subjectKey, []string{"CANARY"}
	for name, c := range map[string]struct {
		change     func(*dsr.Config)
		policy     string
		encryption dsr.Encryption
		want       string
	}{
		"key and passphrase":      {nil, "both", dsr.Encryption{Key: key, Passphrase: pass}, always + "of an encryption key, a passphrase and public keys only one can be given"},
		"key and public keys":     {nil, "both", dsr.Encryption{Key: key, PublicKeys: public}, always + "of an encryption key, a passphrase and public keys only one can be given"},
		"passphrase and public":   {nil, "both", dsr.Encryption{Passphrase: pass, PublicKeys: public}, always + "of an encryption key, a passphrase and public keys only one can be given"},
		"no package anyway":       {nil, "erase", dsr.Encryption{Key: key, Passphrase: pass, PublicKeys: public}, always + "of an encryption key, a passphrase and public keys only one can be given"},
		"key of 15":               {nil, "both", dsr.Encryption{Key: key[:15]}, always + "an encryption key has 16 bytes, this one has 15"},
		"key of 32":               {nil, "both", dsr.Encryption{Key: slices.Concat(key, key)}, always + "an encryption key has 16 bytes, this one has 32"},
		"key of nothing":          {nil, "both", dsr.Encryption{Key: []byte{}}, always + "an encryption key has 16 bytes, this one has 0"},
		"passphrase that is long": {nil, "both", dsr.Encryption{Passphrase: strings.Repeat("CANARY", 200)}, always + "the passphrase has more than 1000 bytes"},
		"passphrase of bytes":     {nil, "both", dsr.Encryption{Passphrase: "CANARY\xff"}, always + "the passphrase is not valid UTF-8 text"},
		"public key of bytes":     {nil, "both", dsr.Encryption{PublicKeys: []string{"CANARY", "CANARY\xff"}}, always + "public key 2 of 2 has more than 8000 bytes, or is not valid UTF-8 text"},
		"public key that is long": {nil, "both", dsr.Encryption{PublicKeys: []string{strings.Repeat("CANARY", 2000)}}, always + "public key 1 of 1 has more than 8000 bytes, or is not valid UTF-8 text"},
		"public keys in numbers":  {nil, "both", dsr.Encryption{PublicKeys: slices.Repeat(public, 101)}, always + "there are more than 100 public keys"},
		"key for HTML":            {destined(html), "both", dsr.Encryption{Key: key}, package1 + "packages with the extension .zip cannot be encrypted with a key; ask for a passphrase or a public key"},
		"passphrase, unable":      {unable, "both", dsr.Encryption{Passphrase: pass}, package1 + "a passphrase and public keys need Config.Encrypter, such as that of adapters/agecrypt"},
		"public key, unable":      {unable, "access", dsr.Encryption{PublicKeys: public}, package1 + "a passphrase and public keys need Config.Encrypter, such as that of adapters/agecrypt"},
		"refused by encrypter":    {destined(none), "both", dsr.Encryption{Passphrase: "short"}, package1 + "lockbox: the passphrase is too short"},
		"key, locked":             {destined(locked), "both", dsr.Encryption{Key: key}, package1 + "its destination encrypts for public keys of its own, which excludes an encryption key and a passphrase; ask for a public key, or for nothing"},
		"passphrase, locked":      {destined(locked), "both", dsr.Encryption{Passphrase: pass}, package1 + "its destination encrypts for public keys of its own, which excludes an encryption key and a passphrase; ask for a public key, or for nothing"},
		"each package": {func(c *dsr.Config) {
			destined(none)(c)
			first, second := accessRule(), accessRule()
			first.Key, second.Key, first.Destination, second.Destination = "first", "second", "html", "locked"
			c.Policies = append(c.Policies, graph.Policy{Key: "several", Rules: []graph.Rule{first, second}})
			c.Destinations["html"] = dsr.Destination{Storage: c.Destinations["folder"].Storage, Format: keyless{storage.JSON{}}}
			c.Destinations["locked"] = dsr.Destination{Storage: c.Destinations["folder"].Storage, PublicKeys: []string{"officer"}}
			for i := range c.Policies[:3] {
				c.Policies[i].Rules = slices.Clone(c.Policies[i].Rules)
				for j := range c.Policies[i].Rules {
					if c.Policies[i].Rules[j].Action == graph.Access {
						c.Policies[i].Rules[j].Destination = "folder"
					}
				}
			}
		}, "several", dsr.Encryption{Key: key}, `dsr: 2 faults:
	error: submission: the package of rule "first" cannot be encrypted: packages with the extension .zip cannot be encrypted with a key; ask for a passphrase or a public key
	error: submission: the package of rule "second" cannot be encrypted: its destination encrypts for public keys of its own, which excludes an encryption key and a passphrase; ask for a public key, or for nothing`},
	} {
		change := c.change
		if change == nil {
			change = destined(none)
		}
		o := newOffice(t, dsr.Flow{}, change)
		req, err := o.Submit(t.Context(), encrypted(c.policy, c.encryption))
		require.EqualError(t, err, c.want, name)
		require.Nil(t, req)
		require.NotContains(t, err.Error(), canary)
		require.NotContains(t, o.logs.String(), canary)
		require.Zero(t, o.commits.Load(), name)
		require.Empty(t, o.packages.names())
		require.Empty(t, o.notifier.Notices())
	}
	// An erasure has no package.
	o := newOffice(t, dsr.Flow{}, nil)
	o.submitted(t, encrypted("erase", dsr.Encryption{Passphrase: pass}))
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Empty(t, o.packages.names())

	config := o.config
	destined(locked)(&config)
	config.Encrypter = nil
	_, err := dsr.New(config)
	require.ErrorContains(t, err, `destination "folder": PublicKeys: a passphrase and public keys need Config.Encrypter, such as that of adapters/agecrypt`)
}

// tapped is a destination that keeps every byte that was ever written to it.
type tapped struct {
	storage.Destination
	mu  sync.Mutex
	all bytes.Buffer
}

func (d *tapped) Create(ctx context.Context, name string) (storage.Upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	up, err := d.Destination.Create(ctx, name)
	return &tappedUpload{up, d, strings.HasSuffix(name, storage.ManifestSuffix)}, err
}

type tappedUpload struct {
	storage.Upload
	dest     *tapped
	manifest bool
}

func (u *tappedUpload) Write(p []byte) (int, error) {
	u.dest.mu.Lock()
	if !u.manifest {
		u.dest.all.Write(p)
	}
	u.dest.mu.Unlock()
	return u.Upload.Write(p)
}

// restart begins again with what is stored, under another configuration.
func (o *office) restart(t testing.TB, change func(*dsr.Config)) {
	t.Helper()
	config := o.config
	change(&config)
	o.engine = newEngine(t, config)
	o.Requests = o.engine.Requests()
}

// An encryption that a restarted service cannot honour fails the request: not
// one byte goes out in the clear. It goes on when the service can again.
func TestNothingIsWrittenInTheClearAfterRestart(t *testing.T) {
	t.Parallel()
	const unable = "a passphrase and public keys need Config.Encrypter, such as that of adapters/agecrypt"
	html := destined(func(d *dsr.Destination) { d.Format = keyless{storage.JSON{}} })
	for _, c := range []struct {
		way, point string
		change     func(*dsr.Config)
		want       string
	}{
		{"passphrase", "", func(c *dsr.Config) { c.Encrypter = nil }, unable},
		{"public keys", "", func(c *dsr.Config) { c.Encrypter = nil }, unable},
		{"passphrase", "at deliver", func(c *dsr.Config) { c.Encrypter = nil }, unable},
		{"passphrase", "", func(c *dsr.Config) { c.Encrypter = lockbox{errors.New("lockbox: broken")} }, "lockbox: broken"},
		{"key", "at deliver", html, "storage: packages with the extension .zip cannot be encrypted with a key; ask for a passphrase or a public key"},
		{"key", "", html, "storage: packages with the extension .zip cannot be encrypted with a key; ask for a passphrase or a public key"},
	} {
		tap := &tapped{}
		o := newOffice(t, dsr.Flow{}, destined(func(d *dsr.Destination) { tap.Destination, d.Storage = d.Storage, tap }))
		before := o.config.Destinations["folder"]
		o.submitted(t, encrypted("both", secrets[c.way]))
		if c.point != "" {
			ctx, cancel := context.WithCancel(t.Context())
			ctx, hit := at(ctx, c.point, cancel)
			_, err := o.Advance(ctx, "r1")
			require.ErrorIs(t, err, context.Canceled)
			require.True(t, *hit)
		}
		o.restart(t, c.change)
		_, err := o.Advance(t.Context(), "r1")
		var failed *dsr.FailedError
		require.ErrorAs(t, err, &failed)
		require.EqualError(t, failed.Err, `package of rule "access": `+c.want)
		o.requireStatus(t, "r1", dsr.StatusError)
		_, err = retry(t, o.engine, "r1")
		require.ErrorAs(t, err, &failed, "it fails as long as the fault is there")
		require.Zero(t, tap.all.Len(), "nothing was written")
		require.Empty(t, o.packages.names())
		require.Zero(t, o.db().applied(), "and nothing was erased")

		o.restart(t, func(c *dsr.Config) { c.Destinations["folder"] = before })
		req, err := retry(t, o.engine, "r1")
		require.NoError(t, err)
		require.Equal(t, dsr.StatusComplete, req.Status)
		require.Contains(t, o.opened(t, req.Packages[0].Name, secrets[c.way]), "ada@example.com")
		require.NotContains(t, tap.all.String(), "ada@example.com")
	}
}

// Whoever goes over a request again finds the same encryption.
func TestEncryptionOutlivesRetryAndResubmission(t *testing.T) {
	t.Parallel()
	for way, e := range secrets {
		for _, again := range []string{"retry", "resubmit"} {
			tap := &tapped{}
			o := newOffice(t, dsr.Flow{Approval: true}, destined(func(d *dsr.Destination) { tap.Destination, d.Storage = d.Storage, tap }))
			o.submitted(t, encrypted("access", e))
			o.done(t, o.Approve, "r1", dsr.StatusApproved)
			o.packages.err = errors.New("disk full")
			_, err := o.Advance(t.Context(), "r1")
			require.ErrorContains(t, err, "disk full")
			require.Empty(t, o.packages.names())
			o.packages.err = nil
			if again == "retry" {
				_, err = o.Retry(t.Context(), "r1", clerk)
				require.NoError(t, err)
			} else {
				_, err = o.Resubmit(t.Context(), "r1", clerk)
				require.NoError(t, err)
				o.done(t, o.Approve, "r1", dsr.StatusApproved)
			}
			req := o.advanced(t, "r1", dsr.StatusComplete)
			require.Contains(t, o.opened(t, req.Packages[0].Name, e), "ada@example.com", "%s %s", way, again)
			require.NotContains(t, tap.all.String(), "ada@example.com")
		}
	}
}

// attachment is a file of so many zeros.
func attachment(size *int64) func(context.Context, *dsr.Request, string) ([]*storage.Attachment, error) {
	return func(context.Context, *dsr.Request, string) ([]*storage.Attachment, error) {
		return []*storage.Attachment{{Name: "film", Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(io.LimitReader(nothings{}, *size)), nil
		}}}, nil
	}
}

type nothings struct{}

func (nothings) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A package that is too large for a key fails before a byte of it is written.
// Once its files are smaller, a retry delivers it. Otherwise the request has to be made anew with a passphrase or a
// public key: its encryption cannot be changed.
func TestPackageTooLargeForKeyFails(t *testing.T) {
	t.Parallel()
	size := int64(49 << 20)
	tap := &tapped{}
	o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
		destined(func(d *dsr.Destination) { tap.Destination, d.Storage = d.Storage, tap })(c)
		c.Attachments = attachment(&size)
	})
	o.submitted(t, encrypted("both", secrets["key"]))
	_, err := o.Advance(t.Context(), "r1")
	require.ErrorContains(t, err, "a file of the package has more than 64 MiB, too many to be encrypted with a key in one piece; ask for a passphrase or a public key, which encrypt any size")
	require.Equal(t, 1, strings.Count(err.Error(), "64 MiB"))
	o.requireStatus(t, "r1", dsr.StatusError)
	require.Empty(t, o.packages.names())
	require.Zero(t, tap.all.Len())
	require.Zero(t, o.db().applied())
	size = 1 << 10
	req, err := retry(t, o.engine, "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Contains(t, o.opened(t, "r1.json", secrets["key"]), `"size":1024`)
}
