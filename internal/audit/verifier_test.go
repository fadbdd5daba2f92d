package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/audit"
)

func TestUntouched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	want := &audit.Report{Chains: 20, Entries: 120, Checkpoints: 4, Unsigned: 30, LastSeq: 4, LastHash: w.checkpoints[3].Hash}
	require.Equal(t, want, w.give(audit.NewVerifier(public("engine"), keyed("engine"))))
	require.Equal(t, want, w.give(audit.NewVerifier(public("engine"), nil)))

	v := audit.NewVerifier(public("engine"), nil)
	require.Equal(t, want, w.give(v))
	v.Entry(w.entries[0])
	v.Checkpoint(w.checkpoints[0])
	require.Equal(t, want, v.Done(), "what comes after Done is not read")
}

func TestNothing(t *testing.T) {
	t.Parallel()
	require.Equal(t, &audit.Report{}, audit.NewVerifier(public("engine"), nil).Done())

	w := newWorld(t, 2)
	w.checkpoints = nil
	require.Equal(t, &audit.Report{Chains: 2, Entries: 12, Unsigned: 12}, w.give(audit.NewVerifier(public("engine"), nil)))

	c, err := audit.NewCheckpoint(1, nil, began, nil, signer("engine"))
	require.NoError(t, err)
	w.checkpoints = []audit.Checkpoint{c}
	require.Equal(t, &audit.Report{Chains: 2, Entries: 12, Checkpoints: 1, Unsigned: 12, LastSeq: 1, LastHash: c.Hash}, w.give(audit.NewVerifier(public("engine"), nil)))
}

func TestMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	w.remove(name(0), 4, 5, 6)
	w.remove(name(1), 2, 3)
	w.entry(name(2), 3).Action = "denied"
	report := w.give(audit.NewVerifier(public("engine"), nil))
	require.Equal(t, []audit.Finding{
		{RequestID: name(0), Seq: 4, Kind: audit.CutOff, Message: "checkpoint 3 saw 4 entries, and the last one here is 3: the newest were cut off"},
		{RequestID: name(1), Seq: 2, Kind: audit.Removed, Message: "entries 2 to 3 are missing, and there are later ones: they were removed, and what was done then is no longer told"},
		{RequestID: name(2), Seq: 3, Kind: audit.Edited, Message: "entry 3 does not fit its hash: it was changed after it was written, or comes from another chain"},
	}, report.Findings)
}

func TestWrongKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	edited := []found{{"", 1, audit.Edited}, {"", 2, audit.Edited}, {"", 3, audit.Edited}, {"", 4, audit.Edited}}
	report := w.give(audit.NewVerifier(public("somebody"), nil))
	require.Equal(t, edited, findings(report))
	require.Equal(t, int64(120), report.Unsigned)
	require.Zero(t, report.LastSeq)

	unchecked := []found{{"", 1, audit.Unchecked}, {"", 2, audit.Unchecked}, {"", 3, audit.Unchecked}, {"", 4, audit.Unchecked}}
	require.Equal(t, unchecked, findings(w.give(audit.NewVerifier(nil, nil))))
	require.Equal(t, unchecked, findings(w.give(audit.NewVerifier(public("engine")[:31], nil))))

	var all []found
	for _, e := range w.entries {
		all = append(all, found{e.RequestID, e.Seq, audit.Edited})
	}
	require.Equal(t, all, findings(w.give(audit.NewVerifier(public("engine"), keyed("somebody")))))
}

func TestMACFails(t *testing.T) {
	t.Parallel()
	w, calls := newWorld(t, 2), 0
	report := w.give(audit.NewVerifier(public("engine"), func(hash []byte) ([]byte, error) {
		calls++
		if calls > 3 {
			return nil, errors.New("the key service is away")
		}
		return keyed("engine")(hash)
	}))
	require.Equal(t, []audit.Finding{{RequestID: name(0), Seq: 4, Kind: audit.Unchecked,
		Message: "from entry 4 of this request on, no MAC was checked, because the key could not be used: the key service is away; verify again once it can"}}, report.Findings)
	require.Equal(t, 4, calls, "a key that fails is not asked again")
}

func TestOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	w.entry("req-05", 2).Action = "denied"
	only := func(ids ...string) *audit.Verifier {
		v := audit.NewVerifier(public("engine"), keyed("engine"))
		v.Only(ids...)
		return v
	}
	want := &audit.Report{Chains: 2, Entries: 12, Checkpoints: 4, Unsigned: 3, LastSeq: 4, LastHash: w.checkpoints[3].Hash, Only: []string{even, odd}}
	require.Equal(t, want, w.give(only(odd, even, odd)), "others are passed over")

	part := w.clone()
	part.entries = append(append([]audit.Entry{}, w.entries[24:30]...), w.entries[42:48]...)
	require.Equal(t, want, part.give(only(even, odd)), "others are missing")
	v := only(even)
	v.Only(odd)
	require.Equal(t, want, part.give(v), "a second call adds")

	require.Equal(t, []found{{"req-05", 0, audit.Removed}}, findings(part.give(only(even, "req-05"))))
	require.Equal(t, []found{{"req-05", 2, audit.Edited}}, findings(w.give(only("req-05"))))
	require.Equal(t, int64(0), w.give(only()).Entries)
}

func TestExpect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	expect := func(change func(w *world)) []found {
		v := audit.NewVerifier(public("engine"), nil)
		v.Expect(4, w.checkpoints[3].Hash)
		v.Expect(2, w.checkpoints[1].Hash)
		changed := w.clone()
		change(changed)
		return findings(changed.give(v))
	}
	require.Empty(t, expect(func(*world) {}))
	require.Empty(t, expect(func(w *world) { w.sign(t, 4, nil) }), "later ones may follow")
	require.Equal(t, []found{{"", 4, audit.Removed}}, expect(func(w *world) { w.checkpoints = w.checkpoints[:3] }))
	require.Equal(t, []found{{"", 1, audit.Removed}, {"", 1, audit.Removed}}, expect(func(w *world) { w.checkpoints = nil }))
	require.Equal(t, []found{{"", 4, audit.Rewritten}}, expect(func(w *world) { w.sign(t, 3, nil) }))
	require.Equal(t, []found{{"", 2, audit.Rewritten}, {"", 4, audit.Rewritten}}, expect(func(w *world) {
		before := w.clone().checkpoints
		for i, seen := range before {
			w.sign(t, i, seen.Heads[1:])
		}
	}), "who holds the signing key signs all anew")
}

func TestCheckpointTooLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	v := audit.NewVerifier(public("engine"), nil)
	for _, c := range w.checkpoints[:3] {
		v.Checkpoint(c)
	}
	v.Entry(w.entries[0])
	v.Checkpoint(w.checkpoints[3])
	for _, e := range w.entries[1:] {
		v.Entry(e)
	}
	require.Equal(t, []found{{"", 4, audit.Reordered}}, findings(v.Done()))
}

func TestManyGaps(t *testing.T) {
	t.Parallel()
	var prev []byte
	v := audit.NewVerifier(public("engine"), nil)
	var want []found
	for seq := int64(1); seq <= 1401; seq++ {
		e, err := audit.Next("req", seq, prev, began, "collected", "", nil, keyed("engine"))
		require.NoError(t, err)
		if prev = e.Hash; seq%2 == 1 {
			v.Entry(e)
			continue
		}
		want = append(want, found{"req", seq, audit.Removed})
	}
	require.Equal(t, want, findings(v.Done()))
}

func TestManyFindings(t *testing.T) {
	t.Parallel()
	heads := make([]audit.Head, audit.MaxFindings+5)
	for n := range heads {
		heads[n] = audit.Head{RequestID: fmt.Sprintf("req-%06d", n), Seq: 1, Hash: make([]byte, 32)}
	}
	c, err := audit.NewCheckpoint(1, nil, began, heads, signer("engine"))
	require.NoError(t, err)
	v := audit.NewVerifier(public("engine"), nil)
	v.Checkpoint(c)
	report := v.Done()
	require.Len(t, report.Findings, audit.MaxFindings)
	require.Equal(t, found{"req-009999", 0, audit.Removed}, findings(report)[audit.MaxFindings-1])
	require.Equal(t, int64(5), report.Omitted)
}

// Messages are for logs: nothing of what an entry tells is in them.
func TestNothingIsTold(t *testing.T) {
	t.Parallel()
	const canary = "canary@example.org"
	w := newWorld(t, 2)
	for i := range w.entries {
		e := &w.entries[i]
		e.Action, e.Actor, e.Details = canary, canary, map[string]string{canary: canary}
	}
	report := w.give(audit.NewVerifier(public("engine"), keyed("engine")))
	require.Len(t, report.Findings, 12)
	require.NotContains(t, fmt.Sprint(report), canary)

	_, err := audit.Next("req", 0, nil, began, "", canary, map[string]string{canary: "\xff"}, nil)
	require.Error(t, err)
	require.NotContains(t, err.Error(), canary)

	line := strings.Replace(exported(t, w), `"actor":"`+canary+`"`, `"actor":["`+canary+`"]`, 1)
	_, err = audit.VerifyExport(bytes.NewBufferString(line), nil)
	require.Error(t, err)
	require.NotContains(t, err.Error(), canary)
}
