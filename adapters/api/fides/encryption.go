package fides

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"unicode/utf8"

	"github.com/godsr/dsr/adapters/api/oauth"
)

const tagEncryption = "Encryption"

// keyBytes is how long the keys of AES are that Fides takes.
const keyBytes = 16

// encryptionRoutes encrypt as packages of Fides are encrypted, for scripts that
// check whether they can decrypt those.
func (d *Door) encryptionRoutes() []route {
	scopes := []string{oauth.ScopeEncryptionExec}
	return []route{
		{
			method: "GET", path: "/cryptography/encryption/key", scopes: scopes,
			id: "get_encryption_key", summary: "A new random key of 16 characters", tag: tagEncryption, call: typed(d.newKey),
		},
		{
			method: "PUT", path: "/cryptography/encryption/aes/encrypt", scopes: scopes,
			id: "aes_encrypt", summary: "Encrypt a text with AES-128-GCM", tag: tagEncryption, call: typed(d.encrypt),
		},
		{
			method: "PUT", path: "/cryptography/encryption/aes/decrypt", scopes: scopes,
			id: "aes_decrypt", summary: "Decrypt a text", tag: tagEncryption, errors: []int{http.StatusBadRequest}, call: typed(d.decrypt),
		},
	}
}

// newKey has 96 random bits, in 16 characters that can be typed. (The key that
// Fides makes has 32, which its own encryption refuses.)
func (d *Door) newKey(context.Context, *struct{}) (*string, error) {
	random := make([]byte, keyBytes/4*3)
	if _, err := rand.Read(random); err != nil {
		return nil, err
	}
	key := base64.RawURLEncoding.EncodeToString(random)
	return &key, nil
}

type encryptInput struct {
	Body struct {
		Value string `json:"value"`
		Key   string `json:"key" doc:"16 bytes."`
	}
}

type decryptInput struct {
	Body struct {
		Value string `json:"value" doc:"In base64."`
		Key   string `json:"key" doc:"16 bytes."`
		Nonce string `json:"nonce" doc:"12 bytes in base64."`
	}
}

func (in *encryptInput) check() []fault { return checkAESKey(in.Body.Key) }

func (in *decryptInput) check() []fault { return checkAESKey(in.Body.Key) }

func checkAESKey(key string) []fault {
	if len(key) == keyBytes {
		return nil
	}
	return []fault{valueFault("Encryption key must be 16 bytes long", "body", "key")}
}

// encrypted is a text and what it was encrypted with.
type encrypted struct {
	Value string `json:"encrypted_value"`
	Nonce string `json:"nonce"`
}

type decrypted struct {
	Value string `json:"decrypted_value"`
}

// gcm is AES-GCM. Whoever calls it gives the nonce as additional data, too, as Fides
// does.
func gcm(key string) (cipher.AEAD, error) {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (d *Door) encrypt(_ context.Context, in *encryptInput) (*encrypted, error) {
	aead, err := gcm(in.Body.Key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	sealed := aead.Seal(nil, nonce, []byte(in.Body.Value), nonce)
	return &encrypted{base64.StdEncoding.EncodeToString(sealed), base64.StdEncoding.EncodeToString(nonce)}, nil
}

func (d *Door) decrypt(_ context.Context, in *decryptInput) (*decrypted, error) {
	aead, err := gcm(in.Body.Key)
	if err != nil {
		return nil, err
	}
	nonce, err := base64.StdEncoding.DecodeString(in.Body.Nonce)
	if err != nil || len(nonce) != aead.NonceSize() {
		return nil, invalid(valueFault("Nonce must be 12 bytes long, in base64", "body", "nonce"))
	}
	sealed, err := base64.StdEncoding.DecodeString(in.Body.Value)
	if err != nil {
		return nil, invalid(valueFault("the value is no base64", "body", "value"))
	}
	plain, err := aead.Open(nil, nonce, sealed, nonce)
	if err != nil || !utf8.Valid(plain) {
		return nil, refuse(http.StatusBadRequest, "The value was not encrypted with this key and nonce")
	}
	return &decrypted{string(plain)}, nil
}
