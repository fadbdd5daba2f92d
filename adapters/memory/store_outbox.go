package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/godsr/dsr"
)

// SaveMessages implements [dsr.Store].
func (s *Store) SaveMessages(ctx context.Context, changes []dsr.MessageChange) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	messages, err := s.changed(changes, "")
	if err != nil {
		return err
	}
	s.messages = messages
	return nil
}

// changed returns the outbox as it is after the changes, which are those of a
// commit of a request unless that is empty.
func (s *Store) changed(changes []dsr.MessageChange, committed string) (map[string]dsr.Message, error) {
	if len(changes) == 0 {
		return s.messages, nil
	}
	next := maps.Clone(s.messages)
	for _, ch := range changes {
		m := copyMessage(ch.Message)
		switch {
		case m.ID == "":
			return nil, fmt.Errorf("memory: a message without an ID cannot be stored")
		case m.Version != ch.ExpectVersion+1:
			return nil, fmt.Errorf("memory: message %q: version %d cannot follow version %d: want %d", m.ID, m.Version, ch.ExpectVersion, ch.ExpectVersion+1)
		case committed != "" && m.RequestID != committed:
			return nil, fmt.Errorf("memory: message %q is of request %q, not of request %q, which is committed", m.ID, m.RequestID, committed)
		case next[m.ID].Version != ch.ExpectVersion || ch.Remove && ch.ExpectVersion == 0:
			return nil, fmt.Errorf("memory: message %q is at version %d, not %d: %w", m.ID, next[m.ID].Version, ch.ExpectVersion, dsr.ErrConflict)
		case !ch.Remove && m.RequestID != "" && committed == "" && s.requests[m.RequestID] == nil:
			return nil, fmt.Errorf("memory: message %q is of request %q, which there is not: %w", m.ID, m.RequestID, dsr.ErrNotFound)
		}
		if ch.Remove {
			delete(next, m.ID)
		} else {
			next[m.ID] = m
		}
	}
	return next, nil
}

// Messages implements [dsr.Store].
func (s *Store) Messages(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []dsr.Message
	for _, m := range s.messages {
		if (q.ID == "" || m.ID == q.ID) && (q.RequestID == "" || m.RequestID == q.RequestID) && (q.Before.IsZero() || m.DueAt.Before(q.Before)) &&
			(q.After == nil || cmp.Or(m.DueAt.Compare(q.After.Time), cmp.Compare(m.ID, q.After.ID)) > 0) {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b dsr.Message) int { return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID)) })
	return copies(page(list, 0, cmp.Or(max(q.Limit, 0), 100)), copyMessage), nil
}

func copyMessage(m dsr.Message) dsr.Message {
	m.DueAt = instant(m.DueAt)
	m.Data, m.Sealed = bytes.Clone(m.Data), bytes.Clone(m.Sealed)
	return m
}
