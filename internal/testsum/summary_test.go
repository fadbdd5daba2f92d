package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSummary(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		files map[string]string
		ok    bool
		last  string
		shows []string
	}{
		{
			name:  "all pass, subtests count",
			files: map[string]string{"a_test.go": `func TestA(t *testing.T) { t.Run("b", func(t *testing.T) { t.Log("quiet") }) }`},
			ok:    true,
			last:  "2 passed, 0 failed, 0 skipped",
			shows: []string{"2 tests found,     2 run, 0 skipped, 0 failed", "ok      example.org/m  2 tests"},
		},
		{
			name: "a failure shows its output",
			files: map[string]string{
				"a_test.go": `func TestA(t *testing.T) { t.Error("one is not two") }`,
				"b_test.go": `func TestB(t *testing.T) { t.Log("quiet") }`,
			},
			last:  "1 passed, 1 failed, 0 skipped",
			shows: []string{"FAILED  example.org/m TestA", "one is not two", "2 tests found,     2 run, 0 skipped, 1 failed"},
		},
		{
			name:  "a skip fails the run and shows its reason",
			files: map[string]string{"a_test.go": `func TestA(t *testing.T) { t.Skip("not today") }`},
			last:  "0 passed, 0 failed, 1 skipped",
			shows: []string{"SKIPPED example.org/m TestA", "not today", "1 tests found,     0 run, 1 skipped"},
		},
		{
			name:  "a package that does not build",
			files: map[string]string{"a_test.go": `func TestA(t *testing.T) { undefinedName() }`},
			last:  "0 passed, 1 failed, 0 skipped",
			shows: []string{"undefined: undefinedName", "did not build or broke off: example.org/m"},
		},
		{
			name:  "a panic fails the running test",
			files: map[string]string{"a_test.go": `func TestA(t *testing.T) { panic("out of luck") }`},
			last:  "0 passed, 1 failed, 0 skipped",
			shows: []string{"FAILED  example.org/m TestA", "out of luck"},
		},
		{
			name:  "an exit outside of tests",
			files: map[string]string{"a_test.go": `func TestMain(m *testing.M) { m.Run(); panic("at the end") }; func TestA(t *testing.T) {}`},
			last:  "1 passed, 1 failed, 0 skipped",
			shows: []string{"at the end", "did not build or broke off: example.org/m"},
		},
		{
			name:  "a module that cannot be read",
			files: map[string]string{"go.mod": "nonsense"},
			last:  "0 passed, 1 failed, 0 skipped",
			shows: []string{"did not build or broke off: "},
		},
		{
			name:  "no test at all",
			files: map[string]string{"a.go": `var A = 1`},
			last:  "0 passed, 0 failed, 0 skipped",
			shows: []string{"none    example.org/m", "no tests were found"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "go.mod", "module example.org/m\n\ngo 1.26\n")
			write(t, dir, "go.work", "go 1.26\n\nuse .\n")
			for name, text := range c.files {
				if strings.HasSuffix(name, "_test.go") {
					text = "package m\n\nimport \"testing\"\n\n" + text + "\n"
				} else if strings.HasSuffix(name, ".go") {
					text = "package m\n\n" + text + "\n"
				}
				write(t, dir, name, text)
			}
			var out, stderr bytes.Buffer
			ok, err := run(t.Context(), []string{"-dir", dir, "--", "-count=1"}, &out, &stderr)
			require.NoError(t, err, stderr.String())
			require.Equal(t, c.ok, ok, out.String())
			for _, want := range c.shows {
				require.Contains(t, out.String(), want)
			}
			require.NotContains(t, out.String(), "quiet", "what passes says nothing")
			printed := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			require.Equal(t, c.last, printed[len(printed)-1])
		})
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	dirs, args, err := arguments(t.Context(), []string{"-race", "-shuffle=on"})
	require.NoError(t, err)
	require.Contains(t, dirs, ".")
	require.Contains(t, dirs, filepath.Join("internal", "dbtest"))
	require.Equal(t, []string{"-race", "-shuffle=on"}, args)

	dirs, args, err = arguments(t.Context(), []string{"-dir", "storage", "--", "-race"})
	require.NoError(t, err)
	require.Equal(t, []string{"storage"}, dirs)
	require.Equal(t, []string{"-race"}, args)
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
}
