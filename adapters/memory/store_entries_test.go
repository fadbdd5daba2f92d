package memory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func TestStoreRefusesEntries(t *testing.T) {
	t.Parallel()
	s := memory.NewStore()
	e := dsr.Entry{Kind: "k", Key: "e", Version: 1}
	_, err := s.SaveEntries(t.Context(), []dsr.EntryChange{{Entry: e}})
	require.NoError(t, err)
	conflict := dsr.ErrConflict.Error()
	for want, changes := range map[string][]dsr.EntryChange{
		`memory: entry "" of kind "k": an entry without a kind or a key cannot be stored`: {{Entry: dsr.Entry{Kind: "k", Version: 1}}},
		`memory: entry "e" of kind "": an entry without a kind or a key cannot be stored`: {{Entry: dsr.Entry{Key: "e", Version: 1}}},
		`memory: entry "e" of kind "k": version 1 cannot follow version 1: want 2`:        {{ExpectVersion: 1, Entry: e}},
		`memory: entry "n" of kind "k" is changed twice at once`: {
			{Entry: dsr.Entry{Kind: "k", Key: "n", Version: 1}}, {Entry: dsr.Entry{Kind: "k", Key: "n", Version: 1}},
		},
		`memory: entry "e" of kind "k" is at version 1, not 0: ` + conflict: {{Entry: e}},
		`memory: entry "e" of kind "k" stays plain, or versioned, until it is removed: ` + conflict: {
			{ExpectVersion: 1, Entry: dsr.Entry{Kind: "k", Key: "e", Version: 2, Plain: true}},
		},
	} {
		version, err := s.SaveEntries(t.Context(), changes)
		require.EqualError(t, err, want)
		require.Zero(t, version)
	}
	list, err := s.Entries(t.Context(), dsr.EntryQuery{Limit: -1})
	require.NoError(t, err)
	e.Since = 1
	require.Equal(t, []dsr.Entry{e}, list)
}
