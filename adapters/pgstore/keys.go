package pgstore

import (
	"bytes"
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/godsr/dsr"
)

// readKeys returns the wrapped keys of a request by purpose; none are nil.
func (s *Store) readKeys(ctx context.Context, tx pgx.Tx, id string) (keys map[string][]byte, err error) {
	err = conn{tx: tx}.Query(ctx, func(scan func(dest ...any) error) error {
		var purpose string
		var wrapped []byte
		err := scan(&purpose, &wrapped)
		if keys == nil {
			keys = map[string][]byte{}
		}
		keys[purpose] = wrapped
		return err
	}, "SELECT purpose, wrapped FROM "+s.prefix+"keys WHERE request_id = $1", id)
	return keys, err
}

// addKeys reads the keys of all records of a list.
func (s *Store) addKeys(ctx context.Context, tx pgx.Tx, records []*dsr.Record) error {
	ids, byID := make([]string, len(records)), make(map[string]*dsr.Record, len(records))
	for i, rec := range records {
		ids[i], byID[rec.ID] = rec.ID, rec
	}
	return conn{tx: tx}.Query(ctx, func(scan func(dest ...any) error) error {
		var id, purpose string
		var wrapped []byte
		if err := scan(&id, &purpose, &wrapped); err != nil {
			return err
		}
		rec := byID[id]
		if rec.Keys == nil {
			rec.Keys = map[string][]byte{}
		}
		rec.Keys[purpose] = wrapped
		return nil
	}, "SELECT request_id, purpose, wrapped FROM "+s.prefix+"keys WHERE request_id = ANY($1)", ids)
}

// writeKeys leaves the rows alone that are right already. A new request has
// none yet.
func (s *Store) writeKeys(ctx context.Context, tx pgx.Tx, ch *dsr.StoreChange) error {
	id, keys := ch.Record.ID, ch.Record.Keys
	var old map[string][]byte
	if ch.ExpectVersion > 0 {
		var err error
		if old, err = s.readKeys(ctx, tx, id); err != nil {
			return err
		}
	}
	for purpose := range old {
		if _, kept := keys[purpose]; kept {
			continue
		}
		if _, err := tx.Exec(ctx, "DELETE FROM "+s.prefix+"keys WHERE request_id = $1 AND purpose = $2", id, purpose); err != nil {
			return err
		}
	}
	for purpose, wrapped := range keys {
		if before, kept := old[purpose]; kept && bytes.Equal(before, wrapped) {
			continue
		}
		if wrapped == nil {
			wrapped = []byte{} // none would be NULL
		}
		if _, err := tx.Exec(ctx, "INSERT INTO "+s.prefix+`keys (request_id, purpose, wrapped) VALUES ($1, $2, $3)
			ON CONFLICT (request_id, purpose) DO UPDATE SET wrapped = excluded.wrapped`, id, purpose, wrapped); err != nil {
			return err
		}
	}
	return nil
}
