package storetest_test

import (
	"context"
	"fmt"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

// brokenSilent are stores whose errors quote what they were given.
func brokenSilent() map[string]faults {
	return map[string]faults{"nothing personal": {
		"Commit quotes the actor": func() dsr.Store {
			s := memory.NewStore()
			return &fake{Store: s, commit: func(ctx context.Context, ch *dsr.StoreChange) error {
				err := s.Commit(ctx, ch)
				if err != nil && len(ch.Audit) > 0 {
					err = fmt.Errorf("by %s: %w", ch.Audit[0].Actor, err)
				}
				return err
			}}
		},
		"Commit quotes what is sealed": func() dsr.Store {
			s := memory.NewStore()
			return &fake{Store: s, commit: func(ctx context.Context, ch *dsr.StoreChange) error {
				err := s.Commit(ctx, ch)
				if err != nil {
					err = fmt.Errorf("%s: %w", ch.Record.Details, err)
				}
				return err
			}}
		},
		"SaveMessages quotes a message": func() dsr.Store {
			s := memory.NewStore()
			return &fake{Store: s, put: func(ctx context.Context, changes []dsr.MessageChange) error {
				err := s.SaveMessages(ctx, changes)
				if err != nil {
					err = fmt.Errorf("%s: %w", changes[0].Message.Data, err)
				}
				return err
			}}
		},
		"SaveEntries quotes an entry": func() dsr.Store {
			s := memory.NewStore()
			return &fake{Store: s, configure: func(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
				version, err := s.SaveEntries(ctx, changes)
				if err != nil {
					err = fmt.Errorf("%s: %w", changes[0].Entry.Sealed, err)
				}
				return version, err
			}}
		},
		"Requests quotes the query": func() dsr.Store {
			s := memory.NewStore()
			return &fake{Store: s, requests: func(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
				if ctx.Err() != nil {
					return nil, fmt.Errorf("where text = %q: %w", q.Text, ctx.Err())
				}
				return s.Requests(ctx, q)
			}}
		},
	}}
}
