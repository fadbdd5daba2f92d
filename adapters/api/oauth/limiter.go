package oauth

import (
	"container/list"
	"crypto/sha256"
	"net/http"
	"strings"
	"sync"
	"time"
)

// LimiterOptions configure a [Limiter].
type LimiterOptions struct {
	// Limit is how many are let through in any Per. They default to 10 and
	// a minute, as Fides has it for tokens.
	Limit int
	Per   time.Duration
	// Keys is how many keys are remembered; the one that was not seen for
	// the longest time is forgotten first. Each takes some 300 bytes, and up to
	// 50 more for each visit that counts: 10,000 keys that all reach a Limit
	// of 10 take 8 MB, of 1,200 some 600 MB. Defaults to 10,000.
	Keys int
	// Clock defaults to [time.Now].
	Clock func() time.Time
}

// Limiter limits how often something happens for each key, exactly: never more
// than Limit in any Per. It counts within one process.
type Limiter struct {
	o    LimiterOptions
	mu   sync.Mutex
	seen map[[sha256.Size]byte]*list.Element
	used list.List // of *visits, the last seen first
}

// visits are the times that a key was let through, oldest first.
type visits struct {
	key   [sha256.Size]byte
	times []time.Time
}

// NewLimiter returns a limiter. What is not positive in the options is as by
// default.
func NewLimiter(o *LimiterOptions) *Limiter {
	l := &Limiter{seen: map[[sha256.Size]byte]*list.Element{}}
	if o != nil {
		l.o = *o
	}
	if l.o.Limit <= 0 {
		l.o.Limit = 10
	}
	if l.o.Per <= 0 {
		l.o.Per = time.Minute
	}
	if l.o.Keys <= 0 {
		l.o.Keys = 10_000
	}
	if l.o.Clock == nil {
		l.o.Clock = time.Now
	}
	return l
}

// Allow counts one visit of a key, which is the parts together: the ID of a
// client and the address that it calls from, so that nobody can lock a client
// out from elsewhere. Past the limit it is an [*Error] that is [ErrLimited] and
// says when to come again; such a visit does not count.
func (l *Limiter) Allow(parts ...string) error {
	key := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	now := l.o.Clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	element := l.seen[key]
	if element == nil {
		if l.used.Len() >= l.o.Keys {
			oldest := l.used.Back()
			delete(l.seen, l.used.Remove(oldest).(*visits).key) //nolint:forcetypeassert // only visits are put in
		}
		element = l.used.PushFront(&visits{key: key})
		l.seen[key] = element
	}
	l.used.MoveToFront(element)
	v := element.Value.(*visits) //nolint:forcetypeassert // only visits are put in
	for len(v.times) > 0 && now.Sub(v.times[0]) >= l.o.Per {
		v.times = v.times[1:]
	}
	if len(v.times) < l.o.Limit {
		v.times = append(v.times, now)
		return nil
	}
	wait := v.times[0].Add(l.o.Per).Sub(now)
	return &Error{
		Status: http.StatusTooManyRequests, Detail: "Too many requests. Try again later.", Code: "slow_down",
		RetryAfter: (wait + time.Second - 1).Truncate(time.Second), kind: ErrLimited,
	}
}
