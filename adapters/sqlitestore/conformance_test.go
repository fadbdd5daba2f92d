package sqlitestore_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlitestore"
	"github.com/godsr/dsr/adapters/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var stores atomic.Int64
	storetest.Run(t, func() (dsr.Store, error) {
		s, err := sqlitestore.Open(t.Context(), filepath.Join(dir, fmt.Sprintf("%d.db", stores.Add(1))), nil)
		if err == nil {
			t.Cleanup(func() { require.NoError(t, s.Close()) })
		}
		return s, err
	})
}
