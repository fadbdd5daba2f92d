// Package mask holds the masking strategies of Fides: null_rewrite, preserve,
// string_rewrite, random_string_rewrite, hash, hmac and aes_encrypt, under
// their configuration keys and with their results.
//
// Unlike in Fides, null stays null under every strategy, unknown configuration
// keys are refused, and numbers, booleans and times are masked as the text they
// stand for instead of being left alone.
package mask

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// The names of the strategies.
const (
	NullRewrite         = "null_rewrite"
	Preserve            = "preserve"
	StringRewrite       = "string_rewrite"
	RandomStringRewrite = "random_string_rewrite"
	Hash                = "hash"
	HMAC                = "hmac"
	AESEncrypt          = "aes_encrypt"
)

// Strategy masks values. It is safe for concurrent use when the [Random] of its
// secrets is.
type Strategy interface {
	// Mask returns what is to be written in the place of v. Nil stays nil.
	//
	// The strategies that write text take a string, or the text of another
	// value: decimal digits for int64 and json.Number, the shortest decimal
	// for float64, true and false, and for a time its UTC form
	// "2006-01-02 15:04:05", with a fraction of six or nine digits if it
	// has one. They mask a []any element by element. A []byte or a
	// map[string]any is a [*TypeError]; null_rewrite and preserve take
	// anything.
	Mask(v any) (any, error)

	// Effect tells, without a value, what Mask writes.
	Effect() Effect
}

// Effect is what can be said of a strategy before it runs, to check it against
// the column it is to write.
type Effect struct {
	// Null: it writes null.
	Null bool
	// Keeps: it leaves values as they are.
	Keeps bool
	// Text: it writes text, whatever the type of the value was.
	Text bool
	// Length is the number of characters it writes, the suffix included; 0
	// when that depends on the value.
	Length int
	// Constant: it writes the same for every value, which a unique column
	// does not take.
	Constant bool
}

// Secrets is where a strategy gets its salts and keys. One request should get
// the same secrets throughout, so that equal values are masked equally, and no
// two requests the same ones.
type Secrets interface {
	// Secret returns the secret of a strategy for one use:
	//
	//	hash         salt                  text
	//	hmac         key, salt             text
	//	aes_encrypt  key                   32 bytes (16 and 24 also work)
	//	             key_hmac, salt        text
	//
	// Text is that of 32 random bytes in unpadded URL-safe base64, as
	// Fides makes them. It is called by [New] only, once for each use.
	Secret(strategy, use string) ([]byte, error)
}

// Random is an optional ability of [Secrets]: the randomness for
// random_string_rewrite. Without it crypto/rand is used.
type Random interface {
	Random() io.Reader
}

// TypeError says that a strategy cannot mask values of a type.
type TypeError struct {
	Strategy string
	// Type is the Go type.
	Type string
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("mask: %s cannot mask a value of type %s; use %s, or target the fields inside it",
		e.Strategy, e.Type, NullRewrite)
}

// ConfigError lists everything that is wrong with a strategy's configuration.
type ConfigError struct {
	Strategy string
	Faults   []string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("mask: strategy %q: %s", e.Strategy, strings.Join(e.Faults, "; "))
}

// Names returns the names of all strategies, sorted.
func Names() []string { return slices.Sorted(maps.Keys(builders())) }

// Check reports, as a [*ConfigError] with every fault, whether [New] would take
// that strategy and configuration.
func Check(strategy string, configuration map[string]any) error {
	_, err := parse(strategy, configuration)
	return err
}

// New makes a strategy. A nil configuration is an empty one; configuration
// values are as YAML or JSON decoders return them.
//
//	null_rewrite           none
//	preserve               none
//	string_rewrite         rewrite_value (text, required)
//	random_string_rewrite  length (1 to 65,536 characters; defaults to 30)
//	hash, hmac             algorithm (SHA-256 or SHA-512; defaults to SHA-256)
//	aes_encrypt            mode (GCM, the default)
//
// All but the first two also take format_preservation: {suffix: text}, which is
// put behind the masked text.
//
// The error is a [*ConfigError], or that of the secrets, which may be nil for
// the first three strategies.
func New(strategy string, configuration map[string]any, secrets Secrets) (Strategy, error) {
	build, err := parse(strategy, configuration)
	if err != nil {
		return nil, err
	}
	return build(&keychain{strategy: strategy, secrets: secrets})
}

// keychain asks for the secrets of one strategy.
type keychain struct {
	strategy string
	secrets  Secrets
}

func (k *keychain) secret(use string) ([]byte, error) {
	if k.secrets == nil {
		return nil, fmt.Errorf("mask: strategy %s needs secrets, and there are none", k.strategy)
	}
	secret, err := k.secrets.Secret(k.strategy, use)
	if err != nil {
		return nil, fmt.Errorf("mask: the %s of strategy %s: %w", use, k.strategy, err)
	}
	if len(secret) == 0 {
		return nil, fmt.Errorf("mask: the %s of strategy %s is empty", use, k.strategy)
	}
	return secret, nil
}

// secretsOf asks for several secrets and joins the errors.
func (k *keychain) secretsOf(uses ...string) (map[string][]byte, error) {
	found := make(map[string][]byte, len(uses))
	var errs []error
	for _, use := range uses {
		secret, err := k.secret(use)
		found[use] = secret
		errs = append(errs, err)
	}
	return found, errors.Join(errs...)
}

// Truncate returns the first length characters of s, all of it when length is
// 0 or less. It is applied to masked text, the suffix included, where a field
// declares a length.
func Truncate(s string, length int) string {
	if length <= 0 || len(s) <= length {
		return s
	}
	for i := range s {
		if length == 0 {
			return s[:i]
		}
		length--
	}
	return s
}
