package audit_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/audit"
)

// tampering is one way to change a trail and what it is found out by, with the
// engine's MAC and offline.
type tampering struct {
	name    string
	do      func(t *testing.T, w *world)
	asGiven bool // the entries come as they stand, not as a store sorts them
	keyed   []found
	offline []found
}

// Chain 4 is even: checkpoints saw it at 1, 3 and 4. Chain 7 was seen at 1, 3
// and 5.
const even, odd = "req-04", "req-07"

func tamperings() []tampering {
	same := func(name string, do func(t *testing.T, w *world), want ...found) tampering {
		return tampering{name: name, do: do, keyed: want, offline: want}
	}
	edit := func(name string, change func(e *audit.Entry)) []tampering {
		third := []found{{even, 3, audit.Edited}}
		return []tampering{
			same("edit "+name, func(_ *testing.T, w *world) { change(w.entry(even, 3)) }, third...),
			{
				name:    "edit " + name + " and its hash",
				do:      func(_ *testing.T, w *world) { change(w.entry(even, 3)); w.rehash(even, 3, 3) },
				keyed:   third,
				offline: []found{{even, 3, audit.Rewritten}},
			},
			{
				name:    "edit " + name + " and all hashes after it",
				do:      func(_ *testing.T, w *world) { change(w.entry(even, 3)); w.rehash(even, 3, 6) },
				keyed:   []found{{even, 3, audit.Edited}, {even, 4, audit.Edited}, {even, 5, audit.Edited}, {even, 6, audit.Edited}},
				offline: []found{{even, 3, audit.Rewritten}},
			},
		}
	}
	all := []tampering{}
	all = append(all, edit("time", func(e *audit.Entry) { e.Time = e.Time.Add(time.Nanosecond) })...)
	all = append(all, edit("action", func(e *audit.Entry) { e.Action = "denied" })...)
	all = append(all, edit("actor", func(e *audit.Entry) { e.Actor = "" })...)
	all = append(all, edit("a detail", func(e *audit.Entry) { e.Details["reason"] = "none" })...)
	all = append(all, edit("a detail's key", func(e *audit.Entry) { e.Details["cause"] = e.Details["reason"]; delete(e.Details, "reason") })...)
	all = append(all, edit("details away", func(e *audit.Entry) { e.Details = nil })...)
	all = append(all, edit("the hash before", func(e *audit.Entry) { e.Prev[0] ^= 1 })...)
	all = append(all,
		same("edit the hash", func(_ *testing.T, w *world) { w.entry(even, 3).Hash[31] ^= 1 }, found{even, 3, audit.Edited}),
		same("shorten the hash", func(_ *testing.T, w *world) { e := w.entry(even, 3); e.Hash = e.Hash[:31] }, found{even, 3, audit.Edited}),
		tampering{
			name: "edit the MAC", do: func(_ *testing.T, w *world) { w.entry(even, 3).MAC[0] ^= 1 },
			keyed: []found{{even, 3, audit.Edited}}, // offline nobody reads it
		},
		tampering{
			name: "take the MAC away", do: func(_ *testing.T, w *world) { w.entry(even, 3).MAC = nil },
			keyed: []found{{even, 3, audit.Edited}},
		},
		tampering{
			name:  "edit an entry that no checkpoint saw itself, and its hash",
			do:    func(_ *testing.T, w *world) { w.entry(even, 2).Action = "denied"; w.rehash(even, 2, 2) },
			keyed: []found{{even, 2, audit.Edited}}, offline: []found{{even, 2, audit.Edited}},
		},
		tampering{
			name:  "edit an entry after one that a checkpoint saw, hash before included",
			do:    func(_ *testing.T, w *world) { w.entry(even, 5).Prev[0] ^= 1; w.rehash(even, 5, 6) },
			keyed: []found{{even, 5, audit.Edited}, {even, 6, audit.Edited}}, offline: []found{{even, 5, audit.Edited}},
		},
		tampering{
			name:  "give the first entry one before it",
			do:    func(_ *testing.T, w *world) { w.entry(even, 1).Prev = make([]byte, 32); w.rehash(even, 1, 1) },
			keyed: []found{{even, 1, audit.Edited}}, offline: []found{{even, 1, audit.Rewritten}},
		},
		tampering{
			name:  "edit an unsigned entry and all hashes after it",
			do:    func(_ *testing.T, w *world) { w.entry(even, 5).Action = "denied"; w.rehash(even, 5, 6) },
			keyed: []found{{even, 5, audit.Edited}, {even, 6, audit.Edited}}, // offline only counted as unsigned
		},
		same("edit the number", func(_ *testing.T, w *world) { w.entry(even, 3).Seq = 8 }, found{even, 8, audit.Reordered}),
		same("edit the number far off", func(_ *testing.T, w *world) { w.entry(even, 6).Seq = 600 },
			found{even, 6, audit.Removed}, found{even, 600, audit.Edited}),
		same("make the number zero", func(_ *testing.T, w *world) { w.entry(even, 1).Seq = 0 }, found{even, 0, audit.Reordered}),
		same("move an entry to another chain", func(_ *testing.T, w *world) { e := w.entry(even, 3); e.RequestID, e.Seq = odd, 7 },
			found{even, 3, audit.Removed}, found{odd, 7, audit.Edited}),
		tampering{
			name: "move an entry to another chain with its hash",
			do: func(_ *testing.T, w *world) {
				e := w.entry(even, 3)
				e.RequestID, e.Seq, e.Prev = odd, 7, w.entry(odd, 6).Hash
				w.rehash(odd, 7, 7)
			},
			keyed: []found{{even, 3, audit.Removed}, {odd, 7, audit.Edited}}, offline: []found{{even, 3, audit.Removed}},
		},
		same("move an entry to a chain that never was", func(_ *testing.T, w *world) { w.entry(even, 3).RequestID = "req-99" },
			found{even, 3, audit.Removed}, found{"req-99", 1, audit.Removed}, found{"req-99", 3, audit.Edited}),

		same("remove the first", func(_ *testing.T, w *world) { w.remove(even, 1) }, found{even, 1, audit.Removed}),
		same("remove a middle one", func(_ *testing.T, w *world) { w.remove(even, 3) }, found{even, 3, audit.Removed}),
		same("remove two in a row and one more", func(_ *testing.T, w *world) { w.remove(even, 2, 3, 5) },
			found{even, 2, audit.Removed}, found{even, 5, audit.Removed}),
		same("cut off after the last checkpoint", func(_ *testing.T, w *world) { w.remove(even, 5, 6) }),
		same("cut off what a checkpoint saw", func(_ *testing.T, w *world) { w.remove(even, 4, 5, 6) }, found{even, 4, audit.CutOff}),
		same("cut off what two checkpoints saw", func(_ *testing.T, w *world) { w.remove(odd, 3, 4, 5, 6) }, found{odd, 3, audit.CutOff}),
		same("remove a chain", func(_ *testing.T, w *world) { w.remove(even, 1, 2, 3, 4, 5, 6) }, found{even, 0, audit.Removed}),
		same("remove the last two chains", func(_ *testing.T, w *world) {
			w.remove("req-18", 1, 2, 3, 4, 5, 6)
			w.remove("req-19", 1, 2, 3, 4, 5, 6)
		}, found{"req-18", 0, audit.Removed}, found{"req-19", 0, audit.Removed}),
		same("remove one and number the rest anew", func(_ *testing.T, w *world) { w.remove(even, 3); w.shift(even, 3, -1) },
			found{even, 3, audit.Removed}, found{even, 3, audit.Reordered}, found{even, 4, audit.Reordered}, found{even, 5, audit.Reordered}),
		tampering{
			name: "remove one, number the rest anew and all hashes",
			do: func(_ *testing.T, w *world) {
				w.remove(even, 3)
				w.shift(even, 3, -1)
				w.rehash(even, 2, 5)
			},
			keyed:   []found{{even, 3, audit.Edited}, {even, 4, audit.Edited}, {even, 5, audit.Edited}},
			offline: []found{{even, 3, audit.Rewritten}},
		},
		same("swap the numbers of two", func(_ *testing.T, w *world) {
			third, fourth := w.entry(even, 3), w.entry(even, 4)
			third.Seq, fourth.Seq = 4, 3
		}, found{even, 3, audit.Reordered}, found{even, 4, audit.Reordered}),
		tampering{
			name: "swap two and make the hashes anew",
			do: func(_ *testing.T, w *world) {
				third, fourth := w.entry(even, 2), w.entry(even, 3)
				third.Action, fourth.Action = fourth.Action, third.Action
				w.rehash(even, 2, 6)
			},
			keyed:   []found{{even, 2, audit.Edited}, {even, 3, audit.Edited}, {even, 4, audit.Edited}, {even, 5, audit.Edited}, {even, 6, audit.Edited}},
			offline: []found{{even, 3, audit.Rewritten}},
		},
		tampering{
			name: "insert one and number the rest anew with all hashes",
			do: func(_ *testing.T, w *world) {
				forged := w.clone().entry(even, 3)
				forged.Action = "denied"
				w.shift(even, 3, 1)
				w.entries = append(w.entries, *forged)
				w.rehash(even, 2, 7)
			},
			keyed:   []found{{even, 3, audit.Edited}, {even, 4, audit.Edited}, {even, 5, audit.Edited}, {even, 6, audit.Edited}, {even, 7, audit.Edited}},
			offline: []found{{even, 3, audit.Rewritten}},
		},
		tampering{
			name: "insert a second one with the same number",
			do: func(_ *testing.T, w *world) {
				forged := w.clone().entry(even, 3)
				forged.Action = "denied"
				forged.Hash = forged.Digest()
				w.entries = append(w.entries, *forged)
			},
			keyed: []found{{even, 3, audit.Edited}}, offline: []found{{even, 3, audit.Reordered}},
		},
		same("have one twice", func(_ *testing.T, w *world) { w.entries = append(w.entries, *w.clone().entry(even, 3)) }, found{even, 3, audit.Reordered}),
		tampering{
			name: "append one", // after the last checkpoint only the MAC speaks
			do: func(t *testing.T, w *world) {
				e, err := audit.Next(even, 7, w.entry(even, 6).Hash, began, "approved", "", nil, keyed("somebody"))
				require.NoError(t, err)
				w.entries = append(w.entries, e)
			},
			keyed: []found{{even, 7, audit.Edited}},
		},
	)
	all = append(all, givenTamperings()...)
	return append(all, checkpointTamperings()...)
}

// givenTamperings change the order in which entries are given.
func givenTamperings() []tampering {
	swap := func(idA string, a int64, idB string, b int64) func(*testing.T, *world) {
		return func(_ *testing.T, w *world) {
			i, j := w.index(idA, a), w.index(idB, b)
			w.entries[i], w.entries[j] = w.entries[j], w.entries[i]
		}
	}
	given := func(name string, do func(*testing.T, *world), want ...found) tampering {
		return tampering{name: name, do: do, asGiven: true, keyed: want, offline: want}
	}
	return []tampering{
		given("give two in another order", swap(even, 3, even, 4), found{even, 3, audit.Reordered}),
		given("give two far apart in another order", swap(even, 2, even, 5),
			found{even, 2, audit.Reordered}, found{even, 3, audit.Reordered}, found{even, 4, audit.Reordered}),
		given("give two chains in another order", func(_ *testing.T, w *world) {
			i, j := w.index("req-05", 1), w.index("req-06", 1)
			moved := append([]audit.Entry{}, w.entries[i:j]...)
			copy(w.entries[i:], w.entries[j:j+6])
			copy(w.entries[i+6:], moved)
		}, found{"req-05", 0, audit.Removed}, found{"req-05", 1, audit.Reordered}),
	}
}

// checkpointTamperings change checkpoints.
func checkpointTamperings() []tampering {
	same := func(name string, do func(t *testing.T, w *world), want ...found) tampering {
		return tampering{name: name, do: do, keyed: want, offline: want}
	}
	edit := func(name string, change func(c *audit.Checkpoint)) tampering {
		return same("checkpoint: edit "+name, func(_ *testing.T, w *world) { change(&w.checkpoints[1]) }, found{"", 2, audit.Edited})
	}
	drop := func(i int) func(*testing.T, *world) {
		return func(_ *testing.T, w *world) { w.checkpoints = append(w.checkpoints[:i], w.checkpoints[i+1:]...) }
	}
	return []tampering{
		edit("time", func(c *audit.Checkpoint) { c.Time = c.Time.Add(time.Nanosecond) }),
		edit("the hash before", func(c *audit.Checkpoint) { c.Prev[0] ^= 1 }),
		edit("a head's number", func(c *audit.Checkpoint) { c.Heads[4].Seq = 2 }),
		edit("a head's hash", func(c *audit.Checkpoint) { c.Heads[4].Hash[0] ^= 1 }),
		edit("a head's request", func(c *audit.Checkpoint) { c.Heads[4].RequestID = "req-99" }),
		edit("a head away", func(c *audit.Checkpoint) { c.Heads = c.Heads[1:] }),
		edit("the order of heads", func(c *audit.Checkpoint) { c.Heads[0], c.Heads[1] = c.Heads[1], c.Heads[0] }),
		edit("the hash", func(c *audit.Checkpoint) { c.Hash[0] ^= 1 }),
		edit("the signature", func(c *audit.Checkpoint) { c.Signature[0] ^= 1 }),
		edit("a head's number and the hash", func(c *audit.Checkpoint) { c.Heads[4].Seq = 2; c.Hash = c.Digest() }),
		edit("the signature away", func(c *audit.Checkpoint) { c.Signature = nil }),
		edit("heads so that they are signed and yet none of ours", func(c *audit.Checkpoint) {
			c.Heads[4].Hash = c.Heads[4].Hash[:5]
			c.Hash = c.Digest()
			c.Signature, _ = signer("engine").Sign(rand.Reader, c.Hash, crypto.Hash(0))
		}),
		same("checkpoint: edit the number", func(_ *testing.T, w *world) { w.checkpoints[1].Seq = 9 },
			found{"", 2, audit.Removed}, found{"", 9, audit.Edited}),
		same("checkpoint: remove the first", drop(0), found{"", 1, audit.Removed}),
		same("checkpoint: remove a middle one", drop(2), found{"", 3, audit.Removed}),
		same("checkpoint: remove two", func(t *testing.T, w *world) { drop(1)(t, w); drop(1)(t, w) }, found{"", 2, audit.Removed}),
		same("checkpoint: remove the last", drop(3)), // found only by who wrote it down: Expect
		same("checkpoint: give in another order", func(_ *testing.T, w *world) {
			w.checkpoints[1], w.checkpoints[2] = w.checkpoints[2], w.checkpoints[1]
		}, found{"", 2, audit.Reordered}),
		same("checkpoint: give twice", func(_ *testing.T, w *world) {
			w.checkpoints = append(w.checkpoints, w.checkpoints[1])
		}, found{"", 2, audit.Reordered}),
		same("checkpoint: sign one anew after another history", func(t *testing.T, w *world) {
			other := w.clone()
			other.sign(t, 1, other.checkpoints[0].Heads)
			w.checkpoints[1] = other.checkpoints[1]
		}, found{"", 3, audit.Rewritten}),
		same("checkpoint: put a head into one that never was", func(t *testing.T, w *world) {
			w.sign(t, 3, append(w.checkpoints[3].Heads, audit.Head{RequestID: "req-99", Seq: 2, Hash: make([]byte, 32)}))
		}, found{"req-99", 0, audit.Removed}),
	}
}

func TestTampering(t *testing.T) {
	t.Parallel()
	untouched := newWorld(t, 20)
	for _, tt := range tamperings() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := untouched.clone()
			tt.do(t, w)
			if !tt.asGiven {
				w.sort()
			}
			require.Equal(t, tt.keyed, findings(w.give(audit.NewVerifier(public("engine"), keyed("engine")))), "with the MAC")
			require.Equal(t, tt.offline, findings(w.give(audit.NewVerifier(public("engine"), nil))), "offline")

			var file bytes.Buffer
			w.export(t, &file)
			report, err := audit.VerifyExport(&file, public("engine"))
			require.NoError(t, err)
			require.Equal(t, tt.offline, findings(report), "as an export")
		})
	}
}
