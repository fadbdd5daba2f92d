package dsr_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
}
