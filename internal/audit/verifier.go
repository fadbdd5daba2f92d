package audit

import (
	"bytes"
	"container/heap"
	"crypto/ed25519"
	"slices"
)

// Verifier reads a trail as a stream and tells what does not fit. First say
// what is expected ([Verifier.Only], [Verifier.Expect]), then give all
// checkpoints in the order of their numbers, then the entries in the order of
// their request IDs (by bytes, as PostgreSQL does under COLLATE "C") and
// numbers, and ask for the report.
//
// It keeps the heads that the checkpoints hold, about 80 bytes each with a
// UUID for an ID, and nothing of an entry once its chain is through. It is not
// for concurrent use.
type Verifier struct {
	key      ed25519.PublicKey
	mac      MAC
	only     map[string]bool
	expected map[int64][]byte
	report   Report

	// Of the checkpoints.
	sequence sequence
	prev     []byte // hash of the checkpoint before
	sound    bool   // whether prev can be relied on

	// Of the entries.
	merge   merge
	entered bool // the first entry was given
	chain   chain
	stray   string // the last chain that came out of order
	done    bool
}

// NewVerifier returns a verifier of checkpoints signed with key. mac makes the
// MACs of entries anew; with nil they are not checked, as for an auditor
// without the engine's key. Without a key no checkpoint can be checked, unless
// [ReadExport] finds one.
func NewVerifier(key ed25519.PublicKey, mac MAC) *Verifier {
	return &Verifier{key: bytes.Clone(key), mac: mac, sound: true}
}

// Only restricts the verification to some requests: others may be missing, and
// their entries are passed over. Called again it adds to them. It must come
// before the first checkpoint.
func (v *Verifier) Only(ids ...string) {
	if v.only == nil {
		v.only = make(map[string]bool, len(ids))
		v.report.Only = []string{}
	}
	for _, id := range ids {
		if !v.only[id] {
			v.only[id] = true
			v.report.Only = append(v.report.Only, id)
		}
	}
}

func (v *Verifier) wanted(requestID string) bool { return v.only == nil || v.only[requestID] }

// Expect gives the number and hash of a checkpoint that was written down
// elsewhere: it and all before it must still be there. Without that, nobody
// can tell that the newest checkpoints were removed. It must come before the
// first checkpoint.
func (v *Verifier) Expect(seq int64, hash []byte) {
	if v.expected == nil {
		v.expected = map[int64][]byte{}
	}
	v.expected[seq] = bytes.Clone(hash)
}

// Checkpoint takes the next checkpoint. What one says that does not fit its
// signature counts for nothing.
func (v *Verifier) Checkpoint(c Checkpoint) {
	if v.done {
		return
	}
	v.report.Checkpoints++
	if v.entered {
		v.report.add("", c.Seq, Reordered, "checkpoint %d came after the first entry, so that chains were not compared with it; give all checkpoints first", c.Seq)
		return
	}
	sound := v.signed(c)
	if !sound && c.Seq != v.sequence.last+1 {
		return // its number means nothing either
	}
	switch v.see(&v.sequence, "", c.Seq) {
	case placeNext:
		if sound && v.sound && !bytes.Equal(c.Prev, v.prev) {
			v.report.add("", c.Seq, Rewritten, "checkpoint %d was signed after another checkpoint %d than the one here: the trail has two histories, as after a restored backup or when somebody else holds the signing key",
				c.Seq, c.Seq-1)
		}
		v.prev, v.sound = c.Hash, sound
	case placeAhead:
		v.prev, v.sound = c.Hash, sound
	case placeLate:
		v.report.add("", c.Seq, Reordered, "checkpoint %d comes after checkpoint %d: they were put in another order", c.Seq, v.sequence.last)
	case placeAgain:
		v.report.add("", c.Seq, Reordered, "the numbers of checkpoints go back from %d to %d: it was put in, or there twice", v.sequence.last, c.Seq)
		return
	}
	if !sound {
		return
	}
	if hash, ok := v.expected[c.Seq]; ok && !bytes.Equal(hash, c.Hash) {
		v.report.add("", c.Seq, Rewritten, "checkpoint %d is rightly signed, but not the one that was written down elsewhere: the trail was signed anew by who holds the signing key", c.Seq)
	}
	if c.Seq == v.sequence.last {
		v.report.LastSeq, v.report.LastHash = c.Seq, bytes.Clone(c.Hash)
	}
	if packed := packHeads(&c, v.wanted); len(packed.ends) > 0 {
		v.merge = append(v.merge, packed)
	}
}

// signed tells whether a checkpoint is as the signer made it.
func (v *Verifier) signed(c Checkpoint) bool {
	switch {
	case len(v.key) != ed25519.PublicKeySize:
		v.report.add("", c.Seq, Unchecked, "checkpoint %d could not be checked: a public key has %d bytes, the one given %d", c.Seq, ed25519.PublicKeySize, len(v.key))
	case !bytes.Equal(c.Digest(), c.Hash):
		v.report.add("", c.Seq, Edited, "checkpoint %d does not fit its hash: it was changed after it was signed, and what it says of %d chains counts for nothing", c.Seq, len(c.Heads))
	case !ed25519.Verify(v.key, c.Hash, c.Signature):
		v.report.add("", c.Seq, Edited, "the signature of checkpoint %d does not fit: it was changed, or signed with another key than the one it is checked with, and what it says of %d chains counts for nothing", c.Seq, len(c.Heads))
	case c.check() != nil:
		v.report.add("", c.Seq, Edited, "checkpoint %d is rightly signed, but no checkpoint that this engine makes: who holds the signing key made it otherwise, and what it says of %d chains counts for nothing", c.Seq, len(c.Heads))
	default:
		return true
	}
	return false
}

// see takes the next number of a sequence and reports the gaps it gives up.
func (v *Verifier) see(s *sequence, requestID string, seq int64) place {
	found := s.see(seq)
	v.missing(requestID, s.surplus(false))
	return found
}

// missing reports gaps.
func (v *Verifier) missing(requestID string, gaps []span) {
	what, several, meaning := "entry", "entries", "what was done then is no longer told"
	if requestID == "" {
		what, several, meaning = "checkpoint", "checkpoints", "chains were not compared with what it saw"
	}
	for _, gap := range gaps {
		if gap.from == gap.to {
			v.report.add(requestID, gap.from, Removed, "%s %d is missing, and there are later ones: it was removed, and %s", what, gap.from, meaning)
			continue
		}
		v.report.add(requestID, gap.from, Removed, "%s %d to %d are missing, and there are later ones: they were removed, and %s", several, gap.from, gap.to, meaning)
	}
}

// enter ends the checkpoints and starts on the entries.
func (v *Verifier) enter() {
	if v.entered {
		return
	}
	v.entered = true
	heap.Init(&v.merge)
	v.missing("", v.sequence.surplus(true))
	for seq := range v.expected {
		if seq > v.sequence.last {
			v.report.add("", v.sequence.last+1, Removed, "checkpoint %d was written down elsewhere, but the last one here is %d: the newest were removed, and with them the proof that no chain was cut off", seq, v.sequence.last)
		}
	}
}

// Entry takes the next entry.
func (v *Verifier) Entry(e Entry) {
	if v.done || !v.wanted(e.RequestID) {
		return
	}
	v.enter()
	v.report.Entries++
	switch {
	case v.chain.open && e.RequestID == v.chain.id:
	case v.chain.open && e.RequestID < v.chain.id:
		if v.stray != e.RequestID {
			v.stray = e.RequestID
			v.report.add(e.RequestID, e.Seq, Reordered, "entry %d of request %q comes after entries of request %q: they were put in another order, and what comes late was not compared", e.Seq, e.RequestID, v.chain.id)
		}
		return
	default:
		v.endChain()
		v.skip(&e.RequestID)
		v.chain = chain{id: e.RequestID, open: true, sound: true}
		v.report.Chains++
	}
	v.follow(e)
}

// Done ends the stream and returns the report, the same one when called again.
func (v *Verifier) Done() *Report {
	if !v.done {
		v.enter()
		v.endChain()
		v.skip(nil)
		slices.Sort(v.report.Only)
		v.report.sort()
		v.done = true
	}
	return &v.report
}
