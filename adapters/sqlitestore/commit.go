package sqlitestore

import (
	"context"
	"fmt"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/internal/sqlrows"
	"github.com/godsr/dsr/internal/sqlstore"
)

// Commit implements [dsr.Store]. A change that drops the journal, or the log,
// and appends to it replaces it; ticks may mark chunks that the same change
// appends. A request whose ID was removed may come again, from version 1; its
// audit trail goes on where it stood.
func (s *Store) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	rows := sqlrows.Change(ch)
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
	if rows.Remove {
		return true, tx.Commit() // its keys went with it
	}
	if shredded, err = writeKeys(ctx, tx, *rows.Record.ID, keys, rows.Expect == 0); err != nil {
		return false, err
	}
	return shredded, tx.Commit()
}

// SaveCheckpoint implements [dsr.AuditStore].
func (s *Store) SaveCheckpoint(ctx context.Context, c *dsr.Checkpoint) error {
	err := s.saveCheckpoint(ctx, sqlrows.Checkpoint(c))
	if err != nil {
		return fmt.Errorf("sqlitestore: checkpoint %d: %w", c.Seq, explain(err))
	}
	return nil
}

func (s *Store) saveCheckpoint(ctx context.Context, c *sqlstore.Checkpoint) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := dialect.SaveCheckpoint(ctx, conn{tx}, c); err != nil {
		return err
	}
	return tx.Commit()
}
