package audit

import (
	"bytes"
	"crypto/hmac"
)

// chain is what a verifier keeps of the chain it reads.
type chain struct {
	id       string
	open     bool
	sequence sequence
	hash     []byte // of the entry with the highest number
	sound    bool   // whether the next entry can be compared with hash
	// confirmed is the highest number whose entry a checkpoint saw as it is.
	confirmed int64
	// rewritten is set when a checkpoint saw another entry.
	rewritten bool
}

// follow checks an entry of the chain that is read: by itself, where it stands,
// after the one before, and as checkpoints saw it. One fault of an entry is
// told once: what follows from it is not.
func (v *Verifier) follow(e Entry) {
	c := &v.chain
	seq, sound := v.itself(e)
	moved := seq != e.Seq
	found := v.see(&c.sequence, c.id, seq)
	switch found {
	case placeLate:
		if sound && !moved {
			v.report.add(c.id, seq, Reordered, "entry %d comes after entry %d: they were put in another order", seq, c.sequence.last)
		}
		return
	case placeAgain:
		if sound && !moved {
			v.report.add(c.id, seq, Reordered, "the numbers of entries go back from %d to %d: it was put in, or is there twice", c.sequence.last, seq)
		}
		return
	}
	linked := found != placeNext || !c.sound || bytes.Equal(e.Prev, c.hash)
	before := c.confirmed == seq-1
	c.hash, c.sound = bytes.Clone(e.Hash), sound
	v.compare(seq)
	if !linked && c.sound {
		v.unlinked(seq, before)
	}
}

// itself checks what an entry says of itself and returns its true number.
func (v *Verifier) itself(e Entry) (seq int64, sound bool) {
	seq, fits := e.numbered()
	if !fits {
		v.report.add(e.RequestID, e.Seq, Edited, "entry %d does not fit its hash: it was changed after it was written, or comes from another chain", e.Seq)
		return seq, false
	}
	if v.mac != nil {
		made, err := v.mac(bytes.Clone(e.Hash))
		if err != nil {
			v.mac = nil
			v.report.add(e.RequestID, e.Seq, Unchecked, "from entry %d of this request on, no MAC was checked, because the key could not be used: %v; verify again once it can", e.Seq, err)
		} else if !hmac.Equal(made, e.MAC) {
			v.report.add(e.RequestID, e.Seq, Edited, "the MAC of entry %d does not fit: it was changed or put in by somebody who has not the engine's key", e.Seq)
			return e.Seq, false
		}
	}
	if seq != e.Seq {
		v.report.add(e.RequestID, e.Seq, Reordered, "entry %d was written as entry %d: entries were numbered anew, to change their order or to hide that one is missing", e.Seq, seq)
	}
	return seq, true
}

// unlinked reports that an entry was written after another one than stands
// before it. Which of the two is the wrong one is known only if a checkpoint saw
// the one before as it is.
func (v *Verifier) unlinked(seq int64, before bool) {
	c := &v.chain
	if seq == 1 {
		v.report.add(c.id, 1, Edited, "the first entry names one before it: entries before it were removed and it was numbered anew, or it comes from elsewhere")
		return
	}
	if before {
		v.report.add(c.id, seq, Edited, "entry %d does not follow entry %d, which a checkpoint saw as it is: %[1]d was changed or put in, and its hash made anew", seq, seq-1)
		return
	}
	v.report.add(c.id, seq-1, Edited, "entry %d was written after another entry %d than this one: %[2]d was changed or put in, and its hash made anew", seq, seq-1)
}

// compare checks the entry just read against what checkpoints saw, and counts
// it when none came after it.
func (v *Verifier) compare(seq int64) {
	c := &v.chain
	covered := false
	for h := v.merge.of(c.id); h != nil; h = v.merge.of(c.id) {
		covered = h.seq() >= seq
		if h.seq() > seq {
			break
		}
		if h.seq() == seq && c.sound {
			if bytes.Equal(h.hash(), c.hash) {
				c.confirmed = seq
			} else {
				c.sound = false
				if !c.rewritten {
					c.rewritten = true
					v.report.add(c.id, seq, Rewritten, "entry %d is consistent in itself, but checkpoint %d saw another one: the chain was written anew up to here", seq, h.checkpoint)
				}
			}
		}
		v.merge.take()
	}
	if !covered {
		v.report.Unsigned++
	}
}

// endChain tells what is missing of the chain that was read.
func (v *Verifier) endChain() {
	c := &v.chain
	if !c.open {
		return
	}
	c.open = false
	v.missing(c.id, c.sequence.surplus(true))
	if seq, checkpoint := v.drop(c.id); seq > c.sequence.last {
		v.report.add(c.id, c.sequence.last+1, CutOff, "checkpoint %d saw %d entries, and the last one here is %d: the newest were cut off", checkpoint, seq, c.sequence.last)
	}
}

// skip reports the chains before a request, or all that are left, that
// checkpoints saw and that are not there.
func (v *Verifier) skip(before *string) {
	for h := v.merge.next(); h != nil && (before == nil || string(h.id()) < *before); h = v.merge.next() {
		id := string(h.id())
		seq, checkpoint := v.drop(id)
		v.report.add(id, 0, Removed, "checkpoint %d saw %d entries of this request, and none is there: the whole chain was removed", checkpoint, seq)
	}
}

// drop takes the heads of a request that are left and returns the highest.
func (v *Verifier) drop(requestID string) (seq, checkpoint int64) {
	for h := v.merge.of(requestID); h != nil; h = v.merge.of(requestID) {
		seq, checkpoint = h.seq(), h.checkpoint
		v.merge.take()
	}
	return seq, checkpoint
}
