package storetest_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/storetest"
)

// broken lists, for every check, stores that it must find at fault.
func broken() map[string]faults {
	all := map[string]faults{}
	for _, part := range []map[string]faults{
		brokenRecords(), brokenWrites(), brokenRemoval(), brokenIDs(), brokenFilters(), brokenLists(), brokenLogs(), brokenAudit(),
		brokenOutbox(), brokenOutboxWrites(), brokenOutboxRequests(),
		brokenEntries(), brokenEntriesWrites(), brokenEntriesHistory(), brokenCopies(), brokenClosed(), brokenSilent(),
	} {
		maps.Copy(all, part)
	}
	return all
}

// Every check finds every store at fault that was broken for it.
func TestChecksFindBrokenStores(t *testing.T) {
	t.Parallel()
	broken := broken()
	names := map[string]bool{}
	for _, check := range storetest.Checks() {
		require.False(t, names[check.Name], "two checks are named %q", check.Name)
		names[check.Name] = true
		require.NotEmpty(t, check.Explanation)
		require.NotEmpty(t, broken[check.Name], "no store proves check %q", check.Name)
		for name, newStore := range broken[check.Name] {
			t.Run(fmt.Sprintf("%s/%s", check.Name, name), func(t *testing.T) {
				t.Parallel()
				err := check.Run(t.Context(), func() (dsr.Store, error) { return newStore(), nil })
				require.Error(t, err)
				t.Log(err)
			})
		}
	}
	for name := range broken {
		require.True(t, names[name], "there is no check %q", name)
	}
}

// A store that cannot be made is no fault of a check; and a decorator that
// changes nothing breaks none, nor does one that can be closed.
func TestChecksOnHonestStores(t *testing.T) {
	t.Parallel()
	failure := errors.New("no disk")
	for _, check := range storetest.Checks() {
		require.ErrorIs(t, check.Run(t.Context(), func() (dsr.Store, error) { return nil, failure }), failure)
		for _, s := range []dsr.Store{&fake{Store: memory.NewStore()}, &closable{Store: memory.NewStore()}} {
			require.NoError(t, check.Run(t.Context(), func() (dsr.Store, error) { return s, nil }), check.Name)
		}
	}
}
