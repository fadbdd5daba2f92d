package memory

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// Read yields the matching rows as they stood when it began, in the order in
// which they were put in. The values of a row are the caller's own.
func (c *Connector) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	return func(yield func(dsr.Row, error) bool) {
		fail := func(err error) {
			yield(dsr.Row{}, fmt.Errorf("memory: read %q: %w", q.Collection.Name, err))
		}
		criteria, err := compile(q)
		if err != nil {
			fail(err)
			return
		}
		rows, err := c.table(q.Collection.Name)
		if err != nil {
			yield(dsr.Row{}, err)
			return
		}
		for _, row := range rows {
			if err := ctx.Err(); err != nil {
				fail(err)
				return
			}
			via := matches(criteria, row, q.Via)
			if len(via) == 0 {
				continue
			}
			values := make([]any, len(q.Columns))
			for i, column := range q.Columns {
				values[i] = copyValue(row[column])
			}
			if !q.Via {
				via = nil
			}
			if !yield(dsr.Row{Values: values, Via: via}, nil) {
				return
			}
		}
	}
}

func compile(q *dsr.Query) ([]*selector, error) {
	if len(q.Criteria) == 0 {
		return nil, dsr.ErrEmptyQuery
	}
	criteria := make([]*selector, len(q.Criteria))
	for i, criterion := range q.Criteria {
		if len(criterion.Fields) == 0 || len(criterion.Values) == 0 {
			return nil, fmt.Errorf("criterion %d: %w", i, dsr.ErrEmptyQuery)
		}
		s, err := newSelector(criterion.Fields, criterion.Values, criterion.FoldCase)
		if err != nil {
			return nil, fmt.Errorf("criterion %d: %w", i, err)
		}
		criteria[i] = s
	}
	return criteria, nil
}

// matches returns what the row matches, in order; only the first when not all
// are asked for.
func matches(criteria []*selector, row map[string]any, all bool) []dsr.Match {
	var found []dsr.Match
	for i, criterion := range criteria {
		for n := range criterion.find(row) {
			found = append(found, dsr.Match{Criterion: i, Value: n})
			if !all {
				return found
			}
		}
	}
	if len(found) < 2 {
		return found
	}
	slices.SortFunc(found, func(a, b dsr.Match) int {
		return cmp.Or(cmp.Compare(a.Criterion, b.Criterion), cmp.Compare(a.Value, b.Value))
	})
	// Two elements of an array may match the same input.
	return slices.Compact(found)
}

// leaves yields the values that path leads to from v, through any arrays on
// the way and at its end.
func leaves(v any, path graph.Path) iter.Seq[any] {
	return func(yield func(any) bool) { walkLeaves(v, path, yield) }
}

func walkLeaves(v any, path graph.Path, yield func(any) bool) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		for _, e := range v {
			if !walkLeaves(e, path, yield) {
				return false
			}
		}
		return true
	case map[string]any:
		if len(path) > 0 {
			return walkLeaves(v[path[0]], path[1:], yield)
		}
	}
	return len(path) > 0 || yield(v)
}
