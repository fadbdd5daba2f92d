package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/audit"
)

// Whatever a file holds, verifying it ends in a report or an error.
func FuzzVerifyExport(f *testing.F) {
	w := newSmallWorld(f)
	var file bytes.Buffer
	w.export(f, &file)
	whole := file.String()
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(strings.Replace(whole, `"seq":2`, `"seq":9223372036854775807`, 1))
	f.Add(strings.Replace(whole, `"seq":1`, `"seq":-9223372036854775808`, -1))
	f.Add(strings.Replace(whole, `"public_key"`, `"only":["req-01"],"public_key"`, 1))
	f.Add("")
	f.Add("{}\n{}\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, key := range [][]byte{nil, public("engine")} {
			report, err := audit.VerifyExport(strings.NewReader(text), key)
			if err == nil || errors.Is(err, audit.ErrAltered) {
				require.NotNil(t, report)
				require.LessOrEqual(t, report.Chains, report.Entries)
				require.LessOrEqual(t, report.Unsigned, report.Entries)
				continue
			}
			require.Nil(t, report)
		}
		// A last line that fits lets the fuzzer past the hash.
		lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
		if strings.Contains(lines[len(lines)-1], `"sha256":"`) {
			v := audit.NewVerifier(nil, keyed("engine"))
			if audit.ReadExport(strings.NewReader(seal(lines)), v) == nil {
				require.NotNil(t, v.Done())
			}
		}
	})
}

// An entry that is read and written again is the same entry, and one that the
// trail takes goes through an export without a finding.
func FuzzEntry(f *testing.F) {
	for _, e := range newSmallWorld(f).entries {
		text, err := json.Marshal(e)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Add([]byte(`{"request_id":"\ud800","time":"9999-12-31T23:59:59.999999999-23:59","action":"\u2028<>&","details":{"":"\u0000"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var e, again audit.Entry
		if json.Unmarshal(text, &e) != nil {
			return
		}
		if encoded, err := json.Marshal(e); err == nil {
			require.NoError(t, json.Unmarshal(encoded, &again))
			require.Equal(t, e.Digest(), again.Digest())
		}
		made, err := audit.Next(e.RequestID, 1, nil, e.Time, e.Action, e.Actor, e.Details, keyed("engine"))
		if err != nil {
			return
		}
		c, err := audit.NewCheckpoint(1, nil, e.Time, []audit.Head{{RequestID: made.RequestID, Seq: 1, Hash: made.Hash}}, signer("engine"))
		require.NoError(t, err)
		w := world{checkpoints: []audit.Checkpoint{c}, entries: []audit.Entry{made}}
		v := audit.NewVerifier(public("engine"), keyed("engine"))
		require.NoError(t, audit.ReadExport(strings.NewReader(exported(t, &w)), v))
		require.Equal(t, &audit.Report{Chains: 1, Entries: 1, Checkpoints: 1, LastSeq: 1, LastHash: c.Hash}, v.Done())
	})
}
