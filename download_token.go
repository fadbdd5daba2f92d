package dsr

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
	"github.com/godsr/dsr/internal/seal"
)

// linkToken is what a token holds, sealed. It has no personal value.
type linkToken struct {
	id        [8]byte // tells the links of a request apart
	once      bool
	expires   time.Time // in whole microseconds
	digest    [8]byte   // of the package begins like this
	requestID string
	rule      string
}

// maxToken bounds what is looked at. Request IDs and rules are part of file
// names, and not longer than those.
const maxToken = 1000

// name is how the audit trail calls the link: it does not lead to the token.
func (t *linkToken) name() string { return hex.EncodeToString(t.id[:]) }

// works says that the link has expired.
func (t *linkToken) works(now time.Time) error {
	if now.Before(t.expires) {
		return nil
	}
	return fmt.Errorf("%w: one to a package of request %s", ErrLinkExpired, t.requestID)
}

// digestOf ties a link to a package: one that was written anew is another.
func digestOf(p *PackageOutcome) (digest [8]byte) {
	sum, _ := hex.DecodeString(p.SHA256)
	copy(digest[:], sum)
	return digest
}

// errToken tells nothing of what is wrong with a token.
var errToken = fmt.Errorf("%w: download link", ErrNotFound)

const (
	tokenVersion = 1
	tokenBound   = "dsr/1\x00download link"
)

// encode packs a token: version, flags, time, link, digest, and then the request
// ID by its length, and the rule.
func (t *linkToken) encode() []byte {
	flags := byte(0)
	if t.once {
		flags = 1
	}
	b := binary.BigEndian.AppendUint64([]byte{tokenVersion, flags}, uint64(t.expires.UnixMicro()))
	b = append(append(b, t.id[:]...), t.digest[:]...)
	b = binary.AppendUvarint(b, uint64(len(t.requestID)))
	return append(append(b, t.requestID...), t.rule...)
}

func (t *linkToken) decode(b []byte) error {
	const fixed = 2 + 8 + 8 + 8
	if len(b) < fixed || b[0] != tokenVersion {
		return errToken
	}
	t.once = b[1] == 1
	t.expires = time.UnixMicro(int64(binary.BigEndian.Uint64(b[2:]))).UTC()
	copy(t.id[:], b[10:])
	copy(t.digest[:], b[18:])
	size, n := binary.Uvarint(b[fixed:])
	if b = b[fixed:]; n <= 0 || size > uint64(len(b)-n) {
		return errToken
	}
	t.requestID, t.rule = string(b[n:n+int(size)]), string(b[n+int(size):])
	return nil
}

// sealing returns the key that seals tokens. It is derived once: a flood of
// tokens does not reach a keyring that is a service.
func (l *Downloads) sealing(ctx context.Context) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.key != nil {
		return l.key, nil
	}
	secret, err := l.engine.config.Keyring.Lookup(ctx, []byte("download link key"))
	if err == nil {
		l.key, err = hkdf.Key(sha256.New, secret, nil, tokenBound, seal.KeySize)
	}
	if err != nil {
		return nil, fmt.Errorf("dsr: derive the key of download links: %w", err)
	}
	return l.key, nil
}

func (l *Downloads) seal(ctx context.Context, t *linkToken) (string, error) {
	key, err := l.sealing(ctx)
	if err != nil {
		return "", err
	}
	sealed, err := seal.Seal(l.engine.config.Random, key, t.encode(), []byte(tokenBound))
	if err != nil {
		return "", fmt.Errorf("dsr: make a link: %w", err)
	}
	token := base64.RawURLEncoding.EncodeToString(sealed)
	if len(token) > maxToken {
		return "", fmt.Errorf("dsr: make a link: the ID of request %s and its rule are too long for one", t.requestID)
	}
	return token, nil
}

// unseal opens a token, whose authenticity is compared in constant time.
func (l *Downloads) unseal(ctx context.Context, token string) (*linkToken, error) {
	key, err := l.sealing(ctx)
	if err != nil {
		return nil, err
	}
	if len(token) > maxToken {
		return nil, errToken
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(sealed)) != len(token) { // it skips line feeds
		return nil, errToken
	}
	plain, err := seal.Open(key, sealed, []byte(tokenBound))
	if err != nil {
		return nil, errToken
	}
	t := &linkToken{}
	if err := t.decode(plain); err != nil {
		return nil, err
	}
	return t, nil
}

// clocksDiffer is how much later than others a process may believe that a link
// still works: that long a used one is remembered.
const clocksDiffer = 24 * time.Hour

// openedLink is a link that was opened.
type openedLink struct {
	Link string `json:"link"`
	// At is when the audit trail was told last, Until when the link expires.
	At    time.Time `json:"at"`
	Until time.Time `json:"until"`
}

// parcelOf finds the package that a token is for, and checks that the token still
// works.
func (l *Downloads) parcelOf(d *draft, t *linkToken) (results, int, error) {
	if err := t.works(d.now); err != nil {
		return results{}, 0, err
	}
	res, err := l.complete(d)
	if err != nil {
		return results{}, 0, err
	}
	at := slices.IndexFunc(res.Packages, func(p PackageOutcome) bool { return p.Rule == t.rule && digestOf(&p) == t.digest })
	if at < 0 {
		return results{}, 0, fmt.Errorf("%w: request %s has another one in its place", ErrPackageGone, d.Record.ID)
	}
	if t.once && slices.ContainsFunc(res.Opened, func(o openedLink) bool { return o.Link == t.name() }) {
		return results{}, 0, fmt.Errorf("%w: one to a package of request %s", ErrLinkUsed, d.Record.ID)
	}
	return res, at, nil
}

// errToldAlready ends a change that is not needed.
var errToldAlready = errors.New("dsr: the audit trail was told a short while ago")

// opened tells the audit trail and the request's log that a link was opened, and
// uses a one-time link up.
func (l *Downloads) opened(ctx context.Context, t *linkToken) error {
	_, err := l.engine.requests.try(ctx, t.requestID, func(d *draft) error {
		res, at, err := l.parcelOf(d, t)
		if err != nil {
			return err
		}
		for _, o := range res.Opened {
			if o.Link == t.name() && d.now.Before(o.At.Add(openedAgain)) {
				return errToldAlready
			}
		}
		res.Opened = slices.DeleteFunc(res.Opened, func(o openedLink) bool { return o.Link == t.name() || !d.now.Before(o.Until.Add(clocksDiffer)) })
		res.Opened = append(res.Opened, openedLink{Link: t.name(), At: d.now, Until: t.expires})
		if d.Record.Outcomes, err = json.Marshal(&res); err != nil {
			return fmt.Errorf("dsr: encode outcomes: %w", err)
		}
		if !slices.Contains(d.state.Gone, lifecycle.Log) {
			d.event(Event{Kind: "downloaded", Action: graph.Access, Status: logComplete, Rows: res.Packages[at].Rows, Message: "package of rule " + t.rule})
		}
		return d.note(ctx, "downloaded", "", map[string]string{"rule": t.rule, "link": t.name()})
	})
	switch {
	case errors.Is(err, errToldAlready):
		return nil
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("%w: request %s was removed", ErrPackageGone, t.requestID)
	}
	return err
}
