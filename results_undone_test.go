package dsr_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// stumbling is a keyring that fails once, at the given look-up for the audit
// trail.
type stumbling struct {
	dsr.Keyring
	n, at int
}

func (s *stumbling) Lookup(ctx context.Context, data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte("audit\x00")) {
		if s.n++; s.n == s.at {
			return nil, errors.New("the key service is away")
		}
	}
	return s.Keyring.Lookup(ctx, data)
}

// A change that could not be stored counts for nothing: a hook that halts halts,
// whichever step failed, and is asked again if its answer was lost.
func TestHaltOutlivesAChangeThatFailed(t *testing.T) {
	t.Parallel()
	failed := 0
	for at := 1; at < 10; at++ {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			all, hooks := newReceivers("crm")
			all.answer("crm", dsr.HookAnswer{Halt: true})
			o := newOffice(t, dsr.Flow{Before: []dsr.Hooking{{Hook: "crm", TwoWay: true}}}, func(c *dsr.Config) {
				c.Keyring, c.Hooks = &stumbling{Keyring: c.Keyring, at: at}, hooks
			})
			if _, err := o.Submit(t.Context(), submission("erase", "ada@example.com")); err != nil {
				return // nothing is stored
			}
			if _, err := o.Advance(t.Context(), "r1"); err != nil {
				failed++
				_, _ = o.Retry(t.Context(), "r1", clerk) // refused where it had not begun
				_, err := o.Advance(t.Context(), "r1")
				require.NoError(t, err)
			}
			o.requireStatus(t, "r1", dsr.StatusPaused)
		})
	}
	require.Positive(t, failed)
}

// The data subject hears of the package, whichever step failed.
func TestPackageIsToldAfterAChangeThatFailed(t *testing.T) {
	t.Parallel()
	failed := 0
	for at := 1; at < 20; at++ {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			o := linked(t, func(c *dsr.Config) {
				c.Keyring = &stumbling{Keyring: c.Keyring, at: at}
				c.Vendors = []dsr.Vendor{{
					Key: "crm", Address: "privacy@crm.example", Identities: []string{"email"}, AskedIsEnough: true, When: dsr.Every(time.Hour),
				}}
			})
			if _, err := o.Submit(t.Context(), submission("both", "ada@example.com")); err != nil {
				return
			}
			for range 8 {
				req, err := o.Advance(t.Context(), "r1")
				if err != nil {
					failed++
				}
				if err != nil || req.Status == dsr.StatusError {
					_, _ = o.Retry(t.Context(), "r1", clerk)
				}
				o.clock.add(61 * time.Minute)
				o.send(t)
			}
			o.requireStatus(t, "r1", dsr.StatusComplete)
			packages := 0
			for _, n := range o.notifier.Notices() {
				packages += len(n.Packages)
			}
			require.Equal(t, 1, packages, "told once")
		})
	}
	require.Positive(t, failed)
}
