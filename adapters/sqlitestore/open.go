package sqlitestore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite" // also registers the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/internal/sqlrows"
)

// Store is a [dsr.Store] in one SQLite file. It may be used from many
// goroutines at once: commits queue for the one connection that writes.
type Store struct {
	writer      *sql.DB // one connection
	reader      *sql.DB
	busyTimeout time.Duration

	// residue is set while the log may hold bytes of a shredded key.
	mu      sync.Mutex
	residue bool

	close func() error
}

var _ dsr.Store = (*Store)(nil)

// Options tune a [Store].
type Options struct {
	// BusyTimeout is how long to wait for another process that writes.
	// Defaults to 10 seconds.
	BusyTimeout time.Duration
	// Readers is how many reads may run at once. Defaults to 4.
	Readers int
}

// Open opens the store in the file at path, which is created, for its owner
// only, if it is missing, and brought to the current schema. Its directory
// must exist. opts may be nil.
//
// A file that is no SQLite database, is damaged, belongs to another program,
// or was written by a newer version of this package is refused and left as it
// is.
func Open(ctx context.Context, path string, opts *Options) (*Store, error) {
	o := Options{BusyTimeout: 10 * time.Second, Readers: 4}
	if opts != nil {
		if opts.BusyTimeout > 0 {
			o.BusyTimeout = opts.BusyTimeout
		}
		if opts.Readers > 0 {
			o.Readers = opts.Readers
		}
	}
	store, err := open(ctx, path, &o)
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: open %s: %w", path, explain(err))
	}
	return store, nil
}

func open(ctx context.Context, path string, o *Options) (*Store, error) {
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return nil, errors.New("a file is needed; package adapters/memory keeps requests in memory")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// SQLite gives its other files the mode of this one.
	file, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		var cause *fs.PathError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	busy := fmt.Sprintf("busy_timeout(%d)", o.BusyTimeout.Milliseconds())
	writer, err := sql.Open("sqlite", dsn(abs, "immediate", busy, "synchronous(FULL)", "secure_delete(1)", "temp_store(MEMORY)", "foreign_keys(1)"))
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	reader, err := sql.Open("sqlite", dsn(abs, "deferred", busy, "query_only(1)"))
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	reader.SetMaxOpenConns(o.Readers)
	reader.SetMaxIdleConns(o.Readers)
	s := &Store{writer: writer, reader: reader, busyTimeout: o.BusyTimeout, residue: true}
	// The writer goes last: it empties the log and removes it.
	s.close = sync.OnceValue(func() error { return errors.Join(reader.Close(), writer.Close()) })

	err = migrate(ctx, writer)
	if err == nil {
		err = enterWAL(ctx, writer, o.BusyTimeout)
	}
	if err == nil {
		err = s.wipe(ctx) // what a crash left
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// Close waits for what is under way and closes the file. Closing again returns
// what the first Close returned.
func (s *Store) Close() error {
	if err := s.close(); err != nil {
		return fmt.Errorf("sqlitestore: close: %w", err)
	}
	return nil
}

// dsn names the file for the driver; the pragmas hold for each connection.
func dsn(path, lock string, pragmas ...string) string {
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	u.RawQuery = url.Values{"_txlock": {lock}, "_pragma": pragmas}.Encode()
	return u.String()
}

// enterWAL switches the file to write-ahead logging, for good. SQLite does not
// wait by itself for others that do so at the same time.
func enterWAL(ctx context.Context, db *sql.DB, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		var mode string
		err := db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
		switch {
		case err == nil && mode == "wal":
			return nil
		case err == nil:
			return fmt.Errorf("write-ahead logging cannot be used here, the file stays in mode %q", mode)
		case code(err) != sqlite3.SQLITE_BUSY || time.Now().After(deadline):
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// wipe empties the log, which then holds no byte of a shredded key any more.
// While another connection reads for long, it cannot be emptied; then the next
// commit tries again, or Close, or the next Open.
func (s *Store) wipe(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.residue {
		return nil
	}
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	// A reader that does not end must not hold up every commit.
	var busy, frames, moved int
	_, err = conn.ExecContext(ctx, "PRAGMA busy_timeout = 200")
	if err == nil {
		err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	}
	_, e := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", s.busyTimeout.Milliseconds()))
	if err = errors.Join(err, e); err == nil {
		s.residue = busy != 0
	}
	return err
}

// code is the primary result code of SQLite behind an error, or 0.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// explain says what to do about errors of SQLite that tell too little. What goes
// by itself, or once somebody makes room, is [dsr.ErrUnavailable].
func explain(err error) error {
	said := reworded(err)
	switch code(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM:
		return sqlrows.Unavailable(said)
	}
	if errors.Is(err, driver.ErrBadConn) {
		return sqlrows.Unavailable(said)
	}
	return said
}

func reworded(err error) error {
	switch code(err) {
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("the file is no SQLite database, or its start is damaged; restore a backup or choose another path: %w", err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("the file is damaged; restore a backup: %w", err)
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("another process kept the file locked: %w", err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("the disk is full: %w", err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("the file, or one beside it, cannot be opened for writing; check owner and permissions of both file and directory: %w", err)
	}
	return err
}
