package oauth

import (
	"cmp"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/godsr/dsr/adapters/api/internal/callid"
)

// DefaultTokenTTL is how long tokens live: 11,520 minutes, as in Fides.
const DefaultTokenTTL = 11520 * time.Minute

// minRootSecret is the least length of the root client's secret, in bytes. It
// is chosen by people, so it cannot be as strong as those made here.
const minRootSecret = 16

// Options configure a [Server].
type Options struct {
	// Records keep clients and tokens, [NewStoreRecords] as a rule. Required.
	Records Records
	// Key seals the tokens: 32 random bytes, the same in all processes.
	// Required. Whoever has it can make any token; a new one ends all tokens
	// and leaves clients and their secrets as they are.
	Key []byte
	// Root is the client that needs no record, has every scope and cannot be
	// changed or deleted; see [RootFromEnv]. Its tokens end when its secret
	// changes. Its ID is up to 200 visible ASCII characters without ":" and
	// "/", its secret at least 16 bytes. Defaults to none, which ends its
	// tokens too.
	Root Credentials
	// TokenTTL is how long a token lives. Defaults to [DefaultTokenTTL].
	TokenTTL time.Duration
	// Clock defaults to [time.Now].
	Clock func() time.Time
	// Logger takes what [Server.Run] fails at, and which damaged records are
	// left out of lists, with the ID of the HTTP request of a door that asked
	// for them. Defaults to one that discards.
	Logger *slog.Logger
	// Random is where IDs and secrets come from; it may be called by one
	// goroutine at a time. Defaults to [rand.Reader]. The nonces of tokens
	// always come from there.
	Random io.Reader
}

// Format implements [fmt.Formatter] for every verb without key and secret.
func (o Options) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{root %q, tokens for %v}", o.Root.ID, cmp.Or(o.TokenTTL, DefaultTokenTTL))
}

// LogValue implements [slog.LogValuer] without key and secret.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

// MarshalJSON implements [json.Marshaler] without key and secret.
func (o Options) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(o)) }

// Root's credentials in the environment.
const (
	EnvRootID     = "OAUTH_ROOT_CLIENT_ID"
	EnvRootSecret = "OAUTH_ROOT_CLIENT_SECRET"
)

// RootFromEnv reads the root client's credentials by way of getenv, which is
// [os.Getenv] as a rule. Without them there is no root client.
func RootFromEnv(getenv func(string) string) Credentials {
	return Credentials{ID: getenv(EnvRootID), Secret: getenv(EnvRootSecret)}
}

// Server keeps OAuth clients, and makes, verifies and revokes their tokens. It
// is a [Verifier] and may be used by many goroutines; several processes may
// share its records and its key.
type Server struct {
	records   Records
	tokenKey  []byte
	encrypter jose.Encrypter
	root      Credentials
	rootEpoch string
	ttl       time.Duration
	clock     func() time.Time
	logger    *slog.Logger
	randomMu  sync.Mutex
	random    io.Reader
}

var _ Verifier = (*Server)(nil)

// New returns a server. The error tells every fault of the options.
func New(o *Options) (*Server, error) {
	if o == nil {
		o = &Options{}
	}
	s := &Server{records: o.Records, root: o.Root, ttl: cmp.Or(o.TokenTTL, DefaultTokenTTL), clock: o.Clock, logger: o.Logger, random: o.Random}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	s.logger = callid.Logger(s.logger)
	if s.random == nil {
		s.random = rand.Reader
	}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.Records == nil {
		fault("Records: a place for clients and tokens is needed; NewStoreRecords keeps them in a store, NewMemoryRecords is for tests")
	}
	if len(o.Key) != 32 {
		fault("Key: 32 random bytes are needed, not %d", len(o.Key))
	}
	if s.ttl < time.Second {
		fault("TokenTTL: %v is less than a second", s.ttl)
	}
	s.checkRoot(fault)
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("oauth: the options are wrong: %w", err)
	}
	if err := s.deriveKeys(o.Key); err != nil {
		return nil, fmt.Errorf("oauth: derive the keys of tokens: %w", err)
	}
	return s, nil
}

func (s *Server) checkRoot(fault func(format string, args ...any)) {
	if s.root == (Credentials{}) {
		return
	}
	if !validID(s.root.ID) {
		fault(`Root: the ID must be 1 to %d visible ASCII characters without ":" and "/"; set %s, or neither it nor %s for no root client`,
			maxID, EnvRootID, EnvRootSecret)
	}
	if len(s.root.Secret) < minRootSecret {
		fault("Root: the secret must have at least %d bytes; set %s, or neither it nor %s for no root client",
			minRootSecret, EnvRootSecret, EnvRootID)
	}
}

// deriveKeys makes the key that seals tokens, and what ties the root client's
// tokens to its secret.
func (s *Server) deriveKeys(key []byte) (err error) {
	if s.tokenKey, err = hkdf.Key(sha256.New, key, nil, "dsr/1 oauth token", 32); err != nil {
		return err
	}
	epoch, err := hkdf.Key(sha256.New, key, []byte(s.root.Secret), "dsr/1 oauth root", 16)
	if err != nil {
		return err
	}
	s.rootEpoch = hex.EncodeToString(epoch)
	s.encrypter, err = jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: s.tokenKey}, nil)
	return err
}

// Format implements [fmt.Formatter] for every verb without keys and secrets.
func (s *Server) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{root %q, tokens for %v}", s.root.ID, s.ttl)
}

// LogValue implements [slog.LogValuer] without keys and secrets.
func (s *Server) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

// now is in UTC and whole microseconds: the order of clients is that of their
// making.
func (s *Server) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// bytes returns n random ones.
func (s *Server) bytes(n int) ([]byte, error) {
	s.randomMu.Lock()
	defer s.randomMu.Unlock()
	b := make([]byte, n)
	if _, err := io.ReadFull(s.random, b); err != nil {
		return nil, fmt.Errorf("oauth: read random bytes: %w", err)
	}
	return b, nil
}

// newID returns a random ID: 32 hexadecimal digits.
func (s *Server) newID() (string, error) {
	b, err := s.bytes(16)
	return hex.EncodeToString(b), err
}

const maxID = 200

// validID reports whether a text may be the ID of a client. A slash separates
// it from a token's in keys, a colon from the secret in HTTP Basic.
func validID(id string) bool {
	return id != "" && len(id) <= maxID && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' || r == '/' })
}

// isRoot reports whether an ID is the root client's.
func (s *Server) isRoot(id string) bool { return s.root.ID != "" && id == s.root.ID }
