package notifiertest_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/notifiertest"
)

// The comments of the port name every check, and no other. Links to Go names
// stand in brackets as well.
func TestThePortNamesChecks(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../notifier.go")
	require.NoError(t, err)
	var comments strings.Builder
	for line := range strings.Lines(string(source)) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "//"); ok {
			comments.WriteString(text)
		}
	}
	var names, found []string
	for _, check := range notifiertest.Checks() {
		names = append(names, check.Name)
	}
	goName := regexp.MustCompile(`^([a-z/]+\.)?[A-Z][A-Za-z.]+$`)
	for _, match := range regexp.MustCompile(`\s\[([^\]]+)\]`).FindAllStringSubmatch(comments.String(), -1) {
		name := strings.Join(strings.Fields(match[1]), " ")
		if !goName.MatchString(name) {
			found = append(found, name)
		}
	}
	slices.Sort(names)
	slices.Sort(found)
	require.Equal(t, names, found)
}
