package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
)

// Credentials are a client's ID and its secret. They print without the secret
// under every verb, also as JSON: whoever hands them over takes the fields.
type Credentials struct {
	ID     string
	Secret string
}

// Format implements [fmt.Formatter] for every verb without the secret.
func (c Credentials) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "{client %q}", c.ID) }

// LogValue implements [slog.LogValuer] without the secret.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// MarshalJSON implements [json.Marshaler] without the secret.
func (c Credentials) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(c)) }

// secretHash is a salted SHA-256. A slow hash protects what people choose, from
// guessing; these secrets are 256 random bits, which nobody guesses however
// fast the hash is. The salt keeps equal secrets from having equal hashes.
type secretHash struct {
	Salt []byte `json:"salt"`
	Sum  []byte `json:"sha256"`
}

func hashSecret(salt []byte, secret string) secretHash {
	h := sha256.New()
	h.Write(salt)
	h.Write([]byte(secret))
	return secretHash{Salt: salt, Sum: h.Sum(nil)}
}

// is compares in constant time.
func (h secretHash) is(secret string) bool {
	return subtle.ConstantTimeCompare(hashSecret(h.Salt, secret).Sum, h.Sum) == 1
}

// newSecret returns 256 random bits and their hash.
func (s *Server) newSecret() (string, secretHash, error) {
	b, err := s.bytes(32 + 16)
	if err != nil {
		return "", secretHash{}, err
	}
	secret := base64.RawURLEncoding.EncodeToString(b[:32])
	return secret, hashSecret(b[32:], secret), nil
}
