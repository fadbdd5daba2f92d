package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/godsr/dsr"
)

// Store is a [dsr.Store] that forgets everything with its process. What it is
// given and what it returns are copies; times come back in UTC.
type Store struct {
	mu          sync.RWMutex
	requests    map[string]*request
	trails      map[string][]dsr.AuditEntry // by request ID; they outlive it
	signed      map[string]int64            // how long the checkpoints saw each trail
	checkpoints []dsr.Checkpoint
	messages    map[string]dsr.Message // never changed in place
	entries     map[dsr.EntryPlace][]entry
	catalogue   int64 // its version
}

// request is a record and what hangs on it. Chunk and event n stand at index
// n-1.
type request struct {
	record  dsr.Record
	journal []dsr.JournalChunk
	events  []dsr.Event
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{requests: map[string]*request{}, trails: map[string][]dsr.AuditEntry{}, signed: map[string]int64{}, messages: map[string]dsr.Message{}, entries: map[dsr.EntryPlace][]entry{}}
}

var _ dsr.Store = (*Store)(nil)

// Commit implements [dsr.Store]. A change that drops the journal and appends
// to it replaces it; ticks may mark chunks that the same change appends. Audit
// entries must be numbered on from those stored, also after the request was
// removed, else the change is a [dsr.ErrConflict].
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
		if ch.Remove { // it is gone already, whatever version it had
			old.record.Version = ch.ExpectVersion
		}
	}
	if old.record.Version != ch.ExpectVersion {
		return fmt.Errorf("memory: request %q is at version %d, not %d: %w",
			ch.Record.ID, old.record.Version, ch.ExpectVersion, dsr.ErrConflict)
	}
	if old.record.Epoch > ch.Record.Epoch {
		return fmt.Errorf("memory: request %q is leased under epoch %d; the lease of epoch %d is over: %w",
			ch.Record.ID, old.record.Epoch, ch.Record.Epoch, dsr.ErrConflict)
	}
	trail, err := lengthen(s.trails[ch.Record.ID], ch)
	if err != nil {
		return err
	}
	if ch.Remove && len(ch.Messages) > 0 {
		return fmt.Errorf("memory: request %q: a removal cannot change messages: they vanish", ch.Record.ID)
	}
	messages, err := s.changed(ch.Messages, ch.Record.ID)
	if err != nil {
		return err
	}
	if ch.Remove {
		delete(s.requests, ch.Record.ID)
		messages = maps.Clone(messages)
		maps.DeleteFunc(messages, func(_ string, m dsr.Message) bool { return m.RequestID == ch.Record.ID })
	} else {
		next, err := old.change(ch)
		if err != nil {
			return err
		}
		s.requests[ch.Record.ID] = next
	}
	s.messages = messages
	if len(trail) > 0 {
		s.trails[ch.Record.ID] = trail
	}
	return nil
}

// change returns the request as it is after the change. Readers hold copies, so
// the journal and the events may be changed in place, once nothing can go
// wrong any more.
func (r *request) change(ch *dsr.StoreChange) (*request, error) {
	journal, events := r.journal, r.events
	if ch.DropJournal {
		journal = nil
	}
	if ch.DropEvents {
		events = nil
	}
	for _, tick := range ch.Ticks {
		if tick.Seq < 1 || tick.Seq > len(journal)+len(ch.AppendJournal) {
			return nil, fmt.Errorf("memory: request %q has no journal chunk %d to mark: %w", ch.Record.ID, tick.Seq, dsr.ErrNotFound)
		}
	}
	for _, chunk := range ch.AppendJournal {
		chunk = copyChunk(chunk)
		chunk.Seq = len(journal) + 1
		journal = append(journal, chunk)
	}
	for _, tick := range ch.Ticks {
		journal[tick.Seq-1].Applied = true
		journal[tick.Seq-1].Counts = tick.Counts
	}
	for _, event := range ch.Events {
		event = copyEvent(event)
		event.Seq = int64(len(events)) + 1
		events = append(events, event)
	}
	return &request{record: copyRecord(ch.Record), journal: journal, events: events}, nil
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
	rec := copyRecord(r.record)
	return &rec, nil
}

// Journal implements [dsr.Store]. A limit below 0 means all chunks as well.
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
	return copies(page(r.journal, int64(after), limit), copyChunk), nil
}

// Events implements [dsr.Store]. A limit below 0 means all lines as well.
func (s *Store) Events(ctx context.Context, requestID string, after int64, limit int) ([]dsr.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.requests[requestID]
	if r == nil {
		return nil, nil
	}
	return copies(page(r.events, after, limit), copyEvent), nil
}

// page is the part of a list, numbered from 1, that comes after a number.
func page[T any](list []T, after int64, limit int) []T {
	list = list[min(max(after, 0), int64(len(list))):]
	if limit > 0 {
		list = list[:min(limit, len(list))]
	}
	return list
}

// copies returns the list with every element copied.
func copies[T any](list []T, copyOf func(T) T) []T {
	list = slices.Clone(list)
	for i := range list {
		list[i] = copyOf(list[i])
	}
	return list
}
