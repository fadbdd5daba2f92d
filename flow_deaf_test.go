package dsr_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/storage"
)

// deafNotifier looks at nothing but its release.
type deafNotifier struct{ release chan struct{} }

func (n deafNotifier) Notify(context.Context, dsr.Notice) error {
	<-n.release
	return nil
}

// deafDestination answers when nobody waits for it any more.
type deafDestination struct{}

func (deafDestination) Create(ctx context.Context, _ string) (storage.Upload, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A notifier that never answers holds nobody up for ever.
func TestDeafNotifier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := deafNotifier{make(chan struct{})}
		o := newOffice(t, dsr.Flow{VerifyIdentity: true}, func(c *dsr.Config) { c.Notifier = n })
		began := time.Now()
		req, err := o.Submit(t.Context(), submission("access", "ada@example.com"))
		require.EqualError(t, err, "dsr: request r1 is stored, but its verification code was not sent yet; it waits in the outbox")
		require.Equal(t, dsr.StatusUnverified, req.Status)
		require.Equal(t, time.Minute, time.Since(began), "30 seconds for the receipt, and as many for the code")
		close(n.release)
		synctest.Wait()
	})
}

// A destination that hangs makes the request wait, and others go on.
func TestDeafDestination(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
			c.Destinations = map[string]dsr.Destination{"folder": {Storage: deafDestination{}}}
			c.Clock = time.Now
		})
		o.submitted(t, submission("access", "ada@example.com"))
		began := time.Now()
		req, err := o.Advance(t.Context(), "r1")
		require.NoError(t, err)
		require.Equal(t, dsr.StatusInProcessing, req.Status)
		require.Contains(t, req.Waiting.Reason, "no answer came in time")
		require.LessOrEqual(t, time.Since(began), 4*time.Minute, "one to two times two minutes")
		require.True(t, req.DueAt.After(time.Now()))
	})
}

// A notifier that is slow for one submission holds up no other, also where
// duplicates are looked for.
func TestSlowNotifierHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := deafNotifier{make(chan struct{})}
		o := newOffice(t, dsr.Flow{Approval: true, Duplicates: &dsr.Duplicates{}}, func(c *dsr.Config) { c.Notifier = n })
		began := time.Now()
		ended := make(chan error)
		for _, email := range []string{"ada@example.com", "bob@example.com", "cem@example.com"} {
			go func() {
				_, err := o.Submit(t.Context(), submission("access", email))
				ended <- err
			}()
		}
		for range 3 {
			require.NoError(t, <-ended)
		}
		require.Equal(t, 30*time.Second, time.Since(began), "they wait side by side")
		close(n.release)
		synctest.Wait()
	})
}
