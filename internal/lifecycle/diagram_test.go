package lifecycle

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the picture and the table of moves into the guide")

// TestGuide: the guide shows the table that the code goes by.
func TestGuide(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "docs", "lifecycle.md")
	guide, err := os.ReadFile(file)
	require.NoError(t, err)
	want := string(guide)
	for name, text := range map[string]string{
		"picture": "```mermaid\n" + Diagram() + "```\n",
		"table":   Table(),
	} {
		before, rest, found := strings.Cut(want, "<!-- "+name+" -->\n")
		require.True(t, found, "%s has no place for the %s", file, name)
		_, after, found := strings.Cut(rest, "<!-- end of "+name+" -->\n")
		require.True(t, found, "%s: the place of the %s does not end", file, name)
		want = before + "<!-- " + name + " -->\n" + text + "<!-- end of " + name + " -->\n" + after
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(guide), "run go test ./internal/lifecycle -run TestGuide -update")
}
