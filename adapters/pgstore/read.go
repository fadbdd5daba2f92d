package pgstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/internal/sqlrows"
	"github.com/godsr/dsr/internal/sqlstore"
)

// Request implements [dsr.RequestReader].
func (s *Store) Request(ctx context.Context, id string) (*dsr.Record, error) {
	record := new(dsr.Record)
	err := s.read(ctx, func(tx pgx.Tx) (err error) {
		if !storable(id) {
			return dsr.ErrNotFound
		}
		if err := s.dialect.Request(ctx, conn{tx: tx, caches: s.caches}, id, sqlrows.Record(record)); err != nil {
			return err
		}
		record.Keys, err = s.readKeys(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: request %q: %w", id, err)
	}
	return record, nil
}

// Requests implements [dsr.RequestReader]. IDs are ordered by their bytes.
func (s *Store) Requests(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
	var records []*dsr.Record
	err := s.read(ctx, func(tx pgx.Tx) error {
		if q.After != nil && !storable(q.After.ID) {
			return fmt.Errorf("request %q, after which to list: %w", q.After.ID, dsr.ErrNotFound)
		}
		row, none := storableQuery(&q)
		if none {
			return nil
		}
		err := s.dialect.Requests(ctx, conn{tx: tx, caches: s.caches, once: true}, row, sqlrows.Records(&records))
		if err != nil || !q.Keys {
			return err
		}
		return s.addKeys(ctx, tx, records)
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: list requests: %w", err)
	}
	return records, nil
}

// CountRequests implements [dsr.RequestReader].
func (s *Store) CountRequests(ctx context.Context, q dsr.RecordQuery) (count int64, err error) {
	err = s.read(ctx, func(tx pgx.Tx) (err error) {
		row, none := storableQuery(&q)
		if none {
			return nil
		}
		count, err = s.dialect.CountRequests(ctx, conn{tx: tx, caches: s.caches, once: true}, row)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("pgstore: count requests: %w", err)
	}
	return count, nil
}

// storableQuery leaves out what cannot be stored and so selects nothing. none
// is set when nothing is left to select by.
func storableQuery(q *dsr.RecordQuery) (row *sqlstore.Query, none bool) {
	row = sqlrows.Query(q)
	for _, list := range []*[]string{&row.Status, &row.Policies, &row.Actions} {
		given := len(*list)
		*list = slices.DeleteFunc(slices.Clone(*list), func(text string) bool { return !storable(text) })
		none = none || given > 0 && len(*list) == 0
	}
	for _, text := range []string{row.ExternalID, row.ExternalPrefix, row.Text, row.IDContains, row.Location} {
		none = none || !storable(text)
	}
	return row, none
}

// Journal implements [dsr.LogReader]. A limit of 0 or less means all chunks.
func (s *Store) Journal(ctx context.Context, requestID string, after, limit int) ([]dsr.JournalChunk, error) {
	var chunks []dsr.JournalChunk
	err := s.read(ctx, func(tx pgx.Tx) error {
		if !storable(requestID) {
			return nil
		}
		return s.dialect.Journal(ctx, conn{tx: tx, caches: s.caches}, requestID, after, limit, sqlrows.Chunks(&chunks))
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: request %q: journal: %w", requestID, err)
	}
	return chunks, nil
}

// Events implements [dsr.LogReader]. A limit of 0 or less means all lines.
func (s *Store) Events(ctx context.Context, requestID string, after int64, limit int) ([]dsr.Event, error) {
	var events []dsr.Event
	err := s.read(ctx, func(tx pgx.Tx) error {
		if !storable(requestID) {
			return nil
		}
		return s.dialect.Events(ctx, conn{tx: tx, caches: s.caches}, requestID, after, limit, sqlrows.Events(&events))
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: request %q: events: %w", requestID, err)
	}
	return events, nil
}

// AuditEntries implements [dsr.LogReader]. A limit of 0 or less means all
// entries.
func (s *Store) AuditEntries(ctx context.Context, requestID string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
	var entries []sqlstore.AuditEntry
	err := s.read(ctx, func(tx pgx.Tx) (err error) {
		switch {
		case !storable(requestID):
			return nil
		case !storable(after.RequestID):
			return fmt.Errorf("request %q, after which to list: %w", after.RequestID, dsr.ErrNotFound)
		}
		entries, err = s.dialect.AuditEntries(ctx, conn{tx: tx, caches: s.caches}, requestID, sqlstore.AuditPlace(after), limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: audit trail: %w", err)
	}
	return sqlrows.AuditEntries(entries), nil
}

// UnsignedHeads implements [dsr.AuditStore]. A limit of 0 or less means all
// heads.
func (s *Store) UnsignedHeads(ctx context.Context, limit int) ([]dsr.AuditHead, error) {
	var heads []sqlstore.AuditHead
	err := s.read(ctx, func(tx pgx.Tx) (err error) {
		heads, err = s.dialect.UnsignedHeads(ctx, conn{tx: tx, caches: s.caches}, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: unsigned heads: %w", err)
	}
	return sqlrows.AuditHeads(heads), nil
}

// Checkpoints implements [dsr.AuditStore]. A limit of 0 means all checkpoints.
func (s *Store) Checkpoints(ctx context.Context, after int64, limit int) ([]dsr.Checkpoint, error) {
	var list []sqlstore.Checkpoint
	err := s.read(ctx, func(tx pgx.Tx) (err error) {
		list, err = s.dialect.Checkpoints(ctx, conn{tx: tx, caches: s.caches}, after, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: checkpoints: %w", err)
	}
	return sqlrows.Checkpoints(list), nil
}

// Messages implements [dsr.Outbox]. IDs are ordered by their bytes.
func (s *Store) Messages(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
	var list []sqlstore.Message
	err := s.read(ctx, func(tx pgx.Tx) (err error) {
		if !storable(q.ID) || !storable(q.RequestID) {
			return nil
		}
		list, err = s.dialect.Messages(ctx, conn{tx: tx, caches: s.caches}, sqlrows.MessageQuery(&q))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: messages: %w", err)
	}
	return sqlrows.Messages(list), nil
}

// read calls f with one unchanging view of the database.
func (s *Store) read(ctx context.Context, f func(pgx.Tx) error) error {
	tx, err := s.begin(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err == nil {
		defer rollback(ctx, tx)
		err = f(tx)
	}
	return plain(err)
}
