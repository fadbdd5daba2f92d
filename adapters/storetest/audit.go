package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/godsr/dsr"
)

// audited lengthens the trails of requests, which it makes as they come.
func audited(ctx context.Context, s dsr.Store, ids ...string) error {
	made := map[string]*dsr.StoreChange{}
	for _, id := range ids {
		ch := &dsr.StoreChange{Record: sample(id)}
		if last := made[id]; last != nil {
			ch = &dsr.StoreChange{ExpectVersion: last.Record.Version, Record: last.Record}
			ch.Record.Version++
		}
		lengthen(ch, 2)
		if err := s.Commit(ctx, ch); err != nil {
			return fmt.Errorf("lengthen the audit trail of request %q: %w", id, err)
		}
		made[id] = ch
	}
	return nil
}

func auditOrder(ctx context.Context, s dsr.Store) error {
	if err := audited(ctx, s, "b1", "a1", "b1", "c1", "a2", "a1", "b1"); err != nil {
		return err
	}
	all := slices.Concat(trail("a1", 1, 4), trail("a2", 1, 2), trail("b1", 1, 6), trail("c1", 1, 2))
	for _, test := range []struct {
		request string
		after   dsr.AuditPlace
		limit   int
		want    []dsr.AuditEntry
	}{
		{"", dsr.AuditPlace{}, 100, all},
		{"", dsr.AuditPlace{}, 5, all[:5]},
		{"", dsr.AuditPlace{RequestID: "a1", Seq: 3}, 2, all[3:5]},
		{"", dsr.AuditPlace{RequestID: "a1", Seq: 4}, 100, all[4:]},
		{"", dsr.AuditPlace{RequestID: "a2", Seq: 9}, 3, all[6:9]},
		{"", dsr.AuditPlace{RequestID: "c1", Seq: 2}, 100, nil},
		{"a1", dsr.AuditPlace{}, 100, all[:4]},
		{"b1", dsr.AuditPlace{}, 2, all[6:8]},
		{"b1", dsr.AuditPlace{RequestID: "b1", Seq: 2}, 3, all[8:11]},
		{"b1", dsr.AuditPlace{RequestID: "b1", Seq: 6}, 3, nil},
		{"b", dsr.AuditPlace{}, 100, nil},
	} {
		got, err := s.AuditEntries(ctx, test.request, test.after, test.limit)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("audit trail of request %q after %+v, limit %d", test.request, test.after, test.limit)
		if err := diff(what, got, test.want); err != nil {
			return err
		}
	}
	// Nil and empty are alike.
	least := []dsr.AuditEntry{
		{RequestID: "least", Seq: 1},
		{RequestID: "least", Seq: 2, Details: map[string]string{}, Prev: []byte{}, Hash: []byte{}, MAC: []byte{}},
	}
	if err := s.Commit(ctx, &dsr.StoreChange{Record: dsr.Record{ID: "least", Version: 1, AuditSeq: 2}, Audit: least}); err != nil {
		return err
	}
	return expectAudit(ctx, s, "least", least)
}

func unsignedHeads(ctx context.Context, s dsr.Store) error {
	if err := expectHeads(ctx, s); err != nil {
		return err
	}
	if err := create(ctx, s, sample("without a trail")); err != nil {
		return err
	}
	if err := audited(ctx, s, "b1", "a1", "c1", "b1"); err != nil {
		return err
	}
	want := []dsr.AuditHead{head("a1", 2), head("b1", 4), head("c1", 2)}
	if err := expectHeads(ctx, s, want...); err != nil {
		return err
	}
	two, err := s.UnsignedHeads(ctx, 2)
	if err := errors.Join(err, diff("unsigned heads, limit 2", two, want[:2])); err != nil {
		return err
	}
	longer := func(id string) error {
		return update(ctx, s, id, func(ch *dsr.StoreChange) { lengthen(ch, 1) })
	}
	for _, step := range []struct {
		grow []string
		sign []dsr.AuditHead
		left []dsr.AuditHead
	}{
		// b1 was longer already than the checkpoint saw it.
		{nil, []dsr.AuditHead{head("a1", 2), head("b1", 2)}, []dsr.AuditHead{head("b1", 4), head("c1", 2)}},
		{nil, []dsr.AuditHead{head("b1", 4), head("c1", 2)}, nil},
		// What an earlier checkpoint holds needs no other.
		{[]string{"c1", "a1"}, []dsr.AuditHead{head("a1", 3)}, []dsr.AuditHead{head("c1", 3)}},
		{[]string{"a1"}, nil, []dsr.AuditHead{head("a1", 4), head("c1", 3)}},
	} {
		for _, id := range step.grow {
			if err := longer(id); err != nil {
				return err
			}
		}
		last, err := s.Checkpoints(ctx, 0, -1)
		if err != nil {
			return err
		}
		c := checkpoint(1, step.sign...)
		for _, l := range last {
			c = checkpoint(l.Seq+1, step.sign...)
		}
		if err := s.SaveCheckpoint(ctx, &c); err != nil {
			return err
		}
		if err := expectHeads(ctx, s, step.left...); err != nil {
			return fmt.Errorf("after checkpoint %d: %w", c.Seq, err)
		}
	}
	return nil
}

func checkpoints(ctx context.Context, s dsr.Store) error {
	if err := audited(ctx, s, "a1", "b1"); err != nil {
		return err
	}
	last, err := s.Checkpoints(ctx, 0, -1)
	if err := errors.Join(err, diff("the last checkpoint of none", last, nil), expectCheckpoints(ctx, s)); err != nil {
		return err
	}
	heads := []dsr.AuditHead{head("a1", 2), head("b1", 2)}
	refuse := func(seqs ...int64) error {
		for _, seq := range seqs {
			c := checkpoint(seq, heads...)
			if err := s.SaveCheckpoint(ctx, &c); !errors.Is(err, dsr.ErrConflict) {
				return fmt.Errorf("checkpoint %d was saved with %v, want ErrConflict", seq, err)
			}
		}
		return nil
	}
	if err := errors.Join(refuse(0, 2, -1), expectHeads(ctx, s, heads...)); err != nil {
		return err
	}
	want := []dsr.Checkpoint{checkpoint(1, heads[0]), checkpoint(2), checkpoint(3, head("b1", 1)), {Seq: 4, Heads: []dsr.AuditHead{}}}
	for _, c := range want {
		if err := s.SaveCheckpoint(ctx, &c); err != nil {
			return err
		}
		if err := refuse(c.Seq, c.Seq-1, c.Seq+2); err != nil {
			return err
		}
	}
	if err := expectHeads(ctx, s, heads[1]); err != nil {
		return err
	}
	for _, test := range []struct {
		after    int64
		limit    int
		from, to int
	}{{0, 100, 0, 4}, {0, 1, 0, 1}, {1, 2, 1, 3}, {3, 5, 3, 4}, {4, 5, 4, 4}, {0, -1, 3, 4}} {
		got, err := s.Checkpoints(ctx, test.after, test.limit)
		what := fmt.Sprintf("checkpoints after %d, limit %d", test.after, test.limit)
		if err := errors.Join(err, diff(what, got, want[test.from:test.to])); err != nil {
			return err
		}
	}
	return oneSigner(ctx, s, 5)
}

// oneSigner lets many save the checkpoint of one number.
func oneSigner(ctx context.Context, s dsr.Store, seq int64) error {
	results := make([]error, 20)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() {
			c := checkpoint(seq)
			c.Signature = fmt.Append(nil, "signer ", i)
			results[i] = s.SaveCheckpoint(ctx, &c)
		})
	}
	group.Wait()
	var signers []string
	for i, err := range results {
		switch {
		case err == nil:
			signers = append(signers, fmt.Sprint("signer ", i))
		case !errors.Is(err, dsr.ErrConflict):
			return fmt.Errorf("a signer that lost got %w, want ErrConflict", err)
		}
	}
	saved, err := s.Checkpoints(ctx, seq-1, 100)
	if err != nil {
		return err
	}
	if len(signers) != 1 || len(saved) != 1 || string(saved[0].Signature) != signers[0] {
		return fmt.Errorf("checkpoint %d was saved by %q and %d are stored, want one", seq, signers, len(saved))
	}
	return nil
}
