package connectortest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/godsr/dsr"
)

// writeFakes are keyed by the check that must notice them.
func writeFakes() map[string]func(*fake) {
	return map[string]func(*fake){
		"composite keys": func(f *fake) {
			f.editChunk(func(ch *dsr.Chunk) {
				ch.Key = ch.Key[:1]
				for i := range ch.Rows {
					ch.Rows[i].Key = ch.Rows[i].Key[:1]
				}
			})
		},
		"hostile values": func(f *fake) {
			f.editChanges(func(_ dsr.RowChange, c *dsr.Change) {
				if text, ok := c.New.(string); ok {
					c.New = strings.ReplaceAll(text, `\\`, `\`)
				}
			})
		},
		"values as read": func(f *fake) {
			f.editChanges(func(_ dsr.RowChange, c *dsr.Change) {
				if n, ok := c.Old.(float64); ok {
					c.Old = float64(float32(n))
				}
			})
		},
		"document keys": func(f *fake) {
			f.editChanges(func(_ dsr.RowChange, c *dsr.Change) {
				if key, ok := c.Path[len(c.Path)-1].(string); ok && strings.Contains(key, ".") {
					c.Path = c.Path[:len(c.Path)-1]
					for part := range strings.SplitSeq(key, ".") {
						c.Path = append(slices.Clip(c.Path), part)
					}
				}
			})
		},
		"sibling survives": func(f *fake) {
			before := f.Rows("profiles")
			f.afterChange(func(row map[string]any, c dsr.Change) {
				doc, ok := row["profile"].(map[string]any)
				for _, old := range before {
					if ok && old["id"] == row["id"] {
						doc["phone"] = old["profile"].(map[string]any)["phone"]
					}
				}
			})
		},
		"array elements": func(f *fake) {
			f.afterChange(func(row map[string]any, c dsr.Change) {
				if _, isIndex := c.Path[1].(int); isIndex {
					row[c.Path[0].(string)] = []any{c.New}
				}
			})
		},
		"missing keys": func(f *fake) {
			f.afterChange(func(row map[string]any, c dsr.Change) {
				doc, isDocument := row[c.Path[0].(string)].(map[string]any)
				if isDocument && len(c.Path) == 2 && c.New == nil {
					doc[c.Path[1].(string)] = nil
				}
			})
		},
		"concurrent siblings": func(f *fake) { f.loseUpdate(15) },
		"concurrency": func(f *fake) {
			count := new(atomic.Int32)
			f.apply = func(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
				if count.Add(1) > 10 {
					return nil, errors.New("the database is busy")
				}
				return f.Connector.Apply(ctx, ch)
			}
		},
		"twice equals once": func(f *fake) {
			f.editResults(func(_ *dsr.Chunk, r dsr.RowResult) dsr.RowResult {
				if r == dsr.RowAlready {
					return dsr.RowChanged
				}
				return r
			})
		},
		"changed since": func(f *fake) {
			f.editChangesOf(func(stored map[string]any, c *dsr.Change) {
				if c.Old != c.New {
					c.Old = stored[c.Path[0].(string)]
				}
			})
		},
		"all or nothing": func(f *fake) {
			f.apply = func(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
				var all []dsr.RowResult
				var faults error
				for i := range ch.Rows {
					single := *ch
					single.Rows = ch.Rows[i : i+1]
					results, err := f.Connector.Apply(ctx, &single)
					all, faults = append(all, results...), errors.Join(faults, err)
				}
				return all, faults
			}
		},
		"delete": func(f *fake) {
			f.editChunk(func(ch *dsr.Chunk) {
				for i := range ch.Rows {
					if ch.Delete {
						ch.Rows[i].Set = nil
					}
				}
			})
		},
		"delete twice": func(f *fake) {
			f.editResults(func(ch *dsr.Chunk, r dsr.RowResult) dsr.RowResult {
				if ch.Delete && r == dsr.RowGone {
					return dsr.RowChanged
				}
				return r
			})
		},
		"keyless": func(f *fake) {
			// One row stands for all that the columns address.
			done := make(map[string]bool)
			f.editResults(func(ch *dsr.Chunk, r dsr.RowResult) dsr.RowResult {
				key := fmt.Sprint(ch.Rows[0].Key)
				if done[key] {
					return dsr.RowGone
				}
				done[key] = true
				return r
			})
		},
		"empty key": func(f *fake) {
			f.apply = func(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
				results, err := f.Connector.Apply(ctx, ch)
				if errors.Is(err, dsr.ErrEmptyQuery) {
					f.Update(ch.Collection.Name, func(row map[string]any) { row["name"] = "masked" })
				}
				return results, err
			}
		},
		"read-only refused": func(f *fake) {
			f.apply = func(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
				results, err := f.Connector.Apply(ctx, ch)
				if errors.Is(err, dsr.ErrReadOnly) {
					return make([]dsr.RowResult, len(ch.Rows)), nil
				}
				return results, err
			}
		},
		"dry run writes nothing": func(f *fake) {
			f.dryApply = func(ctx context.Context, ch *dsr.Chunk) ([]string, error) {
				if _, err := f.Connector.Apply(ctx, ch); err != nil {
					return nil, err
				}
				return f.Connector.DryApply(ctx, ch)
			}
		},
		"errors carry no values": func(f *fake) {
			f.apply = func(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
				results, err := f.Connector.Apply(ctx, ch)
				if err != nil {
					err = fmt.Errorf("apply: %w", &driverError{cause: err, row: fmt.Sprint(ch.Rows[0].Set)})
				}
				return results, err
			}
		},
	}
}

// driverError hides what it quotes from Error, but not from a tool that prints
// its fields.
type driverError struct {
	cause error
	row   string
}

func (e *driverError) Error() string { return e.cause.Error() }

// editChunk changes a copy of every chunk before it is applied.
func (f *fake) editChunk(edit func(*dsr.Chunk)) {
	f.apply = func(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
		edited := *ch
		edited.Rows = slices.Clone(ch.Rows)
		edit(&edited)
		return f.Connector.Apply(ctx, &edited)
	}
}

func (f *fake) editChanges(edit func(dsr.RowChange, *dsr.Change)) {
	f.editChunk(func(ch *dsr.Chunk) {
		for i := range ch.Rows {
			ch.Rows[i].Set = slices.Clone(ch.Rows[i].Set)
			for j := range ch.Rows[i].Set {
				edit(ch.Rows[i], &ch.Rows[i].Set[j])
			}
		}
	})
}

// editChangesOf changes the changes of stored rows, which are known by "id".
func (f *fake) editChangesOf(edit func(stored map[string]any, c *dsr.Change)) {
	f.editChunk(func(ch *dsr.Chunk) {
		for i := range ch.Rows {
			ch.Rows[i].Set = slices.Clone(ch.Rows[i].Set)
			for _, stored := range f.Rows(ch.Collection.Name) {
				for j := range ch.Rows[i].Set {
					if stored["id"] == ch.Rows[i].Key[0] {
						edit(stored, &ch.Rows[i].Set[j])
					}
				}
			}
		}
	})
}

// afterChange changes more of each row than the chunk says.
func (f *fake) afterChange(edit func(row map[string]any, c dsr.Change)) {
	f.apply = func(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
		results, err := f.Connector.Apply(ctx, ch)
		for i, result := range results {
			for _, c := range ch.Rows[i].Set {
				f.Update(ch.Collection.Name, func(row map[string]any) {
					if result == dsr.RowWritten && row["id"] == ch.Rows[i].Key[0] && len(c.Path) > 1 {
						edit(row, c)
					}
				})
			}
		}
		return results, err
	}
}

func (f *fake) editResults(edit func(*dsr.Chunk, dsr.RowResult) dsr.RowResult) {
	f.apply = func(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
		results, err := f.Connector.Apply(ctx, ch)
		for i := range results {
			results[i] = edit(ch, results[i])
		}
		return results, err
	}
}

// loseUpdate undoes change number n, as a writer does that replaces what it
// read a while ago.
func (f *fake) loseUpdate(n int32) {
	count := new(atomic.Int32)
	f.apply = func(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
		if count.Add(1) != n {
			return f.Connector.Apply(ctx, ch)
		}
		return slices.Repeat([]dsr.RowResult{dsr.RowWritten}, len(ch.Rows)), nil
	}
}
