package dsr

import (
	"time"

	"github.com/godsr/dsr/graph"
)

// RecordQuery selects and sorts records. Zero fields select everything but
// deleted records.
type RecordQuery struct {
	// Status, Policies, Actions and Lookup select records that have one of
	// those given. Lookup and Also hold up to 1,000 together, which a store
	// has to take.
	Status   []Status
	Policies []string
	Actions  []graph.Action
	Lookup   [][]byte
	// Also selects records that have one of these in their Lookup as well.
	// Many records may have it.
	Also [][]byte
	// ExternalID selects that very one.
	ExternalID string
	// ExternalPrefix selects external IDs that begin so, without regard to
	// case.
	ExternalPrefix string
	// Text selects records whose ID or external ID holds it, without regard
	// to case. It reads every record.
	Text string
	// IDContains selects records whose ID holds it, without regard to case.
	// It reads every record.
	IDContains string
	// Location selects that place and, for a country, all within it.
	Location string
	// Times select records by when something happened; a time that a record
	// does not have is in no range.
	Times map[TimeField]TimeRange
	// Unfinished leaves out what is complete, denied or canceled.
	Unfinished bool
	// OnTime leaves out unfinished records whose deadline was before it.
	OnTime time.Time
	// Deleted selects deleted records as well.
	Deleted bool
	// Keys asks for the keys of the records that are listed.
	Keys bool

	// Sort defaults to TimeCreated. Records without that time come first,
	// equal times by ID.
	Sort TimeField
	// Descending turns the whole order around.
	Descending bool
	// After is the place of the last record of the page before.
	After *RecordPlace
	// Offset passes over records, for numbered pages.
	Offset int
	// Limit defaults to 100.
	Limit int
}

// TimeField names a time of a record.
type TimeField string

// The times that records are selected and sorted by.
const (
	TimeRequested TimeField = "requested_at"
	TimeCreated   TimeField = "created_at"
	TimeUpdated   TimeField = "updated_at"
	TimeStarted   TimeField = "started_at"
	TimeFailed    TimeField = "failed_at"
	TimeFinished  TimeField = "finished_at"
	TimeDeadline  TimeField = "deadline_at"
	TimeDue       TimeField = "due_at"
)

// TimeFields are all of them.
func TimeFields() []TimeField {
	return []TimeField{TimeRequested, TimeCreated, TimeUpdated, TimeStarted, TimeFailed, TimeFinished, TimeDeadline, TimeDue}
}

// Time returns a time of the record by its name; zero for an unknown one.
func (rec *Record) Time(f TimeField) time.Time {
	switch f {
	case TimeRequested:
		return rec.RequestedAt
	case TimeCreated:
		return rec.CreatedAt
	case TimeUpdated:
		return rec.UpdatedAt
	case TimeStarted:
		return rec.StartedAt
	case TimeFailed:
		return rec.FailedAt
	case TimeFinished:
		return rec.FinishedAt
	case TimeDeadline:
		return rec.DeadlineAt
	case TimeDue:
		return rec.DueAt
	}
	return time.Time{}
}

// TimeRange holds the times from From on and before Before. A zero one is open.
type TimeRange struct {
	From   time.Time
	Before time.Time
}

// Holds reports whether the time is in the range; the zero time never is.
func (r TimeRange) Holds(t time.Time) bool {
	return !t.IsZero() && !t.Before(r.From) && (r.Before.IsZero() || t.Before(r.Before))
}

// RecordPlace is a place in a sorted list.
type RecordPlace struct {
	// Time is that of the field that the list is sorted by; DueAt of messages.
	Time time.Time
	ID   string
}
