package storage

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Encrypter encrypts whole packages while they are written, whatever their
// format and size. Package adapters/agecrypt has one.
type Encrypter interface {
	// Extension follows that of the format: ".age".
	Extension() string
	// Check reports why nothing can be encrypted for these recipients. The
	// error quotes none.
	Check(to *Recipients) error
	// Encrypt returns a writer of what is to be encrypted to w. Closing it
	// ends the encryption and does not close w.
	Encrypt(w io.Writer, to *Recipients) (io.WriteCloser, error)
}

// Recipients are those who can open a package: who knows the passphrase, or who
// has the private key that belongs to one of the public keys. It prints as
// [redacted] under every verb.
type Recipients struct {
	Passphrase string
	PublicKeys []string
}

// Format implements [fmt.Formatter] for every verb without showing a secret.
func (r Recipients) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// LogValue implements [slog.LogValuer] without showing a secret.
func (r Recipients) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalJSON implements [json.Marshaler] without showing a secret.
func (r Recipients) MarshalJSON() ([]byte, error) { return json.Marshal("[redacted]") }

const (
	// KeySize is the size of a key of a [KeyedFormat] in bytes.
	KeySize = 16
	// MaxKeyed is the size of the largest file that a [KeyedFormat]
	// encrypts, in bytes: it is held in memory until its end.
	MaxKeyed = 64 << 20
)

func checkKey(key []byte) error {
	if len(key) != KeySize {
		return fmt.Errorf("storage: an encryption key has %d bytes, this one has %d", KeySize, len(key))
	}
	return nil
}

// keyedWriter holds what is written and, when it is closed, encrypts it as
// Fides does: base64 of a nonce of 12 bytes, the ciphertext and the tag of
// AES-GCM, whose additional data is the nonce. It is then ready for the next
// file, for which its memory is used again.
type keyedWriter struct {
	w     io.Writer // nil between files
	aead  cipher.AEAD
	plain []byte
	err   error
}

// newKeyedWriter returns one that writes to w; with nil, start says later where
// to.
func newKeyedWriter(w io.Writer, key []byte) (*keyedWriter, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("storage: encrypt: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("storage: encrypt: %w", err)
	}
	return &keyedWriter{w: w, aead: aead}, nil
}

// start begins a file. The one before was closed.
func (k *keyedWriter) start(w io.Writer) { k.w, k.plain = w, k.plain[:0] }

// errTooLarge names the way out.
var errTooLarge = fmt.Errorf("storage: a file of the package has more than %d MiB, too many to be encrypted with a key in one piece; ask for a passphrase or a public key, which encrypt any size", MaxKeyed>>20)

var errKeyedClosed = errors.New("storage: encrypt: the writer is closed")

// Write implements io.Writer.
func (k *keyedWriter) Write(p []byte) (int, error) {
	switch {
	case k.err != nil:
		return 0, k.err
	case k.w == nil:
		return 0, errKeyedClosed
	case len(k.plain)+len(p) > MaxKeyed:
		k.err, k.plain = errTooLarge, nil
		return 0, k.err
	}
	k.grow(len(p))
	k.plain = append(k.plain, p...)
	return len(p), nil
}

// smallFile is the size up to which a file is held in as little memory as it
// needs, in bytes.
const smallFile = 1 << 20

// grow makes room for n more bytes and the tag. What outgrows a small file gets
// all that a file may need at once: a system gives memory when it is written
// to, while a copy at every doubling would need half as much again, and so
// would a tag without room.
func (k *keyedWriter) grow(n int) {
	need := len(k.plain) + n + k.aead.Overhead()
	if need <= cap(k.plain) {
		return
	}
	size := max(need, min(2*cap(k.plain), smallFile), bufferSize)
	if size > smallFile {
		size = MaxKeyed + k.aead.Overhead()
	}
	k.plain = append(make([]byte, 0, size), k.plain...)
}

// Close encrypts what was written and writes it. It does nothing between files.
func (k *keyedWriter) Close() error {
	if k.err != nil || k.w == nil {
		return k.err
	}
	nonce := make([]byte, k.aead.NonceSize())
	_, _ = rand.Read(nonce) // It never fails.
	k.plain = k.aead.Seal(k.plain[:0], nonce, k.plain, nonce)
	buf := bufio.NewWriterSize(k.w, bufferSize) // the encoder writes in small pieces
	enc := base64.NewEncoder(base64.StdEncoding, buf)
	for _, part := range [][]byte{nonce, k.plain} {
		if _, k.err = enc.Write(part); k.err != nil {
			return k.err
		}
	}
	k.w = nil
	k.err = errors.Join(enc.Close(), buf.Flush())
	return k.err
}
