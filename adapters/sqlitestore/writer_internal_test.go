package sqlitestore

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What was committed is on the disk, and what was deleted is not, whatever the
// driver's defaults are: every connection that writes has these settings, the
// second one too, after the first was lost.
func TestSettingsOfTheWriter(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "dsr.db"), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	for _, connection := range []string{"first", "second"} {
		for pragma, want := range map[string]int{
			"synchronous":   2, // FULL
			"secure_delete": 1,
			"temp_store":    2, // MEMORY
			"foreign_keys":  1,
			"query_only":    0,
		} {
			var got int
			require.NoError(t, s.writer.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
			require.Equal(t, want, got, "%s of the %s connection", pragma, connection)
		}
		s.writer.SetMaxIdleConns(0) // closes it
		s.writer.SetMaxIdleConns(1)
	}
}
