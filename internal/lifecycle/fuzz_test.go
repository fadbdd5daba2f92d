package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	. "github.com/godsr/dsr/internal/lifecycle"
)

// requireSound checks what has to hold after every event, whatever happened.
// The time is that of the event.
func requireSound(t *testing.T, old State, e Event, ch *Change) {
	t.Helper()
	s := ch.State
	require.Contains(t, Statuses(), s.Status)
	require.Equal(t, old.Flow, s.Flow)

	// Nobody gets on without verification.
	if s.Flow.Verify && s.VerifiedAt.IsZero() {
		require.Contains(t, []Status{Unverified, Canceled}, s.Status)
		require.Empty(t, s.Repeats, "nothing is looked for before verification")
	}
	require.False(t, !old.VerifiedAt.IsZero() && s.VerifiedAt.IsZero(), "verification is never lost")
	require.False(t, !s.VerifiedAt.IsZero() && s.Status == Unverified, "nobody is asked twice")
	require.LessOrEqual(t, s.Codes, s.Flow.Codes)
	if s.Code != nil {
		require.LessOrEqual(t, s.Code.Wrong, s.Flow.CodeAttempts)
	}
	require.False(t, s.Status == Duplicate && s.Repeats == "")

	// What has begun is finished.
	require.False(t, old.Erasing && !s.Erasing)
	require.False(t, s.Erasing && (s.Status == Canceled || s.Status == Denied))
	require.False(t, s.Erasing && ch.Restart)
	if s.Erasing && !s.Status.Ended() && s.Status != RequiresFinalization {
		require.NotContains(t, ch.Things, Collected)
		require.NotContains(t, ch.Things, Journal)
		require.Zero(t, s.DeletedAt)
	}

	// Times say what happened.
	require.Equal(t, s.Status.Ended(), !s.EndedAt.IsZero())
	if slices.Contains([]Status{Approved, InProcessing, RequiresInput, PendingExternal, AwaitingEmail, Paused, Error, Complete}, s.Status) {
		require.False(t, s.ApprovedAt.IsZero())
	}
	require.False(t, s.Status == InProcessing && s.StartedAt.Before(s.ApprovedAt.Add(s.Flow.CoolingOff)))
	require.False(t, s.Waits() && s.Status != InProcessing)

	// Whatever waits for nobody is looked at again, and nothing else is.
	keep := s.Flow.Keep
	switch {
	case !s.DeletedAt.IsZero() || s.Status.Ended():
		if keep.Journal+keep.Packages+keep.Identities+keep.Log+keep.Request == 0 {
			require.Zero(t, s.DueAt)
		}
	case s.Status == Approved || s.Status == InProcessing:
		require.False(t, s.DueAt.IsZero())
	case s.Status == Unverified:
		require.Equal(t, keep.Unverified > 0, !s.DueAt.IsZero())
	case keep.Collected == 0:
		require.Zero(t, s.DueAt)
	}

	// What is due can be done then, and then is done.
	if at := s.DueAt; !at.IsZero() {
		done := false
		for _, kind := range []Kind{Begin, Lapse, Expire} {
			ch, err := Next(s, Event{Kind: kind, At: at})
			done = done || err == nil && (kind == Begin || !ch.State.DueAt.Equal(at))
		}
		require.True(t, done, "%s is due and nothing happens", s.Status)
	}

	// There is a way on.
	if !s.Status.Ended() && s.DeletedAt.IsZero() {
		require.True(t, slices.ContainsFunc(kinds, func(kind Kind) bool {
			next, err := Next(s, sample(kind, e.At.Add(1000*day)))
			return err == nil && next.State.Status != s.Status
		}), "no event leads on from %s", s.Status)
	}

	// Things go once.
	seen := map[Thing]bool{}
	for _, thing := range append(slices.Clone(s.Gone), Collected) {
		require.False(t, seen[thing], "%s is gone twice", thing)
		seen[thing] = true
	}
	seen = map[Thing]bool{}
	for _, thing := range ch.Things {
		require.False(t, seen[thing], "%s goes twice", thing)
		seen[thing] = true
		require.False(t, e.Kind == Expire && slices.Contains(old.Gone, thing), "%s went before", thing)
	}
}

// bytesOf hands out the bytes of an input, and zeros after its end.
type bytesOf struct{ rest []byte }

func (b *bytesOf) next() int {
	if len(b.rest) == 0 {
		return 0
	}
	n := b.rest[0]
	b.rest = b.rest[1:]
	return int(n)
}

func (b *bytesOf) hours() time.Duration { return time.Duration(b.next()%8) * hour }

// flow reads what a request has to go through.
func (b *bytesOf) flow() Flow {
	bits := b.next()
	flow := Flow{
		Verify: bits&1 > 0, Approve: bits&2 > 0, Finalize: bits&4 > 0, CodeAttempts: bits >> 3 & 3, Codes: bits >> 5 & 3,
		PreApproval: []string{"fraud", "contract"}[:b.next()%3], CoolingOff: b.hours(),
	}
	flow.Keep = Retention{
		Unverified: b.hours(), Collected: b.hours(), Journal: b.hours(), Packages: b.hours(), Identities: b.hours(), Log: b.hours(),
		Request: b.hours(),
	}
	return flow
}

// event reads what happens next.
func (b *bytesOf) event(at time.Time) Event {
	e := Event{Kind: kinds[b.next()%len(kinds)]}
	bits := b.next()
	e.At = at.Add(time.Duration(bits>>4) * 30 * time.Minute)
	e.Right = bits&1 > 0
	e.Check = []string{"fraud", "contract", "other"}[bits%3]
	if bits&2 > 0 {
		e.Repeats = "first"
	}
	if bits&4 > 0 {
		e.Reason = "because"
	}
	e.Code = &Code{Hash: []byte{1}, ExpiresAt: e.At.Add(2 * hour)}
	e.Until = e.At.Add(time.Duration(bits&8) * 15 * time.Minute)
	return e
}

func copyOf(s State) State {
	s.Flow.PreApproval, s.Gone = slices.Clone(s.Flow.PreApproval), slices.Clone(s.Gone)
	if s.Code != nil {
		code := *s.Code
		code.Hash = slices.Clone(code.Hash)
		s.Code = &code
	}
	if s.Wait != nil {
		wait := *s.Wait
		s.Wait = &wait
	}
	if s.Answers != nil {
		answers := map[string]bool{}
		for k, v := range s.Answers {
			answers[k] = v
		}
		s.Answers = answers
	}
	return s
}

// FuzzNext lives through any sequence of events.
func FuzzNext(f *testing.F) {
	index := func(kind Kind) byte { return byte(slices.Index(kinds, kind)) }
	flow := []byte{0b11111111, 1, 2, 3, 4, 5, 6, 7, 1, 2}
	for _, path := range [][]Kind{
		{Submit, SendCode, Verify, Answer, Approve, Begin, Erase, Wait, Begin, Finish, Finalize, Expire, Delete},
		{Submit, SendCode, Verify, Approve, Pause, Resume, Begin, AskPerson, Expire, GotAnswer, Fail, Retry, Cancel, Resubmit},
		{Submit, Lapse, Resubmit, Delete, Expire},
	} {
		for _, flow := range [][]byte{flow, make([]byte, len(flow))} {
			input := slices.Clone(flow)
			for _, kind := range path {
				input = append(input, index(kind), 0x25)
			}
			f.Add(input)
		}
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		b := &bytesOf{input[:min(len(input), 400)]}
		s, at := State{Flow: b.flow()}, start
		for len(b.rest) > 0 {
			e := b.event(at)
			at = e.At
			before, code := copyOf(s), *e.Code
			ch, err := Next(s, e)
			require.Equal(t, before, s, "%s changes what it was given", e.Kind)
			require.Equal(t, code, *e.Code)
			if err != nil {
				var r *Refusal
				require.ErrorAs(t, err, &r)
				require.Nil(t, ch)
				require.NotEmpty(t, r.Error())
				continue
			}
			requireSound(t, before, e, ch)
			s = ch.State
		}
	})
}
