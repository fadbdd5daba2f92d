package pgstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/internal/sqlrows"
	"github.com/godsr/dsr/internal/sqlstore"
)

// SaveEntries implements [dsr.EntryStore]. It is tried again as Commit is.
func (s *Store) SaveEntries(ctx context.Context, changes []dsr.EntryChange) (version int64, err error) {
	rows := sqlrows.EntryChanges(changes)
	err = firstOf(sqlstore.CheckEntries(rows), unstorableEntries(rows))
	if err == nil {
		err = again(ctx, func() error {
			return s.write(ctx, func(tx pgx.Tx) (err error) {
				version, err = s.dialect.SaveEntries(ctx, conn{tx: tx, caches: s.caches}, rows)
				return err
			})
		})
	}
	if err != nil {
		return 0, fmt.Errorf("pgstore: %w", plain(err))
	}
	return version, nil
}

func unstorableEntries(changes []sqlstore.EntryChange) error {
	for i := range changes {
		e := &changes[i].Entry
		if err := firstOf(unstorable("kind", e.Kind), unstorable("key", e.Key)); err != nil {
			return fmt.Errorf("entry %q of kind %q: %w", e.Key, e.Kind, err)
		}
	}
	return nil
}

// Entries implements [dsr.EntryStore].
func (s *Store) Entries(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
	var list []sqlstore.Entry
	err := s.read(ctx, func(tx pgx.Tx) (err error) {
		switch {
		case !storable(q.Kind) || !storable(q.Key):
			return nil
		case q.After != nil && !(storable(q.After.Kind) && storable(q.After.Key)):
			return fmt.Errorf("entry %q of kind %q, after which to list: %w", q.After.Key, q.After.Kind, dsr.ErrNotFound)
		}
		list, err = s.dialect.Entries(ctx, conn{tx: tx, caches: s.caches}, sqlrows.EntryQuery(&q))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: entries: %w", err)
	}
	return sqlrows.Entries(list), nil
}

// CatalogueVersion implements [dsr.EntryStore].
func (s *Store) CatalogueVersion(ctx context.Context) (version int64, err error) {
	err = s.read(ctx, func(tx pgx.Tx) (err error) {
		version, err = s.dialect.CatalogueVersion(ctx, conn{tx: tx, caches: s.caches})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("pgstore: version of the catalogue: %w", err)
	}
	return version, nil
}
