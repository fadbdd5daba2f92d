package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"unicode/utf8"

	"github.com/godsr/dsr/internal/seal"
	"github.com/godsr/dsr/storage"
)

// Encryption says how the packages of a request are encrypted, in one of three
// ways. The zero value leaves them as they are, but for what
// Destination.PublicKeys says. It is kept sealed with the identities, as long
// as these. It prints as [redacted] under every verb.
type Encryption struct {
	// Key has 16 bytes: JSON and CSV packages are encrypted with AES-GCM as
	// Fides does it, in one piece and therefore up to 64 MiB a file. Other
	// formats refuse it.
	Key []byte
	// Passphrase opens a package of any format and size that
	// Config.Encrypter encrypted.
	Passphrase string
	// PublicKeys belong to the private keys, any one of which opens a
	// package of any format and size that Config.Encrypter encrypted. It
	// says what a public key looks like. At most 100.
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

const (
	maxPublicKeys = 100
	maxPublicKey  = 8000 // bytes, more than SSH keys and post-quantum ones have
)

// check reports what can be honoured nowhere. The error quotes no secret.
func (e *Encryption) check() error {
	ways := 0
	for _, given := range []bool{e.Key != nil, e.Passphrase != "", len(e.PublicKeys) > 0} {
		if given {
			ways++
		}
	}
	switch {
	case ways > 1:
		return errors.New("of an encryption key, a passphrase and public keys only one can be given")
	case e.Key != nil && len(e.Key) != storage.KeySize:
		return fmt.Errorf("an encryption key has %d bytes, this one has %d", storage.KeySize, len(e.Key))
	case len(e.Passphrase) > maxText:
		return fmt.Errorf("the passphrase has more than %d bytes", maxText)
	case !utf8.ValidString(e.Passphrase): // it would be kept as another one
		return errors.New("the passphrase is not valid UTF-8 text")
	case len(e.PublicKeys) > maxPublicKeys:
		return fmt.Errorf("there are more than %d public keys", maxPublicKeys)
	}
	for i, key := range e.PublicKeys {
		if len(key) > maxPublicKey || !utf8.ValidString(key) {
			return fmt.Errorf("public key %d of %d has more than %d bytes, or is not valid UTF-8 text", i+1, len(e.PublicKeys), maxPublicKey)
		}
	}
	return nil
}

// subject is what is sealed of a submission.
type subject struct {
	// Identities are those of the submission: notices go to them alone.
	Identities map[string][]string `json:"identities"`
	Locale     string              `json:"locale,omitempty"`
	Encryption *openEncryption     `json:"encryption,omitempty"`
	// Fields, Source and Labels are what the submission says besides.
	Fields map[string]openField `json:"fields,omitempty"`
	Source string               `json:"source,omitempty"`
	Labels map[string]string    `json:"labels,omitempty"`
	// Derived are those that hooks brought. They are looked for as well, but
	// nobody proved that they are the data subject's.
	Derived map[string][]string `json:"derived,omitempty"`
}

// all are the identities of the submission and those of hooks.
func (s *subject) all() Identities { return merged(s.Identities, s.Derived) }

// openEncryption is an Encryption as it is sealed.
type openEncryption struct {
	Key        []byte   `json:"key,omitempty"`
	Passphrase string   `json:"passphrase,omitempty"`
	PublicKeys []string `json:"public_keys,omitempty"`
}

func (s *Submission) subject() *subject {
	sub := &subject{Identities: s.Identities, Locale: s.Locale, Source: s.Source, Labels: s.Labels}
	sub.Fields = s.Fields.kept(func(string, string) {}) // faults were told
	if !s.Encryption.IsZero() {
		sub.Encryption = (*openEncryption)(&s.Encryption)
	}
	return sub
}

// encryption is the zero one where nothing is to be encrypted.
func (s *subject) encryption() Encryption {
	if s.Encryption == nil {
		return Encryption{}
	}
	return Encryption(*s.Encryption)
}

// sealSubject seals what identifies the data subject, and makes them findable.
func (r *Requests) sealSubject(ctx context.Context, rec *Record, s *Submission) error {
	c := &r.engine.config
	key := make([]byte, seal.KeySize)
	if err := r.engine.newKey(ctx, rec, keyIdentity, key); err != nil {
		return err
	}
	sub := s.subject()
	plain, err := json.Marshal(sub)
	if err != nil {
		return errors.New("dsr: the identities cannot be encoded")
	}
	if rec.Identity, err = seal.Seal(c.Random, key, plain, bound(rec.ID, keyIdentity)); err != nil {
		return fmt.Errorf("dsr: seal the identities: %w", err)
	}
	rec.Lookup, err = r.engine.lookups(ctx, sub)
	return err
}

// lookups hashes all identities and fields for exact search.
func (e *Engine) lookups(ctx context.Context, sub *subject) (hashes [][]byte, err error) {
	ids := sub.all()
	for _, kind := range ids.Kinds() {
		for _, v := range ids[kind] {
			hash, err := e.lookup(ctx, kind, v)
			if err != nil {
				return nil, err
			}
			hashes = append(hashes, hash)
		}
	}
	fields, err := e.fieldLookups(ctx, sub.Fields)
	return append(hashes, fields...), err
}

// resealSubject seals what identifies the data subject anew, under the key that
// it has, and makes it findable.
func (e *Engine) resealSubject(ctx context.Context, rec *Record, sub *subject) error {
	key, err := newRun(e, rec).key(ctx, keyIdentity)
	if err != nil {
		return err
	}
	plain, err := json.Marshal(sub)
	if err != nil {
		return errors.New("dsr: the identities cannot be encoded")
	}
	if rec.Identity, err = seal.Seal(e.config.Random, key, plain, bound(rec.ID, keyIdentity)); err != nil {
		return fmt.Errorf("dsr: seal the identities: %w", err)
	}
	rec.Lookup, err = e.lookups(ctx, sub)
	return err
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
	if s.Encryption != nil && (*Encryption)(s.Encryption).IsZero() { // never in the clear
		return nil, errors.New("dsr: how the packages are encrypted is stored in a form that this version does not know")
	}
	return &s, nil
}

func (r *run) identities(ctx context.Context) (Identities, error) {
	s, err := r.subject(ctx)
	if err != nil {
		return nil, err
	}
	return s.all(), nil
}
