package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/godsr/dsr/internal/seal"
)

// Encryption says how the packages of a request are encrypted. The zero value
// leaves them as they are, but for what Destination.PublicKeys says. It prints
// as [redacted] under every verb.
type Encryption struct {
	// Key has 16 bytes: JSON and CSV packages are encrypted with AES-GCM as
	// Fides does it, in one piece and therefore up to 64 MiB a file. Other
	// formats refuse it.
	Key []byte
	// Passphrase, or whoever has the private key of one of PublicKeys,
	// opens a package of any format and size. Config.Encrypter does that,
	// and says what a public key looks like. One of both can be given.
	Passphrase string
	PublicKeys []string
}

// Format implements [fmt.Formatter] for every verb without showing a secret.
func (e Encryption) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer] without showing a secret.
func (e Encryption) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [json.Marshaler] without showing a secret, as that of
// [Identities] does.
func (e Encryption) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// IsZero reports whether nothing is to be encrypted.
func (e Encryption) IsZero() bool {
	return e.Key == nil && e.Passphrase == "" && len(e.PublicKeys) == 0
}

// subject is what is sealed of a submission.
type subject struct {
	Identities map[string][]string `json:"identities"`
	Locale     string              `json:"locale,omitempty"`
	Encryption *openEncryption     `json:"encryption,omitempty"`
}

// openEncryption is an Encryption as it is sealed.
type openEncryption Encryption

func (s *Submission) subject() *subject {
	sub := &subject{Identities: s.Identities, Locale: s.Locale}
	if !s.Encryption.IsZero() {
		sub.Encryption = (*openEncryption)(&s.Encryption)
	}
	return sub
}

// sealSubject seals what identifies the data subject, and makes them findable.
func (r *Requests) sealSubject(ctx context.Context, rec *Record, s *Submission) error {
	c := &r.engine.config
	key := make([]byte, seal.KeySize)
	if err := r.engine.newKey(ctx, rec, keyIdentity, key); err != nil {
		return err
	}
	plain, err := json.Marshal(s.subject())
	if err != nil {
		return errors.New("dsr: the identities cannot be encoded")
	}
	if rec.Identity, err = seal.Seal(c.Random, key, plain, bound(rec.ID, keyIdentity)); err != nil {
		return fmt.Errorf("dsr: seal the identities: %w", err)
	}
	for _, kind := range s.Identities.Kinds() {
		for _, v := range s.Identities[kind] {
			hash, err := r.engine.lookup(ctx, kind, v)
			if err != nil {
				return err
			}
			rec.Lookup = append(rec.Lookup, hash)
		}
	}
	return nil
}

// subject opens what was sealed of the submission.
func (r *run) subject(ctx context.Context) (*subject, error) {
	key, err := r.key(ctx, keyIdentity)
	if err != nil {
		return nil, err
	}
	plain, err := seal.Open(key, r.record().Identity, bound(r.id, keyIdentity))
	if err != nil {
		return nil, fmt.Errorf("dsr: open the identities of request %s: %w", r.id, err)
	}
	var s subject
	if err := json.Unmarshal(plain, &s); err != nil {
		return nil, errors.New("dsr: the stored identities cannot be decoded")
	}
	return &s, nil
}

func (r *run) identities(ctx context.Context) (Identities, error) {
	s, err := r.subject(ctx)
	if err != nil {
		return nil, err
	}
	return s.Identities, nil
}

// validLocale reports whether the text has the form of a language tag by BCP 47.
func validLocale(s string) bool {
	if s == "" {
		return true
	}
	for i, part := range strings.Split(s, "-") {
		if len(part) < 1 || len(part) > 8 || i == 0 && len(part) < 2 ||
			strings.Trim(strings.ToLower(part), "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return false
		}
	}
	return len(s) <= 35
}
