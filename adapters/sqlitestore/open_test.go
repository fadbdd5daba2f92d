package sqlitestore_test

import (
	"bytes"
	"context"
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlitestore"
)

// create stores a new request.
func create(t *testing.T, s dsr.Store, r dsr.Record) {
	t.Helper()
	r.Version = 1
	require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{Record: r}))
}

// raw opens a file beside the store, as another program does.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func execute(t *testing.T, db *sql.DB, statements string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), statements)
	require.NoError(t, err)
}

func listed(t *testing.T, dir string) map[string]fs.FileMode {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	modes := map[string]fs.FileMode{}
	for _, entry := range entries {
		info, err := entry.Info()
		require.NoError(t, err)
		modes[entry.Name()] = info.Mode().Perm()
	}
	return modes
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := "we?ird #%20 é&_pragma=x.db" // read by nobody as anything but a name
	s := openStore(t, filepath.Join(dir, name))
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	create(t, s, dsr.Record{ID: "r1", CreatedAt: at, Keys: map[string][]byte{"k": []byte("wrapped"), "empty": nil}})
	require.Equal(t, map[string]fs.FileMode{name: 0o600, name + "-shm": 0o600, name + "-wal": 0o600}, listed(t, dir))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing twice is harmless")
	require.Equal(t, map[string]fs.FileMode{name: 0o600}, listed(t, dir))
	_, err := s.Request(t.Context(), "r1")
	require.EqualError(t, err, `sqlitestore: request "r1": sql: database is closed`)
	err = s.Commit(t.Context(), &dsr.StoreChange{Record: dsr.Record{ID: "r2", Version: 1}})
	require.EqualError(t, err, `sqlitestore: request "r2": sql: database is closed`)

	s = openStore(t, filepath.Join(dir, name))
	r, err := s.Request(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, at, r.CreatedAt, "times keep their nanosecond")
	require.Equal(t, []byte("wrapped"), r.Keys["k"])
	require.Contains(t, r.Keys, "empty")
}

func TestRefusedChanges(t *testing.T) {
	t.Parallel()
	s := openStore(t, filepath.Join(t.TempDir(), "dsr.db"))
	for want, ch := range map[string]*dsr.StoreChange{
		"sqlitestore: a request without an ID cannot be stored": {
			Record: dsr.Record{Version: 1},
		},
		`sqlitestore: request "r1": version 3 cannot follow version 1: want 2`: {
			ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 3},
		},
		`sqlitestore: request "r1": a time in the year 2500 cannot be stored: only 1678 to 2261 can`: {
			Record: dsr.Record{ID: "r1", Version: 1, DueAt: time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC)},
		},
		`sqlitestore: request "r1": a time in the year 1500 cannot be stored: only 1678 to 2261 can`: {
			Record: dsr.Record{ID: "r1", Version: 1}, Events: []dsr.Event{{Time: time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC)}},
		},
	} {
		require.EqualError(t, s.Commit(t.Context(), ch), want)
	}
	_, err := s.Request(t.Context(), "r1")
	require.ErrorIs(t, err, dsr.ErrNotFound)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	file := func(write func(t *testing.T, path string)) func(*testing.T) string {
		return func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "some.db")
			write(t, path)
			return path
		}
	}
	statements := func(text string) func(*testing.T) string {
		return file(func(t *testing.T, path string) {
			db := raw(t, path)
			execute(t, db, text)
			require.NoError(t, db.Close())
		})
	}
	for name, test := range map[string]struct {
		path func(t *testing.T) string
		want string
	}{
		"no path":   {func(*testing.T) string { return "" }, "a file is needed"},
		"memory":    {func(*testing.T) string { return ":memory:" }, "package adapters/memory keeps requests in memory"},
		"directory": {func(t *testing.T) string { return t.TempDir() }, "is a directory"},
		"missing directory": {
			func(t *testing.T) string { return filepath.Join(t.TempDir(), "missing", "dsr.db") },
			"no such file or directory",
		},
		"no database": {
			file(func(t *testing.T, path string) {
				require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("a letter, not a database. ", 400)), 0o600))
			}),
			"the file is no SQLite database, or its start is damaged; restore a backup or choose another path",
		},
		"tables of another program": {
			statements("CREATE TABLE requests (id TEXT)"),
			"the file is the SQLite database of another program; choose another path",
		},
		"another program's mark": {
			statements("PRAGMA application_id = 7"),
			"the file is the SQLite database of another program; choose another path",
		},
		"a newer schema": {
			statements("PRAGMA application_id = 0x44535253; PRAGMA user_version = 99"),
			"the file has schema 99, this version knows schemas up to 3; update the program",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := test.path(t)
			before, _ := os.ReadFile(path)
			s, err := sqlitestore.Open(t.Context(), path, nil)
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "sqlitestore: open "+path+": ")
			require.Nil(t, s)
			after, _ := os.ReadFile(path)
			require.True(t, bytes.Equal(before, after), "the file was changed")
			require.NoFileExists(t, path+"-wal")
		})
	}
}

func TestDamagedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dsr.db")
	s := openStore(t, path)
	create(t, s, dsr.Record{ID: "r1", Plan: bytes.Repeat([]byte("plan"), 20_000)})
	require.NoError(t, s.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)

	// Every page but the first, where the schema begins, is overwritten.
	require.NoError(t, os.WriteFile(path, append(bytes.Clone(whole[:4096]), bytes.Repeat([]byte{0xaa}, len(whole)-4096)...), 0o600))
	s, err = sqlitestore.Open(t.Context(), path, nil)
	if err == nil {
		defer func() { _ = s.Close() }()
		_, err = s.Request(t.Context(), "r1")
	}
	require.ErrorContains(t, err, "the file is damaged; restore a backup")

	require.NoError(t, os.WriteFile(path, whole, 0o600))
	_, err = openStore(t, path).Request(t.Context(), "r1")
	require.NoError(t, err)
}

func TestOpenCanceled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dsr.db")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := sqlitestore.Open(ctx, path, nil)
	require.ErrorIs(t, err, context.Canceled)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Zero(t, info.Size())
}

func TestLockedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dsr.db")
	s, err := sqlitestore.Open(t.Context(), path, &sqlitestore.Options{BusyTimeout: 20 * time.Millisecond, Readers: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	create(t, s, dsr.Record{ID: "r1"})

	other := raw(t, path)
	execute(t, other, "BEGIN IMMEDIATE")
	err = s.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 2}})
	require.ErrorContains(t, err, "another process kept the file locked")
	require.ErrorIs(t, err, dsr.ErrUnavailable)
	_, err = s.SaveEntries(t.Context(), []dsr.EntryChange{{Entry: dsr.Entry{Kind: "k", Key: "e", Version: 1, Data: []byte("d")}}})
	require.ErrorIs(t, err, dsr.ErrUnavailable)
	require.ErrorIs(t, s.SaveMessages(t.Context(), []dsr.MessageChange{{Message: dsr.Message{ID: "m", Version: 1}}}), dsr.ErrUnavailable)
	r, err := s.Request(t.Context(), "r1")
	require.NoError(t, err, "reads go on meanwhile")
	require.EqualValues(t, 1, r.Version)
	execute(t, other, "COMMIT")
	require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 2}}))
}

// Many that open a new file at once all find it ready.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dsr.db")
	stores := make([]*sqlitestore.Store, 12)
	errs := make([]error, len(stores))
	var group sync.WaitGroup
	for i := range stores {
		group.Go(func() { stores[i], errs[i] = sqlitestore.Open(t.Context(), path, patient()) })
	}
	group.Wait()
	for i, s := range stores {
		require.NoError(t, errs[i])
		create(t, s, dsr.Record{ID: string(rune('a' + i))})
	}
	list, err := stores[0].Requests(t.Context(), dsr.RecordQuery{})
	require.NoError(t, err)
	require.Len(t, list, len(stores))
	for _, s := range stores {
		require.NoError(t, s.Close())
	}
}

// The settings that durability and shredding rest on are those of SQLite's
// file and of the connection that writes.
func TestFileSettings(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dsr.db")
	openStore(t, path)
	db := raw(t, path)
	var mode string
	var id, version int
	require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode))
	require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA application_id").Scan(&id))
	require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&version))
	require.Equal(t, "wal", mode)
	require.Equal(t, 0x44535253, id)
	require.Equal(t, 3, version)
	var loose int
	require.NoError(t, db.QueryRowContext(t.Context(),
		"SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' AND NOT strict").Scan(&loose))
	require.Zero(t, loose, "every table is strict")
}
