package dsr

import (
	"context"
	"time"
)

// Executor calls [Requests.Advance] for requests that can go on. A job is a
// hint to look: the store holds the truth, so a job that comes twice, late or
// for a finished request does no harm, and one that is lost is made up for by
// looking at the store.
type Executor interface {
	// Enqueue asks for a run. Jobs of the same key that wait are one; a
	// job whose key is already running must run again afterwards.
	Enqueue(ctx context.Context, j Job) error
	// Run handles jobs until ctx ends and returns when the last handler
	// has returned.
	Run(ctx context.Context, h Handler) error
}

// Job names a request that may be able to go on.
type Job struct {
	RequestID string
	// RunAt is the earliest time to run; zero means now.
	RunAt time.Time
}

// Handler handles one job. A returned error makes the executor try again
// later.
type Handler func(ctx context.Context, j Job) error
