package oauth_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/oauth"
)

func limited(t *testing.T, err error, after time.Duration) {
	t.Helper()
	e := refused(t, err, oauth.ErrLimited, http.StatusTooManyRequests, "Too many requests. Try again later.")
	require.Equal(t, after, e.RetryAfter)
}

func TestTenTokensInAMinute(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := oauth.NewLimiter(&oauth.LimiterOptions{Clock: c.Now})
	for range 10 {
		require.NoError(t, l.Allow("client", "192.0.2.1"))
		c.Advance(time.Second)
	}
	limited(t, l.Allow("client", "192.0.2.1"), 50*time.Second)
	require.NoError(t, l.Allow("client", "192.0.2.2"), "another address")
	require.NoError(t, l.Allow("other", "192.0.2.1"), "another client")
	require.NoError(t, l.Allow("client192.0.2.1"), "another key")
	c.Advance(49*time.Second + 100*time.Millisecond)
	limited(t, l.Allow("client", "192.0.2.1"), time.Second) // rounded up
	c.Advance(900 * time.Millisecond)
	require.NoError(t, l.Allow("client", "192.0.2.1"))
	limited(t, l.Allow("client", "192.0.2.1"), time.Second)
}

func TestTheLimitersMemoryIsBounded(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := oauth.NewLimiter(&oauth.LimiterOptions{Limit: 1, Per: time.Hour, Keys: 3, Clock: c.Now})
	for i := range 3 {
		require.NoError(t, l.Allow(fmt.Sprint(i)))
	}
	limited(t, l.Allow("0"), time.Hour) // seen again, so that 1 is the oldest
	require.NoError(t, l.Allow("3"))
	limited(t, l.Allow("0"), time.Hour)
	limited(t, l.Allow("2"), time.Hour)
	require.NoError(t, l.Allow("1"), "it was forgotten")
}

func TestManyAtTheLimitAtOnce(t *testing.T) {
	t.Parallel()
	l := oauth.NewLimiter(&oauth.LimiterOptions{Clock: newClock().Now}) // no minute passes
	var let atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if l.Allow("k") == nil {
				let.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 10, let.Load())
}
