package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Masterminds/squirrel"
)

// Message is a line of the outbox.
type Message struct {
	ID           string
	Version      int64
	RequestID    string
	DueAt        time.Time
	Data, Sealed []byte
}

// MessageChange saves or removes one message.
type MessageChange struct {
	Expect  int64 // the version that must be stored; 0 for none
	Message Message
	Remove  bool
}

// MessageQuery selects messages. Zero fields select everything.
type MessageQuery struct {
	ID, RequestID string
	Before        time.Time
	After         *Place
	Limit         int // defaults to 100
}

// CheckMessages refuses what no store takes.
func CheckMessages(changes []MessageChange) error {
	for i := range changes {
		ch := &changes[i]
		if ch.Message.ID == "" {
			return errors.New("a message without an ID cannot be stored")
		}
		if ch.Message.Version != ch.Expect+1 {
			return fmt.Errorf("message %q: version %d cannot follow version %d: want %d", ch.Message.ID, ch.Message.Version, ch.Expect, ch.Expect+1)
		}
	}
	return nil
}

// SaveMessages compares and swaps one message after the other. It must be
// called in a transaction.
func (d *Dialect) SaveMessages(ctx context.Context, c Conn, changes []MessageChange) error {
	for i := range changes {
		if err := d.saveMessage(ctx, c, &changes[i]); err != nil {
			return fmt.Errorf("message %q: %w", changes[i].Message.ID, err)
		}
	}
	return nil
}

func (d *Dialect) saveMessage(ctx context.Context, c Conn, ch *MessageChange) error {
	m := &ch.Message
	due, err := d.bound(m.DueAt)
	if err != nil {
		return err
	}
	var request any // NULL for none
	if m.RequestID != "" {
		request = m.RequestID
	}
	expected := squirrel.Expr("id = ? AND version = ?", m.ID, ch.Expect)
	var statement squirrel.Sqlizer
	switch {
	case ch.Remove:
		statement = d.build().Delete(d.Prefix + "messages").Where(expected)
	case ch.Expect == 0:
		statement = d.build().Insert(d.Prefix+"messages").Columns("id", "version", "request_id", "due_at", "data", "sealed").
			Values(m.ID, m.Version, request, due, m.Data, m.Sealed).Suffix("ON CONFLICT DO NOTHING")
	default:
		statement = d.build().Update(d.Prefix+"messages").Set("version", m.Version).Set("request_id", request).
			Set("due_at", due).Set("data", m.Data).Set("sealed", m.Sealed).Where(expected)
	}
	saved, err := exec(ctx, c, statement)
	switch {
	case err != nil && d.Orphan(err):
		return fmt.Errorf("there is no request %q: %w", m.RequestID, d.NotFound)
	case err != nil:
		return err
	case saved != 1:
		return fmt.Errorf("it is not at version %d: %w", ch.Expect, d.Conflict)
	}
	return nil
}

// Messages lists what matches a query by the time it is due, then by ID.
func (d *Dialect) Messages(ctx context.Context, c Conn, q *MessageQuery) ([]Message, error) {
	s := d.build().Select("id", "version", "COALESCE(request_id, '')", "due_at", "data", "sealed").
		From(d.Prefix+"messages").OrderBy("due_at", "id")
	if q.ID != "" {
		s = s.Where(squirrel.Eq{"id": q.ID})
	}
	if q.RequestID != "" {
		s = s.Where(of(q.RequestID))
	}
	if !q.Before.IsZero() {
		before, err := d.bound(q.Before)
		if err != nil {
			return nil, err
		}
		s = s.Where("due_at < ?", before)
	}
	if q.After != nil {
		at, err := d.bound(q.After.Time)
		if err != nil {
			return nil, err
		}
		s = s.Where("(due_at, id) > (?, ?)", at, q.After.ID)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	var list []Message
	err := query(ctx, c, func(scan func(dest ...any) error) error {
		list = append(list, Message{})
		m := &list[len(list)-1]
		return scan(&m.ID, &m.Version, &m.RequestID, d.ScanTime(&m.DueAt), &m.Data, &m.Sealed)
	}, upTo(s, limit))
	return list, err
}
