package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/storetest"
)

// broken lists, for every check, stores that it must find at fault.
var broken = map[string]map[string]func() *fake{
	"not found": {
		"no error for a missing request": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, request: func(ctx context.Context, id string) (*dsr.Record, error) {
				r, err := s.Request(ctx, id)
				if err != nil {
					return &dsr.Record{ID: id}, nil
				}
				return r, nil
			}}
		},
		"an error of its own": func() *fake {
			return &fake{Store: memory.NewStore(), request: func(context.Context, string) (*dsr.Record, error) {
				return nil, errors.New("no rows")
			}}
		},
		"an error for the journal": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, journal: func(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error) {
				if _, err := s.Request(ctx, id); err != nil {
					return nil, err
				}
				return s.Journal(ctx, id, after, limit)
			}}
		},
	},
	"round trip": {
		"the failure is forgotten": altered(func(ch *dsr.StoreChange) { ch.Record.Failure = "" }),
		"the epoch has 32 bits":    altered(func(ch *dsr.StoreChange) { ch.Record.Epoch = int64(int32(ch.Record.Epoch)) }),
		"look-ups are sorted": altered(func(ch *dsr.StoreChange) {
			ch.Record.Lookup = slices.SortedFunc(slices.Values(ch.Record.Lookup), bytes.Compare)
		}),
		"a zero time becomes a time": altered(func(ch *dsr.StoreChange) {
			if ch.Record.DueAt.IsZero() {
				ch.Record.DueAt = time.Unix(0, 0)
			}
		}),
	},
	"conflict": {
		"an update may create": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, commit: func(ctx context.Context, ch *dsr.StoreChange) error {
				c := copied(ch)
				if _, err := s.Request(ctx, ch.Record.ID); err != nil {
					c.ExpectVersion, c.Record.Version = 0, 1
				}
				return s.Commit(ctx, c)
			}}
		},
		"the last one wins": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, commit: func(ctx context.Context, ch *dsr.StoreChange) error {
				c := copied(ch)
				if r, err := s.Request(ctx, ch.Record.ID); err == nil {
					c.ExpectVersion, c.Record.Version = r.Version, r.Version+1
				}
				return s.Commit(ctx, c)
			}}
		},
		"an error of its own": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, commit: func(ctx context.Context, ch *dsr.StoreChange) error {
				if s.Commit(ctx, ch) != nil {
					return errors.New("duplicate key")
				}
				return nil
			}}
		},
	},
	"atomic": {
		"the record goes first": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, commit: func(ctx context.Context, ch *dsr.StoreChange) error {
				c := copied(ch)
				c.Ticks = nil
				if err := s.Commit(ctx, c); err != nil {
					return err
				}
				for _, tick := range ch.Ticks {
					if tick.Seq < 1 || tick.Seq > 5 {
						return dsr.ErrNotFound
					}
				}
				return nil
			}}
		},
		"ticks without a chunk are dropped": altered(func(ch *dsr.StoreChange) {
			ch.Ticks = slices.DeleteFunc(ch.Ticks, func(tick dsr.Tick) bool { return tick.Seq < 1 || tick.Seq > 5 })
		}),
	},
	"one winner": {"looks, then writes": racing},
	"canceled": {
		"the context is not looked at": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, commit: func(ctx context.Context, ch *dsr.StoreChange) error {
				return s.Commit(context.WithoutCancel(ctx), ch)
			}}
		},
		"it is looked at too late": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, commit: func(ctx context.Context, ch *dsr.StoreChange) error {
				return errors.Join(s.Commit(context.WithoutCancel(ctx), ch), ctx.Err())
			}}
		},
	},
	"hostile ids": {
		"case is folded":       renamed(strings.ToLower),
		"spaces are trimmed":   renamed(strings.TrimSpace),
		"long ones are cut":    renamed(func(id string) string { return id[:min(len(id), 255)] }),
		"zero bytes end an ID": renamed(func(id string) string { id, _, _ = strings.Cut(id, "\x00"); return id }),
		"quotes are refused": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, commit: func(ctx context.Context, ch *dsr.StoreChange) error {
				if strings.ContainsAny(ch.Record.ID, "'\"`\\") {
					return errors.New("syntax error")
				}
				return s.Commit(ctx, ch)
			}}
		},
	},
	"separate": {"one journal for all": pooled},
	"times": {
		"seconds": altered(func(ch *dsr.StoreChange) { ch.Record.UpdatedAt = ch.Record.UpdatedAt.Truncate(time.Second) }),
		"milliseconds in the log": altered(func(ch *dsr.StoreChange) {
			for i := range ch.Events {
				ch.Events[i].Time = ch.Events[i].Time.Truncate(time.Millisecond)
			}
		}),
		"zones are dropped": altered(func(ch *dsr.StoreChange) {
			t := ch.Record.DueAt
			ch.Record.DueAt = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		}),
	},
	"shredded": {
		"keys are merged": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, commit: func(ctx context.Context, ch *dsr.StoreChange) error {
				c := copied(ch)
				if old, err := s.Request(ctx, ch.Record.ID); err == nil {
					for purpose, key := range old.Keys {
						if _, ok := c.Record.Keys[purpose]; !ok && c.Record.Keys != nil {
							c.Record.Keys[purpose] = key
						}
					}
				}
				return s.Commit(ctx, c)
			}}
		},
	},
	"filters": {
		"no status":      filtered(func(f *dsr.RequestFilter) { f.Status = nil }),
		"one status":     filtered(func(f *dsr.RequestFilter) { f.Status = f.Status[:min(1, len(f.Status))] }),
		"no external ID": filtered(func(f *dsr.RequestFilter) { f.ExternalID = "" }),
		"no look-up":     filtered(func(f *dsr.RequestFilter) { f.Lookup = nil }),
		"no due time":    filtered(func(f *dsr.RequestFilter) { f.DueBefore = time.Time{} }),
		"due until":      filtered(func(f *dsr.RequestFilter) { f.DueBefore = nonzero(f.DueBefore, time.Microsecond) }),
		"no cursor":      filtered(func(f *dsr.RequestFilter) { f.After = "" }),
		"patterns": filtered(func(f *dsr.RequestFilter) {
			if strings.HasSuffix(f.ExternalID, "%") {
				f.ExternalID = ""
			}
		}),
		"lists are without keys": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, requests: func(ctx context.Context, f dsr.RequestFilter) ([]*dsr.Record, error) {
				list, err := s.Requests(ctx, f)
				for _, r := range list {
					r.Lookup = nil
				}
				return list, err
			}}
		},
	},
	"pages": {
		"by ID only": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, requests: func(ctx context.Context, f dsr.RequestFilter) ([]*dsr.Record, error) {
				list, err := s.Requests(ctx, dsr.RequestFilter{Limit: 1000})
				slices.SortFunc(list, func(a, b *dsr.Record) int { return strings.Compare(b.ID, a.ID) })
				list = slices.DeleteFunc(list, func(r *dsr.Record) bool { return f.After != "" && r.ID >= f.After })
				return list[:min(f.Limit, len(list))], err
			}}
		},
		"the cursor is a time": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, requests: func(ctx context.Context, f dsr.RequestFilter) ([]*dsr.Record, error) {
				list, err := s.Requests(ctx, dsr.RequestFilter{Limit: 1000})
				if after, err := s.Request(ctx, f.After); err == nil {
					list = slices.DeleteFunc(list, func(r *dsr.Record) bool { return !r.CreatedAt.After(after.CreatedAt) })
				}
				return list[:min(f.Limit, len(list))], err
			}}
		},
		"the cursor is ignored now and then": func() *fake {
			s := memory.NewStore()
			calls := 0
			return &fake{Store: s, requests: func(ctx context.Context, f dsr.RequestFilter) ([]*dsr.Record, error) {
				if calls++; calls == 3 {
					f.After = ""
				}
				return s.Requests(ctx, f)
			}}
		},
	},
	"limit": {
		"none unless told": filtered(func(f *dsr.RequestFilter) {
			if f.Limit == 0 {
				f.Limit = 1000
			}
		}),
		"never more than 100": filtered(func(f *dsr.RequestFilter) { f.Limit = min(f.Limit, 100) }),
	},
	"journal order": {
		"newest first": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, journal: func(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error) {
				list, err := s.Journal(ctx, id, after, limit)
				slices.Reverse(list)
				return list, err
			}}
		},
		"after is within": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, journal: func(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error) {
				return s.Journal(ctx, id, after-1, limit)
			}}
		},
		"the limit is ignored": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, journal: func(ctx context.Context, id string, after, _ int) ([]dsr.JournalChunk, error) {
				return s.Journal(ctx, id, after, 0)
			}}
		},
		"an append replaces": altered(func(ch *dsr.StoreChange) { ch.DropJournal = ch.DropJournal || len(ch.AppendJournal) > 0 }),
	},
	"ticks": {
		"they are forgotten": altered(func(ch *dsr.StoreChange) { ch.Ticks = nil }),
		"counts are forgotten": altered(func(ch *dsr.StoreChange) {
			for i := range ch.Ticks {
				ch.Ticks[i].Counts = dsr.ChunkCounts{}
			}
		}),
		"the first one counts": altered(func(ch *dsr.StoreChange) { ch.Ticks = ch.Ticks[:min(1, len(ch.Ticks))] }),
		"all before are marked": altered(func(ch *dsr.StoreChange) {
			for _, tick := range ch.Ticks {
				for seq := range tick.Seq {
					ch.Ticks = append(ch.Ticks, dsr.Tick{Seq: seq + 1, Counts: tick.Counts})
				}
			}
		}),
	},
	"drop": {
		"nothing is dropped": altered(func(ch *dsr.StoreChange) { ch.DropJournal = false }),
		"what is appended is dropped too": altered(func(ch *dsr.StoreChange) {
			if ch.DropJournal {
				ch.AppendJournal = nil
			}
		}),
	},
	"events order": {
		"by time": func() *fake {
			s := memory.NewStore()
			return &fake{Store: s, events: func(ctx context.Context, id string) ([]dsr.Event, error) {
				list, err := s.Events(ctx, id)
				slices.SortStableFunc(list, func(a, b dsr.Event) int { return a.Time.Compare(b.Time) })
				return list, err
			}}
		},
		"the last change only": func() *fake {
			s := memory.NewStore()
			last := map[string]int{}
			return &fake{
				Store: s,
				commit: func(ctx context.Context, ch *dsr.StoreChange) error {
					last[ch.Record.ID] = len(ch.Events)
					return s.Commit(ctx, ch)
				},
				events: func(ctx context.Context, id string) ([]dsr.Event, error) {
					list, err := s.Events(ctx, id)
					return list[len(list)-last[id]:], err
				},
			}
		},
		"no collection": altered(func(ch *dsr.StoreChange) {
			for i := range ch.Events {
				ch.Events[i].Collection = ""
			}
		}),
	},
	"copies given": {
		"the change is kept": func() *fake {
			s := memory.NewStore()
			var kept *dsr.StoreChange
			return &fake{
				Store: s,
				commit: func(ctx context.Context, ch *dsr.StoreChange) error {
					kept = ch
					return s.Commit(ctx, ch)
				},
				request: func(context.Context, string) (*dsr.Record, error) { return &kept.Record, nil },
			}
		},
		"its journal is kept": func() *fake {
			s := memory.NewStore()
			var kept *dsr.StoreChange
			return &fake{
				Store: s,
				commit: func(ctx context.Context, ch *dsr.StoreChange) error {
					kept = ch
					return s.Commit(ctx, ch)
				},
				journal: func(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error) {
					list, err := s.Journal(ctx, id, after, limit)
					for i := range list {
						list[i].Sealed = kept.AppendJournal[i].Sealed
					}
					return list, err
				},
			}
		},
	},
	"copies returned": {
		"the record is handed out": aliasing,
		"the log is handed out": func() *fake {
			s := memory.NewStore()
			kept := map[string][]dsr.Event{}
			return &fake{Store: s, events: func(ctx context.Context, id string) (_ []dsr.Event, err error) {
				if kept[id] == nil {
					kept[id], err = s.Events(ctx, id)
				}
				return kept[id], err
			}}
		},
	},
}

func nonzero(t time.Time, d time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(d)
}

// Every check finds every store at fault that was broken for it.
func TestChecksFindBrokenStores(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, check := range storetest.Checks() {
		require.False(t, names[check.Name], "two checks are named %q", check.Name)
		names[check.Name] = true
		require.NotEmpty(t, check.Explanation)
		require.NotEmpty(t, broken[check.Name], "no store proves check %q", check.Name)
		for name, newFake := range broken[check.Name] {
			t.Run(fmt.Sprintf("%s/%s", check.Name, name), func(t *testing.T) {
				t.Parallel()
				err := check.Run(t.Context(), func() (dsr.Store, error) { return newFake(), nil })
				require.Error(t, err)
				t.Log(err)
			})
		}
	}
	for name := range broken {
		require.True(t, names[name], "there is no check %q", name)
	}
}

// A store that cannot be made is no fault of a check, and a decorator that
// changes nothing breaks none.
func TestChecksOnHonestStores(t *testing.T) {
	t.Parallel()
	failure := errors.New("no disk")
	for _, check := range storetest.Checks() {
		require.ErrorIs(t, check.Run(t.Context(), func() (dsr.Store, error) { return nil, failure }), failure)
		require.NoError(t, check.Run(t.Context(), func() (dsr.Store, error) { return &fake{Store: memory.NewStore()}, nil }))
	}
}
