package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

var selectRequests = "SELECT " + strings.Join(requestColumns, ", ") + ", plan FROM requests LEFT JOIN plans ON request_id = id"

// Request implements [dsr.Store].
func (s *Store) Request(ctx context.Context, id string) (*dsr.Record, error) {
	var record *dsr.Record
	err := s.read(ctx, func(tx *sql.Tx) (err error) {
		record, err = scanRecord(tx.QueryRowContext(ctx, selectRequests+" WHERE id = ?", id))
		if errors.Is(err, sql.ErrNoRows) {
			return dsr.ErrNotFound
		}
		if err != nil {
			return err
		}
		return readSides(ctx, tx, record)
	})
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: request %q: %w", id, err)
	}
	return record, nil
}

// Requests implements [dsr.Store]: records come by CreatedAt, then by ID.
func (s *Store) Requests(ctx context.Context, f dsr.RequestFilter) ([]*dsr.Record, error) {
	var records []*dsr.Record
	err := s.read(ctx, func(tx *sql.Tx) (err error) {
		where, args, err := conditions(ctx, tx, &f)
		if err != nil {
			return err
		}
		limit := f.Limit
		if limit <= 0 {
			limit = 100
		}
		records, err = collect(scanRecord)(tx.QueryContext(ctx,
			selectRequests+where+" ORDER BY created_at, id LIMIT ?", append(args, limit)...))
		if err != nil {
			return err
		}
		for _, record := range records {
			if err := readSides(ctx, tx, record); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: list requests: %w", err)
	}
	return records, nil
}

// conditions turns a filter into a WHERE clause; without a condition it is
// empty.
func conditions(ctx context.Context, tx *sql.Tx, f *dsr.RequestFilter) (string, []any, error) {
	var terms []string
	var args []any
	add := func(term string, values ...any) {
		terms = append(terms, term)
		args = append(args, values...)
	}
	if len(f.Status) > 0 {
		add("status IN (?" + strings.Repeat(", ?", len(f.Status)-1) + ")")
		for _, status := range f.Status {
			args = append(args, string(status))
		}
	}
	if f.ExternalID != "" {
		add("external_id = ?", f.ExternalID)
	}
	if len(f.Lookup) > 0 {
		add("id IN (SELECT request_id FROM lookups WHERE hash = ?)", f.Lookup)
	}
	if !f.DueBefore.IsZero() {
		before, err := nanoseconds(f.DueBefore)
		if err != nil {
			return "", nil, err
		}
		add("due_at > ? AND due_at < ?", int64(never), before)
	}
	if f.After != "" {
		var created int64
		err := tx.QueryRowContext(ctx, "SELECT created_at FROM requests WHERE id = ?", f.After).Scan(&created)
		if errors.Is(err, sql.ErrNoRows) {
			err = fmt.Errorf("request %q, after which to list: %w", f.After, dsr.ErrNotFound)
		}
		if err != nil {
			return "", nil, err
		}
		add("(created_at, id) > (?, ?)", created, f.After)
	}
	if len(terms) == 0 {
		return "", nil, nil
	}
	return " WHERE " + strings.Join(terms, " AND "), args, nil
}

// Journal implements [dsr.Store]. A limit of 0 or less means all chunks.
func (s *Store) Journal(ctx context.Context, requestID string, after, limit int) ([]dsr.JournalChunk, error) {
	if limit <= 0 {
		limit = -1 // none, in SQLite
	}
	scan := func(row scanner) (c dsr.JournalChunk, err error) {
		err = row.Scan(&c.Seq, &c.Step, &c.Rows, &c.Sealed, &c.Applied, &c.Counts.Masked, &c.Counts.Gone, &c.Counts.Changed)
		return c, err
	}
	chunks, err := collect(scan)(s.reader.QueryContext(ctx, `
		SELECT j.seq, j.step, j.rows, j.sealed,
			t.seq IS NOT NULL, ifnull(t.masked, 0), ifnull(t.gone, 0), ifnull(t.changed, 0)
		FROM journal AS j LEFT JOIN ticks AS t ON t.request_id = j.request_id AND t.seq = j.seq
		WHERE j.request_id = ? AND j.seq > ? ORDER BY j.seq LIMIT ?`, requestID, after, limit))
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: request %q: journal: %w", requestID, explain(err))
	}
	return chunks, nil
}

// Events implements [dsr.Store].
func (s *Store) Events(ctx context.Context, requestID string) ([]dsr.Event, error) {
	scan := func(row scanner) (e dsr.Event, err error) {
		var at int64
		err = row.Scan(&at, &e.Kind, &e.Collection, &e.Rows, &e.Message)
		e.Time = instant(at)
		return e, err
	}
	events, err := collect(scan)(s.reader.QueryContext(ctx,
		"SELECT time, kind, collection, rows, message FROM events WHERE request_id = ? ORDER BY seq", requestID))
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: request %q: events: %w", requestID, explain(err))
	}
	return events, nil
}

// read calls f with one unchanging view of the file.
func (s *Store) read(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.reader.BeginTx(ctx, nil)
	if err == nil {
		defer func() { _ = tx.Rollback() }()
		err = f(tx)
	}
	return explain(err)
}

func readSides(ctx context.Context, tx *sql.Tx, r *dsr.Record) (err error) {
	if r.Lookup, err = readLookup(ctx, tx, r.ID); err != nil {
		return err
	}
	r.Keys, err = readKeys(ctx, tx, r.ID)
	return err
}

func readLookup(ctx context.Context, tx *sql.Tx, id string) ([][]byte, error) {
	scan := func(row scanner) (hash []byte, err error) {
		err = row.Scan(&hash)
		return hash, err
	}
	return collect(scan)(tx.QueryContext(ctx, "SELECT hash FROM lookups WHERE request_id = ? ORDER BY position", id))
}

func scanRecord(row scanner) (*dsr.Record, error) {
	var r dsr.Record
	var times [6]int64
	if err := row.Scan(
		&r.ID, &r.Version, &r.Epoch, &times[0], &r.ExternalID, &r.Policy, &r.Status, &r.Stage,
		&times[1], &times[2], &times[3], &times[4], &times[5], &r.Failure,
		&r.Identity, &r.Outcomes, &r.Plan,
	); err != nil {
		return nil, err
	}
	for i, t := range []*time.Time{&r.LeaseUntil, &r.RequestedAt, &r.CreatedAt, &r.UpdatedAt, &r.FinishedAt, &r.DueAt} {
		*t = instant(times[i])
	}
	return &r, nil
}

// instant reverses nanoseconds.
func instant(n int64) time.Time {
	if n == never {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

type scanner interface{ Scan(dest ...any) error }

// collect reads all rows of a query and frees it.
func collect[T any](scan func(scanner) (T, error)) func(*sql.Rows, error) ([]T, error) {
	return func(rows *sql.Rows, err error) ([]T, error) {
		if err != nil {
			return nil, err
		}
		defer func() { _ = rows.Close() }()
		var list []T
		for rows.Next() {
			item, err := scan(rows)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		return list, rows.Err()
	}
}
