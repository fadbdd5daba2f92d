package dsr

import (
	"context"
	"time"
)

// EntryStore keeps what is configured at run time, in versions that never
// change, and records that hosts and front doors keep beside it.
type EntryStore interface {
	// SaveEntries applies changes atomically: all of them must be durable
	// when it returns nil, and none otherwise [entries atomic] [canceled].
	// An entry can be in them once. It must be [ErrConflict] where an
	// entry's stored version is not the expected one (0: there is no such
	// entry), where it is plain and the change is not, or the other way
	// round, and where there is no entry to remove [entry conflict], so that
	// of many that expect the same one is stored [one entry winner].
	//
	// Changes of versioned entries together make the next version of the
	// catalogue, counted from 1, which is returned; changes of plain ones
	// alone, or none, return the version that it has. Of many at once each
	// gets a version of its own, in which is all that those before it made
	// [versions in order].
	SaveEntries(ctx context.Context, changes []EntryChange) (version int64, err error)

	// Entries returns the entries that match all of the query [entry
	// filters], as they were saved last [entry round trip], by Kind and then
	// by Key, by their bytes [entry order], at most Limit of them [entry
	// limit]; with At, the versioned ones as they were in that version of
	// the catalogue, also those that were removed since [entries as they
	// were].
	Entries(ctx context.Context, q EntryQuery) ([]Entry, error)

	// CatalogueVersion returns the newest version; 0 for none.
	CatalogueVersion(ctx context.Context) (int64, error)
}

// Entry is one thing that is configured, such as a connection, or one record,
// such as a token.
type Entry struct {
	// Kind and Key name it together. Neither is empty. The engine's own kinds
	// are those of [CatalogueKind], "secret", "connection-test" and
	// "catalogue-updates"; whoever keeps entries beside it names its kinds
	// otherwise, such as "oauth/token".
	Kind, Key string
	// Version counts the times it was saved, from 1. What is saved under the
	// name of an entry that was removed is another entry, from version 1;
	// its Since tells it apart from the one before.
	Version int64
	// Plain entries have no history: what they were before, or were when
	// they were removed, is gone for good, in no version of the catalogue
	// [plain entries]. An entry stays what it was first until it is removed.
	Plain bool
	// Since is the version of the catalogue that it was saved in; 0 for
	// plain ones. The store gives it, whatever is given.
	Since     int64
	UpdatedAt time.Time
	// Data says what it is, as JSON without secrets; Sealed holds what is
	// secret, sealed.
	Data, Sealed []byte
}

// EntryChange saves or removes one entry.
type EntryChange struct {
	// ExpectVersion is the version that is stored; 0 for none. The Version
	// of Entry must be ExpectVersion+1, also where it is removed; only its
	// name and whether it is plain count then beside.
	ExpectVersion int64
	Entry         Entry
	Remove        bool
}

// EntryQuery selects entries. Zero fields select everything that there is now.
type EntryQuery struct {
	Kind, Key string
	// At is a version of the catalogue, of which the versioned entries are
	// selected; 0 for what there is now, plain entries included.
	At int64
	// After keeps to those after a place in the order.
	After *EntryPlace
	// Limit defaults to 100.
	Limit int
}

// EntryPlace is a place in the order of entries.
type EntryPlace struct{ Kind, Key string }
