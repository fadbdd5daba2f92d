package dsr_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
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

// watchedMessages tells when it is asked for what is due, and when for what will
// be.
type watchedMessages struct {
	dsr.Store
	due, later func()
}

func (s watchedMessages) Messages(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
	switch {
	case q.RequestID != "" || q.ID != "":
	case !q.Before.IsZero():
		s.due()
	case q.After != nil:
		s.later()
	}
	return s.Store.Messages(ctx, q)
}

// What had no place is sent, also where every place became free before anybody
// looked whether one is taken.
func TestSendGoesOnWhenAllPlacesBecomeFreeAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks, calls, second, rest := -1000, atomic.Int64{}, make(chan struct{}), make(chan struct{})
		goOn := func(at int, others chan struct{}) {
			if synctest.Wait(); looks == at {
				close(others)
				synctest.Wait()
			}
		}
		o, hooks := hooking(t, dsr.Flow{PreApproval: []string{"slow"}}, func(c *dsr.Config) {
			c.Notifier = nil
			c.Store = watchedMessages{
				Store: c.Store,
				due:   func() { looks++; goOn(2, second) },
				later: func() { goOn(3, rest) }, // then all places were taken
			}
		})
		hooks.fails("slow", fmt.Errorf("down: %w", dsr.ErrUnavailable))
		for i := range 30 {
			o.submitted(t, submission("access", fmt.Sprintf("u%d@example.com", i)))
		}
		o.clock.add(time.Hour)
		hooks.does("slow", func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error) {
			switch calls.Add(1) {
			case 1:
			case 2:
				<-second
			default:
				<-rest
			}
			return &dsr.HookAnswer{Eligible: yes()}, nil
		})
		looks = 0 // not those of the submissions
		o.send(t)
		require.Empty(t, o.pending(t))
	})
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
