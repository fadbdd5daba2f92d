package pgstoretest

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/pgstore"
	"github.com/godsr/dsr/adapters/storetest"
	"github.com/godsr/dsr/internal/dbtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	var stores atomic.Int64
	storetest.Run(t, func() (dsr.Store, error) {
		return pgstore.Open(t.Context(), pool, &pgstore.Options{Schema: fmt.Sprint("store ", stores.Add(1))})
	})
}

// Hosts behind a connection pooler switch prepared statements off.
func TestConformanceWithoutPreparedStatements(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			pool := openPool(t, dbtest.PostgresDSN(t)+"&default_query_exec_mode="+mode)
			var stores atomic.Int64
			storetest.Run(t, func() (dsr.Store, error) {
				return pgstore.Open(t.Context(), pool, &pgstore.Options{Schema: fmt.Sprint("store ", stores.Add(1))})
			})
		})
	}
}
