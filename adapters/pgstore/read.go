package pgstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/godsr/dsr"
)

// Request implements [dsr.Store].
func (s *Store) Request(ctx context.Context, id string) (*dsr.Record, error) {
	record := new(dsr.Record)
	err := s.read(ctx, func(tx pgx.Tx) error {
		if !storable(id) {
			return dsr.ErrNotFound
		}
		if err := s.dialect.Request(ctx, conn{tx, s.caches}, id, recordRow(record)); err != nil {
			return err
		}
		return s.addKeys(ctx, tx, []*dsr.Record{record})
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: request %q: %w", id, err)
	}
	return record, nil
}

// Requests implements [dsr.Store]: records come by CreatedAt, then by the bytes
// of their ID.
func (s *Store) Requests(ctx context.Context, f dsr.RequestFilter) ([]*dsr.Record, error) {
	var records []*dsr.Record
	err := s.read(ctx, func(tx pgx.Tx) error {
		filter := filterRow(&f)
		if !storable(f.After) {
			return fmt.Errorf("request %q, after which to list: %w", f.After, dsr.ErrNotFound)
		}
		// What cannot be stored selects nothing.
		filter.Status = slices.DeleteFunc(filter.Status, func(status string) bool { return !storable(status) })
		if len(filter.Status) == 0 && len(f.Status) > 0 || !storable(f.ExternalID) {
			return nil
		}
		if err := s.dialect.Requests(ctx, conn{tx, s.caches}, filter, recordList(&records)); err != nil {
			return err
		}
		return s.addKeys(ctx, tx, records)
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: list requests: %w", err)
	}
	return records, nil
}

func (s *Store) addKeys(ctx context.Context, tx pgx.Tx, records []*dsr.Record) error {
	if len(records) == 0 {
		return nil
	}
	ids := make([]string, len(records))
	for i, record := range records {
		ids[i] = record.ID
	}
	keys, err := s.readKeys(ctx, tx, ids)
	for _, record := range records {
		record.Keys = keys[record.ID]
	}
	return err
}

// Journal implements [dsr.Store]. A limit of 0 or less means all chunks.
func (s *Store) Journal(ctx context.Context, requestID string, after, limit int) ([]dsr.JournalChunk, error) {
	var chunks []dsr.JournalChunk
	err := s.read(ctx, func(tx pgx.Tx) error {
		if !storable(requestID) {
			return nil
		}
		return s.dialect.Journal(ctx, conn{tx, s.caches}, requestID, after, limit, chunkList(&chunks))
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: request %q: journal: %w", requestID, err)
	}
	return chunks, nil
}

// Events implements [dsr.Store].
func (s *Store) Events(ctx context.Context, requestID string) ([]dsr.Event, error) {
	var events []dsr.Event
	err := s.read(ctx, func(tx pgx.Tx) error {
		if !storable(requestID) {
			return nil
		}
		return s.dialect.Events(ctx, conn{tx, s.caches}, requestID, eventList(&events))
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: request %q: events: %w", requestID, err)
	}
	return events, nil
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
