package memory

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/godsr/dsr"
)

// lengthen returns the trail with the entries of the change added.
func lengthen(trail []dsr.AuditEntry, ch *dsr.StoreChange) ([]dsr.AuditEntry, error) {
	for i, entry := range ch.Audit {
		if entry.RequestID != ch.Record.ID {
			return nil, fmt.Errorf("memory: request %q: an audit entry is of request %q", ch.Record.ID, entry.RequestID)
		}
		if want := int64(len(trail) + i + 1); entry.Seq != want {
			return nil, fmt.Errorf("memory: request %q: audit entry %d does not follow those stored: want %d: %w",
				ch.Record.ID, entry.Seq, want, dsr.ErrConflict)
		}
	}
	return append(trail, copies(ch.Audit, copyEntry)...), nil
}

// AuditEntries implements [dsr.Store]. A limit of 0 or less means all entries.
func (s *Store) AuditEntries(ctx context.Context, requestID string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	ids := []string{requestID}
	if requestID == "" {
		ids = slices.Sorted(maps.Keys(s.trails))
	}
	var found []dsr.AuditEntry
	for _, id := range ids {
		switch {
		case id == after.RequestID:
			found = append(found, page(s.trails[id], after.Seq, 0)...)
		case id > after.RequestID:
			found = append(found, s.trails[id]...)
		}
	}
	return copies(page(found, 0, limit), copyEntry), nil
}

// UnsignedHeads implements [dsr.Store]. A limit of 0 or less means all heads.
func (s *Store) UnsignedHeads(ctx context.Context, limit int) ([]dsr.AuditHead, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var heads []dsr.AuditHead
	for _, id := range slices.Sorted(maps.Keys(s.trails)) {
		last := s.trails[id][len(s.trails[id])-1]
		if last.Seq > s.signed[id] {
			heads = append(heads, dsr.AuditHead{RequestID: id, Seq: last.Seq, Hash: bytes.Clone(last.Hash)})
		}
	}
	return page(heads, 0, limit), nil
}

// SaveCheckpoint implements [dsr.Store].
func (s *Store) SaveCheckpoint(ctx context.Context, c *dsr.Checkpoint) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if want := int64(len(s.checkpoints)) + 1; c.Seq != want {
		return fmt.Errorf("memory: checkpoint %d does not follow those stored: want %d: %w", c.Seq, want, dsr.ErrConflict)
	}
	s.checkpoints = append(s.checkpoints, copyCheckpoint(*c))
	for _, head := range c.Heads {
		s.signed[head.RequestID] = max(s.signed[head.RequestID], head.Seq)
	}
	return nil
}

// Checkpoints implements [dsr.Store]. A limit of 0 means all checkpoints.
func (s *Store) Checkpoints(ctx context.Context, after int64, limit int) ([]dsr.Checkpoint, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := page(s.checkpoints, after, limit)
	if limit < 0 {
		found = found[max(len(found)-1, 0):]
	}
	return copies(found, copyCheckpoint), nil
}
