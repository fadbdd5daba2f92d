package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

// entryOf is one of version 1 with a value in every field but Since, which the
// store is to give.
func entryOf(kind, key string, plain bool) dsr.Entry {
	return dsr.Entry{
		Kind: kind, Key: key, Version: 1, Plain: plain, UpdatedAt: noon,
		Data: fmt.Appendf(nil, `{"entry":%q}`, key), Sealed: []byte("sealed\x00\xff" + key),
	}
}

// nextEntry is the next version of an entry, with other values.
func nextEntry(e dsr.Entry) dsr.Entry {
	e.Version++
	e.UpdatedAt = e.UpdatedAt.Add(time.Minute)
	e.Data, e.Sealed = fmt.Appendf(nil, `{"version":%d}`, e.Version), fmt.Appendf(nil, "sealed again\x00%d", e.Version)
	return e
}

// since is an entry that was saved in a version of the catalogue.
func since(version int64, e dsr.Entry) dsr.Entry {
	e.Since = version
	return e
}

// putEntries saves entries, each after the version before.
func putEntries(list ...dsr.Entry) []dsr.EntryChange {
	changes := make([]dsr.EntryChange, len(list))
	for i, e := range list {
		changes[i] = dsr.EntryChange{ExpectVersion: e.Version - 1, Entry: e}
	}
	return changes
}

// withoutEntries removes entries that are stored so.
func withoutEntries(list ...dsr.Entry) []dsr.EntryChange {
	changes := make([]dsr.EntryChange, len(list))
	for i, e := range list {
		changes[i] = dsr.EntryChange{ExpectVersion: e.Version, Entry: nextEntry(e), Remove: true}
	}
	return changes
}

// saveEntries expects the version that is returned, and then read.
func saveEntries(ctx context.Context, s dsr.Store, want int64, changes ...[]dsr.EntryChange) error {
	got, err := s.SaveEntries(ctx, slices.Concat(changes...))
	if err != nil {
		return fmt.Errorf("save entries: %w", err)
	}
	if got != want {
		return fmt.Errorf("SaveEntries returned version %d of the catalogue, want %d", got, want)
	}
	return expectCatalogue(ctx, s, want)
}

// expectCatalogue compares the version of the catalogue.
func expectCatalogue(ctx context.Context, s dsr.Store, want int64) error {
	got, err := s.CatalogueVersion(ctx)
	if err != nil {
		return fmt.Errorf("the version of the catalogue: %w", err)
	}
	if got != want {
		return fmt.Errorf("the catalogue is at version %d, want %d", got, want)
	}
	return nil
}

// expectEntries compares what a query finds with want. Its limit, if it has
// none, is enough for one more.
func expectEntries(ctx context.Context, s dsr.Store, q dsr.EntryQuery, want ...dsr.Entry) error {
	if q.Limit == 0 {
		q.Limit = len(want) + 10
	}
	got, err := s.Entries(ctx, q)
	if err != nil {
		return fmt.Errorf("entries: %w", err)
	}
	if err := diff("entries", got, want); err != nil {
		return fmt.Errorf("query %+v: %w", q, err)
	}
	return nil
}

func entryRoundTrip(ctx context.Context, s dsr.Store) error {
	if err := expectCatalogue(ctx, s, 0); err != nil {
		return err
	}
	v, p := entryOf("a", "versioned", false), entryOf("b", "plain", true)
	bareV, bareP := dsr.Entry{Kind: "a", Key: "versioned", Version: 3}, dsr.Entry{Kind: "b", Key: "plain", Version: 3, Plain: true, Data: []byte{}}
	// Since is the store's to give.
	wrong, wrongP := since(9, nextEntry(v)), since(9, nextEntry(p))
	for _, step := range []struct {
		changes []dsr.EntryChange
		version int64
		want    []dsr.Entry
	}{
		{nil, 0, nil},
		{putEntries(p), 0, []dsr.Entry{p}},
		{putEntries(v), 1, []dsr.Entry{since(1, v), p}},
		{putEntries(wrong, wrongP), 2, []dsr.Entry{since(2, nextEntry(v)), nextEntry(p)}},
		{nil, 2, []dsr.Entry{since(2, nextEntry(v)), nextEntry(p)}},
		{putEntries(bareP, bareV), 3, []dsr.Entry{since(3, bareV), bareP}},
		{withoutEntries(bareP), 3, []dsr.Entry{since(3, bareV)}},
		{withoutEntries(bareV), 4, nil},
		// Others may have their names.
		{putEntries(entryOf("a", "versioned", true), entryOf("b", "plain", false)), 5, []dsr.Entry{entryOf("a", "versioned", true), since(5, entryOf("b", "plain", false))}},
		{withoutEntries(entryOf("a", "versioned", true)), 5, []dsr.Entry{since(5, entryOf("b", "plain", false))}},
		{putEntries(v), 6, []dsr.Entry{since(6, v), since(5, entryOf("b", "plain", false))}},
	} {
		if err := errors.Join(saveEntries(ctx, s, step.version, step.changes), expectEntries(ctx, s, dsr.EntryQuery{}, step.want...)); err != nil {
			return err
		}
	}
	return nil
}

func entryFilters(ctx context.Context, s dsr.Store) error {
	a1, a2, b1 := entryOf("a", "1", false), entryOf("a", "2", true), entryOf("b", "1", true)
	ab, b10 := entryOf("ab", "1", false), entryOf("b", "10", false)
	if err := saveEntries(ctx, s, 1, putEntries(b1, ab, a2, b10, a1)); err != nil {
		return err
	}
	a1, ab, b10 = since(1, a1), since(1, ab), since(1, b10)
	if err := saveEntries(ctx, s, 2, withoutEntries(b10)); err != nil {
		return err
	}
	after := func(kind, key string) *dsr.EntryPlace { return &dsr.EntryPlace{Kind: kind, Key: key} }
	for _, test := range []struct {
		query dsr.EntryQuery
		want  []dsr.Entry
	}{
		{dsr.EntryQuery{}, []dsr.Entry{a1, a2, ab, b1}},
		{dsr.EntryQuery{Kind: "a"}, []dsr.Entry{a1, a2}},
		{dsr.EntryQuery{Kind: "A"}, nil},
		{dsr.EntryQuery{Key: "1"}, []dsr.Entry{a1, ab, b1}},
		{dsr.EntryQuery{Key: "10"}, nil},
		{dsr.EntryQuery{Kind: "a", Key: "2"}, []dsr.Entry{a2}},
		{dsr.EntryQuery{Kind: "b", Key: "2"}, nil},
		{dsr.EntryQuery{After: after("a", "1")}, []dsr.Entry{a2, ab, b1}},
		{dsr.EntryQuery{After: after("a", "11")}, []dsr.Entry{a2, ab, b1}},
		{dsr.EntryQuery{After: after("a", "3")}, []dsr.Entry{ab, b1}},
		{dsr.EntryQuery{After: after("b", "1")}, nil},
		{dsr.EntryQuery{After: after("", "")}, []dsr.Entry{a1, a2, ab, b1}},
		{dsr.EntryQuery{Kind: "b", After: after("a", "3")}, []dsr.Entry{b1}},
		{dsr.EntryQuery{Kind: "a", After: after("a", "1"), Limit: 1}, []dsr.Entry{a2}},
		{dsr.EntryQuery{Key: "1", After: after("a", "1"), Limit: 1}, []dsr.Entry{ab}},
		{dsr.EntryQuery{At: 1}, []dsr.Entry{a1, ab, b10}},
		{dsr.EntryQuery{At: 1, Kind: "b"}, []dsr.Entry{b10}},
		{dsr.EntryQuery{At: 1, Key: "1"}, []dsr.Entry{a1, ab}},
		{dsr.EntryQuery{At: 1, After: after("a", "1")}, []dsr.Entry{ab, b10}},
		{dsr.EntryQuery{At: 1, Kind: "b", Key: "10", After: after("b", "1"), Limit: 1}, []dsr.Entry{b10}},
		{dsr.EntryQuery{At: 2, Kind: "b"}, nil},
	} {
		if err := expectEntries(ctx, s, test.query, test.want...); err != nil {
			return err
		}
	}
	return nil
}

// entryOrder saves entries in another order than that of their bytes, and reads
// them in pages too.
func entryOrder(ctx context.Context, s dsr.Store) error {
	words := []string{"10", "2", "A", "Z", "_", "a", "a b", "a-b", "a.b", "aB", "ab", "b", "z", "\u00e9", "日本"}
	var want []dsr.Entry
	for _, kind := range words {
		for i, key := range words {
			want = append(want, since(int64(i+1)%2, entryOf(kind, key, i%2 == 1)))
		}
	}
	shuffled := make([]dsr.EntryChange, len(want))
	for i := range want { // 7 and the list's length have no common divisor
		shuffled[i] = putEntries(want[i*7%len(want)])[0]
	}
	if err := errors.Join(saveEntries(ctx, s, 1, shuffled), expectEntries(ctx, s, dsr.EntryQuery{}, want...)); err != nil {
		return err
	}
	for _, test := range []struct {
		q    dsr.EntryQuery
		want []dsr.Entry
	}{
		{dsr.EntryQuery{Limit: 7}, want},
		{dsr.EntryQuery{Limit: 7, At: 1}, slices.DeleteFunc(slices.Clone(want), func(e dsr.Entry) bool { return e.Plain })},
	} {
		var all []dsr.Entry
		for more := true; more && len(all) <= len(want); {
			page, err := s.Entries(ctx, test.q)
			if err != nil {
				return err
			}
			for _, e := range page {
				test.q.After = &dsr.EntryPlace{Kind: e.Kind, Key: e.Key}
			}
			all, more = append(all, page...), len(page) > 0
		}
		if err := diff("pages of entries", all, test.want); err != nil {
			return err
		}
	}
	return nil
}

func entryLimit(ctx context.Context, s dsr.Store) error {
	var list, listed []dsr.Entry
	for i := range 103 {
		list = append(list, entryOf("k", fmt.Sprintf("%03d", i), false))
		listed = append(listed, since(1, list[i]))
	}
	if err := saveEntries(ctx, s, 1, putEntries(list...)); err != nil {
		return err
	}
	for limit, want := range map[int]int{0: 100, 1: 1, 2: 2, 102: 102, 103: 103, 1000: 103} {
		for _, at := range []int64{0, 1} {
			got, err := s.Entries(ctx, dsr.EntryQuery{Limit: limit, At: at})
			if err := errors.Join(err, diff("entries", got, listed[:want])); err != nil {
				return fmt.Errorf("limit %d: %w", limit, err)
			}
		}
	}
	return nil
}

// hostileEntries stores entries of hostile kinds and keys, which are no others'.
func hostileEntries(ctx context.Context, s dsr.Store) error {
	var stored []string
	version := int64(0)
	for _, id := range hostile() {
		_, err := s.SaveEntries(ctx, putEntries(entryOf(id, id, false), entryOf("plain", id, true)))
		switch {
		case err == nil:
			version++
			stored = append(stored, id)
		case !refusable(id):
			return fmt.Errorf("an entry %q was refused: %w; a store may refuse zero bytes and invalid UTF-8 only", id, err)
		}
	}
	var errs []error
	for i, id := range stored {
		v, p := since(int64(i+1), entryOf(id, id, false)), entryOf("plain", id, true)
		errs = append(errs,
			expectEntries(ctx, s, dsr.EntryQuery{Kind: id}, v), expectEntries(ctx, s, dsr.EntryQuery{Kind: "plain", Key: id}, p),
			expectEntries(ctx, s, dsr.EntryQuery{Key: id, At: version}, v),
		)
	}
	slices.Sort(stored)
	var plain []string
	for q := (dsr.EntryQuery{Kind: "plain", Limit: 4}); len(plain) <= len(stored); {
		page, err := s.Entries(ctx, q)
		errs = append(errs, err)
		for _, e := range page {
			plain = append(plain, e.Key)
			q.After = &dsr.EntryPlace{Kind: e.Kind, Key: e.Key}
		}
		if len(page) == 0 {
			break
		}
	}
	if !slices.Equal(plain, stored) {
		errs = append(errs, fmt.Errorf("the pages of entries hold %q, want %q", plain, stored))
	}
	// Each is saved again and removed by its own name.
	for i, id := range stored {
		errs = append(errs,
			saveEntries(ctx, s, version+1+int64(i), withoutEntries(entryOf(id, id, false)), putEntries(nextEntry(entryOf("plain", id, true)))),
			expectEntries(ctx, s, dsr.EntryQuery{Kind: id}),
		)
	}
	errs = append(errs, expectLeft(ctx, s, stored))
	return errors.Join(errs...)
}

// expectLeft expects the second versions of plain entries, and no others.
func expectLeft(ctx context.Context, s dsr.Store, keys []string) error {
	want := make([]dsr.Entry, len(keys))
	for i, key := range keys {
		want[i] = nextEntry(entryOf("plain", key, true))
	}
	return expectEntries(ctx, s, dsr.EntryQuery{}, want...)
}

// refusable reports whether a store may refuse an ID.
func refusable(id string) bool {
	return strings.Contains(id, "\x00") || strings.ToValidUTF8(id, "") != id
}
