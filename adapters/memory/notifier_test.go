package memory_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/notifiertest"
)

func TestNotifier(t *testing.T) {
	t.Parallel()
	n := memory.NewNotifier()
	require.Empty(t, n.Notices())
	packages := []string{"a.json"}
	require.NoError(t, n.Notify(t.Context(), dsr.Notice{Kind: dsr.NoticeReceived, RequestID: "r1"}))
	require.NoError(t, n.Notify(t.Context(), dsr.Notice{Kind: dsr.NoticeComplete, RequestID: "r1", Packages: packages}))
	packages[0] = "changed"
	n.Notices()[1].Packages[0] = "changed"
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, n.Notify(over, dsr.Notice{RequestID: "r2"}), context.Canceled)
	require.Equal(t, []dsr.Notice{
		{Kind: dsr.NoticeReceived, RequestID: "r1"},
		{Kind: dsr.NoticeComplete, RequestID: "r1", Packages: []string{"a.json"}},
	}, n.Notices())
}

// The notifier keeps its promises, whatever a test lets it do.
func TestNotifierConformance(t *testing.T) {
	t.Parallel()
	notifiertest.Run(t, notifiertest.Harness{
		New:   newSide,
		Lacks: map[notifiertest.Feature]string{notifiertest.Recipients: "notices stay in memory"},
	})
}

func newSide(context.Context) (*notifiertest.OtherSide, error) {
	n := memory.NewNotifier()
	fail := func(before, after func(context.Context, dsr.Notice) error) func(bool) {
		return func(on bool) {
			if on {
				n.Fail(before, after)
			} else {
				n.Fail(nil, nil)
			}
		}
	}
	always := func(err error) func(context.Context, dsr.Notice) error {
		return func(context.Context, dsr.Notice) error { return err }
	}
	return &notifiertest.OtherSide{
		Notifier: n,
		Received: func() ([]notifiertest.Received, error) {
			var received []notifiertest.Received
			for _, notice := range n.Notices() {
				received = append(received, notifiertest.Received{
					ID: notice.ID, Kind: notice.Kind, Subject: notice.Subject, Text: notice.Text, HTML: notice.HTML,
				})
			}
			return received, nil
		},
		Down:       fail(always(errors.New("down")), nil),
		Reject:     fail(always(dsr.ErrRejected), nil),
		LoseAnswer: fail(nil, always(errors.New("no answer"))),
		Hang: fail(func(ctx context.Context, _ dsr.Notice) error {
			<-ctx.Done()
			return ctx.Err()
		}, nil),
	}, nil
}
