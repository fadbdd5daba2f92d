package storetest_test

import (
	"context"
	"errors"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func brokenIDs() map[string]faults {
	return map[string]faults{
		"hostile ids": {
			"case is folded":       renamed(strings.ToLower),
			"spaces are trimmed":   renamed(strings.TrimSpace),
			"long ones are cut":    renamed(func(id string) string { return id[:min(len(id), 255)] }),
			"zero bytes end an ID": renamed(func(id string) string { id, _, _ = strings.Cut(id, "\x00"); return id }),
			"quotes are refused": beside(func(_ *dsr.Record, ch *dsr.StoreChange) error {
				if strings.ContainsAny(ch.Record.ID, "'\"`\\") {
					return errors.New("syntax error")
				}
				return nil
			}),
			"a refused ID leaves its log": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					if strings.Contains(ch.Record.ID, "\x00") {
						return errors.New("a zero byte")
					}
					return s.Commit(ctx, ch)
				}
				f.events = func(ctx context.Context, id string, after int64, limit int) ([]dsr.Event, error) {
					return s.Events(ctx, strings.ReplaceAll(id, "\x00", ""), after, limit)
				}
			}),
			"the journal folds case": over(func(s *memory.Store, f *fake) {
				f.journal = func(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error) {
					return s.Journal(ctx, strings.ToLower(id), after, limit)
				}
			}),
			"the log folds case": over(func(s *memory.Store, f *fake) {
				f.events = func(ctx context.Context, id string, after int64, limit int) ([]dsr.Event, error) {
					return s.Events(ctx, strings.ToLower(id), after, limit)
				}
			}),
			"the audit trail trims spaces": over(func(s *memory.Store, f *fake) {
				f.entries = func(ctx context.Context, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
					return s.AuditEntries(ctx, strings.TrimSpace(id), after, limit)
				}
			}),
			"places in the audit trail fold case": over(func(s *memory.Store, f *fake) {
				f.entries = func(ctx context.Context, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
					after.RequestID = strings.ToUpper(after.RequestID)
					return s.AuditEntries(ctx, id, after, limit)
				}
			}),
			"places in a list fold case": queried(func(q *dsr.RecordQuery) {
				if q.After != nil {
					q.After = &dsr.RecordPlace{Time: q.After.Time, ID: strings.ToUpper(q.After.ID)}
				}
			}),
			"external IDs are cut":      queried(func(q *dsr.RecordQuery) { q.ExternalID = q.ExternalID[:min(len(q.ExternalID), 255)] }),
			"messages fold case":        asked(func(q *dsr.MessageQuery) { q.ID = strings.ToLower(q.ID) }),
			"messages trim the request": asked(func(q *dsr.MessageQuery) { q.RequestID = strings.TrimSpace(q.RequestID) }),
			"requests of messages are no bytes": sent(func(list []dsr.Message) []dsr.Message {
				for i := range list {
					list[i].RequestID = strings.ToValidUTF8(list[i].RequestID, "\ufffd")
				}
				return list
			}),
			"long IDs of messages are refused": beside(func(_ *dsr.Record, ch *dsr.StoreChange) error {
				for _, m := range ch.Messages {
					if len(m.Message.ID) > 255 && len(ch.Record.ID) > 255 {
						return errors.New("value too long")
					}
				}
				return nil
			}),
			"a refused ID leaves its messages": over(func(s *memory.Store, f *fake) {
				f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
					if strings.Contains(ch.Record.ID, "\x00") {
						return errors.New("a zero byte")
					}
					return s.Commit(ctx, ch)
				}
				f.messages = func(ctx context.Context, q dsr.MessageQuery) ([]dsr.Message, error) {
					q.RequestID = strings.ReplaceAll(q.RequestID, "\x00", "")
					return s.Messages(ctx, q)
				}
			}),
			"kinds of entries fold case":  looking(func(q *dsr.EntryQuery) { q.Kind = strings.ToLower(q.Kind) }),
			"keys of entries trim spaces": looking(func(q *dsr.EntryQuery) { q.Key = strings.TrimSpace(q.Key) }),
			"keys of entries are cut":     storing(func(e *dsr.Entry) { e.Key = e.Key[:min(len(e.Key), 255)] }),
			"kinds of entries are no bytes": found(func(e *dsr.Entry) {
				e.Kind = strings.ToValidUTF8(e.Kind, "\ufffd")
			}),
			"places of entries fold case": looking(func(q *dsr.EntryQuery) {
				if q.After != nil {
					q.After = &dsr.EntryPlace{Kind: q.After.Kind, Key: strings.ToUpper(q.After.Key)}
				}
			}),
			"entries are removed by another name": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				for i := range changes {
					if changes[i].Remove {
						changes[i].Entry.Kind = strings.ToLower(changes[i].Entry.Kind)
						changes[i].Entry.Key = strings.ToLower(changes[i].Entry.Key)
					}
				}
				return s.SaveEntries(ctx, changes)
			}),
			"quotes in entries are refused": configuring(func(ctx context.Context, s *memory.Store, changes []dsr.EntryChange) (int64, error) {
				for _, ch := range changes {
					if strings.ContainsAny(ch.Entry.Key, "'\"`\\") {
						return 0, errors.New("syntax error")
					}
				}
				return s.SaveEntries(ctx, changes)
			}),
			"heads fold case": over(func(s *memory.Store, f *fake) {
				f.heads = func(ctx context.Context, limit int) ([]dsr.AuditHead, error) {
					heads, err := s.UnsignedHeads(ctx, limit)
					for i := range heads {
						heads[i].RequestID = strings.ToLower(heads[i].RequestID)
					}
					return heads, err
				}
			}),
			"checkpoints are not bytes": signed(func(list []dsr.Checkpoint) {
				for _, c := range list {
					for i := range c.Heads {
						c.Heads[i].RequestID = strings.ToValidUTF8(c.Heads[i].RequestID, "\ufffd")
					}
				}
			}),
		},
	}
}

// renamed makes a store that takes some IDs for others.
func renamed(rename func(string) string) func() dsr.Store {
	return over(func(s *memory.Store, f *fake) {
		f.commit = func(ctx context.Context, ch *dsr.StoreChange) error {
			c := copied(ch)
			c.Record.ID = rename(c.Record.ID)
			for i := range c.Audit {
				c.Audit[i].RequestID = c.Record.ID
			}
			for i := range c.Messages {
				c.Messages[i].Message.RequestID = c.Record.ID
			}
			return s.Commit(ctx, c)
		}
		f.request = func(ctx context.Context, id string) (*dsr.Record, error) {
			rec, err := s.Request(ctx, rename(id))
			if err == nil {
				rec.ID = id
			}
			return rec, err
		}
		f.journal = func(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error) {
			return s.Journal(ctx, rename(id), after, limit)
		}
		f.events = func(ctx context.Context, id string, after int64, limit int) ([]dsr.Event, error) {
			return s.Events(ctx, rename(id), after, limit)
		}
	})
}
