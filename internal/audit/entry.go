// Package audit keeps the trail of what was done to privacy requests, in a
// form that shows whether somebody changed it afterwards.
//
// Every request has a hash chain of its own, so that requests do not queue for
// each other: an [Entry] holds the hash of the one before. Signed checkpoints
// over all chains hold where each of them stood ([Checkpoint]), and the hash of
// the checkpoint before. A [Verifier] reads checkpoints and entries as streams
// and tells what does not fit; a [Writer] makes a file of both that an auditor
// checks without the engine ([VerifyExport]).
//
// What protects what: an entry's MAC, made with a key that only the engine
// has, protects every entry from the moment it is written, but only who has
// that key can check it. Checkpoints protect all entries up to them, checked
// with a public key. Entries newer than their last checkpoint can be forged or
// cut off in an export without anybody noticing offline; a report counts them
// as unsigned. Whether the newest checkpoints were removed shows only against
// one that was written down elsewhere ([Verifier.Expect]).
package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// MaxEntryText is how many bytes of text an entry may hold in all, so that its
// line in an export stays within [MaxLine] however it is escaped.
const MaxEntryText = 1 << 20

// Entry is one line of a request's chain. It holds no personal value.
type Entry struct {
	// RequestID is the chain.
	RequestID string `json:"request_id"`
	// Seq numbers the entries of a chain from 1, without a gap.
	Seq int64 `json:"seq"`
	// Time is in UTC, to the microsecond.
	Time time.Time `json:"time"`
	// Action is what was done, such as "approved".
	Action string `json:"action"`
	// Actor is the keyed pseudonym of who did it; empty for the engine.
	Actor string `json:"actor,omitempty"`
	// Details say more about it.
	Details map[string]string `json:"details,omitempty"`
	// Prev is the hash of the entry before; empty for the first.
	Prev []byte `json:"prev"`
	// Hash is [Entry.Digest] as it was when the entry was made.
	Hash []byte `json:"hash"`
	// MAC is a keyed hash of Hash.
	MAC []byte `json:"mac"`
}

// MAC returns the keyed hash of an entry's hash. Its key is the engine's own.
type MAC func(hash []byte) ([]byte, error)

// Next makes the entry with number seq of a request's chain. prev is the hash
// of the entry before, and empty for seq 1. The time is cut to the microsecond
// and told in UTC, so that it survives any store. Text must be UTF-8, at most
// [MaxEntryText] bytes of it. An error names every fault there is.
func Next(requestID string, seq int64, prev []byte, at time.Time, action, actor string, details map[string]string, mac MAC) (Entry, error) {
	e := Entry{
		RequestID: requestID, Seq: seq, Time: at.UTC().Truncate(time.Microsecond),
		Action: action, Actor: actor, Details: maps.Clone(details), Prev: append([]byte{}, prev...),
	}
	err := e.check()
	if mac == nil {
		err = errors.Join(err, errors.New("there is no MAC; give the engine's"))
	}
	if err != nil {
		return Entry{}, fmt.Errorf("audit: make entry %d of request %q: %w", seq, requestID, err)
	}
	e.Hash = e.Digest()
	if e.MAC, err = mac(bytes.Clone(e.Hash)); err != nil {
		return Entry{}, fmt.Errorf("audit: make the MAC of entry %d of request %q: %w", seq, requestID, err)
	}
	if len(e.MAC) == 0 {
		return Entry{}, fmt.Errorf("audit: make the MAC of entry %d of request %q: it came back empty", seq, requestID)
	}
	return e, nil
}

// check tells every fault of what an entry is made of.
func (e *Entry) check() error {
	var faults []error
	if e.RequestID == "" {
		faults = append(faults, errors.New("there is no request ID"))
	}
	if e.Action == "" {
		faults = append(faults, errors.New("there is no action"))
	}
	switch {
	case e.Seq < 1:
		faults = append(faults, errors.New("entries are numbered from 1"))
	case e.Seq == 1 && len(e.Prev) != 0:
		faults = append(faults, errors.New("the first entry has none before it, yet a hash of one was given"))
	case e.Seq > 1 && len(e.Prev) != sha256.Size:
		faults = append(faults, fmt.Errorf("the hash of the entry before has %d bytes, not %d", len(e.Prev), sha256.Size))
	}
	if year := e.Time.Year(); year < 1 || year > 9999 {
		faults = append(faults, fmt.Errorf("the year %d is not within 1 to 9999", year))
	}
	if !e.utf8() {
		faults = append(faults, errors.New("its text is not UTF-8; encode it first"))
	}
	size := len(e.RequestID) + len(e.Action) + len(e.Actor)
	for key, value := range e.Details {
		size += len(key) + len(value)
	}
	if size > MaxEntryText {
		faults = append(faults, fmt.Errorf("its text has %d bytes, more than %d; keep less in its details", size, MaxEntryText))
	}
	return errors.Join(faults...)
}

// utf8 tells whether JSON can hold the entry's text as it is.
func (e *Entry) utf8() bool {
	for key, value := range e.Details {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return false
		}
	}
	return utf8.ValidString(e.RequestID) && utf8.ValidString(e.Action) && utf8.ValidString(e.Actor)
}

// Digest returns the SHA-256 over everything in the entry but Hash and MAC.
// Details count in the order of their keys.
func (e *Entry) Digest() []byte { return e.digestAt(e.Seq, e.content()) }

// content hashes what happened, without where in the chain it stands.
func (e *Entry) content() []byte {
	d := newDigester("dsr-audit/1 content")
	d.time(e.Time)
	d.text(e.Action)
	d.text(e.Actor)
	d.number(int64(len(e.Details)))
	for _, key := range slices.Sorted(maps.Keys(e.Details)) {
		d.text(key)
		d.text(e.Details[key])
	}
	return d.digest()
}

// digestAt is the digest that the entry has with number seq.
func (e *Entry) digestAt(seq int64, content []byte) []byte {
	d := newDigester("dsr-audit/1 entry")
	d.text(e.RequestID)
	d.number(seq)
	d.bytes(e.Prev)
	d.bytes(content)
	return d.digest()
}

// maxShift is how far around its number an entry's true number is looked for.
const maxShift = 64

// numbered returns the number with which the entry fits its hash, its own
// first, and whether there is one nearby.
func (e *Entry) numbered() (int64, bool) {
	content := e.content()
	if bytes.Equal(e.digestAt(e.Seq, content), e.Hash) {
		return e.Seq, true
	}
	for shift := int64(1); shift <= maxShift; shift++ {
		for _, seq := range [2]int64{e.Seq - shift, e.Seq + shift} {
			if seq > 0 && bytes.Equal(e.digestAt(seq, content), e.Hash) {
				return seq, true
			}
		}
	}
	return e.Seq, false
}
