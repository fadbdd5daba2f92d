package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func brokenAudit() map[string]faults {
	order := faults{
		"by time": trailed(func(list []dsr.AuditEntry) {
			slices.SortStableFunc(list, func(a, b dsr.AuditEntry) int { return a.Time.Compare(b.Time) })
		}),
		"by number": trailed(func(list []dsr.AuditEntry) {
			slices.SortStableFunc(list, func(a, b dsr.AuditEntry) int { return int(a.Seq - b.Seq) })
		}),
		"empty details get lost": trailed(func(list []dsr.AuditEntry) {
			for _, entry := range list {
				delete(entry.Details, "nothing")
			}
		}),
		"the request is ignored": trail(func(ctx context.Context, s *memory.Store, _ string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
			return s.AuditEntries(ctx, "", after, limit)
		}),
		"the place is ignored": trail(func(ctx context.Context, s *memory.Store, id string, _ dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
			return s.AuditEntries(ctx, id, dsr.AuditPlace{}, limit)
		}),
		"the place is ignored within a request": trail(func(ctx context.Context, s *memory.Store, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
			if id != "" {
				after = dsr.AuditPlace{}
			}
			return s.AuditEntries(ctx, id, after, limit)
		}),
		"the place is within": trail(func(ctx context.Context, s *memory.Store, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
			after.Seq--
			return s.AuditEntries(ctx, id, after, limit)
		}),
		"the limit is ignored": trail(func(ctx context.Context, s *memory.Store, id string, after dsr.AuditPlace, _ int) ([]dsr.AuditEntry, error) {
			return s.AuditEntries(ctx, id, after, 0)
		}),
		"request and number are compared alone": trail(func(ctx context.Context, s *memory.Store, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
			list, err := s.AuditEntries(ctx, id, dsr.AuditPlace{RequestID: after.RequestID}, 0)
			list = slices.DeleteFunc(list, func(entry dsr.AuditEntry) bool { return entry.Seq <= after.Seq })
			return list[:min(limit, len(list))], err
		}),
		"a request is a prefix": trail(func(ctx context.Context, s *memory.Store, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
			if id == "b" {
				id = "b1"
			}
			return s.AuditEntries(ctx, id, after, limit)
		}),
	}
	for _, field := range fieldsOf[dsr.AuditEntry]("RequestID", "Seq") {
		order["it forgets "+field] = altered(func(ch *dsr.StoreChange) { forgetAll(ch.Audit, field) })
	}
	checkpoints := faults{
		"any number will do": saving(func(ctx context.Context, s *memory.Store, c *dsr.Checkpoint) error {
			err := s.SaveCheckpoint(ctx, c)
			if errors.Is(err, dsr.ErrConflict) {
				return nil
			}
			return err
		}),
		"a number may be saved again": saving(func(ctx context.Context, s *memory.Store, c *dsr.Checkpoint) error {
			if had, err := s.Checkpoints(ctx, c.Seq-1, 1); err == nil && c.Seq > 0 && len(had) == 1 && had[0].Seq == c.Seq {
				return nil
			}
			return s.SaveCheckpoint(ctx, c)
		}),
		"an error of its own": saving(func(ctx context.Context, s *memory.Store, c *dsr.Checkpoint) error {
			if s.SaveCheckpoint(ctx, c) != nil {
				return errors.New("duplicate key")
			}
			return nil
		}),
		"a refused one signs": over(func(s *memory.Store, f *fake) {
			refused := false
			f.save = func(ctx context.Context, c *dsr.Checkpoint) error {
				err := s.SaveCheckpoint(ctx, c)
				refused = refused || err != nil
				return err
			}
			f.heads = func(ctx context.Context, limit int) ([]dsr.AuditHead, error) {
				if refused {
					return nil, nil
				}
				return s.UnsignedHeads(ctx, limit)
			}
		}),
		"two may win": over(func(s *memory.Store, f *fake) {
			f.save = func(ctx context.Context, c *dsr.Checkpoint) error {
				err := s.SaveCheckpoint(ctx, c)
				if bytes.HasPrefix(c.Signature, []byte("signer")) { // as many do at once
					return nil
				}
				return err
			}
		}),
		"the limit is ignored": reading(func(ctx context.Context, s *memory.Store, after int64, limit int) ([]dsr.Checkpoint, error) {
			return s.Checkpoints(ctx, after, min(limit, 0))
		}),
		"after is within": reading(func(ctx context.Context, s *memory.Store, after int64, limit int) ([]dsr.Checkpoint, error) {
			return s.Checkpoints(ctx, after-1, limit)
		}),
		"the first one for the last": reading(func(ctx context.Context, s *memory.Store, after int64, limit int) ([]dsr.Checkpoint, error) {
			if limit < 0 {
				limit = 1
			}
			return s.Checkpoints(ctx, after, limit)
		}),
		"newest first": signed(func(list []dsr.Checkpoint) { slices.Reverse(list) }),
		"an empty one for none": reading(func(ctx context.Context, s *memory.Store, after int64, limit int) ([]dsr.Checkpoint, error) {
			list, err := s.Checkpoints(ctx, after, limit)
			if limit < 0 && len(list) == 0 {
				list = []dsr.Checkpoint{{}}
			}
			return list, err
		}),
	}
	for _, field := range fieldsOf[dsr.Checkpoint]() {
		checkpoints["it forgets "+field] = signed(func(list []dsr.Checkpoint) { forgetAll(list, field) })
	}
	heads := faults{
		"none is ever signed": over(func(s *memory.Store, f *fake) { f.heads = headsAfter(s, nil) }),
		"the last checkpoint alone counts": over(func(s *memory.Store, f *fake) {
			f.heads = headsAfter(s, func(saved []dsr.Checkpoint) []dsr.Checkpoint { return saved[max(len(saved)-1, 0):] })
		}),
		"a signed chain is signed for ever": over(func(s *memory.Store, f *fake) {
			f.heads = headsAfter(s, func(saved []dsr.Checkpoint) []dsr.Checkpoint {
				for _, c := range saved {
					for i := range c.Heads {
						c.Heads[i].Seq = 1000
					}
				}
				return saved
			})
		}),
		"a checkpoint signs everything": over(func(s *memory.Store, f *fake) {
			f.save = func(ctx context.Context, c *dsr.Checkpoint) error {
				heads, err := s.UnsignedHeads(ctx, 0)
				if err != nil {
					return err
				}
				all := *c
				all.Heads = heads
				return s.SaveCheckpoint(ctx, &all)
			}
		}),
		"the limit is ignored": headed(func(ctx context.Context, s *memory.Store, _ int) ([]dsr.AuditHead, error) {
			return s.UnsignedHeads(ctx, 0)
		}),
		"last first": headed(func(ctx context.Context, s *memory.Store, limit int) ([]dsr.AuditHead, error) {
			list, err := s.UnsignedHeads(ctx, limit)
			slices.Reverse(list)
			return list, err
		}),
		"requests without a trail have one": headed(func(ctx context.Context, s *memory.Store, limit int) ([]dsr.AuditHead, error) {
			list, err := s.UnsignedHeads(ctx, limit)
			if _, err := s.Request(ctx, "without a trail"); err == nil {
				list = append(list, dsr.AuditHead{RequestID: "without a trail"})
			}
			return list, err
		}),
	}
	for _, field := range fieldsOf[dsr.AuditHead]() {
		heads["it forgets "+field] = headed(func(ctx context.Context, s *memory.Store, limit int) ([]dsr.AuditHead, error) {
			list, err := s.UnsignedHeads(ctx, limit)
			forgetAll(list, field)
			return list, err
		})
	}
	return map[string]faults{"audit order": order, "checkpoints": checkpoints, "unsigned heads": heads}
}

// headsAfter lists the heads that are beyond the relevant checkpoints.
func headsAfter(s *memory.Store, relevant func([]dsr.Checkpoint) []dsr.Checkpoint) func(context.Context, int) ([]dsr.AuditHead, error) {
	return func(ctx context.Context, limit int) ([]dsr.AuditHead, error) {
		entries, err1 := s.AuditEntries(ctx, "", dsr.AuditPlace{}, 0)
		saved, err2 := s.Checkpoints(ctx, 0, 0)
		if relevant == nil {
			saved = nil
		} else {
			saved = relevant(saved)
		}
		signed := map[string]int64{}
		for _, c := range saved {
			for _, head := range c.Heads {
				signed[head.RequestID] = head.Seq
			}
		}
		var list []dsr.AuditHead
		for i, entry := range entries {
			last := i == len(entries)-1 || entries[i+1].RequestID != entry.RequestID
			if last && entry.Seq > signed[entry.RequestID] {
				list = append(list, dsr.AuditHead{RequestID: entry.RequestID, Seq: entry.Seq, Hash: entry.Hash})
			}
		}
		return list[:min(limit, len(list))], errors.Join(err1, err2)
	}
}

// trail makes a store that reads audit trails in another way.
func trail(read func(ctx context.Context, s *memory.Store, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error)) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.entries = func(ctx context.Context, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
			return read(ctx, s, id, after, limit)
		}
	})
}

// headed makes a store that reads unsigned heads in another way.
func headed(read func(ctx context.Context, s *memory.Store, limit int) ([]dsr.AuditHead, error)) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.heads = func(ctx context.Context, limit int) ([]dsr.AuditHead, error) { return read(ctx, s, limit) }
	})
}

// saving makes a store that saves checkpoints in another way.
func saving(save func(ctx context.Context, s *memory.Store, c *dsr.Checkpoint) error) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.save = func(ctx context.Context, c *dsr.Checkpoint) error { return save(ctx, s, c) }
	})
}

// reading makes a store that reads checkpoints in another way.
func reading(read func(ctx context.Context, s *memory.Store, after int64, limit int) ([]dsr.Checkpoint, error)) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.checkpoints = func(ctx context.Context, after int64, limit int) ([]dsr.Checkpoint, error) {
			return read(ctx, s, after, limit)
		}
	})
}
