package recordstest_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/oauth/recordstest"
)

// The comments of the port name every check, and no other.
func TestThePortNamesChecks(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../records.go")
	require.NoError(t, err)
	text := regexp.MustCompile(`\n\s*// ?`).ReplaceAllString(string(source), " ")
	var names, found []string
	for _, check := range recordstest.Checks() {
		names = append(names, check.Name)
	}
	for _, match := range regexp.MustCompile(` \[([a-z ]+)\]`).FindAllStringSubmatch(text, -1) {
		found = append(found, strings.TrimSpace(match[1]))
	}
	slices.Sort(names)
	slices.Sort(found)
	require.Equal(t, names, slices.Compact(found))
}
