package lifecycle

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"
)

// broken names what has to hold after every event and does not, or is empty.
func broken(old State, e Event, ch *Change) string {
	s := ch.State
	keep := s.Flow.Keep
	working := !s.Status.Ended() && s.DeletedAt.IsZero()
	approved := []Status{Approved, InProcessing, RequiresInput, PendingExternal, AwaitingEmail, Paused, RequiresFinalization, Error, Complete}
	switch {
	case !slices.Contains(Statuses(), s.Status):
		return "the status is defined"
	case !reflect.DeepEqual(s.Flow, old.Flow):
		return "the flow stays"

	case s.Flow.Verify && s.VerifiedAt.IsZero() && s.Status != Unverified && s.Status != Canceled:
		return "nobody gets on without verification"
	case s.Flow.Verify && s.VerifiedAt.IsZero() && s.Repeats != "":
		return "no duplicates are looked for before verification"
	case !old.VerifiedAt.IsZero() && s.VerifiedAt.IsZero():
		return "verification is never lost"
	case !s.VerifiedAt.IsZero() && s.Status == Unverified:
		return "nobody is asked twice"
	case s.Codes > s.Flow.Codes:
		return "codes are limited"
	case s.Code != nil && s.Code.Wrong > s.Flow.CodeAttempts:
		return "attempts are limited"
	case s.Status == Duplicate && s.Repeats == "":
		return "a duplicate has an original"

	case old.Erasing && !s.Erasing:
		return "what erases goes on erasing"
	case s.Erasing && (s.Status == Canceled || s.Status == Denied || ch.Restart):
		return "an erasure that has begun is finished"
	case s.Erasing && working && s.Status != RequiresFinalization && len(ch.Things) > 0:
		return "an erasure keeps what it needs"
	case s.Erasing && !s.DeletedAt.IsZero() && !s.Status.Ended() && s.Status != RequiresFinalization:
		return "an erasure is not deleted"

	case s.Status.Ended() == s.EndedAt.IsZero():
		return "what has ended, and only that, has an end"
	case slices.Contains(approved, s.Status) == s.ApprovedAt.IsZero() && s.Status != Canceled:
		return "what is worked on, and only that, was approved"
	case !s.StartedAt.IsZero() && s.StartedAt.Before(s.ApprovedAt.Add(s.Flow.CoolingOff)):
		return "work starts after the cooling-off time"
	case s.Waits() && s.Status != InProcessing:
		return "only work waits"

	case working && (s.Status == Approved || s.Status == InProcessing) && s.DueAt.IsZero():
		return "what waits for nobody is due"
	case working && s.Status == Unverified && (keep.Unverified > 0) == s.DueAt.IsZero():
		return "what is unverified is due when it lapses"
	case working && !slices.Contains([]Status{Approved, InProcessing, Unverified}, s.Status) && keep.Collected == 0 && !s.DueAt.IsZero():
		return "what waits for others is not due"
	case !working && keep == (Retention{Unverified: keep.Unverified, Collected: keep.Collected}) && !s.DueAt.IsZero():
		return "what is kept for good is not due"
	case !s.DueAt.IsZero() && !dueIsDone(s):
		return "what is due can be done, and is not due again"
	case working && !leadsOn(s, e.At.Add(1000*day)):
		return "there is a way on"

	case repeats(s.Gone) || slices.Contains(s.Gone, Collected):
		return "a rule is carried out once"
	case repeats(ch.Things):
		return "a thing goes once"
	case e.Kind == Expire && slices.ContainsFunc(ch.Things, func(thing Thing) bool { return slices.Contains(old.Gone, thing) }):
		return "what has gone does not go again"
	}
	return ""
}

// dueIsDone reports whether something happens to a request when it is due.
func dueIsDone(s State) bool {
	for _, kind := range []Kind{Begin, Lapse, Expire} {
		ch, err := Next(s, Event{Kind: kind, At: s.DueAt})
		if err == nil && (kind == Begin || !ch.State.DueAt.Equal(s.DueAt)) {
			return true
		}
	}
	return false
}

// leadsOn reports whether some event takes a request to another status.
func leadsOn(s State, at time.Time) bool {
	return slices.ContainsFunc(kinds, func(kind Kind) bool {
		ch, err := Next(s, sample(kind, at))
		return err == nil && ch.State.Status != s.Status
	})
}

func repeats(things []Thing) bool {
	for i, thing := range things {
		if slices.Contains(things[:i], thing) {
			return true
		}
	}
	return false
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
	e.Unconfirmed = bits&4 > 0
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
		b := &bytesOf{input[:min(len(input), 100)]}
		s, at := State{Flow: b.flow()}, start
		for len(b.rest) > 0 {
			e := b.event(at)
			at = e.At
			before, code := copyOf(s), *e.Code
			ch, err := Next(s, e)
			if !reflect.DeepEqual(before, s) || !reflect.DeepEqual(code, *e.Code) {
				t.Fatalf("%s changes what it was given: %+v became %+v", e.Kind, before, s)
			}
			if err != nil {
				var r *RefusedError
				if ch != nil || !errors.As(err, &r) || r.Error() == "" || r.Status != s.Status || r.Event != e.Kind {
					t.Fatalf("%s is refused with %v and %v", e.Kind, ch, err)
				}
				continue
			}
			if rule := broken(before, e, ch); rule != "" {
				t.Fatalf("%s: not so after %s of %+v: %+v", rule, e.Kind, before, ch)
			}
			s = ch.State
		}
	})
}
