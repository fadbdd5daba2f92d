package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/Masterminds/squirrel"
)

// Entry is one thing that is configured, or one record.
type Entry struct {
	Kind, Key    string
	Version      int64
	Plain        bool
	Since        int64
	UpdatedAt    time.Time
	Data, Sealed []byte
}

// EntryChange saves or removes one entry.
type EntryChange struct {
	Expect int64 // the version that must be stored; 0 for none
	Entry  Entry
	Remove bool
}

// EntryQuery selects entries. Zero fields select everything that there is now.
type EntryQuery struct {
	Kind, Key string
	At        int64
	After     *EntryPlace
	Limit     int // defaults to 100
}

// EntryPlace is a place in the order of entries.
type EntryPlace struct{ Kind, Key string }

// CheckEntries refuses what no store takes.
func CheckEntries(changes []EntryChange) error {
	seen := map[EntryPlace]bool{}
	for i := range changes {
		e, expect := &changes[i].Entry, changes[i].Expect
		place := EntryPlace{e.Kind, e.Key}
		var err error
		switch {
		case e.Kind == "" || e.Key == "":
			err = errors.New("an entry without a kind or a key cannot be stored")
		case e.Version != expect+1:
			err = fmt.Errorf("version %d cannot follow version %d: want %d", e.Version, expect, expect+1)
		case seen[place]:
			err = errors.New("it is changed twice at once")
		}
		if err != nil {
			return e.fault(err)
		}
		seen[place] = true
	}
	return nil
}

func (e *Entry) fault(err error) error {
	return fmt.Errorf("entry %q of kind %q: %w", e.Key, e.Kind, err)
}

// SaveEntries compares and swaps one entry after the other, and returns the
// version of the catalogue. It must be called in a transaction. The row of the
// version is the lock of all that change versioned entries, so that a version
// is never seen before those under it.
func (d *Dialect) SaveEntries(ctx context.Context, c Conn, changes []EntryChange) (version int64, err error) {
	versioned := slices.ContainsFunc(changes, func(ch EntryChange) bool { return !ch.Entry.Plain })
	if versioned {
		next := d.build().Update(d.Prefix+"catalogue").Set("version", squirrel.Expr("version + 1")).Suffix("RETURNING version")
		if version, err = number64(ctx, c, next); err != nil {
			return 0, err
		}
	}
	for i := range changes {
		ch := &changes[i]
		save := d.saveVersioned
		if ch.Entry.Plain {
			save = d.savePlain
		}
		if err := save(ctx, c, ch, version); err != nil {
			return 0, ch.Entry.fault(err)
		}
	}
	if versioned {
		return version, nil
	}
	return d.CatalogueVersion(ctx, c)
}

// savePlain leaves nothing of what was there before.
func (d *Dialect) savePlain(ctx context.Context, c Conn, ch *EntryChange, _ int64) error {
	switch e := &ch.Entry; {
	case ch.Remove:
		return d.swapEntry(ctx, c, ch, d.build().Delete(d.Prefix+"entries").Where(currentEntry(ch)))
	case ch.Expect == 0:
		return d.addEntry(ctx, c, ch, 0)
	default:
		at, err := d.EncodeTime(e.UpdatedAt)
		if err != nil {
			return err
		}
		return d.swapEntry(ctx, c, ch, d.build().Update(d.Prefix+"entries").Set("version", e.Version).
			Set("updated_at", at).Set("data", e.Data).Set("sealed", d.sealed(e)).Where(currentEntry(ch)))
	}
}

// saveVersioned ends what is there with a version of the catalogue, in which
// its successor begins.
func (d *Dialect) saveVersioned(ctx context.Context, c Conn, ch *EntryChange, version int64) error {
	if ch.Remove || ch.Expect > 0 {
		if err := d.swapEntry(ctx, c, ch, d.build().Update(d.Prefix+"entries").Set("until", version).Where(currentEntry(ch))); err != nil {
			return err
		}
	}
	if ch.Remove {
		return nil
	}
	return d.addEntry(ctx, c, ch, version)
}

// currentEntry is the condition that an entry is the one that the change was
// made from.
func currentEntry(ch *EntryChange) squirrel.Sqlizer {
	return squirrel.Expr("kind = ? AND key = ? AND until IS NULL AND plain = ? AND version = ?",
		ch.Entry.Kind, ch.Entry.Key, number(ch.Entry.Plain), ch.Expect)
}

func (d *Dialect) addEntry(ctx context.Context, c Conn, ch *EntryChange, since int64) error {
	e := &ch.Entry
	at, err := d.EncodeTime(e.UpdatedAt)
	if err != nil {
		return err
	}
	return d.swapEntry(ctx, c, ch, d.build().Insert(d.Prefix+"entries").
		Columns("kind", "key", "version", "plain", "since", "updated_at", "data", "sealed").
		Values(e.Kind, e.Key, e.Version, number(e.Plain), since, at, e.Data, d.sealed(e)).Suffix("ON CONFLICT DO NOTHING"))
}

// swapEntry runs a statement that must affect one row.
func (d *Dialect) swapEntry(ctx context.Context, c Conn, ch *EntryChange, statement squirrel.Sqlizer) error {
	saved, err := exec(ctx, c, statement)
	if err == nil && saved != 1 {
		err = fmt.Errorf("it is not at version %d, or not plain as the change is: %w", ch.Expect, d.Conflict)
	}
	return err
}

// sealed is how the secrets of an entry are stored: those that are to be gone
// one day after the padding.
func (d *Dialect) sealed(e *Entry) []byte {
	if !e.Plain || len(e.Sealed) == 0 {
		return e.Sealed
	}
	return append(make([]byte, d.Padding, d.Padding+len(e.Sealed)), e.Sealed...)
}

// unseal reverses sealed.
func (d *Dialect) unseal(e *Entry) error {
	if !e.Plain || len(e.Sealed) == 0 {
		return nil
	}
	if len(e.Sealed) < d.Padding {
		return e.fault(errors.New("its secrets are not as this program wrote them; restore a backup"))
	}
	e.Sealed = bytes.Clone(e.Sealed[d.Padding:])
	return nil
}

// Entries lists what matches a query by kind, then by key.
func (d *Dialect) Entries(ctx context.Context, c Conn, q *EntryQuery) ([]Entry, error) {
	s := d.build().Select("kind", "key", "version", "plain = 1", "since", "updated_at", "data", "sealed").
		From(d.Prefix+"entries").OrderBy("kind", "key")
	if q.At == 0 {
		s = s.Where("until IS NULL")
	} else {
		s = s.Where("plain = 0 AND since <= ? AND (until IS NULL OR until > ?)", q.At, q.At)
	}
	if q.Kind != "" {
		s = s.Where(squirrel.Eq{"kind": q.Kind})
	}
	if q.Key != "" {
		s = s.Where(squirrel.Eq{"key": q.Key})
	}
	if q.After != nil {
		s = s.Where("(kind, key) > (?, ?)", q.After.Kind, q.After.Key)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	var list []Entry
	err := query(ctx, c, func(scan func(dest ...any) error) error {
		list = append(list, Entry{})
		e := &list[len(list)-1]
		if err := scan(&e.Kind, &e.Key, &e.Version, &e.Plain, &e.Since, d.ScanTime(&e.UpdatedAt), &e.Data, &e.Sealed); err != nil {
			return err
		}
		return d.unseal(e)
	}, upTo(s, limit))
	return list, err
}

// CatalogueVersion is the newest version of the catalogue.
func (d *Dialect) CatalogueVersion(ctx context.Context, c Conn) (int64, error) {
	return number64(ctx, c, d.build().Select("version").From(d.Prefix+"catalogue"))
}

func number64(ctx context.Context, c Conn, statement squirrel.Sqlizer) (n int64, err error) {
	found := false
	err = query(ctx, c, func(scan func(dest ...any) error) error {
		found = true
		return scan(&n)
	}, statement)
	if err == nil && !found {
		err = errors.New("the version of the catalogue is missing; restore a backup")
	}
	return n, err
}
