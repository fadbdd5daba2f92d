package sqlitestore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
)

// applicationID marks a file as one of this package ("DSRS").
const applicationID = 0x44535253

// Migrations are numbered from 001 without a gap; one that was released is
// never changed. Each file is one step of the schema's version.
//
//go:embed schema/*.sql
var migrations embed.FS

// migrate brings the file to the current schema. Everything happens in one
// exclusive transaction, so that of two processes that start at once one
// waits and then finds the work done, and a crash leaves the old schema.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := migrations.ReadDir("schema")
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil) // BEGIN IMMEDIATE
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()

	var id, version, objects int
	if err := errors.Join(
		tx.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id),
		tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version),
		tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&objects),
	); err != nil {
		return err
	}
	if isNew := id == 0 && version == 0 && objects == 0; id != applicationID && !isNew {
		return errors.New("the file is the SQLite database of another program; choose another path")
	}
	if version > len(files) {
		return fmt.Errorf("the file has schema %d, this version knows schemas up to %d; update the program", version, len(files))
	}
	if version == len(files) {
		return nil
	}
	for i, file := range files[version:] {
		text, err := migrations.ReadFile("schema/" + file.Name())
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("migration to schema %d: %w", version+i+1, err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(files))); err != nil {
		return err
	}
	return tx.Commit()
}
