package audit_test

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/audit"
)

var began = time.Date(2026, time.March, 29, 0, 59, 59, 123456789, time.FixedZone("", 3600))

// signer makes the same key for the same name.
func signer(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(name string) ed25519.PublicKey {
	return signer(name).Public().(ed25519.PublicKey)
}

// keyed is the engine's MAC, or with another name that of somebody else.
func keyed(name string) audit.MAC {
	return func(hash []byte) ([]byte, error) {
		mac := hmac.New(sha256.New, []byte(name))
		mac.Write(hash)
		return mac.Sum(nil), nil
	}
}

// world is a trail as a store holds it.
type world struct {
	checkpoints []audit.Checkpoint
	entries     []audit.Entry // by request and number
}

var actions = []string{"submitted", "verified", "approved", "collected", "delivered", "finished"}

// newWorld makes chains of six entries each. The first and second checkpoint
// see all of them at entries 1 and 3, the third the even ones at 4, the fourth
// the odd ones at 5: of an even chain two entries are unsigned, of an odd one.
func newWorld(t testing.TB, chains int) *world {
	t.Helper()
	w := &world{}
	for n := range chains {
		var prev []byte
		for i, action := range actions {
			actor, details := "", map[string]string(nil)
			if action == "approved" {
				actor, details = "k7f3a9", map[string]string{"reason": "complete <& \"checked\">\u2028", "policy": "access"}
			}
			e, err := audit.Next(name(n), int64(i+1), prev, began.Add(time.Duration(i)*time.Hour), action, actor, details, keyed("engine"))
			require.NoError(t, err)
			w.entries, prev = append(w.entries, e), e.Hash
		}
	}
	for i, seen := range []struct {
		seq      int64
		from, by int
	}{{1, 0, 1}, {3, 0, 1}, {4, 0, 2}, {5, 1, 2}} {
		var heads []audit.Head
		for n := chains - 1; n >= 0; n-- {
			if n%seen.by == seen.from {
				heads = append(heads, audit.Head{RequestID: name(n), Seq: seen.seq, Hash: w.entry(name(n), seen.seq).Hash})
			}
		}
		w.sign(t, i, heads)
	}
	return w
}

// newSmallWorld makes one chain of three entries, all signed by the second of
// two checkpoints, for tests that read it very often.
func newSmallWorld(t testing.TB) *world {
	t.Helper()
	w := newWorld(t, 1)
	w.entries = w.entries[:3]
	for i, seq := range []int64{1, 3} {
		w.sign(t, i, []audit.Head{{RequestID: name(0), Seq: seq, Hash: w.entry(name(0), seq).Hash}})
	}
	w.checkpoints = w.checkpoints[:2]
	return w
}

func name(n int) string { return fmt.Sprintf("req-%02d", n) }

// sign makes the checkpoint at an index, after the one before it.
func (w *world) sign(t testing.TB, at int, heads []audit.Head) {
	t.Helper()
	var prev []byte
	if at > 0 {
		prev = w.checkpoints[at-1].Hash
	}
	c, err := audit.NewCheckpoint(int64(at+1), prev, began.Add(time.Duration(at)*24*time.Hour), heads, signer("engine"))
	require.NoError(t, err)
	w.checkpoints = append(w.checkpoints[:at], c)
}

func (w *world) index(id string, seq int64) int {
	return slices.IndexFunc(w.entries, func(e audit.Entry) bool { return e.RequestID == id && e.Seq == seq })
}

// entry is one to be read or tampered with.
func (w *world) entry(id string, seq int64) *audit.Entry { return &w.entries[w.index(id, seq)] }

func (w *world) remove(id string, seqs ...int64) {
	for _, seq := range seqs {
		i := w.index(id, seq)
		w.entries = slices.Delete(w.entries, i, i+1)
	}
}

// rehash makes hashes anew and leaves the MACs, as somebody does who has not
// the engine's key.
func (w *world) rehash(id string, from, to int64) {
	for seq := from; seq <= to; seq++ {
		e := w.entry(id, seq)
		if seq > from {
			e.Prev = w.entry(id, seq-1).Hash
		}
		e.Hash = e.Digest()
	}
}

// shift numbers the entries from a number on anew.
func (w *world) shift(id string, from, by int64) {
	for i := range w.entries {
		if e := &w.entries[i]; e.RequestID == id && e.Seq >= from {
			e.Seq += by
		}
	}
}

// sort brings entries into the order in which a store gives them.
func (w *world) sort() {
	slices.SortStableFunc(w.entries, func(a, b audit.Entry) int {
		return cmp.Or(cmp.Compare(a.RequestID, b.RequestID), cmp.Compare(a.Seq, b.Seq))
	})
}

// clone shares nothing with the world, so that either can be tampered with.
func (w *world) clone() *world {
	c := &world{checkpoints: slices.Clone(w.checkpoints), entries: slices.Clone(w.entries)}
	for i := range c.checkpoints {
		p := &c.checkpoints[i]
		p.Prev, p.Heads, p.Hash, p.Signature = bytes.Clone(p.Prev), slices.Clone(p.Heads), bytes.Clone(p.Hash), bytes.Clone(p.Signature)
		for j := range p.Heads {
			p.Heads[j].Hash = bytes.Clone(p.Heads[j].Hash)
		}
	}
	for i := range c.entries {
		e := &c.entries[i]
		e.Details, e.Prev, e.Hash, e.MAC = maps.Clone(e.Details), bytes.Clone(e.Prev), bytes.Clone(e.Hash), bytes.Clone(e.MAC)
	}
	return c
}

// give feeds a verifier all of the world.
func (w *world) give(v *audit.Verifier) *audit.Report {
	for _, c := range w.checkpoints {
		v.Checkpoint(c)
	}
	for _, e := range w.entries {
		v.Entry(e)
	}
	return v.Done()
}

// export writes the world to out, with Only if there are ids.
func (w *world) export(t testing.TB, out io.Writer, only ...string) {
	t.Helper()
	writer := audit.NewWriter(out, public("engine"))
	if len(only) > 0 {
		require.NoError(t, writer.Only(only...))
	}
	for _, c := range w.checkpoints {
		require.NoError(t, writer.Checkpoint(c))
	}
	for _, e := range w.entries {
		if len(only) == 0 || slices.Contains(only, e.RequestID) {
			require.NoError(t, writer.Entry(e))
		}
	}
	require.NoError(t, writer.Close())
}

// found is a finding without its message.
type found struct {
	id   string
	seq  int64
	kind audit.FindingKind
}

func findings(r *audit.Report) []found {
	var all []found
	for _, f := range r.Findings {
		all = append(all, found{f.RequestID, f.Seq, f.Kind})
	}
	return all
}
