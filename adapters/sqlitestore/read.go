package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/internal/sqlrows"
	"github.com/godsr/dsr/internal/sqlstore"
)

// Request implements [dsr.RequestReader].
func (s *Store) Request(ctx context.Context, id string) (*dsr.Record, error) {
	record := new(dsr.Record)
	err := s.read(ctx, func(tx *sql.Tx) (err error) {
		if err := dialect.Request(ctx, conn{tx}, id, sqlrows.Record(record)); err != nil {
			return err
		}
		record.Keys, err = readKeys(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: request %q: %w", id, err)
	}
	return record, nil
}

// Requests implements [dsr.RequestReader]. IDs are ordered by their bytes.
func (s *Store) Requests(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
	var records []*dsr.Record
	err := s.read(ctx, func(tx *sql.Tx) error {
		if err := dialect.Requests(ctx, conn{tx}, sqlrows.Query(&q), sqlrows.Records(&records)); err != nil || !q.Keys {
			return err
		}
		return addKeys(ctx, tx, records)
	})
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: list requests: %w", err)
	}
	return records, nil
}

// CountRequests implements [dsr.RequestReader].
func (s *Store) CountRequests(ctx context.Context, q dsr.RecordQuery) (count int64, err error) {
	err = s.read(ctx, func(tx *sql.Tx) (err error) {
		count, err = dialect.CountRequests(ctx, conn{tx}, sqlrows.Query(&q))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sqlitestore: count requests: %w", err)
	}
	return count, nil
}

// Journal implements [dsr.LogReader]. A limit of 0 or less means all chunks.
func (s *Store) Journal(ctx context.Context, requestID string, after, limit int) ([]dsr.JournalChunk, error) {
	var chunks []dsr.JournalChunk
	if err := dialect.Journal(ctx, conn{s.reader}, requestID, after, limit, sqlrows.Chunks(&chunks)); err != nil {
		return nil, fmt.Errorf("sqlitestore: request %q: journal: %w", requestID, explain(err))
	}
	return chunks, nil
}

// Events implements [dsr.LogReader]. A limit of 0 or less means all lines.
func (s *Store) Events(ctx context.Context, requestID string, after int64, limit int) ([]dsr.Event, error) {
	var events []dsr.Event
	if err := dialect.Events(ctx, conn{s.reader}, requestID, after, limit, sqlrows.Events(&events)); err != nil {
		return nil, fmt.Errorf("sqlitestore: request %q: events: %w", requestID, explain(err))
	}
	return events, nil
}

// AuditEntries implements [dsr.LogReader]. A limit of 0 or less means all
// entries.
func (s *Store) AuditEntries(ctx context.Context, requestID string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
	entries, err := dialect.AuditEntries(ctx, conn{s.reader}, requestID, sqlstore.AuditPlace(after), limit)
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: audit trail: %w", explain(err))
	}
	return sqlrows.AuditEntries(entries), nil
}

// UnsignedHeads implements [dsr.AuditStore]. A limit of 0 or less means all
// heads.
func (s *Store) UnsignedHeads(ctx context.Context, limit int) ([]dsr.AuditHead, error) {
	heads, err := dialect.UnsignedHeads(ctx, conn{s.reader}, limit)
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: unsigned heads: %w", explain(err))
	}
	return sqlrows.AuditHeads(heads), nil
}

// Checkpoints implements [dsr.AuditStore]. A limit of 0 means all checkpoints.
func (s *Store) Checkpoints(ctx context.Context, after int64, limit int) ([]dsr.Checkpoint, error) {
	list, err := dialect.Checkpoints(ctx, conn{s.reader}, after, limit)
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: checkpoints: %w", explain(err))
	}
	return sqlrows.Checkpoints(list), nil
}

// Messages implements [dsr.Outbox]. IDs are ordered by their bytes.
func (s *Store) Messages(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
	list, err := dialect.Messages(ctx, conn{s.reader}, sqlrows.MessageQuery(&q))
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: messages: %w", explain(err))
	}
	return sqlrows.Messages(list), nil
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
