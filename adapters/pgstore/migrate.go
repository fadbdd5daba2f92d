package pgstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// lockSpace marks the advisory locks of this package ("DSRS").
const lockSpace = 0x44535253

// Migrations are numbered from 001 without a gap; one that was released is
// never changed. Each file is one step of the schema's version, which the table
// dsr_schema holds.
//
//go:embed schema/*.sql
var migrations embed.FS

// migrate brings the schema to the current version. Everything happens in one
// transaction under a lock, so that of two processes that start at once one
// waits and then finds the work done, and a crash leaves the old version.
func (s *Store) migrate(ctx context.Context) error {
	files, err := migrations.ReadDir("schema")
	if err != nil {
		return err
	}
	// Nearly always there is nothing to do, and no right to do it needed.
	if version, _, err := s.version(ctx, s.pool, len(files)); err != nil || version == len(files) {
		return err
	}
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: beginWrite})
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(s.schema))
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1::integer, $2::integer)", lockSpace, int32(hash.Sum32())); err != nil {
		return err
	}
	version, exists, err := s.version(ctx, tx, len(files))
	if err != nil || version == len(files) {
		return err
	}
	quoted := pgx.Identifier{s.schema}.Sanitize()
	if !exists {
		if _, err := tx.Exec(ctx, "CREATE SCHEMA "+quoted); err != nil {
			return fmt.Errorf("create it: %w", plain(err))
		}
	}
	if _, err := tx.Exec(ctx, "SELECT set_config('search_path', $1, true)", quoted); err != nil {
		return err
	}
	for i, file := range files[version:] {
		text, err := migrations.ReadFile("schema/" + file.Name())
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, string(text)); err != nil {
			return fmt.Errorf("migration to version %d: %w", version+i+1, plain(err))
		}
	}
	if _, err := tx.Exec(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS dsr_schema (version integer NOT NULL);
		DELETE FROM dsr_schema; INSERT INTO dsr_schema VALUES (%d)`, len(files))); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// version is that of the schema, 0 if it is empty or missing. One that belongs
// to somebody else, or is above known, is an error.
func (s *Store) version(ctx context.Context, q interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}, known int,
) (version int, exists bool, err error) {
	var objects int
	var marked bool
	err = q.QueryRow(ctx, `SELECT count(c.oid), coalesce(bool_or(c.relname = 'dsr_schema'), false)
		FROM pg_catalog.pg_namespace AS n LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
		WHERE n.nspname = $1 GROUP BY n.oid`, s.schema).Scan(&objects, &marked)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, false, nil
	case err != nil:
		return 0, false, err
	case objects == 0:
		return 0, true, nil
	}
	foreign := errors.New("it holds tables of another program; choose another schema")
	if !marked {
		return 0, true, foreign
	}
	err = q.QueryRow(ctx, "SELECT version FROM "+s.prefix+"dsr_schema").Scan(&version)
	var refused *pgconn.PgError
	if errors.Is(err, pgx.ErrNoRows) || errors.As(err, &refused) && refused.Code == undefinedColumn {
		err = foreign
	}
	if err == nil && version > known {
		err = fmt.Errorf("it is at version %d, this program knows versions up to %d; update the program", version, known)
	}
	return version, true, err
}
