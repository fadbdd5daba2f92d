package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCoolingOff(t *testing.T) {
	t.Parallel()
	flow := Flow{Approve: true, CoolingOff: 10 * hour}
	s := live(t, flow, Event{Kind: Submit}, Event{Kind: Approve}).State
	require.Equal(t, after(11), s.DueAt)
	r := refused(t, s, Event{Kind: Begin, At: after(11).Add(-1)})
	require.Equal(t, TooEarly, r.Reason)
	require.Equal(t, "it waits until 2026-03-01T23:00:00Z", r.Error())

	// A pause neither stops the clock nor starts it again.
	s = goOn(t, s, after(2), Event{Kind: Pause}).State
	require.Zero(t, s.DueAt)
	s = goOn(t, s, after(4), Event{Kind: Resume}).State
	require.Equal(t, Approved, s.Status)
	require.Equal(t, after(11), s.DueAt)

	begun := goOn(t, s, after(11), Event{Kind: Begin}).State
	require.Equal(t, after(11), begun.StartedAt)
	require.Equal(t, after(11), begun.DueAt)

	// To submit it again starts the clock again, also without a review.
	s = goOn(t, s, after(5), Event{Kind: Resubmit}, Event{Kind: Approve}).State
	require.Equal(t, after(16), s.DueAt)
	flow.Approve = false
	s = live(t, flow, Event{Kind: Submit}, Event{Kind: Resubmit}).State
	require.Equal(t, Approved, s.Status)
	require.Equal(t, after(1), s.ApprovedAt)
	require.Equal(t, after(11), s.DueAt)
}

func TestWaits(t *testing.T) {
	t.Parallel()
	s := live(t, Flow{}, Event{Kind: Submit}, Event{Kind: Begin}).State
	require.Equal(t, after(1), s.DueAt)
	ch := goOn(t, s, after(2), Event{Kind: Wait, Reason: "shop is down", Until: after(5)})
	require.Equal(t, "waiting", ch.Action)
	require.Equal(t, &Waiting{Reason: "shop is down", Since: after(2), Until: after(5), Tries: 1}, ch.State.Wait)
	require.Equal(t, after(5), ch.State.DueAt)
	require.True(t, ch.State.Waits())
	r := refused(t, ch.State, Event{Kind: Begin, At: after(5).Add(-1)})
	require.Equal(t, "it waits until 2026-03-01T17:00:00Z", r.Error())

	again := goOn(t, ch.State, after(5), Event{Kind: Begin})
	require.Empty(t, again.Action)
	require.Equal(t, &Waiting{Reason: "shop is down", Since: after(2), Tries: 1}, again.State.Wait)
	require.Equal(t, after(5), again.State.DueAt)
	require.Equal(t, after(1), again.State.StartedAt)
	require.False(t, again.State.Waits())

	second := goOn(t, again.State, after(6), Event{Kind: Wait, Reason: "shop hangs", Until: after(9)})
	require.Empty(t, second.Action)
	require.Equal(t, &Waiting{Reason: "shop hangs", Since: after(2), Until: after(9), Tries: 2}, second.State.Wait)
	require.Equal(t, 1, again.State.Wait.Tries)

	for kind, action := range map[Kind]string{
		Progress: "going on", Erase: "erasure begun", Fail: "failed", Pause: "paused", Finish: "completed", Delete: "deleted",
	} {
		after := goOn(t, again.State, after(6), Event{Kind: kind})
		require.Nil(t, after.State.Wait, kind)
		require.Equal(t, action, after.Action, kind)
	}
}

// Where somebody was to erase and did not say that they have, a person looks
// before the request is complete, whatever its flow.
func TestFinishUnconfirmed(t *testing.T) {
	t.Parallel()
	for _, finalize := range []bool{false, true} {
		s := live(t, Flow{Finalize: finalize}, Event{Kind: Submit}, Event{Kind: Begin}, Event{Kind: Erase}).State
		ch := goOn(t, s, after(3), Event{Kind: Finish, Unconfirmed: true})
		require.Equal(t, RequiresFinalization, ch.State.Status)
		require.Equal(t, "finished", ch.Action)
		require.Equal(t, []Thing{Collected, Journal}, ch.Things)
		require.Equal(t, Complete, goOn(t, ch.State, after(4), Event{Kind: Finalize}).State.Status)
	}
}

func TestErasing(t *testing.T) {
	t.Parallel()
	const begun = "its erasure has begun and must be finished"
	s := live(t, Flow{Finalize: true, Keep: Retention{Collected: hour}}, Event{Kind: Submit}, Event{Kind: Begin}, Event{Kind: Erase}).State
	require.True(t, s.Erasing)
	ch := goOn(t, s, after(3), Event{Kind: Erase})
	require.Empty(t, ch.Action)
	require.True(t, ch.State.Erasing)

	states := map[Status]State{InProcessing: s}
	for _, kind := range []Kind{AskPerson, AskOther, AskByEmail, Pause, Fail} {
		stopped := goOn(t, s, after(3), Event{Kind: kind}).State
		states[stopped.Status] = stopped
		// What was collected is what the erasure needs.
		require.Zero(t, stopped.DueAt)
		require.Equal(t, TooEarly, refused(t, stopped, Event{Kind: Expire, At: after(999)}).Reason)
	}
	for status, s := range states {
		for kind, text := range map[Kind]string{
			Cancel: begun, Resubmit: begun, Delete: begun + " before it can be deleted",
		} {
			r := refused(t, s, Event{Kind: kind, At: after(9)})
			require.Equal(t, ErasureBegun, r.Reason, status)
			require.Equal(t, text, r.Error(), status)
		}
	}

	s = goOn(t, s, after(3), Event{Kind: Fail}, Event{Kind: Retry}, Event{Kind: Finish}).State
	require.Equal(t, RequiresFinalization, s.Status)
	require.Equal(t, ErasureBegun, refused(t, s, Event{Kind: Cancel, At: after(9)}).Reason)
	require.False(t, goOn(t, s, after(9), Event{Kind: Delete}).State.DeletedAt.IsZero())
	s = goOn(t, s, after(9), Event{Kind: Finalize}).State
	require.Equal(t, Complete, s.Status)
	require.True(t, s.Erasing)
	require.Equal(t, after(9), s.FinalizedAt)
	require.Equal(t, after(9), s.EndedAt)
	require.Equal(t, WrongStatus, refused(t, s, Event{Kind: Cancel, At: after(10)}).Reason)
	require.False(t, goOn(t, s, after(10), Event{Kind: Delete}).State.DeletedAt.IsZero())
}

func TestStops(t *testing.T) {
	t.Parallel()
	s := live(t, Flow{}, Event{Kind: Submit}, Event{Kind: Begin}).State
	for _, test := range []struct{ stop, goOn Kind }{
		{Pause, Resume}, {AskPerson, Resume}, {AskPerson, GotAnswer}, {AskOther, GotAnswer}, {AskByEmail, GotAnswer}, {Fail, Retry},
	} {
		stopped := goOn(t, s, after(2), Event{Kind: test.stop}).State
		require.Equal(t, after(2), stopped.StoppedAt, test.stop)
		require.Equal(t, test.stop == Fail, stopped.FailedAt.Equal(after(2)), test.stop)
		require.Zero(t, stopped.DueAt, test.stop)
		require.False(t, stopped.Fresh)
		on := goOn(t, stopped, after(3), Event{Kind: test.goOn})
		require.Equal(t, InProcessing, on.State.Status, test.stop)
		require.Zero(t, on.State.StoppedAt, test.stop)
		require.Equal(t, after(3), on.State.DueAt, test.stop)
		require.Equal(t, test.goOn != GotAnswer, on.State.Fresh, test.stop)
		require.False(t, on.Restart)
		require.Empty(t, on.Things)
		require.False(t, goOn(t, on.State, after(4), Event{Kind: Progress}).State.Fresh)
		require.False(t, goOn(t, on.State, after(4), Event{Kind: Erase}).State.Fresh)
	}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	for _, kept := range []bool{false, true} {
		want, keep := []Thing{Collected, Journal}, Retention{}
		if kept {
			want, keep = []Thing{Collected}, Retention{Journal: hour}
		}
		ch := live(t, Flow{Keep: keep}, Event{Kind: Submit}, Event{Kind: Begin}, Event{Kind: Finish})
		require.Equal(t, "complete: completed", string(ch.State.Status)+": "+ch.Action)
		require.Equal(t, after(2), ch.State.EndedAt)
		require.Equal(t, want, ch.Things)

		ch = live(t, Flow{Keep: keep, Finalize: true}, Event{Kind: Submit}, Event{Kind: Begin}, Event{Kind: Finish})
		require.Equal(t, "requires_manual_finalization: finished", string(ch.State.Status)+": "+ch.Action)
		require.Zero(t, ch.State.EndedAt)
		require.Zero(t, ch.State.DueAt)
		require.Equal(t, want, ch.Things)
	}
}

func TestResubmit(t *testing.T) {
	t.Parallel()
	flow := Flow{Keep: Retention{Identities: 5 * hour, Packages: 2 * hour}}
	s := live(t, flow, Event{Kind: Submit, Right: true}, Event{Kind: Begin}, Event{Kind: Wait, Until: after(5)}, Event{Kind: Cancel}).State
	s = goOn(t, s, after(6), Event{Kind: Expire}).State
	require.Equal(t, []Thing{Packages}, s.Gone)
	ch := goOn(t, s, after(7), Event{Kind: Resubmit})
	require.Equal(t, &Change{
		State: State{
			Status: Approved, Flow: flow, SubmittedAt: after(7), VerifiedAt: start, ApprovedAt: after(7), Fresh: true, Round: 1, DueAt: after(7),
		},
		Action: "resubmitted", Things: []Thing{Collected, Journal}, Restart: true,
	}, ch)

	s = goOn(t, s, after(8), Event{Kind: Expire}).State
	r := refused(t, s, Event{Kind: Resubmit, At: after(9)})
	require.Equal(t, Forgotten, r.Reason)
	require.Equal(t, "its identities were forgotten; submit a new request", r.Error())
}
