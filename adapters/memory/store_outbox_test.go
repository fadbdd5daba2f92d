package memory_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func TestStoreRefusesMessages(t *testing.T) {
	t.Parallel()
	s := memory.NewStore()
	require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{Record: dsr.Record{ID: "r1", Version: 1}}))
	for want, m := range map[string]dsr.Message{
		"memory: a message without an ID cannot be stored":                           {Version: 1},
		`memory: message "m": version 2 cannot follow version 0: want 1`:             {ID: "m", Version: 2},
		`memory: message "m" is of request "r9", which there is not: dsr: not found`: {ID: "m", Version: 1, RequestID: "r9"},
	} {
		require.EqualError(t, s.SaveMessages(t.Context(), []dsr.MessageChange{{Message: m}}), want)
	}
	require.EqualError(t, s.SaveMessages(t.Context(), []dsr.MessageChange{{ExpectVersion: 1, Message: dsr.Message{ID: "m", Version: 2}}}),
		`memory: message "m" is at version 0, not 1: dsr: the request was changed meanwhile`)
	require.EqualError(t, s.Commit(t.Context(), &dsr.StoreChange{
		ExpectVersion: 1, Record: dsr.Record{ID: "r1", Version: 2}, Messages: []dsr.MessageChange{{Message: dsr.Message{ID: "m", Version: 1}}},
	}), `memory: message "m" is of request "", not of request "r1", which is committed`)
	list, err := s.Messages(t.Context(), dsr.MessageQuery{})
	require.NoError(t, err)
	require.Empty(t, list)
}

// A limit below 0 is none that was told.
func TestStoreMessagesBelowLimit(t *testing.T) {
	t.Parallel()
	s := memory.NewStore()
	var changes []dsr.MessageChange
	for i := range 101 {
		changes = append(changes, dsr.MessageChange{Message: dsr.Message{ID: fmt.Sprint(i), Version: 1}})
	}
	require.NoError(t, s.SaveMessages(t.Context(), changes))
	list, err := s.Messages(t.Context(), dsr.MessageQuery{Limit: -1})
	require.NoError(t, err)
	require.Len(t, list, 100)
}
