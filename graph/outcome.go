package graph

// State is how the visit of a step ended.
type State string

const (
	// Done: the step was visited to its end.
	Done State = "done"
	// Skipped: the step was not visited, for a reason that is told.
	Skipped State = "skipped"
	// Failed: the visit ended with an error.
	Failed State = "failed"
	// Suspended: the step waits for a person.
	Suspended State = "suspended"
)
