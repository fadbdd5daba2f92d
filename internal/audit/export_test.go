package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/audit"
)

func exported(t testing.TB, w *world, only ...string) string {
	t.Helper()
	var file bytes.Buffer
	w.export(t, &file, only...)
	return file.String()
}

// seal makes the last line anew for lines that were changed.
func seal(lines []string) string {
	last := len(lines) - 1
	text := strings.Join(lines[:last], "")
	sum := sha256.Sum256([]byte(text))
	at := strings.Index(lines[last], `"sha256":"`) + len(`"sha256":"`)
	return text + lines[last][:at] + base64.StdEncoding.EncodeToString(sum[:]) + "\"}}\n"
}

func TestExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	file := exported(t, w)
	require.True(t, strings.HasPrefix(file, `{"format":"dsr-audit/1","public_key":"`))
	require.Equal(t, file, seal(strings.SplitAfter(strings.TrimSuffix(file, "\n"), "\n")))
	require.Equal(t, 126, strings.Count(file, "\n"))
	require.Contains(t, file, "\n"+`{"entry":{"request_id":"req-00","seq":1,"time":"2026-03-28T23:59:59.123456Z","action":"submitted","prev":"","hash":"`)

	want := &audit.Report{Chains: 20, Entries: 120, Checkpoints: 4, Unsigned: 30, LastSeq: 4, LastHash: w.checkpoints[3].Hash}
	report, err := audit.VerifyExport(iotest.OneByteReader(strings.NewReader(file)), public("engine"))
	require.NoError(t, err)
	require.Equal(t, want, report)

	want.Unauthenticated = true
	report, err = audit.VerifyExport(strings.NewReader(file), nil)
	require.NoError(t, err)
	require.Equal(t, want, report)

	report, err = audit.VerifyExport(strings.NewReader(file), public("somebody"))
	require.NoError(t, err)
	require.Equal(t, []found{{"", 0, audit.Edited}, {"", 1, audit.Edited}, {"", 2, audit.Edited}, {"", 3, audit.Edited}, {"", 4, audit.Edited}}, findings(report))
}

// An export is the same whatever zone and whatever nil a store gives.
func TestExportNormal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	w.sign(t, 4, nil)
	other := w.clone()
	for i := range other.entries {
		e := &other.entries[i]
		e.Time = e.Time.In(time.FixedZone("", -7200))
		if len(e.Prev) == 0 {
			e.Prev = nil
		}
		if e.Details == nil {
			e.Details = map[string]string{}
		}
	}
	other.checkpoints[0].Prev, other.checkpoints[4].Heads = nil, nil
	require.Equal(t, exported(t, w), exported(t, other))
	report, err := audit.VerifyExport(strings.NewReader(exported(t, other)), public("engine"))
	require.NoError(t, err)
	require.Empty(t, report.Findings)
}

func TestExportOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	file := exported(t, w, odd, even, odd)
	report, err := audit.VerifyExport(strings.NewReader(file), public("engine"))
	require.NoError(t, err)
	require.Equal(t, &audit.Report{Chains: 2, Entries: 12, Checkpoints: 4, Unsigned: 3, LastSeq: 4, LastHash: w.checkpoints[3].Hash, Only: []string{even, odd}}, report)

	v := audit.NewVerifier(public("engine"), keyed("engine"))
	v.Only(even, "req-05")
	v.Expect(5, make([]byte, 32))
	require.NoError(t, audit.ReadExport(strings.NewReader(file), v))
	require.Equal(t, []found{{"", 5, audit.Removed}, {"req-05", 0, audit.Removed}}, findings(v.Done()), "what the reader asks for counts, not the header")
}

// Every byte of an export counts. As it stands the last line finds every
// change. If that was made anew by who changed the file, the trail itself finds it:
// offline in all but the MACs, and in those with the engine's key.
func TestEveryByte(t *testing.T) {
	t.Parallel()
	w := newSmallWorld(t)
	file := exported(t, w)
	check := func(text string, mac audit.MAC) (noticed bool, err error) {
		v := audit.NewVerifier(public("engine"), mac)
		err = audit.ReadExport(strings.NewReader(text), v)
		return err != nil || len(v.Done().Findings) > 0, err
	}
	noticed, err := check(file, keyed("engine"))
	require.NoError(t, err)
	require.False(t, noticed, "as it was written there is nothing to notice")

	lines := strings.SplitAfter(strings.TrimSuffix(file, "\n"), "\n")
	at := 0
	for n, line := range lines {
		macAt := strings.Index(line, `"mac":"`) + len(`"mac":"`)
		isMAC := func(i int) bool { return strings.HasPrefix(line, `{"entry"`) && i >= macAt && i < len(line)-4 }
		for i := range len(line) {
			changed := []byte(file)
			changed[at+i] ^= 1 << (i % 8)
			_, err := audit.VerifyExport(bytes.NewReader(changed), nil)
			require.Error(t, err, "line %d byte %d", n+1, i)
			if n == len(lines)-1 {
				continue
			}
			parts := append([]string{}, lines...)
			parts[n] = string(changed[at : at+len(line)])
			mac := audit.MAC(nil)
			if isMAC(i) {
				mac = keyed("engine")
			}
			noticed, _ = check(seal(parts), mac)
			require.True(t, noticed, "line %d byte %d, sealed anew", n+1, i)
		}
		at += len(line)
	}
}

func TestExportBroken(t *testing.T) {
	t.Parallel()
	lines := strings.SplitAfter(strings.TrimSuffix(exported(t, newWorld(t, 1)), "\n"), "\n")
	require.Len(t, lines, 12) // header, four checkpoints (the fourth without heads), six entries, the last line
	with := func(n int, text string) string {
		changed := append([]string{}, lines...)
		changed[n-1] = text
		return strings.Join(changed, "") + "\n"
	}
	replaced := func(n int, from, to string) string {
		require.Contains(t, lines[n-1], from)
		return with(n, strings.Replace(lines[n-1], from, to, 1))
	}
	for _, tt := range []struct{ name, file, want string }{
		{"empty", "", "audit: export: the file is empty"},
		{"no JSON", "hello\n", "audit: export, line 1: it is not what an export holds there: broken JSON at byte 1"},
		{"empty line", with(3, "\n"), "audit: export, line 3: it is not what an export holds there: the JSON ends too early"},
		{"another format", replaced(1, "dsr-audit/1", "dsr-audit/2"), `audit: export, line 1: the format is not "dsr-audit/1"; this program reads no other`},
		{"short key", with(1, `{"format":"dsr-audit/1","public_key":"AAAA"}`+"\n"), "audit: export, line 1: the public key has 3 bytes, not 32"},
		{"unknown field", replaced(6, `"seq"`, `"sequence"`), `audit: export, line 6: it is not what an export holds there: json: unknown field "sequence"`},
		{"wrong type", replaced(6, `"seq":1`, `"seq":"1"`), `audit: export, line 6: it is not what an export holds there: field "entry.seq" has the wrong type at byte `},
		{"another case", replaced(6, `"seq"`, `"SEQ"`), "audit: export, line 6: it is valid JSON, but not as an export is written"},
		{"field twice", replaced(6, `"seq":1`, `"seq":2,"seq":1`), "audit: export, line 6: it is valid JSON, but not as an export is written"},
		{"two values", replaced(6, "\n", "{}\n"), "audit: export, line 6: it is valid JSON, but not as an export is written"},
		{"blank", replaced(6, ":", ": "), "audit: export, line 6: it is valid JSON, but not as an export is written"},
		{"zone", replaced(6, `Z"`, `+00:00"`), "audit: export, line 6: it is valid JSON, but not as an export is written"},
		{"null", with(6, "null\n"), "audit: export, line 6: it is valid JSON, but not as an export is written"},
		{"neither", with(6, "{}\n"), "audit: export, line 6: it must hold one of checkpoint, entry and end"},
		{"both", with(6, strings.TrimSuffix(lines[4], "}\n")+","+strings.TrimPrefix(lines[5], "{")), "audit: export, line 6: it must hold one of checkpoint, entry and end"},
		{"late checkpoint", with(7, lines[1]), "audit: export, line 7: a checkpoint comes after an entry; all checkpoints come first"},
		{"second header", with(2, lines[0]), `audit: export, line 2: it is not what an export holds there: json: unknown field "format"`},
		{"no last line", strings.Join(lines[:11], ""), "audit: export: it ends after line 11 without its last line: the file was cut off"},
		{"no newline", strings.Join(lines, ""), "audit: export, line 12: it does not end with a newline: the file was cut off"},
		{"more", strings.Join(lines, "") + "\n\n", "audit: export, line 13: there is something after the last line"},
		{"long line", with(4, strings.Repeat(" ", audit.MaxLine+1)), "audit: export, line 4: it has more than 16777216 bytes; no line of an export is that long"},
		{"wrong count", replaced(12, `"entries":6`, `"entries":7`), audit.ErrAltered.Error() + ": line 12 counts 4 checkpoints and 7 entries, there are 4 and 6"},
		{"line removed", with(7, ""), audit.ErrAltered.Error() + ": line 11 counts 4 checkpoints and 6 entries, there are 4 and 5"},
		{"edited", replaced(6, "submitted", "approved"), audit.ErrAltered.Error() + ": the SHA-256 in line 12 does not fit the lines before it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			report, err := audit.VerifyExport(strings.NewReader(tt.file), public("engine"))
			require.ErrorContains(t, err, tt.want)
			require.Equal(t, errors.Is(err, audit.ErrAltered), report != nil)
		})
	}
	t.Run("reader fails", func(t *testing.T) {
		t.Parallel()
		fault := errors.New("disk")
		_, err := audit.VerifyExport(io.MultiReader(strings.NewReader(lines[0]), iotest.ErrReader(fault)), nil)
		require.ErrorIs(t, err, fault)
		require.EqualError(t, err, "audit: export, line 2: read it: disk")
	})
	t.Run("what was edited is told", func(t *testing.T) {
		t.Parallel()
		report, err := audit.VerifyExport(strings.NewReader(replaced(6, "submitted", "approved")), public("engine"))
		require.ErrorIs(t, err, audit.ErrAltered)
		require.Equal(t, []found{{name(0), 1, audit.Edited}}, findings(report))
	})
}

func TestWriterRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	entry := func(change func(e *audit.Entry)) func(*audit.Writer) error {
		return func(out *audit.Writer) error {
			e := w.clone().entries[2]
			change(&e)
			return out.Entry(e)
		}
	}
	for _, tt := range []struct {
		name string
		do   func(out *audit.Writer) error
		want string
	}{
		{"late checkpoint", func(out *audit.Writer) error {
			_ = out.Entry(w.entries[0])
			return out.Checkpoint(w.checkpoints[0])
		}, "audit: export checkpoint 1: it comes after an entry; write all checkpoints first"},
		{"late Only", func(out *audit.Writer) error {
			_ = out.Checkpoint(w.checkpoints[0])
			return out.Only("req-00")
		}, "audit: export: Only came after the header was written; call it first"},
		{"empty Only", func(out *audit.Writer) error { return out.Only() }, "audit: export: Only names no request; leave it out to export all"},
		{"Only no text", func(out *audit.Writer) error { return out.Only("\xff") }, `audit: export: the request ID "\xff" is not UTF-8`},
		{"closed", func(out *audit.Writer) error {
			_ = out.Close()
			_ = out.Close()
			return out.Entry(w.entries[0])
		}, "audit: export: it is closed, nothing can be added; begin a new one"},
		{"no text", entry(func(e *audit.Entry) { e.Details["reason"] = "\xff" }), `audit: export entry 3 of request "req-00": its text is not UTF-8, so it was changed after it was made; verify the trail`},
		{"head without text", func(out *audit.Writer) error {
			c := w.clone().checkpoints[0]
			c.Heads[0].RequestID = "\xff"
			return out.Checkpoint(c)
		}, "audit: export checkpoint 1: a request ID in it is not UTF-8, so it was changed after it was made; verify the trail"},
		{"no year", entry(func(e *audit.Entry) { e.Time = e.Time.AddDate(9000, 0, 0) }), `audit: export entry 3 of request "req-00": write it as JSON: `},
		{"long", entry(func(e *audit.Entry) { e.Action = strings.Repeat("\x01", 3<<20) }), `audit: export entry 3 of request "req-00": its line has 18874`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out := audit.NewWriter(io.Discard, public("engine"))
			err := tt.do(out)
			require.ErrorContains(t, err, tt.want)
			require.Equal(t, err, out.Close(), "an error stays")
		})
	}
	require.EqualError(t, audit.NewWriter(io.Discard, nil).Close(), "audit: export: the public key has 0 bytes, not 32")

	out := audit.NewWriter(full{}, public("engine"))
	require.NoError(t, out.Entry(w.entries[0]))
	require.EqualError(t, out.Close(), "audit: export the last line: no space")
}

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("no space") }
