package oauth

import "context"

// Records is where clients and tokens are kept. It may be shared by many
// processes; each sees at once what another has written. What it is given holds
// no secret, only digests of them. Errors are logged as they are, and must hold
// nothing personal.
//
// Package adapters/api/oauth/recordstest checks every "must" below; the name of
// the check stands in brackets.
type Records interface {
	// Get returns a record as it was last put by any process, or
	// [dsr.ErrNotFound] [get].
	Get(ctx context.Context, kind, key string) (Record, error)
	// List must return the records of a kind whose keys follow after, which
	// may be any text, in ascending order of the bytes of their keys, at most
	// limit of them [list].
	List(ctx context.Context, kind, after string, limit int) ([]Record, error)
	// Put must store a record under its kind and key with the version
	// expectVersion+1, whatever its Version says, and only if the stored one
	// is at expectVersion, 0 meaning that there is none; else it must change
	// nothing and return [dsr.ErrConflict] [versions]. Of many that put at
	// once with the same version, one must succeed [race]. What it returned
	// nil for must be durable.
	Put(ctx context.Context, r Record, expectVersion int64) error
	// Delete must remove a record that is at expectVersion. If there is none
	// it must return [dsr.ErrNotFound], if it is at another version
	// [dsr.ErrConflict] [delete].
	Delete(ctx context.Context, kind, key string, expectVersion int64) error
}

// Record is a versioned document.
type Record struct {
	// Kind is a word in lower case.
	Kind string
	// Key is unique within its kind: up to 300 bytes of visible ASCII.
	Key string
	// Version counts from 1.
	Version int64
	// Data is JSON, up to 64 KiB. It must come back byte for byte [get].
	Data []byte
}
