package pgstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/internal/sqlrows"
	"github.com/godsr/dsr/internal/sqlstore"
)

// SaveMessages implements [dsr.Outbox]. What meets a deadlock or a
// serialization failure is tried again, up to five times in all.
func (s *Store) SaveMessages(ctx context.Context, changes []dsr.MessageChange) error {
	rows := sqlrows.MessageChanges(changes)
	err := firstOf(sqlstore.CheckMessages(rows), storableMessages(rows))
	if err == nil {
		err = again(ctx, func() error {
			return s.write(ctx, func(tx pgx.Tx) error {
				return s.dialect.SaveMessages(ctx, conn{tx: tx, caches: s.caches}, rows)
			})
		})
	}
	if err != nil {
		return fmt.Errorf("pgstore: %w", plain(err))
	}
	return nil
}

func storableMessages(rows []sqlstore.MessageChange) error {
	for _, ch := range rows {
		if err := unstorable("ID of a message", ch.Message.ID, ch.Message.RequestID); err != nil {
			return err
		}
	}
	return nil
}

// Messages implements [dsr.Outbox]. IDs are ordered by their bytes.
func (s *Store) Messages(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
	var list []sqlstore.Message
	row := sqlstore.MessageQuery(q)
	err := s.read(ctx, func(tx pgx.Tx) (err error) {
		if !storable(q.ID) || !storable(q.RequestID) {
			return nil
		}
		list, err = s.dialect.Messages(ctx, conn{tx: tx, caches: s.caches}, &row)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: messages: %w", err)
	}
	return sqlrows.Messages(list), nil
}
