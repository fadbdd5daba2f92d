package memory

import (
	"context"
	"fmt"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/value"
)

// Apply writes the chunk at once or, on any error, not at all. Where the key
// addresses several rows, as it may without a primary key, a change holds for
// each of them that has its old values.
func (c *Connector) Apply(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
	results, err := c.apply(ctx, ch)
	if err != nil {
		return nil, fmt.Errorf("memory: change %q, nothing was written: %w", ch.Collection.Name, err)
	}
	return results, nil
}

func (c *Connector) apply(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
	if c.readOnly {
		return nil, dsr.ErrReadOnly
	}
	changes, err := normalChanges(ch)
	if err != nil {
		return nil, err
	}
	keys := make([][]any, len(ch.Rows))
	for i := range ch.Rows {
		keys[i] = ch.Rows[i].Key
		if !slices.ContainsFunc(keys[i], func(v any) bool { return v != nil }) {
			return nil, fmt.Errorf("row %d of the chunk: %w", i, dsr.ErrEmptyQuery)
		}
	}
	if len(ch.Key) == 0 {
		return nil, dsr.ErrEmptyQuery
	}
	byKey, err := newSelector(ch.Key, keys, false)
	if err != nil {
		return nil, err
	}
	byKey.nulls = true

	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	stored, ok := c.tables[ch.Collection.Name]
	if !ok {
		return nil, noCollection(ch.Collection.Name)
	}
	tx := &transaction{rows: slices.Clone(stored), delete: ch.Delete}
	addressed := make([][]int, len(ch.Rows))
	for at, row := range stored {
		for i := range byKey.find(row) {
			addressed[i] = append(addressed[i], at)
		}
	}
	results := make([]dsr.RowResult, len(ch.Rows))
	for i := range ch.Rows {
		results[i] = tx.change(addressed[i], changes[i])
	}
	if schema, ok := c.schemas[ch.Collection.Name]; ok && !ch.Delete {
		if err := tx.check(&schema); err != nil {
			return nil, err
		}
	}
	c.tables[ch.Collection.Name] = slices.DeleteFunc(tx.rows, func(row map[string]any) bool { return row == nil })
	return results, nil
}

// normalChanges returns the changes of each row with values of the closed set.
func normalChanges(ch *dsr.Chunk) ([][]dsr.Change, error) {
	changes := make([][]dsr.Change, len(ch.Rows))
	for i := range ch.Rows {
		changes[i] = slices.Clone(ch.Rows[i].Set)
		for j := range changes[i] {
			change := &changes[i][j]
			if err := checkPath(change.Path); err != nil {
				return nil, fmt.Errorf("row %d of the chunk: %w", i, err)
			}
			var err error
			if change.Old, err = value.Normalize(change.Old); err != nil {
				return nil, fmt.Errorf("row %d of the chunk: %w", i, err)
			}
			if change.New, err = value.Normalize(change.New); err != nil {
				return nil, fmt.Errorf("row %d of the chunk: %w", i, err)
			}
		}
	}
	return changes, nil
}

func checkPath(path []any) error {
	if len(path) == 0 {
		return fmt.Errorf("a change without a path")
	}
	for i, element := range path {
		switch element.(type) {
		case string:
			continue
		case int:
			if i > 0 {
				continue
			}
		}
		return fmt.Errorf("element %d of a path is of type %T: want a column, then keys (string) and indexes (int)", i, element)
	}
	return nil
}

// transaction works on its own slice; rows that it changes it copies first, and
// rows that it deletes become nil.
type transaction struct {
	rows   []map[string]any
	delete bool
	// written lists the changed rows and the columns changed in them.
	written []writtenCell
}

type writtenCell struct {
	row    int
	column string
}

func (tx *transaction) change(addressed []int, changes []dsr.Change) dsr.RowResult {
	result := dsr.RowGone
	for _, at := range addressed {
		row := tx.rows[at]
		if row == nil {
			continue
		}
		switch {
		case holdsNew(row, changes) && !tx.delete:
			if result != dsr.RowWritten {
				result = dsr.RowAlready
			}
		case holdsOld(row, changes, tx.delete):
			result = dsr.RowWritten
			tx.write(at, changes)
		case result == dsr.RowGone:
			result = dsr.RowChanged
		}
	}
	return result
}

func (tx *transaction) write(at int, changes []dsr.Change) {
	if tx.delete {
		tx.rows[at] = nil
		return
	}
	row := copyRow(tx.rows[at])
	for _, change := range changes {
		if !value.Equal(change.Old, change.New) {
			set(row, change.Path, copyValue(change.New))
			tx.written = append(tx.written, writtenCell{row: at, column: change.Path[0].(string)})
		}
	}
	tx.rows[at] = row
}

func holdsOld(row map[string]any, changes []dsr.Change, delete bool) bool {
	for _, change := range changes {
		v, settable := get(row, change.Path)
		writes := !delete && !value.Equal(change.Old, change.New)
		if !value.Equal(v, change.Old) || writes && !settable {
			return false
		}
	}
	return true
}

func holdsNew(row map[string]any, changes []dsr.Change) bool {
	for _, change := range changes {
		if v, _ := get(row, change.Path); !value.Equal(v, change.New) {
			return false
		}
	}
	return true
}

// get returns the value at path, nil where there is none, and whether a value
// could be set there.
func get(row map[string]any, path []any) (v any, settable bool) {
	v, settable = row, true
	for _, element := range path {
		switch container := v.(type) {
		case map[string]any:
			key, ok := element.(string)
			v, settable = container[key], ok
		case []any:
			index, ok := element.(int)
			settable = ok && index >= 0 && index < len(container)
			v = nil
			if settable {
				v = container[index]
			}
		default:
			return nil, false
		}
	}
	return v, settable
}

// set replaces the value at a path for which get reported settable.
func set(row map[string]any, path []any, v any) {
	last := len(path) - 1
	container, _ := get(row, path[:last])
	switch container := container.(type) {
	case map[string]any:
		container[path[last].(string)] = v
	case []any:
		container[path[last].(int)] = v
	}
}
