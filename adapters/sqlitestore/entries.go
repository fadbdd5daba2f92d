package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/internal/sqlrows"
	"github.com/godsr/dsr/internal/sqlstore"
)

// SaveEntries implements [dsr.EntryStore]. What a plain entry was before is
// overwritten, as shredded keys are.
func (s *Store) SaveEntries(ctx context.Context, changes []dsr.EntryChange) (version int64, err error) {
	rows := sqlrows.EntryChanges(changes)
	err = sqlstore.CheckEntries(rows)
	if err == nil {
		err = s.write(ctx, func(tx *sql.Tx) (err error) {
			version, err = dialect.SaveEntries(ctx, conn{tx}, rows)
			return err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("sqlitestore: %w", explain(err))
	}
	if slices.ContainsFunc(rows, func(ch sqlstore.EntryChange) bool { return ch.Entry.Plain && ch.Expect > 0 }) {
		s.mu.Lock()
		s.residue = true
		s.mu.Unlock()
	}
	// The changes are durable whatever comes of this.
	_ = s.wipe(context.WithoutCancel(ctx))
	return version, nil
}

// Entries implements [dsr.EntryStore].
func (s *Store) Entries(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
	list, err := dialect.Entries(ctx, conn{s.reader}, sqlrows.EntryQuery(&q))
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: entries: %w", explain(err))
	}
	return sqlrows.Entries(list), nil
}

// CatalogueVersion implements [dsr.EntryStore].
func (s *Store) CatalogueVersion(ctx context.Context) (int64, error) {
	version, err := dialect.CatalogueVersion(ctx, conn{s.reader})
	if err != nil {
		return 0, fmt.Errorf("sqlitestore: version of the catalogue: %w", explain(err))
	}
	return version, nil
}
