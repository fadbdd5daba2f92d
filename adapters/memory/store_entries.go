package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/godsr/dsr"
)

// entry is an entry as it is now, or as it was before a version of the
// catalogue.
type entry struct {
	dsr.Entry
	until int64 // 0 for the current one, which is the last of its list
}

// SaveEntries implements [dsr.Store].
func (s *Store) SaveEntries(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.checkEntries(changes); err != nil {
		return 0, err
	}
	if slices.ContainsFunc(changes, func(ch dsr.EntryChange) bool { return !ch.Entry.Plain }) {
		s.catalogue++
	}
	for _, ch := range changes {
		place := dsr.EntryPlace{Kind: ch.Entry.Kind, Key: ch.Entry.Key}
		list, last := s.entries[place], len(s.entries[place])-1
		switch {
		case ch.ExpectVersion > 0 && ch.Entry.Plain:
			list[last] = entry{}
			list = list[:last]
		case ch.ExpectVersion > 0:
			list[last].until = s.catalogue
		}
		if !ch.Remove {
			e := copyStoredEntry(ch.Entry)
			e.Since = 0
			if !e.Plain {
				e.Since = s.catalogue
			}
			list = append(list, entry{Entry: e})
		}
		s.entries[place] = list
		if len(list) == 0 {
			delete(s.entries, place)
		}
	}
	return s.catalogue, nil
}

// checkEntries refuses changes of which any cannot be made.
func (s *Store) checkEntries(changes []dsr.EntryChange) error {
	seen := map[dsr.EntryPlace]bool{}
	for _, ch := range changes {
		e, place := ch.Entry, dsr.EntryPlace{Kind: ch.Entry.Kind, Key: ch.Entry.Key}
		var now dsr.Entry // version 0 for none
		if list := s.entries[place]; len(list) > 0 && list[len(list)-1].until == 0 {
			now = list[len(list)-1].Entry
		}
		switch {
		case e.Kind == "" || e.Key == "":
			return fmt.Errorf("memory: entry %q of kind %q: an entry without a kind or a key cannot be stored", e.Key, e.Kind)
		case e.Version != ch.ExpectVersion+1:
			return fmt.Errorf("memory: entry %q of kind %q: version %d cannot follow version %d: want %d", e.Key, e.Kind, e.Version, ch.ExpectVersion, ch.ExpectVersion+1)
		case seen[place]:
			return fmt.Errorf("memory: entry %q of kind %q is changed twice at once", e.Key, e.Kind)
		case now.Version != ch.ExpectVersion || ch.Remove && ch.ExpectVersion == 0:
			return fmt.Errorf("memory: entry %q of kind %q is at version %d, not %d: %w", e.Key, e.Kind, now.Version, ch.ExpectVersion, dsr.ErrConflict)
		case now.Version > 0 && now.Plain != e.Plain:
			return fmt.Errorf("memory: entry %q of kind %q stays plain, or versioned, until it is removed: %w", e.Key, e.Kind, dsr.ErrConflict)
		}
		seen[place] = true
	}
	return nil
}

// Entries implements [dsr.Store].
func (s *Store) Entries(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []dsr.Entry
	for place, list := range s.entries {
		if q.Kind != "" && q.Kind != place.Kind || q.Key != "" && q.Key != place.Key || q.After != nil && comparePlaces(place, *q.After) <= 0 {
			continue
		}
		for _, e := range list {
			now := q.At == 0 && e.until == 0
			then := q.At != 0 && !e.Plain && e.Since <= q.At && (e.until == 0 || e.until > q.At)
			if now || then {
				found = append(found, e.Entry)
			}
		}
	}
	slices.SortFunc(found, func(a, b dsr.Entry) int {
		return comparePlaces(dsr.EntryPlace{Kind: a.Kind, Key: a.Key}, dsr.EntryPlace{Kind: b.Kind, Key: b.Key})
	})
	return copies(page(found, 0, cmp.Or(max(q.Limit, 0), 100)), copyStoredEntry), nil
}

func comparePlaces(a, b dsr.EntryPlace) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
}

// CatalogueVersion implements [dsr.Store].
func (s *Store) CatalogueVersion(ctx context.Context) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.catalogue, nil
}

func copyStoredEntry(e dsr.Entry) dsr.Entry {
	e.UpdatedAt = instant(e.UpdatedAt)
	e.Data, e.Sealed = bytes.Clone(e.Data), bytes.Clone(e.Sealed)
	return e
}
