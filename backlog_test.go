package dsr_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// countedMessages counts the messages that were read.
type countedMessages struct {
	dsr.Store
	rows *atomic.Int64
}

func (s countedMessages) Messages(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
	list, err := s.Store.Messages(ctx, q)
	s.rows.Add(int64(len(list)))
	return list, err
}

// However many letters are due, each is read a few times at most.
func TestOutboxReadsItsBacklogOnce(t *testing.T) {
	t.Parallel()
	for _, n := range []int{200, 800} {
		var rows atomic.Int64
		o, hooks := hooking(t, dsr.Flow{PreApproval: []string{"slow"}}, func(c *dsr.Config) {
			c.Notifier = nil
			c.Store = countedMessages{c.Store, &rows}
		})
		hooks.fails("slow", fmt.Errorf("down: %w", dsr.ErrUnavailable))
		for i := range n {
			o.submitted(t, submission("access", fmt.Sprintf("u%d@example.com", i)))
		}
		o.clock.add(time.Hour)
		hooks.answer("slow", dsr.HookAnswer{Eligible: yes()})
		rows.Store(0)
		o.send(t)
		require.Empty(t, o.pending(t))
		require.LessOrEqual(t, rows.Load(), int64(6*n))
	}
}

// A letter behind more than ten thousand that have no place is sent all the same.
func TestOutboxSeesBehindWhatIsBusy(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	o.submitted(t, submission("access", "bob@example.com"))
	list, err := o.store.Messages(t.Context(), dsr.MessageQuery{})
	require.NoError(t, err)
	require.Empty(t, list)
	line := func(id, request string, due time.Time) dsr.MessageChange {
		return dsr.MessageChange{Message: dsr.Message{
			ID: id, Version: 1, RequestID: request, DueAt: due, Data: []byte(`{"kind":"notice","notice":{"kind":"input required","at":"2030-01-02T00:00:00Z","message":"m"}}`),
		}}
	}
	var changes []dsr.MessageChange
	for i := range 10_100 {
		changes = append(changes, line(fmt.Sprint("m", i), "r1", begin))
	}
	changes = append(changes, line("last", "r2", begin.Add(time.Second)))
	require.NoError(t, o.store.SaveMessages(t.Context(), changes))
	o.clock.add(time.Minute)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	sent := make(chan struct{})
	o.notifier.Fail(func(_ context.Context, n dsr.Notice) error {
		if n.RequestID == "r2" {
			close(sent)
			return nil
		}
		<-sent
		stop()
		return dsr.ErrUnavailable
	}, nil)
	_, _ = o.engine.Messages().Send(ctx)
	require.Equal(t, "input required message=m", o.told()[2], "what is of another request")
}
