package sqlitestore

import (
	"context"
	"fmt"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/sqlstore"
)

// Commit implements [dsr.Store]. A change that drops the journal and appends
// to it replaces it; ticks may mark chunks that the same change appends.
func (s *Store) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	rows := changeRows(ch)
	if err := rows.Check(); err != nil {
		return fmt.Errorf("sqlitestore: %w", err)
	}
	shredded, err := s.commit(ctx, rows, ch.Record.Keys)
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
func (s *Store) commit(ctx context.Context, rows *sqlstore.Change, keys map[string][]byte) (shredded bool, err error) {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }()
	if err := dialect.Write(ctx, conn{tx}, rows); err != nil {
		return false, err
	}
	if shredded, err = writeKeys(ctx, tx, *rows.Record.ID, keys); err != nil {
		return false, err
	}
	return shredded, tx.Commit()
}
