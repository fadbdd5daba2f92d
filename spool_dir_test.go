package dsr_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// spoolPart writes a whole part.
func spoolPart(t *testing.T, s dsr.Spool, requestID, part, text string) {
	t.Helper()
	w, err := s.Create(t.Context(), requestID, part)
	require.NoError(t, err)
	_, err = io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
}

// spooled reads a whole part.
func spooled(t *testing.T, s dsr.Spool, requestID, part string) string {
	t.Helper()
	r, err := s.Open(t.Context(), requestID, part)
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(data)
}

func requireNoPart(t *testing.T, s dsr.Spool, requestID, part string) {
	t.Helper()
	_, err := s.Open(t.Context(), requestID, part)
	require.ErrorIs(t, err, dsr.ErrNotFound)
}

// files lists every file below dir with its mode.
func files(t *testing.T, dir string) map[string]fs.FileMode {
	t.Helper()
	found := map[string]fs.FileMode{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		found[rel] = info.Mode().Perm()
		return err
	}))
	return found
}

func TestDirSpoolParts(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "spool")
	s := dsr.NewDirSpool(dir)
	requireNoPart(t, s, "r1", "rows")
	require.NoError(t, s.Remove(t.Context(), "r1"))
	require.NoDirExists(t, dir, "reading makes nothing")

	w, err := s.Create(t.Context(), "r1", "rows")
	require.NoError(t, err)
	_, err = io.WriteString(w, "one")
	require.NoError(t, err)
	requireNoPart(t, s, "r1", "rows")
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())
	require.Equal(t, "one", spooled(t, s, "r1", "rows"))
	_, err = w.Write([]byte("more"))
	require.ErrorIs(t, err, fs.ErrClosed)

	w, err = s.Create(t.Context(), "r1", "rows")
	require.NoError(t, err)
	require.Equal(t, "one", spooled(t, s, "r1", "rows"), "the older part stays until the new one is closed")
	require.NoError(t, w.Close())
	require.Empty(t, spooled(t, s, "r1", "rows"))

	spoolPart(t, s, "r1", "keys", "k")
	spoolPart(t, s, "r1", "plan", "p")
	spoolPart(t, s, "r2", "rows", "two")
	for name, mode := range files(t, dir) {
		if strings.ContainsRune(name, filepath.Separator) {
			require.Equal(t, fs.FileMode(0o600), mode, name)
		} else {
			require.Equal(t, fs.FileMode(0o700), mode, name)
		}
	}

	require.NoError(t, s.Remove(t.Context(), "r1", "rows", "missing", "keys"))
	requireNoPart(t, s, "r1", "rows")
	requireNoPart(t, s, "r1", "keys")
	require.Equal(t, "p", spooled(t, s, "r1", "plan"))

	_, err = s.Create(t.Context(), "r1", "unfinished")
	require.NoError(t, err)
	require.NoError(t, s.Remove(t.Context(), "r1"))
	requireNoPart(t, s, "r1", "plan")
	require.Len(t, files(t, dir), 2, "only the directory of r2 with its part is left")
	require.Equal(t, "two", spooled(t, s, "r2", "rows"))
}

func TestDirSpoolHostileNames(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "spool")
	s := dsr.NewDirSpool(dir)
	hostile := []string{
		"", ".", "..", "../../escaped", "/etc/escaped", `..\escaped`, "a/b", "a\x00b", "a\nb", "\xff\xfe",
		"CON", "rows.tmp", "ROWS", "rows", strings.Repeat("x", 5000), "canary",
	}
	for _, id := range hostile {
		for _, part := range hostile {
			spoolPart(t, s, id, part, id+"|"+part)
		}
	}
	for _, id := range hostile {
		for _, part := range hostile {
			require.Equal(t, id+"|"+part, spooled(t, s, id, part))
		}
	}
	entries, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is written beside the directory")
	for name := range files(t, dir) {
		require.NotContains(t, name, "canary")
	}
	for _, id := range hostile {
		require.NoError(t, s.Remove(t.Context(), id))
	}
	require.Empty(t, files(t, dir))
}

func TestDirSpoolFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := dsr.NewDirSpool(dir)

	w, err := s.Create(t.Context(), "r1", "rows")
	require.NoError(t, err)
	require.NoError(t, s.Remove(t.Context(), "r1"))
	err = w.Close()
	require.ErrorContains(t, err, "dsr: spool: finish a part")
	require.Equal(t, err, w.Close())
	requireNoPart(t, s, "r1", "rows")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Create(ctx, "r1", "rows")
	require.ErrorIs(t, err, context.Canceled)
	spoolPart(t, s, "r1", "rows", "kept")
	require.ErrorIs(t, s.Remove(ctx, "r1"), context.Canceled)
	_, err = s.Open(ctx, "r1", "rows")
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, "kept", spooled(t, s, "r1", "rows"))

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = dsr.NewDirSpool(file).Create(t.Context(), "r1", "rows")
	require.ErrorContains(t, err, "dsr: spool: create a directory")
}

// A part that cannot be written leaves nothing, even if it is never closed.
func TestDirSpoolFailedWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := dsr.NewDirSpool(dir)
	w, err := s.Create(t.Context(), "r1", "rows")
	require.NoError(t, err)
	_, err = io.WriteString(w, "one")
	require.NoError(t, err)
	require.Len(t, files(t, dir), 2)
	dsr.BreakSpoolWriter(t, w)
	_, err = io.WriteString(w, "two")
	require.ErrorContains(t, err, "dsr: spool: write a part")
	require.Len(t, files(t, dir), 1, "the directory of the request alone")
	require.Equal(t, err, w.Close())
	requireNoPart(t, s, "r1", "rows")
}

func TestDirSpoolPrivateDirectory(t *testing.T) { // sets the environment, so it is not parallel
	parent := t.TempDir()
	t.Setenv("TMPDIR", parent)
	s := dsr.NewDirSpool("")
	requireNoPart(t, s, "r1", "rows")
	require.NoError(t, s.Remove(t.Context(), "r1"))
	require.Empty(t, files(t, parent), "it is made on first use")
	spoolPart(t, s, "r1", "rows", "one")
	spoolPart(t, s, "r2", "rows", "two")
	entries, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	info, err := entries[0].Info()
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	require.Equal(t, "one", spooled(t, s, "r1", "rows"))
	require.Equal(t, "two", spooled(t, s, "r2", "rows"))

	again := dsr.NewDirSpool("")
	require.Equal(t, "one", spooled(t, again, "r1", "rows"), "a process started again finds what was left")
	require.NoError(t, again.Remove(t.Context(), "r1"))
	require.NoError(t, again.Remove(t.Context(), "r2"))
	require.Len(t, files(t, parent), 1)
}

// What others may have put in the place of the private directory is refused.
func TestDirSpoolPrivateDirectoryOfOthers(t *testing.T) { // sets the environment, so it is not parallel
	parent := t.TempDir()
	t.Setenv("TMPDIR", parent)
	dir := filepath.Join(parent, "dsr-spool-"+strconv.Itoa(os.Geteuid()))
	other := t.TempDir()
	for _, c := range []struct {
		name string
		make func() error
		want string
	}{
		{"link", func() error { return os.Symlink(other, dir) }, " is a symbolic link; remove it, or name another directory with NewDirSpool"},
		{"file", func() error { return os.WriteFile(dir, nil, 0o600) }, " is not a directory; remove it"},
		{"permissions", func() error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o750)) }, " has the permissions 0750, which let others in; remove it"},
		{"open", func() error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o707)) }, " has the permissions 0707, which let others in; remove it"},
	} {
		require.NoError(t, c.make(), c.name)
		s := dsr.NewDirSpool("")
		want := "dsr: spool: the private directory " + dir + c.want
		_, err := s.Create(t.Context(), "r1", "rows")
		require.ErrorContains(t, err, want, c.name)
		_, err = s.Open(t.Context(), "r1", "rows")
		require.ErrorContains(t, err, want, c.name)
		require.ErrorContains(t, s.Remove(t.Context(), "r1"), want, c.name)
		require.NoError(t, os.Remove(dir))
	}
	require.Empty(t, files(t, other))
}

// It is looked at each time: it may have been removed and made by another.
func TestDirSpoolPrivateDirectoryReplaced(t *testing.T) { // sets the environment, so it is not parallel
	parent := t.TempDir()
	t.Setenv("TMPDIR", parent)
	s := dsr.NewDirSpool("")
	spoolPart(t, s, "r1", "rows", "one")
	dir := filepath.Join(parent, "dsr-spool-"+strconv.Itoa(os.Geteuid()))
	require.NoError(t, os.RemoveAll(dir))
	requireNoPart(t, s, "r1", "rows")
	spoolPart(t, s, "r1", "rows", "two")
	require.NoError(t, os.Chmod(dir, 0o777))
	_, err := s.Create(t.Context(), "r1", "more")
	require.ErrorContains(t, err, "which let others in")
}
