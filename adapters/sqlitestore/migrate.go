package sqlitestore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// applicationID marks a file as one of this package ("DSRS").
const applicationID = 0x44535253

// Migrations are numbered from 001 without a gap; one that was released is
// never changed. Each file is one step of the schema's version.
//
//go:embed schema/*.sql
var migrations embed.FS

// migrate brings the file to the current schema. Each step is one immediate
// transaction together with the version that it leads to, so that of processes
// that start at once one takes it and the others find it taken, and a crash
// leaves the version before. A file that is current is only read.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := migrations.ReadDir("schema")
	if err != nil {
		return err
	}
	known := int64(len(files))
	if at, err := version(ctx, db, known); err != nil || at == known {
		return err
	}
	steps := make([]*goose.Migration, len(files))
	for i, file := range files {
		to := int64(i + 1)
		steps[i] = goose.NewGoMigration(to, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			if at, err := version(ctx, tx, known); err != nil || at >= to {
				return err
			}
			text, err := migrations.ReadFile("schema/" + file.Name())
			if err == nil {
				_, err = tx.ExecContext(ctx, string(text))
			}
			return err
		}}, nil)
	}
	provider, err := goose.NewProvider(goose.DialectCustom, db, nil,
		goose.WithStore(versions{known}), goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	var failed *goose.PartialError
	if errors.As(err, &failed) {
		err = fmt.Errorf("migration to schema %d: %w", failed.Failed.Source.Version, failed.Err)
	}
	return err
}

// version is that of the file's schema, 0 if it is empty. One that belongs to
// somebody else, or is above known, is an error.
func version(ctx context.Context, db database.DBTxConn, known int64) (at int64, err error) {
	var id, objects int64
	// One statement, because another process may be at work.
	if err := db.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
		(SELECT count(*) FROM sqlite_schema)`).Scan(&id, &at, &objects); err != nil {
		return 0, err
	}
	if isNew := id == 0 && at == 0 && objects == 0; id != applicationID && !isNew {
		return 0, errors.New("the file is the SQLite database of another program; choose another path")
	}
	if at > known {
		return 0, fmt.Errorf("the file has schema %d, this version knows schemas up to %d; update the program", at, known)
	}
	return at, nil
}

// versions keeps goose's record of migrations in the header of the file, so
// that it needs no table.
type versions struct{ known int64 }

var _ database.StoreExtender = versions{}

// Tablename implements [database.Store].
func (versions) Tablename() string { return "user_version" }

// TableExists implements [database.StoreExtender]: a header always does.
func (versions) TableExists(context.Context, database.DBTxConn) (bool, error) { return true, nil }

// CreateVersionTable implements [database.Store].
func (versions) CreateVersionTable(context.Context, database.DBTxConn) error { return nil }

// Insert implements [database.Store]. Another process may have taken the step,
// and those after it, in the meantime.
func (v versions) Insert(ctx context.Context, db database.DBTxConn, req database.InsertRequest) error {
	var at int64
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&at); err != nil || at >= req.Version {
		return err
	}
	_, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, req.Version))
	return err
}

// Delete implements [database.Store]: there is no way back.
func (versions) Delete(context.Context, database.DBTxConn, int64) error {
	return database.ErrNotImplemented
}

// GetMigration implements [database.Store].
func (v versions) GetMigration(ctx context.Context, db database.DBTxConn, to int64) (*database.GetMigrationResult, error) {
	at, err := version(ctx, db, v.known)
	if err == nil && to > at {
		err = database.ErrVersionNotFound
	}
	return &database.GetMigrationResult{IsApplied: err == nil}, err
}

// GetLatestVersion implements [database.Store].
func (v versions) GetLatestVersion(ctx context.Context, db database.DBTxConn) (int64, error) {
	return version(ctx, db, v.known)
}

// ListMigrations implements [database.Store].
func (v versions) ListMigrations(ctx context.Context, db database.DBTxConn) (list []*database.ListMigrationsResult, err error) {
	at, err := version(ctx, db, v.known)
	for ; err == nil && at >= 0; at-- {
		list = append(list, &database.ListMigrationsResult{Version: at, IsApplied: true})
	}
	return list, err
}
