package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/godsr/dsr"
)

func shredded(ctx context.Context, s dsr.Store) error {
	for _, keys := range []map[string][]byte{
		{"journal": []byte("key r1")},
		{"journal": []byte("wrapped anew"), "spool": []byte("s")},
		{},
	} {
		want := sample("r1")
		want.Keys = keys
		if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) {
			want.Version = ch.Record.Version
			ch.Record.Keys = maps.Clone(keys)
			for purpose := range keys {
				ch.Record.Keys[purpose] = bytes.Clone(keys[purpose])
			}
		}); err != nil {
			return err
		}
		if err := expect(ctx, s, want); err != nil {
			return err
		}
	}
	return nil
}

func removed(ctx context.Context, s dsr.Store) error {
	shared := []byte("shared hash")
	full := func(id string) *dsr.StoreChange {
		ch := &dsr.StoreChange{Record: sample(id), AppendJournal: chunks(3), Events: events(3)}
		ch.Record.Lookup = append(ch.Record.Lookup, shared)
		lengthen(ch, 2)
		return ch
	}
	for _, id := range []string{"r1", "r10"} {
		if err := s.Commit(ctx, full(id)); err != nil {
			return err
		}
	}
	if err := s.Commit(ctx, removal("r1", 1, entry("r1", 3))); err != nil {
		return err
	}
	left := func() error {
		return errors.Join(
			expect(ctx, s, full("r10").Record), expectJournal(ctx, s, "r10", chunks(3)),
			expectEvents(ctx, s, "r10", events(3)), expectAudit(ctx, s, "r10", trail("r10", 1, 2)),
		)
	}
	if err := errors.Join(
		expectGone(ctx, s, "r1"), expectAudit(ctx, s, "r1", trail("r1", 1, 3)),
		expectHeads(ctx, s, head("r1", 3), head("r10", 2)), left(),
	); err != nil {
		return err
	}
	for _, q := range []dsr.RecordQuery{{Deleted: true}, {Lookup: [][]byte{shared, sample("r1").Lookup[0]}}} {
		ids, err := listed(ctx, s, q)
		if err != nil {
			return err
		}
		if len(ids) != 1 || ids[0] != "r10" {
			return fmt.Errorf("after a removal requests %q are listed, want those that are left: r10", ids)
		}
		if n, err := s.CountRequests(ctx, q); err != nil || n != 1 {
			return errors.Join(err, fmt.Errorf("after a removal %d requests are counted, want 1", n))
		}
	}
	second := sample("r1")
	second.Version = 2
	if err := s.Commit(ctx, &dsr.StoreChange{ExpectVersion: 1, Record: second}); !errors.Is(err, dsr.ErrConflict) {
		return fmt.Errorf("a change of a request that was removed returned %v, want ErrConflict", err)
	}
	// What is made under its ID later starts afresh, but for the trail.
	again := dsr.Record{ID: "r1", Version: 1}
	ch := &dsr.StoreChange{Record: again, AppendJournal: chunks(1), Events: events(1), Audit: trail("r1", 4, 4)}
	ch.Record.AuditSeq, ch.Record.AuditHash = 4, head("r1", 4).Hash
	if err := s.Commit(ctx, ch); err != nil {
		return fmt.Errorf("make a request again that was removed: %w", err)
	}
	return errors.Join(
		expect(ctx, s, ch.Record), expectJournal(ctx, s, "r1", chunks(1)), expectEvents(ctx, s, "r1", events(1)),
		expectAudit(ctx, s, "r1", trail("r1", 1, 4)), left(),
	)
}

func removedTwice(ctx context.Context, s dsr.Store) error {
	for _, ch := range []*dsr.StoreChange{
		removal("r1", 1),
		removal("r1", 1),
		removal("r1", 2), // nothing is there that could have another version
		removal("r1", 0, entry("r1", 1)),
		removal("never", 0),
		removal("never", 7),
	} {
		if err := s.Commit(ctx, ch); err != nil {
			return fmt.Errorf("remove version %d of request %q: %w", ch.ExpectVersion, ch.Record.ID, err)
		}
		if err := expectGone(ctx, s, ch.Record.ID); err != nil {
			return err
		}
	}
	return errors.Join(
		expectAudit(ctx, s, "r1", trail("r1", 1, 1)), expectAudit(ctx, s, "never", nil), expect(ctx, s, sample("r2")),
	)
}
