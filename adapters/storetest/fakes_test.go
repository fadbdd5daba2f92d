package storetest_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

// fake is a store in which some methods are replaced.
type fake struct {
	dsr.Store
	commit   func(ctx context.Context, ch *dsr.StoreChange) error
	request  func(ctx context.Context, id string) (*dsr.Record, error)
	requests func(ctx context.Context, f dsr.RequestFilter) ([]*dsr.Record, error)
	journal  func(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error)
	events   func(ctx context.Context, id string) ([]dsr.Event, error)
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

func (f *fake) Requests(ctx context.Context, filter dsr.RequestFilter) ([]*dsr.Record, error) {
	if f.requests != nil {
		return f.requests(ctx, filter)
	}
	return f.Store.Requests(ctx, filter)
}

func (f *fake) Journal(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error) {
	if f.journal != nil {
		return f.journal(ctx, id, after, limit)
	}
	return f.Store.Journal(ctx, id, after, limit)
}

func (f *fake) Events(ctx context.Context, id string) ([]dsr.Event, error) {
	if f.events != nil {
		return f.events(ctx, id)
	}
	return f.Store.Events(ctx, id)
}

// copied copies as much of a change as the fakes alter.
func copied(ch *dsr.StoreChange) *dsr.StoreChange {
	c := *ch
	c.AppendJournal = slices.Clone(ch.AppendJournal)
	c.Ticks = slices.Clone(ch.Ticks)
	c.Events = slices.Clone(ch.Events)
	c.Record.Keys = maps.Clone(ch.Record.Keys)
	return &c
}

// altered makes a store that alters every change before it stores it.
func altered(alter func(ch *dsr.StoreChange)) func() *fake {
	return func() *fake {
		s := memory.NewStore()
		return &fake{Store: s, commit: func(ctx context.Context, ch *dsr.StoreChange) error {
			c := copied(ch)
			alter(c)
			return s.Commit(ctx, c)
		}}
	}
}

// filtered makes a store that alters every filter.
func filtered(alter func(f *dsr.RequestFilter)) func() *fake {
	return func() *fake {
		s := memory.NewStore()
		return &fake{Store: s, requests: func(ctx context.Context, f dsr.RequestFilter) ([]*dsr.Record, error) {
			alter(&f)
			return s.Requests(ctx, f)
		}}
	}
}

// renamed makes a store that takes some IDs for others.
func renamed(rename func(string) string) func() *fake {
	return func() *fake {
		s := memory.NewStore()
		return &fake{
			Store: s,
			commit: func(ctx context.Context, ch *dsr.StoreChange) error {
				c := copied(ch)
				c.Record.ID = rename(c.Record.ID)
				return s.Commit(ctx, c)
			},
			request: func(ctx context.Context, id string) (*dsr.Record, error) {
				r, err := s.Request(ctx, rename(id))
				if err == nil {
					r.ID = id
				}
				return r, err
			},
		}
	}
}

// pooled makes a store that keeps journals and events of all requests as one.
func pooled() *fake {
	s := memory.NewStore()
	ctx := context.Background()
	_ = s.Commit(ctx, &dsr.StoreChange{Record: dsr.Record{ID: "pool", Version: 1}})
	return &fake{
		Store: s,
		commit: func(ctx context.Context, ch *dsr.StoreChange) error {
			pool, err := s.Request(ctx, "pool")
			if err != nil {
				return err
			}
			shared := &dsr.StoreChange{
				ExpectVersion: pool.Version, Record: dsr.Record{ID: "pool", Version: pool.Version + 1},
				AppendJournal: ch.AppendJournal, DropJournal: ch.DropJournal, Ticks: ch.Ticks, Events: ch.Events,
			}
			return errors.Join(s.Commit(ctx, &dsr.StoreChange{ExpectVersion: ch.ExpectVersion, Record: ch.Record}), s.Commit(ctx, shared))
		},
		journal: func(ctx context.Context, _ string, after, limit int) ([]dsr.JournalChunk, error) {
			return s.Journal(ctx, "pool", after, limit)
		},
		events: func(ctx context.Context, _ string) ([]dsr.Event, error) { return s.Events(ctx, "pool") },
	}
}

// racing makes a store that looks at the version and writes in two steps.
func racing() *fake {
	var mu sync.Mutex
	stores := map[string]*memory.Store{} // the newest version of each request
	newest := func(id string) *memory.Store {
		mu.Lock()
		defer mu.Unlock()
		return stores[id]
	}
	gather := make(chan struct{}, 1000)
	return &fake{
		Store: memory.NewStore(),
		commit: func(ctx context.Context, ch *dsr.StoreChange) error {
			var version int64
			if s := newest(ch.Record.ID); s != nil {
				r, err := s.Request(ctx, ch.Record.ID)
				if err != nil {
					return err
				}
				version = r.Version
			}
			if version != ch.ExpectVersion {
				return dsr.ErrConflict
			}
			// Between the two steps a second writer gets its turn.
			gather <- struct{}{}
			for start := time.Now(); len(gather) < 2 && time.Since(start) < time.Second; {
				<-time.After(time.Millisecond)
			}
			s := memory.NewStore()
			c := *ch
			c.ExpectVersion, c.Record.Version = 0, 1
			if err := s.Commit(ctx, &c); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			stores[ch.Record.ID] = s
			return nil
		},
		request: func(ctx context.Context, id string) (*dsr.Record, error) { return newest(id).Request(ctx, id) },
	}
}

// aliasing makes a store that hands out what it keeps.
func aliasing() *fake {
	s := memory.NewStore()
	kept := map[string]*dsr.Record{}
	return &fake{Store: s, request: func(ctx context.Context, id string) (*dsr.Record, error) {
		if kept[id] == nil {
			r, err := s.Request(ctx, id)
			if err != nil {
				return nil, err
			}
			kept[id] = r
		}
		return kept[id], nil
	}}
}
