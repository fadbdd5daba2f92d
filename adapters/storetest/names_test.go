package storetest_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/storetest"
)

// Every promise in the comments of the port that names a check names one that
// exists. Links to Go names stand in brackets as well.
func TestThePortNamesChecks(t *testing.T) {
	t.Parallel()
	var comments strings.Builder
	for _, file := range []string{"../../store.go", "../../store_entries.go"} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(source)) {
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), "//"); ok {
				comments.WriteString(text)
			}
		}
	}
	var names []string
	for _, check := range storetest.Checks() {
		names = append(names, check.Name)
	}
	goName := regexp.MustCompile(`^([a-z/]+\.)?[A-Z][A-Za-z]+$`)
	found := 0
	for _, match := range regexp.MustCompile(`\s\[([^\]]+)\]`).FindAllStringSubmatch(comments.String(), -1) {
		name := strings.Join(strings.Fields(match[1]), " ")
		switch {
		case slices.Contains(names, name):
			found++
		case !goName.MatchString(name):
			require.Failf(t, "the port names a check that does not exist", "%q is none of %q", name, names)
		}
	}
	require.GreaterOrEqual(t, found, 25, "the comments of the port hardly name any checks")
}
