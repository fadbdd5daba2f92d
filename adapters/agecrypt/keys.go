package agecrypt

import (
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
)

// publicKeys reads all keys, or tells which are none. The errors of age are
// left out, as they quote what they could not read.
func publicKeys(keys []string) ([]age.Recipient, error) {
	var recipients []age.Recipient
	var faults []string
	hybrids := 0
	for i, key := range keys {
		r, fault := publicKey(strings.TrimSpace(key))
		if fault != "" {
			faults = append(faults, fmt.Sprintf("public key %d of %d %s", i+1, len(keys), fault))
			continue
		}
		if _, ok := r.(*age.HybridRecipient); ok {
			hybrids++
		}
		recipients = append(recipients, r)
	}
	if hybrids > 0 && hybrids < len(recipients) {
		faults = append(faults, "keys that begin with age1pq1 cannot stand beside others, which would give away what they protect")
	}
	if len(faults) > 0 {
		return nil, errors.New("agecrypt: " + strings.Join(faults, "; "))
	}
	return recipients, nil
}

// publicKey reads one key, or says why it is none.
func publicKey(key string) (r age.Recipient, fault string) {
	var err error
	switch {
	case key == "":
		return nil, "is empty"
	case strings.Contains(key, "AGE-SECRET-KEY-") || strings.Contains(key, "PRIVATE KEY-----"):
		return nil, "is a private key: give the public one, and use the private one no longer, as others have seen it"
	case strings.ContainsAny(key, "\r\n"):
		return nil, "has several lines: give each key by itself"
	case strings.HasPrefix(key, "age1pq1"):
		r, err = age.ParseHybridRecipient(key)
	case strings.HasPrefix(key, "age1"):
		r, err = age.ParseX25519Recipient(key)
	case strings.HasPrefix(key, "ssh-ed25519 ") || strings.HasPrefix(key, "ssh-rsa "):
		r, err = agessh.ParseRecipient(key)
	default:
		return nil, "is of no known kind: want one that begins with age1, ssh-ed25519 or ssh-rsa"
	}
	if err != nil {
		return nil, "is damaged or of no use: a character is wrong, something is missing, or an RSA key has less than 2048 bits"
	}
	return r, ""
}
