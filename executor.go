package dsr

import (
	"context"
	"time"
)

// Executor calls [Requests.Advance] for requests that can go on. A job is a
// hint to look: the store holds the truth, so a job that comes twice, late or
// for a finished request does no harm, and one that is lost is made up for by
// looking at the store. [LocalExecutor] is the one within a process.
//
// Package adapters/executortest checks every "must"; the name of the check
// stands in brackets.
type Executor interface {
	// Enqueue asks for a run, which must come [runs], once its time has
	// come [not early]. It may be called before Run [before run], by many
	// at once [crowd] and by a handler [from a handler]. Jobs of the same
	// request that wait must be one [one waiting], whose time is the
	// earliest of theirs [earlier]. A request that is running already must
	// run again afterwards [again], and never twice at once [one at a
	// time]. Under a context that is over, a job is refused or counts
	// [canceled].
	Enqueue(ctx context.Context, j Job) error
	// Run handles jobs until ctx ends, those of different requests at once
	// [concurrent]. Then it must start nothing more, and return nil when
	// the last handler has returned [drain]. The context of handlers need
	// not end with ctx: an executor may first give them time to come to a
	// stopping place.
	Run(ctx context.Context, h Handler) error
}

// Job names a request that may be able to go on.
type Job struct {
	RequestID string
	// RunAt is the earliest time to run; zero means now.
	RunAt time.Time
}

// Handler handles one job. A returned error must make the executor try again
// later [retry]. A panic must count as one, and must not end the executor
// [panic].
type Handler func(ctx context.Context, j Job) error
