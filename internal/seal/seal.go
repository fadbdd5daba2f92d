// Package seal encrypts what is personal before it leaves memory: small blobs
// with [Seal] and [Open], streams with [NewWriter] and [NewReader]. Both use
// AES-256-GCM and tie the result to a context, so that a sealed thing opens
// only in the place it was made for.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"io"
	"strconv"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// ErrOpen: the data was not sealed with this key for this context, or it was
// changed, cut off or extended since. Which of them is not told.
var ErrOpen = errors.New("seal: cannot be opened with this key in this context")

const (
	// versionBlob and versionStream are the first byte of what they seal.
	versionBlob   = 1
	versionStream = 2

	nonceSize = 12
	tagSize   = 16
)

// Overhead is how many bytes longer a sealed blob is than its plaintext.
const Overhead = 1 + nonceSize + tagSize

// Seal encrypts plaintext under a key of [KeySize] bytes, bound to a context
// that [Open] must be given again. The nonce is drawn from random, so that one
// key should not seal more than some billion blobs.
func Seal(random io.Reader, key, plaintext, bound []byte) ([]byte, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 1+nonceSize, Overhead+len(plaintext))
	out[0] = versionBlob
	if _, err := io.ReadFull(random, out[1:]); err != nil {
		return nil, errors.New("seal: no randomness for a nonce")
	}
	return aead.Seal(out, out[1:1+nonceSize], plaintext, bound), nil
}

// Open reverses [Seal]. The error is [ErrOpen] unless the key has a wrong
// length.
func Open(key, sealed, bound []byte) ([]byte, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < Overhead || sealed[0] != versionBlob {
		return nil, ErrOpen
	}
	nonce, ciphertext := sealed[1:1+nonceSize], sealed[1+nonceSize:]
	plaintext, err := aead.Open(make([]byte, 0, len(ciphertext)-tagSize), nonce, ciphertext, bound)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != KeySize {
		return nil, errors.New("seal: a key has " + strconv.Itoa(KeySize) + " bytes, not " + strconv.Itoa(len(key)))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
