package storage_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

// names lists a directory, hidden files included.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	list := []string{}
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

func content(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(data)
}

func put(t *testing.T, dest storage.Destination, name, text string) {
	t.Helper()
	up, err := dest.Create(t.Context(), name)
	require.NoError(t, err)
	_, err = up.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, up.Commit(t.Context()))
}

func TestFolderCommit(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "packages", "access")
	folder := storage.NewFolder(dir, nil)

	up, err := folder.Create(t.Context(), "r1.json")
	require.NoError(t, err)
	_, err = up.Write([]byte("hello "))
	require.NoError(t, err)
	_, err = up.Write([]byte("world"))
	require.NoError(t, err)
	require.NotContains(t, names(t, dir), "r1.json", "nothing is visible before the commit")
	require.NoError(t, up.Commit(t.Context()))

	require.Equal(t, []string{"r1.json"}, names(t, dir))
	require.Equal(t, "hello world", content(t, dir, "r1.json"))
	info, err := os.Stat(filepath.Join(dir, "r1.json"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	for _, d := range []string{dir, filepath.Dir(dir)} {
		info, err = os.Stat(d)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	}

	require.NoError(t, up.Abort(), "harmless after Commit")
	require.Equal(t, "hello world", content(t, dir, "r1.json"))
	require.ErrorIs(t, up.Commit(t.Context()), storage.ErrUploadOver)
	_, err = up.Write([]byte("!"))
	require.ErrorIs(t, err, storage.ErrUploadOver)

	put(t, folder, "r1.json", "again")
	require.Equal(t, []string{"r1.json"}, names(t, dir))
	require.Equal(t, "again", content(t, dir, "r1.json"))
}

// A process that dies leaves nothing of an unfinished upload: it has no name
// before it is committed.
func TestFolderLeavesNothing(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		return // other systems have no unnamed files; see TestFolderSweep
	}
	dir := t.TempDir()
	folder := storage.NewFolder(dir, nil)
	for _, text := range []string{"first", "second"} {
		before := names(t, dir)
		up, err := folder.Create(t.Context(), "r1.json")
		require.NoError(t, err)
		_, err = up.Write([]byte(text))
		require.NoError(t, err)
		require.Equal(t, before, names(t, dir))
		require.NoError(t, up.Commit(t.Context()))
		require.Equal(t, []string{"r1.json"}, names(t, dir))
		require.Equal(t, text, content(t, dir, "r1.json"))
	}
	up, err := folder.Create(t.Context(), "r1.json")
	require.NoError(t, err)
	require.NoError(t, up.Abort())
	require.Equal(t, "second", content(t, dir, "r1.json"))
}

func TestFolderAbort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := storage.Named(storage.NewFolder(dir, nil))
	put(t, folder, "r1.json", "old")
	up, err := folder.Create(t.Context(), "r1.json")
	require.NoError(t, err)
	_, err = up.Write([]byte("new"))
	require.NoError(t, err)
	require.Len(t, names(t, dir), 2)
	require.NoError(t, up.Abort())
	require.NoError(t, up.Abort(), "idempotent")
	require.ErrorIs(t, up.Commit(t.Context()), storage.ErrUploadOver)
	require.Equal(t, []string{"r1.json"}, names(t, dir))
	require.Equal(t, "old", content(t, dir, "r1.json"))
}

// Whatever fails, the older file stays, the new one is not visible, and no
// temporary file is left.
func TestFolderFailures(t *testing.T) {
	t.Parallel()
	const canary = "canary-external-id.json"
	for name, test := range map[string]struct {
		harm func(t *testing.T, dir string, up storage.Upload) context.Context
		want error
		left []string
	}{
		"the disk is full": {
			func(t *testing.T, _ string, up storage.Upload) context.Context {
				storage.FillDisk(up, 2)
				return t.Context()
			},
			syscall.ENOSPC, []string{canary},
		},
		"the disk cannot be synced": {
			func(t *testing.T, _ string, up storage.Upload) context.Context {
				storage.FillDisk(up, -1)
				return t.Context()
			},
			syscall.EIO, []string{canary},
		},
		"the context is over": {
			func(t *testing.T, _ string, _ storage.Upload) context.Context {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				return ctx
			},
			context.Canceled, []string{canary},
		},
		"the temporary file was swept": {
			func(t *testing.T, dir string, _ storage.Upload) context.Context {
				later := storage.NewFolder(dir, &storage.FolderOptions{
					Now: func() time.Time { return time.Now().Add(2 * time.Hour) },
				})
				n, err := later.Sweep(t.Context())
				require.NoError(t, err)
				require.Equal(t, 1, n)
				return t.Context()
			},
			fs.ErrNotExist, []string{canary},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			folder := storage.NewFolder(dir, nil)
			if errors.Is(test.want, fs.ErrNotExist) {
				storage.Named(folder)
			}
			put(t, folder, canary, "old")
			up, err := folder.Create(t.Context(), canary)
			require.NoError(t, err)
			ctx := test.harm(t, dir, up)
			_, _ = up.Write([]byte("personal"))
			_, _ = up.Write([]byte("x"))

			err = up.Commit(ctx)
			require.ErrorIs(t, err, test.want)
			require.NotContains(t, err.Error(), "canary")
			require.NotContains(t, err.Error(), "personal")
			require.Equal(t, test.left, names(t, dir))
			require.Equal(t, "old", content(t, dir, canary))
			require.NoError(t, up.Abort())
		})
	}
}

func TestFolderCannotBeMade(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := storage.NewFolder(file, nil).Create(t.Context(), "a")
	require.EqualError(t, err, "storage: folder "+file+": create the folder: it is not a directory")
	_, err = storage.NewFolder(filepath.Join(file, "sub"), nil).Create(t.Context(), "a")
	require.ErrorIs(t, err, syscall.ENOTDIR)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	missing := filepath.Join(t.TempDir(), "missing")
	_, err = storage.NewFolder(missing, nil).Create(ctx, "a")
	require.ErrorIs(t, err, context.Canceled)
	require.NoDirExists(t, missing)
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "packages")
	folder := storage.NewFolder(dir, nil)
	put(t, folder, "first", "")
	for name, why := range map[string]string{
		"":                         "it is empty",
		".":                        "it leads to a directory",
		"..":                       "it leads to a directory",
		"../escaped":               "it holds a path separator; it leads to a directory",
		"a/b":                      "it holds a path separator",
		`a\b`:                      "it holds a path separator",
		"/etc/escaped":             "it holds a path separator",
		"a..b":                     "two dots in a row",
		"a\x00b":                   "control or invisible characters",
		"a\nb":                     "control or invisible characters",
		"a\u202eb":                 "control or invisible characters",
		"a\xffb":                   "it is not valid UTF-8",
		strings.Repeat("é", 101):   "it has 202 bytes, more than 200",
		".dsr-upload-mine.tmp":     "names that start with",
		"\x01/" + string([]byte{}): "it holds a path separator; it holds control",
	} {
		_, err := folder.Create(t.Context(), name)
		require.ErrorContains(t, err, why, "name %q", name)
		if name != "" && len(name) > 2 && name != ".dsr-upload-mine.tmp" {
			require.NotContains(t, err.Error(), name)
		}
	}
	require.Equal(t, []string{"first"}, names(t, dir))
	require.Equal(t, []string{"packages"}, names(t, parent))

	for _, name := range []string{"-rf", "a b.json", "~", "$(id)", "CON", "été 日本.json", ".hidden", strings.Repeat("a", 200)} {
		put(t, folder, name, name)
		require.Equal(t, name, content(t, dir, name))
	}
}

// What was committed can be read again, from any place in it.
func TestFolderOpen(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "packages")
	folder := storage.NewFolder(dir, nil)
	_, err := folder.Open(t.Context(), "r1.json")
	require.ErrorIs(t, err, fs.ErrNotExist)
	put(t, folder, "r1.json", "hello world")
	file, err := folder.Open(t.Context(), "r1.json")
	require.NoError(t, err)
	require.EqualValues(t, 11, file.Size())
	for range 2 {
		at, err := file.Seek(-5, io.SeekEnd)
		require.NoError(t, err)
		require.EqualValues(t, 6, at)
		data, err := io.ReadAll(file)
		require.NoError(t, err)
		require.Equal(t, "world", string(data))
	}
	// Who reads an older file reads it to its end.
	put(t, folder, "r1.json", "again")
	require.NoError(t, folder.Remove(t.Context(), "r1.json"))
	_, err = file.Seek(0, io.SeekStart)
	require.NoError(t, err)
	data, err := io.ReadAll(file)
	require.NoError(t, err)
	require.Equal(t, "hello world", string(data))
	require.NoError(t, file.Close())

	_, err = folder.Open(t.Context(), "r1.json")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotContains(t, err.Error(), "r1")
	require.NoError(t, os.WriteFile(filepath.Join(parent, "secret"), []byte("s"), 0o600))
	for _, name := range []string{"../secret", "", ".", "a/b"} {
		_, err = folder.Open(t.Context(), name)
		require.ErrorContains(t, err, "the name cannot be used for a file")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = folder.Open(ctx, "r1.json")
	require.ErrorIs(t, err, context.Canceled)
}

func TestFolderSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	clock := func() time.Time { return now }
	folder := storage.Named(storage.NewFolder(dir, &storage.FolderOptions{Now: clock}))
	put(t, folder, "kept.json", "kept")

	for range 2 { // a crash: uploads that nobody ends
		up, err := folder.Create(t.Context(), "lost.json")
		require.NoError(t, err)
		_, err = up.Write([]byte("lost"))
		require.NoError(t, err)
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".dsr-upload-dir.tmp"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".dsr-upload-other"), nil, 0o600))
	old := now.Add(-24 * time.Hour)
	for _, name := range []string{"kept.json", ".dsr-upload-dir.tmp", ".dsr-upload-other"} {
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), old, old))
	}

	n, err := folder.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "they may still be written")
	now = now.Add(59 * time.Minute)
	n, err = folder.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	now = now.Add(2 * time.Minute)
	n, err = folder.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, []string{".dsr-upload-dir.tmp", ".dsr-upload-other", "kept.json"}, names(t, dir))

	short := storage.Named(storage.NewFolder(dir, &storage.FolderOptions{StaleAfter: time.Minute, Now: clock}))
	_, err = short.Create(t.Context(), "lost.json")
	require.NoError(t, err)
	now = now.Add(2 * time.Minute)
	n, err = short.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)

	n, err = storage.NewFolder(filepath.Join(dir, "missing"), nil).Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestFolderHandsOutItsOwnFilesOnly(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "other")
	require.NoError(t, os.WriteFile(outside, []byte("not yours"), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "link.json")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub.json"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".dsr-upload-X.tmp"), []byte("half"), 0o600))
	folder := storage.NewFolder(dir, nil)
	for name, want := range map[string]string{
		"link.json":         "it is no regular file",
		"sub.json":          "it is no regular file",
		".dsr-upload-X.tmp": "names that start with \".dsr-upload-\" are those of unfinished uploads",
		"../other":          "it holds a path separator",
		"":                  "it is empty",
	} {
		_, err := folder.Open(t.Context(), name)
		require.ErrorContains(t, err, want, name)
	}
	require.ErrorContains(t, folder.Remove(t.Context(), ".dsr-upload-X.tmp"), "unfinished uploads")
	require.FileExists(t, filepath.Join(dir, ".dsr-upload-X.tmp"))
	_, err := folder.Open(t.Context(), "none.json")
	require.ErrorIs(t, err, fs.ErrNotExist)
}
