package sqlitestore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/godsr/dsr"
)

// padding are the zero bytes before the keys of a request, and before the
// secrets of a plain entry, in the last column of its row. A row of SQLite
// keeps less than a page (of 4096 bytes) among other rows, and the rest on
// pages of its own. Other rows move when pages are split or merged, and leave
// copies of themselves behind that deleting them does not reach; pages of a
// row's own never move, and are overwritten when they are freed. So all of them
// must lie beyond the first page.
const padding = 4096

func readKeys(ctx context.Context, tx *sql.Tx, id string) (map[string][]byte, error) {
	var data []byte
	err := tx.QueryRowContext(ctx, "SELECT wrapped FROM keys WHERE request_id = ?", id).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return keysOf(data)
}

// addKeys reads the keys of all records of a list.
func addKeys(ctx context.Context, tx *sql.Tx, records []*dsr.Record) error {
	read, err := tx.PrepareContext(ctx, "SELECT wrapped FROM keys WHERE request_id = ?")
	if err != nil {
		return err
	}
	defer func() { _ = read.Close() }()
	for _, rec := range records {
		var data []byte
		err := read.QueryRowContext(ctx, rec.ID).Scan(&data)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err == nil {
			rec.Keys, err = keysOf(data)
		}
		if err != nil {
			return fmt.Errorf("request %q: %w", rec.ID, err)
		}
	}
	return nil
}

// keysOf decodes the keys of a request.
func keysOf(data []byte) (map[string][]byte, error) {
	if len(data) < padding {
		return nil, errors.New("its keys are not as this program wrote them; restore a backup")
	}
	var keys map[string][]byte
	if err := json.Unmarshal(data[padding:], &keys); err != nil {
		return nil, fmt.Errorf("its keys are not as this program wrote them; restore a backup: %w", err)
	}
	return keys, nil
}

// writeKeys reports whether a key is gone or was wrapped anew. A new request
// has none yet.
func writeKeys(ctx context.Context, tx *sql.Tx, id string, keys map[string][]byte, isNew bool) (shredded bool, err error) {
	var old map[string][]byte
	if !isNew {
		old, err = readKeys(ctx, tx, id)
	}
	if err != nil || maps.EqualFunc(old, keys, bytes.Equal) {
		return false, err
	}
	for purpose, before := range old {
		now, kept := keys[purpose]
		shredded = shredded || !kept || !bytes.Equal(before, now)
	}
	if len(keys) == 0 {
		_, err = tx.ExecContext(ctx, "DELETE FROM keys WHERE request_id = ?", id)
		return shredded, err
	}
	text, err := json.Marshal(keys)
	if err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO keys (request_id, wrapped) VALUES (?, ?)
		ON CONFLICT (request_id) DO UPDATE SET wrapped = excluded.wrapped`, id, append(make([]byte, padding), text...))
	return shredded, err
}
