package dsr

import (
	"context"
	"time"

	"github.com/godsr/dsr/graph"
)

// Store keeps requests durably. It holds what must survive a crash: requests,
// their wrapped keys, journals, logs and the audit trail. What is personal in
// it is sealed by the engine before it gets here.
//
// All writing goes through Commit, SaveCheckpoint, SaveMessages and
// SaveEntries. Everything else only reads. What is given and what is returned belongs to the caller, who
// may change it, and a store changes nothing in what it is given [copies given]
// [copies returned]. An ID is taken literally, by its bytes; only one with zero
// bytes or invalid UTF-8 may be refused [hostile ids]. Times keep at least their
// microsecond [times]. An error that goes by itself wraps [ErrUnavailable]: the
// database cannot be reached, stops or starts, is too busy, or its disk is full.
// Errors are logged as they are. So they must hold nothing personal: of what is
// given and what is stored they quote IDs, keys and versions at most [nothing
// personal], and never the text of a driver, which may quote more.
// A store with a Close method must answer with an error
// from then on, and with nil to a second Close [closed]. Package
// adapters/storetest checks every "must"; the name of the check stands in
// brackets.
type Store interface {
	// Commit applies one change atomically: all of it must be durable when
	// it returns nil, and none of it otherwise [atomic] [canceled]. It must
	// refuse a change whose ExpectVersion is not the stored version (0: the
	// request does not exist) with [ErrConflict] [conflict], so that of
	// many that expect the same one is stored [one winner]. It must refuse
	// likewise a Record.Epoch below the stored one: its lease is over
	// [expired holder]. A key that the new record lacks must be gone for
	// good [shredded]. DropJournal comes before AppendJournal, and Ticks
	// after it [drop]; DropEvents before Events [drop log]; numbers then
	// begin at 1 again. A tick for a chunk that there is not fails the whole
	// change.
	//
	// With Remove, the request must vanish with all that hangs on it but
	// its audit trail, which Audit may still lengthen [removed]. Removing
	// what is not there is no error, whatever version is expected [removed
	// twice]. The ID may be used again; its trail then goes on.
	Commit(ctx context.Context, ch *StoreChange) error

	RequestReader
	LogReader
	AuditStore
	Outbox
	EntryStore
}

// RequestReader finds requests.
type RequestReader interface {
	// Request returns the record of a request in its newest version [round
	// trip], or [ErrNotFound] [not found].
	Request(ctx context.Context, id string) (*Record, error)

	// Requests lists the records that match all of the query [filters], in
	// its order [sorting], at most Limit of them [limit], without their
	// Plan, Outcomes and Manual, and without their Keys unless the query asks
	// for those. Pages that follow each other by After must
	// hold every record once, also while others are added [pages].
	Requests(ctx context.Context, q RecordQuery) ([]*Record, error)

	// CountRequests counts the records that Requests would list without
	// After, Offset and Limit [counts].
	CountRequests(ctx context.Context, q RecordQuery) (int64, error)
}

// LogReader reads what hangs on a request. What hangs on none is empty.
type LogReader interface {
	// Journal returns the chunks of a request's journal with a sequence
	// number above after, in order, at most limit of them; all for a limit
	// of 0 [journal order] [ticks].
	Journal(ctx context.Context, requestID string, after, limit int) ([]JournalChunk, error)

	// Events returns the lines of a request's log with a sequence number
	// above after, in order, at most limit of them; all for a limit of 0
	// [events order].
	Events(ctx context.Context, requestID string, after int64, limit int) ([]Event, error)

	// AuditEntries returns the audit trail by request ID and then in order,
	// at most limit entries after the given place; of one request only if
	// requestID is not empty [audit order].
	AuditEntries(ctx context.Context, requestID string, after AuditPlace, limit int) ([]AuditEntry, error)
}

// AuditStore keeps the checkpoints that sign the audit trail.
type AuditStore interface {
	// UnsignedHeads returns the ends of chains that are longer than the last
	// checkpoint that held them saw them, by request ID, at most limit
	// [unsigned heads].
	UnsignedHeads(ctx context.Context, limit int) ([]AuditHead, error)

	// SaveCheckpoint adds a checkpoint, after which the heads in it are no
	// longer unsigned. It must be [ErrConflict] unless its number follows
	// that of the last one, from 1 [checkpoints].
	SaveCheckpoint(ctx context.Context, c *Checkpoint) error

	// Checkpoints returns the checkpoints with a number above after, in
	// order, at most limit of them; the last one only for a limit below 0.
	Checkpoints(ctx context.Context, after int64, limit int) ([]Checkpoint, error)
}

// Outbox keeps what is to be sent, and what is to be done at a time, until it
// is.
type Outbox interface {
	// SaveMessages applies changes to messages atomically, in their order:
	// all of them must be durable when it returns nil, and none otherwise
	// [messages atomic] [canceled]. It must be [ErrConflict] where a
	// message's stored version is not the expected one (0: there is no such
	// message), and where there is no message to remove [message conflict],
	// so that of many that expect the same one is stored [one message
	// winner]. To save a message of a request that there is not must be
	// [ErrNotFound] [messages of nobody]; if the request is removed at that
	// moment, the message must be gone with it, or be refused with one of
	// the two [no orphans].
	SaveMessages(ctx context.Context, changes []MessageChange) error

	// Messages returns the messages that match all of the query [message
	// filters], as they were saved last [message round trip], by DueAt,
	// those without one first, and then by ID [message order], at most Limit
	// of them [message limit]. Pages that follow each other by After must
	// hold every message once [message pages].
	Messages(ctx context.Context, q MessageQuery) ([]Message, error)
}

// Message is a line of the outbox.
type Message struct {
	ID string
	// Version counts the times it was saved, from 1.
	Version int64
	// RequestID is whose it is; empty for one that is no request's.
	RequestID string
	// DueAt is when it is to be looked at. One beyond the times that a store
	// can keep may become the last, or the first, that it can.
	DueAt time.Time
	// Data says what it is, as JSON without personal values; Sealed holds
	// what is personal, sealed.
	Data, Sealed []byte
}

// MessageChange saves or removes one message.
type MessageChange struct {
	// ExpectVersion is the version that is stored; 0 for none. The Version
	// of Message must be ExpectVersion+1, also where it is removed.
	ExpectVersion int64
	Message       Message
	Remove        bool
}

// MessageQuery selects messages. Zero fields select everything.
type MessageQuery struct {
	ID        string
	RequestID string
	// Before keeps to those due before a time, and those without a DueAt.
	Before time.Time
	// After is the place of the last message of the page before: its DueAt
	// as it was returned, and its ID.
	After *RecordPlace
	// Limit defaults to 100.
	Limit int
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
	// Events are added to the request's log, numbered on from the last one.
	Events []Event
	// DropEvents deletes the request's whole log.
	DropEvents bool
	// Audit lengthens the request's chain. The numbers follow those stored.
	Audit []AuditEntry
	// Messages are changes to the outbox, as SaveMessages takes them. They
	// must be of this request, or else the change is refused [messages with
	// the request]. The request's messages vanish with it [messages
	// removed], so that a removal changes none.
	Messages []MessageChange
	// Remove deletes the request, and all that hangs on it but its audit
	// trail. Only the ID, Version and Epoch of Record count then.
	Remove bool
}

// Record is a privacy request as it is stored. Sealed fields are opaque to a
// store.
type Record struct {
	ID string
	// Version counts the commits of this record, from 1.
	Version int64
	// Epoch counts the leases that were taken. Whoever holds the lease
	// writes under its epoch.
	Epoch      int64
	LeaseUntil time.Time

	ExternalID string
	Policy     string
	// Actions are what the policy's rules do, sorted.
	Actions []graph.Action
	// Location is where the data subject is, in upper case: a country by
	// ISO 3166-1, or a part of it by ISO 3166-2, such as "US-CA".
	Location string
	Status   Status
	// Stage is where Advance goes on.
	Stage Stage

	RequestedAt time.Time
	CreatedAt   time.Time
	UpdatedAt   time.Time
	StartedAt   time.Time
	FailedAt    time.Time
	FinishedAt  time.Time
	DeletedAt   time.Time
	// DeadlineAt is when the request has to be answered; zero for never.
	DeadlineAt time.Time
	// DueAt is when the request is to be looked at again; zero for never.
	DueAt time.Time

	// Identity is the sealed set of identities, Details what people said
	// about the request, sealed.
	Identity []byte
	Details  []byte
	// Lookup holds a keyed hash for each value of an identity or a field, for
	// exact search.
	Lookup [][]byte
	// Keys are the request's own keys, wrapped by the keyring, by purpose.
	// A key that is absent has been shredded.
	Keys map[string][]byte
	// State is what the lifecycle remembers, as JSON, without personal
	// values.
	State []byte
	// Plan is the frozen plan as JSON. It holds no personal value.
	Plan []byte
	// Outcomes are what the walk and the erasure came to, as JSON, without
	// personal values.
	Outcomes []byte
	// Manual is what people were asked for the request and what they
	// answered, sealed.
	Manual []byte
	// Failure is what stopped the request last; empty when nothing did.
	Failure string
	// AuditSeq and AuditHash are the end of the request's audit trail.
	AuditSeq  int64
	AuditHash []byte
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

// Event is one line of a request's execution log. It holds no personal value.
type Event struct {
	// Seq numbers the lines of a request from 1; the store gives it.
	Seq  int64     `json:"seq"`
	Time time.Time `json:"time"`
	// Kind is the field's term for what happened, such as "collected".
	Kind string `json:"kind"`
	// Collection is the address it happened to, and Connection the key of
	// its connection, if it was one.
	Collection string `json:"collection,omitempty"`
	Connection string `json:"connection,omitempty"`
	// Action is what was being done to the collection.
	Action graph.Action `json:"action,omitempty"`
	// Status is how it went: in_processing, complete, skipped, retrying,
	// awaiting_processing or error, as in Fides.
	Status string `json:"status,omitempty"`
	// Rows counts the rows it is about.
	Rows    int64  `json:"rows,omitempty"`
	Message string `json:"message,omitempty"`
	// Fields are those that were touched.
	Fields []FieldTouched `json:"fields,omitempty"`
}

// FieldTouched is a field that was handed over or masked.
type FieldTouched struct {
	Path       string           `json:"path"`
	Categories []graph.Category `json:"categories,omitempty"`
}

// AuditEntry is one entry of a request's audit trail: a link of a chain of
// hashes. It holds no personal value.
type AuditEntry struct {
	RequestID string
	// Seq numbers the entries of a request from 1.
	Seq int64
	// Time is in UTC, to the microsecond.
	Time time.Time
	// Action is what happened, such as "approved".
	Action string
	// Actor is the keyed pseudonym of who did it; empty for the engine.
	Actor   string
	Details map[string]string
	// Prev is the hash of the entry before, Hash that of this one, MAC a
	// keyed hash of that.
	Prev, Hash, MAC []byte
}

// AuditPlace is a place in the audit trail.
type AuditPlace struct {
	RequestID string
	Seq       int64
}

// AuditHead is where a chain stood.
type AuditHead struct {
	RequestID string
	Seq       int64
	Hash      []byte
}

// Checkpoint signs the ends of all chains that grew since the one before.
type Checkpoint struct {
	// Seq numbers the checkpoints from 1.
	Seq  int64
	Time time.Time
	// Prev is the hash of the checkpoint before.
	Prev []byte
	// Heads are sorted by request ID.
	Heads           []AuditHead
	Hash, Signature []byte
}
