package dsr

import (
	"context"
	"time"
)

// Store keeps requests durably. It holds what must survive a crash: requests,
// their wrapped keys, journals and the audit trail of what was done. What is
// personal in it is sealed by the engine before it gets here.
//
// All writing goes through Commit; everything else only reads. What is given
// and what is returned belongs to the caller, who may change it [copies given]
// [copies returned]. An ID is taken literally, or refused [hostile ids]. Times
// keep at least their microsecond [times]. Package adapters/storetest checks
// every "must"; the name of the check stands in brackets.
type Store interface {
	// Commit applies one change atomically: all of it must be durable when
	// it returns nil, and none of it otherwise [atomic] [canceled]. It must
	// refuse a change whose ExpectVersion is not the stored version (0: the
	// request does not exist) with [ErrConflict] [conflict], so that of
	// many that expect the same one is stored [one winner]. A key that the
	// new record lacks must be gone for good [shredded]. DropJournal comes
	// before AppendJournal, and Ticks after it [drop].
	Commit(ctx context.Context, ch *StoreChange) error

	// Request returns the record of a request in its newest version [round
	// trip], or [ErrNotFound] [not found].
	Request(ctx context.Context, id string) (*Record, error)

	// Requests lists the records that match all of the filter [filters],
	// oldest first and then by ID, at most Limit of them [limit]. Pages
	// that follow each other by After must hold every record once, also
	// while others are added [pages].
	Requests(ctx context.Context, f RequestFilter) ([]*Record, error)

	// Journal returns the chunks of a request's journal with a sequence
	// number above after, in order, at most limit of them; all for a limit
	// of 0 [journal order] [ticks].
	Journal(ctx context.Context, requestID string, after, limit int) ([]JournalChunk, error)

	// Events returns the log of a request, oldest first [events order].
	Events(ctx context.Context, requestID string) ([]Event, error)
}

// StoreChange is everything that one step of the engine changes.
type StoreChange struct {
	// ExpectVersion is the version that Record had when it was read.
	// Record.Version must be ExpectVersion+1.
	ExpectVersion int64
	// Record is the request as it is to be stored.
	Record Record
	// AppendJournal adds chunks, numbered on from the last one.
	AppendJournal []JournalChunk
	// Ticks mark journal chunks as applied.
	Ticks []Tick
	// DropJournal deletes the request's whole journal.
	DropJournal bool
	// Events are added to the request's log.
	Events []Event
}

// Record is a privacy request as it is stored. Sealed fields are opaque to a
// store.
type Record struct {
	ID string
	// Version counts the commits of this record, from 1.
	Version int64
	// Epoch counts the leases that were taken. Whoever holds the lease
	// writes under its epoch; a stale holder fails on the version.
	Epoch      int64
	LeaseUntil time.Time

	ExternalID string
	Policy     string
	Status     Status
	// Stage is where Advance goes on.
	Stage Stage

	RequestedAt time.Time
	CreatedAt   time.Time
	UpdatedAt   time.Time
	FinishedAt  time.Time
	// DueAt is when the request is to be looked at again; zero for never.
	DueAt time.Time

	// Identity is the sealed set of identities.
	Identity []byte
	// Lookup holds a keyed hash for each identity value, for exact search.
	Lookup [][]byte
	// Keys are the request's own keys, wrapped by the keyring, by purpose.
	// A key that is absent has been shredded.
	Keys map[string][]byte
	// Plan is the frozen plan as JSON. It holds no personal value.
	Plan []byte
	// Outcomes are what the walk and the erasure came to, as JSON, without
	// personal values.
	Outcomes []byte
	// Failure is what stopped the request last; empty when nothing did.
	Failure string
}

// RequestFilter selects records. Zero fields select everything.
type RequestFilter struct {
	Status     []Status
	ExternalID string
	// Lookup selects requests with that identity hash.
	Lookup []byte
	// DueBefore selects requests with a due time before it.
	DueBefore time.Time
	// After is the ID of the last record of the page before.
	After string
	// Limit defaults to 100.
	Limit int
}

// JournalChunk is a sealed part of a journal.
type JournalChunk struct {
	// Seq numbers the chunks of a request from 1.
	Seq int
	// Step is the address of the collection, as "dataset:collection".
	Step string
	// Rows counts the rows in the chunk.
	Rows int
	// Sealed holds the changes, encrypted under the request's journal key.
	Sealed []byte
	// Applied is set when a Tick marked the chunk.
	Applied bool
	// Counts are the results of an applied chunk.
	Counts ChunkCounts
}

// Tick marks one chunk as applied.
type Tick struct {
	Seq    int
	Counts ChunkCounts
}

// ChunkCounts says what became of the rows of a chunk.
type ChunkCounts struct {
	// Masked rows hold the new values, or are deleted.
	Masked int `json:"masked"`
	// Gone rows had vanished before they could be masked.
	Gone int `json:"gone"`
	// Changed rows held other values than those journalled.
	Changed int `json:"changed"`
}

// Event is one line of a request's log. It holds no personal value.
type Event struct {
	Time time.Time `json:"time"`
	// Kind is the field's term for what happened, such as "collected".
	Kind string `json:"kind"`
	// Collection is the address it happened to, if it was one.
	Collection string `json:"collection,omitempty"`
	// Rows counts the rows it is about.
	Rows    int64  `json:"rows,omitempty"`
	Message string `json:"message,omitempty"`
}
