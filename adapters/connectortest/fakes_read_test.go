package connectortest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

func allFakes() map[string]func(*fake) {
	fakes := readFakes()
	maps.Copy(fakes, writeFakes())
	return fakes
}

// readFakes are keyed by the check that must notice them.
func readFakes() map[string]func(*fake) {
	return map[string]func(*fake){
		"hostile names": func(f *fake) {
			f.editSchema(func(s *dsr.Schema) {
				for i := range s.Columns {
					s.Columns[i].Name = strings.ToLower(s.Columns[i].Name)
				}
			})
		},
		"only matching rows": func(f *fake) {
			f.addRows(func(stored, asked any) bool {
				return stored != nil && strings.Contains(fmt.Sprint(stored), fmt.Sprint(asked))
			})
		},
		"nulls": func(f *fake) {
			f.addRows(func(stored, asked any) bool { return stored == nil && asked == "" })
		},
		"or once": func(f *fake) {
			f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
				return func(yield func(dsr.Row, error) bool) {
					for i := range q.Criteria {
						for r, err := range f.Connector.Read(ctx, withCriteria(q, q.Criteria[i])) {
							if !yield(r, err) {
								return
							}
						}
					}
				}
			}
		},
		"zero keys": func(f *fake) {
			f.editValues(func(c *dsr.Criterion) {
				c.Values = slices.DeleteFunc(slices.Clone(c.Values), func(tuple []any) bool {
					return slices.Contains(tuple, any(int64(0))) || slices.Contains(tuple, any(false))
				})
				if len(c.Values) == 0 {
					c.Values = [][]any{make([]any, len(c.Fields))}
				}
			})
		},
		"tuples": func(f *fake) { f.editValues(crossProduct) },
		"fold case": func(f *fake) {
			f.editValues(func(c *dsr.Criterion) { c.FoldCase = false })
		},
		"10,000 values": func(f *fake) {
			f.editValues(func(c *dsr.Criterion) { c.Values = c.Values[:min(len(c.Values), 9_999)] })
		},
		"Via": func(f *fake) {
			f.editRows(func(_ *dsr.Query, r *dsr.Row) { r.Via = r.Via[:min(len(r.Via), 1)] })
		},
		"Via in documents": func(f *fake) {
			f.editRows(func(_ *dsr.Query, r *dsr.Row) { r.Via = slices.Concat(r.Via, r.Via) })
		},
		"numbers": func(f *fake) {
			f.editRead(func(v any) any {
				if n, ok := v.(int64); ok {
					return float64(n)
				}
				return v
			})
		},
		"decimals": func(f *fake) {
			f.editRead(func(v any) any {
				if n, ok := v.(json.Number); ok {
					rounded, _ := n.Float64()
					return rounded
				}
				return v
			})
		},
		"times": func(f *fake) {
			f.editRead(func(v any) any {
				if at, ok := v.(time.Time); ok {
					return at.Format(time.RFC3339Nano)
				}
				return v
			})
		},
		"types": func(f *fake) {
			f.editRead(func(v any) any {
				if b, ok := v.([]byte); ok {
					return json.RawMessage(b)
				}
				return v
			})
		},
		"nested match": func(f *fake) {
			f.editValues(func(c *dsr.Criterion) {
				if len(c.Fields[0]) > 2 {
					c.Fields = []graph.Path{c.Fields[0][:2]}
				}
			})
		},
		"nested arrays": func(f *fake) {
			f.editValues(func(c *dsr.Criterion) {
				if slices.Contains(c.Fields[0], "grid") {
					c.Values = [][]any{{"an element of the outer array"}}
				}
			})
		},
		"whole documents": func(f *fake) {
			f.editRows(func(q *dsr.Query, r *dsr.Row) {
				for i, v := range r.Values {
					if doc, ok := v.(map[string]any); ok {
						maps.DeleteFunc(doc, func(key string, _ any) bool {
							_, declared := q.Collection.Field(graph.Path{q.Columns[i], key})
							return !declared
						})
					}
				}
			})
		},
		"empty query": func(f *fake) {
			f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
				if len(q.Criteria) == 0 {
					return func(yield func(dsr.Row, error) bool) { f.yieldAll(q, yield) }
				}
				return f.Connector.Read(ctx, q)
			}
		},
		"cancel stops the cursor": func(f *fake) {
			f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
				return f.Connector.Read(context.WithoutCancel(ctx), q)
			}
		},
		"break frees the cursor": func(f *fake) {
			free := new(atomic.Int32)
			free.Store(2)
			f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
				return func(yield func(dsr.Row, error) bool) {
					if free.Add(-1) < 0 {
						yield(dsr.Row{}, errors.New("no connection is free"))
						return
					}
					for r, err := range f.Connector.Read(ctx, q) {
						if !yield(r, err) {
							return
						}
					}
					free.Add(1)
				}
			}
		},
		"describe": func(f *fake) {
			f.editSchema(func(s *dsr.Schema) { slices.Sort(s.Key) })
		},
		"unique sets": func(f *fake) {
			f.editSchema(func(s *dsr.Schema) { s.Unique = append(s.Unique, s.Key) })
		},
		"lengths": func(f *fake) {
			f.editSchema(func(s *dsr.Schema) {
				for i := range s.Columns {
					s.Columns[i].Length = 0
				}
			})
		},
		"foreign keys": func(f *fake) {
			f.editSchema(func(s *dsr.Schema) {
				s.ReferencedBy = slices.DeleteFunc(s.ReferencedBy, func(fk dsr.ForeignKey) bool { return fk.Table == s.Table })
			})
		},
		"no collection": func(f *fake) {
			f.describe = func(ctx context.Context, c *graph.Collection) (*dsr.Schema, error) {
				s, err := f.Connector.Describe(ctx, c)
				if errors.Is(err, dsr.ErrNoCollection) {
					return &dsr.Schema{Table: c.Name}, nil
				}
				return s, err
			}
		},
		"ping": func(f *fake) {
			f.ping = func(context.Context) error { return nil }
		},
	}
}

func (f *fake) editSchema(edit func(*dsr.Schema)) {
	f.describe = func(ctx context.Context, c *graph.Collection) (*dsr.Schema, error) {
		s, err := f.Connector.Describe(ctx, c)
		if err == nil {
			edit(s)
		}
		return s, err
	}
}

// editRows changes every row that is read.
func (f *fake) editRows(edit func(*dsr.Query, *dsr.Row)) {
	f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
		return func(yield func(dsr.Row, error) bool) {
			for r, err := range f.Connector.Read(ctx, q) {
				if err == nil {
					edit(q, &r)
				}
				if !yield(r, err) {
					return
				}
			}
		}
	}
}

// editRead changes every value that is read.
func (f *fake) editRead(edit func(any) any) {
	f.editRows(func(_ *dsr.Query, r *dsr.Row) {
		for i := range r.Values {
			r.Values[i] = edit(r.Values[i])
		}
	})
}

// editValues changes every criterion before it is asked.
func (f *fake) editValues(edit func(*dsr.Criterion)) {
	f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
		criteria := slices.Clone(q.Criteria)
		for i := range criteria {
			edit(&criteria[i])
		}
		return f.Connector.Read(ctx, withCriteria(q, criteria...))
	}
}

// addRows reads, besides, the rows in which like holds for some value that is
// asked for.
func (f *fake) addRows(like func(stored, asked any) bool) {
	f.read = func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
		return func(yield func(dsr.Row, error) bool) {
			for r, err := range f.Connector.Read(ctx, q) {
				if !yield(r, err) {
					return
				}
			}
			field := q.Criteria[0].Fields[0][0]
			for _, stored := range f.Rows(q.Collection.Name) {
				for _, tuple := range q.Criteria[0].Values {
					if stored[field] != tuple[0] && like(stored[field], tuple[0]) && !yield(pick(q, stored), nil) {
						return
					}
				}
			}
		}
	}
}

func (f *fake) yieldAll(q *dsr.Query, yield func(dsr.Row, error) bool) {
	for _, stored := range f.Rows(q.Collection.Name) {
		if !yield(pick(q, stored), nil) {
			return
		}
	}
}

func pick(q *dsr.Query, stored map[string]any) dsr.Row {
	var r dsr.Row
	for _, column := range q.Columns {
		r.Values = append(r.Values, stored[column])
	}
	return r
}

func withCriteria(q *dsr.Query, criteria ...dsr.Criterion) *dsr.Query {
	edited := *q
	edited.Criteria = criteria
	return &edited
}

// crossProduct compares the two parts of a tuple apart from each other.
func crossProduct(c *dsr.Criterion) {
	if len(c.Fields) != 2 {
		return
	}
	var all [][]any
	for _, a := range c.Values {
		for _, b := range c.Values {
			all = append(all, []any{a[0], b[1]})
		}
	}
	c.Values = all
}
