package agecrypt

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"filippo.io/age"

	"github.com/godsr/dsr/storage"
)

// Options say how an Encrypter encrypts.
type Options struct {
	// WorkFactor is the binary logarithm of how often a passphrase is
	// stretched, from 10 to 22, beyond which age's program does not follow.
	// Each step up doubles time and memory. Defaults to that of age, 18.
	// Less than 15 is for tests.
	WorkFactor int
	// MinPassphrase is how many characters a passphrase has at least.
	// Defaults to 12.
	MinPassphrase int
}

const (
	minWorkFactor, maxWorkFactor = 10, 22
	minPassphrase                = 12
)

// Encrypter encrypts packages with age. It may be used from many goroutines at
// once.
type Encrypter struct {
	opts       Options
	stretching sync.Mutex // as each takes much memory
}

var _ storage.Encrypter = (*Encrypter)(nil)

// New returns an encrypter. Options may be nil; what is wrong with them is told
// by Check.
func New(o *Options) *Encrypter {
	e := &Encrypter{}
	if o != nil {
		e.opts = *o
	}
	if e.opts.MinPassphrase == 0 {
		e.opts.MinPassphrase = minPassphrase
	}
	return e
}

// Extension implements [storage.Encrypter].
func (*Encrypter) Extension() string { return ".age" }

// Check implements [storage.Encrypter]. The error tells everything that is
// wrong, by the place of a public key among the others. Passphrases are not
// stretched for it.
func (e *Encrypter) Check(to *storage.Recipients) error {
	recipients, err := e.recipients(to)
	if err != nil {
		return err
	}
	if to.Passphrase == "" { // some keys are well-formed, and none
		if _, err := age.Encrypt(io.Discard, recipients...); err != nil {
			return fmt.Errorf("agecrypt: nothing can be encrypted for these public keys: %w", err)
		}
	}
	return nil
}

// Encrypt implements [storage.Encrypter]. Passphrases are stretched before it
// returns.
func (e *Encrypter) Encrypt(w io.Writer, to *storage.Recipients) (io.WriteCloser, error) {
	recipients, err := e.recipients(to)
	if err != nil {
		return nil, err
	}
	out, err := age.Encrypt(w, recipients...)
	if err != nil {
		return nil, fmt.Errorf("agecrypt: %w", err)
	}
	return out, nil
}

// recipients are those of age, or all that is wrong.
func (e *Encrypter) recipients(to *storage.Recipients) ([]age.Recipient, error) {
	switch {
	case to == nil || to.Passphrase == "" && len(to.PublicKeys) == 0:
		return nil, errors.New("agecrypt: there is neither a passphrase nor a public key: without one, nobody could open the package")
	case to.Passphrase != "" && len(to.PublicKeys) > 0:
		return nil, errors.New("agecrypt: there are a passphrase and public keys: a package that a passphrase opens cannot have another way in; give one of them")
	case to.Passphrase != "":
		return e.passphrase(to.Passphrase)
	}
	return publicKeys(to.PublicKeys)
}

func (e *Encrypter) passphrase(passphrase string) ([]age.Recipient, error) {
	var faults []string
	if f := e.opts.WorkFactor; f != 0 && (f < minWorkFactor || f > maxWorkFactor) {
		faults = append(faults, fmt.Sprintf("Options.WorkFactor is %d: want %d to %d, or 0 for the default", f, minWorkFactor, maxWorkFactor))
	}
	if !utf8.ValidString(passphrase) {
		faults = append(faults, "the passphrase is not valid UTF-8, and could not be typed in")
	} else if strings.ContainsFunc(passphrase, unicode.IsControl) {
		faults = append(faults, "the passphrase holds a control character, such as a line feed, which cannot be typed in")
	}
	if utf8.RuneCountInString(passphrase) < e.opts.MinPassphrase {
		faults = append(faults, fmt.Sprintf("the passphrase is too short: want at least %d characters", e.opts.MinPassphrase))
	}
	if strings.TrimSpace(passphrase) == "" {
		faults = append(faults, "the passphrase holds nothing but space")
	}
	if len(faults) > 0 {
		return nil, errors.New("agecrypt: " + strings.Join(faults, "; "))
	}
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("agecrypt: %w", err)
	}
	if e.opts.WorkFactor != 0 {
		r.SetWorkFactor(e.opts.WorkFactor)
	}
	return []age.Recipient{&stretched{r, &e.stretching}}, nil
}

// stretched is the recipient of a passphrase; only one of an encrypter's is
// stretched at a time.
type stretched struct {
	*age.ScryptRecipient
	one *sync.Mutex
}

// WrapWithLabels implements [age.RecipientWithLabels].
func (s *stretched) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	s.one.Lock()
	defer s.one.Unlock()
	return s.ScryptRecipient.WrapWithLabels(fileKey)
}
