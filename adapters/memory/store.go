package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/godsr/dsr"
)

// Store is a [dsr.Store] that forgets everything with its process. What it is
// given and what it returns are copies.
type Store struct {
	mu       sync.RWMutex
	requests map[string]*request
}

type request struct {
	record  dsr.Record
	journal []dsr.JournalChunk
	events  []dsr.Event
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{requests: map[string]*request{}}
}

var _ dsr.Store = (*Store)(nil)

// Commit implements [dsr.Store]. A change that drops the journal and appends
// to it replaces it; ticks may mark chunks that the same change appends.
func (s *Store) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	if ch.Record.ID == "" {
		return fmt.Errorf("memory: a request without an ID cannot be stored")
	}
	if ch.Record.Version != ch.ExpectVersion+1 {
		return fmt.Errorf("memory: request %q: version %d cannot follow version %d: want %d",
			ch.Record.ID, ch.Record.Version, ch.ExpectVersion, ch.ExpectVersion+1)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	old := s.requests[ch.Record.ID]
	if old == nil {
		old = &request{}
	}
	if old.record.Version != ch.ExpectVersion {
		return fmt.Errorf("memory: request %q is at version %d, not %d: %w",
			ch.Record.ID, old.record.Version, ch.ExpectVersion, dsr.ErrConflict)
	}

	// Readers hold copies, so the journal and the events may be changed in
	// place, once nothing can go wrong any more.
	journal := old.journal
	if ch.DropJournal {
		journal = nil
	}
	for _, tick := range ch.Ticks {
		if tick.Seq < 1 || tick.Seq > len(journal)+len(ch.AppendJournal) {
			return fmt.Errorf("memory: request %q has no journal chunk %d to mark: %w", ch.Record.ID, tick.Seq, dsr.ErrNotFound)
		}
	}
	for _, chunk := range ch.AppendJournal {
		chunk.Seq = len(journal) + 1
		chunk.Sealed = bytes.Clone(chunk.Sealed)
		journal = append(journal, chunk)
	}
	for _, tick := range ch.Ticks {
		journal[tick.Seq-1].Applied = true
		journal[tick.Seq-1].Counts = tick.Counts
	}
	events := old.events
	for _, event := range ch.Events {
		event.Time = instant(event.Time)
		events = append(events, event)
	}
	s.requests[ch.Record.ID] = &request{record: *copyRecord(&ch.Record), journal: journal, events: events}
	return nil
}

// Request implements [dsr.Store].
func (s *Store) Request(ctx context.Context, id string) (*dsr.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.requests[id]
	if r == nil {
		return nil, fmt.Errorf("memory: request %q: %w", id, dsr.ErrNotFound)
	}
	return copyRecord(&r.record), nil
}

// Requests implements [dsr.Store]: records come by CreatedAt, then by ID.
func (s *Store) Requests(ctx context.Context, f dsr.RequestFilter) ([]*dsr.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 100
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var after *dsr.Record
	if f.After != "" {
		r := s.requests[f.After]
		if r == nil {
			return nil, fmt.Errorf("memory: request %q, after which to list: %w", f.After, dsr.ErrNotFound)
		}
		after = &r.record
	}
	var found []*dsr.Record
	for _, r := range s.requests {
		if selects(&r.record, &f) && (after == nil || compare(&r.record, after) > 0) {
			found = append(found, &r.record)
		}
	}
	slices.SortFunc(found, compare)
	found = found[:min(limit, len(found))]
	for i, r := range found {
		found[i] = copyRecord(r)
	}
	return found, nil
}

// Journal implements [dsr.Store]. A limit of 0 or less means all chunks.
func (s *Store) Journal(ctx context.Context, requestID string, after, limit int) ([]dsr.JournalChunk, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.requests[requestID]
	if r == nil {
		return nil, nil
	}
	// Chunk n stands at index n-1.
	chunks := r.journal[min(max(after, 0), len(r.journal)):]
	if limit > 0 {
		chunks = chunks[:min(limit, len(chunks))]
	}
	chunks = slices.Clone(chunks)
	for i := range chunks {
		chunks[i].Sealed = bytes.Clone(chunks[i].Sealed)
	}
	return chunks, nil
}

// Events implements [dsr.Store].
func (s *Store) Events(ctx context.Context, requestID string) ([]dsr.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.requests[requestID]
	if r == nil {
		return nil, nil
	}
	return slices.Clone(r.events), nil
}

func selects(r *dsr.Record, f *dsr.RequestFilter) bool {
	switch {
	case len(f.Status) > 0 && !slices.Contains(f.Status, r.Status),
		f.ExternalID != "" && r.ExternalID != f.ExternalID,
		!f.DueBefore.IsZero() && (r.DueAt.IsZero() || !r.DueAt.Before(f.DueBefore)):
		return false
	}
	return len(f.Lookup) == 0 || slices.ContainsFunc(r.Lookup, func(hash []byte) bool { return bytes.Equal(hash, f.Lookup) })
}

func compare(a, b *dsr.Record) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}

func copyRecord(r *dsr.Record) *dsr.Record {
	c := *r
	for _, t := range []*time.Time{&c.LeaseUntil, &c.RequestedAt, &c.CreatedAt, &c.UpdatedAt, &c.FinishedAt, &c.DueAt} {
		*t = instant(*t)
	}
	c.Identity = bytes.Clone(c.Identity)
	c.Plan = bytes.Clone(c.Plan)
	c.Outcomes = bytes.Clone(c.Outcomes)
	c.Lookup = slices.Clone(c.Lookup)
	for i := range c.Lookup {
		c.Lookup[i] = bytes.Clone(c.Lookup[i])
	}
	c.Keys = maps.Clone(c.Keys)
	for purpose := range c.Keys {
		c.Keys[purpose] = bytes.Clone(c.Keys[purpose])
	}
	return &c
}

// instant is the time as a durable store returns it: in UTC, without a reading
// of the monotonic clock.
func instant(t time.Time) time.Time { return t.Round(0).UTC() }
