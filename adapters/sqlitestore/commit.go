package sqlitestore

import (
	"context"
	"database/sql"
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
	err = s.write(ctx, func(tx *sql.Tx) (err error) {
		if err := dialect.Write(ctx, conn{tx}, rows); err != nil {
			return err
		}
		if rows.Remove {
			shredded = true // its keys went with it
			return nil
		}
		shredded, err = writeKeys(ctx, tx, *rows.Record.ID, keys, rows.Expect == 0)
		return err
	})
	return shredded, err
}

// SaveCheckpoint implements [dsr.AuditStore].
func (s *Store) SaveCheckpoint(ctx context.Context, c *dsr.Checkpoint) error {
	err := s.write(ctx, func(tx *sql.Tx) error { return dialect.SaveCheckpoint(ctx, conn{tx}, sqlrows.Checkpoint(c)) })
	if err != nil {
		return fmt.Errorf("sqlitestore: checkpoint %d: %w", c.Seq, explain(err))
	}
	return nil
}

// SaveMessages implements [dsr.Outbox].
func (s *Store) SaveMessages(ctx context.Context, changes []dsr.MessageChange) error {
	rows := sqlrows.MessageChanges(changes)
	err := sqlstore.CheckMessages(rows)
	if err == nil {
		err = s.write(ctx, func(tx *sql.Tx) error { return dialect.SaveMessages(ctx, conn{tx}, rows) })
	}
	if err != nil {
		return fmt.Errorf("sqlitestore: %w", explain(err))
	}
	return nil
}

// write commits what f writes, or nothing of it.
func (s *Store) write(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
