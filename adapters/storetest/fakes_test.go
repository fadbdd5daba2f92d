package storetest_test

import (
	"context"
	"reflect"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

// faults are stores that a check must find at fault, by what is wrong with
// them.
type faults map[string]func() dsr.Store

// fake is a store in which some methods are replaced.
type fake struct {
	dsr.Store
	commit      func(ctx context.Context, ch *dsr.StoreChange) error
	request     func(ctx context.Context, id string) (*dsr.Record, error)
	requests    func(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error)
	count       func(ctx context.Context, q dsr.RecordQuery) (int64, error)
	journal     func(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error)
	events      func(ctx context.Context, id string, after int64, limit int) ([]dsr.Event, error)
	entries     func(ctx context.Context, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error)
	heads       func(ctx context.Context, limit int) ([]dsr.AuditHead, error)
	save        func(ctx context.Context, c *dsr.Checkpoint) error
	checkpoints func(ctx context.Context, after int64, limit int) ([]dsr.Checkpoint, error)
	put         func(ctx context.Context, changes []dsr.MessageChange) error
	messages    func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error)
	configure   func(ctx context.Context, changes []dsr.EntryChange) (int64, error)
	configured  func(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error)
	catalogue   func(ctx context.Context) (int64, error)
}

func (f *fake) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	if f.commit != nil {
		return f.commit(ctx, ch)
	}
	return f.Store.Commit(ctx, ch)
}

func (f *fake) Request(ctx context.Context, id string) (*dsr.Record, error) {
	if f.request != nil {
		return f.request(ctx, id)
	}
	return f.Store.Request(ctx, id)
}

func (f *fake) Requests(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
	if f.requests != nil {
		return f.requests(ctx, q)
	}
	return f.Store.Requests(ctx, q)
}

func (f *fake) CountRequests(ctx context.Context, q dsr.RecordQuery) (int64, error) {
	if f.count != nil {
		return f.count(ctx, q)
	}
	return f.Store.CountRequests(ctx, q)
}

func (f *fake) Journal(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error) {
	if f.journal != nil {
		return f.journal(ctx, id, after, limit)
	}
	return f.Store.Journal(ctx, id, after, limit)
}

func (f *fake) Events(ctx context.Context, id string, after int64, limit int) ([]dsr.Event, error) {
	if f.events != nil {
		return f.events(ctx, id, after, limit)
	}
	return f.Store.Events(ctx, id, after, limit)
}

func (f *fake) AuditEntries(ctx context.Context, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
	if f.entries != nil {
		return f.entries(ctx, id, after, limit)
	}
	return f.Store.AuditEntries(ctx, id, after, limit)
}

func (f *fake) UnsignedHeads(ctx context.Context, limit int) ([]dsr.AuditHead, error) {
	if f.heads != nil {
		return f.heads(ctx, limit)
	}
	return f.Store.UnsignedHeads(ctx, limit)
}

func (f *fake) SaveCheckpoint(ctx context.Context, c *dsr.Checkpoint) error {
	if f.save != nil {
		return f.save(ctx, c)
	}
	return f.Store.SaveCheckpoint(ctx, c)
}

func (f *fake) Checkpoints(ctx context.Context, after int64, limit int) ([]dsr.Checkpoint, error) {
	if f.checkpoints != nil {
		return f.checkpoints(ctx, after, limit)
	}
	return f.Store.Checkpoints(ctx, after, limit)
}

func (f *fake) SaveMessages(ctx context.Context, changes []dsr.MessageChange) error {
	if f.put != nil {
		return f.put(ctx, changes)
	}
	return f.Store.SaveMessages(ctx, changes)
}

func (f *fake) Messages(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
	if f.messages != nil {
		return f.messages(ctx, q)
	}
	return f.Store.Messages(ctx, q)
}

func (f *fake) SaveEntries(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
	if f.configure != nil {
		return f.configure(ctx, changes)
	}
	return f.Store.SaveEntries(ctx, changes)
}

func (f *fake) Entries(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
	if f.configured != nil {
		return f.configured(ctx, q)
	}
	return f.Store.Entries(ctx, q)
}

func (f *fake) CatalogueVersion(ctx context.Context) (int64, error) {
	if f.catalogue != nil {
		return f.catalogue(ctx)
	}
	return f.Store.CatalogueVersion(ctx)
}

// over makes a store that is a memory store but for what replace replaces.
func over(replace func(s *memory.Store, f *fake)) func() dsr.Store {
	return func() dsr.Store {
		s := memory.NewStore()
		f := &fake{Store: s}
		replace(s, f)
		return f
	}
}

// altered makes a store that alters every change before it stores it.
func altered(alter func(ch *dsr.StoreChange)) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
			c := copied(ch)
			alter(c)
			return s.Commit(ctx, c)
		}
	})
}

// beside makes a store that looks at the stored record (nil if there is none)
// and the change, which it may alter, and may refuse it.
func beside(look func(old *dsr.Record, ch *dsr.StoreChange) error) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
			old, err := s.Request(context.WithoutCancel(ctx), ch.Record.ID)
			if err != nil {
				old = nil
			}
			c := copied(ch)
			if err := look(old, c); err != nil {
				return err
			}
			return s.Commit(ctx, c)
		}
	})
}

// queried makes a store that alters every query for a list.
func queried(alter func(q *dsr.RecordQuery)) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.requests = func(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
			alter(&q)
			return s.Requests(ctx, q)
		}
	})
}

// trailed makes a store that alters every list of audit entries.
func trailed(alter func(list []dsr.AuditEntry)) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.entries = func(ctx context.Context, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
			list, err := s.AuditEntries(ctx, id, after, limit)
			alter(list)
			return list, err
		}
	})
}

// signed makes a store that alters every list of checkpoints.
func signed(alter func(list []dsr.Checkpoint)) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.checkpoints = func(ctx context.Context, after int64, limit int) ([]dsr.Checkpoint, error) {
			list, err := s.Checkpoints(ctx, after, limit)
			alter(list)
			return list, err
		}
	})
}

// putting makes a store that saves messages in another way.
func putting(put func(ctx context.Context, s *memory.Store, changes []dsr.MessageChange) error) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.put = func(ctx context.Context, changes []dsr.MessageChange) error {
			return put(ctx, s, slices.Clone(changes))
		}
	})
}

// sent makes a store that alters every list of messages.
func sent(alter func(list []dsr.Message) []dsr.Message) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.messages = func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
			list, err := s.Messages(ctx, q)
			return alter(list), err
		}
	})
}

// asked makes a store that alters every query for messages.
func asked(alter func(q *dsr.MessageQuery)) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.messages = func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
			alter(&q)
			return s.Messages(ctx, q)
		}
	})
}

// copied copies as much of a change as the fakes alter.
func copied(ch *dsr.StoreChange) *dsr.StoreChange {
	c := *ch
	c.AppendJournal = slices.Clone(ch.AppendJournal)
	c.Ticks = slices.Clone(ch.Ticks)
	c.Events = slices.Clone(ch.Events)
	c.Audit = slices.Clone(ch.Audit)
	c.Messages = slices.Clone(ch.Messages)
	c.Record.Keys = map[string][]byte{}
	for purpose, key := range ch.Record.Keys {
		c.Record.Keys[purpose] = key
	}
	return &c
}

// fieldsOf returns the names of a type's fields.
func fieldsOf[T any](except ...string) []string {
	var names []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if !slices.Contains(except, field.Name) {
			names = append(names, field.Name)
		}
	}
	return names
}

// forget sets a field of a value to zero.
func forget[T any](value *T, field string) {
	reflect.ValueOf(value).Elem().FieldByName(field).SetZero()
}

// forgetAll does so in a list.
func forgetAll[T any](list []T, field string) {
	for i := range list {
		forget(&list[i], field)
	}
}

// keep sets a field of a value to that of another.
func keep[T any](value, old *T, field string) {
	reflect.ValueOf(value).Elem().FieldByName(field).Set(reflect.ValueOf(old).Elem().FieldByName(field))
}
