// Package sqlstore is the SQL that the stores in databases share: all of it but
// for the keys of requests, which each database has its own way to destroy.
// What it reads and writes are rows that point at the fields of the engine's
// types.
package sqlstore

import (
	"context"
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
	// EncodeTime turns a time into an argument; it may refuse one. The zero
	// time must come before all others.
	EncodeTime func(time.Time) (any, error)
	// Earliest and Latest are the times that can be stored. Those of queries
	// that lie beyond are taken for them.
	Earliest, Latest time.Time
	// ScanTime returns where to scan a time that EncodeTime encoded.
	ScanTime func(*time.Time) any
	// Position is the name of the function that finds a text within one.
	Position string
	// Guide is set where the database knows little of its data, so that the
	// query has to say which index to use: a plus sign before a column then
	// keeps the indexes on it out.
	Guide bool
	// Padding is how many zero bytes are stored before a secret that must be
	// gone for good once it is removed.
	Padding int
	// Orphan reports whether a row was refused because it names a request
	// that there is not.
	Orphan func(error) bool
	// Conflict and NotFound are the engine's errors.
	Conflict, NotFound error
}

// columns are those of a record that lie in its own row.
var columns = []string{
	"id", "version", "epoch", "external_id", "policy", "status", "stage", "failure", "location", "actions", "audit_seq",
	"lease_until", "requested_at", "created_at", "updated_at", "started_at", "failed_at", "finished_at", "deleted_at", "deadline_at", "due_at",
	"identity", "details", "state", "audit_hash",
}

// derived are the columns that queries need beside those of the record.
var derived = []string{"id_folded", "external_folded", "country", "open", "deleted"}

// values are the arguments for the columns, and those derived from them.
func (d *Dialect) values(r *Record) ([]any, error) {
	list := []any{
		*r.ID, *r.Version, *r.Epoch, *r.ExternalID, *r.Policy, *r.Status, *r.Stage, *r.Failure, *r.Location, r.Actions.Join(), *r.AuditSeq,
	}
	for _, t := range r.times() {
		value, err := d.EncodeTime(*t)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return append(list, *r.Identity, *r.Details, *r.State, *r.AuditHash,
		fold(*r.ID), fold(*r.ExternalID), country(*r.Location), number(!r.Ended), number(!r.DeletedAt.IsZero())), nil
}

// destinations are where the columns go.
func (d *Dialect) destinations(r *Record) []any {
	list := []any{r.ID, r.Version, r.Epoch, r.ExternalID, r.Policy, r.Status, r.Stage, r.Failure, r.Location, r.Actions, r.AuditSeq}
	for _, t := range r.times() {
		list = append(list, d.ScanTime(t))
	}
	return append(list, r.Identity, r.Details, r.State, r.AuditHash)
}

func (r *Record) times() []*time.Time {
	return []*time.Time{
		r.LeaseUntil, r.RequestedAt, r.CreatedAt, r.UpdatedAt, r.StartedAt, r.FailedAt, r.FinishedAt, r.DeletedAt, r.DeadlineAt, r.DueAt,
	}
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

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
