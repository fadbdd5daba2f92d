package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// DryRead tells in words what Read would look for. It holds no values.
func (c *Connector) DryRead(_ context.Context, q *dsr.Query) ([]string, error) {
	if _, err := compile(q); err != nil {
		return nil, fmt.Errorf("memory: read %q: %w", q.Collection.Name, err)
	}
	conditions := make([]string, len(q.Criteria))
	for i, criterion := range q.Criteria {
		conditions[i] = fmt.Sprintf("%s in (%d %s)", pathList(criterion.Fields),
			len(criterion.Values), plural(len(criterion.Values), "value"))
		if criterion.FoldCase {
			conditions[i] += " in any letter case"
		}
	}
	return []string{fmt.Sprintf("read %s from %s where %s",
		strings.Join(q.Columns, ", "), q.Collection.Name, strings.Join(conditions, " or "))}, nil
}

// DryApply tells in words what Apply would change: one statement for each set
// of fields that rows of the chunk share. It holds no values.
func (c *Connector) DryApply(_ context.Context, ch *dsr.Chunk) ([]string, error) {
	if len(ch.Key) == 0 || slices.ContainsFunc(ch.Rows, func(r dsr.RowChange) bool { return len(r.Key) == 0 }) {
		return nil, fmt.Errorf("memory: change %q: %w", ch.Collection.Name, dsr.ErrEmptyQuery)
	}
	var order []string
	counts := make(map[string]int)
	for i := range ch.Rows {
		verb := "update " + ch.Collection.Name + " set " + changedPaths(ch.Rows[i].Set)
		if ch.Delete {
			verb = "delete from " + ch.Collection.Name
		}
		if counts[verb] == 0 {
			order = append(order, verb)
		}
		counts[verb]++
	}
	statements := make([]string, len(order))
	for i, verb := range order {
		statements[i] = fmt.Sprintf("%s where %s in (%d %s), in rows that hold the old values",
			verb, pathList(ch.Key), counts[verb], plural(counts[verb], "key"))
	}
	return statements, nil
}

func changedPaths(changes []dsr.Change) string {
	paths := make([]string, len(changes))
	for i, change := range changes {
		elements := make([]string, len(change.Path))
		for j, element := range change.Path {
			elements[j] = fmt.Sprint(element)
		}
		paths[i] = strings.Join(elements, ".")
	}
	return strings.Join(paths, ", ")
}

func pathList(paths []graph.Path) string {
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = path.String()
	}
	if len(names) == 1 {
		return names[0]
	}
	return "(" + strings.Join(names, ", ") + ")"
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
