package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/godsr/dsr"
)

// closed is kept by stores without a Close method.
func closed(ctx context.Context, s dsr.Store) error {
	closer, ok := s.(io.Closer)
	if !ok {
		return nil
	}
	for _, which := range []string{"first", "second"} {
		if err := calm(closer.Close); err != nil {
			return fmt.Errorf("the %s Close: %w", which, err)
		}
	}
	next := &dsr.StoreChange{ExpectVersion: 1, Record: sample("r1")}
	next.Record.Version = 2
	first := checkpoint(1)
	for _, method := range []struct {
		name string
		call func() error
	}{
		{"Request", func() error { _, err := s.Request(ctx, "r1"); return err }},
		{"Requests", func() error { _, err := s.Requests(ctx, dsr.RecordQuery{}); return err }},
		{"CountRequests", func() error { _, err := s.CountRequests(ctx, dsr.RecordQuery{}); return err }},
		{"Journal", func() error { _, err := s.Journal(ctx, "r1", 0, 0); return err }},
		{"Events", func() error { _, err := s.Events(ctx, "r1", 0, 0); return err }},
		{"AuditEntries", func() error { _, err := s.AuditEntries(ctx, "", dsr.AuditPlace{}, 10); return err }},
		{"UnsignedHeads", func() error { _, err := s.UnsignedHeads(ctx, 10); return err }},
		{"SaveCheckpoint", func() error { return s.SaveCheckpoint(ctx, &first) }},
		{"Checkpoints", func() error { _, err := s.Checkpoints(ctx, 0, 10); return err }},
		{"SaveMessages", func() error { return s.SaveMessages(ctx, put(message("m", ""))) }},
		{"Messages", func() error { _, err := s.Messages(ctx, dsr.MessageQuery{}); return err }},
		{"SaveEntries", func() error { _, err := s.SaveEntries(ctx, putEntries(entryOf("k", "e", false))); return err }},
		{"Entries", func() error { _, err := s.Entries(ctx, dsr.EntryQuery{}); return err }},
		{"CatalogueVersion", func() error { _, err := s.CatalogueVersion(ctx); return err }},
		{"Commit of a new request", func() error { return s.Commit(ctx, &dsr.StoreChange{Record: sample("r2")}) }},
		{"Commit of a change", func() error { return s.Commit(ctx, next) }},
		{"Commit of a removal", func() error { return s.Commit(ctx, removal("r1", 1)) }},
	} {
		switch err := calm(method.call); {
		case err == nil:
			return fmt.Errorf("%s of a closed store returned no error", method.name)
		case errors.Is(err, errPanic):
			return fmt.Errorf("%s of a closed store: %w", method.name, err)
		}
	}
	return nil
}

var errPanic = errors.New("it panicked")

// calm calls a method and returns its panic as an error.
func calm(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return call()
}
