package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Headers of the standard, section "Webhook headers".
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

const (
	secretPrefix    = "whsec_"
	signaturePrefix = "v1," // HMAC-SHA256
	minSecret       = 24    // bytes: section "Signature scheme", 192 to 512 bits
	maxSecret       = 64
	maxID           = 256 // bytes of an ID
)

// parseSecrets reads secrets as receivers get them, "whsec_" and 24 to 64 bytes
// in base64. The errors name them by number only.
func parseSecrets(secrets []string) ([][]byte, error) {
	if len(secrets) == 0 {
		return nil, errors.New("there is no secret: give at least one, such as \"whsec_\" and 32 random bytes in base64")
	}
	var faults []error
	keys := make([][]byte, 0, len(secrets))
	for i, secret := range secrets {
		text, prefixed := strings.CutPrefix(secret, secretPrefix)
		key, err := base64.StdEncoding.DecodeString(text)
		switch {
		case !prefixed || err != nil:
			faults = append(faults, fmt.Errorf("secret %d of %d is not %q followed by base64", i+1, len(secrets), secretPrefix))
		case len(key) < minSecret || len(key) > maxSecret:
			faults = append(faults, fmt.Errorf("secret %d of %d has %d bytes; %d to %d are needed", i+1, len(secrets), len(key), minSecret, maxSecret))
		}
		keys = append(keys, key)
	}
	return keys, errors.Join(faults...)
}

// signature signs "id.timestamp.body", section "Signature scheme".
func signature(key []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// sign returns the header with a signature for each key, in their order.
func sign(keys [][]byte, id string, at time.Time, body []byte) string {
	signatures := make([]string, len(keys))
	for i, key := range keys {
		mac := signature(key, id, strconv.FormatInt(at.Unix(), 10), body)
		signatures[i] = signaturePrefix + base64.StdEncoding.EncodeToString(mac)
	}
	return strings.Join(signatures, " ")
}

// validID reports whether an ID has letters, digits, dots, dashes and
// underscores only, as those of notices have. A signed text can then be split
// in one way only where bodies are JSON objects: at the dots before the first
// brace.
func validID(id string) bool {
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return id != "" && len(id) <= maxID
}
