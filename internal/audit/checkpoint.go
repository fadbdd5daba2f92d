package audit

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// MaxHeads is how many heads one checkpoint may hold. When more chains grew,
// several checkpoints follow each other.
const MaxHeads = 50_000

// Head is where a chain stood: the number and the hash of its last entry.
type Head struct {
	RequestID string `json:"request_id"`
	Seq       int64  `json:"seq"`
	Hash      []byte `json:"hash"`
}

// Checkpoint signs the heads of all chains that grew since the checkpoint
// before, and that checkpoint itself, so that neither a chain's end nor a
// checkpoint between two others can vanish unnoticed.
type Checkpoint struct {
	// Seq numbers checkpoints from 1, without a gap.
	Seq int64 `json:"seq"`
	// Time is in UTC, to the microsecond.
	Time time.Time `json:"time"`
	// Prev is the hash of the checkpoint before; empty for the first.
	Prev []byte `json:"prev"`
	// Heads are sorted by the bytes of their request IDs, one per request.
	Heads []Head `json:"heads"`
	// Hash is [Checkpoint.Digest] as it was when the checkpoint was made.
	Hash []byte `json:"hash"`
	// Signature is Ed25519 over Hash.
	Signature []byte `json:"signature"`
}

// NewCheckpoint makes and signs checkpoint number seq. prev is the hash of the
// checkpoint before, and empty for seq 1. heads come in any order, at most
// [MaxHeads], and may be none: that the trail stood still is worth signing too.
// The signer must have an Ed25519 key. An error names every fault there is.
func NewCheckpoint(seq int64, prev []byte, at time.Time, heads []Head, signer crypto.Signer) (Checkpoint, error) {
	c := Checkpoint{Seq: seq, Time: at.UTC().Truncate(time.Microsecond), Prev: append([]byte{}, prev...), Heads: make([]Head, len(heads))}
	for i, h := range heads {
		c.Heads[i] = Head{RequestID: h.RequestID, Seq: h.Seq, Hash: bytes.Clone(h.Hash)}
	}
	slices.SortFunc(c.Heads, func(a, b Head) int { return cmp.Compare(a.RequestID, b.RequestID) })
	key, keyFault := publicKey(signer)
	if err := errors.Join(c.check(), keyFault); err != nil {
		return Checkpoint{}, fmt.Errorf("audit: make checkpoint %d: %w", seq, err)
	}
	c.Hash = c.Digest()
	var err error
	if c.Signature, err = signer.Sign(rand.Reader, bytes.Clone(c.Hash), crypto.Hash(0)); err != nil {
		return Checkpoint{}, fmt.Errorf("audit: sign checkpoint %d: %w", seq, err)
	}
	if !ed25519.Verify(key, c.Hash, c.Signature) {
		return Checkpoint{}, fmt.Errorf("audit: sign checkpoint %d: the signature does not fit the signer's own public key; look at the signer", seq)
	}
	if _, err := encodeLine(line{Checkpoint: &c}); err != nil {
		return Checkpoint{}, fmt.Errorf("audit: make checkpoint %d: %w; give it fewer heads", seq, err)
	}
	return c, nil
}

// publicKey returns the key to check the signer's signatures with.
func publicKey(signer crypto.Signer) (ed25519.PublicKey, error) {
	if signer == nil {
		return nil, errors.New("there is no signer; give one with an Ed25519 key")
	}
	public := signer.Public()
	key, ok := public.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the signer's public key is a %T; only Ed25519 is supported (ed25519.PublicKey)", public)
	}
	if len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("the signer's public key has %d bytes, not %d", len(key), ed25519.PublicKeySize)
	}
	return key, nil
}

// check tells every fault of what a checkpoint is made of. Its heads must be
// sorted.
func (c *Checkpoint) check() error {
	var faults []error
	switch {
	case c.Seq < 1:
		faults = append(faults, errors.New("checkpoints are numbered from 1"))
	case c.Seq == 1 && len(c.Prev) != 0:
		faults = append(faults, errors.New("the first checkpoint has none before it, yet a hash of one was given"))
	case c.Seq > 1 && len(c.Prev) != sha256.Size:
		faults = append(faults, fmt.Errorf("the hash of the checkpoint before has %d bytes, not %d", len(c.Prev), sha256.Size))
	}
	if year := c.Time.Year(); year < 1 || year > 9999 {
		faults = append(faults, fmt.Errorf("the year %d is not within 1 to 9999", year))
	}
	if len(c.Heads) > MaxHeads {
		faults = append(faults, fmt.Errorf("it has %d heads, more than %d; make several checkpoints of them", len(c.Heads), MaxHeads))
	}
	for i, h := range c.Heads {
		switch {
		case h.RequestID == "":
			faults = append(faults, errors.New("a head names no request"))
		case !utf8.ValidString(h.RequestID):
			faults = append(faults, fmt.Errorf("the request ID %q is not UTF-8", h.RequestID))
		case i > 0 && h.RequestID == c.Heads[i-1].RequestID:
			faults = append(faults, fmt.Errorf("request %q has two heads", h.RequestID))
		}
		if h.Seq < 1 || len(h.Hash) != sha256.Size {
			faults = append(faults, fmt.Errorf("the head of request %q has number %d and a hash of %d bytes; numbers start at 1, hashes have %d bytes",
				h.RequestID, h.Seq, len(h.Hash), sha256.Size))
		}
	}
	return errors.Join(faults...)
}

// Digest returns the SHA-256 over everything in the checkpoint but Hash and
// Signature.
func (c *Checkpoint) Digest() []byte {
	d := newDigester("dsr-audit/1 checkpoint")
	d.number(c.Seq)
	d.time(c.Time)
	d.bytes(c.Prev)
	d.number(int64(len(c.Heads)))
	for _, h := range c.Heads {
		d.text(h.RequestID)
		d.number(h.Seq)
		d.bytes(h.Hash)
	}
	return d.digest()
}
