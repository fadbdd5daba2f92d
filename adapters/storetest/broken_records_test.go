package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func brokenRecords() map[string]faults {
	roundTrip := faults{
		"the epoch has 32 bits": altered(func(ch *dsr.StoreChange) { ch.Record.Epoch = int64(int32(ch.Record.Epoch)) }),
		"look-ups are sorted": altered(func(ch *dsr.StoreChange) {
			ch.Record.Lookup = slices.SortedFunc(slices.Values(ch.Record.Lookup), bytes.Compare)
		}),
		"look-ups are a set": altered(func(ch *dsr.StoreChange) {
			if list := ch.Record.Lookup; len(list) == 4 {
				ch.Record.Lookup = list[:3]
			}
		}),
		"a zero time becomes a time": altered(func(ch *dsr.StoreChange) {
			if ch.Record.DueAt.IsZero() {
				ch.Record.DueAt = time.Unix(0, 0)
			}
		}),
		"the first version stays": over(func(s *memory.Store, f *fake) {
			first := map[string]dsr.Record{}
			f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
				if _, ok := first[ch.Record.ID]; !ok {
					first[ch.Record.ID] = ch.Record
				}
				return s.Commit(ctx, ch)
			}
			f.request = func(_ context.Context, id string) (*dsr.Record, error) {
				rec := first[id]
				return &rec, nil
			}
		}),
	}
	times := faults{
		"milliseconds in the log": altered(func(ch *dsr.StoreChange) {
			for i := range ch.Events {
				ch.Events[i].Time = ch.Events[i].Time.Truncate(time.Millisecond)
			}
		}),
		"milliseconds in the audit trail": altered(func(ch *dsr.StoreChange) {
			for i := range ch.Audit {
				ch.Audit[i].Time = ch.Audit[i].Time.Truncate(time.Millisecond)
			}
		}),
		"milliseconds in checkpoints": signed(func(list []dsr.Checkpoint) {
			for i := range list {
				list[i].Time = list[i].Time.Truncate(time.Millisecond)
			}
		}),
		"milliseconds in messages": sent(func(list []dsr.Message) []dsr.Message {
			for i := range list {
				list[i].DueAt = list[i].DueAt.Truncate(time.Millisecond)
			}
			return list
		}),
		"milliseconds in ranges": queried(func(q *dsr.RecordQuery) {
			for field, r := range q.Times {
				q.Times = map[dsr.TimeField]dsr.TimeRange{
					field: {From: r.From.Truncate(time.Millisecond), Before: r.Before.Truncate(time.Millisecond)},
				}
			}
		}),
		"zones are dropped": altered(func(ch *dsr.StoreChange) {
			t := ch.Record.DueAt
			ch.Record.DueAt = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		}),
		"no time before 1970": altered(func(ch *dsr.StoreChange) {
			if t := ch.Record.DueAt; !t.IsZero() && t.Year() < 1970 {
				ch.Record.DueAt = time.Unix(0, 0)
			}
		}),
	}
	for _, field := range fieldsOf[dsr.Record]("ID", "Version") {
		roundTrip["it forgets "+field] = altered(func(ch *dsr.StoreChange) { forget(&ch.Record, field) })
		if _, ok := reflect.ValueOf(dsr.Record{}).FieldByName(field).Interface().(time.Time); ok {
			times["seconds in "+field] = altered(func(ch *dsr.StoreChange) {
				at := reflect.ValueOf(&ch.Record).Elem().FieldByName(field).Addr().Interface().(*time.Time)
				*at = at.Truncate(time.Second)
			})
		}
	}
	times["seconds in entries"] = storing(func(e *dsr.Entry) { e.UpdatedAt = e.UpdatedAt.Truncate(time.Second) })
	times["no time of an entry becomes a time"] = found(func(e *dsr.Entry) {
		if e.UpdatedAt.IsZero() {
			e.UpdatedAt = time.Unix(0, 0)
		}
	})
	return map[string]faults{
		"not found": {
			"no error for a missing request": over(func(s *memory.Store, f *fake) {
				f.request = func(ctx context.Context, id string) (*dsr.Record, error) {
					if rec, err := s.Request(ctx, id); err == nil {
						return rec, nil
					}
					return &dsr.Record{ID: id}, nil
				}
			}),
			"an error of its own": over(func(_ *memory.Store, f *fake) {
				f.request = func(context.Context, string) (*dsr.Record, error) { return nil, errors.New("no rows") }
			}),
			"an error for the journal": over(func(s *memory.Store, f *fake) {
				f.journal = func(ctx context.Context, id string, _, _ int) ([]dsr.JournalChunk, error) {
					_, err := s.Request(ctx, id)
					return nil, err
				}
			}),
			"an error for the log": over(func(s *memory.Store, f *fake) {
				f.events = func(ctx context.Context, id string, _ int64, _ int) ([]dsr.Event, error) {
					_, err := s.Request(ctx, id)
					return nil, err
				}
			}),
			"an error for the messages": over(func(s *memory.Store, f *fake) {
				f.messages = func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
					_, err := s.Request(ctx, q.RequestID)
					return nil, err
				}
			}),
			"an error for the audit trail": over(func(s *memory.Store, f *fake) {
				f.entries = func(ctx context.Context, id string, _ dsr.AuditPlace, _ int) ([]dsr.AuditEntry, error) {
					_, err := s.Request(ctx, id)
					return nil, err
				}
			}),
		},
		"round trip": roundTrip,
		"times":      times,
		"separate":   {"one journal and one log for all": pooled, "a drop is for all": dropping},
	}
}

// pooled makes a store that keeps what hangs on requests as one.
func pooled() dsr.Store {
	s, pool := memory.NewStore(), memory.NewStore()
	version := int64(0)
	return &fake{
		Store: s,
		commit: func(ctx context.Context, ch *dsr.StoreChange) error {
			version++
			shared := copied(ch)
			shared.ExpectVersion, shared.Record = version-1, dsr.Record{ID: "pool", Version: version}
			shared.Audit = nil
			return errors.Join(
				s.Commit(ctx, &dsr.StoreChange{ExpectVersion: ch.ExpectVersion, Record: ch.Record}), pool.Commit(ctx, shared),
			)
		},
		journal: func(ctx context.Context, _ string, after, limit int) ([]dsr.JournalChunk, error) {
			return pool.Journal(ctx, "pool", after, limit)
		},
		events: func(ctx context.Context, _ string, after int64, limit int) ([]dsr.Event, error) {
			return pool.Events(ctx, "pool", after, limit)
		},
	}
}

// dropping makes a store in which dropping one log hides all others.
func dropping() dsr.Store {
	s, dropped := memory.NewStore(), ""
	return &fake{
		Store: s,
		commit: func(ctx context.Context, ch *dsr.StoreChange) error {
			if ch.DropEvents {
				dropped = ch.Record.ID
			}
			return s.Commit(ctx, ch)
		},
		events: func(ctx context.Context, id string, after int64, limit int) ([]dsr.Event, error) {
			if dropped != "" && id != dropped {
				return nil, nil
			}
			return s.Events(ctx, id, after, limit)
		},
	}
}
