// Package sqlstore is the SQL that the stores in databases share: all of it but
// for the keys of requests, which each database has its own way to destroy.
// What it reads and writes are rows that point at the fields of the engine's
// types.
package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/Masterminds/squirrel"
)

// Conn runs statements: a transaction, or whatever else gives one view.
type Conn interface {
	// Exec runs a statement and returns how many rows it affected.
	Exec(ctx context.Context, statement string, args ...any) (int64, error)
	// Query calls each for every row of a query, until it returns an error.
	// scan is only good during the call.
	Query(ctx context.Context, each func(scan func(dest ...any) error) error, query string, args ...any) error
}

// Dialect is what differs between databases, and what errors to return.
type Dialect struct {
	// Dollar is set where placeholders are $1, $2 instead of question marks.
	Dollar bool
	// Prefix stands before the names of tables: a quoted schema and a dot,
	// or nothing.
	Prefix string
	// EncodeTime turns a time into an argument; it may refuse one.
	EncodeTime func(time.Time) (any, error)
	// ScanTime returns where to scan a time that EncodeTime encoded.
	ScanTime func(*time.Time) any
	// IsDue is the condition that due_at is not the zero time.
	IsDue string
	// Conflict and NotFound are the engine's errors.
	Conflict, NotFound error
}

// Record points at the fields of a request.
type Record struct {
	ID                                                               *string
	Version, Epoch                                                   *int64
	ExternalID, Policy, Status, Stage, Failure                       *string
	LeaseUntil, RequestedAt, CreatedAt, UpdatedAt, FinishedAt, DueAt *time.Time
	Identity, Plan, Outcomes                                         *[]byte
	Lookup                                                           *[][]byte
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

// Event is a line of the log.
type Event struct {
	Time             time.Time
	Kind, Collection string
	Rows             int64
	Message          string
}

// Change is everything that one commit writes.
type Change struct {
	Expect int64 // the version that must be stored; 0 for none
	Record Record
	Append []Chunk
	Ticks  []Tick
	Drop   bool
	Events []*Event
}

// Check refuses what no store takes.
func (ch *Change) Check() error {
	if *ch.Record.ID == "" {
		return fmt.Errorf("a request without an ID cannot be stored")
	}
	if *ch.Record.Version != ch.Expect+1 {
		return fmt.Errorf("request %q: version %d cannot follow version %d: want %d",
			*ch.Record.ID, *ch.Record.Version, ch.Expect, ch.Expect+1)
	}
	return nil
}

// columns are those of a record that lie in its own row.
var columns = []string{
	"id", "version", "epoch", "external_id", "policy", "status", "stage", "failure",
	"lease_until", "requested_at", "created_at", "updated_at", "finished_at", "due_at",
	"identity", "outcomes",
}

// values are the arguments for the columns.
func (d *Dialect) values(r *Record) ([]any, error) {
	list := []any{*r.ID, *r.Version, *r.Epoch, *r.ExternalID, *r.Policy, *r.Status, *r.Stage, *r.Failure}
	for _, t := range r.times() {
		value, err := d.EncodeTime(*t)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return append(list, *r.Identity, *r.Outcomes), nil
}

// destinations are where the columns go.
func (d *Dialect) destinations(r *Record) []any {
	list := []any{r.ID, r.Version, r.Epoch, r.ExternalID, r.Policy, r.Status, r.Stage, r.Failure}
	for _, t := range r.times() {
		list = append(list, d.ScanTime(t))
	}
	return append(list, r.Identity, r.Outcomes)
}

func (r *Record) times() []*time.Time {
	return []*time.Time{r.LeaseUntil, r.RequestedAt, r.CreatedAt, r.UpdatedAt, r.FinishedAt, r.DueAt}
}

func (d *Dialect) build() squirrel.StatementBuilderType {
	if d.Dollar {
		return squirrel.StatementBuilder.PlaceholderFormat(squirrel.Dollar)
	}
	return squirrel.StatementBuilder
}

// exec runs a built statement.
func exec(ctx context.Context, c Conn, statement squirrel.Sqlizer) (int64, error) {
	text, args, err := statement.ToSql()
	if err != nil {
		return 0, err
	}
	return c.Exec(ctx, text, args...)
}

// query runs a built query.
func query(ctx context.Context, c Conn, each func(scan func(dest ...any) error) error, statement squirrel.Sqlizer) error {
	text, args, err := statement.ToSql()
	if err != nil {
		return err
	}
	return c.Query(ctx, each, text, args...)
}

// of selects the rows of one request.
func of(id string) squirrel.Eq { return squirrel.Eq{"request_id": id} }
