package sqlitestore

import (
	"context"
	"fmt"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/internal/sqlrows"
	"github.com/godsr/dsr/internal/sqlstore"
)

// SaveMessages implements [dsr.Outbox].
func (s *Store) SaveMessages(ctx context.Context, changes []dsr.MessageChange) error {
	rows := sqlrows.MessageChanges(changes)
	err := sqlstore.CheckMessages(rows)
	if err == nil {
		err = s.saveMessages(ctx, rows)
	}
	if err != nil {
		return fmt.Errorf("sqlitestore: %w", explain(err))
	}
	return nil
}

func (s *Store) saveMessages(ctx context.Context, rows []sqlstore.MessageChange) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := dialect.SaveMessages(ctx, conn{tx}, rows); err != nil {
		return err
	}
	return tx.Commit()
}

// Messages implements [dsr.Outbox]. IDs are ordered by their bytes.
func (s *Store) Messages(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
	row := sqlstore.MessageQuery(q)
	list, err := dialect.Messages(ctx, conn{s.reader}, &row)
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: messages: %w", explain(err))
	}
	return sqlrows.Messages(list), nil
}
