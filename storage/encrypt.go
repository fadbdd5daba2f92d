package storage

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
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
	Passphrase string   `json:"passphrase,omitempty"`
	PublicKeys []string `json:"public_keys,omitempty"`
}

// Format implements [fmt.Formatter] for every verb without showing a secret.
func (r Recipients) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// LogValue implements [slog.LogValuer] without showing a secret.
func (r Recipients) LogValue() slog.Value { return slog.StringValue("[redacted]") }

const (
	// KeySize is the size of a key of a [KeyedFormat] in bytes.
	KeySize = 16
	// MaxKeyed is the size of the largest file that a [KeyedFormat]
	// encrypts, in bytes: it is held in memory until its end.
	MaxKeyed = 64 << 20
)

var errKeySize = fmt.Errorf("storage: an encryption key has %d bytes", KeySize)

func checkKey(key []byte) error {
	if len(key) != KeySize {
		return errKeySize
	}
	return nil
}

// keyedWriter holds what is written and, when it is closed, encrypts it as
// Fides does: base64 of a nonce of 12 bytes, the ciphertext and the tag of
// AES-GCM, whose additional data is the nonce.
type keyedWriter struct {
	w     io.Writer
	aead  cipher.AEAD
	plain []byte
	err   error
}

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

// errTooLarge names the way out.
var errTooLarge = fmt.Errorf("storage: a file of the package has more than %d MiB, too many to be encrypted with a key in one piece; ask for a passphrase or a public key, which encrypt any size", MaxKeyed>>20)

// Write implements io.Writer.
func (k *keyedWriter) Write(p []byte) (int, error) {
	if k.err == nil && len(k.plain)+len(p) > MaxKeyed {
		k.err, k.plain = errTooLarge, nil
	}
	if k.err != nil {
		return 0, k.err
	}
	k.plain = append(k.plain, p...)
	return len(p), nil
}

// Close encrypts and writes.
func (k *keyedWriter) Close() error {
	if k.err != nil {
		return k.err
	}
	k.err = errors.New("storage: encrypt: the writer is closed")
	nonce := make([]byte, k.aead.NonceSize())
	_, _ = rand.Read(nonce) // It never fails.
	sealed := k.aead.Seal(k.plain[:0], nonce, k.plain, nonce)
	k.plain = nil
	enc := base64.NewEncoder(base64.StdEncoding, k.w)
	for _, part := range [][]byte{nonce, sealed} {
		if _, err := enc.Write(part); err != nil {
			return err
		}
	}
	return enc.Close()
}
