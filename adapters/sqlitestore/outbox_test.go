package sqlitestore_test

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

func TestRefusedMessages(t *testing.T) {
	t.Parallel()
	s := openStore(t, filepath.Join(t.TempDir(), "dsr.db"))
	for want, m := range map[string]dsr.Message{
		"sqlitestore: a message without an ID cannot be stored":               {Version: 1},
		`sqlitestore: message "m": version 2 cannot follow version 0: want 1`: {ID: "m", Version: 2},
		`sqlitestore: message "m": there is no request "r9": dsr: not found`:  {ID: "m", Version: 1, RequestID: "r9"},
	} {
		require.EqualError(t, s.SaveMessages(t.Context(), []dsr.MessageChange{{Message: m}}), want)
	}
}

// A message that is due beyond the times of the file is due at the last, or the
// first, that it can hold.
func TestMessagesBeyondTimes(t *testing.T) {
	t.Parallel()
	s := openStore(t, filepath.Join(t.TempDir(), "dsr.db"))
	for id, year := range map[string]int{"early": 1500, "late": 9000} {
		m := dsr.Message{ID: id, Version: 1, DueAt: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)}
		require.NoError(t, s.SaveMessages(t.Context(), []dsr.MessageChange{{Message: m}}))
	}
	list, err := s.Messages(t.Context(), dsr.MessageQuery{})
	require.NoError(t, err)
	require.Equal(t, []dsr.Message{
		{ID: "early", Version: 1, DueAt: time.Unix(0, math.MinInt64+1).UTC()}, {ID: "late", Version: 1, DueAt: time.Unix(0, math.MaxInt64).UTC()},
	}, list)
}
