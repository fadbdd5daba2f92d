package dsr_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// TestNobodyWaitsForHooks in a process that does not run the outbox: Submit and
// Verify leave their calls to Advance and to Messages.Send.
func TestNobodyWaitsForHooks(t *testing.T) {
	t.Parallel()
	flow := dsr.Flow{VerifyIdentity: true, PreApproval: []string{"fraud"}, Before: []dsr.Hooking{{Hook: "crm"}}}
	o, hooks := hooking(t, flow, nil)
	hooks.answer("fraud", dsr.HookAnswer{Eligible: yes()})
	_, err := o.Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
	require.Equal(t, []string{"r1 received", "r1 verify"}, o.notices(), "they are sent at once")
	req, err := o.Verify(t.Context(), "r1", o.code(t))
	require.NoError(t, err)
	require.Equal(t, dsr.StatusAwaitingPreApproval, req.Status)
	require.Empty(t, hooks.list())
	require.Equal(t, []string{"r1 hook fraud tries 0 "}, o.pending(t))

	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, []string{"pre_approval fraud r1 awaiting_pre_approval asked token", "pre_execution crm r1 complete"}, hooks.lines())
	require.Equal(t, []string{"r1 received", "r1 verify", "r1 complete r1.json"}, o.notices())
	require.Empty(t, o.pending(t))
}

// TestSlowNotifiersAndOtherProcesses: while one message is being sent, however
// long that takes, those behind it are anybody's, and each is sent once.
func TestSlowNotifiersAndOtherProcesses(t *testing.T) {
	t.Parallel()
	o := newOffice(t, verifying, nil)
	other := newEngine(t, o.config)
	sends := map[dsr.NoticeKind]int{}
	o.notifier.Fail(func(ctx context.Context, n dsr.Notice) error {
		sends[n.Kind]++
		if n.Kind == dsr.NoticeReceived && sends[n.Kind] == 1 {
			o.clock.add(59 * time.Second) // within its own claim
			if _, err := other.Messages().Send(ctx); err != nil {
				return err
			}
			o.clock.add(59 * time.Second) // beyond one that was made with its own
			_, err := other.Messages().Send(ctx)
			return err
		}
		return nil
	}, nil)
	_, err := o.Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
	require.Equal(t, 1, sends[dsr.NoticeVerify])
}

// glances counts how often the outbox is read.
type glances struct {
	dsr.Store
	n atomic.Int32
}

func (s *glances) Messages(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
	s.n.Add(1)
	return s.Store.Messages(ctx, q)
}

// TestTheOutboxIsReadOnceForWhatIsSent: what is due and what comes next, and not
// again after each message.
func TestTheOutboxIsReadOnceForWhatIsSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &glances{}
		o := newOffice(t, verifying, func(c *dsr.Config) { store.Store, c.Store = c.Store, store })
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- o.engine.Run(ctx) }()
		synctest.Wait()
		before := store.n.Load()
		_, err := o.Submit(t.Context(), submission("access", "ada@example.com"))
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, []string{"r1 received", "r1 verify"}, o.notices())
		require.EqualValues(t, 2, store.n.Load()-before)
		stop()
		require.NoError(t, <-ended)
	})
}
