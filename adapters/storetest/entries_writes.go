package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/godsr/dsr"
)

func entriesAtomic(ctx context.Context, s dsr.Store) error {
	v, p, o, n := entryOf("k", "versioned", false), entryOf("k", "plain", true), entryOf("k", "other", false), entryOf("k", "new", true)
	if err := saveEntries(ctx, s, 1, putEntries(v, p)); err != nil {
		return err
	}
	skipped, bare := nextEntry(nextEntry(o)), entryOf("k", "", true)
	for _, test := range []struct {
		why     string
		changes [][]dsr.EntryChange
	}{
		{"the last one expects a version to come", [][]dsr.EntryChange{putEntries(nextEntry(v), nextEntry(p), o, n), putEntries(nextEntry(nextEntry(o)))}},
		{"the last one is there already", [][]dsr.EntryChange{withoutEntries(v), putEntries(nextEntry(p), n, o), putEntries(entryOf("k", "plain", true))}},
		{"the last one removes nothing", [][]dsr.EntryChange{withoutEntries(p), putEntries(nextEntry(v), o), withoutEntries(n)}},
		{"it makes an entry twice", [][]dsr.EntryChange{putEntries(n, n)}},
		{"it changes an entry twice", [][]dsr.EntryChange{putEntries(nextEntry(v), nextEntry(nextEntry(v)))}},
		{"it changes what it has removed", [][]dsr.EntryChange{withoutEntries(p), putEntries(p)}},
		{"an entry has no key", [][]dsr.EntryChange{putEntries(o, nextEntry(p), bare)}},
		{"an entry has no kind", [][]dsr.EntryChange{putEntries(o, nextEntry(p), entryOf("", "k", true))}},
		{"a version does not follow", [][]dsr.EntryChange{putEntries(n), {{ExpectVersion: 0, Entry: skipped}}}},
	} {
		if _, err := s.SaveEntries(ctx, slices.Concat(test.changes...)); err == nil {
			return fmt.Errorf("a list of changes was saved although %s", test.why)
		}
		if err := errors.Join(
			expectEntries(ctx, s, dsr.EntryQuery{}, p, since(1, v)), expectEntries(ctx, s, dsr.EntryQuery{At: 1}, since(1, v)),
			expectEntries(ctx, s, dsr.EntryQuery{At: 2}, since(1, v)), expectCatalogue(ctx, s, 1),
		); err != nil {
			return fmt.Errorf("after a list was refused because %s: %w", test.why, err)
		}
	}
	return errors.Join(
		saveEntries(ctx, s, 2, withoutEntries(p), putEntries(o, nextEntry(v), n)),
		expectEntries(ctx, s, dsr.EntryQuery{}, n, since(2, o), since(2, nextEntry(v))),
	)
}

func entryConflict(ctx context.Context, s dsr.Store) error {
	v, p := entryOf("k", "versioned", false), entryOf("k", "plain", true)
	if err := errors.Join(
		saveEntries(ctx, s, 1, putEntries(v, p)), saveEntries(ctx, s, 2, putEntries(nextEntry(v), nextEntry(p))),
		// The name of one that was removed is free.
		saveEntries(ctx, s, 3, putEntries(entryOf("k", "gone", false))), saveEntries(ctx, s, 4, withoutEntries(entryOf("k", "gone", false))),
	); err != nil {
		return err
	}
	for _, test := range []struct {
		expect int64
		keys   []string
		remove bool
		why    string
	}{
		{0, []string{"versioned", "plain"}, false, "creates an entry that exists"},
		{1, []string{"versioned", "plain"}, false, "expects an older version"},
		{3, []string{"versioned", "plain"}, false, "expects a version to come"},
		{1, []string{"none", "gone"}, false, "expects an entry that does not exist"},
		{2, []string{"gone"}, false, "goes on after the removal"},
		{0, []string{"versioned", "plain"}, true, "removes an entry as if it did not exist"},
		{1, []string{"versioned", "plain"}, true, "removes an older version"},
		{3, []string{"versioned", "plain"}, true, "removes a version to come"},
		{0, []string{"none", "gone"}, true, "removes an entry that does not exist"},
		{1, []string{"none", "gone"}, true, "removes a version of an entry that does not exist"},
	} {
		for _, key := range test.keys {
			e := entryOf("k", key, key == "plain")
			e.Version = test.expect + 1
			_, err := s.SaveEntries(ctx, []dsr.EntryChange{{ExpectVersion: test.expect, Entry: e, Remove: test.remove}})
			if !errors.Is(err, dsr.ErrConflict) {
				return fmt.Errorf("a change of the entry %q that %s returned %v, want ErrConflict", key, test.why, err)
			}
		}
	}
	for _, remove := range []bool{false, true} {
		for _, e := range []dsr.Entry{v, p} {
			e = nextEntry(nextEntry(e))
			e.Plain = !e.Plain
			if _, err := s.SaveEntries(ctx, []dsr.EntryChange{{ExpectVersion: 2, Entry: e, Remove: remove}}); !errors.Is(err, dsr.ErrConflict) {
				return fmt.Errorf("a change that takes the %s entry for the other sort returned %v, want ErrConflict", e.Key, err)
			}
		}
	}
	return errors.Join(expectEntries(ctx, s, dsr.EntryQuery{}, nextEntry(p), since(2, nextEntry(v))), expectCatalogue(ctx, s, 4))
}

// oneEntryWinner lets many save the same version of an entry, each with one of
// their own in the same list.
func oneEntryWinner(ctx context.Context, s dsr.Store) error {
	const writers, rounds = 16, 3
	catalogue := int64(0)
	for _, plain := range []bool{false, true} {
		kind := fmt.Sprint("plain ", plain)
		var own []dsr.Entry
		for version := range int64(rounds) {
			saved := func(i int) (shared, mine dsr.Entry) {
				shared, mine = entryOf(kind, "shared", plain), entryOf(kind, fmt.Sprintf("%d by writer %02d", version+1, i), plain)
				shared.Version, shared.Data = version+1, []byte(mine.Key)
				return shared, mine
			}
			winner, got, err := race(writers, func(i int) (int64, error) {
				shared, mine := saved(i)
				return s.SaveEntries(ctx, putEntries(mine, shared))
			})
			if err != nil {
				return fmt.Errorf("version %d of the entry %q: %w", version+1, kind, err)
			}
			shared, mine := saved(winner)
			if !plain {
				catalogue++
				shared, mine = since(catalogue, shared), since(catalogue, mine)
			}
			if got != catalogue {
				return fmt.Errorf("the winner got version %d of the catalogue, want %d", got, catalogue)
			}
			own = append(own, mine)
			if err := errors.Join(
				expectEntries(ctx, s, dsr.EntryQuery{Kind: kind}, append(slices.Clone(own), shared)...), expectCatalogue(ctx, s, catalogue),
			); err != nil {
				return err
			}
		}
	}
	return nil
}

// race calls save by many at once, of whom one must win and the others must
// lose with ErrConflict.
func race(writers int, save func(i int) (int64, error)) (winner int, version int64, err error) {
	versions, results := make([]int64, writers), make([]error, writers)
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() { versions[i], results[i] = save(i) })
	}
	group.Wait()
	winner = -1
	for i, err := range results {
		switch {
		case err == nil && winner >= 0:
			return 0, 0, errors.New("two writers won")
		case err == nil:
			winner = i
		case !errors.Is(err, dsr.ErrConflict):
			return 0, 0, fmt.Errorf("a writer that lost got %w, want ErrConflict", err)
		}
	}
	if winner < 0 {
		return 0, 0, errors.New("nobody won")
	}
	return winner, versions[winner], nil
}

// versionsInOrder lets many save entries of their own, and then looks at each
// version.
func versionsInOrder(ctx context.Context, s dsr.Store) error {
	const writers, each = 8, 5
	by := make([]int, writers*each+1) // the writer of each version, from 1
	results := make([]error, writers)
	var mu sync.Mutex
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			e, last := entryOf("k", fmt.Sprint(i), false), int64(0)
			for range each {
				version, err := s.SaveEntries(ctx, putEntries(e, entryOf(fmt.Sprint("plain", i), fmt.Sprint(e.Version), true)))
				switch {
				case err != nil:
					results[i] = fmt.Errorf("save an entry of one's own among others: %w", err)
					return
				case version <= last || version > writers*each:
					results[i] = fmt.Errorf("a save after version %d got version %d of the catalogue, want one above, up to %d", last, version, writers*each)
					return
				}
				last = version
				mu.Lock()
				if by[version] != 0 {
					results[i] = fmt.Errorf("two saves got version %d of the catalogue", version)
				}
				by[version] = i + 1
				mu.Unlock()
				e = nextEntry(e)
			}
		})
	}
	group.Wait()
	if err := errors.Join(results...); err != nil {
		return err
	}
	now := make([]dsr.Entry, writers)
	for version := int64(1); version <= writers*each; version++ {
		e := &now[by[version]-1]
		if e.Version == 0 {
			*e = entryOf("k", fmt.Sprint(by[version]-1), false)
		} else {
			*e = nextEntry(*e)
		}
		e.Since = version
		want := slices.DeleteFunc(slices.Clone(now), func(e dsr.Entry) bool { return e.Version == 0 })
		if err := expectEntries(ctx, s, dsr.EntryQuery{At: version}, want...); err != nil {
			return err
		}
	}
	return errors.Join(expectCatalogue(ctx, s, writers*each), expectEntries(ctx, s, dsr.EntryQuery{Kind: "k"}, now...))
}

// entriesAsTheyWere looks at all versions after each.
func entriesAsTheyWere(ctx context.Context, s dsr.Store) error {
	a, b, p := entryOf("k", "a", false), entryOf("k", "b", false), entryOf("k", "p", true)
	a2, a3, b2 := nextEntry(a), nextEntry(nextEntry(a)), nextEntry(b)
	again := entryOf("k", "a", false)
	again.Data, again.Sealed = []byte("other"), nil
	versions := [][]dsr.Entry{nil} // by number
	for _, step := range []struct {
		changes [][]dsr.EntryChange
		want    []dsr.Entry
	}{
		{[][]dsr.EntryChange{putEntries(a, p)}, []dsr.Entry{since(1, a)}},
		{[][]dsr.EntryChange{putEntries(a2, b)}, []dsr.Entry{since(2, a2), since(2, b)}},
		{[][]dsr.EntryChange{putEntries(a3), withoutEntries(b)}, []dsr.Entry{since(3, a3)}},
		{[][]dsr.EntryChange{withoutEntries(a3, p)}, nil},
		{[][]dsr.EntryChange{putEntries(b, entryOf("k", "p", false))}, []dsr.Entry{since(5, b), since(5, entryOf("k", "p", false))}},
		{[][]dsr.EntryChange{putEntries(again, b2), withoutEntries(entryOf("k", "p", false))}, []dsr.Entry{since(6, again), since(6, b2)}},
		{[][]dsr.EntryChange{putEntries(nextEntry(again))}, []dsr.Entry{since(7, nextEntry(again)), since(6, b2)}},
		{[][]dsr.EntryChange{putEntries(p), withoutEntries(nextEntry(again), b2)}, nil},
	} {
		newest := int64(len(versions))
		if err := saveEntries(ctx, s, newest, step.changes...); err != nil {
			return err
		}
		versions = append(versions, step.want)
		for at := int64(1); at <= newest; at++ {
			if err := expectEntries(ctx, s, dsr.EntryQuery{At: at}, versions[at]...); err != nil {
				return fmt.Errorf("after version %d: %w", newest, err)
			}
		}
	}
	return nil
}

func plainEntries(ctx context.Context, s dsr.Store) error {
	p, q, v := entryOf("k", "p", true), entryOf("k", "q", true), entryOf("k", "v", false)
	for _, step := range []struct {
		changes [][]dsr.EntryChange
		version int64
		plain   []dsr.Entry
	}{
		{[][]dsr.EntryChange{putEntries(p, q)}, 0, []dsr.Entry{p, q}},
		{[][]dsr.EntryChange{putEntries(nextEntry(p), v)}, 1, []dsr.Entry{nextEntry(p), q}},
		{[][]dsr.EntryChange{putEntries(nextEntry(nextEntry(p)))}, 1, []dsr.Entry{nextEntry(nextEntry(p)), q}},
		{[][]dsr.EntryChange{withoutEntries(q)}, 1, []dsr.Entry{nextEntry(nextEntry(p))}},
		{[][]dsr.EntryChange{withoutEntries(nextEntry(nextEntry(p)))}, 1, nil},
		{[][]dsr.EntryChange{putEntries(p)}, 1, []dsr.Entry{p}},
	} {
		if err := saveEntries(ctx, s, step.version, step.changes...); err != nil {
			return err
		}
		now := slices.Clone(step.plain)
		if step.version > 0 {
			now = append(now, since(1, v))
		}
		errs := []error{expectEntries(ctx, s, dsr.EntryQuery{}, now...)}
		for at := int64(1); at <= step.version; at++ {
			errs = append(errs, expectEntries(ctx, s, dsr.EntryQuery{At: at}, since(1, v)))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}
