package memory

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// check holds the written columns against the schema, as a database would
// before it commits.
func (tx *transaction) check(schema *dsr.Schema) error {
	written := make(map[string]bool)
	for _, cell := range tx.written {
		column, ok := schema.Column(cell.column)
		if !ok {
			return fmt.Errorf("there is no column %q", cell.column)
		}
		if err := checkCell(column, tx.rows[cell.row][cell.column]); err != nil {
			return fmt.Errorf("column %q %w", cell.column, err)
		}
		written[column.Name] = true
	}
	sets := slices.Clone(schema.Unique)
	for i := range schema.Columns {
		if schema.Columns[i].Unique {
			sets = append(sets, []string{schema.Columns[i].Name})
		}
	}
	for _, set := range sets {
		if !slices.ContainsFunc(set, func(name string) bool { return written[name] }) {
			continue
		}
		if err := tx.checkUnique(set); err != nil {
			return err
		}
	}
	return nil
}

func checkCell(column *dsr.Column, v any) error {
	switch {
	case column.Generated:
		return fmt.Errorf("is generated and cannot be written")
	case column.ReadOnly:
		return fmt.Errorf("cannot be written by this connection")
	case v == nil && !column.Nullable:
		return fmt.Errorf("takes no null")
	case v != nil && !fits(column.Kind, v):
		return fmt.Errorf("of kind %s takes no %T", column.Kind, v)
	}
	if text, ok := v.(string); ok && column.Length > 0 && utf8.RuneCountInString(text) > column.Length {
		return fmt.Errorf("takes %d characters only", column.Length)
	}
	return nil
}

// checkUnique looks for two rows that hold the same in all of the columns; null
// equals nothing.
func (tx *transaction) checkUnique(columns []string) error {
	s := &selector{buckets: make(map[string][]int)}
	for _, name := range columns {
		s.fields = append(s.fields, graph.Path{name})
	}
	for _, row := range tx.rows {
		tuple := make([]any, len(columns))
		for i, name := range columns {
			tuple[i] = row[name]
		}
		if slices.Contains(tuple, nil) {
			continue
		}
		for range s.find(row) {
			return fmt.Errorf("%s must be unique, and another row has the new value", described(columns))
		}
		s.tuples = append(s.tuples, tuple)
		bucket := string(s.bucket(tuple))
		s.buckets[bucket] = append(s.buckets[bucket], len(s.tuples)-1)
	}
	return nil
}

func described(columns []string) string {
	if len(columns) == 1 {
		return fmt.Sprintf("column %q", columns[0])
	}
	return fmt.Sprintf("the columns %q together", columns)
}

// fits reports whether a column of that kind takes the value.
func fits(kind dsr.ColumnKind, v any) bool {
	switch kind {
	case dsr.ColumnText, dsr.ColumnDate, dsr.ColumnUUID, dsr.ColumnOther:
		_, ok := v.(string)
		return ok
	case dsr.ColumnInteger:
		_, ok := v.(int64)
		return ok
	case dsr.ColumnFloat, dsr.ColumnDecimal:
		switch v.(type) {
		case int64, float64, json.Number:
			return true
		}
		return false
	case dsr.ColumnBoolean:
		_, ok := v.(bool)
		return ok
	case dsr.ColumnTime:
		_, ok := v.(time.Time)
		return ok
	case dsr.ColumnBytes:
		_, ok := v.([]byte)
		return ok
	default:
		return true
	}
}
