package pgstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// lockSpace marks the advisory locks of this package ("DSRS").
const lockSpace = 0x44535253

// Migrations are numbered from 001 without a gap; one that was released is
// never changed. Each file is one step of the schema's version, which the table
// dsr_schema holds.
//
//go:embed schema/*.sql
var migrations embed.FS

// migrate brings the schema to the current version. Each step is one
// transaction together with the version that it leads to, so that a crash
// leaves the version before. The lock is the transaction's too: of processes
// that start at once one takes a step and the others find it taken, also behind
// a pooler that gives each transaction another session.
func (s *Store) migrate(ctx context.Context) error {
	files, err := migrations.ReadDir("schema")
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(s.pool)
	defer func() { _ = db.Close() }() // the pool stays open
	v := &versions{schema: s.schema, prefix: s.prefix, known: int64(len(files))}
	// Nearly always there is nothing to do, and no right to do it needed.
	if at, err := v.version(ctx, db); err != nil || at == v.known {
		return err
	}
	steps := make([]*goose.Migration, len(files))
	for i, file := range files {
		to := int64(i + 1)
		steps[i] = goose.NewGoMigration(to, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			text, err := migrations.ReadFile("schema/" + file.Name())
			if err != nil {
				return err
			}
			return v.step(ctx, tx, to, string(text))
		}}, nil)
	}
	provider, err := goose.NewProvider(goose.DialectCustom, db, nil,
		goose.WithStore(v), goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	var failed *goose.PartialError
	if errors.As(err, &failed) {
		err = fmt.Errorf("migration to version %d: %w", failed.Failed.Source.Version, plain(failed.Err))
	}
	return err
}

// versions keeps goose's record of migrations in the one row of dsr_schema,
// which also marks the schema as ours.
type versions struct {
	schema string // as it is
	prefix string // quoted, with a dot
	known  int64
}

var _ database.StoreExtender = (*versions)(nil)

// step takes one step unless somebody has taken it in the meantime.
func (v *versions) step(ctx context.Context, tx *sql.Tx, to int64, text string) error {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(v.schema))
	// Whatever the defaults of host and server are.
	if _, err := tx.ExecContext(ctx, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; SET LOCAL synchronous_commit = on"); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1::integer, $2::integer)", lockSpace, int32(hash.Sum32())); err != nil {
		return err
	}
	at, err := v.version(ctx, tx)
	if err != nil || at >= to {
		return err
	}
	quoted := pgx.Identifier{v.schema}.Sanitize()
	var exists bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)", v.schema).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		if _, err := tx.ExecContext(ctx, "CREATE SCHEMA "+quoted); err != nil {
			return fmt.Errorf("create it: %w", plain(err))
		}
	}
	if _, err := tx.ExecContext(ctx, "SELECT set_config('search_path', $1, true)", quoted); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, text)
	return err
}

// version is that of the schema, 0 if it is empty or missing. One that belongs
// to somebody else, or is above known, is an error.
func (v *versions) version(ctx context.Context, db database.DBTxConn) (at int64, err error) {
	var objects int
	var marked bool
	err = db.QueryRowContext(ctx, `SELECT count(c.oid), coalesce(bool_or(c.relname = 'dsr_schema'), false)
		FROM pg_catalog.pg_namespace AS n LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
		WHERE n.nspname = $1`, v.schema).Scan(&objects, &marked)
	if err != nil || objects == 0 {
		return 0, err
	}
	foreign := errors.New("it holds tables of another program; choose another schema")
	if !marked {
		return 0, foreign
	}
	err = db.QueryRowContext(ctx, "SELECT version FROM "+v.prefix+"dsr_schema").Scan(&at)
	var refused *pgconn.PgError
	if errors.Is(err, sql.ErrNoRows) || errors.As(err, &refused) && refused.Code == undefinedColumn {
		err = foreign
	}
	if err == nil && at > v.known {
		err = fmt.Errorf("it is at version %d, this program knows versions up to %d; update the program", at, v.known)
	}
	return at, err
}

// Tablename implements [database.Store].
func (*versions) Tablename() string { return "dsr_schema" }

// TableExists implements [database.StoreExtender]: the first step makes it.
func (*versions) TableExists(context.Context, database.DBTxConn) (bool, error) { return true, nil }

// CreateVersionTable implements [database.Store].
func (*versions) CreateVersionTable(context.Context, database.DBTxConn) error { return nil }

// Insert implements [database.Store], in the transaction of the step, whose
// lock it is under.
func (v *versions) Insert(ctx context.Context, db database.DBTxConn, req database.InsertRequest) error {
	_, err := db.ExecContext(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %[1]sdsr_schema (version bigint NOT NULL);
		INSERT INTO %[1]sdsr_schema SELECT 0 WHERE NOT EXISTS (SELECT FROM %[1]sdsr_schema);
		UPDATE %[1]sdsr_schema SET version = %[2]d WHERE version < %[2]d`, v.prefix, req.Version))
	return err
}

// Delete implements [database.Store]: there is no way back.
func (*versions) Delete(context.Context, database.DBTxConn, int64) error {
	return database.ErrNotImplemented
}

// GetMigration implements [database.Store].
func (v *versions) GetMigration(ctx context.Context, db database.DBTxConn, to int64) (*database.GetMigrationResult, error) {
	at, err := v.version(ctx, db)
	if err == nil && to > at {
		err = database.ErrVersionNotFound
	}
	return &database.GetMigrationResult{IsApplied: err == nil}, err
}

// GetLatestVersion implements [database.Store].
func (v *versions) GetLatestVersion(ctx context.Context, db database.DBTxConn) (int64, error) {
	return v.version(ctx, db)
}

// ListMigrations implements [database.Store].
func (v *versions) ListMigrations(ctx context.Context, db database.DBTxConn) (list []*database.ListMigrationsResult, err error) {
	at, err := v.version(ctx, db)
	for ; err == nil && at >= 0; at-- {
		list = append(list, &database.ListMigrationsResult{Version: at, IsApplied: true})
	}
	return list, err
}
