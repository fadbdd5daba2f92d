package dbtest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindPrograms(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, file := range []string{"pg/9.6/bin/a", "pg/16/bin/a", "pg/15/bin/a", "path/b", "other/b", "path/c"} {
		path := filepath.Join(root, file)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, nil, 0o755))
	}
	require.NoError(t, os.Chmod(filepath.Join(root, "path/c"), 0o644))
	path := filepath.Join(root, "path") + string(filepath.ListSeparator) + "relative"

	for _, c := range []struct {
		name     string
		needs    [][]string
		patterns []string
		want     []string
	}{
		{"the highest version", [][]string{{"a"}}, []string{"pg/*/bin"}, []string{"pg/16/bin/a"}},
		{"PATH before folders", [][]string{{"b"}}, []string{"other"}, []string{"path/b"}},
		{"the preferred name", [][]string{{"x", "b"}, {"a"}}, []string{"pg/15/bin"}, []string{"path/b", "pg/15/bin/a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := program{server: "PostgreSQL", needs: c.needs}
			for _, pattern := range c.patterns {
				p.patterns = append(p.patterns, filepath.Join(root, pattern))
			}
			var want []string
			for _, file := range c.want {
				want = append(want, filepath.Join(root, file))
			}
			found, err := p.find(path)
			require.NoError(t, err)
			require.Equal(t, want, found)
		})
	}

	t.Run("missing or not executable", func(t *testing.T) {
		t.Parallel()
		for _, server := range []string{"PostgreSQL", "MariaDB", "Chromium"} {
			p := program{server: server, needs: [][]string{{"a"}, {"nothing", "less"}, {"c"}}, patterns: []string{filepath.Join(root, "pg/*/bin")}}
			_, err := p.find(path)
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.ErrorContains(t, err, server+" is not installed: no nothing and c in PATH, "+root)
			require.ErrorContains(t, err, installCommand(server))
			require.NotEmpty(t, installCommand(server))
		}
	})
}

// fatalTB records how a test was failed.
type fatalTB struct {
	testing.TB
	fatal string
}

func (tb *fatalTB) Helper() {}

func (tb *fatalTB) Fatalf(format string, args ...any) {
	tb.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestMissingServerFailsTheTest(t *testing.T) {
	t.Parallel()
	missing := &MissingError{Server: "MariaDB", Programs: []string{"mariadbd"}, Searched: []string{"PATH"}}
	s := &shared{start: func() (*Server, error) { return nil, missing }}
	tb := &fatalTB{TB: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.database(tb)
	}()
	<-ended
	require.Equal(t, "dbtest: "+missing.Error(), tb.fatal)
}
