package lifecycle

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRetention(t *testing.T) {
	t.Parallel()
	flow := Flow{Approve: true, Keep: Retention{
		Unverified: hour, Collected: hour, Journal: 1 * day, Packages: 2 * day, Identities: 2 * day, Log: 3 * day, Request: 9 * day,
	}}
	paths := map[Status][]Event{
		Complete: {{Kind: Submit}, {Kind: Approve}, {Kind: Begin}, {Kind: Finish}},
		Denied:   {{Kind: Submit}, {Kind: Deny, Reason: "no"}},
		Canceled: {{Kind: Submit}, {Kind: Cancel}},
		Pending:  {{Kind: Submit}, {Kind: Delete}},
	}
	for status, path := range paths {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			s := live(t, flow, path...).State
			end := after(len(path) - 1)
			steps := []struct {
				at     time.Duration
				things []Thing
			}{
				{1 * day, []Thing{Journal}},
				{2 * day, []Thing{Packages, Identities}},
				{3 * day, []Thing{Log}},
				{9 * day, []Thing{Request}},
			}
			if status == Pending { // Delete gave up the journal
				steps = steps[1:]
			}
			for _, step := range steps {
				require.Equal(t, end.Add(step.at), s.DueAt)
				refused := refused(t, s, Event{Kind: Expire, At: s.DueAt.Add(-1)})
				require.Equal(t, TooEarly, refused.Reason)
				require.Equal(t, "nothing of it has expired", refused.Error())
				ch := goOn(t, s, s.DueAt, Event{Kind: Expire})
				require.Equal(t, step.things, ch.Things)
				require.Equal(t, status, ch.State.Status)
				require.False(t, ch.Restart)
				s = ch.State
			}
			require.Equal(t, []Thing{Journal, Packages, Identities, Log, Request}, s.Gone)
			require.Zero(t, s.DueAt)
			require.Equal(t, TooEarly, refused(t, s, Event{Kind: Expire, At: end.Add(99 * day)}).Reason)
		})
	}
}

// TestLateRetention: what fell due meanwhile goes at once, in order, and nothing
// that has a rule outlives the request.
func TestLateRetention(t *testing.T) {
	t.Parallel()
	end := []Event{{Kind: Submit}, {Kind: Cancel, At: start}}
	tests := []struct {
		name string
		keep Retention
		at   time.Duration
		want []Thing
		due  time.Duration // 0 for never
	}{
		{"two of three", Retention{Log: 1 * day, Packages: 2 * day, Identities: 3 * day}, 2 * day, []Thing{Packages, Log}, 3 * day},
		{
			"the request takes all with it", Retention{Request: 1 * day, Packages: 2 * day, Identities: 3 * day}, 1 * day,
			[]Thing{Packages, Identities, Request}, 0,
		},
		{"what is kept is left", Retention{Request: 1 * day}, 1 * day, []Thing{Request}, 0},
		{"nothing gone yet", Retention{Request: 5 * day, Log: 1 * day}, 1 * day, []Thing{Log}, 5 * day},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ch := goOn(t, live(t, Flow{Approve: true, Keep: test.keep}, end...).State, start.Add(test.at), Event{Kind: Expire})
			require.Equal(t, test.want, ch.Things)
			require.Equal(t, test.want, ch.State.Gone)
			if test.due == 0 {
				require.Zero(t, ch.State.DueAt)
				return
			}
			require.Equal(t, start.Add(test.due), ch.State.DueAt)
		})
	}
	require.Zero(t, live(t, Flow{Approve: true}, end...).State.DueAt)
}

// TestCollectedExpires: who waits too long for a person begins again, and may
// wait too long again.
func TestCollectedExpires(t *testing.T) {
	t.Parallel()
	flow := Flow{Keep: Retention{Collected: 5 * hour}}
	s := live(t, flow, Event{Kind: Submit}, Event{Kind: Begin}).State
	for _, stop := range []struct{ stop, goOn Kind }{{Fail, Retry}, {Pause, Resume}, {AskPerson, GotAnswer}} {
		stopped := goOn(t, s, after(2), Event{Kind: stop.stop}).State
		require.Equal(t, after(7), stopped.DueAt)
		require.Equal(t, TooEarly, refused(t, stopped, Event{Kind: Expire, At: after(7).Add(-1)}).Reason)
		ch := goOn(t, stopped, after(7), Event{Kind: Expire})
		require.Equal(t, []Thing{Collected}, ch.Things)
		require.True(t, ch.Restart)
		require.Equal(t, stopped.Status, ch.State.Status)
		require.Zero(t, ch.State.DueAt)
		require.Nil(t, ch.State.Gone)
		require.Equal(t, TooEarly, refused(t, ch.State, Event{Kind: Expire, At: after(99)}).Reason)

		again := goOn(t, ch.State, after(20), Event{Kind: stop.goOn}, Event{Kind: stop.stop}).State
		require.Equal(t, after(26), again.DueAt)
	}

	// Nothing was collected yet.
	s = live(t, flow, Event{Kind: Submit}, Event{Kind: Pause}).State
	require.Zero(t, s.DueAt)
	require.Equal(t, TooEarly, refused(t, s, Event{Kind: Expire, At: after(99)}).Reason)
}

func TestDeleted(t *testing.T) {
	t.Parallel()
	for _, status := range Statuses() {
		s := reach(t, status)
		ch := goOn(t, s, after(9), Event{Kind: Delete})
		require.Equal(t, after(9), ch.State.DeletedAt)
		require.Equal(t, []Thing{Collected, Journal}, ch.Things)
		require.False(t, ch.Restart)
		due := after(10)
		if status.Ended() {
			due = s.EndedAt.Add(hour)
		}
		require.Equal(t, due, ch.State.DueAt, status)
		for _, kind := range kinds {
			if kind == Expire {
				continue
			}
			r := refused(t, ch.State, sample(kind, after(20)))
			require.Equal(t, IsDeleted, r.Reason, kind)
			require.Equal(t, "it was deleted on 2026-03-01", r.Error())
		}
		ch = goOn(t, ch.State, after(20), Event{Kind: Expire})
		require.Equal(t, []Thing{Packages}, ch.Things)
		require.Zero(t, ch.State.DueAt, status)
	}
}

// TestJournalDeletedOnce: a rule finds nothing left of what was deleted before.
func TestJournalDeletedOnce(t *testing.T) {
	t.Parallel()
	flow := Flow{Keep: Retention{Journal: 2 * hour, Log: 4 * hour}}
	s := live(t, flow, Event{Kind: Submit}, Event{Kind: Cancel}).State
	require.Equal(t, after(5), goOn(t, s, after(2), Event{Kind: Delete}).State.DueAt)
	s = goOn(t, s, after(3), Event{Kind: Expire}, Event{Kind: Delete}).State
	require.Equal(t, []Thing{Journal}, s.Gone)
	require.Equal(t, after(5), s.DueAt)
}

// TestStored: a state is what it was once it was stored; its status and due time
// are stored beside it.
func TestStored(t *testing.T) {
	t.Parallel()
	at := after(3).Add(123456 * time.Microsecond)
	full := State{
		Status: InProcessing, DueAt: at,
		Flow: Flow{
			Verify: true, CodeAttempts: 3, Codes: 5, PreApproval: []string{"fraud"}, Approve: true, CoolingOff: hour, Finalize: true,
			Keep: Retention{
				Unverified: 1, Collected: 2, Journal: 3, Packages: 4, Identities: 5, Log: 6, Request: 7 * day,
			},
		},
		SubmittedAt: at, VerifiedAt: at.Add(1), ReviewedAt: at.Add(2), ApprovedAt: at.Add(3), StartedAt: at.Add(4), StoppedAt: at.Add(5),
		FailedAt: at.Add(6), FinalizedAt: at.Add(7), EndedAt: at.Add(8), DeletedAt: at.Add(9),
		Code: &Code{Hash: []byte{0, 255}, ExpiresAt: at, Wrong: 2}, Codes: 2, Repeats: "first", Answers: map[string]bool{"fraud": true},
		Erasing: true, Wait: &Waiting{Reason: "down", Since: at, Until: at.Add(hour), Tries: 3}, Fresh: true, Gone: []Thing{Journal, Log},
	}
	states := []State{full, {}}
	for _, status := range Statuses() {
		states = append(states, reach(t, status))
	}
	for _, s := range states {
		text, err := json.Marshal(s)
		require.NoError(t, err)
		var got State
		require.NoError(t, json.Unmarshal(text, &got))
		require.Empty(t, got.Status)
		require.Zero(t, got.DueAt)
		got.Status, got.DueAt = s.Status, s.DueAt
		require.Equal(t, s, got)
	}
	text, err := json.Marshal(State{})
	require.NoError(t, err)
	require.JSONEq(t, `{"flow":{}}`, string(text))
}
