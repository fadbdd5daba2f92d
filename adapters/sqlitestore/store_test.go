package sqlitestore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/sqlitestore"
)

// openStore opens a store that is closed at the end of the test.
func openStore(t *testing.T, path string) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}
