package sqlitestore

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

// requestColumns are those of a record that lie in its own row, in the order
// of bindRecord and scanRecord.
var requestColumns = []string{
	"id", "version", "epoch", "lease_until", "external_id", "policy", "status", "stage",
	"requested_at", "created_at", "updated_at", "finished_at", "due_at", "failure",
	"identity", "outcomes",
}

// Commit implements [dsr.Store]. A change that drops the journal and appends
// to it replaces it; ticks may mark chunks that the same change appends.
func (s *Store) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	if ch.Record.ID == "" {
		return fmt.Errorf("sqlitestore: a request without an ID cannot be stored")
	}
	if ch.Record.Version != ch.ExpectVersion+1 {
		return fmt.Errorf("sqlitestore: request %q: version %d cannot follow version %d: want %d",
			ch.Record.ID, ch.Record.Version, ch.ExpectVersion, ch.ExpectVersion+1)
	}
	shredded, err := s.commit(ctx, ch)
	if err != nil {
		return fmt.Errorf("sqlitestore: request %q: %w", ch.Record.ID, explain(err))
	}
	if shredded {
		s.mu.Lock()
		s.residue = true
		s.mu.Unlock()
	}
	// The change is durable whatever comes of this.
	_ = s.wipe(context.WithoutCancel(ctx))
	return nil
}

// commit reports whether a key is gone or changed.
func (s *Store) commit(ctx context.Context, ch *dsr.StoreChange) (shredded bool, err error) {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }()
	id := ch.Record.ID
	if err := writeRecord(ctx, tx, ch); err != nil {
		return false, err
	}
	if err := writeLookup(ctx, tx, id, ch.Record.Lookup); err != nil {
		return false, err
	}
	if shredded, err = writeKeys(ctx, tx, id, ch.Record.Keys); err != nil {
		return false, err
	}
	if err := writeJournal(ctx, tx, id, ch); err != nil {
		return false, err
	}
	if err := writeEvents(ctx, tx, id, ch.Events); err != nil {
		return false, err
	}
	return shredded, tx.Commit()
}

var (
	insertRequest = fmt.Sprintf("INSERT INTO requests (%s) VALUES (?%s) ON CONFLICT DO NOTHING",
		strings.Join(requestColumns, ", "), strings.Repeat(", ?", len(requestColumns)-1))
	updateRequest = fmt.Sprintf("UPDATE requests SET %s = ? WHERE id = ? AND version = ?",
		strings.Join(requestColumns, " = ?, "))
)

func writeRecord(ctx context.Context, tx *sql.Tx, ch *dsr.StoreChange) error {
	args, err := bindRecord(&ch.Record)
	if err != nil {
		return err
	}
	statement := insertRequest
	if ch.ExpectVersion != 0 {
		statement = updateRequest
		args = append(args, ch.Record.ID, ch.ExpectVersion)
	}
	written, err := affected(tx.ExecContext(ctx, statement, args...))
	if err != nil {
		return err
	}
	if written != 1 {
		return fmt.Errorf("it is not at version %d: %w", ch.ExpectVersion, dsr.ErrConflict)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO plans (request_id, plan) VALUES (?, ?)
		ON CONFLICT (request_id) DO UPDATE SET plan = excluded.plan WHERE plan IS NOT excluded.plan`, ch.Record.ID, ch.Record.Plan)
	return err
}

func bindRecord(r *dsr.Record) ([]any, error) {
	var times [6]int64
	for i, t := range []time.Time{r.LeaseUntil, r.RequestedAt, r.CreatedAt, r.UpdatedAt, r.FinishedAt, r.DueAt} {
		var err error
		if times[i], err = nanoseconds(t); err != nil {
			return nil, err
		}
	}
	return []any{
		r.ID, r.Version, r.Epoch, times[0], r.ExternalID, r.Policy, string(r.Status), string(r.Stage),
		times[1], times[2], times[3], times[4], times[5], r.Failure,
		r.Identity, r.Outcomes,
	}, nil
}

// writeLookup leaves the rows alone that are right already, as they are in
// nearly all commits.
func writeLookup(ctx context.Context, tx *sql.Tx, id string, hashes [][]byte) error {
	old, err := readLookup(ctx, tx, id)
	if err != nil || slices.EqualFunc(old, hashes, bytes.Equal) {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM lookups WHERE request_id = ?", id); err != nil {
		return err
	}
	for i, hash := range hashes {
		if _, err := tx.ExecContext(ctx, "INSERT INTO lookups (request_id, position, hash) VALUES (?, ?, ?)",
			id, i, notNull(hash)); err != nil {
			return err
		}
	}
	return nil
}

func writeJournal(ctx context.Context, tx *sql.Tx, id string, ch *dsr.StoreChange) error {
	if ch.DropJournal {
		for _, statement := range []string{"DELETE FROM ticks WHERE request_id = ?", "DELETE FROM journal WHERE request_id = ?"} {
			if _, err := tx.ExecContext(ctx, statement, id); err != nil {
				return err
			}
		}
	}
	var ticks []dsr.Tick
	if len(ch.AppendJournal) > 0 {
		var last int
		if err := tx.QueryRowContext(ctx, "SELECT ifnull(max(seq), 0) FROM journal WHERE request_id = ?", id).Scan(&last); err != nil {
			return err
		}
		for i, chunk := range ch.AppendJournal {
			seq := last + i + 1
			if _, err := tx.ExecContext(ctx, "INSERT INTO journal (request_id, seq, step, rows, sealed) VALUES (?, ?, ?, ?, ?)",
				id, seq, chunk.Step, chunk.Rows, chunk.Sealed); err != nil {
				return err
			}
			if chunk.Applied {
				ticks = append(ticks, dsr.Tick{Seq: seq, Counts: chunk.Counts})
			}
		}
	}
	for _, tick := range append(ticks, ch.Ticks...) {
		marked, err := affected(tx.ExecContext(ctx, `INSERT INTO ticks (request_id, seq, masked, gone, changed)
			SELECT request_id, seq, ?, ?, ? FROM journal WHERE request_id = ? AND seq = ?
			ON CONFLICT DO UPDATE SET masked = excluded.masked, gone = excluded.gone, changed = excluded.changed`,
			tick.Counts.Masked, tick.Counts.Gone, tick.Counts.Changed, id, tick.Seq))
		if err != nil {
			return err
		}
		if marked != 1 {
			return fmt.Errorf("there is no journal chunk %d to mark: %w", tick.Seq, dsr.ErrNotFound)
		}
	}
	return nil
}

func writeEvents(ctx context.Context, tx *sql.Tx, id string, events []dsr.Event) error {
	for _, event := range events {
		at, err := nanoseconds(event.Time)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO events (request_id, seq, time, kind, collection, rows, message)
			SELECT ?, ifnull(max(seq), 0) + 1, ?, ?, ?, ?, ? FROM events WHERE request_id = ?`,
			id, at, event.Kind, event.Collection, event.Rows, event.Message, id); err != nil {
			return err
		}
	}
	return nil
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// never stands for the zero time.
const never = math.MinInt64

// nanoseconds is how a time is stored. The years 1678 to 2261 can be.
func nanoseconds(t time.Time) (int64, error) {
	if t.IsZero() {
		return never, nil
	}
	n := t.UnixNano()
	if !time.Unix(0, n).Equal(t) || n == never {
		return 0, fmt.Errorf("a time in the year %d cannot be stored: only 1678 to 2261 can", t.Year())
	}
	return n, nil
}

// notNull makes an empty value of none, which the driver would bind as NULL.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
