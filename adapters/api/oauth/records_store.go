package oauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

const (
	// entryPrefix sets these kinds of entries apart from those of the
	// catalogue and of other records in the same store.
	entryPrefix = "oauth/"
	maxKey      = 300
	maxData     = 64 << 10
)

// StoreRecords are [Records] in a store, as plain entries of it: durable, and
// shared by all processes that open the same store. Every [dsr.Store] will do.
// Their kinds begin with "oauth/", which no other entries may.
//
// If the answer of a store is lost, nobody knows whether a change is stored: the
// error is the store's, or [dsr.ErrConflict] where the store itself tried again
// and met its own change. Every verb of [Server] can then be called again.
type StoreRecords struct{ store dsr.EntryStore }

var _ Records = (*StoreRecords)(nil)

// NewStoreRecords returns the records in a store.
func NewStoreRecords(store dsr.EntryStore) *StoreRecords { return &StoreRecords{store} }

// Get implements [Records].
func (s *StoreRecords) Get(ctx context.Context, kind, key string) (Record, error) {
	if !validName(kind, key) { // which could select others
		return Record{}, absent(kind)
	}
	found, err := s.store.Entries(ctx, dsr.EntryQuery{Kind: entryPrefix + kind, Key: key, Limit: 1})
	if err != nil {
		return Record{}, fmt.Errorf("oauth: read a %s: %w", kind, err)
	}
	if len(found) == 0 {
		return Record{}, absent(kind)
	}
	return record(&found[0]), nil
}

// List implements [Records].
func (s *StoreRecords) List(ctx context.Context, kind, after string, limit int) ([]Record, error) {
	if limit <= 0 || !validKind(kind) {
		return nil, ctx.Err()
	}
	q := dsr.EntryQuery{Kind: entryPrefix + kind, After: &dsr.EntryPlace{Kind: entryPrefix + kind, Key: placeOf(after)}, Limit: limit}
	found, err := s.store.Entries(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("oauth: list %s records: %w", kind, err)
	}
	records := make([]Record, len(found))
	for i := range found {
		records[i] = record(&found[i])
	}
	return records, nil
}

// Put implements [Records]. What a record must not be is refused here, so that
// it is refused the same in every store.
func (s *StoreRecords) Put(ctx context.Context, r Record, expectVersion int64) error {
	switch {
	case !validName(r.Kind, r.Key):
		return fmt.Errorf("oauth: a %q record: its kind must be a word in lower case, its key 1 to %d visible ASCII characters", r.Kind, maxKey)
	case len(r.Data) > maxData:
		return fmt.Errorf("oauth: a %s record of %d bytes is too large; at most %d can be stored", r.Kind, len(r.Data), maxData)
	}
	e := entry(r.Kind, r.Key, expectVersion)
	e.UpdatedAt, e.Data = time.Now().UTC(), r.Data
	if err := s.save(ctx, dsr.EntryChange{ExpectVersion: expectVersion, Entry: e}); err != nil {
		return fmt.Errorf("oauth: store a %s: %w", r.Kind, err)
	}
	return nil
}

// Delete implements [Records].
func (s *StoreRecords) Delete(ctx context.Context, kind, key string, expectVersion int64) error {
	if !validName(kind, key) {
		return absent(kind)
	}
	err := s.save(ctx, dsr.EntryChange{ExpectVersion: expectVersion, Entry: entry(kind, key, expectVersion), Remove: true})
	if errors.Is(err, dsr.ErrConflict) { // which it also is where there is none
		if _, absence := s.Get(ctx, kind, key); absence != nil {
			return absence
		}
	}
	if err != nil {
		return fmt.Errorf("oauth: remove a %s: %w", kind, err)
	}
	return nil
}

func (s *StoreRecords) save(ctx context.Context, change dsr.EntryChange) error {
	_, err := s.store.SaveEntries(ctx, []dsr.EntryChange{change})
	return err
}

// entry names what follows a version.
func entry(kind, key string, version int64) dsr.Entry {
	return dsr.Entry{Kind: entryPrefix + kind, Key: key, Version: version + 1, Plain: true}
}

func record(e *dsr.Entry) Record {
	return Record{Kind: strings.TrimPrefix(e.Kind, entryPrefix), Key: e.Key, Version: e.Version, Data: e.Data}
}

func absent(kind string) error {
	return fmt.Errorf("oauth: there is no %s of that key: %w", kind, dsr.ErrNotFound)
}

func validName(kind, key string) bool {
	return validKind(kind) && key != "" && len(key) <= maxKey && strings.IndexFunc(key, invisible) < 0
}

func validKind(kind string) bool {
	return kind != "" && !strings.ContainsFunc(kind, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' })
}

// invisible reports whether a character can be in no key.
func invisible(r rune) bool { return r <= ' ' || r > '~' }

// placeOf returns a text that every store can compare, and that the same keys
// follow as follow the text given, which may come from anyone.
func placeOf(after string) string {
	after = after[:min(len(after), maxKey)]
	i := strings.IndexFunc(after, invisible)
	switch {
	case i < 0:
		return after
	case after[i] <= ' ': // all keys that begin as it does are behind it
		return after[:i]
	default: // all of them are before it
		return after[:i] + "\x7f"
	}
}
