//go:build compat

package compat_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/dbtest/servertest"
)

// The examples of the guide to redaction patterns, in Python and for curl, do
// what the guide says, as they are printed but for address and token.
func TestRedactionPatternExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(seedsDir(t), "001_*.txt"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	src, err := os.ReadFile(files[0])
	require.NoError(t, err)
	part := func(from, to string) string {
		found := regexp.MustCompile(`(?s)\n` + from + `\n(.*?)\n` + to + `\n`).FindStringSubmatch(string(src))
		require.Len(t, found, 2, from)
		return found[1]
	}
	s := servertest.Start(t, servertest.Options{})
	s.LogIn(t, servertest.RootID, servertest.RootSecret)
	const path = "/api/v1/privacy-request-redaction-patterns"
	mine := strings.NewReplacer("https://your-fides-instance.com", s.URL, "your-oauth-token", s.Token).Replace
	require.Equal(t, `{"patterns":[]}`, s.Call(t, http.MethodGet, path, nil, http.StatusOK))

	printed := regexp.MustCompile(`(?s)Authorization: Bearer \{token\}\nContent-Type: application/json\n\s*(\{.*?\n\})`).FindSubmatch(src)
	require.Len(t, printed, 2)
	require.JSONEq(t, string(printed[1]), s.Call(t, http.MethodPut, path, string(printed[1]), http.StatusOK))

	script := exec.CommandContext(t.Context(), python(t), "-c", mine(part("Python Example", "cURL Example")))
	output, err := script.CombinedOutput()
	require.NoError(t, err, string(output))
	require.Equal(t, "Current patterns: ['sensitive_.*', '.*_private', '^email$', 'customer.*', '.*user.*']\nPatterns updated successfully\n", string(output))
	require.JSONEq(t, `{"patterns": ["sensitive_.*", ".*_private", "^email$", "customer.*"]}`, s.Call(t, http.MethodGet, path, nil, http.StatusOK))

	s.Call(t, http.MethodPut, path, `{"patterns": []}`, http.StatusOK)
	shell := exec.CommandContext(t.Context(), "sh", "-ec", mine(part("cURL Example", "Integration with Entity-Specific Redaction")))
	shell.Stderr = nil // how far curl is
	output, err = shell.Output()
	require.NoError(t, err, string(output))
	require.Equal(t, `{"patterns":[]}{"patterns":["sensitive_.*",".*_private","^email$","customer.*"]}`, strings.ReplaceAll(string(output), "\n", ""))
	s.Killed(t)
	require.JSONEq(t, `{"patterns": ["sensitive_.*", ".*_private", "^email$", "customer.*"]}`, s.Call(t, http.MethodGet, path, nil, http.StatusOK))
}

// python is an interpreter that has the module requests.
func python(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), name, "-c", "import requests").Run() == nil { //nolint:gosec // one of these two
			return name
		}
	}
	require.Fail(t, "there is no python3 with the module requests; make compat installs it")
	return ""
}
