package sqlitestore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/sqlitestore"
)

// patient waits for other processes as long as a busy machine needs.
func patient() *sqlitestore.Options { return &sqlitestore.Options{BusyTimeout: 5 * time.Minute} }

// openStore opens a store that is closed at the end of the test.
func openStore(t *testing.T, path string) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), path, patient())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}
