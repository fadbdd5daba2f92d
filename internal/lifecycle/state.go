package lifecycle

import (
	"maps"
	"slices"
	"time"
)

// State is all of a request that its moves depend on, and what they leave
// behind. It holds no personal value.
type State struct {
	Status Status `json:"-"`
	Flow   Flow   `json:"flow"`

	SubmittedAt time.Time `json:"submitted_at,omitzero"`
	VerifiedAt  time.Time `json:"verified_at,omitzero"`
	ReviewedAt  time.Time `json:"reviewed_at,omitzero"`
	ApprovedAt  time.Time `json:"approved_at,omitzero"`
	StartedAt   time.Time `json:"started_at,omitzero"`
	// StoppedAt is when the work stopped for an error or for others, while
	// rows of it are kept.
	StoppedAt   time.Time `json:"stopped_at,omitzero"`
	FailedAt    time.Time `json:"failed_at,omitzero"`
	FinalizedAt time.Time `json:"finalized_at,omitzero"`
	EndedAt     time.Time `json:"ended_at,omitzero"`
	DeletedAt   time.Time `json:"deleted_at,omitzero"`

	// Code is the code that verification waits for.
	Code *Code `json:"code,omitempty"`
	// Codes counts the codes that were sent.
	Codes int `json:"codes,omitempty"`
	// Repeats is the request that this one was found to be a duplicate of.
	// Nothing is looked for, and nothing known, before verification.
	Repeats string `json:"repeats,omitempty"`
	// Answers are those of the pre-approval checks.
	Answers map[string]bool `json:"answers,omitempty"`
	// Round counts how often it was begun anew by Resubmit.
	Round int `json:"round,omitempty"`
	// Erasing is set once a row may have been changed.
	Erasing bool `json:"erasing,omitempty"`
	// Awaits names what others have to answer before the work goes on.
	Awaits []string `json:"awaits,omitempty"`
	// Wait is what the work waits for by itself, or waited for when it tries
	// again.
	Wait *Waiting `json:"wait,omitempty"`
	// Fresh asks the next run not to trust what it remembers of schemas.
	Fresh bool `json:"fresh,omitempty"`
	// Gone are the rules of retention that were carried out.
	Gone []Thing `json:"gone,omitempty"`
	// DueAt is when the request is to be looked at again; zero for never.
	DueAt time.Time `json:"-"`
}

// Code is a verification code that was sent.
type Code struct {
	Hash      []byte    `json:"hash"` // keyed
	ExpiresAt time.Time `json:"expires_at"`
	Wrong     int       `json:"wrong,omitempty"`
}

// Waiting is work that goes on by itself at a time.
type Waiting struct {
	// Reason is for people, without personal values.
	Reason string `json:"reason"`
	// Since is when the first of the tries that follow each other failed.
	Since time.Time `json:"since"`
	// Until is zero while the work tries again.
	Until time.Time `json:"until,omitzero"`
	Tries int       `json:"tries"`
}

// Thing is what a rule of retention is about.
type Thing string

// The things, in the order in which they go when they go together.
const (
	Collected  Thing = "collected rows"
	Journal    Thing = "journal"
	Packages   Thing = "packages"
	Identities Thing = "identities"
	Log        Thing = "log"
	Messages   Thing = "messages"
	Request    Thing = "request"
)

// rule is when a thing is to go.
type rule struct {
	thing Thing
	at    time.Time
}

// rules are those that the state has still to carry out.
func (s *State) rules() []rule {
	var list []rule
	add := func(thing Thing, from time.Time, keep time.Duration) {
		if keep > 0 && !from.IsZero() && !slices.Contains(s.Gone, thing) {
			list = append(list, rule{thing, from.Add(keep)})
		}
	}
	keep := s.Flow.Keep
	ended := s.EndedAt
	if !s.DeletedAt.IsZero() && ended.IsZero() {
		ended = s.DeletedAt
	}
	if !ended.IsZero() {
		add(Journal, ended, keep.Journal)
		add(Packages, ended, keep.Packages)
		add(Identities, ended, keep.Identities)
		add(Log, ended, keep.Log)
		add(Messages, ended, keep.Messages)
		add(Request, ended, keep.Request)
		return list
	}
	switch s.Status {
	case Error, Paused, RequiresInput, PendingExternal, AwaitingEmail:
		if !s.Erasing && !s.StartedAt.IsZero() {
			add(Collected, s.StoppedAt, keep.Collected)
		}
	}
	return list
}

// Expired are the things whose time has come. Nothing outlives the request:
// whatever else has a rule goes with it.
func (s *State) Expired(now time.Time) []Thing {
	rules := s.rules()
	past := func(r rule) bool { return !r.at.After(now) }
	whole := slices.ContainsFunc(rules, func(r rule) bool { return r.thing == Request && past(r) })
	var list []Thing
	for _, r := range rules {
		if whole || past(r) {
			list = append(list, r.thing)
		}
	}
	return list
}

// due works out when the request is to be looked at again.
func (s *State) due(now time.Time) time.Time {
	var times []time.Time
	for _, r := range s.rules() {
		times = append(times, r.at)
	}
	if s.DeletedAt.IsZero() {
		switch s.Status {
		case Unverified:
			if keep := s.Flow.Keep.Unverified; keep > 0 {
				times = append(times, s.SubmittedAt.Add(keep))
			}
		case Approved:
			times = append(times, s.until())
		case InProcessing:
			if s.Waits() {
				now = s.until()
			}
			times = append(times, now)
		}
	}
	if len(times) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(times, time.Time.Compare)
}

// until is when work that waits for a time goes on; zero for other work.
func (s *State) until() time.Time {
	switch {
	case s.Status == Approved:
		return s.ApprovedAt.Add(s.Flow.CoolingOff)
	case s.Waits():
		return s.Wait.Until
	}
	return time.Time{}
}

// Waits reports whether the work goes on by itself at a time.
func (s *State) Waits() bool { return s.Wait != nil && !s.Wait.Until.IsZero() }

// clone copies what a move may change.
func (s State) clone() State {
	s.Answers, s.Gone, s.Awaits = maps.Clone(s.Answers), slices.Clone(s.Gone), slices.Clone(s.Awaits)
	if s.Code != nil {
		code := *s.Code
		s.Code = &code
	}
	if s.Wait != nil {
		wait := *s.Wait
		s.Wait = &wait
	}
	return s
}
