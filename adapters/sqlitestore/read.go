package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/godsr/dsr"
)

// Request implements [dsr.Store].
func (s *Store) Request(ctx context.Context, id string) (*dsr.Record, error) {
	record := new(dsr.Record)
	err := s.read(ctx, func(tx *sql.Tx) (err error) {
		if err := dialect.Request(ctx, conn{tx}, id, recordRow(record)); err != nil {
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

// Requests implements [dsr.Store]: records come by CreatedAt, then by ID.
func (s *Store) Requests(ctx context.Context, f dsr.RequestFilter) ([]*dsr.Record, error) {
	var records []*dsr.Record
	err := s.read(ctx, func(tx *sql.Tx) error {
		if err := dialect.Requests(ctx, conn{tx}, filterRow(&f), recordList(&records)); err != nil {
			return err
		}
		for _, record := range records {
			var err error
			if record.Keys, err = readKeys(ctx, tx, record.ID); err != nil {
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

// Journal implements [dsr.Store]. A limit of 0 or less means all chunks.
func (s *Store) Journal(ctx context.Context, requestID string, after, limit int) ([]dsr.JournalChunk, error) {
	var chunks []dsr.JournalChunk
	if err := dialect.Journal(ctx, conn{s.reader}, requestID, after, limit, chunkList(&chunks)); err != nil {
		return nil, fmt.Errorf("sqlitestore: request %q: journal: %w", requestID, explain(err))
	}
	return chunks, nil
}

// Events implements [dsr.Store].
func (s *Store) Events(ctx context.Context, requestID string) ([]dsr.Event, error) {
	var events []dsr.Event
	if err := dialect.Events(ctx, conn{s.reader}, requestID, eventList(&events)); err != nil {
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
