package dsr

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/value"
)

// What the store gives back may be damaged: it is refused, never a panic.
func FuzzJournalEntry(f *testing.F) {
	for _, e := range []entry{
		{key: []any{int64(1)}},
		{key: []any{"a", nil}, set: []Change{{Path: []any{"name", int64(2)}, Old: "x", New: nil}}},
	} {
		data, err := encodeEntries([]entry{e})
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, ok := decodeEntries(data)
		if !ok {
			return
		}
		again, err := encodeEntries(entries)
		require.NoError(t, err)
		decoded, ok := decodeEntries(again)
		require.True(t, ok)
		require.Len(t, decoded, len(entries))
		for i, e := range entries {
			require.True(t, value.Equal(e.key, decoded[i].key))
			require.Len(t, decoded[i].set, len(e.set))
		}
	})
}

// A row in the spool is its columns, one after the other.
func FuzzSpooledRow(f *testing.F) {
	s := &step{Step: &graph.Step{Collection: &graph.Collection{}}, columns: []string{"a", "b"}}
	row, err := value.Append(nil, "x")
	require.NoError(f, err)
	row, err = value.Append(row, []any{int64(1), nil})
	require.NoError(f, err)
	f.Add(row)
	f.Fuzz(func(t *testing.T, record []byte) {
		at, err := s.split(record)
		if err != nil {
			return
		}
		require.Len(t, at, len(s.columns))
		require.Equal(t, record, bytes.Join(at, nil), "every byte belongs to a column")
		_, _ = s.decodeRow(record)
	})
}

// What a hook answers is added, each value once, or refused without a word of it.
func FuzzDerived(f *testing.F) {
	f.Add(`{"email":["ada@example.com"]}`, `{"email":["ada@example.com","bob@example.com","bob@example.com"],"loyalty_no":["L-1"]}`)
	f.Add(`{"email":["ada@example.com"]}`, `{"email":[" ",""],"bob@example.com":["x"],"":[]}`)
	f.Add(`{}`, `{"card":[]}`)
	g := &generation{engine: &Engine{kinds: map[string]graph.IdentityKind{"email": {Name: "email", FoldCase: true}}}}
	f.Fuzz(func(t *testing.T, before, answer string) {
		var had, more map[string][]string
		if json.Unmarshal([]byte(before), &had) != nil || json.Unmarshal([]byte(answer), &more) != nil {
			return
		}
		given := Identities(more).count()
		ids, fresh, err := g.checkDerived("access", had, more)
		if err != nil {
			require.Nil(t, ids)
			return
		}
		all := merged(had, ids)
		require.LessOrEqual(t, given, maxIdentities)
		require.LessOrEqual(t, all.count(), maxIdentities)
		require.Equal(t, unseen(nil, had).count()+fresh, all.count())
		require.Empty(t, unseen(all, ids))
		require.Equal(t, all, merged(all, more))
	})
}
