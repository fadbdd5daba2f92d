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
	RequestID    string // empty for one that is no request's
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
	Limit         int // defaults to 100
}

// check refuses what no store takes. committed is the request whose change it is
// part of, or empty.
func (ch *MessageChange) check(committed string) error {
	m := &ch.Message
	switch {
	case m.ID == "":
		return errors.New("a message without an ID cannot be stored")
	case m.Version != ch.Expect+1:
		return fmt.Errorf("message %q: version %d cannot follow version %d: want %d", m.ID, m.Version, ch.Expect, ch.Expect+1)
	case committed != "" && m.RequestID != committed:
		return fmt.Errorf("message %q is of request %q, not of request %q, which is committed", m.ID, m.RequestID, committed)
	}
	return nil
}

// CheckMessages refuses what no store takes.
func CheckMessages(changes []MessageChange) error {
	for i := range changes {
		if err := changes[i].check(""); err != nil {
			return err
		}
	}
	return nil
}

// SaveMessages changes the outbox. It must be called in a transaction.
func (d *Dialect) SaveMessages(ctx context.Context, c Conn, changes []MessageChange) error {
	for i := range changes {
		if err := d.saveMessage(ctx, c, &changes[i]); err != nil {
			return fmt.Errorf("message %q: %w", changes[i].Message.ID, err)
		}
	}
	return nil
}

func (d *Dialect) saveMessage(ctx context.Context, c Conn, ch *MessageChange) error {
	m, table := &ch.Message, d.Prefix+"messages"
	at := squirrel.Eq{"id": m.ID, "version": ch.Expect}
	var statement squirrel.Sqlizer
	switch {
	case ch.Remove && ch.Expect == 0: // it must not be there
		return query(ctx, c, func(func(dest ...any) error) error { return d.staleMessage(ch) },
			d.build().Select("version").From(table).Where(squirrel.Eq{"id": m.ID}))
	case ch.Remove:
		statement = d.build().Delete(table).Where(at)
	default:
		due, err := d.EncodeTime(m.DueAt)
		if err != nil {
			return err
		}
		var request any // NULL is no request
		if m.RequestID != "" {
			request = m.RequestID
		}
		if ch.Expect == 0 {
			if err := d.requestOf(ctx, c, m); err != nil {
				return err
			}
			statement = d.build().Insert(table).Columns("id", "version", "request_id", "due_at", "data", "sealed").
				Values(m.ID, m.Version, request, due, m.Data, m.Sealed).Suffix("ON CONFLICT DO NOTHING")
		} else {
			statement = d.build().Update(table).Set("version", m.Version).Set("request_id", request).Set("due_at", due).
				Set("data", m.Data).Set("sealed", m.Sealed).Where(at)
		}
	}
	changed, err := exec(ctx, c, statement)
	if err != nil {
		return err
	}
	if changed != 1 {
		return d.staleMessage(ch)
	}
	return nil
}

// requestOf makes sure that the request of a message is there.
func (d *Dialect) requestOf(ctx context.Context, c Conn, m *Message) error {
	if m.RequestID == "" {
		return nil
	}
	found := false
	err := query(ctx, c, func(func(dest ...any) error) error { found = true; return nil },
		d.build().Select("1").From(d.Prefix+"requests").Where(squirrel.Eq{"id": m.RequestID}))
	if err == nil && !found {
		return fmt.Errorf("its request %q is not there: %w", m.RequestID, d.NotFound)
	}
	return err
}

func (d *Dialect) staleMessage(ch *MessageChange) error {
	return fmt.Errorf("it is not at version %d: %w", ch.Expect, d.Conflict)
}

// Messages returns the messages that match, by their time and then by their ID.
func (d *Dialect) Messages(ctx context.Context, c Conn, q *MessageQuery) ([]Message, error) {
	where := squirrel.And{}
	if q.ID != "" {
		where = append(where, squirrel.Eq{"id": q.ID})
	}
	if q.RequestID != "" {
		where = append(where, squirrel.Eq{"request_id": q.RequestID})
	}
	if !q.Before.IsZero() {
		before, err := d.bound(q.Before)
		if err != nil {
			return nil, err
		}
		where = append(where, squirrel.Lt{"due_at": before})
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	statement := d.build().Select("id", "version", "COALESCE(request_id, '')", "due_at", "data", "sealed").From(d.Prefix+"messages").
		OrderBy("due_at", "id").Limit(uint64(limit))
	if len(where) > 0 {
		statement = statement.Where(where)
	}
	var list []Message
	err := query(ctx, c, func(scan func(dest ...any) error) error {
		var m Message
		err := scan(&m.ID, &m.Version, &m.RequestID, d.ScanTime(&m.DueAt), &m.Data, &m.Sealed)
		list = append(list, m)
		return err
	}, statement)
	return list, err
}
