package lifecycle

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// after is a time some hours after the start.
func after(hours int) time.Time { return start.Add(time.Duration(hours) * hour) }

// code is one that was sent, good until 100 hours after the start.
func code() *Code { return &Code{Hash: []byte{1, 2}, ExpiresAt: after(100)} }

// live takes a new request through events, each an hour after the one before
// unless it says when, and returns the last change.
func live(t *testing.T, flow Flow, events ...Event) *Change {
	t.Helper()
	ch := &Change{State: State{Flow: flow}}
	return goOn(t, ch.State, start, events...)
}

// goOn takes a request through more events, the first at a given time.
func goOn(t *testing.T, s State, at time.Time, events ...Event) *Change {
	t.Helper()
	var ch *Change
	for i, e := range events {
		if e.At.IsZero() {
			e.At = at
		}
		at = e.At.Add(hour)
		var err error
		ch, err = Next(s, e)
		require.NoError(t, err, "event %d: %s", i, e.Kind)
		s = ch.State
	}
	return ch
}

// refused returns the refusal of an event.
func refused(t *testing.T, s State, e Event) *RefusedError {
	t.Helper()
	ch, err := Next(s, e)
	require.Nil(t, ch)
	var r *RefusedError
	require.ErrorAs(t, err, &r)
	require.Equal(t, e.Kind, r.Event)
	require.Equal(t, s.Status, r.Status)
	return r
}

// sample is an event that can happen wherever its kind can.
func sample(kind Kind, at time.Time) Event {
	return Event{
		Kind: kind, At: at, Right: true, Check: "fraud", Code: code(), Reason: "because", Until: at.Add(hour),
	}
}

// plain is a flow in which a person approves.

// reach brings a request to a status, in ways as short as can be. It starts at
// the start and takes less than ten hours.
func reach(t *testing.T, status Status) State {
	t.Helper()
	keep := Retention{Unverified: hour, Collected: hour, Packages: hour}
	flow := Flow{Approve: true, CodeAttempts: 3, Codes: 5, Keep: keep}
	checked := flow
	checked.PreApproval = []string{"fraud"}
	verified, finalized := flow, flow
	verified.Verify = true
	finalized.Finalize = true

	to := func(flow Flow, kinds ...Kind) State {
		var events []Event
		for i, kind := range kinds {
			e := sample(kind, after(i))
			e.Right = false // not verified, not eligible
			events = append(events, e)
		}
		return live(t, flow, events...).State
	}
	var s State
	switch status {
	case None:
		s = State{Flow: flow}
	case Unverified:
		s = to(verified, Submit, SendCode)
	case Duplicate:
		s = live(t, flow, Event{Kind: Submit, Repeats: "first"}).State
	case AwaitingPreApproval:
		s = to(checked, Submit)
	case NotEligible:
		s = to(checked, Submit, Answer)
	case Pending:
		s = to(flow, Submit)
	case Approved:
		s = to(flow, Submit, Approve)
	case InProcessing:
		s = to(flow, Submit, Approve, Begin)
	case RequiresInput:
		s = to(flow, Submit, Approve, Begin, AskPerson)
	case PendingExternal:
		s = to(flow, Submit, Approve, Begin, AskOther)
	case AwaitingEmail:
		s = to(flow, Submit, Approve, Begin, AskByEmail)
	case Paused:
		s = to(flow, Submit, Approve, Begin, Pause)
	case RequiresFinalization:
		s = to(finalized, Submit, Approve, Begin, Finish)
	case Error:
		s = to(flow, Submit, Approve, Begin, Fail)
	case Complete:
		s = to(flow, Submit, Approve, Begin, Finish)
	case Denied:
		s = to(flow, Submit, Deny)
	case Canceled:
		s = to(flow, Submit, Cancel)
	}
	require.Equal(t, status, s.Status)
	return s
}
