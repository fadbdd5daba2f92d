package audit_test

import (
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/audit"
)

func TestNext(t *testing.T) {
	t.Parallel()
	details := map[string]string{"reason": "complete"}
	first, err := audit.Next("req", 1, nil, began, "approved", "k7f3a9", details, keyed("engine"))
	require.NoError(t, err)
	details["reason"] = "changed by the caller"
	want := audit.Entry{
		RequestID: "req", Seq: 1, Time: time.Date(2026, time.March, 28, 23, 59, 59, 123456000, time.UTC),
		Action: "approved", Actor: "k7f3a9", Details: map[string]string{"reason": "complete"}, Prev: []byte{}, Hash: first.Digest(),
	}
	want.MAC, _ = keyed("engine")(want.Hash)
	require.Equal(t, want, first)

	second, err := audit.Next("req", 2, first.Hash, began, "finished", "", nil, keyed("engine"))
	require.NoError(t, err)
	require.Equal(t, first.Hash, second.Prev)
	require.Equal(t, second.Digest(), second.Hash)
}

// The digest is a promise: trails that exist must verify for ever.
func TestDigestStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	require.Equal(t, "c072dcc7afa9f80a0a5cf04899bcc957ec7c124b078fe6bcc2f24e6bbf833f0d", hex.EncodeToString(w.entry(name(1), 3).Hash))
	require.Equal(t, "aad02f0e10c3a550a7d0f10e1f0e06f7ec9ece34b91668e730902946c9cce8e4", hex.EncodeToString(w.checkpoints[3].Hash))
}

func TestDigestIsUnambiguous(t *testing.T) {
	t.Parallel()
	base := audit.Entry{RequestID: "a", Seq: 1, Action: "b", Actor: "c", Details: map[string]string{"d": "e"}}
	seen := map[string]bool{}
	for _, change := range []func(e *audit.Entry){
		func(*audit.Entry) {},
		func(e *audit.Entry) { e.RequestID, e.Action = "ab", "" },
		func(e *audit.Entry) { e.Action, e.Actor = "bc", "" },
		func(e *audit.Entry) { e.Action, e.Actor = "", "bc" },
		func(e *audit.Entry) { e.Actor, e.Details = "cde", nil },
		func(e *audit.Entry) { e.Details = map[string]string{"de": ""} },
		func(e *audit.Entry) { e.Details = map[string]string{"": "de"} },
		func(e *audit.Entry) { e.Details = map[string]string{"d": "", "e": ""} },
		func(e *audit.Entry) { e.Prev = []byte{0} },
		func(e *audit.Entry) { e.Prev = []byte{0, 0} },
		func(e *audit.Entry) { e.Seq = math.MaxInt64 },
		func(e *audit.Entry) { e.Time = e.Time.Add(1) },
		func(e *audit.Entry) { e.Time = e.Time.Add(-1) },
	} {
		e := base
		change(&e)
		seen[string(e.Digest())] = true
	}
	require.Len(t, seen, 13)
}

func TestNextRefuses(t *testing.T) {
	t.Parallel()
	_, err := audit.Next("", 0, nil, time.Time{}.AddDate(-1, 0, 0), "", "\xff", map[string]string{"k": strings.Repeat("v", audit.MaxEntryText)}, nil)
	require.EqualError(t, err, strings.Join([]string{
		`audit: make entry 0 of request "": there is no request ID`, "there is no action", "entries are numbered from 1",
		"the year 0 is not within 1 to 9999", "its text is not UTF-8; encode it first",
		"its text has 1048578 bytes, more than 1048576; keep less in its details", "there is no MAC; give the engine's",
	}, "\n"))

	hash := make([]byte, 32)
	fault := errors.New("away")
	for _, tt := range []struct {
		name string
		seq  int64
		prev []byte
		mac  audit.MAC
		want string
	}{
		{"first with one before", 1, hash, keyed("engine"), `audit: make entry 1 of request "req": the first entry has none before it, yet a hash of one was given`},
		{"second with none before", 2, nil, keyed("engine"), `audit: make entry 2 of request "req": the hash of the entry before has 0 bytes, not 32`},
		{"short hash", 2, hash[:31], keyed("engine"), `audit: make entry 2 of request "req": the hash of the entry before has 31 bytes, not 32`},
		{"MAC fails", 2, hash, func([]byte) ([]byte, error) { return nil, fault }, `audit: make the MAC of entry 2 of request "req": away`},
		{"MAC is empty", 2, hash, func([]byte) ([]byte, error) { return nil, nil }, `audit: make the MAC of entry 2 of request "req": it came back empty`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, err := audit.Next("req", tt.seq, tt.prev, began, "approved", "", nil, tt.mac)
			require.EqualError(t, err, tt.want)
			require.Zero(t, e)
		})
	}
}
