package dsr

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
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

func FuzzRecord(f *testing.F) {
	state, err := json.Marshal(&lifecycle.State{
		Flow: lifecycle.Flow{Verify: true, CoolingOff: time.Hour}, SubmittedAt: time.Unix(1, 0).UTC(),
		Code: &lifecycle.Code{Hash: []byte("h"), ExpiresAt: time.Unix(2, 0).UTC()},
	})
	require.NoError(f, err)
	f.Add(state, []byte(`{"packages":[{"rule":"r","destination":"d","name":"n"}]}`), []byte(`{"steps":null}`))
	f.Add([]byte("{"), []byte("[]"), []byte("null"))
	f.Fuzz(func(t *testing.T, state, outcomes, plan []byte) {
		rec := &Record{ID: "r1", Status: StatusPending, State: state, Outcomes: outcomes, Plan: plan}
		s, err := rec.state()
		if err == nil {
			again, err := json.Marshal(&s)
			require.NoError(t, err)
			var back lifecycle.State
			require.NoError(t, json.Unmarshal(again, &back))
		}
		_, _ = rec.results()
		require.Equal(t, "r1", rec.request().ID)
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
