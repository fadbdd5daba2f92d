package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Event is what happened to a request, and when.
type Event struct {
	Kind Kind
	At   time.Time
	// Right says that a code was right, or a check found the request
	// eligible.
	Right bool
	// Check names the pre-approval check that answers.
	Check string
	// Removed are pre-approval checks that do not count any more.
	Removed []string
	// Repeats names the request that this one is a duplicate of.
	Repeats string
	// Code is the code that was sent. Unseen says that the one before expired
	// before it was sent: then the new one does not count as another, and
	// goes on with the wrong tries of that, so that guessing stays bounded.
	Code   *Code
	Unseen bool
	// Reason says why, of those that need it: whether one was given for
	// people's decisions, the text itself for a wait.
	Reason string
	// Until is when a wait is over.
	Until time.Time
	// Unconfirmed says, of a finish, that somebody was to erase and did not
	// say that they have.
	Unconfirmed bool
	// Awaits names what has to be answered, of an event that asks others.
	Awaits []string
}

// Change is what an event came to.
type Change struct {
	State State
	// Action is what the audit trail calls it; "" for nothing.
	Action string
	// Things are to go, with their keys.
	Things []Thing
	// Restart takes the work back to its beginning.
	Restart bool
}

// RefusedError says why an event cannot happen to a request.
type RefusedError struct {
	Event  Kind
	Status Status
	Reason Reason
	text   string
}

// Reason is why an event is refused.
type Reason string

// The reasons.
const (
	WrongStatus    Reason = "wrong status"
	ErasureBegun   Reason = "erasure has begun"
	IsDeleted      Reason = "deleted"
	NoReason       Reason = "no reason given"
	CodeExpired    Reason = "code expired"
	AttemptsUsedUp Reason = "attempts used up"
	NoCode         Reason = "no code was sent"
	TooManyCodes   Reason = "too many codes"
	UnknownCheck   Reason = "unknown check"
	Forgotten      Reason = "forgotten"
	TooEarly       Reason = "too early"
)

// Error says what cannot be done and why.
func (r *RefusedError) Error() string { return r.text }

// Next returns what the event makes of the state. A [*RefusedError] leaves
// everything as it is.
func Next(s State, e Event) (*Change, error) {
	if !s.DeletedAt.IsZero() && e.Kind != Expire {
		return nil, refuse(&s, &e, IsDeleted, "it was deleted on %s", s.DeletedAt.UTC().Format(time.DateOnly))
	}
	m := find(e.Kind, s.Status, &s, &e)
	if m == nil {
		return nil, misplaced(&s, &e)
	}
	if err := check(&s, &e); err != nil {
		return nil, err
	}
	ch := &Change{State: s.clone(), Action: m.Action}
	if m.To == admitted {
		m = find(admit, admitted, &s, &e)
	}
	if m.To != Same {
		ch.State.Status = m.To
	}
	ch.apply(&s, &e)
	ch.State.DueAt = ch.State.due(e.At)
	return ch, nil
}

// misplaced says which statuses the event takes, or which it does not when
// those are fewer.
func misplaced(s *State, e *Event) *RefusedError {
	var takes, leaves []string
	for _, status := range Statuses() {
		if slices.ContainsFunc(moves, func(m Move) bool { return m.Event == e.Kind && slices.Contains(m.From, status) }) {
			takes = append(takes, string(status))
		} else {
			leaves = append(leaves, string(status))
		}
	}
	switch {
	case s.Status == None:
		return refuse(s, e, WrongStatus, "it was never submitted")
	case len(takes) == 0:
		return refuse(s, e, WrongStatus, "it is %s, so that it was submitted already", s.Status)
	case len(takes) > len(leaves):
		return refuse(s, e, WrongStatus, "it is %s; %s takes a request that is not %s", s.Status, e.Kind, list(leaves))
	}
	return refuse(s, e, WrongStatus, "it is %s; %s takes a request that is %s", s.Status, e.Kind, list(takes))
}

func list(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}

func refuse(s *State, e *Event, r Reason, format string, args ...any) *RefusedError {
	return &RefusedError{Event: e.Kind, Status: s.Status, Reason: r, text: fmt.Sprintf(format, args...)}
}

// check refuses what the table allows by status alone. It returns a *RefusedError
// or nil.
func check(s *State, e *Event) error {
	switch e.Kind {
	case Cancel, Resubmit, Replan:
		if s.Erasing {
			return refuse(s, e, ErasureBegun, "its erasure has begun and must be finished")
		}
		if e.Kind == Resubmit && slices.Contains(s.Gone, Identities) {
			return refuse(s, e, Forgotten, "its identities were forgotten; submit a new request")
		}
	case Delete:
		if s.Erasing && !s.Status.Ended() && s.Status != RequiresFinalization {
			return refuse(s, e, ErasureBegun, "its erasure has begun and must be finished before it can be deleted")
		}
	case Deny, Extend:
		if strings.TrimSpace(e.Reason) == "" {
			what := map[Kind]string{Deny: "a denial", Extend: "an extension"}[e.Kind]
			return refuse(s, e, NoReason, "%s needs a reason, which the data subject has a right to know", what)
		}
	case Answer:
		if !slices.Contains(s.Flow.PreApproval, e.Check) {
			return refuse(s, e, UnknownCheck, "it has no pre-approval check %q; it has: %s", e.Check, strings.Join(s.Flow.PreApproval, ", "))
		}
	case SendCode:
		if s.Codes >= s.Flow.Codes && !e.inPlace(s) {
			return refuse(s, e, TooManyCodes, "%d verification codes were sent, which is the limit; resubmit the request", s.Codes)
		}
	case Verify:
		switch {
		case s.Code == nil:
			return refuse(s, e, NoCode, "no verification code was sent; send one")
		case s.Code.Wrong >= s.Flow.CodeAttempts:
			return refuse(s, e, AttemptsUsedUp, "too many wrong codes were entered; send a new code")
		case !e.At.Before(s.Code.ExpiresAt):
			return refuse(s, e, CodeExpired, "the verification code has expired; send a new one")
		}
	case Begin:
		if until := s.until(); e.At.Before(until) {
			return refuse(s, e, TooEarly, "it waits until %s", until.UTC().Format(time.RFC3339))
		}
	case Expire:
		if len(s.Expired(e.At)) == 0 {
			return refuse(s, e, TooEarly, "nothing of it has expired")
		}
	case Lapse:
		if keep := s.Flow.Keep.Unverified; keep == 0 || e.At.Before(s.SubmittedAt.Add(keep)) {
			return refuse(s, e, TooEarly, "it may still be verified")
		}
	}
	return nil
}

// inPlace reports whether a code takes the place of one that nobody saw, and
// that is not void.
func (e *Event) inPlace(s *State) bool {
	return e.Unseen && s.Code != nil && s.Code.Wrong < s.Flow.CodeAttempts
}

// apply writes down what a move leaves behind.
func (ch *Change) apply(old *State, e *Event) {
	s := &ch.State
	if s.Status != InProcessing {
		s.Wait = nil
	}
	if s.Status != old.Status {
		s.Awaits = slices.Clone(e.Awaits)
	}
	switch e.Kind {
	case Submit:
		s.SubmittedAt = e.At
		if e.Right {
			s.VerifiedAt = e.At
		}
	case SendCode:
		if !e.inPlace(old) {
			s.Code, s.Codes = e.Code, s.Codes+1
			break
		}
		code := *e.Code
		code.Wrong = old.Code.Wrong
		s.Code = &code
	case Verify:
		if !e.Right {
			s.Code.Wrong++
			return
		}
		s.VerifiedAt, s.Code = e.At, nil
	case Answer:
		if s.Answers == nil {
			s.Answers = map[string]bool{}
		}
		s.Answers[e.Check] = e.Right
	case Approve, Deny:
		s.ReviewedAt = e.At
	case Begin:
		s.StoppedAt = time.Time{}
		if s.Wait != nil {
			s.Wait.Until = time.Time{}
		}
		if s.StartedAt.IsZero() {
			s.StartedAt = e.At
		}
	case Wait:
		wait := Waiting{Reason: e.Reason, Since: e.At, Until: e.Until, Tries: 1}
		if old.Wait != nil {
			wait.Since, wait.Tries = old.Wait.Since, old.Wait.Tries+1
		}
		s.Wait = &wait
	case Progress:
		s.Wait, s.Fresh = nil, false
	case Erase:
		s.Wait, s.Fresh, s.Erasing = nil, false, true
	case AskPerson, AskOther, AskByEmail, Pause:
		s.StoppedAt = e.At
	case Fail:
		s.StoppedAt, s.FailedAt = e.At, e.At
	case GotAnswer:
		s.StoppedAt = time.Time{}
	case Retry, Resume:
		s.StoppedAt, s.Fresh = time.Time{}, true
	case Replan:
		s.StoppedAt, s.Fresh, ch.Restart = time.Time{}, true, true
		ch.Things = []Thing{Collected, Journal}
	case Finalize:
		s.FinalizedAt = e.At
	case Resubmit:
		ch.Restart = true
		*s = State{
			Status: s.Status, Flow: s.Flow, SubmittedAt: e.At, VerifiedAt: s.VerifiedAt, Fresh: true, Round: s.Round + 1,
		}
		ch.Things = []Thing{Collected, Journal}
	case Delete:
		s.DeletedAt, s.Wait = e.At, nil
		ch.Things = []Thing{Collected, Journal}
		if !slices.Contains(s.Gone, Journal) {
			s.Gone = append(s.Gone, Journal)
		}
	case Expire:
		ch.Things = old.Expired(e.At)
		for _, thing := range ch.Things {
			if thing == Collected { // may be collected again, and then expire again
				ch.Restart, s.StoppedAt = true, time.Time{}
			} else {
				s.Gone = append(s.Gone, thing)
			}
		}
	}
	if s.Status == Duplicate && e.Repeats != "" {
		s.Repeats = e.Repeats
	}
	if s.Status == Approved && s.ApprovedAt.IsZero() { // not so when it resumes
		s.ApprovedAt = e.At
	}
	ended := s.Status.Ended() && !old.Status.Ended()
	if ended {
		s.EndedAt = e.At
	}
	if ended || e.Kind == Finish {
		ch.Things = append(ch.Things, Collected)
		if s.Flow.Keep.Journal == 0 {
			ch.Things = append(ch.Things, Journal)
		}
	}
}
