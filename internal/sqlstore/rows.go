package sqlstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/godsr/dsr/internal/value"
)

// Record points at the fields of a request.
type Record struct {
	ID                                                   *string
	Version, Epoch, AuditSeq                             *int64
	ExternalID, Policy, Status, Stage, Failure, Location *string
	Actions                                              Words
	LeaseUntil, RequestedAt, CreatedAt, UpdatedAt        *time.Time
	StartedAt, FailedAt, FinishedAt, DeletedAt           *time.Time
	DeadlineAt, DueAt                                    *time.Time
	Identity, Details, State, AuditHash                  *[]byte
	Plan, Outcomes, Manual                               *[]byte
	Lookup                                               *[][]byte
	// Ended is set when nothing is left to do. It is written, never read.
	Ended bool
}

// Chunk points at the fields of a journal chunk.
type Chunk struct {
	Seq     *int
	Step    *string
	Rows    *int
	Sealed  *[]byte
	Applied *bool
	Counts  *Counts
}

// Counts are what became of the rows of a chunk.
type Counts struct{ Masked, Gone, Changed int }

// Tick marks a chunk as applied.
type Tick struct {
	Seq    int
	Counts Counts
}

// Event points at the fields of a line of the log. Fields points at a list,
// which is kept as JSON.
type Event struct {
	Seq                                                   *int64
	Time                                                  *time.Time
	Kind, Collection, Connection, Action, Status, Message *string
	Rows                                                  *int64
	Fields                                                any
}

// AuditEntry is an entry of a request's audit trail.
type AuditEntry struct {
	RequestID       string
	Seq             int64
	Time            time.Time
	Action          string
	Actor           string
	Details         map[string]string
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

// Checkpoint signs heads.
type Checkpoint struct {
	Seq             int64
	Time            time.Time
	Prev            []byte
	Heads           []AuditHead
	Hash, Signature []byte
}

// Change is everything that one commit writes.
type Change struct {
	Expect     int64 // the version that must be stored; 0 for none
	Record     Record
	Append     []Chunk
	Ticks      []Tick
	Drop       bool // the journal
	Events     []Event
	DropEvents bool
	Audit      []AuditEntry
	Messages   []MessageChange
	Remove     bool
}

// Check refuses what no store takes.
func (ch *Change) Check() error {
	id := *ch.Record.ID
	if id == "" {
		return errors.New("a request without an ID cannot be stored")
	}
	if *ch.Record.Version != ch.Expect+1 {
		return fmt.Errorf("request %q: version %d cannot follow version %d: want %d", id, *ch.Record.Version, ch.Expect, ch.Expect+1)
	}
	for i, entry := range ch.Audit {
		if entry.RequestID != id {
			return fmt.Errorf("request %q: audit entry %d is that of request %q", id, entry.Seq, entry.RequestID)
		}
		if first := ch.Audit[0].Seq; entry.Seq != first+int64(i) || first < 1 {
			return fmt.Errorf("request %q: audit entry %d is out of order", id, entry.Seq)
		}
		for key, text := range entry.Details {
			if !utf8.ValidString(key) || !utf8.ValidString(text) {
				return fmt.Errorf("request %q: audit entry %d: its details hold a text that is no UTF-8", id, entry.Seq)
			}
		}
	}
	if ch.Remove && len(ch.Messages) > 0 {
		return fmt.Errorf("request %q: a removal cannot change messages: they vanish", id)
	}
	for i := range ch.Messages {
		if m := &ch.Messages[i].Message; m.RequestID != id {
			return fmt.Errorf("request %q: message %q is of request %q", id, m.ID, m.RequestID)
		}
	}
	return CheckMessages(ch.Messages)
}

// Words is a small set of words that is stored as one text.
type Words interface {
	// Join returns the words between commas, or nothing.
	Join() string
	// Scan reads such a text.
	Scan(text any) error
}

// WordsOf points at a list of words that hold no comma.
func WordsOf[T ~string](list *[]T) Words { return words[T]{list} }

type words[T ~string] struct{ list *[]T }

func (w words[T]) Join() string {
	if len(*w.list) == 0 {
		return ""
	}
	var b strings.Builder
	for _, word := range *w.list {
		b.WriteString("," + string(word))
	}
	return b.String() + ","
}

func (w words[T]) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return errors.New("a list of words is no text; restore a backup")
	}
	*w.list = nil
	if text = strings.Trim(text, ","); text == "" {
		return nil
	}
	for _, word := range strings.Split(text, ",") {
		*w.list = append(*w.list, T(word))
	}
	return nil
}

// text is a value kept as JSON. Nothing is null.
type text struct{ of any }

func (t text) encode() (string, error) {
	data, err := json.Marshal(t.of)
	return string(data), err
}

// Scan implements [database/sql.Scanner].
func (t text) Scan(value any) error {
	data, ok := value.(string)
	if !ok || json.Unmarshal([]byte(data), t.of) != nil {
		return errors.New("a value is not as this program wrote it; restore a backup")
	}
	return nil
}

// fold is how texts are kept and asked for without regard to case.
func fold(s string) string { return value.Fold(s) }

// country is the part of a location that stands for the whole country.
func country(location string) string {
	before, _, _ := strings.Cut(location, "-")
	return before
}
