package webhook

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What Verify finds, for [errors.Is].
var (
	// ErrNoSignature: a header is missing, given twice, or of no known form.
	ErrNoSignature = errors.New("webhook: it is not signed")
	// ErrWrongSignature: no signature belongs to any of the secrets and to
	// what was sent.
	ErrWrongSignature = errors.New("webhook: the signature is wrong")
	// ErrTooOld: it was signed too long ago, and may be replayed.
	ErrTooOld = errors.New("webhook: it was signed too long ago")
	// ErrTooNew: it was signed in the future; a clock is wrong.
	ErrTooNew = errors.New("webhook: it was signed in the future")
)

// Seen remembers which calls were taken, so that one that comes again, after an
// answer was lost, has no effect twice. It may be used by many at once. Two of
// the same ID at the same time both pass: a receiver to whom that matters
// stores the ID in the transaction of the effect, and needs no Seen.
type Seen interface {
	// Has reports whether an ID was added.
	Has(ctx context.Context, id string) (bool, error)
	// Add adds an ID whose call was taken.
	Add(ctx context.Context, id string) error
}

// VerifierOptions tune a verifier.
type VerifierOptions struct {
	// Tolerance is how far the timestamp may be from now, either way.
	// Defaults to 5 minutes.
	Tolerance time.Duration
	// MaxBody is how many bytes [Verifier.Handler] reads. Defaults to 1 MiB.
	MaxBody int64
	// Seen makes the handler answer a call that was taken already with 200,
	// without passing it on. Use it for notices; a two-way hook has to give
	// its answer again. It should remember for some days, as long as the
	// sender tries. Defaults to none: every call is passed on.
	Seen Seen
	// Clock defaults to time.Now.
	Clock func() time.Time
}

// Verifier is the receiver's side. It may be used by many at once.
type Verifier struct {
	keys [][]byte
	opts VerifierOptions
}

const (
	defaultTolerance = 5 * time.Minute
	defaultMaxBody   = 1 << 20
	maxSignatures    = 32 // in one header; a rotation needs two
)

// NewVerifier returns a verifier that takes what is signed with any of the
// secrets, "whsec_" and 24 to 64 bytes in base64 each. Nil stands for default
// options. The error names every fault of the secrets.
func NewVerifier(secrets []string, opts *VerifierOptions) (*Verifier, error) {
	v := &Verifier{}
	if opts != nil {
		v.opts = *opts
	}
	if v.opts.Tolerance == 0 {
		v.opts.Tolerance = defaultTolerance
	}
	if v.opts.MaxBody == 0 {
		v.opts.MaxBody = defaultMaxBody
	}
	if v.opts.Clock == nil {
		v.opts.Clock = time.Now
	}
	var err error
	if v.keys, err = parseSecrets(secrets); err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	return v, nil
}

// Verify checks that the body, as it was received, was signed with one of the
// secrets, and when. The time is looked at after the signature, so that nobody
// learns anything of a wrong one. Errors are [ErrNoSignature],
// [ErrWrongSignature], [ErrTooOld] and [ErrTooNew], and quote nothing.
func (v *Verifier) Verify(header http.Header, body []byte) error {
	var values [3]string
	for i, name := range []string{headerID, headerTimestamp, headerSignature} {
		given := header.Values(name)
		if len(given) != 1 || given[0] == "" {
			return fmt.Errorf("%w: there have to be one %s, not %d", ErrNoSignature, strings.ToLower(name), len(given))
		}
		values[i] = given[0]
	}
	id, timestamp, signatures := values[0], values[1], values[2]
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: the webhook-timestamp is not a number of seconds", ErrNoSignature)
	}
	if !validID(id) {
		return fmt.Errorf("%w: the webhook-id has other characters than letters, digits, dots, dashes and underscores, or more than %d", ErrNoSignature, maxID)
	}
	if !v.signed(id, timestamp, signatures, body) {
		return ErrWrongSignature
	}
	now, tolerance := v.opts.Clock().Unix(), int64(v.opts.Tolerance/time.Second)
	switch {
	case seconds < now-tolerance:
		return ErrTooOld
	case seconds > now+tolerance:
		return ErrTooNew
	}
	return nil
}

// signed compares each signature with that of each secret in constant time.
// Those of versions other than v1 are passed over, section "Webhook headers".
func (v *Verifier) signed(id, timestamp, signatures string, body []byte) bool {
	list := strings.SplitN(signatures, " ", maxSignatures+1)
	if len(list) > maxSignatures {
		return false
	}
	for _, key := range v.keys {
		want := signature(key, id, timestamp, body)
		for _, given := range list {
			encoded, ours := strings.CutPrefix(given, signaturePrefix)
			if !ours {
				continue
			}
			if got, err := base64.StdEncoding.DecodeString(encoded); err == nil && hmac.Equal(got, want) {
				return true
			}
		}
	}
	return false
}

// Handler returns a handler that passes on, to next, only bodies that were
// verified, with the ID under which they were sent. It answers others itself,
// with no more than the status: 405 for another method than POST, 413 for a body
// that is too large, 400 for one that cannot be read or is not signed at all,
// 401 for a wrong signature or time. Where next returns an error it answers 500,
// so that the sender tries again; next must then not have answered itself.
// Without an error, and without an answer of next, the status is 200.
func (v *Verifier) Handler(next func(w http.ResponseWriter, r *http.Request, id string, body []byte) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		body, err := readBounded(r.Body, v.opts.MaxBody)
		if err == nil {
			err = v.Verify(r.Header, body)
		}
		switch {
		case errors.Is(err, errTooLarge):
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		case errors.Is(err, ErrWrongSignature), errors.Is(err, ErrTooOld), errors.Is(err, ErrTooNew):
			w.WriteHeader(http.StatusUnauthorized)
			return
		case err != nil:
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		v.pass(w, r, body, next)
	})
}

// pass hands over what was verified, unless it was taken before.
func (v *Verifier) pass(w http.ResponseWriter, r *http.Request, body []byte, next func(http.ResponseWriter, *http.Request, string, []byte) error) {
	id, seen := r.Header.Get(headerID), v.opts.Seen
	if seen != nil {
		before, err := seen.Has(r.Context(), id)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		if before {
			return
		}
	}
	err := next(w, r, id, body)
	if err == nil && seen != nil {
		err = seen.Add(r.Context(), id)
	}
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
}
