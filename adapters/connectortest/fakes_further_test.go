package connectortest_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

type furtherFake struct {
	check, breaks string
	promise       func(*fake)
}

func furtherFakes() []furtherFake {
	return []furtherFake{
		{"10,000 values", "a row comes twice when lists are split", func(f *fake) {
			f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
				return func(yield func(dsr.Row, error) bool) {
					for r, err := range f.Connector.Read(ctx, q) {
						if !yield(r, err) || r.Values[0] == int64(5_000) && !yield(r, err) {
							return
						}
					}
				}
			}
		}},
		{"or once", "equal rows become one", func(f *fake) {
			f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
				return func(yield func(dsr.Row, error) bool) {
					seen := make(map[string]bool)
					for r, err := range f.Connector.Read(ctx, q) {
						text := fmt.Sprint(r.Values)
						if !seen[text] && !yield(r, err) {
							return
						}
						seen[text] = true
					}
				}
			}
		}},
		{"fold case", "accents are ignored too", func(f *fake) {
			f.addRows(func(stored, asked any) bool {
				text, _ := stored.(string)
				return strings.EqualFold(strings.ReplaceAll(text, "é", "e"), asked.(string)) && text != "jose@example.com"
			})
		}},
		{"fold case", "letters beyond ASCII are not folded", func(f *fake) { f.dropFolded(lowerASCII) }},
		{"fold case", "ß counts as ss", func(f *fake) {
			f.addRows(func(stored, asked any) bool {
				text, _ := stored.(string)
				return strings.EqualFold(strings.ReplaceAll(text, "ß", "ss"), asked.(string)) && strings.Contains(text, "ß")
			})
		}},
		{"fold case", "a dotless i counts as i", func(f *fake) {
			f.addRows(func(stored, asked any) bool {
				text, _ := stored.(string)
				return strings.EqualFold(strings.ReplaceAll(text, "ı", "i"), asked.(string)) && strings.Contains(text, "ı")
			})
		}},
		{"fold case", "blanks at the end do not count", func(f *fake) {
			f.addRows(func(stored, asked any) bool {
				text, _ := asked.(string)
				return stored != nil && strings.TrimRight(text, " ") != text && strings.TrimRight(text, " ") == stored
			})
		}},
		{"unique sets", "no set is told", func(f *fake) { f.editSchema(func(s *dsr.Schema) { s.Unique = nil }) }},
		{"unique sets", "each column of a set is said to be unique", func(f *fake) {
			f.editSchema(func(s *dsr.Schema) {
				s.Columns = slices.Clone(s.Columns)
				for i := range s.Columns {
					s.Columns[i].Unique = true
				}
			})
		}},
		{"Via", "the number of the criterion is lost", func(f *fake) {
			f.editRows(func(_ *dsr.Query, r *dsr.Row) {
				for i := range r.Via {
					r.Via[i].Criterion = 0
				}
			})
		}},
		{"nulls", "null is no old value", func(f *fake) {
			f.editChanges(func(_ dsr.RowChange, c *dsr.Change) {
				if c.Old == nil {
					c.Old = "null"
				}
			})
		}},
		{"nulls", "null becomes an empty text", func(f *fake) {
			f.editChanges(func(_ dsr.RowChange, c *dsr.Change) {
				if c.New == nil && c.Old != nil {
					c.New = ""
				}
			})
		}},
		{"empty query", "an empty criterion beside a good one is dropped", func(f *fake) {
			f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
				criteria := slices.DeleteFunc(slices.Clone(q.Criteria), func(c dsr.Criterion) bool { return len(c.Fields) == 0 })
				return f.Connector.Read(ctx, withCriteria(q, criteria...))
			}
		}},
		{"empty key", "rows with a key are written before the one without", func(f *fake) {
			f.editChunk(func(ch *dsr.Chunk) {
				ch.Rows = slices.DeleteFunc(ch.Rows, func(r dsr.RowChange) bool { return len(r.Key) == 0 })
			})
		}},
		{"cancel stops the cursor", "the error is swallowed", func(f *fake) {
			f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
				return func(yield func(dsr.Row, error) bool) {
					for r, err := range f.Connector.Read(ctx, q) {
						if err != nil || !yield(r, err) {
							return
						}
					}
				}
			}
		}},
		{"cancel stops the cursor", "the cause is lost", func(f *fake) {
			f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
				return func(yield func(dsr.Row, error) bool) {
					for r, err := range f.Connector.Read(ctx, q) {
						if err != nil {
							err = errors.New("the read failed")
						}
						if !yield(r, err) {
							return
						}
					}
				}
			}
		}},
		{"cancel stops the cursor", "a cancelled change is written", func(f *fake) {
			f.apply = func(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
				return f.Connector.Apply(context.WithoutCancel(ctx), ch)
			}
		}},
		{"changed since", "results come in another order", func(f *fake) {
			f.apply = func(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
				results, err := f.Connector.Apply(ctx, ch)
				slices.Sort(results)
				return results, err
			}
		}},
		{"changed since", "a row that holds some new values is written", func(f *fake) {
			f.editChangesOf(func(stored map[string]any, c *dsr.Change) {
				if stored[c.Path[0].(string)] == c.New {
					c.Old = c.New
				}
			})
		}},
		{"all or nothing", "the error is not told", func(f *fake) {
			f.apply = func(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
				results, _ := f.Connector.Apply(ctx, ch)
				if results == nil {
					results = slices.Repeat([]dsr.RowResult{dsr.RowChanged}, len(ch.Rows))
				}
				return results, nil
			}
		}},
		{"missing keys", "a missing key is no null", func(f *fake) {
			f.editChanges(func(_ dsr.RowChange, c *dsr.Change) {
				if len(c.Path) > 1 && c.Old == nil {
					c.Old = "missing"
				}
			})
		}},
		{"errors carry no values", "the text holds the row", func(f *fake) {
			f.apply = func(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
				results, err := f.Connector.Apply(ctx, ch)
				if err != nil {
					err = fmt.Errorf("%w: %v", err, ch.Rows)
				}
				return results, err
			}
		}},
		{"errors carry no values", "a wrapped error of a read holds the query", func(f *fake) {
			f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
				return func(yield func(dsr.Row, error) bool) {
					for r, err := range f.Connector.Read(ctx, q) {
						if err != nil {
							err = errors.Join(err, fmt.Errorf("in %v", q.Criteria))
						}
						if !yield(r, err) {
							return
						}
					}
				}
			}
		}},
		{"read-only refused", "the schema does not tell", func(f *fake) {
			f.editSchema(func(s *dsr.Schema) { s.ReadOnly = "" })
		}},
		{"dry run writes nothing", "a statement holds values", func(f *fake) {
			f.dryApply = func(ctx context.Context, ch *dsr.Chunk) ([]string, error) {
				return []string{fmt.Sprint("update ", ch.Rows)}, nil
			}
		}},
		{"dry run writes nothing", "there are no statements", func(f *fake) {
			f.dryApply = func(context.Context, *dsr.Chunk) ([]string, error) { return nil, nil }
		}},
		{"no collection", "a read of nothing finds nothing", func(f *fake) {
			f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
				if f.Rows(q.Collection.Name) == nil {
					return func(func(dsr.Row, error) bool) {}
				}
				return f.Connector.Read(ctx, q)
			}
		}},
		{"describe", "a column that must not be null may be", func(f *fake) {
			f.editSchema(func(s *dsr.Schema) {
				for i := range s.Columns {
					s.Columns[i].Nullable = true
				}
			})
		}},
		{"describe", "a part of a key is unique", func(f *fake) {
			f.editSchema(func(s *dsr.Schema) {
				for i := range s.Columns {
					s.Columns[i].Unique = s.Columns[i].Unique || slices.Contains(s.Key, s.Columns[i].Name)
				}
			})
		}},
		{"foreign keys", "what a deletion does is not told", func(f *fake) {
			f.editSchema(func(s *dsr.Schema) {
				s.ReferencedBy = slices.Clone(s.ReferencedBy)
				for i := range s.ReferencedBy {
					s.ReferencedBy[i].OnDelete = "restrict"
				}
			})
		}},
		{"foreign keys", "those of the table itself are not told", func(f *fake) {
			f.editSchema(func(s *dsr.Schema) { s.References = nil })
		}},
		{"foreign keys", "those of the table itself name the table that refers", func(f *fake) {
			f.editSchema(func(s *dsr.Schema) {
				s.References = slices.Clone(s.References)
				for i := range s.References {
					s.References[i].Table = s.Table
				}
			})
		}},
		{"keyless", "the schema does not tell", func(f *fake) {
			f.editSchema(func(s *dsr.Schema) { s.Keyless = false })
		}},
		{"nested match", "only the first element of an array is looked at", func(f *fake) {
			f.keepRows(func(q *dsr.Query, stored map[string]any) bool {
				tags, _ := stored["tags"].([]any)
				return !q.Criteria[0].Fields[0].Equal(graph.Path{"tags"}) || tags[0] == q.Criteria[0].Values[0][0]
			})
		}},
	}
}

// keepRows leaves out the rows, known by "id", for which keep is false.
func (f *fake) keepRows(keep func(*dsr.Query, map[string]any) bool) {
	f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
		return func(yield func(dsr.Row, error) bool) {
			for r, err := range f.Connector.Read(ctx, q) {
				kept := err != nil
				for _, stored := range f.Rows(q.Collection.Name) {
					kept = kept || stored["id"] == r.Values[0] && keep(q, stored)
				}
				if kept && !yield(r, err) {
					return
				}
			}
		}
	}
}

// dropFolded leaves out the rows whose first compared field equals no value
// once lower has folded both.
func (f *fake) dropFolded(lower func(string) string) {
	f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
		return func(yield func(dsr.Row, error) bool) {
			wide := *q
			wide.Columns = append(slices.Clone(q.Columns), q.Criteria[0].Fields[0][0])
			for r, err := range f.Connector.Read(ctx, &wide) {
				if err == nil && q.Criteria[0].FoldCase && len(q.Criteria) == 1 {
					text, _ := r.Values[len(q.Columns)].(string)
					if !slices.ContainsFunc(q.Criteria[0].Values, func(v []any) bool { return lower(v[0].(string)) == lower(text) }) {
						continue
					}
				}
				if err == nil {
					r.Values = r.Values[:len(q.Columns)]
				}
				if !yield(r, err) {
					return
				}
			}
		}
	}
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
