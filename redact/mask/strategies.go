package mask

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/godsr/dsr/internal/value"
)

type nullRewrite struct{}

func (nullRewrite) Mask(any) (any, error) { return nil, nil }
func (nullRewrite) Effect() Effect        { return Effect{Null: true, Constant: true} }

type preserve struct{}

func (preserve) Mask(v any) (any, error) { return v, nil }
func (preserve) Effect() Effect          { return Effect{Keeps: true} }

// text is a strategy that writes text.
type text struct {
	name   string
	suffix string
	// length of what rewrite writes, 0 when that depends on the value.
	length   int
	constant bool
	rewrite  func(string) (string, error)
}

func (t *text) Effect() Effect {
	e := Effect{Text: true, Constant: t.constant}
	if t.length > 0 || t.constant {
		e.Length = t.length + utf8.RuneCountInString(t.suffix)
	}
	return e
}

func (t *text) Mask(v any) (any, error) {
	switch x := v.(type) {
	case nil:
		return nil, nil
	case string:
		return t.write(x)
	case int64:
		return t.write(strconv.FormatInt(x, 10))
	case bool:
		return t.write(strconv.FormatBool(x))
	case float64:
		return t.write(strconv.FormatFloat(x, 'f', -1, 64))
	case json.Number:
		return t.write(string(x))
	case time.Time:
		return t.write(timeText(x))
	case []any:
		list := make([]any, len(x))
		for i, e := range x {
			m, err := t.Mask(e)
			if err != nil {
				return nil, err
			}
			list[i] = m
		}
		return list, nil
	case []byte, map[string]any:
		return nil, &TypeError{Strategy: t.name, Type: fmt.Sprintf("%T", v)}
	}
	n, err := value.Normalize(v)
	if err != nil {
		return nil, &TypeError{Strategy: t.name, Type: fmt.Sprintf("%T", v)}
	}
	return t.Mask(n)
}

func (t *text) write(s string) (any, error) {
	m, err := t.rewrite(s)
	if err != nil {
		return nil, err
	}
	return m + t.suffix, nil
}

// timeText is how Python, and so Fides, writes a time without a zone.
func timeText(t time.Time) string {
	t = t.UTC()
	switch ns := t.Nanosecond(); {
	case ns == 0:
		return t.Format(time.DateTime)
	case ns%1000 == 0:
		return t.Format(time.DateTime + ".000000")
	}
	return t.Format(time.DateTime + ".000000000")
}

func readStringRewrite(c *config) builder {
	rewrite, suffix := c.required("rewrite_value"), c.suffix()
	return func(*keychain) (Strategy, error) {
		return &text{
			name: StringRewrite, suffix: suffix,
			length: utf8.RuneCountInString(rewrite), constant: true,
			rewrite: func(string) (string, error) { return rewrite, nil },
		}, nil
	}
}

func readRandom(c *config) builder {
	length, suffix := c.length("length"), c.suffix()
	return func(k *keychain) (Strategy, error) {
		random := rand.Reader
		if r, ok := k.secrets.(Random); ok {
			random = r.Random()
		}
		return &text{
			name: RandomStringRewrite, suffix: suffix, length: length,
			rewrite: func(string) (string, error) { return randomText(random, length) },
		}, nil
	}
}

// randomText draws characters of [a-z0-9], all equally likely.
func randomText(random io.Reader, length int) (string, error) {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	const fair = 256 - 256%len(alphabet)
	out := make([]byte, 0, length)
	drawn := make([]byte, length)
	for len(out) < length {
		drawn = drawn[:length-len(out)]
		if _, err := io.ReadFull(random, drawn); err != nil {
			return "", fmt.Errorf("mask: no randomness for %s: %w", RandomStringRewrite, err)
		}
		for _, b := range drawn {
			if int(b) < fair {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out), nil
}

func readHash(c *config) builder {
	sum, suffix := c.algorithm(), c.suffix()
	return func(k *keychain) (Strategy, error) {
		salt, err := k.secret("salt")
		if err != nil {
			return nil, err
		}
		return &text{
			name: Hash, suffix: suffix, length: hex.EncodedLen(sum().Size()),
			rewrite: func(s string) (string, error) { return digest(sum(), s, salt), nil },
		}, nil
	}
}

func readHMAC(c *config) builder {
	sum, suffix := c.algorithm(), c.suffix()
	return func(k *keychain) (Strategy, error) {
		secret, err := k.secretsOf("key", "salt")
		if err != nil {
			return nil, err
		}
		return &text{
			name: HMAC, suffix: suffix, length: hex.EncodedLen(sum().Size()),
			rewrite: func(s string) (string, error) {
				return digest(hmac.New(sum, secret["key"]), s, secret["salt"]), nil
			},
		}, nil
	}
}

// algorithm reads the hash function of hash and hmac.
func (c *config) algorithm() func() hash.Hash {
	if c.choice("algorithm", "SHA-256", "SHA-512") == "SHA-512" {
		return sha512.New
	}
	return sha256.New
}

func digest(h hash.Hash, s string, salt []byte) string {
	h.Write([]byte(s))
	h.Write(salt)
	return hex.EncodeToString(h.Sum(nil))
}

func readAES(c *config) builder {
	c.choice("mode", "GCM")
	suffix := c.suffix()
	return func(k *keychain) (Strategy, error) {
		secret, err := k.secretsOf("key", "key_hmac", "salt")
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(secret["key"])
		if err != nil {
			return nil, fmt.Errorf("mask: the key of strategy %s: %w", AESEncrypt, err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		return &text{
			name: AESEncrypt, suffix: suffix,
			rewrite: func(s string) (string, error) {
				// The nonce comes from the value, so that equal
				// values are masked equally; it is its own
				// additional data and is not kept.
				mac := hmac.New(sha256.New, secret["key_hmac"])
				mac.Write([]byte(s))
				mac.Write(secret["salt"])
				nonce := mac.Sum(nil)[:aead.NonceSize()]
				return base64.StdEncoding.EncodeToString(aead.Seal(nil, nonce, []byte(s), nonce)), nil
			},
		}, nil
	}
}
