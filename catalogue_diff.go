package dsr

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// wish collects what the entries of the catalogue are to be.
type wish struct {
	entries map[EntryPlace][]byte
	now     time.Time
	errs    []error
}

func (w *wish) put(kind CatalogueKind, key string, def any) {
	data, err := json.Marshal(def)
	w.entries[EntryPlace{string(kind), key}] = data
	w.errs = append(w.errs, err)
}

// since is when something was created that was there since a time, or is new.
func (w *wish) since(was time.Time) time.Time {
	if was.IsZero() {
		return w.now
	}
	return was
}

// wanted returns what the entries of a shelf are to be for definitions, which it
// does not change: those know nothing of when they were created and of the
// secrets that there are. What comes from Config has no entry.
func (s *shelf) wanted(config *Config, defs *Definitions, now time.Time) (map[EntryPlace][]byte, error) {
	w, before := &wish{entries: map[EntryPlace][]byte{}, now: now}, s.defs
	for key, d := range defs.Connections {
		if !d.Fixed {
			own, old := *d, kept(before.Connections[key])
			own.CreatedAt = w.since(old.CreatedAt)
			own.SecretNames, own.SecretVersion = counted(d.Secrets, old.SecretNames, old.SecretVersion)
			w.put(CatalogueConnection, key, &own)
		}
	}
	for key, d := range defs.Datasets {
		if !d.Fixed {
			own := *d
			own.CreatedAt = w.since(kept(before.Datasets[key]).CreatedAt)
			w.put(CatalogueDataset, key, &own)
		}
	}
	w.putDestinations(before, defs)
	for key, d := range defs.Policies {
		if !d.Fixed {
			own := *d
			own.CreatedAt = w.since(kept(before.Policies[key]).CreatedAt)
			w.put(CataloguePolicy, key, &own)
		}
	}
	w.putForms(config, s, defs)
	if len(defs.PreApproval) > 0 {
		w.put(CatalogueHook, preApprovalKey, defs.PreApproval)
	}
	if defs.Redaction != nil {
		w.put(CatalogueRedaction, redactionKey, defs.Redaction)
	}
	for key, data := range defs.Settings {
		w.put(CatalogueSetting, key, data)
	}
	if err := errors.Join(w.errs...); err != nil {
		return nil, fmt.Errorf("dsr: encode the catalogue: %w", err)
	}
	return w.entries, nil
}

// putDestinations puts the destinations. New ones are later than all that there
// are, also those of a process whose clock is ahead: that tells the first one.
func (w *wish) putDestinations(before, defs *Definitions) {
	later := w.now
	for _, d := range before.Destinations {
		if !d.CreatedAt.Before(later) {
			later = d.CreatedAt.Add(time.Microsecond)
		}
	}
	for key, d := range defs.Destinations {
		if d.Fixed {
			continue
		}
		own, old := *d, kept(before.Destinations[key])
		if own.CreatedAt = old.CreatedAt; own.CreatedAt.IsZero() {
			own.CreatedAt = later
		}
		own.SecretNames, own.SecretVersion = counted(d.Secrets, old.SecretNames, old.SecretVersion)
		w.put(CatalogueDestination, key, &own)
	}
	if defs.DefaultDestination != "" {
		w.put(CatalogueDefault, defaultKey, defs.DefaultDestination)
	}
}

// putForms puts the forms that are not as in Config, and notes of which of those
// of Config were removed.
func (w *wish) putForms(config *Config, was *shelf, defs *Definitions) {
	base := newDefinitions()
	base.fixed(config)
	for key, d := range defs.Forms {
		own := *d
		own.CreatedAt, own.Removed = kept(was.defs.Forms[key]).CreatedAt, false
		if as := base.Forms[key]; as != nil && own.CreatedAt.IsZero() && sameJSON(as, &own) {
			continue
		}
		own.CreatedAt = w.since(own.CreatedAt)
		w.put(CatalogueForm, key, &own)
	}
	for key := range base.Forms {
		there := was.entries[EntryPlace{string(CatalogueForm), key}]
		switch {
		case defs.Forms[key] != nil:
		case there != nil && was.defs.Forms[key] == nil: // it was removed before
			w.entries[EntryPlace{there.Kind, there.Key}] = there.Data
		default:
			w.put(CatalogueForm, key, &FormDefinition{Removed: true, CreatedAt: w.now})
		}
	}
}

// counted are the names of secrets after an edit, and how often they were set.
// Nil secrets are those that were there.
func counted(given Secrets, names []string, version int64) ([]string, int64) {
	if given == nil {
		return names, version
	}
	return given.Names(), version + 1
}

// diff returns the changes that make wanted entries of those that there are, by
// kind and key.
func diff(entries map[EntryPlace]*Entry, wanted map[EntryPlace][]byte, now time.Time) (changes []EntryChange) {
	for place, there := range entries {
		if _, ok := wanted[place]; !ok {
			changes = append(changes, removal(there))
		}
	}
	for place, data := range wanted {
		there := kept(entries[place])
		if there.Version > 0 && bytes.Equal(there.Data, data) {
			continue
		}
		changes = append(changes, EntryChange{ExpectVersion: there.Version, Entry: Entry{
			Kind: place.Kind, Key: place.Key, Version: there.Version + 1, Data: data, UpdatedAt: now,
		}})
	}
	slices.SortFunc(changes, func(a, b EntryChange) int {
		return cmp.Or(strings.Compare(a.Entry.Kind, b.Entry.Kind), strings.Compare(a.Entry.Key, b.Entry.Key))
	})
	return changes
}

// kept is what there was of a definition or an entry; nothing where it is new.
func kept[T any](d *T) T {
	if d == nil {
		return *new(T)
	}
	return *d
}

func sameJSON(a, b any) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}
