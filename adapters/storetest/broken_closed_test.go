package storetest_test

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

var methods = []string{
	"Commit", "Request", "Requests", "CountRequests", "Journal", "Events", "AuditEntries", "UnsignedHeads", "SaveCheckpoint", "Checkpoints",
	"SaveMessages", "Messages", "SaveEntries", "Entries", "CatalogueVersion",
}

func brokenClosed() map[string]faults {
	closing := faults{
		"the second Close is an error": func() dsr.Store {
			return &closable{Store: memory.NewStore(), again: func() error { return errClosed }}
		},
		"the second Close panics": func() dsr.Store {
			return &closable{Store: memory.NewStore(), again: func() error { panic("close of closed channel") }}
		},
		"the first Close is an error": func() dsr.Store {
			s := &closable{Store: memory.NewStore(), again: func() error { return errClosed }}
			s.closed.Store(1)
			s.open = "every method"
			return s
		},
		"methods panic": func() dsr.Store { return &closable{Store: memory.NewStore(), panics: true} },
	}
	for _, method := range methods {
		closing[method+" goes on"] = func() dsr.Store { return &closable{Store: memory.NewStore(), open: method} }
	}
	return map[string]faults{"closed": closing}
}

var errClosed = errors.New("closed")

// closable is a store that can be closed. It is honest unless one method is
// open all the same, it panics, or does something else when it is closed again.
type closable struct {
	dsr.Store
	closed atomic.Int32
	open   string
	panics bool
	again  func() error
}

func (c *closable) Close() error {
	if c.closed.Add(1) > 1 && c.again != nil {
		return c.again()
	}
	return nil
}

func (c *closable) over(method string) error {
	switch {
	case c.closed.Load() == 0 || c.open == method || c.open == "every method":
		return nil
	case c.panics:
		panic("nil connection")
	}
	return errClosed
}

func (c *closable) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	if err := c.over("Commit"); err != nil {
		return err
	}
	return c.Store.Commit(ctx, ch)
}

func (c *closable) Request(ctx context.Context, id string) (*dsr.Record, error) {
	if err := c.over("Request"); err != nil {
		return nil, err
	}
	return c.Store.Request(ctx, id)
}

func (c *closable) Requests(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
	if err := c.over("Requests"); err != nil {
		return nil, err
	}
	return c.Store.Requests(ctx, q)
}

func (c *closable) CountRequests(ctx context.Context, q dsr.RecordQuery) (int64, error) {
	if err := c.over("CountRequests"); err != nil {
		return 0, err
	}
	return c.Store.CountRequests(ctx, q)
}

func (c *closable) Journal(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error) {
	if err := c.over("Journal"); err != nil {
		return nil, err
	}
	return c.Store.Journal(ctx, id, after, limit)
}

func (c *closable) Events(ctx context.Context, id string, after int64, limit int) ([]dsr.Event, error) {
	if err := c.over("Events"); err != nil {
		return nil, err
	}
	return c.Store.Events(ctx, id, after, limit)
}

func (c *closable) AuditEntries(ctx context.Context, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
	if err := c.over("AuditEntries"); err != nil {
		return nil, err
	}
	return c.Store.AuditEntries(ctx, id, after, limit)
}

func (c *closable) UnsignedHeads(ctx context.Context, limit int) ([]dsr.AuditHead, error) {
	if err := c.over("UnsignedHeads"); err != nil {
		return nil, err
	}
	return c.Store.UnsignedHeads(ctx, limit)
}

func (c *closable) SaveCheckpoint(ctx context.Context, ch *dsr.Checkpoint) error {
	if err := c.over("SaveCheckpoint"); err != nil {
		return err
	}
	return c.Store.SaveCheckpoint(ctx, ch)
}

func (c *closable) Checkpoints(ctx context.Context, after int64, limit int) ([]dsr.Checkpoint, error) {
	if err := c.over("Checkpoints"); err != nil {
		return nil, err
	}
	return c.Store.Checkpoints(ctx, after, limit)
}

func (c *closable) SaveMessages(ctx context.Context, changes []dsr.MessageChange) error {
	if err := c.over("SaveMessages"); err != nil {
		return err
	}
	return c.Store.SaveMessages(ctx, changes)
}

func (c *closable) Messages(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
	if err := c.over("Messages"); err != nil {
		return nil, err
	}
	return c.Store.Messages(ctx, q)
}

func (c *closable) SaveEntries(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
	if err := c.over("SaveEntries"); err != nil {
		return 0, err
	}
	return c.Store.SaveEntries(ctx, changes)
}

func (c *closable) Entries(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
	if err := c.over("Entries"); err != nil {
		return nil, err
	}
	return c.Store.Entries(ctx, q)
}

func (c *closable) CatalogueVersion(ctx context.Context) (int64, error) {
	if err := c.over("CatalogueVersion"); err != nil {
		return 0, err
	}
	return c.Store.CatalogueVersion(ctx)
}
