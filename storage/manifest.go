package storage

import (
	"context"
	"fmt"
	"time"
)

// ManifestVersion is the version of the manifest's format.
const ManifestVersion = 1

// ManifestSuffix follows the name of a package, without its own extension, in
// the name of its manifest.
const ManifestSuffix = ".manifest.json"

// States of a collection in a manifest.
const (
	StateDone    = "done"
	StateSkipped = "skipped"
	StateFailed  = "failed"
)

// Manifest says what a data package holds and what it lacks. It carries no
// personal value.
type Manifest struct {
	// Version is that of the format. Defaults to [ManifestVersion].
	Version   int    `json:"version"`
	RequestID string `json:"request_id"`
	// Policy and Rule are the keys under which the data was selected.
	Policy  string    `json:"policy"`
	Rule    string    `json:"rule"`
	Created time.Time `json:"created"`
	// Package is the name of the package's file beside the manifest.
	Package string `json:"package"`
	// Bytes is the size of the package, SHA256 its digest in hexadecimal
	// digits, Rows the number of rows in it.
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	Rows   int64  `json:"rows"`
	// Collections lists every collection of the plan, those included that
	// the package leaves out because they were empty, skipped or failed.
	Collections []ManifestCollection `json:"collections"`
}

// ManifestCollection tells of one collection.
type ManifestCollection struct {
	// Address is "dataset:collection".
	Address string `json:"address"`
	// State is one of the State constants.
	State string `json:"state"`
	// Rows counts the rows in the package.
	Rows int64 `json:"rows"`
	// File is where in the package the rows are, in formats that have a file
	// for each collection. Left out for others, and where there are no rows.
	File string `json:"file,omitempty"`
	// Uncastable counts values by which rows were to be looked for, but
	// which the type of a field cannot take: rows that refer to the data
	// subject by those are not in the package. Left out when there are none.
	Uncastable int64 `json:"uncastable,omitempty"`
	// Message says why the collection was skipped or failed.
	Message string `json:"message,omitempty"`
}

// WriteManifest writes the manifest of a package as name + [ManifestSuffix],
// where name is that of the package without its extension.
//
// It belongs between the last byte of the package and its Commit: a package
// that can be seen has its manifest beside it always. The other way round, a
// manifest without its package, or beside an older one of another digest,
// means that a delivery was cut off and will be repeated.
func WriteManifest(ctx context.Context, dest Destination, name string, m *Manifest) error {
	out := *m
	if out.Version == 0 {
		out.Version = ManifestVersion
	}
	out.Created = out.Created.UTC()
	if out.Collections == nil {
		out.Collections = []ManifestCollection{}
	}
	data, err := encode(&out, "  ")
	if err != nil {
		return fmt.Errorf("storage: encode the manifest: %w", err)
	}
	up, err := dest.Create(ctx, name+ManifestSuffix)
	if err != nil {
		return fmt.Errorf("storage: manifest: %w", err)
	}
	defer func() { _ = up.Abort() }()
	if _, err := up.Write(data); err != nil {
		return fmt.Errorf("storage: manifest: %w", err)
	}
	if err := up.Commit(ctx); err != nil {
		return fmt.Errorf("storage: manifest: %w", err)
	}
	return nil
}
